/* Reference convolution: the loops of conv_loops.inc for f32 and f64.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/conv_ref.h"

#include "ops/curve_rules.h"

#define T       float
#define NAME(x) x##_f32
#include "ops/conv_loops.inc"
#undef T
#undef NAME
#define T       double
#define NAME(x) x##_f64
#include "ops/conv_loops.inc"
#undef T
#undef NAME

/* The common element type of plain tensors, NONE when there is none. */
static gn_dtype common_type(const gn_tensor *a, const gn_tensor *b, const gn_tensor *c)
{
    const bool alike = a->dtype == b->dtype && a->dtype == c->dtype && a->layout == GN_LAYOUT_PLAIN &&
                       b->layout == GN_LAYOUT_PLAIN && c->layout == GN_LAYOUT_PLAIN;
    return alike && (a->dtype == GN_DTYPE_F32 || a->dtype == GN_DTYPE_F64) ? a->dtype : GN_DTYPE_NONE;
}

gn_status gn_conv_ref_forward(const gn_spatial *g, const gn_tensor *x, const gn_tensor *w, const gn_tensor *bias,
                              const gn_tensor *residual, const gn_tensor *scale, gn_tensor *y, gn_curve curve,
                              double lo, double hi)
{
    const gn_dtype dtype = common_type(x, w, y);
    if (dtype == GN_DTYPE_NONE || (bias && bias->dtype != dtype) || (scale && scale->dtype != dtype) ||
        (residual && common_type(residual, x, y) != dtype))
        return GN_EUNSUPPORTED;
    const void *b = bias ? bias->data : NULL, *add = residual ? residual->data : NULL,
               *factor = scale ? scale->data : NULL;
    if (dtype == GN_DTYPE_F32)
        forward_f32(g, x->data, w->data, b, add, factor, y->data, curve, lo, hi);
    else
        forward_f64(g, x->data, w->data, b, add, factor, y->data, curve, lo, hi);
    return GN_OK;
}

gn_status gn_conv_ref_grad_data(const gn_spatial *g, const gn_tensor *dy, const gn_tensor *w, gn_tensor *dx)
{
    const gn_dtype dtype = common_type(dy, w, dx);
    if (dtype == GN_DTYPE_NONE)
        return GN_EUNSUPPORTED;
    if (dtype == GN_DTYPE_F32)
        grad_data_f32(g, dy->data, w->data, dx->data);
    else
        grad_data_f64(g, dy->data, w->data, dx->data);
    return GN_OK;
}

gn_status gn_conv_ref_grad_weight(const gn_spatial *g, const gn_tensor *dy, const gn_tensor *x, gn_tensor *dw)
{
    const gn_dtype dtype = common_type(dy, x, dw);
    if (dtype == GN_DTYPE_NONE)
        return GN_EUNSUPPORTED;
    if (dtype == GN_DTYPE_F32)
        grad_weight_f32(g, dy->data, x->data, dw->data);
    else
        grad_weight_f64(g, dy->data, x->data, dw->data);
    return GN_OK;
}
