/* Pooling: cuts the output (forward) or input rows (backward) into tasks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vec_tables.h"

enum { POOL_MAX_TASKS = 4096, ADAPTIVE_CHANNELS = 256, ADAPTIVE_FEWEST = 64, ADAPTIVE_ELEMS = 16384 };

static const gn_pool_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_pool__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_pool__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_pool__neon;
#endif
    default:
        return &gn_pool__ref;
    }
}

/* Forward tasks share output rows n*P+p, sized by the input that they read. */
static int64_t fwd_rows_per_task(const gn_window *p)
{
    const int64_t elems = (int64_t)p->W * p->C * p->stride_h;
    return gn_rows_per_task((int64_t)p->N * p->P, elems, GN_TASK_ELEMS, POOL_MAX_TASKS);
}

/* Backward tasks share input rows n*H+h. */
static int64_t bwd_rows_per_task(const gn_window *p)
{
    return gn_rows_per_task((int64_t)p->N * p->H, (int64_t)p->W * p->C, GN_TASK_ELEMS, POOL_MAX_TASKS);
}

int gn_pool_tasks(const gn_window *p)
{
    return gn_row_tasks((int64_t)p->N * p->P, fwd_rows_per_task(p));
}

int gn_pool_bwd_tasks(const gn_window *p)
{
    return gn_row_tasks((int64_t)p->N * p->H, bwd_rows_per_task(p));
}

static gn_rows fwd_rows(const gn_window *p, int task)
{
    GN_ASSERT(task >= 0 && task < gn_pool_tasks(p));
    return gn_task_rows((int64_t)p->N * p->P, fwd_rows_per_task(p), task);
}

static gn_rows bwd_rows(const gn_window *p, int task)
{
    GN_ASSERT(task >= 0 && task < gn_pool_bwd_tasks(p));
    return gn_task_rows((int64_t)p->N * p->H, bwd_rows_per_task(p), task);
}

void gn_maxpool_fwd_task(const gn_window *p, const float *src, float *dst, uint8_t *argmax, int task)
{
    GN_ASSERT(!argmax || p->R * p->S <= 255);
    table()->max_fwd(p, src, dst, argmax, fwd_rows(p, task));
}

void gn_maxpool_bwd_task(const gn_window *p, const float *ddst, const uint8_t *argmax, float *dsrc, int task)
{
    GN_ASSERT(p->R * p->S <= 255);
    table()->max_bwd(p, ddst, argmax, dsrc, bwd_rows(p, task));
}

void gn_avgpool_fwd_task(const gn_window *p, const float *src, float *dst, int task)
{
    table()->avg_fwd(p, src, dst, fwd_rows(p, task));
}

void gn_avgpool_bwd_task(const gn_window *p, const float *ddst, float *dsrc, int task)
{
    table()->avg_bwd(p, ddst, dsrc, bwd_rows(p, task));
}

/* Adaptive tasks: one image and one strip of channels each, of whole cache lines and some microseconds. */
static int strip_channels(const gn_window *p)
{
    const int64_t width = ADAPTIVE_ELEMS / ((int64_t)p->H * p->W + 1) / 16 * 16;
    return width < ADAPTIVE_FEWEST ? ADAPTIVE_FEWEST : width < ADAPTIVE_CHANNELS ? (int)width : ADAPTIVE_CHANNELS;
}

static int strips(const gn_window *p)
{
    return (p->C + strip_channels(p) - 1) / strip_channels(p);
}

int gn_adaptive_tasks(const gn_window *p)
{
    return p->N * strips(p);
}

void gn_adaptive_fwd_task(const gn_window *p, const float *src, float *dst, int task)
{
    GN_ASSERT(task >= 0 && task < gn_adaptive_tasks(p));
    table()->adaptive_fwd(p, src, dst, task / strips(p), gn_task_rows(p->C, strip_channels(p), task % strips(p)));
}

void gn_adaptive_bwd_task(const gn_window *p, const float *ddst, float *dsrc, int task)
{
    GN_ASSERT(task >= 0 && task < gn_adaptive_tasks(p));
    table()->adaptive_bwd(p, ddst, dsrc, task / strips(p), gn_task_rows(p->C, strip_channels(p), task % strips(p)));
}
