/* How convolution is cut into tasks and panels, from its sizes and the tile of the micro-kernel alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_plan.h"

/* Where nobody knows the number of threads: a task takes long against the cost of handing it out (about a microsecond), and there are
 * enough for 16 threads. */
#define TASK_FLOP 2.0e6
#define TASKS_MAX 64
/* Speeds of one core of a server of today, only their ratios matter: operations, filters from memory, what is read again from a cache. */
#define FLOP_PER_S   2.7e11
#define FAR_PER_S    4.5e10
#define AGAIN_PER_S  1.2e11
#define TASK_SECONDS 1.5e-6
/* Groups that end within a cache line: threads that write the same pixels take it from each other. */
#define LINE_FLOATS  16
#define SHARED_LINES 2.0
#define LAST_PART    0.1 /* of a task: what others wait for the last one, on a machine that does other things, too */

int64_t gn_conv_cut(int64_t count, int blocks, int block)
{
    return count * block / blocks;
}

static int64_t class_pixels(const gn_conv_taps *t)
{
    const int64_t h = (t->dst_h + t->classes_h - 1) / t->classes_h, w = (t->dst_w + t->classes_w - 1) / t->classes_w;
    return (int64_t)t->N * h * w;
}

typedef struct cut_problem {
    double flop, src_bytes, weight_bytes; /* of a class and group */
    int64_t tiles;
    int others; /* classes and groups: tasks that are there anyhow */
    int threads;
} cut_problem;

/* Seconds, roughly, for a cut into panel_blocks x pixel_blocks tasks per class and group.  Every block of panels reads the pixels again, every
 * block of pixels the filters. */
static double cut_cost(const gn_conv_taps *t, const cut_problem *c, int panel_blocks, int64_t pixel_blocks)
{
    const double panel_max = (double)((t->panels + panel_blocks - 1) / panel_blocks) * panel_blocks / t->panels;
    const double pixel_max =
        (double)((c->tiles + pixel_blocks - 1) / pixel_blocks) * (double)pixel_blocks / (double)c->tiles;
    const int64_t tasks = panel_blocks * pixel_blocks * c->others, threads = c->threads;
    const double largest = (double)((tasks + threads - 1) / threads * threads) / (double)tasks;
    const double again = (panel_blocks - 1) * c->src_bytes + (double)(pixel_blocks - 1) * c->weight_bytes;
    const double work =
        c->others * (c->flop / FLOP_PER_S * panel_max * pixel_max + again / AGAIN_PER_S) + (double)tasks * TASK_SECONDS;
    const bool shares = t->groups > 1 && t->nc % LINE_FLOATS != 0 && pixel_blocks < threads;
    const double slowed = threads > 1 && shares ? SHARED_LINES : 1;
    const double last = threads > 1 ? LAST_PART * work / (double)tasks : 0;
    return work * slowed * largest / (double)threads + last + c->others * c->weight_bytes / FAR_PER_S;
}

/* Tasks for as many threads as there may be. */
static int unknown_threads(const cut_problem *c)
{
    const double want = c->others * c->flop / TASK_FLOP + 1;
    return want < TASKS_MAX ? (int)want : TASKS_MAX;
}

void gn_conv_taps_cut(gn_conv_taps *t, int threads)
{
    const int classes = t->classes_h * t->classes_w, others = classes * t->groups;
    cut_problem c = {.flop = 2.0 * t->N * t->dst_h * t->dst_w * t->taps * t->kc * t->dst_c / others,
                     .src_bytes = 4.0 * t->N * t->src_h * t->src_w * t->kc,
                     .weight_bytes = 4.0 * t->taps * t->kc * t->nc / classes,
                     .tiles = (class_pixels(t) + t->kernels->mr - 1) / t->kernels->mr,
                     .others = others};
    c.threads = threads > 0 ? threads : unknown_threads(&c);
    double best = 0;
    for (int panels = 1; panels <= t->panels && panels <= TASKS_MAX; panels *= 2)
        for (int64_t pixels = 1; pixels <= c.tiles && panels * pixels <= TASKS_MAX; pixels *= 2) {
            const double cost = cut_cost(t, &c, panels, pixels);
            if (best > 0 && cost >= best)
                continue;
            best = cost;
            t->panel_blocks = panels;
            t->pixel_blocks = (int)pixels;
        }
}

static void finish(gn_conv_taps *t, gn_conv_choice choice)
{
    t->kernels = gn_igemm_current();
    t->taps = t->R * t->S;
    t->nr = 2 * t->kernels->vec;
    t->panels = (t->nc + t->nr - 1) / t->nr;
    t->bypass = (double)sizeof(float) * t->N * t->dst_h * t->dst_w * t->dst_c > GN_CONV_CACHED_BYTES;
    if (choice.panels > 0 && choice.pixels > 0) {
        t->panel_blocks = choice.panels;
        t->pixel_blocks = choice.pixels;
    } else
        gn_conv_taps_cut(t, 0);
}

int gn_conv_taps_tiles(const gn_conv_taps *t)
{
    return (int)((class_pixels(t) + t->kernels->mr - 1) / t->kernels->mr);
}

void gn_conv_taps_forward(const gn_conv *p, gn_conv_taps *t)
{
    GN_ASSERT(p->groups > 0 && p->C % p->groups == 0 && p->K % p->groups == 0);
    *t = (gn_conv_taps){.N = p->N,
                        .src_h = p->H,
                        .src_w = p->W,
                        .src_c = p->C,
                        .dst_h = p->P,
                        .dst_w = p->Q,
                        .dst_c = p->K,
                        .src_pixel = gn_conv_src_stride(p),
                        .dst_pixel = gn_conv_dst_stride(p),
                        .R = p->R,
                        .S = p->S,
                        .groups = p->groups,
                        .kc = p->C / p->groups,
                        .nc = p->K / p->groups,
                        .classes_h = 1,
                        .classes_w = 1,
                        .stride_h = p->stride_h,
                        .stride_w = p->stride_w,
                        .pad_top = p->pad_top,
                        .pad_left = p->pad_left,
                        .dil_h = p->dil_h,
                        .dil_w = p->dil_w};
    finish(t, p->choice);
}

void gn_conv_taps_backward(const gn_conv *p, gn_conv_taps *t)
{
    GN_ASSERT(p->groups > 0 && p->C % p->groups == 0 && p->K % p->groups == 0);
    *t = (gn_conv_taps){.N = p->N,
                        .src_h = p->P,
                        .src_w = p->Q,
                        .src_c = p->K,
                        .dst_h = p->H,
                        .dst_w = p->W,
                        .dst_c = p->C,
                        .src_pixel = p->K,
                        .dst_pixel = p->C,
                        .R = p->R,
                        .S = p->S,
                        .groups = p->groups,
                        .kc = p->K / p->groups,
                        .nc = p->C / p->groups,
                        .classes_h = p->stride_h,
                        .classes_w = p->stride_w,
                        .stride_h = p->stride_h,
                        .stride_w = p->stride_w,
                        .pad_top = p->pad_top,
                        .pad_left = p->pad_left,
                        .dil_h = p->dil_h,
                        .dil_w = p->dil_w,
                        .is_backward = true};
    finish(t, p->choice);
}

/* Smallest h >= 0 for which h + pad - r*dil is a multiple of the stride. */
static int first_met(int pad, int r, int dil, int stride)
{
    const int rest = (r * dil - pad) % stride;
    return rest < 0 ? rest + stride : rest;
}

int gn_conv_taps_class(const gn_conv_taps *t, int tap)
{
    if (!t->is_backward)
        return 0;
    return first_met(t->pad_top, tap / t->S, t->dil_h, t->stride_h) * t->classes_w +
           first_met(t->pad_left, tap % t->S, t->dil_w, t->stride_w);
}

int gn_conv_taps_tasks(const gn_conv_taps *t)
{
    return t->classes_h * t->classes_w * t->groups * t->panel_blocks * t->pixel_blocks;
}

gn_conv_panel gn_conv_taps_panel(const gn_conv_taps *t, int index)
{
    const int vec = t->kernels->vec, group = index / t->panels, i = index % t->panels;
    const int n_last = t->nc - (t->panels - 1) * t->nr;
    const int ldb_last = n_last <= vec ? vec : t->nr;
    const size_t rows = 1 + (size_t)t->taps * (size_t)t->kc; /* one of bias */
    const size_t group_floats = rows * (size_t)((t->panels - 1) * t->nr + ldb_last);
    gn_conv_panel panel = {group, i * t->nr, t->nr, t->nr,
                           (size_t)group * group_floats + (size_t)i * (size_t)t->nr * rows};
    if (i == t->panels - 1) {
        panel.n = n_last;
        panel.ldb = ldb_last;
    }
    return panel;
}

size_t gn_conv_taps_pack_bytes(const gn_conv_taps *t)
{
    const gn_conv_panel last = gn_conv_taps_panel(t, t->groups * t->panels - 1);
    return sizeof(float) * (last.offset + (1 + (size_t)t->taps * (size_t)t->kc) * (size_t)last.ldb);
}
