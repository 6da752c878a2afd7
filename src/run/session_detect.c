/* Detectors in a session: what the graph finds is thinned out and placed in the picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run/session_detect.h"

/* ---- opening ---- */

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
