/* A study as reports see it; see report_model.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_model.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define LOG_RATIO 20.0

static gn_status out_of_memory(gn_error *err)
{
    return gn_fail(err, GN_ENOMEM, "reading the study: out of memory");
}

/* --- small questions -------------------------------------------------------------------------------------------------- */

static int compare_fact(const void *name, const void *fact)
{
    return strcmp(name, ((const gn_study_fact *)fact)->name);
}

const char *gn_report_fact(const gn_report_model *model, const char *name)
{
    const gn_study_fact *fact =
        model->n_facts > 0 ? bsearch(name, model->fact, model->n_facts, sizeof *fact, compare_fact) : NULL;
    return fact != NULL ? fact->value : NULL;
}

static int compare_id(const void *id, const void *trial)
{
    const int64_t a = *(const int64_t *)id, b = ((const gn_report_trial *)trial)->row->id;
    return (a > b) - (a < b);
}

const gn_report_trial *gn_report_trial_by_id(const gn_report_model *model, int64_t id)
{
    return model->n_trials > 0 ? bsearch(&id, model->trial, model->n_trials, sizeof *model->trial, compare_id) : NULL;
}

const gn_json *gn_report_document_of(const gn_report_model *model, const gn_report_trial *trial, const char *name)
{
    for (size_t i = 0; i < model->n_documents; i++) {
        gn_report_document *d = &model->document[i];
        if (d->trial != trial->row->id || strcmp(d->name, name) != 0)
            continue;
        if (d->root == NULL && gn_json_parse(d->text, strlen(d->text), model->arena, &d->root, NULL) != GN_OK)
            d->root = NULL;
        return d->root;
    }
    return NULL;
}

double gn_report_utility(const gn_report_model *model, double score)
{
    return model->is_minimised ? -score : score;
}

bool gn_report_metric(const gn_result *result, const char *name, double *value_out, double *low_out, double *high_out)
{
    *value_out = *low_out = *high_out = NAN;
    for (size_t i = 0; result != NULL && i < result->n_metrics; i++)
        if (strcmp(result->metrics[i].name, name) == 0) {
            *value_out = result->metrics[i].value;
            *low_out = result->metrics[i].low;
            *high_out = result->metrics[i].high;
            return true;
        }
    return false;
}

void gn_report_family(const char *model, char *dst, size_t dst_bytes)
{
    size_t n = strcspn(model, "@");
    for (size_t i = 1; i < n; i++) {
        if (!isdigit((unsigned char)model[i]))
            continue;
        if (model[i - 1] == 'v') { /* a generation belongs to the name */
            while (i < n && isdigit((unsigned char)model[i]))
                i++;
            n = i;
            break;
        }
        n = i;
        if (i > 2 && model[i - 2] == '_') /* "efficientnet_b0" */
            n = i - 1;
        break;
    }
    while (n > 1 && (model[n - 1] == '_' || model[n - 1] == '-'))
        n--;
    snprintf(dst, dst_bytes, "%.*s", (int)n, model);
}

double gn_report_hypervolume(const double *cost, const double *gain, size_t n, double cost_to, double gain_from)
{
    double area = 0;
    for (size_t i = 0; i < n; i++) {
        const double end = i + 1 < n ? fmin(cost[i + 1], cost_to) : cost_to;
        if (end > cost[i] && gain[i] > gain_from)
            area += (end - cost[i]) * (gain[i] - gain_from);
    }
    return area;
}

/* --- trials ----------------------------------------------------------------------------------------------------------- */

/* What is read before it is joined. */
typedef struct source {
    gn_trial *trial;
    gn_epoch *epoch;
    gn_result *result;
    size_t n_epochs, n_results;
    const gn_json **config; /* [n_trials] */
} source;

static gn_status parse_configs(gn_report_model *m, source *s, gn_error *err)
{
    s->config = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *s->config);
    if (s->config == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < m->n_trials; i++)
        GN_TRY(gn_json_parse(s->trial[i].config, strlen(s->trial[i].config), m->arena, &s->config[i], err));
    return GN_OK;
}

/* More keys than `gannet train` has options do not occur; a config with more loses the last. */
enum { MAX_KNOBS = 128 };

/* Its number; n_knobs when there is none.  guess: tried first, since configs list their keys in the same order. */
static size_t find_knob(const gn_report_model *m, const char *name, size_t guess)
{
    if (guess < m->n_knobs && strcmp(m->knob[guess].name, name) == 0)
        return guess;
    size_t k = 0;
    while (k < m->n_knobs && strcmp(m->knob[k].name, name) != 0)
        k++;
    return k;
}

static gn_status list_knobs(gn_report_model *m, const source *s, gn_error *err)
{
    m->knob = gn_arena_alloc(m->arena, MAX_KNOBS * sizeof *m->knob);
    if (m->knob == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < m->n_trials; i++) {
        size_t expected = 0;
        for (const gn_json *c = s->config[i]->first; c != NULL; c = c->next) {
            const size_t k = find_knob(m, c->key, expected);
            if (k == m->n_knobs && k < MAX_KNOBS)
                m->knob[m->n_knobs++].name = c->key;
            expected = k + 1;
        }
    }
    return GN_OK;
}

static gn_status fill_values(gn_report_model *m, const source *s, gn_error *err)
{
    for (size_t i = 0; i < m->n_trials; i++) {
        const char **value = gn_arena_alloc(m->arena, (m->n_knobs + 1) * sizeof *value);
        if (value == NULL)
            return out_of_memory(err);
        size_t expected = 0;
        for (const gn_json *c = s->config[i]->first; c != NULL; c = c->next) {
            const size_t k = find_knob(m, c->key, expected);
            if (k < m->n_knobs)
                value[k] = c->text;
            expected = k + 1;
        }
        m->trial[i].value = value;
    }
    return GN_OK;
}

static int compare_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

static gn_status describe_knobs(gn_report_model *m, gn_error *err)
{
    const char **list = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *list);
    if (list == NULL)
        return out_of_memory(err);
    for (size_t k = 0; k < m->n_knobs; k++) {
        gn_report_knob *knob = &m->knob[k];
        size_t n = 0;
        double low = INFINITY, high = -INFINITY;
        knob->is_number = true;
        for (size_t i = 0; i < m->n_trials; i++)
            if (m->trial[i].value[k] != NULL)
                list[n++] = m->trial[i].value[k];
        qsort(list, n, sizeof *list, compare_text);
        for (size_t i = 0; i < n; i++) {
            double x;
            if (i > 0 && strcmp(list[i - 1], list[i]) == 0)
                continue;
            knob->n_values++;
            knob->is_number = knob->is_number && gn_parse_f64(list[i], &x);
            low = knob->is_number ? fmin(low, x) : low;
            high = knob->is_number ? fmax(high, x) : high;
        }
        knob->is_number = knob->is_number && n > 0;
        knob->is_log = knob->is_number && low > 0 && high >= LOG_RATIO * low;
        knob->is_varied = knob->n_values > 1 || (knob->n_values == 1 && n < m->n_trials);
    }
    return GN_OK;
}

/* The model, and what else varies. */
static gn_status name_trials(gn_report_model *m, gn_error *err)
{
    gn_text label;
    gn_text_init(&label);
    for (size_t i = 0; i < m->n_trials; i++) {
        gn_report_trial *t = &m->trial[i];
        char family[64];
        t->model = "?";
        for (size_t k = 0; k < m->n_knobs; k++)
            if (strcmp(m->knob[k].name, "model") == 0 && t->value[k] != NULL)
                t->model = t->value[k];
        label.len = 0;
        gn_text_add(&label, t->model);
        for (size_t k = 0; k < m->n_knobs; k++)
            if (m->knob[k].is_varied && t->value[k] != NULL && strcmp(m->knob[k].name, "model") != 0)
                gn_text_printf(&label, " %s=%s", m->knob[k].name, t->value[k]);
        gn_report_family(t->model, family, sizeof family);
        t->family = gn_arena_strdup(m->arena, family);
        t->label = label.failed ? NULL : gn_arena_strdup(m->arena, label.data);
        if (t->family == NULL || t->label == NULL) {
            gn_text_deinit(&label);
            return out_of_memory(err);
        }
    }
    gn_text_deinit(&label);
    return GN_OK;
}

static int compare_network(const void *id, const void *network)
{
    const int64_t a = *(const int64_t *)id, b = ((const gn_measurement *)network)->id;
    return (a > b) - (a < b);
}

/* Results and epochs are in the trials' order: one walk joins them. */
static void join_rows(gn_report_model *m, const source *s)
{
    size_t epoch = 0, result = 0;
    for (size_t i = 0; i < m->n_trials; i++) {
        gn_report_trial *t = &m->trial[i];
        t->row = &s->trial[i];
        t->score = t->low = t->high = t->latency_ms = NAN;
        if (m->n_networks > 0)
            t->network =
                bsearch(&t->row->measurement_id, m->network, m->n_networks, sizeof *m->network, compare_network);
        t->latency_ms = t->network != NULL ? t->network->total_p90_ms : NAN;
        while (epoch < s->n_epochs && s->epoch[epoch].trial < t->row->id)
            epoch++;
        t->epoch = &s->epoch[epoch];
        while (epoch + t->n_epochs < s->n_epochs && s->epoch[epoch + t->n_epochs].trial == t->row->id)
            t->n_epochs++;
        while (result < s->n_results && s->result[result].trial < t->row->id)
            result++;
        t->result = &s->result[result];
        for (; result < s->n_results && s->result[result].trial == t->row->id; result++) {
            t->n_results++;
            const gn_result *r = &s->result[result];
            if (strcmp(r->split, "val") != 0) {
                t->test = r;
                continue;
            }
            t->first = t->first != NULL ? t->first : r;
            t->val = r;
        }
        gn_report_metric(t->val, m->objective, &t->score, &t->low, &t->high);
    }
}

/* --- the whole -------------------------------------------------------------------------------------------------------- */

static void count_states(gn_report_model *m)
{
    for (size_t i = 0; i < m->n_trials; i++)
        switch (m->trial[i].row->state) {
        case GN_TRIAL_DONE:
            m->n_done++;
            break;
        case GN_TRIAL_FAILED:
            m->n_failed++;
            break;
        case GN_TRIAL_SCREENED:
            m->n_screened++;
            break;
        case GN_TRIAL_WAITING:
        case GN_TRIAL_RUNNING:
        case GN_TRIAL_STOPPED:
            m->n_open++;
            break;
        }
}

/* A comparison for qsort needs the direction of the objective with each trial: the utility stands in `order`. */
typedef struct order {
    gn_report_trial *trial;
    double utility;
} order;

static int compare_order(const void *a, const void *b)
{
    const order *x = a, *y = b;
    if (x->trial->is_winner != y->trial->is_winner)
        return x->trial->is_winner ? -1 : 1;
    const bool x_has = !isnan(x->utility), y_has = !isnan(y->utility);
    if (x_has != y_has)
        return x_has ? -1 : 1;
    if (x_has && x->utility != y->utility)
        return x->utility > y->utility ? -1 : 1;
    return (x->trial->row->id > y->trial->row->id) - (x->trial->row->id < y->trial->row->id);
}

static gn_status rank_trials(gn_report_model *m, gn_error *err)
{
    order *list = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *list);
    m->by_place = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *m->by_place);
    if (list == NULL || m->by_place == NULL)
        return out_of_memory(err);
    const char *winner = gn_report_fact(m, "winner");
    int64_t id = 0;
    if (winner != NULL && gn_parse_i64(winner, &id))
        m->winner = gn_report_trial_by_id(m, id);
    for (size_t i = 0; i < m->n_trials; i++) {
        m->trial[i].is_winner = m->winner == &m->trial[i];
        list[i] = (order){&m->trial[i], gn_report_utility(m, m->trial[i].score)};
    }
    qsort(list, m->n_trials, sizeof *list, compare_order);
    for (size_t i = 0; i < m->n_trials; i++) {
        m->by_place[i] = list[i].trial;
        list[i].trial->place = isnan(list[i].utility) ? 0 : i + 1;
    }
    m->leader = m->winner;
    if (m->leader == NULL && m->n_trials > 0 && m->by_place[0]->place == 1)
        m->leader = m->by_place[0];
    return GN_OK;
}

static bool is_same_network(const gn_report_trial *a, const gn_report_trial *b)
{
    if (a->network != NULL || b->network != NULL)
        return a->network == b->network;
    return strcmp(a->model, b->model) == 0;
}

static int compare_by_network(const void *a, const void *b)
{
    const gn_report_trial *x = *(const gn_report_trial *const *)a, *y = *(const gn_report_trial *const *)b;
    const int64_t i = x->network != NULL ? x->network->id : 0, k = y->network != NULL ? y->network->id : 0;
    const int by_model = i == 0 && k == 0 ? strcmp(x->model, y->model) : 0;
    if (i != k || by_model != 0)
        return i != k ? (i > k) - (i < k) : by_model;
    const bool x_has = x->place > 0, y_has = y->place > 0;
    if (x_has != y_has)
        return x_has ? -1 : 1;
    return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
                                : (x->row->id > y->row->id) - (x->row->id < y->row->id);
}

static int compare_places(const void *a, const void *b)
{
    const gn_report_trial *x = *(const gn_report_trial *const *)a, *y = *(const gn_report_trial *const *)b;
    const size_t i = x->place > 0 ? x->place : SIZE_MAX, k = y->place > 0 ? y->place : SIZE_MAX;
    return i != k ? (i > k) - (i < k) : (x->row->id > y->row->id) - (x->row->id < y->row->id);
}

size_t gn_report_best_of_networks(const gn_report_model *model, const gn_report_trial **best_out)
{
    size_t n = 0;
    for (size_t i = 0; i < model->n_trials; i++)
        best_out[i] = model->by_place[i];
    if (model->n_trials > 0)
        qsort(best_out, model->n_trials, sizeof *best_out, compare_by_network);
    for (size_t i = 0; i < model->n_trials; i++)
        if (i == 0 || !is_same_network(best_out[n - 1], best_out[i]))
            best_out[n++] = best_out[i];
    if (n > 0)
        qsort(best_out, n, sizeof *best_out, compare_places);
    return n;
}

static int compare_latency(const void *a, const void *b)
{
    const gn_report_trial *x = *(const gn_report_trial *const *)a, *y = *(const gn_report_trial *const *)b;
    if (x->latency_ms != y->latency_ms)
        return x->latency_ms < y->latency_ms ? -1 : 1;
    return compare_places(a, b);
}

/* The best of every latency, slowest left out as soon as something faster is as good. */
static gn_status find_front(gn_report_model *m, gn_error *err)
{
    const gn_report_trial **list = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *list);
    double *cost = gn_arena_alloc(m->arena, (m->n_trials + 1) * 2 * sizeof *cost), best = -INFINITY;
    size_t n = 0;
    if (list == NULL || cost == NULL)
        return out_of_memory(err);
    m->front = list;
    m->hypervolume_ms = m->budget_ms;
    for (size_t i = 0; i < m->n_trials; i++) {
        const gn_report_trial *t = &m->trial[i];
        if (isnan(t->score) || isnan(t->latency_ms))
            continue;
        list[n++] = t;
        if (isnan(m->budget_ms))
            m->hypervolume_ms = fmax(m->hypervolume_ms, t->latency_ms);
    }
    if (n > 0)
        qsort(list, n, sizeof *list, compare_latency);
    double *gain = cost + m->n_trials + 1;
    for (size_t i = 0; i < n; i++) {
        const double utility = gn_report_utility(m, list[i]->score);
        if (utility <= best)
            continue;
        best = utility;
        m->trial[list[i] - m->trial].is_front = true;
        cost[m->n_front] = list[i]->latency_ms;
        gain[m->n_front] = utility;
        list[m->n_front++] = list[i];
    }
    /* Figures of accuracy begin at 0; a loss has no natural end, so that its volume means nothing. */
    m->hypervolume =
        m->n_front > 0 && !m->is_minimised ? gn_report_hypervolume(cost, gain, m->n_front, m->hypervolume_ms, 0) : NAN;
    return GN_OK;
}

/* Trials and networks with a result after each stage. */
static gn_status count_stages(gn_report_model *m, const source *s, gn_error *err)
{
    int last = 0;
    for (size_t i = 0; i < s->n_results; i++)
        last = s->result[i].stage > last ? s->result[i].stage : last;
    m->stage = gn_arena_alloc(m->arena, ((size_t)last + 1) * sizeof *m->stage);
    int64_t *seen = gn_arena_alloc(m->arena, (m->n_networks + 1) * sizeof *seen);
    if (m->stage == NULL || seen == NULL)
        return out_of_memory(err);
    for (int number = 1; number <= last; number++) {
        gn_report_stage stage = {.stage = number, .best_score = NAN};
        for (size_t i = 0; i < s->n_results; i++) {
            const gn_result *r = &s->result[i];
            const gn_report_trial *t =
                r->stage == number && strcmp(r->split, "val") == 0 ? gn_report_trial_by_id(m, r->trial) : NULL;
            if (t == NULL)
                continue;
            const double score = gn_result_metric(r, m->objective);
            stage.n_trials++;
            stage.epochs = r->epochs > stage.epochs ? r->epochs : stage.epochs;
            if (t->network != NULL && seen[t->network - m->network] != number) {
                seen[t->network - m->network] = number;
                stage.n_networks++;
            }
            if (isnan(stage.best_score) || gn_report_utility(m, score) > gn_report_utility(m, stage.best_score)) {
                stage.best = t;
                stage.best_score = score;
            }
        }
        if (stage.n_trials > 0)
            m->stage[m->n_stages++] = stage;
    }
    return GN_OK;
}

static gn_status read_settings(gn_report_model *m, gn_study *study, gn_error *err)
{
    gn_study_fact *fact = NULL;
    gn_study_command *command = NULL;
    gn_measurement *network = NULL;
    m->path = gn_arena_strdup(m->arena, gn_study_path(study));
    if (m->path == NULL)
        return out_of_memory(err);
    GN_TRY(gn_study_facts(study, m->arena, &fact, &m->n_facts, err));
    GN_TRY(gn_study_commands(study, m->arena, &command, &m->n_commands, err));
    GN_TRY(gn_study_measurements(study, m->arena, &network, &m->n_networks, err));
    m->fact = fact;
    m->command = command;
    m->network = network;
    m->objective = gn_report_fact(m, "objective");
    m->objective = m->objective != NULL ? m->objective : "mean_iou";
    m->is_minimised = strcmp(m->objective, "loss") == 0;
    const char *budget = gn_report_fact(m, "budget_ms");
    if (budget == NULL || !gn_parse_f64(budget, &m->budget_ms) || !(m->budget_ms > 0))
        m->budget_ms = NAN;
    return GN_OK;
}

static gn_status read_documents(gn_report_model *m, gn_study *study, gn_error *err)
{
    gn_document *list = NULL;
    GN_TRY(gn_study_documents(study, 0, m->arena, &list, &m->n_documents, err));
    m->document = gn_arena_alloc(m->arena, (m->n_documents + 1) * sizeof *m->document);
    if (m->document == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < m->n_documents; i++) {
        gn_report_document *d = &m->document[i];
        d->trial = list[i].trial;
        d->name = list[i].name;
        GN_TRY(gn_study_document(study, d->trial, d->name, m->arena, &d->text, err));
        d->text = d->text != NULL ? d->text : "null";
    }
    return GN_OK;
}

static gn_status fill(gn_report_model *m, gn_study *study, gn_error *err)
{
    source s = {0};
    GN_TRY(read_settings(m, study, err));
    GN_TRY(read_documents(m, study, err));
    GN_TRY(gn_study_trials(study, m->arena, &s.trial, &m->n_trials, err));
    GN_TRY(gn_study_epochs(study, m->arena, &s.epoch, &s.n_epochs, err));
    GN_TRY(gn_study_results(study, m->arena, &s.result, &s.n_results, err));
    m->trial = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *m->trial);
    if (m->trial == NULL)
        return out_of_memory(err);
    join_rows(m, &s);
    GN_TRY(parse_configs(m, &s, err));
    GN_TRY(list_knobs(m, &s, err));
    GN_TRY(fill_values(m, &s, err));
    GN_TRY(describe_knobs(m, err));
    GN_TRY(name_trials(m, err));
    count_states(m);
    GN_TRY(rank_trials(m, err));
    GN_TRY(find_front(m, err));
    return count_stages(m, &s, err);
}

gn_status gn_report_model_load(gn_study *study, gn_report_model **model_out, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    gn_report_model *m = arena != NULL ? gn_arena_alloc(arena, sizeof *m) : NULL;
    if (m == NULL) {
        gn_arena_destroy(&arena);
        return out_of_memory(err);
    }
    m->arena = arena;
    const gn_status status = fill(m, study, err);
    if (status != GN_OK)
        gn_arena_destroy(&arena);
    else
        *model_out = m;
    return status;
}

void gn_report_model_destroy(gn_report_model **model)
{
    if (*model == NULL)
        return;
    gn_arena *arena = (*model)->arena;
    *model = NULL;
    gn_arena_destroy(&arena);
}
