/* Micro-kernels of convolution in plain C: the specification of the three contracts in igemm.h, one tile of 4x16,
 * summed in double.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/igemm.h"
#include "kernels/ref/curve_ref.h"

enum { MR = 4, NR = 16 };

static void tile_begin(const gn_igemm_tile *tile, double acc[MR][NR])
{
    for (int i = 0; i < tile->m; i++)
        for (int j = 0; j < tile->n; j++)
            acc[i][j] = tile->bias ? (double)tile->bias[j] : 0.0;
}

static void tile_end(const gn_igemm_tile *tile, double acc[MR][NR], bool is_final)
{
    for (int i = 0; i < tile->m; i++) {
        float *dst = tile->dst + tile->row_off[i];
        const float *residual = tile->residual ? tile->residual + tile->row_off[i] : NULL;
        for (int j = 0; j < tile->n; j++) {
            const double sum = is_final ? gn_curve_ref(tile->curve, acc[i][j]) : acc[i][j];
            float y = (float)(sum + (residual ? (double)residual[j] : 0.0));
            if (!is_final) {
                dst[j] = y;
                continue;
            }
            y = y < tile->clamp.lo ? tile->clamp.lo : y;
            dst[j] = y > tile->clamp.hi ? tile->clamp.hi : y;
        }
    }
}

void gn_f32_igemm_rows_4x16__ref(const gn_igemm_tile *tile, const float *const *rows, int taps, int kc, const float *b,
                                 int ldb)
{
    double acc[MR][NR];
    tile_begin(tile, acc);
    for (int t = 0; t < taps; t++, rows += tile->m)
        for (int k = 0; k < kc; k++, b += ldb)
            for (int i = 0; i < tile->m; i++)
                for (int j = 0; j < tile->n; j++)
                    acc[i][j] += (double)rows[i][k] * (double)b[j];
    tile_end(tile, acc, true);
}

void gn_f32_igemm_offsets_4x16__ref(const gn_igemm_tile *tile, const float *const *rows, const int32_t *offsets, int kc,
                                    const float *b, int64_t ldb)
{
    double acc[MR][NR];
    tile_begin(tile, acc);
    for (int k = 0; k < kc; k++, b += ldb)
        for (int i = 0; i < tile->m; i++)
            for (int j = 0; j < tile->n; j++)
                acc[i][j] += (double)rows[i][offsets[k]] * (double)b[j];
    tile_end(tile, acc, true);
}

void gn_f32_igemm_outer_4x16__ref(const gn_igemm_tile *tile, const float *const *a_rows, const float *const *b_rows,
                                  int64_t a_off, int64_t b_off, int kc)
{
    double acc[MR][NR];
    tile_begin(tile, acc);
    for (int k = 0; k < kc; k++) {
        const float *a = a_rows[k] + a_off, *b = b_rows[k] + b_off;
        for (int i = 0; i < tile->m; i++)
            for (int j = 0; j < tile->n; j++)
                acc[i][j] += (double)a[i] * (double)b[j];
    }
    tile_end(tile, acc, false);
}

void gn_f32_igemm_fence_4x16__ref(void)
{
}
