/* ScaleShift(X, scale, shift): y = min(max(x * scale[c] + shift[c], lo), hi) per channel; a normalisation with fixed statistics and the
 * activation behind it, where no convolution stands in front to take them in.  For inference: it has no gradient.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/batchnorm_rules.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(gn_batchnorm_check(graph, node, 0, 1, 3, err));
    return gn_rule_same(graph, node, err);
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_batchnorm_sizes s = gn_batchnorm_sizes_of(&call->in[0]->shape);
    float lo, hi;
    gn_op_clamp(call->node, &lo, &hi);
    for (int64_t c = 0; c < s.C; c++)
        for (int64_t i = 0; i < s.N * s.inner; i++) {
            const int64_t at = gn_batchnorm_index(&s, c, i);
            const double y = gn_ref_load(call->in[0], at) * gn_ref_load(call->in[1], c) + gn_ref_load(call->in[2], c);
            gn_ref_store(call->out[0], at, y < (double)lo ? (double)lo : y > (double)hi ? (double)hi : y);
        }
    return GN_OK;
}

const gn_op_def gn_op_scale_shift = {
    .name = "ScaleShift",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .inplace_in = 1u,
    .infer = infer,
    .cost = gn_cost_per_output,
    .reference = reference,
};
