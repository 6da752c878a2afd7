/* The text of a .cfg file: sections with options.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_DARKNET_DARKNET_CFG_H
#define GN_FORMATS_DARKNET_DARKNET_CFG_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

typedef struct gn_darknet_option {
    const char *key, *value;
    int line;
    struct gn_darknet_option *next;
} gn_darknet_option;

typedef struct gn_darknet_section {
    const char *name; /* without brackets */
    int line;
    gn_darknet_option *options; /* the last first, which counts when a key stands there twice */
} gn_darknet_section;

typedef struct gn_darknet_cfg {
    const char *name; /* of the file, borrowed */
    gn_darknet_section *sections;
    size_t n;
} gn_darknet_cfg;

/* Everything lives in `arena`.  GN_EFORMAT with the line; GN_ELIMIT; GN_ENOMEM. */
gn_status gn_darknet_cfg_parse(const char *text, size_t bytes, const char *name, gn_arena *arena,
                               gn_darknet_cfg *cfg_out, gn_error *err);
/* NULL: it is not there. */
const gn_darknet_option *gn_darknet_find(const gn_darknet_section *section, const char *key);

#endif
