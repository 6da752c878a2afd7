/* The state of one reading of an ONNX model, shared by the files of the reader.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_READ_INTERNAL_H
#define GN_FORMATS_ONNX_ONNX_READ_INTERNAL_H

#include "formats/onnx/onnx_reader.h"
#include "formats/onnx/onnx_scan.h"
#include "graph/op.h"

/* Name of a value that node `node` computes. */
typedef struct gn_onnx_producer {
    const char *name;
    int node;
} gn_onnx_producer;

typedef struct gn_onnx_reader {
    gn_onnx_source source;
    gn_onnx_read_options options;
    const Onnx__GraphProto *proto;
    int64_t opset;
    gn_onnx_memory memory;
    gn_graph *graph;
    gn_onnx_producer *producers; /* sorted by name; in the arena, as all below */
    size_t n_producers;
    gn_onnx_role *roles;            /* per initialiser, in the order of `initializers` */
    gn_onnx_producer *initializers; /* sorted by name; node = index in the file */
    const char **read_names;        /* sorted: what nodes read and the graph gives out */
    size_t n_read_names;
    gn_shape *free_shapes; /* per input of the graph: its shape with free dimensions as -1 */
    bool has_free_dims;
    size_t external_bytes; /* read from other files so far */
    gn_error *err;
} gn_onnx_reader;

gn_status gn_onnx_fail(const gn_onnx_reader *r, gn_status status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
gn_status gn_onnx_out_of_memory(const gn_onnx_reader *r);
/* A name for messages: unnamed nodes are known by their first output. */
const char *gn_onnx_node_label(const Onnx__NodeProto *node);
static inline const char *gn_onnx_text(const char *s)
{
    return s ? s : "";
}
gn_status gn_onnx_undefined_input(const gn_onnx_reader *r, const Onnx__NodeProto *node, size_t i);
/* As gn_onnx_tensor_head; what lies in other files is limited as the model itself is, however often it is referred to. */
gn_status gn_onnx_head(gn_onnx_reader *r, const Onnx__TensorProto *t, const char *name, gn_dtype *dtype_out,
                       gn_shape *shape_out);
/* A tensor of the file as a constant of the graph. */
gn_status gn_onnx_add_constant(gn_onnx_reader *r, const Onnx__TensorProto *t, const char *name);

/* Does any node read this value, or is it an output of the graph? */
bool gn_onnx_is_read(const gn_onnx_reader *r, const char *name);

/* Adds a node whose inputs are in the graph already (onnx_nodes.c). */
gn_status gn_onnx_read_node(gn_onnx_reader *r, const Onnx__NodeProto *proto);

#endif
