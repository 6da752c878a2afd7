/* ConvTranspose of pictures on the CPU: the kernels of a convolution's gradient by data, then the bias.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"
#include "graph/op.h"
#include "kernels/depthwise.h"
#include "ops/windows.h"

/* The convolution whose gradient by data this is: its input is our result. */
static gn_conv conv_of(const gn_windows *g)
{
    return (gn_conv){
        .N = (int)g->N,
        .H = (int)g->in[1],
        .W = (int)g->in[2],
        .C = (int)g->C,
        .P = (int)g->out[1],
        .Q = (int)g->out[2],
        .K = (int)g->K,
        .R = (int)g->window[1],
        .S = (int)g->window[2],
        .stride_h = (int)g->stride[1],
        .stride_w = (int)g->stride[2],
        .pad_top = (int)g->begin[1],
        .pad_left = (int)g->begin[2],
        .dil_h = (int)g->dil[1],
        .dil_w = (int)g->dil[2],
        .groups = (int)g->group,
    };
}

static bool is_depthwise(const gn_conv *p)
{
    return p->groups > 1 && p->groups == p->C && p->groups == p->K;
}

/* Two dimensions, and sizes that a convolution of the result would have. */
static bool is_transposed_conv(const gn_graph *graph, const gn_node *node)
{
    gn_windows g;
    if (gn_windows_transposed(graph, node, &g, NULL) != GN_OK || g.spatial != 2)
        return false;
    for (int d = 1; d < GN_MAX_SPATIAL; d++) {
        const int64_t left = g.in[d] + g.begin[d] + g.end[d] - g.dil[d] * (g.window[d] - 1) - 1;
        if (left < 0 || left / g.stride[d] + 1 != g.out[d] || g.in[d] > (1 << 24))
            return false;
    }
    return true;
}

static size_t pack_bytes(const gn_conv *p)
{
    return is_depthwise(p) ? gn_dw_pack_bytes(p) : gn_conv_bwd_data_pack_bytes(p);
}

static size_t scratch_bytes(const gn_graph *graph, const gn_node *node)
{
    gn_windows g;
    if (!gn_cpu_value_changes(graph, node->in[1]) || gn_windows_transposed(graph, node, &g, NULL) != GN_OK)
        return 0;
    const gn_conv p = conv_of(&g);
    return pack_bytes(&p);
}

static void pack(const gn_conv *p, const float *w, void *packed)
{
    if (is_depthwise(p))
        gn_dw_pack(p, w, NULL, NULL, packed);
    else
        gn_conv_bwd_data_pack(p, w, packed, 0, gn_conv_bwd_data_pack_panels(p));
}

static gn_status prepare(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    gn_windows g;
    GN_TRY(gn_windows_transposed(exec->graph, step->node, &g, err));
    step->p.conv = conv_of(&g);
    step->is_depthwise = is_depthwise(&step->p.conv);
    if (!step->is_depthwise)
        step->p.conv.choice = gn_conv_bwd_data_chosen(&step->p.conv, exec->device->n_threads);
    step->thread_bytes = step->is_depthwise ? 0 : gn_conv_bwd_data_scratch_bytes(&step->p.conv);
    step->packs_each_run = gn_cpu_value_changes(exec->graph, step->node->in[1]);
    if (step->packs_each_run)
        return GN_OK;
    step->packed_bytes = pack_bytes(&step->p.conv);
    step->packed = gn_alloc(step->packed_bytes);
    if (!step->packed)
        return gn_fail(err, GN_ENOMEM, "node %s: out of memory for packed weights (%zu bytes)", step->node->name,
                       step->packed_bytes);
    pack(&step->p.conv, gn_cpu_in(exec, step, 1), step->packed);
    return GN_OK;
}

typedef struct transposed_job {
    const gn_exec *exec;
    gn_conv_bwd_data call;
    gn_dw_bwd_data depthwise;
    const float *bias;
    float *dst;
    size_t channels;
} transposed_job;

static void data_task(void *ctx, int task, int thread)
{
    const transposed_job *job = ctx;
    gn_conv_bwd_data_task(&job->call, task, gn_cpu_thread_scratch(job->exec, thread));
}

static void depthwise_task(void *ctx, int task, int thread)
{
    (void)thread;
    gn_dw_bwd_data_task(&((const transposed_job *)ctx)->depthwise, task);
}

static void bias_rows(void *ctx, size_t begin, size_t end)
{
    const transposed_job *job = ctx;
    for (size_t row = begin; row < end; row++) {
        float *dst = job->dst + row * job->channels;
        for (size_t c = 0; c < job->channels; c++)
            dst[c] += job->bias[c];
    }
}

static void run(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_conv *p = &step->p.conv;
    void *packed = step->packed;
    const float *x = gn_cpu_in(exec, step, 0);
    transposed_job job = {
        .exec = exec, .bias = gn_cpu_in(exec, step, 2), .dst = gn_cpu_out(exec, step, 0), .channels = (size_t)p->C};
    if (step->packs_each_run) {
        packed = gn_cpu_step_scratch(exec, step);
        pack(p, gn_cpu_in(exec, step, 1), packed);
    }
    if (step->is_depthwise) {
        job.depthwise = (gn_dw_bwd_data){*p, x, packed, job.dst, false};
        gn_pool_run(exec->device->pool, gn_dw_bwd_data_tasks(p), depthwise_task, &job);
    } else {
        job.call = (gn_conv_bwd_data){*p, x, packed, job.dst, false, exec->device->zeros};
        gn_pool_run(exec->device->pool, gn_conv_bwd_data_tasks(p), data_task, &job);
    }
    if (job.bias)
        gn_cpu_for_range(exec, (size_t)p->N * (size_t)p->H * (size_t)p->W, GN_CPU_CHUNK / job.channels + 1, bias_rows,
                         &job);
}

static const gn_cpu_op transposed_op = {.domain = "",
                                        .name = "ConvTranspose",
                                        .step_scratch = scratch_bytes,
                                        .prepare = prepare,
                                        .run = run,
                                        .takes = is_transposed_conv};

const gn_cpu_op *const gn_cpu_transposed_ops[] = {&transposed_op, NULL};
