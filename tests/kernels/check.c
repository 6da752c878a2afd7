/* Harness of the kernel checker: guarded buffers, comparison, timing.  See check.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check.h"

#include <fnmatch.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "check_private.h"

#define CANARY_BYTES 256
#define CANARY       0xA5

struct gn_check_block {
    gn_check_block *next;
    uint8_t *map; /* mapping, the last page of which cannot be touched */
    size_t map_bytes;
    uint8_t *data;
    size_t bytes;
    bool has_canaries;
};

/* data ends `tail` bytes before the guard page; `align` applies to its start (then the tail may grow). */
static gn_check_block *block_add(gn_check *c, size_t bytes, size_t tail, size_t align, bool has_canaries)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t head = has_canaries ? CANARY_BYTES : 0;
    const size_t body = (head + bytes + tail + align + page - 1) / page * page;
    gn_check_block *b = calloc(1, sizeof *b);
    uint8_t *map = mmap(NULL, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!b || map == MAP_FAILED || mprotect(map + body, page, PROT_NONE) != 0) {
        fprintf(stderr, "test_kernels: out of memory\n");
        exit(2);
    }
    uint8_t *data = map + body - tail - bytes;
    data -= (uintptr_t)data % align;
    *b = (gn_check_block){c->blocks, map, body + page, data, bytes, has_canaries};
    c->blocks = b;
    if (has_canaries) {
        memset(data - CANARY_BYTES, CANARY, CANARY_BYTES);
        memset(data + bytes, CANARY, (size_t)(map + body - (data + bytes)));
    }
    return b;
}

static void block_verify(gn_check *c, const gn_check_block *b)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uint8_t *end = b->map + b->map_bytes - page;
    for (const uint8_t *p = b->data - CANARY_BYTES; p < b->data; p++)
        if (*p != CANARY) {
            check_fail(c, "wrote %zu bytes before the start of a block of %zu bytes", (size_t)(b->data - p), b->bytes);
            return;
        }
    for (const uint8_t *p = b->data + b->bytes; p < end; p++)
        if (*p != CANARY) {
            check_fail(c, "wrote %zu bytes past the end of a block of %zu bytes", (size_t)(p - b->data) - b->bytes + 1,
                       b->bytes);
            return;
        }
}

void check_end_case(gn_check *c)
{
    while (c->blocks) {
        gn_check_block *b = c->blocks;
        if (b->has_canaries)
            block_verify(c, b);
        c->blocks = b->next;
        munmap(b->map, b->map_bytes);
        free(b);
    }
}

bool check_case(gn_check *c, const char *fmt, ...)
{
    check_end_case(c);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->case_name, sizeof c->case_name, fmt, ap);
    va_end(ap);
    if (c->filter && fnmatch(c->filter, c->family, 0) != 0) {
        char full[256];
        snprintf(full, sizeof full, "%s/%s", c->family, c->case_name);
        if (fnmatch(c->filter, full, 0) != 0)
            return false;
    }
    c->cases++;
    c->case_failures = 0;
    gn_rng_init(&c->rng, c->seed,
                gn_hash64(c->case_name, strlen(c->case_name), gn_hash64(c->family, strlen(c->family), 1)));
    check_at_level(c);
    return true;
}

float *check_random(gn_check *c, size_t n, float lo, float hi)
{
    float *x = check_src_bytes(c, n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i] = lo + (hi - lo) * ((float)(gn_rng_u32(&c->rng) >> 8) * 0x1p-24F);
    return x;
}

uint8_t *check_random_u8(gn_check *c, size_t n)
{
    uint8_t *x = block_add(c, n, GN_PAD_BYTES, 1, false)->data;
    for (size_t i = 0; i < n; i++)
        x[i] = (uint8_t)gn_rng_u32(&c->rng);
    return x;
}

float *check_zeros(gn_check *c, size_t n)
{
    return check_src_bytes(c, n * sizeof(float));
}

void *check_src_bytes(gn_check *c, size_t bytes)
{
    return block_add(c, bytes, GN_PAD_BYTES, 4, false)->data;
}

float *check_dst(gn_check *c, size_t n)
{
    return check_dst_bytes(c, n * sizeof(float));
}

void *check_dst_bytes(gn_check *c, size_t bytes)
{
    gn_check_block *b = block_add(c, bytes, CANARY_BYTES, 4, true);
    memset(b->data, 0xFF, bytes);
    return b->data;
}

void *check_scratch(gn_check *c, size_t bytes)
{
    gn_check_block *b = block_add(c, bytes, CANARY_BYTES, 64, true);
    memset(b->data, 0xFF, bytes);
    return b->data;
}

double *check_doubles(gn_check *c, size_t n)
{
    return (double *)(void *)block_add(c, n * sizeof(double), 0, 8, false)->data;
}

static void put_in_force(gn_cpu_level level)
{
    if (gn_cpu_force(level) != GN_OK) {
        fprintf(stderr, "test_kernels: level %s cannot be forced\n", gn_cpu_level_name(level));
        exit(2);
    }
}

void check_at_ref(gn_check *c)
{
    (void)c;
    put_in_force(GN_CPU_REF);
}

void check_at_level(gn_check *c)
{
    put_in_force(c->level);
}

/* One line per failure, at most three per case. */
static void report(gn_check *c, const char *fmt, va_list ap)
{
    c->failures++;
    if (c->case_failures++ >= 3)
        return;
    fprintf(stderr, "FAILED %s/%s at level %s, --seed=%llu: ", c->family, c->case_name, gn_cpu_level_name(c->level),
            (unsigned long long)c->seed);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
}

void check_fail(gn_check *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    report(c, fmt, ap);
    va_end(ap);
}

bool check_that(gn_check *c, bool condition, const char *fmt, ...)
{
    if (condition)
        return true;
    va_list ap;
    va_start(ap, fmt);
    report(c, fmt, ap);
    va_end(ap);
    return false;
}

/* How far got is beyond its bound (0: within); NaN only equals NaN, an infinity only itself. */
static double excess(double got, double ref, double bound)
{
    if (isnan(got) || isnan(ref))
        return isnan(got) && isnan(ref) ? 0 : INFINITY;
    if (isinf(got) || isinf(ref))
        return got == ref ? 0 : INFINITY;
    const double diff = fabs(got - ref);
    return diff <= bound ? 0 : diff / (bound > 0 ? bound : 1e-300);
}

/* ref32 or ref64, and scale or the (abs, rel) pair, are used; the others are NULL or 0. */
static bool compare(gn_check *c, const char *what, const float *got, const float *ref32, const double *ref64,
                    const double *scale, size_t n, double abs_tol, double rel_tol)
{
    size_t worst = 0, bad = 0;
    double most = 0;
    for (size_t i = 0; i < n; i++) {
        const double ref = ref32 ? (double)ref32[i] : ref64[i];
        const double bound = scale ? abs_tol * scale[i] : abs_tol + rel_tol * fabs(ref);
        const double e = excess((double)got[i], ref, bound);
        bad += e > 0;
        if (e > most) {
            most = e;
            worst = i;
        }
    }
    if (bad == 0)
        return true;
    check_fail(c, "%s: %zu of %zu elements differ; worst [%zu]: got %.9g, expected %.9g (%.3g times the bound)", what,
               bad, n, worst, (double)got[worst], ref32 ? (double)ref32[worst] : ref64[worst], most);
    return false;
}

bool check_close(gn_check *c, const char *what, const float *got, const float *ref, size_t n, double abs_tol,
                 double rel_tol)
{
    return compare(c, what, got, ref, NULL, NULL, n, abs_tol, rel_tol);
}

bool check_close_f64(gn_check *c, const char *what, const float *got, const double *ref, size_t n, double abs_tol,
                     double rel_tol)
{
    return compare(c, what, got, NULL, ref, NULL, n, abs_tol, rel_tol);
}

bool check_close_scaled(gn_check *c, const char *what, const float *got, const double *ref, const double *scale,
                        size_t n, double tol)
{
    return compare(c, what, got, NULL, ref, scale, n, tol, 0);
}

bool check_same_bytes(gn_check *c, const char *what, const void *got, const void *ref, size_t bytes)
{
    const uint8_t *a = got, *b = ref;
    for (size_t i = 0; i < bytes; i++)
        if (a[i] != b[i]) {
            check_fail(c, "%s: byte %zu of %zu is %u, expected %u", what, i, bytes, a[i], b[i]);
            return false;
        }
    return true;
}

/* ---- timing ---- */

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds per call of each burst, sorted; a burst is long enough for the clock. */
static int sample(check_bench_fn fn, void *arg, double *seconds, int max_samples, double budget_s)
{
    int64_t t0 = gn_now_ns();
    fn(arg);
    const double once = 1e-9 * (double)(gn_now_ns() - t0);
    int calls = (int)(50e-6 / (once + 1e-9)) + 1;
    int n = 0;
    const int64_t begin = gn_now_ns();
    while (n < max_samples && (n < 5 || 1e-9 * (double)(gn_now_ns() - begin) < budget_s)) {
        t0 = gn_now_ns();
        for (int i = 0; i < calls; i++)
            fn(arg);
        seconds[n++] = 1e-9 * (double)(gn_now_ns() - t0) / calls;
    }
    qsort(seconds, (size_t)n, sizeof *seconds, compare_doubles);
    return n;
}

double check_bench(gn_check *c, const char *label, check_bench_fn fn, void *arg, double work, const char *unit)
{
    static double seconds[2000];
    const int n = sample(fn, arg, seconds, 2000, 0.2);
    const double median = seconds[n / 2], best = seconds[0], p90 = seconds[n * 9 / 10];
    printf("%-12s %-44s median %9.3f us  best %9.3f  p90 %9.3f  %8.2f G%s/s", gn_cpu_level_name(c->level), label,
           median * 1e6, best * 1e6, p90 * 1e6, work / best * 1e-9, unit);
    if (strcmp(unit, "flop") == 0 && c->peak_gflops > 0)
        printf("  %5.1f %% of peak (best)", 100 * work / best * 1e-9 / c->peak_gflops);
    putchar('\n');
    fflush(stdout);
    return median;
}
