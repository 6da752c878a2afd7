/* The trials of a search in memory: read from the study, completed by the grid or by what the sampler proposes.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "search/search_internal.h"

/* How often a sampler may propose what the study holds already before the space counts as exhausted. */
#define MAX_REPEATS 100
/* Of the trials asked for, one of so many at most is drawn before the sampler learns from what it has seen. */
#define STARTUP_SHARE 3

static gn_status out_of_memory(gn_error *err)
{
    return gn_fail(err, GN_ENOMEM, "searching: out of memory");
}

/* --- networks -------------------------------------------------------------------------------------------------------- */

static bool same_network(const gn_network *a, const gn_space_network *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->head, b->head) == 0 && a->imgsz == b->imgsz &&
           strcmp(a->variant, b->variant) == 0;
}

/* The network of a config, added when the space has none like it (a trial of an earlier space). */
static gn_status find_network(search *s, const char *config, const network_fact **out, gn_error *err)
{
    gn_space_network network;
    GN_TRY(gn_config_network(config, s->arena, &network, err));
    for (size_t i = 0; i < s->n_networks; i++)
        if (same_network(&s->networks[i].network, &network)) {
            *out = &s->networks[i];
            return GN_OK;
        }
    return gn_fail(err, GN_EINVAL, "the study holds a trial of another space: %s", config);
}

static gn_status list_networks(search *s, gn_error *err)
{
    gn_space_network *list = NULL;
    GN_TRY(gn_space_networks(s->options->space, s->arena, &list, &s->n_networks, err));
    s->networks = gn_arena_alloc(s->arena, (s->n_networks + 1) * sizeof *s->networks);
    if (s->networks == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < s->n_networks; i++)
        s->networks[i] =
            (network_fact){.network = {list[i].config, list[i].model, list[i].head, list[i].variant, list[i].imgsz},
                           .total_p90_ms = NAN,
                           .macs = 1,
                           .verdict = GN_TRIAL_WAITING,
                           .reason = ""};
    return GN_OK;
}

/* --- one trial ------------------------------------------------------------------------------------------------------- */

/* What varies in this search, in a few words: "resnet18 lr0=0.01". */
static const char *make_label(const search *s, const gn_json *config)
{
    const char *label = NULL;
    gn_text text;
    gn_text_init(&text);
    for (const gn_json *m = config->first; m != NULL; m = m->next) {
        const bool is_model = strcmp(m->key, "model") == 0;
        if (is_model)
            gn_text_printf(&text, "%s", m->text);
        else if (gn_space_varies(s->options->space, m->key))
            gn_text_printf(&text, "%s%s=%s", text.len > 0 ? " " : "", m->key, m->text);
    }
    if (!text.failed && text.data != NULL)
        label = gn_arena_strdup(s->arena, text.data);
    gn_text_deinit(&text);
    return label;
}

/* A checkpoint is this study's when its mark says so; one without a mark is taken where only one study writes there. */
static bool is_own_folder(const search *s, const char *folder, int64_t trial)
{
    char path[1100], expected[64];
    char *data = NULL;
    size_t bytes = 0;
    if (!gn_path_is_dir(folder))
        return false;
    snprintf(path, sizeof path, "%s/trial.id", folder);
    if (gn_file_read(path, 256, &data, &bytes, NULL) != GN_OK)
        return !s->is_shared;
    const int n = snprintf(expected, sizeof expected, "%s %" PRId64 "\n", s->study_id, trial);
    const bool is_own = bytes == (size_t)n && memcmp(data, expected, bytes) == 0;
    gn_free(data);
    return is_own;
}

bool gn_search_is_here(const search *s, const candidate *c)
{
    return is_own_folder(s, c->folder, c->row.id);
}

gn_status gn_search_mark_folder(const search *s, const candidate *c, gn_error *err)
{
    char path[1100], text[64];
    GN_TRY(gn_make_dirs(c->folder, err));
    GN_TRY(gn_path_join(c->folder, "trial.id", path, sizeof path));
    const int n = snprintf(text, sizeof text, "%s %" PRId64 "\n", s->study_id, c->row.id);
    return gn_file_write(path, text, (size_t)n, err);
}

/* A trial goes on where its checkpoint lies, even when the search's folder is another one now. */
static gn_status choose_folder(search *s, candidate *c, gn_error *err)
{
    if (c->row.folder[0] != '\0' && is_own_folder(s, c->row.folder, c->row.id)) {
        c->folder = gn_arena_strdup(s->arena, c->row.folder);
        return c->folder != NULL ? GN_OK : out_of_memory(err);
    }
    c->folder = gn_arena_printf(s->arena, "%s/trials/trial-%04" PRId64, s->options->out_folder, c->row.id);
    return c->folder != NULL ? GN_OK : out_of_memory(err);
}

/* Takes the row over; its strings are copied. */
static gn_status copy_row(search *s, candidate *c, const gn_trial *row, gn_error *err)
{
    const gn_trial before = c->row;
    c->row = *row;
    const struct {
        const char **now;
        const char *was;
    } texts[] = {{&c->row.config, before.config},
                 {&c->row.reason, before.reason},
                 {&c->row.folder, before.folder},
                 {&c->row.origin, before.origin},
                 {&c->row.worker, before.worker}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const bool is_same = texts[i].was != NULL && strcmp(texts[i].was, *texts[i].now) == 0;
        *texts[i].now = is_same ? texts[i].was : gn_arena_strdup(s->arena, *texts[i].now);
        if (*texts[i].now == NULL)
            return out_of_memory(err);
    }
    return GN_OK;
}

static gn_status fill_candidate(search *s, candidate *c, gn_error *err)
{
    const gn_json *config = NULL;
    const char *seed = NULL;
    double number = 0;
    c->best_seen = NAN;
    for (int k = 0; k < GN_STOPPING_MAX_RUNGS; k++)
        c->score[k] = NAN;
    GN_TRY(find_network(s, c->row.config, &c->network, err));
    GN_TRY(gn_json_parse(c->row.config, strlen(c->row.config), s->arena, &config, err));
    if (gn_json_string(config, "seed", &seed) && gn_parse_f64(seed, &number))
        c->row.seed = (int64_t)number;
    c->label = make_label(s, config);
    if (c->label == NULL)
        return out_of_memory(err);
    if (s->params != NULL && gn_space_point(s->options->space, c->row.config, s->arena, &c->point, err) != GN_OK)
        c->point = NULL;
    return choose_folder(s, c, err);
}

static candidate *find_candidate(const search *s, int64_t trial)
{
    size_t low = 0, high = s->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (s->list[middle]->row.id < trial)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n && s->list[low]->row.id == trial ? s->list[low] : NULL;
}

/* Rows come by rising id, so that the list stays sorted. */
static gn_status append_candidate(search *s, const gn_trial *row, candidate **out, gn_error *err)
{
    if (s->n == s->capacity) {
        const size_t capacity = s->capacity > 0 ? 2 * s->capacity : 64;
        candidate **list = gn_realloc(s->list, capacity * sizeof *list);
        if (list == NULL)
            return out_of_memory(err);
        s->list = list;
        s->capacity = capacity;
    }
    candidate *c = gn_arena_alloc(s->arena, sizeof *c);
    if (c == NULL)
        return out_of_memory(err);
    *c = (candidate){.row = *row};
    c->row = (gn_trial){0};
    GN_TRY(copy_row(s, c, row, err));
    GN_TRY(fill_candidate(s, c, err));
    GN_ASSERT(s->n == 0 || s->list[s->n - 1]->row.id < row->id);
    s->list[s->n++] = c;
    *out = c;
    return GN_OK;
}

/* --- all trials ------------------------------------------------------------------------------------------------------ */

static gn_status read_rows(search *s, gn_arena *arena, gn_error *err)
{
    gn_trial *row = NULL;
    size_t n = 0;
    GN_TRY(gn_study_trials(s->study, arena, &row, &n, err));
    for (size_t i = 0; i < n; i++) {
        candidate *c = find_candidate(s, row[i].id);
        const int64_t seed = c != NULL ? c->row.seed : 0;
        if (c == NULL) {
            GN_TRY(append_candidate(s, &row[i], &c, err));
            continue;
        }
        GN_TRY(copy_row(s, c, &row[i], err));
        c->row.seed = seed;
    }
    return GN_OK;
}

/* Scores of rungs that are finished. */
static gn_status read_results(search *s, gn_arena *arena, gn_error *err)
{
    gn_result *result = NULL;
    size_t n = 0;
    GN_TRY(gn_study_results(s->study, arena, &result, &n, err));
    for (size_t i = 0; i < n; i++) {
        candidate *c = find_candidate(s, result[i].trial);
        if (c == NULL || strcmp(result[i].split, "val") != 0 || result[i].stage < 1 ||
            result[i].stage > GN_STOPPING_MAX_RUNGS)
            continue;
        c->score[result[i].stage - 1] = gn_search_score(s, gn_result_metric(&result[i], s->options->objective));
        if (result[i].epochs > c->epochs_seen)
            c->epochs_seen = result[i].epochs;
    }
    return GN_OK;
}

static gn_status read_study(search *s, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return out_of_memory(err);
    gn_status status = read_rows(s, arena, err);
    if (status == GN_OK)
        status = read_results(s, arena, err);
    gn_arena_destroy(&arena);
    return status;
}

/* Epochs that earlier runs trained. */
static gn_status recall_epochs(search *s, gn_error *err)
{
    gn_epoch *epoch = NULL;
    size_t n = 0;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return out_of_memory(err);
    const gn_status status = gn_study_epochs(s->study, arena, &epoch, &n, err);
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        candidate *c = find_candidate(s, epoch[i].trial);
        if (c != NULL)
            gn_search_see_epoch(s, c, &epoch[i]);
    }
    gn_arena_destroy(&arena);
    return status;
}

static gn_status add_grid(search *s, gn_error *err)
{
    const char **configs = NULL;
    size_t n = 0;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return out_of_memory(err);
    gn_status status = gn_space_expand(s->options->space, arena, &configs, &n, err);
    if (status == GN_OK)
        status = gn_study_begin(s->study, err);
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        int64_t id = 0;
        status = gn_study_add_trial(
            s->study, &(gn_trial){.config = configs[i], .seed = s->options->seed, .origin = "grid"}, &id, err);
        if (status != GN_OK)
            gn_study_rollback(s->study);
    }
    if (status == GN_OK)
        status = gn_study_commit(s->study, err);
    gn_arena_destroy(&arena);
    return status;
}

/* Failed trials stay failed unless they are to be retried. */
static gn_status retry_failed(search *s, gn_error *err)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i]->row.state == GN_TRIAL_FAILED && s->options->is_retrying_failed)
            GN_TRY(gn_search_set_state(s, s->list[i], GN_TRIAL_WAITING, "", err));
    return GN_OK;
}

gn_status gn_search_list(search *s, gn_error *err)
{
    int64_t n_lost = 0;
    GN_TRY(list_networks(s, err));
    if (s->options->sampler != GN_SAMPLER_GRID)
        GN_TRY(gn_space_params(s->options->space, s->arena, &s->params, &s->n_params, err));
    /* Whoever opened a file for writing is alone: workers that are marked as running are dead. */
    if (!s->is_shared)
        GN_TRY(gn_study_expire_all(s->study, &n_lost, err));
    if (s->options->sampler == GN_SAMPLER_GRID && !s->options->is_worker)
        GN_TRY(add_grid(s, err));
    GN_TRY(read_study(s, err));
    GN_TRY(retry_failed(s, err));
    return recall_epochs(s, err);
}

gn_status gn_search_refresh(search *s, gn_error *err)
{
    int64_t n_lost = 0;
    if (!s->is_shared)
        return GN_OK;
    GN_TRY(gn_study_expire(s->study, &n_lost, err));
    if (n_lost > 0)
        gn_search_say(s, "%" PRId64 " trial%s of silent workers will be trained again", n_lost, n_lost == 1 ? "" : "s");
    return read_study(s, err);
}

/* --- standings ------------------------------------------------------------------------------------------------------- */

bool gn_search_has_begun(const candidate *c)
{
    const gn_trial_state state = c->row.state;
    return c->row.attempts > 0 || c->row.stage > 0 || state == GN_TRIAL_RUNNING || state == GN_TRIAL_STOPPED;
}

static gn_standing standing_of(const search *s, const candidate *c)
{
    const bool is_way =
        c->row.state == GN_TRIAL_WAITING || c->row.state == GN_TRIAL_STOPPED || c->row.state == GN_TRIAL_RUNNING;
    const int n_rungs = c->row.stage > c->row.bracket ? c->row.stage : c->row.bracket;
    return (gn_standing){.trial = c->row.id,
                         .network = c->network - s->networks,
                         .bracket = c->row.bracket,
                         .n_rungs = n_rungs,
                         .aim = is_way ? n_rungs + 1 : n_rungs,
                         .is_running = c->row.state == GN_TRIAL_RUNNING,
                         .is_out = c->row.state == GN_TRIAL_FAILED || c->row.state == GN_TRIAL_SCREENED,
                         .score = c->score,
                         .cost = c->network->total_p90_ms};
}

gn_status gn_search_standings(const search *s, gn_arena *arena, gn_standing **list_out, size_t **index_out,
                              size_t *n_out, gn_error *err)
{
    gn_standing *list = gn_arena_alloc(arena, (s->n + 1) * sizeof *list);
    size_t *index = gn_arena_alloc(arena, (s->n + 1) * sizeof *index);
    size_t n = 0;
    if (list == NULL || index == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < s->n; i++)
        if (gn_search_has_begun(s->list[i])) {
            index[n] = i;
            list[n++] = standing_of(s, s->list[i]);
        }
    *list_out = list;
    *index_out = index;
    *n_out = n;
    return GN_OK;
}

/* --- proposals ------------------------------------------------------------------------------------------------------- */

typedef struct feasibility {
    search *search;
    gn_arena *arena;
} feasibility;

static bool is_feasible(void *ctx, const double *point)
{
    const feasibility *f = ctx;
    const char *config = NULL;
    const network_fact *network = NULL;
    return gn_space_config(f->search->options->space, point, f->arena, &config, NULL) == GN_OK &&
           find_network(f->search, config, &network, NULL) == GN_OK && network->verdict == GN_TRIAL_WAITING;
}

/* What the sampler has seen: every trial with its last score (and the latency, when both count). */
static gn_observation *make_history(search *s, gn_arena *arena, size_t *n_out)
{
    gn_observation *history = gn_arena_alloc(arena, (s->n + 1) * sizeof *history);
    size_t n = 0;
    for (size_t i = 0; i < s->n && history != NULL; i++) {
        candidate *c = s->list[i];
        if (c->point == NULL || c->row.state == GN_TRIAL_SCREENED)
            continue;
        const int rungs = c->row.stage;
        const bool is_failed = c->row.state == GN_TRIAL_FAILED;
        c->value[0] = is_failed || rungs == 0 ? NAN : -c->score[rungs - 1];
        c->value[1] = c->network->total_p90_ms;
        history[n++] = (gn_observation){c->point, is_failed || rungs > 0 ? c->value : NULL, rungs};
    }
    *n_out = n;
    return history;
}

static gn_status add_proposal(search *s, const char *config, int bracket, candidate **out, gn_error *err)
{
    const size_t n_before = s->n;
    int64_t id = 0;
    gn_trial row = {
        .config = config, .seed = s->options->seed, .bracket = bracket, .origin = gn_sampler_name(s->options->sampler)};
    GN_TRY(gn_study_add_trial(s->study, &row, &id, err));
    GN_TRY(gn_study_trial(s->study, id, s->arena, &row, err));
    *out = NULL;
    if (find_candidate(s, id) != NULL)
        return GN_OK; /* known already: rounding made two points one config */
    GN_TRY(append_candidate(s, &row, out, err));
    GN_ASSERT(s->n == n_before + 1);
    (*out)->row.measurement_id = (*out)->network->measurement;
    return gn_study_set_trial_measurement(s->study, id, (*out)->row.measurement_id, err);
}

static gn_status propose_point(search *s, gn_arena *arena, int bracket, uint64_t number, candidate **out, gn_error *err)
{
    const gn_search_options *o = s->options;
    gn_sampler sampler = gn_sampler_default(o->sampler, (uint64_t)o->seed);
    feasibility f = {s, arena};
    const char *config = NULL;
    size_t n = 0;
    /* A short search must not spend all its trials on finding out where to begin. */
    if (o->n_trials > 0 && sampler.n_startup > o->n_trials / STARTUP_SHARE)
        sampler.n_startup = (int)(o->n_trials / STARTUP_SHARE);
    sampler.is_feasible = is_feasible;
    sampler.ctx = &f;
    double *point = gn_arena_alloc(arena, (s->n_params + 1) * sizeof *point);
    const gn_observation *history = make_history(s, arena, &n);
    if (point == NULL || history == NULL)
        return out_of_memory(err);
    const int n_objectives = o->stopping.is_pareto ? 2 : 1;
    GN_TRY(gn_sampler_propose(&sampler, s->params, s->n_params, n_objectives, history, n, number, point, err));
    GN_TRY(gn_space_config(o->space, point, s->arena, &config, err));
    return add_proposal(s, config, bracket, out, err);
}

static gn_status propose(search *s, int bracket, candidate **out, gn_error *err)
{
    gn_error why = {0};
    gn_status status = GN_OK;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return out_of_memory(err);
    for (uint64_t i = 0; i < MAX_REPEATS && *out == NULL && status == GN_OK; i++)
        status = propose_point(s, arena, bracket, s->n + i, out, &why);
    gn_arena_destroy(&arena);
    if (status == GN_ENOENT || (status == GN_OK && *out == NULL)) {
        s->is_exhausted = true;
        return GN_OK;
    }
    if (status != GN_OK && err != NULL)
        *err = why;
    return status;
}

gn_status gn_search_propose(search *s, int bracket, candidate **out, gn_error *err)
{
    *out = NULL;
    for (size_t i = 0; i < s->n && *out == NULL; i++)
        if (s->list[i]->row.state == GN_TRIAL_WAITING && !gn_search_has_begun(s->list[i]))
            *out = s->list[i];
    if (*out != NULL || s->params == NULL) {
        s->is_exhausted = *out == NULL;
        return GN_OK;
    }
    return propose(s, bracket, out, err);
}
