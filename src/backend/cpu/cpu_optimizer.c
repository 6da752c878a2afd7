/* Optimiser steps, moving averages and gradient clipping on the CPU.  One job covers all parameters: it is cut into pieces of equal
 * size when the graph is compiled, so that many small tensors cost no more than one large one.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"
#include "kernels/optimizer.h"
#include "ops/optimizer_rules.h"

/* A piece of one of the n tensors. */
typedef struct piece {
    int tensor;
    size_t begin, n;
} piece;

typedef struct pieces {
    int n_tensors, n_pieces;
    float *weight_decay; /* per tensor; behind the pieces in the same block */
    piece list[];
} pieces;

/* first: input that is tensor 0; the n tensors follow each other. */
static gn_status cut(gn_exec *exec, gn_cpu_step *step, int first, int n, gn_error *err)
{
    size_t count = 0;
    for (int i = 0; i < n; i++)
        count += ((size_t)gn_cpu_elements(exec, step->node->in[first + i]) + GN_CPU_CHUNK - 1) / GN_CPU_CHUNK;
    pieces *all = gn_calloc(1, sizeof *all + count * sizeof(piece) + (size_t)n * sizeof(float));
    if (!all)
        return gn_fail(err, GN_ENOMEM, "node %s: out of memory", step->node->name);
    all->n_tensors = n;
    all->weight_decay = (float *)(void *)(all->list + count);
    for (int i = 0; i < n; i++) {
        size_t size = (size_t)gn_cpu_elements(exec, step->node->in[first + i]);
        for (size_t at = 0; at < size; at += GN_CPU_CHUNK)
            all->list[all->n_pieces++] = (piece){i, at, size - at < GN_CPU_CHUNK ? size - at : GN_CPU_CHUNK};
    }
    const gn_attr *decay = gn_node_attr(step->node, "weight_decay");
    for (int i = 0; i < n && decay && decay->type == GN_ATTR_FLOATS && i < decay->n; i++)
        all->weight_decay[i] = decay->u.floats[i];
    step->detail = all;
    return GN_OK;
}

typedef struct optimizer_job {
    const gn_exec *exec;
    const gn_cpu_step *step;
    const pieces *all;
    const float *hyper;
    gn_sgd_step sgd;
    gn_adam_step adam;
} optimizer_job;

/* Tensor t of the group that begins at operand `first`. */
static float *tensor_in(const optimizer_job *j, int first, const piece *p)
{
    return (float *)gn_cpu_in(j->exec, j->step, first + p->tensor) + p->begin;
}

static float *tensor_out(const optimizer_job *j, int group, const piece *p)
{
    return (float *)gn_cpu_out(j->exec, j->step, group * j->all->n_tensors + p->tensor) + p->begin;
}

/* States are updated in place; a result with memory of its own gets a copy first. */
static float *updated(const optimizer_job *j, int first, int group, const piece *p)
{
    float *in = tensor_in(j, first, p), *out = tensor_out(j, group, p);
    if (in != out)
        memcpy(out, in, p->n * sizeof *out);
    return out;
}

/* ---- SGD: hyper, grad_scale, w, g, v -> w', v' ---- */

static gn_status prepare_step(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    return cut(exec, step, 2, (int)gn_node_int(step->node, "n", 0), err);
}

static void sgd_task(void *ctx, int task, int thread)
{
    const optimizer_job *j = ctx;
    (void)thread;
    const piece *p = &j->all->list[task];
    int n = j->all->n_tensors;
    gn_sgd_step rule = j->sgd;
    rule.weight_decay = j->all->weight_decay[p->tensor];
    float *v = rule.momentum != 0.0f ? updated(j, 2 + 2 * n, 1, p) : NULL;
    gn_f32_sgd(&rule, updated(j, 2, 0, p), tensor_in(j, 2 + n, p), v, p->n);
}

static void run_sgd(gn_exec *exec, const gn_cpu_step *step)
{
    const float *hyper = gn_cpu_in(exec, step, 0), *scale = gn_cpu_in(exec, step, 1);
    optimizer_job job = {.exec = exec, .step = step, .all = step->detail, .hyper = hyper};
    job.sgd = (gn_sgd_step){.lr = hyper[GN_HYPER_LR],
                            .momentum = gn_node_float(step->node, "momentum", 0.0f) - hyper[GN_HYPER_MOMENTUM_LESS],
                            .grad_scale = *scale,
                            .nesterov = gn_node_int(step->node, "nesterov", 0) != 0,
                            .first = hyper[GN_HYPER_FIRST] != 0.0f};
    gn_pool_run(exec->device->pool, job.all->n_pieces, sgd_task, &job);
}

/* ---- Adam: hyper, grad_scale, w, g, m, v -> w', m', v' ---- */

static void adam_task(void *ctx, int task, int thread)
{
    const optimizer_job *j = ctx;
    (void)thread;
    const piece *p = &j->all->list[task];
    int n = j->all->n_tensors;
    gn_adam_step rule = j->adam;
    rule.weight_decay = j->all->weight_decay[p->tensor];
    gn_f32_adam(&rule, updated(j, 2, 0, p), tensor_in(j, 2 + n, p), updated(j, 2 + 2 * n, 1, p),
                updated(j, 2 + 3 * n, 2, p), p->n);
}

static void run_adam(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_node *node = step->node;
    const float *hyper = gn_cpu_in(exec, step, 0), *scale = gn_cpu_in(exec, step, 1);
    optimizer_job job = {.exec = exec, .step = step, .all = step->detail, .hyper = hyper};
    job.adam = (gn_adam_step){.lr = hyper[GN_HYPER_LR],
                              .bias1 = hyper[GN_HYPER_BIAS1],
                              .bias2 = hyper[GN_HYPER_BIAS2],
                              .grad_scale = *scale,
                              .beta1 = gn_node_float(node, "beta1", 0.9f),
                              .beta2 = gn_node_float(node, "beta2", 0.999f),
                              .epsilon = gn_node_float(node, "epsilon", 1e-8f),
                              .decoupled = gn_node_int(node, "decoupled", 0) != 0};
    gn_pool_run(exec->device->pool, job.all->n_pieces, adam_task, &job);
}

/* ---- moving average: hyper, e, w' -> e' ---- */

static gn_status prepare_ema(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    return cut(exec, step, 1, (int)gn_node_int(step->node, "n", 0), err);
}

static void ema_task(void *ctx, int task, int thread)
{
    const optimizer_job *j = ctx;
    (void)thread;
    const piece *p = &j->all->list[task];
    gn_f32_ema(j->hyper[GN_HYPER_EMA_DECAY], updated(j, 1, 0, p), tensor_in(j, 1 + j->all->n_tensors, p), p->n);
}

static void run_ema(gn_exec *exec, const gn_cpu_step *step)
{
    optimizer_job job = {.exec = exec, .step = step, .all = step->detail, .hyper = gn_cpu_in(exec, step, 0)};
    gn_pool_run(exec->device->pool, job.all->n_pieces, ema_task, &job);
}

/* ---- clipping: g -> scale, norm ---- */

static size_t clip_scratch(const gn_graph *graph, const gn_node *node)
{
    size_t count = 0;
    for (int i = 0; i < node->n_in; i++)
        count += ((size_t)gn_shape_count(gn_in_shape(graph, node, i)) + GN_CPU_CHUNK - 1) / GN_CPU_CHUNK;
    return (count + 1) * sizeof(double);
}

static gn_status prepare_clip(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    return cut(exec, step, 0, step->node->n_in, err);
}

static void squares_task(void *ctx, int task, int thread)
{
    const optimizer_job *j = ctx;
    (void)thread;
    double *sums = gn_cpu_step_scratch(j->exec, j->step);
    const piece *p = &j->all->list[task];
    sums[task] = gn_f32_sum_squares(tensor_in(j, 0, p), p->n);
}

static void run_clip(gn_exec *exec, const gn_cpu_step *step)
{
    optimizer_job job = {.exec = exec, .step = step, .all = step->detail, .hyper = NULL};
    gn_pool_run(exec->device->pool, job.all->n_pieces, squares_task, &job);
    const double *sums = gn_cpu_step_scratch(exec, step);
    double total = 0.0, max_norm = (double)gn_node_float(step->node, "max_norm", 0.0f);
    for (int i = 0; i < job.all->n_pieces; i++)
        total += sums[i];
    double norm = sqrt(total), scale = max_norm / (norm + 1e-6);
    float *scale_out = gn_cpu_out(exec, step, 0), *norm_out = gn_cpu_out(exec, step, 1);
    *scale_out = max_norm > 0.0 && scale < 1.0 ? (float)scale : 1.0f;
    if (norm_out)
        *norm_out = (float)norm;
}

static const gn_cpu_op sgd_op = {.domain = "gannet", .name = "Sgd", .prepare = prepare_step, .run = run_sgd};
static const gn_cpu_op adam_op = {.domain = "gannet", .name = "Adam", .prepare = prepare_step, .run = run_adam};
static const gn_cpu_op ema_op = {.domain = "gannet", .name = "Ema", .prepare = prepare_ema, .run = run_ema};
static const gn_cpu_op clip_op = {
    .domain = "gannet", .name = "GradClip", .step_scratch = clip_scratch, .prepare = prepare_clip, .run = run_clip};

const gn_cpu_op *const gn_cpu_optimizer_ops[] = {&sgd_op, &adam_op, &ema_op, &clip_op, NULL};
