/* InstanceNormalization and LRN on the CPU.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "backend/cpu/cpu_internal.h"
#include "graph/op.h"

/* ---- InstanceNormalization: each plane of pixels by itself ---- */

typedef struct instance_job {
    const float *x, *scale, *bias;
    float *y;
    int64_t channels, pixels;
    double epsilon;
} instance_job;

static void normalize_planes(void *ctx, size_t begin, size_t end)
{
    const instance_job *j = ctx;
    for (size_t p = begin; p < end; p++) {
        const float *x = j->x + (int64_t)p * j->pixels;
        float *y = j->y + (int64_t)p * j->pixels;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < j->pixels; i++)
            sum += (double)x[i];
        const double mean = sum / (double)j->pixels;
        for (int64_t i = 0; i < j->pixels; i++)
            squares += ((double)x[i] - mean) * ((double)x[i] - mean);
        const int64_t c = (int64_t)p % j->channels;
        const double factor = (double)j->scale[c] / sqrt(squares / (double)j->pixels + j->epsilon),
                     shift = (double)j->bias[c];
        for (int64_t i = 0; i < j->pixels; i++)
            y[i] = (float)(((double)x[i] - mean) * factor + shift);
    }
}

static void run_instance(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *s = gn_cpu_shape(exec, step->node->in[0]);
    instance_job job = {.x = gn_cpu_in(exec, step, 0),
                        .scale = gn_cpu_in(exec, step, 1),
                        .bias = gn_cpu_in(exec, step, 2),
                        .y = gn_cpu_out(exec, step, 0),
                        .channels = s->dim[1],
                        .pixels = gn_shape_count(s) / (s->dim[0] * s->dim[1]),
                        .epsilon = (double)gn_node_float(step->node, "epsilon", 1e-5f)};
    gn_cpu_for_range(exec, (size_t)(s->dim[0] * s->dim[1]), GN_CPU_CHUNK / (size_t)job.pixels + 1, normalize_planes,
                     &job);
}

/* ---- LRN: x is [images, channels, pixels] or, N,H,W,C, [pixels, channels] ---- */

typedef struct lrn_job {
    const float *x;
    float *y;
    int64_t channels, pixels, size; /* pixels: distance between the channels of one pixel */
    double alpha, beta, bias;
} lrn_job;

/* One pixel's channels, `step` apart; the window's sum is renewed for each, so that no error grows along the channels. */
static void normalize_channels(const lrn_job *j, const float *x, float *y, int64_t step)
{
    for (int64_t c = 0; c < j->channels; c++) {
        const int64_t first = c - (j->size - 1) / 2, last = first + j->size - 1;
        double sum = 0;
        for (int64_t k = first < 0 ? 0 : first; k <= last && k < j->channels; k++)
            sum += (double)x[k * step] * (double)x[k * step];
        const double base = j->bias + j->alpha / (double)j->size * sum;
        /* 3/4 is what networks use; two square roots cost a tenth of a power */
        const double power = fabs(j->beta - 0.75) > 0 ? pow(base, j->beta) : sqrt(base) * sqrt(sqrt(base));
        y[c * step] = (float)((double)x[c * step] / power);
    }
}

static void normalize_pixels(void *ctx, size_t begin, size_t end)
{
    const lrn_job *j = ctx;
    for (size_t i = begin; i < end; i++) {
        const int64_t at = (int64_t)i / j->pixels * j->channels * j->pixels + (int64_t)i % j->pixels;
        normalize_channels(j, j->x + at, j->y + at, j->pixels);
    }
}

static void run_lrn(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *s = gn_cpu_shape(exec, step->node->in[0]);
    lrn_job job = {.x = gn_cpu_in(exec, step, 0),
                   .y = gn_cpu_out(exec, step, 0),
                   .channels = s->dim[1],
                   .pixels = 1,
                   .size = gn_node_int(step->node, "size", 1),
                   .alpha = (double)gn_node_float(step->node, "alpha", 0.0001f),
                   .beta = (double)gn_node_float(step->node, "beta", 0.75f),
                   .bias = (double)gn_node_float(step->node, "bias", 1)};
    for (int d = 2; d < s->rank && exec->plan->values[step->node->in[0]].layout == GN_LAYOUT_PLAIN; d++)
        job.pixels *= s->dim[d];
    gn_cpu_for_range(exec, (size_t)(gn_shape_count(s) / job.channels), GN_CPU_CHUNK / (size_t)job.channels + 1,
                     normalize_pixels, &job);
}

static const gn_cpu_op instance_op = {.domain = "", .name = "InstanceNormalization", .run = run_instance};
static const gn_cpu_op lrn_op = {.domain = "", .name = "LRN", .run = run_lrn};

const gn_cpu_op *const gn_cpu_instance_ops[] = {&instance_op, &lrn_op, NULL};
