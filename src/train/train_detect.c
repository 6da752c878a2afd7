/* The loss of a detector in the graph of a training step: on the raw maps that the model's metadata name.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "detect/detector.h"
#include "graph/passes.h"
#include "train/train_builder.h"

#define DEFAULT_TRUTHS 100

gn_detection_loss gn_detection_loss_default(void)
{
    return (gn_detection_loss){.box = NAN, .cls = NAN, .obj = NAN, .dfl = NAN, .focal_gamma = NAN, .focal_alpha = NAN};
}

int gn_train_stride(const gn_graph *model, int fallback)
{
    const char *line = gn_graph_meta_get(model, "gannet.detector");
    gn_detector d;
    int stride = 0;
    if (!line || gn_detector_parse(line, &d, NULL) != GN_OK)
        return fallback;
    for (int m = 0; m < d.n_maps; m++)
        stride = d.stride[m] > stride ? d.stride[m] : stride;
    return stride > 0 ? stride : fallback;
}

/* Values of the names in gannet.raw, at most GN_DETECTOR_MAX_MAPS; their number. */
static gn_status find_raw(const gn_graph *g, int raw[GN_DETECTOR_MAX_MAPS], int *n_out, gn_error *err)
{
    const char *text = gn_graph_meta_get(g, "gannet.raw");
    int n = 0;
    for (const char *at = text ? text : ""; *at;) {
        char name[128];
        const size_t length = strcspn(at, ",");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        const int value = gn_graph_find_value(g, name);
        if (value < 0 || n == GN_DETECTOR_MAX_MAPS)
            return gn_fail(err, GN_EFORMAT, "the model's metadata gannet.raw is '%s'; it names \"%.100s\", which is %s",
                           text, name, value < 0 ? "no value of the model" : "one map too many");
        raw[n++] = value;
        at += length + (at[length] == ',');
    }
    if (n == 0)
        return gn_fail(err, GN_EFORMAT,
                       "the model is a detector and its metadata gannet.raw names no raw maps to train");
    *n_out = n;
    return GN_OK;
}

gn_status gn_train_cut_raw(gn_train_builder *b)
{
    int raw[GN_DETECTOR_MAX_MAPS], n = 0;
    GN_TRY(find_raw(b->g, raw, &n, b->err));
    gn_graph_clear_outputs(b->g);
    for (int i = 0; i < n; i++)
        GN_TRY(gn_graph_add_output(b->g, raw[i]));
    return gn_pass_prune(b->g);
}

/* Attributes of the loss: what the rule does not leave to the detector.  Returns how many. */
static int loss_attrs(const gn_train_rule *rule, const char *line, gn_attr attrs[16])
{
    const gn_detection_loss *d = &rule->detection;
    const struct {
        const char *name;
        double value;
    } factors[] = {{"box", d->box},
                   {"cls", d->cls},
                   {"obj", d->obj},
                   {"dfl", d->dfl},
                   {"focal_gamma", d->focal_gamma},
                   {"focal_alpha", d->focal_alpha},
                   {"label_smoothing", rule->label_smoothing > 0 ? rule->label_smoothing : NAN}};
    int n = 0;
    attrs[n++] = gn_attr_string("detector", line);
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++)
        if (!isnan(factors[i].value))
            attrs[n++] = gn_attr_float(factors[i].name, (float)factors[i].value);
    if (d->box_loss)
        attrs[n++] = gn_attr_string("box_loss", d->box_loss);
    return n;
}

static int class_weights(gn_train_builder *b, int classes)
{
    const gn_detection_loss *d = &b->rule->detection;
    float *weight = gn_arena_alloc(gn_graph_arena(b->g), (size_t)classes * sizeof *weight);
    if (!weight)
        return -1;
    for (int c = 0; c < classes; c++)
        weight[c] = c < d->n_class_weights ? d->class_weight[c] : 1.0f;
    return gn_graph_add_const_f32(b->g, "train.class_weight", classes, weight);
}

/* The reference implementations of YOLOv5 and YOLOv8 multiply the loss by the number of pictures, which is what their rates and the
 * limit of the gradient's norm are made for. */
static double scale_of(const gn_detector *d, int batch)
{
    return d->kind == GN_DETECTOR_YOLOV5 || d->kind == GN_DETECTOR_YOLOV8 ? batch : 1;
}

gn_status gn_train_detection_loss(gn_train_builder *b, int batch, int *loss_out, int *scaled_out)
{
    const char *line = gn_graph_meta_get(b->g, "gannet.detector");
    const int most = b->rule->detection.truths > 0 ? b->rule->detection.truths : DEFAULT_TRUTHS;
    gn_detector d;
    gn_attr attrs[16];
    int in[4 + GN_DETECTOR_MAX_MAPS];
    if (!line)
        return gn_fail(b->err, GN_EFORMAT, "the model is a detector without metadata gannet.detector");
    GN_TRY(gn_detector_parse(line, &d, b->err));
    const int n_maps = gn_graph_output_count(b->g);
    if (n_maps != d.n_maps)
        return gn_fail(b->err, GN_EFORMAT, "the model's metadata name %d raw maps and describe %d", n_maps, d.n_maps);
    in[0] = b->out->truth = gn_train_input(b, "train.truth", GN_DTYPE_F32, gn_shape_make(3, batch, most, 5));
    in[1] = b->out->n_truth = gn_train_input(b, "train.n_truth", GN_DTYPE_S64, gn_shape_make(1, batch));
    in[2] = b->out->weight = gn_train_input(b, "train.weight", GN_DTYPE_F32, gn_shape_make(1, batch));
    in[3] = class_weights(b, d.classes);
    for (int m = 0; m < n_maps; m++)
        in[4 + m] = gn_graph_output(b->g, m);
    const int n_attrs = loss_attrs(b->rule, line, attrs);
    const int node =
        gn_graph_add_node(b->g, "DetectionLoss", "gannet", "train.loss", in, 4 + n_maps, 2 + n_maps, attrs, n_attrs);
    GN_TRY(gn_graph_error(b->g, b->err));
    b->out->n_classes = d.classes;
    b->parts = gn_graph_node(b->g, node)->out[1];
    *loss_out = gn_graph_node(b->g, node)->out[0];
    *scaled_out = gn_train_add_term(b, -1, *loss_out, scale_of(&d, batch));
    return gn_graph_error(b->g, b->err);
}
