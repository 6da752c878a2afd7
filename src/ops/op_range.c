/* Range: start, start + delta, ... up to but without limit; all three are constant inputs.
 * Source: ONNX Range (opset 11).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <math.h>

/* Number of elements, -1 when it is not possible. */
static int64_t count_of(const gn_tensor *start, const gn_tensor *limit, const gn_tensor *delta)
{
    const double step = gn_tensor_get(delta, 0), n = ceil((gn_tensor_get(limit, 0) - gn_tensor_get(start, 0)) / step);
    if (!(n < 0x1p40) || step == 0)
        return -1;
    return n > 0 ? (int64_t)n : 0;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_tensor *known[3];
    const gn_dtype dtype = gn_in_dtype(graph, node, 0);
    for (int i = 0; i < 3; i++) {
        known[i] = gn_in_known(graph, node, i);
        if (!known[i] || gn_tensor_count(known[i]) != 1 || gn_in_dtype(graph, node, i) != dtype)
            return gn_shape_fail(err, node, "start, limit and delta are not three constant scalars of one type");
    }
    const int64_t n = count_of(known[0], known[1], known[2]);
    if (n < 0)
        return gn_shape_fail(err, node, "a range from %g to %g in steps of %g", gn_tensor_get(known[0], 0),
                             gn_tensor_get(known[1], 0), gn_tensor_get(known[2], 0));
    gn_set_out(graph, node, 0, dtype, &(gn_shape){.rank = 1, .dim = {n}});
    return GN_OK;
}

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    const bool is_integer = gn_dtype_is_integer(call->out[0]->dtype);
    for (int64_t i = 0; i < n; i++) {
        if (is_integer)
            gn_ref_store_s64(call->out[0], i,
                             (int64_t)((uint64_t)gn_ref_load_s64(call->in[0], 0) +
                                       (uint64_t)i * (uint64_t)gn_ref_load_s64(call->in[2], 0)));
        else
            gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], 0) + (double)i * gn_ref_load(call->in[2], 0));
    }
    return GN_OK;
}

const gn_op_def gn_op_range = {
    .name = "Range",
    .domain = "",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .reference = reference,
};
