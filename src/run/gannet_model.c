/* The public interface of the edge runtime over sessions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "gannet/gannet.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "run/session.h"

struct gn_model {
    gn_session *session;
    gn_times times;
    int batch;      /* pictures of one run; calls for more are cut into pieces */
    float *results; /* of a call in pieces */
    size_t room;    /* numbers that fit there */
};

static int report(gn_status status, const gn_error *err, gn_message *message)
{
    if (message)
        gn_error_line(err, message->text, sizeof message->text);
    return (int)status;
}

const char *gn_version(void)
{
    return GN_VERSION;
}

const char *gn_code_text(int code)
{
    return gn_status_sentence((gn_status)code);
}

/* All plans are made now: after that the weights are needed in their packed form only. */
static gn_status prepare(gn_model *model, int batch, gn_error *err)
{
    if (batch < 0 || batch > GN_SESSION_MAX_BATCH)
        return gn_fail(err, GN_EINVAL, "a batch of %d: 1 to %d were expected", batch, GN_SESSION_MAX_BATCH);
    model->batch = batch > 1 ? batch : 1;
    if (model->batch > 1)
        GN_TRY(gn_session_prepare(model->session, model->batch, err));
    GN_TRY(gn_session_prepare(model->session, 1, err));
    gn_session_release_weights(model->session);
    return GN_OK;
}

static int open_model(const char *path, const void *bytes, size_t n, const gn_model_options *options,
                      gn_model **model_out, gn_message *message)
{
    gn_error err = {0};
    gn_session_options o = {0};
    if (options)
        o = (gn_session_options){.threads = options->threads,
                                 .imgsz_w = options->imgsz_w,
                                 .imgsz_h = options->imgsz_h,
                                 .has_conf = options->conf > 0,
                                 .conf = options->conf,
                                 .has_iou = options->iou > 0,
                                 .iou = options->iou,
                                 .max_det = options->max_det};
    gn_model *model = gn_calloc(1, sizeof *model);
    gn_status status = model ? GN_OK : gn_fail(&err, GN_ENOMEM, "no memory to open the model");
    if (status == GN_OK)
        status = path ? gn_session_open(path, &o, &model->session, &err)
                      : gn_session_open_bytes(bytes, n, "model in memory", &o, &model->session, &err);
    if (status == GN_OK)
        status = prepare(model, options ? options->batch : 0, &err);
    if (status != GN_OK) {
        gn_model_close(&model);
        return report(status, &err, message);
    }
    *model_out = model;
    return 0;
}

int gn_model_open(const char *path, const gn_model_options *options, gn_model **model_out, gn_message *message)
{
    return open_model(path, NULL, 0, options, model_out, message);
}

int gn_model_open_bytes(const void *bytes, size_t n, const gn_model_options *options, gn_model **model_out,
                        gn_message *message)
{
    return open_model(NULL, bytes, n, options, model_out, message);
}

void gn_model_close(gn_model **model)
{
    if (!model || !*model)
        return;
    gn_session_close(&(*model)->session);
    gn_free((*model)->results);
    gn_free(*model);
    *model = NULL;
}

void gn_model_input_size(const gn_model *model, int *width_out, int *height_out)
{
    *width_out = gn_session_info(model->session)->imgsz_w;
    *height_out = gn_session_info(model->session)->imgsz_h;
}

const char *gn_model_class_name(const gn_model *model, int cls)
{
    const gn_model_info *info = gn_session_info(model->session);
    return cls >= 0 && cls < info->n_names ? info->names[cls] : "";
}

static gn_status predict(gn_model *model, const gn_image *image, int64_t decode_ns, gn_found *found, int max_found,
                         int *n_found_out, gn_error *err)
{
    gn_prediction prediction;
    GN_TRY(gn_session_predict(model->session, image, &prediction, &model->times, err));
    model->times.preprocess_ns += decode_ns;
    int n = prediction.n < max_found ? prediction.n : max_found;
    for (int i = 0; i < n; i++) {
        const gn_object *o = &prediction.object[i];
        found[i] = (gn_found){o->box.x1, o->box.y1, o->box.x2, o->box.y2, o->score, o->cls};
    }
    *n_found_out = n < 0 ? 0 : n;
    return GN_OK;
}

static int predict_encoded(gn_model *model, const char *path, const void *bytes, size_t n, gn_found *found,
                           int max_found, int *n_found_out, gn_message *message)
{
    gn_error err = {0};
    gn_image image = {0};
    gn_decode_options options = gn_session_decode_options(model->session);
    int64_t begin = gn_now_ns();
    gn_status status = path ? gn_image_load(path, &options, &image, &err)
                            : gn_image_decode(bytes, n, "picture in memory", &options, &image, &err);
    if (status == GN_OK)
        status = predict(model, &image, gn_now_ns() - begin, found, max_found, n_found_out, &err);
    gn_image_deinit(&image);
    return status == GN_OK ? 0 : report(status, &err, message);
}

int gn_model_predict_file(gn_model *model, const char *path, gn_found *found, int max_found, int *n_found_out,
                          gn_message *message)
{
    return predict_encoded(model, path, NULL, 0, found, max_found, n_found_out, message);
}

int gn_model_predict_bytes(gn_model *model, const void *bytes, size_t n, gn_found *found, int max_found,
                           int *n_found_out, gn_message *message)
{
    return predict_encoded(model, NULL, bytes, n, found, max_found, n_found_out, message);
}

int gn_model_predict_rgb(gn_model *model, const uint8_t *rgb, int width, int height, size_t stride_bytes,
                         gn_found *found, int max_found, int *n_found_out, gn_message *message)
{
    gn_error err = {0};
    gn_image image = {0};
    gn_status status = gn_image_create(width, height, 3, &image);
    if (status == GN_OK && stride_bytes < (size_t)width * 3)
        status = GN_EINVAL;
    if (status != GN_OK) {
        gn_image_deinit(&image);
        gn_fail(&err, status, "a picture of %d x %d with rows of %zu bytes", width, height, stride_bytes);
        return report(status, &err, message);
    }
    for (int y = 0; y < height; y++)
        memcpy(image.data + (size_t)y * image.stride_bytes, rgb + (size_t)y * stride_bytes, (size_t)width * 3);
    status = predict(model, &image, 0, found, max_found, n_found_out, &err);
    gn_image_deinit(&image);
    return status == GN_OK ? 0 : report(status, &err, message);
}

/* Room for `count` numbers; what was there is lost. */
static gn_status make_room(gn_model *model, size_t count, gn_error *err)
{
    if (count <= model->room)
        return GN_OK;
    gn_free(model->results);
    model->results = gn_calloc(count, sizeof *model->results);
    model->room = model->results ? count : 0;
    return model->results ? GN_OK : gn_fail(err, GN_ENOMEM, "no memory for %zu results", count);
}

/* Runs `n` pictures at once. */
static gn_status run_piece(gn_model *model, const float *input, int n, const float **output_out, size_t *count_out,
                           gn_error *err)
{
    GN_TRY(gn_session_run(model->session, input, n, err));
    gn_shape shape = {0};
    *output_out = gn_session_output(model->session, 0, &shape);
    if (!*output_out)
        return gn_fail(err, GN_EUNSUPPORTED, "the model's first output is not of f32");
    *count_out = (size_t)gn_shape_count(&shape);
    return GN_OK;
}

/* Whole batches, then the rest picture by picture. */
static gn_status run_pieces(gn_model *model, const float *input, int n, const float **output_out,
                            int64_t *n_per_item_out, gn_error *err)
{
    const gn_shape shape = gn_session_input_shape(model->session);
    const size_t per_image = (size_t)gn_shape_count(&shape);
    for (int i = 0, piece; i < n; i += piece) {
        const float *output = NULL;
        size_t count = 0;
        piece = n - i >= model->batch ? model->batch : 1;
        GN_TRY(run_piece(model, input + (size_t)i * per_image, piece, &output, &count, err));
        const size_t per_item = count / (size_t)piece;
        GN_TRY(make_room(model, per_item * (size_t)n, err));
        memcpy(model->results + (size_t)i * per_item, output, count * sizeof *output);
        *n_per_item_out = (int64_t)per_item;
    }
    *output_out = model->results;
    return GN_OK;
}

int gn_model_run(gn_model *model, const float *input, int n, const float **output_out, int64_t *n_per_item_out,
                 gn_message *message)
{
    gn_error err = {0};
    gn_status status = GN_OK;
    if (n < 1 || n > GN_SESSION_MAX_BATCH) {
        status = gn_fail(&err, GN_EINVAL, "a batch of %d: 1 to %d were expected", n, GN_SESSION_MAX_BATCH);
    } else if (n == 1 || n == model->batch) {
        size_t count = 0;
        status = run_piece(model, input, n, output_out, &count, &err);
        *n_per_item_out = status == GN_OK ? (int64_t)count / n : *n_per_item_out;
    } else {
        status = run_pieces(model, input, n, output_out, n_per_item_out, &err);
    }
    return status == GN_OK ? 0 : report(status, &err, message);
}

void gn_model_times(const gn_model *model, int64_t ns_out[3])
{
    ns_out[0] = model->times.preprocess_ns;
    ns_out[1] = model->times.infer_ns;
    ns_out[2] = model->times.postprocess_ns;
}
