/* Kernel checker: every kernel family at every CPU level of this machine against the plain kernels, and those against formulas in f64.
 *   test_kernels [--seed=N] [--filter=GLOB] [--cpu=LEVEL] [--list] [--bench]
 * --filter takes "family" or "family/case" globs.  --bench times instead of comparing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pool.h"
#include "base/text.h"
#include "check_peak.h"
#include "check_private.h"

typedef struct family {
    const char *name;
    gn_cpu_level top; /* levels above this one use the same kernels */
    void (*run)(gn_check *c);
} family;

#define CHECK_FAMILY(name, top) void check_##name(gn_check *c);
#include "check_families.def"
#undef CHECK_FAMILY

static const family families[] = {
#define CHECK_FAMILY(name, top) {#name, top, check_##name},
#include "check_families.def"
#undef CHECK_FAMILY
};
#define N_FAMILIES (sizeof families / sizeof families[0])

static const gn_cpu_level levels[] = {GN_CPU_REF,        GN_CPU_AVX2, GN_CPU_AVX512,
                                      GN_CPU_AVX512VNNI, GN_CPU_NEON, GN_CPU_DOTPROD};

/* The check that runs, for the message of a crash. */
static const gn_check *volatile running;

static void say(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0)
        _exit(3);
}

/* A kernel that reads or writes where it must not meets a guard page: tell which one it was. */
static void on_crash(int signal_number)
{
    (void)signal_number;
    char seed[24] = {0};
    const gn_check *c = running;
    if (!c)
        _exit(3);
    int at = (int)sizeof seed - 1;
    for (uint64_t n = c->seed; at > 1 && (n > 0 || at == (int)sizeof seed - 1); n /= 10)
        seed[--at] = (char)('0' + n % 10);
    say("CRASHED ");
    say(c->family);
    say("/");
    say(c->case_name);
    say(" at level ");
    say(gn_cpu_level_name(c->level));
    say(", --seed=");
    say(seed + at);
    say("\n");
    _exit(3);
}

static void watch_crashes(void)
{
#ifdef __SANITIZE_ADDRESS__
    (void)on_crash; /* the sanitizer tells more */
#else
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++)
        signal(crashes[i], on_crash);
#endif
}

typedef struct options {
    uint64_t seed;
    const char *filter;
    bool one_level;
    gn_cpu_level level;
    bool list, bench;
} options;

static bool parse(int argc, char **argv, options *o)
{
    o->seed = (uint64_t)gn_now_ns() % 1000000U;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (gn_has_prefix(a, "--seed="))
            o->seed = strtoull(a + 7, NULL, 10);
        else if (gn_has_prefix(a, "--filter="))
            o->filter = a + 9;
        else if (gn_has_prefix(a, "--cpu=") && gn_cpu_level_parse(a + 6, &o->level))
            o->one_level = true;
        else if (strcmp(a, "--list") == 0)
            o->list = true;
        else if (strcmp(a, "--bench") == 0)
            o->bench = true;
        else {
            fprintf(stderr,
                    "test_kernels: unknown option \"%s\"\n"
                    "usage: test_kernels [--seed=N] [--filter=GLOB] [--cpu=LEVEL] [--list] [--bench]\n",
                    a);
            return false;
        }
    }
    return true;
}

/* NEON levels are meant only where the family's top level is of the same ladder or stands for "the best there is". */
static bool level_is_tested(const options *o, const family *f, gn_cpu_level level)
{
    if (o->one_level)
        return level == o->level && gn_cpu_force(level) == GN_OK;
    if (o->bench && level == GN_CPU_REF)
        return false;
    const bool is_arm = level >= GN_CPU_NEON;
    return (is_arm || level <= f->top) && gn_cpu_force(level) == GN_OK;
}

static int run_family(const options *o, const family *f, double peak, int *cases)
{
    int failures = 0;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (!level_is_tested(o, f, levels[i]))
            continue;
        gn_check c = {.family = f->name,
                      .level = levels[i],
                      .is_ref = levels[i] == GN_CPU_REF,
                      .bench = o->bench,
                      .seed = o->seed,
                      .filter = o->filter,
                      .peak_gflops = peak};
        running = &c;
        f->run(&c);
        check_end_case(&c);
        running = NULL;
        failures += c.failures;
        *cases += c.cases;
        if (c.cases > 0 && !o->bench)
            printf("%-24s %-12s %5d cases  %s\n", f->name, gn_cpu_level_name(levels[i]), c.cases,
                   c.failures ? "FAILED" : "ok");
        fflush(stdout);
    }
    return failures;
}

int main(int argc, char **argv)
{
    options o = {0};
    if (!parse(argc, argv, &o))
        return 2;
    if (o.list) {
        for (size_t i = 0; i < N_FAMILIES; i++)
            puts(families[i].name);
        return 0;
    }
    watch_crashes();
    gn_flush_denormals();
    double peak = 0;
    if (o.bench) {
        peak = check_peak_gflops();
        printf("%s, peak of one core %.1f Gflop/s\n", gn_cpu_name(), peak);
    }
    int failures = 0, cases = 0;
    for (size_t i = 0; i < N_FAMILIES; i++)
        failures += run_family(&o, &families[i], peak, &cases);
    if (failures > 0)
        fprintf(stderr, "%d failures; repeat with --seed=%llu\n", failures, (unsigned long long)o.seed);
    else if (cases == 0)
        fprintf(stderr, "no case matches\n");
    return failures > 0 || cases == 0;
}
