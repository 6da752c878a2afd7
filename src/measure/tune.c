/* The method of choosing kernels: in round r every layer runs the r-th of its kernels; the finalists run again in turns.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/rng.h"

enum { KERNELS_MAX = 64, RUNS_MIN = 3, RUNS_MAX = 20, FINALISTS = 3, FINAL_TURNS = 2 };
#define GAIN_WANTED     0.02
#define SECONDS_DEFAULT 20.0

/* One kernel of a kind of layer. */
typedef struct kernel {
    char name[GN_KERNEL_NAME_BYTES];
    double ms; /* sum over the layers of the kind, of lower quartiles; the least of all rounds */
    double final_ms;
} kernel;

/* Layers of one shape. */
typedef struct kind {
    int first; /* step */
    int n_kernels, n_finalists;
    kernel kernels[KERNELS_MAX];
    int finalists[FINALISTS]; /* the model's kernel is the first */
    int current, chosen;
} kind;

typedef struct tuner {
    gn_session *session;
    float *input;
    int steps, batch, n_kinds, runs;
    int *kind_of; /* per step; -1: no choice */
    kind *kinds;
    int64_t *ns;      /* [RUNS_MAX][steps] */
    double *step_ms;  /* lower quartiles of the last round */
    int64_t begin_ns; /* of the whole */
    int rounds, rounds_done;
    gn_error *err;
} tuner;

float *gn_made_up_input(const gn_session *session, int batch)
{
    const gn_shape shape = gn_session_input_shape(session);
    const size_t count = (size_t)gn_shape_count(&shape) * (size_t)batch;
    float *input = gn_alloc(count * sizeof *input);
    gn_rng rng;
    gn_rng_init(&rng, 1, 0);
    for (size_t i = 0; input && i < count; i++)
        input[i] = gn_rng_range(&rng, -2.0f, 2.0f);
    return input;
}

/* ---- kinds ---- */

static bool is_alike(const gn_step_info *a, const gn_step_info *b)
{
    return strcmp(a->op, b->op) == 0 && strcmp(a->shape, b->shape) == 0 && a->weight_bytes == b->weight_bytes &&
           a->data_bytes == b->data_bytes;
}

/* Same shape and the same list of kernels. */
static int find_kind(const tuner *t, const gn_step_info *info, const gn_step_kernel *list, int n)
{
    for (int k = 0; k < t->n_kinds; k++) {
        const kind *one = &t->kinds[k];
        gn_step_info other;
        gn_session_step(t->session, one->first, &other);
        bool same = one->n_kernels == n && is_alike(info, &other);
        for (int i = 0; i < n && same; i++)
            same = strcmp(one->kernels[i].name, list[i].name) == 0;
        if (same)
            return k;
    }
    return -1;
}

static void find_kinds(tuner *t, gn_tuning *tuning)
{
    for (int i = 0; i < t->steps; i++) {
        gn_step_kernel list[KERNELS_MAX];
        gn_step_info info;
        const int n = gn_session_step_choices(t->session, i, list, KERNELS_MAX);
        t->kind_of[i] = -1;
        tuning->layers += n > 0;
        if (n < 2)
            continue;
        gn_session_step(t->session, i, &info);
        int k = find_kind(t, &info, list, n);
        if (k < 0) {
            k = t->n_kinds++;
            kind *one = &t->kinds[k];
            one->first = i;
            one->n_kernels = n;
            one->current = -1;
            for (int j = 0; j < n; j++) {
                memcpy(one->kernels[j].name, list[j].name, sizeof list[j].name);
                one->kernels[j].ms = one->kernels[j].final_ms = INFINITY;
            }
            tuning->kernels += n;
        }
        t->kind_of[i] = k;
    }
    tuning->distinct = t->n_kinds;
}

/* ---- rounds ---- */

static gn_status use(tuner *t, kind *one, int kernel_index)
{
    const int k = (int)(one - t->kinds);
    if (one->current == kernel_index)
        return GN_OK;
    for (int i = 0; i < t->steps; i++)
        if (t->kind_of[i] == k)
            GN_TRY(gn_session_choose(t->session, i, one->kernels[kernel_index].name, t->err));
    one->current = kernel_index;
    return GN_OK;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What other work on the machine adds to a time is never negative: the lower quartile of the runs counts. */
static gn_status run_round(tuner *t)
{
    gn_progress_tell(&(gn_progress){.what = "tuning",
                                    .done = t->rounds_done++,
                                    .total = t->rounds,
                                    .unit = "rounds",
                                    .seconds = (double)(gn_now_ns() - t->begin_ns) * 1e-9,
                                    .note = ""});
    GN_TRY(gn_session_run_timed(t->session, t->ns, t->err)); /* brings weights and code near */
    for (int run = 0; run < t->runs; run++) {
        if (gn_stop_requested())
            return gn_fail(t->err, GN_ECANCELED, "interrupted while tuning");
        GN_TRY(gn_session_run_timed(t->session, t->ns + (size_t)run * (size_t)t->steps, t->err));
    }
    for (int i = 0; i < t->steps; i++) {
        double ms[RUNS_MAX];
        for (int run = 0; run < t->runs; run++)
            ms[run] = (double)t->ns[(size_t)run * (size_t)t->steps + (size_t)i] * 1e-6;
        qsort(ms, (size_t)t->runs, sizeof *ms, by_size);
        t->step_ms[i] = ms[t->runs / 4];
    }
    return GN_OK;
}

/* Sum of the last round's times over the layers of a kind; k -1: of all layers. */
static double sum_of(const tuner *t, int k)
{
    double sum = 0;
    for (int i = 0; i < t->steps; i++)
        if (k < 0 || t->kind_of[i] == k)
            sum += t->step_ms[i];
    return sum;
}

static gn_status measure_all(tuner *t)
{
    int rounds = 0;
    for (int k = 0; k < t->n_kinds; k++)
        rounds = t->kinds[k].n_kernels > rounds ? t->kinds[k].n_kernels : rounds;
    t->rounds = rounds + FINAL_TURNS * FINALISTS + 2;
    for (int r = 0; r < rounds; r++) {
        for (int k = 0; k < t->n_kinds; k++)
            GN_TRY(use(t, &t->kinds[k], r % t->kinds[k].n_kernels));
        GN_TRY(run_round(t));
        for (int k = 0; k < t->n_kinds; k++) {
            kernel *now = &t->kinds[k].kernels[t->kinds[k].current];
            now->ms = fmin(now->ms, sum_of(t, k));
        }
    }
    return GN_OK;
}

/* The model's kernel, and the fastest others. */
static void pick_finalists(kind *one)
{
    bool taken[KERNELS_MAX] = {true};
    one->n_finalists = 1;
    one->finalists[0] = 0;
    while (one->n_finalists < FINALISTS && one->n_finalists < one->n_kernels) {
        int best = -1;
        for (int i = 0; i < one->n_kernels; i++)
            if (!taken[i] && (best < 0 || one->kernels[i].ms < one->kernels[best].ms))
                best = i;
        taken[best] = true;
        one->finalists[one->n_finalists++] = best;
    }
}

static gn_status measure_finalists(tuner *t)
{
    for (int k = 0; k < t->n_kinds; k++)
        pick_finalists(&t->kinds[k]);
    for (int r = 0; r < FINAL_TURNS * FINALISTS; r++) {
        for (int k = 0; k < t->n_kinds; k++)
            GN_TRY(use(t, &t->kinds[k], t->kinds[k].finalists[r % t->kinds[k].n_finalists]));
        GN_TRY(run_round(t));
        for (int k = 0; k < t->n_kinds; k++) {
            kernel *now = &t->kinds[k].kernels[t->kinds[k].current];
            now->final_ms = fmin(now->final_ms, sum_of(t, k));
        }
    }
    for (int k = 0; k < t->n_kinds; k++) {
        kind *one = &t->kinds[k];
        int best = 0;
        for (int i = 1; i < one->n_finalists; i++)
            if (one->kernels[one->finalists[i]].final_ms < one->kernels[best].final_ms)
                best = one->finalists[i];
        one->chosen = one->kernels[best].final_ms < (1 - GAIN_WANTED) * one->kernels[0].final_ms ? best : 0;
    }
    return GN_OK;
}

static gn_status use_all(tuner *t, bool chosen)
{
    for (int k = 0; k < t->n_kinds; k++)
        GN_TRY(use(t, &t->kinds[k], chosen ? t->kinds[k].chosen : 0));
    return GN_OK;
}

/* The whole network by the model's kernels and by the chosen ones: it must be worth it. */
static gn_status judge(tuner *t, gn_tuning *tuning)
{
    GN_TRY(use_all(t, false));
    GN_TRY(run_round(t));
    tuning->model_ms = sum_of(t, -1);
    GN_TRY(use_all(t, true));
    GN_TRY(run_round(t));
    tuning->tuned_ms = sum_of(t, -1);
    tuning->best_ms = tuning->model_ms;
    for (int k = 0; k < t->n_kinds; k++) {
        const kind *one = &t->kinds[k];
        double best = one->kernels[0].final_ms;
        for (int i = 1; i < one->n_finalists; i++)
            best = fmin(best, one->kernels[one->finalists[i]].final_ms);
        tuning->best_ms -= one->kernels[0].final_ms - best;
        tuning->changed += one->chosen != 0;
    }
    if (tuning->changed > 0 && tuning->tuned_ms < tuning->model_ms)
        return GN_OK;
    tuning->changed = 0;
    tuning->tuned_ms = tuning->model_ms;
    return use_all(t, false);
}

/* Rounds are short where many are wanted in the given time. */
static gn_status set_runs(tuner *t, double seconds)
{
    t->runs = RUNS_MIN;
    const int64_t begin = gn_now_ns();
    GN_TRY(run_round(t));
    const double one = (double)(gn_now_ns() - begin) * 1e-9 / (RUNS_MIN + 1);
    const double fit =
        (seconds > 0 ? seconds : SECONDS_DEFAULT) / ((KERNELS_MAX + FINAL_TURNS * FINALISTS + 2) * one) - 1;
    t->runs = fit > RUNS_MAX ? RUNS_MAX : fit < RUNS_MIN ? RUNS_MIN : (int)fit;
    t->rounds_done = 0;
    return GN_OK;
}

static gn_status setup(tuner *t)
{
    const gn_graph *graph = NULL;
    const gn_plan *plan = gn_session_plan(t->session, &graph);
    if (!plan)
        return gn_fail(t->err, GN_EINVAL, "tuning a model that was not prepared");
    t->begin_ns = gn_now_ns();
    t->steps = plan->n_steps;
    t->batch = (int)gn_graph_value(graph, gn_graph_input(graph, 0))->shape.dim[0];
    t->input = gn_made_up_input(t->session, t->batch);
    t->kind_of = gn_calloc((size_t)t->steps + 1, sizeof *t->kind_of);
    t->kinds = gn_calloc((size_t)t->steps + 1, sizeof *t->kinds);
    t->ns = gn_calloc((size_t)t->steps * RUNS_MAX + 1, sizeof *t->ns);
    t->step_ms = gn_calloc((size_t)t->steps + 1, sizeof *t->step_ms);
    if (!t->input || !t->kind_of || !t->kinds || !t->ns || !t->step_ms)
        return gn_fail(t->err, GN_ENOMEM, "no memory to tune");
    return gn_session_run(t->session, t->input, t->batch, t->err);
}

gn_status gn_tune(gn_session *session, double seconds, gn_tuning *tuning_out, gn_error *err)
{
    tuner t = {.session = session, .err = err};
    gn_tuning tuning = {0};
    gn_status status = setup(&t);
    if (status == GN_OK) {
        find_kinds(&t, &tuning);
        status = use_all(&t, false);
    }
    if (status == GN_OK)
        status = set_runs(&t, seconds);
    if (status == GN_OK)
        status = measure_all(&t);
    if (status == GN_OK)
        status = measure_finalists(&t);
    if (status == GN_OK)
        status = judge(&t, &tuning);
    if (status == GN_OK)
        *tuning_out = tuning;
    else if (t.n_kinds > 0) {
        t.err = NULL;
        (void)use_all(&t, false);
    }
    gn_free(t.input);
    gn_free(t.kind_of);
    gn_free(t.kinds);
    gn_free(t.ns);
    gn_free(t.step_ms);
    return status;
}

/* ---- the cache ---- */

static bool use_cache(gn_session *session, const char *path, char *note, size_t note_bytes)
{
    gn_kernel_plan *plan = NULL;
    gn_error err = {0};
    gn_status status = gn_kernel_plan_read(path, &plan, &err);
    if (status == GN_OK && !gn_kernel_plan_is_for(plan, session))
        status = gn_fail(&err, GN_EINVAL, "it belongs to another machine or model");
    if (status == GN_OK)
        status = gn_kernel_plan_apply(plan, session, &err);
    if (status != GN_OK && status != GN_ENOENT)
        snprintf(note, note_bytes, "%s is ignored: %s", path, err.message);
    gn_kernel_plan_destroy(&plan);
    return status == GN_OK;
}

static void fill_cache(const gn_session *session, const char *path, char *note, size_t note_bytes)
{
    char folder[4096];
    gn_kernel_plan *plan = NULL;
    gn_error err = {0};
    gn_path_dir(path, folder, sizeof folder);
    gn_status status = gn_make_dirs(folder, &err);
    if (status == GN_OK)
        status = gn_kernel_plan_of(session, &plan, &err);
    if (status == GN_OK)
        status = gn_kernel_plan_write(plan, path, &err);
    if (status != GN_OK)
        snprintf(note, note_bytes, "the measured plan is not kept in %s: %s", path, err.message);
    gn_kernel_plan_destroy(&plan);
}

gn_status gn_tune_cached(gn_session *session, double seconds, gn_tuning *tuning_out, bool *from_cache_out, char *note,
                         size_t note_bytes, gn_error *err)
{
    char path[4096] = "";
    note[0] = '\0';
    const bool has_cache = gn_kernel_plan_cache_path(session, path, sizeof path) == GN_OK;
    *from_cache_out = has_cache && use_cache(session, path, note, note_bytes);
    if (*from_cache_out) {
        *tuning_out = (gn_tuning){0};
        return GN_OK;
    }
    GN_TRY(gn_tune(session, seconds, tuning_out, err));
    if (has_cache)
        fill_cache(session, path, note, note_bytes);
    return GN_OK;
}
