/* What operators that only rename the shape of their input share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/view_rules.h"

#include "ops/op_rules.h"
#include "ops/ref_access.h"

gn_status gn_view_grad(gn_grad *grad, const gn_node *node)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit_reshape_like(grad, node, dy, node->in[0]));
}

gn_status gn_view_reference(const gn_ref_call *call)
{
    gn_ref_copy(call->out[0], call->in[0]);
    return GN_OK;
}
