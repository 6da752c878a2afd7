/* LRN, local response normalisation over channels: y = x / (bias + alpha/size * sum of squares of `size` channels around)^beta.
 * Source: ONNX LRN (opset 13); Krizhevsky et al. 2012, "ImageNet Classification with Deep Convolutional Neural Networks", 3.3.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>
#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const int64_t size = gn_node_int(node, "size", 0);
    if (gn_in_shape(graph, node, 0)->rank < 3 || size < 1 || size > (1 << 20))
        return gn_shape_fail(err, node, "a picture and a size of at least 1 are expected, size is %" PRId64, size);
    return gn_rule_same(graph, node, err);
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *x = &call->in[0]->shape;
    const int64_t size = gn_node_int(call->node, "size", 1), C = x->dim[1], n = gn_shape_count(x);
    const double alpha = (double)gn_node_float(call->node, "alpha", 0.0001f),
                 beta = (double)gn_node_float(call->node, "beta", 0.75f),
                 bias = (double)gn_node_float(call->node, "bias", 1);
    int64_t plane = 1;
    for (int d = 2; d < x->rank; d++)
        plane *= x->dim[d];
    for (int64_t i = 0; i < n; i++) {
        const int64_t c = i / plane % C;
        const int64_t first = c - (size - 1) / 2, last = first + size - 1;
        double sum = 0;
        for (int64_t k = first < 0 ? 0 : first; k <= last && k < C; k++) {
            const double v = gn_ref_load(call->in[0], i + (k - c) * plane);
            sum += v * v;
        }
        gn_ref_store(call->out[0], i, gn_ref_load(call->in[0], i) / pow(bias + alpha / (double)size * sum, beta));
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
    .reference = reference,
};
