/* Operators that copy blocks with strides on the CPU: Slice and its gradient, Pad with a constant, Expand, Gather, SpaceToDepth and
 * DepthToSpace.  All of them are one loop nest in the order of the result's memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "graph/op.h"
#include "ops/move_rules.h"

#define MOST_DIMS (GN_MAX_RANK + 2)

/* ---- strided copies ---- */

/* Element (i0, i1, ...) of `dim` lies at src + sum of i*src_stride and goes to dst + sum of i*dst_stride; strides in elements.  A source
 * stride of 0 repeats. */
typedef struct strided {
    int rank;
    int64_t dim[MOST_DIMS], src_stride[MOST_DIMS], dst_stride[MOST_DIMS];
    const unsigned char *src;
    unsigned char *dst;
    size_t elem;
} strided;

static void swap(strided *s, int a, int b)
{
    int64_t *const lists[3] = {s->dim, s->src_stride, s->dst_stride};
    for (int i = 0; i < 3; i++) {
        const int64_t kept = lists[i][a];
        lists[i][a] = lists[i][b];
        lists[i][b] = kept;
    }
}

/* Dimensions of one element go; the others stand in the order of the result's memory, and neighbours that run on become one. */
static void tidy(strided *s)
{
    int n = 0;
    for (int d = 0; d < s->rank; d++)
        if (s->dim[d] != 1)
            swap(s, n++, d);
    s->rank = n;
    for (int d = 1; d < n; d++)
        for (int k = d; k > 0 && s->dst_stride[k] > s->dst_stride[k - 1]; k--)
            swap(s, k, k - 1);
    for (int d = n - 1; d > 0; d--) {
        if (s->src_stride[d - 1] != s->src_stride[d] * s->dim[d] ||
            s->dst_stride[d - 1] != s->dst_stride[d] * s->dim[d])
            continue;
        s->src_stride[d - 1] = s->src_stride[d];
        s->dst_stride[d - 1] = s->dst_stride[d];
        s->dim[d - 1] *= s->dim[d];
        for (int k = d; k < s->rank - 1; k++)
            swap(s, k, k + 1);
        s->rank--;
    }
    if (s->rank == 0) {
        s->rank = 1;
        s->dim[0] = s->src_stride[0] = s->dst_stride[0] = 1;
    }
}

#define COPY_LOOP(type)                                                                                                \
    for (int64_t i = 0; i < n; i++)                                                                                    \
    ((type *)(void *)dst)[i * to] = ((const type *)(const void *)src)[i * from]

static void copy_row(unsigned char *dst, int64_t to, const unsigned char *src, int64_t from, int64_t n, size_t elem)
{
    if (to == 1 && from == 1)
        memcpy(dst, src, (size_t)n * elem);
    else if (elem == 4)
        COPY_LOOP(uint32_t);
    else if (elem == 8)
        COPY_LOOP(uint64_t);
    else if (elem == 2)
        COPY_LOOP(uint16_t);
    else
        COPY_LOOP(uint8_t);
}

static void copy_rows(void *ctx, size_t begin, size_t end)
{
    const strided *s = ctx;
    const int last = s->rank - 1;
    for (size_t row = begin; row < end; row++) {
        int64_t rest = (int64_t)row, from = 0, to = 0;
        for (int d = last - 1; d >= 0; d--) {
            const int64_t at = rest % s->dim[d];
            rest /= s->dim[d];
            from += at * s->src_stride[d];
            to += at * s->dst_stride[d];
        }
        copy_row(s->dst + to * (int64_t)s->elem, s->dst_stride[last], s->src + from * (int64_t)s->elem,
                 s->src_stride[last], s->dim[last], s->elem);
    }
}

static void run_strided(gn_exec *exec, strided *s)
{
    tidy(s);
    size_t rows = 1;
    for (int d = 0; d < s->rank - 1; d++)
        rows *= (size_t)s->dim[d];
    gn_cpu_for_range(exec, rows, GN_CPU_CHUNK / (size_t)s->dim[s->rank - 1] + 1, copy_rows, s);
}

/* Distance in memory between neighbours along each logical dimension. */
static void strides_of(const gn_exec *exec, int value, int64_t stride[GN_MAX_RANK])
{
    static const int nhwc[4] = {0, 2, 3, 1};
    const gn_shape *s = gn_cpu_shape(exec, value);
    const bool is_nhwc = s->rank == 4 && exec->plan->values[value].layout == GN_LAYOUT_NHWC;
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        const int d = is_nhwc ? nhwc[i] : i;
        stride[d] = step;
        step *= s->dim[d];
    }
}

static size_t elem_of(const gn_exec *exec, int value)
{
    return gn_dtype_bytes(gn_graph_value(exec->graph, value)->dtype);
}

/* A copy of input 0 to output 0 of the step; dimensions and strides are filled in by the caller. */
static strided copy_of(gn_exec *exec, const gn_cpu_step *step)
{
    return (strided){
        .src = gn_cpu_in(exec, step, 0), .dst = gn_cpu_out(exec, step, 0), .elem = elem_of(exec, step->node->out[0])};
}

/* ---- Slice ---- */

static void run_slice(gn_exec *exec, const gn_cpu_step *step)
{
    gn_slices slices;
    int64_t stride[GN_MAX_RANK];
    strided s = copy_of(exec, step);
    exec->status = gn_slices_of(exec->graph, step->node, &slices, NULL);
    if (exec->status != GN_OK)
        return;
    s.rank = slices.count.rank;
    strides_of(exec, step->node->in[0], stride);
    strides_of(exec, step->node->out[0], s.dst_stride);
    for (int d = 0; d < s.rank; d++) {
        s.dim[d] = slices.count.dim[d];
        s.src_stride[d] = stride[d] * slices.step[d];
        s.src += slices.begin[d] * stride[d] * (int64_t)s.elem;
    }
    run_strided(exec, &s);
}

static void run_slice_grad(gn_exec *exec, const gn_cpu_step *step)
{
    gn_slices slices;
    gn_shape whole;
    int64_t stride[GN_MAX_RANK];
    strided s = copy_of(exec, step);
    exec->status = gn_slices_of_grad(step->node, gn_cpu_shape(exec, step->node->in[0]), &slices, &whole, NULL);
    if (exec->status != GN_OK)
        return;
    memset(s.dst, 0, (size_t)gn_cpu_elements(exec, step->node->out[0]) * s.elem);
    s.rank = slices.count.rank;
    strides_of(exec, step->node->in[0], s.src_stride);
    strides_of(exec, step->node->out[0], stride);
    for (int d = 0; d < s.rank; d++) {
        s.dim[d] = slices.count.dim[d];
        s.dst_stride[d] = stride[d] * slices.step[d];
        s.dst += slices.begin[d] * stride[d] * (int64_t)s.elem;
    }
    for (int d = 0; d < s.rank; d++) /* the other way round, so that the result is written forwards */
        if (s.dst_stride[d] < 0) {
            s.dst += s.dst_stride[d] * (s.dim[d] - 1) * (int64_t)s.elem;
            s.src += s.src_stride[d] * (s.dim[d] - 1) * (int64_t)s.elem;
            s.dst_stride[d] = -s.dst_stride[d];
            s.src_stride[d] = -s.src_stride[d];
        }
    run_strided(exec, &s);
}

/* ---- Pad with a constant: fill, then copy what is inside ---- */

static bool pads_constantly(const gn_graph *graph, const gn_node *node)
{
    (void)graph;
    return strcmp(gn_node_string(node, "mode", "constant"), "constant") == 0;
}

typedef struct fill_job {
    unsigned char *dst;
    unsigned char value[8];
    size_t elem;
} fill_job;

static void fill_range(void *ctx, size_t begin, size_t end)
{
    const fill_job *j = ctx;
    for (size_t i = begin; i < end; i++)
        memcpy(j->dst + i * j->elem, j->value, j->elem);
}

static void run_pad(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *x = gn_cpu_shape(exec, step->node->in[0]);
    gn_pads pads;
    strided s = copy_of(exec, step);
    fill_job fill = {.dst = s.dst, .elem = s.elem};
    exec->status = gn_pads_of(exec->graph, step->node, &pads, NULL);
    if (exec->status != GN_OK)
        return;
    if (gn_cpu_in(exec, step, 2))
        memcpy(fill.value, gn_cpu_in(exec, step, 2), s.elem);
    gn_cpu_for_range(exec, (size_t)gn_cpu_elements(exec, step->node->out[0]), GN_CPU_CHUNK, fill_range, &fill);
    s.rank = x->rank;
    strides_of(exec, step->node->in[0], s.src_stride);
    strides_of(exec, step->node->out[0], s.dst_stride);
    for (int d = 0; d < s.rank; d++) {
        const int64_t first = pads.begin[d] < 0 ? -pads.begin[d] : 0,
                      last = x->dim[d] + (pads.end[d] < 0 ? pads.end[d] : 0);
        s.dim[d] = last - first;
        if (s.dim[d] <= 0)
            return; /* nothing of the input is left */
        s.src += first * s.src_stride[d] * (int64_t)s.elem;
        s.dst += (pads.begin[d] > 0 ? pads.begin[d] : 0) * s.dst_stride[d] * (int64_t)s.elem;
    }
    run_strided(exec, &s);
}

/* ---- Expand ---- */

static void run_expand(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *x = gn_cpu_shape(exec, step->node->in[0]), *y = gn_cpu_shape(exec, step->node->out[0]);
    int64_t stride[GN_MAX_RANK];
    strided s = copy_of(exec, step);
    s.rank = y->rank;
    strides_of(exec, step->node->in[0], stride);
    strides_of(exec, step->node->out[0], s.dst_stride);
    for (int d = 0; d < y->rank; d++) {
        const int k = d - (y->rank - x->rank);
        s.dim[d] = y->dim[d];
        s.src_stride[d] = k < 0 || x->dim[k] == 1 ? 0 : stride[k];
    }
    run_strided(exec, &s);
}

/* ---- SpaceToDepth and DepthToSpace ---- */

static void run_depth(gn_exec *exec, const gn_cpu_step *step)
{
    const bool to_depth = strcmp(step->node->op->name, "SpaceToDepth") == 0,
               channel_first = strcmp(gn_node_string(step->node, "mode", "DCR"), "CRD") == 0;
    const int64_t b = gn_node_int(step->node, "blocksize", 1);
    const int fine = to_depth ? step->node->in[0] : step->node->out[0],
              deep = to_depth ? step->node->out[0] : step->node->in[0];
    const gn_shape *small = gn_cpu_shape(exec, deep);
    const int64_t C = gn_cpu_shape(exec, fine)->dim[1];
    int64_t f[GN_MAX_RANK], k[GN_MAX_RANK];
    strided s = copy_of(exec, step);
    strides_of(exec, fine, f);
    strides_of(exec, deep, k);
    /* picture, channel, row and column of the block, row and column in it */
    const int64_t dim[6] = {small->dim[0], C, small->dim[2], small->dim[3], b, b};
    const int64_t in_fine[6] = {f[0], f[1], f[2] * b, f[3] * b, f[2], f[3]};
    const int64_t channel = channel_first ? b * b : 1, place = channel_first ? 1 : C;
    const int64_t in_deep[6] = {k[0], k[1] * channel, k[2], k[3], k[1] * place * b, k[1] * place};
    s.rank = 6;
    for (int d = 0; d < 6; d++) {
        s.dim[d] = dim[d];
        s.src_stride[d] = to_depth ? in_fine[d] : in_deep[d];
        s.dst_stride[d] = to_depth ? in_deep[d] : in_fine[d];
    }
    run_strided(exec, &s);
}

/* ---- Gather ---- */

typedef struct gather_job {
    gn_tensor indices;
    const unsigned char *src;
    unsigned char *dst;
    int64_t extent, n; /* along the axis: of the data, of the indices */
    size_t bytes;      /* of one slice */
} gather_job;

static int64_t index_at(const gather_job *j, int64_t i)
{
    const int64_t index = gn_tensor_get_s64(&j->indices, i);
    return index < 0 ? index + j->extent : index;
}

static void gather_rows(void *ctx, size_t begin, size_t end)
{
    const gather_job *j = ctx;
    for (size_t row = begin; row < end; row++) {
        const int64_t outer = (int64_t)row / j->n, i = (int64_t)row % j->n;
        memcpy(j->dst + row * j->bytes, j->src + (size_t)(outer * j->extent + index_at(j, i)) * j->bytes, j->bytes);
    }
}

static void run_gather(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *x = gn_cpu_shape(exec, step->node->in[0]), *i = gn_cpu_shape(exec, step->node->in[1]);
    int64_t axis = gn_node_int(step->node, "axis", 0), outer = 1;
    gather_job job = {
        .src = gn_cpu_in(exec, step, 0), .dst = gn_cpu_out(exec, step, 0), .bytes = elem_of(exec, step->node->in[0])};
    axis += axis < 0 ? x->rank : 0;
    for (int d = 0; d < x->rank; d++)
        if (d < axis)
            outer *= x->dim[d];
        else if (d > axis)
            job.bytes *= (size_t)x->dim[d];
    job.extent = x->dim[axis];
    job.n = gn_shape_count(i);
    job.indices = gn_tensor_view(gn_graph_value(exec->graph, step->node->in[1])->dtype, i, gn_cpu_in(exec, step, 1));
    for (int64_t k = 0; k < job.n; k++)
        if (index_at(&job, k) < 0 || index_at(&job, k) >= job.extent) {
            exec->status = GN_EINVAL;
            return;
        }
    gn_cpu_for_range(exec, (size_t)(outer * job.n), 65536 / job.bytes + 1, gather_rows, &job);
}

static const gn_cpu_op slice_op = {.domain = "", .name = "Slice", .run = run_slice, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op slice_grad_op = {
    .domain = "gannet", .name = "SliceGrad", .run = run_slice_grad, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op pad_op = {
    .domain = "", .name = "Pad", .run = run_pad, .takes = pads_constantly, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op expand_op = {.domain = "", .name = "Expand", .run = run_expand, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op to_depth_op = {
    .domain = "", .name = "SpaceToDepth", .run = run_depth, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op to_space_op = {
    .domain = "", .name = "DepthToSpace", .run = run_depth, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op gather_op = {.domain = "", .name = "Gather", .run = run_gather, .types = GN_CPU_TYPES_ANY};

const gn_cpu_op *const gn_cpu_strided_ops[] = {&slice_op,    &slice_grad_op, &pad_op,    &expand_op,
                                               &to_depth_op, &to_space_op,   &gather_op, NULL};
