/* gannet.DetectDecode in operators of ONNX that every opset from 11 on spells alike: what depends on the place of a candidate alone
 * (centres, strides, anchors) is stored, for the size of the input that is written; the batch stays free.
 * Source: detect/detector.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "formats/onnx/onnx_build.h"
#include "ops/detect_decode.h"

typedef struct writer {
    gn_onnx_build *b;
    const gn_node *node;
    gn_detect_decode x;
    int64_t candidates;
} writer;

/* ---- single operators ---- */

static const char *unary(const writer *w, const char *op, const char *part, const char *x)
{
    return gn_onnx_step(w->b, w->node, op, part, x, NULL, NULL, 0);
}

static const char *binary(const writer *w, const char *op, const char *part, const char *x, const char *y)
{
    return gn_onnx_step(w->b, w->node, op, part, x, y, NULL, 0);
}

static const char *along(const writer *w, const char *op, const char *part, const char *x, const char *y, int64_t axis)
{
    const gn_attr attr = gn_attr_int("axis", axis);
    return gn_onnx_step(w->b, w->node, op, part, x, y, &attr, 1);
}

/* The first dimension stays as it is: the batch. */
static const char *reshape(const writer *w, const char *part, const char *x, const int64_t *dims, int n)
{
    char name[48];
    snprintf(name, sizeof name, "%s_shape", part);
    return binary(w, "Reshape", part, x, gn_onnx_put_ints(w->b, w->node->name, name, dims, n));
}

static const char *transpose(const writer *w, const char *part, const char *x, const int64_t *perm, int n)
{
    const gn_attr attr = gn_attr_ints("perm", perm, n);
    return gn_onnx_step(w->b, w->node, "Transpose", part, x, NULL, &attr, 1);
}

/* Elements from..to-1 along an axis. */
static const char *slice(const writer *w, const char *part, const char *x, int64_t axis, int64_t from, int64_t to)
{
    static const char *const ends[3] = {"from", "to", "axis"};
    const int64_t numbers[3] = {from, to, axis};
    const char *in[4] = {x}, *out = gn_onnx_name(w->b, w->node->name, part);
    for (int i = 0; i < 3; i++) {
        char name[48];
        snprintf(name, sizeof name, "%s_%s", part, ends[i]);
        in[i + 1] = gn_onnx_put_ints(w->b, w->node->name, name, &numbers[i], 1);
    }
    gn_onnx_emit(w->b, "Slice", out, in, 4, &out, 1);
    return out;
}

/* Clip to lo..hi; an infinite bound is left out. */
static const char *clip(const writer *w, const char *part, const char *x, double lo, double hi)
{
    const char *in[3] = {x, "", ""}, *out = gn_onnx_name(w->b, w->node->name, part);
    char name[48];
    snprintf(name, sizeof name, "%s_max", part);
    in[2] = gn_onnx_put_scalar(w->b, w->node, name, (float)hi);
    snprintf(name, sizeof name, "%s_min", part);
    if (!isinf(lo))
        in[1] = gn_onnx_put_scalar(w->b, w->node, name, (float)lo);
    gn_onnx_emit(w->b, "Clip", out, in, 3, &out, 1);
    return out;
}

/* The maps' parts, one after the other. */
static const char *concat(const writer *w, const char *part, const char *const *x, int n, int64_t axis)
{
    if (n == 1)
        return x[0];
    const gn_attr attr = gn_attr_int("axis", axis);
    const char *out = gn_onnx_name(w->b, w->node->name, part);
    gn_onnx_put_attr(w->b, gn_onnx_emit(w->b, "Concat", out, x, n, &out, 1), &attr);
    return out;
}

/* ---- the results ---- */

/* Corners [N,A,4] of centres and half sizes [N,A,2]. */
static void write_boxes(const writer *w, const char *centre, const char *half)
{
    along(w, "Concat", NULL, binary(w, "Sub", "corner0", centre, half), binary(w, "Add", "corner1", centre, half), 2);
}

/* The last operator of the scores. */
static void write_scores(const writer *w, const char *op, const char *x, const char *y, const gn_attr *attr)
{
    const char *in[2] = {x, y}, *out = gn_onnx_out(w->b, w->node, 1);
    Onnx__NodeProto *proto = gn_onnx_emit(w->b, op, gn_onnx_name(w->b, w->node->name, "score"), in, y ? 2 : 1, &out, 1);
    if (attr)
        gn_onnx_put_attr(w->b, proto, attr);
}

/* ---- what is stored ---- */

/* Where candidate i lies. */
typedef struct place {
    const gn_decode_map *map;
    int anchor;
    double x, y;
} place;

static place place_of(const writer *w, int64_t i)
{
    int m = 0;
    while (i >= w->x.first[m + 1])
        m++;
    const gn_decode_map *map = &w->x.map[m];
    const int64_t at = i - w->x.first[m], cell = at / w->x.detector.anchors;
    return (place){map, (int)(at % w->x.detector.anchors), (double)(cell % map->width), (double)(cell / map->width)};
}

/* A pair of numbers per candidate, [1,A,2]. */
static const char *pairs(const writer *w, const char *part,
                         void (*fill)(const gn_detector *d, const place *p, float *xy))
{
    float *data = gn_onnx_take(w->b, (size_t)w->candidates * 2 * sizeof *data);
    for (int64_t i = 0; data && i < w->candidates; i++) {
        const place p = place_of(w, i);
        fill(&w->x.detector, &p, data + 2 * i);
    }
    const int64_t dims[3] = {1, w->candidates, 2};
    const gn_shape shape = gn_shape_of(3, dims);
    return data ? gn_onnx_put_tensor(w->b, w->node->name, part, &shape, data, GN_ONNX_ROLE_CONST) : "";
}

/* How far a centre moves when the number that moves it goes from 0 to 1. */
static void fill_reach(const gn_detector *d, const place *p, float *xy)
{
    const double s = d->kind == GN_DETECTOR_YOLOV1 ? 1 : d->kind == GN_DETECTOR_YOLOV5 ? 2 : (double)d->scale_xy;
    xy[0] = (float)(s * p->map->step_x);
    xy[1] = (float)(s * p->map->step_y);
}

/* Where the centre is when that number is 0. */
static void fill_origin(const gn_detector *d, const place *p, float *xy)
{
    const double s = d->kind == GN_DETECTOR_YOLOV1 ? 1 : d->kind == GN_DETECTOR_YOLOV5 ? 2 : (double)d->scale_xy;
    xy[0] = (float)((p->x - (s - 1) / 2) * p->map->step_x);
    xy[1] = (float)((p->y - (s - 1) / 2) * p->map->step_y);
}

static void fill_centre(const gn_detector *d, const place *p, float *xy)
{
    (void)d;
    xy[0] = (float)((p->x + 0.5) * p->map->step_x);
    xy[1] = (float)((p->y + 0.5) * p->map->step_y);
}

static void fill_size(const gn_detector *d, const place *p, float *xy)
{
    xy[0] = d->anchor[p->map->index][p->anchor][0];
    xy[1] = d->anchor[p->map->index][p->anchor][1];
}

/* By what the function of the size is multiplied to give half of the box. */
static void fill_half(const gn_detector *d, const place *p, float *xy)
{
    if (d->kind == GN_DETECTOR_YOLOV1) {
        xy[0] = (float)(p->map->input_w / 2);
        xy[1] = (float)(p->map->input_h / 2);
        return;
    }
    const float factor = d->kind == GN_DETECTOR_YOLOV5 ? 2.0f : 0.5f; /* (2 sigmoid)^2 / 2 */
    fill_size(d, p, xy);
    xy[0] *= factor;
    xy[1] *= factor;
}

/* ---- kinds ---- */

/* Channels from..from+A*n-1 of map m, [N,H*W*A,n]. */
static const char *rows_of(const writer *w, int m, const char *part, const char *x, int64_t n)
{
    const gn_decode_map *map = &w->x.map[m];
    const int64_t A = w->x.detector.anchors, cells = map->height * map->width;
    const int64_t apart[4] = {0, A, n, cells}, perm[4] = {0, 3, 1, 2}, flat[3] = {0, cells * A, n};
    const int64_t apart1[3] = {0, n, cells}, perm1[3] = {0, 2, 1};
    char name[32];
    snprintf(name, sizeof name, "%s%d", part, m);
    if (A == 1) {
        const char *split = reshape(w, name, x, apart1, 3);
        snprintf(name, sizeof name, "%s%d_rows", part, m);
        return transpose(w, name, split, perm1, 3);
    }
    const char *split = reshape(w, name, x, apart, 4);
    snprintf(name, sizeof name, "%s%d_cells", part, m);
    const char *turned = transpose(w, name, split, perm, 4);
    snprintf(name, sizeof name, "%s%d_rows", part, m);
    return reshape(w, name, turned, flat, 3);
}

/* yolov2, yolov3, yolov5. */
static void write_anchored(const writer *w)
{
    const gn_detector *d = &w->x.detector;
    const char *rows[GN_DETECTOR_MAX_MAPS];
    for (int m = 0; m < d->n_maps; m++)
        rows[m] = rows_of(w, m, "map", gn_onnx_in(w->b, w->node, m), 5 + d->classes);
    const char *all = concat(w, "candidates", rows, d->n_maps, 1), *grown;
    const char *moved = unary(w, "Sigmoid", "offset", slice(w, "xy", all, 2, 0, 2));
    const char *centre = binary(w, "Add", "centre", binary(w, "Mul", "shift", moved, pairs(w, "reach", fill_reach)),
                                pairs(w, "origin", fill_origin));
    const char *wh = slice(w, "wh", all, 2, 2, 4);
    if (d->kind == GN_DETECTOR_YOLOV5) {
        const char *s = unary(w, "Sigmoid", "growth", wh);
        grown = binary(w, "Mul", "growth2", s, s);
    } else {
        grown = unary(w, "Exp", "growth", wh);
    }
    write_boxes(w, centre, binary(w, "Mul", "half", grown, pairs(w, "half_anchor", fill_half)));
    const char *objectness = unary(w, "Sigmoid", "objectness", slice(w, "confidence", all, 2, 4, 5));
    const char *logits = slice(w, "logits", all, 2, 5, 5 + d->classes);
    const char *classes =
        d->has_softmax ? along(w, "Softmax", "classes", logits, NULL, 2) : unary(w, "Sigmoid", "classes", logits);
    write_scores(w, "Mul", classes, objectness, NULL);
}

/* [1,4,A]: the centre's pixels, or what a distance is multiplied by. */
static const char *sides(const writer *w, const char *part, bool is_step)
{
    float *data = gn_onnx_take(w->b, (size_t)w->candidates * 4 * sizeof *data);
    for (int64_t i = 0; data && i < w->candidates; i++) {
        const place p = place_of(w, i);
        float centre[2];
        fill_centre(&w->x.detector, &p, centre);
        for (int side = 0; side < 4; side++) {
            const float step = (float)(side % 2 ? p.map->step_y : p.map->step_x);
            data[side * w->candidates + i] = !is_step ? centre[side % 2] : side < 2 ? -step : step;
        }
    }
    const int64_t dims[3] = {1, 4, w->candidates};
    const gn_shape shape = gn_shape_of(3, dims);
    return data ? gn_onnx_put_tensor(w->b, w->node->name, part, &shape, data, GN_ONNX_ROLE_CONST) : "";
}

/* [R,1]: 0, 1, ... */
static const char *bins_of(const writer *w)
{
    const int64_t dims[2] = {w->x.detector.bins, 1};
    const gn_shape shape = gn_shape_of(2, dims);
    float *data = gn_onnx_take(w->b, (size_t)dims[0] * sizeof *data);
    for (int64_t r = 0; data && r < dims[0]; r++)
        data[r] = (float)r;
    return data ? gn_onnx_put_tensor(w->b, w->node->name, "bins", &shape, data, GN_ONNX_ROLE_CONST) : "";
}

static void write_yolov8(const writer *w)
{
    static const int64_t last[3] = {0, 2, 1}, bins_last[4] = {0, 1, 3, 2};
    const gn_detector *d = &w->x.detector;
    const int64_t K = gn_detector_channels(d), R = d->bins;
    const char *flat[GN_DETECTOR_MAX_MAPS];
    for (int m = 0; m < d->n_maps; m++) {
        const int64_t dims[3] = {0, K, w->x.map[m].height * w->x.map[m].width};
        char name[16];
        snprintf(name, sizeof name, "map%d", m);
        flat[m] = reshape(w, name, gn_onnx_in(w->b, w->node, m), dims, 3);
    }
    const char *all = concat(w, "candidates", flat, d->n_maps, 2);
    const int64_t apart[4] = {0, 4, R, w->candidates}, four[3] = {0, 4, w->candidates};
    const char *split = reshape(w, "sides", slice(w, "distribution", all, 1, 0, 4 * R), apart, 4);
    const char *p = along(w, "Softmax", "share", transpose(w, "bins_last", split, bins_last, 4), NULL, 3);
    const char *distance = reshape(w, "distance", binary(w, "MatMul", "mean", p, bins_of(w)), four, 3);
    const char *corner = binary(w, "Add", "corner", binary(w, "Mul", "reach", distance, sides(w, "step", true)),
                                sides(w, "centre", false));
    transpose(w, NULL, corner, last, 3);
    const gn_attr perm = gn_attr_ints("perm", last, 3);
    write_scores(w, "Transpose", unary(w, "Sigmoid", "classes", slice(w, "logits", all, 1, 4 * R, K)), NULL, &perm);
}

static void write_retinanet(const writer *w)
{
    const gn_detector *d = &w->x.detector;
    const int64_t A = d->anchors;
    const char *delta[GN_DETECTOR_MAX_MAPS], *classes[GN_DETECTOR_MAX_MAPS];
    for (int m = 0; m < d->n_maps; m++) {
        const char *map = gn_onnx_in(w->b, w->node, m);
        char name[16];
        snprintf(name, sizeof name, "boxes%d", m);
        delta[m] = rows_of(w, m, "delta", slice(w, name, map, 1, 0, 4 * A), 4);
        snprintf(name, sizeof name, "logits%d", m);
        classes[m] = rows_of(w, m, "class", slice(w, name, map, 1, 4 * A, gn_detector_channels(d)), d->classes);
    }
    const char *all = concat(w, "deltas", delta, d->n_maps, 1);
    const char *shift = binary(w, "Mul", "shift", slice(w, "xy", all, 2, 0, 2), pairs(w, "size", fill_size));
    const char *centre = binary(w, "Add", "centre", shift, pairs(w, "anchor_centre", fill_centre));
    const char *grown =
        unary(w, "Exp", "growth", clip(w, "bounded", slice(w, "wh", all, 2, 2, 4), -INFINITY, GN_DECODE_MOST_GROWTH));
    write_boxes(w, centre, binary(w, "Mul", "half", grown, pairs(w, "half_anchor", fill_half)));
    write_scores(w, "Sigmoid", concat(w, "logits", classes, d->n_maps, 1), NULL, NULL);
}

static void write_yolov1(const writer *w)
{
    static const int64_t last[3] = {0, 2, 1};
    const gn_detector *d = &w->x.detector;
    const int64_t B = d->anchors, C = d->classes, cells = w->x.map[0].height * w->x.map[0].width;
    const int64_t flat[3] = {0, 5 * B + C, cells}, slots[3] = {0, cells * B, 5}, per_slot[4] = {0, cells, B, 1},
                  per_cell[4] = {0, cells, 1, C}, result[3] = {0, cells * B, C};
    const char *rows = transpose(w, "cells", reshape(w, "map", gn_onnx_in(w->b, w->node, 0), flat, 3), last, 3);
    const char *slot = reshape(w, "slots", slice(w, "slots_of_cell", rows, 2, 0, 5 * B), slots, 3);
    const char *shift = binary(w, "Mul", "shift", slice(w, "xy", slot, 2, 0, 2), pairs(w, "reach", fill_reach));
    const char *root = slice(w, "wh", slot, 2, 2, 4);
    const char *half =
        binary(w, "Mul", "half", binary(w, "Mul", "square", root, root), pairs(w, "half_input", fill_half));
    write_boxes(w, binary(w, "Add", "centre", shift, pairs(w, "origin", fill_origin)), half);
    const char *confidence = unary(w, "Relu", "confidence", slice(w, "objectness", slot, 2, 4, 5));
    const char *classes = unary(w, "Relu", "classes", slice(w, "logits", rows, 2, 5 * B, 5 * B + C));
    const char *product = binary(w, "Mul", "product", reshape(w, "confidences", confidence, per_slot, 4),
                                 reshape(w, "classes_of_cell", classes, per_cell, 4));
    const char *bounded = clip(w, "bounded", product, 0, 1);
    write_scores(w, "Reshape", bounded, gn_onnx_put_ints(w->b, w->node->name, "score_shape", result, 3), NULL);
}

gn_status gn_onnx_write_detect_decode(gn_onnx_build *b, const gn_node *node)
{
    writer w = {.b = b, .node = node};
    GN_TRY(gn_detect_decode_of(b->graph, node, &w.x, b->err));
    w.candidates = w.x.first[w.x.detector.n_maps];
    if (gn_in_dtype(b->graph, node, 0) != GN_DTYPE_F32)
        return gn_onnx_cannot(b, node, "places of candidates are stored as f32 only");
    switch (w.x.detector.kind) {
    case GN_DETECTOR_YOLOV1:
        write_yolov1(&w);
        break;
    case GN_DETECTOR_YOLOV8:
        write_yolov8(&w);
        break;
    case GN_DETECTOR_RETINANET:
        write_retinanet(&w);
        break;
    case GN_DETECTOR_YOLOV2:
    case GN_DETECTOR_YOLOV3:
    case GN_DETECTOR_YOLOV5:
    case GN_DETECTOR_KINDS:
        write_anchored(&w);
        break;
    }
    return GN_OK;
}
