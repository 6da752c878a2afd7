/* What the parts of a session share.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_RUN_SESSION_INTERNAL_H
#define GN_RUN_SESSION_INTERNAL_H

#include "detect/nms.h"
#include "run/session.h"

/* Plans kept at a time: one picture, a full batch, a last partial batch, and some more. */
#define SESSION_MAX_PLANS 6

/* The graph at one batch size; weights are borrowed from the session's graph. */
typedef struct session_plan {
    int n;
    gn_graph *graph;
    gn_exec *exec;
} session_plan;

struct gn_session {
    gn_graph *graph; /* form for inference, batch 1 */
    gn_arena *arena; /* strings of info */
    gn_model_info info;
    const gn_backend *backend;
    gn_device *device;
    session_plan plans[SESSION_MAX_PLANS];
    int n_plans, current;
    bool is_sealed; /* weights were freed: no further plans */
    /* A model that was made for one picture and cannot be planned for more runs a batch in turns. */
    bool is_fixed_batch; /* the file says that the batch is 1 */
    bool runs_in_turns;
    int gathered;    /* pictures of the last run, when it was in turns; else 0 */
    float **gather;  /* per output: what all turns gave */
    int gather_room; /* pictures that fit */
    float *input;    /* [3,H,W] of gn_session_predict */
    /* Of a detector. */
    gn_nms *nms;
    gn_nms_options suppression;
    bool multi_label;
    gn_candidate *found; /* [GN_PREDICTION_MAX] */
};

#endif
