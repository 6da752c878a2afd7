/* The method of measuring latencies.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/latency.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "base/rng.h"
#include "measure/machine_energy.h"

/* More runs than this say nothing more. */
#define MAX_RUNS           20000
#define MAX_WARMUP_SECONDS 3.0
/* Warm-up goes on until the fastest of the last few runs is no longer this much faster than that of the few before. */
#define STABLE_RUNS 5
#define STABLE_GAIN 0.05
/* Clock, temperature and power are read between runs, this often: one reading takes well under a millisecond. */
#define LOOK_NS     INT64_C(100000000)
#define MAX_LOOKS   4096
#define SYNTHETIC_W 640
#define SYNTHETIC_H 480

gn_latency_options gn_latency_default_options(void)
{
    return (gn_latency_options){.warmup_runs = 10,
                                .warmup_seconds = 0.2,
                                .min_runs = 50,
                                .min_seconds = 1.0,
                                .batch = 1,
                                .max_clock_drop = 0.15};
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

gn_quantiles gn_quantiles_of(double *ms, int n)
{
    gn_quantiles q = {NAN, NAN, NAN, NAN, NAN};
    if (n < 1)
        return q;
    qsort(ms, (size_t)n, sizeof *ms, by_size);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += ms[i];
    q.min = ms[0];
    q.p50 = ms[(int)ceil(0.50 * n) - 1];
    q.p90 = ms[(int)ceil(0.90 * n) - 1];
    q.p99 = ms[(int)ceil(0.99 * n) - 1];
    q.mean = sum / n;
    return q;
}

/* ---- one run ---- */

typedef struct bench {
    gn_session *session;
    gn_latency_options o;
    float *input;   /* batch of numbers in the range of normalised pictures */
    gn_image image; /* synthetic, or a view of the caller's */
    double *ms[3];  /* samples: network or total, preprocess, postprocess */
    gn_error *err;
    gn_energy_meter energy;
    double clock_mhz[MAX_LOOKS], temperature_c; /* clock_mhz: [n_looks] */
    int n_looks;
    int64_t looked_ns;
} bench;

static gn_status run_network(bench *b, int i)
{
    int64_t begin = gn_now_ns();
    GN_TRY(gn_session_run(b->session, b->input, b->o.batch, b->err));
    b->ms[0][i] = (double)(gn_now_ns() - begin) * 1e-6;
    return GN_OK;
}

static gn_status run_whole(bench *b, int i)
{
    gn_prediction prediction;
    gn_times times;
    GN_TRY(gn_session_predict(b->session, &b->image, &prediction, &times, b->err));
    b->ms[0][i] = (double)(times.preprocess_ns + times.infer_ns + times.postprocess_ns) * 1e-6;
    b->ms[1][i] = (double)times.preprocess_ns * 1e-6;
    b->ms[2][i] = (double)times.postprocess_ns * 1e-6;
    return GN_OK;
}

typedef gn_status (*run_fn)(bench *b, int i);

static gn_status check_stop(const bench *b)
{
    return gn_stop_requested() ? gn_fail(b->err, GN_ECANCELED, "interrupted while measuring") : GN_OK;
}

static double fastest(const double *ms, int n)
{
    double best = ms[0];
    for (int i = 1; i < n; i++)
        best = fmin(best, ms[i]);
    return best;
}

/* At least the runs and seconds asked for, and on until it no longer gets faster. */
static gn_status warm_up(bench *b, run_fn run, int *n_out)
{
    int64_t begin = gn_now_ns();
    int n = 0;
    for (;; n++) {
        double seconds = (double)(gn_now_ns() - begin) * 1e-9;
        bool is_enough = n >= b->o.warmup_runs && seconds >= b->o.warmup_seconds;
        bool is_stable =
            n >= 2 * STABLE_RUNS && fastest(&b->ms[0][n - STABLE_RUNS], STABLE_RUNS) >=
                                        (1 - STABLE_GAIN) * fastest(&b->ms[0][n - 2 * STABLE_RUNS], STABLE_RUNS);
        if (n >= MAX_RUNS || (is_enough && (is_stable || seconds >= MAX_WARMUP_SECONDS + b->o.warmup_seconds)))
            break;
        GN_TRY(check_stop(b));
        GN_TRY(run(b, n));
    }
    *n_out = n;
    return GN_OK;
}

static const char *root_of(const bench *b)
{
    return b->o.sysfs_root ? b->o.sysfs_root : "";
}

/* How the machine is doing, between two runs. */
static void look(bench *b)
{
    const int64_t now = gn_now_ns();
    if (now - b->looked_ns < LOOK_NS || b->n_looks == MAX_LOOKS)
        return;
    gn_energy_read(&b->energy, now);
    const gn_machine_state state = gn_machine_state_under(root_of(b));
    b->temperature_c = fmax(b->temperature_c, state.temperature_c);
    if (!isnan(state.clock_mhz))
        b->clock_mhz[b->n_looks++] = state.clock_mhz;
    b->looked_ns = gn_now_ns();
}

/* The energy meter counts over the loop; what a reading itself costs is in it, too. */
static gn_status run_loop(bench *b, run_fn run, int *n_out)
{
    gn_energy_start(&b->energy, root_of(b));
    int64_t begin = gn_now_ns();
    int n = 0;
    while (n < MAX_RUNS && (n < b->o.min_runs || (double)(gn_now_ns() - begin) * 1e-9 < b->o.min_seconds)) {
        GN_TRY(check_stop(b));
        GN_TRY(run(b, n));
        n++;
        look(b);
    }
    gn_energy_read(&b->energy, gn_now_ns());
    *n_out = n;
    return GN_OK;
}

/* ---- the whole ---- */

static gn_status check_options(const gn_latency_options *o, gn_error *err)
{
    if (o->min_runs < 1 || o->min_runs > MAX_RUNS || o->warmup_runs < 0 || o->warmup_runs > MAX_RUNS)
        return gn_fail(err, GN_EINVAL, "%d runs after %d for warm-up: 1 to %d were expected", o->min_runs,
                       o->warmup_runs, MAX_RUNS);
    if (o->batch < 1 || o->batch > GN_SESSION_MAX_BATCH || !(o->max_clock_drop > 0) || !(o->min_seconds >= 0) ||
        !(o->warmup_seconds >= 0))
        return gn_fail(err, GN_EINVAL, "an option of the measurement is out of its range");
    return GN_OK;
}

static size_t input_count(const gn_session *session)
{
    gn_shape shape = gn_session_input_shape(session);
    return (size_t)gn_shape_count(&shape);
}

static gn_status setup(bench *b)
{
    size_t count = input_count(b->session) * (size_t)b->o.batch;
    b->input = gn_alloc(count * sizeof *b->input);
    for (int i = 0; i < 3; i++)
        b->ms[i] = gn_calloc(MAX_RUNS + 1, sizeof *b->ms[i]);
    if (!b->input || !b->ms[0] || !b->ms[1] || !b->ms[2])
        return gn_fail(b->err, GN_ENOMEM, "no memory to measure");
    gn_rng rng;
    gn_rng_init(&rng, 1, 0);
    for (size_t i = 0; i < count; i++)
        b->input[i] = gn_rng_range(&rng, -2.0f, 2.0f);
    if (b->o.image) {
        b->image = *b->o.image;
        b->image.owned = false;
        return GN_OK;
    }
    if (gn_image_create(SYNTHETIC_W, SYNTHETIC_H, 3, &b->image) != GN_OK)
        return gn_fail(b->err, GN_ENOMEM, "no memory to measure");
    for (int y = 0; y < SYNTHETIC_H; y++)
        for (int i = 0; i < SYNTHETIC_W * 3; i++)
            b->image.data[(size_t)y * b->image.stride_bytes + (size_t)i] = (uint8_t)gn_rng_u32(&rng);
    return GN_OK;
}

static void judge(gn_latency *l, double max_clock_drop)
{
    l->is_valid = true;
    if (l->after.throttle_events > l->before.throttle_events && l->before.throttle_events >= 0) {
        l->is_valid = false;
        snprintf(l->reason, sizeof l->reason, "the processor throttled %lld times while measuring",
                 (long long)(l->after.throttle_events - l->before.throttle_events));
    } else if (l->after.clock_mhz < l->before.clock_mhz * (1 - max_clock_drop)) {
        l->is_valid = false;
        snprintf(l->reason, sizeof l->reason, "the clock fell from %.0f to %.0f MHz while measuring",
                 l->before.clock_mhz, l->after.clock_mhz);
    }
}

static bool takes_pictures(const gn_session *session)
{
    gn_shape shape = gn_session_input_shape(session);
    return shape.rank == 4 && shape.dim[1] == 3;
}

/* Clocks and temperature over all readings, those before and after included. */
static void summarise_looks(bench *b, gn_latency *l)
{
    const gn_machine_state *ends[] = {&l->before, &l->after};
    for (int i = 0; i < 2; i++) {
        if (!isnan(ends[i]->clock_mhz) && b->n_looks < MAX_LOOKS)
            b->clock_mhz[b->n_looks++] = ends[i]->clock_mhz;
        b->temperature_c = fmax(b->temperature_c, ends[i]->temperature_c);
    }
    const gn_quantiles clock = gn_quantiles_of(b->clock_mhz, b->n_looks);
    l->clock_mhz = clock.p50;
    l->clock_min_mhz = clock.min;
    l->clock_max_mhz = b->n_looks > 0 ? b->clock_mhz[b->n_looks - 1] : NAN;
    l->temperature_c = b->temperature_c;
}

static gn_status measure(bench *b, gn_latency *l)
{
    GN_TRY(run_network(b, 0));
    l->first_ms = b->ms[0][0];
    GN_TRY(warm_up(b, run_network, &l->warmup));
    l->before = gn_machine_state_under(root_of(b));
    GN_TRY(run_loop(b, run_network, &l->runs));
    l->network = gn_quantiles_of(b->ms[0], l->runs);
    l->images_per_s = 1000.0 * b->o.batch / l->network.p50;
    l->energy_mj = gn_energy_mj(&b->energy) / l->runs / b->o.batch;
    l->preprocess = l->postprocess = l->total = (gn_quantiles){NAN, NAN, NAN, NAN, NAN};
    l->has_total = takes_pictures(b->session);
    if (l->has_total) {
        int n = 0;
        GN_TRY(warm_up(b, run_whole, &n));
        GN_TRY(run_loop(b, run_whole, &l->total_runs));
        l->energy_mj = gn_energy_mj(&b->energy) / l->total_runs;
        l->total = gn_quantiles_of(b->ms[0], l->total_runs);
        l->preprocess = gn_quantiles_of(b->ms[1], l->total_runs);
        l->postprocess = gn_quantiles_of(b->ms[2], l->total_runs);
    }
    l->after = gn_machine_state_under(root_of(b));
    summarise_looks(b, l);
    return GN_OK;
}

gn_status gn_measure_latency(gn_session *session, const gn_latency_options *options, gn_latency *latency_out,
                             gn_error *err)
{
    bench b = {.session = session,
               .o = options ? *options : gn_latency_default_options(),
               .err = err,
               .temperature_c = NAN,
               .looked_ns = gn_now_ns()};
    gn_latency l = {.threads = gn_session_threads(session), .batch = b.o.batch};
    GN_TRY(check_options(&b.o, err));
    gn_status status = setup(&b);
    if (status == GN_OK)
        status = measure(&b, &l);
    if (status == GN_OK) {
        judge(&l, b.o.max_clock_drop);
        l.peak_bytes =
            (int64_t)(gn_session_memory_bytes(session) + input_count(session) * (size_t)b.o.batch * sizeof *b.input);
        l.process_peak_bytes = gn_process_peak_bytes();
        *latency_out = l;
    }
    gn_free(b.input);
    for (int i = 0; i < 3; i++)
        gn_free(b.ms[i]);
    gn_image_deinit(&b.image);
    return status;
}
