/* What `gannet val` knows of detections once they are scored: figures for all classes, for each, and what they were counted from.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_VAL_RESULT_H
#define GN_CLI_VAL_RESULT_H

#include "gannet/data_api.h"
#include "gannet/detect_api.h"
#include "gannet/measure_api.h"

typedef struct gn_val_result {
    gn_accuracy accuracy;
    bool has_objects;       /* detections: the rest counts */
    gn_scored_split scored; /* owned */
    gn_coco_class *classes; /* [scored.n_classes] owned */
    gn_voc_class *voc;      /* [scored.n_classes] owned */
    double voc_ap11, voc_ap;
    bool has_boxes;           /* one box per picture: scored holds it as the only detection, of one class */
    bool has_scores;          /* the answers have scores that differ */
    gn_coco_picture *picture; /* [scored.n_images] hits and mistakes at the best confidence; owned */
    double *
        picture_score; /* [scored.n_images] F1 at that confidence, or the IoU; NaN: no true box to compare with; owned */
    gn_scored_picture *answer; /* [n_answers] of a classifier; owned */
    int64_t n_answers;
    const char **names;     /* [scored.n_classes] owned array; the strings are borrowed, or lie in `arena` */
    double preprocess_ms;   /* per picture; NaN: nothing was run */
    double read_s, score_s; /* of somebody else's detections: to read the files, to count everything */
    gn_arena *arena;
} gn_val_result;

gn_val_result gn_val_result_nothing(void);
void gn_val_result_deinit(gn_val_result *result);

/* Takes over *scored (which is empty afterwards) and counts everything.  names: n_names strings that outlive the result; a class beyond
 * them is called by its number.  Errors of gn_accuracy_of_split. */
gn_status gn_val_result_take(gn_val_result *result, gn_scored_split *scored, const char *const *names, int n_names,
                             const gn_accuracy_options *options, gn_error *err);

/* The same of a model that answers with one box: the figures stand already in result->accuracy.  pictures: [n], of the split. */
gn_status gn_val_result_take_boxes(gn_val_result *result, const gn_scored_picture *pictures, int64_t n,
                                   const gn_dataset *dataset, gn_split split, bool has_scores, gn_error *err);

#endif
