/* Checks the elementwise kernels (kernels/elementwise.h): each against a formula in f64 at the ref level, and against the ref level
 * elsewhere, for lengths around the vector sizes, in place, and on NaN, infinities and zeros of both signs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kernels/elementwise.h"

#define ULP 0x1p-23 /* one unit in the last place is at most this share of a float */

static const gn_clamp relu6 = {0.0F, 6.0F};

/* ---- kernels of one or two sources, element by element ---- */

typedef void (*apply_fn)(const float *a, const float *b, float *dst, size_t n);
typedef double (*formula_fn)(double a, double b);

static void run_add_clamp(const float *a, const float *b, float *dst, size_t n)
{
    gn_f32_add_clamp(a, b, dst, n, relu6);
}
static void run_scale(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_scale(a, 1.7F, dst, n);
}
static void run_axpy(const float *a, const float *b, float *dst, size_t n)
{
    memmove(dst, b, n * sizeof *dst);
    gn_f32_axpy(0.3F, a, dst, n);
}
static void run_fill(const float *a, const float *b, float *dst, size_t n)
{
    (void)a;
    (void)b;
    gn_f32_fill(2.5F, dst, n);
}
static void run_clamp(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_clamp(a, dst, n, relu6);
}
static void run_clamp_grad(const float *a, const float *b, float *dst, size_t n)
{
    gn_f32_clamp_grad(a, b, dst, n, relu6);
}
static void run_sigmoid(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_sigmoid(a, dst, n);
}
static void run_hardswish(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_hardswish(a, dst, n);
}

static void run_silu(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_silu(a, dst, n);
}

static void run_leaky_relu(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_leaky_relu(a, dst, n, 0.125F);
}
static void run_leaky_relu_grad(const float *a, const float *b, float *dst, size_t n)
{
    gn_f32_leaky_relu_grad(a, b, dst, n, 0.125F);
}
static void run_hardsigmoid(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_hardsigmoid(a, dst, n, 0.1875F, 0.5F);
}
static void run_hardsigmoid_grad(const float *a, const float *b, float *dst, size_t n)
{
    gn_f32_hardsigmoid_grad(a, b, dst, n, 0.1875F);
}
static void run_elu(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_elu(a, dst, n, 1.5F);
}
static void run_elu_grad(const float *a, const float *b, float *dst, size_t n)
{
    gn_f32_elu_grad(a, b, dst, n, 1.5F);
}
static void run_gelu(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_gelu(a, dst, n);
}
static void run_gelu_tanh(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_gelu_tanh(a, dst, n);
}
static void run_tanh(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_tanh(a, dst, n);
}
static void run_exp(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_exp(a, dst, n);
}
static void run_erf(const float *a, const float *b, float *dst, size_t n)
{
    (void)b;
    gn_f32_erf(a, dst, n);
}

static double f_add(double a, double b)
{
    return a + b;
}
static double f_sub(double a, double b)
{
    return a - b;
}
static double f_mul(double a, double b)
{
    return a * b;
}
static double f_clamp(double a, double b)
{
    (void)b;
    return a < 0 ? 0 : a > 6 ? 6 : a;
}
static double f_add_clamp(double a, double b)
{
    return f_clamp(a + b, 0);
}
static double f_scale(double a, double b)
{
    (void)b;
    return a * (double)1.7F;
}
static double f_axpy(double a, double b)
{
    return (double)0.3F * a + b;
}
static double f_fill(double a, double b)
{
    (void)a;
    (void)b;
    return 2.5;
}
static double f_clamp_grad(double a, double b)
{
    return 0 < b && b < 6 ? a : 0;
}
static double f_sigmoid(double a, double b)
{
    (void)b;
    return 1 / (1 + exp(-a));
}
static double f_sigmoid_grad(double a, double b)
{
    return a * b * (1 - b);
}
static double f_hardswish(double a, double b)
{
    (void)b;
    const double gate = a / 6 + 0.5;
    return a * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
}
static double f_hardswish_grad(double a, double b)
{
    return a * (b <= -3 ? 0 : b >= 3 ? 1 : b / 3 + 0.5);
}

static double f_silu(double a, double b)
{
    (void)b;
    return a / (1 + exp(-a));
}
static double f_silu_grad(double a, double b)
{
    const double s = 1 / (1 + exp(-b));
    return a * s * (1 + b * (1 - s));
}

static double f_leaky_relu(double a, double b)
{
    (void)b;
    return a < 0 ? 0.125 * a : a;
}
static double f_leaky_relu_grad(double a, double b)
{
    return b < 0 ? 0.125 * a : a;
}
static double f_hardsigmoid(double a, double b)
{
    (void)b;
    return fmin(fmax(a * 0.1875 + 0.5, 0), 1);
}
static double f_hardsigmoid_grad(double a, double b)
{
    return b > 0 && b < 1 ? 0.1875 * a : 0;
}
static double f_elu(double a, double b)
{
    (void)b;
    return a < 0 ? 1.5 * expm1(a) : a;
}
static double f_elu_grad(double a, double b)
{
    return b < 0 ? 1.5 * exp(b) * a : a;
}
static double f_gelu(double a, double b)
{
    (void)b;
    return 0.5 * a * erfc(-a * sqrt(0.5));
}
static double f_gelu_grad(double a, double b)
{
    return a * (0.5 * erfc(-b * sqrt(0.5)) + b * exp(-0.5 * b * b) / sqrt(2 * acos(-1)));
}
static double f_gelu_tanh(double a, double b)
{
    (void)b;
    return 0.5 * a * (1 + tanh(sqrt(2 / acos(-1)) * (a + 0.044715 * a * a * a)));
}
static double f_gelu_tanh_grad(double a, double b)
{
    const double s = sqrt(2 / acos(-1)), t = tanh(s * (b + 0.044715 * b * b * b));
    return 0.5 * a * (1 + t + b * (1 - t * t) * s * (1 + 3 * 0.044715 * b * b));
}
static double f_tanh(double a, double b)
{
    (void)b;
    return tanh(a);
}
static double f_tanh_grad(double a, double b)
{
    return a * (1 - b * b);
}
static double f_exp(double a, double b)
{
    (void)b;
    return exp(a);
}
static double f_erf(double a, double b)
{
    (void)b;
    return erf(a);
}

typedef struct subject {
    const char *name;
    apply_fn run;
    formula_fn formula;
    float lo, hi; /* range of the sources */
    /* Bound against the formula; abs_tol where sums cancel. */
    double abs_tol, rel_tol;
    int floats_moved; /* per element, for --bench */
} subject;

static const subject subjects[] = {
    {"add", gn_f32_add, f_add, -8, 8, 0, ULP, 3},
    {"add_clamp", run_add_clamp, f_add_clamp, -8, 8, 0, ULP, 3},
    {"sub", gn_f32_sub, f_sub, -8, 8, 0, ULP, 3},
    {"mul", gn_f32_mul, f_mul, -8, 8, 0, ULP, 3},
    {"scale", run_scale, f_scale, -8, 8, 0, ULP, 2},
    {"axpy", run_axpy, f_axpy, -8, 8, 16 * ULP, 0, 3},
    {"fill", run_fill, f_fill, -8, 8, 0, 0, 1},
    {"clamp", run_clamp, f_clamp, -8, 8, 0, 0, 2},
    {"clamp_grad", run_clamp_grad, f_clamp_grad, -8, 8, 0, 0, 3},
    {"sigmoid", run_sigmoid, f_sigmoid, -85, 85, 0, 2 * ULP, 2},
    {"sigmoid_grad", gn_f32_sigmoid_grad, f_sigmoid_grad, -1, 1, 4 * ULP, 0, 3},
    {"hardswish", run_hardswish, f_hardswish, -8, 8, 16 * ULP, 0, 2},
    {"hardswish_grad", gn_f32_hardswish_grad, f_hardswish_grad, -8, 8, 16 * ULP, 0, 3},
    {"silu", run_silu, f_silu, -85, 85, 0, 3 * ULP, 2},
    {"silu_grad", gn_f32_silu_grad, f_silu_grad, -20, 20, 160 * ULP, 4 * ULP, 3},
    {"leaky_relu", run_leaky_relu, f_leaky_relu, -8, 8, 0, ULP, 2},
    {"leaky_relu_grad", run_leaky_relu_grad, f_leaky_relu_grad, -8, 8, 0, ULP, 3},
    {"hardsigmoid", run_hardsigmoid, f_hardsigmoid, -8, 8, 2 * ULP, 0, 2},
    {"hardsigmoid_grad", run_hardsigmoid_grad, f_hardsigmoid_grad, -2, 2, 0, ULP, 3},
    {"elu", run_elu, f_elu, -30, 10, 4 * ULP, ULP, 2},
    {"elu_grad", run_elu_grad, f_elu_grad, -8, 4, 0, 4 * ULP, 3},
    {"gelu", run_gelu, f_gelu, -10, 10, 6 * ULP, 2 * ULP, 2},
    {"gelu_grad", gn_f32_gelu_grad, f_gelu_grad, -6, 6, 24 * ULP, 4 * ULP, 3},
    {"gelu_tanh", run_gelu_tanh, f_gelu_tanh, -10, 10, 8 * ULP, 4 * ULP, 2},
    {"gelu_tanh_grad", gn_f32_gelu_tanh_grad, f_gelu_tanh_grad, -6, 6, 64 * ULP, 128 * ULP, 3},
    {"tanh", run_tanh, f_tanh, -12, 12, 0, 3 * ULP, 2},
    {"tanh_grad", gn_f32_tanh_grad, f_tanh_grad, -1, 1, 4 * ULP, 0, 3},
    {"exp", run_exp, f_exp, -85, 85, 0, 2 * ULP, 2},
    {"erf", run_erf, f_erf, -5, 5, 0, 2 * ULP, 2},
};

static void check_range(gn_check *c, const subject *s, size_t n)
{
    const float *a = check_random(c, n, s->lo, s->hi), *b = check_random(c, n, s->lo, s->hi);
    double *expected = check_doubles(c, n);
    for (size_t i = 0; i < n; i++)
        expected[i] = s->formula((double)a[i], (double)b[i]);
    float *apart = check_dst(c, n), *in_a = check_dst(c, n), *in_b = check_dst(c, n);
    memcpy(in_a, a, n * sizeof *a);
    memcpy(in_b, b, n * sizeof *b);
    s->run(a, b, apart, n);
    s->run(in_a, b, in_a, n);
    s->run(a, in_b, in_b, n);
    check_close_f64(c, "apart from its sources", apart, expected, n, s->abs_tol, s->rel_tol);
    check_same_bytes(c, "over the second source", in_b, apart, n * sizeof *apart);
    if (strcmp(s->name, "axpy") != 0) /* there dst is y */
        check_same_bytes(c, "over the first source", in_a, apart, n * sizeof *apart);
}

static void check_special(gn_check *c, const subject *s)
{
    static const float values[] = {NAN, INFINITY, -INFINITY, 0.0F, -0.0F, 6.0F, -3.0F, 3.0F, 1e30F, -1e30F, 1.0F};
    enum { N_VALUES = sizeof values / sizeof *values, N_PAIRS = N_VALUES * N_VALUES };
    float *a = check_zeros(c, N_PAIRS), *b = check_zeros(c, N_PAIRS);
    for (size_t i = 0; i < N_PAIRS; i++) {
        a[i] = values[i / N_VALUES];
        b[i] = values[i % N_VALUES];
    }
    float *ref = check_dst(c, N_PAIRS), *got = check_dst(c, N_PAIRS);
    check_at_ref(c);
    s->run(a, b, ref, N_PAIRS);
    check_at_level(c);
    s->run(a, b, got, N_PAIRS);
    /* Below -88 the sigmoid may be 0 instead of a denormal number. */
    check_close(c, "special values", got, ref, N_PAIRS, s->abs_tol + (strcmp(s->name, "sigmoid") == 0 ? 1e-37 : 0),
                s->rel_tol + 2 * ULP);
    if (c->is_ref && strcmp(s->name, "clamp") == 0)
        check_that(c, isnan(ref[0]), "clamp loses NaN: %g", (double)ref[0]);
}

/* ---- timing ---- */

typedef struct bench_call {
    apply_fn run;
    const float *a, *b;
    float *dst;
    size_t n;
} bench_call;

static void bench_run(void *arg)
{
    const bench_call *k = arg;
    k->run(k->a, k->b, k->dst, k->n);
}

static void bench_subject(gn_check *c, const subject *s, size_t n)
{
    bench_call k = {s->run, check_random(c, n, s->lo, s->hi), check_random(c, n, s->lo, s->hi), check_dst(c, n), n};
    char label[64];
    snprintf(label, sizeof label, "%s n=%zu", s->name, n);
    check_bench(c, label, bench_run, &k, 4.0 * s->floats_moved * (double)n, "B");
}

void check_elementwise(gn_check *c)
{
    static const size_t lengths[] = {1, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 67, 100, 1009};
    static const size_t bench_lengths[] = {16384, 8u << 20};
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        const subject *s = &subjects[i];
        for (size_t k = 0; c->bench && k < 2; k++)
            if (check_case(c, "%s n%zu", s->name, bench_lengths[k]))
                bench_subject(c, s, bench_lengths[k]);
        if (c->bench)
            continue;
        for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++)
            if (check_case(c, "%s n%zu", s->name, lengths[k]))
                check_range(c, s, lengths[k]);
        if (check_case(c, "%s special", s->name))
            check_special(c, s);
    }
}

/* ---- kernels over rows ---- */

static void check_rows_of(gn_check *c, size_t rows, size_t C)
{
    const size_t n = rows * C;
    const float *a = check_random(c, n, -2, 2), *b = check_random(c, C, -2, 2);
    double *sum = check_doubles(c, C), *added = check_doubles(c, n), *product = check_doubles(c, n);
    for (size_t i = 0; i < n; i++) {
        added[i] = (double)a[i] + (double)b[i % C];
        product[i] = (double)a[i] * (double)b[i % C];
        sum[i % C] += (double)a[i];
    }
    float *got = check_dst(c, n), *got_sum = check_dst(c, C);
    gn_f32_add_rows(a, b, got, rows, C);
    check_close_f64(c, "add_rows", got, added, n, 0, ULP);
    memcpy(got, a, n * sizeof *a);
    gn_f32_mul_rows(got, b, got, rows, C);
    check_close_f64(c, "mul_rows in place", got, product, n, 0, ULP);
    const float *shift = check_random(c, C, -1, 1);
    for (size_t i = 0; i < n; i++)
        product[i] = fmin(fmax((double)a[i] * (double)b[i % C] + (double)shift[i % C], -0.5), 2);
    gn_f32_scale_shift_rows(a, b, shift, got, rows, C, (gn_clamp){-0.5F, 2});
    check_close_f64(c, "scale_shift_rows", got, product, n, 4 * ULP, 0);
    gn_f32_sum_rows(a, got_sum, rows, C);
    /* Eight rows are added in f32 (3 roundings of at most 16), the rest in f64. */
    check_close_f64(c, "sum_rows", got_sum, sum, C, 3e-7 * sqrt((double)rows), ULP);
}

static void check_copies(gn_check *c, size_t rows, size_t width)
{
    const size_t src_stride = width + 5, dst_stride = width + 11;
    const float *src = check_random(c, rows * src_stride, -1, 1);
    float *dst = check_dst(c, rows * dst_stride);
    gn_f32_copy_rows(src, src_stride, dst, dst_stride, rows, width);
    for (size_t i = 0; i < rows * dst_stride; i++) {
        const size_t r = i / dst_stride, k = i % dst_stride;
        const bool is_fine = k < width ? dst[i] == src[r * src_stride + k] : isnan(dst[i]);
        if (!check_that(c, is_fine, "copy_rows: row %zu column %zu is %g", r, k, (double)dst[i]))
            return;
    }
}

static void check_transposes(gn_check *c, size_t C, size_t HW)
{
    const size_t n = C * HW;
    const float *chw = check_random(c, n, -1, 1);
    float *hwc = check_dst(c, n), *back = check_dst(c, n);
    gn_f32_chw_to_hwc(chw, hwc, C, HW);
    for (size_t i = 0; i < n; i++)
        if (!check_that(c, hwc[i % HW * C + i / HW] == chw[i], "chw_to_hwc: element %zu", i))
            return;
    gn_f32_hwc_to_chw(hwc, back, C, HW);
    check_same_bytes(c, "hwc_to_chw", back, chw, n * sizeof *chw);
}

static void check_shuffle(gn_check *c, size_t rows, size_t groups, size_t n)
{
    const size_t width = groups * n;
    const float *src = check_random(c, rows * width, -1, 1);
    float *dst = check_dst(c, rows * width);
    gn_f32_shuffle_rows(src, dst, rows, groups, n);
    for (size_t i = 0; i < rows * width; i++) {
        const size_t r = i / width, at = i % width;
        if (!check_that(c, dst[i] == src[r * width + at % groups * n + at / groups], "shuffle_rows: element %zu", i))
            return;
    }
}

static void check_interleave(gn_check *c, size_t rows, size_t n)
{
    const size_t a_stride = n + 3, b_stride = n, dst_stride = 2 * n + 5;
    const float *a = check_random(c, rows * a_stride, -1, 1), *b = check_random(c, rows * b_stride, -1, 1);
    float *dst = check_dst(c, rows * dst_stride);
    gn_f32_interleave_rows(a, a_stride, b, b_stride, dst, dst_stride, rows, n);
    for (size_t i = 0; i < rows * dst_stride; i++) {
        const size_t r = i / dst_stride, at = i % dst_stride;
        const float expected = at % 2 ? b[r * b_stride + (at / 2) % n] : a[r * a_stride + (at / 2) % n];
        if (!check_that(c, at < 2 * n ? dst[i] == expected : isnan(dst[i]), "interleave_rows: element %zu", i))
            return;
    }
}

static void check_softmax(gn_check *c, size_t rows, size_t n, float range)
{
    float *x = check_random(c, rows * n, -range, range);
    x[0] = 3 * range;
    double *expected = check_doubles(c, rows * n);
    for (size_t r = 0; r < rows; r++) {
        double largest = -INFINITY, sum = 0;
        for (size_t i = r * n; i < (r + 1) * n; i++)
            largest = fmax(largest, (double)x[i]);
        for (size_t i = r * n; i < (r + 1) * n; i++)
            sum += expected[i] = exp((double)x[i] - largest);
        for (size_t i = r * n; i < (r + 1) * n; i++)
            expected[i] /= sum;
    }
    float *got = check_dst(c, rows * n);
    gn_f32_softmax_rows(x, got, rows, n);
    /* x - max is rounded once: an error of 2^-24 times the distance in the exponent. */
    check_close_f64(c, "softmax_rows", got, expected, rows * n, 1e-37, 8 * ULP + 4 * (double)range * 0x1p-24);
    memcpy(got, x, rows * n * sizeof *x);
    float *again = check_dst(c, rows * n);
    gn_f32_softmax_rows(x, again, rows, n);
    gn_f32_softmax_rows(got, got, rows, n);
    check_same_bytes(c, "softmax_rows in place", got, again, rows * n * sizeof *x);
}

/* The transpose of check_softmax, some columns of more. */
static void check_softmax_columns(gn_check *c, size_t n, size_t columns, float range)
{
    const size_t stride = columns + 5;
    const float *x = check_random(c, n * stride, -range, range);
    float *got = check_dst(c, n * stride);
    double *expected = check_doubles(c, n * columns);
    gn_f32_softmax_columns(x, got, n, stride, columns);
    for (size_t k = 0; k < columns; k++) {
        double largest = -INFINITY, sum = 0;
        for (size_t i = 0; i < n; i++)
            largest = fmax(largest, (double)x[i * stride + k]);
        for (size_t i = 0; i < n; i++)
            sum += expected[i * columns + k] = exp((double)x[i * stride + k] - largest);
        for (size_t i = 0; i < n; i++)
            expected[i * columns + k] /= sum;
    }
    for (size_t i = 0; i < n; i++) {
        check_close_f64(c, "softmax_columns", got + i * stride, expected + i * columns, columns, 1e-37,
                        8 * ULP + 4 * (double)range * 0x1p-24);
        for (size_t k = columns; k < stride; k++)
            check_that(c, isnan(got[i * stride + k]), "softmax_columns wrote behind its columns");
    }
    float *over = check_dst(c, n * stride);
    memcpy(over, x, n * stride * sizeof *x);
    gn_f32_softmax_columns(over, over, n, stride, columns);
    for (size_t i = 0; i < n; i++)
        check_same_bytes(c, "softmax_columns in place", over + i * stride, got + i * stride, columns * sizeof *x);
}

static void check_scalars(gn_check *c, size_t n)
{
    float *x = check_random(c, n, -1e20F, 1e20F); /* squares overflow f32 */
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    const double got = gn_f32_sum_squares(x, n);
    check_that(c, fabs(got - sum) <= 1e-13 * sum, "sum_squares: got %.17g, expected %.17g", got, sum);
    check_that(c, gn_f32_all_finite(x, n), "all_finite is false for finite numbers");
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < n; i += n / 7 + 1) {
        const float kept = x[i];
        for (int k = 0; k < 3; k++) {
            x[i] = bad[k];
            check_that(c, !gn_f32_all_finite(x, n), "all_finite misses %g at %zu of %zu", (double)bad[k], i, n);
        }
        x[i] = kept;
    }
}

typedef struct rows_call {
    const float *a, *b;
    float *dst;
    size_t rows, C;
} rows_call;

static void bench_sum_rows(void *arg)
{
    const rows_call *k = arg;
    gn_f32_sum_rows(k->a, k->dst, k->rows, k->C);
}
static void bench_add_rows(void *arg)
{
    const rows_call *k = arg;
    gn_f32_add_rows(k->a, k->b, k->dst, k->rows, k->C);
}
static void bench_to_hwc(void *arg)
{
    const rows_call *k = arg;
    gn_f32_chw_to_hwc(k->a, k->dst, k->C, k->rows);
}
static void bench_to_chw(void *arg)
{
    const rows_call *k = arg;
    gn_f32_hwc_to_chw(k->a, k->dst, k->C, k->rows);
}
static void bench_copy(void *arg)
{
    const rows_call *k = arg;
    gn_f32_copy_rows(k->a, k->C, k->dst, k->C, k->rows, k->C);
}
static void bench_softmax(void *arg)
{
    const rows_call *k = arg;
    gn_f32_softmax_rows(k->a, k->dst, k->rows, k->C);
}
static void bench_squares(void *arg)
{
    const rows_call *k = arg;
    k->dst[0] = (float)gn_f32_sum_squares(k->a, k->rows * k->C);
}

static void bench_rows(gn_check *c, size_t rows, size_t C)
{
    const size_t n = rows * C;
    rows_call k = {check_random(c, n, -1, 1), check_random(c, C, -1, 1), check_dst(c, n), rows, C};
    check_bench(c, "sum_rows", bench_sum_rows, &k, 4.0 * (double)n, "B");
    check_bench(c, "sum_squares", bench_squares, &k, 4.0 * (double)n, "B");
    check_bench(c, "add_rows", bench_add_rows, &k, 8.0 * (double)n, "B");
    check_bench(c, "chw_to_hwc", bench_to_hwc, &k, 8.0 * (double)n, "B");
    check_bench(c, "hwc_to_chw", bench_to_chw, &k, 8.0 * (double)n, "B");
    check_bench(c, "copy_rows", bench_copy, &k, 8.0 * (double)n, "B");
    check_bench(c, "softmax_rows", bench_softmax, &k, 8.0 * (double)n, "B");
}

void check_elementwise_rows(gn_check *c)
{
    if (c->bench) {
        static const size_t sizes[][2] = {{409600, 3}, {6400, 64}, {32768, 96}, {1024, 1000}};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
            if (check_case(c, "rows%zu c%zu", sizes[i][0], sizes[i][1]))
                bench_rows(c, sizes[i][0], sizes[i][1]);
        return;
    }
    static const size_t widths[] = {1, 3, 8, 15, 16, 17, 33, 96, 300}, heights[] = {1, 2, 7, 8, 9, 16, 21, 131};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        for (size_t k = 0; k < sizeof heights / sizeof *heights; k++) {
            if (check_case(c, "rows%zu c%zu", heights[k], widths[i]))
                check_rows_of(c, heights[k], widths[i]);
            if (check_case(c, "copy rows%zu c%zu", heights[k], widths[i]))
                check_copies(c, heights[k], widths[i]);
            if (check_case(c, "transpose c%zu hw%zu", heights[k], widths[i]))
                check_transposes(c, heights[k], widths[i]);
            if (check_case(c, "shuffle groups%zu of %zu", heights[k], widths[i]))
                check_shuffle(c, 3, heights[k], widths[i]);
            if (check_case(c, "interleave rows%zu n%zu", heights[k], widths[i]))
                check_interleave(c, heights[k], widths[i]);
            if (check_case(c, "shuffle groups%zu of two", widths[i]))
                check_shuffle(c, heights[k], widths[i], 2);
            if (check_case(c, "softmax rows%zu n%zu", heights[k], widths[i]))
                check_softmax(c, heights[k], widths[i], k % 2 ? 1.0F : 40.0F);
            if (check_case(c, "softmax columns%zu n%zu", widths[i], heights[k]))
                check_softmax_columns(c, heights[k], widths[i], k % 2 ? 1.0F : 40.0F);
            if (check_case(c, "scalars n%zu", heights[k] * widths[i]))
                check_scalars(c, heights[k] * widths[i]);
        }
}
