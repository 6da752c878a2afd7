/* A session: a model made ready to run on a device.  Plans are made once per batch size and size of the input, and
 * share one arena. Links with nothing from training, search or reports.  One session = one thread at a time;
 * different sessions may run together.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_RUN_SESSION_H
#define GN_RUN_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "detect/box.h"
#include "detect/nms.h"
#include "image/image.h"
#include "run/model_info.h"

typedef struct gn_session gn_session;

/* All zero means the defaults. */
typedef struct gn_session_options {
    int threads;          /* 1..256; 0: all cores this process may use */
    int imgsz_w, imgsz_h; /* pixels; 0: the model's */
    bool has_conf;        /* `conf` counts instead of the model's confidence */
    float conf;           /* 0..1 */
    bool has_iou;         /* `iou` counts instead of the model's overlap for NMS */
    float iou;            /* 0..1 */
    int max_det;          /* objects per picture of a detector, 1..GN_PREDICTION_MAX; 0: as many */
    bool multi_label;     /* a detector's candidate may be an object of several classes */
    gn_nms_kind nms;      /* how a detector's boxes that overlap are thinned out */
    bool class_agnostic;  /* boxes of different classes count as overlapping, too */
} gn_session_options;

/* Largest batch of one run. */
#define GN_SESSION_MAX_BATCH 4096

/* Opens an ONNX file (or its bytes; `name` stands in error lines).  options: NULL for the defaults.
 * Errors of gn_onnx_read; GN_EINVAL: an option out of its range; GN_EUNSUPPORTED: not exactly one float input;
 * GN_ESHAPE: the size does not fit the model; GN_ENOMEM. */
gn_status gn_session_open(const char *path, const gn_session_options *options, gn_session **session_out, gn_error *err);
gn_status gn_session_open_bytes(const void *bytes, size_t n, const char *name, const gn_session_options *options,
                                gn_session **session_out, gn_error *err);
/* The same for a graph in memory, which is borrowed: it must outlive the session, and weights that are folded are
 * those of now. */
gn_status gn_session_open_graph(const gn_graph *graph, const gn_session_options *options, gn_session **session_out,
                                gn_error *err);
/* The same, but the session takes the graph (*graph becomes NULL, also on failure) and frees weights that folding
 * replaced. */
gn_status gn_session_take_graph(gn_graph **graph, const gn_session_options *options, gn_session **session_out,
                                gn_error *err);
void gn_session_close(gn_session **session);

const gn_model_info *gn_session_info(const gn_session *session); /* imgsz is the one in use */
int gn_session_threads(const gn_session *session);
/* Shape of the input at batch 1. */
gn_shape gn_session_input_shape(const gn_session *session);
/* The graph in its form for inference, at batch 1. */
const gn_graph *gn_session_graph(const gn_session *session);

/* Runs a batch.  images: f32 [n,C,H,W], plain; n: 1..GN_SESSION_MAX_BATCH.  The first run of a batch size makes
 * its plan.  A model that was made for one picture, and has that written into its shapes, sees them one after the other. */
gn_status gn_session_run(gn_session *session, const float *images, int n, gn_error *err);
/* Output i of the last run, plain layout; valid until the next run.  shape_out may be NULL. */
const float *gn_session_output(const gn_session *session, int i, gn_shape *shape_out);
int gn_session_output_count(const gn_session *session);
/* Makes the plan for batch n without running. */
gn_status gn_session_prepare(gn_session *session, int n, gn_error *err);
/* The plan of the last run or preparation, and the graph that its steps refer to. */
const gn_plan *gn_session_plan(const gn_session *session, const gn_graph **graph_out);
/* Nanoseconds per step of that plan in one more run of the same input; step_ns: gn_session_plan's n_steps entries. */
gn_status gn_session_run_timed(gn_session *session, int64_t *step_ns, gn_error *err);
/* What a step of that plan is, for those who look at single layers.  The kinds are those by which kernels differ. */
typedef enum gn_step_kind {
    GN_STEP_POINTWISE = 0, /* convolution by 1x1 filters */
    GN_STEP_FIRST,         /* at most four input channels */
    GN_STEP_DENSE_3X3,
    GN_STEP_STRIDED, /* dense, larger than 1x1, with a stride */
    GN_STEP_DENSE,   /* other dense filters */
    GN_STEP_GROUPED,
    GN_STEP_DEPTHWISE,
    GN_STEP_LINEAR, /* matrix product */
    GN_STEP_OTHER,
    GN_STEP_KINDS
} gn_step_kind;
const char *gn_step_kind_name(gn_step_kind kind); /* "1x1", "first", "3x3", ... */

typedef struct gn_step_info {
    const char *name, *op; /* of the node, valid as long as the plan */
    gn_step_kind kind;
    char shape[64];       /* "64x56x56 -> 128x28x28 3x3/2" of a convolution, sizes of the result of others */
    int64_t macs;         /* multiply-adds by the operator's definition */
    int64_t weight_bytes; /* of operands that are the same in each run */
    int64_t data_bytes;   /* of the other operands and of results */
    gn_step_kernel kernel;
} gn_step_info;
/* Step 0 .. gn_session_plan's n_steps-1. */
void gn_session_step(const gn_session *session, int step, gn_step_info *info_out);
/* The kernels worth measuring for a step, the cost model's first; 0: there is no choice. */
int gn_session_step_choices(const gn_session *session, int step, gn_step_kernel *choices, int max);
/* Fixes the kernel of a step of that plan by its name, before gn_session_release_weights.  GN_EINVAL: there is none such; GN_ENOMEM. */
gn_status gn_session_choose(gn_session *session, int step, const char *kernel, gn_error *err);
/* What the device can do at most with the session's threads, measured within a fraction of a second.  GN_ENOMEM. */
gn_status gn_session_peak(gn_session *session, gn_device_peak *peak_out, gn_error *err);
/* Frees the weights that no plan made so far reads any more because it holds them packed; only batch sizes
 * prepared before can be run from then on (others: GN_EINVAL). */
void gn_session_release_weights(gn_session *session);
/* Bytes of weights, of packed weights, of the arena and of scratch that the session holds now. */
size_t gn_session_memory_bytes(const gn_session *session);

/* ---- pictures ---- */

/* One object.  box: pixels of the upright picture, inside it. */
typedef struct gn_object {
    gn_box box;
    float score; /* 0..1; 1 where the model gives none */
    int32_t cls;
} gn_object;

#define GN_PREDICTION_MAX 300

/* A classifier's objects are its five best classes, each with the whole picture as box. */
typedef struct gn_prediction {
    int n;
    gn_object object[GN_PREDICTION_MAX];
} gn_prediction;

typedef struct gn_times {
    int64_t preprocess_ns, infer_ns, postprocess_ns;
} gn_times;

/* The model's input for a picture (RGB): f32 [3,H,W] at dst, as the metadata say. */
gn_status gn_session_preprocess(const gn_session *session, const gn_image *image, float *dst, gn_error *err);
/* Objects of picture `index` of the last run, however unsure (of a detector: from its confidence on, thinned out, the surest first);
 * full_width, full_height: the upright picture, pixels.  GN_ENOMEM: *prediction_out holds none. */
gn_status gn_session_decode(const gn_session *session, int index, int full_width, int full_height,
                            gn_prediction *prediction_out);
/* All three for one picture; objects below the model's confidence are left out.  times_out may be NULL. */
gn_status gn_session_predict(gn_session *session, const gn_image *image, gn_prediction *prediction_out,
                             gn_times *times_out, gn_error *err);
/* How to decode a picture file for this model: JPEGs at no less than twice the input's size. */
gn_decode_options gn_session_decode_options(const gn_session *session);

#endif
