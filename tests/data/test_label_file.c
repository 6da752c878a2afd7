/* YOLO label lines: good ones, each kind of bad one, limits, and where the label file of a picture lies.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"
#include "data/dataset_private.h"

static gn_labels parse(const char *text, int n_classes)
{
    gn_labels labels = {0};
    assert_int_equal(gn_labels_parse(text, strlen(text), n_classes, &labels), GN_OK);
    return labels;
}

static void test_good_lines(void **state)
{
    (void)state;
    gn_labels l = parse("0 0.5 0.5 0.2 0.4\n\n  1\t0.25 0.25 0.5 0.5\r\n1 0 0 1 0.5", 2);
    assert_int_equal(l.n, 3);
    assert_int_equal(l.n_bad_lines, 0);
    assert_int_equal(l.cls[1], 1);
    assert_true(fabs((double)l.box[0].x1 - 0.4) < 1e-6 && fabs((double)l.box[0].y2 - 0.7) < 1e-6);
    assert_true(l.box[1].x1 == 0 && l.box[1].y2 == 0.5f);
    assert_true(l.box[2].x1 == 0 && l.box[2].x2 == 0.5f && l.box[2].y2 == 0.25f); /* what lies outside is cut off */
    gn_labels_deinit(&l);
    l = parse("0 0.1 0.2 0.5 0.2 0.3 0.9\n", 1); /* a polygon */
    assert_int_equal(l.n, 1);
    assert_true(l.box[0].x1 == 0.1f && l.box[0].y1 == 0.2f && l.box[0].x2 == 0.5f && l.box[0].y2 == 0.9f);
    gn_labels_deinit(&l);
    l = parse("", 1);
    assert_int_equal(l.n, 0);
    gn_labels_deinit(&l);
}

static void test_bad_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *word;
    } cases[] = {
        {"0 0.5 0.5 0.2\n", "4 columns"},
        {"0\n", "1 column;"},
        {"0 0.5 0.5 0.2 0.2 0.9\n", "6 columns"},
        {"0 1.5 0.5 0.2 0.2\n", "outside 0..1"},
        {"0 0.5 -0.1 0.2 0.2\n", "outside 0..1"},
        {"0 0.5 0.5 -0.2 0.2\n", "negative size"},
        {"0 0.5 0.5 0.2 0\n", "empty size"},
        {"0 nan 0.5 0.2 0.2\n", "NaN"},
        {"0 0.5 0.5 nan 0.2\n", "NaN"},
        {"0 0.5 0.5 inf 0.2\n", "outside 0..1"},
        {"7 0.5 0.5 0.2 0.2\n", "class 7"},
        {"-1 0.5 0.5 0.2 0.2\n", "class -1"},
        {"0.5 0.5 0.5 0.2 0.2\n", "class 0.5"},
        {"face 0.5 0.5 0.2 0.2\n", "'face'"},
        {"0 0,5 0.5 0.2 0.2\n", "'0,5'"},
        {"0 0x1p-1 0.5 0.2 0.2\n", "not a number"},
        {"nan 0.5 0.5 0.2 0.2\n", "class"},
        {"0 0.1 0.2 1.5 0.2 0.3 0.9\n", "outside 0..1"},
        {"0 0.1 0.2 0.1 0.3 0.1 0.4\n", "no area"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_text t;
        gn_text_init(&t);
        gn_text_printf(&t, "0 0.5 0.5 0.1 0.1\n%s0 0.5 0.5 0.3 0.3\n", cases[i].line);
        gn_labels l = parse(t.data, 1);
        if (l.n != 2 || l.n_bad_lines != 1 || l.n_problems != 1 || l.problem[0].line != 2 ||
            strstr(l.problem[0].message, cases[i].word) == NULL)
            fail_msg("'%s': %d boxes, %lld bad, '%s'", cases[i].line, l.n, (long long)l.n_bad_lines,
                     l.n_problems > 0 ? l.problem[0].message : "");
        gn_labels_deinit(&l);
        gn_text_deinit(&t);
    }
}

static void test_duplicates_and_limits(void **state)
{
    (void)state;
    gn_labels l = parse("0 0.5 0.5 0.2 0.2\n0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n", 2);
    assert_int_equal(l.n, 2);
    assert_int_equal(l.duplicates, 1);
    assert_int_equal(l.n_bad_lines, 0);
    gn_labels_deinit(&l);

    gn_text t;
    gn_text_init(&t);
    for (int i = 0; i < GN_LABEL_MAX_BOXES + 5; i++)
        gn_text_printf(&t, "0 0.5 0.5 0.5 %.5f\n", (i + 1) * 1e-5);
    l = parse(t.data, 1);
    assert_int_equal(l.n, GN_LABEL_MAX_BOXES);
    assert_int_equal(l.n_bad_lines, 1);
    assert_int_equal(l.problem[0].line, GN_LABEL_MAX_BOXES + 1);
    gn_labels_deinit(&l);
    while (t.len <= GN_LABEL_MAX_BYTES)
        gn_text_add(&t, "                                                                \n");
    assert_int_equal(gn_labels_parse(t.data, t.len, 1, &l), GN_ELIMIT);
    gn_text_deinit(&t);
}

static void test_label_path(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"/d/images/a.jpg", "/d/labels/a.txt"},           {"/d/images/x/images/a.b.jpg", "/d/images/x/labels/a.b.txt"},
        {"./images/train/a.png", "./labels/train/a.txt"}, {"/d/pictures/a.jpg", "/d/pictures/a.txt"},
        {"/d.x/images/noext", "/d.x/labels/noext.txt"},
    };
    char path[GN_DATA_PATH_BYTES];
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        assert_int_equal(gn_label_path(pairs[i][0], path), GN_OK);
        assert_string_equal(path, pairs[i][1]);
    }
    char *longest = malloc(GN_DATA_PATH_BYTES + 10);
    memset(longest, 'a', GN_DATA_PATH_BYTES + 9);
    longest[GN_DATA_PATH_BYTES + 9] = '\0';
    assert_int_equal(gn_label_path(longest, path), GN_ELIMIT);
    free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_lines),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_duplicates_and_limits),
        cmocka_unit_test(test_label_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
