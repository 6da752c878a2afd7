/* Spaces from YAML.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/yaml_doc.h"
#include "search/space_internal.h"

static space_place place_of(const char *file, const gn_yaml_node *node)
{
    return (space_place){file, gn_yaml_line(node), gn_yaml_column(node)};
}

static space_place place_of_key(const char *file, const gn_yaml_node *map, int64_t i)
{
    return (space_place){file, gn_yaml_key_line(map, i), gn_yaml_key_column(map, i)};
}

static gn_status range_number(const char *name, const char *word, const space_place *at, const gn_yaml_node *node,
                              double *out, gn_error *err)
{
    if (gn_yaml_as_f64(node, out))
        return GN_OK;
    const char *text = gn_yaml_text(node);
    return gn_space_refuse(at, err, "%s: `%s` of the range is \"%.60s\", expected a number", name, word,
                           text != NULL ? text : "");
}

static gn_status range_scale(const char *name, const space_place *at, const gn_yaml_node *node, bool *is_log,
                             gn_error *err)
{
    const char *text = gn_yaml_text(node);
    *is_log = text != NULL && strcmp(text, "log") == 0;
    if (*is_log || (text != NULL && strcmp(text, "linear") == 0))
        return GN_OK;
    return gn_space_refuse(at, err, "%s: `scale` of the range is \"%.60s\", expected linear or log", name,
                           text != NULL ? text : "");
}

/* {from:, to:, scale:, count: or step:} */
static gn_status read_range(gn_space *space, int key, const char *file, const gn_yaml_node *node, space_domain *out,
                            gn_error *err)
{
    static const char *const words[] = {"from", "to", "count", "step", "scale"};
    const char *name = gn_space_keys[key].name;
    const space_place at = place_of(file, node);
    space_range range = {.from = NAN, .to = NAN, .step = NAN};
    for (int64_t i = 0; i < gn_yaml_count(node); i++) {
        const char *word = gn_yaml_key(node, i);
        const gn_yaml_node *value = gn_yaml_item(node, i);
        const space_place value_at = place_of(file, value), word_at = place_of_key(file, node, i);
        if (strcmp(word, "from") == 0) {
            GN_TRY(range_number(name, word, &value_at, value, &range.from, err));
        } else if (strcmp(word, "to") == 0) {
            GN_TRY(range_number(name, word, &value_at, value, &range.to, err));
        } else if (strcmp(word, "step") == 0) {
            GN_TRY(range_number(name, word, &value_at, value, &range.step, err));
        } else if (strcmp(word, "scale") == 0) {
            GN_TRY(range_scale(name, &value_at, value, &range.is_log, err));
        } else if (strcmp(word, "count") != 0) {
            const char *near = gn_nearest(word, words, 5);
            return gn_space_refuse(&word_at, err, "%s: a range has no `%.40s`; %s%s", name, word,
                                   near != NULL ? "did you mean " : "it has from, to, scale, count, step",
                                   near != NULL ? near : "");
        } else if (!gn_yaml_as_i64(value, &range.count) || range.count < 2) {
            return gn_space_refuse(&value_at, err, "%s: `count` of the range is \"%.60s\", expected 2 to %d", name,
                                   gn_yaml_text(value) != NULL ? gn_yaml_text(value) : "", GN_SPACE_MAX_VALUES);
        }
    }
    return gn_space_make_range(space, key, &range, &at, out, err);
}

static gn_status read_list(gn_space *space, int key, const char *file, const gn_yaml_node *node, space_domain *out,
                           gn_error *err)
{
    const char *name = gn_space_keys[key].name;
    const space_place at = place_of(file, node);
    const bool is_list = gn_yaml_kind_of(node) == GN_YAML_SEQUENCE;
    const int64_t n = is_list ? gn_yaml_count(node) : 1;
    if (n == 0)
        return gn_space_refuse(&at, err, "%s has no value", name);
    GN_TRY(gn_space_new_list(space, (size_t)n, &at, out, err));
    for (int64_t i = 0; i < n; i++) {
        const gn_yaml_node *item = is_list ? gn_yaml_item(node, i) : node;
        const space_place item_at = place_of(file, item);
        const char *text = gn_yaml_text(item);
        if (text == NULL && gn_yaml_kind_of(item) != GN_YAML_NULL)
            return gn_space_refuse(&item_at, err, "%s: a value of a list is itself a list or a map", name);
        if (text == NULL || text[0] == '\0')
            return gn_space_refuse(&item_at, err, "%s has no value%s", name, is_list ? " here" : "");
        GN_TRY(gn_space_add_value(space, key, out, text, &item_at, err));
    }
    return GN_OK;
}

static gn_status read_domain(gn_space *space, int key, const char *file, const gn_yaml_node *node, space_domain *out,
                             gn_error *err)
{
    *out = (space_domain){0};
    return gn_yaml_kind_of(node) == GN_YAML_MAP ? read_range(space, key, file, node, out, err)
                                                : read_list(space, key, file, node, out, err);
}

/* --- per_model ------------------------------------------------------------------------------------------------------ */

static gn_status add_rule(gn_space *space, const char *pattern, int key, const char *file, const gn_yaml_node *node,
                          const space_place *at, gn_error *err)
{
    space_rule rule = {.key = key};
    if (key == SPACE_KEY_model)
        return gn_space_refuse(at, err, "per_model cannot give models");
    if (space->n_rules == GN_SPACE_MAX_RULES)
        return gn_space_refuse(at, err, "per_model has more than %d keys", GN_SPACE_MAX_RULES);
    for (size_t i = 0; i < space->n_rules; i++)
        if (space->rules[i].key == key && strcmp(space->rules[i].domain.pattern, pattern) == 0)
            return gn_space_refuse(at, err, "per_model: %s of \"%.80s\" stands here again", gn_space_keys[key].name,
                                   pattern);
    GN_TRY(read_domain(space, key, file, node, &rule.domain, err));
    rule.domain.pattern = gn_arena_strdup(space->arena, pattern);
    rule.domain.place = *at;
    if (rule.domain.pattern == NULL ||
        gn_grow(&space->rules, &space->rule_capacity, space->n_rules + 1, sizeof *space->rules) != GN_OK)
        return gn_space_no_memory(err);
    space->rules[space->n_rules++] = rule;
    return GN_OK;
}

static gn_status read_pattern(gn_space *space, const char *file, const char *pattern, const space_place *pattern_at,
                              const gn_yaml_node *map, gn_error *err)
{
    const space_place map_at = place_of(file, map);
    if (pattern[0] == '\0' || strlen(pattern) > 200)
        return gn_space_refuse(pattern_at, err, "per_model: a pattern is empty or too long");
    if (gn_yaml_kind_of(map) != GN_YAML_MAP || gn_yaml_count(map) == 0)
        return gn_space_refuse(&map_at, err, "per_model: \"%.80s\" gives no keys; expected {lr0: [0.001, 0.01]}",
                               pattern);
    for (int64_t i = 0; i < gn_yaml_count(map); i++) {
        const char *name = gn_yaml_key(map, i);
        const space_place at = place_of_key(file, map, i);
        const int key = gn_space_key_index(name, strlen(name));
        if (key < 0 && gn_space_setting_index(name, strlen(name)) >= 0)
            return gn_space_refuse(&at, err, "per_model cannot give %.60s: it is of the whole search", name);
        if (key < 0)
            return gn_space_refuse_key(name, strlen(name), &at, err);
        GN_TRY(add_rule(space, pattern, key, file, gn_yaml_item(map, i), &at, err));
    }
    return GN_OK;
}

static gn_status read_per_model(gn_space *space, const char *file, const gn_yaml_node *map, gn_error *err)
{
    const space_place at = place_of(file, map);
    if (gn_yaml_kind_of(map) != GN_YAML_MAP)
        return gn_space_refuse(&at, err,
                               "per_model: expected patterns of models with keys, as in "
                               "`yolo*: {lr0: {from: 1e-5, to: 1e-2, scale: log}}`");
    for (int64_t i = 0; i < gn_yaml_count(map); i++) {
        const space_place pattern_at = place_of_key(file, map, i);
        GN_TRY(read_pattern(space, file, gn_yaml_key(map, i), &pattern_at, gn_yaml_item(map, i), err));
    }
    return GN_OK;
}

/* --- the document --------------------------------------------------------------------------------------------------- */

static gn_status read_setting(gn_space *space, int index, const char *file, const gn_yaml_node *node,
                              const space_place *key_at, gn_error *err)
{
    const space_place at = place_of(file, node);
    const char *text = gn_yaml_text(node);
    if (text == NULL)
        return gn_space_refuse(&at, err, "%s takes one value", gn_space_setting_name(index));
    return gn_space_put_setting(space, index, text, text[0] == '\0' ? &at : key_at, err);
}

static gn_status read_precision(const char *file, const gn_yaml_node *node, gn_error *err)
{
    const bool is_list = gn_yaml_kind_of(node) == GN_YAML_SEQUENCE;
    for (int64_t i = 0; i < (is_list ? gn_yaml_count(node) : 1); i++) {
        const gn_yaml_node *item = is_list ? gn_yaml_item(node, i) : node;
        const space_place at = place_of(file, item);
        const char *text = gn_yaml_text(item);
        GN_TRY(gn_space_check_precision(text != NULL ? text : "", &at, err));
    }
    return GN_OK;
}

/* A key in two spellings (`weight-decay` and `weight_decay`) is the same key. */
static gn_status refuse_again(const char *file, const gn_yaml_node *root, int64_t i, gn_error *err)
{
    const char *name = gn_yaml_key(root, i);
    const space_place at = place_of_key(file, root, i);
    const int key = gn_space_key_index(name, strlen(name)), setting = gn_space_setting_index(name, strlen(name));
    for (int64_t k = 0; k < i; k++) {
        const char *other = gn_yaml_key(root, k);
        if ((key >= 0 && gn_space_key_index(other, strlen(other)) == key) ||
            (setting >= 0 && gn_space_setting_index(other, strlen(other)) == setting))
            return gn_space_refuse(&at, err, "the key '%.60s' stands here again (first in line %lld)", name,
                                   (long long)gn_yaml_key_line(root, k));
    }
    return GN_OK;
}

static gn_status read_pair(gn_space *space, const char *file, const gn_yaml_node *root, int64_t i, gn_error *err)
{
    const char *name = gn_yaml_key(root, i);
    const gn_yaml_node *node = gn_yaml_item(root, i);
    const space_place at = place_of_key(file, root, i);
    const int setting = gn_space_setting_index(name, strlen(name)), key = gn_space_key_index(name, strlen(name));
    GN_TRY(refuse_again(file, root, i, err));
    if (strcmp(name, "per_model") == 0)
        return read_per_model(space, file, node, err);
    if (strcmp(name, "precision") == 0)
        return read_precision(file, node, err);
    if (setting >= 0)
        return read_setting(space, setting, file, node, &at, err);
    if (key < 0)
        return gn_space_refuse_key(name, strlen(name), &at, err);
    space_domain domain;
    GN_TRY(read_domain(space, key, file, node, &domain, err));
    space->base[key] = domain;
    return GN_OK;
}

/* More keys than this are no space; it also bounds the comparison of each with each. */
#define MAX_PAIRS 256

static gn_status read_document(gn_space *space, const gn_yaml_node *root, const char *file, gn_error *err)
{
    const space_place at = place_of(file, root);
    const char *const *models;
    if (gn_yaml_kind_of(root) != GN_YAML_MAP)
        return gn_space_refuse(&at, err, "expected lines like `lr0: [0.001, 0.01]`");
    if (gn_yaml_count(root) > MAX_PAIRS)
        return gn_space_refuse(&at, err, "it has %lld keys; at most %d are read", (long long)gn_yaml_count(root),
                               MAX_PAIRS);
    for (int64_t i = 0; i < gn_yaml_count(root); i++)
        GN_TRY(read_pair(space, file, root, i, err));
    if (gn_space_models(space, &models) == 0)
        return GN_OK; /* the command line may give them */
    GN_TRY(gn_space_check_rules(space, err));
    for (size_t i = 0; i < space->n_rules; i++)
        space->rules[i].has_held = true;
    return GN_OK;
}

gn_status gn_space_parse(gn_space *space, const char *text, size_t n, const char *name, gn_error *err)
{
    gn_yaml *yaml = NULL;
    const char *file = gn_arena_strdup(space->arena, name);
    if (file == NULL)
        return gn_space_no_memory(err);
    GN_TRY(gn_yaml_parse(text, n, name, &yaml, err));
    const gn_status status = read_document(space, gn_yaml_root(yaml), file, err);
    gn_yaml_destroy(&yaml);
    return status;
}

gn_status gn_space_load(const char *path, gn_arena *arena, const char **text_out, gn_error *err)
{
    char *data = NULL;
    size_t n = 0;
    *text_out = NULL;
    if (!gn_path_exists(path) && strchr(path, '/') == NULL && strchr(path, '.') == NULL) {
        *text_out = gn_space_named(path);
        return *text_out != NULL ? GN_OK : gn_space_refuse_name(path, err);
    }
    GN_TRY(gn_file_read(path, GN_YAML_MAX_BYTES, &data, &n, err));
    gn_status status = GN_OK;
    if (memchr(data, '\0', n) != NULL)
        status = gn_fail_at(err, GN_EFORMAT, path, 0, "reading the space: the file is no text");
    else if ((*text_out = gn_arena_strdup(arena, data)) == NULL)
        status = gn_space_no_memory(err);
    gn_free(data);
    return status;
}

gn_status gn_space_read(gn_space *space, const char *path, gn_error *err)
{
    const char *text = NULL;
    GN_TRY(gn_space_load(path, space->arena, &text, err));
    return gn_space_parse(space, text, strlen(text), path, err);
}
