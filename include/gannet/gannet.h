/* The edge runtime: load a model, predict from a picture, or run it on numbers.  This header is the one with a
 * stable interface; it needs no other.  Link with libgannet_run.
 *
 *     gn_model *model = NULL;
 *     gn_message message;
 *     if (gn_model_open("best.onnx", NULL, &model, &message) != 0) { puts(message.text); return 1; }
 *     gn_found found[10];
 *     int n = 0;
 *     gn_model_predict_file(model, "photo.jpg", found, 10, &n, &message);
 *     gn_model_close(&model);
 *
 * Functions return 0 when done, else a code whose meaning gn_code_text tells.  One model is used by one thread at
 * a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_GANNET_H
#define GANNET_GANNET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GN_API __attribute__((visibility("default")))

typedef struct gn_model gn_model;

/* What went wrong, for a person.  May be NULL wherever it is asked for. */
typedef struct gn_message {
    char text[1024];
} gn_message;

/* All zero: all cores, the model's own size and limits, one picture at a time. */
typedef struct gn_model_options {
    int threads;          /* 1..256 */
    int imgsz_w, imgsz_h; /* pixels */
    int batch; /* 1..4096: pictures that gn_model_run takes at once; more than one keeps a second copy of the weights */
    float conf; /* above 0 to 1: objects with a lower score are left out; 0: the model's own limit */
    float
        iou; /* above 0 to 1: of two boxes of a class that overlap more the better one stays; 0: the model's own limit */
    int max_det; /* 1..300 objects of a picture; 0: 300 */
} gn_model_options;

/* One object.  x1 y1 x2 y2: pixels of the upright picture.  score: 0..1.  cls: class number. */
typedef struct gn_found {
    float x1, y1, x2, y2, score;
    int32_t cls;
} gn_found;

GN_API const char *gn_version(void);
GN_API const char *gn_code_text(int code);

/* Opens an ONNX file, or its n bytes (which may be freed afterwards), and prepares it: from then on the weights are in memory once,
 * in the form that this CPU reads. */
GN_API int gn_model_open(const char *path, const gn_model_options *options, gn_model **model_out, gn_message *message);
GN_API int gn_model_open_bytes(const void *bytes, size_t n, const gn_model_options *options, gn_model **model_out,
                               gn_message *message);
GN_API void gn_model_close(gn_model **model);

/* Size of the model's input in pixels, and the name of a class ("" when it has none; valid until the model is
 * closed). */
GN_API void gn_model_input_size(const gn_model *model, int *width_out, int *height_out);
GN_API const char *gn_model_class_name(const gn_model *model, int cls);

/* Objects in a picture: a file, the bytes of one (JPEG, PNG, WebP), or packed RGB rows.  found: room for `max_found`;
 * *n_found_out are written, the surest first. */
GN_API int gn_model_predict_file(gn_model *model, const char *path, gn_found *found, int max_found, int *n_found_out,
                                 gn_message *message);
GN_API int gn_model_predict_bytes(gn_model *model, const void *bytes, size_t n, gn_found *found, int max_found,
                                  int *n_found_out, gn_message *message);
GN_API int gn_model_predict_rgb(gn_model *model, const uint8_t *rgb, int width, int height, size_t stride_bytes,
                                gn_found *found, int max_found, int *n_found_out, gn_message *message);

/* Runs on numbers: input f32 [n,C,H,W], normalised; n 1..4096, which is cut into pieces of the options' batch, the rest into single
 * pictures.  *output_out: the first output, valid until the next call; *n_per_item_out: its numbers per picture.  A detector's first output
 * is all its candidates' boxes. */
GN_API int gn_model_run(gn_model *model, const float *input, int n, const float **output_out, int64_t *n_per_item_out,
                        gn_message *message);

/* Nanoseconds that the last predict took: [0] decoding and resizing, [1] the network, [2] reading its output (of a detector: from candidates to objects). */
GN_API void gn_model_times(const gn_model *model, int64_t ns_out[3]);

#ifdef __cplusplus
}
#endif

#endif
