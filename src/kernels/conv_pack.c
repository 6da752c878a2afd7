/* Packs weights for the micro-kernels: panels of columns, bias in front, filter taps in the order in which they are used.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kernels/conv_groups.h"

/* Input channels that are packed together, so that the lines written stay in the first-level cache over all columns. */
enum { PACK_CHANNELS = 16 };
/* Filters lie far apart, which no prefetcher of the hardware follows: lines are asked for this many steps before they are read. */
enum { AHEAD_BLOCKS = 6, AHEAD_ROWS = 24 };

/* Asks for the cache line of p[ahead], which may lie outside any buffer. */
static inline void ask_for(const float *p, size_t ahead)
{
    __builtin_prefetch((const void *)((uintptr_t)p + ahead * sizeof *p));
}

size_t gn_conv_pack_bytes(const gn_conv *p)
{
    gn_groups g;
    if (gn_groups_forward(p, &g))
        return gn_groups_pack_bytes(&g);
    gn_wino w;
    if (gn_wino_forward(p, &w))
        return gn_wino_pack_bytes(&w);
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    return gn_conv_taps_pack_bytes(&t);
}

int gn_conv_pack_panels(const gn_conv *p)
{
    gn_groups g;
    if (gn_groups_forward(p, &g))
        return g.blocks;
    gn_wino w;
    if (gn_wino_forward(p, &w))
        return w.panels;
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    return t.groups * t.panels;
}

/* Column j of the panel is filter k = group*nc + column + j: [taps*kc] values, contiguous over (c, r, s) in w. */
static void pack_panel(const gn_conv_taps *t, const float *w, const float *bias, const float *scale,
                       const gn_conv_panel *panel, float *dst)
{
    const size_t ldb = (size_t)panel->ldb, kc = (size_t)t->kc, taps = (size_t)t->taps;
    const size_t first = (size_t)(panel->group * t->nc + panel->column), n = (size_t)panel->n;
    memset(dst, 0, ldb * sizeof *dst);
    if (bias)
        memcpy(dst, bias + first, n * sizeof *dst);
    dst += ldb;
    for (size_t c0 = 0; c0 < kc; c0 += PACK_CHANNELS) {
        const size_t c1 = c0 + PACK_CHANNELS < kc ? c0 + PACK_CHANNELS : kc;
        for (size_t j = 0; j < n; j++) {
            const float factor = scale ? scale[first + j] : 1.0F;
            const float *filter = w + (first + j) * kc * taps;
            for (size_t i = 0; i < taps; i++) /* a block of channels is 16*taps floats: one line per tap */
                ask_for(filter + c0 * taps, (AHEAD_BLOCKS * taps + i) * PACK_CHANNELS);
            for (size_t c = c0; c < c1; c++)
                for (size_t i = 0; i < taps; i++)
                    dst[(i * kc + c) * ldb + j] = filter[c * taps + i] * factor;
        }
    }
    if (n < ldb)
        for (size_t row = 0; row < taps * kc; row++)
            memset(dst + row * ldb + n, 0, (ldb - n) * sizeof *dst);
}

void gn_conv_pack(const gn_conv *p, const float *w, const float *bias, const float *scale, void *packed,
                  int panel_begin, int panel_end)
{
    gn_groups g;
    if (gn_groups_forward(p, &g)) {
        gn_groups_pack(&g, w, bias, scale, packed, panel_begin, panel_end);
        return;
    }
    gn_wino wino;
    if (gn_wino_forward(p, &wino)) {
        gn_wino_pack(&wino, w, bias, scale, packed, panel_begin, panel_end);
        return;
    }
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    for (int i = panel_begin; i < panel_end; i++) {
        const gn_conv_panel panel = gn_conv_taps_panel(&t, i);
        pack_panel(&t, w, bias, scale, &panel, (float *)packed + panel.offset);
    }
}

size_t gn_conv_bwd_data_pack_bytes(const gn_conv *p)
{
    gn_wino w;
    if (gn_wino_backward(p, &w))
        return gn_wino_pack_bytes(&w);
    gn_conv_taps t;
    gn_conv_taps_backward(p, &t);
    return gn_conv_taps_pack_bytes(&t);
}

int gn_conv_bwd_data_pack_panels(const gn_conv *p)
{
    gn_wino w;
    if (gn_wino_backward(p, &w))
        return w.panels;
    gn_conv_taps t;
    gn_conv_taps_backward(p, &t);
    return t.groups * t.panels;
}

/* Row (tap, k), column j is w[group*kc + k][column + j][tap]; t is a backward problem, so kc counts filters and nc channels. */
static void pack_panel_backward(const gn_conv_taps *t, const float *w, const gn_conv_panel *panel, float *dst)
{
    const size_t ldb = (size_t)panel->ldb, kc = (size_t)t->kc, taps = (size_t)t->taps, n = (size_t)panel->n;
    memset(dst, 0, ldb * sizeof *dst);
    dst += ldb;
    size_t place = 0; /* of the tap in packed order */
    for (int i = 0; i < t->classes_h * t->classes_w; i++)
        for (int tap = 0; tap < t->taps; tap++) {
            if (gn_conv_taps_class(t, tap) != i)
                continue;
            for (size_t k = 0; k < kc; k++) {
                const float *filter =
                    w + (((size_t)panel->group * kc + k) * (size_t)t->nc + (size_t)panel->column) * taps;
                float *row = dst + (place * kc + k) * ldb;
                for (size_t line = 0; line < n * taps; line += 16)
                    ask_for(filter, AHEAD_ROWS * (size_t)t->nc * taps + line);
                for (size_t j = 0; j < n; j++)
                    row[j] = filter[j * taps + (size_t)tap];
                if (n < ldb)
                    memset(row + n, 0, (ldb - n) * sizeof *row);
            }
            place++;
        }
}

void gn_conv_bwd_data_pack(const gn_conv *p, const float *w, void *packed, int panel_begin, int panel_end)
{
    gn_wino wino;
    if (gn_wino_backward(p, &wino)) {
        gn_wino_pack(&wino, w, NULL, NULL, packed, panel_begin, panel_end);
        return;
    }
    gn_conv_taps t;
    gn_conv_taps_backward(p, &t);
    for (int i = panel_begin; i < panel_end; i++) {
        const gn_conv_panel panel = gn_conv_taps_panel(&t, i);
        pack_panel_backward(&t, w, &panel, (float *)packed + panel.offset);
    }
}
