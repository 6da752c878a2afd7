/* Which instruction sets this CPU and its operating system offer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_CPU_H
#define GN_BASE_CPU_H

#include <stdbool.h>
#include "base/status.h"

/* Rungs of a ladder: each includes those above it for its architecture.
 * AVX2 means AVX2+FMA+F16C; AVX512 means F, BW, DQ, VL, CD; AVX512VNNI adds VNNI. */
typedef enum gn_cpu_level {
    GN_CPU_REF = 0,
    GN_CPU_AVX2 = 10,
    GN_CPU_AVX512 = 20,
    GN_CPU_AVX512VNNI = 21,
    GN_CPU_NEON = 50,
    GN_CPU_DOTPROD = 51,
} gn_cpu_level;

/* What CPUID (or hwcaps) and XCR0 allow.  Detected once. */
gn_cpu_level gn_cpu_detected(void);
/* Detected, or less when GANNET_CPU (ref, avx2, avx512, avx512vnni, neon, dotprod) or gn_cpu_force asks for less. */
gn_cpu_level gn_cpu_current(void);
/* GN_EUNSUPPORTED when this machine lacks the level. */
gn_status gn_cpu_force(gn_cpu_level level);
const char *gn_cpu_level_name(gn_cpu_level level);
/* False for an unknown name. */
bool gn_cpu_level_parse(const char *name, gn_cpu_level *out);
/* Brand string, e.g. "AMD EPYC ...".  Static storage. */
const char *gn_cpu_name(void);

#endif
