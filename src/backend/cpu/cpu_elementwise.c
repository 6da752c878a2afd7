/* Elementwise operators on the CPU: flat ranges where shapes agree, rows where one operand is a vector over the last physical
 * dimension, and row by row (cpu_broadcast.c) for every other way of broadcasting.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"

/* ---- one operand, or two of one shape ---- */

typedef struct flat_job {
    const float *a, *b;
    float *dst;
    gn_clamp clamp;
} flat_job;

static void relu_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_clamp(j->a + begin, j->dst + begin, end - begin, j->clamp);
}

static void clamp_grad_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_clamp_grad(j->a + begin, j->b + begin, j->dst + begin, end - begin, j->clamp);
}

static void sigmoid_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_sigmoid(j->a + begin, j->dst + begin, end - begin);
}

static void sigmoid_grad_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_sigmoid_grad(j->a + begin, j->b + begin, j->dst + begin, end - begin);
}

static void hardswish_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_hardswish(j->a + begin, j->dst + begin, end - begin);
}

static void hardswish_grad_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_hardswish_grad(j->a + begin, j->b + begin, j->dst + begin, end - begin);
}

static void add_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_add(j->a + begin, j->b + begin, j->dst + begin, end - begin);
}

static void sub_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_sub(j->a + begin, j->b + begin, j->dst + begin, end - begin);
}

static void mul_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    gn_f32_mul(j->a + begin, j->b + begin, j->dst + begin, end - begin);
}

static void run_flat(gn_exec *exec, const gn_cpu_step *step, gn_cpu_range_fn fn)
{
    flat_job job = {gn_cpu_in(exec, step, 0), gn_cpu_in(exec, step, 1), gn_cpu_out(exec, step, 0), step->clamp};
    gn_cpu_for_range(exec, (size_t)gn_cpu_elements(exec, step->node->out[0]), GN_CPU_CHUNK, fn, &job);
}

static void run_clamp(gn_exec *exec, const gn_cpu_step *step)
{
    run_flat(exec, step, relu_range);
}
static void run_clamp_grad(gn_exec *exec, const gn_cpu_step *step)
{
    run_flat(exec, step, clamp_grad_range);
}
static void run_sigmoid(gn_exec *exec, const gn_cpu_step *step)
{
    run_flat(exec, step, sigmoid_range);
}
static void run_sigmoid_grad(gn_exec *exec, const gn_cpu_step *step)
{
    run_flat(exec, step, sigmoid_grad_range);
}
static void run_hardswish(gn_exec *exec, const gn_cpu_step *step)
{
    run_flat(exec, step, hardswish_range);
}
static void run_hardswish_grad(gn_exec *exec, const gn_cpu_step *step)
{
    run_flat(exec, step, hardswish_grad_range);
}

static gn_status prepare_relu(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)exec;
    (void)err;
    step->clamp = (gn_clamp){0.0f, INFINITY};
    return GN_OK;
}

/* Bounds that are computed in each run are left to the reference. */
static bool clip_bounds_are_fixed(const gn_graph *graph, const gn_node *node)
{
    for (int i = 1; i <= 2; i++)
        if (gn_has_in(node, i) && !gn_graph_value(graph, node->in[i])->data)
            return false;
    return true;
}

/* Clip: bounds from constant inputs (opset 11 on) or attributes (before). */
static gn_status prepare_clip(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    step->clamp = (gn_clamp){gn_node_float(step->node, "min", -INFINITY), gn_node_float(step->node, "max", INFINITY)};
    for (int i = 1; i <= 2; i++) {
        if (!gn_has_in(step->node, i))
            continue;
        const gn_value *bound = gn_graph_value(exec->graph, step->node->in[i]);
        if (!gn_cpu_is_fixed(exec, step->node->in[i]) || !bound->data)
            return gn_fail(err, GN_EUNSUPPORTED, "node %s (Clip): its bounds are computed; constants are expected",
                           step->node->name);
        *(i == 1 ? &step->clamp.lo : &step->clamp.hi) = (float)gn_tensor_get(bound->data, 0);
    }
    return GN_OK;
}

/* ---- two operands with broadcasting ---- */

/* How the second operand (after an exchange, if that helps) meets the first. */
typedef enum meeting { MEET_FLAT, MEET_ROWS, MEET_IMAGES, MEET_SCALAR, MEET_OTHER } meeting;

typedef struct binary_detail {
    meeting how;
    bool swapped;       /* the small operand came first */
    size_t rows, width; /* MEET_ROWS: dst is [rows, width], the small operand [width] */
    size_t images;      /* MEET_IMAGES: dst is [images, rows, width], the small operand [images, width] */
} binary_detail;

static bool ends_alike(const gn_shape *big, const gn_shape *small, size_t *width)
{
    int64_t count = gn_shape_count(small);
    *width = (size_t)count;
    /* all dimensions of `small` are 1 but the last, which is that of `big` */
    return big->rank > 0 && small->rank > 0 && count == big->dim[big->rank - 1] && small->dim[small->rank - 1] == count;
}

static binary_detail meet(const gn_shape *a, const gn_shape *b, const gn_shape *dst)
{
    binary_detail d = {.how = MEET_OTHER};
    if (gn_shape_equal(a, b)) {
        d.how = MEET_FLAT;
        return d;
    }
    d.swapped = gn_shape_count(a) < gn_shape_count(b);
    const gn_shape *big = d.swapped ? b : a, *small = d.swapped ? a : b;
    if (!gn_shape_equal(big, dst))
        return d;
    if (gn_shape_count(small) == 1)
        d.how = MEET_SCALAR;
    else if (ends_alike(big, small, &d.width)) {
        d.how = MEET_ROWS;
        d.rows = (size_t)gn_shape_count(big) / d.width;
    } else if (big->rank == 4 && small->rank == 4 && small->dim[0] == big->dim[0] && small->dim[1] == 1 &&
               small->dim[2] == 1 && small->dim[3] == big->dim[3]) {
        d.how = MEET_IMAGES;
        d.images = (size_t)big->dim[0];
        d.rows = (size_t)(big->dim[1] * big->dim[2]);
        d.width = (size_t)big->dim[3];
    }
    return d;
}

static gn_status prepare_binary(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    const gn_node *node = step->node;
    bool nhwc = exec->plan->values[node->out[0]].layout == GN_LAYOUT_NHWC;
    binary_detail *d = gn_alloc(sizeof *d);
    if (!d)
        return gn_fail(err, GN_ENOMEM, "node %s: out of memory", node->name);
    gn_shape a = gn_cpu_permuted(exec, node->in[0], nhwc), b = gn_cpu_permuted(exec, node->in[1], nhwc),
             dst = gn_cpu_permuted(exec, node->out[0], nhwc);
    *d = meet(&a, &b, &dst);
    if (gn_graph_value(exec->graph, node->out[0])->dtype != GN_DTYPE_F32)
        d->how = MEET_OTHER;
    step->detail = d;
    return GN_OK;
}

typedef void (*rows_fn)(const float *, const float *, float *, size_t, size_t);

typedef struct rows_job {
    const binary_detail *d;
    const float *big, *small;
    float *dst;
    rows_fn fn;
} rows_job;

static void rows_range(void *ctx, size_t begin, size_t end)
{
    const rows_job *j = ctx;
    for (size_t row = begin; row < end;) { /* stop at each image's end, where the small operand moves on */
        size_t image = row / j->d->rows, stop = (image + 1) * j->d->rows;
        stop = stop < end ? stop : end;
        const float *small = j->d->how == MEET_IMAGES ? j->small + image * j->d->width : j->small;
        j->fn(j->big + row * j->d->width, small, j->dst + row * j->d->width, stop - row, j->d->width);
        row = stop;
    }
}

static void run_rows(gn_exec *exec, const gn_cpu_step *step, rows_fn fn)
{
    const binary_detail *d = step->detail;
    rows_job job = {d, gn_cpu_in(exec, step, d->swapped ? 1 : 0), gn_cpu_in(exec, step, d->swapped ? 0 : 1),
                    gn_cpu_out(exec, step, 0), fn};
    size_t rows = d->how == MEET_IMAGES ? d->rows * d->images : d->rows;
    size_t chunk = GN_CPU_CHUNK / d->width + 1;
    gn_cpu_for_range(exec, rows, chunk, rows_range, &job);
}

typedef struct scalar_job {
    const float *src;
    float *dst, x;
} scalar_job;

static void scale_range(void *ctx, size_t begin, size_t end)
{
    const scalar_job *j = ctx;
    gn_f32_scale(j->src + begin, j->x, j->dst + begin, end - begin);
}

static void shift_range(void *ctx, size_t begin, size_t end)
{
    const scalar_job *j = ctx;
    for (size_t i = begin; i < end; i++)
        j->dst[i] = j->src[i] + j->x;
}

/* One operand is a single number, which counts with `factor`. */
static void run_scalar(gn_exec *exec, const gn_cpu_step *step, gn_cpu_range_fn fn, float factor)
{
    const binary_detail *d = step->detail;
    const float *x = gn_cpu_in(exec, step, d->swapped ? 0 : 1);
    scalar_job job = {gn_cpu_in(exec, step, d->swapped ? 1 : 0), gn_cpu_out(exec, step, 0), *x * factor};
    gn_cpu_for_range(exec, (size_t)gn_cpu_elements(exec, step->node->out[0]), GN_CPU_CHUNK, fn, &job);
}

static void run_add(gn_exec *exec, const gn_cpu_step *step)
{
    const binary_detail *d = step->detail;
    if (d->how == MEET_FLAT)
        run_flat(exec, step, add_range);
    else if (d->how == MEET_ROWS || d->how == MEET_IMAGES)
        run_rows(exec, step, gn_f32_add_rows);
    else if (d->how == MEET_SCALAR)
        run_scalar(exec, step, shift_range, 1.0f);
    else
        gn_cpu_run_broadcast(exec, step, GN_CPU_ADD);
}

static void run_mul(gn_exec *exec, const gn_cpu_step *step)
{
    const binary_detail *d = step->detail;
    if (d->how == MEET_FLAT)
        run_flat(exec, step, mul_range);
    else if (d->how == MEET_ROWS || d->how == MEET_IMAGES)
        run_rows(exec, step, gn_f32_mul_rows);
    else if (d->how == MEET_SCALAR)
        run_scalar(exec, step, scale_range, 1.0f);
    else
        gn_cpu_run_broadcast(exec, step, GN_CPU_MUL);
}

static void subtract_rows(const float *a, const float *b, float *dst, size_t rows, size_t C)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            dst[r * C + c] = a[r * C + c] - b[c];
}

static void run_sub(gn_exec *exec, const gn_cpu_step *step)
{
    const binary_detail *d = step->detail;
    if (d->how == MEET_FLAT)
        run_flat(exec, step, sub_range);
    else if (d->how == MEET_SCALAR && !d->swapped)
        run_scalar(exec, step, shift_range, -1.0f);
    else if ((d->how == MEET_ROWS || d->how == MEET_IMAGES) && !d->swapped)
        run_rows(exec, step, subtract_rows);
    else
        gn_cpu_run_broadcast(exec, step, GN_CPU_SUB);
}

static void divide_range(void *ctx, size_t begin, size_t end)
{
    const flat_job *j = ctx;
    for (size_t i = begin; i < end; i++)
        j->dst[i] = j->a[i] / j->b[i];
}

static void divide_rows(const float *a, const float *b, float *dst, size_t rows, size_t C)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++)
            dst[r * C + c] = a[r * C + c] / b[c];
}

static void divide_by_scalar_range(void *ctx, size_t begin, size_t end)
{
    const scalar_job *j = ctx;
    for (size_t i = begin; i < end; i++)
        j->dst[i] = j->src[i] / j->x;
}

static void run_div(gn_exec *exec, const gn_cpu_step *step)
{
    const binary_detail *d = step->detail;
    if (d->how == MEET_FLAT)
        run_flat(exec, step, divide_range);
    else if (d->how == MEET_SCALAR && !d->swapped)
        run_scalar(exec, step, divide_by_scalar_range, 1.0f);
    else if ((d->how == MEET_ROWS || d->how == MEET_IMAGES) && !d->swapped)
        run_rows(exec, step, divide_rows);
    else
        gn_cpu_run_broadcast(exec, step, GN_CPU_DIV);
}

/* Blocks of columns of [outer, n, inner]. */
typedef struct softmax_job {
    const float *src;
    float *dst;
    size_t n, inner, blocks; /* blocks of each of the outer ones */
} softmax_job;

enum { SOFTMAX_COLUMNS = 1024 };

static void softmax_range(void *ctx, size_t begin, size_t end)
{
    const softmax_job *j = ctx;
    for (size_t b = begin; b < end; b++) {
        const size_t first = b % j->blocks * SOFTMAX_COLUMNS, at = b / j->blocks * j->n * j->inner + first;
        const size_t rest = j->inner - first;
        gn_f32_softmax_columns(j->src + at, j->dst + at, j->n, j->inner,
                               rest < SOFTMAX_COLUMNS ? rest : SOFTMAX_COLUMNS);
    }
}

/* Rows of two, as detectors with one class have them: each is the sigmoid of its distance from the other. */
static void softmax_pairs_range(void *ctx, size_t begin, size_t end)
{
    const softmax_job *j = ctx;
    for (size_t i = begin; i < end; i++) {
        const float distance = j->src[2 * i] - j->src[2 * i + 1];
        j->dst[2 * i] = distance;
        j->dst[2 * i + 1] = -distance;
    }
    gn_f32_sigmoid(j->dst + 2 * begin, j->dst + 2 * begin, 2 * (end - begin));
}

/* Softmax along one dimension of plain memory. */
static void run_softmax(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *s = gn_cpu_shape(exec, step->node->in[0]);
    int64_t axis = gn_node_int(step->node, "axis", -1);
    axis += axis < 0 ? s->rank : 0;
    const size_t n = (size_t)s->dim[axis], count = (size_t)gn_shape_count(s);
    size_t inner = 1;
    for (int64_t d = axis + 1; d < s->rank; d++)
        inner *= (size_t)s->dim[d];
    if (count == 0)
        return;
    if (inner == 1 && n == 2) {
        softmax_job pairs = {gn_cpu_in(exec, step, 0), gn_cpu_out(exec, step, 0), n, 1, 1};
        gn_cpu_for_range(exec, count / n, GN_CPU_CHUNK, softmax_pairs_range, &pairs);
        return;
    }
    if (inner == 1) {
        gn_f32_softmax_rows(gn_cpu_in(exec, step, 0), gn_cpu_out(exec, step, 0), count / n, n);
        return;
    }
    softmax_job job = {gn_cpu_in(exec, step, 0), gn_cpu_out(exec, step, 0), n, inner,
                       (inner + SOFTMAX_COLUMNS - 1) / SOFTMAX_COLUMNS};
    gn_cpu_for_range(exec, count / (n * inner) * job.blocks, 1, softmax_range, &job);
}

static const gn_cpu_op relu_op = {.domain = "", .name = "Relu", .prepare = prepare_relu, .run = run_clamp};
static const gn_cpu_op clip_op = {
    .domain = "", .name = "Clip", .prepare = prepare_clip, .run = run_clamp, .takes = clip_bounds_are_fixed};
static const gn_cpu_op clamp_grad_op = {.domain = "gannet", .name = "ClampGrad", .run = run_clamp_grad};
static const gn_cpu_op sigmoid_op = {.domain = "", .name = "Sigmoid", .run = run_sigmoid};
static const gn_cpu_op sigmoid_grad_op = {.domain = "gannet", .name = "SigmoidGrad", .run = run_sigmoid_grad};
static const gn_cpu_op hardswish_op = {.domain = "", .name = "HardSwish", .run = run_hardswish};
static const gn_cpu_op hardswish_grad_op = {.domain = "gannet", .name = "HardSwishGrad", .run = run_hardswish_grad};
static const gn_cpu_op add_op = {.domain = "", .name = "Add", .prepare = prepare_binary, .run = run_add};
static const gn_cpu_op mul_op = {.domain = "", .name = "Mul", .prepare = prepare_binary, .run = run_mul};
static const gn_cpu_op sub_op = {.domain = "", .name = "Sub", .prepare = prepare_binary, .run = run_sub};
static const gn_cpu_op div_op = {.domain = "", .name = "Div", .prepare = prepare_binary, .run = run_div};
static const gn_cpu_op softmax_op = {.domain = "", .name = "Softmax", .run = run_softmax};

const gn_cpu_op *const gn_cpu_elementwise_ops[] = {
    &relu_op, &clip_op, &clamp_grad_op, &sigmoid_op, &sigmoid_grad_op, &hardswish_op, &hardswish_grad_op,
    &add_op,  &mul_op,  &sub_op,        &div_op,     &softmax_op,      NULL};
