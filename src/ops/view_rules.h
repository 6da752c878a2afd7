/* What operators that only rename the shape of their input share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_VIEW_RULES_H
#define GN_OPS_VIEW_RULES_H

#include "graph/autodiff.h"
#include "graph/op.h"

/* Gives the gradient back in the input's shape. */
gn_status gn_view_grad(gn_grad *grad, const gn_node *node);
/* Copies input 0 to output 0 in logical order. */
gn_status gn_view_reference(const gn_ref_call *call);

#endif
