/* The graph of one training step: the model in its training form, the loss, its gradient, clipping, the optimiser and the moving
 * average of the weights, all in one.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TRAIN_TRAIN_GRAPH_H
#define GN_TRAIN_TRAIN_GRAPH_H

#include "graph/graph.h"
#include "ops/optimizer_rules.h"
#include "train/train_parts.h"

typedef enum gn_optimizer_kind { GN_OPTIMIZER_SGD = 0, GN_OPTIMIZER_ADAM, GN_OPTIMIZER_ADAMW } gn_optimizer_kind;

/* What the loss of a box head is made of: l1_gain * smooth-L1(beta) [or MSE] + iou_gain * (1 - xIoU) + score_gain * BCE of the score. */
typedef struct gn_box_loss {
    double l1_gain, beta;
    bool is_mse; /* squared error instead of smooth-L1 */
    double iou_gain;
    const char *iou_kind; /* "iou", "giou", "diou", "ciou" */
    double score_gain;
} gn_box_loss;

/* What the loss of a detector is made of (ops/op_detection_loss.c); NaN: the detector's own default. */
typedef struct gn_detection_loss {
    double box, cls, obj, dfl; /* factors of its terms */
    double focal_gamma, focal_alpha;
    const char *box_loss; /* NULL: the detector's own */
    int n_class_weights;  /* 0: every class counts alike */
    const float *class_weight;
    int truths; /* most true boxes per picture; 0: 100 */
} gn_detection_loss;

typedef struct gn_train_rule {
    gn_box_loss loss; /* of models that answer with a box */
    gn_detection_loss detection;
    double label_smoothing; /* 0..0.9, of the classes' cross entropy */
    gn_freeze freeze;       /* weights that stay, with the normalisation of their layers at its running statistics */
    bool has_lr_backbone;   /* the backbone's rate is the rate times lr_backbone */
    double lr_backbone;
    bool has_lr_bias; /* biases have a rate of their own, GN_HYPER_BIAS_LR (warm-up) */
    gn_optimizer_kind optimizer;
    double momentum; /* SGD's momentum, Adam's beta1 */
    bool nesterov;
    double beta2, epsilon;
    double weight_decay;
    bool decays_all;  /* BatchNormalization and biases too */
    double clip_norm; /* 0: no clipping */
    bool has_ema;
} gn_train_rule;

/* graph: owned.  Values of inputs (images [B,3,H,W], target [B,4], has_box [B], label s64 [B], weight [B], truth [B,M,5], n_truth s64
 * [B], hyper [8], rng [2]; -1: the graph has no use for it);
 * outputs 0: loss, 1: gradient norm, and of a detector 2: the terms of the loss [4] (box, objectness, class, distribution). */
typedef struct gn_train_graph {
    gn_graph *graph;
    int images, target, has_box, label, weight, truth, n_truth, hyper, rng;
    int n_classes; /* of a classifier or detector */
    int n_frozen;  /* tensors that could be trained and are not */
} gn_train_graph;

/* Whether the model answers with classes (metadata gannet.task). */
bool gn_train_is_classifier(const gn_graph *model);
bool gn_train_is_detector(const gn_graph *model);
/* Pixels that sizes of the model's input are multiples of: of a detector its coarsest map's, else `fallback`. */
int gn_train_stride(const gn_graph *model, int fallback);
/* The rule without any preference: detectors' own gains, no freezing, no decay. */
gn_detection_loss gn_detection_loss_default(void);

/* model: its weights are trained in place, so it must outlive the result; with has_ema its averaged weights are states "ema.<name>".
 * GN_ESHAPE, GN_EUNSUPPORTED (an operator without gradient), GN_ENOMEM, with a message. */
gn_status gn_train_graph_build(const gn_graph *model, int batch, int width_px, int height_px, const gn_train_rule *rule,
                               gn_train_graph *out, gn_error *err);
void gn_train_graph_deinit(gn_train_graph *t);

/* Memory that training at a batch size takes: weights, gradients and activations (the planned arena), optimiser state. */
typedef struct gn_train_memory {
    size_t weight_bytes, optimizer_bytes, arena_bytes;
} gn_train_memory;
gn_status gn_train_memory_of(const gn_graph *model, int batch, int width_px, int height_px, const gn_train_rule *rule,
                             gn_train_memory *out, gn_error *err);

#endif
