/* Objects drawn on pictures and frames.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PREDICT_DRAW_H
#define GN_CLI_PREDICT_DRAW_H

#include <stdbool.h>

#include "gannet/image_api.h"
#include "gannet/run_api.h"

typedef struct gn_predict_draw {
    const gn_model_info *info;
    float line_px; /* 0: by the picture's size */
    bool hides_labels, hides_conf;
} gn_predict_draw;

/* Boxes with their names and scores, in place; the picture may have been decoded smaller than it is.  GN_ENOMEM. */
gn_status gn_predict_draw_objects(const gn_predict_draw *d, gn_image *image, const gn_prediction *p);

#endif
