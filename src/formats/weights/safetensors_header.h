/* The header of a safetensors file: names, element types, shapes and places of its tensors, all checked.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_SAFETENSORS_HEADER_H
#define GN_FORMATS_WEIGHTS_SAFETENSORS_HEADER_H

#include "base/json.h"
#include "formats/weights/weights_internal.h"

#define GN_SAFETENSORS_LENGTH_BYTES 8
#define GN_SAFETENSORS_META_KEY     "__metadata__"

typedef struct gn_safetensors_item {
    const char *name;
    gn_weight_type type;
    gn_shape shape;
    uint64_t begin, end; /* in the data */
} gn_safetensors_item;

typedef struct gn_safetensors_header {
    gn_safetensors_item *items; /* sorted by name */
    size_t n;
    const gn_json *meta; /* a map of strings; NULL: none */
    uint64_t data_at;    /* where the data begin in the file */
} gn_safetensors_header;

/* Everything lives in `arena`.  The tensors' bytes cover the data without gap or overlap.  GN_EFORMAT, GN_EUNSUPPORTED, GN_ELIMIT,
 * GN_EIO, GN_ENOMEM. */
gn_status gn_safetensors_read_header(const gn_byte_source *source, gn_arena *arena, gn_safetensors_header *header_out,
                                     gn_error *err);

#endif
