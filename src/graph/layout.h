/* Assignment of memory layouts to the values of a graph (used by the planner).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_LAYOUT_H
#define GN_GRAPH_LAYOUT_H

#include "graph/plan.h"

/* Inserts conversions and gives the layout of every value (owned array, gn_free). */
gn_status gn_layout_assign(gn_graph *graph, const gn_plan_target *target, gn_layout **layouts_out, gn_error *err);

#endif
