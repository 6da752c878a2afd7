/* What a session does for detectors.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_RUN_SESSION_DETECT_H
#define GN_RUN_SESSION_DETECT_H

#include "run/session_internal.h"

/* Takes the options over and makes room; the graph is in its form for inference.  GN_EINVAL: an option out of its range;
 * GN_EUNSUPPORTED: the outputs are no boxes and scores. */
gn_status gn_session_setup_detector(gn_session *session, const gn_session_options *options, gn_error *err);
/* GN_ESHAPE; where the size of the input is no multiple of the detector's strides, err says so instead of naming a node. */
gn_status gn_session_explain_size(const gn_model_info *info, gn_error *err);
/* Objects of picture `index` of the last run. */
gn_status gn_session_decode_detector(const gn_session *session, int index, int full_width, int full_height,
                                     gn_prediction *out);

/* A box in pixels of the input, in pixels of the picture, inside it (predict.c). */
gn_box gn_session_place_box(const gn_model_info *info, const float in[4], int width, int height);

#endif
