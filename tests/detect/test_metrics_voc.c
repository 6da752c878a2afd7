/* Average precision of PASCAL VOC against tests/oracle/voc_map.py (tests/golden/voc_map.txt): drawn boxes, and the set of ../shared/data.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "detect/metrics.h"

#define MAX_ITEMS   2000
#define MAX_CLASSES 64

static gn_detection det[MAX_ITEMS];
static gn_truth truth[MAX_ITEMS];
static char class_name[MAX_CLASSES][32];
static gn_coco_input input;

static void assert_near(double got, double want)
{
    if (!(fabs(got - want) <= 1e-11))
        fail_msg("got %.12g, want %.12g", got, want);
}

/* Corners are whole pixels, both included. */
static gn_rect rect_of(const double c[4])
{
    return (gn_rect){c[0], c[1], c[2] - c[0] + 1, c[3] - c[1] + 1};
}

static int32_t class_of(const char *name)
{
    for (int32_t c = 0; c < input.n_classes; c++)
        if (strcmp(class_name[c], name) == 0)
            return c;
    assert_true(input.n_classes < MAX_CLASSES && strlen(name) < sizeof class_name[0]);
    strcpy(class_name[input.n_classes], name);
    return input.n_classes++;
}

static void begin(void)
{
    input = (gn_coco_input){.det = det, .truth = truth};
}

/* Reads "class", "mean" lines up to the next case and compares. */
static int compare(FILE *golden)
{
    gn_voc_class got[MAX_CLASSES];
    double mean11, mean_area, want11, want_area;
    char line[256], name[32];
    int compared = 0;
    long n;
    assert_int_equal(gn_voc_evaluate(&input, 0.5, got, &mean11, &mean_area), GN_OK);
    while (fgets(line, sizeof line, golden) != NULL) {
        if (sscanf(line, "class %31s %lf %lf %ld", name, &want11, &want_area, &n) == 4) {
            const int32_t c = class_of(name);
            assert_near(got[c].ap11, want11);
            assert_near(got[c].ap_area, want_area);
            assert_int_equal(got[c].truths, n);
            compared++;
        } else if (sscanf(line, "mean %lf %lf %ld", &want11, &want_area, &n) == 3) {
            assert_near(mean11, want11);
            assert_near(mean_area, want_area);
            assert_int_equal(compared, n);
            return compared;
        }
    }
    fail_msg("the golden file ends early");
    return 0;
}

static FILE *open_golden(const char *name)
{
    char line[256], wanted[64];
    FILE *f = fopen(GN_SOURCE_DIR "/tests/golden/voc_map.txt", "r");
    assert_non_null(f);
    snprintf(wanted, sizeof wanted, "case %s", name);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, wanted, strlen(wanted)) == 0 && strchr(" \n", line[strlen(wanted)]) != NULL)
            return f;
    fail_msg("no case %s", name);
    return NULL;
}

static void drawn_boxes(void **state)
{
    (void)state;
    FILE *f = open_golden("drawn");
    char line[256];
    begin();
    input.n_images = 12;
    for (int c = 0; c < 3; c++) {
        snprintf(line, sizeof line, "%d", c);
        class_of(line);
    }
    while (fgets(line, sizeof line, f) != NULL && strncmp(line, "class", 5) != 0) {
        long image;
        int cls, hard;
        double score, c[4];
        if (sscanf(line, "t %d %ld %d %lf %lf %lf %lf", &cls, &image, &hard, &c[0], &c[1], &c[2], &c[3]) == 7)
            truth[input.n_truth++] = (gn_truth){.image = image, .cls = cls, .is_ignored = hard != 0, .box = rect_of(c)};
        else if (sscanf(line, "d %d %ld %lf %lf %lf %lf %lf", &cls, &image, &score, &c[0], &c[1], &c[2], &c[3]) == 7)
            det[input.n_det++] = (gn_detection){.image = image, .cls = cls, .score = score, .box = rect_of(c)};
    }
    assert_true(input.n_truth == 60 && input.n_det > 60);
    fclose(f);
    f = open_golden("drawn");
    assert_int_equal(compare(f), 3);
    fclose(f);
}

static void read_lines(const char *folder, const char *name, int64_t image, bool is_truth, bool hard)
{
    char path[1024], *text = NULL, cls[32];
    size_t bytes;
    snprintf(path, sizeof path, "%s/%s/%s", folder, is_truth ? "ground-truth" : "detection-results", name);
    assert_int_equal(gn_file_read(path, 1 << 20, &text, &bytes, NULL), GN_OK);
    int i = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n"), i++) {
        double score, c[4];
        assert_true(input.n_truth < MAX_ITEMS && input.n_det < MAX_ITEMS);
        if (is_truth) {
            assert_int_equal(sscanf(line, "%31s %lf %lf %lf %lf", cls, &c[0], &c[1], &c[2], &c[3]), 5);
            truth[input.n_truth++] =
                (gn_truth){.image = image, .cls = class_of(cls), .is_ignored = hard && i % 5 == 4, .box = rect_of(c)};
        } else {
            assert_int_equal(sscanf(line, "%31s %lf %lf %lf %lf %lf", cls, &score, &c[0], &c[1], &c[2], &c[3]), 6);
            det[input.n_det++] =
                (gn_detection){.image = image, .cls = class_of(cls), .score = score, .box = rect_of(c)};
        }
    }
    gn_free(text);
}

static void sample_set(const char *golden, bool hard, int classes)
{
    const char *data = getenv("GANNET_DATA");
    char folder[900], truths[1000];
    snprintf(folder, sizeof folder, "%s/voc_map_sample", data && *data ? data : GN_SOURCE_DIR "/../shared/data");
    snprintf(truths, sizeof truths, "%s/ground-truth", folder);
    if (!gn_path_is_dir(truths)) {
        print_message("skipped: no %s\n", truths);
        skip();
    }
    gn_arena *arena = gn_arena_create(0);
    const char **names;
    size_t n;
    assert_int_equal(gn_list_dir(truths, arena, &names, &n, NULL), GN_OK);
    begin();
    for (size_t i = 0; i < n; i++) {
        read_lines(folder, names[i], (int64_t)i, true, hard);
        read_lines(folder, names[i], (int64_t)i, false, hard);
    }
    input.n_images = (int64_t)n;
    gn_arena_destroy(&arena);
    FILE *f = open_golden(golden);
    assert_int_equal(compare(f), classes);
    fclose(f);
}

static void sample_as_it_is(void **state)
{
    (void)state;
    sample_set("sample", false, 30);
}

static void sample_with_difficult_boxes(void **state)
{
    (void)state;
    sample_set("sample_hard", true, 30);
}

static void classes_without_boxes(void **state)
{
    (void)state;
    gn_voc_class got[2];
    double mean11, mean_area;
    begin();
    input.n_images = 1;
    input.n_classes = 2;
    det[0] = (gn_detection){.cls = 1, .score = 0.5, .box = {0, 0, 5, 5}};
    input.n_det = 1;
    assert_int_equal(gn_voc_evaluate(&input, 0.5, got, &mean11, &mean_area), GN_OK);
    assert_true(isnan(mean11) && isnan(mean_area) && isnan(got[1].ap11));
    det[0].score = NAN;
    assert_int_equal(gn_voc_evaluate(&input, 0.5, got, &mean11, &mean_area), GN_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_boxes),
        cmocka_unit_test(sample_as_it_is),
        cmocka_unit_test(sample_with_difficult_boxes),
        cmocka_unit_test(classes_without_boxes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
