/* Depthwise convolution: packs weights, cuts rows into tasks, sums the weight gradient's partial results in fixed order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vec_tables.h"

enum { DW_MAX_TASKS = 4096, DW_MAX_PARTIALS = 64, DW_REDUCE_CHANNELS = 64 };

static const gn_dw_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_dw__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_dw__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_dw__neon;
#endif
    default:
        return &gn_dw__ref;
    }
}

size_t gn_dw_pack_bytes(const gn_conv *p)
{
    return (size_t)(p->R * p->S + 1) * (size_t)p->C * sizeof(float);
}

void gn_dw_pack(const gn_conv *p, const float *w, const float *bias, const float *scale, void *packed)
{
    GN_ASSERT(p->groups == p->C && p->K == p->C);
    float *dst = packed;
    const int taps = p->R * p->S;
    for (int t = 0; t < taps; t++)
        for (int c = 0; c < p->C; c++)
            dst[(int64_t)t * p->C + c] = w[(int64_t)c * taps + t] * (scale ? scale[c] : 1.0f);
    for (int c = 0; c < p->C; c++)
        dst[(int64_t)taps * p->C + c] = bias ? bias[c] : 0.0f;
}

/* A task should take some microseconds, and counts that 2 and 4 threads divide leave none of them idle at the end. */
#define TASK_MACS 250e3 /* 4 us at half of what a core with AVX-512 does */

int gn_dw_fwd_tasks(const gn_conv *p)
{
    const int64_t rows = (int64_t)p->N * p->P;
    const double macs = (double)rows * p->Q * p->C * p->R * p->S;
    int64_t tasks = (int64_t)(macs / TASK_MACS) + 1;
    tasks = tasks < 3 ? tasks : (tasks + 3) / 4 * 4;
    tasks = tasks < rows ? tasks : rows;
    return tasks < DW_MAX_TASKS ? (int)tasks : DW_MAX_TASKS;
}

/* Output rows n*P+p, as even as possible. */
void gn_dw_fwd_task(const gn_dw_fwd *call, int task)
{
    const gn_conv *p = &call->p;
    const int64_t rows = (int64_t)p->N * p->P, tasks = gn_dw_fwd_tasks(p);
    GN_ASSERT(p->groups == p->C && p->K == p->C && task >= 0 && task < tasks);
    table()->fwd(call, (gn_rows){rows * task / tasks, rows * (task + 1) / tasks});
}

/* Input rows n*H+h. */
static int64_t bwd_data_rows_per_task(const gn_conv *p)
{
    return gn_rows_per_task((int64_t)p->N * p->H, (int64_t)p->W * p->C, GN_TASK_ELEMS, DW_MAX_TASKS);
}

int gn_dw_bwd_data_tasks(const gn_conv *p)
{
    return gn_row_tasks((int64_t)p->N * p->H, bwd_data_rows_per_task(p));
}

void gn_dw_bwd_data_task(const gn_dw_bwd_data *call, int task)
{
    const gn_conv *p = &call->p;
    GN_ASSERT(p->groups == p->C && p->K == p->C && task >= 0 && task < gn_dw_bwd_data_tasks(p));
    table()->bwd_data(call, gn_task_rows((int64_t)p->N * p->H, bwd_data_rows_per_task(p), task));
}

/* Output rows n*P+p again, in few parts: each part leaves a whole weight gradient behind. */
static int64_t bwd_weight_rows_per_task(const gn_conv *p)
{
    return gn_rows_per_task((int64_t)p->N * p->P, (int64_t)p->Q * p->C, 2 * GN_TASK_ELEMS, DW_MAX_PARTIALS);
}

/* Floats of one partial result, a multiple of 16. */
static int64_t partial_stride(const gn_conv *p)
{
    return ((int64_t)(p->R * p->S + 1) * p->C + 15) / 16 * 16;
}

int gn_dw_bwd_weight_tasks(const gn_conv *p)
{
    return gn_row_tasks((int64_t)p->N * p->P, bwd_weight_rows_per_task(p));
}

size_t gn_dw_bwd_weight_partial_bytes(const gn_conv *p)
{
    return (size_t)(gn_dw_bwd_weight_tasks(p) * partial_stride(p)) * sizeof(float);
}

void gn_dw_bwd_weight_task(const gn_dw_bwd_weight *call, int task)
{
    const gn_conv *p = &call->p;
    GN_ASSERT(p->groups == p->C && p->K == p->C && task >= 0 && task < gn_dw_bwd_weight_tasks(p));
    const gn_rows rows = gn_task_rows((int64_t)p->N * p->P, bwd_weight_rows_per_task(p), task);
    table()->bwd_weight(call, rows, (float *)call->partial + task * partial_stride(p));
}

int gn_dw_bwd_weight_reduce_tasks(const gn_conv *p)
{
    return (p->C + DW_REDUCE_CHANNELS - 1) / DW_REDUCE_CHANNELS;
}

void gn_dw_bwd_weight_reduce_task(const gn_dw_bwd_weight *call, int task)
{
    const gn_conv *p = &call->p;
    const int parts = gn_dw_bwd_weight_tasks(p), taps = p->R * p->S;
    const gn_rows channels = gn_task_rows(p->C, DW_REDUCE_CHANNELS, task);
    const int width = (int)(channels.end - channels.begin);
    for (int t = 0; t <= taps; t++) {
        double sum[DW_REDUCE_CHANNELS] = {0};
        for (int part = 0; part < parts; part++) {
            const float *src =
                (const float *)call->partial + part * partial_stride(p) + (int64_t)t * p->C + channels.begin;
            for (int c = 0; c < width; c++)
                sum[c] += src[c];
        }
        for (int c = 0; c < width; c++) {
            if (t < taps)
                call->dw[(channels.begin + c) * taps + t] = (float)sum[c];
            else if (call->dbias)
                call->dbias[channels.begin + c] = (float)sum[c];
        }
    }
}
