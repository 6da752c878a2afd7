/* Layer normalisation, plain C: the specification of layernorm.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernels/vec_tables.h"

static void moments(const float *x, int C, float epsilon, double *mean, double *invstd)
{
    double sum = 0, squares = 0;
    for (int c = 0; c < C; c++)
        sum += (double)x[c];
    *mean = sum / C;
    for (int c = 0; c < C; c++) {
        const double d = (double)x[c] - *mean;
        squares += d * d;
    }
    *invstd = 1 / sqrt(squares / C + (double)epsilon);
}

static void fwd__ref(const gn_ln_fwd *call, gn_rows rows)
{
    const int C = call->p.C;
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const float *x = call->x + r * C;
        float *y = call->y + r * C;
        double mean, invstd;
        moments(x, C, call->p.epsilon, &mean, &invstd);
        for (int c = 0; c < C; c++)
            y[c] = (float)(((double)x[c] - mean) * invstd * (double)call->scale[c] +
                           (call->shift ? (double)call->shift[c] : 0));
        if (call->mean)
            call->mean[r] = (float)mean;
        if (call->invstd)
            call->invstd[r] = (float)invstd;
    }
}

static void bwd__ref(const gn_ln_bwd *call, gn_rows rows, double *partial)
{
    const int C = call->p.C;
    memset(partial, 0, 2 * (size_t)C * sizeof *partial);
    for (int64_t r = rows.begin; r < rows.end; r++) {
        const float *x = call->x + r * C, *dy = call->dy + r * C;
        float *dx = call->dx + r * C;
        double mean, invstd, sum = 0, projected = 0;
        moments(x, C, call->p.epsilon, &mean, &invstd);
        for (int c = 0; c < C; c++) {
            const double xhat = ((double)x[c] - mean) * invstd, g = (double)dy[c] * (double)call->scale[c];
            sum += g;
            projected += g * xhat;
            partial[c] += (double)dy[c] * xhat;
            partial[C + c] += (double)dy[c];
        }
        for (int c = 0; c < C; c++) {
            const double xhat = ((double)x[c] - mean) * invstd, g = (double)dy[c] * (double)call->scale[c];
            dx[c] = (float)(invstd * (g - sum / C - xhat * projected / C));
        }
    }
}

const gn_ln_table gn_ln__ref = {.fwd = fwd__ref, .bwd = bwd__ref};
