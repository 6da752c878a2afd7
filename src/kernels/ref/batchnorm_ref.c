/* Batch normalisation, plain C: the specification of batchnorm.h, for a range of rows.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/ref/curve_ref.h"
#include "kernels/vec_tables.h"

static void gn_f32_bn_stats__ref(const gn_bn_fwd *call, gn_rows rows, gn_bn_partial partial)
{
    const int C = call->p.C;
    for (int c = 0; c < C; c++) {
        const float pivot = call->x[rows.begin * C + c];
        double sum = 0.0, sum2 = 0.0;
        for (int64_t r = rows.begin; r < rows.end; r++) {
            const double d = (double)call->x[r * C + c] - pivot;
            sum += d;
            sum2 += d * d;
        }
        partial.pivot[c] = pivot;
        partial.sum[c] = sum;
        partial.sum2[c] = sum2;
    }
}

static void gn_f32_bn_normalise__ref(const gn_bn_fwd *call, gn_rows rows)
{
    const int C = call->p.C;
    const gn_clamp clamp = call->p.clamp;
    for (int64_t r = rows.begin; r < rows.end; r++) {
        for (int c = 0; c < C; c++) {
            const float centred = call->x[r * C + c] - call->mean[c];
            float y = centred * (call->invstd[c] * call->scale[c]) + call->shift[c];
            if (call->p.curve.kind != GN_CURVE_NONE)
                y = (float)gn_curve_ref(call->p.curve, (double)y);
            const float above = y < clamp.lo ? clamp.lo : y;
            call->y[r * C + c] = above > clamp.hi ? clamp.hi : above;
        }
    }
}

/* dy where the clamp lets it through, or times the slope of the curve at the normalised x. */
static float masked(const gn_bn_bwd *call, int64_t i)
{
    const gn_clamp clamp = call->p.clamp;
    const int64_t c = i % call->p.C;
    const float centred = call->x[i] - call->mean[c];
    const float z = centred * (call->invstd[c] * call->scale[c]) + call->shift[c];
    if (call->p.curve.kind != GN_CURVE_NONE)
        return (float)((double)call->dy[i] * gn_curve_slope_ref(call->p.curve, (double)z));
    const bool is_open = clamp.lo == -INFINITY && clamp.hi == INFINITY;
    return is_open || (clamp.lo < z && z < clamp.hi) ? call->dy[i] : 0.0f;
}

static void gn_f32_bn_bwd_stats__ref(const gn_bn_bwd *call, gn_rows rows, gn_bn_partial partial)
{
    const int C = call->p.C;
    for (int c = 0; c < C; c++) {
        double sum = 0.0, sum2 = 0.0;
        for (int64_t r = rows.begin; r < rows.end; r++) {
            const int64_t i = r * C + c;
            const double g = masked(call, i);
            sum += g;
            sum2 += g * ((double)call->x[i] - call->mean[c]);
        }
        partial.sum[c] = sum;
        partial.sum2[c] = sum2 * call->invstd[c];
    }
}

/* dx = scale*invstd * (g - mean(g) - xhat*mean(g*xhat)), the means taken over all rows. */
static void gn_f32_bn_bwd_dx__ref(const gn_bn_bwd *call, gn_rows rows)
{
    const int C = call->p.C;
    const float inverse = (float)(1.0 / (double)call->p.rows);
    for (int64_t r = rows.begin; r < rows.end; r++) {
        for (int c = 0; c < C; c++) {
            const int64_t i = r * C + c;
            const float a = call->scale[c] * call->invstd[c];
            const float centred = call->x[i] - call->mean[c];
            const float slope = call->invstd[c] * call->dscale[c] * inverse;
            call->dx[i] = a * (masked(call, i) - call->dshift[c] * inverse - centred * slope);
        }
    }
}

const gn_bn_table gn_bn__ref = {
    .stats = gn_f32_bn_stats__ref,
    .normalise = gn_f32_bn_normalise__ref,
    .bwd_stats = gn_f32_bn_bwd_stats__ref,
    .bwd_dx = gn_f32_bn_bwd_dx__ref,
};
