/* A labelled set of pictures: which pictures each split holds, their boxes and classes, and what is wrong with the set.
 * Reads YOLO's, COCO's, PASCAL VOC's, WIDER FACE's, Open Images' and Darknet's sets, a CSV of boxes, and pictures with a class each.
 * Pictures are not decoded here (data/batch.h does), only their headers are looked at.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_DATASET_H
#define GN_DATA_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "detect/box.h"
#include "image/image.h"

typedef struct gn_dataset gn_dataset;
typedef struct gn_data_source gn_data_source; /* where pictures lie that are no files of their own */

typedef enum gn_split {
    GN_SPLIT_TRAIN = 0,
    GN_SPLIT_VAL,
    GN_SPLIT_TEST,
    GN_SPLIT_COUNT,
} gn_split;

const char *gn_split_name(gn_split split); /* "train", "val", "test" */
bool gn_split_parse(const char *name, gn_split *out);

/* Limits of what is read. */
#define GN_LABEL_MAX_BYTES     (1u << 20)
#define GN_LABEL_MAX_BOXES     10000
#define GN_LIST_MAX_LINES      10000000
#define GN_LIST_MAX_BYTES      ((size_t)1 << 30)
#define GN_DATASET_MAX_CLASSES 100000

typedef struct gn_dataset_options {
    double val_frac; /* 0..0.5, of the training pictures when the set names no val; default 0.15 */
    double
        test_frac; /* 0..0.5, when the set names no test and no val either; default 0.15.  A set that names a val but no test keeps
                         * an empty test split. */
    uint64_t seed;    /* of the split; default 0 */
    int dup_distance; /* 0..64: pictures whose dHash differs in at most this many of 64 bits stay on one side; default 4 */
    bool verify;      /* decode every picture at open instead of looking at its header; default false */
    bool single_class;  /* all classes become class 0 */
    bool coarse_labels; /* CIFAR-100: the 20 coarse classes instead of the 100 fine ones */
} gn_dataset_options;

gn_dataset_options gn_dataset_default_options(void);

/* What a box is besides its class: bits of gn_sample.flags. */
#define GN_BOX_CROWD     1 /* a group of objects in one box: neither a hit nor a miss of its own, nothing to train on */
#define GN_BOX_DIFFICULT 2 /* an object that is hard to tell (PASCAL VOC): not counted when it is measured that way */
#define GN_BOX_TRUNCATED 4 /* the object goes on outside the box */

/* One picture.  Pointers are valid as long as the data set. */
typedef struct gn_sample {
    const char *
        path; /* openable from the current folder; of an archive "set.zip/train/a.jpg", of CIFAR "data_batch_1.bin#7" */
    const gn_box *
        box; /* [n_boxes], 0..1 of the upright picture's width and height (EXIF orientation applied), x1 < x2, y1 < y2 */
    const int32_t *cls;    /* [n_boxes], 0..n_classes-1 */
    const uint8_t *flags;  /* [n_boxes] GN_BOX_*; NULL: none has any */
    const int64_t *box_id; /* [n_boxes] the format's own number of each box, -1: it has none; NULL: none has one */
    const double *
        area; /* [n_boxes] pixels of the object, where the format tells (COCO: of its outline), else -1; NULL: none told */
    int n_boxes;
    int width, height;      /* pixels of the upright picture */
    int64_t id;             /* the format's own number of the picture; -1: it has none */
    int32_t label;          /* class of the whole picture, 0..n_classes-1; -1: the set has none, it has boxes */
    gn_data_source *source; /* NULL: a file; else what gn_sample_decode reads item `item` of */
    int64_t item;
} gn_sample;

/* The sample's picture, from wherever it lies; otherwise as gn_image_load.  Thread-safe. */
gn_status gn_sample_decode(const gn_sample *sample, const gn_decode_options *opt, gn_image *image_out, gn_error *err);

/* Something that was skipped.  file: the label, list or picture file; line: 1-based, 0 when it has none. */
typedef struct gn_problem {
    const char *file;
    int64_t line;
    const char *message;
} gn_problem;

/* Counts of what was skipped, by cause. */
typedef struct gn_problem_counts {
    int64_t missing_pictures;    /* named in a list, not there */
    int64_t unreadable_pictures; /* header (or, with verify, content) broken */
    int64_t bad_label_lines;
    int64_t duplicate_lines; /* the same class and box again in one label file; not listed as problems */
    int64_t bad_list_lines;
    int64_t duplicate_pictures; /* named twice in one split; taken once */
    int64_t split_overlap;  /* pictures that stand in more than one of the set's own splits; kept, counted here only */
    int64_t missing_labels; /* pictures without a label file: background, as an empty file; counted here only */
    int64_t
        spoilt_pictures;   /* left out, since no line of their label file was usable: they would pass for background */
    int64_t clipped_boxes; /* reached out of their picture by more than a pixel; what lies inside is kept */
    int64_t empty_boxes;   /* without area; dropped */
    int64_t orphan_boxes;  /* of pictures that the set does not list or that are not there; the first is noted */
    int64_t duplicate_ids; /* numbers of pictures, boxes or classes that stand twice */
    int64_t wrong_sizes;   /* pictures of another shape than the set says; left out */
    int64_t rescaled_pictures; /* pictures of the shape that the set says, in another size; boxes go with them */
} gn_problem_counts;

/* path: data.yaml; COCO's JSON, or a folder with annotations/instances_*.json or SPLIT/_annotations.coco.json; PASCAL VOC's folders or
 * XML files; WIDER FACE's list or the folder of it; a .csv of boxes, or Open Images' CSV; Darknet's .data; a folder that holds a
 * data.yaml, or images/ and labels/, or a folder per class (D/train/CLASS/..., D/CLASS/...), or CIFAR-10's or CIFAR-100's binary files; or
 * a .zip of any of these, which is not unpacked.  options NULL: defaults.
 * GN_ENOENT; GN_EFORMAT (YAML, CSV header, JSON, no `names`, nc unlike names) with line or byte; GN_ELIMIT; GN_EDATA when no usable picture
 * is left, naming the first cause; GN_EUNSUPPORTED when the path is nothing known; GN_EIO; GN_ENOMEM; GN_ECANCELED. */
gn_status gn_dataset_open(const char *path, const gn_dataset_options *options, gn_dataset **dataset_out, gn_error *err);
void gn_dataset_close(gn_dataset **dataset);

const char *gn_dataset_path(const gn_dataset *dataset); /* as given */
const char *gn_dataset_format(
    const gn_dataset *
        dataset); /* "data.yaml", "COCO", "VOC", "WIDER FACE", "Open Images", "Darknet .data", "csv", "folder", "class folders",
                   * "CIFAR-10", "CIFAR-100"; of an archive "zip of ..." */
int gn_dataset_classes(const gn_dataset *dataset);
/* Whether its pictures have a class each (gn_sample.label) instead of boxes. */
bool gn_dataset_has_labels(const gn_dataset *dataset);
const char *gn_dataset_class_name(const gn_dataset *dataset, int cls); /* NULL when out of range */
/* The format's own number of a class (COCO's category id), or cls + 1 where the format has none: COCO counts from 1.  cls: 0..n-1. */
int64_t gn_dataset_category_id(const gn_dataset *dataset, int cls);
/* Whether val (test) was made by splitting. */
bool gn_dataset_is_split_made(const gn_dataset *dataset);

int64_t gn_dataset_count(const gn_dataset *dataset, gn_split split);
/* i: 0..count-1. */
const gn_sample *gn_dataset_sample(const gn_dataset *dataset, gn_split split, int64_t i);

/* At most 10,000 problems are kept; the counts go on. */
int64_t gn_dataset_problem_count(const gn_dataset *dataset);
const gn_problem *gn_dataset_problem(const gn_dataset *dataset, int64_t i);
gn_problem_counts gn_dataset_problem_counts(const gn_dataset *dataset);

/* Hash over the classes and, per split in order, file names, picture sizes and boxes: the same set at another place has the same
 * hash, a changed label another one.  Pictures' content does not enter. */
uint64_t gn_dataset_hash(const gn_dataset *dataset);

#endif
