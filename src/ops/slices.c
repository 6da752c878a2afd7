/* Copies of slices along one axis.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/slices.h"

#include "ops/ref_access.h"

/* Plain index into the whole of element i of the part. */
static int64_t whole_index(const gn_shape *whole, const gn_shape *part, int axis, int64_t offset, int64_t i)
{
    int64_t inner = 1;
    for (int d = axis + 1; d < part->rank; d++)
        inner *= part->dim[d];
    const int64_t block = part->dim[axis] * inner;
    return i / block * whole->dim[axis] * inner + offset * inner + i % block;
}

void gn_slice_load(const gn_tensor *whole, int axis, int64_t offset, gn_tensor *part)
{
    const int64_t n = gn_tensor_count(part);
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(part, i, whole, whole_index(&whole->shape, &part->shape, axis, offset, i));
}

void gn_slice_store(const gn_tensor *part, int axis, int64_t offset, gn_tensor *whole)
{
    const int64_t n = gn_tensor_count(part);
    for (int64_t i = 0; i < n; i++)
        gn_ref_move(whole, whole_index(&whole->shape, &part->shape, axis, offset, i), part, i);
}
