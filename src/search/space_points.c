/* A space as parameters and points, its size, and the grid of all its configs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "search/space_internal.h"

/* A domain with more than one value, and its parameter's number. */
typedef struct variable {
    int key, param;
    const space_domain *domain;
} variable;

/* The variables of a space in the order of their parameters, which begin with the model. */
typedef struct layout {
    const char *const *models;
    size_t n_models;
    variable *list; /* [n] */
    size_t n;
} layout;

static const variable *find_variable(const layout *l, int key, const space_domain *domain)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->list[i].key == key && l->list[i].domain == domain)
            return &l->list[i];
    return NULL;
}

static gn_status make_layout(const gn_space *space, gn_arena *arena, layout *l, gn_error *err)
{
    *l = (layout){0};
    l->n_models = gn_space_models(space, &l->models);
    if (l->n_models == 0)
        return gn_fail(err, GN_EINVAL,
                       "reading the space: it names no model; give e.g. model: [mobilenet_v2@0.35, resnet18]");
    GN_TRY(gn_space_check_rules(space, err));
    l->list = gn_arena_alloc(arena, (SPACE_N_KEYS + space->n_rules) * sizeof *l->list);
    if (l->list == NULL)
        return gn_space_no_memory(err);
    for (int key = SPACE_KEY_model + 1; key < SPACE_N_KEYS; key++)
        for (size_t m = 0; m < l->n_models; m++) {
            const space_domain *domain = gn_space_domain_of(space, key, l->models[m]);
            if (domain == NULL || gn_space_is_fixed(domain) || find_variable(l, key, domain) != NULL)
                continue;
            l->list[l->n] = (variable){key, (int)l->n + 1, domain};
            l->n++;
        }
    return GN_OK;
}

/* --- parameters ----------------------------------------------------------------------------------------------------- */

static gn_status fill_param(const gn_space *space, const layout *l, const variable *v, gn_arena *arena, gn_param *p,
                            gn_error *err)
{
    const space_domain *d = v->domain;
    const char *name = gn_space_keys[v->key].name;
    bool *when = gn_arena_alloc(arena, l->n_models * sizeof *when);
    if (when == NULL)
        return gn_space_no_memory(err);
    size_t n_fit = 0;
    for (size_t m = 0; m < l->n_models; m++) {
        when[m] = gn_space_domain_of(space, v->key, l->models[m]) == d;
        n_fit += when[m];
    }
    *p = (gn_param){.kind = GN_PARAM_CHOICE, .parent = -1, .is_log = d->is_log};
    p->name = d->pattern != NULL ? gn_arena_printf(arena, "%s[%s]", name, d->pattern) : gn_arena_strdup(arena, name);
    if (p->name == NULL)
        return gn_space_no_memory(err);
    if (n_fit < l->n_models) {
        p->parent = 0;
        p->when = when;
    }
    if (d->kind == DOMAIN_RANGE) {
        p->kind = d->is_whole ? GN_PARAM_INT : GN_PARAM_REAL;
        p->low = d->low;
        p->high = d->high;
    } else if (d->kind == DOMAIN_STEPS) {
        p->kind = GN_PARAM_INT;
        p->high = (double)d->n - 1;
    } else {
        p->n_choices = (int)d->n;
    }
    return GN_OK;
}

gn_status gn_space_params(const gn_space *space, gn_arena *arena, const gn_param **params_out, size_t *n_out,
                          gn_error *err)
{
    layout l;
    GN_TRY(make_layout(space, arena, &l, err));
    gn_param *params = gn_arena_alloc(arena, (l.n + 1) * sizeof *params);
    if (params == NULL)
        return gn_space_no_memory(err);
    params[0] = (gn_param){.name = "model", .kind = GN_PARAM_CHOICE, .n_choices = (int)l.n_models, .parent = -1};
    for (size_t i = 0; i < l.n; i++)
        GN_TRY(fill_param(space, &l, &l.list[i], arena, &params[i + 1], err));
    *params_out = params;
    *n_out = l.n + 1;
    return GN_OK;
}

/* --- point to config ------------------------------------------------------------------------------------------------ */

static gn_status refuse_value(int key, double x, gn_error *err)
{
    return gn_fail(err, GN_EINVAL, "a point of the space: %s has no value number %g", gn_space_keys[key].name, x);
}

/* A domain's value for a coordinate; dst holds 40 bytes for numbers. */
static gn_status value_at(int key, const space_domain *d, double x, char *dst, const char **value_out, gn_error *err)
{
    if (d->kind == DOMAIN_RANGE) {
        if (!(x >= d->low && x <= d->high))
            return refuse_value(key, x, err);
        gn_space_format_number(d, x, dst);
        *value_out = dst;
        return GN_OK;
    }
    if (!(x >= 0 && x < (double)d->n && x == floor(x)))
        return refuse_value(key, x, err);
    *value_out = d->value[(size_t)x];
    return GN_OK;
}

static void add_pair(gn_text *out, int key, const char *value)
{
    gn_text_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", gn_space_keys[key].name);
    gn_text_add_json(out, value);
}

static gn_status write_config(const gn_space *space, const layout *l, const double *point, gn_text *out, gn_error *err)
{
    char number[40];
    const char *value = NULL;
    GN_TRY(value_at(SPACE_KEY_model, &space->base[SPACE_KEY_model], point[0], number, &value, err));
    const char *model = value;
    out->len = 0;
    gn_text_add(out, "{");
    add_pair(out, SPACE_KEY_model, model);
    for (int key = SPACE_KEY_model + 1; key < SPACE_N_KEYS; key++) {
        const space_domain *d = gn_space_domain_of(space, key, model);
        if (d == NULL)
            continue;
        const variable *v = gn_space_is_fixed(d) ? NULL : find_variable(l, key, d);
        GN_TRY(value_at(key, d, v != NULL ? point[v->param] : 0, number, &value, err));
        add_pair(out, key, value);
    }
    gn_text_add(out, "}");
    return out->failed ? gn_space_no_memory(err) : GN_OK;
}

gn_status gn_space_config(const gn_space *space, const double *point, gn_arena *arena, const char **config_out,
                          gn_error *err)
{
    layout l;
    gn_text text;
    GN_TRY(make_layout(space, arena, &l, err));
    gn_text_init(&text);
    const gn_status status = write_config(space, &l, point, &text, err);
    const char *config = status == GN_OK ? gn_arena_strdup(arena, text.data) : NULL;
    gn_text_deinit(&text);
    GN_TRY(status);
    if (config == NULL)
        return gn_space_no_memory(err);
    *config_out = config;
    return GN_OK;
}

/* --- config to point ------------------------------------------------------------------------------------------------ */

static bool coordinate_of(const space_domain *d, const char *text, double *out)
{
    if (d->kind == DOMAIN_RANGE)
        return gn_parse_f64(text, out) && *out >= d->low && *out <= d->high && (!d->is_whole || *out == floor(*out));
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->value[i], text) == 0) {
            *out = (double)i;
            return true;
        }
    return false;
}

/* A config has exactly the keys that the space gives its model. */
static gn_status check_keys(const gn_space *space, const gn_json *config, const char *model, gn_error *err)
{
    for (const gn_json *m = config->first; m != NULL; m = m->next) {
        const int key = gn_space_key_index(m->key, strlen(m->key));
        if (key < 0 || (key != SPACE_KEY_model && gn_space_domain_of(space, key, model) == NULL))
            return gn_fail(err, GN_EINVAL, "a config is not of this space: the space gives %s no %s", model, m->key);
    }
    return GN_OK;
}

static gn_status read_point(const gn_space *space, const layout *l, const gn_json *config, double *point, gn_error *err)
{
    const char *model = "", *text = NULL;
    if (!gn_json_string(config, "model", &model) || !coordinate_of(&space->base[SPACE_KEY_model], model, &point[0]))
        return gn_fail(err, GN_EINVAL, "a config is not of this space: its model \"%.80s\" is none of the space's",
                       model);
    GN_TRY(check_keys(space, config, model, err));
    for (int key = SPACE_KEY_model + 1; key < SPACE_N_KEYS; key++) {
        const space_domain *d = gn_space_domain_of(space, key, model);
        double x = 0;
        if (d == NULL)
            continue;
        if (!gn_json_string(config, gn_space_keys[key].name, &text))
            return gn_fail(err, GN_EINVAL, "a config is not of this space: it lacks %s", gn_space_keys[key].name);
        if (!coordinate_of(d, text, &x))
            return gn_fail(err, GN_EINVAL, "a config is not of this space: %s is \"%.80s\" for %s",
                           gn_space_keys[key].name, text, model);
        const variable *v = find_variable(l, key, d);
        if (v != NULL)
            point[v->param] = x;
    }
    return GN_OK;
}

gn_status gn_space_point(const gn_space *space, const char *config, gn_arena *arena, const double **point_out,
                         gn_error *err)
{
    layout l;
    const gn_json *root = NULL;
    GN_TRY(make_layout(space, arena, &l, err));
    GN_TRY(gn_json_parse(config, strlen(config), arena, &root, err));
    double *point = gn_arena_alloc(arena, (l.n + 1) * sizeof *point);
    if (point == NULL)
        return gn_space_no_memory(err);
    for (size_t i = 0; i <= l.n; i++)
        point[i] = NAN;
    GN_TRY(read_point(space, &l, root, point, err));
    *point_out = point;
    return GN_OK;
}

/* --- size ----------------------------------------------------------------------------------------------------------- */

static double size_of_model(const gn_space *space, const char *model)
{
    double n = 1;
    for (int key = SPACE_KEY_model + 1; key < SPACE_N_KEYS; key++) {
        const space_domain *d = gn_space_domain_of(space, key, model);
        n *= d != NULL ? gn_space_count(d) : 1;
    }
    return n;
}

double gn_space_size(const gn_space *space)
{
    const char *const *models;
    const size_t n = gn_space_models(space, &models);
    double size = 0;
    for (size_t m = 0; m < n; m++)
        size += size_of_model(space, models[m]);
    return size;
}

bool gn_space_is_finite(const gn_space *space)
{
    return isfinite(gn_space_size(space));
}

/* --- the grid ------------------------------------------------------------------------------------------------------- */

static gn_status check_grid(const gn_space *space, const layout *l, gn_error *err)
{
    for (size_t i = 0; i < l->n; i++)
        if (!isfinite(gn_space_count(l->list[i].domain)))
            return gn_fail(
                err, GN_EINVAL,
                "expanding the space: %s is a range without points, which a grid cannot try; give it `count` "
                "(%s: {from: %g, to: %g, count: 5%s}), or another sampler",
                gn_space_keys[l->list[i].key].name, gn_space_keys[l->list[i].key].name, l->list[i].domain->low,
                l->list[i].domain->high, l->list[i].domain->is_log ? ", scale: log" : "");
    const double size = gn_space_size(space);
    if (size > GN_SPACE_MAX_TRIALS)
        return gn_fail(
            err, GN_ELIMIT,
            "expanding the space: it has %.0f configs, and a grid at most %d; leave out some values, or take "
            "another sampler",
            size, GN_SPACE_MAX_TRIALS);
    return GN_OK;
}

/* The next point of the same model, the last parameter counting fastest; false after the last one. */
static bool next_point(const gn_space *space, const layout *l, double *point)
{
    const char *model = l->models[(size_t)point[0]];
    for (size_t i = l->n; i-- > 0;) {
        const variable *v = &l->list[i];
        if (gn_space_domain_of(space, v->key, model) != v->domain)
            continue;
        const bool is_range = v->domain->kind == DOMAIN_RANGE;
        const double first = is_range ? v->domain->low : 0, last = first + gn_space_count(v->domain) - 1;
        if (point[v->param] < last) {
            point[v->param]++;
            return true;
        }
        point[v->param] = first;
    }
    return false;
}

static gn_status list_configs(const gn_space *space, const layout *l, double *point, gn_arena *arena,
                              const char **configs, gn_error *err)
{
    size_t n = 0;
    gn_text text;
    gn_text_init(&text);
    gn_status status = GN_OK;
    for (size_t m = 0; m < l->n_models && status == GN_OK; m++) {
        point[0] = (double)m;
        for (size_t i = 0; i < l->n; i++)
            point[i + 1] = l->list[i].domain->kind == DOMAIN_RANGE ? l->list[i].domain->low : 0;
        do {
            status = write_config(space, l, point, &text, err);
            configs[n] = status == GN_OK ? gn_arena_strdup(arena, text.data) : NULL;
            if (status == GN_OK && configs[n++] == NULL)
                status = gn_space_no_memory(err);
        } while (status == GN_OK && next_point(space, l, point));
    }
    gn_text_deinit(&text);
    return status;
}

gn_status gn_space_expand(const gn_space *space, gn_arena *arena, const char ***configs_out, size_t *n_out,
                          gn_error *err)
{
    layout l;
    GN_TRY(make_layout(space, arena, &l, err));
    GN_TRY(check_grid(space, &l, err));
    const size_t n = (size_t)gn_space_size(space);
    const char **configs = gn_arena_alloc(arena, n * sizeof *configs);
    double *point = gn_arena_alloc(arena, (l.n + 1) * sizeof *point);
    if (configs == NULL || point == NULL)
        return gn_space_no_memory(err);
    GN_TRY(list_configs(space, &l, point, arena, configs, err));
    *configs_out = configs;
    *n_out = n;
    return GN_OK;
}
