/* Dropout in training on the CPU: which elements stay depends on their logical plain index only (ops/dropout.h), so in N,H,W,C memory a
 * block of channels is drawn along its planes and written across them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"
#include "ops/dropout.h"

enum { CHANNELS = 16, PIXELS = 64, RANGE = 4096 };

typedef struct dropout_job {
    const float *x;
    float *y, *mask; /* mask: or NULL */
    int64_t n, C, pixels;
    uint32_t key[2];
    float ratio, scale;
} dropout_job;

/* The factors of elements first .. first+n-1, in logical order. */
static void draw(const dropout_job *j, int64_t first, int n, float *factors)
{
    uint32_t words[4 * GN_PHILOX_LANES];
    int lane = (int)(first % 4);
    for (int i = 0; i < n; lane = 0) {
        gn_philox_lanes((uint64_t)(first + i) / 4, j->key, words);
        for (; lane < 4 * GN_PHILOX_LANES && i < n; lane++, i++)
            factors[i] = (float)gn_dropout_word_keeps(words[lane], j->ratio) * j->scale; /* no branch to guess */
    }
}

static inline void apply(const dropout_job *j, int64_t at, float factor)
{
    j->y[at] = j->x[at] * factor;
    if (j->mask)
        j->mask[at] = factor;
}

static void plain_task(void *ctx, int task, int thread)
{
    const dropout_job *j = ctx;
    float factors[RANGE];
    (void)thread;
    const int64_t first = (int64_t)task * RANGE;
    const int n = j->n - first < RANGE ? (int)(j->n - first) : RANGE;
    draw(j, first, n, factors);
    for (int i = 0; i < n; i++)
        apply(j, first + i, factors[i]);
}

/* A block of channels of one picture. */
static void nhwc_task(void *ctx, int task, int thread)
{
    const dropout_job *j = ctx;
    float factors[CHANNELS][PIXELS];
    (void)thread;
    const int64_t blocks = (j->C + CHANNELS - 1) / CHANNELS, image = task / blocks, c0 = task % blocks * CHANNELS;
    const int channels = j->C - c0 < CHANNELS ? (int)(j->C - c0) : CHANNELS;
    for (int64_t pixel = 0; pixel < j->pixels; pixel += PIXELS) {
        const int n = j->pixels - pixel < PIXELS ? (int)(j->pixels - pixel) : PIXELS;
        for (int c = 0; c < channels; c++)
            draw(j, (image * j->C + c0 + c) * j->pixels + pixel, n, factors[c]);
        for (int i = 0; i < n; i++)
            for (int c = 0; c < channels; c++)
                apply(j, (image * j->pixels + pixel + i) * j->C + c0 + c, factors[c][i]);
    }
}

/* X, rng -> Y, scaled_mask */
static void run(gn_exec *exec, const gn_cpu_step *step)
{
    const int64_t *rng = gn_cpu_in(exec, step, 1);
    const gn_shape *shape = gn_cpu_shape(exec, step->node->in[0]);
    dropout_job job = {.x = gn_cpu_in(exec, step, 0),
                       .y = gn_cpu_out(exec, step, 0),
                       .mask = gn_cpu_out(exec, step, 1),
                       .n = gn_shape_count(shape),
                       .ratio = gn_node_float(step->node, "ratio", 0.5F)};
    job.scale = (float)(1 / (1 - (double)job.ratio));
    gn_dropout_key((uint64_t)rng[0], (uint64_t)rng[1], (uint64_t)gn_node_int(step->node, "seed", 0), job.key);
    if (exec->plan->values[step->node->in[0]].layout != GN_LAYOUT_NHWC) {
        gn_pool_run(exec->device->pool, (int)((job.n + RANGE - 1) / RANGE), plain_task, &job);
        return;
    }
    job.C = shape->dim[1];
    job.pixels = shape->dim[2] * shape->dim[3];
    gn_pool_run(exec->device->pool, (int)(shape->dim[0] * ((job.C + CHANNELS - 1) / CHANNELS)), nhwc_task, &job);
}

static const gn_cpu_op train_op = {
    .domain = "gannet", .name = "DropoutTrain", .run = run, .types = GN_CPU_TYPES_F32_FIRST};

const gn_cpu_op *const gn_cpu_dropout_ops[] = {&train_op, NULL};
