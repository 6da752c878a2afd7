/* Class names as Darknet keeps them: a text file with one name per line.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_DARKNET_DARKNET_NAMES_H
#define GN_FORMATS_DARKNET_DARKNET_NAMES_H

#include "base/status.h"
#include "base/text.h"

#define GN_DARKNET_MAX_NAMES 100000

/* Reads a file of names and appends them to `json_out` as a JSON list, as metadata gannet.names has it; empty lines at the end do not count.
 * n_out: how many; may be NULL.  GN_ENOENT; GN_EFORMAT: no name in it, or a NUL byte; GN_ELIMIT: more than 1 MB or 100,000 names; GN_EIO;
 * GN_ENOMEM. */
gn_status gn_darknet_names_read(const char *path, gn_text *json_out, int *n_out, gn_error *err);
/* Looks beside a .cfg for the file that names `classes` classes: NET.names for NET.cfg, else the only *.names of the folder with so many
 * names.  Its path goes to `path` (empty: there is none, or more than one), its names to json_out as above.  GN_ENOMEM. */
gn_status gn_darknet_names_find(const char *cfg_path, int classes, char *path, size_t path_bytes, gn_text *json_out);

#endif
