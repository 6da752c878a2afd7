/* Times steps one by one and relates them to the machine's peak.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/layer_times.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/progress.h"
#include "measure/latency.h"
#include "measure/tune.h"

enum { RUNS_MIN = 20, RUNS_MAX = 200 };
#define SECONDS_WANTED 0.5

double gn_layer_bound_ms(const gn_layer_time *layer)
{
    return fmax(layer->compute_ms, layer->memory_ms);
}

static double rate_at(const gn_device_peak *peak, double bytes, bool is_copy)
{
    const struct gn_memory_peak *m = peak->memory;
    int i = 0;
    while (i < GN_PEAK_SIZES && m[i].bytes < bytes)
        i++;
    if (i == 0 || i == GN_PEAK_SIZES) {
        i = i == 0 ? 0 : GN_PEAK_SIZES - 1;
        return is_copy ? m[i].copy_per_s : m[i].read_per_s;
    }
    const double part = log(bytes / m[i - 1].bytes) / log(m[i].bytes / m[i - 1].bytes);
    const double low = is_copy ? m[i - 1].copy_per_s : m[i - 1].read_per_s;
    const double high = is_copy ? m[i].copy_per_s : m[i].read_per_s;
    return low + part * (high - low);
}

double gn_peak_read_rate(const gn_device_peak *peak, double bytes)
{
    return rate_at(peak, bytes, false);
}

double gn_peak_copy_rate(const gn_device_peak *peak, double bytes)
{
    return rate_at(peak, bytes, true);
}

static void find_bounds(gn_layer_times *t)
{
    double weights = 0, widest = 0;
    for (int i = 0; i < t->n; i++) {
        weights += (double)t->layers[i].info.weight_bytes;
        widest = fmax(widest, (double)t->layers[i].info.data_bytes);
    }
    const double weight_rate = gn_peak_read_rate(&t->peak, weights + widest);
    for (int i = 0; i < t->n; i++) {
        gn_layer_time *l = &t->layers[i];
        const double data = (double)l->info.data_bytes;
        l->compute_ms = 1e3 * 2 * (double)l->info.macs * l->info.kernel.work / t->peak.flop_per_s;
        l->memory_ms = 1e3 * ((double)l->info.weight_bytes / weight_rate + data / gn_peak_copy_rate(&t->peak, data));
        gn_kind_time *k = &t->kinds[l->info.kind];
        k->layers++;
        k->ms += l->ms;
        k->bound_ms += gn_layer_bound_ms(l);
        k->macs += l->info.macs;
        k->bytes += l->info.weight_bytes + l->info.data_bytes;
        t->ms += l->ms;
    }
}

/* ns: [RUNS_MAX][steps]. */
static gn_status run_often(gn_session *session, int steps, int64_t *ns, int *runs_out, gn_error *err)
{
    const int64_t begin = gn_now_ns();
    int n = 0;
    while (n < RUNS_MAX && (n < RUNS_MIN || (double)(gn_now_ns() - begin) * 1e-9 < SECONDS_WANTED)) {
        if (gn_stop_requested())
            return gn_fail(err, GN_ECANCELED, "interrupted while measuring layers");
        GN_TRY(gn_session_run_timed(session, ns + (size_t)n * (size_t)steps, err));
        n++;
    }
    *runs_out = n;
    return GN_OK;
}

static void take_medians(const gn_session *session, int steps, const int64_t *ns, gn_layer_times *t)
{
    for (int i = 0; i < steps; i++) {
        gn_layer_time l = {0};
        double ms[RUNS_MAX];
        gn_session_step(session, i, &l.info);
        if (l.info.weight_bytes + l.info.data_bytes == 0)
            continue;
        for (int run = 0; run < t->runs; run++)
            ms[run] = (double)ns[(size_t)run * (size_t)steps + (size_t)i] * 1e-6;
        l.ms = gn_quantiles_of(ms, t->runs).p50;
        t->layers[t->n++] = l;
    }
}

static int batch_of(const gn_session *session)
{
    const gn_graph *graph = NULL;
    (void)gn_session_plan(session, &graph);
    return (int)gn_graph_value(graph, gn_graph_input(graph, 0))->shape.dim[0];
}

/* Steps are timed with an input of their own: that of an earlier run may be gone. */
static gn_status measure(gn_session *session, int steps, int64_t *ns, const float *input, gn_layer_times *t,
                         gn_error *err)
{
    GN_TRY(gn_session_peak(session, &t->peak, err));
    GN_TRY(gn_session_run(session, input, batch_of(session), err));
    GN_TRY(run_often(session, steps, ns, &t->runs, err));
    take_medians(session, steps, ns, t);
    find_bounds(t);
    return GN_OK;
}

gn_status gn_measure_layers(gn_session *session, gn_layer_times **times_out, gn_error *err)
{
    const gn_plan *plan = gn_session_plan(session, NULL);
    if (!plan)
        return gn_fail(err, GN_EINVAL, "timing layers of a model that was not prepared");
    gn_layer_times *t = gn_calloc(1, sizeof *t);
    int64_t *ns = gn_calloc((size_t)plan->n_steps * RUNS_MAX + 1, sizeof *ns);
    float *input = gn_made_up_input(session, batch_of(session));
    if (t)
        t->layers = gn_calloc((size_t)plan->n_steps + 1, sizeof *t->layers);
    gn_status status = GN_OK;
    if (t && ns && input && t->layers)
        status = measure(session, plan->n_steps, ns, input, t, err);
    else
        status = gn_fail(err, GN_ENOMEM, "no memory to time layers");
    if (status == GN_OK)
        *times_out = t;
    else
        gn_layer_times_destroy(&t);
    gn_free(ns);
    gn_free(input);
    return status;
}

void gn_layer_times_destroy(gn_layer_times **times)
{
    if (!times || !*times)
        return;
    gn_free((*times)->layers);
    gn_free(*times);
    *times = NULL;
}
