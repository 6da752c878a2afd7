/* How near convolution forward comes to the limit of the machine, layer by layer, on one thread.
 *     conv_layers [H,W,C,K,filter,stride,groups ...]
 * Without arguments: a list of layers as mobile networks have them.  Each is run with its operands in the caches; printed are the least and
 * the median time of a run, the rate of its multiply-adds, and that rate as a share of what one core does at most, measured first.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "kernels/conv.h"
#include "kernels/depthwise.h"
#include "kernels/igemm.h"

enum { ROUNDS = 15, ZEROS = 8192 };
#define ROUND_SECONDS 0.01

typedef struct layer {
    int size[7]; /* H, W, C, K, filter, stride, groups */
} layer;

static const layer usual[] = {
    {{224, 224, 3, 32, 3, 2, 1}},    {{224, 224, 3, 64, 7, 2, 1}},    {{112, 112, 16, 96, 1, 1, 1}},
    {{56, 56, 24, 144, 1, 1, 1}},    {{56, 56, 144, 24, 1, 1, 1}},    {{28, 28, 192, 32, 1, 1, 1}},
    {{14, 14, 64, 384, 1, 1, 1}},    {{14, 14, 384, 64, 1, 1, 1}},    {{14, 14, 96, 576, 1, 1, 1}},
    {{7, 7, 160, 960, 1, 1, 1}},     {{7, 7, 960, 320, 1, 1, 1}},     {{7, 7, 672, 672, 1, 1, 1}},
    {{112, 112, 32, 32, 3, 1, 32}},  {{56, 56, 144, 144, 3, 1, 144}}, {{56, 56, 72, 72, 5, 2, 72}},
    {{28, 28, 120, 120, 5, 1, 120}}, {{14, 14, 480, 480, 5, 1, 480}}, {{56, 56, 96, 96, 7, 1, 96}},
    {{56, 56, 64, 64, 3, 2, 4}},     {{28, 28, 128, 128, 3, 1, 8}},   {{14, 14, 288, 288, 3, 1, 18}},
    {{28, 28, 104, 104, 3, 1, 13}},  {{56, 56, 64, 64, 3, 1, 1}},     {{28, 28, 128, 128, 3, 1, 1}},
    {{28, 28, 128, 256, 3, 2, 1}},   {{7, 7, 512, 512, 3, 1, 1}},     {{1, 1, 4096, 4096, 1, 1, 1}},
};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float *numbers(size_t n)
{
    float *x = gn_alloc(n * sizeof *x + GN_PAD_BYTES);
    if (!x) {
        fprintf(stderr, "conv_layers: out of memory\n");
        exit(1);
    }
    unsigned state = 1;
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) / 16777216.0F - 0.5F;
    }
    return x;
}

typedef struct problem {
    gn_conv_fwd dense;
    gn_dw_fwd depthwise;
    bool is_depthwise, is_plain;
    int tasks;
    void *scratch;
} problem;

static void run_once(const problem *p)
{
    for (int i = 0; i < p->tasks; i++)
        if (p->is_depthwise)
            gn_dw_fwd_task(&p->depthwise, i);
        else if (p->is_plain)
            gn_conv_fwd_plain_task(&p->dense, i, p->scratch);
        else
            gn_conv_fwd_task(&p->dense, i, p->scratch);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Times one layer; *median_out beside the least, in seconds. */
static double time_layer(const problem *p, double *median_out)
{
    double took[ROUNDS];
    int runs = 1;
    run_once(p);
    for (int i = -1; i < ROUNDS; i++) {
        const double begin = seconds();
        for (int k = 0; k < runs; k++)
            run_once(p);
        const double one = (seconds() - begin) / runs;
        if (i < 0)
            runs = one < ROUND_SECONDS ? (int)(ROUND_SECONDS / one) + 1 : 1;
        else
            took[i] = one;
    }
    qsort(took, ROUNDS, sizeof *took, ascending);
    *median_out = took[ROUNDS / 2];
    return took[0];
}

/* Multiply-adds per second of the micro-kernel with everything in the first-level cache. */
static double peak(void)
{
    const gn_igemm *kernels = gn_igemm_current();
    enum { KC = 64 };
    const int n = 2 * kernels->vec;
    float *a = numbers((size_t)kernels->mr * KC), *b = numbers((size_t)n * KC),
          *dst = numbers((size_t)kernels->mr * (size_t)n);
    const float *rows[GN_IGEMM_MR_MAX];
    int64_t row_off[GN_IGEMM_MR_MAX];
    for (int i = 0; i < kernels->mr; i++) {
        rows[i] = a + i * KC;
        row_off[i] = (int64_t)i * n;
    }
    const gn_igemm_tile tile = {dst, NULL, NULL, row_off, {-INFINITY, INFINITY}, kernels->mr, n, false, {0}};
    double best = 0;
    for (int round = 0; round < 20; round++) {
        const double begin = seconds();
        for (int i = 0; i < 20000; i++)
            kernels->rows(&tile, rows, 1, KC, b, n);
        const double rate = 20000.0 * KC * n * kernels->mr / (seconds() - begin);
        best = rate > best ? rate : best;
    }
    gn_free(a);
    gn_free(b);
    gn_free(dst);
    return best;
}

static void measure(const int *s, double most)
{
    const int pad = s[4] / 2, P = (s[0] + 2 * pad - s[4]) / s[5] + 1, Q = (s[1] + 2 * pad - s[4]) / s[5] + 1;
    const gn_conv c = {.N = 1,
                       .H = s[0],
                       .W = s[1],
                       .C = s[2],
                       .P = P,
                       .Q = Q,
                       .K = s[3],
                       .R = s[4],
                       .S = s[4],
                       .stride_h = s[5],
                       .stride_w = s[5],
                       .pad_top = pad,
                       .pad_left = pad,
                       .dil_h = 1,
                       .dil_w = 1,
                       .groups = s[6]};
    problem p = {.is_depthwise = c.groups > 1 && c.groups == c.C && c.C == c.K};
    p.is_plain = !p.is_depthwise && c.H > 1 && gn_conv_fwd_takes_plain(&c);
    const size_t weights = (size_t)c.K * (size_t)(c.C / c.groups) * (size_t)(c.R * c.S);
    float *src = numbers((size_t)c.H * (size_t)c.W * (size_t)c.C), *w = numbers(weights), *bias = numbers((size_t)c.K);
    float *dst = numbers((size_t)P * (size_t)Q * (size_t)c.K), *zeros = gn_calloc(ZEROS, sizeof *zeros);
    void *packed = gn_alloc(p.is_depthwise ? gn_dw_pack_bytes(&c) : gn_conv_pack_bytes(&c));
    p.scratch = gn_alloc(p.is_depthwise ? 64 : gn_conv_fwd_scratch_bytes(&c) + 64);
    if (!packed || !zeros || !p.scratch)
        exit(1);
    if (p.is_depthwise)
        gn_dw_pack(&c, w, bias, NULL, packed);
    else
        gn_conv_pack(&c, w, bias, NULL, packed, 0, gn_conv_pack_panels(&c));
    p.dense = (gn_conv_fwd){.p = c, .src = src, .packed = packed, .dst = dst, .clamp = {0, INFINITY}, .zeros = zeros};
    p.depthwise = (gn_dw_fwd){.p = c, .src = src, .packed = packed, .dst = dst, .clamp = {0, INFINITY}};
    p.tasks = p.is_depthwise ? gn_dw_fwd_tasks(&c) : gn_conv_fwd_tasks(&c);
    double median;
    const double least = time_layer(&p, &median), macs = (double)P * Q * (double)weights;
    printf("%4d %4d %4d -> %4d  %dx%d /%d  groups %-4d %4d tasks  %9.2f us (median %9.2f)  %7.1f GMAC/s  %5.1f %%\n",
           c.H, c.W, c.C, c.K, c.R, c.S, c.stride_h, c.groups, p.tasks, least * 1e6, median * 1e6, macs / least * 1e-9,
           100 * macs / least / most);
    gn_free(src);
    gn_free(w);
    gn_free(bias);
    gn_free(dst);
    gn_free(zeros);
    gn_free(packed);
    gn_free(p.scratch);
}

int main(int argc, char **argv)
{
    const double most = peak();
    printf("one core does %.1f GMAC/s\n", most * 1e-9);
    for (size_t i = 0; argc < 2 && i < sizeof usual / sizeof *usual; i++)
        measure(usual[i].size, most);
    for (int i = 1; i < argc; i++) {
        int s[7];
        if (sscanf(argv[i], "%d,%d,%d,%d,%d,%d,%d", s, s + 1, s + 2, s + 3, s + 4, s + 5, s + 6) != 7 || s[5] < 1 ||
            s[6] < 1 || s[2] % s[6] || s[3] % s[6]) {
            fprintf(stderr, "conv_layers: \"%s\" is not H,W,C,K,filter,stride,groups\n", argv[i]);
            return 2;
        }
        measure(s, most);
    }
    return 0;
}
