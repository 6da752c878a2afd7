/* Reading spaces and expanding them to a grid of trial configs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/space.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "data/yaml_doc.h"

typedef enum key_kind { KEY_TEXT, KEY_INT, KEY_NUMBER } key_kind;

typedef struct space_key {
    const char *name;
    key_kind kind;
    double min, max;
} space_key;

static const space_key keys[] = {
#define SPACE_KEY(name, kind, min, max) {#name, KEY_##kind, min, max},
#include "search/space_keys.def"
#undef SPACE_KEY
};
#define N_KEYS (sizeof keys / sizeof keys[0])

static const char *const settings[] = {"stages", "epochs", "data", "target", "latency", "objective"};
#define N_SETTINGS (sizeof settings / sizeof settings[0])

typedef struct axis {
    const char **value;
    size_t n;
} axis;

struct gn_space {
    gn_arena *arena;
    const gn_model_names *models;
    axis axes[N_KEYS]; /* by key; n = 0: not given */
    const char *setting[N_SETTINGS];
};

/* Where a value was read, for messages: a line of a file, or the command line. */
typedef struct place {
    const char *file; /* NULL: command line */
    int64_t line;
} place;

static gn_status refuse_at(const place *at, gn_error *err, const char *message)
{
    if (at->file == NULL)
        return gn_fail(err, GN_EUSAGE, "%s", message);
    return gn_fail_at(err, GN_EFORMAT, at->file, at->line, "%s", message);
}

gn_status gn_space_create(const gn_model_names *models, gn_space **space_out)
{
    gn_space *space = gn_calloc(1, sizeof *space);
    if (space == NULL)
        return GN_ENOMEM;
    space->models = models;
    space->arena = gn_arena_create(0);
    if (space->arena == NULL) {
        gn_free(space);
        return GN_ENOMEM;
    }
    *space_out = space;
    return GN_OK;
}

void gn_space_destroy(gn_space **space)
{
    if (*space == NULL)
        return;
    gn_arena_destroy(&(*space)->arena);
    gn_free(*space);
    *space = NULL;
}

/* Option names write '-' and '_' alike. */
static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (b[i] == '\0' || (a[i] == '-' ? '_' : a[i]) != b[i])
            return false;
    return b[n] == '\0';
}

static int key_index(const char *name, size_t n)
{
    for (size_t i = 0; i < N_KEYS; i++)
        if (same_name(name, keys[i].name, n))
            return (int)i;
    return -1;
}

static int setting_index(const char *name, size_t n)
{
    for (size_t i = 0; i < N_SETTINGS; i++)
        if (same_name(name, settings[i], n))
            return (int)i;
    return -1;
}

static gn_status refuse_key(const char *name, size_t n, const place *at, gn_error *err)
{
    const char *known[N_KEYS + N_SETTINGS];
    char word[64], message[256];
    for (size_t i = 0; i < N_KEYS; i++)
        known[i] = keys[i].name;
    for (size_t i = 0; i < N_SETTINGS; i++)
        known[N_KEYS + i] = settings[i];
    snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), name);
    const char *near = gn_nearest(word, known, N_KEYS + N_SETTINGS);
    if (near != NULL)
        snprintf(message, sizeof message, "reading the space: unknown key \"%s\"; did you mean \"%s\"?", word, near);
    else
        snprintf(message, sizeof message,
                 "reading the space: unknown key \"%s\"; the keys are those of `gannet train --help`", word);
    return refuse_at(at, err, message);
}

static gn_status check_model(const gn_space *space, const char *name, const place *at, gn_error *err)
{
    if (space->models == NULL || gn_has_suffix(name, ".onnx") || space->models->is_known(name))
        return GN_OK;
    char message[400];
    const char *near = gn_nearest(name, space->models->names, space->models->n_names);
    int len = snprintf(message, sizeof message, "reading the space: unknown model \"%.100s\"; ", name);
    if (near != NULL)
        snprintf(message + len, sizeof message - (size_t)len, "did you mean \"%s\"?", near);
    else
        for (size_t i = 0; i < space->models->n_names && len < (int)sizeof message; i++)
            len += snprintf(message + len, sizeof message - (size_t)len, "%s%s",
                            i == 0 ? "there are an ONNX file, " : ", ", space->models->names[i]);
    return refuse_at(at, err, message);
}

/* The value in its one spelling (1e-3 becomes 0.001), so that equal trials have equal configs. */
static gn_status canonical(gn_space *space, const space_key *key, const char *text, const place *at, const char **out,
                           gn_error *err)
{
    char message[300];
    double number = 0;
    *out = NULL;
    if (text[0] == '\0' || strlen(text) > 1000) {
        snprintf(message, sizeof message, "reading the space: a value of %s is empty or too long", key->name);
        return refuse_at(at, err, message);
    }
    if (key->kind == KEY_TEXT) {
        if (strcmp(key->name, "model") == 0)
            GN_TRY(check_model(space, text, at, err));
        *out = gn_arena_strdup(space->arena, text);
        return *out != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
    }
    const bool is_number = gn_parse_f64(text, &number);
    if (!is_number || (key->kind == KEY_INT && number != floor(number)) || number < key->min || number > key->max) {
        snprintf(message, sizeof message, "reading the space: %s is \"%.60s\", expected a %snumber from %g to %g",
                 key->name, text, key->kind == KEY_INT ? "whole " : "", key->min, key->max);
        return refuse_at(at, err, message);
    }
    *out = gn_arena_printf(space->arena, key->kind == KEY_INT ? "%.0f" : "%.12g", number);
    return *out != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
}

/* Appends a value unless the axis has it; the block has room for GN_SPACE_MAX_VALUES. */
static gn_status add_value(gn_space *space, int key, axis *a, const char *text, const place *at, gn_error *err)
{
    const char *value = NULL;
    GN_TRY(canonical(space, &keys[key], text, at, &value, err));
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->value[i], value) == 0)
            return GN_OK;
    if (a->n == GN_SPACE_MAX_VALUES) {
        char message[160];
        snprintf(message, sizeof message, "reading the space: %s has more than %d values", keys[key].name,
                 GN_SPACE_MAX_VALUES);
        return refuse_at(at, err, message);
    }
    a->value[a->n++] = value;
    return GN_OK;
}

static gn_status new_axis(gn_space *space, size_t capacity, axis *out, gn_error *err)
{
    if (capacity > GN_SPACE_MAX_VALUES)
        capacity = GN_SPACE_MAX_VALUES;
    *out = (axis){.value = gn_arena_alloc(space->arena, (capacity + 1) * sizeof(char *))};
    if (out->value == NULL)
        return gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
    return GN_OK;
}

/* --- YAML -------------------------------------------------------------------------------------------------------- */

static gn_status read_range(gn_space *space, int key, const gn_yaml *yaml, const gn_yaml_node *node, axis *a,
                            gn_error *err)
{
    const place at = {gn_yaml_name(yaml), gn_yaml_line(node)};
    double from = NAN, to = NAN;
    int64_t count = 0;
    const char *scale = "linear";
    GN_TRY(gn_yaml_get_f64(yaml, node, "from", &from, err));
    GN_TRY(gn_yaml_get_f64(yaml, node, "to", &to, err));
    GN_TRY(gn_yaml_get_i64(yaml, node, "count", &count, err));
    GN_TRY(gn_yaml_get_text(yaml, node, "scale", &scale, err));
    const bool is_log = strcmp(scale, "log") == 0;
    if (isnan(from) || isnan(to) || count < 2 || count > GN_SPACE_MAX_VALUES || keys[key].kind == KEY_TEXT ||
        (!is_log && strcmp(scale, "linear") != 0) || (is_log && (from <= 0 || to <= 0))) {
        char message[300];
        snprintf(message, sizeof message,
                 "reading the space: %s is no range; expected {from: number, to: number, count: 2 to %d, scale: linear "
                 "or log}",
                 keys[key].name, GN_SPACE_MAX_VALUES);
        return refuse_at(&at, err, message);
    }
    GN_TRY(new_axis(space, (size_t)count, a, err));
    for (int64_t i = 0; i < count; i++) {
        const double t = (double)i / (double)(count - 1);
        const double x = is_log ? from * pow(to / from, t) : from + (to - from) * t;
        char text[40];
        snprintf(text, sizeof text, keys[key].kind == KEY_INT ? "%.0f" : "%.6g", x);
        GN_TRY(add_value(space, key, a, text, &at, err));
    }
    return GN_OK;
}

static gn_status read_list(gn_space *space, int key, const gn_yaml *yaml, const gn_yaml_node *node, axis *a,
                           gn_error *err)
{
    const place at = {gn_yaml_name(yaml), gn_yaml_line(node)};
    const bool is_scalar = gn_yaml_kind_of(node) == GN_YAML_SCALAR;
    const int64_t n = is_scalar ? 1 : gn_yaml_count(node);
    GN_TRY(new_axis(space, (size_t)n, a, err));
    for (int64_t i = 0; i < n; i++) {
        const gn_yaml_node *item = is_scalar ? node : gn_yaml_item(node, i);
        const place item_at = {at.file, gn_yaml_line(item)};
        const char *text = gn_yaml_text(item);
        GN_TRY(add_value(space, key, a, text != NULL ? text : "", &item_at, err));
    }
    if (a->n == 0) {
        char message[160];
        snprintf(message, sizeof message, "reading the space: %s has no value", keys[key].name);
        return refuse_at(&at, err, message);
    }
    return GN_OK;
}

static gn_status read_setting(gn_space *space, int index, const gn_yaml *yaml, const gn_yaml_node *node, gn_error *err)
{
    const char *text = gn_yaml_text(node);
    if (text == NULL)
        return gn_fail_at(err, GN_EFORMAT, gn_yaml_name(yaml), gn_yaml_line(node),
                          "reading the space: %s takes one value", settings[index]);
    space->setting[index] = gn_arena_strdup(space->arena, text);
    return space->setting[index] != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
}

static gn_status read_pair(gn_space *space, const gn_yaml *yaml, const char *name, const gn_yaml_node *node,
                           gn_error *err)
{
    const place at = {gn_yaml_name(yaml), gn_yaml_line(node)};
    const int setting = setting_index(name, strlen(name));
    if (setting >= 0)
        return read_setting(space, setting, yaml, node, err);
    const int key = key_index(name, strlen(name));
    if (key < 0)
        return refuse_key(name, strlen(name), &at, err);
    axis a = {0};
    if (gn_yaml_kind_of(node) == GN_YAML_MAP)
        GN_TRY(read_range(space, key, yaml, node, &a, err));
    else
        GN_TRY(read_list(space, key, yaml, node, &a, err));
    space->axes[key] = a;
    return GN_OK;
}

gn_status gn_space_read(gn_space *space, const char *path, gn_error *err)
{
    gn_yaml *yaml = NULL;
    GN_TRY(gn_yaml_open(path, &yaml, err));
    const gn_yaml_node *root = gn_yaml_root(yaml);
    gn_status status = GN_OK;
    if (gn_yaml_kind_of(root) != GN_YAML_MAP)
        status = gn_fail_at(err, GN_EFORMAT, path, gn_yaml_line(root),
                            "reading the space: expected lines like `lr0: [0.001, 0.01]`");
    for (int64_t i = 0; i < gn_yaml_count(root) && status == GN_OK; i++)
        status = read_pair(space, yaml, gn_yaml_key(root, i), gn_yaml_item(root, i), err);
    gn_yaml_destroy(&yaml);
    return status;
}

/* --- command line ------------------------------------------------------------------------------------------------ */

static gn_status set_list(gn_space *space, int key, const char *values, gn_error *err)
{
    const place at = {NULL, 0};
    axis a = {0};
    GN_TRY(new_axis(space, strlen(values) / 2 + 1, &a, err));
    for (const char *p = values;; p++) {
        const size_t n = strcspn(p, ",");
        const char *begin = p, *end = p + n;
        while (begin < end && isspace((unsigned char)*begin))
            begin++;
        while (end > begin && isspace((unsigned char)end[-1]))
            end--;
        const char *text = gn_arena_printf(space->arena, "%.*s", (int)(end - begin), begin);
        if (text == NULL)
            return gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
        GN_TRY(add_value(space, key, &a, text, &at, err));
        p += n;
        if (*p == '\0')
            break;
    }
    space->axes[key] = a;
    return GN_OK;
}

gn_status gn_space_set(gn_space *space, const char *assignment, gn_error *err)
{
    const place at = {NULL, 0};
    const char *equals = strchr(assignment, '=');
    if (equals == NULL)
        return gn_fail(err, GN_EUSAGE, "reading the space: \"%.100s\" gives no value; expected key=value,value",
                       assignment);
    const size_t n = (size_t)(equals - assignment);
    const int key = key_index(assignment, n);
    if (key >= 0)
        return set_list(space, key, equals + 1, err);
    const int setting = setting_index(assignment, n);
    if (setting < 0)
        return refuse_key(assignment, n, &at, err);
    space->setting[setting] = gn_arena_strdup(space->arena, equals + 1);
    return space->setting[setting] != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
}

gn_status gn_space_set_default(gn_space *space, const char *key, const char *value, gn_error *err)
{
    const place at = {NULL, 0};
    const int index = key_index(key, strlen(key));
    if (index < 0)
        return refuse_key(key, strlen(key), &at, err);
    return space->axes[index].n > 0 ? GN_OK : set_list(space, index, value, err);
}

const char *gn_space_setting(const gn_space *space, const char *name)
{
    const int index = setting_index(name, strlen(name));
    return index < 0 ? NULL : space->setting[index];
}

size_t gn_space_values(const gn_space *space, const char *key, const char *const **values_out)
{
    const int index = key_index(key, strlen(key));
    if (index < 0)
        return 0;
    *values_out = space->axes[index].value;
    return space->axes[index].n;
}

/* --- the grid ---------------------------------------------------------------------------------------------------- */

static gn_status grid_size(const gn_space *space, size_t *n_out, gn_error *err)
{
    size_t n = 1;
    if (space->axes[0].n == 0)
        return gn_fail(err, GN_EINVAL,
                       "reading the space: it names no model; give e.g. model: [mobilenet_v2@0.35, resnet18]");
    for (size_t k = 0; k < N_KEYS; k++) {
        n *= space->axes[k].n > 0 ? space->axes[k].n : 1;
        if (n > GN_SPACE_MAX_TRIALS)
            return gn_fail(err, GN_ELIMIT, "expanding the space: it has more than %d trials; leave out some values",
                           GN_SPACE_MAX_TRIALS);
    }
    *n_out = n;
    return GN_OK;
}

/* The config of grid point i, counted with the first key as the highest digit. */
static void write_config(const gn_space *space, size_t i, size_t n, gn_text *out)
{
    bool is_first = true;
    out->len = 0;
    gn_text_add(out, "{");
    for (size_t k = 0; k < N_KEYS; k++) {
        const axis *a = &space->axes[k];
        if (a->n == 0)
            continue;
        n /= a->n;
        gn_text_printf(out, "%s\"%s\":", is_first ? "" : ",", keys[k].name);
        gn_text_add_json(out, a->value[i / n % a->n]);
        is_first = false;
    }
    gn_text_add(out, "}");
}

gn_status gn_space_expand(const gn_space *space, gn_arena *arena, const char ***configs_out, size_t *n_out,
                          gn_error *err)
{
    size_t n = 0;
    gn_text text;
    GN_TRY(grid_size(space, &n, err));
    const char **configs = gn_arena_alloc(arena, n * sizeof *configs);
    gn_text_init(&text);
    bool is_complete = configs != NULL;
    for (size_t i = 0; i < n && is_complete; i++) {
        write_config(space, i, n, &text);
        configs[i] = text.failed ? NULL : gn_arena_strdup(arena, text.data);
        is_complete = configs[i] != NULL;
    }
    gn_text_deinit(&text);
    if (!is_complete)
        return gn_fail(err, GN_ENOMEM, "expanding the space: out of memory");
    *configs_out = configs;
    *n_out = n;
    return GN_OK;
}

void gn_space_describe(const gn_space *space, gn_text *out)
{
    bool is_first = true;
    for (size_t k = 0; k < N_KEYS; k++) {
        const axis *a = &space->axes[k];
        for (size_t i = 0; i < a->n; i++) {
            if (i == 0)
                gn_text_printf(out, "%s%s=", is_first ? "" : " ", keys[k].name);
            gn_text_printf(out, "%s%s", i > 0 ? "," : "", a->value[i]);
            is_first = false;
        }
    }
}

gn_status gn_config_value(const char *config, const char *key, gn_arena *arena, const char **value_out, gn_error *err)
{
    const gn_json *root = NULL;
    const char *value = NULL;
    GN_TRY(gn_json_parse(config, strlen(config), arena, &root, err));
    gn_json_string(root, key, &value);
    *value_out = value;
    return GN_OK;
}
