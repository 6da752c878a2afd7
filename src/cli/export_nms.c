/* The graph behind "boxes" and "scores": who stays, and their numbers.
 * Source: ONNX NonMaxSuppression.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_nms.h"

#include <stdio.h>
#include <string.h>

#include "gannet/run_api.h"

static int op(gn_graph *g, const char *name, const char *value, const int *in, int n_in, const gn_attr *attr)
{
    const int id = gn_graph_add_op(g, name, "", value, in, n_in, attr, attr ? 1 : 0);
    if (id >= 0)
        gn_graph_rename_value(g, id, value);
    return id;
}

/* Columns of the chosen rows. */
static int columns(gn_graph *g, const char *name, int chosen, const int64_t *which, int n)
{
    char list[64];
    snprintf(list, sizeof list, "%s_columns", name);
    const gn_attr axis = gn_attr_int("axis", 1);
    const int in[2] = {chosen, gn_graph_add_const_s64(g, list, n, which)};
    return op(g, "Gather", name, in, 2, &axis);
}

/* Columns as numbers. */
static int float_columns(gn_graph *g, const char *name, int chosen, int64_t which)
{
    char as_float[64];
    const int64_t f32 = 1; /* ONNX's number of the type */
    const gn_attr to = gn_attr_int("to", f32);
    snprintf(as_float, sizeof as_float, "%s_f32", name);
    const int column = columns(g, name, chosen, &which, 1);
    return op(g, "Cast", as_float, &column, 1, &to);
}

static int choose(gn_graph *g, int boxes, int scores, float conf, float iou, int64_t most)
{
    static const int64_t turned[3] = {0, 2, 1};
    const gn_attr perm = gn_attr_ints("perm", turned, 3);
    const int in[5] = {boxes, op(g, "Transpose", "scores_by_class", &scores, 1, &perm),
                       gn_graph_add_const_s64(g, "nms_most", 1, &most), gn_graph_add_const_f32(g, "nms_iou", 1, &iou),
                       gn_graph_add_const_f32(g, "nms_conf", 1, &conf)};
    return op(g, "NonMaxSuppression", "chosen", in, 5, NULL);
}

/* Corners need no turning round: the operator compares areas, whichever way the axes go. */
static gn_status append(gn_graph *g, float conf, float iou, int64_t most, gn_error *err)
{
    static const int64_t box_of[2] = {0, 2}, score_of[3] = {0, 2, 1}, last = 1;
    const int boxes = gn_graph_output(g, 0), scores = gn_graph_output(g, 1);
    const int chosen = choose(g, boxes, scores, conf, iou, most);
    const int box_in[2] = {boxes, columns(g, "chosen_boxes", chosen, box_of, 2)};
    const int score_in[2] = {scores, columns(g, "chosen_scores", chosen, score_of, 3)};
    const int row_in[2] = {op(g, "GatherND", "kept_scores", score_in, 2, NULL),
                           gn_graph_add_const_s64(g, "nms_column", 1, &last)};
    const int parts[4] = {float_columns(g, "kept_pictures", chosen, 0),
                          op(g, "GatherND", "kept_boxes", box_in, 2, NULL), float_columns(g, "kept_classes", chosen, 1),
                          op(g, "Unsqueeze", "kept_rows", row_in, 2, NULL)};
    const gn_attr axis = gn_attr_int("axis", 1);
    const int detections = op(g, "Concat", "detections", parts, 4, &axis);
    GN_TRY(gn_graph_error(g, err));
    const gn_status status = gn_graph_add_output(g, detections);
    return status == GN_OK ? status : gn_graph_error(g, err);
}

/* --NAME of `args` into the metadata. */
static gn_status store(const gn_args *args, gn_graph *graph, const char *name, const char *key, gn_error *err)
{
    char text[32];
    if (!gn_args_has(args, name))
        return GN_OK;
    snprintf(text, sizeof text, "%g", gn_args_double(args, name));
    const gn_status status = gn_graph_meta_set(graph, key, text);
    return status == GN_OK ? status : gn_fail(err, status, "no memory to store --%s", name);
}

gn_status gn_cli_export_limits(const gn_args *args, gn_graph *graph, gn_error *err)
{
    const char *decode = gn_graph_meta_get(graph, "gannet.decode");
    const bool is_detector = decode && strcmp(decode, "detect") == 0;
    const char *const options[] = {"nms", "conf", "iou"};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!is_detector && (i ? gn_args_has(args, options[i]) : gn_args_flag(args, options[i])))
            return gn_fail(err, GN_EUSAGE, "--%s: the model is no detector of several boxes", options[i]);
    GN_TRY(store(args, graph, "conf", "gannet.conf", err));
    GN_TRY(store(args, graph, "iou", "gannet.iou", err));
    if (!gn_args_flag(args, "nms"))
        return GN_OK;
    if (gn_graph_output_count(graph) != 2)
        return gn_fail(err, GN_EUNSUPPORTED, "--nms: the model has %d outputs; boxes and scores were expected",
                       gn_graph_output_count(graph));
    gn_model_info info;
    gn_arena *arena = gn_arena_create(0);
    gn_status status = arena ? gn_model_info_read(graph, arena, &info, err)
                             : gn_fail(err, GN_ENOMEM, "no memory to read the metadata");
    if (status == GN_OK)
        status = append(graph, info.conf, info.iou, gn_args_int(args, "max-det"), err);
    gn_arena_destroy(&arena);
    return status;
}
