/* Sums and means over dimensions on the CPU: SumTo (the gradient of broadcasting), ReduceSum, ReduceMean.  Neighbouring dimensions that
 * are both kept or both summed run together; kept x summed x kept is what remains of almost every case, others go to the reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"

/* x is [outer, terms, inner] in memory, the result [outer, inner]. */
typedef struct reduction {
    int64_t outer, terms, inner;
    bool is_simple; /* the shape has that form */
} reduction;

/* From the physical dimensions and which of them are summed. */
static reduction merge(const gn_shape *x, const bool *is_summed)
{
    reduction r = {1, 1, 1, true};
    int stage = 0; /* 0: kept dimensions in front, 1: summed ones, 2: kept ones behind */
    for (int d = 0; d < x->rank; d++) {
        if (x->dim[d] == 1)
            continue;
        if (is_summed[d]) {
            r.is_simple = r.is_simple && stage < 2;
            stage = 1;
            r.terms *= x->dim[d];
        } else if (stage == 0)
            r.outer *= x->dim[d];
        else {
            stage = 2;
            r.inner *= x->dim[d];
        }
    }
    return r;
}

/* Rows are summed in blocks, whose sums are summed in order: blocks depend on sizes only. */
enum { MOST_BLOCKS = 32 };

static int64_t rows_per_block(const reduction *r)
{
    const int64_t by_size = 65536 / (r->inner > 0 ? r->inner : 1) + 1,
                  by_count = (r->terms + MOST_BLOCKS - 1) / MOST_BLOCKS;
    return by_size > by_count ? by_size : by_count;
}

static int64_t blocks_of(const reduction *r)
{
    return r->outer > 1 || r->inner == 1 ? 1 : (r->terms + rows_per_block(r) - 1) / rows_per_block(r);
}

typedef struct sum_job {
    const float *x;
    float *y, *partial;
    reduction r;
    float factor;
} sum_job;

/* Sum of n neighbours, in double as the reference does. */
static double sum_all(const float *x, int64_t n)
{
    double sum[4] = {0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            sum[k] += (double)x[i + k];
    for (; i < n; i++)
        sum[0] += (double)x[i];
    return sum[0] + sum[1] + (sum[2] + sum[3]);
}

static void sum_outer(void *ctx, size_t begin, size_t end)
{
    const sum_job *j = ctx;
    const size_t inner = (size_t)j->r.inner, terms = (size_t)j->r.terms;
    for (size_t o = begin; o < end; o++) {
        if (inner == 1)
            j->y[o] = (float)(sum_all(j->x + o * terms, j->r.terms) * (double)j->factor);
        else {
            gn_f32_sum_rows(j->x + o * terms * inner, j->y + o * inner, terms, inner);
            if (j->factor < 1.0f)
                gn_f32_scale(j->y + o * inner, j->factor, j->y + o * inner, inner);
        }
    }
}

static void sum_block(void *ctx, int task, int thread)
{
    const sum_job *j = ctx;
    const int64_t per_block = rows_per_block(&j->r), first = task * per_block;
    const int64_t rows = j->r.terms - first < per_block ? j->r.terms - first : per_block;
    (void)thread;
    gn_f32_sum_rows(j->x + first * j->r.inner, j->partial + task * j->r.inner, (size_t)rows, (size_t)j->r.inner);
}

static void run_sum(gn_exec *exec, const gn_cpu_step *step, const reduction *r, bool is_mean)
{
    const int64_t blocks = blocks_of(r);
    sum_job job = {gn_cpu_in(exec, step, 0), gn_cpu_out(exec, step, 0), NULL, *r,
                   is_mean ? (float)(1 / (double)r->terms) : 1.0f};
    if (blocks <= 1) {
        gn_cpu_for_range(exec, (size_t)r->outer, (size_t)(GN_CPU_CHUNK / (size_t)(r->terms * r->inner) + 1), sum_outer,
                         &job);
        return;
    }
    job.partial = gn_cpu_step_scratch(exec, step);
    gn_pool_run(exec->device->pool, (int)blocks, sum_block, &job);
    gn_f32_sum_rows(job.partial, job.y, (size_t)blocks, (size_t)r->inner);
    if (is_mean)
        gn_f32_scale(job.y, job.factor, job.y, (size_t)r->inner);
}

/* ---- which dimensions ---- */

/* Flags in memory order of what is flagged in logical order; `x` becomes its physical dimensions. */
static void to_physical(gn_shape *x, bool *flags, bool is_nhwc)
{
    static const int order[4] = {0, 2, 3, 1};
    if (!is_nhwc || x->rank != 4)
        return;
    const gn_shape logical = *x;
    bool was[4];
    for (int d = 0; d < 4; d++)
        was[d] = flags[d];
    for (int d = 0; d < 4; d++) {
        x->dim[d] = logical.dim[order[d]];
        flags[d] = was[order[d]];
    }
}

static reduction sum_to_reduction(const gn_graph *graph, const gn_node *node, bool is_nhwc)
{
    gn_shape x = *gn_in_shape(graph, node, 0);
    const gn_shape *y = &gn_graph_value(graph, node->out[0])->shape;
    bool flags[GN_MAX_RANK];
    for (int d = 0; d < x.rank; d++) {
        const int o = d - (x.rank - y->rank);
        flags[d] = o < 0 || y->dim[o] != x.dim[d];
    }
    to_physical(&x, flags, is_nhwc);
    reduction r = merge(&x, flags);
    /* A result of fewer dimensions is plain: channels go in front of pixels there. */
    if (is_nhwc && y->rank < 4 && y->rank > 1 && y->dim[y->rank - 3 < 0 ? 0 : y->rank - 3] != gn_shape_count(y))
        r.is_simple = false;
    return r;
}

static reduction axes_reduction(const gn_graph *graph, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    int64_t axes[GN_MAX_RANK];
    bool flags[GN_MAX_RANK] = {false};
    const int n = gn_has_in(node, 1) ? gn_in_const_s64(graph, node, 1, axes, GN_MAX_RANK)
                                     : gn_node_ints(node, "axes", axes, GN_MAX_RANK, 0);
    const bool all = n == 0 && gn_node_int(node, "noop_with_empty_axes", 0) == 0;
    for (int d = 0; d < x->rank; d++)
        flags[d] = all;
    for (int i = 0; i < n && i < GN_MAX_RANK; i++)
        flags[axes[i] < 0 ? axes[i] + x->rank : axes[i]] = true;
    reduction r = merge(x, flags);
    r.is_simple = r.is_simple && n >= 0 && gn_in_dtype(graph, node, 0) == GN_DTYPE_F32;
    return r;
}

static size_t scratch_of(const reduction *r)
{
    const int64_t blocks = blocks_of(r);
    return r->is_simple && blocks > 1 ? (size_t)(blocks * r->inner) * sizeof(float) : 0;
}

/* The layout is not known yet: room for either. */
static size_t sum_to_scratch(const gn_graph *graph, const gn_node *node)
{
    const reduction plain = sum_to_reduction(graph, node, false), nhwc = sum_to_reduction(graph, node, true);
    const size_t a = scratch_of(&plain), b = scratch_of(&nhwc);
    return a > b ? a : b;
}

static size_t axes_scratch(const gn_graph *graph, const gn_node *node)
{
    const reduction r = axes_reduction(graph, node);
    return scratch_of(&r);
}

static void run_or_refer(gn_exec *exec, const gn_cpu_step *step, const reduction *r, bool is_mean)
{
    const bool is_f32 = gn_graph_value(exec->graph, step->node->in[0])->dtype == GN_DTYPE_F32;
    if (r->is_simple && is_f32 && r->terms > 0)
        run_sum(exec, step, r, is_mean);
    else
        gn_cpu_reference_op.run(exec, step);
}

static void run_sum_to(gn_exec *exec, const gn_cpu_step *step)
{
    const reduction r =
        sum_to_reduction(exec->graph, step->node, exec->plan->values[step->node->in[0]].layout == GN_LAYOUT_NHWC);
    run_or_refer(exec, step, &r, false);
}

static void run_reduce_sum(gn_exec *exec, const gn_cpu_step *step)
{
    const reduction r = axes_reduction(exec->graph, step->node);
    run_or_refer(exec, step, &r, false);
}

static void run_reduce_mean(gn_exec *exec, const gn_cpu_step *step)
{
    const reduction r = axes_reduction(exec->graph, step->node);
    run_or_refer(exec, step, &r, true);
}

static const gn_cpu_op sum_to_op = {
    .domain = "gannet", .name = "SumTo", .step_scratch = sum_to_scratch, .run = run_sum_to, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op reduce_sum_op = {.domain = "",
                                        .name = "ReduceSum",
                                        .step_scratch = axes_scratch,
                                        .run = run_reduce_sum,
                                        .types = GN_CPU_TYPES_F32_FIRST};
static const gn_cpu_op reduce_mean_op = {.domain = "",
                                         .name = "ReduceMean",
                                         .step_scratch = axes_scratch,
                                         .run = run_reduce_mean,
                                         .types = GN_CPU_TYPES_F32_FIRST};

const gn_cpu_op *const gn_cpu_reduce_ops[] = {&sum_to_op, &reduce_sum_op, &reduce_mean_op, NULL};
