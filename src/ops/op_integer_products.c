/* MatMulInteger and ConvInteger: products of 8-bit operands less their zero points, summed in s32.
 * Source: ONNX MatMulInteger, ConvInteger (opset 10).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"
#include "ops/windows.h"

static gn_status check_operands(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    for (int i = 0; i < node->n_in; i++) {
        const gn_dtype dtype = gn_in_dtype(graph, node, i);
        if (gn_has_in(node, i) &&
            ((dtype != GN_DTYPE_U8 && dtype != GN_DTYPE_S8) || (i >= 2 && dtype != gn_in_dtype(graph, node, i - 2))))
            return gn_shape_fail(err, node, "its operand %d is of type %s, which does not fit", i,
                                 gn_dtype_name(dtype));
    }
    return GN_OK;
}

/* ---- MatMulInteger(A, B, zero of A, zero of B) ---- */

typedef struct sizes {
    int64_t M, N, K;
    gn_shape batch_a, batch_b, batch;
} sizes;

static gn_status sizes_of(const gn_graph *graph, const gn_node *node, sizes *out, gn_error *err)
{
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    char shapes[256];
    gn_op_input_shapes(graph, node, shapes);
    if (a->rank < 2 || b->rank < 2)
        return gn_shape_fail(err, node, "operands of the shapes %s, expected at least two dimensions each", shapes);
    sizes s = {.M = a->dim[a->rank - 2], .N = b->dim[b->rank - 1], .K = a->dim[a->rank - 1]};
    s.batch_a = gn_shape_of(a->rank - 2, a->dim);
    s.batch_b = gn_shape_of(b->rank - 2, b->dim);
    if (b->dim[b->rank - 2] != s.K || gn_shape_broadcast(&s.batch_a, &s.batch_b, &s.batch) != GN_OK)
        return gn_shape_fail(err, node, "operands of the shapes %s do not multiply", shapes);
    *out = s;
    return GN_OK;
}

/* One zero point, or one for each row or column. */
static bool fits_zero(const gn_graph *graph, const gn_node *node, int i, int64_t n)
{
    if (!gn_has_in(node, i))
        return true;
    const gn_shape *shape = gn_in_shape(graph, node, i);
    return gn_shape_count(shape) == 1 || (shape->rank == 1 && shape->dim[0] == n);
}

static gn_status infer_matmul(gn_graph *graph, const gn_node *node, gn_error *err)
{
    sizes s;
    GN_TRY(check_operands(graph, node, err));
    GN_TRY(sizes_of(graph, node, &s, err));
    if (!fits_zero(graph, node, 2, s.M) || !fits_zero(graph, node, 3, s.N))
        return gn_shape_fail(err, node, "its zero points are neither one nor one for each row and column");
    gn_shape y = s.batch;
    y.dim[y.rank++] = s.M;
    y.dim[y.rank++] = s.N;
    gn_set_out(graph, node, 0, GN_DTYPE_S32, &y);
    return GN_OK;
}

static void cost_matmul(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    sizes s;
    if (sizes_of(graph, node, &s, NULL) == GN_OK)
        cost_out->macs = gn_cost_times(gn_shape_count(&s.batch) * s.M * s.N, s.K);
}

static double zero_at(const gn_ref_call *call, int i, int64_t at)
{
    if (!gn_has_in(call->node, i))
        return 0;
    return gn_ref_load(call->in[i], gn_tensor_count(call->in[i]) > 1 ? at : 0);
}

static gn_status reference_matmul(const gn_ref_call *call)
{
    sizes s;
    GN_TRY(sizes_of(call->graph, call->node, &s, NULL));
    const int64_t n_out = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n_out; i++) {
        const int64_t batch = i / (s.M * s.N), m = i / s.N % s.M, n = i % s.N;
        const int64_t a = gn_broadcast_index(&s.batch_a, &s.batch, batch) * s.M * s.K + m * s.K;
        const int64_t b = gn_broadcast_index(&s.batch_b, &s.batch, batch) * s.K * s.N + n;
        const double a_zero = zero_at(call, 2, m), b_zero = zero_at(call, 3, n);
        double sum = 0;
        for (int64_t k = 0; k < s.K; k++)
            sum += (gn_ref_load(call->in[0], a + k) - a_zero) * (gn_ref_load(call->in[1], b + k * s.N) - b_zero);
        gn_ref_store(call->out[0], i, sum);
    }
    return GN_OK;
}

/* ---- ConvInteger(X, W, zero of X, zero of W) ---- */

static gn_status infer_conv(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_windows g;
    GN_TRY(check_operands(graph, node, err));
    GN_TRY(gn_windows_conv(graph, node, &g, err));
    if (!fits_zero(graph, node, 2, 1) || !fits_zero(graph, node, 3, g.K))
        return gn_shape_fail(err, node, "its zero points are neither one nor one for each filter");
    const gn_shape y = gn_windows_shape(&g, g.K, g.out);
    gn_set_out(graph, node, 0, GN_DTYPE_S32, &y);
    return GN_OK;
}

static void cost_conv(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    gn_windows g;
    if (gn_windows_conv(graph, node, &g, NULL) == GN_OK)
        cost_out->macs = gn_cost_times(gn_shape_count(&gn_graph_value(graph, node->out[0])->shape),
                                       g.C / g.group * gn_windows_volume(g.window));
}

static gn_status reference_conv(const gn_ref_call *call)
{
    gn_windows g;
    GN_TRY(gn_windows_conv(call->graph, call->node, &g, NULL));
    gn_windows_convolve(&g, call->in[0], call->in[1], NULL, zero_at(call, 2, 0),
                        gn_has_in(call->node, 3) ? call->in[3] : NULL, call->out[0]);
    return GN_OK;
}

const gn_op_def gn_op_matmul_integer = {
    .name = "MatMulInteger",
    .domain = "",
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_matmul,
    .cost = cost_matmul,
    .reference = reference_matmul,
};

const gn_op_def gn_op_conv_integer = {
    .name = "ConvInteger",
    .domain = "",
    .min_in = 2,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_conv,
    .cost = cost_conv,
    .reference = reference_conv,
};
