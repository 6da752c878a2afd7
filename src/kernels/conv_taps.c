/* Runs a "taps" problem (see conv_plan.h): the common driver of convolution forward and of its gradient by data.  A task owns a
 * block of pixels of one class and a block of panels; for every tile of pixels it writes down where the rows of the source are, one
 * pointer per (tap, pixel), and runs the micro-kernel over the panels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_plan.h"

/* Panels that are used together for all tiles of a task should stay in the second-level cache. */
#define PANELS_BYTES_MAX (384 * 1024)
/* A source larger than this comes from far away: the next pixels are asked for ahead of time. */
#define FAR_BYTES (2.0 * 1024 * 1024)

/* The pixels (h0 + i*step_h, w0 + j*step_w) of one class, i < nh, j < nw, and their taps (a, b), a < tap_rows, b < tap_cols.
 * Tap (a, b) of pixel (i, j) sees the source at (i*move_h + row_at[a], j*move_w + col_at[b]), which may lie outside. */
typedef struct pixel_class {
    int h0, w0, step_h, step_w, nh, nw;
    int move_h, move_w, tap_rows, tap_cols;
    int *row_at, *col_at;
    ptrdiff_t *tap_at;                  /* [tap_rows*tap_cols]: row_at, col_at as a distance in floats */
    int i_begin, i_end, j_begin, j_end; /* pixels all taps of which are inside */
    int first_tap;                      /* in the packed order */
    bool is_flat;                       /* one tap, source and result pixels are the same */
} pixel_class;

/* Does filter row r meet the rows h0 + i*stride?  (Columns likewise.)  Forward: always.  Backward: source row
 * p = (h + pad - r*dil)/stride must be whole. */
static bool meets(const gn_conv_taps *t, int h0, int pad, int r, int dil, int stride)
{
    return !t->is_backward || (h0 + pad - r * dil) % stride == 0;
}

static int list_taps(const gn_conv_taps *t, int h0, int pad, int filter, int dil, int stride, int *at)
{
    int n = 0;
    for (int r = 0; r < filter; r++)
        if (meets(t, h0, pad, r, dil, stride))
            at[n++] = t->is_backward ? (h0 + pad - r * dil) / stride : r * dil - pad;
    return n;
}

/* The i of 0..count-1 for which i*move + at[a] lies in 0..size-1 for all a. */
static void find_inside(const int *at, int n, int move, int size, int count, int *begin, int *end)
{
    int lo = 0, hi = 0;
    for (int a = 0; a < n; a++) {
        lo = a == 0 || at[a] < lo ? at[a] : lo;
        hi = a == 0 || at[a] > hi ? at[a] : hi;
    }
    *begin = lo < 0 ? (-lo + move - 1) / move : 0;
    *end = size - 1 - hi < 0 ? 0 : (size - 1 - hi) / move + 1;
    *end = *end > count ? count : *end;
}

/* Number of taps in the classes before this one. */
static int taps_before(const gn_conv_taps *t, int index)
{
    int n = 0;
    for (int tap = 0; index > 0 && tap < t->taps; tap++)
        n += gn_conv_taps_class(t, tap) < index;
    return n;
}

/* lists: room for taps ptrdiff_t and R+S int. */
static pixel_class class_get(const gn_conv_taps *t, int index, void *lists)
{
    pixel_class c = {
        .h0 = index / t->classes_w, .w0 = index % t->classes_w, .step_h = t->classes_h, .step_w = t->classes_w};
    c.nh = (t->dst_h - c.h0 + c.step_h - 1) / c.step_h;
    c.nw = (t->dst_w - c.w0 + c.step_w - 1) / c.step_w;
    c.move_h = t->is_backward ? 1 : t->stride_h;
    c.move_w = t->is_backward ? 1 : t->stride_w;
    c.tap_at = lists;
    c.row_at = (int *)(void *)(c.tap_at + t->taps);
    c.col_at = c.row_at + t->R;
    c.tap_rows = list_taps(t, c.h0, t->pad_top, t->R, t->dil_h, t->stride_h, c.row_at);
    c.tap_cols = list_taps(t, c.w0, t->pad_left, t->S, t->dil_w, t->stride_w, c.col_at);
    c.first_tap = taps_before(t, index);
    for (int a = 0; a < c.tap_rows; a++)
        for (int b = 0; b < c.tap_cols; b++)
            c.tap_at[a * c.tap_cols + b] = ((ptrdiff_t)c.row_at[a] * t->src_w + c.col_at[b]) * t->src_pixel;
    find_inside(c.row_at, c.tap_rows, c.move_h, t->src_h, c.nh, &c.i_begin, &c.i_end);
    find_inside(c.col_at, c.tap_cols, c.move_w, t->src_w, c.nw, &c.j_begin, &c.j_end);
    c.is_flat = t->taps == 1 && c.step_h == 1 && c.step_w == 1 && c.move_h == 1 && c.move_w == 1 && c.tap_at[0] == 0 &&
                t->src_h == t->dst_h && t->src_w == t->dst_w;
    return c;
}

/* rows[tap*m] for all taps of a pixel near the border, the first tap of which sees the source at (y, x) - (row_at, col_at)[0]. */
static void point_border(const gn_conv_taps *t, const pixel_class *c, const float *image, const float *zeros, int y,
                         int x, int m, const float **rows)
{
    for (int a = 0; a < c->tap_rows; a++) {
        const int h = y + c->row_at[a];
        const bool has_row = h >= 0 && h < t->src_h;
        for (int b = 0; b < c->tap_cols; b++, rows += m) {
            const int w = x + c->col_at[b];
            *rows = has_row && w >= 0 && w < t->src_w
                        ? image + ((size_t)h * (size_t)t->src_w + (size_t)w) * (size_t)t->src_pixel
                        : zeros;
        }
    }
}

/* How many pixels from column j of row i on, at most `most`, see all of their taps inside the picture; 0: the first does not. */
static int inside_run(const pixel_class *c, int i, int j, int most)
{
    if (i < c->i_begin || i >= c->i_end || j < c->j_begin || j >= c->j_end)
        return 0;
    return c->j_end - j < most ? c->j_end - j : most;
}

/* Rows and result offsets of the m pixels of class c from flat index `first` on. */
static void point_tile(const gn_conv_taps *t, const pixel_class *c, const float *src, const float *zeros, int64_t first,
                       int m, const float **rows, int64_t *row_off)
{
    const int64_t per_image = (int64_t)c->nh * c->nw;
    const size_t image_floats = (size_t)t->src_h * (size_t)t->src_w * (size_t)t->src_pixel;
    const ptrdiff_t step = (ptrdiff_t)c->move_w * t->src_pixel;
    const int64_t dst_step = (int64_t)c->step_w * t->dst_pixel;
    int64_t n = first / per_image;
    int i = (int)(first % per_image) / c->nw, j = (int)(first % per_image) % c->nw;
    const int taps = c->tap_rows * c->tap_cols;
    for (int k = 0; k < m;) {
        const float *image = src + (size_t)n * image_floats;
        const int y = i * c->move_h, x = j * c->move_w;
        const int64_t off = ((n * t->dst_h + c->h0 + i * c->step_h) * t->dst_w + c->w0 + j * c->step_w) * t->dst_pixel;
        const int run = inside_run(c, i, j, m - k), count = run > 0 ? run : 1;
        for (int a = 0; a < count; a++)
            row_off[k + a] = off + a * dst_step;
        if (run > 0) {
            const float *at = image + ((ptrdiff_t)y * t->src_w + x) * t->src_pixel;
            for (int tap = 0; tap < taps; tap++)
                for (int a = 0; a < run; a++)
                    rows[tap * m + k + a] = at + c->tap_at[tap] + a * step;
        } else
            point_border(t, c, image, zeros, y, x, m, rows + k);
        k += count;
        j += count;
        if (j == c->nw) {
            j = 0;
            if (++i == c->nh) {
                i = 0;
                n++;
            }
        }
    }
}

/* Asks for the pixels of the tile after this one: fourteen rows that are read side by side are more than the hardware follows. */
static void ask_for_flat_tile(const gn_conv_taps *t, const float *src, int64_t first, int m)
{
    const float *next = src + (size_t)(first + m) * (size_t)t->src_pixel;
    for (int k = 0; k < m; k++, next += t->src_pixel)
        for (int line = 0; line < t->kc; line += 16)
            __builtin_prefetch((const void *)((uintptr_t)next + (uintptr_t)line * sizeof(float)));
}

static void point_flat_tile(const gn_conv_taps *t, const float *src, int64_t first, int m, const float **rows,
                            int64_t *row_off)
{
    src += (size_t)first * (size_t)t->src_pixel;
    for (int k = 0; k < m; k++) {
        rows[k] = src + (ptrdiff_t)k * t->src_pixel;
        row_off[k] = (first + k) * t->dst_pixel;
    }
}

/* Panels begin..end-1 of a group for one tile; `packed` is the group's first panel. */
static void run_panels(const gn_conv_taps *t, gn_igemm_tile tile, int taps, size_t skip_rows, const float *packed,
                       int begin, int end, const float *const *rows)
{
    const size_t panel_floats = (1 + (size_t)t->taps * (size_t)t->kc) * (size_t)t->nr;
    tile.dst += begin * t->nr;
    tile.residual = tile.residual ? tile.residual + begin * t->nr : NULL;
    for (int i = begin; i < end; i++) {
        tile.n = t->nc - i * t->nr < t->nr ? t->nc - i * t->nr : t->nr;
        const int ldb = tile.n <= t->kernels->vec ? t->kernels->vec : t->nr;
        tile.bias = packed + (size_t)i * panel_floats;
        t->kernels->rows(&tile, rows, taps, t->kc, tile.bias + (1 + skip_rows) * (size_t)ldb, ldb);
        tile.dst += t->nr;
        tile.residual = tile.residual ? tile.residual + t->nr : NULL;
    }
}

size_t gn_conv_taps_scratch_bytes(const gn_conv_taps *t)
{
    return (size_t)t->taps * ((size_t)t->kernels->mr * sizeof(const float *) + sizeof(ptrdiff_t)) +
           (size_t)(t->R + t->S) * sizeof(int);
}

void gn_conv_taps_task(const gn_conv_taps *t, const gn_conv_taps_call *call, int task, void *scratch)
{
    const int pixel_block = task % t->pixel_blocks, rest = task / t->pixel_blocks;
    const int panel_block = rest % t->panel_blocks, group = rest / t->panel_blocks % t->groups;
    const float **rows = scratch;
    const pixel_class c =
        class_get(t, rest / t->panel_blocks / t->groups, rows + (size_t)t->taps * (size_t)t->kernels->mr);
    const int64_t pixels = (int64_t)t->N * c.nh * c.nw, tiles = (pixels + t->kernels->mr - 1) / t->kernels->mr;
    const int64_t tile_begin = gn_conv_cut(tiles, t->pixel_blocks, pixel_block);
    const int64_t tile_end = gn_conv_cut(tiles, t->pixel_blocks, pixel_block + 1);
    const int taps = c.tap_rows * c.tap_cols, panel_end = (int)gn_conv_cut(t->panels, t->panel_blocks, panel_block + 1);
    const size_t panel_bytes = (size_t)(taps + 1) * (size_t)t->kc * (size_t)t->nr * sizeof(float);
    const int together = panel_bytes < PANELS_BYTES_MAX ? (int)(PANELS_BYTES_MAX / panel_bytes) : 1;
    const bool is_far = (double)sizeof(float) * t->N * t->src_h * t->src_w * t->src_c > FAR_BYTES;
    const float *src = call->src + (size_t)group * (size_t)t->kc;
    const float *packed = call->packed + gn_conv_taps_panel(t, group * t->panels).offset;
    int64_t row_off[GN_IGEMM_MR_MAX];
    gn_igemm_tile tile = {call->dst + (size_t)group * (size_t)t->nc,
                          call->residual ? call->residual + (size_t)group * (size_t)t->nc : NULL,
                          NULL,
                          row_off,
                          call->clamp,
                          0,
                          0,
                          t->bypass && call->residual != call->dst,
                          call->curve};
    for (int first = (int)gn_conv_cut(t->panels, t->panel_blocks, panel_block); first < panel_end; first += together) {
        const int end = first + together < panel_end ? first + together : panel_end;
        for (int64_t i = tile_begin; i < tile_end; i++) {
            const int64_t pixel = gn_conv_cut(pixels, (int)tiles, (int)i);
            tile.m = (int)(gn_conv_cut(pixels, (int)tiles, (int)i + 1) - pixel);
            if (c.is_flat) {
                point_flat_tile(t, src, pixel, tile.m, rows, row_off);
                if (is_far && i + 1 < tile_end)
                    ask_for_flat_tile(t, src, pixel, tile.m);
            } else
                point_tile(t, &c, src, call->zeros, pixel, tile.m, rows, row_off);
            run_panels(t, tile, taps, (size_t)c.first_tap * (size_t)t->kc, packed, first, end, rows);
        }
    }
    t->kernels->fence();
}
