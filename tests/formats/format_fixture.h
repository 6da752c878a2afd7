/* What the tests of file formats share: a small model, a writer of protobuf's wire format for files that no tool
 * would write, and a folder for files.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FORMATS_FORMAT_FIXTURE_H
#define TESTS_FORMATS_FORMAT_FIXTURE_H

#include "base/text.h"
#include "graph/graph.h"

/* images [N,3,16,16] -> Conv, BatchNormalization, Clip, depthwise Conv with BatchNormalization and residual, Relu,
 * MaxPool, GlobalAveragePool, Flatten, Dropout, Gemm -> boxes [N,4].  Weights depend on nothing but their place. */
gn_graph *fixture_model(void);
/* Numbers in -1..1 that depend on (seed, i) only. */
double fixture_number(uint64_t seed, int64_t i);
/* Result 0 of a graph at batch n, by the references in f64: owned (gn_free), *count_out numbers. */
double *fixture_run(const gn_graph *graph, int n, int64_t *count_out);
/* Largest absolute difference of the results of two graphs at batch n; fails the test when their sizes differ. */
double fixture_difference(const gn_graph *a, const gn_graph *b, int n);

/* Calls `step` with the first, second, ... allocation failing until it succeeds; each failure must be GN_ENOMEM
 * and leave no block. Only while no block is live.  Returns the number of allocations of the call that succeeded. */
int64_t fixture_fail_each_allocation(gn_status (*step)(void *ctx), void *ctx);

/* Protobuf fields. */
void wire_varint(gn_text *t, uint64_t x);
void wire_int(gn_text *t, int field, int64_t x);
void wire_float(gn_text *t, int field, float x);
void wire_bytes(gn_text *t, int field, const void *data, size_t n);
void wire_string(gn_text *t, int field, const char *s);
void wire_message(gn_text *t, int field, gn_text *message); /* frees `message` */

/* Parts of a ModelProto, each appended to its parent's text. */
void onnx_value(gn_text *graph, int field, const char *name, const int64_t *dims, int n_dims); /* f32; dim -1: "N" */
void onnx_value_of(gn_text *graph, int field, const char *name, int type, const int64_t *dims,
                   int n_dims); /* any type; -1, -2: free */
void onnx_node(gn_text *graph, const char *op, const char *name, const char *const *in, int n_in,
               const char *const *out, int n_out, gn_text *attrs); /* attrs: fields of the node, freed; or NULL */
void onnx_attr_int(gn_text *attrs, const char *name, int64_t x);
void onnx_attr_float(gn_text *attrs, const char *name, float x);
void onnx_attr_ints(gn_text *attrs, const char *name, const int64_t *x, int n);
void onnx_tensor(gn_text *graph, int field, const char *name, int type, const int64_t *dims, int n_dims,
                 const void *raw, size_t n);
gn_text onnx_model(int opset, gn_text *graph); /* frees `graph`; the caller frees the result */

enum { ONNX_NODE = 1, ONNX_INITIALIZER = 5, ONNX_INPUT = 11, ONNX_OUTPUT = 12 };
void onnx_attr_string(gn_text *attrs, const char *name, const char *x);

enum { ONNX_FLOAT = 1, ONNX_INT64 = 7 };

/* A new folder under $TMPDIR or /tmp; the path of a file in it (static storage, 8 at a time). */
const char *fixture_folder(void);
const char *fixture_path(const char *name);
void fixture_remove_folder(void);

#endif
