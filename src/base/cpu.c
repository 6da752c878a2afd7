/* CPU level: CPUID on x86 (believed only if the operating system saves the wider registers), hwcaps on aarch64.
 * The detected level and the forced one are process-wide.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#ifndef HWCAP_ASIMDDP
#define HWCAP_ASIMDDP (1 << 20)
#endif
#endif

#include "base/log.h"

static const struct {
    gn_cpu_level level;
    const char *name;
} level_names[] = {
    {GN_CPU_REF, "ref"},   {GN_CPU_AVX2, "avx2"},       {GN_CPU_AVX512, "avx512"}, {GN_CPU_AVX512VNNI, "avx512vnni"},
    {GN_CPU_NEON, "neon"}, {GN_CPU_DOTPROD, "dotprod"},
};
#define N_LEVELS (sizeof level_names / sizeof level_names[0])

static pthread_once_t detect_once = PTHREAD_ONCE_INIT;
static gn_cpu_level detected_level;
static char brand_name[128];
static _Atomic int current_level;

#if defined(__x86_64__)

/* Extended control register 0: which register files the operating system saves (Intel SDM volume 1, chapter 13). */
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static gn_cpu_level detect_level(void)
{
    enum { XCR0_YMM = 0x6, XCR0_ZMM = 0xE6 };
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return GN_CPU_REF;
    const unsigned leaf1 = bit_FMA | bit_OSXSAVE | bit_AVX | bit_F16C;
    if ((c & leaf1) != leaf1)
        return GN_CPU_REF;
    const uint64_t xcr0 = read_xcr0();
    if ((xcr0 & XCR0_YMM) != XCR0_YMM || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & bit_AVX2))
        return GN_CPU_REF;
    const unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL | bit_AVX512CD;
    if ((b & wide) != wide || (xcr0 & XCR0_ZMM) != XCR0_ZMM)
        return GN_CPU_AVX2;
    return c & bit_AVX512VNNI ? GN_CPU_AVX512VNNI : GN_CPU_AVX512;
}

static void detect_brand(void)
{
    unsigned words[12];
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]))
            return;
    memcpy(brand_name, words, sizeof words);
    brand_name[sizeof words] = '\0';
}

#elif defined(__aarch64__)

static gn_cpu_level detect_level(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? GN_CPU_DOTPROD : GN_CPU_NEON;
}

static void detect_brand(void)
{
    FILE *file = fopen("/proc/device-tree/model", "re");
    if (!file)
        return;
    const size_t n = fread(brand_name, 1, sizeof brand_name - 1, file);
    brand_name[n] = '\0';
    fclose(file);
}

#else

static gn_cpu_level detect_level(void)
{
    return GN_CPU_REF;
}

static void detect_brand(void)
{
}

#endif

/* Drop the blanks that processors put around their names. */
static void tidy_brand(void)
{
    const size_t lead = strspn(brand_name, " ");
    memmove(brand_name, brand_name + lead, strlen(brand_name + lead) + 1);
    for (size_t n = strlen(brand_name); n > 0 && (brand_name[n - 1] == ' ' || brand_name[n - 1] == '\n'); n--)
        brand_name[n - 1] = '\0';
    if (!brand_name[0])
        memcpy(brand_name, "unknown CPU", sizeof "unknown CPU");
}

/* NEON rungs start at 50, x86 rungs below. */
static bool is_available(gn_cpu_level level)
{
    const bool same_family = (level >= GN_CPU_NEON) == (detected_level >= GN_CPU_NEON);
    return level == GN_CPU_REF || (same_family && level <= detected_level);
}

static void detect(void)
{
    detected_level = detect_level();
    detect_brand();
    tidy_brand();
    gn_cpu_level wanted = detected_level;
    const char *env = getenv("GANNET_CPU");
    if (env && *env && (!gn_cpu_level_parse(env, &wanted) || !is_available(wanted))) {
        gn_warn("GANNET_CPU=%s: not a level that this CPU has; using %s", env, gn_cpu_level_name(detected_level));
        wanted = detected_level;
    }
    atomic_store(&current_level, (int)wanted);
}

gn_cpu_level gn_cpu_detected(void)
{
    pthread_once(&detect_once, detect);
    return detected_level;
}

gn_cpu_level gn_cpu_current(void)
{
    pthread_once(&detect_once, detect);
    return (gn_cpu_level)atomic_load_explicit(&current_level, memory_order_relaxed);
}

gn_status gn_cpu_force(gn_cpu_level level)
{
    pthread_once(&detect_once, detect);
    if (!is_available(level))
        return GN_EUNSUPPORTED;
    atomic_store(&current_level, (int)level);
    return GN_OK;
}

const char *gn_cpu_level_name(gn_cpu_level level)
{
    for (size_t i = 0; i < N_LEVELS; i++)
        if (level_names[i].level == level)
            return level_names[i].name;
    return "?";
}

bool gn_cpu_level_parse(const char *name, gn_cpu_level *out)
{
    for (size_t i = 0; i < N_LEVELS; i++)
        if (strcmp(level_names[i].name, name) == 0) {
            *out = level_names[i].level;
            return true;
        }
    return false;
}

const char *gn_cpu_name(void)
{
    pthread_once(&detect_once, detect);
    return brand_name;
}
