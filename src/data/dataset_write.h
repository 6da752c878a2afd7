/* Writes a data set of boxes as YOLO's, COCO's or PASCAL VOC's: labels, classes, splits, pictures, and what else the format holds.
 * Numbers are written with as few digits as bring the same box back, bit for bit: a set that goes through a format and back has the
 * numbers that it had, as far as the format holds them (VOC: whole pixels).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_DATASET_WRITE_H
#define GN_DATA_DATASET_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "data/dataset.h"

typedef enum gn_data_format {
    GN_DATA_YOLO = 0, /* data.yaml, images/SPLIT/, labels/SPLIT/ */
    GN_DATA_COCO,     /* annotations/instances_SPLIT.json, images/SPLIT/ */
    GN_DATA_VOC,      /* Annotations/, ImageSets/Main/, JPEGImages/, classes.txt */
} gn_data_format;

typedef enum gn_data_pictures {
    GN_PICTURES_LINK = 0, /* symbolic links to where they lie; those in an archive are copied */
    GN_PICTURES_COPY,
    GN_PICTURES_NONE,
} gn_data_pictures;

/* "yolo", "coco", "voc"; "link", "copy", "none".  False for an unknown name. */
bool gn_data_format_parse(const char *name, gn_data_format *out);
bool gn_data_pictures_parse(const char *name, gn_data_pictures *out);

/* What was written, and what the format has no place for. */
typedef struct gn_write_report {
    int64_t pictures, boxes;
    int64_t renamed;          /* pictures whose name another one of the split had already */
    int64_t dropped_crowds;   /* crowds, which YOLO's labels would make objects of: left out */
    int64_t lost_flags;       /* boxes that are difficult or truncated, kept as ordinary ones */
    int64_t lost_picture_ids; /* pictures whose number is lost */
    int64_t lost_box_ids;     /* boxes whose number is lost */
    int64_t lost_areas;       /* boxes whose outline's area is lost */
    int64_t rounded_boxes;    /* boxes that are not where they were, by half a pixel at most */
    bool lost_category_ids;   /* of classes */
} gn_write_report;

/* folder: is made, and must be empty if it is there; it appears with all its files or not at all.
 * GN_EINVAL: the folder is not empty; GN_EUNSUPPORTED: a set of pictures with a class each, or pictures that are no files of their own;
 * GN_EIO, GN_ENOMEM, GN_ECANCELED. */
gn_status gn_dataset_write(const gn_dataset *dataset, gn_data_format format, gn_data_pictures pictures,
                           const char *folder, gn_write_report *report_out, gn_error *err);

/* Shortest decimals of a YOLO box, "cx cy w h", whose reading gives the very box.  dst: at least 128 bytes. */
void gn_write_yolo_box(const gn_box *box, char *dst);
/* The same for COCO's "x, y, w, h" in pixels of a picture. */
void gn_write_coco_box(const gn_box *box, int width, int height, char *dst);
/* VOC's corners: whole pixels counted from 1, both ends inside; at least one pixel. */
void gn_write_voc_corners(const gn_box *box, int width, int height, int corner[4]);

#endif
