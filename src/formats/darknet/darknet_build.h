/* Inside the Darknet reader: the network while it is built.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_DARKNET_DARKNET_BUILD_H
#define GN_FORMATS_DARKNET_DARKNET_BUILD_H

#include "detect/detector.h"
#include "formats/darknet/darknet.h"
#include "formats/darknet/darknet_cfg.h"

/* A layer's result: [N,C,H,W], or [N,C] (then H = W = 1). */
typedef struct gn_darknet_feature {
    int value;
    int C, H, W;
    bool is_flat;
    bool is_detection; /* of a detection layer, which nobody may read */
} gn_darknet_feature;

/* How numbers lie in the file, compared with the tensor. */
typedef enum gn_darknet_order {
    GN_DARKNET_AS_IS,
    GN_DARKNET_CONNECTED, /* transposed in files of some versions */
    GN_DARKNET_FLIPPED,   /* a matrix [dim 1.., dim 0] */
    GN_DARKNET_LOCAL,     /* [place][output][input], where the tensor is [place][input][output] */
} gn_darknet_order;

/* A tensor in the order of the .weights file. */
typedef struct gn_darknet_slot {
    int value;
    gn_darknet_order order;
    const gn_darknet_section *section;
    const int *rows; /* [dim 0] in which order the file has them; NULL: as they are */
    float start;     /* without a file: the value of all numbers, */
    double spread;   /* or uniform in -spread..spread when that is not 0 */
} gn_darknet_slot;

/* What a detection layer reads. */
typedef struct gn_darknet_map {
    int value;
    int index;   /* of the layer */
    int C, H, W; /* of the map, where that matters */
    int stride;  /* pixels of the input per cell */
    float scale_xy;
    float anchor[GN_DETECTOR_MAX_ANCHORS][2];
} gn_darknet_map;

typedef struct gn_darknet_build {
    gn_graph *graph;
    const gn_darknet_cfg *cfg;
    const gn_darknet_section *section; /* that is being built */
    int index;                         /* its number, as Darknet counts layers */
    gn_darknet_feature *layers;        /* of those before */
    gn_arena *arena;                   /* of the reader */
    gn_darknet_feature x;              /* result of the layer before */
    int net_w, net_h, net_c;
    bool is_raw, is_partial, has_detection, ends_in_softmax, has_letter_box;
    bool is_dry;   /* nothing is made room for: whether the network fits together, and how many numbers it needs */
    float epsilon; /* under the square root with the variance */
    gn_detector detector;
    gn_darknet_map maps[GN_DETECTOR_MAX_MAPS]; /* of detection layers, in the file's order */
    int n_maps;
    gn_darknet_slot *slots;
    size_t n_slots, cap_slots;
    int64_t numbers, max_numbers; /* of all weights, and their limit */
    const char *weights_name;     /* of the .weights file, if that sets the limit; else NULL */
    gn_text *notes;
    gn_status status; /* the first failure; everything after it does nothing of use */
    gn_error *err;
} gn_darknet_build;

/* Records the first failure, with the section's line. */
void gn_darknet_fail(gn_darknet_build *b, gn_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void gn_darknet_note(gn_darknet_build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Options of the section: a whole number in low..high, a real number, a text. */
int gn_darknet_int(gn_darknet_build *b, const char *key, int fallback, int low, int high);
double gn_darknet_real(gn_darknet_build *b, const char *key, double fallback);
const char *gn_darknet_text(const gn_darknet_build *b, const char *key, const char *fallback);
/* "from=-1,8": numbers of layers, counted from the first when not negative, else back from this one. */
int gn_darknet_layer_list(gn_darknet_build *b, const char *key, int *dst, int max);

/* "layers.<index>.<what>" */
const char *gn_darknet_name(gn_darknet_build *b, const char *what);
/* A state that the .weights file holds. */
int gn_darknet_state(gn_darknet_build *b, const char *what, const gn_shape *shape, bool trainable,
                     gn_darknet_order order, float start, double spread);
/* Nodes with one output. */
int gn_darknet_op(gn_darknet_build *b, const char *op, const char *what, const int *in, int n_in, const gn_attr *attrs,
                  int n_attrs);
int gn_darknet_reshape(gn_darknet_build *b, const char *what, int value, const int64_t *dim, int rank);
int gn_darknet_transpose(gn_darknet_build *b, const char *what, int value, const int64_t *perm, int rank);

/* The section's activation on a value. */
int gn_darknet_activate(gn_darknet_build *b, int value, const char *fallback);
/* One layer: b->section on b->x; the result replaces b->x. */
void gn_darknet_layer(gn_darknet_build *b);
/* [yolo], [region], [detection], [Gaussian_yolo], in darknet_detect.c; and the end of a network that has one: outputs "boxes" and
 * "scores" (or with is_raw the maps), metadata. */
void gn_darknet_detection(gn_darknet_build *b);
void gn_darknet_decode(gn_darknet_build *b);
gn_status gn_darknet_detector_metadata(const gn_darknet_build *b);
/* Convolution, connected and local layers, in darknet_dense.c. */
void gn_darknet_convolutional(gn_darknet_build *b);
void gn_darknet_connected(gn_darknet_build *b);
void gn_darknet_local(gn_darknet_build *b);
void gn_darknet_batchnorm(gn_darknet_build *b);

/* How many numbers a .weights file has.  GN_EFORMAT: it is none. */
gn_status gn_darknet_count(const void *weights, size_t bytes, const char *name, int64_t *count_out, gn_error *err);
/* Numbers of the file into the slots; NULL: random ones. */
gn_status gn_darknet_fill(gn_darknet_build *b, const void *weights, size_t bytes, const char *name, uint64_t seed);

#endif
