/* Micro-kernels of convolution for NEON: tile of 8 rows x 8 columns.
 *
 * Register plan of the full tile, 32 registers of 4 floats:
 *   16 sums; 8 of A, each four k of one row; 4 of B, two rows of the panel: the one in use and the one after it.
 * A multiply-add takes its factor from a lane of A, so nothing is broadcast: four k cost 64 multiply-adds, 8 loads of A and 8 of B.
 * Cortex-A57 begins one such multiply-add and one load per cycle, Cortex-A76 two and two; sixteen sums hide their latency (10 cycles
 * at most).  B is asked for a row early, A during the last of its four k.
 * Loads of A may reach up to three floats past the end of a row, which the rules for buffers allow (kernel.h).
 * Every (m, number of vectors) is its own instance in which all loops over the tile are unrolled.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/igemm.h"
#include "kernels/vec_curves.h"

enum { VEC = VF_LANES, MR = 8, NARROW_MAX = 2 };

#define FOR_EACH_M(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)

/* ---- begin and end of a tile ---- */

GN_INLINE void tile_bias(const gn_igemm_tile *tile, vf (*acc)[2], const int m, const int nv)
{
    GN_UNROLL for (int v = 0; v < nv; v++)
    {
        const vf bias = tile->bias ? vf_load(tile->bias + v * VEC) : vf_zero();
        GN_UNROLL for (int i = 0; i < m; i++) acc[i][v] = bias;
    }
}

/* The curve of m x nv vectors.  Not inlined: a network has one or none, and every instance would carry it along. */
static __attribute__((noinline)) void tile_bend(gn_curve curve, vf (*acc)[2], const int m, const int nv)
{
    const vf alpha = vf_set(curve.alpha);
    GN_WITH_CURVE(curve.kind,
                  for (int i = 0; i < m; i++) for (int v = 0; v < nv; v++) acc[i][v] = vf_curve(kind, acc[i][v], alpha))
}

GN_INLINE void tile_copy(vf (*to)[2], vf (*from)[2], const int m, const int nv)
{
    GN_UNROLL for (int i = 0; i < m; i++)
    {
        GN_UNROLL for (int v = 0; v < nv; v++) to[i][v] = from[i][v];
    }
}

/* Whole vectors of results.  The tile is copied first: a store could change it for all that the compiler knows. */
GN_INLINE void store_whole(const gn_igemm_tile *tile, vf (*acc)[2], const int m, const int nv, const bool is_final,
                           const bool has_residual)
{
    float *const dst = tile->dst;
    const float *const residual = tile->residual;
    const int64_t *const row_off = tile->row_off;
    const vf lo = vf_set(tile->clamp.lo), hi = vf_set(tile->clamp.hi);
    GN_UNROLL for (int i = 0; i < m; i++)
    {
        const int64_t at = row_off[i];
        vf x[2];
        GN_UNROLL for (int v = 0; v < nv; v++)
        {
            x[v] = has_residual ? vf_add(acc[i][v], vf_load(residual + at + v * VEC)) : acc[i][v];
            x[v] = is_final ? vf_clamp(x[v], lo, hi) : x[v];
        }
        GN_UNROLL for (int v = 0; v < nv; v++) vf_store(dst + at + v * VEC, x[v]);
    }
}

/* Results the last vector of which is not whole: rare, hence one function for all tiles. */
static __attribute__((noinline)) void store_ragged(const gn_igemm_tile *tile, vf (*acc)[2], const bool is_final)
{
    const vf lo = vf_set(tile->clamp.lo), hi = vf_set(tile->clamp.hi);
    for (int i = 0; i < tile->m; i++) {
        const int64_t at = tile->row_off[i];
        for (int v = 0; v * VEC < tile->n; v++) {
            const size_t n = tile->n - v * VEC < VEC ? (size_t)(tile->n - v * VEC) : VEC;
            const vf x = tile->residual ? vf_add(acc[i][v], vf_load_n(tile->residual + at + v * VEC, n)) : acc[i][v];
            vf_store_n(tile->dst + at + v * VEC, is_final ? vf_clamp(x, lo, hi) : x, n);
        }
    }
}

/* is_final false leaves out what sums that go on (outer) do not need. */
GN_INLINE void tile_store(const gn_igemm_tile *tile, vf (*acc)[2], const int m, const int nv, const bool is_final)
{
    const bool is_bent = is_final && tile->curve.kind != GN_CURVE_NONE, is_ragged = tile->n < nv * VEC;
    if (is_bent || is_ragged) {
        vf copy[MR][2]; /* so that acc itself stays in registers */
        tile_copy(copy, acc, m, nv);
        if (is_bent)
            tile_bend(tile->curve, copy, m, nv);
        if (is_ragged) {
            store_ragged(tile, copy, is_final);
            return;
        }
        tile_copy(acc, copy, m, nv);
    }
    if (tile->residual)
        store_whole(tile, acc, m, nv, is_final, true);
    else
        store_whole(tile, acc, m, nv, is_final, false);
}

/* ---- steps over k ---- */

GN_INLINE void load_b(const float *b, vf *bv, const int nv)
{
    GN_UNROLL for (int v = 0; v < nv; v++) bv[v] = vf_load(b + v * VEC);
}

/* sum += b * a[lane], in the order of the text.  Of the intrinsic, gcc makes copies of a tile's sums. */
#define LANE_FMA(sum, b, a, lane) __asm__ volatile("fmla %0.4s, %1.4s, %2.s[" #lane "]" : "+w"(sum) : "w"(b), "w"(a))

/* acc[i][v] += av[i][lane] * bv[v] */
#define LANE_STEP(acc, av, bv, lane)                                                                                   \
    GN_UNROLL for (int i = 0; i < m; i++)                                                                              \
    {                                                                                                                  \
        GN_UNROLL for (int v = 0; v < nv; v++) LANE_FMA((acc)[i][v], (bv)[v], (av)[i], lane);                          \
    }

/* Four rows of B from b on, with the four k that av holds. */
GN_INLINE void quad(vf (*acc)[2], const vf *av, const float *b, ptrdiff_t ldb, const int m, const int nv)
{
    vf even[2], odd[2];
    load_b(b, even, nv);
    load_b(b + ldb, odd, nv);
    LANE_STEP(acc, av, even, 0)
    load_b(b + 2 * ldb, even, nv);
    LANE_STEP(acc, av, odd, 1)
    load_b(b + 3 * ldb, odd, nv);
    LANE_STEP(acc, av, even, 2)
    LANE_STEP(acc, av, odd, 3)
}

/* The last `rest` (0 to 3) of a run of k. */
GN_INLINE void tail_steps(vf (*acc)[2], const vf *av, const float *b, ptrdiff_t ldb, ptrdiff_t rest, const int m,
                          const int nv)
{
    vf bv[2];
    if (rest > 0) {
        load_b(b, bv, nv);
        LANE_STEP(acc, av, bv, 0)
    }
    if (rest > 1) {
        load_b(b + ldb, bv, nv);
        LANE_STEP(acc, av, bv, 1)
    }
    if (rest > 2) {
        load_b(b + 2 * ldb, bv, nv);
        LANE_STEP(acc, av, bv, 2)
    }
}

GN_INLINE void load_a(const float *const *a, ptrdiff_t k, vf *av, const int m)
{
    GN_UNROLL for (int i = 0; i < m; i++) av[i] = vf_load(a[i] + k);
}

/* ---- the three contracts ---- */

GN_INLINE void rows_wide(const gn_igemm_tile *tile, const float *const *rows, int taps, ptrdiff_t kc, const float *b,
                         ptrdiff_t ldb, const int m, const int nv)
{
    vf acc[MR][2], av[MR];
    tile_bias(tile, acc, m, nv);
    for (int t = 0; t < taps; t++, rows += m) {
        const float *a[MR];
        GN_UNROLL for (int i = 0; i < m; i++) a[i] = rows[i];
        load_a(a, 0, av, m);
        ptrdiff_t k = 0;
        for (; k + 4 <= kc; k += 4, b += 4 * ldb) {
            quad(acc, av, b, ldb, m, nv);
            load_a(a, k + 4, av, m);
        }
        tail_steps(acc, av, b, ldb, kc - k, m, nv);
        b += (kc - k) * ldb;
    }
    tile_store(tile, acc, m, nv, true);
}

/* A panel as wide as the tile, which nearly all are, has its rows at a distance that is known when the code is compiled. */
GN_INLINE void rows_any(const gn_igemm_tile *tile, const float *const *rows, int taps, ptrdiff_t kc, const float *b,
                        ptrdiff_t ldb, const int m, const int nv)
{
    if (ldb == nv * VEC)
        rows_wide(tile, rows, taps, kc, b, nv * VEC, m, nv);
    else
        rows_wide(tile, rows, taps, kc, b, ldb, m, nv);
}

/* Few rows have too few sums to hide the latency of a multiply-add: each of four k has its own. */
GN_INLINE void rows_narrow(const gn_igemm_tile *tile, const float *const *rows, int taps, ptrdiff_t kc, const float *b,
                           ptrdiff_t ldb, const int m, const int nv)
{
    vf acc[4][NARROW_MAX][2], av[NARROW_MAX], bv[4][2];
    tile_bias(tile, acc[0], m, nv);
    GN_UNROLL for (int w = 1; w < 4; w++)
    {
        GN_UNROLL for (int i = 0; i < m; i++)
        {
            GN_UNROLL for (int v = 0; v < nv; v++) acc[w][i][v] = vf_zero();
        }
    }
    for (int t = 0; t < taps; t++, rows += m) {
        load_a(rows, 0, av, m);
        ptrdiff_t k = 0;
        for (; k + 4 <= kc; k += 4, b += 4 * ldb) {
            GN_UNROLL for (int w = 0; w < 4; w++)
            {
                if (nv == 2 || w % 2 == 0)
                    vf_prefetch(b, (16 + w) * ldb);
                load_b(b + w * ldb, bv[w], nv);
            }
            LANE_STEP(acc[0], av, bv[0], 0)
            LANE_STEP(acc[1], av, bv[1], 1)
            LANE_STEP(acc[2], av, bv[2], 2)
            LANE_STEP(acc[3], av, bv[3], 3)
            load_a(rows, k + 4, av, m);
        }
        tail_steps(acc[0], av, b, ldb, kc - k, m, nv);
        b += (kc - k) * ldb;
    }
    GN_UNROLL for (int i = 0; i < m; i++)
    {
        GN_UNROLL for (int v = 0; v < nv; v++) acc[0][i][v] =
            vf_add(vf_add(acc[0][i][v], acc[1][i][v]), vf_add(acc[2][i][v], acc[3][i][v]));
    }
    tile_store(tile, acc[0], m, nv, true);
}

GN_INLINE void offset_step(vf (*acc)[2], const float *const *a, ptrdiff_t at, const float *b, const int m, const int nv)
{
    vf bv[2];
    load_b(b, bv, nv);
    GN_UNROLL for (int i = 0; i < m; i++)
    {
        const float value = a[i][at];
        GN_UNROLL for (int v = 0; v < nv; v++) LANE_FMA(acc[i][v], bv[v], value, 0);
    }
}

/* Four k whose values lie side by side, as those of one filter row of a picture in N,H,W,C do, are loaded at once. */
GN_INLINE void offsets_tile(const gn_igemm_tile *tile, const float *const *rows, const int32_t *offsets, ptrdiff_t kc,
                            const float *b, ptrdiff_t ldb, const int m, const int nv)
{
    vf acc[MR][2], av[MR];
    tile_bias(tile, acc, m, nv);
    const float *a[MR];
    GN_UNROLL for (int i = 0; i < m; i++) a[i] = rows[i];
    const bool has_runs = kc >= 4 && offsets[1] == offsets[0] + 1;
    for (ptrdiff_t k = 0; k < kc && has_runs;) {
        const ptrdiff_t at = offsets[k];
        if (k + 4 <= kc && offsets[k + 1] == at + 1 && offsets[k + 2] == at + 2 && offsets[k + 3] == at + 3) {
            load_a(a, at, av, m);
            quad(acc, av, b, ldb, m, nv);
            k += 4;
            b += 4 * ldb;
            continue;
        }
        offset_step(acc, a, at, b, m, nv);
        k++;
        b += ldb;
    }
    for (ptrdiff_t k = 0; k < kc && !has_runs; k++, b += ldb)
        offset_step(acc, a, offsets[k], b, m, nv);
    tile_store(tile, acc, m, nv, true);
}

/* The m values of A for one k lie side by side: the lanes of one or two vectors. */
GN_INLINE void outer_tile(const gn_igemm_tile *tile, const float *const *a_rows, const float *const *b_rows,
                          int64_t a_off, int64_t b_off, int kc, const int m, const int nv)
{
    vf acc[MR][2], bv[2];
    tile_bias(tile, acc, m, nv);
    for (int k = 0; k < kc; k++) {
        const float *a = a_rows[k] + a_off;
        const vf low = vf_load_n(a, m < 4 ? (size_t)m : 4), high = m > 4 ? vf_load_n(a + 4, (size_t)m - 4) : low;
        load_b(b_rows[k] + b_off, bv, nv);
        GN_UNROLL for (int v = 0; v < nv; v++)
        {
#define ROW(i, part, lane)                                                                                             \
    if (m > (i))                                                                                                       \
        LANE_FMA(acc[i][v], bv[v], part, lane);
            ROW(0, low, 0)
            ROW(1, low, 1) ROW(2, low, 2) ROW(3, low, 3) ROW(4, high, 0) ROW(5, high, 1) ROW(6, high, 2) ROW(7, high, 3)
#undef ROW
        }
    }
    tile_store(tile, acc, m, nv, false);
}

/* ---- instances ---- */

#define INSTANCE_NV(M, NV)                                                                                             \
    static void rows_##M##x##NV(const gn_igemm_tile *tile, const float *const *rows, int taps, int kc, const float *b, \
                                int ldb)                                                                               \
    {                                                                                                                  \
        if (M <= NARROW_MAX)                                                                                           \
            rows_narrow(tile, rows, taps, kc, b, ldb, M <= NARROW_MAX ? M : 1, NV);                                    \
        else                                                                                                           \
            rows_any(tile, rows, taps, kc, b, ldb, M, NV);                                                             \
    }                                                                                                                  \
    static void offsets_##M##x##NV(const gn_igemm_tile *tile, const float *const *rows, const int32_t *offsets,        \
                                   int kc, const float *b, int64_t ldb)                                                \
    {                                                                                                                  \
        offsets_tile(tile, rows, offsets, kc, b, ldb, M, NV);                                                          \
    }                                                                                                                  \
    static void outer_##M##x##NV(const gn_igemm_tile *tile, const float *const *a_rows, const float *const *b_rows,    \
                                 int64_t a_off, int64_t b_off, int kc)                                                 \
    {                                                                                                                  \
        outer_tile(tile, a_rows, b_rows, a_off, b_off, kc, M, NV);                                                     \
    }
#define INSTANCE(M) INSTANCE_NV(M, 1) INSTANCE_NV(M, 2)
FOR_EACH_M(INSTANCE)

/* Tables by [number of vectors - 1][m - 1]. */
#define ROWS_X1(M)    rows_##M##x1,
#define ROWS_X2(M)    rows_##M##x2,
#define OFFSETS_X1(M) offsets_##M##x1,
#define OFFSETS_X2(M) offsets_##M##x2,
#define OUTER_X1(M)   outer_##M##x1,
#define OUTER_X2(M)   outer_##M##x2,
static const gn_igemm_rows_fn rows_table[2][MR] = {{FOR_EACH_M(ROWS_X1)}, {FOR_EACH_M(ROWS_X2)}};
static const gn_igemm_offsets_fn offsets_table[2][MR] = {{FOR_EACH_M(OFFSETS_X1)}, {FOR_EACH_M(OFFSETS_X2)}};
static const gn_igemm_outer_fn outer_table[2][MR] = {{FOR_EACH_M(OUTER_X1)}, {FOR_EACH_M(OUTER_X2)}};

void gn_f32_igemm_rows_8x8__neon(const gn_igemm_tile *tile, const float *const *rows, int taps, int kc, const float *b,
                                 int ldb)
{
    rows_table[tile->n > VEC][tile->m - 1](tile, rows, taps, kc, b, ldb);
}

void gn_f32_igemm_offsets_8x8__neon(const gn_igemm_tile *tile, const float *const *rows, const int32_t *offsets, int kc,
                                    const float *b, int64_t ldb)
{
    offsets_table[tile->n > VEC][tile->m - 1](tile, rows, offsets, kc, b, ldb);
}

void gn_f32_igemm_outer_8x8__neon(const gn_igemm_tile *tile, const float *const *a_rows, const float *const *b_rows,
                                  int64_t a_off, int64_t b_off, int kc)
{
    outer_table[tile->n > VEC][tile->m - 1](tile, a_rows, b_rows, a_off, b_off, kc);
}

/* Results always go through the caches. */
void gn_f32_igemm_fence_8x8__neon(void)
{
}
