/* One annotation file of PASCAL VOC: the picture's name and size, and its objects.
 * Source: The PASCAL Visual Object Classes Challenge 2012 Development Kit, "Annotations".  Read by expat; entities are not expanded.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_VOC_XML_H
#define GN_DATA_VOC_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* Limits of a file. */
#define GN_VOC_MAX_BYTES   ((size_t)8 << 20)
#define GN_VOC_MAX_DEPTH   32
#define GN_VOC_MAX_OBJECTS 10000
#define GN_VOC_MAX_TEXT    1023 /* of a name or a number */

typedef struct gn_voc_object {
    const char *name; /* "": the file does not say */
    double corner[4]; /* xmin ymin xmax ymax as written */
    bool has_corner[4];
    bool is_difficult, is_truncated;
    bool
        is_crowd; /* <crowd>1</crowd>, <id> and <area> are gannet's: VOC has no place for them, and its readers pass over them */
    int64_t id;  /* -1: none */
    double area; /* -1: none */
    int64_t line;
} gn_voc_object;

/* Strings live in `arena`, which is the caller's. */
typedef struct gn_voc_file {
    const char *filename;  /* "": the file does not say */
    double width, height;  /* 0: the file does not say */
    int64_t id;            /* -1: none */
    gn_voc_object *object; /* owned */
    int64_t n_objects;
    size_t capacity;
} gn_voc_file;

/* name: for messages.  GN_EFORMAT with the line: no XML, cut off, another top element than <annotation>, an entity; GN_ELIMIT;
 * GN_ENOMEM. */
gn_status gn_voc_parse(const char *bytes, size_t n, const char *name, gn_arena *arena, gn_voc_file *file_out,
                       gn_error *err);
void gn_voc_file_deinit(gn_voc_file *file);

#endif
