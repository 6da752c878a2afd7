/* The networks of a space: what of a config shapes the network, and so its latency.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/json.h"
#include "search/space_internal.h"

/* The shaping keys of a config as JSON, and those beyond model, head and imgsz as a variant. */
static void write_network(const gn_json *config, gn_text *json, gn_text *variant)
{
    gn_text_add(json, "{");
    for (const gn_json *m = config->first; m != NULL; m = m->next) {
        if (!gn_space_key_shapes(m->key))
            continue;
        gn_text_add(json, json->len > 1 ? "," : "");
        gn_text_add_json(json, m->key);
        gn_text_add(json, ":");
        gn_text_add_json(json, m->text);
        if (strcmp(m->key, "model") != 0 && strcmp(m->key, "head") != 0 && strcmp(m->key, "imgsz") != 0)
            gn_text_printf(variant, "%s%s=%s", variant->len > 0 ? " " : "", m->key, m->text);
    }
    gn_text_add(json, "}");
    gn_text_add(variant, "");
}

gn_status gn_config_network(const char *config, gn_arena *arena, gn_space_network *network_out, gn_error *err)
{
    const gn_json *root = NULL;
    const char *imgsz = NULL;
    gn_space_network network = {0};
    GN_TRY(gn_json_parse(config, strlen(config), arena, &root, err));
    if (root->kind != GN_JSON_OBJECT || !gn_json_string(root, "model", &network.model) ||
        !gn_json_string(root, "head", &network.head) || !gn_json_string(root, "imgsz", &imgsz) ||
        !gn_parse_i64(imgsz, &network.imgsz))
        return gn_fail(err, GN_EINVAL, "a config lacks model, head or imgsz: %.200s", config);
    gn_text json, variant;
    gn_text_init(&json);
    gn_text_init(&variant);
    write_network(root, &json, &variant);
    const bool is_written = !json.failed && !variant.failed;
    network.config = is_written ? gn_arena_strdup(arena, json.data) : NULL;
    network.variant = is_written ? gn_arena_strdup(arena, variant.data) : NULL;
    gn_text_deinit(&json);
    gn_text_deinit(&variant);
    if (network.config == NULL || network.variant == NULL)
        return gn_space_no_memory(err);
    *network_out = network;
    return GN_OK;
}

/* --- all of a space ------------------------------------------------------------------------------------------------- */

typedef struct network_list {
    const gn_space *space;
    gn_arena *arena;
    gn_space_network *list; /* [n] */
    size_t n, capacity;
} network_list;

static gn_status add_network(network_list *l, const char *config, gn_error *err)
{
    if (l->n == GN_SPACE_MAX_NETWORKS)
        return gn_fail(err, GN_ELIMIT,
                       "listing the networks of the space: more than %d; each is measured before anything trains, so "
                       "leave out some models or sizes",
                       GN_SPACE_MAX_NETWORKS);
    if (gn_grow(&l->list, &l->capacity, l->n + 1, sizeof *l->list) != GN_OK)
        return gn_space_no_memory(err);
    GN_TRY(gn_config_network(config, l->arena, &l->list[l->n], err));
    l->n++;
    return GN_OK;
}

/* All values of the shaping keys from `key` on, after what `config` holds already. */
static gn_status add_keys(network_list *l, const char *model, int key, const char *config, gn_error *err)
{
    const space_domain *d = NULL;
    while (key < SPACE_N_KEYS && d == NULL) {
        d = gn_space_keys[key].is_shaping ? gn_space_domain_of(l->space, key, model) : NULL;
        key += d == NULL;
    }
    if (d == NULL) {
        const char *closed = gn_arena_printf(l->arena, "%s}", config);
        return closed != NULL ? add_network(l, closed, err) : gn_space_no_memory(err);
    }
    const double n = gn_space_count(d);
    for (double i = 0; i < n; i++) {
        char number[40];
        gn_text text;
        if (d->kind == DOMAIN_RANGE)
            gn_space_format_number(d, d->low + i, number);
        gn_text_init(&text);
        gn_text_printf(&text, "%s,\"%s\":", config, gn_space_keys[key].name);
        gn_text_add_json(&text, d->kind == DOMAIN_RANGE ? number : d->value[(size_t)i]);
        const gn_status status = text.failed ? gn_space_no_memory(err) : add_keys(l, model, key + 1, text.data, err);
        gn_text_deinit(&text);
        GN_TRY(status);
    }
    return GN_OK;
}

static gn_status add_model(network_list *l, const char *model, gn_error *err)
{
    gn_text text;
    gn_text_init(&text);
    gn_text_add(&text, "{\"model\":");
    gn_text_add_json(&text, model);
    const gn_status status =
        text.failed ? gn_space_no_memory(err) : add_keys(l, model, SPACE_KEY_model + 1, text.data, err);
    gn_text_deinit(&text);
    return status;
}

gn_status gn_space_networks(const gn_space *space, gn_arena *arena, gn_space_network **networks_out, size_t *n_out,
                            gn_error *err)
{
    network_list l = {.space = space, .arena = arena};
    const char *const *models;
    const size_t n_models = gn_space_models(space, &models);
    gn_status status =
        n_models > 0 ? gn_space_check_rules(space, err) : gn_fail(err, GN_EINVAL, "the space names no model");
    for (size_t m = 0; m < n_models && status == GN_OK; m++)
        status = add_model(&l, models[m], err);
    gn_space_network *kept = status == GN_OK ? gn_arena_alloc(arena, (l.n + 1) * sizeof *kept) : NULL;
    if (kept != NULL && l.n > 0)
        memcpy(kept, l.list, l.n * sizeof *kept);
    gn_free(l.list);
    GN_TRY(status);
    if (kept == NULL)
        return gn_space_no_memory(err);
    *networks_out = kept;
    *n_out = l.n;
    return GN_OK;
}
