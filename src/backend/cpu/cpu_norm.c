/* Batch normalisation in training on the CPU.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"

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
    gn_bn_fwd call = {
        .p = step->p.bn,
        .x = gn_cpu_in(exec, step, 0), .scale = gn_cpu_in(exec, step, 1), .shift = gn_cpu_in(exec, step, 2),
        .running_mean_in = gn_cpu_in(exec, step, 3), .running_var_in = gn_cpu_in(exec, step, 4),
        .y = gn_cpu_out(exec, step, 0), .running_mean = gn_cpu_out(exec, step, 1), .running_var = gn_cpu_out(exec, step, 2),
        .mean = gn_cpu_out(exec, step, 3), .invstd = gn_cpu_out(exec, step, 4),
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

/* dY, X, Y, scale, batch_mean, batch_invstd -> dX, dscale, dB */
static void run_grad(gn_exec *exec, const gn_cpu_step *step)
{
    gn_bn_bwd call = {
        .p = step->p.bn,
        .dy = gn_cpu_in(exec, step, 0), .x = gn_cpu_in(exec, step, 1), .y = gn_cpu_in(exec, step, 2),
        .scale = gn_cpu_in(exec, step, 3), .mean = gn_cpu_in(exec, step, 4), .invstd = gn_cpu_in(exec, step, 5),
        .dx = gn_cpu_out(exec, step, 0), .dscale = gn_cpu_out(exec, step, 1), .dshift = gn_cpu_out(exec, step, 2),
        .partial = gn_cpu_step_scratch(exec, step),
    };
    int tasks = gn_bn_tasks(&call.p);
    gn_pool_run(exec->device->pool, tasks, bwd_stats_task, &call);
    gn_bn_bwd_reduce(&call);
    gn_pool_run(exec->device->pool, tasks, bwd_dx_task, &call);
}

static const gn_cpu_op train_op = {"gannet", "BatchNormTrain", scratch_bytes, prepare, run_train, NULL};
static const gn_cpu_op grad_op = {"gannet", "BatchNormGrad", scratch_bytes, prepare, run_grad, NULL};

const gn_cpu_op *const gn_cpu_norm_ops[] = {&train_op, &grad_op, NULL};
