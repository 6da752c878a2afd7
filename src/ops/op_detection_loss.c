/* DetectionLoss: the loss of a multi-box detector with its gradient.  Inputs: truths [N,M,5] (x1 y1 x2 y2 in 0..1 of the network's input,
 * class number), s64 numbers of truths [N], weights of pictures [N] and of classes [C], then the raw maps [N,K,H,W].  Outputs: the loss [],
 * its four parts [4] (box, objectness, class, distances: they sum to it), and the gradient of the loss by each raw map, which comes out
 * of the same pass; the parts are for reading only.  Attributes: `detector` (detect/detector.h) and, as floats, the numbers of
 * gn_detection_rule by their names; `box_loss` is "paper", "iou", "giou", "diou" or
 * "ciou", `overlap` one of the last four; ints `width`, `height`: the input's size where it is not that of the
 * first map times its stride.
 * Source: formulas and papers in detect/detector_loss.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "ops/detection_loss.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* ---- attributes and shapes ---- */

static gn_status read_rule(const gn_node *node, gn_detection *d, gn_error *err)
{
    gn_detection_rule r = gn_detection_rule_default(d->detector.kind);
    const struct {
        const char *name;
        double *number;
    } numbers[] = {
        {"box", &r.box},
        {"obj", &r.obj},
        {"cls", &r.cls},
        {"dfl", &r.dfl},
        {"noobj", &r.noobj},
        {"size_power", &r.size_power},
        {"focal_gamma", &r.focal_gamma},
        {"focal_alpha", &r.focal_alpha},
        {"grad_scale", &r.grad_scale},
        {"label_smoothing", &r.label_smoothing},
        {"beta", &r.beta},
        {"ignore", &r.ignore},
        {"match_low", &r.match_low},
        {"match_high", &r.match_high},
        {"ratio", &r.ratio},
        {"shape", &r.shape},
        {"score_power", &r.score_power},
        {"overlap_power", &r.overlap_power},
        {"small_side", &r.small_side},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (gn_node_attr(node, numbers[i].name))
            *numbers[i].number = (double)gn_node_float(node, numbers[i].name, 0);
    const int64_t top_k = gn_node_int(node, "top_k", r.top_k);
    r.top_k = top_k >= 0 && top_k <= 1000 ? (int)top_k : -1;
    const char *box = gn_node_string(node, "box_loss", r.box_is_iou ? gn_iou_kind_name(r.iou) : "paper");
    r.box_is_iou = strcmp(box, "paper") != 0;
    if (r.box_is_iou && !gn_iou_kind_parse(box, &r.iou))
        return gn_shape_fail(err, node, "its box_loss is %s, expected paper, iou, giou, diou or ciou", box);
    const char *overlap = gn_node_string(node, "overlap", gn_iou_kind_name(r.overlap));
    if (!gn_iou_kind_parse(overlap, &r.overlap))
        return gn_shape_fail(err, node, "its overlap is %s, expected iou, giou, diou or ciou", overlap);
    gn_error why = {0};
    if (gn_detection_rule_check(&r, &why) != GN_OK)
        return gn_shape_fail(err, node, "%s", why.message);
    d->rule = r;
    return GN_OK;
}

static gn_status check_truths(const gn_graph *graph, const gn_node *node, gn_detection *d, gn_error *err)
{
    const gn_shape *truth = gn_in_shape(graph, node, GN_DETECTION_LOSS_TRUTH),
                   *count = gn_in_shape(graph, node, GN_DETECTION_LOSS_N_TRUTH),
                   *weight = gn_in_shape(graph, node, GN_DETECTION_LOSS_WEIGHT),
                   *classes = gn_in_shape(graph, node, GN_DETECTION_LOSS_CLASS_WEIGHT);
    char shapes[256];
    if (truth->rank == 3 && truth->dim[2] == 5 && count->rank == 1 && count->dim[0] == truth->dim[0] &&
        weight->rank == 1 && weight->dim[0] == truth->dim[0] && classes->rank == 1 &&
        classes->dim[0] == d->detector.classes) {
        d->n = truth->dim[0];
        d->capacity = truth->dim[1];
        return GN_OK;
    }
    gn_op_input_shapes(graph, node, shapes);
    return gn_shape_fail(err, node,
                         "its operands have the shapes %s, expected truths [N,M,5], numbers [N], weights [N] and, "
                         "for its %d classes, [%d]",
                         shapes, d->detector.classes, d->detector.classes);
}

static gn_status check_map(const gn_graph *graph, const gn_node *node, int m, gn_detection *d, gn_error *err)
{
    const gn_shape *s = gn_in_shape(graph, node, GN_DETECTION_LOSS_MAPS + m);
    const int64_t channels = gn_detector_channels(&d->detector);
    char shape[128];
    gn_shape_format(s, shape);
    if (s->rank != 4 || s->dim[0] != d->n || s->dim[1] != channels)
        return gn_shape_fail(err, node, "raw map %d has the shape %s, expected [%d,%d,H,W]", m, shape, (int)d->n,
                             (int)channels);
    gn_detection_map *map = &d->map[m];
    map->height = s->dim[2];
    map->width = s->dim[3];
    map->picture_step = channels * map->height * map->width;
    map->channel_step = 1;
    map->cell_step = channels;
    return GN_OK;
}

/* One real type for everything but the numbers of truths. */
static gn_status check_types(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_dtype dtype = gn_in_dtype(graph, node, GN_DETECTION_LOSS_MAPS);
    bool fits = dtype == GN_DTYPE_F32 || dtype == GN_DTYPE_F64;
    for (int i = 0; i < node->n_in; i++)
        fits = fits && gn_in_dtype(graph, node, i) == (i == GN_DETECTION_LOSS_N_TRUTH ? GN_DTYPE_S64 : dtype);
    return fits ? GN_OK
                : gn_shape_fail(err, node, "its operands have several types, expected f32 and s64 numbers of truths");
}

gn_status gn_detection_of_node(const gn_graph *graph, const gn_node *node, gn_detection *out, gn_error *err)
{
    gn_detection d = {0};
    gn_error why = {0};
    size_t state, work;
    if (gn_detector_parse(gn_node_string(node, "detector", ""), &d.detector, &why) != GN_OK)
        return gn_shape_fail(err, node, "its attribute detector is wrong: %s", why.message);
    if (node->n_in != GN_DETECTION_LOSS_MAPS + d.detector.n_maps)
        return gn_shape_fail(err, node, "it has %d raw maps, its detector has %d", node->n_in - GN_DETECTION_LOSS_MAPS,
                             d.detector.n_maps);
    for (int i = 0; i < node->n_in; i++)
        if (!gn_has_in(node, i))
            return gn_shape_fail(err, node, "its operand %d is missing", i);
    GN_TRY(check_types(graph, node, err));
    GN_TRY(read_rule(node, &d, err));
    GN_TRY(check_truths(graph, node, &d, err));
    for (int m = 0; m < d.detector.n_maps; m++)
        GN_TRY(check_map(graph, node, m, &d, err));
    const int64_t width = gn_node_int(node, "width", 0), height = gn_node_int(node, "height", 0);
    if (width < 0 || width > 1 << 20 || height < 0 || height > 1 << 20)
        return gn_shape_fail(err, node, "its input has %d x %d pixels", (int)width, (int)height);
    d.width = width;
    d.height = height;
    if (gn_detection_bytes(&d, &state, &work, &why) != GN_OK)
        return gn_shape_fail(err, node, "%s", why.message);
    *out = d;
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_detection d;
    GN_TRY(gn_detection_of_node(graph, node, &d, err));
    if (node->n_out > GN_DETECTION_LOSS_GRADS + d.detector.n_maps)
        return gn_shape_fail(err, node, "it has %d gradients for %d raw maps", node->n_out - GN_DETECTION_LOSS_GRADS,
                             d.detector.n_maps);
    const gn_dtype dtype = gn_in_dtype(graph, node, GN_DETECTION_LOSS_MAPS);
    const gn_shape parts = gn_shape_make(1, GN_DETECTION_PARTS);
    gn_set_out(graph, node, 0, dtype, &(gn_shape){.rank = 0});
    gn_set_out(graph, node, 1, dtype, &parts);
    for (int m = 0; GN_DETECTION_LOSS_GRADS + m < node->n_out; m++)
        gn_set_out(graph, node, GN_DETECTION_LOSS_GRADS + m, dtype,
                   gn_in_shape(graph, node, GN_DETECTION_LOSS_MAPS + m));
    return GN_OK;
}

/* One operation per element of the raw maps. */
static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    for (int i = GN_DETECTION_LOSS_MAPS; i < node->n_in; i++)
        cost_out->elementwise += gn_shape_count(gn_in_shape(graph, node, i));
}

/* ---- gradient ---- */

/* What a scalar is before any run. */
static bool constant_of(const gn_graph *graph, int value, float *out)
{
    const gn_value *v = gn_graph_value(graph, value);
    const gn_tensor *data = v->kind == GN_VALUE_CONST ? v->data : v->known;
    if (!data || gn_tensor_count(data) != 1)
        return false;
    *out = (float)gn_tensor_get(data, 0);
    return true;
}

/* The node has computed the gradients.  They are multiplied by what arrives: within the node where that is known, which spares three
 * passes over large maps. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dl = gn_grad_of_out(grad, node, 0);
    float scale = 1;
    if (gn_grad_of_out(grad, node, 1) >= 0) /* the parts are for reading */
        return GN_EUNSUPPORTED;
    if (dl < 0)
        return GN_OK;
    const bool is_known = !gn_node_attr(node, "grad_scale") && constant_of(graph, dl, &scale);
    if (is_known && scale != 1) {
        const gn_attr attr = gn_attr_float("grad_scale", scale);
        GN_TRY(gn_node_set_attr(graph, gn_graph_node_mut(graph, gn_graph_value(graph, node->out[0])->producer), &attr));
    }
    for (int i = GN_DETECTION_LOSS_MAPS; i < node->n_in; i++) {
        const int given = GN_DETECTION_LOSS_GRADS + i - GN_DETECTION_LOSS_MAPS;
        if (!gn_grad_wants(grad, node, i))
            continue;
        if (!gn_has_out(node, given))
            return GN_EUNSUPPORTED;
        const int whole = node->out[given];
        GN_TRY(gn_give(grad, node, i, is_known ? whole : gn_emit_binary(grad, node, "", "Mul", whole, dl)));
    }
    return GN_OK;
}

/* ---- reference ---- */

static void bind_map(gn_detection *d, int m, const gn_tensor *raw, gn_tensor *grad)
{
    gn_detection_map *map = &d->map[m];
    map->raw = raw->data;
    map->grad = grad ? grad->data : NULL;
    if (raw->layout == GN_LAYOUT_PLAIN) {
        map->channel_step = map->height * map->width;
        map->cell_step = 1;
    }
}

static gn_status reference(const gn_ref_call *call)
{
    gn_detection d;
    size_t state_bytes, work_bytes;
    double loss, parts[GN_DETECTION_PARTS];
    GN_TRY(gn_detection_of_node(call->graph, call->node, &d, NULL));
    GN_TRY(gn_detection_bytes(&d, &state_bytes, &work_bytes, NULL));
    d.is_f64 = call->in[GN_DETECTION_LOSS_MAPS]->dtype == GN_DTYPE_F64;
    d.truth = call->in[GN_DETECTION_LOSS_TRUTH]->data;
    d.n_truth = call->in[GN_DETECTION_LOSS_N_TRUTH]->data;
    d.weight = call->in[GN_DETECTION_LOSS_WEIGHT]->data;
    d.class_weight = call->in[GN_DETECTION_LOSS_CLASS_WEIGHT]->data;
    for (int m = 0; m < d.detector.n_maps; m++) {
        const int given = GN_DETECTION_LOSS_GRADS + m;
        bind_map(&d, m, call->in[GN_DETECTION_LOSS_MAPS + m], given < call->node->n_out ? call->out[given] : NULL);
    }
    void *state = gn_alloc(state_bytes), *work = gn_alloc(work_bytes);
    if (state && work) {
        gn_detection_loss(&d, state, work, &loss, parts);
        if (call->out[0])
            gn_ref_store(call->out[0], 0, loss);
        for (int i = 0; i < GN_DETECTION_PARTS && call->out[1]; i++)
            gn_ref_store(call->out[1], i, parts[i]);
    }
    const gn_status status = state && work ? GN_OK : GN_ENOMEM;
    gn_free(state);
    gn_free(work);
    return status;
}

const gn_op_def gn_op_detection_loss = {
    .name = "DetectionLoss",
    .domain = "gannet",
    .min_in = GN_DETECTION_LOSS_MAPS + 1,
    .max_in = GN_DETECTION_LOSS_MAPS + GN_DETECTOR_MAX_MAPS,
    .min_out = GN_DETECTION_LOSS_GRADS,
    .max_out = GN_DETECTION_LOSS_GRADS + GN_DETECTOR_MAX_MAPS,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 0x1f << GN_DETECTION_LOSS_MAPS,
    .nhwc_out = 0x1f << GN_DETECTION_LOSS_GRADS,
    .infer = infer,
    .cost = cost,
    .grad = grad_rule,
    .reference = reference,
};
