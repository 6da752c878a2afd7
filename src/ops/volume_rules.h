/* Convolutions and pools whose input is no picture of four dimensions: one or three spatial dimensions, by references only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_VOLUME_RULES_H
#define GN_OPS_VOLUME_RULES_H

#include "graph/op.h"

/* True when input 0 does not have four dimensions: then these take the place of what ops/spatial.h describes. */
bool gn_is_volume(const gn_graph *graph, const gn_node *node);

gn_status gn_volume_conv_infer(gn_graph *graph, const gn_node *node, gn_error *err);
void gn_volume_conv_cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out);
gn_status gn_volume_conv(const gn_ref_call *call);

/* Output 1, when there is one, is s64. */
gn_status gn_volume_pool_infer(gn_graph *graph, const gn_node *node, gn_error *err);
void gn_volume_pool_cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out);
gn_status gn_volume_max(const gn_ref_call *call);
gn_status gn_volume_average(const gn_ref_call *call);

#endif
