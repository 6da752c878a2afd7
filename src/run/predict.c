/* From a picture to the model's input, and from its output to objects in the picture.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "image/resize.h"
#include "run/session_detect.h"

/* A JPEG is decoded at no less than this many times the input's size, so that the resize does the filtering. */
#define DECODE_MARGIN 2
#define TOP_CLASSES   5

gn_decode_options gn_session_decode_options(const gn_session *session)
{
    return (gn_decode_options){.need_width = DECODE_MARGIN * session->info.imgsz_w,
                               .need_height = DECODE_MARGIN * session->info.imgsz_h};
}

gn_status gn_session_preprocess(const gn_session *session, const gn_image *image, float *dst, gn_error *err)
{
    const gn_model_info *info = &session->info;
    gn_status status;
    if (image->channels != 3)
        return gn_fail(err, GN_EINVAL, "a picture of %d channels; RGB was expected", image->channels);
    if (!info->is_letterbox) {
        status = gn_resize_f32(image, info->imgsz_w, info->imgsz_h, info->mean, info->stddev, GN_PIXELS_CHW, dst);
    } else {
        gn_letterbox lb = gn_letterbox_make(image->full_width, image->full_height, info->imgsz_w, info->imgsz_h);
        gn_image boxed = {0};
        status = gn_letterbox_u8(image, &lb, &boxed);
        if (status == GN_OK)
            status = gn_normalise_f32(&boxed, info->mean, info->stddev, GN_PIXELS_CHW, dst);
        gn_image_deinit(&boxed);
    }
    return status == GN_OK ? status : gn_fail(err, status, "the picture cannot be brought to the model's size");
}

gn_box gn_session_place_box(const gn_model_info *info, const float in[4], int width, int height)
{
    float px[4];
    if (info->is_letterbox) {
        gn_letterbox lb = gn_letterbox_make(width, height, info->imgsz_w, info->imgsz_h);
        gn_letterbox_unmap(&lb, in, px);
    } else {
        for (int i = 0; i < 4; i++)
            px[i] = in[i] * (i % 2 ? (float)height / (float)info->imgsz_h : (float)width / (float)info->imgsz_w);
    }
    gn_box box = {fminf(px[0], px[2]), fminf(px[1], px[3]), fmaxf(px[0], px[2]), fmaxf(px[1], px[3])};
    return gn_box_clip(&box, (float)width, (float)height);
}

/* x1 y1 x2 y2 in 0..1 of the input -> pixels of the picture; corners in order, inside the picture. */
static gn_box place_share(const gn_model_info *info, const float *xyxy, int width, int height)
{
    float in[4];
    for (int i = 0; i < 4; i++)
        in[i] = xyxy[i] * (float)(i % 2 ? info->imgsz_h : info->imgsz_w);
    return gn_session_place_box(info, in, width, height);
}

static void decode_classes(const float *logits, int64_t n, bool is_probability, int width, int height,
                           gn_prediction *out)
{
    double peak = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        peak = fmax(peak, (double)logits[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp((double)logits[i] - peak);
    for (int k = 0; k < TOP_CLASSES && k < n; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < n; i++) {
            bool is_taken = false;
            for (int j = 0; j < k; j++)
                is_taken = is_taken || out->object[j].cls == i;
            if (!is_taken && (best < 0 || logits[i] > logits[best]))
                best = i;
        }
        out->object[out->n++] =
            (gn_object){.box = {0, 0, (float)width, (float)height},
                        .score = is_probability ? logits[best] : (float)(exp((double)logits[best] - peak) / sum),
                        .cls = (int32_t)best};
    }
}

/* One box, or classes: row `index` of the first output. */
static void decode_row(const gn_session *session, int index, int full_width, int full_height,
                       gn_prediction *prediction_out)
{
    gn_shape shape = {0};
    const float *y = gn_session_output(session, 0, &shape);
    const gn_model_info *info = &session->info;
    prediction_out->n = 0;
    if (!y || shape.rank != 2 || index < 0 || index >= shape.dim[0])
        return;
    y += index * shape.dim[1];
    if (info->decode == GN_DECODE_CLASSES) {
        decode_classes(y, shape.dim[1], info->is_probability, full_width, full_height, prediction_out);
        return;
    }
    bool has_score = info->decode == GN_DECODE_BOX_SCORE;
    if (info->decode == GN_DECODE_NONE || shape.dim[1] != (has_score ? 5 : 4))
        return;
    for (int i = 0; i < 4; i++)
        if (!isfinite(y[i]))
            return;
    float score = has_score ? y[4] : 1;
    if (has_score && info->is_score_logit)
        score = 1 / (1 + expf(-score));
    if (isnan(score))
        return;
    prediction_out->object[prediction_out->n++] =
        (gn_object){.box = place_share(info, y, full_width, full_height), .score = score};
}

gn_status gn_session_decode(const gn_session *session, int index, int full_width, int full_height,
                            gn_prediction *prediction_out)
{
    if (session->info.decode == GN_DECODE_DETECT)
        return gn_session_decode_detector(session, index, full_width, full_height, prediction_out);
    decode_row(session, index, full_width, full_height, prediction_out);
    return GN_OK;
}

static void drop_unsure(gn_prediction *prediction, float conf)
{
    int n = 0;
    for (int i = 0; i < prediction->n; i++)
        if (prediction->object[i].score >= conf)
            prediction->object[n++] = prediction->object[i];
    prediction->n = n;
}

gn_status gn_session_predict(gn_session *session, const gn_image *image, gn_prediction *prediction_out,
                             gn_times *times_out, gn_error *err)
{
    const gn_model_info *info = &session->info;
    const gn_shape *shape = &gn_graph_value(session->graph, gn_graph_input(session->graph, 0))->shape;
    if (shape->rank != 4 || shape->dim[1] != 3)
        return gn_fail(err, GN_EUNSUPPORTED, "the model's input is not a batch of RGB pictures");
    if (!session->input)
        session->input = gn_alloc((size_t)info->imgsz_w * (size_t)info->imgsz_h * 3 * sizeof *session->input);
    if (!session->input)
        return gn_fail(err, GN_ENOMEM, "no memory for a picture of the model's size");
    int64_t begin = gn_now_ns();
    GN_TRY(gn_session_preprocess(session, image, session->input, err));
    int64_t ready = gn_now_ns();
    GN_TRY(gn_session_run(session, session->input, 1, err));
    int64_t done = gn_now_ns();
    if (gn_session_decode(session, 0, image->full_width, image->full_height, prediction_out) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "no memory for the objects of a picture");
    drop_unsure(prediction_out, info->conf);
    if (times_out)
        *times_out =
            (gn_times){.preprocess_ns = ready - begin, .infer_ns = done - ready, .postprocess_ns = gn_now_ns() - done};
    return GN_OK;
}
