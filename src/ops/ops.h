/* The operators: ops.def lists them, each lives in its own file op_<name>.c with attributes, shape rule, cost, gradient and plain
 * reference.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_OPS_H
#define GN_OPS_OPS_H

#include "graph/op.h"

/* All operators.  Static storage. */
const gn_op_registry *gn_ops_registry(void);

#endif
