/* And, Or, Xor (with broadcasting) and Not of bools.
 * Source: ONNX And, Or, Xor (opset 7), Not (opset 1).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status need_bool(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    for (int i = 0; i < node->n_in; i++)
        if (gn_in_dtype(graph, node, i) != GN_DTYPE_BOOL)
            return gn_shape_fail(err, node, "its operand %d is of type %s, expected bool", i,
                                 gn_dtype_name(gn_in_dtype(graph, node, i)));
    return GN_OK;
}

static gn_status infer_two(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(need_bool(graph, node, err));
    return gn_rule_broadcast(graph, node, err);
}

static gn_status infer_one(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(need_bool(graph, node, err));
    return gn_rule_same(graph, node, err);
}

static double both(double a, double b)
{
    return a != 0 && b != 0;
}

static double any(double a, double b)
{
    return a != 0 || b != 0;
}

static double one(double a, double b)
{
    return (a != 0) != (b != 0);
}

static gn_status reference_and(const gn_ref_call *call)
{
    return gn_broadcast_apply(call, both);
}

static gn_status reference_or(const gn_ref_call *call)
{
    return gn_broadcast_apply(call, any);
}

static gn_status reference_xor(const gn_ref_call *call)
{
    return gn_broadcast_apply(call, one);
}

static gn_status reference_not(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], i) == 0);
    return GN_OK;
}

#define LOGIC(id, onnx_name, operands, rule, run)                                                                      \
    const gn_op_def id = {                                                                                             \
        .name = onnx_name,                                                                                             \
        .domain = "",                                                                                                  \
        .min_in = operands,                                                                                            \
        .max_in = operands,                                                                                            \
        .min_out = 1,                                                                                                  \
        .max_out = 1,                                                                                                  \
        .layout = GN_LAYOUT_RULE_SAME,                                                                                 \
        .infer = rule,                                                                                                 \
        .cost = gn_cost_per_output,                                                                                    \
        .reference = run,                                                                                              \
    }

LOGIC(gn_op_and, "And", 2, infer_two, reference_and);
LOGIC(gn_op_or, "Or", 2, infer_two, reference_or);
LOGIC(gn_op_xor, "Xor", 2, infer_two, reference_xor);
LOGIC(gn_op_not, "Not", 1, infer_one, reference_not);
