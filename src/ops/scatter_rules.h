/* How tensors of indices name elements and slices, shared by GatherElements, GatherND, ScatterElements and ScatterND: data is operand
 * 0, the indices are operand 1.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_SCATTER_RULES_H
#define GN_OPS_SCATTER_RULES_H

#include "graph/op.h"

/* Indices name elements along `axis`: of an integer type, as many dimensions as data, no longer than it along the others. */
gn_status gn_check_element_indices(const gn_graph *graph, const gn_node *node, int axis, gn_error *err);
/* The last dimension of the indices names a slice of data, after `batch` common dimensions. */
gn_status gn_check_slice_indices(const gn_graph *graph, const gn_node *node, int64_t batch, gn_error *err);

/* Plain index into data of the element that index i names; -1 when it is outside. */
int64_t gn_element_of_index(const gn_shape *data, const gn_tensor *indices, int axis, int64_t i);
/* Elements of one slice (at least 1), and plain index of the first one of slice i; -1 when it is outside. */
int64_t gn_slice_size(const gn_shape *data, const gn_tensor *indices, int batch);
int64_t gn_slice_of_index(const gn_shape *data, const gn_tensor *indices, int batch, int64_t i);

#endif
