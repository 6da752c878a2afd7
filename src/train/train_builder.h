/* Who builds the graph of a training step; shared by the files that add its parts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TRAIN_TRAIN_BUILDER_H
#define GN_TRAIN_TRAIN_BUILDER_H

#include "train/train_graph.h"

typedef struct gn_train_builder {
    gn_graph *g;
    const gn_train_rule *rule;
    gn_error *err;
    gn_train_graph *out;
    bool is_classifier, is_detector;
    int parts;     /* terms of a detector's loss; -1: none */
    bool *is_head; /* [values of the model] */
    int n_params;
    int *params, *grads, *steps; /* per trainable state: its value, its gradient, its value after the step */
} gn_train_builder;

/* An operator of one output; value ids, -1 after a failure that the graph remembers. */
int gn_train_input(gn_train_builder *b, const char *name, gn_dtype dtype, gn_shape shape);
int gn_train_op(gn_train_builder *b, const char *domain, const char *name, const int *in, int n_in,
                const gn_attr *attrs, int n_attrs);
/* total + gain*term; total -1: gain*term alone. */
int gn_train_add_term(gn_train_builder *b, int total, int term, double gain);

/* Leaves the raw maps as the model's only outputs and drops what stands behind them.  GN_EFORMAT: the metadata name none, or one that
 * is not there. */
gn_status gn_train_cut_raw(gn_train_builder *b);
/* Loss of a detector on its raw maps; adds the inputs truth, n_truth and weight.  *scaled_out: what is differentiated. */
gn_status gn_train_detection_loss(gn_train_builder *b, int batch, int *loss_out, int *scaled_out);

/* The optimiser over all parameters that have a gradient; scale: value of the gradients' factor. */
gn_status gn_train_add_optimizer(gn_train_builder *b, int scale);
/* Averages of weights and of running statistics alike; they begin as copies. */
gn_status gn_train_add_ema(gn_train_builder *b);

#endif
