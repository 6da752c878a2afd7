/* Reference loops and the gradient that operators of one operand share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/map_rules.h"

#include "ops/op_rules.h"
#include "ops/ref_access.h"

#define MOST_ATTRS 4

gn_status gn_map_apply(const gn_ref_call *call, double (*fn)(double x, const double *k), const double *k)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(call->out[0], i, fn(gn_ref_load(call->in[0], i), k));
    return GN_OK;
}

gn_status gn_map_apply_two(const gn_ref_call *call, double (*fn)(double a, double b, const double *k), const double *k)
{
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(call->out[0], i, fn(gn_ref_load(call->in[0], i), gn_ref_load(call->in[1], i), k));
    return GN_OK;
}

gn_status gn_map_grad(gn_grad *grad, const gn_node *node, const char *op, int other, const char *const *names, int n)
{
    const int dy = gn_grad_of_out(grad, node, 0);
    gn_attr attrs[MOST_ATTRS];
    GN_ASSERT(n <= MOST_ATTRS);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int n_attrs = gn_op_copy_attrs(node, names, n, attrs);
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", op, (const int[]){dy, other}, 2, attrs, n_attrs));
}
