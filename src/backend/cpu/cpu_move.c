/* Operators that only move data on the CPU: views, layout conversions, Concat, Split, shuffles; and the handler of last resort, which
 * calls an operator's reference.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"

/* ---- views ---- */

/* The planner gave the output its input's memory, unless the output is a state's update. */
static void run_view(gn_exec *exec, const gn_cpu_step *step)
{
    const void *src = gn_cpu_in(exec, step, 0);
    void *dst = gn_cpu_out(exec, step, 0);
    if (dst && dst != src)
        memcpy(dst, src, exec->plan->values[step->node->out[0]].bytes);
}

/* ---- layouts ---- */

typedef struct layout_job {
    const float *src;
    float *dst;
    size_t C, HW;
    bool to_nhwc;
} layout_job;

static void layout_task(void *ctx, int task, int thread)
{
    const layout_job *j = ctx;
    (void)thread;
    size_t at = (size_t)task * j->C * j->HW;
    if (j->to_nhwc)
        gn_f32_chw_to_hwc(j->src + at, j->dst + at, j->C, j->HW);
    else
        gn_f32_hwc_to_chw(j->src + at, j->dst + at, j->C, j->HW);
}

/* Elements that are no floats (positions of maxima, ...): rarely asked for, so byte by byte. */
static void copy_small(const gn_exec *exec, const gn_cpu_step *step, size_t elem)
{
    const gn_shape *s = gn_cpu_shape(exec, step->node->in[0]);
    bool to_nhwc = strcmp(step->node->op->name, "ToNhwc") == 0;
    size_t C = (size_t)s->dim[1], HW = (size_t)(s->dim[2] * s->dim[3]), rows = to_nhwc ? HW : C,
           columns = to_nhwc ? C : HW;
    const unsigned char *src = gn_cpu_in(exec, step, 0);
    unsigned char *dst = gn_cpu_out(exec, step, 0);
    for (size_t n = 0; n < (size_t)s->dim[0]; n++) /* dst is [N, rows, columns], src [N, columns, rows] */
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < columns; c++)
                memcpy(dst + ((n * rows + r) * columns + c) * elem, src + ((n * columns + c) * rows + r) * elem, elem);
}

static void run_layout(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *s = gn_cpu_shape(exec, step->node->in[0]);
    size_t elem = gn_dtype_bytes(gn_graph_value(exec->graph, step->node->in[0])->dtype);
    if (elem != sizeof(float)) {
        copy_small(exec, step, elem);
        return;
    }
    layout_job job = {gn_cpu_in(exec, step, 0), gn_cpu_out(exec, step, 0), (size_t)s->dim[1],
                      (size_t)(s->dim[2] * s->dim[3]), strcmp(step->node->op->name, "ToNhwc") == 0};
    gn_pool_run(exec->device->pool, (int)s->dim[0], layout_task, &job);
}

/* ---- Transpose ---- */

/* The result's dimensions, those that stay neighbours run together, and how far apart their elements lie in the input. */
typedef struct transpose_job {
    const unsigned char *src;
    unsigned char *dst;
    size_t elem;
    int rank;
    size_t dim[GN_MAX_RANK], stride[GN_MAX_RANK];
} transpose_job;

static transpose_job plan_transpose(const gn_node *node, const gn_shape *x)
{
    transpose_job j = {0};
    int64_t perm[GN_MAX_RANK];
    size_t stride[GN_MAX_RANK], distance = 1;
    const int n = gn_node_ints(node, "perm", perm, GN_MAX_RANK, 0);
    for (int d = x->rank - 1; d >= 0; d--) {
        stride[d] = distance;
        distance *= (size_t)x->dim[d];
    }
    for (int d = 0; d < x->rank; d++) {
        const int from = n > 0 ? (int)perm[d] : x->rank - 1 - d;
        const size_t extent = (size_t)x->dim[from];
        if (extent == 1)
            continue;
        if (j.rank > 0 && j.stride[j.rank - 1] == extent * stride[from])
            j.dim[j.rank - 1] *= extent;
        else
            j.dim[j.rank++] = extent;
        j.stride[j.rank - 1] = stride[from];
    }
    if (j.rank == 0) {
        j.rank = 1;
        j.dim[0] = j.stride[0] = 1;
    }
    return j;
}

/* Index in the input of element 0 of block `block`, where blocks are what the last `inner` dimensions hold. */
static size_t block_at(const transpose_job *j, size_t block, int inner)
{
    size_t at = 0;
    for (int d = j->rank - inner - 1; d >= 0; d--) {
        at += block % j->dim[d] * j->stride[d];
        block /= j->dim[d];
    }
    return at;
}

static void transpose_rows(void *ctx, size_t begin, size_t end)
{
    const transpose_job *j = ctx;
    const size_t width = j->dim[j->rank - 1], step = j->stride[j->rank - 1];
    for (size_t row = begin; row < end; row++) {
        const unsigned char *src = j->src + block_at(j, row, 1) * j->elem;
        unsigned char *dst = j->dst + row * width * j->elem;
        if (step == 1)
            memcpy(dst, src, width * j->elem);
        else if (j->elem == sizeof(float))
            for (size_t i = 0; i < width; i++)
                memcpy(dst + i * sizeof(float), src + i * step * sizeof(float), sizeof(float));
        else
            for (size_t i = 0; i < width; i++)
                memcpy(dst + i * j->elem, src + i * step * j->elem, j->elem);
    }
}

static void transpose_matrices(void *ctx, size_t begin, size_t end)
{
    const transpose_job *j = ctx;
    const size_t rows = j->dim[j->rank - 1], columns = j->dim[j->rank - 2]; /* of the input */
    const float *src = (const float *)(const void *)j->src;
    float *dst = (float *)(void *)j->dst;
    for (size_t m = begin; m < end; m++)
        gn_f32_chw_to_hwc(src + block_at(j, m, 2), dst + m * rows * columns, rows, columns);
}

static void run_transpose(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_value *x = gn_graph_value(exec->graph, step->node->in[0]);
    transpose_job j = plan_transpose(step->node, &x->shape);
    const size_t count = (size_t)gn_shape_count(&x->shape), width = j.dim[j.rank - 1];
    j.src = gn_cpu_in(exec, step, 0);
    j.dst = gn_cpu_out(exec, step, 0);
    j.elem = gn_dtype_bytes(x->dtype);
    if (count == 0)
        return;
    const bool is_matrix = j.elem == sizeof(float) && j.rank >= 2 && j.stride[j.rank - 2] == 1 &&
                           j.stride[j.rank - 1] == j.dim[j.rank - 2];
    if (is_matrix)
        gn_cpu_for_range(exec, count / (width * j.dim[j.rank - 2]), GN_CPU_CHUNK / (width * j.dim[j.rank - 2]) + 1,
                         transpose_matrices, &j);
    else
        gn_cpu_for_range(exec, count / width, GN_CPU_CHUNK / width + 1, transpose_rows, &j);
}

/* ---- shuffle of channels ---- */

typedef struct shuffle_job {
    const float *src;
    float *dst;
    size_t C, groups, inner; /* [rows][C][inner]; inner 1 where channels lie last in memory */
} shuffle_job;

static void shuffle_rows(void *ctx, size_t begin, size_t end)
{
    const shuffle_job *j = ctx;
    const size_t per_group = j->C / j->groups, width = j->C * j->inner;
    if (j->inner == 1) {
        gn_f32_shuffle_rows(j->src + begin * width, j->dst + begin * width, end - begin, j->groups, per_group);
        return;
    }
    for (size_t row = begin; row < end; row++)
        for (size_t c = 0; c < j->C; c++)
            memcpy(j->dst + row * width + c * j->inner,
                   j->src + row * width + (c % j->groups * per_group + c / j->groups) * j->inner,
                   j->inner * sizeof *j->dst);
}

static void run_shuffle(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *s = gn_cpu_shape(exec, step->node->in[0]);
    const size_t C = (size_t)s->dim[1], images = (size_t)s->dim[0], pixels = (size_t)gn_shape_count(s) / (images * C);
    const bool is_last = exec->plan->values[step->node->out[0]].layout == GN_LAYOUT_NHWC;
    shuffle_job job = {gn_cpu_in(exec, step, 0), gn_cpu_out(exec, step, 0), C,
                       (size_t)gn_node_int(step->node, "groups", 1), is_last ? 1 : pixels};
    const size_t rows = is_last ? images * pixels : images;
    gn_cpu_for_range(exec, rows, GN_CPU_CHUNK / (C * job.inner) + 1, shuffle_rows, &job);
}

/* ---- channels of two in turns ---- */

typedef struct interleave_job {
    const float *in[2];
    float *out[2]; /* the second: NULL when there is one output, or it is left out */
    size_t in_stride[2], out_stride[2];
    size_t C, inner; /* channels of an input; of a channel, what lies together */
    int n_out;
} interleave_job;

/* Channels begin..begin+n-1 of both inputs, to an output. */
static void interleave_part(const interleave_job *j, int k, size_t row, size_t rows, size_t begin, size_t n)
{
    float *to = j->out[k];
    if (!to)
        return;
    if (j->inner == 1) {
        gn_f32_interleave_rows(j->in[0] + row * j->in_stride[0] + begin, j->in_stride[0],
                               j->in[1] + row * j->in_stride[1] + begin, j->in_stride[1], to + row * j->out_stride[k],
                               j->out_stride[k], rows, n);
        return;
    }
    for (size_t r = row; r < row + rows; r++)
        for (size_t c = 0; c < 2 * n; c++)
            memcpy(to + (r * 2 * n + c) * j->inner, j->in[c % 2] + (r * j->C + begin + c / 2) * j->inner,
                   j->inner * sizeof *to);
}

static void interleave_range(void *ctx, size_t begin, size_t end)
{
    const interleave_job *j = ctx;
    const size_t n = j->n_out == 2 ? j->C / 2 : j->C;
    for (int k = 0; k < j->n_out; k++)
        interleave_part(j, k, begin, end - begin, (size_t)k * n, n);
}

static size_t pixel_stride(const gn_exec *exec, int value)
{
    const int stride = gn_cpu_stride(exec, value);
    return (size_t)(stride > 0 ? stride : gn_cpu_shape(exec, value)->dim[1]);
}

static void run_interleave(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_node *node = step->node;
    const gn_shape *s = gn_cpu_shape(exec, node->in[0]);
    const bool is_last = exec->plan->values[node->out[0]].layout == GN_LAYOUT_NHWC;
    const size_t C = (size_t)s->dim[1], images = (size_t)s->dim[0], pixels = (size_t)gn_shape_count(s) / (images * C);
    interleave_job job = {.C = C, .inner = is_last ? 1 : pixels, .n_out = node->n_out};
    for (int i = 0; i < 2; i++) {
        job.in[i] = gn_cpu_in(exec, step, i);
        job.in_stride[i] = pixel_stride(exec, node->in[i]);
        job.out[i] = gn_cpu_out(exec, step, i);
        job.out_stride[i] = i < node->n_out && node->out[i] >= 0 ? pixel_stride(exec, node->out[i]) : 0;
    }
    gn_cpu_for_range(exec, is_last ? images * pixels : images, GN_CPU_CHUNK / (2 * C * job.inner) + 1, interleave_range,
                     &job);
}

/* ---- Concat and Split along one axis ---- */

/* Index of a logical axis in physical order. */
static int physical_axis(const gn_exec *exec, const gn_node *node, int value)
{
    const gn_shape *s = gn_cpu_shape(exec, value);
    int64_t axis = gn_node_int(node, "axis", 0);
    if (axis < 0)
        axis += s->rank;
    static const int nhwc[4] = {0, 3, 1, 2};
    return s->rank == 4 && exec->plan->values[value].layout == GN_LAYOUT_NHWC ? nhwc[axis] : (int)axis;
}

static size_t product_of(const gn_shape *s, int from, int to)
{
    size_t n = 1;
    for (int i = from; i < to; i++)
        n *= (size_t)s->dim[i];
    return n;
}

typedef struct rows_job {
    const unsigned char *src;
    unsigned char *dst;
    size_t src_stride, dst_stride, width; /* bytes */
} rows_job;

static void copy_rows(void *ctx, size_t begin, size_t end)
{
    const rows_job *j = ctx;
    for (size_t r = begin; r < end; r++)
        memcpy(j->dst + r * j->dst_stride, j->src + r * j->src_stride, j->width);
}

void gn_cpu_copy_rows(const gn_exec *exec, const float *src, size_t src_stride, float *dst, size_t dst_stride,
                      size_t width, size_t rows)
{
    rows_job job = {(const unsigned char *)src, (unsigned char *)dst, src_stride * sizeof *src,
                    dst_stride * sizeof *dst, width * sizeof *src};
    if (width > 0)
        gn_cpu_for_range(exec, rows, 65536 / job.width + 1, copy_rows, &job);
}

/* How the elements of `value` lie from one row to the next, in bytes, when a dense row has `width` bytes. */
static size_t row_stride(const gn_exec *exec, int value, size_t width)
{
    const int stride = gn_cpu_stride(exec, value);
    return stride > 0 ? (size_t)stride * sizeof(float) : width;
}

/* Copies each part to or from its slice of the whole, unless it lies there. */
static void run_parts(gn_exec *exec, const gn_cpu_step *step, int whole, const int *parts, int n_parts, bool gather)
{
    int axis = physical_axis(exec, step->node, whole);
    bool is_nhwc =
        exec->plan->values[whole].layout == GN_LAYOUT_NHWC; /* parts with one channel or pixel may say otherwise */
    gn_shape all = gn_cpu_permuted(exec, whole, is_nhwc);
    size_t elem = gn_dtype_bytes(gn_graph_value(exec->graph, whole)->dtype);
    size_t rows = product_of(&all, 0, axis), stride = row_stride(exec, whole, product_of(&all, axis, all.rank) * elem),
           at = 0;
    unsigned char *whole_ptr = gn_cpu_ptr(exec, whole);
    for (int i = 0; i < n_parts; i++) {
        if (parts[i] < 0)
            continue;
        gn_shape part = gn_cpu_permuted(exec, parts[i], is_nhwc);
        size_t width = product_of(&part, axis, part.rank) * elem, part_stride = row_stride(exec, parts[i], width);
        unsigned char *part_ptr = gn_cpu_ptr(exec, parts[i]);
        rows_job job = {gather ? part_ptr : whole_ptr + at, gather ? whole_ptr + at : part_ptr,
                        gather ? part_stride : stride, gather ? stride : part_stride, width};
        if (width > 0 && job.src != job.dst)
            gn_cpu_for_range(exec, rows, 65536 / width + 1, copy_rows, &job);
        at += width;
    }
}

static void run_concat(gn_exec *exec, const gn_cpu_step *step)
{
    run_parts(exec, step, step->node->out[0], step->node->in, step->node->n_in, true);
}

static void run_split(gn_exec *exec, const gn_cpu_step *step)
{
    run_parts(exec, step, step->node->in[0], step->node->out, step->node->n_out, false);
}

/* ---- reference ---- */

#define GN_MAX_REFERENCE_OPERANDS 64

static gn_status prepare_reference(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    (void)exec;
    const gn_node *node = step->node;
    if (!node->op->reference)
        return gn_fail(err, GN_EUNSUPPORTED, "node %s: operator %s cannot run on the cpu", node->name, node->op->name);
    if (node->n_in > GN_MAX_REFERENCE_OPERANDS || node->n_out > GN_MAX_REFERENCE_OPERANDS)
        return gn_fail(err, GN_ELIMIT, "node %s (%s) has %d inputs and %d outputs; at most %d are possible", node->name,
                       node->op->name, node->n_in, node->n_out, GN_MAX_REFERENCE_OPERANDS);
    return GN_OK;
}

/* References name elements by their logical index, whatever the layout. */
static gn_tensor operand(const gn_exec *exec, int value)
{
    const gn_value *v = gn_graph_value(exec->graph, value);
    gn_tensor t = gn_tensor_view(v->dtype, &v->shape, gn_cpu_ptr(exec, value));
    t.layout = exec->plan->values[value].layout;
    return t;
}

static void run_reference(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_node *node = step->node;
    gn_tensor in[GN_MAX_REFERENCE_OPERANDS], out[GN_MAX_REFERENCE_OPERANDS];
    const gn_tensor *in_ptr[GN_MAX_REFERENCE_OPERANDS] = {0};
    gn_tensor *out_ptr[GN_MAX_REFERENCE_OPERANDS] = {0};
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0) {
            in[i] = operand(exec, node->in[i]);
            in_ptr[i] = &in[i];
        }
    for (int i = 0; i < node->n_out; i++)
        if (node->out[i] >= 0) {
            out[i] = operand(exec, node->out[i]);
            out_ptr[i] = &out[i];
        }
    gn_ref_call call = {.graph = exec->graph, .node = node, .in = in_ptr, .out = out_ptr};
    exec->status = node->op->reference(&call);
}

const gn_cpu_op gn_cpu_reference_op = {.domain = "", .name = "", .prepare = prepare_reference, .run = run_reference};

static const gn_cpu_op reshape_op = {.domain = "", .name = "Reshape", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op flatten_op = {.domain = "", .name = "Flatten", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op identity_op = {.domain = "", .name = "Identity", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op squeeze_op = {.domain = "", .name = "Squeeze", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op unsqueeze_op = {.domain = "", .name = "Unsqueeze", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op to_nhwc_op = {
    .domain = "gannet", .name = "ToNhwc", .run = run_layout, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op to_plain_op = {
    .domain = "gannet", .name = "ToPlain", .run = run_layout, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op last_op = {
    .domain = "gannet", .name = "ChannelsLast", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op first_op = {
    .domain = "gannet", .name = "ChannelsFirst", .run = run_view, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op transpose_op = {
    .domain = "", .name = "Transpose", .run = run_transpose, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op shuffle_op = {.domain = "gannet", .name = "ChannelShuffle", .run = run_shuffle};
static const gn_cpu_op interleave_op = {
    .domain = "gannet", .name = "Interleave", .run = run_interleave, .slices_in = 3u, .slices_out = 3u};
static const gn_cpu_op concat_op = {.domain = "",
                                    .name = "Concat",
                                    .run = run_concat,
                                    .types = GN_CPU_TYPES_ALIKE,
                                    .slices_in = GN_CPU_ALL_OPERANDS,
                                    .slices_out = 1u << 0};
static const gn_cpu_op split_op = {.domain = "",
                                   .name = "Split",
                                   .run = run_split,
                                   .types = GN_CPU_TYPES_ANY,
                                   .slices_in = 1u << 0,
                                   .slices_out = GN_CPU_ALL_OPERANDS};

const gn_cpu_op *const gn_cpu_move_ops[] = {&reshape_op, &flatten_op,   &identity_op, &squeeze_op,    &unsqueeze_op,
                                            &to_nhwc_op, &to_plain_op,  &concat_op,   &split_op,      &last_op,
                                            &first_op,   &transpose_op, &shuffle_op,  &interleave_op, NULL};
