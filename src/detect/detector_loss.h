/* The loss of a multi-box detector: which candidates answer for which truths, and what is lost, with the gradient by the raw maps.
 * Everything that is assigned or detached (targets, overlaps as targets, weights of terms) is a constant of the gradient.
 *
 * A batch is worked on picture by picture, so that pictures can be shared out among threads: gn_detection_assign for every picture,
 * gn_detection_combine once, gn_detection_picture_loss for every picture, gn_detection_result once.  Sums over pictures are taken in
 * their order: the same bits for any number of threads.  All arithmetic is in double.  Nothing is allocated.
 *
 * The terms by kind; S is the sum of picture weights, N_pos the (weighted) number of assigned candidates:
 *   yolov8     Task-aligned assignment (assign_task_aligned.h).  box: sum of t (1 - CIoU); dfl: sum of t times the mean over the four
 *              sides of the cross entropy with the two bins beside the distance; class: sum over all candidates of the binary cross
 *              entropy with the soft targets; each divided by T = max(sum of t, 1), t being an assigned candidate's target score.
 *   yolov5     Assignment by ratio (assign_ratio.h).  box: sum over maps of the mean over assigned candidates of 1 - CIoU; class: the
 *              same of the binary cross entropy (none for one class); objectness: sum over maps of balance times the mean over all
 *              candidates of the binary cross entropy with max(CIoU, 0) - the largest where several truths share a candidate.
 *              The gains are those published for three maps, 80 classes, 640 px and are scaled: all by 3 / maps, class by C / 80,
 *              objectness by (longer side / 640)^size_power.
 *   yolov3     Assignment by shape (assign_shape.h).  box "paper": (2 - wh) times (binary cross entropy of x and y + half the squared
 *              errors of w and h), or (2 - wh)(1 - IoU); objectness: binary cross entropy, without the
 *              candidates whose box overlaps some truth by more than `ignore`; class: binary cross entropy.  Sums divided by S.
 *   yolov2     The same with half of squared errors everywhere, the objectness target IoU and noobj for background; the cross entropy
 *              of softmax (or binary ones).  Sums divided by S.
 *   yolov1     The five terms of the paper: sums of squared errors, divided by S.
 *   retinanet  IoU >= match_high positive, < match_low negative, between them neither; the best anchors of each truth are positive.
 *              class: focal loss; box: 1 - GIoU, or smooth L1 (beta) of the deltas.  Sums divided by max(N_pos, 1).
 * Sources: Redmon et al. 2016, Redmon and Farhadi 2017 and 2018 and the released region and yolo layers; the YOLOv5 and YOLOv8
 * documentation; Feng et al. 2021 (TOOD); Li et al. 2020 (generalized focal loss); Lin et al. 2017 (focal loss).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_DETECTOR_LOSS_H
#define GN_DETECT_DETECTOR_LOSS_H

#include <stddef.h>

#include "detect/box.h"
#include "detect/detector.h"

#define GN_DETECTION_PARTS     4
#define GN_DETECTION_MAX_TOP_K 64

typedef enum gn_detection_part {
    GN_DETECTION_BOX = 0,
    GN_DETECTION_OBJECTNESS,
    GN_DETECTION_CLASS,
    GN_DETECTION_DFL,
} gn_detection_part;

/* The numbers of a loss. */
typedef struct gn_detection_rule {
    double box, obj, cls, dfl; /* gains */
    /* yolov5: how objectness grows with the input.  2 is published; 0, the default, learns faster from few pictures at small sizes. */
    double size_power;
    double noobj;       /* yolov1, v2, v3: of the objectness of background, beside obj */
    double focal_gamma; /* > 0: class terms that are binary cross entropies are focal */
    double focal_alpha; /* with gamma > 0: of targets 1, 1 - alpha of targets 0; <= 0: neither */
    double
        grad_scale; /* what all gradients are multiplied by, and neither loss nor parts: a loss that is scaled later */
    double label_smoothing; /* 0..1, of assigned candidates: 1 - e/2 and e/2; softmax: 1 - e + e/C and e/C */
    bool
        box_is_iou; /* the box term is 1 - iou; else that of the paper: squared errors of yolov1, v2 and v3, smooth L1 of retinanet,
                        CIoU of yolov5 and v8 */
    gn_iou_kind iou;
    double beta;                  /* retinanet's smooth L1; 0: L1 */
    double ignore;                /* yolov2, v3: overlap above which background is not asked for its objectness */
    double match_low, match_high; /* retinanet */
    double ratio;                 /* yolov5: sides differ by less than this factor */
    /* yolov2, v3: anchors whose shape overlaps the truth's by more than this answer for it beside the best; 1: none.  yolov3 begins with
     * 0.3, which few pictures gain from. */
    double shape;
    int top_k;                         /* yolov8: candidates of a truth, 1..GN_DETECTION_MAX_TOP_K */
    double score_power, overlap_power; /* yolov8: alpha and beta of TOOD */
    /* yolov8: the overlap that is aligned with the score, 0 where negative.  CIoU is negative for a truth whose side is below its distance
     * from the cell's centre, while cells predict large boxes evenly around their centres: GN_IOU_PLAIN gives such truths a chance. */
    gn_iou_kind overlap;
    /* yolov8: candidates of a truth are looked for as if its sides were at least this many of the finest stride, so that a truth between
     * the centres of cells has some (2: as YOLOv8's releases now behave); 0: the plain rule. */
    double small_side;
} gn_detection_rule;

/* The numbers that a kind begins with. */
gn_detection_rule gn_detection_rule_default(gn_detector_kind kind);
/* GN_EINVAL: a number is out of its range; says which. */
gn_status gn_detection_rule_check(const gn_detection_rule *rule, gn_error *err);

/* One raw map [n,channels,height,width] in memory: element (n, c, y, x) lies at n * picture_step + c * channel_step +
 * (y * width + x) * cell_step. */
typedef struct gn_detection_map {
    int64_t height, width;
    int64_t picture_step, channel_step, cell_step;
    const void *raw;
    void *grad; /* as raw; NULL: not asked for */
} gn_detection_map;

/* A batch.  Everything real is f32, or everything f64. */
typedef struct gn_detection {
    gn_detector detector; /* checked; n_maps says how many of `map` count */
    gn_detection_rule rule;
    bool is_f64;
    int64_t n, capacity;      /* pictures; rows of truth per picture */
    int64_t width, height;    /* of the network's input in pixels; 0: those of map 0 times its stride */
    const void *truth;        /* [n,capacity,5]: x1 y1 x2 y2 in 0..1 of the input, class number */
    const int64_t *n_truth;   /* [n]: rows that count; outside 0..capacity: clamped */
    const void *weight;       /* [n]: of a picture's share of every sum; 0 or less: it does not count at all */
    const void *class_weight; /* [classes]: of each class's terms */
    gn_detection_map map[GN_DETECTOR_MAX_MAPS];
} gn_detection;

/* Bytes of what is kept of the whole batch from the first call to the last (`state`), and of what a thread needs while it works
 * (`work`).  Both 16-byte aligned.  Sizes of the batch and of its maps count, pointers do not.  GN_ELIMIT: too large. */
gn_status gn_detection_bytes(const gn_detection *d, size_t *state_out, size_t *work_out, gn_error *err);

/* Rows of truth that are no boxes (no area, not finite, an unknown class) are passed over.  A raw value that is not finite makes the
 * loss NaN where it takes part in it. */
void gn_detection_assign(const gn_detection *d, int64_t picture, void *state, void *work);
void gn_detection_combine(const gn_detection *d, void *state);
/* Writes the gradients of the picture's part of every map that asks for them.  May be called again, with other numbers in the maps: what
 * is assigned stays. */
void gn_detection_picture_loss(const gn_detection *d, int64_t picture, void *state, void *work);
/* The loss, and its parts with their gains: they sum to it. */
void gn_detection_result(const gn_detection *d, const void *state, double *loss, double parts[GN_DETECTION_PARTS]);

/* All four in the caller's thread. */
void gn_detection_loss(const gn_detection *d, void *state, void *work, double *loss, double parts[GN_DETECTION_PARTS]);

#endif
