/* ClampGrad(dY, Y): dX = dY where lo < Y < hi, else 0; the gradient of Relu and Clip.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status reference(const gn_ref_call *call)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    float lo, hi;
    gn_op_clamp(call->node, &lo, &hi);
    for (int64_t i = 0; i < n; i++) {
        const double y = gn_ref_load(call->in[1], i);
        gn_ref_store(call->out[0], i, y > (double)lo && y < (double)hi ? gn_ref_load(call->in[0], i) : 0);
    }
    return GN_OK;
}

const gn_op_def gn_op_clamp_grad = {
    .name = "ClampGrad",
    .domain = "gannet",
    .min_in = 2,
    .max_in = 2,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .inplace_in = 1u | 1u << 1,
    .infer = gn_rule_same,
    .cost = gn_cost_per_output,
    .reference = reference,
};
