/* Choices of convolution forward: names and back, what is refused, and that each of them computes the same sums; the kernels that measure the
 * machine's peak.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "kernels/conv.h"
#include "kernels/machine_peak.h"

enum { MOST = 80 };

static gn_conv square(int size, int C, int K, int filter, int stride, int groups)
{
    const int out = (size + 2 * (filter / 2) - filter) / stride + 1;
    return (gn_conv){.N = 1,
                     .H = size,
                     .W = size,
                     .C = C,
                     .P = out,
                     .Q = out,
                     .K = K,
                     .R = filter,
                     .S = filter,
                     .stride_h = stride,
                     .stride_w = stride,
                     .pad_top = filter / 2,
                     .pad_left = filter / 2,
                     .dil_h = 1,
                     .dil_w = 1,
                     .groups = groups};
}

static float *random_floats(size_t n, uint64_t seed)
{
    float *x = gn_alloc(n * sizeof *x);
    gn_rng rng;
    gn_rng_init(&rng, seed, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = gn_rng_range(&rng, -1.0f, 1.0f);
    return x;
}

static size_t result_floats(const gn_conv *p)
{
    return (size_t)p->N * (size_t)p->P * (size_t)p->Q * (size_t)p->K;
}

/* The caller frees. */
static float *compute(const gn_conv *p)
{
    float *src = random_floats((size_t)p->N * (size_t)p->H * (size_t)p->W * (size_t)p->C, 1);
    float *weight = random_floats((size_t)p->K * (size_t)(p->C / p->groups) * (size_t)p->R * (size_t)p->S, 2);
    float *bias = random_floats((size_t)p->K, 3), *dst = gn_calloc(result_floats(p), sizeof *dst);
    float *zeros = gn_calloc((size_t)p->C + 64, sizeof *zeros);
    void *packed = gn_alloc(gn_conv_pack_bytes(p)), *scratch = gn_alloc(gn_conv_fwd_scratch_bytes(p));
    gn_conv_pack(p, weight, bias, NULL, packed, 0, gn_conv_pack_panels(p));
    const gn_conv_fwd call = {*p, src, packed, NULL, dst, {-INFINITY, INFINITY}, zeros, {0}};
    for (int task = 0; task < gn_conv_fwd_tasks(p); task++)
        gn_conv_fwd_task(&call, task, scratch);
    gn_free(src);
    gn_free(weight);
    gn_free(bias);
    gn_free(zeros);
    gn_free(packed);
    gn_free(scratch);
    return dst;
}

static bool is_same(gn_conv_choice a, gn_conv_choice b)
{
    return a.algorithm == b.algorithm && a.panels == b.panels && a.pixels == b.pixels;
}

/* All choices against the plain kernels, within a hundred thousandth of the largest sum; those of one algorithm to the bit. */
static int check_choices(gn_conv p)
{
    gn_conv_choice list[MOST];
    float *of[GN_CONV_ALGORITHMS] = {NULL}, top = 0;
    const gn_cpu_level level = gn_cpu_current();
    assert_int_equal(gn_cpu_force(GN_CPU_REF), GN_OK);
    float *want = compute(&p);
    assert_int_equal(gn_cpu_force(level), GN_OK);
    for (size_t i = 0; i < result_floats(&p); i++)
        top = fmaxf(top, fabsf(want[i]));
    const int n = gn_conv_fwd_choices(&p, false, 2, list, MOST);
    assert_true(n >= 1 && n < MOST);
    assert_true(is_same(list[0], gn_conv_fwd_chosen(&p, 2)));
    for (int i = 0; i < n; i++) {
        char name[GN_CONV_CHOICE_NAME_BYTES];
        gn_conv_choice back = {0};
        gn_conv_choice_name(list[i], name);
        assert_true(gn_conv_choice_parse(name, &back) && is_same(back, list[i]));
        assert_true(gn_conv_fwd_takes(&p, false, list[i]));
        p.choice = list[i];
        assert_true(is_same(gn_conv_fwd_chosen(&p, 2), list[i]));
        float *got = compute(&p);
        for (size_t k = 0; k < result_floats(&p); k++)
            if (!(fabsf(got[k] - want[k]) <= 1e-5f * top))
                fail_msg("%s: %g instead of %g", name, (double)got[k], (double)want[k]);
        float **first = &of[list[i].algorithm];
        if (*first) {
            if (memcmp(got, *first, result_floats(&p) * sizeof *got) != 0)
                fail_msg("%s of %dx%dx%d to %d by %dx%d: other bits than another cut", name, p.C, p.H, p.W, p.K, p.R,
                         p.S);
            gn_free(got);
        } else
            *first = got;
        p.choice = (gn_conv_choice){0};
    }
    for (int i = 0; i < GN_CONV_ALGORITHMS; i++)
        gn_free(of[i]);
    gn_free(want);
    return n;
}

static void test_all_choices_agree(void **ctx)
{
    (void)ctx;
    assert_true(check_choices(square(28, 64, 96, 1, 1, 1)) >= 4);
    const int n = check_choices(square(20, 48, 80, 3, 1, 1));
    assert_true(n >= (gn_cpu_current() == GN_CPU_REF ? 4 : 8));
    check_choices(square(21, 32, 40, 3, 2, 1));
    check_choices(square(14, 64, 64, 3, 1, 4));
    check_choices(square(15, 48, 48, 3, 1, 6));
    check_choices(square(15, 48, 48, 3, 2, 6));
    check_choices(square(32, 3, 24, 3, 2, 1));
    check_choices(square(1, 700, 130, 1, 1, 1));
    check_choices(square(9, 24, 24, 5, 1, 1));
}

static void test_impossible_choices_are_refused(void **ctx)
{
    (void)ctx;
    const gn_conv dense = square(20, 48, 80, 3, 1, 1), strided = square(20, 48, 80, 3, 2, 1),
                  first = square(32, 3, 24, 3, 2, 1);
    assert_false(gn_conv_fwd_takes(&strided, false, (gn_conv_choice){GN_CONV_WINOGRAD4, 0, 0}));
    assert_false(gn_conv_fwd_takes(&dense, false, (gn_conv_choice){GN_CONV_FEW, 0, 0}));
    assert_false(gn_conv_fwd_takes(&dense, false, (gn_conv_choice){GN_CONV_DIRECT, 1, 100000}));
    assert_false(gn_conv_fwd_takes(&dense, false, (gn_conv_choice){GN_CONV_DIRECT, 400, 1}));
    assert_false(gn_conv_fwd_takes(&dense, false, (gn_conv_choice){GN_CONV_DIRECT, 1, 0}));
    assert_false(gn_conv_fwd_takes(&dense, false, (gn_conv_choice){GN_CONV_WINOGRAD2, 1, 100000}));
    assert_true(gn_conv_fwd_takes(&dense, false, (gn_conv_choice){GN_CONV_DIRECT, 1, 1}));
    assert_true(gn_conv_fwd_takes(&first, true, (gn_conv_choice){GN_CONV_FEW, 0, 0}));
    assert_false(gn_conv_fwd_takes(&first, true, (gn_conv_choice){GN_CONV_DIRECT, 1, 1}));
    assert_true(gn_conv_fwd_takes(&first, false, (gn_conv_choice){GN_CONV_DIRECT, 1, 1}));
}

/* What the model chooses is what runs when nothing is chosen: the same bits, also where kernels are for special shapes. */
static void test_model_is_what_runs(void **ctx)
{
    (void)ctx;
    gn_conv shapes[] = {square(14, 64, 64, 3, 1, 4),  square(14, 64, 64, 3, 1, 8), square(15, 48, 48, 3, 2, 6),
                        square(20, 48, 80, 3, 1, 1),  square(32, 3, 24, 3, 2, 1),  square(14, 96, 200, 1, 1, 1),
                        square(1, 700, 130, 1, 1, 1), square(7, 160, 160, 3, 1, 1)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        gn_conv *p = &shapes[i];
        float *want = compute(p);
        const size_t packed = gn_conv_pack_bytes(p);
        for (int threads = 1; threads <= 5; threads += 2) {
            p->choice = (gn_conv_choice){0};
            p->choice = gn_conv_fwd_chosen(p, threads);
            assert_true(gn_conv_pack_bytes(p) == packed);
            float *got = compute(p);
            assert_memory_equal(got, want, result_floats(p) * sizeof *got);
            gn_free(got);
        }
        gn_free(want);
    }
}

static void test_names(void **ctx)
{
    (void)ctx;
    gn_conv_choice choice = {0};
    assert_true(gn_conv_choice_parse("direct p3 t17", &choice));
    assert_true(is_same(choice, (gn_conv_choice){GN_CONV_DIRECT, 3, 17}));
    assert_true(gn_conv_choice_parse("winograd4", &choice));
    assert_true(is_same(choice, (gn_conv_choice){GN_CONV_WINOGRAD4, 0, 0}));
    static const char *const bad[] = {"",          "direct p",      "direct p0",        "direct t-1",   "direct p3 ",
                                      "winograd5", "direct p3 t1x", "direct t99999999", "direct p3 p4", "Direct"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(gn_conv_choice_parse(bad[i], &choice));
    assert_true(is_same(choice, (gn_conv_choice){GN_CONV_WINOGRAD4, 0, 0}));
}

/* A core of today does between a tenth and three hundred billion operations per GHz; what matters is that the count is not off by a factor. */
static void test_peak_is_plausible(void **ctx)
{
    (void)ctx;
    enum { ROUNDS = 20000, N = 4096 };
    double best = 0;
    volatile float keep = 0;
    for (int i = 0; i < 20; i++) {
        const int64_t begin = gn_now_ns();
        keep = gn_peak_burn(ROUNDS);
        best = fmax(best, gn_peak_flop(ROUNDS) / (double)(gn_now_ns() - begin));
    }
    /* Twelve chains of x -> 0.999 x + 0.001 end at 1, and the sum of the lanes' firsts at 12. */
    assert_true(fabsf(keep - 12.0f) < 0.1f);
    assert_true(best > 0.2 && best < 1000);
    assert_true(gn_peak_flop(2 * ROUNDS) == 2 * gn_peak_flop(ROUNDS));
    float *src = random_floats(N, 5), *dst = gn_calloc(N, sizeof *dst);
    double sum = 0;
    for (int i = 0; i < N; i++)
        sum += (double)src[i];
    assert_true(fabs((double)gn_peak_read(src, N) - sum) < 1e-3 * N);
    gn_peak_copy(src, dst, N);
    assert_memory_equal(src, dst, N * sizeof *src);
    gn_free(src);
    gn_free(dst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_choices_agree),  cmocka_unit_test(test_impossible_choices_are_refused),
        cmocka_unit_test(test_model_is_what_runs), cmocka_unit_test(test_names),
        cmocka_unit_test(test_peak_is_plausible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
