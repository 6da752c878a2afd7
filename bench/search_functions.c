/* Samplers and stopping rules on published functions: one line per seed with the loss (for ZDT: the hypervolume) that was reached.
 * bench/search_peers.py has the same functions for Optuna, and compares.
 *
 *     bench/search_functions branin|hartmann6|mixed|zdtK_N SAMPLER EVALUATIONS SEEDS      (K 1..3, N variables)
 *     bench/search_functions curves RULE EPOCHS SEEDS                                     (random points, epochs in all)
 *     bench/search_functions speed - N RUNS                                               (milliseconds per decision)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "search/pareto.h"
#include "search/sampler.h"
#include "search/stopping.h"

#define PI       3.14159265358979323846
#define MAX_DIMS 64

/* --- functions ------------------------------------------------------------------------------------------------------ */

static void branin(const double *x, double *value)
{
    const double b = 5.1 / (4 * PI * PI), c = 5 / PI;
    const double valley = x[1] - b * x[0] * x[0] + c * x[0] - 6;
    value[0] = valley * valley + 10 * (1 - 1 / (8 * PI)) * cos(x[0]) + 10 - 0.39788735772973816;
}

static void hartmann6(const double *x, double *value)
{
    static const double alpha[4] = {1.0, 1.2, 3.0, 3.2};
    static const double a[4][6] = {
        {10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                                   {2329, 4135, 8307, 3736, 1004, 9991},
                                   {2348, 1451, 3522, 2883, 3047, 6650},
                                   {4047, 8828, 8732, 5743, 1091, 381}};
    value[0] = 3.32236801141551;
    for (int i = 0; i < 4; i++) {
        double distance = 0;
        for (int j = 0; j < 6; j++)
            distance += a[i][j] * (x[j] - 1e-4 * p[i][j]) * (x[j] - 1e-4 * p[i][j]);
        value[0] -= alpha[i] * exp(-distance);
    }
}

static void zdt(int kind, const double *x, int n, double *value)
{
    double g = 0;
    for (int i = 1; i < n; i++)
        g += x[i];
    g = 1 + 9 * g / (n - 1);
    const double r = x[0] / g;
    const double h = kind == 2 ? 1 - r * r : 1 - sqrt(r) - (kind == 3 ? r * sin(10 * PI * x[0]) : 0);
    value[0] = x[0];
    value[1] = g * h;
}

/* model, rate_small, rate_large, optimizer, momentum, batch, width, decay */
static void mixed(const double *x, double *value)
{
    static const double base[] = {0.30, 0.22, 0.20, 0.26}, best_rate[] = {-2.0, -2.5, -3.5, -4.2};
    static const double shift[] = {0.7, 0.0, 0.1}, penalty[] = {0.03, 0.01, 0.0};
    const int model = (int)x[0], optimizer = (int)x[3];
    const double batch = log2(x[5]) - 5;
    const double off = log10(model < 2 ? x[1] : x[2]) - best_rate[model] - shift[optimizer] - 0.3 * batch;
    value[0] = base[model] + 0.06 * off * off + penalty[optimizer] +
               (optimizer == 0 ? 0.4 * (x[4] - 0.9) * (x[4] - 0.9) : 0) + 0.01 * batch * batch + 0.1 / x[6] +
               0.005 * x[6] + 0.05 * (x[7] - 0.3) * (x[7] - 0.3);
}

/* --- problems ------------------------------------------------------------------------------------------------------- */

typedef struct problem {
    const char *name;
    gn_param params[MAX_DIMS];
    size_t n;
    int objectives;
    int zdt;
} problem;

static void unit_cube(problem *p, size_t n)
{
    p->n = n;
    for (size_t i = 0; i < n; i++)
        p->params[i] = (gn_param){.name = "x", .kind = GN_PARAM_REAL, .high = 1, .parent = -1};
}

static bool find_problem(const char *name, problem *p)
{
    static const bool small[] = {true, true, false, false}, large[] = {false, false, true, true};
    static const bool sgd[] = {true, false, false};
    static const gn_param of_mixed[] = {
        {.name = "model", .kind = GN_PARAM_CHOICE, .n_choices = 4, .parent = -1},
        {.name = "rate_small",
         .kind = GN_PARAM_REAL,
         .low = 1e-4,
         .high = 1e-1,
         .is_log = true,
         .parent = 0,
         .when = small},
        {.name = "rate_large",
         .kind = GN_PARAM_REAL,
         .low = 1e-6,
         .high = 1e-2,
         .is_log = true,
         .parent = 0,
         .when = large},
        {.name = "optimizer", .kind = GN_PARAM_CHOICE, .n_choices = 3, .parent = -1},
        {.name = "momentum", .kind = GN_PARAM_REAL, .low = 0.5, .high = 0.99, .parent = 3, .when = sgd},
        {.name = "batch", .kind = GN_PARAM_INT, .low = 8, .high = 128, .is_log = true, .parent = -1},
        {.name = "width", .kind = GN_PARAM_INT, .low = 1, .high = 8, .parent = -1},
        {.name = "decay", .kind = GN_PARAM_REAL, .low = 0, .high = 1, .parent = -1},
    };
    int n = 0;
    *p = (problem){.name = name, .objectives = 1};
    if (strcmp(name, "branin") == 0) {
        p->n = 2;
        p->params[0] = (gn_param){.name = "x", .kind = GN_PARAM_REAL, .low = -5, .high = 10, .parent = -1};
        p->params[1] = (gn_param){.name = "y", .kind = GN_PARAM_REAL, .low = 0, .high = 15, .parent = -1};
    } else if (strcmp(name, "hartmann6") == 0) {
        unit_cube(p, 6);
    } else if (strcmp(name, "mixed") == 0) {
        p->n = sizeof of_mixed / sizeof *of_mixed;
        memcpy(p->params, of_mixed, sizeof of_mixed);
    } else if (sscanf(name, "zdt%d_%d", &p->zdt, &n) == 2 && p->zdt >= 1 && p->zdt <= 3 && n >= 2 && n <= MAX_DIMS) {
        unit_cube(p, (size_t)n);
        p->objectives = 2;
    } else {
        return false;
    }
    return true;
}

static void evaluate(const problem *p, const double *x, double *value)
{
    if (p->zdt > 0)
        zdt(p->zdt, x, (int)p->n, value);
    else if (strcmp(p->name, "branin") == 0)
        branin(x, value);
    else if (strcmp(p->name, "mixed") == 0)
        mixed(x, value);
    else
        hartmann6(x, value);
}

/* --- samplers ------------------------------------------------------------------------------------------------------- */

/* The smallest loss, or the hypervolume, after so many proposals. */
static gn_status run_sampler(const problem *p, const gn_sampler *sampler, size_t evaluations, double *result_out,
                             gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    double *points = gn_arena_alloc(arena, evaluations * p->n * sizeof *points);
    double *values = gn_arena_alloc(arena, evaluations * (size_t)p->objectives * sizeof *values);
    gn_observation *history = gn_arena_alloc(arena, evaluations * sizeof *history);
    gn_status status = GN_OK;
    for (size_t i = 0; i < evaluations && status == GN_OK; i++) {
        double *x = points + i * p->n, *value = values + i * (size_t)p->objectives;
        status = gn_sampler_propose(sampler, p->params, p->n, p->objectives, history, i, i, x, err);
        evaluate(p, x, value);
        history[i] = (gn_observation){x, value, 0};
    }
    if (status == GN_OK && p->objectives > 1) {
        status = gn_hypervolume(values, evaluations, 2, (const double[]){11, 11}, result_out, arena);
    } else if (status == GN_OK) {
        *result_out = values[0];
        for (size_t i = 1; i < evaluations; i++)
            *result_out = fmin(*result_out, values[i]);
    }
    gn_arena_destroy(&arena);
    return status;
}

/* --- stopping rules ------------------------------------------------------------------------------------------------- */

#define CURVE_EPOCHS 64
#define CURVE_TRIALS 2048
#define CURVE_NOISE  0.01

static double curve(const double *x, int epoch)
{
    const double limit = 0.1 + 0.5 * (x[0] - 0.3) * (x[0] - 0.3) + 0.3 * fabs(x[1] - 0.6) + 0.1 * x[2];
    const double speed = 0.4 + 0.8 * (1 - x[2]) + 0.4 * x[3];
    return limit + (0.8 - 0.3 * x[3]) * pow(epoch, -speed);
}

typedef struct race {
    double x[CURVE_TRIALS][4];
    double score[CURVE_TRIALS][GN_STOPPING_MAX_RUNGS];
    gn_standing list[CURVE_TRIALS];
    size_t n;
} race;

static gn_standing *enter(race *r, const gn_next *next, gn_rng *rng)
{
    if (next->kind == GN_NEXT_CONTINUE)
        return &r->list[next->index];
    for (int k = 0; k < 4; k++)
        r->x[r->n][k] = gn_rng_uniform(rng);
    for (int k = 0; k < GN_STOPPING_MAX_RUNGS; k++)
        r->score[r->n][k] = NAN;
    gn_standing *s = &r->list[r->n];
    *s = (gn_standing){.trial = (int64_t)r->n + 1,
                       .network = (int64_t)r->n,
                       .bracket = next->bracket,
                       .n_rungs = next->bracket,
                       .score = r->score[r->n],
                       .cost = NAN};
    r->n++;
    return s;
}

/* The loss, without noise, of the best trial that reached the last rung when the budget of epochs is used up; one worker. */
static gn_status run_rule(const gn_stopping *rule, int budget, uint64_t seed, double *result_out, gn_error *err)
{
    race *r = gn_calloc(1, sizeof *r);
    gn_rng rng;
    gn_status status = GN_OK;
    *result_out = 1;
    gn_rng_init(&rng, seed, 77);
    for (int used = 0; used < budget && status == GN_OK;) {
        gn_next next;
        status = gn_stopping_next(rule, r->list, r->n, &next, err);
        if (status != GN_OK || next.kind > GN_NEXT_CONTINUE || r->n == CURVE_TRIALS)
            break;
        gn_standing *s = enter(r, &next, &rng);
        const size_t i = (size_t)(s - r->list);
        used += rule->epochs[next.rung] - (s->n_rungs > s->bracket ? rule->epochs[s->n_rungs - 1] : 0);
        const double loss = curve(r->x[i], rule->epochs[next.rung]);
        r->score[i][next.rung] = -loss + CURVE_NOISE * gn_rng_normal(&rng);
        s->n_rungs = next.rung + 1;
        if (s->n_rungs == rule->n_ladder && used <= budget)
            *result_out = fmin(*result_out, loss);
    }
    gn_free(r);
    return status;
}

static gn_status make_rule(const char *name, gn_stopping *rule_out, gn_error *err)
{
    gn_stopping_kind kind;
    if (!gn_stopping_parse_kind(name, &kind))
        return gn_fail(err, GN_EINVAL, "no stopping rule %s", name);
    return gn_stopping_make(kind, 1, CURVE_EPOCHS, 0, CURVE_TRIALS, rule_out, err);
}

/* --- speed ---------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void tell_median(const char *what, double *ms, int runs)
{
    qsort(ms, (size_t)runs, sizeof *ms, by_size);
    printf("%-24s %8.3f ms (%.3f to %.3f)\n", what, ms[runs / 2], ms[runs / 10], ms[runs - 1 - runs / 10]);
}

/* A proposal with a history of n observations drawn at random. */
static gn_status time_sampler(const char *function, gn_sampler_kind kind, size_t n, int runs, gn_error *err)
{
    problem p;
    find_problem(function, &p);
    gn_arena *arena = gn_arena_create(0);
    double *points = gn_arena_alloc(arena, (n + 1) * p.n * sizeof *points);
    double *values = gn_arena_alloc(arena, (n + 1) * 2 * sizeof *values);
    gn_observation *history = gn_arena_alloc(arena, (n + 1) * sizeof *history);
    double *ms = gn_arena_alloc(arena, (size_t)runs * sizeof *ms);
    gn_sampler sampler = gn_sampler_default(GN_SAMPLER_RANDOM, 1);
    gn_status status = GN_OK;
    char what[80];
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        status = gn_sampler_propose(&sampler, p.params, p.n, 1, NULL, 0, i, points + i * p.n, err);
        evaluate(&p, points + i * p.n, values + 2 * i);
        history[i] = (gn_observation){points + i * p.n, values + 2 * i, 0};
    }
    sampler.kind = kind;
    for (int i = 0; i < runs && status == GN_OK; i++) {
        const int64_t begin = gn_now_ns();
        status =
            gn_sampler_propose(&sampler, p.params, p.n, p.objectives, history, n, n + (size_t)i, points + n * p.n, err);
        ms[i] = (double)(gn_now_ns() - begin) * 1e-6;
    }
    snprintf(what, sizeof what, "%s %s", gn_sampler_name(kind), function);
    if (status == GN_OK)
        tell_median(what, ms, runs);
    gn_arena_destroy(&arena);
    return status;
}

/* A decision with n standings of which 1 in 4 went on from each rung, nobody running, nobody left to go on. */
static gn_status time_rule(const char *text, size_t n, int runs, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    double *score = gn_arena_alloc(arena, n * GN_STOPPING_MAX_RUNGS * sizeof *score);
    gn_standing *list = gn_arena_alloc(arena, n * sizeof *list);
    double *ms = gn_arena_alloc(arena, (size_t)runs * sizeof *ms);
    gn_stopping rule;
    gn_next next;
    gn_rng rng;
    gn_rng_init(&rng, 5, 5);
    gn_status status = gn_stopping_parse(text, &rule, err);
    rule.n_trials = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        const double merit = gn_rng_uniform(&rng);
        list[i] = (gn_standing){.trial = (int64_t)i,
                                .network = (int64_t)i,
                                .score = score + i * GN_STOPPING_MAX_RUNGS,
                                .cost = gn_rng_uniform(&rng),
                                .n_rungs = 1};
        while (list[i].n_rungs < rule.n_ladder && merit > 1 - pow(0.25, list[i].n_rungs))
            list[i].n_rungs++;
        for (int k = 0; k < GN_STOPPING_MAX_RUNGS; k++)
            score[i * GN_STOPPING_MAX_RUNGS + (size_t)k] = k < list[i].n_rungs ? merit : NAN;
    }
    for (int i = 0; i < runs && status == GN_OK; i++) {
        const int64_t begin = gn_now_ns();
        status = gn_stopping_next(&rule, list, n, &next, err);
        ms[i] = (double)(gn_now_ns() - begin) * 1e-6;
    }
    if (status == GN_OK)
        tell_median(text, ms, runs);
    gn_arena_destroy(&arena);
    return status;
}

static gn_status tell_speed(size_t n, int runs, gn_error *err)
{
    static const char *const rules[] = {"10:2000,30:200,60",        "halving:1-64/4",     "asha:1-64/4",
                                        "asha:1-64/4 pareto",       "hyperband:1-64/4",   "median:4-64",
                                        "10:2000,30:200,60 pareto", "median:4-64 pareto", "none:60"};
    GN_TRY(time_sampler("hartmann6", GN_SAMPLER_TPE, n, runs, err));
    GN_TRY(time_sampler("mixed", GN_SAMPLER_TPE, n, runs, err));
    GN_TRY(time_sampler("zdt1_8", GN_SAMPLER_TPE, n, runs, err));
    GN_TRY(time_sampler("zdt1_30", GN_SAMPLER_TPE, n, runs, err));
    GN_TRY(time_sampler("mixed", GN_SAMPLER_NSGA2, n, runs, err));
    GN_TRY(time_sampler("zdt1_30", GN_SAMPLER_NSGA2, n, runs, err));
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        GN_TRY(time_rule(rules[i], 10 * n, runs, err));
    return GN_OK;
}

/* --- program -------------------------------------------------------------------------------------------------------- */

static gn_status run_all(char **argv, gn_error *err)
{
    const int count = atoi(argv[3]), seeds = atoi(argv[4]);
    gn_stopping rule;
    problem p;
    if (count < 1 || count > 100000 || seeds < 1 || seeds > 100000)
        return gn_fail(err, GN_EUSAGE, "expected two numbers of 1 to 100000");
    if (strcmp(argv[1], "speed") == 0)
        return tell_speed((size_t)count, seeds, err);
    const bool is_race = strcmp(argv[1], "curves") == 0;
    gn_sampler_kind kind = GN_SAMPLER_RANDOM;
    if (is_race)
        GN_TRY(make_rule(argv[2], &rule, err));
    else if (!find_problem(argv[1], &p) || !gn_sampler_parse(argv[2], &kind))
        return gn_fail(err, GN_EUSAGE, "no function %s or no sampler %s", argv[1], argv[2]);
    for (int seed = 0; seed < seeds; seed++) {
        const gn_sampler sampler = gn_sampler_default(kind, (uint64_t)seed);
        double result = 0;
        if (is_race)
            GN_TRY(run_rule(&rule, count, (uint64_t)seed, &result, err));
        else
            GN_TRY(run_sampler(&p, &sampler, (size_t)count, &result, err));
        printf("%.9g\n", result);
    }
    return GN_OK;
}

int main(int argc, char **argv)
{
    gn_error err = {0};
    if (argc != 5) {
        fprintf(stderr, "usage: search_functions FUNCTION|curves|speed SAMPLER|RULE COUNT SEEDS\n");
        return 2;
    }
    if (run_all(argv, &err) == GN_OK)
        return 0;
    fprintf(stderr, "search_functions: %s\n", err.message);
    return 1;
}
