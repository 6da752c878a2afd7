/* Resize and ResizeGrad of pictures on the CPU, nearest, linear or cubic along height and width.  Both are sums over lists of taps, one
 * list per row and one per column of the result; the gradient's lists are the transposed ones.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "graph/op.h"
#include "ops/resize_taps.h"

/* Position i of the result is the sum over begin[i] <= t < begin[i+1] of weight[t] * source position index[t]. */
typedef struct taps {
    int32_t *begin, *index;
    float *weight;
} taps;

typedef struct resize_detail {
    taps rows, columns;
} resize_detail;

static bool is_grad(const gn_node *node)
{
    return strcmp(node->op->name, "ResizeGrad") == 0;
}

/* Pictures that are resized along height and width only, all of the result inside. */
static bool resizes_pictures(const gn_graph *graph, const gn_node *node)
{
    gn_resize r;
    if (gn_in_dtype(graph, node, 0) != GN_DTYPE_F32 || gn_resize_of(graph, node, &r, NULL) != GN_OK || r.x.rank != 4 ||
        r.y.dim[0] != r.x.dim[0] || r.y.dim[1] != r.x.dim[1])
        return false;
    for (int d = 0; d < 4; d++) {
        gn_resize_axis axis;
        if (gn_resize_axis_init(&r, d, &axis) != GN_OK)
            return false;
        bool fits = d >= 2 || axis.is_identity;
        for (int64_t o = 0; o < axis.out && fits; o++)
            fits = !axis.is_outside[o];
        fits = fits && axis.out * axis.n < INT32_MAX;
        gn_resize_axis_deinit(&axis);
        if (!fits)
            return false;
    }
    return true;
}

/* Lists in the block at *at, which moves on; axis NULL: only counts.  turned: per source position, for the gradient. */
static void *place(unsigned char **at, size_t count, size_t elem)
{
    void *here = *at;
    *at += (count * elem + 7) / 8 * 8;
    return here;
}

static void place_taps(taps *t, unsigned char **at, size_t positions, size_t n)
{
    t->begin = place(at, positions + 1, sizeof *t->begin);
    t->index = place(at, n, sizeof *t->index);
    t->weight = place(at, n, sizeof *t->weight);
}

static size_t taps_bytes(const gn_resize_axis *axis, bool turned)
{
    const size_t n = (size_t)(axis->out * axis->n), positions = (size_t)(turned ? axis->in : axis->out);
    return (positions + 1) * sizeof(int32_t) + n * (sizeof(int32_t) + sizeof(float)) + 24;
}

/* Taps whose weight is 0 are left out; those that name one source position twice stay two. */
static void fill_taps(taps *t, const gn_resize_axis *axis, bool turned)
{
    int32_t n = 0;
    const int64_t positions = turned ? axis->in : axis->out;
    if (!turned) {
        for (int64_t o = 0; o < positions; o++) {
            t->begin[o] = n;
            for (int64_t k = o * axis->n; k < (o + 1) * axis->n; k++)
                if (axis->weight[k] > 0 || axis->weight[k] < 0) {
                    t->index[n] = (int32_t)axis->index[k];
                    t->weight[n++] = (float)axis->weight[k];
                }
        }
        t->begin[positions] = n;
        return;
    }
    memset(t->begin, 0, ((size_t)positions + 1) * sizeof *t->begin); /* counted, then summed, then filled */
    for (int64_t k = 0; k < axis->out * axis->n; k++)
        t->begin[axis->index[k] + 1] += axis->weight[k] > 0 || axis->weight[k] < 0;
    for (int64_t i = 0; i < positions; i++)
        t->begin[i + 1] += t->begin[i];
    for (int64_t k = 0; k < axis->out * axis->n; k++)
        if (axis->weight[k] > 0 || axis->weight[k] < 0) {
            const int32_t slot = t->begin[axis->index[k]]++;
            t->index[slot] = (int32_t)(k / axis->n);
            t->weight[slot] = (float)axis->weight[k];
        }
    for (int64_t i = positions; i > 0; i--)
        t->begin[i] = t->begin[i - 1];
    t->begin[0] = 0;
}

static gn_status prepare_resize(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    const bool turned = is_grad(step->node);
    gn_resize r;
    gn_resize_axis axes[2] = {{0}, {0}};
    GN_TRY(gn_resize_of(exec->graph, step->node, &r, err));
    gn_status status = gn_resize_axis_init(&r, 2, &axes[0]);
    if (status == GN_OK)
        status = gn_resize_axis_init(&r, 3, &axes[1]);
    if (status == GN_OK) {
        resize_detail *detail =
            gn_alloc(sizeof *detail + 8 + taps_bytes(&axes[0], turned) + taps_bytes(&axes[1], turned));
        if (detail) {
            unsigned char *at = (unsigned char *)detail + (sizeof *detail + 7) / 8 * 8;
            for (int i = 0; i < 2; i++) {
                taps *t = i ? &detail->columns : &detail->rows;
                place_taps(t, &at, (size_t)(turned ? axes[i].in : axes[i].out), (size_t)(axes[i].out * axes[i].n));
                fill_taps(t, &axes[i], turned);
            }
        }
        step->detail = detail;
        status = detail ? GN_OK : GN_ENOMEM;
    }
    gn_resize_axis_deinit(&axes[0]);
    gn_resize_axis_deinit(&axes[1]);
    return status == GN_OK ? GN_OK
                           : gn_fail(err, status, "node %s: no memory for its filter weights", step->node->name);
}

/* src [outer,H,W,inner], dst [outer,P,Q,inner]: N,H,W,C memory, or plain with one element inside. */
typedef struct resize_job {
    const resize_detail *detail;
    const float *src;
    float *dst;
    int64_t H, W, P, Q, inner;
    int64_t src_pixel, dst_pixel; /* elements from a pixel to the next */
} resize_job;

static void weighted(const float *src, float *dst, int64_t n, float weight, bool is_first)
{
    if (is_first)
        for (int64_t i = 0; i < n; i++)
            dst[i] = weight * src[i];
    else
        for (int64_t i = 0; i < n; i++)
            dst[i] += weight * src[i];
}

/* Two taps both ways, as in linear enlargement. */
static void four(const float *const src[4], const float weight[4], float *dst, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = weight[0] * src[0][i] + weight[1] * src[1][i] + weight[2] * src[2][i] + weight[3] * src[3][i];
}

static void one_pixel(const resize_job *j, const float *plane, float *dst, int64_t p, int64_t q)
{
    const taps *rows = &j->detail->rows, *columns = &j->detail->columns;
    const int32_t r0 = rows->begin[p], r1 = rows->begin[p + 1], c0 = columns->begin[q], c1 = columns->begin[q + 1];
    if (r1 - r0 == 2 && c1 - c0 == 2) {
        const float *src[4];
        float weight[4];
        for (int i = 0; i < 4; i++) {
            const int32_t r = r0 + i / 2, c = c0 + i % 2;
            src[i] = plane + ((int64_t)rows->index[r] * j->W + columns->index[c]) * j->src_pixel;
            weight[i] = rows->weight[r] * columns->weight[c];
        }
        four(src, weight, dst, j->inner);
        return;
    }
    if (r0 == r1 || c0 == c1)
        memset(dst, 0, (size_t)j->inner * sizeof *dst);
    for (int32_t r = r0; r < r1; r++)
        for (int32_t c = c0; c < c1; c++)
            weighted(plane + ((int64_t)rows->index[r] * j->W + columns->index[c]) * j->src_pixel, dst, j->inner,
                     rows->weight[r] * columns->weight[c], r == r0 && c == c0);
}

static void resize_rows(void *ctx, size_t begin, size_t end)
{
    const resize_job *j = ctx;
    for (size_t row = begin; row < end; row++) {
        const int64_t outer = (int64_t)row / j->P, p = (int64_t)row % j->P;
        const float *plane = j->src + outer * j->H * j->W * j->src_pixel;
        float *dst = j->dst + (int64_t)row * j->Q * j->dst_pixel;
        for (int64_t q = 0; q < j->Q; q++)
            one_pixel(j, plane, dst + q * j->dst_pixel, p, q);
    }
}

static void run_resize(gn_exec *exec, const gn_cpu_step *step)
{
    const int in = step->node->in[0], out = step->node->out[0];
    const gn_shape *x = gn_cpu_shape(exec, in), *y = gn_cpu_shape(exec, out);
    const bool is_nhwc =
        exec->plan->values[in].layout == GN_LAYOUT_NHWC || exec->plan->values[out].layout == GN_LAYOUT_NHWC;
    resize_job job = {.detail = step->detail,
                      .src = gn_cpu_in(exec, step, 0),
                      .dst = gn_cpu_out(exec, step, 0),
                      .H = x->dim[2],
                      .W = x->dim[3],
                      .P = y->dim[2],
                      .Q = y->dim[3],
                      .inner = is_nhwc ? x->dim[1] : 1};
    job.src_pixel = gn_cpu_stride(exec, in) > 0 ? gn_cpu_stride(exec, in) : job.inner;
    job.dst_pixel = gn_cpu_stride(exec, out) > 0 ? gn_cpu_stride(exec, out) : job.inner;
    const int64_t outer = x->dim[0] * (is_nhwc ? 1 : x->dim[1]);
    gn_cpu_for_range(exec, (size_t)(outer * job.P), GN_CPU_CHUNK / 2 / (size_t)(job.Q * job.inner) + 1, resize_rows,
                     &job);
}

static const gn_cpu_op resize_op = {.domain = "",
                                    .name = "Resize",
                                    .prepare = prepare_resize,
                                    .run = run_resize,
                                    .takes = resizes_pictures,
                                    .types = GN_CPU_TYPES_ANY,
                                    .slices_in = 1u << 0,
                                    .slices_out = 1u << 0};
static const gn_cpu_op resize_grad_op = {.domain = "gannet",
                                         .name = "ResizeGrad",
                                         .prepare = prepare_resize,
                                         .run = run_resize,
                                         .takes = resizes_pictures,
                                         .types = GN_CPU_TYPES_ANY};

const gn_cpu_op *const gn_cpu_resize_ops[] = {&resize_op, &resize_grad_op, NULL};
