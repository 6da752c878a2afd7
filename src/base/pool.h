/* A small thread pool.  A job is a number of independent tasks; which thread runs a task is not fixed, so a task writes only
 * what belongs to its own index, and results do not depend on the number of threads.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_POOL_H
#define GN_BASE_POOL_H

#include "base/status.h"

typedef struct gn_pool gn_pool;
/* task: 0..n_tasks-1.  thread: 0..n_threads-1, for per-thread scratch only. */
typedef void (*gn_task_fn)(void *ctx, int task, int thread);

/* n_threads: 1..256, the caller's thread included.  Idle threads spin briefly (about 50 us), then sleep.
 * Denormals are flushed to zero in every thread of the pool, and in the caller while it runs a job.
 * GN_EINVAL: n_threads out of range.  GN_ENOMEM. */
gn_status gn_pool_create(int n_threads, gn_pool **pool_out);
void gn_pool_destroy(gn_pool **pool);
int gn_pool_threads(const gn_pool *pool); /* 1 for NULL */
/* Runs all tasks and returns when they are done.  pool NULL: in the caller, in order.  One job at a time per pool. */
void gn_pool_run(gn_pool *pool, int n_tasks, gn_task_fn fn, void *ctx);
/* Flush denormals in the calling thread (x86 FTZ and DAZ, aarch64 FZ). */
void gn_flush_denormals(void);
/* Cores this process may run on (affinity and cgroup quota respected), at least 1. */
int gn_cpu_count(void);

#endif
