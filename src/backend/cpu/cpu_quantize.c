/* QuantizeLinear and DequantizeLinear between f32 and 8 bits on the CPU, with one scale or one per position of an axis.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "graph/op.h"
#include "ops/quantize_rules.h"

/* Memory is [outer, n, inner]; scale and zero have one element, or n. */
typedef struct quantize_job {
    const void *src, *zero;
    void *dst;
    const float *scale;
    int64_t n, inner, scales;
    bool is_signed; /* the 8 bits are */
} quantize_job;

static bool is_eight_bits(gn_dtype dtype)
{
    return dtype == GN_DTYPE_U8 || dtype == GN_DTYPE_S8;
}

static bool takes(const gn_graph *graph, const gn_node *node)
{
    const bool quantizes = strcmp(node->op->name, "QuantizeLinear") == 0;
    const gn_dtype from = gn_in_dtype(graph, node, 0), to = gn_graph_value(graph, node->out[0])->dtype;
    gn_scaling s;
    return gn_in_dtype(graph, node, 1) == GN_DTYPE_F32 && (quantizes ? from : to) == GN_DTYPE_F32 &&
           is_eight_bits(quantizes ? to : from) && gn_scaling_of(graph, node, &s, NULL) == GN_OK && !s.is_blocked;
}

static int32_t zero_of(const quantize_job *j, int64_t k)
{
    if (!j->zero)
        return 0;
    return j->is_signed ? ((const int8_t *)j->zero)[k] : ((const uint8_t *)j->zero)[k];
}

/* One run of elements with one scale. */
static void quantize_run(const quantize_job *j, int64_t at, int64_t n, int64_t k)
{
    const float *x = (const float *)j->src + at, scale = j->scale[k];
    const float zero = (float)zero_of(j, k), lo = j->is_signed ? -128.0f : 0.0f, hi = j->is_signed ? 127.0f : 255.0f;
    for (int64_t i = 0; i < n; i++) {
        float q = nearbyintf(x[i] / scale) + zero;
        q = q > lo ? q < hi ? q : hi : lo;
        if (isnan(x[i] / scale))
            q = 0.0f;
        if (j->is_signed)
            ((int8_t *)j->dst)[at + i] = (int8_t)q;
        else
            ((uint8_t *)j->dst)[at + i] = (uint8_t)q;
    }
}

static void dequantize_run(const quantize_job *j, int64_t at, int64_t n, int64_t k)
{
    const float scale = j->scale[k];
    const int32_t zero = zero_of(j, k);
    float *y = (float *)j->dst + at;
    if (j->is_signed)
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)(((const int8_t *)j->src)[at + i] - zero) * scale;
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = (float)(((const uint8_t *)j->src)[at + i] - zero) * scale;
}

/* Elements begin..end-1, cut where the scale changes. */
static void split_runs(const quantize_job *j, size_t begin, size_t end,
                       void (*run)(const quantize_job *j, int64_t at, int64_t n, int64_t k))
{
    for (int64_t at = (int64_t)begin; at < (int64_t)end;) {
        const int64_t left = j->scales > 1 ? j->inner - at % j->inner : (int64_t)end - at;
        const int64_t n = left < (int64_t)end - at ? left : (int64_t)end - at;
        run(j, at, n, j->scales > 1 ? at / j->inner % j->n : 0);
        at += n;
    }
}

static void quantize_range(void *ctx, size_t begin, size_t end)
{
    split_runs(ctx, begin, end, quantize_run);
}

static void dequantize_range(void *ctx, size_t begin, size_t end)
{
    split_runs(ctx, begin, end, dequantize_run);
}

static void run_quantize(gn_exec *exec, const gn_cpu_step *step)
{
    static const int nhwc[4] = {0, 3, 1, 2};
    const int in = step->node->in[0], out = step->node->out[0];
    const bool quantizes = strcmp(step->node->op->name, "QuantizeLinear") == 0;
    const gn_shape physical = gn_cpu_physical(exec, out);
    quantize_job job = {.src = gn_cpu_in(exec, step, 0),
                        .zero = gn_cpu_in(exec, step, 2),
                        .dst = gn_cpu_out(exec, step, 0),
                        .scale = gn_cpu_in(exec, step, 1),
                        .n = 1,
                        .inner = 1,
                        .scales = gn_cpu_elements(exec, step->node->in[1])};
    gn_scaling s;
    exec->status = gn_scaling_of(exec->graph, step->node, &s, NULL);
    if (exec->status != GN_OK)
        return;
    if (s.axis >= 0) {
        const bool is_nhwc = physical.rank == 4 && exec->plan->values[out].layout == GN_LAYOUT_NHWC;
        const int axis = is_nhwc ? nhwc[s.axis] : s.axis;
        job.n = physical.dim[axis];
        for (int d = axis + 1; d < physical.rank; d++)
            job.inner *= physical.dim[d];
    }
    job.is_signed = gn_graph_value(exec->graph, quantizes ? out : in)->dtype == GN_DTYPE_S8;
    gn_cpu_for_range(exec, (size_t)gn_cpu_elements(exec, out), GN_CPU_CHUNK,
                     quantizes ? quantize_range : dequantize_range, &job);
}

static const gn_cpu_op quantize_op = {
    .domain = "", .name = "QuantizeLinear", .run = run_quantize, .takes = takes, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op dequantize_op = {
    .domain = "", .name = "DequantizeLinear", .run = run_quantize, .takes = takes, .types = GN_CPU_TYPES_ANY};

const gn_cpu_op *const gn_cpu_quantize_ops[] = {&quantize_op, &dequantize_op, NULL};
