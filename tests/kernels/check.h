/* Harness of the kernel checker: every kernel family runs at each CPU level of this machine and is compared with the ref level,
 * which itself is compared with a direct formula in f64.
 *
 * A family is one line in check_families.def and one function `void check_<family>(gn_check *c)` in tests/kernels/check_<area>.c.
 * The harness calls it once per level (ref first).  For each shape the function does
 *
 *     if (!check_case(c, "n%d c%d", n, channels))   // frees the case before; false when filtered out
 *         continue;
 *     const float *x = check_random(c, n, -1, 1);   // guard page GN_PAD_BYTES behind its end: over-reads crash
 *     float *ref = check_dst(c, n), *got = check_dst(c, n); // full of NaN, canaries on both sides
 *     check_at_ref(c);   run(x, ref);               // plain kernels
 *     check_at_level(c); run(x, got);               // kernels under test
 *     check_close(c, "y", got, ref, n, 1e-6, 0);
 *
 * The end of a case (next check_case, or return) verifies all canaries.  At the ref level, c->is_ref is true: compare with a
 * formula in f64 there.  With --bench the harness calls the same function with c->bench set once per level above; time the
 * calls with check_bench and return before the comparisons.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_KERNELS_CHECK_H
#define GN_TESTS_KERNELS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/rng.h"

typedef struct gn_check_block gn_check_block; /* one buffer of a case, private to check.c */

typedef struct gn_check {
    const char *family;
    gn_cpu_level level; /* under test */
    bool is_ref;        /* level == GN_CPU_REF */
    bool bench;         /* time, do not compare */
    uint64_t seed;
    gn_rng rng; /* restarted by check_case from seed, family and case name: a case can be repeated alone */
    char case_name[160];
    /* private to check.c */
    const char *filter;
    const char *bench_filter;
    gn_check_block *blocks;
    int cases, failures, case_failures;
    double peak_gflops;
} gn_check;

/* Begins a case and ends the one before; false when --filter leaves it out ("family" or "family/case" globs). */
bool check_case(gn_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Blocks live until the case ends. */
float *check_random(gn_check *c, size_t n, float lo,
                    float hi); /* uniform; read-only use: guard page behind GN_PAD_BYTES */
uint8_t *check_random_u8(gn_check *c, size_t n);
float *check_zeros(gn_check *c, size_t n);        /* guard page as above */
void *check_src_bytes(gn_check *c, size_t bytes); /* zeroed, guard page as above, only 4-byte aligned */
float *check_dst(gn_check *c, size_t n);          /* full of NaN, canaries around it, not 64-byte aligned */
void *check_dst_bytes(gn_check *c, size_t bytes); /* full of 0xFF */
void *check_scratch(gn_check *c, size_t bytes);   /* 64-byte aligned, full of NaN, canaries around it */
double *check_doubles(gn_check *c, size_t n);     /* zeroed, for formulas in f64 */

/* Put the ref level, or the level under test, in force. */
void check_at_ref(gn_check *c);
void check_at_level(gn_check *c);

/* |got - ref| <= abs_tol + rel_tol*|ref| for all elements, NaN equals NaN; the worst element is reported.  True when fine. */
bool check_close(gn_check *c, const char *what, const float *got, const float *ref, size_t n, double abs_tol,
                 double rel_tol);
bool check_close_f64(gn_check *c, const char *what, const float *got, const double *ref, size_t n, double abs_tol,
                     double rel_tol);
/* Bound per element: |got - ref| <= tol * scale[i] (scale: e.g. the sum of absolute products behind element i). */
bool check_close_scaled(gn_check *c, const char *what, const float *got, const double *ref, const double *scale,
                        size_t n, double tol);
bool check_same_bytes(gn_check *c, const char *what, const void *got, const void *ref, size_t bytes);
bool check_that(gn_check *c, bool condition, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void check_fail(gn_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Times fn(arg): repeats for about 0.2 s in short bursts; prints median, fastest and 90th percentile with `work` (flop or bytes)
 * per second, and for "flop" the share of the measured peak of one core.  Returns the median in seconds. */
typedef void (*check_bench_fn)(void *arg);
double check_bench(gn_check *c, const char *label, check_bench_fn fn, void *arg, double work, const char *unit);

#endif
