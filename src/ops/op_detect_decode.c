/* DetectDecode: the raw maps of a detector as boxes [N,A,4] (x1 y1 x2 y2 in pixels of the network's input, not clipped) and scores
 * [N,A,C] (0..1).  The attribute `detector` is the JSON line of detect/detector.h, which has the formulas and the order of the
 * candidates.  Operands: one map [N,K,H,W] per stride; yolov1 then the network's input, of which only the size is read.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "ops/detect_decode.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* The detector and the number of operands. */
static gn_status read_detector(const gn_node *node, gn_detector *d, gn_error *err)
{
    const char *text = gn_node_string(node, "detector", NULL);
    gn_error inner = {0};
    if (!text)
        return gn_shape_fail(err, node, "it has no attribute detector");
    const gn_status status = gn_detector_parse(text, d, &inner);
    if (status == GN_ENOMEM)
        return gn_fail(err, status, "no memory to read a detector");
    if (status != GN_OK)
        return gn_shape_fail(err, node, "its detector cannot be read: %s", inner.message);
    const int expected = d->n_maps + (d->kind == GN_DETECTOR_YOLOV1);
    if (node->n_in != expected)
        return gn_shape_fail(err, node, "it has %d operands; a detector %s of %d maps takes %d", node->n_in,
                             gn_detector_kind_name(d->kind), d->n_maps, expected);
    return GN_OK;
}

static gn_status read_map(const gn_graph *graph, const gn_node *node, int m, gn_detect_decode *out, gn_error *err)
{
    const gn_detector *d = &out->detector;
    const gn_shape *s = gn_in_shape(graph, node, m);
    const int64_t channels = gn_detector_channels(d);
    char shape[128] = "nothing";
    if (s)
        gn_shape_format(s, shape);
    if (!s || s->rank != 4 || s->dim[1] != channels || (m > 0 && s->dim[0] != out->batch) || s->dim[2] < 1 ||
        s->dim[3] < 1)
        return gn_shape_fail(err, node, "map %d is %s, expected [N,%lld,H,W] of one batch", m, shape,
                             (long long)channels);
    int64_t input_w = 0, input_h = 0;
    if (d->kind == GN_DETECTOR_YOLOV1) {
        const gn_shape *images = gn_in_shape(graph, node, 1);
        if (!images || images->rank != 4)
            return gn_shape_fail(err, node, "its last operand is no batch of pictures");
        input_h = images->dim[2];
        input_w = images->dim[3];
    }
    out->batch = s->dim[0];
    out->map[m] = gn_decode_map_of(d, m, s->dim[2], s->dim[3], input_w, input_h);
    out->first[m + 1] =
        gn_cost_times(gn_cost_times(s->dim[2], s->dim[3]), d->anchors) + out->first[m]; /* saturates, never overflows */
    return GN_OK;
}

gn_status gn_detect_decode_of(const gn_graph *graph, const gn_node *node, gn_detect_decode *out, gn_error *err)
{
    gn_detect_decode found = {0};
    GN_TRY(read_detector(node, &found.detector, err));
    for (int m = 0; m < found.detector.n_maps; m++)
        GN_TRY(read_map(graph, node, m, &found, err));
    *out = found;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_detect_decode x;
    GN_TRY(gn_detect_decode_of(graph, node, &x, err));
    const gn_dtype dtype = gn_in_dtype(graph, node, 0);
    const int64_t candidates = x.first[x.detector.n_maps];
    if (dtype != GN_DTYPE_F32 && dtype != GN_DTYPE_F64)
        return gn_shape_fail(err, node, "its maps are of type %s, expected f32", gn_dtype_name(dtype));
    gn_set_out(graph, node, 0, dtype, &(gn_shape){.rank = 3, .dim = {x.batch, candidates, 4}});
    gn_set_out(graph, node, 1, dtype, &(gn_shape){.rank = 3, .dim = {x.batch, candidates, x.detector.classes}});
    return GN_OK;
}

/* All candidates of one cell; raw and result: room for K channels and for C scores. */
static void reference_cell(const gn_ref_call *call, const gn_detect_decode *x, int m, int64_t n, int64_t cell,
                           double *raw, double *scores)
{
    const gn_detector *d = &x->detector;
    const gn_decode_map *map = &x->map[m];
    const int64_t cells = map->height * map->width, K = gn_detector_channels(d), C = d->classes;
    for (int64_t k = 0; k < K; k++)
        raw[k] = gn_ref_load(call->in[m], (n * K + k) * cells + cell);
    for (int a = 0; a < d->anchors; a++) {
        const int64_t at = n * x->first[d->n_maps] + x->first[m] + cell * d->anchors + a;
        double box[4];
        gn_decode_candidate(d, map, cell / map->width, cell % map->width, a, raw, box, scores);
        for (int i = 0; i < 4 && call->out[0]; i++)
            gn_ref_store(call->out[0], at * 4 + i, box[i]);
        for (int64_t c = 0; c < C && call->out[1]; c++)
            gn_ref_store(call->out[1], at * C + c, scores[c]);
    }
}

static gn_status reference(const gn_ref_call *call)
{
    gn_detect_decode x;
    GN_TRY(gn_detect_decode_of(call->graph, call->node, &x, NULL));
    const int64_t K = gn_detector_channels(&x.detector);
    double *room = gn_calloc((size_t)(K + x.detector.classes), sizeof *room);
    if (!room)
        return GN_ENOMEM;
    for (int m = 0; m < x.detector.n_maps; m++)
        for (int64_t n = 0; n < x.batch; n++)
            for (int64_t cell = 0; cell < x.map[m].height * x.map[m].width; cell++)
                reference_cell(call, &x, m, n, cell, room, room + K);
    gn_free(room);
    return GN_OK;
}

const gn_op_def gn_op_detect_decode = {
    .name = "DetectDecode",
    .domain = "gannet",
    .min_in = 1,
    .max_in = GN_DETECTOR_MAX_MAPS,
    .min_out = 2,
    .max_out = 2,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 0x1f,
    .infer = infer,
    .cost = gn_cost_per_output,
    .reference = reference,
};

/* ---- building ---- */

gn_status gn_detect_add_decode(gn_graph *graph, const gn_detector *d, const int *raw, int images, int *boxes_out,
                               int *scores_out)
{
    int in[GN_DETECTOR_MAX_MAPS + 1], n = 0;
    gn_text line;
    gn_text_init(&line);
    gn_detector_format(d, &line);
    if (line.failed) {
        gn_text_deinit(&line);
        return gn_graph_set_error(graph, GN_ENOMEM, "no memory to describe a detector");
    }
    for (; n < d->n_maps; n++)
        in[n] = raw[n];
    if (d->kind == GN_DETECTOR_YOLOV1)
        in[n++] = images;
    const gn_attr attr = gn_attr_string("detector", line.data);
    const int node = gn_graph_add_node(graph, "DetectDecode", "gannet", "decode", in, n, 2, &attr, 1);
    gn_text_deinit(&line);
    if (node < 0)
        return gn_graph_error(graph, NULL);
    *boxes_out = gn_graph_node(graph, node)->out[0];
    *scores_out = gn_graph_node(graph, node)->out[1];
    return GN_OK;
}

static gn_status describe(gn_graph *graph, const gn_detector *d)
{
    static const char *const fixed[][2] = {
        {"gannet.task", "detect"}, {"gannet.head", "detect"}, {"gannet.decode", "detect"}};
    gn_text line, names;
    gn_text_init(&line);
    gn_text_init(&names);
    gn_detector_format(d, &line);
    for (int m = 0; m < d->n_maps; m++)
        gn_text_printf(&names, m ? ",raw%d" : "raw%d", m);
    gn_status status = line.failed || names.failed ? GN_ENOMEM : GN_OK;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed && status == GN_OK; i++)
        status = gn_graph_meta_set(graph, fixed[i][0], fixed[i][1]);
    if (status == GN_OK)
        status = gn_graph_meta_set(graph, "gannet.detector", line.data);
    if (status == GN_OK)
        status = gn_graph_meta_set(graph, "gannet.raw", names.data);
    gn_text_deinit(&line);
    gn_text_deinit(&names);
    return status;
}

gn_status gn_detect_finish(gn_graph *graph, const gn_detector *d, const int *raw, int images, gn_error *err)
{
    int out[2];
    GN_TRY(gn_graph_error(graph, err));
    for (int m = 0; m < d->n_maps; m++) {
        char name[16];
        snprintf(name, sizeof name, "raw%d", m);
        const gn_status status = gn_graph_rename_value(graph, raw[m], name);
        if (status != GN_OK)
            return gn_fail(err, status, "a map of the detector cannot be named %s", name);
    }
    gn_status status = gn_detect_add_decode(graph, d, raw, images, &out[0], &out[1]);
    if (status != GN_OK)
        return gn_graph_error(graph, err);
    gn_graph_clear_outputs(graph);
    static const char *const names[2] = {"boxes", "scores"};
    for (int i = 0; i < 2 && status == GN_OK; i++) {
        status = gn_graph_rename_value(graph, out[i], names[i]);
        if (status == GN_OK)
            status = gn_graph_add_output(graph, out[i]);
    }
    if (status == GN_OK)
        status = describe(graph, d);
    return status == GN_OK ? status : gn_fail(err, status, "the detector's outputs cannot be named");
}
