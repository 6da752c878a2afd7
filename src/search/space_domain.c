/* Values of a space's keys: lists in one spelling, ranges with and without points.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "search/space_internal.h"
#include "train/schedule.h"

/* --- one value ------------------------------------------------------------------------------------------------------ */

static gn_status check_model(const gn_space *space, const char *name, const space_place *at, gn_error *err)
{
    if (space->models == NULL || gn_has_suffix(name, ".onnx") || space->models->is_known(name))
        return GN_OK;
    const char *near = gn_nearest(name, space->models->names, space->models->n_names);
    if (near != NULL)
        return gn_space_refuse(at, err, "unknown model \"%.100s\"; did you mean \"%s\"?", name, near);
    char list[300];
    int len = snprintf(list, sizeof list, "an ONNX file");
    for (size_t i = 0; i < space->models->n_names && len < (int)sizeof list; i++)
        len += snprintf(list + len, sizeof list - (size_t)len, ", %s", space->models->names[i]);
    return gn_space_refuse(at, err, "unknown model \"%.100s\"; there are %s%s", name, list,
                           len < (int)sizeof list ? "" : " ... (`gannet zoo`)");
}

/* One of "a|b|c". */
static gn_status check_choice(const space_key *key, const char *text, const space_place *at, gn_error *err)
{
    char words[128], *save = NULL;
    const char *known[16];
    size_t n = 0;
    snprintf(words, sizeof words, "%s", key->choices);
    for (char *word = strtok_r(words, "|", &save); word != NULL && n < 16; word = strtok_r(NULL, "|", &save))
        known[n++] = word;
    for (size_t i = 0; i < n; i++)
        if (strcmp(known[i], text) == 0)
            return GN_OK;
    const char *near = gn_nearest(text, known, n);
    return gn_space_refuse(at, err, "%s is \"%.60s\", expected one of %s%s%s%s", key->name, text, key->choices,
                           near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                           near != NULL ? "\"?" : "");
}

static const char *flag_word(const char *text)
{
    static const char *const words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 4; i++)
            if (strcasecmp(text, words[value][i]) == 0)
                return words[value][0];
    return text;
}

static gn_status check_schedule(const char *text, const space_place *at, gn_error *err)
{
    gn_schedule schedule;
    gn_error cause = {0};
    if (gn_schedule_parse(text, &schedule, &cause) == GN_OK)
        return GN_OK;
    return gn_space_refuse(at, err, "schedule is \"%.60s\": %s", text, cause.message);
}

static gn_status canonical_text(gn_space *space, int index, const char *text, const space_place *at, const char **out,
                                gn_error *err)
{
    const space_key *key = &gn_space_keys[index];
    if (index == SPACE_KEY_model)
        GN_TRY(check_model(space, text, at, err));
    if (index == SPACE_KEY_schedule)
        GN_TRY(check_schedule(text, at, err));
    if (key->kind == SPACE_FLAG)
        text = flag_word(text);
    if (key->choices != NULL)
        GN_TRY(check_choice(key, text, at, err));
    *out = gn_arena_strdup(space->arena, text);
    return *out != NULL ? GN_OK : gn_space_no_memory(err);
}

static gn_status refuse_number(const space_key *key, const char *text, const space_place *at, gn_error *err)
{
    return gn_space_refuse(at, err, "%s is \"%.60s\", expected a %snumber from %g to %g", key->name, text,
                           key->kind == SPACE_INT ? "whole " : "", key->min, key->max);
}

static bool is_good_number(const space_key *key, double x)
{
    return x >= key->min && x <= key->max && (key->kind != SPACE_INT || x == floor(x));
}

/* The value in its one spelling (1e-3 becomes 0.001), so that equal trials have equal configs. */
static gn_status canonical(gn_space *space, int index, const char *text, const space_place *at, const char **out,
                           gn_error *err)
{
    const space_key *key = &gn_space_keys[index];
    double number = 0;
    *out = NULL;
    if (text[0] == '\0' || strlen(text) > 1000)
        return gn_space_refuse(at, err, "a value of %s is empty or too long", key->name);
    if (key->kind != SPACE_INT && key->kind != SPACE_NUMBER)
        return canonical_text(space, index, text, at, out, err);
    if (!gn_parse_f64(text, &number) || !is_good_number(key, number))
        return refuse_number(key, text, at, err);
    *out = gn_arena_printf(space->arena, key->kind == SPACE_INT ? "%.0f" : "%.12g", number);
    return *out != NULL ? GN_OK : gn_space_no_memory(err);
}

/* --- lists ---------------------------------------------------------------------------------------------------------- */

gn_status gn_space_new_list(gn_space *space, size_t capacity, const space_place *at, space_domain *out, gn_error *err)
{
    if (capacity > GN_SPACE_MAX_VALUES)
        capacity = GN_SPACE_MAX_VALUES;
    *out = (space_domain){.kind = DOMAIN_LIST, .place = *at};
    out->value = gn_arena_alloc(space->arena, (capacity + 1) * sizeof(char *));
    return out->value != NULL ? GN_OK : gn_space_no_memory(err);
}

gn_status gn_space_add_value(gn_space *space, int key, space_domain *list, const char *text, const space_place *at,
                             gn_error *err)
{
    const char *value = NULL;
    GN_TRY(canonical(space, key, text, at, &value, err));
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->value[i], value) == 0)
            return GN_OK;
    if (list->n == GN_SPACE_MAX_VALUES)
        return gn_space_refuse(at, err, "%s has more than %d values", gn_space_keys[key].name, GN_SPACE_MAX_VALUES);
    list->value[list->n++] = value;
    return GN_OK;
}

/* --- ranges --------------------------------------------------------------------------------------------------------- */

static gn_status check_range(int index, const space_range *r, const space_place *at, gn_error *err)
{
    const space_key *key = &gn_space_keys[index];
    const char *name = key->name;
    if (key->kind != SPACE_INT && key->kind != SPACE_NUMBER)
        return gn_space_refuse(at, err, "%s is no number, so it takes a list, not a range", name);
    if (isnan(r->from) || isnan(r->to))
        return gn_space_refuse(at, err, "the range of %s lacks `%s`; expected {from: 1e-4, to: 1e-2, scale: log}", name,
                               isnan(r->from) ? "from" : "to");
    const double ends[2] = {r->from, r->to};
    for (int i = 0; i < 2; i++) {
        char text[40];
        snprintf(text, sizeof text, "%.12g", ends[i]);
        if (!is_good_number(key, ends[i]))
            return refuse_number(key, text, at, err);
    }
    if (r->from > r->to)
        return gn_space_refuse(at, err, "the range of %s is empty: from %g is above to %g", name, r->from, r->to);
    if (r->is_log && r->from <= 0)
        return gn_space_refuse(at, err, "the range of %s begins at %g; a logarithmic scale needs numbers above 0", name,
                               r->from);
    if (r->count != 0 && !isnan(r->step))
        return gn_space_refuse(at, err, "the range of %s has count and step; give one of them", name);
    if (r->count != 0 && (r->count < 2 || r->count > GN_SPACE_MAX_VALUES))
        return gn_space_refuse(at, err, "the range of %s has count %lld, expected 2 to %d", name, (long long)r->count,
                               GN_SPACE_MAX_VALUES);
    if (isnan(r->step))
        return GN_OK;
    if (r->is_log)
        return gn_space_refuse(at, err, "the range of %s has a step on a logarithmic scale; give count instead", name);
    if (!(r->step > 0) || (key->kind == SPACE_INT && r->step != floor(r->step)))
        return gn_space_refuse(at, err, "the range of %s has step %g, expected a %snumber above 0", name, r->step,
                               key->kind == SPACE_INT ? "whole " : "");
    if ((r->to - r->from) / r->step >= GN_SPACE_MAX_VALUES)
        return gn_space_refuse(at, err, "the range of %s has more than %d steps", name, GN_SPACE_MAX_VALUES);
    return GN_OK;
}

/* Ends of a range as configs will spell them, so that both belong to it. */
static double as_written(double x)
{
    char text[40];
    snprintf(text, sizeof text, "%.12g", x);
    return gn_parse_f64(text, &x) ? x : NAN;
}

/* Rounding of the division may hide the last point: 0.1, 0.2, 0.3 with step 0.1. */
#define STEP_SLACK 1e-9

static gn_status list_points(gn_space *space, int index, const space_range *r, const space_place *at, space_domain *out,
                             gn_error *err)
{
    const bool has_step = !isnan(r->step);
    const int64_t n = has_step ? (int64_t)floor((r->to - r->from) / r->step + STEP_SLACK) + 1 : r->count;
    GN_TRY(gn_space_new_list(space, (size_t)n, at, out, err));
    for (int64_t i = 0; i < n; i++) {
        const double t = n > 1 ? (double)i / (double)(n - 1) : 0;
        const double x = has_step    ? fmin(r->from + r->step * (double)i, r->to)
                         : r->is_log ? r->from * pow(r->to / r->from, t)
                                     : r->from + (r->to - r->from) * t;
        char text[40];
        snprintf(text, sizeof text, gn_space_keys[index].kind == SPACE_INT ? "%.0f" : "%.6g", x);
        GN_TRY(gn_space_add_value(space, index, out, text, at, err));
    }
    out->kind = DOMAIN_STEPS;
    return GN_OK;
}

gn_status gn_space_make_range(gn_space *space, int key, const space_range *range, const space_place *at,
                              space_domain *out, gn_error *err)
{
    space_range r = *range;
    r.from = as_written(r.from);
    r.to = as_written(r.to);
    GN_TRY(check_range(key, &r, at, err));
    const bool is_whole = gn_space_keys[key].kind == SPACE_INT;
    if (r.from == r.to) {
        r.count = 0;
        r.step = 1;
    } else if (is_whole && !r.is_log && r.count == 0 && isnan(r.step) && r.to - r.from < GN_SPACE_MAX_VALUES) {
        r.step = 1;
    }
    if (r.count != 0 || !isnan(r.step))
        return list_points(space, key, &r, at, out, err);
    *out = (space_domain){
        .kind = DOMAIN_RANGE, .low = r.from, .high = r.to, .is_log = r.is_log, .is_whole = is_whole, .place = *at};
    return GN_OK;
}

/* --- looking -------------------------------------------------------------------------------------------------------- */

bool gn_space_is_given(const space_domain *domain)
{
    return domain->kind == DOMAIN_RANGE || domain->n > 0;
}

double gn_space_count(const space_domain *domain)
{
    if (domain->kind != DOMAIN_RANGE)
        return (double)domain->n;
    return domain->is_whole ? domain->high - domain->low + 1 : INFINITY;
}

bool gn_space_is_fixed(const space_domain *domain)
{
    return domain->kind != DOMAIN_RANGE && domain->n == 1;
}

void gn_space_format_number(const space_domain *domain, double x, char *dst)
{
    char text[40];
    double rounded = 0;
    if (domain->is_whole) {
        snprintf(dst, 40, "%.0f", fmin(fmax(round(x), domain->low), domain->high));
        return;
    }
    snprintf(text, sizeof text, "%.6g", x);
    gn_parse_f64(text, &rounded);
    if (rounded < domain->low || rounded > domain->high)
        rounded = fmin(fmax(rounded, domain->low), domain->high);
    snprintf(dst, 40, "%.12g", rounded);
}
