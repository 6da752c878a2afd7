/* Operators on the CPU that map each element by itself: activations, their gradients, elementwise functions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "kernels/elementwise.h"

/* dst[i] = f(a[i], b[i]) with the constants k; b is NULL for operators of one operand. */
typedef void (*map_fn)(const float *a, const float *b, float *dst, size_t n, const float *k);

/* A handler and what it maps by: the constants are float attributes. */
typedef struct map_op {
    gn_cpu_op op; /* first, so that a step's handler leads here */
    map_fn fn;
    const char *attrs[2];
    float fallback[2];
} map_op;

typedef struct map_job {
    const float *a, *b;
    float *dst;
    map_fn fn;
    float k[2];
} map_job;

static void map_range(void *ctx, size_t begin, size_t end)
{
    const map_job *j = ctx;
    j->fn(j->a + begin, j->b ? j->b + begin : NULL, j->dst + begin, end - begin, j->k);
}

static void run_map(gn_exec *exec, const gn_cpu_step *step)
{
    const map_op *op = (const map_op *)(const void *)step->op;
    map_job job = {gn_cpu_in(exec, step, 0), gn_cpu_in(exec, step, 1), gn_cpu_out(exec, step, 0), op->fn, {0}};
    for (int i = 0; i < 2 && op->attrs[i]; i++)
        job.k[i] = gn_node_float(step->node, op->attrs[i], op->fallback[i]);
    gn_cpu_for_range(exec, (size_t)gn_cpu_elements(exec, step->node->out[0]), GN_CPU_CHUNK, map_range, &job);
}

/* ---- by kernels ---- */

#define MAP1(name, call)                                                                                               \
    static void map_##name(const float *a, const float *b, float *dst, size_t n, const float *k)                       \
    {                                                                                                                  \
        (void)b;                                                                                                       \
        (void)k;                                                                                                       \
        call;                                                                                                          \
    }
#define MAP2(name, call)                                                                                               \
    static void map_##name(const float *a, const float *b, float *dst, size_t n, const float *k)                       \
    {                                                                                                                  \
        (void)k;                                                                                                       \
        call;                                                                                                          \
    }

MAP1(silu, gn_f32_silu(a, dst, n))
MAP2(silu_grad, gn_f32_silu_grad(a, b, dst, n))
MAP1(leaky_relu, gn_f32_leaky_relu(a, dst, n, k[0]))
MAP2(leaky_relu_grad, gn_f32_leaky_relu_grad(a, b, dst, n, k[0]))
MAP1(hard_sigmoid, gn_f32_hardsigmoid(a, dst, n, k[0], k[1]))
MAP2(hard_sigmoid_grad, gn_f32_hardsigmoid_grad(a, b, dst, n, k[0]))
MAP1(elu, gn_f32_elu(a, dst, n, k[0]))
MAP2(elu_grad, gn_f32_elu_grad(a, b, dst, n, k[0]))
MAP1(tanh, gn_f32_tanh(a, dst, n))
MAP2(tanh_grad, gn_f32_tanh_grad(a, b, dst, n))
MAP1(exp, gn_f32_exp(a, dst, n))
MAP1(erf, gn_f32_erf(a, dst, n))
MAP1(gelu, gn_f32_gelu(a, dst, n))
MAP2(gelu_grad, gn_f32_gelu_grad(a, b, dst, n))
MAP1(gelu_tanh, gn_f32_gelu_tanh(a, dst, n))
MAP2(gelu_tanh_grad, gn_f32_gelu_tanh_grad(a, b, dst, n))
MAP1(neg, gn_f32_scale(a, -1.0f, dst, n))

/* ---- by the C library: operators that no network spends its time in ---- */

#define LOOP1(name, formula)                                                                                           \
    static void map_##name(const float *a, const float *b, float *dst, size_t n, const float *k)                       \
    {                                                                                                                  \
        (void)b;                                                                                                       \
        (void)k;                                                                                                       \
        for (size_t i = 0; i < n; i++) {                                                                               \
            const float x = a[i];                                                                                      \
            dst[i] = formula;                                                                                          \
        }                                                                                                              \
    }

LOOP1(log, logf(x))
LOOP1(sqrt, sqrtf(x))
LOOP1(abs, fabsf(x))
LOOP1(reciprocal, 1.0f / x)
LOOP1(softplus, x > 0.0f ? x + log1pf(expf(-x)) : log1pf(expf(x)))

static void map_abs_grad(const float *a, const float *b, float *dst, size_t n, const float *k)
{
    (void)k;
    for (size_t i = 0; i < n; i++)
        dst[i] = b[i] > 0.0f ? a[i] : b[i] < 0.0f ? -a[i] : 0.0f;
}

/* ---- Gelu has two forms ---- */

static void run_gelu_form(gn_exec *exec, const gn_cpu_step *step, map_fn exact, map_fn approximated)
{
    const bool is_tanh = strcmp(gn_node_string(step->node, "approximate", "none"), "tanh") == 0;
    map_job job = {gn_cpu_in(exec, step, 0),
                   gn_cpu_in(exec, step, 1),
                   gn_cpu_out(exec, step, 0),
                   is_tanh ? approximated : exact,
                   {0}};
    gn_cpu_for_range(exec, (size_t)gn_cpu_elements(exec, step->node->out[0]), GN_CPU_CHUNK, map_range, &job);
}

static void run_gelu(gn_exec *exec, const gn_cpu_step *step)
{
    run_gelu_form(exec, step, map_gelu, map_gelu_tanh);
}

static void run_gelu_grad(gn_exec *exec, const gn_cpu_step *step)
{
    run_gelu_form(exec, step, map_gelu_grad, map_gelu_tanh_grad);
}

static const gn_cpu_op gelu_op = {.domain = "", .name = "Gelu", .run = run_gelu};
static const gn_cpu_op gelu_grad_op = {.domain = "gannet", .name = "GeluGrad", .run = run_gelu_grad};

/* ---- PRelu: the slope is one number, or one per channel where channels lie last in memory ---- */

typedef struct prelu_job {
    const float *dy, *x, *slope;
    float *dst, *dslope;
    size_t C;
    bool is_scalar;
} prelu_job;

static void prelu_rows(void *ctx, size_t begin, size_t end)
{
    const prelu_job *j = ctx;
    for (size_t r = begin; r < end; r++)
        for (size_t c = 0; c < j->C; c++) {
            const float x = j->x[r * j->C + c];
            j->dst[r * j->C + c] = x < 0.0f ? x * j->slope[j->is_scalar ? 0 : c] : x;
        }
}

static void prelu_grad_rows(void *ctx, size_t begin, size_t end)
{
    const prelu_job *j = ctx;
    for (size_t r = begin; r < end; r++)
        for (size_t c = 0; c < j->C; c++) {
            const size_t i = r * j->C + c;
            const float x = j->x[i], dy = j->dy[i];
            j->dst[i] = x < 0.0f ? dy * j->slope[j->is_scalar ? 0 : c] : dy;
            if (j->dslope)
                j->dslope[i] = x < 0.0f ? dy * x : 0.0f;
        }
}

/* Operand x of the node, and the one behind it, the slope. */
static void run_prelu_on(gn_exec *exec, const gn_cpu_step *step, int x, gn_cpu_range_fn fn)
{
    const gn_node *node = step->node;
    const bool is_nhwc = exec->plan->values[node->out[0]].layout == GN_LAYOUT_NHWC;
    const gn_shape shape = gn_cpu_permuted(exec, node->in[x], is_nhwc),
                   slope = gn_cpu_permuted(exec, node->in[x + 1], is_nhwc);
    const int64_t n = gn_shape_count(&shape), n_slope = gn_shape_count(&slope);
    const int64_t width = shape.rank > 0 ? shape.dim[shape.rank - 1] : 1;
    const bool per_channel = slope.rank > 0 && n_slope == width && slope.dim[slope.rank - 1] == width;
    if (n_slope != 1 && !per_channel) {
        gn_cpu_reference_op.run(exec, step);
        return;
    }
    prelu_job job = {x ? gn_cpu_in(exec, step, 0) : NULL,
                     gn_cpu_in(exec, step, x),
                     gn_cpu_in(exec, step, x + 1),
                     gn_cpu_out(exec, step, 0),
                     gn_cpu_out(exec, step, 1),
                     (size_t)width,
                     n_slope == 1};
    gn_cpu_for_range(exec, (size_t)(n / width), GN_CPU_CHUNK / job.C + 1, fn, &job);
}

static void run_prelu(gn_exec *exec, const gn_cpu_step *step)
{
    run_prelu_on(exec, step, 0, prelu_rows);
}

static void run_prelu_grad(gn_exec *exec, const gn_cpu_step *step)
{
    run_prelu_on(exec, step, 1, prelu_grad_rows);
}

static const gn_cpu_op prelu_op = {.domain = "", .name = "PRelu", .run = run_prelu};
static const gn_cpu_op prelu_grad_op = {.domain = "gannet", .name = "PReluGrad", .run = run_prelu_grad};

/* ---- the list ---- */

#define OP(variable, its_domain, its_name, ...)                                                                        \
    static const map_op variable##_op = {                                                                              \
        .op = {.domain = its_domain, .name = its_name, .run = run_map}, .fn = map_##variable, __VA_ARGS__};
#define ALPHA(value) .attrs = {"alpha"}, .fallback = {value}

OP(silu, "gannet", "Silu", .attrs = {NULL})
OP(silu_grad, "gannet", "SiluGrad", .attrs = {NULL})
OP(leaky_relu, "", "LeakyRelu", ALPHA(0.01f))
OP(leaky_relu_grad, "gannet", "LeakyReluGrad", ALPHA(0.01f))
OP(hard_sigmoid, "", "HardSigmoid", .attrs = {"alpha", "beta"}, .fallback = {0.2f, 0.5f})
OP(hard_sigmoid_grad, "gannet", "HardSigmoidGrad", ALPHA(0.2f))
OP(elu, "", "Elu", ALPHA(1.0f))
OP(elu_grad, "gannet", "EluGrad", ALPHA(1.0f))
OP(tanh, "", "Tanh", .attrs = {NULL})
OP(tanh_grad, "gannet", "TanhGrad", .attrs = {NULL})
OP(exp, "", "Exp", .attrs = {NULL})
OP(erf, "", "Erf", .attrs = {NULL})
OP(neg, "", "Neg", .attrs = {NULL})
OP(log, "", "Log", .attrs = {NULL})
OP(sqrt, "", "Sqrt", .attrs = {NULL})
OP(abs, "", "Abs", .attrs = {NULL})
OP(abs_grad, "gannet", "AbsGrad", .attrs = {NULL})
OP(reciprocal, "", "Reciprocal", .attrs = {NULL})
OP(softplus, "", "Softplus", .attrs = {NULL})

const gn_cpu_op *const gn_cpu_map_ops[] = {&silu_op.op,         &silu_grad_op.op,
                                           &leaky_relu_op.op,   &leaky_relu_grad_op.op,
                                           &hard_sigmoid_op.op, &hard_sigmoid_grad_op.op,
                                           &elu_op.op,          &elu_grad_op.op,
                                           &tanh_op.op,         &tanh_grad_op.op,
                                           &exp_op.op,          &erf_op.op,
                                           &neg_op.op,          &log_op.op,
                                           &sqrt_op.op,         &abs_op.op,
                                           &abs_grad_op.op,     &reciprocal_op.op,
                                           &softplus_op.op,     &gelu_op,
                                           &gelu_grad_op,       &prelu_op,
                                           &prelu_grad_op,      NULL};
