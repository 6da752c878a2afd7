/* Inner parts of the ONNX reader and writer.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_SCAN_H
#define GN_FORMATS_ONNX_ONNX_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "formats/onnx/onnx_format.h"
#include "onnx.pb-c.h"

/* Walks the wire format of a message (a ModelProto, a TensorProto) without recursion and without allocating: every length lies inside its parent,
 * nesting stays below GN_ONNX_MAX_DEPTH, the number of fields below GN_ONNX_MAX_FIELDS, a message that may occur once
 * occurs once. After GN_OK the unpacker of protobuf-c cannot be led into deep recursion or quadratic work. GN_EFORMAT
 * and GN_ELIMIT carry `name` and the byte offset. */
gn_status gn_onnx_scan(const ProtobufCMessageDescriptor *message, const uint8_t *bytes, size_t n, const char *name,
                       gn_error *err);

/* A model unpacked by protobuf-c: small pieces in an arena, tensors' contents in blocks of their own. */
typedef struct gn_onnx_memory {
    gn_arena *arena;
    void **blocks; /* from gn_alloc */
    size_t n_blocks, capacity;
    bool failed; /* an allocation did not succeed */
} gn_onnx_memory;

/* model_out is valid until gn_onnx_memory_deinit.  GN_EFORMAT, GN_ENOMEM. */
gn_status gn_onnx_unpack(const uint8_t *bytes, size_t n, const char *name, gn_onnx_memory *memory,
                         Onnx__ModelProto **model_out, gn_error *err);
/* The same for a single TensorProto. */
gn_status gn_onnx_unpack_tensor(const uint8_t *bytes, size_t n, const char *name, gn_onnx_memory *memory,
                                Onnx__TensorProto **tensor_out, gn_error *err);
void gn_onnx_memory_deinit(gn_onnx_memory *memory);
/* Give back one large block early (contents of a tensor that were copied). */
void gn_onnx_memory_release(gn_onnx_memory *memory, void *block);
/* The caller takes one large block over; false when `block` is no such block. */
bool gn_onnx_memory_take(gn_onnx_memory *memory, const void *block);

/* Element types: ONNX's number for ours (0: none) and back (GN_DTYPE_NONE: not supported). */
int32_t gn_onnx_type_of(gn_dtype dtype);
gn_dtype gn_onnx_dtype_of(int32_t type);

/* Where a tensor's bytes come from, for messages and for data in other files (folder NULL: not allowed). */
typedef struct gn_onnx_source {
    const char *name;
    const char *folder;
} gn_onnx_source;

/* Element type and shape of a TensorProto, after checking that its data (here or in another file) has just that size.
 * what: names the tensor in messages.
 * GN_EFORMAT: sizes do not fit; GN_EUNSUPPORTED: element type; GN_ELIMIT: shape too large; GN_ENOENT, GN_EIO: data
 * elsewhere. */
gn_status gn_onnx_tensor_head(const Onnx__TensorProto *proto, const gn_onnx_source *source, const char *what,
                              gn_dtype *dtype_out, gn_shape *shape_out, gn_error *err);
/* Its contents into a tensor of that type and shape. */
gn_status gn_onnx_tensor_fill(const Onnx__TensorProto *proto, const gn_onnx_source *source, const char *what,
                              gn_tensor *dst, gn_error *err);

/* What a float value is to the node that reads it as input i; decides whether a stored tensor is trained further. */
typedef enum gn_onnx_role {
    GN_ONNX_ROLE_CONST,   /* bound, factor, shape: never changes */
    GN_ONNX_ROLE_TRAINED, /* weight or bias */
    GN_ONNX_ROLE_KEPT,    /* running statistics */
} gn_onnx_role;
/* op: ONNX's name.  count: elements of the value. */
gn_onnx_role gn_onnx_role_of(const char *op, int i, gn_dtype dtype, int64_t count);
/* Words in an initializer's doc_string that say what the rule above would not. */
const char *gn_onnx_role_word(gn_onnx_role role);
bool gn_onnx_role_parse(const char *word, gn_onnx_role *out);

#endif
