/* Peak arithmetic rate of one core, measured: what the benchmarks relate their figures to.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_KERNELS_CHECK_PEAK_H
#define GN_TESTS_KERNELS_CHECK_PEAK_H

/* Gflop/s in f32 of independent fused multiply-adds in registers, at the widest vectors that this CPU has; 0 when unknown. */
double check_peak_gflops(void);

#endif
