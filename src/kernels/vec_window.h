/* Which taps of a sliding window meet the picture, along one dimension: for the vec_*.inc templates of pooling and depthwise
 * convolution.  Output o reads input o*stride - pad + tap*dil.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_VEC_WINDOW_H
#define GN_KERNELS_VEC_WINDOW_H

/* begin..end-1, empty when equal */
typedef struct span {
    int begin, end;
} span;

/* a / b for the dilations and strides that are 1 nearly always: without a division then. */
static inline int ratio(int a, int b)
{
    return b == 1 ? a : a / b;
}

/* Taps of 0..taps-1 whose input first + tap*dil lies in 0..size-1. */
static inline span taps_inside(int first, int taps, int dil, int size)
{
    const int begin = first < 0 ? ratio(dil - 1 - first, dil) : 0;
    const int last = size - 1 - first;
    int end = last < 0 ? 0 : ratio(last, dil) + 1;
    end = end < taps ? end : taps;
    return begin < end ? (span){begin, end} : (span){0, 0};
}

/* Outputs whose whole window lies inside: all taps of begin..end-1 do. */
static inline span outputs_inside(int outputs, int pad, int taps, int dil, int stride, int size)
{
    const int begin = pad > 0 ? (pad + stride - 1) / stride : 0;
    const int last = size - 1 - (taps - 1) * dil + pad;
    int end = last < 0 ? 0 : last / stride + 1;
    end = end < outputs ? end : outputs;
    return begin < end ? (span){begin, end} : (span){0, 0};
}

/* The other way round: the outputs that read one input.  Taps tap, tap + tap_step, ... meet outputs pos, pos - pos_step, ... */
typedef struct gather {
    int tap, pos, count;
    int tap_step, pos_step;
} gather;

static inline int common_divisor(int a, int b)
{
    while (b) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* For input `at` - pad, before positions are compared with the number of outputs.  Adding `stride` to `at` adds 1 to pos. */
static inline gather gather_taps(int at, int taps, int dil, int stride)
{
    const int g = common_divisor(stride, dil);
    gather found = {0, 0, 0, stride / g, dil / g};
    for (int tap = 0; tap < found.tap_step && tap < taps; tap++) {
        if ((at - tap * dil) % stride == 0) {
            found.tap = tap;
            found.pos = (at - tap * dil) / stride;
            found.count = (taps - tap + found.tap_step - 1) / found.tap_step;
            break;
        }
    }
    return found;
}

/* Without the positions outside 0..outputs-1. */
static inline gather gather_clip(gather g, int outputs)
{
    if (g.pos < outputs && g.pos >= (g.count - 1) * g.pos_step)
        return g;
    const int skip = g.pos < outputs ? 0 : (g.pos - outputs) / g.pos_step + 1;
    const int reach = g.pos < 0 ? 0 : g.pos / g.pos_step + 1;
    const int end = reach < g.count ? reach : g.count;
    g.count = end > skip ? end - skip : 0;
    g.tap += skip * g.tap_step;
    g.pos -= skip * g.pos_step;
    return g;
}

#endif
