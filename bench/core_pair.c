/* What a second thread brings on this machine, now: on virtual machines the host decides from moment to moment whether two CPUs are two cores, two
 * threads of one core, or cores far apart.
 *     core_pair             reads lines; answers each with {"alone": A, "slower": S, "gain": G, "trip_ns": T}
 *     core_pair SECONDS     looks 25 times a second, a line each
 * alone, slower: GFLOP/s of one thread, and of the slower of two at the same time.  gain: the rate of two threads beside that of one
 * (2: two cores; 1: they share one).  trip_ns: how long a cache line takes to the other thread and back.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/pool.h"
#include "kernels/machine_peak.h"

enum { SLICE_NS = 250000, ROUNDS = 1000, TRIPS = 50, ROUND_TRIPS = 10, SLICES = 4, PER_SECOND = 25, N_THREADS = 2 };

/* Below this gain the two share a core; above this time they have no cache in common. */
static const double LEAST_GAIN = 1.5, MOST_NEAR_NS = 200;

typedef struct pair {
    double rate[N_THREADS], trip_ns[N_THREADS];
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int ball;
} pair;

typedef struct reading {
    double alone, slower, gain, trip_ns;
} reading;

static double rate_for_a_slice(void)
{
    const int64_t begin_ns = gn_now_ns();
    int64_t now_ns = begin_ns;
    double flop = 0;
    while (now_ns < begin_ns + SLICE_NS) {
        (void)gn_peak_burn(ROUNDS);
        flop += gn_peak_flop(ROUNDS);
        now_ns = gn_now_ns();
    }
    return flop / (double)(now_ns - begin_ns);
}

/* Both threads are here from now on. */
static void meet(pair *p, int n)
{
    atomic_fetch_add(&p->arrived, 1);
    while (atomic_load(&p->arrived) < n * N_THREADS)
        ;
}

static void both(void *ctx, int task, int thread)
{
    (void)thread;
    pair *p = ctx;
    meet(p, 1);
    for (int i = 0; i < SLICES; i++)
        p->rate[task] = fmax(p->rate[task], rate_for_a_slice());
    meet(p, 2);
    p->trip_ns[task] = INFINITY;
    for (int i = 0; i < ROUND_TRIPS; i++) {
        const int64_t begin_ns = gn_now_ns();
        for (int k = i * TRIPS; k < (i + 1) * TRIPS; k++) {
            while (atomic_load(&p->ball) != 2 * k + task)
                ;
            atomic_store(&p->ball, 2 * k + task + 1);
        }
        p->trip_ns[task] = fmin(p->trip_ns[task], (double)(gn_now_ns() - begin_ns) / TRIPS);
    }
}

/* Nobody takes the second task before both threads are at work, because the first one waits for it. */
static reading look(gn_pool *pool)
{
    pair p = {.rate = {0}};
    double alone = 0;
    for (int i = 0; i < SLICES; i++)
        alone = fmax(alone, rate_for_a_slice());
    gn_pool_run(pool, N_THREADS, both, &p);
    return (reading){alone, fmin(p.rate[0], p.rate[1]), (p.rate[0] + p.rate[1]) / alone, p.trip_ns[0]};
}

static const char *kind_of(reading r)
{
    return r.gain < LEAST_GAIN        ? "one core"
           : r.trip_ns < MOST_NEAR_NS ? "two cores of one cache"
                                      : "two cores far apart";
}

static void answer_lines(gn_pool *pool)
{
    char line[16];
    while (fgets(line, sizeof line, stdin)) {
        const reading r = look(pool);
        printf("{\"alone\": %.1f, \"slower\": %.1f, \"gain\": %.3f, \"trip_ns\": %.0f}\n", r.alone, r.slower, r.gain,
               r.trip_ns);
        fflush(stdout);
    }
}

static void watch(gn_pool *pool, double seconds)
{
    const int n = (int)(seconds * PER_SECOND);
    for (int i = 0; i < n; i++) {
        const reading r = look(pool);
        printf("%6.2f s: gain %.2f, there and back %3.0f ns: %s\n", (double)i / PER_SECOND, r.gain, r.trip_ns,
               kind_of(r));
        nanosleep(&(struct timespec){.tv_nsec = 1000000000 / PER_SECOND}, NULL);
    }
}

int main(int argc, char **argv)
{
    gn_pool *pool = NULL;
    if (argc > 2 || (argc == 2 && !(atof(argv[1]) > 0))) {
        fprintf(stderr, "usage: core_pair [SECONDS]\n");
        return 2;
    }
    if (gn_pool_create(N_THREADS, &pool) != GN_OK) {
        fprintf(stderr, "core_pair: no memory for a pool of threads\n");
        return 1;
    }
    if (argc == 2)
        watch(pool, atof(argv[1]));
    else
        answer_lines(pool);
    gn_pool_destroy(&pool);
    return 0;
}
