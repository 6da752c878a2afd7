/* What operators of one operand share that map each element by itself: reference loops and the gradient through an operator
 * of (dY, X) or (dY, Y).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_MAP_RULES_H
#define GN_OPS_MAP_RULES_H

#include "graph/autodiff.h"
#include "graph/op.h"

/* out[i] = fn(in0[i], k), and fn(in0[i], in1[i], k); operands of one shape.  k: constants of fn. */
gn_status gn_map_apply(const gn_ref_call *call, double (*fn)(double x, const double *k), const double *k);
gn_status gn_map_apply_two(const gn_ref_call *call, double (*fn)(double a, double b, const double *k), const double *k);
/* Gives as the gradient of input 0 the result of gannet operator `op` with operands dY and `other` (an input or output of the
 * node) and those of the node's attributes that `names` (n of them) lists. */
gn_status gn_map_grad(gn_grad *grad, const gn_node *node, const char *op, int other, const char *const *names, int n);

#endif
