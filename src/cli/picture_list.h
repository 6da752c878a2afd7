/* SOURCE... on the command line: pictures, videos and folders of them, as one list of files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PICTURE_LIST_H
#define GN_CLI_PICTURE_LIST_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct gn_picture_list {
    gn_arena *arena; /* of the paths */
    const char **path;
    size_t n, capacity;
} gn_picture_list;

/* Appends a file as it is, or the pictures and videos of a folder and of the folders in it (by their extension, in order of
 * names).
 * GN_ENOENT: no such file or folder; GN_EDATA: a folder without any; GN_ELIMIT: folders nested more than 16
 * deep; GN_ENOMEM. */
gn_status gn_picture_list_add(gn_picture_list *list, const char *source, gn_error *err);
/* A name that need not be a file: of a picture that a data set holds. */
gn_status gn_picture_list_add_name(gn_picture_list *list, const char *name, gn_error *err);
void gn_picture_list_deinit(gn_picture_list *list);

#endif
