/* The IoU family with analytic gradients, and scalar regression losses; see box.h for the conventions.
 * Sources: Rezatofighi et al. 2019 (GIoU), Zheng et al. 2020 (DIoU, CIoU).
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/box.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define PI 3.14159265358979323846

double gn_box_area(const gn_box *box)
{
    const double w = (double)box->x2 - (double)box->x1, h = (double)box->y2 - (double)box->y1;
    return w > 0 && h > 0 ? w * h : 0;
}

double gn_box_iou(const gn_box *a, const gn_box *b)
{
    const double w = fmin((double)a->x2, (double)b->x2) - fmax((double)a->x1, (double)b->x1);
    const double h = fmin((double)a->y2, (double)b->y2) - fmax((double)a->y1, (double)b->y1);
    if (!(w > 0) || !(h > 0))
        return 0;
    const double inter = w * h;
    return inter / (gn_box_area(a) + gn_box_area(b) - inter);
}

gn_box gn_box_clip(const gn_box *box, float width, float height)
{
    const gn_box out = {
        fminf(fmaxf(box->x1, 0), width),
        fminf(fmaxf(box->y1, 0), height),
        fminf(fmaxf(box->x2, 0), width),
        fminf(fmaxf(box->y2, 0), height),
    };
    return out;
}

static const char *const iou_names[] = {"iou", "giou", "diou", "ciou"};

const char *gn_iou_kind_name(gn_iou_kind kind)
{
    return iou_names[kind];
}

bool gn_iou_kind_parse(const char *name, gn_iou_kind *out)
{
    for (int i = 0; i < 4; i++)
        if (strcmp(name, iou_names[i]) == 0) {
            *out = (gn_iou_kind)i;
            return true;
        }
    return false;
}

/* One axis of the pair: p1 p2 the prediction, t1 t2 the target.  Lengths, and their derivatives by p1 and p2. */
typedef struct axis {
    double size, dsize[2];   /* of the prediction, clamped at 0 */
    double inter, dinter[2]; /* overlap, clamped at 0 */
    double hull, dhull[2];   /* enclosing length */
    double tsize;            /* of the target */
} axis;

static axis axis_of(double p1, double p2, double t1, double t2, bool cover_all)
{
    axis a = {0};
    a.tsize = fmax(t2 - t1, 0);
    if (p2 > p1) {
        a.size = p2 - p1;
        a.dsize[0] = -1;
        a.dsize[1] = 1;
    }
    const double inter = fmin(p2, t2) - fmax(p1, t1);
    if (inter > 0) {
        a.inter = inter;
        a.dinter[0] = p1 > t1 ? -1 : 0;
        a.dinter[1] = p2 < t2 ? 1 : 0;
    }
    /* swap: of an inverted prediction p1 is the right end and p2 the left one. */
    const bool swap = cover_all && p1 > p2;
    const double left = swap ? p2 : p1, right = swap ? p1 : p2;
    a.hull = fmax(right, t2) - fmin(left, t1);
    a.dhull[swap ? 1 : 0] = left < t1 ? -1 : 0;
    a.dhull[swap ? 0 : 1] = right > t2 ? 1 : 0;
    return a;
}

/* Product of two axis lengths: d(u v) by the corners, in the order x1 y1 x2 y2. */
static void product_grad(double u, const double du[2], double v, const double dv[2], double out[4])
{
    out[0] = du[0] * v;
    out[2] = du[1] * v;
    out[1] = dv[0] * u;
    out[3] = dv[1] * u;
}

/* What the penalty terms of all kinds need: both axes, and the plain IoU with its gradient. */
typedef struct pair {
    axis x, y;
    double uni, duni[4];
    double iou, diou[4];
} pair;

static pair pair_of(const double p[4], const double t[4], bool cover_all)
{
    pair r;
    r.x = axis_of(p[0], p[2], t[0], t[2], cover_all);
    r.y = axis_of(p[1], p[3], t[1], t[3], cover_all);
    const double inter = r.x.inter * r.y.inter;
    double dinter[4], darea[4];
    product_grad(r.x.inter, r.x.dinter, r.y.inter, r.y.dinter, dinter);
    product_grad(r.x.size, r.x.dsize, r.y.size, r.y.dsize, darea);
    r.uni = r.x.size * r.y.size + r.x.tsize * r.y.tsize - inter + GN_IOU_EPS;
    r.iou = inter / r.uni;
    for (int i = 0; i < 4; i++) {
        r.duni[i] = darea[i] - dinter[i];
        r.diou[i] = (dinter[i] - r.iou * r.duni[i]) / r.uni;
    }
    return r;
}

/* (C - U) / C with C the enclosing area. */
static double giou_penalty(const pair *r, double dpen[4])
{
    const double hull = r->x.hull * r->y.hull + GN_IOU_EPS;
    double dhull[4];
    product_grad(r->x.hull, r->x.dhull, r->y.hull, r->y.dhull, dhull);
    for (int i = 0; i < 4; i++)
        dpen[i] = (r->uni * dhull[i] / hull - r->duni[i]) / hull;
    return (hull - r->uni) / hull;
}

/* rho^2 / c^2: squared distance of the centres over the squared diagonal of the enclosing box. */
static double diou_penalty(const pair *r, const double p[4], const double t[4], double dpen[4])
{
    const double dx = (p[0] + p[2] - t[0] - t[2]) / 2, dy = (p[1] + p[3] - t[1] - t[3]) / 2;
    const double rho2 = dx * dx + dy * dy;
    const double c2 = r->x.hull * r->x.hull + r->y.hull * r->y.hull + GN_IOU_EPS;
    const double pen = rho2 / c2;
    for (int i = 0; i < 2; i++) {
        dpen[2 * i] = (dx - pen * 2 * r->x.hull * r->x.dhull[i]) / c2;
        dpen[2 * i + 1] = (dy - pen * 2 * r->y.hull * r->y.dhull[i]) / c2;
    }
    return pen;
}

/* alpha v: v = 4/pi^2 (atan(w_t/h_t) - atan(w/h))^2, alpha = v / (1 - IoU + v), constant in the gradient. */
static double ciou_penalty(const pair *r, double dpen[4])
{
    const double w = r->x.size, h = r->y.size;
    const double diff = atan2(r->x.tsize, r->y.tsize) - atan2(w, h);
    const double k = 4 / (PI * PI);
    const double v = k * diff * diff;
    const double alpha = v / (v - r->iou + 1 + GN_IOU_EPS);
    const double norm = fmax(w * w + h * h, GN_IOU_EPS); /* keeps the gradient of a vanishing box finite */
    const double dv = -2 * k * diff * alpha;
    for (int i = 0; i < 2; i++) {
        dpen[2 * i] = dv * h / norm * r->x.dsize[i];
        dpen[2 * i + 1] = -dv * w / norm * r->y.dsize[i];
    }
    return alpha * v;
}

double gn_box_iou_loss(gn_iou_kind kind, const double pred[4], const double target[4], double dpred[4])
{
    const pair r = pair_of(pred, target, kind == GN_IOU_G);
    double loss = 1 - r.iou;
    double dloss[4], dpen[4];
    for (int i = 0; i < 4; i++)
        dloss[i] = -r.diou[i];
    if (kind == GN_IOU_G) {
        loss += giou_penalty(&r, dpen);
        for (int i = 0; i < 4; i++)
            dloss[i] += dpen[i];
    } else if (kind == GN_IOU_D || kind == GN_IOU_C) {
        loss += diou_penalty(&r, pred, target, dpen);
        for (int i = 0; i < 4; i++)
            dloss[i] += dpen[i];
    }
    if (kind == GN_IOU_C) {
        loss += ciou_penalty(&r, dpen);
        for (int i = 0; i < 4; i++)
            dloss[i] += dpen[i];
    }
    if (dpred != NULL)
        memcpy(dpred, dloss, sizeof dloss);
    return loss;
}

double gn_box_iou_value(gn_iou_kind kind, const double pred[4], const double target[4])
{
    return 1 - gn_box_iou_loss(kind, pred, target, NULL);
}

double gn_smooth_l1(double d, double beta)
{
    const double a = fabs(d);
    return a < beta ? d * d / (2 * beta) : a - beta / 2;
}

double gn_smooth_l1_grad(double d, double beta)
{
    if (fabs(d) < beta)
        return d / beta;
    return d > 0 ? 1 : d < 0 ? -1 : 0;
}

double gn_squared_error(double d)
{
    return d * d;
}

double gn_squared_error_grad(double d)
{
    return 2 * d;
}
