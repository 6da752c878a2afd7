/* The thread pool.  A job is published as a count of tasks left; whoever lowers the count from k to k-1 owns task n-k.  Because a
 * job ends only when every claimed task is done, its function and context may be read right after a claim.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "base/clock.h"
#include "base/memory.h"

#define MAX_THREADS 256
#define SPIN_NS     50000
/* Spins between two looks at the clock. */
#define SPIN_BURST 64

typedef struct worker {
    gn_pool *pool;
    pthread_t handle;
    int thread; /* 1..n_threads-1; the caller is 0 */
} worker;

struct gn_pool {
    int n_threads;
    int n_started;
    worker *workers;
    gn_task_fn fn; /* of the running job; written only while no task is claimed */
    void *ctx;
    int n_tasks;
    _Alignas(64) atomic_int left;     /* tasks of the job that nobody has claimed */
    _Alignas(64) atomic_int done;     /* tasks of the job that are finished */
    _Alignas(64) atomic_int n_asleep; /* workers in cond_work */
    atomic_bool caller_asleep;        /* the caller is in cond_done */
    atomic_bool quit;
    pthread_mutex_t mutex;
    pthread_cond_t cond_work, cond_done;
};

/* --- denormals --- */

#if defined(__x86_64__)
typedef unsigned fp_state;
#define MXCSR_DAZ 0x0040u
#define MXCSR_FTZ 0x8000u

static fp_state fp_get(void)
{
    return _mm_getcsr();
}

static void fp_set(fp_state state)
{
    _mm_setcsr(state);
}

static fp_state fp_flushing(fp_state state)
{
    return state | MXCSR_DAZ | MXCSR_FTZ;
}

static void relax(void)
{
    _mm_pause();
}
#elif defined(__aarch64__)
typedef uint64_t fp_state;
#define FPCR_FZ (UINT64_C(1) << 24)

static fp_state fp_get(void)
{
    fp_state state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    return state;
}

static void fp_set(fp_state state)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
}

static fp_state fp_flushing(fp_state state)
{
    return state | FPCR_FZ;
}

static void relax(void)
{
    __asm__ volatile("yield");
}
#else
typedef int fp_state;

static fp_state fp_get(void)
{
    return 0;
}

static void fp_set(fp_state state)
{
    (void)state;
}

static fp_state fp_flushing(fp_state state)
{
    return state;
}

static void relax(void)
{
}
#endif

void gn_flush_denormals(void)
{
    fp_set(fp_flushing(fp_get()));
}

/* --- tasks --- */

/* Claims and runs tasks until none is left. */
static void run_tasks(gn_pool *pool, int thread)
{
    int left = atomic_load_explicit(&pool->left, memory_order_acquire);
    while (left > 0) {
        if (!atomic_compare_exchange_weak_explicit(&pool->left, &left, left - 1, memory_order_acq_rel,
                                                   memory_order_acquire))
            continue;
        const int n_tasks = pool->n_tasks;
        pool->fn(pool->ctx, n_tasks - left, thread);
        if (atomic_fetch_add(&pool->done, 1) + 1 == n_tasks && atomic_load(&pool->caller_asleep)) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->cond_done);
            pthread_mutex_unlock(&pool->mutex);
        }
        left = atomic_load_explicit(&pool->left, memory_order_acquire);
    }
}

static bool has_work(gn_pool *pool)
{
    return atomic_load(&pool->left) > 0 || atomic_load(&pool->quit);
}

static bool is_done(gn_pool *pool)
{
    return atomic_load(&pool->done) == pool->n_tasks;
}

/* Waits for a condition without sleeping, for SPIN_NS at most; false when it did not come. */
static bool spin_until(gn_pool *pool, bool (*condition)(gn_pool *))
{
    const int64_t end_ns = gn_now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < SPIN_BURST; i++) {
            if (condition(pool))
                return true;
            relax();
        }
    } while (gn_now_ns() < end_ns);
    return false;
}

/* The order "say that I sleep, then look again" on one side and "publish, then look who sleeps" on the other makes sure
 * that no wake-up is lost. */
static void wait_for_work(gn_pool *pool)
{
    if (spin_until(pool, has_work))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->n_asleep, 1);
    while (!has_work(pool))
        pthread_cond_wait(&pool->cond_work, &pool->mutex);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_until_done(gn_pool *pool)
{
    if (spin_until(pool, is_done))
        return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->caller_asleep, true);
    while (!is_done(pool))
        pthread_cond_wait(&pool->cond_done, &pool->mutex);
    atomic_store(&pool->caller_asleep, false);
    pthread_mutex_unlock(&pool->mutex);
}

static void *worker_main(void *arg)
{
    worker *self = arg;
    gn_flush_denormals();
    while (!atomic_load(&self->pool->quit)) {
        run_tasks(self->pool, self->thread);
        wait_for_work(self->pool);
    }
    return NULL;
}

/* --- the pool --- */

static gn_status start_workers(gn_pool *pool)
{
    sigset_t all, before;
    /* Signals are for the program's own thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    gn_status status = GN_OK;
    for (int i = 1; i < pool->n_threads && status == GN_OK; i++) {
        worker *w = &pool->workers[i - 1];
        w->pool = pool;
        w->thread = i;
        if (pthread_create(&w->handle, NULL, worker_main, w) != 0)
            status = GN_ENOMEM;
        else
            pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

gn_status gn_pool_create(int n_threads, gn_pool **pool_out)
{
    if (n_threads < 1 || n_threads > MAX_THREADS)
        return GN_EINVAL;
    gn_pool *pool = gn_calloc(1, sizeof *pool);
    if (!pool)
        return GN_ENOMEM;
    pool->n_threads = n_threads;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->cond_work, NULL);
    pthread_cond_init(&pool->cond_done, NULL);
    pool->workers = gn_calloc((size_t)n_threads, sizeof *pool->workers);
    const gn_status status = pool->workers ? start_workers(pool) : GN_ENOMEM;
    if (status != GN_OK) {
        gn_pool_destroy(&pool);
        return status;
    }
    *pool_out = pool;
    return GN_OK;
}

void gn_pool_destroy(gn_pool **pool)
{
    if (!pool || !*pool)
        return;
    gn_pool *p = *pool;
    pthread_mutex_lock(&p->mutex);
    atomic_store(&p->quit, true);
    pthread_cond_broadcast(&p->cond_work);
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < p->n_started; i++)
        pthread_join(p->workers[i].handle, NULL);
    pthread_mutex_destroy(&p->mutex);
    pthread_cond_destroy(&p->cond_work);
    pthread_cond_destroy(&p->cond_done);
    gn_free(p->workers);
    gn_free(p);
    *pool = NULL;
}

int gn_pool_threads(const gn_pool *pool)
{
    return pool ? pool->n_threads : 1;
}

static void wake_workers(gn_pool *pool, int n_wanted)
{
    if (atomic_load(&pool->n_asleep) == 0)
        return;
    pthread_mutex_lock(&pool->mutex);
    if (n_wanted >= pool->n_threads - 1)
        pthread_cond_broadcast(&pool->cond_work);
    else
        for (int i = 0; i < n_wanted; i++)
            pthread_cond_signal(&pool->cond_work);
    pthread_mutex_unlock(&pool->mutex);
}

void gn_pool_run(gn_pool *pool, int n_tasks, gn_task_fn fn, void *ctx)
{
    if (n_tasks <= 0)
        return;
    const fp_state before = fp_get();
    fp_set(fp_flushing(before));
    if (!pool || pool->n_threads == 1 || n_tasks == 1) {
        for (int task = 0; task < n_tasks; task++)
            fn(ctx, task, 0);
    } else {
        pool->fn = fn;
        pool->ctx = ctx;
        pool->n_tasks = n_tasks;
        atomic_store(&pool->done, 0);
        atomic_store(&pool->left, n_tasks);
        wake_workers(pool, n_tasks - 1);
        run_tasks(pool, 0);
        wait_until_done(pool);
    }
    fp_set(before);
}
