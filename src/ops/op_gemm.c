/* Gemm: Y = alpha * A' * B' + beta * C, where ' transposes when asked; a fully connected layer is transB = 1.
 * Source: ONNX Gemm (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* A': [M,K], B': [K,N]; strides of the operands as they lie. */
typedef struct sizes {
    int64_t M, N, K, a_row, a_col, b_row, b_col;
    bool trans_a, trans_b;
} sizes;

static gn_status sizes_of(const gn_graph *graph, const gn_node *node, sizes *out, gn_error *err)
{
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    char shapes[256];
    sizes s = {.trans_a = gn_node_int(node, "transA", 0) != 0, .trans_b = gn_node_int(node, "transB", 0) != 0};
    gn_op_input_shapes(graph, node, shapes);
    if (a->rank != 2 || b->rank != 2)
        return gn_shape_fail(err, node, "its operands have the shapes %s, expected two matrices", shapes);
    s.M = a->dim[s.trans_a];
    s.K = a->dim[!s.trans_a];
    s.N = b->dim[!s.trans_b];
    if (b->dim[s.trans_b] != s.K)
        return gn_shape_fail(err, node,
                             "its operands have the shapes %s (transA %d, transB %d), whose inner dimensions differ",
                             shapes, s.trans_a, s.trans_b);
    s.a_row = s.trans_a ? 1 : s.K;
    s.a_col = s.trans_a ? s.M : 1;
    s.b_row = s.trans_b ? 1 : s.N;
    s.b_col = s.trans_b ? s.K : 1;
    *out = s;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    sizes s;
    GN_TRY(sizes_of(graph, node, &s, err));
    const gn_shape y = {.rank = 2, .dim = {s.M, s.N}};
    gn_shape both;
    if (gn_has_in(node, 2) &&
        (gn_shape_broadcast(&y, gn_in_shape(graph, node, 2), &both) != GN_OK || !gn_shape_equal(&both, &y))) {
        char text[128];
        gn_shape_format(gn_in_shape(graph, node, 2), text);
        return gn_shape_fail(err, node, "C has the shape %s, which does not broadcast to the result's", text);
    }
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    sizes s;
    if (sizes_of(graph, node, &s, NULL) != GN_OK)
        return;
    cost_out->macs = gn_cost_times(s.M * s.N, s.K);
    cost_out->elementwise = gn_has_in(node, 2) ? s.M * s.N : 0;
}

static int product(gn_grad *grad, const gn_node *node, int a, bool trans_a, int b, bool trans_b)
{
    const gn_attr attrs[3] = {gn_attr_float("alpha", gn_node_float(node, "alpha", 1)), gn_attr_int("transA", trans_a),
                              gn_attr_int("transB", trans_b)};
    return gn_emit(grad, node, "", "Gemm", (const int[]){a, b}, 2, attrs, 3);
}

/* dA' = dY * B'^T and dB' = A'^T * dY; an operand that was transposed gets the transpose of that. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0), a = node->in[0], b = node->in[1];
    const bool trans_a = gn_node_int(node, "transA", 0) != 0, trans_b = gn_node_int(node, "transB", 0) != 0;
    if (dy < 0)
        return GN_OK;
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(
            gn_give(grad, node, 0,
                    trans_a ? product(grad, node, b, trans_b, dy, true) : product(grad, node, dy, false, b, !trans_b)));
    if (gn_grad_wants(grad, node, 1))
        GN_TRY(
            gn_give(grad, node, 1,
                    trans_b ? product(grad, node, dy, true, a, trans_a) : product(grad, node, a, !trans_a, dy, false)));
    if (gn_has_in(node, 2) && gn_grad_wants(grad, node, 2)) {
        const float beta = gn_node_float(node, "beta", 1);
        const int dc = beta == 1 ? dy : gn_emit_binary(grad, node, "", "Mul", dy, gn_emit_scalar(grad, node, beta));
        GN_TRY(gn_give_summed(grad, node, 2, dc));
    }
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    sizes s;
    const double alpha = (double)gn_node_float(call->node, "alpha", 1),
                 beta = (double)gn_node_float(call->node, "beta", 1);
    GN_TRY(sizes_of(call->graph, call->node, &s, NULL));
    for (int64_t i = 0; i < s.M * s.N; i++) {
        const int64_t m = i / s.N, n = i % s.N;
        double sum = 0;
        for (int64_t k = 0; k < s.K; k++)
            sum += gn_ref_load(call->in[0], m * s.a_row + k * s.a_col) *
                   gn_ref_load(call->in[1], k * s.b_row + n * s.b_col);
        sum *= alpha;
        if (gn_has_in(call->node, 2))
            sum += beta * gn_ref_load(call->in[2], gn_broadcast_index(&call->in[2]->shape, &call->out[0]->shape, i));
        gn_ref_store(call->out[0], i, sum);
    }
    return GN_OK;
}

const gn_op_def gn_op_gemm = {
    .name = "Gemm",
    .domain = "",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = cost,
    .grad = grad_rule,
    .reference = reference,
};
