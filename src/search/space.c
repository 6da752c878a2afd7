/* Spaces: keys and settings by name, assignments of the command line, what a space refuses.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/space.h"

#include <ctype.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "search/space_internal.h"

const space_key gn_space_keys[SPACE_N_KEYS] = {
#define SPACE_KEY(name, kind, min, max, choices, shapes) {#name, SPACE_##kind, min, max, choices, shapes},
#include "search/space_keys.def"
#undef SPACE_KEY
};

static const char *const settings[] = {
    "stages",  "epochs", "min_epochs", "eta",    "stop",      "sampler", "trials", "data",    "target",
    "latency", "memory", "size",       "energy", "objective", "time",    "jobs",   "promote",
};
#define N_SETTINGS ((int)(sizeof settings / sizeof settings[0]))
_Static_assert(sizeof settings / sizeof settings[0] <= SPACE_MAX_SETTINGS, "room for all settings");

/* Words that people may well try, and why there is no such key yet. */
static const char *const missing[][2] = {
    {"pruning", "channels cannot be pruned yet"},
    {"pruning_ratio", "channels cannot be pruned yet"},
    {"sparsity", "weights cannot be made sparse yet"},
    {"distill", "there is no distillation yet"},
    {"teacher", "there is no distillation yet"},
    {"width", "widths are part of the model's name: model: [mobilenet_v2@0.35, mobilenet_v2@0.5]"},
    {"workers", "it does not change what is trained; give it to `gannet train` alone"},
    {"threads", "the search shares the cores among its jobs; for the latency give target: cpu?threads=1"},
};

gn_status gn_space_no_memory(gn_error *err)
{
    return gn_fail(err, GN_ENOMEM, "reading the space: out of memory");
}

gn_status gn_space_refuse(const space_place *at, gn_error *err, const char *fmt, ...)
{
    char message[480];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (at->file == NULL)
        return gn_fail(err, GN_EUSAGE, "reading the space: %s", message);
    return gn_fail_mark(err, GN_EFORMAT, at->file, at->line, at->column, "reading the space: %s", message);
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
    gn_free((*space)->rules);
    gn_free(*space);
    *space = NULL;
}

/* --- names --------------------------------------------------------------------------------------------------------- */

static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (b[i] == '\0' || (a[i] == '-' ? '_' : a[i]) != b[i])
            return false;
    return b[n] == '\0';
}

int gn_space_key_index(const char *name, size_t n)
{
    for (int i = 0; i < SPACE_N_KEYS; i++)
        if (same_name(name, gn_space_keys[i].name, n))
            return i;
    return -1;
}

int gn_space_setting_index(const char *name, size_t n)
{
    for (int i = 0; i < N_SETTINGS; i++)
        if (same_name(name, settings[i], n))
            return i;
    return -1;
}

const char *gn_space_setting_name(int index)
{
    return index < N_SETTINGS ? settings[index] : NULL;
}

gn_status gn_space_refuse_key(const char *name, size_t n, const space_place *at, gn_error *err)
{
    const char *known[SPACE_N_KEYS + N_SETTINGS + 2] = {"per_model", "precision"};
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)(n < 60 ? n : 60), name);
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        if (same_name(name, missing[i][0], n))
            return gn_space_refuse(at, err, "there is no key \"%s\": %s", word, missing[i][1]);
    for (int i = 0; i < SPACE_N_KEYS; i++)
        known[2 + i] = gn_space_keys[i].name;
    for (int i = 0; i < N_SETTINGS; i++)
        known[2 + SPACE_N_KEYS + i] = settings[i];
    const char *near = gn_nearest(word, known, SPACE_N_KEYS + N_SETTINGS + 2);
    if (near != NULL)
        return gn_space_refuse(at, err, "unknown key \"%s\"; did you mean \"%s\"?", word, near);
    return gn_space_refuse(at, err, "unknown key \"%s\"; the keys are those of `gannet train --help`", word);
}

gn_status gn_space_check_precision(const char *text, const space_place *at, gn_error *err)
{
    if (strcmp(text, "f32") == 0)
        return GN_OK;
    return gn_space_refuse(at, err, "precision is \"%.40s\"; all networks run in f32, there is no compression yet",
                           text);
}

bool gn_space_key_shapes(const char *key)
{
    const int index = gn_space_key_index(key, strlen(key));
    return index >= 0 && gn_space_keys[index].is_shaping;
}

/* --- models -------------------------------------------------------------------------------------------------------- */

size_t gn_space_models(const gn_space *space, const char *const **models_out)
{
    *models_out = space->base[SPACE_KEY_model].value;
    return space->base[SPACE_KEY_model].n;
}

const space_domain *gn_space_domain_of(const gn_space *space, int key, const char *model)
{
    for (size_t i = space->n_rules; i-- > 0;)
        if (space->rules[i].key == key && fnmatch(space->rules[i].domain.pattern, model, 0) == 0)
            return &space->rules[i].domain;
    return gn_space_is_given(&space->base[key]) ? &space->base[key] : NULL;
}

/* Whether a pattern fits one of the models. */
static bool fits_a_model(const char *pattern, const char *const *models, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fnmatch(pattern, models[i], 0) == 0)
            return true;
    return false;
}

/* Whether a rule decides for one of the models: fits it, and no later rule does. */
static bool rule_holds(const gn_space *space, const space_rule *rule, const char *const *models, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (gn_space_domain_of(space, rule->key, models[i]) == &rule->domain)
            return true;
    return false;
}

gn_status gn_space_check_rules(const gn_space *space, gn_error *err)
{
    const char *const *models;
    const size_t n = gn_space_models(space, &models);
    for (size_t i = 0; i < space->n_rules && n > 0; i++) {
        const space_rule *rule = &space->rules[i];
        const char *pattern = rule->domain.pattern, *key = gn_space_keys[rule->key].name;
        if (rule->has_held || rule_holds(space, rule, models, n))
            continue;
        if (fits_a_model(pattern, models, n))
            return gn_space_refuse(&rule->domain.place, err,
                                   "per_model: %s of \"%.80s\" would never hold, a later pattern gives it to the same "
                                   "models; put the wider pattern first",
                                   key, pattern);
        return gn_space_refuse(&rule->domain.place, err,
                               "per_model: \"%.80s\" fits none of the models, so its %s would never hold", pattern,
                               key);
    }
    return GN_OK;
}

/* --- assignments --------------------------------------------------------------------------------------------------- */

gn_status gn_space_put_setting(gn_space *space, int index, const char *text, const space_place *at, gn_error *err)
{
    const int stages = gn_space_setting_index("stages", 6), epochs = gn_space_setting_index("epochs", 6);
    const int other = index == stages ? epochs : index == epochs ? stages : -1;
    if (text[0] == '\0')
        return gn_space_refuse(at, err, "%s has no value", settings[index]);
    if (other >= 0 && space->setting[other] != NULL && space->is_setting_assigned[other] == (at->file == NULL))
        return gn_space_refuse(at, err,
                               "stages and epochs are both given; the last stage says the epochs, leave one out");
    if (other >= 0)
        space->setting[other] = NULL;
    space->setting[index] = gn_arena_strdup(space->arena, text);
    return space->setting[index] != NULL ? GN_OK : gn_space_no_memory(err);
}

/* "1e-4..1e-2:log:count=3" after its two numbers. */
static gn_status read_range_words(const char *name, char *words, space_range *range, gn_error *err)
{
    const space_place at = {0};
    char *save = NULL;
    for (char *word = strtok_r(words, ":", &save); word != NULL; word = strtok_r(NULL, ":", &save)) {
        const bool is_count = gn_has_prefix(word, "count="), is_step = gn_has_prefix(word, "step=");
        if (strcmp(word, "log") == 0)
            range->is_log = true;
        else if (!(strcmp(word, "linear") == 0 || (is_count && gn_parse_i64(word + 6, &range->count)) ||
                   (is_step && gn_parse_f64(word + 5, &range->step))))
            return gn_space_refuse(&at, err, "%s: \"%.60s\" after a range; expected log, linear, count=N or step=X",
                                   name, word);
        if (is_count && range->count == 0)
            return gn_space_refuse(&at, err, "%s: a range needs count 2 or more", name);
    }
    return GN_OK;
}

/* Whether "FROM..TO..." is meant. */
static bool is_range_text(const char *text)
{
    return strstr(text, "..") != NULL && strchr(text, ',') == NULL;
}

static gn_status set_range(gn_space *space, int key, const char *text, space_domain *out, gn_error *err)
{
    const space_place at = {0};
    const char *name = gn_space_keys[key].name;
    char copy[200];
    space_range range = {.step = NAN};
    if (strlen(text) >= sizeof copy)
        return gn_space_refuse(&at, err, "%s: the range is too long", name);
    memcpy(copy, text, strlen(text) + 1);
    char *dots = strstr(copy, ".."), *to = dots + 2, *words = to + strcspn(to, ":");
    *dots = '\0';
    if (*words == ':')
        *words++ = '\0';
    if (!gn_parse_f64(copy, &range.from) || !gn_parse_f64(to, &range.to))
        return gn_space_refuse(&at, err, "%s is \"%.60s\", expected two numbers as in 1e-4..1e-2:log", name, text);
    GN_TRY(read_range_words(name, words, &range, err));
    return gn_space_make_range(space, key, &range, &at, out, err);
}

static gn_status set_list(gn_space *space, int key, const char *values, space_domain *out, gn_error *err)
{
    const space_place at = {0};
    GN_TRY(gn_space_new_list(space, strlen(values) / 2 + 1, &at, out, err));
    for (const char *p = values;; p++) {
        const size_t n = strcspn(p, ",");
        const char *begin = p, *end = p + n;
        while (begin < end && isspace((unsigned char)*begin))
            begin++;
        while (end > begin && isspace((unsigned char)end[-1]))
            end--;
        const char *text = gn_arena_printf(space->arena, "%.*s", (int)(end - begin), begin);
        if (text == NULL)
            return gn_space_no_memory(err);
        GN_TRY(gn_space_add_value(space, key, out, text, &at, err));
        p += n;
        if (*p == '\0')
            return GN_OK;
    }
}

/* The key for all models, in place of what any file said about it. */
static gn_status set_key(gn_space *space, int key, const char *values, gn_error *err)
{
    space_domain domain = {0};
    const bool is_number = gn_space_keys[key].kind == SPACE_INT || gn_space_keys[key].kind == SPACE_NUMBER;
    GN_TRY(is_number && is_range_text(values) ? set_range(space, key, values, &domain, err)
                                              : set_list(space, key, values, &domain, err));
    space->base[key] = domain;
    size_t kept = 0;
    for (size_t i = 0; i < space->n_rules; i++)
        if (space->rules[i].key != key)
            space->rules[kept++] = space->rules[i];
    space->n_rules = kept;
    return GN_OK;
}

gn_status gn_space_set(gn_space *space, const char *assignment, gn_error *err)
{
    const space_place at = {0};
    const char *equals = strchr(assignment, '=');
    if (equals == NULL)
        return gn_space_refuse(&at, err, "\"%.100s\" gives no value; expected key=value,value", assignment);
    const size_t n = (size_t)(equals - assignment);
    if (same_name(assignment, "precision", n))
        return gn_space_check_precision(equals + 1, &at, err);
    const int key = gn_space_key_index(assignment, n), setting = gn_space_setting_index(assignment, n);
    if (key < 0 && setting < 0)
        return gn_space_refuse_key(assignment, n, &at, err);
    bool *is_assigned = key >= 0 ? &space->is_assigned[key] : &space->is_setting_assigned[setting];
    if (*is_assigned)
        return gn_space_refuse(&at, err, "%s is given twice on the command line; give all its values at once",
                               key >= 0 ? gn_space_keys[key].name : settings[setting]);
    *is_assigned = true;
    return key >= 0 ? set_key(space, key, equals + 1, err) : gn_space_put_setting(space, setting, equals + 1, &at, err);
}

gn_status gn_space_set_default(gn_space *space, const char *key, const char *value, gn_error *err)
{
    const space_place at = {0};
    const int index = gn_space_key_index(key, strlen(key));
    if (index < 0)
        return gn_space_refuse_key(key, strlen(key), &at, err);
    return gn_space_is_given(&space->base[index]) ? GN_OK : set_list(space, index, value, &space->base[index], err);
}

/* --- looking ------------------------------------------------------------------------------------------------------- */

const char *gn_space_setting(const gn_space *space, const char *name)
{
    const int index = gn_space_setting_index(name, strlen(name));
    if (index >= 0)
        return space->setting[index];
    const space_domain *seed = &space->base[SPACE_KEY_seed];
    return strcmp(name, "seed") == 0 && seed->n == 1 ? seed->value[0] : NULL;
}

size_t gn_space_values(const gn_space *space, const char *key, const char *const **values_out)
{
    const int index = gn_space_key_index(key, strlen(key));
    if (index < 0)
        return 0;
    *values_out = space->base[index].value;
    return space->base[index].n;
}

bool gn_space_varies(const gn_space *space, const char *key)
{
    const int index = gn_space_key_index(key, strlen(key));
    const char *const *models;
    const size_t n = gn_space_models(space, &models);
    const space_domain *first = NULL;
    if (index < 0 || index == SPACE_KEY_model)
        return index >= 0 && n > 1;
    for (size_t i = 0; i < n; i++) {
        const space_domain *domain = gn_space_domain_of(space, index, models[i]);
        if ((domain != NULL && !gn_space_is_fixed(domain)) || (i > 0 && domain != first))
            return true;
        first = domain;
    }
    return false;
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
