/* The description of a detector: its line of JSON there and back, its channels, and what is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "detect/detector.h"

static gn_detector yolov3(void)
{
    gn_detector d = {.kind = GN_DETECTOR_YOLOV3, .classes = 80, .n_maps = 2, .stride = {16, 32}, .anchors = 3};
    d.scale_xy = 1.05f;
    for (int m = 0; m < 2; m++)
        for (int a = 0; a < 3; a++) {
            d.anchor[m][a][0] = 10.5f + (float)(7 * m + a);
            d.anchor[m][a][1] = 1.0f / (float)(3 + m + a);
        }
    return d;
}

static void expect_round_trip(const gn_detector *d)
{
    gn_text text;
    gn_detector back;
    memset(&back, 0xff, sizeof back);
    gn_text_init(&text);
    gn_detector_format(d, &text);
    assert_false(text.failed);
    assert_int_equal(gn_detector_parse(text.data, &back, NULL), GN_OK);
    assert_memory_equal(d, &back, sizeof back);
    gn_text_deinit(&text);
}

static void test_text_there_and_back(void **state)
{
    (void)state;
    gn_detector d = yolov3();
    expect_round_trip(&d);
    d.kind = GN_DETECTOR_YOLOV2;
    d.has_softmax = true;
    d.scale_xy = 1;
    expect_round_trip(&d);
    const gn_detector v8 = {.kind = GN_DETECTOR_YOLOV8,
                            .classes = 1,
                            .n_maps = 3,
                            .stride = {8, 16, 32},
                            .anchors = 1,
                            .bins = 16,
                            .scale_xy = 1};
    expect_round_trip(&v8);
    const gn_detector v1 = {.kind = GN_DETECTOR_YOLOV1, .classes = 20, .n_maps = 1, .anchors = 2, .scale_xy = 1};
    expect_round_trip(&v1);
}

static void test_channels(void **state)
{
    (void)state;
    gn_detector d = yolov3();
    assert_int_equal(gn_detector_channels(&d), 255);
    assert_int_equal(gn_detector_candidates(&d, 10, 4), 120);
    d.kind = GN_DETECTOR_RETINANET;
    assert_int_equal(gn_detector_channels(&d), 252);
    d.kind = GN_DETECTOR_YOLOV8;
    d.bins = 16;
    assert_int_equal(gn_detector_channels(&d), 144);
    d = (gn_detector){.kind = GN_DETECTOR_YOLOV1, .classes = 20, .n_maps = 1, .anchors = 2, .scale_xy = 1};
    assert_int_equal(gn_detector_channels(&d), 30);
}

static void test_bad_descriptions_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"kind\":\"yolov9\",\"classes\":1,\"strides\":[8]}",
        "{\"kind\":\"yolov8\",\"classes\":1,\"strides\":[8],\"anchors\":1}",
        "{\"kind\":\"yolov8\",\"classes\":0,\"strides\":[8],\"anchors\":1,\"bins\":16}",
        "{\"kind\":\"yolov8\",\"classes\":1.5,\"strides\":[8],\"anchors\":1,\"bins\":16}",
        "{\"kind\":\"yolov8\",\"classes\":1,\"strides\":[8,16,32,64,128,256],\"anchors\":1,\"bins\":16}",
        "{\"kind\":\"yolov8\",\"classes\":1,\"strides\":[0],\"anchors\":1,\"bins\":16}",
        "{\"kind\":\"yolov8\",\"classes\":1,\"strides\":[1e99],\"anchors\":1,\"bins\":16}",
        "{\"kind\":\"yolov3\",\"classes\":1,\"strides\":[8],\"anchors\":3,\"anchor\":[1,2,3,4,5]}",
        "{\"kind\":\"yolov3\",\"classes\":1,\"strides\":[8],\"anchors\":1,\"anchor\":[1,-2]}",
        "{\"kind\":\"yolov3\",\"classes\":1,\"strides\":[8],\"anchors\":99,\"anchor\":[1,2]}",
        "{\"kind\":\"yolov3\",\"classes\":1,\"strides\":[8],\"anchors\":1,\"anchor\":[1,2],\"scale_xy\":9}",
    };
    gn_detector d = {.classes = 7};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_error err = {0};
        assert_int_not_equal(gn_detector_parse(bad[i], &d, &err), GN_OK);
        assert_true(strlen(err.message) > 20);
    }
    assert_int_equal(d.classes, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_there_and_back),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_bad_descriptions_are_refused),
    };
    return cmocka_run_group_tests_name("detector", tests, NULL, NULL);
}
