/* Boxes between a picture and the network's input.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/batch.h"

gn_box gn_geometry_to_picture(const gn_geometry *g, int imgsz_w, int imgsz_h, const gn_box *box)
{
    const double x1 = (g->flipped ? 1 - (double)box->x2 : (double)box->x1) * imgsz_w;
    const double x2 = (g->flipped ? 1 - (double)box->x1 : (double)box->x2) * imgsz_w;
    return (gn_box){
        (float)(x1 * g->scale_x + g->offset_x),
        (float)((double)box->y1 * imgsz_h * g->scale_y + g->offset_y),
        (float)(x2 * g->scale_x + g->offset_x),
        (float)((double)box->y2 * imgsz_h * g->scale_y + g->offset_y),
    };
}

gn_box gn_geometry_to_input(const gn_geometry *g, int imgsz_w, int imgsz_h, const gn_box *box_px)
{
    const double x1 = ((double)box_px->x1 - g->offset_x) / g->scale_x / imgsz_w;
    const double x2 = ((double)box_px->x2 - g->offset_x) / g->scale_x / imgsz_w;
    return (gn_box){
        (float)(g->flipped ? 1 - x2 : x1),
        (float)(((double)box_px->y1 - g->offset_y) / g->scale_y / imgsz_h),
        (float)(g->flipped ? 1 - x1 : x2),
        (float)(((double)box_px->y2 - g->offset_y) / g->scale_y / imgsz_h),
    };
}
