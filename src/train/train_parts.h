/* Which weights of a model are its backbone and which its head, and which of them a run leaves as they are.
 * The head is what the metadata gannet.head_tensors lists (networks of the zoo say so); without it, the weights of the last layer.
 * A layer is a node with weights of its own: Conv, ConvTranspose, Gemm or MatMul; normalisations and whatever else has weights belong to
 * the layer before them in the order of the graph, those before the first layer to the first.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TRAIN_TRAIN_PARTS_H
#define GN_TRAIN_TRAIN_PARTS_H

#include "graph/graph.h"

typedef enum gn_freeze_kind { GN_FREEZE_NONE = 0, GN_FREEZE_BACKBONE, GN_FREEZE_LAYERS } gn_freeze_kind;

/* layers: of GN_FREEZE_LAYERS, so many from the input on. */
typedef struct gn_freeze {
    gn_freeze_kind kind;
    int layers;
} gn_freeze;

/* "none", "backbone", or a number of layers above 0.  GN_EUSAGE. */
gn_status gn_freeze_parse(const char *text, gn_freeze *freeze_out, gn_error *err);

/* The first layer of every trainable state, counted from 1; 0 for values that are none.  layer_out: owned, [values].
 * *n_layers_out: layers of the graph. */
gn_status gn_train_layers(const gn_graph *graph, int **layer_out, int *n_layers_out);
/* Whether a trainable state belongs to the head; layers: from gn_train_layers. */
bool gn_train_is_head(const gn_graph *graph, int value, const int *layers, int n_layers);

/* Takes `trainable` away from what is frozen.  *n_frozen_out: tensors.
 * GN_EUSAGE: nothing would be left to train; GN_ENOMEM. */
gn_status gn_train_freeze(gn_graph *graph, const gn_freeze *freeze, int *n_frozen_out, gn_error *err);

#endif
