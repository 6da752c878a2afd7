/* What a model says about itself in its metadata (`gannet.*`): the size and normalisation of its input, and how to
 * read its output.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_RUN_MODEL_INFO_H
#define GN_RUN_MODEL_INFO_H

#include <stdbool.h>

#include "detect/detector.h"
#include "graph/graph.h"

typedef enum gn_decode {
    GN_DECODE_NONE = 0,  /* raw output */
    GN_DECODE_BOX,       /* [N,4]: x1 y1 x2 y2 in 0..1 of the input, one box per picture */
    GN_DECODE_BOX_SCORE, /* [N,5]: the same and a score, 0..1 or as a logit */
    GN_DECODE_CLASSES,   /* [N,classes]: logits, or probabilities */
    GN_DECODE_DETECT,    /* boxes [N,A,4] in pixels of the input and scores [N,A,C]: any number of objects */
} gn_decode;

/* Strings live in the arena given to gn_model_info_read. */
typedef struct gn_model_info {
    const char *model, *head; /* "" when unknown */
    int imgsz_w, imgsz_h;     /* pixels */
    bool is_letterbox;        /* else stretched */
    float mean[3], stddev[3]; /* of R, G, B in 0..1 */
    gn_decode decode;
    bool is_score_logit;  /* the score's sigmoid is not part of the graph */
    bool is_probability;  /* classes: the softmax is part of the graph */
    float conf;           /* boxes with a lower score are not reported */
    float iou;            /* of a detector: boxes that overlap a better one by more are not reported either */
    gn_detector detector; /* n_maps 0: the metadata do not describe one */
    int n_names;
    const char **names; /* [n_names] class names */
} gn_model_info;

/* Metadata of `graph`, with defaults where it says nothing: the input's own size, else 224; stretch; ImageNet's
 * normalisation; of a detector a confidence of 0.25 and an overlap of 0.7.
 * GN_EFORMAT names the key that cannot be read.  GN_ENOMEM. */
gn_status gn_model_info_read(const gn_graph *graph, gn_arena *arena, gn_model_info *info_out, gn_error *err);
/* Name of a class, or its number as text in `buffer` (at least 16 bytes). */
const char *gn_model_info_class(const gn_model_info *info, int cls, char *buffer);

#endif
