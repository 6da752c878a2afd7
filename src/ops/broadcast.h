/* NumPy broadcasting for reference computations.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_BROADCAST_H
#define GN_OPS_BROADCAST_H

#include "graph/op.h"

/* Plain index into `operand` of the element that element i of `result` reads; shapes broadcast. */
int64_t gn_broadcast_index(const gn_shape *operand, const gn_shape *result, int64_t i);
/* The same for loops over all i: whether the operand has the result's shape is found out once. */
typedef struct gn_broadcast_operand {
    const gn_shape *operand, *result;
    bool is_whole;
} gn_broadcast_operand;
static inline gn_broadcast_operand gn_broadcast_of(const gn_tensor *operand, const gn_tensor *result)
{
    return (gn_broadcast_operand){&operand->shape, &result->shape, gn_shape_equal(&operand->shape, &result->shape)};
}
static inline int64_t gn_broadcast_at(const gn_broadcast_operand *b, int64_t i)
{
    return b->is_whole ? i : gn_broadcast_index(b->operand, b->result, i);
}
/* out[i] = fn(a[i], b[i]) with inputs 0 and 1 broadcast to output 0. */
gn_status gn_broadcast_apply(const gn_ref_call *call, double (*fn)(double a, double b));
/* The same for integers (exact) and real numbers: by `integers`, u64 as its bits, where the operands are integers or bool, else by
 * `reals`.  Results keep the low bits that their type has. */
gn_status gn_broadcast_apply_typed(const gn_ref_call *call, double (*reals)(double a, double b),
                                   int64_t (*integers)(int64_t a, int64_t b));

#endif
