/* k-means anchors: found again where they are known, no worse than any other start, the same for the same seed, and how they are
 * measured.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"
#include "detect/anchors.h"

#define N 900

/* Three clusters far from each other, each within a tenth of its centre. */
static void draw(float (*size)[2])
{
    static const float centre[3][2] = {{10, 20}, {60, 50}, {200, 300}};
    gn_rng rng;
    gn_rng_init(&rng, 7, 0);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 2; c++)
            size[i][c] = centre[i % 3][c] * gn_rng_range(&rng, 0.9f, 1.1f);
}

static void test_clusters_are_found(void **state)
{
    (void)state;
    static float size[N][2];
    float anchor[3][2], again[3][2];
    draw(size);
    assert_int_equal(gn_anchors_kmeans((const float(*)[2])size, N, 3, 1, anchor), GN_OK);
    double mean[3][2] = {{0}};
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 2; c++)
            mean[i % 3][c] += (double)size[i][c] / (N / 3);
    for (int a = 0; a < 3; a++)
        for (int c = 0; c < 2; c++)
            assert_float_equal(anchor[a][c], mean[a][c], 0.03 * mean[a][c]);
    assert_int_equal(gn_anchors_kmeans((const float(*)[2])size, N, 3, 1, again), GN_OK);
    assert_memory_equal(anchor, again, sizeof anchor);
    const gn_anchor_fit fit = gn_anchors_measure((const float(*)[2])size, N, (const float(*)[2])anchor, 3, 4);
    assert_true(fit.mean_iou > 0.85 && fit.best_recall == 1);
    assert_true(fit.per_box >= 1);
}

/* More anchors never fit worse, and k-means fits better than sizes picked at random. */
static void test_fit_rises(void **state)
{
    (void)state;
    static float size[N][2];
    gn_rng rng;
    gn_rng_init(&rng, 3, 0);
    for (int i = 0; i < N; i++) {
        size[i][0] = expf(gn_rng_range(&rng, 1, 6));
        size[i][1] = size[i][0] * expf(gn_rng_range(&rng, -0.7f, 0.7f));
    }
    double last = 0;
    for (int k = 1; k <= 12; k += k < 3 ? 1 : 3) {
        float anchor[12][2], random[12][2];
        assert_int_equal(gn_anchors_kmeans((const float(*)[2])size, N, k, 5, anchor), GN_OK);
        const double got = gn_anchors_measure((const float(*)[2])size, N, (const float(*)[2])anchor, k, 4).mean_iou;
        assert_true(got > last);
        last = got;
        for (int trial = 0; trial < 50; trial++) {
            for (int a = 0; a < k; a++)
                memcpy(random[a], size[gn_rng_below(&rng, N)], sizeof random[a]);
            assert_true(gn_anchors_measure((const float(*)[2])size, N, (const float(*)[2])random, k, 4).mean_iou <=
                        got);
        }
        for (int a = 1; a < k; a++)
            assert_true(anchor[a][0] * anchor[a][1] >= anchor[a - 1][0] * anchor[a - 1][1]);
    }
}

static void test_measure_by_hand(void **state)
{
    (void)state;
    static const float size[4][2] = {{10, 10}, {10, 20}, {39, 10}, {41, 10}};
    static const float anchor[2][2] = {{10, 10}, {20, 20}};
    const gn_anchor_fit fit = gn_anchors_measure(size, 4, anchor, 2, 4);
    /* IoU: 1; 200 of 200 + 400 - 200 is as good as 100 of 200; 200 of 390 + 400 - 200; 200 of 410 + 400 - 200. */
    assert_float_equal(fit.mean_iou, (1 + 0.5 + 200.0 / 590 + 200.0 / 610) / 4, 1e-9);
    assert_float_equal(fit.best_recall, 1, 1e-9); /* 41 is more than four times 10, but not than 20 */
    assert_float_equal(fit.per_box, (2 + 2 + 2 + 1) / 4.0, 1e-9);
    assert_float_equal(gn_anchors_measure(size, 4, anchor, 1, 4).best_recall, 0.75, 1e-9);
    assert_true(isnan(gn_anchors_measure(size, 0, anchor, 1, 4).mean_iou));
}

static void test_odd_input(void **state)
{
    (void)state;
    static const float same[3][2] = {{5, 6}, {5, 6}, {5, 6}}, flat[2][2] = {{5, 6}, {0, 6}},
                       nan_size[1][2] = {{NAN, 6}};
    float anchor[GN_ANCHORS_MAX][2];
    assert_int_equal(gn_anchors_kmeans(same, 3, 5, 0, anchor), GN_OK); /* fewer sizes than anchors */
    for (int a = 0; a < 5; a++)
        assert_true(anchor[a][0] == 5 && anchor[a][1] == 6);
    assert_int_equal(gn_anchors_kmeans(flat, 2, 1, 0, anchor), GN_EINVAL);
    assert_int_equal(gn_anchors_kmeans(nan_size, 1, 1, 0, anchor), GN_EINVAL);
    assert_int_equal(gn_anchors_kmeans(same, 3, 0, 0, anchor), GN_EINVAL);
    assert_int_equal(gn_anchors_kmeans(same, 3, GN_ANCHORS_MAX + 1, 0, anchor), GN_EINVAL);
    assert_int_equal(gn_anchors_kmeans(same, 0, 1, 0, anchor), GN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clusters_are_found),
        cmocka_unit_test(test_fit_rises),
        cmocka_unit_test(test_measure_by_hand),
        cmocka_unit_test(test_odd_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
