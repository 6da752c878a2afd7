/* Studies as the one JSON object that the page reads.  Tables are written as columns (report_values.h), and of large studies only
 * what is drawn: all trials with their figures, but training curves and intervals of the best, and of an even sample of the rest.
 *
 *   {"version", "studies": [{"path", "facts": {name: value}, "commands": [{"at", "line"}],
 *     "networks": columns of gn_measurement,
 *     "trials": columns of gn_trial, "config": {key: dictionary},
 *     "results": columns of gn_result, "metrics": {name: {"value", "low", "high"}}, low = high = 0 where no interval is given,
 *     "curves": {"n_trials": trials with epochs, "trial", "rows": of each, "step": every which epoch, columns of gn_epoch},
 *     "pictures": [{"trial", "name", "caption", "jpeg"}], "is_lean": whether something was left out,
 *     and what report_json_extras.h adds}]}
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/report.h"
#include "report/report_json_extras.h"
#include "report/report_values.h"

/* Beyond so many trials a study is written lean. */
#define LEAN_TRIALS 1000
/* Of a lean study: trials whose curves and intervals are written, best first, and others by an even sample. */
#define BEST_TRIALS   150
#define SAMPLE_TRIALS 100
/* A curve has at most so many points. */
#define CURVE_POINTS 400
/* Different knobs and metrics. */
#define MAX_NAMES 96

/* What is read of one study. */
typedef struct source {
    gn_study *study;
    gn_arena *arena;
    gn_trial *trial;
    gn_result *result;
    size_t n_trials, n_results;
    bool *is_full; /* [n_trials]: curves and intervals are written */
    const char *objective;
    bool is_lean, has_pictures;
} source;

static gn_status out_of_memory(gn_error *err)
{
    return gn_fail(err, GN_ENOMEM, "making the report: out of memory");
}

/* --- facts, networks ------------------------------------------------------------------------------------------------- */

static gn_status add_facts(const source *s, gn_text *out, gn_error *err)
{
    gn_study_fact *fact = NULL;
    gn_study_command *command = NULL;
    size_t n = 0;
    bool is_first = true;
    GN_TRY(gn_study_facts(s->study, s->arena, &fact, &n, err));
    gn_text_add(out, "\"facts\":{");
    for (size_t i = 0; i < n; i++)
        gn_report_put_string(out, fact[i].name, fact[i].value, &is_first);
    GN_TRY(gn_study_commands(s->study, s->arena, &command, &n, err));
    gn_text_add(out, "},\"commands\":[");
    for (size_t i = 0; i < n; i++) {
        char when[32];
        gn_format_utc(command[i].started_at, when);
        gn_text_printf(out, "%s{\"at\":\"%s\",\"line\":", i > 0 ? "," : "", when);
        gn_report_add_public(out, command[i].line);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]");
    return GN_OK;
}

static void add_columns(gn_text *out, const gn_report_column *column, size_t n_columns, const void *rows, size_t n,
                        size_t stride)
{
    bool is_first = true;
    for (size_t c = 0; c < n_columns; c++)
        gn_report_add_column(out, &column[c], rows, n, stride, &is_first);
}
#define COUNT_OF(list) (sizeof(list) / sizeof(list)[0])

static gn_status add_networks(const source *s, gn_text *out, gn_error *err)
{
#define FIELD(name, kind, digits)                                                                                      \
    {                                                                                                                  \
#name, offsetof(gn_measurement, name), kind, digits                                                            \
    }
    static const gn_report_column columns[] = {
        FIELD(id, GN_COLUMN_INT64, 0),           FIELD(model, GN_COLUMN_TEXT, 0),
        FIELD(head, GN_COLUMN_TEXT, 0),          FIELD(precision, GN_COLUMN_TEXT, 0),
        FIELD(variant, GN_COLUMN_TEXT, 0),       FIELD(energy_mj, GN_COLUMN_REAL, 4),
        FIELD(clock_mhz, GN_COLUMN_REAL, 4),     FIELD(temperature_c, GN_COLUMN_REAL, 3),
        FIELD(target, GN_COLUMN_TEXT, 0),        FIELD(device, GN_COLUMN_TEXT, 0),
        FIELD(imgsz, GN_COLUMN_INT64, 0),        FIELD(threads, GN_COLUMN_INT64, 0),
        FIELD(warmup, GN_COLUMN_INT64, 0),       FIELD(runs, GN_COLUMN_INT64, 0),
        FIELD(min_ms, GN_COLUMN_REAL, 4),        FIELD(p50_ms, GN_COLUMN_REAL, 4),
        FIELD(p90_ms, GN_COLUMN_REAL, 4),        FIELD(p99_ms, GN_COLUMN_REAL, 4),
        FIELD(preprocess_ms, GN_COLUMN_REAL, 4), FIELD(postprocess_ms, GN_COLUMN_REAL, 4),
        FIELD(total_p50_ms, GN_COLUMN_REAL, 4),  FIELD(total_p90_ms, GN_COLUMN_REAL, 5),
        FIELD(total_p99_ms, GN_COLUMN_REAL, 4),  FIELD(peak_bytes, GN_COLUMN_INT64, 0),
        FIELD(params, GN_COLUMN_INT64, 0),       FIELD(macs, GN_COLUMN_INT64, 0),
        FIELD(bytes, GN_COLUMN_INT64, 0),        FIELD(is_valid, GN_COLUMN_BOOL, 0),
        FIELD(note, GN_COLUMN_TEXT, 0),          FIELD(measured_at, GN_COLUMN_INT64, 0),
    };
#undef FIELD
    gn_measurement *list = NULL;
    size_t n = 0;
    GN_TRY(gn_study_measurements(s->study, s->arena, &list, &n, err));
    gn_text_add(out, ",\"networks\":{");
    add_columns(out, columns, COUNT_OF(columns), list, n, sizeof *list);
    gn_text_add(out, "}");
    return GN_OK;
}

/* --- trials ---------------------------------------------------------------------------------------------------------- */

/* The knobs of all trials: one row of strings per key. */
typedef struct knobs {
    const char *key[MAX_NAMES];
    const char **value[MAX_NAMES]; /* [n_trials], NULL where the trial lacks the knob */
    size_t n;
} knobs;

static const char **values_of(knobs *k, const char *key, size_t n_trials, gn_arena *arena)
{
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->key[i], key) == 0)
            return k->value[i];
    if (k->n == MAX_NAMES)
        return NULL;
    const char **value = gn_arena_alloc(arena, (n_trials + 1) * sizeof *value);
    if (value == NULL)
        return NULL;
    for (size_t i = 0; i < n_trials; i++)
        value[i] = NULL;
    k->key[k->n] = key;
    k->value[k->n++] = value;
    return value;
}

static gn_status add_configs(const source *s, gn_text *out, gn_error *err)
{
    knobs k = {.n = 0};
    bool is_first = true;
    for (size_t i = 0; i < s->n_trials; i++) {
        const gn_json *root = NULL;
        GN_TRY(gn_json_parse(s->trial[i].config, strlen(s->trial[i].config), s->arena, &root, err));
        for (const gn_json *m = root->kind == GN_JSON_OBJECT ? root->first : NULL; m != NULL; m = m->next) {
            const char **value = values_of(&k, m->key, s->n_trials, s->arena);
            if (value != NULL)
                value[i] = m->text;
        }
    }
    gn_text_add(out, ",\"config\":{");
    for (size_t i = 0; i < k.n; i++) {
        gn_report_add_key(out, k.key[i], &is_first);
        gn_report_add_dictionary(out, k.value[i], s->n_trials);
    }
    gn_text_add(out, "}");
    return GN_OK;
}

static gn_status add_trials(const source *s, gn_text *out, gn_error *err)
{
    static const gn_report_column columns[] = {
        {"id", offsetof(gn_trial, id), GN_COLUMN_INT64, 0},
        {"network", offsetof(gn_trial, measurement_id), GN_COLUMN_INT64, 0},
        {"stage", offsetof(gn_trial, stage), GN_COLUMN_INT, 0},
        {"reason", offsetof(gn_trial, reason), GN_COLUMN_TEXT, 0},
        {"seed", offsetof(gn_trial, seed), GN_COLUMN_INT64, 0},
        {"seconds", offsetof(gn_trial, seconds), GN_COLUMN_REAL, 4},
        {"bracket", offsetof(gn_trial, bracket), GN_COLUMN_INT, 0},
        {"origin", offsetof(gn_trial, origin), GN_COLUMN_TEXT, 0},
        {"attempts", offsetof(gn_trial, attempts), GN_COLUMN_INT, 0},
        {"worker", offsetof(gn_trial, worker), GN_COLUMN_TEXT, 0},
    };
    const char **state = gn_arena_alloc(s->arena, (s->n_trials + 1) * sizeof *state);
    if (state == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < s->n_trials; i++)
        state[i] = gn_trial_state_name(s->trial[i].state);
    gn_text_add(out, ",\"trials\":{");
    add_columns(out, columns, COUNT_OF(columns), s->trial, s->n_trials, sizeof *s->trial);
    gn_text_add(out, s->n_trials > 0 ? ",\"state\":" : "\"state\":");
    gn_report_add_dictionary(out, state, s->n_trials);
    gn_text_add(out, "}");
    return add_configs(s, out, err);
}

/* --- which trials are written in full -------------------------------------------------------------------------------- */

typedef struct rank {
    size_t trial;
    double score; /* higher is better */
} rank;

static int by_score_then_place(const void *a, const void *b)
{
    const rank *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/* The place of a trial in the list, which is by id; n_trials when it is not there. */
static size_t place_of(const source *s, int64_t id)
{
    size_t low = 0, high = s->n_trials;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->trial[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_trials && s->trial[low].id == id ? low : s->n_trials;
}

/* The best by the objective of their last validation, the winner, what runs now, and an even sample. */
static gn_status choose_full(source *s, gn_error *err)
{
    s->is_lean = s->n_trials > LEAN_TRIALS;
    s->is_full = gn_arena_alloc(s->arena, s->n_trials + 1);
    rank *list = gn_arena_alloc(s->arena, (s->n_trials + 1) * sizeof *list);
    if (s->is_full == NULL || list == NULL)
        return out_of_memory(err);
    const char *winner = NULL;
    GN_TRY(gn_study_fact_of(s->study, "winner", s->arena, &winner, err));
    const double sign = strcmp(s->objective, "loss") == 0 ? -1 : 1;
    for (size_t i = 0; i < s->n_trials; i++)
        list[i] = (rank){.trial = i, .score = -INFINITY};
    for (size_t i = 0; i < s->n_results; i++) {
        const size_t at = place_of(s, s->result[i].trial);
        const double x = gn_result_metric(&s->result[i], s->objective);
        if (at < s->n_trials && strcmp(s->result[i].split, "val") == 0 && isfinite(x))
            list[at].score = sign * x;
    }
    qsort(list, s->n_trials, sizeof *list, by_score_then_place);
    for (size_t i = 0; i < s->n_trials; i++) {
        const gn_trial *t = &s->trial[list[i].trial];
        s->is_full[list[i].trial] = !s->is_lean || i < BEST_TRIALS || i % (s->n_trials / SAMPLE_TRIALS) == 0 ||
                                    t->state == GN_TRIAL_RUNNING ||
                                    (winner != NULL && strtoll(winner, NULL, 10) == t->id);
    }
    return GN_OK;
}

/* --- results --------------------------------------------------------------------------------------------------------- */

static const gn_metric *metric_of(const gn_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, name) == 0)
            return &r->metrics[i];
    return NULL;
}

/* One end of the interval; 0 stands for none because it is short. */
static void add_bound(const source *s, const gn_result *r, const gn_metric *m, double bound, gn_text *out)
{
    const size_t at = place_of(s, r->trial);
    const bool is_told = at < s->n_trials && (s->is_full[at] || strcmp(m->name, s->objective) == 0);
    if (is_told && isfinite(bound))
        gn_report_add_number(out, bound, 4);
    else
        gn_text_add(out, "0");
}

static void add_metric(const source *s, const char *name, gn_text *out)
{
    static const char *const parts[] = {"value", "low", "high"};
    bool has_interval = false;
    for (size_t i = 0; i < s->n_results && !has_interval; i++) {
        const gn_metric *m = metric_of(&s->result[i], name);
        has_interval = m != NULL && isfinite(m->low) && isfinite(m->high);
    }
    gn_text_add(out, "{");
    for (int part = 0; part < (has_interval ? 3 : 1); part++) {
        gn_text_printf(out, "%s\"%s\":[", part > 0 ? "," : "", parts[part]);
        for (size_t i = 0; i < s->n_results; i++) {
            const gn_metric *m = metric_of(&s->result[i], name);
            gn_text_add(out, i > 0 ? "," : "");
            if (part == 0)
                gn_report_add_number(out, m != NULL ? m->value : NAN, 5);
            else if (m == NULL)
                gn_text_add(out, "0");
            else
                add_bound(s, &s->result[i], m, part == 1 ? m->low : m->high, out);
        }
        gn_text_add(out, "]");
    }
    gn_text_add(out, "}");
}

static void add_results(const source *s, gn_text *out)
{
    static const gn_report_column columns[] = {
        {"trial", offsetof(gn_result, trial), GN_COLUMN_INT64, 0},
        {"stage", offsetof(gn_result, stage), GN_COLUMN_INT, 0},
        {"split", offsetof(gn_result, split), GN_COLUMN_TEXT, 0},
        {"epochs", offsetof(gn_result, epochs), GN_COLUMN_INT64, 0},
        {"best_epoch", offsetof(gn_result, best_epoch), GN_COLUMN_INT64, 0},
        {"images_per_s", offsetof(gn_result, images_per_s), GN_COLUMN_REAL, 4},
        {"seconds", offsetof(gn_result, seconds), GN_COLUMN_REAL, 4},
    };
    const char *name[MAX_NAMES];
    size_t n = 0;
    for (size_t i = 0; i < s->n_results; i++) {
        const gn_result *r = &s->result[i];
        for (size_t k = 0; k < r->n_metrics; k++) {
            size_t at = 0;
            while (at < n && strcmp(name[at], r->metrics[k].name) != 0)
                at++;
            if (at == n && n < MAX_NAMES)
                name[n++] = r->metrics[k].name;
        }
    }
    gn_text_add(out, ",\"results\":{");
    add_columns(out, columns, COUNT_OF(columns), s->result, s->n_results, sizeof *s->result);
    gn_text_add(out, "},\"metrics\":{");
    for (size_t i = 0; i < n; i++) {
        gn_report_add_key(out, name[i], &(bool){i == 0});
        add_metric(s, name[i], out);
    }
    gn_text_add(out, "}");
}

/* --- curves ---------------------------------------------------------------------------------------------------------- */

/* The epochs that are drawn: a copy of those, and how many rows each trial has. */
typedef struct curves {
    gn_epoch *epoch;
    size_t n;
    int64_t *trial, *rows, *step; /* [n_trials] */
    size_t n_trials;              /* written */
    size_t n_with_epochs;
} curves;

/* Of m epochs every so many, and the last. */
static int64_t step_of(size_t m)
{
    return (int64_t)((m + CURVE_POINTS - 1) / CURVE_POINTS);
}

static void take_curve(curves *c, const gn_epoch *epoch, size_t m)
{
    const int64_t step = step_of(m);
    const size_t before = c->n;
    for (size_t i = 0; i < m; i++)
        if ((i + 1) % (size_t)step == 0 || i + 1 == m)
            c->epoch[c->n++] = epoch[i];
    c->trial[c->n_trials] = epoch[0].trial;
    c->rows[c->n_trials] = (int64_t)(c->n - before);
    c->step[c->n_trials++] = step;
}

static gn_status take_curves(const source *s, curves *c, gn_error *err)
{
    gn_epoch *epoch = NULL;
    size_t n = 0;
    GN_TRY(gn_study_epochs(s->study, s->arena, &epoch, &n, err));
    c->epoch = gn_arena_alloc(s->arena, (n + 1) * sizeof *c->epoch);
    int64_t *block = gn_arena_alloc(s->arena, (s->n_trials + 1) * 3 * sizeof *block);
    if (c->epoch == NULL || block == NULL)
        return out_of_memory(err);
    c->trial = block;
    c->rows = block + s->n_trials + 1;
    c->step = c->rows + s->n_trials + 1;
    for (size_t i = 0, m; i < n; i += m) {
        for (m = 1; i + m < n && epoch[i + m].trial == epoch[i].trial;)
            m++;
        const size_t at = place_of(s, epoch[i].trial);
        c->n_with_epochs += at < s->n_trials;
        if (at < s->n_trials && s->is_full[at])
            take_curve(c, epoch + i, m);
    }
    return GN_OK;
}

static gn_status add_curves(const source *s, gn_text *out, gn_error *err)
{
#define FIELD(name, kind, digits)                                                                                      \
    {                                                                                                                  \
#name, offsetof(gn_epoch, name), kind, digits                                                                  \
    }
    static const gn_report_column columns[] = {
        FIELD(epoch, GN_COLUMN_INT64, 0),     FIELD(seconds, GN_COLUMN_REAL, 5),
        FIELD(train_loss, GN_COLUMN_REAL, 4), FIELD(val_loss, GN_COLUMN_REAL, 4),
        FIELD(mean_iou, GN_COLUMN_REAL, 4),   FIELD(box_precision50, GN_COLUMN_REAL, 4),
        FIELD(map50, GN_COLUMN_REAL, 4),      FIELD(map50_95, GN_COLUMN_REAL, 4),
        FIELD(lr, GN_COLUMN_REAL, 4),
    };
#undef FIELD
    static const gn_report_column whole[] = {
        {"trial", 0, GN_COLUMN_INT64, 0}, {"rows", 0, GN_COLUMN_INT64, 0}, {"step", 0, GN_COLUMN_INT64, 0}};
    curves c = {0};
    GN_TRY(take_curves(s, &c, err));
    gn_text_printf(out, ",\"curves\":{\"n_trials\":%zu", c.n_with_epochs);
    bool is_first = false;
    const int64_t *lists[] = {c.trial, c.rows, c.step};
    for (size_t i = 0; i < 3; i++)
        gn_report_add_column(out, &whole[i], lists[i], c.n_trials, sizeof(int64_t), &is_first);
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        gn_report_add_column(out, &columns[i], c.epoch, c.n, sizeof *c.epoch, &is_first);
    gn_text_add(out, "}");
    return GN_OK;
}

/* --- pictures, and all together -------------------------------------------------------------------------------------- */

static gn_status add_pictures(const source *s, gn_text *out, gn_error *err)
{
    gn_picture *list = NULL;
    size_t n = 0;
    if (s->has_pictures)
        GN_TRY(gn_study_pictures(s->study, s->arena, &list, &n, err));
    gn_text_add(out, ",\"pictures\":[");
    for (size_t i = 0; i < n; i++) {
        bool is_first = false;
        gn_text_printf(out, "%s{\"trial\":%" PRId64, i > 0 ? "," : "", list[i].trial);
        gn_report_put_string(out, "name", list[i].name, &is_first);
        gn_report_put_string(out, "caption", list[i].caption, &is_first);
        gn_text_add(out, ",\"jpeg\":\"");
        gn_report_add_base64(out, list[i].jpeg, list[i].bytes);
        gn_text_add(out, "\"}");
    }
    gn_text_add(out, "]");
    return GN_OK;
}

static gn_status add_study(source *s, gn_text *out, gn_error *err)
{
    GN_TRY(gn_study_fact_of(s->study, "objective", s->arena, &s->objective, err));
    if (s->objective == NULL)
        s->objective = "mean_iou";
    GN_TRY(gn_study_trials(s->study, s->arena, &s->trial, &s->n_trials, err));
    GN_TRY(gn_study_results(s->study, s->arena, &s->result, &s->n_results, err));
    GN_TRY(choose_full(s, err));
    gn_text_add(out, "{\"path\":");
    gn_report_add_public(out, gn_study_path(s->study));
    gn_text_add(out, s->is_lean ? ",\"is_lean\":true," : ",\"is_lean\":false,");
    GN_TRY(add_facts(s, out, err));
    GN_TRY(add_networks(s, out, err));
    GN_TRY(add_trials(s, out, err));
    add_results(s, out);
    GN_TRY(add_curves(s, out, err));
    GN_TRY(add_pictures(s, out, err));
    GN_TRY(gn_report_add_extras(s->study, out, err));
    gn_text_add(out, "}");
    return GN_OK;
}

gn_status gn_report_json(gn_study *const *studies, size_t n, bool has_pictures, gn_text *out, gn_error *err)
{
    gn_status status = GN_OK;
    gn_text_add(out, "{\"version\":");
    gn_report_add_string(out, GN_VERSION);
    gn_text_add(out, ",\"studies\":[");
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        source s = {.study = studies[i], .has_pictures = has_pictures, .arena = gn_arena_create(0)};
        if (s.arena == NULL)
            return out_of_memory(err);
        gn_text_add(out, i > 0 ? "," : "");
        status = add_study(&s, out, err);
        gn_arena_destroy(&s.arena);
    }
    gn_text_add(out, "]}");
    if (status == GN_OK && out->failed)
        status = out_of_memory(err);
    return status;
}
