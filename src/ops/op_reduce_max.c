/* ReduceMax and ReduceMin, and ReduceExtremumGrad(dY, X, Y), which shares dY among all elements that equal the extremum.  NaN wins;
 * of no elements the maximum is -infinity (or the lowest integer).
 * Source: ONNX ReduceMax (opset 20).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"
#include "ops/reduce_rules.h"

#include <math.h>

/* The extremum of nothing. */
static void store_limit(gn_tensor *y, int64_t o, bool is_max)
{
    if (y->dtype == GN_DTYPE_S64 || y->dtype == GN_DTYPE_U64)
        gn_ref_store_s64(y, o, y->dtype == GN_DTYPE_U64 ? (is_max ? 0 : -1) : is_max ? INT64_MIN : INT64_MAX);
    else
        gn_ref_store(y, o, is_max ? -INFINITY : INFINITY); /* saturates where the type is an integer */
}

static bool is_nan(const gn_tensor *x, int64_t i)
{
    return isnan(gn_ref_load(x, i));
}

static gn_status extremum(const gn_ref_call *call, bool is_max)
{
    const gn_tensor *x = call->in[0];
    gn_reduction r;
    GN_TRY(gn_reduction_of(call->graph, call->node, &r, NULL));
    for (int64_t o = 0; o < r.n_out; o++) {
        int64_t best = -1;
        for (int64_t t = 0; t < r.terms; t++) {
            const int64_t at = gn_reduction_term(&r, o, t);
            if (best < 0 || is_nan(x, at) || (is_max ? gn_ref_less(x, best, x, at) : gn_ref_less(x, at, x, best)))
                best = best >= 0 && is_nan(x, best) ? best : at;
        }
        if (best >= 0)
            gn_ref_move(call->out[0], o, x, best);
        else
            store_limit(call->out[0], o, is_max);
    }
    return GN_OK;
}

static gn_status reference_max(const gn_ref_call *call)
{
    return extremum(call, true);
}

static gn_status reference_min(const gn_ref_call *call)
{
    return extremum(call, false);
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0);
    int64_t axes[GN_MAX_RANK];
    int n = 0;
    gn_reduction r;
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    GN_TRY(gn_reduction_of(graph, node, &r, NULL));
    for (int d = 0; d < r.x.rank; d++)
        if (r.is_axis[d])
            axes[n++] = d;
    const gn_attr attr = gn_attr_ints("axes", axes, n);
    const int in[3] = {dy, node->in[0], node->out[0]};
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", "ReduceExtremumGrad", in, 3, &attr, n > 0));
}

/* ---- ReduceExtremumGrad(dY, X, Y); attribute axes: none is none ---- */

/* The reduction of X, which is operand 1. */
static gn_status grad_reduction(const gn_graph *graph, const gn_node *node, gn_reduction *out, gn_error *err)
{
    gn_reduction r = {.x = *gn_in_shape(graph, node, 1), .n_out = 1, .terms = 1};
    int64_t axes[GN_MAX_RANK];
    const int n = gn_node_ints(node, "axes", axes, GN_MAX_RANK, 0);
    if (n > GN_MAX_RANK)
        return gn_shape_fail(err, node, "more than %d axes", GN_MAX_RANK);
    GN_TRY(gn_op_fix_axes(node, axes, n, r.x.rank, err));
    for (int i = 0; i < n; i++)
        r.is_axis[axes[i]] = true;
    for (int d = 0; d < r.x.rank; d++)
        *(r.is_axis[d] ? &r.terms : &r.n_out) *= r.x.dim[d];
    *out = r;
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_reduction r;
    GN_TRY(grad_reduction(graph, node, &r, err));
    if (gn_shape_count(gn_in_shape(graph, node, 0)) != r.n_out ||
        gn_shape_count(gn_in_shape(graph, node, 2)) != r.n_out)
        return gn_shape_fail(err, node, "the gradient and the extrema do not have the shape that the axes leave");
    return gn_rule_like_second(graph, node, err);
}

static bool is_extremum(const gn_ref_call *call, int64_t o, int64_t at)
{
    const double x = gn_ref_load(call->in[1], at), y = gn_ref_load(call->in[2], o);
    return x >= y && x <= y;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    gn_reduction r;
    GN_TRY(grad_reduction(call->graph, call->node, &r, NULL));
    for (int64_t o = 0; o < r.n_out; o++) {
        int64_t sharing = 0;
        for (int64_t t = 0; t < r.terms; t++)
            sharing += is_extremum(call, o, gn_reduction_term(&r, o, t));
        for (int64_t t = 0; t < r.terms; t++) {
            const int64_t at = gn_reduction_term(&r, o, t);
            gn_ref_store(call->out[0], at,
                         is_extremum(call, o, at) ? gn_ref_load(call->in[0], o) / (double)sharing : 0);
        }
    }
    return GN_OK;
}

const gn_op_def gn_op_reduce_max = {
    .name = "ReduceMax",
    .domain = "",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = gn_rule_reduce,
    .cost = gn_cost_per_input,
    .grad = grad_rule,
    .reference = reference_max,
};

const gn_op_def gn_op_reduce_min = {
    .name = "ReduceMin",
    .domain = "",
    .min_in = 1,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = gn_rule_reduce,
    .cost = gn_cost_per_input,
    .grad = grad_rule,
    .reference = reference_min,
};

const gn_op_def gn_op_reduce_extremum_grad = {
    .name = "ReduceExtremumGrad",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
