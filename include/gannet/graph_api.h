/* The graph stage as programs see it: the IR, its operators, passes and the plan.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_GRAPH_API_H
#define GANNET_GRAPH_API_H

#include "graph/graph.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "ops/ops.h"

#endif
