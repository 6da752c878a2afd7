/* Mod: the remainder with the sign of the divisor, as Python has it; with fmod the sign of the dividend, as C has it.  What is divided
 * by 0 leaves 0 (integers) or NaN.
 * Source: ONNX Mod (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const bool is_fmod = gn_node_int(node, "fmod", 0) != 0;
    if (!is_fmod && !gn_dtype_is_integer(gn_in_dtype(graph, node, 0)))
        return gn_shape_fail(err, node, "real numbers need fmod = 1");
    return gn_rule_broadcast(graph, node, err);
}

static int64_t remainder_of(int64_t a, int64_t b, bool is_fmod, bool is_u64)
{
    if (b == 0)
        return 0;
    if (is_u64)
        return (int64_t)((uint64_t)a % (uint64_t)b);
    const int64_t left = b == -1 ? 0 : a % b;
    return !is_fmod && left != 0 && (left < 0) != (b < 0) ? left + b : left;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_tensor *a = call->in[0], *b = call->in[1];
    const gn_shape *shape = &call->out[0]->shape;
    const bool is_fmod = gn_node_int(call->node, "fmod", 0) != 0;
    const int64_t n = gn_shape_count(shape);
    for (int64_t i = 0; i < n; i++) {
        const int64_t ia = gn_broadcast_index(&a->shape, shape, i), ib = gn_broadcast_index(&b->shape, shape, i);
        if (gn_dtype_is_integer(a->dtype))
            gn_ref_store_s64(
                call->out[0], i,
                remainder_of(gn_ref_load_s64(a, ia), gn_ref_load_s64(b, ib), is_fmod, a->dtype == GN_DTYPE_U64));
        else
            gn_ref_store(call->out[0], i, fmod(gn_ref_load(a, ia), gn_ref_load(b, ib)));
    }
    return GN_OK;
}

const gn_op_def gn_op_mod = {
    .name = "Mod",
    .domain = "",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_output,
    .reference = reference,
};
