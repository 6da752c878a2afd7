/* Layer normalisation: cuts rows into tasks and adds the tasks' partial sums for scale and shift in their order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/vec_tables.h"

enum { LN_MAX_TASKS = 64 };

static const gn_ln_table *table(void)
{
    switch (gn_vec_rung()) {
#ifdef GN_HAVE_AVX512
    case GN_VEC_AVX512:
        return &gn_ln__avx512;
#endif
#ifdef GN_HAVE_AVX2
    case GN_VEC_AVX2:
        return &gn_ln__avx2;
#endif
#ifdef GN_HAVE_NEON
    case GN_VEC_NEON:
        return &gn_ln__neon;
#endif
    default:
        return &gn_ln__ref;
    }
}

static int64_t rows_per_task(const gn_ln *p)
{
    return gn_rows_per_task(p->rows, p->C, GN_TASK_ELEMS, LN_MAX_TASKS);
}

int gn_ln_tasks(const gn_ln *p)
{
    return gn_row_tasks(p->rows, rows_per_task(p));
}

/* Per task: sums of dy*xhat and of dy, and room for the sums of a block of rows in f32. */
static size_t partial_doubles(const gn_ln *p)
{
    return (size_t)p->C * 3;
}

size_t gn_ln_partial_bytes(const gn_ln *p)
{
    return partial_doubles(p) * sizeof(double) * (size_t)gn_ln_tasks(p);
}

static double *partial_of(const gn_ln_bwd *call, int task)
{
    return (double *)call->partial + partial_doubles(&call->p) * (size_t)task;
}

void gn_ln_fwd_task(const gn_ln_fwd *call, int task)
{
    table()->fwd(call, gn_task_rows(call->p.rows, rows_per_task(&call->p), task));
}

void gn_ln_bwd_task(const gn_ln_bwd *call, int task)
{
    table()->bwd(call, gn_task_rows(call->p.rows, rows_per_task(&call->p), task), partial_of(call, task));
}

void gn_ln_bwd_reduce(const gn_ln_bwd *call)
{
    const int tasks = gn_ln_tasks(&call->p), C = call->p.C;
    for (int c = 0; c < C; c++) {
        double scale = 0, shift = 0;
        for (int t = 0; t < tasks; t++) {
            scale += partial_of(call, t)[c];
            shift += partial_of(call, t)[C + c];
        }
        call->dscale[c] = (float)scale;
        call->dshift[c] = (float)shift;
    }
}
