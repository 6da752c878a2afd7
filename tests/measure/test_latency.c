/* Measuring latency: quantiles, targets, the lock among processes, and what a measurement says.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/progress.h"
#include "measure/latency.h"
#include "measure/machine_lock.h"
#include "measure/target.h"
#include "ops/ops.h"

static void test_quantiles(void **ctx)
{
    (void)ctx;
    double ms[100];
    for (int i = 0; i < 100; i++)
        ms[i] = (double)((37 * i) % 100 + 1); /* 1..100 in another order */
    gn_quantiles q = gn_quantiles_of(ms, 100);
    assert_true(q.min == 1 && q.p50 == 50 && q.p90 == 90 && q.p99 == 99 && q.mean == 50.5);
    double one = 3;
    q = gn_quantiles_of(&one, 1);
    assert_true(q.min == 3 && q.p50 == 3 && q.p99 == 3);
    assert_true(isnan(gn_quantiles_of(NULL, 0).p50));
}

static void test_targets(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *uri;
        gn_status status;
        int threads;
    } cases[] = {
        {"cpu", GN_OK, 0},
        {"cpu?threads=3", GN_OK, 3},
        {"cpu?threads=256", GN_OK, 256},
        {"cpu?threads=0", GN_EUSAGE, 0},
        {"cpu?threads=257", GN_EUSAGE, 0},
        {"cpu?threads=", GN_EUSAGE, 0},
        {"cpu?cores=1", GN_EUSAGE, 0},
        {"cpux", GN_EUSAGE, 0},
        {"", GN_EUSAGE, 0},
        {"cuda:0", GN_EUNSUPPORTED, 0},
        {"ssh://pi@host", GN_EUNSUPPORTED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_target target = {.threads = -7};
        gn_error err = {0};
        assert_int_equal(gn_target_parse(cases[i].uri, &target, &err), cases[i].status);
        assert_int_equal(target.threads, cases[i].status == GN_OK ? cases[i].threads : -7);
    }
}

/* ---- the lock ---- */

static char lock_file[256];

static int setup_lock(void **ctx)
{
    (void)ctx;
    snprintf(lock_file, sizeof lock_file, "%s/gannet-lock-XXXXXX", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    int fd = mkstemp(lock_file);
    close(fd);
    return fd < 0 ? -1 : setenv("GANNET_LOCK", lock_file, 1);
}

static int teardown_lock(void **ctx)
{
    (void)ctx;
    unlink(lock_file);
    return 0;
}

/* Another process that holds the lock in a way and then waits to be killed. */
static pid_t other_process(gn_machine_use use)
{
    int pipe_fd[2];
    char ready = 0;
    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        gn_machine_lock *lock = NULL;
        ready = gn_machine_lock_take(use, 0, &lock, NULL) == GN_OK;
        if (write(pipe_fd[1], &ready, 1) == 1)
            pause();
        _exit(0);
    }
    assert_int_equal(read(pipe_fd[0], &ready, 1), 1);
    assert_int_equal(ready, 1);
    close(pipe_fd[0]);
    close(pipe_fd[1]);
    return pid;
}

static void end_process(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static gn_status try_lock(gn_machine_use use, double wait_seconds, gn_error *err)
{
    gn_machine_lock *lock = NULL;
    gn_status status = gn_machine_lock_take(use, wait_seconds, &lock, err);
    assert_true((status == GN_OK) == (lock != NULL));
    gn_machine_lock_give(&lock);
    return status;
}

static void test_lock(void **ctx)
{
    (void)ctx;
    gn_error err = {0};
    pid_t trainer = other_process(GN_MACHINE_WORK);
    assert_int_equal(try_lock(GN_MACHINE_MEASURE, 0, &err), GN_EBUSY);
    assert_non_null(strstr(err.message, "another gannet process"));
    assert_int_equal(try_lock(GN_MACHINE_WORK, 0, &err), GN_OK); /* two may train */
    int64_t begin = gn_now_ns();
    assert_int_equal(try_lock(GN_MACHINE_MEASURE, 0.2, &err), GN_EBUSY);
    assert_true(gn_now_ns() - begin >= 200000000);
    end_process(trainer);
    assert_int_equal(try_lock(GN_MACHINE_MEASURE, 5, &err), GN_OK); /* a killed process holds nothing */
    pid_t bench = other_process(GN_MACHINE_MEASURE);
    assert_int_equal(try_lock(GN_MACHINE_MEASURE, 0, &err), GN_EBUSY);
    assert_int_equal(try_lock(GN_MACHINE_WORK, 0, &err), GN_EBUSY);
    gn_stop_request();
    assert_int_equal(try_lock(GN_MACHINE_MEASURE, 60, &err), GN_ECANCELED);
    gn_stop_clear();
    end_process(bench);
}

static void test_lock_that_cannot_be_opened(void **ctx)
{
    (void)ctx;
    assert_int_equal(setenv("GANNET_LOCK", "/nonexistent/lock", 1), 0);
    gn_error err = {0};
    assert_int_equal(try_lock(GN_MACHINE_WORK, 0, &err), GN_EIO);
    assert_string_equal(err.file, "/nonexistent/lock");
    assert_int_equal(setenv("GANNET_LOCK", lock_file, 1), 0);
}

/* ---- measurements ---- */

/* images [?,channels,16,16] -> mean -> [?,channels] */
static gn_session *mean_session(int channels)
{
    gn_graph *g = NULL;
    gn_session *session = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(4, -1, channels, 16, 16);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    x = gn_graph_add_op(g, "GlobalAveragePool", "", "mean", &x, 1, NULL, 0);
    x = gn_graph_add_op(g, "Flatten", "", "flat", &x, 1, NULL, 0);
    gn_graph_add_output(g, x);
    assert_int_equal(gn_session_take_graph(&g, &(gn_session_options){.threads = 1}, &session, NULL), GN_OK);
    return session;
}

static gn_latency_options quick(void)
{
    gn_latency_options o = gn_latency_default_options();
    o.min_seconds = 0.02;
    o.warmup_seconds = 0.005;
    o.min_runs = 20;
    return o;
}

static void check_order(const gn_quantiles *q)
{
    assert_true(q->min > 0 && q->min <= q->p50 && q->p50 <= q->p90 && q->p90 <= q->p99);
}

static void test_measurement(void **ctx)
{
    (void)ctx;
    gn_session *session = mean_session(3);
    gn_latency_options o = quick();
    gn_latency l;
    gn_error err = {0};
    if (gn_measure_latency(session, &o, &l, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(l.threads, 1);
    assert_true(l.runs >= 20 && l.total_runs >= 20 && l.warmup >= 10);
    check_order(&l.network);
    assert_true(l.has_total);
    check_order(&l.total);
    /* Decoding 640 x 480 down to 16 x 16 costs more than the mean of 16 x 16, and the whole more than its parts. */
    assert_true(l.preprocess.p50 > l.network.min);
    assert_true(l.total.min >= l.preprocess.min);
    assert_true(l.images_per_s > 0);
    assert_true(l.peak_bytes > 0);
    assert_true(l.is_valid ? !*l.reason : *l.reason);
    gn_session_close(&session);
    session = mean_session(4);
    o.batch = 5;
    assert_int_equal(gn_measure_latency(session, &o, &l, &err), GN_OK);
    assert_int_equal(l.batch, 5);
    assert_false(l.has_total); /* four channels are no picture */
    assert_true(isnan(l.total.p90));
    gn_session_close(&session);
}

static void test_bad_options_and_stop(void **ctx)
{
    (void)ctx;
    gn_session *session = mean_session(3);
    gn_latency_options o = quick();
    gn_latency l;
    gn_error err = {0};
    o.min_runs = 0;
    assert_int_equal(gn_measure_latency(session, &o, &l, &err), GN_EINVAL);
    o = quick();
    o.batch = 0;
    assert_int_equal(gn_measure_latency(session, &o, &l, &err), GN_EINVAL);
    o = quick();
    gn_stop_request();
    assert_int_equal(gn_measure_latency(session, &o, &l, &err), GN_ECANCELED);
    gn_stop_clear();
    gn_session_close(&session);
}

static void test_machine_state(void **ctx)
{
    (void)ctx;
    gn_machine_state s = gn_machine_state_now();
    assert_true(isnan(s.clock_mhz) || (s.clock_mhz > 10 && s.clock_mhz < 20000));
    assert_true(isnan(s.temperature_c) || (s.temperature_c > -60 && s.temperature_c < 200));
    assert_true(s.throttle_events >= -1);
    int64_t peak = gn_process_peak_bytes();
    assert_true(peak == -1 || peak > 100000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quantiles),     cmocka_unit_test(test_targets),
        cmocka_unit_test(test_lock),          cmocka_unit_test(test_lock_that_cannot_be_opened),
        cmocka_unit_test(test_measurement),   cmocka_unit_test(test_bad_options_and_stop),
        cmocka_unit_test(test_machine_state),
    };
    return cmocka_run_group_tests(tests, setup_lock, teardown_lock);
}
