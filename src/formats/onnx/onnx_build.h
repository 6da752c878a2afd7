/* A ModelProto under construction, shared by the parts of the ONNX writer.  Not for other folders.
 * Everything lives in one arena; the first allocation that fails makes the whole fail, so that parts need not check
 * each step.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_BUILD_H
#define GN_FORMATS_ONNX_ONNX_BUILD_H

#include "formats/onnx/onnx_scan.h"
#include "graph/op.h"

typedef struct gn_onnx_build {
    const gn_graph *graph; /* shapes known, at batch 1 */
    const gn_graph *twin;  /* the same at batch 2, by which free dimensions are recognised; NULL: fixed batch */
    int opset;
    gn_arena *arena;
    gn_error *err;
    bool failed;               /* out of memory */
    const char **names;        /* per value: what it is called in the file */
    const char **output_names; /* per output of the graph */
    gn_onnx_role *roles;       /* per value: what the reader would take it for */
    Onnx__NodeProto **nodes;
    size_t n_nodes, cap_nodes;
    Onnx__TensorProto **initializers;
    size_t n_initializers, cap_initializers;
    Onnx__ValueInfoProto **infos;
    size_t n_infos, cap_infos;
} gn_onnx_build;

/* Zeroed memory of the build; NULL (and b->failed) when there is none. */
void *gn_onnx_take(gn_onnx_build *b, size_t bytes);
/* "base.part" or a longer name that no value of the graph has. */
const char *gn_onnx_name(gn_onnx_build *b, const char *base, const char *part);
/* A node with room for its edges and GN_ONNX_MAX_ATTRS attributes; NULL when out of memory (which the functions below
 * accept). */
#define GN_ONNX_MAX_ATTRS 16
Onnx__NodeProto *gn_onnx_emit(gn_onnx_build *b, const char *op, const char *name, const char *const *in, int n_in,
                              const char *out);
void gn_onnx_put_attr(gn_onnx_build *b, Onnx__NodeProto *node, const gn_attr *attr);
/* Adds an initializer; returns its name.  data: memory of the build, kept. */
const char *gn_onnx_put_tensor(gn_onnx_build *b, const char *base, const char *part, const gn_shape *shape, float *data,
                               gn_onnx_role role);
/* FusedConv's factors per output channel (input 4), which go into the weights (input 1) when it is written. */
#define GN_ONNX_FUSED_SCALE 4

/* Writes a node of the graph as one or more nodes of ONNX (onnx_decompose.c).  GN_EUNSUPPORTED names the node. */
gn_status gn_onnx_write_node(gn_onnx_build *b, const gn_node *node);

#endif
