/* A model's weights as a safetensors file for PyTorch.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_SAFETENSORS_MODEL_H
#define GN_FORMATS_WEIGHTS_SAFETENSORS_MODEL_H

#include "graph/graph.h"

/* Writes every STATE of `graph` under its name, its metadata, and for each "X.running_mean" a scalar s64 0 named
 * "X.num_batches_tracked", without which PyTorch's load_state_dict is not satisfied.  Atomically.
 * Errors of gn_safetensors_write. */
gn_status gn_safetensors_write_model(const char *path, const gn_graph *graph, gn_error *err);

#endif
