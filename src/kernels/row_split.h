/* How the row-wise kernel families cut their rows into tasks: by sizes alone, so that results never depend on threads.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_ROW_SPLIT_H
#define GN_KERNELS_ROW_SPLIT_H

#include <stdint.h>

/* A task touches at least this many elements (128 KiB of f32), so that handing it out costs little beside it. */
#define GN_TASK_ELEMS 32768

/* Rows begin..end-1. */
typedef struct gn_rows {
    int64_t begin, end;
} gn_rows;

/* Rows per task: at least min_elems elements each, and at most max_tasks tasks. */
static inline int64_t gn_rows_per_task(int64_t rows, int64_t row_elems, int64_t min_elems, int64_t max_tasks)
{
    const int64_t by_size = (min_elems + row_elems - 1) / (row_elems > 0 ? row_elems : 1);
    const int64_t by_count = (rows + max_tasks - 1) / max_tasks;
    const int64_t per_task = by_size > by_count ? by_size : by_count;
    return per_task > 0 ? per_task : 1;
}

static inline int gn_row_tasks(int64_t rows, int64_t rows_per_task)
{
    return (int)((rows + rows_per_task - 1) / rows_per_task);
}

static inline gn_rows gn_task_rows(int64_t rows, int64_t rows_per_task, int task)
{
    const int64_t begin = task * rows_per_task;
    const int64_t end = begin + rows_per_task;
    return (gn_rows){begin, end < rows ? end : rows};
}

#endif
