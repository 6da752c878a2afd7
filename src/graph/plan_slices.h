/* Values that live inside others: the members of a Concat in its result, the parts of a Split in its input.  Private to the planner.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_PLAN_SLICES_H
#define GN_GRAPH_PLAN_SLICES_H

#include "graph/plan.h"

/* Links values to the picture whose channels they are a slice of (`of`, `shift`, `stride`, `is_slice`).  Every value has its place
 * already, views have their `of`.  GN_ENOMEM. */
gn_status gn_plan_share_slices(const gn_graph *graph, const gn_plan_target *target, gn_plan *plan);

#endif
