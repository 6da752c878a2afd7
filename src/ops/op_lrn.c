/* LRN, local response normalisation over channels: y = x / s^beta with s = bias + alpha/size * sum of squares of `size` channels
 * around; and LRNGrad(dY, X).
 * Source: ONNX LRN (opset 13); Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", 3.3.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>
#include <math.h>

static gn_status check(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    const int64_t size = gn_node_int(node, "size", 0);
    if (gn_in_shape(graph, node, 0)->rank < 3 || size < 1 || size > (1 << 20))
        return gn_shape_fail(err, node, "a picture and a size of at least 1 are expected, size is %" PRId64, size);
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check(graph, node, err));
    return gn_rule_same(graph, node, err);
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check(graph, node, err));
    if (!gn_shape_equal(gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1)))
        return gn_shape_fail(err, node, "the gradient and X differ in shape");
    return gn_rule_same(graph, node, err);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {"size", "alpha", "beta", "bias"};
    gn_attr attrs[4];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int n = gn_op_copy_attrs(node, copied, 4, attrs);
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "gannet", "LRNGrad", (const int[]){dy, node->in[0]}, 2, attrs, n));
}

/* ---- references ---- */

typedef struct lrn {
    int64_t C, plane, size; /* channels lie `plane` elements apart */
    double alpha, beta, bias;
} lrn;

static lrn lrn_of(const gn_node *node, const gn_shape *x)
{
    lrn l = {.C = x->dim[1],
             .plane = 1,
             .size = gn_node_int(node, "size", 1),
             .alpha = (double)gn_node_float(node, "alpha", 0.0001f),
             .beta = (double)gn_node_float(node, "beta", 0.75f),
             .bias = (double)gn_node_float(node, "bias", 1)};
    for (int d = 2; d < x->rank; d++)
        l.plane *= x->dim[d];
    l.alpha /= (double)l.size;
    return l;
}

/* s of element i, whose window is the channels c-(size-1)/2 .. c-(size-1)/2+size-1. */
static double scale_at(const lrn *l, const gn_tensor *x, int64_t i)
{
    const int64_t c = i / l->plane % l->C, first = c - (l->size - 1) / 2, last = first + l->size - 1;
    double sum = 0;
    for (int64_t k = first < 0 ? 0 : first; k <= last && k < l->C; k++) {
        const double v = gn_ref_load(x, i + (k - c) * l->plane);
        sum += v * v;
    }
    return l->bias + l->alpha * sum;
}

static gn_status reference(const gn_ref_call *call)
{
    const lrn l = lrn_of(call->node, &call->in[0]->shape);
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], i) / pow(scale_at(&l, call->in[0], i), l.beta));
    return GN_OK;
}

/* dX[k] = dY[k] / s[k]^beta - 2*alpha/size*beta * X[k] * sum over i whose window holds k of dY[i] * X[i] / s[i]^(beta+1). */
static gn_status reference_grad(const gn_ref_call *call)
{
    const gn_tensor *dy = call->in[0], *x = call->in[1];
    const lrn l = lrn_of(call->node, &x->shape);
    const int64_t n = gn_tensor_count(call->out[0]), before = (l.size - 1) / 2;
    for (int64_t at = 0; at < n; at++) {
        const int64_t k = at / l.plane % l.C, first = k - (l.size - 1 - before), last = k + before;
        double sum = 0;
        for (int64_t i = first < 0 ? 0 : first; i <= last && i < l.C; i++) {
            const int64_t other = at + (i - k) * l.plane;
            sum += gn_ref_load(dy, other) * gn_ref_load(x, other) / pow(scale_at(&l, x, other), l.beta + 1);
        }
        gn_ref_store(call->out[0], at,
                     gn_ref_load(dy, at) / pow(scale_at(&l, x, at), l.beta) -
                         2 * l.alpha * l.beta * gn_ref_load(x, at) * sum);
    }
    return GN_OK;
}

const gn_op_def gn_op_lrn = {
    .name = "LRN",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_lrn_grad = {
    .name = "LRNGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
