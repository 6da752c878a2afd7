/* Reads the YAML file of --cfg: a map of options, where a sequence stands for a list.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_cfg.h"

#include "gannet/data_api.h"

/* "a,b,c" from a sequence of scalars. */
static gn_status join_items(const char *path, const char *key, const gn_yaml_node *list, gn_text *out, gn_error *err)
{
    for (int64_t i = 0; i < gn_yaml_count(list); i++) {
        const char *text = gn_yaml_text(gn_yaml_item(list, i));
        if (!text)
            return gn_fail_at(err, GN_EFORMAT, path, gn_yaml_line(list),
                              "%s: item %lld of the list is not a plain value", key, (long long)i + 1);
        gn_text_add(out, i ? "," : "");
        gn_text_add(out, text);
    }
    return GN_OK;
}

static gn_status take_pair(const char *path, const char *key, const gn_yaml_node *value, gn_args_each_fn each,
                           void *ctx, gn_error *err)
{
    gn_text joined;
    gn_status status;
    switch (gn_yaml_kind_of(value)) {
    case GN_YAML_NULL:
        return GN_OK; /* `name:` alone: as if the line were not there */
    case GN_YAML_SCALAR:
        return each(ctx, key, gn_yaml_text(value), gn_yaml_line(value), err);
    case GN_YAML_MAP:
        return gn_fail_at(err, GN_EFORMAT, path, gn_yaml_line(value),
                          "%s: found a map, expected a value or a list of values", key);
    case GN_YAML_SEQUENCE:
        break;
    }
    gn_text_init(&joined);
    gn_text_add(&joined, "");
    status = join_items(path, key, value, &joined, err);
    if (status == GN_OK && joined.failed)
        status = gn_fail_at(err, GN_ENOMEM, path, gn_yaml_line(value), "no memory for the settings");
    if (status == GN_OK)
        status = each(ctx, key, joined.data, gn_yaml_line(value), err);
    gn_text_deinit(&joined);
    return status;
}

gn_status gn_cli_read_cfg(const char *path, gn_args_each_fn each, void *ctx, gn_error *err)
{
    gn_yaml *yaml = NULL;
    GN_TRY(gn_yaml_open(path, &yaml, err));
    const gn_yaml_node *root = gn_yaml_root(yaml);
    gn_status status = GN_OK;
    if (gn_yaml_kind_of(root) != GN_YAML_MAP && gn_yaml_kind_of(root) != GN_YAML_NULL)
        status = gn_fail_at(err, GN_EFORMAT, path, gn_yaml_line(root), "expected lines of the form `name: value`");
    for (int64_t i = 0; status == GN_OK && i < gn_yaml_count(root); i++)
        status = take_pair(path, gn_yaml_key(root, i), gn_yaml_item(root, i), each, ctx, err);
    gn_yaml_destroy(&yaml);
    return status;
}
