/* Convolution and its gradients on the CPU: dense and grouped through the implicit matrix product, depthwise through its own kernels.
 * Weights that never change are packed when the graph is compiled; weights in training are packed by each run into step scratch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"
#include "kernels/depthwise.h"
#include "ops/curve_rules.h"

/* Sizes from attributes; x: [N,C,H,W], w: [K,C/g,R,S], y: [N,K,P,Q]. */
static gn_conv conv_sizes(const gn_node *node, const gn_shape *x, const gn_shape *w, const gn_shape *y)
{
    int64_t strides[2], pads[4], dilations[2];
    gn_node_ints(node, "strides", strides, 2, 1);
    gn_node_ints(node, "pads", pads, 4, 0);
    gn_node_ints(node, "dilations", dilations, 2, 1);
    return (gn_conv){
        .N = (int)x->dim[0],
        .H = (int)x->dim[2],
        .W = (int)x->dim[3],
        .C = (int)x->dim[1],
        .P = (int)y->dim[2],
        .Q = (int)y->dim[3],
        .K = (int)y->dim[1],
        .R = (int)w->dim[2],
        .S = (int)w->dim[3],
        .stride_h = (int)strides[0],
        .stride_w = (int)strides[1],
        .pad_top = (int)pads[0],
        .pad_left = (int)pads[1],
        .dil_h = (int)dilations[0],
        .dil_w = (int)dilations[1],
        .groups = (int)gn_node_int(node, "group", 1),
    };
}

static bool is_depthwise(const gn_conv *p)
{
    return p->groups > 1 && p->groups == p->C && p->groups == p->K;
}

static const gn_shape *out_shape(const gn_graph *graph, const gn_node *node, int i)
{
    return &gn_graph_value(graph, node->out[i])->shape;
}

static gn_conv forward_sizes(const gn_graph *graph, const gn_node *node)
{
    return conv_sizes(node, gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1), out_shape(graph, node, 0));
}

static bool forward_packs_each_run(const gn_graph *graph, const gn_node *node)
{
    return gn_cpu_value_changes(graph, node->in[1]) ||
           (gn_has_in(node, 2) && gn_cpu_value_changes(graph, node->in[2])) ||
           (gn_has_in(node, 4) && gn_cpu_value_changes(graph, node->in[4]));
}

static size_t forward_pack_bytes(const gn_conv *p)
{
    return is_depthwise(p) ? gn_dw_pack_bytes(p) : gn_conv_pack_bytes(p);
}

static size_t forward_scratch(const gn_graph *graph, const gn_node *node)
{
    gn_conv p = forward_sizes(graph, node);
    return forward_packs_each_run(graph, node) ? forward_pack_bytes(&p) : 0;
}

static bool forward_takes_plain(const gn_graph *graph, const gn_node *node, int i)
{
    if (i != 0)
        return false;
    gn_conv p = forward_sizes(graph, node);
    return !is_depthwise(&p) && gn_conv_fwd_takes_plain(&p);
}

typedef struct pack_job {
    const gn_conv *p;
    const float *w, *bias, *scale;
    void *packed;
    int panels, per_task;
    bool backward;
} pack_job;

static void pack_task(void *ctx, int task, int thread)
{
    const pack_job *job = ctx;
    (void)thread;
    int begin = task * job->per_task, end = begin + job->per_task < job->panels ? begin + job->per_task : job->panels;
    if (job->backward)
        gn_conv_bwd_data_pack(job->p, job->w, job->packed, begin, end);
    else
        gn_conv_pack(job->p, job->w, job->bias, job->scale, job->packed, begin, end);
}

static void pack(const gn_exec *exec, const gn_conv *p, const float *w, const float *bias, const float *scale,
                 void *packed, bool backward)
{
    if (is_depthwise(p)) {
        gn_dw_pack(p, w, bias, scale, packed);
        return;
    }
    pack_job job = {
        p, w, bias, scale, packed, backward ? gn_conv_bwd_data_pack_panels(p) : gn_conv_pack_panels(p), 1, backward};
    int64_t weights = (int64_t)p->K * (p->C / p->groups) * p->R * p->S;
    job.per_task = weights < 32768 ? job.panels : 1; /* small filters are packed by one thread */
    gn_pool_run(exec->device->pool, (job.panels + job.per_task - 1) / job.per_task, pack_task, &job);
}

/* Plain memory that differs from N,H,W,C. */
static bool reads_plain(const gn_exec *exec, int value)
{
    const gn_shape *s = gn_cpu_shape(exec, value);
    return exec->plan->values[value].layout == GN_LAYOUT_PLAIN && s->dim[1] > 1 && s->dim[2] * s->dim[3] > 1;
}

static gn_status prepare_forward(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    const gn_node *node = step->node;
    step->p.conv = forward_sizes(exec->graph, node);
    const gn_conv *p = &step->p.conv;
    step->p.conv.src_stride = gn_cpu_stride(exec, node->in[0]);
    step->p.conv.dst_stride = gn_cpu_stride(exec, node->out[0]);
    step->is_depthwise = is_depthwise(p);
    step->src_is_plain = !step->is_depthwise && reads_plain(exec, node->in[0]) && gn_conv_fwd_takes_plain(p);
    if (!step->is_depthwise)
        step->p.conv.choice = gn_conv_fwd_chosen(p, exec->device->n_threads);
    step->thread_bytes = step->is_depthwise ? 0 : gn_conv_fwd_scratch_bytes(p);
    step->packs_each_run = forward_packs_each_run(exec->graph, node);
    if (step->packs_each_run)
        return GN_OK;
    step->packed_bytes = forward_pack_bytes(p);
    step->packed = gn_alloc(step->packed_bytes);
    if (!step->packed)
        return gn_fail(err, GN_ENOMEM, "node %s: out of memory for packed weights (%zu bytes)", node->name,
                       step->packed_bytes);
    pack(exec, p, gn_cpu_in(exec, step, 1), gn_cpu_in(exec, step, 2), gn_cpu_in(exec, step, 4), step->packed, false);
    return GN_OK;
}

static void forward_kernel(const gn_cpu_step *step, gn_step_kernel *kernel_out)
{
    if (step->is_depthwise)
        *kernel_out = (gn_step_kernel){"depthwise", 1};
    else
        gn_cpu_conv_kernel(step, kernel_out);
}

static int forward_choices(const gn_exec *exec, const gn_cpu_step *step, gn_step_kernel *choices, int max)
{
    return step->is_depthwise || step->packs_each_run ? 0 : gn_cpu_conv_choices(exec, step, choices, max);
}

/* Weights in another order are packed beside the old ones, which go when all is well. */
static gn_status choose_forward(gn_exec *exec, gn_cpu_step *step, const char *name, gn_error *err)
{
    gn_conv p = step->p.conv;
    if (step->is_depthwise || step->packs_each_run)
        return gn_fail(err, GN_EINVAL, "node %s has no kernels to choose from, '%s' was wanted", step->node->name,
                       name);
    GN_TRY(gn_cpu_conv_check_choice(exec, step, name, &p.choice, err));
    if (!gn_conv_fwd_packs_alike(&p, p.choice, step->p.conv.choice)) {
        const size_t bytes = forward_pack_bytes(&p);
        void *packed = gn_alloc(bytes);
        if (!packed)
            return gn_fail(err, GN_ENOMEM, "node %s: out of memory for packed weights (%zu bytes)", step->node->name,
                           bytes);
        pack(exec, &p, gn_cpu_in(exec, step, 1), gn_cpu_in(exec, step, 2), gn_cpu_in(exec, step, 4), packed, false);
        gn_free(step->packed);
        step->packed = packed;
        step->packed_bytes = bytes;
    }
    step->p.conv = p;
    step->thread_bytes = gn_conv_fwd_scratch_bytes(&p);
    return GN_OK;
}

typedef struct forward_job {
    const gn_exec *exec;
    gn_conv_fwd call;
    gn_dw_fwd depthwise;
} forward_job;

static void dense_task(void *ctx, int task, int thread)
{
    const forward_job *job = ctx;
    gn_conv_fwd_task(&job->call, task, gn_cpu_thread_scratch(job->exec, thread));
}

static void plain_task(void *ctx, int task, int thread)
{
    const forward_job *job = ctx;
    gn_conv_fwd_plain_task(&job->call, task, gn_cpu_thread_scratch(job->exec, thread));
}

static void depthwise_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_dw_fwd_task(&((const forward_job *)ctx)->depthwise, task);
}

/* Kernels find the residual as far apart as the result: where it lies otherwise, it is copied into the result first. */
static const float *near_residual(const gn_exec *exec, const gn_cpu_step *step, const float *residual, float *dst)
{
    const gn_conv *p = &step->p.conv;
    const int stride = residual ? gn_cpu_stride(exec, step->node->in[3]) : p->dst_stride;
    if (stride == p->dst_stride)
        return residual;
    gn_cpu_copy_rows(exec, residual, (size_t)(stride > 0 ? stride : p->K), dst, (size_t)gn_conv_dst_stride(p),
                     (size_t)p->K, (size_t)p->N * (size_t)p->P * (size_t)p->Q);
    return dst;
}

static void run_forward(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_conv *p = &step->p.conv;
    void *packed = step->packed;
    if (step->packs_each_run) {
        packed = gn_cpu_step_scratch(exec, step);
        pack(exec, p, gn_cpu_in(exec, step, 1), gn_cpu_in(exec, step, 2), gn_cpu_in(exec, step, 4), packed, false);
    }
    const float *src = gn_cpu_in(exec, step, 0), *residual = gn_cpu_in(exec, step, 3);
    float *dst = gn_cpu_out(exec, step, 0);
    residual = near_residual(exec, step, residual, dst);
    forward_job job = {.exec = exec};
    if (step->is_depthwise) {
        job.depthwise = (gn_dw_fwd){*p, src, packed, residual, dst, step->clamp, gn_op_curve(step->node)};
        gn_pool_run(exec->device->pool, gn_dw_fwd_tasks(p), depthwise_task, &job);
        return;
    }
    job.call = (gn_conv_fwd){*p, src, packed, residual, dst, step->clamp, exec->device->zeros, gn_op_curve(step->node)};
    gn_pool_run(exec->device->pool, gn_conv_fwd_tasks(p), step->src_is_plain ? plain_task : dense_task, &job);
}

/* ---- gradient by data: inputs dY, W; output dX ---- */

static gn_conv data_sizes(const gn_graph *graph, const gn_node *node)
{
    return conv_sizes(node, out_shape(graph, node, 0), gn_in_shape(graph, node, 1), gn_in_shape(graph, node, 0));
}

static size_t data_scratch(const gn_graph *graph, const gn_node *node)
{
    gn_conv p = data_sizes(graph, node);
    return is_depthwise(&p) ? gn_dw_pack_bytes(&p) : gn_conv_bwd_data_pack_bytes(&p);
}

static gn_status prepare_data(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)err;
    step->p.conv = data_sizes(exec->graph, step->node);
    step->is_depthwise = is_depthwise(&step->p.conv);
    if (!step->is_depthwise)
        step->p.conv.choice = gn_conv_bwd_data_chosen(&step->p.conv, exec->device->n_threads);
    step->thread_bytes = step->is_depthwise ? 0 : gn_conv_bwd_data_scratch_bytes(&step->p.conv);
    return GN_OK;
}

typedef struct data_job {
    const gn_exec *exec;
    gn_conv_bwd_data call;
    gn_dw_bwd_data depthwise;
} data_job;

static void data_task(void *ctx, int task, int thread)
{
    const data_job *job = ctx;
    gn_conv_bwd_data_task(&job->call, task, gn_cpu_thread_scratch(job->exec, thread));
}

static void depthwise_data_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_dw_bwd_data_task(&((const data_job *)ctx)->depthwise, task);
}

static void run_data(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_conv *p = &step->p.conv;
    void *packed = gn_cpu_step_scratch(exec, step);
    pack(exec, p, gn_cpu_in(exec, step, 1), NULL, NULL, packed, true);
    const float *ddst = gn_cpu_in(exec, step, 0);
    float *dsrc = gn_cpu_out(exec, step, 0);
    data_job job = {.exec = exec};
    if (step->is_depthwise) {
        job.depthwise = (gn_dw_bwd_data){*p, ddst, packed, dsrc, false};
        gn_pool_run(exec->device->pool, gn_dw_bwd_data_tasks(p), depthwise_data_task, &job);
        return;
    }
    job.call = (gn_conv_bwd_data){*p, ddst, packed, dsrc, false, exec->device->zeros};
    gn_pool_run(exec->device->pool, gn_conv_bwd_data_tasks(p), data_task, &job);
}

/* ---- gradient by weights: inputs dY, X; outputs dW, dB ---- */

static gn_conv weight_sizes(const gn_graph *graph, const gn_node *node)
{
    return conv_sizes(node, gn_in_shape(graph, node, 1), out_shape(graph, node, 0), gn_in_shape(graph, node, 0));
}

static size_t weight_scratch(const gn_graph *graph, const gn_node *node)
{
    gn_conv p = weight_sizes(graph, node);
    return is_depthwise(&p) ? gn_dw_bwd_weight_partial_bytes(&p) : gn_conv_bwd_weight_partial_bytes(&p);
}

static bool weight_takes_plain(const gn_graph *graph, const gn_node *node, int i)
{
    if (i != 1)
        return false;
    gn_conv p = weight_sizes(graph, node);
    return !is_depthwise(&p) && gn_conv_fwd_takes_plain(&p);
}

static gn_status prepare_weight(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)err;
    step->p.conv = weight_sizes(exec->graph, step->node);
    step->is_depthwise = is_depthwise(&step->p.conv);
    step->src_is_plain =
        !step->is_depthwise && reads_plain(exec, step->node->in[1]) && gn_conv_fwd_takes_plain(&step->p.conv);
    if (!step->is_depthwise)
        step->p.conv.choice = gn_conv_fwd_chosen(&step->p.conv, exec->device->n_threads);
    step->thread_bytes = step->is_depthwise ? 0 : gn_conv_bwd_weight_scratch_bytes(&step->p.conv);
    return GN_OK;
}

typedef struct weight_job {
    const gn_exec *exec;
    gn_conv_bwd_weight call;
    gn_dw_bwd_weight depthwise;
} weight_job;

static void weight_task(void *ctx, int task, int thread)
{
    const weight_job *job = ctx;
    gn_conv_bwd_weight_task(&job->call, task, gn_cpu_thread_scratch(job->exec, thread));
}

static void weight_reduce_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_conv_bwd_weight_reduce_task(&((const weight_job *)ctx)->call, task);
}

static void depthwise_weight_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_dw_bwd_weight_task(&((const weight_job *)ctx)->depthwise, task);
}

static void depthwise_weight_reduce_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_dw_bwd_weight_reduce_task(&((const weight_job *)ctx)->depthwise, task);
}

static void run_weight(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_conv *p = &step->p.conv;
    const float *ddst = gn_cpu_in(exec, step, 0), *src = gn_cpu_in(exec, step, 1);
    float *dw = gn_cpu_out(exec, step, 0), *dbias = gn_cpu_out(exec, step, 1);
    void *partial = gn_cpu_step_scratch(exec, step);
    gn_pool *pool = exec->device->pool;
    weight_job job = {.exec = exec};
    if (step->is_depthwise) {
        job.depthwise = (gn_dw_bwd_weight){*p, src, ddst, dw, dbias, partial};
        gn_pool_run(pool, gn_dw_bwd_weight_tasks(p), depthwise_weight_task, &job);
        gn_pool_run(pool, gn_dw_bwd_weight_reduce_tasks(p), depthwise_weight_reduce_task, &job);
        return;
    }
    job.call = (gn_conv_bwd_weight){*p, src, ddst, dw, dbias, partial, exec->device->zeros, step->src_is_plain};
    gn_pool_run(pool, gn_conv_bwd_weight_tasks(p), weight_task, &job);
    gn_pool_run(pool, gn_conv_bwd_weight_reduce_tasks(p), weight_reduce_task, &job);
}

/* Other numbers of dimensions are left to the reference. */
static bool takes_pictures(const gn_graph *graph, const gn_node *node)
{
    return gn_in_shape(graph, node, 0)->rank == 4;
}

static const gn_cpu_op conv_op = {.domain = "",
                                  .name = "Conv",
                                  .step_scratch = forward_scratch,
                                  .prepare = prepare_forward,
                                  .run = run_forward,
                                  .takes_plain = forward_takes_plain,
                                  .slices_in = 1u << 0,
                                  .slices_out = 1u << 0,
                                  .takes = takes_pictures,
                                  .kernel = forward_kernel,
                                  .choices = forward_choices,
                                  .choose = choose_forward};
static const gn_cpu_op fused_op = {.domain = "gannet",
                                   .name = "FusedConv",
                                   .step_scratch = forward_scratch,
                                   .prepare = prepare_forward,
                                   .run = run_forward,
                                   .takes_plain = forward_takes_plain,
                                   .slices_in = 1u << 0 | 1u << 3,
                                   .slices_out = 1u << 0,
                                   .kernel = forward_kernel,
                                   .choices = forward_choices,
                                   .choose = choose_forward};
static const gn_cpu_op data_op = {
    .domain = "gannet", .name = "ConvGradData", .step_scratch = data_scratch, .prepare = prepare_data, .run = run_data};
static const gn_cpu_op weight_op = {.domain = "gannet",
                                    .name = "ConvGradWeight",
                                    .step_scratch = weight_scratch,
                                    .prepare = prepare_weight,
                                    .run = run_weight,
                                    .takes_plain = weight_takes_plain};

const gn_cpu_op *const gn_cpu_conv_ops[] = {&conv_op, &fused_op, &data_op, &weight_op, NULL};
