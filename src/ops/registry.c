/* The table of all operators, made from ops.def.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/ops.h"

#define GN_OP(def) extern const gn_op_def def;
#include "ops/ops.def"
#undef GN_OP

static const gn_op_def *const all_defs[] = {
#define GN_OP(def) &def,
#include "ops/ops.def"
#undef GN_OP
    NULL,
};

const gn_op_registry *gn_ops_registry(void)
{
    static const gn_op_registry registry = {all_defs};
    return &registry;
}
