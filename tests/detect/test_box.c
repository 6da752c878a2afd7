/* Box losses: values on hand-made pairs, gradients against central differences, degenerate predictions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "detect/box.h"

#define PI 3.14159265358979323846

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g (tolerance %g)", got, want, tolerance);
}

static void test_iou_of_boxes(void **state)
{
    (void)state;
    const gn_box a = {0, 0, 2, 2}, b = {1, 1, 3, 3}, apart = {5, 5, 6, 6}, touching = {2, 0, 4, 2}, none = {1, 1, 1, 1};
    assert_near(gn_box_iou(&a, &b), 1.0 / 7, 1e-15);
    assert_near(gn_box_iou(&a, &a), 1, 0);
    assert_near(gn_box_iou(&a, &apart), 0, 0);
    assert_near(gn_box_iou(&a, &touching), 0, 0);
    assert_near(gn_box_iou(&none, &none), 0, 0);
    const gn_box inverted = {2, 2, 0, 0};
    assert_near(gn_box_area(&inverted), 0, 0);
    const gn_box out = {-1, 1, 9, 12}, clipped = gn_box_clip(&out, 8, 10);
    assert_near((double)clipped.x1 + (double)clipped.x2 * 10 + (double)clipped.y2 * 1000, 10080, 0);
}

/* Formulas of the papers, written out for one pair: A = [0,0,2,2], B = [1,1,3,4]. */
static void test_values(void **state)
{
    (void)state;
    const double p[4] = {0, 0, 2, 2}, t[4] = {1, 1, 3, 4};
    const double iou = 1.0 / 9, hull = 12, uni = 9;
    assert_near(gn_box_iou_value(GN_IOU_PLAIN, p, t), iou, 1e-7);
    assert_near(gn_box_iou_value(GN_IOU_G, p, t), iou - (hull - uni) / hull, 1e-7);
    const double rho2 = 1 * 1 + 1.5 * 1.5, c2 = 9 + 16;
    assert_near(gn_box_iou_value(GN_IOU_D, p, t), iou - rho2 / c2, 1e-7);
    const double v = 4 / (PI * PI) * pow(atan(2.0 / 3) - atan(1.0), 2);
    assert_near(gn_box_iou_value(GN_IOU_C, p, t), iou - rho2 / c2 - v * v / (1 - iou + v), 1e-7);
    for (int k = 0; k < 4; k++)
        assert_near(gn_box_iou_loss((gn_iou_kind)k, t, t, NULL), 0, 1e-6);
}

/* CIoU's aspect term for a prediction; the gradient holds its weight alpha constant. */
static double aspect(const double p[4], const double t[4])
{
    const double d = atan((t[2] - t[0]) / (t[3] - t[1])) - atan((p[2] - p[0]) / (p[3] - p[1]));
    return 4 / (PI * PI) * d * d;
}

static double loss_with_alpha(gn_iou_kind kind, const double p[4], const double t[4], double alpha)
{
    if (kind != GN_IOU_C)
        return gn_box_iou_loss(kind, p, t, NULL);
    return gn_box_iou_loss(GN_IOU_D, p, t, NULL) + alpha * aspect(p, t);
}

static void test_gradients(void **state)
{
    (void)state;
    gn_rng rng;
    gn_rng_init(&rng, 7, 1);
    for (int k = 0; k < 4; k++)
        for (int n = 0; n < 500; n++) {
            double p[4], t[4], grad[4];
            for (int i = 0; i < 2; i++) {
                p[i] = gn_rng_uniform(&rng) * 0.7;
                t[i] = gn_rng_uniform(&rng) * 0.7;
                p[i + 2] = p[i] + 0.05 + gn_rng_uniform(&rng) * 0.5;
                t[i + 2] = t[i] + 0.05 + gn_rng_uniform(&rng) * 0.5;
            }
            const double v = aspect(p, t), iou = gn_box_iou_value(GN_IOU_PLAIN, p, t);
            const double alpha = v / (v - iou + 1 + GN_IOU_EPS);
            const double loss = gn_box_iou_loss((gn_iou_kind)k, p, t, grad);
            assert_near(loss, loss_with_alpha((gn_iou_kind)k, p, t, alpha), 1e-12);
            for (int i = 0; i < 4; i++) {
                const double h = 1e-6;
                double up[4], down[4];
                memcpy(up, p, sizeof p);
                memcpy(down, p, sizeof p);
                up[i] += h;
                down[i] -= h;
                const double want =
                    (loss_with_alpha((gn_iou_kind)k, up, t, alpha) - loss_with_alpha((gn_iou_kind)k, down, t, alpha)) /
                    (2 * h);
                assert_near(grad[i], want, 1e-6 * fmax(1, fabs(want)));
            }
        }
}

static void test_degenerate_predictions(void **state)
{
    (void)state;
    const double t[4] = {0.3, 0.3, 0.5, 0.6};
    const double cases[][4] = {{0.8, 0.8, 0.2, 0.2}, {0.4, 0.4, 0.4, 0.4}, {0, 0, 0, 0},          {0.3, 0.3, 0.5, 0.6},
                               {1, 0.3, 0, 0.6},     {1e20, 0, -1e20, 1},  {-1e6, -1e6, 1e6, 1e6}};
    for (int k = 0; k < 4; k++)
        for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
            double grad[4];
            const double loss = gn_box_iou_loss((gn_iou_kind)k, cases[c], t, grad);
            assert_true(isfinite(loss) && loss >= -1e-6);
            for (int i = 0; i < 4; i++)
                assert_true(isfinite(grad[i]));
        }
    /* GIoU pulls an inverted prediction right: going downhill lowers x1 and raises x2. */
    double grad[4];
    gn_box_iou_loss(GN_IOU_G, cases[0], t, grad);
    assert_true(grad[0] > 0 && grad[2] < 0 && grad[1] > 0 && grad[3] < 0);
}

static void test_scalar_losses(void **state)
{
    (void)state;
    assert_near(gn_smooth_l1(0.05, 0.1), 0.0125, 1e-15);
    assert_near(gn_smooth_l1(-0.3, 0.1), 0.25, 1e-15);
    assert_near(gn_smooth_l1(-0.3, 0), 0.3, 1e-15);
    assert_near(gn_smooth_l1(0, 0), 0, 0);
    assert_near(gn_squared_error(-3), 9, 0);
    for (double d = -0.35; d < 0.4; d += 0.1) {
        const double h = 1e-6;
        assert_near(gn_smooth_l1_grad(d, 0.1), (gn_smooth_l1(d + h, 0.1) - gn_smooth_l1(d - h, 0.1)) / (2 * h), 1e-8);
        assert_near(gn_squared_error_grad(d), (gn_squared_error(d + h) - gn_squared_error(d - h)) / (2 * h), 1e-8);
    }
    assert_near(gn_smooth_l1_grad(0, 0), 0, 0);
}

static void test_names(void **state)
{
    (void)state;
    for (int k = 0; k < 4; k++) {
        gn_iou_kind kind;
        assert_true(gn_iou_kind_parse(gn_iou_kind_name((gn_iou_kind)k), &kind));
        assert_int_equal(kind, k);
    }
    gn_iou_kind kind;
    assert_false(gn_iou_kind_parse("siou", &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_iou_of_boxes),  cmocka_unit_test(test_values),
        cmocka_unit_test(test_gradients),     cmocka_unit_test(test_degenerate_predictions),
        cmocka_unit_test(test_scalar_losses), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
