/* Checks the micro-kernels of convolution (kernels/igemm.h) one tile at a time against their contract in f64: every number of rows,
 * columns around vector ends, results past the caches, NaN through the clamp.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "check.h"
#include "check_curve.h"
#include "kernels/igemm.h"

enum { TAPS_MAX = 3, KC_MAX = 9, K_MAX = TAPS_MAX * KC_MAX, N_MAX = 32, ROW_FLOATS = 80 };

typedef struct tile_case {
    int m, n, taps, kc;
    bool has_residual, has_bias, bypass, is_aligned;
    gn_clamp clamp;
    gn_curve curve;
} tile_case;

/* Operands of one tile; a[k][i] and b[k][j] as the contracts call them. */
typedef struct operands {
    const float *a_values; /* [K][mr] */
    const float *b_values; /* [K][ldb] and vec-1 more */
    const float *bias, *residual;
    int64_t row_off[GN_IGEMM_MR_MAX];
    float *dst; /* rows of ROW_FLOATS in reverse order */
    int ldb, k;
} operands;

static operands operands_get(gn_check *c, const tile_case *t, const gn_igemm *set)
{
    operands o = {.ldb = 2 * set->vec, .k = t->taps * t->kc};
    const size_t n_b = (size_t)(o.k * o.ldb + o.ldb);
    o.a_values = check_random(c, (size_t)((o.k + 1) * set->mr), -1, 1);
    o.b_values = check_random(c, n_b, -1, 1);
    o.bias = t->has_bias ? check_random(c, (size_t)o.ldb, -1, 1) : NULL;
    const size_t n_dst = (size_t)(t->m * ROW_FLOATS);
    o.residual = t->has_residual ? check_random(c, n_dst, -1, 1) : NULL;
    o.dst = t->is_aligned ? check_scratch(c, n_dst * sizeof(float)) : check_dst(c, n_dst);
    for (int i = 0; i < t->m; i++)
        o.row_off[i] = (int64_t)(t->m - 1 - i) * ROW_FLOATS;
    return o;
}

/* The result of the contract, and that nothing but the tile was written (all else is still NaN). */
static void compare_tile(gn_check *c, const tile_case *t, const gn_igemm *set, const operands *o, bool is_clamped,
                         const char *what)
{
    for (int i = 0; i < t->m; i++) {
        for (int j = 0; j < ROW_FLOATS; j++) {
            const float got = o->dst[o->row_off[i] + j];
            if (j >= t->n) {
                check_that(c, isnan(got), "%s: row %d, column %d was written", what, i, j);
                continue;
            }
            double sum = o->bias ? (double)o->bias[j] : 0.0;
            for (int k = 0; k < o->k; k++)
                sum += (double)o->a_values[k * set->mr + i] * (double)o->b_values[k * o->ldb + j];
            sum = is_clamped ? check_curve(t->curve, sum) : sum;
            sum += o->residual ? (double)o->residual[o->row_off[i] + j] : 0.0;
            if (is_clamped)
                sum = fmin(fmax(sum, (double)t->clamp.lo), (double)t->clamp.hi);
            check_that(c, fabs((double)got - sum) <= 2e-6 * (o->k + 2), "%s: row %d, column %d is %g, expected %g",
                       what, i, j, (double)got, sum);
        }
    }
}

static gn_igemm_tile tile_get(const tile_case *t, const operands *o)
{
    return (gn_igemm_tile){o->dst, o->residual, o->bias, o->row_off, t->clamp, t->m, t->n, t->bypass, t->curve};
}

/* rows: A(i, tap*kc + k) lies kc values in a row per (tap, i). */
static void check_rows(gn_check *c, const tile_case *t, const gn_igemm *set)
{
    operands o = operands_get(c, t, set);
    const float *rows[TAPS_MAX * GN_IGEMM_MR_MAX];
    for (int tap = 0; tap < t->taps; tap++)
        for (int i = 0; i < t->m; i++) {
            float *row = check_zeros(c, (size_t)t->kc);
            for (int k = 0; k < t->kc; k++)
                row[k] = o.a_values[(tap * t->kc + k) * set->mr + i];
            rows[tap * t->m + i] = row;
        }
    const gn_igemm_tile tile = tile_get(t, &o);
    set->rows(&tile, rows, t->taps, t->kc, o.b_values, o.ldb);
    set->fence();
    compare_tile(c, t, set, &o, true, "rows");
}

static void check_offsets(gn_check *c, const tile_case *t, const gn_igemm *set)
{
    operands o = operands_get(c, t, set);
    const float *rows[GN_IGEMM_MR_MAX];
    int32_t offsets[K_MAX + 1];
    for (int i = 0; i < t->m; i++)
        rows[i] = o.a_values + (ptrdiff_t)(o.k / 2) * set->mr + i;
    for (int k = 0; k < o.k; k++)
        offsets[k] = (k - o.k / 2) * set->mr;
    const gn_igemm_tile tile = tile_get(t, &o);
    set->offsets(&tile, rows, offsets, o.k, o.b_values, o.ldb);
    set->fence();
    compare_tile(c, t, set, &o, true, "offsets");
}

static void check_outer(gn_check *c, const tile_case *t, const gn_igemm *set)
{
    operands o = operands_get(c, t, set);
    const float *a_rows[K_MAX + 1], *b_rows[K_MAX + 1];
    for (int k = 0; k < o.k; k++) {
        a_rows[k] = o.a_values + k * set->mr + 5;
        b_rows[k] = o.b_values + k * o.ldb + 7;
    }
    const gn_igemm_tile tile = tile_get(t, &o);
    set->outer(&tile, a_rows, b_rows, -5, -7, o.k);
    compare_tile(c, t, set, &o, false, "outer");
}

static void check_tile(gn_check *c, const tile_case *t)
{
    const gn_igemm *set = gn_igemm_current();
    check_rows(c, t, set);
    check_offsets(c, t, set);
    check_outer(c, t, set);
}

void check_igemm(gn_check *c)
{
    static const int sums[][2] = {{0, 4}, {1, 1}, {1, 4}, {2, 3}, {3, 9}};
    const gn_igemm *set = gn_igemm_current();
    const int columns[] = {1, set->vec - 1, set->vec, set->vec + 1, 2 * set->vec - 1, 2 * set->vec};
    int variant = 0;
    for (int m = 1; m <= set->mr && !c->bench; m++)
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
            for (size_t j = 0; j < sizeof sums / sizeof *sums; j++, variant += 5) {
                const tile_case t = {m,
                                     columns[i],
                                     sums[j][0],
                                     sums[j][1],
                                     variant & 1,
                                     variant & 2,
                                     variant & 4,
                                     variant & 8,
                                     {variant & 16 ? -0.5F : -INFINITY, variant & 16 ? 0.75F : INFINITY},
                                     {(gn_curve_kind)(variant / 5 % 7 < GN_CURVE_KINDS ? variant / 5 % 7 : 0), 0.125F}};
                if (check_case(c, "%dx%d, %d taps of %d%s%s%s%s", t.m, t.n, t.taps, t.kc,
                               t.has_residual ? ", residual" : "", t.has_bias ? ", bias" : "",
                               t.bypass ? ", bypass" : "", t.is_aligned ? ", aligned" : ""))
                    check_tile(c, &t);
            }
}
