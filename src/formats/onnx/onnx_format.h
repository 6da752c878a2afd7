/* ONNX files: the only form in which models are kept.  Reading and writing translate spelling, not meaning, because the
 * IR speaks ONNX: initialisers become state or constants, `metadata_props` become the graph's metadata, operators of
 * older opsets take the form of opset 13.
 * Source: the ONNX specification, IR version 3 to 10, operator sets 7 to 21.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_FORMAT_H
#define GN_FORMATS_ONNX_ONNX_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "graph/graph.h"

/* Opsets of the default domain that are read, and those that are written. */
#define GN_ONNX_OPSET_MIN       7
#define GN_ONNX_OPSET_MAX       21
#define GN_ONNX_OPSET_WRITE_MIN 11
#define GN_ONNX_OPSET_WRITE_MAX 21
#define GN_ONNX_OPSET_DEFAULT   13

/* Largest file that is read, and the limits on what is in it. */
#define GN_ONNX_MAX_BYTES  ((size_t)2147483647)
#define GN_ONNX_MAX_DEPTH  64
#define GN_ONNX_MAX_FIELDS 4000000
#define GN_ONNX_MAX_NODES  200000

/* Largest batch that is written as a number. */
#define GN_ONNX_BATCH_MAX 65536

/* All zero means the defaults. */
typedef struct gn_onnx_write_options {
    int opset; /* 11..21; 0: 13, or with `decompose` false the lowest that has every operator of the model */
    bool fold; /* write the form for inference: BatchNormalization folded into Conv, Dropout and Identity dropped, what
                  follows from the shapes stored */
    /* Spell operators that came to ONNX after opset 13 (LayerNormalization, Gelu, HardSwish, Mish) in older ones also
     * where the opset has them: every runtime takes those, and files that are to be trained further are better
     * without. */
    bool decompose;
    int batch;            /* written instead of the free dimension "N"; 0: free */
    int imgsz_w, imgsz_h; /* size of the first input, pixels; 0: as in the graph */
} gn_onnx_write_options;

/* Write `graph` (a model, not a training step) to `path`, atomically; gn_onnx_pack gives the same bytes (gn_free)
 * instead. Operators of the domain "gannet" are written as operators of ONNX.  options: NULL for the defaults.
 * GN_EUNSUPPORTED: a node has no ONNX form (it is named); GN_EINVAL: opset out of range; GN_ESHAPE; GN_EIO; GN_ENOMEM.
 */
gn_status gn_onnx_write(const gn_graph *graph, const char *path, const gn_onnx_write_options *options, gn_error *err);
gn_status gn_onnx_pack(const gn_graph *graph, const gn_onnx_write_options *options, void **bytes_out, size_t *n_out,
                       gn_error *err);

/* Read a model.  registry: its operators; NULL: all of Gannet's.  Float initialisers become STATE (trainable but for
 * BatchNormalization's running statistics), integers, bounds of Clip and scalars CONST; free dimensions become -1;
 * nodes are sorted.  The file is checked before anything is allocated for what it claims to hold.
 * GN_EFORMAT: truncated, broken, cyclic, an undefined input, a size that does not fit (with the file's offset or the
 * node's name); GN_EUNSUPPORTED: an operator, opset or element type that Gannet lacks (node and operator are named);
 * GN_ELIMIT; GN_ESHAPE; GN_ENOENT; GN_EIO; GN_ENOMEM. */
gn_status gn_onnx_read(const char *path, const gn_op_registry *registry, gn_graph **graph_out, gn_error *err);
/* The same from memory.  name: stands in error lines.  Tensors in other files are GN_EUNSUPPORTED here. */
gn_status gn_onnx_read_bytes(const void *bytes, size_t n, const char *name, const gn_op_registry *registry,
                             gn_graph **graph_out, gn_error *err);

#endif
