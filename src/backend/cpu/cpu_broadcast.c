/* Two operands that broadcast in any way on the CPU: row by row over the last physical dimension, along which each operand either moves
 * or stands still.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "backend/cpu/cpu_internal.h"

typedef struct broadcast_job {
    gn_cpu_binary op;
    const float *a, *b;
    float *dst;
    gn_shape shape; /* of the result, in memory order */
    int64_t a_step[GN_MAX_RANK], b_step[GN_MAX_RANK];
    size_t width;
} broadcast_job;

/* Distances in memory between neighbours of `operand` along the dimensions of the result; 0 where it is broadcast. */
static void steps_of(const gn_shape *operand, const gn_shape *result, int64_t *step)
{
    int64_t distance = 1;
    for (int d = result->rank - 1, o = operand->rank - 1; d >= 0; d--, o--) {
        const int64_t extent = o >= 0 ? operand->dim[o] : 1;
        step[d] = extent > 1 ? distance : 0;
        distance *= extent;
    }
}

#define LOOP(formula)                                                                                                  \
    for (size_t i = 0; i < n; i++) {                                                                                   \
        const float x = a[i * sa], y = b[i * sb];                                                                      \
        dst[i] = formula;                                                                                              \
    }                                                                                                                  \
    break

/* sa, sb: 0 or 1. */
static inline void combine(gn_cpu_binary op, const float *a, size_t sa, const float *b, size_t sb, float *dst, size_t n)
{
    switch (op) {
    case GN_CPU_ADD:
        LOOP(x + y);
    case GN_CPU_SUB:
        LOOP(x - y);
    case GN_CPU_MUL:
        LOOP(x * y);
    case GN_CPU_DIV:
        LOOP(x / y);
    case GN_CPU_MAX: /* NaN wins, whichever operand it is */
        LOOP(x > y || isnan(x) ? x : y);
    case GN_CPU_MIN:
        LOOP(x < y || isnan(x) ? x : y);
    case GN_CPU_POW:
        LOOP(y == 2.0f ? x * x : powf(x, y));
    }
}

static void broadcast_rows(void *ctx, size_t begin, size_t end)
{
    const broadcast_job *j = ctx;
    const int last = j->shape.rank - 1;
    const bool a_moves = last >= 0 && j->a_step[last] != 0, b_moves = last >= 0 && j->b_step[last] != 0;
    for (size_t row = begin; row < end; row++) {
        int64_t rest = (int64_t)row, a_at = 0, b_at = 0;
        for (int d = last - 1; d >= 0; d--) {
            a_at += rest % j->shape.dim[d] * j->a_step[d];
            b_at += rest % j->shape.dim[d] * j->b_step[d];
            rest /= j->shape.dim[d];
        }
        const float *a = j->a + a_at, *b = j->b + b_at;
        float *dst = j->dst + row * j->width;
        if (a_moves && b_moves)
            combine(j->op, a, 1, b, 1, dst, j->width);
        else if (a_moves)
            combine(j->op, a, 1, b, 0, dst, j->width);
        else
            combine(j->op, a, 0, b, b_moves ? 1 : 0, dst, j->width);
    }
}

void gn_cpu_run_broadcast(gn_exec *exec, const gn_cpu_step *step, gn_cpu_binary op)
{
    const gn_node *node = step->node;
    if (gn_graph_value(exec->graph, node->out[0])->dtype != GN_DTYPE_F32) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    const bool is_nhwc = exec->plan->values[node->out[0]].layout == GN_LAYOUT_NHWC;
    const gn_shape a = gn_cpu_permuted(exec, node->in[0], is_nhwc), b = gn_cpu_permuted(exec, node->in[1], is_nhwc);
    broadcast_job job = {.op = op,
                         .a = gn_cpu_in(exec, step, 0),
                         .b = gn_cpu_in(exec, step, 1),
                         .dst = gn_cpu_out(exec, step, 0),
                         .shape = gn_cpu_permuted(exec, node->out[0], is_nhwc),
                         .width = 1};
    steps_of(&a, &job.shape, job.a_step);
    steps_of(&b, &job.shape, job.b_step);
    if (job.shape.rank > 0)
        job.width = (size_t)job.shape.dim[job.shape.rank - 1];
    const size_t count = (size_t)gn_shape_count(&job.shape);
    if (count > 0)
        gn_cpu_for_range(exec, count / job.width, GN_CPU_CHUNK / job.width + 1, broadcast_rows, &job);
}

static void run_max(gn_exec *exec, const gn_cpu_step *step)
{
    if (step->node->n_in == 2)
        gn_cpu_run_broadcast(exec, step, GN_CPU_MAX);
    else
        gn_cpu_reference_op.run(exec, step);
}

static void run_min(gn_exec *exec, const gn_cpu_step *step)
{
    if (step->node->n_in == 2)
        gn_cpu_run_broadcast(exec, step, GN_CPU_MIN);
    else
        gn_cpu_reference_op.run(exec, step);
}

static void run_pow(gn_exec *exec, const gn_cpu_step *step)
{
    gn_cpu_run_broadcast(exec, step, GN_CPU_POW);
}

static const gn_cpu_op max_op = {.domain = "", .name = "Max", .run = run_max};
static const gn_cpu_op min_op = {.domain = "", .name = "Min", .run = run_min};
static const gn_cpu_op pow_op = {.domain = "", .name = "Pow", .run = run_pow};

const gn_cpu_op *const gn_cpu_broadcast_ops[] = {&max_op, &min_op, &pow_op, NULL};
