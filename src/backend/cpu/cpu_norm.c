/* Normalisation on the CPU: of batches in training, with fixed statistics where no convolution took it in, and of layers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"
#include "kernels/layernorm.h"
#include "ops/curve_rules.h"

static gn_bn sizes(const gn_graph *graph, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    int64_t C = x->dim[1];
    return (gn_bn){
        .rows = C > 0 ? gn_shape_count(x) / C : 0,
        .C = (int)C,
        .epsilon = gn_node_float(node, "epsilon", 1e-5f),
        .momentum = 1.0f - gn_node_float(node, "momentum", 0.9f), /* ONNX counts the other way round */
        .clamp = gn_cpu_clamp_of(node),
        .curve = gn_op_curve(node),
    };
}

static size_t scratch_bytes(const gn_graph *graph, const gn_node *node)
{
    gn_bn p = sizes(graph, node);
    return gn_bn_partial_bytes(&p);
}

static gn_status prepare(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)err;
    step->p.bn = sizes(exec->graph, step->node);
    return GN_OK;
}

/* Channels are last in memory: [N,C], and N,H,W,C. */
static bool has_rows(const gn_exec *exec, int value)
{
    int rank = gn_cpu_shape(exec, value)->rank;
    return rank == 2 || rank == 4;
}

static void stats_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_bn_stats_task(ctx, task);
}

static void normalise_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_bn_normalise_task(ctx, task);
}

/* X, scale, B, mean, var -> Y, new_mean, new_var, batch_mean, batch_invstd */
static void run_train(gn_exec *exec, const gn_cpu_step *step)
{
    if (!has_rows(exec, step->node->in[0])) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    gn_bn_fwd call = {
        .p = step->p.bn,
        .x = gn_cpu_in(exec, step, 0),
        .scale = gn_cpu_in(exec, step, 1),
        .shift = gn_cpu_in(exec, step, 2),
        .running_mean_in = gn_cpu_in(exec, step, 3),
        .running_var_in = gn_cpu_in(exec, step, 4),
        .y = gn_cpu_out(exec, step, 0),
        .running_mean = gn_cpu_out(exec, step, 1),
        .running_var = gn_cpu_out(exec, step, 2),
        .mean = gn_cpu_out(exec, step, 3),
        .invstd = gn_cpu_out(exec, step, 4),
        .partial = gn_cpu_step_scratch(exec, step),
    };
    int tasks = gn_bn_tasks(&call.p);
    gn_pool_run(exec->device->pool, tasks, stats_task, &call);
    gn_bn_stats_reduce(&call);
    gn_pool_run(exec->device->pool, tasks, normalise_task, &call);
}

static void bwd_stats_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_bn_bwd_stats_task(ctx, task);
}

static void bwd_dx_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_bn_bwd_dx_task(ctx, task);
}

/* dY, X, scale, batch_mean, batch_invstd, B -> dX, dscale, dB */
static void run_grad(gn_exec *exec, const gn_cpu_step *step)
{
    if (!has_rows(exec, step->node->in[1])) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    gn_bn_bwd call = {
        .p = step->p.bn,
        .dy = gn_cpu_in(exec, step, 0),
        .x = gn_cpu_in(exec, step, 1),
        .scale = gn_cpu_in(exec, step, 2),
        .shift = gn_cpu_in(exec, step, 5),
        .mean = gn_cpu_in(exec, step, 3),
        .invstd = gn_cpu_in(exec, step, 4),
        .dx = gn_cpu_out(exec, step, 0),
        .dscale = gn_cpu_out(exec, step, 1),
        .dshift = gn_cpu_out(exec, step, 2),
        .partial = gn_cpu_step_scratch(exec, step),
    };
    int tasks = gn_bn_tasks(&call.p);
    gn_pool_run(exec->device->pool, tasks, bwd_stats_task, &call);
    gn_bn_bwd_reduce(&call);
    gn_pool_run(exec->device->pool, tasks, bwd_dx_task, &call);
}

/* ---- fixed statistics: X, scale, B, mean, var -> Y = X*factor + shift ---- */

static size_t fixed_scratch(const gn_graph *graph, const gn_node *node)
{
    return 2 * (size_t)gn_in_shape(graph, node, 0)->dim[1] * sizeof(float);
}

typedef struct fixed_job {
    const float *x, *factor, *shift;
    float *y;
    size_t C, stride; /* stride: of x, from a pixel to the next */
    gn_clamp clamp;
} fixed_job;

static void fixed_range(void *ctx, size_t begin, size_t end)
{
    const fixed_job *j = ctx;
    const size_t together = j->stride == j->C ? end - begin : 1;
    for (size_t row = begin; row < end; row += together)
        gn_f32_scale_shift_rows(j->x + row * j->stride, j->factor, j->shift, j->y + row * j->C, together, j->C,
                                j->clamp);
}

static size_t row_stride(const gn_exec *exec, const gn_cpu_step *step)
{
    const int stride = gn_cpu_stride(exec, step->node->in[0]);
    return (size_t)(stride > 0 ? stride : step->p.bn.C);
}

/* X, scale, shift -> Y, where both are known beforehand. */
static void run_scale_shift(gn_exec *exec, const gn_cpu_step *step)
{
    const size_t C = (size_t)step->p.bn.C;
    if (!has_rows(exec, step->node->in[0])) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    fixed_job job = {gn_cpu_in(exec, step, 0),
                     gn_cpu_in(exec, step, 1),
                     gn_cpu_in(exec, step, 2),
                     gn_cpu_out(exec, step, 0),
                     C,
                     row_stride(exec, step),
                     step->clamp};
    gn_cpu_for_range(exec, (size_t)step->p.bn.rows, GN_CPU_CHUNK / C + 1, fixed_range, &job);
}

static void run_fixed(gn_exec *exec, const gn_cpu_step *step)
{
    size_t C = (size_t)step->p.bn.C, rows = (size_t)step->p.bn.rows;
    if (!has_rows(exec, step->node->in[0])) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    const float *scale = gn_cpu_in(exec, step, 1), *b = gn_cpu_in(exec, step, 2), *mean = gn_cpu_in(exec, step, 3),
                *var = gn_cpu_in(exec, step, 4);
    float *factor = gn_cpu_step_scratch(exec, step), *shift = factor + C;
    for (size_t c = 0; c < C; c++) {
        double f = (double)scale[c] / sqrt((double)var[c] + (double)step->p.bn.epsilon);
        factor[c] = (float)f;
        shift[c] = (float)((double)b[c] - (double)mean[c] * f);
    }
    fixed_job job = {gn_cpu_in(exec, step, 0), factor,     shift, gn_cpu_out(exec, step, 0), C,
                     row_stride(exec, step),   step->clamp};
    gn_cpu_for_range(exec, rows, GN_CPU_CHUNK / C + 1, fixed_range, &job);
}

/* ---- layer normalisation: X, scale, B -> Y, mean, invstd ---- */

/* Operand x of the node as rows from the axis on; the scale behind it has to be as wide (a scale that broadcasts goes to the reference). */
static bool layer_sizes(const gn_graph *graph, const gn_node *node, int x, gn_ln *out)
{
    const gn_shape *shape = gn_in_shape(graph, node, x);
    int64_t axis = gn_node_int(node, "axis", -1), width = 1;
    for (int64_t d = axis < 0 ? axis + shape->rank : axis; d < shape->rank; d++)
        width *= shape->dim[d];
    *out = (gn_ln){width > 0 ? gn_shape_count(shape) / width : 0, (int)width, gn_node_float(node, "epsilon", 1e-5f)};
    for (int i = x + 1; i < node->n_in; i++)
        if (gn_has_in(node, i) && gn_shape_count(gn_in_shape(graph, node, i)) != width)
            return false;
    return true;
}

static void layer_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_ln_fwd_task(ctx, task);
}

static void run_layer(gn_exec *exec, const gn_cpu_step *step)
{
    gn_ln_fwd call = {.x = gn_cpu_in(exec, step, 0),
                      .scale = gn_cpu_in(exec, step, 1),
                      .shift = gn_cpu_in(exec, step, 2),
                      .y = gn_cpu_out(exec, step, 0),
                      .mean = gn_cpu_out(exec, step, 1),
                      .invstd = gn_cpu_out(exec, step, 2)};
    if (layer_sizes(exec->graph, step->node, 0, &call.p))
        gn_pool_run(exec->device->pool, gn_ln_tasks(&call.p), layer_task, &call);
    else
        gn_cpu_reference_op.run(exec, step);
}

static void layer_grad_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_ln_bwd_task(ctx, task);
}

static size_t layer_grad_scratch(const gn_graph *graph, const gn_node *node)
{
    gn_ln p;
    return layer_sizes(graph, node, 1, &p) ? gn_ln_partial_bytes(&p) : 0;
}

/* dY, X, scale -> dX, dscale, dB */
static void run_layer_grad(gn_exec *exec, const gn_cpu_step *step)
{
    gn_ln_bwd call = {.dy = gn_cpu_in(exec, step, 0),
                      .x = gn_cpu_in(exec, step, 1),
                      .scale = gn_cpu_in(exec, step, 2),
                      .dx = gn_cpu_out(exec, step, 0),
                      .dscale = gn_cpu_out(exec, step, 1),
                      .dshift = gn_cpu_out(exec, step, 2),
                      .partial = gn_cpu_step_scratch(exec, step)};
    if (!layer_sizes(exec->graph, step->node, 1, &call.p) || !call.dx || !call.dscale || !call.dshift) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    gn_pool_run(exec->device->pool, gn_ln_tasks(&call.p), layer_grad_task, &call);
    gn_ln_bwd_reduce(&call);
}

static const gn_cpu_op layer_op = {.domain = "", .name = "LayerNormalization", .run = run_layer};
static const gn_cpu_op layer_grad_op = {
    .domain = "gannet", .name = "LayerNormGrad", .step_scratch = layer_grad_scratch, .run = run_layer_grad};
static const gn_cpu_op fixed_op = {.domain = "",
                                   .name = "BatchNormalization",
                                   .step_scratch = fixed_scratch,
                                   .prepare = prepare,
                                   .run = run_fixed,
                                   .slices_in = 1u << 0};
static const gn_cpu_op train_op = {
    .domain = "gannet", .name = "BatchNormTrain", .step_scratch = scratch_bytes, .prepare = prepare, .run = run_train};
static const gn_cpu_op grad_op = {
    .domain = "gannet", .name = "BatchNormGrad", .step_scratch = scratch_bytes, .prepare = prepare, .run = run_grad};
static const gn_cpu_op scale_shift_op = {
    .domain = "gannet", .name = "ScaleShift", .prepare = prepare, .run = run_scale_shift, .slices_in = 1u << 0};

const gn_cpu_op *const gn_cpu_norm_ops[] = {&layer_op, &layer_grad_op, &fixed_op, &scale_shift_op,
                                            &train_op, &grad_op,       NULL};
