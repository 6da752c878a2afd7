/* Comparisons, Where, extrema along axes and casts to f32 on the CPU: what decodes the heads of detectors.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "graph/op.h"
#include "ops/op_rules.h"
#include "ops/reduce_rules.h"

/* ---- elementwise with broadcasting: operand k of element (i0, i1, ...) lies at data[k] + sum of i*stride[k] bytes ---- */

#define MOST_OPERANDS 4 /* the result is the last one */

typedef struct walk {
    int rank, n; /* n: operands, the result included */
    int64_t dim[GN_MAX_RANK];
    int64_t stride[MOST_OPERANDS][GN_MAX_RANK];
    unsigned char *data[MOST_OPERANDS];
    size_t elem; /* of the result */
    /* One row along the last dimension. */
    void (*row)(const struct walk *w, unsigned char *const *at, int64_t n);
} walk;

static void add_operand(const gn_exec *exec, walk *w, int value, const gn_shape *result, bool is_nhwc)
{
    const gn_shape s = gn_cpu_permuted(exec, value, is_nhwc);
    int64_t step = (int64_t)gn_dtype_bytes(gn_graph_value(exec->graph, value)->dtype);
    for (int d = 0; d < result->rank; d++)
        w->stride[w->n][d] = 0;
    for (int d = s.rank - 1; d >= 0; d--) {
        w->stride[w->n][d + result->rank - s.rank] = s.dim[d] == 1 ? 0 : step;
        step *= s.dim[d];
    }
    w->data[w->n++] = gn_cpu_ptr(exec, value);
}

/* Neighbouring dimensions along which every operand runs on become one. */
static void merge(walk *w)
{
    int n = 0; /* the last dimension that stays */
    for (int d = 1; d < w->rank; d++) {
        bool runs_on = true;
        for (int k = 0; k < w->n; k++)
            runs_on = runs_on && w->stride[k][n] == w->stride[k][d] * w->dim[d];
        if (w->dim[n] == 1)
            w->dim[n] = w->dim[d];
        else if (runs_on)
            w->dim[n] *= w->dim[d];
        else
            w->dim[++n] = w->dim[d];
        for (int k = 0; k < w->n; k++)
            w->stride[k][n] = w->stride[k][d];
    }
    w->rank = w->rank > 0 ? n + 1 : 1;
}

static void walk_rows(void *ctx, size_t begin, size_t end)
{
    const walk *w = ctx;
    const int last = w->rank - 1;
    for (size_t row = begin; row < end; row++) {
        unsigned char *at[MOST_OPERANDS];
        int64_t rest = (int64_t)row;
        memcpy(at, w->data, sizeof at);
        for (int d = last - 1; d >= 0; d--) {
            const int64_t i = rest % w->dim[d];
            rest /= w->dim[d];
            for (int k = 0; k < w->n; k++)
                at[k] += i * w->stride[k][d];
        }
        w->row(w, at, w->dim[last]);
    }
}

static void run_walk(gn_exec *exec, const gn_cpu_step *step, walk *w)
{
    const int out = step->node->out[0];
    const bool is_nhwc = exec->plan->values[out].layout == GN_LAYOUT_NHWC;
    const gn_shape result = gn_cpu_permuted(exec, out, is_nhwc);
    size_t rows = 1;
    w->rank = result.rank;
    w->dim[0] = 1;
    for (int d = 0; d < result.rank; d++)
        w->dim[d] = result.dim[d];
    for (int i = 0; i < step->node->n_in; i++)
        add_operand(exec, w, step->node->in[i], &result, is_nhwc);
    add_operand(exec, w, out, &result, is_nhwc);
    w->elem = gn_dtype_bytes(gn_graph_value(exec->graph, out)->dtype);
    if (result.rank > 0)
        merge(w);
    else
        w->rank = 1;
    for (int d = 0; d < w->rank - 1; d++)
        rows *= (size_t)w->dim[d];
    gn_cpu_for_range(exec, rows, GN_CPU_CHUNK / (size_t)w->dim[w->rank - 1] + 1, walk_rows, w);
}

#define COMPARISON(name, operator)                                                                                     \
    static void name##_row(const walk *w, unsigned char *const *at, int64_t n)                                         \
    {                                                                                                                  \
        const int64_t a = w->stride[0][w->rank - 1], b = w->stride[1][w->rank - 1];                                    \
        for (int64_t i = 0; i < n; i++)                                                                                \
            at[2][i] =                                                                                                 \
                *(const float *)(const void *)(at[0] + i * a) operator*(const float *)(const void *)(at[1] + i * b);   \
    }                                                                                                                  \
    static void run_##name(gn_exec *exec, const gn_cpu_step *step)                                                     \
    {                                                                                                                  \
        walk w = {.row = name##_row};                                                                                  \
        run_walk(exec, step, &w);                                                                                      \
    }

COMPARISON(equal, ==)
COMPARISON(greater, >)
COMPARISON(greater_or_equal, >=)
COMPARISON(less, <)
COMPARISON(less_or_equal, <=)

static void where_row(const walk *w, unsigned char *const *at, int64_t n)
{
    const int last = w->rank - 1;
    const int64_t c = w->stride[0][last], a = w->stride[1][last], b = w->stride[2][last];
    if (w->elem == 4) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)at[3])[i] = at[0][i * c] ? *(const uint32_t *)(const void *)(at[1] + i * a)
                                                          : *(const uint32_t *)(const void *)(at[2] + i * b);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        memcpy(at[3] + (size_t)i * w->elem, at[0][i * c] ? at[1] + i * a : at[2] + i * b, w->elem);
}

static void run_where(gn_exec *exec, const gn_cpu_step *step)
{
    walk w = {.row = where_row};
    run_walk(exec, step, &w);
}

/* ---- casts to f32 ---- */

typedef struct cast_job {
    gn_tensor src;
    float *dst;
} cast_job;

#define WIDEN(type)                                                                                                    \
    for (size_t i = begin; i < end; i++)                                                                               \
    j->dst[i] = (float)((const type *)j->src.data)[i]

static void cast_range(void *ctx, size_t begin, size_t end)
{
    const cast_job *j = ctx;
    if (j->src.dtype == GN_DTYPE_S64)
        WIDEN(int64_t);
    else if (j->src.dtype == GN_DTYPE_S32)
        WIDEN(int32_t);
    else if (j->src.dtype == GN_DTYPE_S8)
        WIDEN(int8_t);
    else
        WIDEN(uint8_t); /* u8 and bool */
}

static bool casts_to_f32(const gn_graph *graph, const gn_node *node)
{
    const gn_dtype from = gn_in_dtype(graph, node, 0);
    return gn_graph_value(graph, node->out[0])->dtype == GN_DTYPE_F32 &&
           (from == GN_DTYPE_S64 || from == GN_DTYPE_S32 || from == GN_DTYPE_S8 || from == GN_DTYPE_U8 ||
            from == GN_DTYPE_BOOL);
}

static void run_cast(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_value *x = gn_graph_value(exec->graph, step->node->in[0]);
    cast_job job = {gn_tensor_view(x->dtype, &x->shape, gn_cpu_in(exec, step, 0)), gn_cpu_out(exec, step, 0)};
    gn_cpu_for_range(exec, (size_t)gn_shape_count(&x->shape), GN_CPU_CHUNK, cast_range, &job);
}

/* ---- extrema along axes: x is [outer, terms, inner] ---- */

typedef struct extremum_job {
    const float *x;
    float *y;
    int64_t *place; /* ArgMax and ArgMin, else NULL */
    int64_t outer, terms, inner;
    bool is_max;
} extremum_job;

/* Reduced axes that are neighbours. */
static bool as_rows(const gn_shape *x, const bool *is_axis, extremum_job *j)
{
    int stage = 0; /* 0: before the reduced axes, 1: in them, 2: behind */
    j->outer = j->terms = j->inner = 1;
    for (int d = 0; d < x->rank; d++) {
        if (is_axis[d]) {
            if (stage == 2 && x->dim[d] != 1)
                return false;
            stage = stage == 2 ? 2 : 1;
            j->terms *= x->dim[d];
        } else if (stage == 0)
            j->outer *= x->dim[d];
        else {
            stage = x->dim[d] != 1 ? 2 : stage;
            j->inner *= x->dim[d];
        }
    }
    return true;
}

static bool reduces_rows(const gn_graph *graph, const gn_node *node)
{
    gn_reduction r;
    extremum_job j;
    return gn_reduction_of(graph, node, &r, NULL) == GN_OK && as_rows(&r.x, r.is_axis, &j);
}

/* NaN wins, as in the reference. */
static inline bool is_better(float x, float held, bool is_max)
{
    return (is_max ? x > held : x < held) || isnan(x);
}

static void reduce_rows(void *ctx, size_t begin, size_t end)
{
    const extremum_job *j = ctx;
    const int64_t n = j->inner;
    for (size_t o = begin; o < end; o++) {
        const float *x = j->x + (int64_t)o * j->terms * n;
        float *y = j->y + (int64_t)o * n;
        memcpy(y, x, (size_t)n * sizeof *y);
        for (int64_t t = 1; t < j->terms; t++)
            for (int64_t i = 0; i < n; i++)
                y[i] = is_better(x[t * n + i], y[i], j->is_max) ? x[t * n + i] : y[i];
    }
}

static void run_reduce(gn_exec *exec, const gn_cpu_step *step)
{
    gn_reduction r;
    extremum_job job = {.x = gn_cpu_in(exec, step, 0),
                        .y = gn_cpu_out(exec, step, 0),
                        .is_max = strcmp(step->node->op->name, "ReduceMax") == 0};
    exec->status = gn_reduction_of(exec->graph, step->node, &r, NULL);
    if (exec->status != GN_OK || !as_rows(&r.x, r.is_axis, &job))
        return;
    gn_cpu_for_range(exec, (size_t)job.outer, GN_CPU_CHUNK / (size_t)(job.terms * job.inner) + 1, reduce_rows, &job);
}

/* The first of equals; a comparison with NaN is never better. */
static void find_rows(void *ctx, size_t begin, size_t end)
{
    const extremum_job *j = ctx;
    const int64_t n = j->inner;
    for (size_t row = begin; row < end; row++) {
        const float *x = j->x + (int64_t)row / n * j->terms * n + (int64_t)row % n;
        int64_t best = 0;
        for (int64_t t = 1; t < j->terms; t++)
            if (j->is_max ? x[t * n] > x[best * n] : x[t * n] < x[best * n])
                best = t;
        j->place[row] = best;
    }
}

static bool finds_the_first(const gn_graph *graph, const gn_node *node)
{
    (void)graph;
    return gn_node_int(node, "select_last_index", 0) == 0;
}

static void run_find(gn_exec *exec, const gn_cpu_step *step)
{
    const gn_shape *x = gn_cpu_shape(exec, step->node->in[0]);
    bool is_axis[GN_MAX_RANK] = {false};
    extremum_job job = {.x = gn_cpu_in(exec, step, 0),
                        .place = gn_cpu_out(exec, step, 0),
                        .is_max = strcmp(step->node->op->name, "ArgMax") == 0};
    int axis;
    exec->status = gn_op_axis(step->node, "axis", 0, x->rank, &axis, NULL);
    if (exec->status != GN_OK)
        return;
    is_axis[axis] = true;
    as_rows(x, is_axis, &job);
    gn_cpu_for_range(exec, (size_t)(job.outer * job.inner), GN_CPU_CHUNK / (size_t)job.terms + 1, find_rows, &job);
}

static const gn_cpu_op equal_op = {.domain = "", .name = "Equal", .run = run_equal};
static const gn_cpu_op greater_op = {.domain = "", .name = "Greater", .run = run_greater};
static const gn_cpu_op greater_or_equal_op = {.domain = "", .name = "GreaterOrEqual", .run = run_greater_or_equal};
static const gn_cpu_op less_op = {.domain = "", .name = "Less", .run = run_less};
static const gn_cpu_op less_or_equal_op = {.domain = "", .name = "LessOrEqual", .run = run_less_or_equal};
static const gn_cpu_op where_op = {.domain = "", .name = "Where", .run = run_where, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op cast_op = {
    .domain = "", .name = "Cast", .run = run_cast, .takes = casts_to_f32, .types = GN_CPU_TYPES_ANY};
static const gn_cpu_op reduce_max_op = {
    .domain = "", .name = "ReduceMax", .run = run_reduce, .takes = reduces_rows, .types = GN_CPU_TYPES_F32_FIRST};
static const gn_cpu_op reduce_min_op = {
    .domain = "", .name = "ReduceMin", .run = run_reduce, .takes = reduces_rows, .types = GN_CPU_TYPES_F32_FIRST};
static const gn_cpu_op arg_max_op = {.domain = "", .name = "ArgMax", .run = run_find, .takes = finds_the_first};
static const gn_cpu_op arg_min_op = {.domain = "", .name = "ArgMin", .run = run_find, .takes = finds_the_first};

const gn_cpu_op *const gn_cpu_select_ops[] = {
    &equal_op, &greater_op,    &greater_or_equal_op, &less_op,    &less_or_equal_op, &where_op,
    &cast_op,  &reduce_max_op, &reduce_min_op,       &arg_max_op, &arg_min_op,       NULL};
