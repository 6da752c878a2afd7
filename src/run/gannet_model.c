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

static int open_model(const char *path, const void *bytes, size_t n, const gn_model_options *options,
                      gn_model **model_out, gn_message *message)
{
    gn_error err = {0};
    gn_session_options o = {0};
    if (options)
        o = (gn_session_options){.threads = options->threads, .imgsz_w = options->imgsz_w, .imgsz_h = options->imgsz_h};
    gn_model *model = gn_calloc(1, sizeof *model);
    gn_status status = model ? GN_OK : gn_fail(&err, GN_ENOMEM, "no memory to open the model");
    if (status == GN_OK)
        status = path ? gn_session_open(path, &o, &model->session, &err)
                      : gn_session_open_bytes(bytes, n, "model in memory", &o, &model->session, &err);
    if (status != GN_OK) {
        gn_free(model);
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

int gn_model_run(gn_model *model, const float *input, int n, const float **output_out, int64_t *n_per_item_out,
                 gn_message *message)
{
    gn_error err = {0};
    gn_status status = gn_session_run(model->session, input, n, &err);
    gn_shape shape = {0};
    const float *output = status == GN_OK ? gn_session_output(model->session, 0, &shape) : NULL;
    if (status == GN_OK && !output)
        status = gn_fail(&err, GN_EUNSUPPORTED, "the model's first output is not of f32");
    if (status != GN_OK)
        return report(status, &err, message);
    *output_out = output;
    *n_per_item_out = gn_shape_count(&shape) / n;
    return 0;
}

void gn_model_times(const gn_model *model, int64_t ns_out[3])
{
    ns_out[0] = model->times.preprocess_ns;
    ns_out[1] = model->times.infer_ns;
    ns_out[2] = model->times.postprocess_ns;
}
