/* Micro-kernels of convolution: one tile of m x n results in registers.  Three contracts differ only in where operands come from:
 *
 *   acc[i][j] = bias[j] + sum over k of A(i,k) * B(k,j)
 *   dst[row_off[i] + j] = clamp(curve(acc[i][j]) + residual[row_off[i] + j])   i < m <= mr, j < n <= 2*vec
 *
 *   rows:    A(i, t*kc + k) = rows[t*m + i][k]   pixels through a table of pointers per filter tap (forward, gradient by data)
 *   offsets: A(i,k) = rows[i][offsets[k]]        few input channels; rows of a padded copy of the picture
 *   outer:   A(i,k) = a_rows[k][a_off + i],  B(k,j) = b_rows[k][b_off + j]    sums over pixels (gradient by weights); curve
 *            and clamp are not applied
 *
 * For rows and offsets B(k,j) = b[k*ldb + j].  B is read in whole vectors: up to vec-1 floats past column n, which may hold anything.
 * dst may equal residual (a sum that goes on).  Sums run over k in one fixed order per level; fused multiply-add is allowed.
 * Aliasing of dst with other operands is not allowed; no alignment is assumed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_IGEMM_H
#define GN_KERNELS_IGEMM_H

#include "kernels/kernel.h"

#define GN_IGEMM_MR_MAX 16

typedef struct gn_igemm_tile {
    float *dst;
    const float *residual;  /* or NULL */
    const float *bias;      /* [n] in whole vectors, or NULL */
    const int64_t *row_off; /* [m], in floats, for dst and residual */
    gn_clamp clamp;
    int m, n;
    bool
        bypass; /* results go past the caches where they can (large ones that nobody reads soon); fence() before others look */
    gn_curve curve;
} gn_igemm_tile;

typedef void (*gn_igemm_rows_fn)(const gn_igemm_tile *tile, const float *const *rows, int taps, int kc, const float *b,
                                 int ldb);
typedef void (*gn_igemm_offsets_fn)(const gn_igemm_tile *tile, const float *const *rows, const int32_t *offsets, int kc,
                                    const float *b, int64_t ldb);
typedef void (*gn_igemm_outer_fn)(const gn_igemm_tile *tile, const float *const *a_rows, const float *const *b_rows,
                                  int64_t a_off, int64_t b_off, int kc);

typedef struct gn_igemm {
    gn_cpu_level level;
    int mr, vec;
    gn_igemm_rows_fn rows;
    gn_igemm_offsets_fn offsets;
    gn_igemm_outer_fn outer;
    void (*fence)(void);
} gn_igemm;

/* The best set of the CPU level in force.  Static storage. */
const gn_igemm *gn_igemm_current(void);

#define GN_IGEMM(level, mr, vec, rows, offsets, outer, fence)                                                          \
    void rows(const gn_igemm_tile *tile, const float *const *a_rows, int taps, int kc, const float *b, int ldb);       \
    void offsets(const gn_igemm_tile *tile, const float *const *a_rows, const int32_t *a_offsets, int kc,              \
                 const float *b, int64_t ldb);                                                                         \
    void outer(const gn_igemm_tile *tile, const float *const *a_rows, const float *const *b_rows, int64_t a_off,       \
               int64_t b_off, int kc);                                                                                 \
    void fence(void);
#include "kernels/f32_igemm.def"

#endif
