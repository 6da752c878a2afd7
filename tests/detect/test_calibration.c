/* Calibration of scores against bins by hand, and of matched detections.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "detect/calibration.h"

#define NEAR(got, want) assert_true(fabs((got) - (want)) < 1e-12)

static void bins_by_hand(void **state)
{
    (void)state;
    const double score[] = {0, 0.1, 0.85, 0.9, 0.82, 1, 1.5, -2};
    const bool is_right[] = {false, true, true, false, true, true, true, false};
    gn_calibration c;
    gn_calibration_of(score, is_right, 8, &c);
    assert_int_equal(c.n, 8);
    assert_int_equal(c.bin[0].n, 3); /* 0, 0.1 and -2, taken for 0 */
    assert_int_equal(c.bin[8].n, 3); /* 0.9 ends its bin */
    assert_int_equal(c.bin[9].n, 2);
    assert_int_equal(c.bin[5].n, 0);
    assert_true(isnan(c.bin[5].accuracy));
    NEAR(c.bin[0].confidence, 0.1 / 3);
    NEAR(c.bin[0].accuracy, 1.0 / 3);
    NEAR(c.bin[8].confidence, 2.57 / 3);
    NEAR(c.bin[8].accuracy, 2.0 / 3);
    NEAR(c.ece, (0.9 + 0.57 + 0) / 8);
    NEAR(c.mce, 0.3);
    NEAR(c.brier, (0.81 + 0.0225 + 0.81 + 0.0324) / 8);
    gn_calibration_of(score, is_right, 0, &c);
    assert_true(isnan(c.ece) && isnan(c.mce) && isnan(c.brier));
}

static void detections(void **state)
{
    (void)state;
    const gn_rect here = {0, 0, 10, 10}, there = {50, 50, 10, 10}, crowd = {100, 0, 40, 40}, inside = {110, 10, 5, 5};
    const gn_truth truth[] = {{.image = 0, .box = here}, {.image = 0, .is_crowd = true, .box = crowd}};
    const gn_detection det[] = {{0, 0, 0.75, here}, {0, 0, 0.45, there}, {0, 0, 0.95, inside}, {0, 0, 0.05, there}};
    const gn_coco_input input = {.det = det, .n_det = 4, .truth = truth, .n_truth = 2, .n_images = 1, .n_classes = 1};
    gn_coco *coco = NULL;
    gn_calibration c;
    assert_int_equal(gn_coco_create(&input, &coco), GN_OK);
    assert_int_equal(gn_coco_calibration(coco, 0.1, &c), GN_OK);
    assert_int_equal(c.n, 2); /* neither what lies in the crowd nor what scores too low */
    NEAR(c.bin[7].accuracy, 1);
    NEAR(c.bin[4].accuracy, 0);
    NEAR(c.ece, (0.25 + 0.45) / 2);
    gn_coco_destroy(&coco);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bins_by_hand), cmocka_unit_test(detections)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
