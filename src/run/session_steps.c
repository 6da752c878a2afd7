/* Single steps of a session's plan: what they are, and which kernels compute them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "graph/op.h"
#include "run/session_internal.h"

enum { FEW_CHANNELS = 4 };

const char *gn_step_kind_name(gn_step_kind kind)
{
    static const char *const names[GN_STEP_KINDS] = {"1x1",     "first",     "3x3",    "strided", "dense",
                                                     "grouped", "depthwise", "linear", "others"};
    return kind >= 0 && kind < GN_STEP_KINDS ? names[kind] : "?";
}

static const session_plan *current(const gn_session *s)
{
    return &s->plans[s->current];
}

static bool is_named(const gn_node *node, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(node->op->name, *names) == 0)
            return true;
    return false;
}

static bool is_convolution(const gn_graph *graph, const gn_node *node)
{
    static const char *const names[] = {"Conv", "FusedConv", NULL};
    return is_named(node, names) && gn_in_shape(graph, node, 0)->rank == 4;
}

static gn_step_kind convolution_kind(const gn_graph *graph, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(graph, node, 0), *w = gn_in_shape(graph, node, 1);
    const int64_t groups = gn_node_int(node, "group", 1);
    int64_t strides[2];
    gn_node_ints(node, "strides", strides, 2, 1);
    if (groups > 1)
        return groups == x->dim[1] && groups == w->dim[0] ? GN_STEP_DEPTHWISE : GN_STEP_GROUPED;
    if (x->dim[1] <= FEW_CHANNELS)
        return GN_STEP_FIRST;
    if (w->dim[2] == 1 && w->dim[3] == 1)
        return GN_STEP_POINTWISE;
    if (strides[0] > 1 || strides[1] > 1)
        return GN_STEP_STRIDED;
    return w->dim[2] == 3 && w->dim[3] == 3 ? GN_STEP_DENSE_3X3 : GN_STEP_DENSE;
}

static gn_step_kind kind_of(const gn_graph *graph, const gn_node *node)
{
    static const char *const products[] = {"Gemm", "MatMul", "Linear", NULL};
    if (is_convolution(graph, node))
        return convolution_kind(graph, node);
    return is_named(node, products) ? GN_STEP_LINEAR : GN_STEP_OTHER;
}

/* Shortened where it does not fit: it tells layers apart for people and checks that a plan fits. */
static void describe_shape(const gn_graph *graph, const gn_node *node, char *dst, size_t bytes)
{
    const gn_shape *y = &gn_graph_value(graph, node->out[0])->shape;
    if (!is_convolution(graph, node)) {
        int n = 0;
        dst[0] = '\0';
        for (int i = 0; i < y->rank && n >= 0 && (size_t)n < bytes; i++)
            n += snprintf(dst + n, bytes - (size_t)n, "%s%lld", i ? "x" : "", (long long)y->dim[i]);
        return;
    }
    const gn_shape *x = gn_in_shape(graph, node, 0), *w = gn_in_shape(graph, node, 1);
    int64_t strides[2];
    gn_node_ints(node, "strides", strides, 2, 1);
    snprintf(dst, bytes, "%lldx%lldx%lldx%lld %lldx%lld/%lld %lldx%lldx%lld g%lld", (long long)x->dim[0],
             (long long)x->dim[1], (long long)x->dim[2], (long long)x->dim[3], (long long)w->dim[2],
             (long long)w->dim[3], (long long)strides[0], (long long)y->dim[1], (long long)y->dim[2],
             (long long)y->dim[3], (long long)gn_node_int(node, "group", 1));
}

static int64_t operand_bytes(const gn_value *value)
{
    const int64_t count = gn_shape_count(&value->shape);
    return count > 0 ? count * (int64_t)gn_dtype_bytes(value->dtype) : 0;
}

static void count_bytes(const gn_graph *graph, const gn_node *node, gn_step_info *info)
{
    for (int i = 0; i < node->n_in; i++) {
        bool is_new = node->in[i] >= 0;
        for (int k = 0; k < i && is_new; k++)
            is_new = node->in[k] != node->in[i];
        if (!is_new)
            continue;
        const gn_value *value = gn_graph_value(graph, node->in[i]);
        *(value->data ? &info->weight_bytes : &info->data_bytes) += operand_bytes(value);
    }
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0)
            info->data_bytes += operand_bytes(gn_graph_value(graph, node->out[i]));
}

void gn_session_step(const gn_session *session, int step, gn_step_info *info_out)
{
    const session_plan *plan = current(session);
    const gn_node *node = gn_graph_node(plan->graph, session->backend->plan(plan->exec)->steps[step].node);
    gn_cost cost;
    gn_node_cost(plan->graph, node, &cost);
    *info_out =
        (gn_step_info){.name = node->name, .op = node->op->name, .kind = kind_of(plan->graph, node), .macs = cost.macs};
    describe_shape(plan->graph, node, info_out->shape, sizeof info_out->shape);
    if (!node->op->is_view)
        count_bytes(plan->graph, node, info_out);
    session->backend->kernel(plan->exec, step, &info_out->kernel);
}

int gn_session_step_choices(const gn_session *session, int step, gn_step_kernel *choices, int max)
{
    return session->backend->choices(current(session)->exec, step, choices, max);
}

gn_status gn_session_choose(gn_session *session, int step, const char *kernel, gn_error *err)
{
    if (session->is_sealed)
        return gn_fail(err, GN_EINVAL, "a kernel was chosen after the weights that it would pack had been freed");
    return session->backend->choose(current(session)->exec, step, kernel, err);
}

gn_status gn_session_peak(gn_session *session, gn_device_peak *peak_out, gn_error *err)
{
    return session->backend->peak(session->device, peak_out, err);
}
