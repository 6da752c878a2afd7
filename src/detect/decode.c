/* Decoding of raw maps, kind by kind; detector.h has the formulas and their sources.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/decode.h"

#include <math.h>
#include <string.h>

#include "kernels/elementwise.h"

gn_decode_map gn_decode_map_of(const gn_detector *d, int index, int64_t height, int64_t width, int64_t input_w,
                               int64_t input_h)
{
    gn_decode_map map = {
        .index = index, .height = height, .width = width, .input_w = (double)input_w, .input_h = (double)input_h};
    map.step_x = map.step_y = d->stride[index];
    if (d->kind == GN_DETECTOR_YOLOV1) {
        map.step_x = (double)input_w / (double)width;
        map.step_y = (double)input_h / (double)height;
    }
    return map;
}

/* ---- one candidate ---- */

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* Centre and size to corners. */
static void corners(double cx, double cy, double w, double h, double box[4])
{
    box[0] = cx - w / 2;
    box[1] = cy - h / 2;
    box[2] = cx + w / 2;
    box[3] = cy + h / 2;
}

static void yolov1_candidate(const gn_detector *d, const gn_decode_map *map, double y, double x, int anchor,
                             const double *raw, double box[4], double *scores)
{
    const double *r = raw + 5 * anchor, *classes = raw + 5 * d->anchors;
    corners((x + r[0]) * map->step_x, (y + r[1]) * map->step_y, r[2] * r[2] * map->input_w, r[3] * r[3] * map->input_h,
            box);
    for (int c = 0; c < d->classes; c++)
        scores[c] = fmin(fmax(r[4], 0) * fmax(classes[c], 0), 1);
}

static void softmax(const double *x, int n, double *dst)
{
    double peak = x[0], sum = 0;
    for (int i = 1; i < n; i++)
        peak = fmax(peak, x[i]);
    for (int i = 0; i < n; i++)
        sum += dst[i] = exp(x[i] - peak);
    for (int i = 0; i < n; i++)
        dst[i] /= sum;
}

/* yolov2, yolov3 and yolov5. */
static void anchored_candidate(const gn_detector *d, const gn_decode_map *map, double y, double x, int anchor,
                               const double *raw, double box[4], double *scores)
{
    const float *size = d->anchor[map->index][anchor];
    const double *r = raw + (5 + d->classes) * anchor, s = d->kind == GN_DETECTOR_YOLOV5 ? 2 : (double)d->scale_xy;
    double grow[2];
    for (int i = 0; i < 2; i++)
        grow[i] = d->kind == GN_DETECTOR_YOLOV5 ? pow(2 * sigmoid(r[2 + i]), 2) : exp(r[2 + i]);
    corners((x + s * sigmoid(r[0]) - (s - 1) / 2) * map->step_x, (y + s * sigmoid(r[1]) - (s - 1) / 2) * map->step_y,
            (double)size[0] * grow[0], (double)size[1] * grow[1], box);
    if (d->has_softmax)
        softmax(r + 5, d->classes, scores);
    for (int c = 0; c < d->classes; c++)
        scores[c] = sigmoid(r[4]) * (d->has_softmax ? scores[c] : sigmoid(r[5 + c]));
}

static void yolov8_candidate(const gn_detector *d, const gn_decode_map *map, double y, double x, const double *raw,
                             double box[4], double *scores)
{
    for (int side = 0; side < 4; side++) {
        double p[64], mean = 0;
        softmax(raw + side * d->bins, d->bins, p);
        for (int i = 0; i < d->bins; i++)
            mean += i * p[i];
        const double centre = 0.5 + (side % 2 ? y : x), step = side % 2 ? map->step_y : map->step_x;
        box[side] = (side < 2 ? centre - mean : centre + mean) * step;
    }
    for (int c = 0; c < d->classes; c++)
        scores[c] = sigmoid(raw[4 * d->bins + c]);
}

static void retinanet_candidate(const gn_detector *d, const gn_decode_map *map, double y, double x, int anchor,
                                const double *raw, double box[4], double *scores)
{
    const double w = (double)d->anchor[map->index][anchor][0], h = (double)d->anchor[map->index][anchor][1];
    const double *delta = raw + 4 * anchor, *classes = raw + 4 * d->anchors + (ptrdiff_t)d->classes * anchor;
    corners((x + 0.5) * map->step_x + delta[0] * w, (y + 0.5) * map->step_y + delta[1] * h,
            w * exp(fmin(delta[2], GN_DECODE_MOST_GROWTH)), h * exp(fmin(delta[3], GN_DECODE_MOST_GROWTH)), box);
    for (int c = 0; c < d->classes; c++)
        scores[c] = sigmoid(classes[c]);
}

void gn_decode_candidate(const gn_detector *d, const gn_decode_map *map, int64_t y, int64_t x, int anchor,
                         const double *raw, double box[4], double *scores)
{
    switch (d->kind) {
    case GN_DETECTOR_YOLOV1:
        yolov1_candidate(d, map, (double)y, (double)x, anchor, raw, box, scores);
        break;
    case GN_DETECTOR_YOLOV8:
        yolov8_candidate(d, map, (double)y, (double)x, raw, box, scores);
        break;
    case GN_DETECTOR_RETINANET:
        retinanet_candidate(d, map, (double)y, (double)x, anchor, raw, box, scores);
        break;
    case GN_DETECTOR_YOLOV2:
    case GN_DETECTOR_YOLOV3:
    case GN_DETECTOR_YOLOV5:
    case GN_DETECTOR_KINDS:
        anchored_candidate(d, map, (double)y, (double)x, anchor, raw, box, scores);
        break;
    }
}

/* ---- rows of cells ---- */

/* What the loops below share. */
typedef struct cells_job {
    const gn_detector *d;
    const gn_decode_map *map;
    int64_t first;
    size_t cells, channels;
    const float *raw;
    float *boxes, *scores, *scratch;
} cells_job;

size_t gn_decode_scratch(const gn_detector *d, size_t cells)
{
    const size_t candidates = cells * (size_t)d->anchors;
    return d->kind == GN_DETECTOR_YOLOV8 ? candidates * 4 * (size_t)d->bins : candidates * 7;
}

static void put_corners(float *box, float cx, float cy, float w, float h)
{
    box[0] = cx - 0.5f * w;
    box[1] = cy - 0.5f * h;
    box[2] = cx + 0.5f * w;
    box[3] = cy + 0.5f * h;
}

static void yolov1_cells(const cells_job *j)
{
    const size_t B = (size_t)j->d->anchors, C = (size_t)j->d->classes;
    const float step_x = (float)j->map->step_x, step_y = (float)j->map->step_y;
    for (size_t i = 0; i < j->cells; i++) {
        const int64_t cell = j->first + (int64_t)i;
        const float x = (float)(cell % j->map->width), y = (float)(cell / j->map->width);
        const float *classes = j->raw + i * j->channels + 5 * B;
        for (size_t b = 0; b < B; b++) {
            const float *r = j->raw + i * j->channels + 5 * b;
            float *scores = j->scores + (i * B + b) * C;
            put_corners(j->boxes + (i * B + b) * 4, (x + r[0]) * step_x, (y + r[1]) * step_y,
                        r[2] * r[2] * (float)j->map->input_w, r[3] * r[3] * (float)j->map->input_h);
            const float confidence = r[4] > 0 ? r[4] : 0;
            for (size_t c = 0; c < C; c++) {
                const float score = confidence * (classes[c] > 0 ? classes[c] : 0);
                scores[c] = score < 1 ? score : 1;
            }
        }
    }
}

/* Classes of all candidates into their place; then what makes probabilities of them. */
static void class_scores(const cells_job *j, size_t offset, size_t step, bool is_softmax)
{
    const size_t A = (size_t)j->d->anchors, C = (size_t)j->d->classes;
    for (size_t i = 0; i < j->cells; i++)
        for (size_t a = 0; a < A; a++)
            memcpy(j->scores + (i * A + a) * C, j->raw + i * j->channels + offset + a * step, C * sizeof *j->scores);
    if (is_softmax)
        gn_f32_softmax_rows(j->scores, j->scores, j->cells * A, C);
    else
        gn_f32_sigmoid(j->scores, j->scores, j->cells * A * C);
}

/* scratch: sigmoids of x, y, w, h and objectness of all candidates, then exponentials of w and h. */
static void anchored_cells(const cells_job *j)
{
    const gn_detector *d = j->d;
    const size_t A = (size_t)d->anchors, C = (size_t)d->classes, n = j->cells * A;
    const bool is_v5 = d->kind == GN_DETECTOR_YOLOV5;
    const float s = is_v5 ? 2 : d->scale_xy, back = (s - 1) / 2, step_x = (float)j->map->step_x,
                step_y = (float)j->map->step_y;
    float *sigmoids = j->scratch, *exps = sigmoids + 5 * n;
    for (size_t k = 0; k < n; k++) {
        const float *r = j->raw + k / A * j->channels + k % A * (5 + C);
        memcpy(sigmoids + 5 * k, r, 5 * sizeof *r);
        memcpy(exps + 2 * k, r + 2, 2 * sizeof *r);
    }
    gn_f32_sigmoid(sigmoids, sigmoids, 5 * n);
    if (!is_v5)
        gn_f32_exp(exps, exps, 2 * n);
    class_scores(j, 5, 5 + C, d->has_softmax);
    for (size_t k = 0; k < n; k++) {
        const int64_t cell = j->first + (int64_t)(k / A);
        const float x = (float)(cell % j->map->width), y = (float)(cell / j->map->width);
        const float *p = sigmoids + 5 * k, *size = d->anchor[j->map->index][k % A];
        const float grow_w = is_v5 ? 4 * p[2] * p[2] : exps[2 * k], grow_h = is_v5 ? 4 * p[3] * p[3] : exps[2 * k + 1];
        put_corners(j->boxes + 4 * k, (x + s * p[0] - back) * step_x, (y + s * p[1] - back) * step_y, size[0] * grow_w,
                    size[1] * grow_h);
        for (size_t c = 0; c < C; c++)
            j->scores[k * C + c] *= p[4];
    }
}

static void yolov8_cells(const cells_job *j)
{
    const size_t R = (size_t)j->d->bins, sides = 4 * R;
    float *p = j->scratch;
    for (size_t i = 0; i < j->cells; i++)
        memcpy(p + i * sides, j->raw + i * j->channels, sides * sizeof *p);
    gn_f32_softmax_rows(p, p, 4 * j->cells, R);
    class_scores(j, sides, 0, false);
    for (size_t i = 0; i < j->cells; i++) {
        const int64_t cell = j->first + (int64_t)i;
        const float centre[2] = {(float)(cell % j->map->width) + 0.5f, (float)(cell / j->map->width) + 0.5f};
        const float step[2] = {(float)j->map->step_x, (float)j->map->step_y};
        for (size_t side = 0; side < 4; side++) {
            float mean = 0;
            for (size_t r = 1; r < R; r++)
                mean += (float)r * p[i * sides + side * R + r];
            j->boxes[4 * i + side] = (side < 2 ? centre[side % 2] - mean : centre[side % 2] + mean) * step[side % 2];
        }
    }
}

/* scratch: exponentials of dw and dh. */
static void retinanet_cells(const cells_job *j)
{
    const gn_detector *d = j->d;
    const size_t A = (size_t)d->anchors, C = (size_t)d->classes, n = j->cells * A;
    float *exps = j->scratch;
    for (size_t k = 0; k < 2 * n; k++) {
        const float delta = j->raw[k / 2 / A * j->channels + k / 2 % A * 4 + 2 + k % 2];
        exps[k] = delta > (float)GN_DECODE_MOST_GROWTH ? (float)GN_DECODE_MOST_GROWTH : delta;
    }
    gn_f32_exp(exps, exps, 2 * n);
    class_scores(j, 4 * A, C, false);
    for (size_t k = 0; k < n; k++) {
        const int64_t cell = j->first + (int64_t)(k / A);
        const float x = (float)(cell % j->map->width) + 0.5f, y = (float)(cell / j->map->width) + 0.5f;
        const float *delta = j->raw + k / A * j->channels + k % A * 4, *size = d->anchor[j->map->index][k % A];
        put_corners(j->boxes + 4 * k, x * (float)j->map->step_x + delta[0] * size[0],
                    y * (float)j->map->step_y + delta[1] * size[1], size[0] * exps[2 * k], size[1] * exps[2 * k + 1]);
    }
}

void gn_decode_cells(const gn_detector *d, const gn_decode_map *map, int64_t first, size_t cells, const float *raw,
                     float *boxes, float *scores, float *scratch)
{
    const cells_job job = {.d = d,
                           .map = map,
                           .first = first,
                           .cells = cells,
                           .channels = (size_t)gn_detector_channels(d),
                           .raw = raw,
                           .boxes = boxes,
                           .scores = scores,
                           .scratch = scratch};
    switch (d->kind) {
    case GN_DETECTOR_YOLOV1:
        yolov1_cells(&job);
        break;
    case GN_DETECTOR_YOLOV8:
        yolov8_cells(&job);
        break;
    case GN_DETECTOR_RETINANET:
        retinanet_cells(&job);
        break;
    case GN_DETECTOR_YOLOV2:
    case GN_DETECTOR_YOLOV3:
    case GN_DETECTOR_YOLOV5:
    case GN_DETECTOR_KINDS:
        anchored_cells(&job);
        break;
    }
}
