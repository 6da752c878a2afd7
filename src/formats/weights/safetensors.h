/* safetensors files: named tensors and a map of strings, for checkpoints and for weights from elsewhere.
 * Source: the safetensors format, version 0.4 (8-byte little-endian length, JSON header, data without gaps).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_SAFETENSORS_H
#define GN_FORMATS_WEIGHTS_SAFETENSORS_H

#include <stddef.h>

#include "tensor/tensor.h"

/* Limits of what is read. */
#define GN_SAFETENSORS_MAX_BYTES        ((size_t)16 << 30)
#define GN_SAFETENSORS_MAX_HEADER_BYTES ((size_t)32 << 20)
#define GN_SAFETENSORS_MAX_TENSORS      100000

/* name: UTF-8, not empty, not "__metadata__".  tensor: plain layout, contents borrowed. */
typedef struct gn_safetensors_entry {
    const char *name;
    const gn_tensor *tensor;
} gn_safetensors_entry;

typedef struct gn_safetensors_meta {
    const char *key, *value;
} gn_safetensors_meta;

/* Writes `path` atomically.  Tensors of wide elements come first, so that all are aligned in the file.
 * GN_EINVAL: a name twice, empty or reserved, or an element type without a form in the file; GN_EIO; GN_ENOMEM. */
gn_status gn_safetensors_write(const char *path, const gn_safetensors_entry *entries, size_t n,
                               const gn_safetensors_meta *meta, size_t n_meta, gn_error *err);

typedef struct gn_safetensors gn_safetensors;

/* Reads and checks a whole file: header, element types, and that the tensors' bytes cover the data without gap or
 * overlap. GN_EFORMAT with the offset and the tensor's name; GN_ELIMIT; GN_EUNSUPPORTED: element type; GN_ENOENT;
 * GN_EIO; GN_ENOMEM. */
gn_status gn_safetensors_open(const char *path, gn_safetensors **file_out, gn_error *err);
/* The same from memory (copied).  name: stands in error lines. */
gn_status gn_safetensors_open_bytes(const void *bytes, size_t n, const char *name, gn_safetensors **file_out,
                                    gn_error *err);
void gn_safetensors_close(gn_safetensors **file);

/* Tensors are borrowed, valid until close. */
size_t gn_safetensors_count(const gn_safetensors *file);
/* i: 0..count-1, by name.  name_out may be NULL. */
const gn_tensor *gn_safetensors_at(const gn_safetensors *file, size_t i, const char **name_out);
const gn_tensor *gn_safetensors_find(const gn_safetensors *file, const char *name); /* NULL when absent */
const char *gn_safetensors_meta_get(const gn_safetensors *file, const char *key);   /* NULL when absent */

#endif
