/* Boxes and scores of every kind of detector against PyTorch's figures (tests/golden/detect_decode.txt), by both forms of the decoding,
 * and what must not depend on how the cells are split.
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
#include "detect/decode.h"

#define MOST_NUMBERS 8192
#define MOST_CASES   16

typedef struct decode_case {
    char name[32];
    int64_t input_w, input_h;
    gn_detector d;
    int n_maps;
    int64_t height[GN_DETECTOR_MAX_MAPS], width[GN_DETECTOR_MAX_MAPS];
    double raw[GN_DETECTOR_MAX_MAPS][MOST_NUMBERS]; /* [K,H,W] */
    int n_boxes, n_scores;
    double boxes[MOST_NUMBERS], scores[MOST_NUMBERS];
} decode_case;

static decode_case cases[MOST_CASES];
static int n_cases;

static int numbers(const char *text, double *dst)
{
    int n = 0;
    for (char *stop; n < MOST_NUMBERS; text = stop, n++) {
        dst[n] = strtod(text, &stop);
        if (stop == text)
            break;
    }
    return n;
}

static void read_line(char *line)
{
    decode_case *c = n_cases > 0 ? &cases[n_cases - 1] : NULL;
    gn_error err = {0};
    long long a, b;
    int used = 0;
    if (strncmp(line, "case ", 5) == 0) {
        assert_true(n_cases < MOST_CASES);
        c = &cases[n_cases++];
        assert_int_equal(sscanf(line, "case %31s %lld %lld", c->name, &a, &b), 3);
        c->input_w = a;
        c->input_h = b;
    } else if (c && *line == '{') {
        if (gn_detector_parse(line, &c->d, &err) != GN_OK)
            fail_msg("%s: %s", c->name, err.message);
    } else if (c && sscanf(line, "map %lld %lld %n", &a, &b, &used) == 2) {
        const int m = c->n_maps++;
        c->height[m] = a;
        c->width[m] = b;
        assert_int_equal(numbers(line + used, c->raw[m]), a * b * gn_detector_channels(&c->d));
    } else if (c && strncmp(line, "boxes ", 6) == 0) {
        c->n_boxes = numbers(line + 6, c->boxes);
    } else if (c && strncmp(line, "scores ", 7) == 0) {
        c->n_scores = numbers(line + 7, c->scores);
    } else {
        assert_true(*line == '#' || *line == '\0');
    }
}

static int read_cases(void **state)
{
    (void)state;
    char *text = NULL;
    size_t n = 0;
    if (gn_file_read(GN_SOURCE_DIR "/tests/golden/detect_decode.txt", 1 << 20, &text, &n, NULL) != GN_OK)
        return -1;
    for (char *line = text, *end; line; line = end) {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        read_line(line);
    }
    gn_free(text);
    return n_cases > 0 ? 0 : -1;
}

static gn_decode_map map_of(const decode_case *c, int m)
{
    return gn_decode_map_of(&c->d, m, c->height[m], c->width[m], c->input_w, c->input_h);
}

static void check(const decode_case *c, int64_t at, int64_t n, const double *got, const double *want, double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[at + i]) <= tolerance * fmax(1, fabs(want[at + i]))))
            fail_msg("%s: number %d is %.9g, expected %.9g", c->name, (int)(at + i), got[i], want[at + i]);
}

/* The K channels of a cell. */
static void cell_of(const decode_case *c, int m, int64_t cell, double *raw)
{
    const int64_t pixels = c->height[m] * c->width[m];
    for (int64_t k = 0; k < gn_detector_channels(&c->d); k++)
        raw[k] = c->raw[m][k * pixels + cell];
}

static void single_candidates(void **state)
{
    (void)state;
    for (int i = 0; i < n_cases; i++) {
        const decode_case *c = &cases[i];
        int64_t at = 0;
        double raw[512], box[4], scores[16];
        for (int m = 0; m < c->n_maps; m++) {
            const gn_decode_map map = map_of(c, m);
            for (int64_t cell = 0; cell < map.height * map.width; cell++) {
                cell_of(c, m, cell, raw);
                for (int a = 0; a < c->d.anchors; a++, at++) {
                    gn_decode_candidate(&c->d, &map, cell / map.width, cell % map.width, a, raw, box, scores);
                    check(c, at * 4, 4, box, c->boxes, 2e-8); /* anchors are single precision in the description */
                    check(c, at * c->d.classes, c->d.classes, scores, c->scores, 2e-8);
                }
            }
        }
        assert_int_equal(at * 4, c->n_boxes);
        assert_int_equal(at * c->d.classes, c->n_scores);
    }
}

/* Cells begin..end-1 of map m in f32, into their places among the results of that map. */
static void decode_range(const decode_case *c, int m, int64_t begin, int64_t end, float *boxes, float *scores)
{
    static float raw[MOST_NUMBERS], scratch[4 * MOST_NUMBERS];
    const gn_decode_map map = map_of(c, m);
    const int64_t K = gn_detector_channels(&c->d), A = c->d.anchors, C = c->d.classes;
    double cell_raw[512];
    for (int64_t cell = begin; cell < end; cell++) {
        cell_of(c, m, cell, cell_raw);
        for (int64_t k = 0; k < K; k++)
            raw[(cell - begin) * K + k] = (float)cell_raw[k];
    }
    assert_true(gn_decode_scratch(&c->d, (size_t)(end - begin)) <= sizeof scratch / sizeof *scratch);
    gn_decode_cells(&c->d, &map, begin, (size_t)(end - begin), raw, boxes + begin * A * 4, scores + begin * A * C,
                    scratch);
}

static void cells_at_once(void **state)
{
    (void)state;
    static float boxes[MOST_NUMBERS], scores[MOST_NUMBERS];
    static double wide[MOST_NUMBERS];
    for (int i = 0; i < n_cases; i++) {
        const decode_case *c = &cases[i];
        int64_t at = 0;
        for (int m = 0; m < c->n_maps; m++) {
            const int64_t cells = c->height[m] * c->width[m], n = cells * c->d.anchors;
            for (int64_t piece = 1; piece <= cells; piece += 2) {
                memset(boxes, 0, sizeof boxes);
                memset(scores, 0, sizeof scores);
                for (int64_t begin = 0; begin < cells; begin += piece)
                    decode_range(c, m, begin, begin + piece < cells ? begin + piece : cells, boxes, scores);
                for (int64_t k = 0; k < n * 4; k++)
                    wide[k] = (double)boxes[k];
                check(c, at * 4, n * 4, wide, c->boxes, 5e-6);
                for (int64_t k = 0; k < n * c->d.classes; k++)
                    wide[k] = (double)scores[k];
                check(c, at * c->d.classes, n * c->d.classes, wide, c->scores, 1e-6);
            }
            at += n;
        }
        assert_int_equal(at * 4, c->n_boxes);
    }
}

/* Extreme numbers give extreme boxes, never a score outside 0..1 or one that is no number. */
static void extreme_numbers(void **state)
{
    (void)state;
    for (int i = 0; i < n_cases; i++) {
        const gn_detector *d = &cases[i].d;
        const int64_t K = gn_detector_channels(d);
        const gn_decode_map map = gn_decode_map_of(d, 0, 1, 1, 32, 32);
        float raw[512], boxes[64], scores[64];
        static float scratch[4096];
        for (int form = 0; form < 4; form++) {
            for (int64_t k = 0; k < K; k++)
                raw[k] = form < 2 ? (form ? 1e30f : -1e30f) : (k + form) % 2 ? 1e4f : -1e4f;
            gn_decode_cells(d, &map, 0, 1, raw, boxes, scores, scratch);
            for (int k = 0; k < d->anchors * d->classes; k++)
                assert_true(scores[k] >= 0 && scores[k] <= 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_candidates),
        cmocka_unit_test(cells_at_once),
        cmocka_unit_test(extreme_numbers),
    };
    return cmocka_run_group_tests(tests, read_cases, NULL);
}
