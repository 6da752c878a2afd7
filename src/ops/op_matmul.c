/* MatMul: matrix product of the last two dimensions, the others broadcast.  Operands have at least two dimensions.
 * Source: ONNX MatMul (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

typedef struct sizes {
    int64_t M, N, K;
    gn_shape batch_a, batch_b, batch; /* the dimensions before the last two */
} sizes;

static gn_status sizes_of(const gn_graph *graph, const gn_node *node, sizes *out, gn_error *err)
{
    const gn_shape *a = gn_in_shape(graph, node, 0), *b = gn_in_shape(graph, node, 1);
    char shapes[256];
    gn_op_input_shapes(graph, node, shapes);
    if (a->rank < 2 || b->rank < 2)
        return gn_shape_fail(err, node, "its operands have the shapes %s, expected at least two dimensions each",
                             shapes);
    sizes s = {.M = a->dim[a->rank - 2], .N = b->dim[b->rank - 1], .K = a->dim[a->rank - 1]};
    s.batch_a = gn_shape_of(a->rank - 2, a->dim);
    s.batch_b = gn_shape_of(b->rank - 2, b->dim);
    if (b->dim[b->rank - 2] != s.K || gn_shape_broadcast(&s.batch_a, &s.batch_b, &s.batch) != GN_OK)
        return gn_shape_fail(err, node, "its operands have the shapes %s, which do not multiply", shapes);
    *out = s;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    sizes s;
    GN_TRY(sizes_of(graph, node, &s, err));
    gn_shape y = s.batch;
    y.dim[y.rank++] = s.M;
    y.dim[y.rank++] = s.N;
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &y);
    return GN_OK;
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    sizes s;
    if (sizes_of(graph, node, &s, NULL) == GN_OK)
        cost_out->macs = gn_cost_times(gn_shape_count(&s.batch) * s.M * s.N, s.K);
}

static int transposed(gn_grad *grad, const gn_node *node, int value)
{
    const int rank = gn_graph_value(gn_grad_graph(grad), value)->shape.rank;
    int64_t perm[GN_MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
    const gn_attr attr = gn_attr_ints("perm", perm, rank);
    return gn_emit(grad, node, "", "Transpose", &value, 1, &attr, 1);
}

/* `value` as a matrix whose rows are its last dimension. */
static int as_matrix(gn_grad *grad, const gn_node *node, int value)
{
    gn_graph *graph = gn_grad_graph(grad);
    const gn_shape shape = gn_graph_value(graph, value)->shape;
    if (shape.rank == 2)
        return value;
    const int64_t width = shape.dim[shape.rank - 1], count = gn_shape_count(&shape);
    const int64_t dims[2] = {width > 0 ? count / width : 0, width};
    const int in[2] = {value, gn_graph_add_const_s64(graph, NULL, 2, dims)};
    const gn_attr allow_zero = gn_attr_int("allowzero", 1);
    return in[1] < 0 ? -1 : gn_emit(grad, node, "", "Reshape", in, 2, &allow_zero, 1);
}

static int product(gn_grad *grad, const gn_node *node, int a, int b, const char *transposed_operand)
{
    const gn_attr flag = gn_attr_int(transposed_operand, 1);
    return a < 0 || b < 0 ? -1 : gn_emit(grad, node, "", "Gemm", (const int[]){a, b}, 2, &flag, 1);
}

/* A [...,K] times one matrix B [K,N] is one product of matrices: dA = dY B^T, dB = A^T dY. */
static gn_status grad_of_rows(gn_grad *grad, const gn_node *node, int dy)
{
    const int rows = as_matrix(grad, node, dy);
    if (rows < 0)
        return gn_graph_error(gn_grad_graph(grad), NULL);
    if (gn_grad_wants(grad, node, 0)) {
        const int da = product(grad, node, rows, node->in[1], "transB");
        const bool is_matrix = gn_in_shape(gn_grad_graph(grad), node, 0)->rank == 2;
        GN_TRY(gn_give(grad, node, 0, is_matrix ? da : gn_emit_reshape_like(grad, node, da, node->in[0])));
    }
    if (gn_grad_wants(grad, node, 1))
        GN_TRY(gn_give(grad, node, 1, product(grad, node, as_matrix(grad, node, node->in[0]), rows, "transA")));
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0)
        return GN_OK;
    if (gn_in_shape(gn_grad_graph(grad), node, 1)->rank == 2)
        return grad_of_rows(grad, node, dy);
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(gn_give_summed(grad, node, 0,
                              gn_emit_binary(grad, node, "", "MatMul", dy, transposed(grad, node, node->in[1]))));
    if (gn_grad_wants(grad, node, 1))
        GN_TRY(gn_give_summed(grad, node, 1,
                              gn_emit_binary(grad, node, "", "MatMul", transposed(grad, node, node->in[0]), dy)));
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    sizes s;
    GN_TRY(sizes_of(call->graph, call->node, &s, NULL));
    const int64_t batches = gn_shape_count(&s.batch);
    for (int64_t i = 0; i < batches * s.M * s.N; i++) {
        const int64_t batch = i / (s.M * s.N), m = i / s.N % s.M, n = i % s.N;
        const int64_t a = gn_broadcast_index(&s.batch_a, &s.batch, batch) * s.M * s.K + m * s.K;
        const int64_t b = gn_broadcast_index(&s.batch_b, &s.batch, batch) * s.K * s.N + n;
        double sum = 0;
        for (int64_t k = 0; k < s.K; k++)
            sum += gn_ref_load(call->in[0], a + k) * gn_ref_load(call->in[1], b + k * s.N);
        gn_ref_store(call->out[0], i, sum);
    }
    return GN_OK;
}

const gn_op_def gn_op_matmul = {
    .name = "MatMul",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = cost,
    .grad = grad_rule,
    .reference = reference,
};
