/* Detectors in a session: the graph ends behind the raw maps and is decoded by Gannet's own operator; what that finds is thinned out and
 * placed in the picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run/session_detect.h"

#include <string.h>

#include "graph/op.h"
#include "graph/passes.h"

/* ---- opening ---- */

static bool ends_in_decode(const gn_graph *graph)
{
    const int value = gn_graph_output_count(graph) == 2 ? gn_graph_output(graph, 0) : -1;
    const int producer = value >= 0 ? gn_graph_value(graph, value)->producer : -1;
    return producer >= 0 && strcmp(gn_graph_node(graph, producer)->op->name, "DetectDecode") == 0;
}

/* Values named in "raw0,raw1"; how many, or -1 when one is not there or there are more than `most`. */
static int find_maps(const gn_graph *graph, const char *names, int *map, int most)
{
    int n = 0;
    for (char name[64]; *names; n++) {
        const size_t length = strcspn(names, ",");
        if (length == 0 || length >= sizeof name || n >= most)
            return -1;
        memcpy(name, names, length);
        name[length] = '\0';
        map[n] = gn_graph_find_value(graph, name);
        if (map[n] < 0)
            return -1;
        names += length + (names[length] == ',');
    }
    return n;
}

gn_status gn_session_cut_detector(gn_graph *graph, const gn_model_info *info, gn_error *err)
{
    const char *names = gn_graph_meta_get(graph, "gannet.raw"), *line = gn_graph_meta_get(graph, "gannet.detector");
    int in[GN_DETECTOR_MAX_MAPS + 1];
    if (!names || !line || ends_in_decode(graph))
        return GN_OK;
    int n = find_maps(graph, names, in, GN_DETECTOR_MAX_MAPS);
    if (n < 0)
        return GN_OK; /* the file has lost them: its own tail decodes */
    if (n != info->detector.n_maps)
        return gn_fail(err, GN_EFORMAT, "the model's metadata gannet.raw is '%.80s'; %d names were expected", names,
                       info->detector.n_maps);
    if (info->detector.kind == GN_DETECTOR_YOLOV1)
        in[n++] = gn_graph_input(graph, 0);
    const gn_attr attr = gn_attr_string("detector", line);
    const int node = gn_graph_add_node(graph, "DetectDecode", "gannet", "decode", in, n, 2, &attr, 1);
    if (node < 0)
        return gn_graph_error(graph, err);
    gn_graph_clear_outputs(graph);
    for (int i = 0; i < 2; i++)
        if (gn_graph_add_output(graph, gn_graph_node(graph, node)->out[i]) != GN_OK)
            return gn_graph_error(graph, err);
    const gn_status status = gn_pass_prune(graph);
    return status == GN_OK ? status : gn_fail(err, status, "no memory to prepare the model");
}

gn_status gn_session_explain_size(const gn_model_info *info, gn_error *err)
{
    int stride = 1;
    for (int m = 0; m < info->detector.n_maps; m++)
        stride = info->detector.stride[m] > stride ? info->detector.stride[m] : stride;
    if (info->imgsz_w % stride == 0 && info->imgsz_h % stride == 0)
        return GN_ESHAPE;
    return gn_fail(err, GN_ESHAPE, "an input of %d x %d px: the detector takes multiples of %d px", info->imgsz_w,
                   info->imgsz_h, stride);
}

static gn_status check_outputs(const gn_graph *graph, gn_error *err)
{
    const gn_value *v[2] = {NULL, NULL};
    for (int i = 0; i < 2 && i < gn_graph_output_count(graph); i++)
        v[i] = gn_graph_value(graph, gn_graph_output(graph, i));
    if (!v[1] || v[0]->dtype != GN_DTYPE_F32 || v[1]->dtype != GN_DTYPE_F32 || v[0]->shape.rank != 3 ||
        v[1]->shape.rank != 3 || v[0]->shape.dim[2] != 4 || v[1]->shape.dim[1] != v[0]->shape.dim[1] ||
        v[1]->shape.dim[2] < 1)
        return gn_fail(err, GN_EUNSUPPORTED,
                       "the metadata call the model a detector, but its first outputs are no boxes [N,A,4] and scores "
                       "[N,A,C] of f32");
    return GN_OK;
}

gn_status gn_session_setup_detector(gn_session *session, const gn_session_options *options, gn_error *err)
{
    gn_session *s = session;
    GN_TRY(check_outputs(s->graph, err));
    if (options->max_det < 0 || options->max_det > GN_PREDICTION_MAX)
        return gn_fail(err, GN_EINVAL, "%d objects per picture: 1 to %d were expected", options->max_det,
                       GN_PREDICTION_MAX);
    if (options->has_iou)
        s->info.iou = options->iou;
    s->suppression = (gn_nms_options){.kind = options->nms,
                                      .iou = s->info.iou,
                                      .conf = s->info.conf,
                                      .is_agnostic = options->class_agnostic,
                                      .max_det = options->max_det > 0 ? options->max_det : GN_PREDICTION_MAX};
    s->multi_label = options->multi_label;
    s->found = gn_calloc(GN_PREDICTION_MAX, sizeof *s->found);
    if (!s->found || gn_nms_create(&s->nms) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "no memory to prepare the model");
    int n = 0;
    return gn_nms_run(s->nms, &s->suppression, s->found, &n, err); /* of nothing: are the options in their ranges? */
}

/* ---- decoding ---- */

gn_status gn_session_decode_detector(const gn_session *session, int index, int full_width, int full_height,
                                     gn_prediction *out)
{
    gn_shape boxes = {0}, scores = {0};
    const float *b = gn_session_output(session, 0, &boxes), *p = gn_session_output(session, 1, &scores);
    int n = 0;
    out->n = 0;
    if (!b || !p || index < 0 || index >= boxes.dim[0])
        return GN_OK;
    const int64_t A = boxes.dim[1], C = scores.dim[2];
    gn_nms_clear(session->nms);
    GN_TRY(gn_nms_add_scores(session->nms, b + index * A * 4, p + index * A * C, (size_t)A, (int)C, session->info.conf,
                             session->multi_label));
    GN_TRY(gn_nms_run(session->nms, &session->suppression, session->found, &n, NULL));
    for (int i = 0; i < n; i++) {
        const gn_candidate *c = &session->found[i];
        const float in[4] = {c->box.x1, c->box.y1, c->box.x2, c->box.y2};
        const gn_box box = gn_session_place_box(&session->info, in, full_width, full_height);
        if (box.x2 > box.x1 && box.y2 > box.y1) /* else nothing of it lies in the picture */
            out->object[out->n++] = (gn_object){.box = box, .score = c->score, .cls = c->cls};
    }
    return GN_OK;
}
