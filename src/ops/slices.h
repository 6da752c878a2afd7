/* Copies of slices along one axis, shared by Concat and Split.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_SLICES_H
#define GN_OPS_SLICES_H

#include "graph/op.h"

/* Copies the slice [offset, offset + part's extent) of `whole` along `axis` from or to `part`; the other dimensions agree. */
void gn_slice_load(const gn_tensor *whole, int axis, int64_t offset, gn_tensor *part);
void gn_slice_store(const gn_tensor *part, int axis, int64_t offset, gn_tensor *whole);

#endif
