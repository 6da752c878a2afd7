/* Inside gn_weights: where the contents of each tensor lie, and how the readers of the single forms add theirs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_WEIGHTS_INTERNAL_H
#define GN_FORMATS_WEIGHTS_WEIGHTS_INTERNAL_H

#include "formats/weights/byte_source.h"
#include "formats/weights/weights.h"

typedef struct gn_zip gn_zip; /* formats/weights/zip_archive.h */

/* Longest name of a tensor, bytes. */
#define GN_WEIGHTS_MAX_NAME 1000

/* Contents of a tensor: in the file, in an entry of a zip file, or in memory. */
typedef struct gn_weight_place {
    const gn_tensor *tensor;     /* in memory, else NULL */
    bool is_entry;               /* of a zip file */
    uint64_t base;               /* place in the file, or number of the entry */
    uint64_t offset;             /* of the first element from there, bytes */
    int64_t stride[GN_MAX_RANK]; /* elements */
    bool is_contiguous;          /* row-major without gaps: strides need not be looked at */
} gn_weight_place;

struct gn_weights {
    gn_arena *arena;
    const char *name, *form, *key;
    gn_byte_source source;
    gn_zip *zip; /* of a checkpoint in zip form */
    gn_weight *items;
    gn_weight_place *places;
    size_t n, cap_items, cap_places;
    size_t *by_name; /* numbers of the items in the order of their names */
};

size_t gn_weight_type_bytes(gn_weight_type type);
/* Appends a tensor; `name` must live in the arena.  GN_EFORMAT: a name that cannot be one; GN_ELIMIT; GN_ENOMEM. */
gn_status gn_weights_add(gn_weights *w, const char *name, gn_weight_type type, const gn_shape *shape,
                         const gn_weight_place *place, gn_error *err);
/* w->source is open.  Fill items, form and key. */
gn_status gn_weights_open_torch_zip(gn_weights *w, const char *key, gn_error *err);
gn_status gn_weights_open_torch_legacy(gn_weights *w, const char *key, gn_error *err);
gn_status gn_weights_open_safetensors(gn_weights *w, gn_error *err);

#endif
