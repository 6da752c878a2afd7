/* Boxes that are told relative to anchors: decoding with derivatives, and the overlap losses through it.
 * Sources: Redmon and Farhadi 2017 and 2018; YOLOv5's documentation.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/detector_loss_private.h"

gn_anchor_box gn_anchor_decode(const gn_detection *d, const gn_candidate *c)
{
    gn_anchor_box out;
    const double stride = d->detector.stride[c->map];
    const bool is_yolov5 = d->detector.kind == GN_DETECTOR_YOLOV5;
    const double s = is_yolov5 ? 2 : d->detector.kind == GN_DETECTOR_YOLOV3 ? (double)d->detector.scale_xy : 1;
    for (int i = 0; i < 2; i++) {
        const double xy = gn_logistic(gn_raw(d, c->map, gn_anchor_at(d, c, i)));
        const double wh = gn_raw(d, c->map, gn_anchor_at(d, c, 2 + i));
        const double anchor = (double)d->detector.anchor[c->map][c->anchor][i];
        const double p = is_yolov5 ? gn_logistic(wh) : 0;
        const double size = anchor * (is_yolov5 ? 4 * p * p : exp(wh));
        const double centre = ((double)(i ? c->y : c->x) + s * xy - (s - 1) / 2) * stride;
        out.box[i] = centre - size / 2;
        out.box[2 + i] = centre + size / 2;
        out.d[i] = s * xy * (1 - xy) * stride;
        out.d[2 + i] = is_yolov5 ? 2 * size * (1 - p) : size;
    }
    return out;
}

double gn_anchor_iou_loss(const gn_detection *d, const gn_candidate *c, gn_iou_kind iou, const double truth[4],
                          double factor)
{
    const gn_anchor_box b = gn_anchor_decode(d, c);
    double dbox[4];
    const double value = gn_box_iou_loss(iou, b.box, truth, dbox);
    for (int i = 0; i < 2; i++) {
        gn_grad_add(d, c->map, gn_anchor_at(d, c, i), factor * (dbox[i] + dbox[2 + i]) * b.d[i]);
        gn_grad_add(d, c->map, gn_anchor_at(d, c, 2 + i), factor * (dbox[2 + i] - dbox[i]) / 2 * b.d[2 + i]);
    }
    return factor * value;
}
