/* What many operators share: common shape rules and costs, attribute readers with checks, and emitting gradient nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_OP_RULES_H
#define GN_OPS_OP_RULES_H

#include "graph/autodiff.h"
#include "graph/op.h"

/* ---- shape rules and costs ready for a gn_op_def ---- */

/* Output 0 is like input 0. */
gn_status gn_rule_same(gn_graph *graph, const gn_node *node, gn_error *err);
/* The same for operators with an attribute `axis` (default: the last), which must be one of input 0. */
gn_status gn_rule_same_along_axis(gn_graph *graph, const gn_node *node, gn_error *err);
/* Output 0 is like input 1 (gradients whose first operand is a scalar). */
gn_status gn_rule_like_second(gn_graph *graph, const gn_node *node, gn_error *err);
/* Output 0 is the broadcast shape of inputs 0 and 1. */
gn_status gn_rule_broadcast(gn_graph *graph, const gn_node *node, gn_error *err);
/* One elementwise operation per element of input 0; of output 0. */
void gn_cost_per_input(const gn_graph *graph, const gn_node *node, gn_cost *cost_out);
void gn_cost_per_output(const gn_graph *graph, const gn_node *node, gn_cost *cost_out);
/* a*b for costs: at most 2^50, more than any network takes, so that sums over a graph do not overflow.  a, b >= 0. */
int64_t gn_cost_times(int64_t a, int64_t b);

/* ---- attributes ---- */

/* Attribute `name`, or `fallback`, as an axis 0..rank-1 (negative counts from the end).  GN_ESHAPE when outside. */
gn_status gn_op_axis(const gn_node *node, const char *name, int64_t fallback, int rank, int *axis_out, gn_error *err);
/* "lo" and "hi" of the fused and gradient operators; absent is open (-inf, +inf). */
void gn_op_clamp(const gn_node *node, float *lo_out, float *hi_out);
/* Bounds of a Relu or Clip node: Clip's constant inputs or its attributes.  GN_EUNSUPPORTED when an input is not constant.
 * Any other operator: open bounds. */
gn_status gn_op_activation_bounds(const gn_graph *graph, const gn_node *node, float *lo_out, float *hi_out);
/* Axes of Squeeze, Unsqueeze, ReduceMean: constant input 1, else attribute "axes", as flags per dimension of `rank`;
 * *n_out: how many (0: none given). */
gn_status gn_op_axes(const gn_graph *graph, const gn_node *node, int rank, bool is_axis[GN_MAX_RANK], int *n_out,
                     gn_error *err);
/* Copies those of a node's attributes that are named, at most n_names; returns how many it has. */
int gn_op_copy_attrs(const gn_node *node, const char *const *names, int n_names, gn_attr *dst);
/* "[a,b] and [c,d]" style shapes of the present inputs, for messages.  dst holds at least 256 bytes. */
void gn_op_input_shapes(const gn_graph *graph, const gn_node *node, char *dst);

/* ---- gradients ---- */

/* Appends one node with one output in domain `domain`, named after `node`; its value id, or negative (graph's sticky error). */
int gn_emit(gn_grad *grad, const gn_node *node, const char *domain, const char *op, const int *in, int n_in,
            const gn_attr *attrs, int n_attrs);
/* As gn_emit with one or two operands and no attributes. */
int gn_emit_unary(gn_grad *grad, const gn_node *node, const char *domain, const char *op, int a);
int gn_emit_binary(gn_grad *grad, const gn_node *node, const char *domain, const char *op, int a, int b);
/* Scalar constant. */
int gn_emit_scalar(gn_grad *grad, const gn_node *node, float x);
/* Zeros like value `like`. */
int gn_emit_zeros(gn_grad *grad, const gn_node *node, int like);
/* Reshape of `value` to the shape of `like`. */
int gn_emit_reshape_like(gn_grad *grad, const gn_node *node, int value, int like);
/* Gives `value` as the gradient of input i; a negative value forwards the graph's sticky error. */
gn_status gn_give(gn_grad *grad, const gn_node *node, int i, int value);
/* As gn_give, after summing over the dimensions along which input i was broadcast. */
gn_status gn_give_summed(gn_grad *grad, const gn_node *node, int i, int value);
/* Gradient of an operator of two inputs by an operator `op` of the domain gannet: op(dY, X0, X1) gives the gradients by X0 and, asked
 * for as a second output, by X1, each as broadcast. */
gn_status gn_grad_by_pair(gn_grad *grad, const gn_node *node, const char *op);

#endif
