/* NonMaxSuppression: for each picture and class the best boxes that overlap no better one by more than a threshold, as rows
 * (picture, class, box).  How many there are depends on data: the result has as many rows as there can be, and those that are not
 * used come last and hold -1.  The limits are constant inputs.
 * Source: ONNX NonMaxSuppression (opset 11).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

typedef struct limits {
    int64_t pictures, classes, boxes, most; /* most: boxes of one class of one picture */
    double iou, score;
    bool is_centred; /* boxes are x, y, width, height; else two corners, y before x */
} limits;

/* Scalar of input i, known before a run; `fallback` when it is left out. */
static gn_status scalar(const gn_graph *graph, const gn_node *node, int i, double fallback, double *out, gn_error *err)
{
    const gn_tensor *known = gn_in_known(graph, node, i);
    *out = fallback;
    if (!gn_has_in(node, i))
        return GN_OK;
    if (!known || gn_tensor_count(known) != 1)
        return gn_shape_fail(err, node, "its limit (input %d) is no constant number", i);
    *out = gn_tensor_get(known, 0);
    return GN_OK;
}

static gn_status limits_of(const gn_graph *graph, const gn_node *node, limits *out, gn_error *err)
{
    const gn_shape *boxes = gn_in_shape(graph, node, 0), *scores = gn_in_shape(graph, node, 1);
    char shapes[256];
    double most;
    limits l = {.is_centred = gn_node_int(node, "center_point_box", 0) != 0};
    gn_op_input_shapes(graph, node, shapes);
    if (boxes->rank != 3 || scores->rank != 3 || boxes->dim[2] != 4 || scores->dim[0] != boxes->dim[0] ||
        scores->dim[2] != boxes->dim[1])
        return gn_shape_fail(err, node, "its inputs have the shapes %s, expected [N,boxes,4] and [N,classes,boxes]",
                             shapes);
    GN_TRY(scalar(graph, node, 2, 0, &most, err));
    GN_TRY(scalar(graph, node, 3, 0, &l.iou, err));
    GN_TRY(scalar(graph, node, 4, -INFINITY, &l.score, err));
    l.pictures = boxes->dim[0];
    l.classes = scores->dim[1];
    l.boxes = boxes->dim[1];
    l.most = !(most > 0) ? 0 : most < (double)l.boxes ? (int64_t)most : l.boxes;
    *out = l;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    limits l;
    GN_TRY(limits_of(graph, node, &l, err));
    gn_set_out(graph, node, 0, GN_DTYPE_S64,
               &(gn_shape){.rank = 2, .dim = {gn_cost_times(l.pictures * l.classes, l.most), 3}});
    return GN_OK;
}

/* ---- reference ---- */

typedef struct candidate {
    double score;
    int64_t box;
} candidate;

static int by_score(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->score > y->score || x->score < y->score)
        return x->score > y->score ? -1 : 1;
    return (x->box > y->box) - (x->box < y->box);
}

typedef struct corners {
    double y0, x0, y1, x1;
} corners;

static corners box_at(const gn_tensor *boxes, int64_t i, bool is_centred)
{
    const double a = gn_ref_load(boxes, i * 4), b = gn_ref_load(boxes, i * 4 + 1), c = gn_ref_load(boxes, i * 4 + 2),
                 d = gn_ref_load(boxes, i * 4 + 3);
    if (is_centred)
        return (corners){b - d / 2, a - c / 2, b + d / 2, a + c / 2};
    return (corners){fmin(a, c), fmin(b, d), fmax(a, c), fmax(b, d)};
}

static double iou(const corners *a, const corners *b)
{
    const double h = fmin(a->y1, b->y1) - fmax(a->y0, b->y0), w = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    const double common = h > 0 && w > 0 ? h * w : 0;
    const double all = (a->y1 - a->y0) * (a->x1 - a->x0) + (b->y1 - b->y0) * (b->x1 - b->x0) - common;
    return all > 0 ? common / all : 0;
}

/* Boxes of one class whose score is high enough, best first; returns how many. */
static int64_t candidates_of(const gn_ref_call *call, const limits *l, int64_t row, candidate *list)
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->boxes; i++) {
        const double score = gn_ref_load(call->in[1], row * l->boxes + i);
        if (score > l->score)
            list[n++] = (candidate){score, i};
    }
    if (n > 1)
        qsort(list, (size_t)n, sizeof *list, by_score);
    return n;
}

/* Writes the rows of one class of one picture from row `at` on; returns the next free one. */
static int64_t suppress(const gn_ref_call *call, const limits *l, int64_t row, candidate *list, int64_t at)
{
    const int64_t n = candidates_of(call, l, row, list), picture = row / l->classes;
    int64_t kept = 0; /* they move to the front of the list */
    for (int64_t i = 0; i < n && kept < l->most; i++) {
        const corners box = box_at(call->in[0], picture * l->boxes + list[i].box, l->is_centred);
        bool overlaps = false;
        for (int64_t k = 0; k < kept && !overlaps; k++) {
            const corners better = box_at(call->in[0], picture * l->boxes + list[k].box, l->is_centred);
            overlaps = iou(&box, &better) > l->iou;
        }
        if (overlaps)
            continue;
        list[kept++] = list[i];
        gn_ref_store_s64(call->out[0], at * 3, picture);
        gn_ref_store_s64(call->out[0], at * 3 + 1, row % l->classes);
        gn_ref_store_s64(call->out[0], at * 3 + 2, list[i].box);
        at++;
    }
    return at;
}

static gn_status reference(const gn_ref_call *call)
{
    int64_t used = 0;
    limits l;
    GN_TRY(limits_of(call->graph, call->node, &l, NULL));
    candidate *list = gn_calloc((size_t)l.boxes + 1, sizeof *list);
    if (!list)
        return GN_ENOMEM;
    for (int64_t row = 0; row < l.pictures * l.classes; row++)
        used = suppress(call, &l, row, list, used);
    gn_free(list);
    for (int64_t i = used * 3; i < gn_tensor_count(call->out[0]); i++)
        gn_ref_store_s64(call->out[0], i, -1);
    return GN_OK;
}

const gn_op_def gn_op_non_max_suppression = {
    .name = "NonMaxSuppression",
    .domain = "",
    .min_in = 2,
    .max_in = 5,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_input,
    .reference = reference,
};
