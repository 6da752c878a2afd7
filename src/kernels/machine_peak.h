/* What a core can do at most: kernels without a purpose of their own that keep its multipliers, or the way to its memory, busy.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_MACHINE_PEAK_H
#define GN_KERNELS_MACHINE_PEAK_H

#include "kernels/kernel.h"

/* Independent chains of multiply-adds in registers at the CPU level in force; returns a number that depends on all of them.
 * `rounds`: 1 .. 1,000,000; gn_peak_flop says how many operations that is. */
float gn_peak_burn(int rounds);
double gn_peak_flop(int rounds);

/* Reads n floats (a multiple of 64) and returns a number that depends on all of them. */
float gn_peak_read(const float *src, size_t n);
/* Copies n floats (a multiple of 64) through the caches. */
void gn_peak_copy(const float *src, float *dst, size_t n);

typedef struct gn_peak_table {
    int lanes, chains;
    float (*burn)(int rounds);
    float (*read)(const float *src, size_t n);
    void (*copy)(const float *src, float *dst, size_t n);
} gn_peak_table;
extern const gn_peak_table gn_peak__avx2, gn_peak__avx512;

#endif
