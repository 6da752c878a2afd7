/* COCO's JSON as it stands in the file: images, categories and annotations with their own numbers, and lists of detections.  Nothing is
 * judged here and no picture is looked at; coco_dataset.c makes a data set of it, and scoring works on it directly.
 * The file is read piece by piece (json_pull.h): what is not known (outlines, licences, ...) takes no memory.
 * Source: cocodataset.org, "Data format" and "Results format".
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_COCO_JSON_H
#define GN_DATA_COCO_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Limits of a file; with them it takes at most some 6 GB of memory, however long it is. */
#define GN_COCO_MAX_IMAGES      10000000
#define GN_COCO_MAX_ANNOTATIONS 40000000
#define GN_COCO_MAX_CATEGORIES  100000
#define GN_COCO_MAX_PROBLEMS    1000 /* that are kept; the count goes on */

typedef struct gn_coco_image {
    int64_t id;
    const char *file_name; /* "": the file does not say */
    int width, height;     /* 0: the file does not say */
    int64_t line;          /* of the JSON */
} gn_coco_image;

typedef struct gn_coco_category {
    int64_t id;
    const char *name; /* the id as text where the file has none */
} gn_coco_category;

typedef struct gn_coco_annotation {
    int64_t id; /* -1: the file does not say */
    int64_t image_id;
    int64_t category_id;
    double x, y, w, h; /* pixels, from the left upper corner; as written, even when that is no box */
    double area;       /* pixels of the object's outline; -1: the file does not say */
    int64_t line;
    bool is_crowd;
    bool is_difficult; /* "difficult": 1, which gannet writes for VOC's flag */
    bool is_truncated; /* "truncated": 1, likewise */
    bool is_ignored;   /* "ignore": 1, which pycocotools replaces by iscrowd and others heed */
} gn_coco_annotation;

/* An image, category or annotation that lacks what it needs, and is therefore not in the arrays. */
typedef struct gn_coco_problem {
    int64_t line;
    const char *message;
} gn_coco_problem;

/* In the order of the file; ids may repeat and may point nowhere.  Strings live in `arena`. */
typedef struct gn_coco_file {
    gn_arena *arena;
    gn_coco_image *image;
    gn_coco_category *category;
    gn_coco_annotation *annotation;
    gn_coco_problem *problem;
    int64_t n_images, n_categories, n_annotations;
    int64_t n_problems, n_bad;                        /* kept, all */
    bool has_images, has_categories, has_annotations; /* the keys stand in the file */
    size_t image_capacity, category_capacity, annotation_capacity, problem_capacity;
} gn_coco_file;

/* A file of ground truth {"images": [...], "categories": [...], "annotations": [...]}, in any order.
 * An annotation needs image_id, category_id and bbox (four numbers); an image needs id; a category needs id.
 * GN_ENOENT; GN_EIO; GN_EFORMAT with the byte: no JSON, cut off, or something else than such an object; GN_ELIMIT; GN_ENOMEM. */
gn_status gn_coco_file_read(const char *path, gn_coco_file *file_out, gn_error *err);
/* The same from memory; name: for messages. */
gn_status gn_coco_file_parse(const char *bytes, size_t n, const char *name, gn_coco_file *file_out, gn_error *err);
void gn_coco_file_deinit(gn_coco_file *file);

/* One of a list of detections. */
typedef struct gn_coco_detection {
    int64_t image_id; /* -1: a text that is no number, which is image_name */
    const char
        *image_name; /* as Ultralytics writes pictures without a number: their file's name without ending; else NULL */
    int64_t category_id;
    double x, y, w, h; /* pixels */
    double score;
    int64_t line;
} gn_coco_detection;

typedef struct gn_coco_detections {
    gn_arena *arena;         /* of the texts */
    gn_coco_detection *item; /* [n] in the order of the file */
    int64_t n;
    gn_coco_problem *problem; /* those that lack image_id, category_id, bbox or score */
    int64_t n_problems, n_bad;
    size_t item_capacity, problem_capacity;
} gn_coco_detections;

/* A file [{"image_id": 1, "category_id": 1, "bbox": [x, y, w, h], "score": 0.9}, ...].  Errors as gn_coco_file_read. */
gn_status gn_coco_detections_read(const char *path, gn_coco_detections *detections_out, gn_error *err);
gn_status gn_coco_detections_parse(const char *bytes, size_t n, const char *name, gn_coco_detections *detections_out,
                                   gn_error *err);
void gn_coco_detections_deinit(gn_coco_detections *detections);

/* Whether a file looks like COCO's ground truth: the first thing in its top object's keys that is known is one of images, annotations
 * and categories.  False for anything that is no such JSON.  GN_ENOMEM. */
gn_status gn_coco_file_is(const char *bytes, size_t n, bool *is_out);

#endif
