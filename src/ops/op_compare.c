/* Equal, Greater, GreaterOrEqual, Less and LessOrEqual: bool results, with broadcasting; integers are compared exactly.
 * Source: ONNX Equal (opset 19), Less and Greater (opset 13), LessOrEqual and GreaterOrEqual (opset 16).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/index_math.h"
#include "ops/op_rules.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(gn_rule_broadcast(graph, node, err));
    const gn_shape y = gn_graph_value(graph, node->out[0])->shape;
    gn_set_out(graph, node, 0, GN_DTYPE_BOOL, &y);
    return GN_OK;
}

typedef bool (*comparison)(const gn_tensor *a, int64_t i, const gn_tensor *b, int64_t k);

static bool equal(const gn_tensor *a, int64_t i, const gn_tensor *b, int64_t k)
{
    if (gn_dtype_is_integer(a->dtype))
        return gn_ref_load_s64(a, i) == gn_ref_load_s64(b, k);
    const double x = gn_ref_load(a, i), y = gn_ref_load(b, k);
    return x >= y && x <= y;
}

static bool greater(const gn_tensor *a, int64_t i, const gn_tensor *b, int64_t k)
{
    return gn_ref_less(b, k, a, i);
}

static bool greater_or_equal(const gn_tensor *a, int64_t i, const gn_tensor *b, int64_t k)
{
    return greater(a, i, b, k) || equal(a, i, b, k);
}

static bool less_or_equal(const gn_tensor *a, int64_t i, const gn_tensor *b, int64_t k)
{
    return gn_ref_less(a, i, b, k) || equal(a, i, b, k);
}

static gn_status apply(const gn_ref_call *call, comparison holds)
{
    const gn_tensor *a = call->in[0], *b = call->in[1];
    const gn_broadcast_operand at_a = gn_broadcast_of(a, call->out[0]), at_b = gn_broadcast_of(b, call->out[0]);
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(call->out[0], i, holds(a, gn_broadcast_at(&at_a, i), b, gn_broadcast_at(&at_b, i)));
    return GN_OK;
}

static gn_status reference_equal(const gn_ref_call *call)
{
    return apply(call, equal);
}

static gn_status reference_greater(const gn_ref_call *call)
{
    return apply(call, greater);
}

static gn_status reference_greater_or_equal(const gn_ref_call *call)
{
    return apply(call, greater_or_equal);
}

static gn_status reference_less(const gn_ref_call *call)
{
    return apply(call, gn_ref_less);
}

static gn_status reference_less_or_equal(const gn_ref_call *call)
{
    return apply(call, less_or_equal);
}

#define COMPARISON(id, onnx_name, run)                                                                                 \
    const gn_op_def id = {                                                                                             \
        .name = onnx_name,                                                                                             \
        .domain = "",                                                                                                  \
        .min_in = 2,                                                                                                   \
        .max_in = 2,                                                                                                   \
        .min_out = 1,                                                                                                  \
        .max_out = 1,                                                                                                  \
        .layout = GN_LAYOUT_RULE_SAME,                                                                                 \
        .infer = infer,                                                                                                \
        .cost = gn_cost_per_output,                                                                                    \
        .reference = run,                                                                                              \
    }

COMPARISON(gn_op_equal, "Equal", reference_equal);
COMPARISON(gn_op_greater, "Greater", reference_greater);
COMPARISON(gn_op_greater_or_equal, "GreaterOrEqual", reference_greater_or_equal);
COMPARISON(gn_op_less, "Less", reference_less);
COMPARISON(gn_op_less_or_equal, "LessOrEqual", reference_less_or_equal);
