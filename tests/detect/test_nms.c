/* Suppression of overlapping boxes: torchvision's choice and the papers' formulas (tests/golden/nms.txt), a plain implementation of every
 * kind on random candidates with ties, the scan of scores, limits, and odd boxes.
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
#include "base/rng.h"
#include "detect/nms.h"

#define MOST 5000

static gn_nms *nms;
static gn_candidate given[MOST], got[MOST], want[MOST];
static int n_given;

static int begin(void **state)
{
    (void)state;
    return gn_nms_create(&nms) == GN_OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    gn_nms_destroy(&nms);
    return 0;
}

static int run(const gn_nms_options *o)
{
    int n = -1;
    gn_error err = {0};
    gn_nms_clear(nms);
    for (int i = 0; i < n_given; i++)
        assert_int_equal(gn_nms_add(nms, &given[i]), GN_OK);
    if (gn_nms_run(nms, o, got, &n, &err) != GN_OK)
        fail_msg("%s", err.message);
    return n;
}

/* ---- against other people's ---- */

static void check_golden_kind(const char *name, float limit, char **lines, int n)
{
    gn_nms_options o = {.iou = limit, .conf = 0.05f, .max_det = MOST};
    if (strcmp(name, "agnostic") == 0)
        o.is_agnostic = true;
    else
        assert_true(gn_nms_kind_parse(name, &o.kind));
    const int found = run(&o);
    if (found != n)
        fail_msg("%s: %d objects, expected %d", name, found, n);
    for (int i = 0; i < n; i++) {
        int source;
        double score, x1, y1, x2, y2;
        assert_int_equal(sscanf(lines[i], "o %d %lf %lf %lf %lf %lf", &source, &score, &x1, &y1, &x2, &y2), 6);
        const gn_box *b = &got[i].box;
        const double off = fmax(fmax(fabs((double)b->x1 - x1), fabs((double)b->y1 - y1)),
                                fmax(fabs((double)b->x2 - x2), fabs((double)b->y2 - y2)));
        if (got[i].source != source || fabs((double)got[i].score - score) > 1e-6 || off > 1e-4)
            fail_msg("%s: object %d is candidate %d with %g, %g px off; expected %d with %g", name, i, got[i].source,
                     (double)got[i].score, off, source, score);
    }
}

static void golden_cases(void **state)
{
    (void)state;
    char *text = NULL, *lines[4096];
    size_t bytes = 0;
    int n = 0, kinds = 0;
    float limit = 0;
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/nms.txt", 1 << 20, &text, &bytes, NULL), GN_OK);
    for (char *line = strtok(text, "\n"); line && n < 4096; line = strtok(NULL, "\n"))
        lines[n++] = line;
    for (int i = 0; i < n; i++) {
        char name[32];
        double x1, y1, x2, y2, score;
        int cls, objects;
        if (sscanf(lines[i], "case %31s %f", name, &limit) == 2) {
            n_given = 0;
        } else if (sscanf(lines[i], "c %d %lf %lf %lf %lf %lf", &cls, &score, &x1, &y1, &x2, &y2) == 6) {
            given[n_given] = (gn_candidate){{(float)x1, (float)y1, (float)x2, (float)y2}, (float)score, cls, n_given};
            n_given++;
        } else if (sscanf(lines[i], "kind %31s %d", name, &objects) == 2) {
            assert_true(i + objects < n);
            check_golden_kind(name, limit, lines + i + 1, objects);
            i += objects;
            kinds++;
        }
    }
    assert_int_equal(kinds, 24);
    gn_free(text);
}

/* ---- against a plain implementation ---- */

static double iou_of(const gn_box *a, const gn_box *b)
{
    const double w = fmin((double)a->x2, (double)b->x2) - fmax((double)a->x1, (double)b->x1);
    const double h = fmin((double)a->y2, (double)b->y2) - fmax((double)a->y1, (double)b->y1);
    const double common = fmax(w, 0) * fmax(h, 0);
    const double all = ((double)a->x2 - (double)a->x1) * ((double)a->y2 - (double)a->y1) +
                       ((double)b->x2 - (double)b->x1) * ((double)b->y2 - (double)b->y1) - common;
    return all > 0 ? common / all : 0;
}

static int by_score(const void *a, const void *b)
{
    const gn_candidate *x = a, *y = b;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return (x->source > y->source) - (x->source < y->source);
}

/* Every box against every kept one. */
static int plain_greedy(const gn_nms_options *o)
{
    static gn_candidate sorted[MOST];
    int n = 0;
    memcpy(sorted, given, sizeof sorted);
    qsort(sorted, (size_t)n_given, sizeof *sorted, by_score);
    for (int i = 0; i < n_given && n < o->max_det; i++) {
        bool goes = false;
        for (int k = 0; k < n; k++)
            goes = goes || ((o->is_agnostic || want[k].cls == sorted[i].cls) &&
                            iou_of(&want[k].box, &sorted[i].box) > (double)o->iou);
        if (!goes)
            want[n++] = sorted[i];
    }
    return n;
}

/* Boxes on a grid and few different scores: many ties, and no comparison depends on rounding. */
static void draw(uint64_t seed, int n, int classes)
{
    gn_rng rng;
    gn_rng_init(&rng, seed, 0);
    n_given = n;
    for (int i = 0; i < n; i++) {
        const float x = (float)(gn_rng_u32(&rng) % 200), y = (float)(gn_rng_u32(&rng) % 200);
        const float w = (float)(gn_rng_u32(&rng) % 60), h = (float)(gn_rng_u32(&rng) % 60);
        given[i] = (gn_candidate){{x, y, x + w, y + h},
                                  (float)(1 + gn_rng_u32(&rng) % 64) / 64,
                                  (int32_t)(gn_rng_u32(&rng) % (uint32_t)classes),
                                  i};
    }
}

static void random_candidates(void **state)
{
    (void)state;
    static const float limits[] = {0, 0.25f, 0.5f, 0.75f, 1};
    for (uint64_t seed = 0; seed < 60; seed++) {
        const gn_nms_options o = {
            .iou = limits[seed % 5], .is_agnostic = seed % 3 == 0, .max_det = seed % 4 == 1 ? 20 : MOST};
        draw(seed, (int)(1 + seed * 29 % 1200), seed % 2 ? 1 : 5);
        const int expected = plain_greedy(&o), found = run(&o);
        if (found != expected || memcmp(got, want, (size_t)found * sizeof *got) != 0)
            fail_msg("seed %d: %d objects, expected %d, or others", (int)seed, found, expected);
    }
}

/* Fewer candidates than there are are looked at: the best ones. */
static void most_candidates(void **state)
{
    (void)state;
    draw(3, 1000, 3);
    const gn_nms_options all = {.iou = 1, .max_det = MOST, .max_candidates = 100};
    assert_int_equal(run(&all), 100);
    qsort(given, (size_t)n_given, sizeof *given, by_score);
    for (int i = 0; i < 100; i++)
        assert_int_equal(got[i].source, given[i].source);
}

/* ---- the scan of scores ---- */

static void scan(void **state)
{
    (void)state;
    static float boxes[4 * 700], scores[700 * 90];
    gn_rng rng;
    gn_rng_init(&rng, 9, 0);
    for (int i = 0; i < 700; i++) {
        boxes[4 * i + 2] = (float)i; /* told apart by their right side */
        boxes[4 * i + 3] = 1;
    }
    static const int classes[] = {1, 2, 3, 31, 32, 33, 80, 90};
    for (size_t k = 0; k < sizeof classes / sizeof *classes; k++)
        for (int form = 0; form < 4; form++) {
            const int C = classes[k];
            const float conf = form & 2 ? 0.0f : 0.98f;
            for (int i = 0; i < 700 * C; i++)
                scores[i] = (float)(gn_rng_u32(&rng) % 101) / 100; /* equal ones among them */
            gn_nms_clear(nms);
            assert_int_equal(gn_nms_add_scores(nms, boxes, scores, 700, C, conf, form & 1), GN_OK);
            n_given = 0;
            for (int i = 0; i < 700 && n_given + C < MOST; i++) {
                int best = -1;
                for (int c = 0; c < C; c++) {
                    const float s = scores[i * C + c];
                    if (s < conf || s <= 0)
                        continue;
                    if (form & 1)
                        given[n_given++] = (gn_candidate){{0, 0, (float)i, 1}, s, c, i};
                    else if (best < 0 || s > scores[i * C + best])
                        best = c;
                }
                if (best >= 0 && !(form & 1))
                    given[n_given++] = (gn_candidate){{0, 0, (float)i, 1}, scores[i * C + best], best, i};
            }
            if (n_given + C >= MOST)
                continue;
            assert_int_equal(gn_nms_count(nms), n_given);
            int n = 0;
            const gn_nms_options all = {.iou = 1, .max_det = MOST};
            assert_int_equal(gn_nms_run(nms, &all, got, &n, NULL), GN_OK);
            assert_int_equal(n, n_given);
            qsort(given, (size_t)n, sizeof *given, by_score);
            for (int i = 0; i < n;
                 i++) { /* of equal scores of one candidate the lower class first: by_score is not stable there */
                assert_true(!(got[i].score < given[i].score) && !(got[i].score > given[i].score));
                assert_int_equal(got[i].source, given[i].source);
                assert_true(!(form & 1) || i == 0 || got[i].source != got[i - 1].source ||
                            got[i].score < got[i - 1].score || got[i].cls > got[i - 1].cls);
            }
        }
}

/* Numbers that are none, inverted boxes and hopeless scores are left out; a score of nothing never counts. */
static void odd_candidates(void **state)
{
    (void)state;
    const gn_nms_options o = {.iou = 0.5f, .max_det = 10};
    const float boxes[] = {0, 0, 5, 5, NAN,    0,      1,     1,     0, 0, INFINITY, 1,
                           5, 5, 0, 0, -3e38f, -3e38f, 3e38f, 3e38f, 9, 9, 9,        9};
    const float scores[] = {0.5f, 0.9f, 0.9f, 0.9f, 0.9f, 0.4f}, none[] = {NAN, 0, -1, NAN, 0, -0.0f};
    int n = -1;
    gn_nms_clear(nms);
    assert_int_equal(gn_nms_run(nms, &o, got, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(gn_nms_add_scores(nms, boxes, none, 6, 1, 0, false), GN_OK);
    assert_int_equal(gn_nms_count(nms), 0);
    assert_int_equal(gn_nms_add_scores(nms, boxes, scores, 6, 1, 0.1f, false), GN_OK);
    for (int kind = 0; kind < GN_NMS_KINDS; kind++) {
        gn_nms_options each = o;
        each.kind = (gn_nms_kind)kind;
        assert_int_equal(gn_nms_run(nms, &each, got, &n, NULL), GN_OK);
        assert_int_equal(n, 2);
        assert_int_equal(got[0].source, 0);
        assert_int_equal(got[1].source, 5); /* without a size, but in its place */
    }
}

static void bad_options(void **state)
{
    (void)state;
    const gn_nms_options bad[] = {{.iou = -0.1f, .max_det = 1},
                                  {.iou = 1.1f, .max_det = 1},
                                  {.iou = NAN, .max_det = 1},
                                  {.iou = 0.5f, .conf = 2, .max_det = 1},
                                  {.iou = 0.5f, .max_det = 0},
                                  {.iou = 0.5f, .max_det = 1, .sigma = -1},
                                  {.iou = 0.5f, .max_det = 1, .max_candidates = -1},
                                  {.iou = 0.5f, .max_det = 1, .kind = GN_NMS_KINDS}};
    gn_nms_clear(nms);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int n = 7;
        gn_error err = {0};
        assert_int_equal(gn_nms_run(nms, &bad[i], got, &n, &err), GN_EINVAL);
        assert_int_equal(n, 7);
        assert_non_null(strstr(err.message, "suppressing boxes"));
    }
    gn_nms_kind kind;
    for (int i = 0; i < GN_NMS_KINDS; i++) {
        assert_true(gn_nms_kind_parse(gn_nms_kind_name((gn_nms_kind)i), &kind));
        assert_int_equal(kind, i);
    }
    assert_false(gn_nms_kind_parse("hard", &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_cases), cmocka_unit_test(random_candidates), cmocka_unit_test(most_candidates),
        cmocka_unit_test(scan),         cmocka_unit_test(odd_candidates),    cmocka_unit_test(bad_options),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
