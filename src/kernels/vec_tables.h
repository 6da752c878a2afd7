/* Function tables of the vector kernel families (elementwise, optimizer, batchnorm, layernorm, pooling,
 * depthwise): one constant table per
 * family and rung.  Drivers cut the work into ranges of rows and call through the table of the current CPU level; `ref` is the
 * specification, the others come from the vec_*.inc templates.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_VEC_TABLES_H
#define GN_KERNELS_VEC_TABLES_H

#include "kernels/batchnorm.h"
#include "kernels/depthwise.h"
#include "kernels/elementwise.h"
#include "kernels/layernorm.h"
#include "kernels/optimizer.h"
#include "kernels/pooling.h"
#include "kernels/row_split.h"

#define GN_KERNEL(name, params, args) void(*name) params;
typedef struct gn_elementwise_table {
#include "kernels/elementwise.def"
    double (*gn_f32_sum_squares)(const float *x, size_t n);
    bool (*gn_f32_all_finite)(const float *x, size_t n);
} gn_elementwise_table;

typedef struct gn_optimizer_table {
#include "kernels/optimizer.def"
} gn_optimizer_table;
#undef GN_KERNEL

/* Partial statistics of one task: sums over its rows, in double, of x - pivot and (x - pivot)^2, where pivot is near the mean.
 * Backward: sums of g and g*xhat; pivot is unused. */
typedef struct gn_bn_partial {
    double *sum, *sum2; /* [C] */
    float *pivot;       /* [C] */
} gn_bn_partial;

typedef struct gn_bn_table {
    void (*stats)(const gn_bn_fwd *call, gn_rows rows, gn_bn_partial partial);
    void (*normalise)(const gn_bn_fwd *call, gn_rows rows);
    void (*bwd_stats)(const gn_bn_bwd *call, gn_rows rows, gn_bn_partial partial);
    void (*bwd_dx)(const gn_bn_bwd *call, gn_rows rows);
} gn_bn_table;

/* partial: [3][C] doubles; the first two rows are sums of dy*xhat and of dy, the third is room. */
typedef struct gn_ln_table {
    void (*fwd)(const gn_ln_fwd *call, gn_rows rows);
    void (*bwd)(const gn_ln_bwd *call, gn_rows rows, double *partial);
} gn_ln_table;

/* Row n*P+p is an output row, row n*H+h an input row.  adaptive: image n, channels begin..end-1 of `channels`. */
typedef struct gn_pool_table {
    void (*max_fwd)(const gn_window *p, const float *src, float *dst, uint8_t *argmax, gn_rows rows);
    void (*max_bwd)(const gn_window *p, const float *ddst, const uint8_t *argmax, float *dsrc, gn_rows rows);
    void (*avg_fwd)(const gn_window *p, const float *src, float *dst, gn_rows rows);
    void (*avg_bwd)(const gn_window *p, const float *ddst, float *dsrc, gn_rows rows);
    void (*adaptive_fwd)(const gn_window *p, const float *src, float *dst, int n, gn_rows channels);
    void (*adaptive_bwd)(const gn_window *p, const float *ddst, float *dsrc, int n, gn_rows channels);
} gn_pool_table;

/* Rows as in gn_pool_table.  partial: [R*S+1][C], the last row for the bias; overwritten. */
typedef struct gn_dw_table {
    void (*fwd)(const gn_dw_fwd *call, gn_rows rows);
    void (*bwd_data)(const gn_dw_bwd_data *call, gn_rows rows);
    void (*bwd_weight)(const gn_dw_bwd_weight *call, gn_rows rows, float *partial);
} gn_dw_table;

/* The rung that serves the current CPU level: the highest that the compiler could make. */
typedef enum gn_vec_level { GN_VEC_REF, GN_VEC_AVX2, GN_VEC_AVX512, GN_VEC_NEON } gn_vec_level;
static inline gn_vec_level gn_vec_rung(void)
{
    const gn_cpu_level level = gn_cpu_current();
    if (level >= GN_CPU_NEON)
        return GN_VEC_NEON;
#ifdef GN_HAVE_AVX512
    if (level >= GN_CPU_AVX512)
        return GN_VEC_AVX512;
#endif
#ifdef GN_HAVE_AVX2
    if (level >= GN_CPU_AVX2)
        return GN_VEC_AVX2;
#endif
    return GN_VEC_REF;
}

extern const gn_elementwise_table gn_elementwise__ref, gn_elementwise__avx2, gn_elementwise__avx512,
    gn_elementwise__neon;
extern const gn_optimizer_table gn_optimizer__ref, gn_optimizer__avx2, gn_optimizer__avx512, gn_optimizer__neon;
extern const gn_bn_table gn_bn__ref, gn_bn__avx2, gn_bn__avx512, gn_bn__neon;
extern const gn_ln_table gn_ln__ref, gn_ln__avx2, gn_ln__avx512, gn_ln__neon;
extern const gn_pool_table gn_pool__ref, gn_pool__avx2, gn_pool__avx512, gn_pool__neon;
extern const gn_dw_table gn_dw__ref, gn_dw__avx2, gn_dw__avx512, gn_dw__neon;

#endif
