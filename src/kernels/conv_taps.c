/* Runs a "taps" problem (see conv_plan.h): the common driver of convolution forward and of its gradient by data.  A task owns a
 * block of pixels of one class and a block of panels; for every tile of pixels it writes down where the rows of the source are, one
 * pointer per (tap, pixel), and runs the micro-kernel over the panels.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_plan.h"

/* Panels that are used together for all tiles of a task should stay in the second-level cache. */
#define PANELS_BYTES_MAX (384 * 1024)

/* The pixels of one class: rows h0, h0+step_h, ... and columns likewise. */
typedef struct pixel_class {
    int h0, w0, step_h, step_w, nh, nw;
    int first_tap, taps; /* in the packed order */
} pixel_class;

/* Does filter row r meet the rows of class h0?  (Columns likewise.)  Forward: always.  Backward: dst row p = (h + pad - r*dil)/stride must
 * be whole. */
static bool meets(const gn_conv_taps *t, int h0, int pad, int r, int dil, int stride)
{
    return !t->is_backward || (h0 + pad - r * dil) % stride == 0;
}

static int count_meets(const gn_conv_taps *t, int h0, int pad, int filter, int dil, int stride)
{
    int n = 0;
    for (int r = 0; r < filter; r++)
        n += meets(t, h0, pad, r, dil, stride);
    return n;
}

static pixel_class class_get(const gn_conv_taps *t, int index)
{
    pixel_class c = {.h0 = index / t->classes_w, .w0 = index % t->classes_w, .step_h = t->classes_h, .step_w = t->classes_w};
    c.nh = (t->dst_h - c.h0 + c.step_h - 1) / c.step_h;
    c.nw = (t->dst_w - c.w0 + c.step_w - 1) / c.step_w;
    if (!t->is_backward) {
        c.taps = t->taps;
        return c;
    }
    for (int i = 0; i <= index; i++) {
        c.first_tap += c.taps;
        c.taps = count_meets(t, i / t->classes_w, t->pad_top, t->R, t->dil_h, t->stride_h) *
                 count_meets(t, i % t->classes_w, t->pad_left, t->S, t->dil_w, t->stride_w);
    }
    return c;
}

/* Row (column) of the source that tap r (s) of result row h sees; it may lie outside. */
static int src_row(const gn_conv_taps *t, int h, int r)
{
    return t->is_backward ? (h + t->pad_top - r * t->dil_h) / t->stride_h : h * t->stride_h - t->pad_top + r * t->dil_h;
}

static int src_col(const gn_conv_taps *t, int w, int s)
{
    return t->is_backward ? (w + t->pad_left - s * t->dil_w) / t->stride_w : w * t->stride_w - t->pad_left + s * t->dil_w;
}

/* Pointers of one pixel, rows[tap*m] for each tap of the class in packed order; src is picture n at the group's channel. */
static void point_pixel(const gn_conv_taps *t, const pixel_class *c, const float *src, const float *zeros, int h, int w, int m,
                        const float **rows)
{
    for (int r = 0; r < t->R; r++) {
        if (!meets(t, c->h0, t->pad_top, r, t->dil_h, t->stride_h))
            continue;
        const int y = src_row(t, h, r);
        const bool has_row = y >= 0 && y < t->src_h;
        const float *row = has_row ? src + (size_t)y * (size_t)t->src_w * (size_t)t->src_c : NULL;
        for (int s = 0; s < t->S; s++) {
            if (!meets(t, c->w0, t->pad_left, s, t->dil_w, t->stride_w))
                continue;
            const int x = src_col(t, w, s);
            *rows = has_row && x >= 0 && x < t->src_w ? row + (size_t)x * (size_t)t->src_c : zeros;
            rows += m;
        }
    }
}

/* Rows and result offsets of the m pixels of class c from flat index `first` on. */
static void point_tile(const gn_conv_taps *t, const pixel_class *c, const float *src, const float *zeros, int64_t first, int m,
                       const float **rows, int64_t *row_off)
{
    const int64_t per_image = (int64_t)c->nh * c->nw;
    int64_t n = first / per_image;
    int i = (int)(first % per_image) / c->nw, j = (int)(first % per_image) % c->nw;
    for (int k = 0; k < m; k++) {
        const int h = c->h0 + i * c->step_h, w = c->w0 + j * c->step_w;
        const float *image = src + (size_t)n * (size_t)t->src_h * (size_t)t->src_w * (size_t)t->src_c;
        point_pixel(t, c, image, zeros, h, w, m, rows + k);
        row_off[k] = ((n * t->dst_h + h) * t->dst_w + w) * t->dst_c;
        if (++j == c->nw) {
            j = 0;
            if (++i == c->nh) {
                i = 0;
                n++;
            }
        }
    }
}

static void run_panels(const gn_conv_taps *t, const gn_conv_taps_call *call, const pixel_class *c, int first, int end, int m,
                       const float *const *rows, const int64_t *row_off)
{
    for (int i = first; i < end; i++) {
        const gn_conv_panel panel = gn_conv_taps_panel(t, i);
        const int column = panel.group * t->nc + panel.column;
        const float *bias = call->packed + panel.offset;
        const float *b = bias + panel.ldb + (size_t)c->first_tap * (size_t)t->kc * (size_t)panel.ldb;
        const gn_igemm_tile tile = {call->dst + column, call->residual ? call->residual + column : NULL, bias, row_off,
                                    call->clamp, m, panel.n};
        t->kernels->rows(&tile, rows, c->taps, t->kc, b, panel.ldb);
    }
}

size_t gn_conv_taps_scratch_bytes(const gn_conv_taps *t)
{
    return (size_t)t->taps * (size_t)t->kernels->mr * sizeof(const float *);
}

void gn_conv_taps_task(const gn_conv_taps *t, const gn_conv_taps_call *call, int task, void *scratch)
{
    const int pixel_block = task % t->pixel_blocks, rest = task / t->pixel_blocks;
    const int panel_block = rest % t->panel_blocks, group = rest / t->panel_blocks % t->groups;
    const pixel_class c = class_get(t, rest / t->panel_blocks / t->groups);
    const int64_t pixels = (int64_t)t->N * c.nh * c.nw;
    const int64_t tiles = (pixels + t->kernels->mr - 1) / t->kernels->mr;
    const int64_t tile_begin = gn_conv_cut(tiles, t->pixel_blocks, pixel_block);
    const int64_t tile_end = gn_conv_cut(tiles, t->pixel_blocks, pixel_block + 1);
    const int panel_end = group * t->panels + (int)gn_conv_cut(t->panels, t->panel_blocks, panel_block + 1);
    const size_t panel_bytes = (size_t)(c.taps + 1) * (size_t)t->kc * (size_t)t->nr * sizeof(float);
    const int together = panel_bytes < PANELS_BYTES_MAX ? (int)(PANELS_BYTES_MAX / panel_bytes) : 1;
    const float **rows = scratch;
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int first = group * t->panels + (int)gn_conv_cut(t->panels, t->panel_blocks, panel_block); first < panel_end;
         first += together) {
        const int end = first + together < panel_end ? first + together : panel_end;
        for (int64_t i = tile_begin; i < tile_end; i++) {
            const int64_t pixel = pixels * i / tiles;
            const int m = (int)(pixels * (i + 1) / tiles - pixel);
            point_tile(t, &c, call->src + (size_t)group * (size_t)t->kc, call->zeros, pixel, m, rows, row_off);
            run_panels(t, call, &c, first, end, m, rows, row_off);
        }
    }
}
