/* Reading of the `gannet.*` metadata of a model.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run/model_info.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "graph/op.h"

#define MAX_SIDE 65535

static gn_status bad(gn_error *err, const char *key, const char *text, const char *expected)
{
    return gn_fail(err, GN_EFORMAT, "the model's metadata %s is '%s'; %s was expected", key, text, expected);
}

/* "a,b" or "a,b,c": exactly n numbers. */
static bool parse_list(const char *text, int n, double *dst)
{
    char piece[64];
    for (int i = 0; i < n; i++) {
        size_t length = strcspn(text, ",");
        if (length == 0 || length >= sizeof piece || (text[length] == ',') != (i < n - 1))
            return false;
        memcpy(piece, text, length);
        piece[length] = '\0';
        if (!gn_parse_f64(piece, &dst[i]))
            return false;
        text += length + (i < n - 1);
    }
    return true;
}

static gn_status read_size(const gn_graph *graph, gn_model_info *info, gn_error *err)
{
    const char *text = gn_graph_meta_get(graph, "gannet.imgsz");
    const gn_shape *shape =
        gn_graph_input_count(graph) > 0 ? &gn_graph_value(graph, gn_graph_input(graph, 0))->shape : NULL;
    double side[2] = {224, 224};
    if (text &&
        !(parse_list(text, 2, side) && side[0] >= 1 && side[0] <= MAX_SIDE && side[1] >= 1 && side[1] <= MAX_SIDE))
        return bad(err, "gannet.imgsz", text, "width,height in pixels");
    info->imgsz_w = (int)side[0];
    info->imgsz_h = (int)side[1];
    /* What the graph fixes counts more than what the metadata say. */
    if (shape && shape->rank == 4 && shape->dim[2] > 0 && shape->dim[2] <= MAX_SIDE)
        info->imgsz_h = (int)shape->dim[2];
    if (shape && shape->rank == 4 && shape->dim[3] > 0 && shape->dim[3] <= MAX_SIDE)
        info->imgsz_w = (int)shape->dim[3];
    return GN_OK;
}

static gn_status read_triple(const gn_graph *graph, const char *key, const double fallback[3], float dst[3],
                             gn_error *err)
{
    const char *text = gn_graph_meta_get(graph, key);
    double x[3] = {fallback[0], fallback[1], fallback[2]};
    if (text && !parse_list(text, 3, x))
        return bad(err, key, text, "three numbers between commas");
    for (int i = 0; i < 3; i++)
        dst[i] = (float)x[i];
    return GN_OK;
}

/* The fifth number is a score when the graph ends in Concat(boxes, Sigmoid(logit)); otherwise it is the logit. */
static bool ends_in_logit(const gn_graph *graph)
{
    if (gn_graph_output_count(graph) == 0)
        return true;
    int producer = gn_graph_value(graph, gn_graph_output(graph, 0))->producer;
    const gn_node *node = producer >= 0 ? gn_graph_node(graph, producer) : NULL;
    if (!node || strcmp(node->op->name, "Concat") != 0 || node->n_in < 2)
        return true;
    int last = node->in[node->n_in - 1];
    int before = last >= 0 ? gn_graph_value(graph, last)->producer : -1;
    return before < 0 || strcmp(gn_graph_node(graph, before)->op->name, "Sigmoid") != 0;
}

static bool ends_in_softmax(const gn_graph *graph)
{
    if (gn_graph_output_count(graph) == 0)
        return false;
    const int producer = gn_graph_value(graph, gn_graph_output(graph, 0))->producer;
    return producer >= 0 && strcmp(gn_graph_node(graph, producer)->op->name, "Softmax") == 0;
}

static gn_status read_decode(const gn_graph *graph, gn_model_info *info, gn_error *err)
{
    static const struct {
        const char *name;
        gn_decode decode;
    } known[] = {{"none", GN_DECODE_NONE},
                 {"box_xyxy01", GN_DECODE_BOX},
                 {"box_xyxy01_score", GN_DECODE_BOX_SCORE},
                 {"detect", GN_DECODE_DETECT}};
    const char *text = gn_graph_meta_get(graph, "gannet.decode"), *task = gn_graph_meta_get(graph, "gannet.task");
    info->decode = task && strcmp(task, "classify") == 0 ? GN_DECODE_CLASSES : GN_DECODE_NONE;
    info->is_probability = info->decode == GN_DECODE_CLASSES && ends_in_softmax(graph);
    if (!text || info->decode == GN_DECODE_CLASSES)
        return GN_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(text, known[i].name) == 0) {
            info->decode = known[i].decode;
            info->is_score_logit = info->decode != GN_DECODE_DETECT && ends_in_logit(graph);
            return GN_OK;
        }
    return gn_fail(err, GN_EUNSUPPORTED, "the model's output is decoded by '%s', which this version does not know",
                   text);
}

static gn_status read_names(const gn_graph *graph, gn_arena *arena, gn_model_info *info, gn_error *err)
{
    const char *text = gn_graph_meta_get(graph, "gannet.names");
    if (!text || !*text)
        return GN_OK;
    const gn_json *root = NULL;
    gn_error inner = {0};
    gn_status status = gn_json_parse(text, strlen(text), arena, &root, &inner);
    if (status == GN_ENOMEM)
        return gn_fail(err, status, "no memory to read the model's class names");
    if (status != GN_OK || root->kind != GN_JSON_ARRAY)
        return gn_fail(err, GN_EFORMAT, "the model's metadata gannet.names is no JSON list of strings");
    int n = 0;
    for (const gn_json *item = root->first; item; item = item->next)
        n++;
    info->names = gn_arena_alloc(arena, (size_t)(n + 1) * sizeof *info->names);
    if (!info->names)
        return gn_fail(err, GN_ENOMEM, "no memory to read the model's class names");
    for (const gn_json *item = root->first; item; item = item->next) {
        if (item->kind != GN_JSON_STRING)
            return gn_fail(err, GN_EFORMAT, "the model's metadata gannet.names is no JSON list of strings");
        info->names[info->n_names++] = item->text;
    }
    return GN_OK;
}

static gn_status read_detector(const gn_graph *graph, gn_model_info *info, gn_error *err)
{
    const char *line = gn_graph_meta_get(graph, "gannet.detector");
    gn_error inner = {0};
    if (!line || info->decode != GN_DECODE_DETECT)
        return GN_OK;
    const gn_status status = gn_detector_parse(line, &info->detector, &inner);
    if (status == GN_OK || status == GN_ENOMEM)
        return status == GN_OK ? status : gn_fail(err, status, "no memory to read the model's metadata");
    return gn_fail(err, GN_EFORMAT, "the model's metadata gannet.detector cannot be used: %s", inner.message);
}

/* A number from 0 to 1 under `key`; `fallback` when it is not there. */
static gn_status read_share(const gn_graph *graph, const char *key, double fallback, float *out, gn_error *err)
{
    const char *text = gn_graph_meta_get(graph, key);
    double x = fallback;
    if (text && !(gn_parse_f64(text, &x) && x >= 0 && x <= 1))
        return bad(err, key, text, "a number from 0 to 1");
    *out = (float)x;
    return GN_OK;
}

static const char *text_or_empty(const gn_graph *graph, gn_arena *arena, const char *key)
{
    const char *text = gn_graph_meta_get(graph, key);
    return text ? gn_arena_strdup(arena, text) : "";
}

gn_status gn_model_info_read(const gn_graph *graph, gn_arena *arena, gn_model_info *info_out, gn_error *err)
{
    static const double imagenet_mean[3] = {0.485, 0.456, 0.406}, imagenet_std[3] = {0.229, 0.224, 0.225};
    gn_model_info info = {.model = text_or_empty(graph, arena, "gannet.model"),
                          .head = text_or_empty(graph, arena, "gannet.head")};
    if (!info.model || !info.head)
        return gn_fail(err, GN_ENOMEM, "no memory to read the model's metadata");
    GN_TRY(read_size(graph, &info, err));
    GN_TRY(read_triple(graph, "gannet.mean", imagenet_mean, info.mean, err));
    GN_TRY(read_triple(graph, "gannet.std", imagenet_std, info.stddev, err));
    for (int i = 0; i < 3; i++)
        if (!(info.stddev[i] > 0))
            return bad(err, "gannet.std", gn_graph_meta_get(graph, "gannet.std"), "three numbers above zero");
    const char *fit = gn_graph_meta_get(graph, "gannet.fit");
    info.is_letterbox = fit && strcmp(fit, "letterbox") == 0;
    if (fit && !info.is_letterbox && strcmp(fit, "stretch") != 0)
        return bad(err, "gannet.fit", fit, "stretch or letterbox");
    GN_TRY(read_decode(graph, &info, err));
    const bool is_detector = info.decode == GN_DECODE_DETECT;
    GN_TRY(read_share(graph, "gannet.conf",
                      is_detector                          ? 0.25
                      : info.decode == GN_DECODE_BOX_SCORE ? 0.5
                                                           : 0,
                      &info.conf, err));
    GN_TRY(read_share(graph, "gannet.iou", is_detector ? 0.7 : 0, &info.iou, err));
    GN_TRY(read_detector(graph, &info, err));
    GN_TRY(read_names(graph, arena, &info, err));
    *info_out = info;
    return GN_OK;
}

const char *gn_model_info_class(const gn_model_info *info, int cls, char *buffer)
{
    if (cls >= 0 && cls < info->n_names)
        return info->names[cls];
    snprintf(buffer, 16, "%d", cls);
    return buffer;
}
