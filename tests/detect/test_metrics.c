/* Single-box metrics by hand, COCO average precision against pycocotools' figures (tests/golden/coco_ap.txt), bootstrap intervals.
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

#include "base/memory.h"
#include "detect/metrics.h"
#include "detect/score_order.h"

#define MAX_ITEMS  1000
#define N_EXPECTED 32 /* COCO's twelve numbers, 10 maps, 10 recalls */

static void assert_near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.12g, want %.12g (tolerance %g)", got, want, tolerance);
}

static void test_single_box(void **state)
{
    (void)state;
    const gn_box pred = {0, 0, 10, 10};
    const gn_box truth[] = {{20, 20, 30, 30}, {0, 0, 10, 8}, {5, 5, 15, 15}};
    assert_near(gn_single_iou(&pred, truth, 3), 0.8, 1e-12);
    assert_near(gn_single_iou(&pred, truth, 1), 0, 0);
    assert_near(gn_single_iou(&pred, NULL, 0), -1, 0);

    const double ious[] = {0.8, 0.5, -1, 0.6, 0}; /* exactly 0.5 is not above 0.5; the third picture has no true box */
    const gn_single_metrics m = gn_single_metrics_of(ious, 5);
    assert_int_equal(m.images, 5);
    assert_int_equal(m.counted, 4);
    assert_int_equal(m.true_positives, 2);
    assert_int_equal(m.false_positives, 2);
    assert_near(m.mean_iou, 1.9 / 4, 1e-12);
    assert_near(m.box_precision50, 0.5, 0);
    const double none[] = {-1};
    assert_true(isnan(gn_single_metrics_of(none, 1).mean_iou));
}

static void test_single_bootstrap(void **state)
{
    (void)state;
    double ious[400];
    for (int i = 0; i < 400; i++)
        ious[i] = i % 10 / 9.0; /* mean 0.5, deviation 0.3191: the standard error of 400 is 0.01596 */
    gn_interval iou, precision, again;
    assert_int_equal(gn_single_bootstrap(ious, 400, 1000, 3, &iou, &precision), GN_OK);
    assert_near(iou.value, 0.5, 1e-12);
    assert_near(iou.low, 0.5 - 1.96 * 0.01596, 0.004);
    assert_near(iou.high, 0.5 + 1.96 * 0.01596, 0.004);
    assert_near(precision.value, 0.5, 1e-12);
    assert_near(precision.high - precision.low, 2 * 1.96 * 0.025, 0.01);
    assert_int_equal(gn_single_bootstrap(ious, 400, 1000, 3, &again, &precision), GN_OK);
    assert_memory_equal(&iou, &again, sizeof iou);
    assert_int_equal(gn_single_bootstrap(ious, 400, 1000, 4, &again, &precision), GN_OK);
    assert_true(again.low != iou.low || again.high != iou.high);
    assert_int_equal(gn_single_bootstrap(ious, 400, 0, 4, &again, &precision), GN_EINVAL);
    assert_int_equal(gn_single_bootstrap(NULL, 0, 10, 4, &again, &precision), GN_OK);
    assert_true(isnan(again.low));
}

/* One case of the golden file. */
typedef struct golden {
    char name[64];
    gn_detection det[MAX_ITEMS];
    gn_truth truth[MAX_ITEMS];
    gn_coco_input input;
    double expected[N_EXPECTED];
} golden;

static bool read_case(FILE *f, golden *g)
{
    char line[1024];
    int64_t t = 0, d = 0;
    while (fgets(line, sizeof line, f) != NULL) {
        long images, n_truth, n_det, image;
        int classes, cls, crowd;
        double score, x2, y2, area;
        gn_rect b;
        if (sscanf(line, "case %63s %ld %d %ld %ld", g->name, &images, &classes, &n_truth, &n_det) == 5) {
            assert_true(n_truth <= MAX_ITEMS && n_det <= MAX_ITEMS);
            g->input = (gn_coco_input){.det = g->det,
                                       .n_det = n_det,
                                       .truth = g->truth,
                                       .n_truth = n_truth,
                                       .n_images = images,
                                       .n_classes = classes};
        } else if (sscanf(line, "t %ld %d %d %lf %lf %lf %lf %lf", &image, &cls, &crowd, &b.x, &b.y, &x2, &y2, &area) ==
                   8) {
            b.w = x2 - b.x;
            b.h = y2 - b.y;
            g->truth[t++] = (gn_truth){
                .image = image, .cls = cls, .is_crowd = crowd != 0, .has_area = true, .area = area, .box = b};
        } else if (sscanf(line, "d %ld %d %lf %lf %lf %lf %lf", &image, &cls, &score, &b.x, &b.y, &x2, &y2) == 7) {
            b.w = x2 - b.x;
            b.h = y2 - b.y;
            g->det[d++] = (gn_detection){.image = image, .cls = cls, .score = score, .box = b};
        } else if (strncmp(line, "expect", 6) == 0) {
            char *at = line + 6;
            for (int i = 0; i < N_EXPECTED; i++)
                g->expected[i] = strtod(at, &at);
            assert_int_equal(t, g->input.n_truth);
            assert_int_equal(d, g->input.n_det);
            return true;
        }
    }
    return false;
}

static void test_against_pycocotools(void **state)
{
    (void)state;
    static golden g;
    FILE *f = fopen(GN_SOURCE_DIR "/tests/golden/coco_ap.txt", "r");
    assert_non_null(f);
    int cases = 0;
    while (read_case(f, &g)) {
        gn_coco_metrics m;
        assert_int_equal(gn_coco_evaluate(&g.input, &m, NULL), GN_OK);
        const double stats[12] = {m.map50_95,
                                  m.map50,
                                  m.map75,
                                  m.map_of_size[GN_COCO_SMALL],
                                  m.map_of_size[GN_COCO_MEDIUM],
                                  m.map_of_size[GN_COCO_LARGE],
                                  m.ar1,
                                  m.ar10,
                                  m.ar_of_size[GN_COCO_ALL],
                                  m.ar_of_size[GN_COCO_SMALL],
                                  m.ar_of_size[GN_COCO_MEDIUM],
                                  m.ar_of_size[GN_COCO_LARGE]};
        for (int i = 0; i < 12; i++) {
            if (g.expected[i] < 0)
                assert_true(isnan(stats[i]));
            else
                assert_near(stats[i], g.expected[i], 1e-11);
        }
        for (int t = 0; t < GN_COCO_THRESHOLDS; t++) {
            assert_near(m.map[t], g.expected[12 + t], 1e-11);
            assert_near(m.ar[t], g.expected[22 + t], 1e-11);
        }
        assert_near(m.map50, m.map[0], 0);
        assert_near(m.map75, m.map[5], 0);
        assert_near(m.map95, m.map[9], 0);
        cases++;
    }
    fclose(f);
    assert_int_equal(cases, 8);
}

/* Detections may come in any order, as long as none of the scores of one picture are equal. */
static void test_order_does_not_matter(void **state)
{
    (void)state;
    const gn_truth truth[] = {{.image = 0, .box = {0, 0, 10, 10}}, {.image = 1, .box = {5, 5, 15, 15}}};
    gn_detection det[] = {
        {.image = 0, .score = 0.9, .box = {0, 0, 10, 10}},
        {.image = 1, .score = 0.8, .box = {30, 30, 10, 10}},
        {.image = 1, .score = 0.3, .box = {5, 5, 15, 15}},
    };
    gn_coco_input in = {.det = det, .n_det = 3, .truth = truth, .n_truth = 2, .n_images = 2, .n_classes = 1};
    gn_coco_metrics a, b;
    assert_int_equal(gn_coco_evaluate(&in, &a, NULL), GN_OK);
    const gn_detection first = det[0];
    det[0] = det[2];
    det[2] = first;
    assert_int_equal(gn_coco_evaluate(&in, &b, NULL), GN_OK);
    assert_memory_equal(&a, &b, sizeof a);
    /* Recall 0..0.5 at precision 1, above at 2/3: 51 points and 50 points of 101. */
    assert_near(a.map50, (51 + 50 * 2.0 / 3) / 101, 1e-12);
}

static void test_best_f1(void **state)
{
    (void)state;
    const gn_truth truth[] = {
        {.image = 0, .box = {0, 0, 10, 10}}, {.image = 1, .box = {5, 5, 15, 15}}, {.image = 2, .box = {5, 5, 15, 15}}};
    const gn_detection det[] = {
        {.image = 0, .score = 0.9, .box = {0, 0, 10, 10}},
        {.image = 1, .score = 0.7, .box = {5, 5, 15, 15}},
        {.image = 2, .score = 0.5, .box = {50, 50, 10, 10}},
        {.image = 0, .score = 0.2, .box = {50, 50, 10, 10}},
    };
    gn_coco_input in = {.det = det, .n_det = 4, .truth = truth, .n_truth = 3, .n_images = 3, .n_classes = 1};
    gn_coco_metrics m;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_OK);
    assert_near(m.confidence, 0.7, 0);
    assert_near(m.precision, 1, 0);
    assert_near(m.recall, 2.0 / 3, 1e-12);
    assert_near(m.f1, 0.8, 1e-12);
    assert_int_equal(m.truths, 3);

    in.n_det = 0;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_OK);
    assert_near(m.map50, 0, 0);
    assert_near(m.recall, 0, 0);
    in.n_truth = 0;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_OK);
    assert_true(isnan(m.map50) && isnan(m.f1));
}

static void test_ignored_boxes(void **state)
{
    (void)state;
    const gn_truth truth[] = {{.image = 0, .box = {0, 0, 10, 10}},
                              {.image = 0, .is_ignored = true, .box = {20, 20, 10, 10}}};
    const gn_detection det[] = {{.image = 0, .score = 0.9, .box = {20, 20, 10, 10}},
                                {.image = 0, .score = 0.8, .box = {0, 0, 10, 10}}};
    const gn_coco_input in = {.det = det, .n_det = 2, .truth = truth, .n_truth = 2, .n_images = 1, .n_classes = 1};
    gn_coco_metrics m;
    gn_coco_class one;
    assert_int_equal(gn_coco_evaluate(&in, &m, &one), GN_OK);
    assert_near(m.map50_95, 1, 1e-12);
    assert_near(one.ap[9], 1, 1e-12);
    assert_int_equal(m.truths, 1);
}

static void test_bad_input(void **state)
{
    (void)state;
    gn_truth truth = {.image = 0, .box = {0, 0, 1, 1}};
    gn_detection det = {.image = 0, .score = 0.5, .box = {0, 0, 1, 1}};
    const gn_coco_input in = {.det = &det, .n_det = 1, .truth = &truth, .n_truth = 1, .n_images = 1, .n_classes = 1};
    gn_coco_metrics m;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_OK);
    det.score = NAN;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_EINVAL);
    det.score = 0.5;
    det.image = 1;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_EINVAL);
    det.image = 0;
    truth.cls = 1;
    assert_int_equal(gn_coco_evaluate(&in, &m, NULL), GN_EINVAL);
}

static void bootstrap(const gn_coco_input *in, int resamples, gn_interval *map50, gn_interval *map50_95)
{
    gn_coco *coco = NULL;
    assert_int_equal(gn_coco_create(in, &coco), GN_OK);
    assert_int_equal(gn_coco_bootstrap(coco, resamples, 1, map50, map50_95), GN_OK);
    assert_int_equal(gn_coco_bootstrap(coco, 0, 1, map50, map50_95), GN_EINVAL);
    gn_coco_destroy(&coco);
}

/* Every picture equal: no spread.  Half of the pictures found: the interval is that of a coin. */
static void test_coco_bootstrap(void **state)
{
    (void)state;
    enum { N = 200 };
    static gn_truth truth[N];
    static gn_detection det[N];
    for (int i = 0; i < N; i++) {
        truth[i] = (gn_truth){.image = i, .box = {0, 0, 10, 10}};
        det[i] = (gn_detection){.image = i, .score = 0.5, .box = {0, 0, 10, 10}};
    }
    gn_coco_input in = {.det = det, .n_det = N, .truth = truth, .n_truth = N, .n_images = N, .n_classes = 1};
    gn_interval all, half, again;
    gn_interval wide;
    bootstrap(&in, 200, &all, &wide);
    assert_near(wide.low, 1, 1e-12);
    assert_near(all.low, 1, 1e-12);
    assert_near(all.high, 1, 1e-12);
    in.n_det = N / 2;
    bootstrap(&in, 1000, &half, &wide);
    assert_near(wide.value, 51.0 / 101, 1e-12);
    assert_near(wide.low, half.low, 1e-12); /* right at every threshold or wrong at all */
    assert_near(half.value, 51.0 / 101, 1e-12);
    assert_near(half.high - half.low, 2 * 1.96 * sqrt(0.25 / N), 0.03);
    bootstrap(&in, 1000, &again, NULL);
    assert_memory_equal(&half, &again, sizeof half);
}

/* Two classes.  Class 0: two true boxes in picture 0, of which one is found with IoU 0.8 (score 0.9), one wrong detection (0.6) and the
 * other box found exactly (0.3).  Class 1: one true box in picture 1, missed; a crowd there swallows a detection. */
static const gn_truth two_truths[] = {{.image = 0, .cls = 0, .box = {0, 0, 10, 10}},
                                      {.image = 0, .cls = 0, .box = {50, 50, 10, 10}},
                                      {.image = 1, .cls = 1, .box = {0, 0, 20, 20}},
                                      {.image = 1, .cls = 1, .is_crowd = true, .box = {40, 40, 40, 40}}};
static const gn_detection two_dets[] = {{.image = 0, .cls = 0, .score = 0.9, .box = {0, 0, 10, 8}},
                                        {.image = 0, .cls = 0, .score = 0.6, .box = {80, 80, 10, 10}},
                                        {.image = 0, .cls = 0, .score = 0.3, .box = {50, 50, 10, 10}},
                                        {.image = 1, .cls = 1, .score = 0.8, .box = {45, 45, 10, 10}}};
static const gn_coco_input two_classes = {
    .det = two_dets, .n_det = 4, .truth = two_truths, .n_truth = 4, .n_images = 2, .n_classes = 2};

static void test_classes_by_hand(void **state)
{
    (void)state;
    gn_coco_metrics m;
    gn_coco_class c[2];
    assert_int_equal(gn_coco_evaluate(&two_classes, &m, c), GN_OK);
    /* Precision 1 up to recall 0.5, then 2/3; at IoU 0.85 and above the first is wrong: 1/3 up to 0.5. */
    assert_near(c[0].ap[0], (51 + 50 * 2.0 / 3) / 101, 1e-12);
    assert_near(c[0].ap[9], 51.0 / 3 / 101, 1e-12);
    assert_near(c[1].ap[0], 0, 0);
    assert_near(m.map50, c[0].ap[0] / 2, 1e-12);
    /* F1 of class 0: 2/3 at 0.9, 0.5 at 0.6, 0.8 at 0.3. */
    assert_near(m.confidence, 0.3, 0);
    assert_near(c[0].f1, 0.8, 1e-12);
    assert_near(m.f1, 0.4, 1e-12);
    assert_near(c[0].precision, 2.0 / 3, 1e-12);
    assert_near(c[0].recall, 1, 0);
    assert_int_equal(c[0].truths, 2);
    assert_int_equal(c[0].images, 1);
    assert_int_equal(c[1].truths, 1);
    /* LRP of class 0: at 0.9 (0.4 + 0 + 1) / 2; at 0.3 (0.4 + 1) / 3, which is the least. */
    assert_near(c[0].lrp, 1.4 / 3, 1e-6);
    assert_near(c[0].lrp_confidence, 0.3, 0);
    assert_near(c[1].lrp, 1, 0);
    assert_near(m.lrp, (1.4 / 3 + 1) / 2, 1e-6);
    /* One detection per picture and class: the first one only, right at 7 of 10 thresholds. */
    assert_near(m.ar1, 0.7 / 2 / 2, 1e-12);
}

static void test_curves(void **state)
{
    (void)state;
    static gn_coco_curves one, mean;
    gn_coco *coco = NULL;
    assert_int_equal(gn_coco_create(&two_classes, &coco), GN_OK);
    assert_int_equal(gn_coco_curves_of(coco, 0, &one), GN_OK);
    assert_int_equal(gn_coco_curves_of(coco, -1, &mean), GN_OK);
    assert_int_equal(gn_coco_curves_of(coco, 2, &mean), GN_EINVAL);
    assert_int_equal(gn_coco_curves_of(coco, -1, &mean), GN_OK);
    const int at95 = 950, at70 = 700, at50 = 500, at10 = 100; /* confidences of about 0.95, 0.7, ... */
    assert_near(one.precision[at95], 1, 0);
    assert_near(one.recall[at95], 0, 0);
    assert_near(one.f1[at70], 2.0 / 3, 1e-12);
    assert_near(one.precision[at50], 0.5, 0);
    assert_near(one.recall[at10], 1, 0);
    assert_near(one.f1[at10], 0.8, 1e-12);
    assert_near(mean.f1[at10], 0.4, 1e-12);
    assert_near(one.envelope[0], 1, 0);
    assert_near(one.envelope[499], 1, 0);
    assert_near(one.envelope[501], 2.0 / 3, 1e-12);
    assert_near(one.envelope[999], 2.0 / 3, 1e-12);

    gn_coco_picture p[2];
    gn_coco_pictures(coco, 0.5, p);
    assert_true(p[0].hits == 1 && p[0].wrong == 1 && p[0].missed == 1);
    assert_true(p[1].hits == 0 && p[1].wrong == 0 && p[1].missed == 1);
    gn_coco_destroy(&coco);
}

static void test_confusion(void **state)
{
    (void)state;
    const gn_truth truth[] = {{.image = 0, .cls = 0, .box = {0, 0, 10, 10}},
                              {.image = 0, .cls = 1, .box = {20, 20, 10, 10}},
                              {.image = 0, .cls = 1, .box = {40, 40, 10, 10}},
                              {.image = 1, .cls = 0, .is_crowd = true, .box = {0, 0, 10, 10}}};
    const gn_detection det[] = {
        {.image = 0, .cls = 0, .score = 0.5, .box = {0, 0, 10, 9}},
        {.image = 0, .cls = 1, .score = 0.9, .box = {0, 0, 10, 8}},     /* loses to the one before */
        {.image = 0, .cls = 0, .score = 0.3, .box = {20, 20, 10, 9}},   /* of the wrong class */
        {.image = 0, .cls = 1, .score = 0.25, .box = {40, 40, 10, 10}}, /* not above 0.25 */
        {.image = 1, .cls = 0, .score = 0.9, .box = {0, 0, 10, 10}},    /* on a crowd */
        {.image = 1, .cls = 1, .score = 0.9, .box = {60, 60, 10, 10}}};
    const gn_coco_input in = {.det = det, .n_det = 6, .truth = truth, .n_truth = 4, .n_images = 2, .n_classes = 2};
    const int64_t expected[9] = {1, 1, 0,  /* predicted 0: a true 0, a true 1 */
                                 0, 0, 2,  /* predicted 1: twice nothing */
                                 0, 1, 0}; /* not seen: a 1 */
    int64_t got[9];
    assert_int_equal(gn_confusion_matrix(&in, 0.25, 0.45, got), GN_OK);
    assert_memory_equal(got, expected, sizeof got);
}

/* Falling scores and rising keys, each against a plain insertion sort, which keeps the order of equals. */
static void test_orders(void **state)
{
    (void)state;
    enum { N = 700 };
    static double score[N];
    static int32_t key[N];
    static int64_t got[N], want[N];
    int64_t first[8];
    uint32_t x = 12345;
    for (int i = 0; i < N; i++) {
        x = x * 1664525u + 1013904223u;
        key[i] = (int32_t)(x >> 28) % 7;
        score[i] = i % 3 == 0 ? (double)(int32_t)x * 1e-9 : (double)((int32_t)(x >> 20) % 9 - 4) / 4;
        if (i % 50 == 7)
            score[i] = i % 100 == 7 ? -0.0 : 0.0; /* equal */
        got[i] = want[i] = i;
    }
    score[600] = 1e300;
    score[601] = -1e300;
    for (int i = 1; i < N; i++)
        for (int k = i; k > 0 && score[want[k - 1]] < score[want[k]]; k--) {
            const int64_t swap = want[k];
            want[k] = want[k - 1];
            want[k - 1] = swap;
        }
    assert_int_equal(gn_order_by_score(score, got, N), GN_OK);
    assert_memory_equal(got, want, sizeof got);
    for (int i = 1; i < N; i++)
        for (int k = i; k > 0 && key[want[k - 1]] > key[want[k]]; k--) {
            const int64_t swap = want[k];
            want[k] = want[k - 1];
            want[k - 1] = swap;
        }
    assert_int_equal(gn_order_by_key(key, 7, got, N, first), GN_OK);
    assert_memory_equal(got, want, sizeof got);
    assert_true(first[0] == 0 && first[7] == N);
    for (int c = 0; c < 7; c++)
        for (int64_t i = first[c]; i < first[c + 1]; i++)
            assert_int_equal(key[got[i]], c);
    assert_int_equal(gn_order_by_score(score, got, 0), GN_OK);
    assert_int_equal(gn_order_by_key(key, 0, got, 0, first), GN_OK);
}

/* ---- out of memory ---- */

static int64_t until_failure;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    void *block = NULL;
    if (--until_failure < 0 || posix_memalign(&block, align, bytes > 0 ? bytes : 1) != 0)
        return NULL;
    return block;
}

static void plain_free(void *ctx, void *block)
{
    (void)ctx;
    free(block);
}

static gn_status everything(void)
{
    gn_coco *coco = NULL;
    gn_coco_metrics m;
    gn_coco_class c[2];
    gn_voc_class v[2];
    gn_interval a, b;
    static gn_coco_curves curves;
    double ap11, area;
    int64_t matrix[9];
    gn_status status = gn_coco_create(&two_classes, &coco);
    if (status == GN_OK)
        status = gn_coco_measure(coco, &m, c);
    if (status == GN_OK)
        status = gn_coco_bootstrap(coco, 3, 0, &a, &b);
    if (status == GN_OK)
        status = gn_coco_curves_of(coco, -1, &curves);
    gn_coco_destroy(&coco);
    if (status == GN_OK)
        status = gn_voc_evaluate(&two_classes, 0.5, v, &ap11, &area);
    if (status == GN_OK)
        status = gn_confusion_matrix(&two_classes, 0.25, 0.45, matrix);
    return status;
}

static void test_out_of_memory(void **state)
{
    (void)state;
    const gn_allocator failing = {failing_alloc, plain_free, NULL};
    gn_status status = GN_ENOMEM;
    int k = 0;
    for (; k < 500 && status != GN_OK; k++) {
        until_failure = k;
        gn_set_allocator(&failing);
        status = everything();
        assert_true(gn_memory_stats_get().live_bytes == 0);
        gn_set_allocator(NULL);
        assert_true(status == GN_OK || status == GN_ENOMEM);
    }
    assert_int_equal(status, GN_OK);
    assert_true(k > 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_classes_by_hand),
        cmocka_unit_test(test_curves),
        cmocka_unit_test(test_confusion),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_single_box),
        cmocka_unit_test(test_single_bootstrap),
        cmocka_unit_test(test_against_pycocotools),
        cmocka_unit_test(test_order_does_not_matter),
        cmocka_unit_test(test_best_f1),
        cmocka_unit_test(test_ignored_boxes),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_coco_bootstrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
