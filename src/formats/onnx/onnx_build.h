/* A ModelProto under construction, shared by the parts of the ONNX writer.  Not for other folders.
 * Everything lives in one arena; the first allocation that fails makes the whole fail, so that parts need not check
 * each step.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_BUILD_H
#define GN_FORMATS_ONNX_ONNX_BUILD_H

#include "formats/onnx/onnx_scan.h"
#include "graph/op.h"

typedef struct gn_onnx_build {
    const gn_graph *graph; /* shapes known, at batch 1 (or the batch that is written) */
    const gn_graph *twin;  /* the same at batch 2, by which free dimensions are recognised; NULL: fixed batch */
    int opset;
    bool decompose; /* in older operators also what the opset has an operator for */
    bool is_folded; /* what is known from the shapes is stored instead of computed */
    gn_arena *arena;
    gn_error *err;
    bool failed;               /* out of memory */
    const char **names;        /* per value: what it is called in the file */
    const char **output_names; /* per output of the graph */
    const gn_tensor **fixed;   /* per value: contents that the file stores; NULL: a node or the caller gives them */
    bool *needs;               /* per node: is it written? */
    /* Per value: rows of a result whose number depends on data (NonMaxSuppression), or of what is made of it, at most; 0: none. */
    int64_t *rows;
    Onnx__NodeProto **nodes;
    size_t n_nodes, cap_nodes;
    Onnx__TensorProto **initializers;
    size_t n_initializers, cap_initializers;
    Onnx__ValueInfoProto **infos;
    size_t n_infos, cap_infos;
} gn_onnx_build;

/* ---- pieces (onnx_build.c) ---- */

/* Zeroed memory of the build; NULL (and b->failed) when there is none. */
void *gn_onnx_take(gn_onnx_build *b, size_t bytes);
/* Copy in the build's memory; "" when there is none. */
char *gn_onnx_copy(gn_onnx_build *b, const char *s);
/* "base.part" or a longer name that no value of the graph has. */
const char *gn_onnx_name(gn_onnx_build *b, const char *base, const char *part);
/* What an operand of a node is called in the file; "" when it is left out. */
const char *gn_onnx_in(const gn_onnx_build *b, const gn_node *node, int i);
const char *gn_onnx_out(const gn_onnx_build *b, const gn_node *node, int i);
/* Contents of input i when the file stores them, or NULL. */
const gn_tensor *gn_onnx_in_fixed(const gn_onnx_build *b, const gn_node *node, int i);

/* A node with room for its edges and GN_ONNX_MAX_ATTRS attributes; NULL when out of memory (which the functions below
 * accept). */
#define GN_ONNX_MAX_ATTRS 16
Onnx__NodeProto *gn_onnx_emit(gn_onnx_build *b, const char *op, const char *name, const char *const *in, int n_in,
                              const char *const *out, int n_out);
void gn_onnx_put_attr(gn_onnx_build *b, Onnx__NodeProto *node, const gn_attr *attr);
/* Add an initializer named "base.part"; return its name.  data: memory of the build, kept. */
const char *gn_onnx_put_tensor(gn_onnx_build *b, const char *base, const char *part, const gn_shape *shape, float *data,
                               gn_onnx_role role);
/* A number as a scalar of the element type of the node's input 0; a list of integers (copied). */
const char *gn_onnx_put_scalar(gn_onnx_build *b, const gn_node *node, const char *part, float x);
const char *gn_onnx_put_ints(gn_onnx_build *b, const char *base, const char *part, const int64_t *x, int n);
/* A tensor without elements, for inputs that old operator sets ask for and do not read. */
const char *gn_onnx_put_empty(gn_onnx_build *b, const char *base, const char *part);
/* A stored value of the graph under its name in the file. */
void gn_onnx_put_initializer(gn_onnx_build *b, const char *name, const gn_tensor *tensor, const char *note);

/* Appends to one of the build's lists. */
void gn_onnx_append_info(gn_onnx_build *b, Onnx__ValueInfoProto *info);

/* One operator of several that stand for `node`: reads x (and y unless NULL), computes "node.part".  The last one has
 * no part: it bears the node's name and computes its first result.  Returns the name of what it computes. */
const char *gn_onnx_step(gn_onnx_build *b, const gn_node *node, const char *op, const char *part, const char *x,
                         const char *y, const gn_attr *attrs, int n_attrs);

/* ---- what is written (onnx_prepare.c) ---- */

/* Clones `model` at the sizes and the batch of the options and makes it the form that is written; at2 is NULL when the
 * batch is fixed.  The caller destroys both. */
gn_status gn_onnx_prepare(const gn_graph *model, const gn_onnx_write_options *o, gn_graph **at1_out, gn_graph **at2_out,
                          gn_error *err);
/* Fills b->fixed and b->needs. */
gn_status gn_onnx_choose(gn_onnx_build *b);
/* The target of a Reshape or Expand (input 1) for any batch, where the shapes tell it: the number of dimensions.
 * -1: input 1 is read as it is. */
int gn_onnx_free_target(const gn_onnx_build *b, const gn_node *node, int64_t dims[GN_MAX_RANK]);

/* ---- nodes ---- */

/* FusedConv's factors per output channel (input 4), which go into the weights (input 1) when it is written. */
#define GN_ONNX_FUSED_SCALE 4

/* Writes a node of the graph as one or more nodes of ONNX.  GN_EUNSUPPORTED names the node. */
gn_status gn_onnx_write_node(gn_onnx_build *b, const gn_node *node);
/* The operators that stand for one that the opset lacks, or that is not ONNX's (onnx_decompose.c); *is_done_out false:
 * it is written as it is. */
gn_status gn_onnx_decompose(gn_onnx_build *b, const gn_node *node, bool *is_done_out);
/* gannet.DetectDecode, for the size of the input that is written (onnx_decompose_detect.c). */
gn_status gn_onnx_write_detect_decode(gn_onnx_build *b, const gn_node *node);
/* The node under its own name, in the spelling of the opset (onnx_spell.c). */
gn_status gn_onnx_spell(gn_onnx_build *b, const gn_node *node);
/* Lowest opset of the default domain that has each operator of the graph, at least GN_ONNX_OPSET_DEFAULT. */
int gn_onnx_opset_of(const gn_graph *graph);
/* "node X (Op): what" as GN_EUNSUPPORTED. */
gn_status gn_onnx_cannot(gn_onnx_build *b, const gn_node *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
