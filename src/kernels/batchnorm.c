/* Batch normalisation: cuts rows into tasks and combines the tasks' partial statistics.  Partial sums are taken around a pivot
 * near the mean (no cancellation when the mean is much larger than the deviation) and combined pairwise as in Chan, Golub and
 * LeVeque 1983, "Algorithms for computing the sample variance", in double and in the order of the tasks.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "kernels/vec_tables.h"

/* Partials cost 20 bytes per channel and task: few tasks, each at least 64 rows and 256 KiB. */
enum { BN_MAX_TASKS = 64, BN_MIN_ROWS = 64, BN_MIN_ELEMS = 65536 };

static const gn_bn_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_bn__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_bn__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_bn__neon;
#endif
    default:
        return &gn_bn__ref;
    }
}

static int64_t rows_per_task(const gn_bn *p)
{
    const int64_t rows = gn_rows_per_task(p->rows, p->C, BN_MIN_ELEMS, BN_MAX_TASKS);
    return rows > BN_MIN_ROWS ? rows : BN_MIN_ROWS;
}

int gn_bn_tasks(const gn_bn *p)
{
    return gn_row_tasks(p->rows, rows_per_task(p));
}

static gn_rows task_rows(const gn_bn *p, int task)
{
    GN_ASSERT(task >= 0 && task < gn_bn_tasks(p));
    return gn_task_rows(p->rows, rows_per_task(p), task);
}

/* Bytes of one task's partial, a multiple of 64. */
static size_t partial_stride(const gn_bn *p)
{
    const size_t bytes = (size_t)p->C * (2 * sizeof(double) + sizeof(float));
    return (bytes + 63) / 64 * 64;
}

size_t gn_bn_partial_bytes(const gn_bn *p)
{
    return partial_stride(p) * (size_t)gn_bn_tasks(p);
}

static gn_bn_partial partial_of(const gn_bn *p, void *base, int task)
{
    double *sum = (double *)(void *)((char *)base + partial_stride(p) * (size_t)task);
    return (gn_bn_partial){sum, sum + p->C, (float *)(void *)(sum + 2 * (int64_t)p->C)};
}

void gn_bn_stats_task(const gn_bn_fwd *call, int task)
{
    table()->stats(call, task_rows(&call->p, task), partial_of(&call->p, call->partial, task));
}

/* Turn sums around the pivot into mean and sum of squared differences from it, in place. */
static void to_moments(gn_bn_partial part, int C, double count)
{
    const double inverse = 1.0 / count;
    for (int c = 0; c < C; c++) {
        const double d = part.sum[c] * inverse;
        const double m2 = part.sum2[c] - part.sum[c] * d;
        part.sum[c] = part.pivot[c] + d;
        part.sum2[c] = m2 > 0.0 || isnan(m2) ? m2 : 0.0;
    }
}

/* total and part: mean and squared differences over n_total and n_part rows; the union goes to total. */
static void combine(gn_bn_partial total, gn_bn_partial part, int C, double n_total, double n_part)
{
    const double share = n_part / (n_total + n_part), weight = n_total * share;
    for (int c = 0; c < C; c++) {
        const double delta = part.sum[c] - total.sum[c];
        total.sum[c] += delta * share;
        total.sum2[c] += part.sum2[c] + delta * delta * weight;
    }
}

void gn_bn_stats_reduce(const gn_bn_fwd *call)
{
    const gn_bn *p = &call->p;
    const gn_bn_partial total = partial_of(p, call->partial, 0);
    double count = 0.0;
    for (int task = 0; task < gn_bn_tasks(p); task++) {
        const gn_rows rows = task_rows(p, task);
        const gn_bn_partial part = partial_of(p, call->partial, task);
        const double n = (double)(rows.end - rows.begin);
        to_moments(part, p->C, n);
        if (task > 0)
            combine(total, part, p->C, count, n);
        count += n;
    }
    const double unbiased = count > 1.0 ? 1.0 / (count - 1.0) : 1.0;
    for (int c = 0; c < p->C; c++) {
        const double var = total.sum2[c] / count, m = p->momentum;
        call->mean[c] = (float)total.sum[c];
        call->invstd[c] = (float)(1.0 / sqrt(var + p->epsilon));
        call->running_mean[c] = (float)((1.0 - m) * call->running_mean_in[c] + m * total.sum[c]);
        call->running_var[c] = (float)((1.0 - m) * call->running_var_in[c] + m * (total.sum2[c] * unbiased));
    }
}

void gn_bn_normalise_task(const gn_bn_fwd *call, int task)
{
    table()->normalise(call, task_rows(&call->p, task));
}

void gn_bn_bwd_stats_task(const gn_bn_bwd *call, int task)
{
    table()->bwd_stats(call, task_rows(&call->p, task), partial_of(&call->p, call->partial, task));
}

void gn_bn_bwd_reduce(const gn_bn_bwd *call)
{
    const gn_bn *p = &call->p;
    const gn_bn_partial total = partial_of(p, call->partial, 0);
    for (int task = 1; task < gn_bn_tasks(p); task++) {
        const gn_bn_partial part = partial_of(p, call->partial, task);
        for (int c = 0; c < p->C; c++) {
            total.sum[c] += part.sum[c];
            total.sum2[c] += part.sum2[c];
        }
    }
    for (int c = 0; c < p->C; c++) {
        call->dshift[c] = (float)total.sum[c];
        call->dscale[c] = (float)total.sum2[c];
    }
}

void gn_bn_bwd_dx_task(const gn_bn_bwd *call, int task)
{
    table()->bwd_dx(call, task_rows(&call->p, task));
}
