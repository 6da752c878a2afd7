/* Pooling and its gradients on the CPU.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "ops/spatial.h"

/* x: the larger side [N,C,H,W], y: the smaller side [N,C,P,Q]. */
static gn_window window_sizes(const gn_node *node, const gn_shape *x, const gn_shape *y)
{
    int64_t kernel[2], strides[2], pads[4], dilations[2];
    gn_node_ints(node, "kernel_shape", kernel, 2, 1);
    gn_node_ints(node, "strides", strides, 2, 1);
    gn_node_ints(node, "pads", pads, 4, 0);
    gn_node_ints(node, "dilations", dilations, 2, 1);
    return (gn_window){
        .N = (int)x->dim[0],
        .H = (int)x->dim[2],
        .W = (int)x->dim[3],
        .C = (int)x->dim[1],
        .P = (int)y->dim[2],
        .Q = (int)y->dim[3],
        .R = (int)kernel[0],
        .S = (int)kernel[1],
        .stride_h = (int)strides[0],
        .stride_w = (int)strides[1],
        .pad_top = (int)pads[0],
        .pad_left = (int)pads[1],
        .dil_h = (int)dilations[0],
        .dil_w = (int)dilations[1],
        .count_padding = gn_node_int(node, "count_include_pad", 0) != 0,
    };
}

static gn_status prepare_forward(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)err;
    step->p.window =
        window_sizes(step->node, gn_cpu_shape(exec, step->node->in[0]), gn_cpu_shape(exec, step->node->out[0]));
    step->p.window.src_stride = gn_cpu_stride(exec, step->node->in[0]);
    step->p.window.dst_stride = gn_cpu_stride(exec, step->node->out[0]);
    return GN_OK;
}

static gn_status prepare_backward(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)err;
    step->p.window =
        window_sizes(step->node, gn_cpu_shape(exec, step->node->out[0]), gn_cpu_shape(exec, step->node->in[0]));
    return GN_OK;
}

typedef struct pool_job {
    const gn_window *p;
    const float *src;
    const uint8_t *argmax_in;
    float *dst;
    uint8_t *argmax_out;
} pool_job;

static void max_forward_task(void *ctx, int task, int thread)
{
    const pool_job *j = ctx;
    (void)thread;
    gn_maxpool_fwd_task(j->p, j->src, j->dst, j->argmax_out, task);
}

static void max_backward_task(void *ctx, int task, int thread)
{
    const pool_job *j = ctx;
    (void)thread;
    gn_maxpool_bwd_task(j->p, j->src, j->argmax_in, j->dst, task);
}

static void average_forward_task(void *ctx, int task, int thread)
{
    const pool_job *j = ctx;
    (void)thread;
    gn_avgpool_fwd_task(j->p, j->src, j->dst, task);
}

static void average_backward_task(void *ctx, int task, int thread)
{
    const pool_job *j = ctx;
    (void)thread;
    gn_avgpool_bwd_task(j->p, j->src, j->dst, task);
}

static void adaptive_forward_task(void *ctx, int task, int thread)
{
    const pool_job *j = ctx;
    (void)thread;
    gn_adaptive_fwd_task(j->p, j->src, j->dst, task);
}

static void adaptive_backward_task(void *ctx, int task, int thread)
{
    const pool_job *j = ctx;
    (void)thread;
    gn_adaptive_bwd_task(j->p, j->src, j->dst, task);
}

static pool_job job_of(gn_exec *exec, const gn_cpu_step *step)
{
    return (pool_job){.p = &step->p.window, .src = gn_cpu_in(exec, step, 0), .dst = gn_cpu_out(exec, step, 0)};
}

static void run_max(gn_exec *exec, const gn_cpu_step *step)
{
    pool_job job = job_of(exec, step);
    if (strcmp(step->node->op->name, "MaxPoolTrain") == 0)
        job.argmax_out = gn_cpu_out(exec, step, 1);
    gn_pool_run(exec->device->pool, gn_pool_tasks(job.p), max_forward_task, &job);
}

static void run_max_grad(gn_exec *exec, const gn_cpu_step *step)
{
    pool_job job = job_of(exec, step);
    job.argmax_in = gn_cpu_in(exec, step, 1);
    gn_pool_run(exec->device->pool, gn_pool_bwd_tasks(job.p), max_backward_task, &job);
}

static void run_average(gn_exec *exec, const gn_cpu_step *step)
{
    pool_job job = job_of(exec, step);
    gn_pool_run(exec->device->pool, gn_pool_tasks(job.p), average_forward_task, &job);
}

static void run_average_grad(gn_exec *exec, const gn_cpu_step *step)
{
    pool_job job = job_of(exec, step);
    gn_pool_run(exec->device->pool, gn_pool_bwd_tasks(job.p), average_backward_task, &job);
}

static void run_adaptive(gn_exec *exec, const gn_cpu_step *step)
{
    pool_job job = job_of(exec, step);
    gn_pool_run(exec->device->pool, gn_adaptive_tasks(job.p), adaptive_forward_task, &job);
}

static void run_adaptive_grad(gn_exec *exec, const gn_cpu_step *step)
{
    pool_job job = job_of(exec, step);
    gn_pool_run(exec->device->pool, gn_adaptive_tasks(job.p), adaptive_backward_task, &job);
}

/* Where the maxima lay is asked for rarely, and left to the reference. */
static bool wants_values_only(const gn_graph *graph, const gn_node *node)
{
    return !gn_has_out(node, 1) && gn_in_shape(graph, node, 0)->rank == 4;
}

/* Other numbers of dimensions are left to the reference. */
static bool takes_pictures(const gn_graph *graph, const gn_node *node)
{
    return gn_in_shape(graph, node, 0)->rank == 4;
}

/* Averages whose last window does not hang over the padding that it counts. */
static bool takes_averages(const gn_graph *graph, const gn_node *node)
{
    gn_spatial g;
    return takes_pictures(graph, node) && gn_spatial_pool(graph, node, &g, NULL) == GN_OK &&
           !(g.count_include_pad && g.overhangs);
}

static const gn_cpu_op max_op = {.domain = "",
                                 .name = "MaxPool",
                                 .prepare = prepare_forward,
                                 .run = run_max,
                                 .takes = wants_values_only,
                                 .slices_in = 1u << 0,
                                 .slices_out = 1u << 0};
static const gn_cpu_op max_train_op = {
    .domain = "gannet", .name = "MaxPoolTrain", .prepare = prepare_forward, .run = run_max};
static const gn_cpu_op max_grad_op = {.domain = "gannet",
                                      .name = "MaxPoolGrad",
                                      .prepare = prepare_backward,
                                      .run = run_max_grad,
                                      .types = GN_CPU_TYPES_F32_FIRST};
static const gn_cpu_op average_op = {.domain = "",
                                     .name = "AveragePool",
                                     .prepare = prepare_forward,
                                     .run = run_average,
                                     .takes = takes_averages,
                                     .slices_in = 1u << 0,
                                     .slices_out = 1u << 0};
static const gn_cpu_op average_grad_op = {.domain = "gannet",
                                          .name = "AveragePoolGrad",
                                          .prepare = prepare_backward,
                                          .run = run_average_grad,
                                          .takes = takes_averages};
static const gn_cpu_op global_op = {.domain = "",
                                    .name = "GlobalAveragePool",
                                    .prepare = prepare_forward,
                                    .run = run_adaptive,
                                    .slices_in = 1u << 0,
                                    .slices_out = 1u << 0};
static const gn_cpu_op adaptive_op = {.domain = "gannet",
                                      .name = "AdaptiveAveragePool",
                                      .prepare = prepare_forward,
                                      .run = run_adaptive,
                                      .slices_in = 1u << 0,
                                      .slices_out = 1u << 0};
static const gn_cpu_op adaptive_grad_op = {
    .domain = "gannet", .name = "AdaptiveAveragePoolGrad", .prepare = prepare_backward, .run = run_adaptive_grad};

const gn_cpu_op *const gn_cpu_pool_ops[] = {&max_op,    &max_train_op, &max_grad_op,      &average_op, &average_grad_op,
                                            &global_op, &adaptive_op,  &adaptive_grad_op, NULL};
