/* One video through a model: frames in order, what is found in each, and a video with the boxes drawn.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PREDICT_VIDEO_H
#define GN_CLI_PREDICT_VIDEO_H

#include "cli/predict_draw.h"
#include "cli/predict_report.h"

/* What is done with each frame's objects before they are told: the verb's filter. */
typedef void (*gn_predict_filter_fn)(void *ctx, gn_prediction *p);

typedef struct gn_predict_video {
    gn_session *session;
    gn_predict_report *report;
    const gn_predict_draw *draw;
    gn_predict_filter_fn filter;
    void *filter_ctx;
    const char *save; /* folder of the drawn video, or NULL */
    int stride;       /* one frame in so many is looked at */
    int64_t limit;    /* at most so many frames, 0: all */
} gn_predict_video;

/* n_frames_out: frames looked at, also when it fails.  When a stop is asked for, what there is so far is written, and GN_ECANCELED returned;
 * likewise GN_EFORMAT for a video that breaks off.  Errors of gn_video_open, gn_session_predict and of writing. */
gn_status gn_predict_video_run(const gn_predict_video *v, const char *path, const char *name, int64_t *n_frames_out,
                               gn_error *err);

#endif
