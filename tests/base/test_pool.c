/* The thread pool: every task once, the same result for any number of threads, jobs without end, denormals; CPU levels.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/rng.h"

#define MAX_TASKS 1000

typedef struct job {
    int n_threads;
    atomic_int runs[MAX_TASKS];
    double result[MAX_TASKS];
    atomic_int bad_thread;
} job;

static void work(void *ctx, int task, int thread)
{
    job *j = ctx;
    if (thread < 0 || thread >= j->n_threads)
        atomic_fetch_add(&j->bad_thread, 1);
    atomic_fetch_add(&j->runs[task], 1);
    gn_rng rng;
    gn_rng_init(&rng, 42, (uint64_t)task);
    double sum = 0;
    for (int i = 0; i < 50; i++)
        sum += gn_rng_normal(&rng);
    j->result[task] = sum;
}

static void every_task_runs_once_with_the_same_result(void **state)
{
    (void)state;
    static job one, many;
    memset(&one, 0, sizeof one);
    one.n_threads = 1;
    gn_pool_run(NULL, MAX_TASKS, work, &one);
    for (int n_threads = 1; n_threads <= 5; n_threads++) {
        gn_pool *pool = NULL;
        assert_int_equal(gn_pool_create(n_threads, &pool), GN_OK);
        assert_int_equal(gn_pool_threads(pool), n_threads);
        memset(&many, 0, sizeof many);
        many.n_threads = n_threads;
        gn_pool_run(pool, MAX_TASKS, work, &many);
        for (int i = 0; i < MAX_TASKS; i++)
            assert_int_equal(atomic_load(&many.runs[i]), 1);
        assert_memory_equal(one.result, many.result, sizeof one.result);
        assert_int_equal(atomic_load(&many.bad_thread), 0);
        gn_pool_destroy(&pool);
        assert_null(pool);
    }
    assert_int_equal(gn_pool_threads(NULL), 1);
}

static void add_task(void *ctx, int task, int thread)
{
    (void)thread;
    int *cells = ctx;
    cells[task] += task + 1;
}

/* Many short jobs of changing size, some after a pause in which the threads fall asleep: no task is lost or run for a job that
 * has ended. */
static void many_small_jobs(void **state)
{
    (void)state;
    gn_pool *pool = NULL;
    assert_int_equal(gn_pool_create(3, &pool), GN_OK);
    for (int round = 0; round < 5000; round++) {
        int cells[16] = {0};
        const int n_tasks = round % 17;
        if (round % 500 == 0)
            gn_sleep_ns(1000000);
        gn_pool_run(pool, n_tasks, add_task, cells);
        for (int i = 0; i < 16; i++)
            assert_int_equal(cells[i], i < n_tasks ? i + 1 : 0);
    }
    gn_pool_destroy(&pool);
}

static void pool_limits(void **state)
{
    (void)state;
    gn_pool *pool = NULL;
    assert_int_equal(gn_pool_create(0, &pool), GN_EINVAL);
    assert_int_equal(gn_pool_create(257, &pool), GN_EINVAL);
    assert_null(pool);
    gn_pool_destroy(&pool);
    assert_in_range(gn_cpu_count(), 1, 100000);
}

static void denormal_task(void *ctx, int task, int thread)
{
    (void)thread;
    volatile float tiny = 1e-30f;
    ((float *)ctx)[task] = tiny * tiny * 1e20f + tiny * 1e-10f; /* 1e-40 without flushing */
}

static void denormals_are_flushed_inside_only(void **state)
{
    (void)state;
    gn_pool *pool = NULL;
    assert_int_equal(gn_pool_create(2, &pool), GN_OK);
    float out[64];
    memset(out, 1, sizeof out);
    gn_pool_run(pool, 64, denormal_task, out);
#if defined(__x86_64__) || defined(__aarch64__)
    for (int i = 0; i < 64; i++)
        assert_true(out[i] == 0.0f);
#endif
    volatile float tiny = 1e-30f;
    volatile float product = tiny * 1e-10f;
    assert_true(product > 0.0f);
    gn_pool_destroy(&pool);
}

static void cpu_levels(void **state)
{
    (void)state;
    static const char *const names[] = {"ref", "avx2", "avx512", "avx512vnni", "neon", "dotprod"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        gn_cpu_level level;
        assert_true(gn_cpu_level_parse(names[i], &level));
        assert_string_equal(gn_cpu_level_name(level), names[i]);
    }
    gn_cpu_level level = GN_CPU_AVX2;
    assert_false(gn_cpu_level_parse("sse9", &level));
    assert_int_equal(level, GN_CPU_AVX2);
    const gn_cpu_level best = gn_cpu_detected();
    assert_int_equal(gn_cpu_force(GN_CPU_REF), GN_OK);
    assert_int_equal(gn_cpu_current(), GN_CPU_REF);
    assert_int_equal(gn_cpu_force(best), GN_OK);
    assert_int_equal(gn_cpu_current(), best);
    assert_int_equal(gn_cpu_force(best >= GN_CPU_NEON ? GN_CPU_AVX2 : GN_CPU_NEON), GN_EUNSUPPORTED);
    assert_int_equal(gn_cpu_current(), best);
    assert_true(strlen(gn_cpu_name()) > 0);
}

static void count_event(void *ctx, const gn_progress *progress)
{
    *(int64_t *)ctx += progress->done;
}

static void progress_and_stop(void **state)
{
    (void)state;
    int64_t sum = 0;
    const gn_progress event = {.what = "epoch", .done = 3, .total = 5, .unit = "batches", .note = ""};
    gn_progress_tell(&event);
    gn_progress_set(count_event, &sum);
    gn_progress_tell(&event);
    gn_progress_set(NULL, NULL);
    gn_progress_tell(&event);
    assert_int_equal(sum, 3);
    assert_false(gn_stop_requested());
    gn_stop_request();
    assert_true(gn_stop_requested());
    gn_stop_clear();
    assert_false(gn_stop_requested());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once_with_the_same_result),
        cmocka_unit_test(many_small_jobs),
        cmocka_unit_test(pool_limits),
        cmocka_unit_test(denormals_are_flushed_inside_only),
        cmocka_unit_test(cpu_levels),
        cmocka_unit_test(progress_and_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
