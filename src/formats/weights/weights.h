/* Named tensors of a file of weights, whoever wrote it: PyTorch checkpoints (zip and legacy form) and safetensors, and the weights of a
 * graph in the same dress; and how they get into a graph.  A file is recognised by its first bytes.  Only names and shapes are read when
 * it is opened; contents are read straight to where they belong.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_WEIGHTS_H
#define GN_FORMATS_WEIGHTS_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "graph/graph.h"

/* Limits of what is read. */
#define GN_WEIGHTS_MAX_BYTES   ((uint64_t)16 << 30)
#define GN_WEIGHTS_MAX_TENSORS 100000

/* Element types in files; more than gn_dtype has. */
typedef enum gn_weight_type {
    GN_WEIGHT_F32,
    GN_WEIGHT_F64,
    GN_WEIGHT_F16,
    GN_WEIGHT_BF16,
    GN_WEIGHT_S64,
    GN_WEIGHT_S32,
    GN_WEIGHT_S16,
    GN_WEIGHT_S8,
    GN_WEIGHT_U8,
    GN_WEIGHT_BOOL,
} gn_weight_type;

const char *gn_weight_type_name(gn_weight_type type); /* "f32", "bf16", ... */
/* The type that tensors here have for it: bf16 gives f32. */
gn_dtype gn_weight_type_dtype(gn_weight_type type);

/* name: as in the file, a leading "module." of every name taken away. */
typedef struct gn_weight {
    const char *name;
    gn_weight_type type;
    gn_shape shape;
} gn_weight;

typedef struct gn_weights gn_weights;

/* Opens a file: safetensors, or a PyTorch checkpoint.  In a checkpoint with more than a state dict, `key` says which part is meant
 * ("ema", "model.state_dict"); NULL: the first of state_dict, model_state_dict, model, net, ... that holds tensors, else every tensor
 * under the path of keys that leads to it.  Nothing in the file is executed: a pickle that asks for another class or function than
 * those of tensors and plain data is refused, and the class is named.
 * GN_EFORMAT: truncated or broken, with the place; GN_EUNSUPPORTED: a class, an element type, an ONNX or TorchScript file; GN_ELIMIT;
 * GN_EDATA: no tensors, or none under `key`; GN_ENOENT; GN_EIO; GN_ENOMEM. */
gn_status gn_weights_open(const char *path, const char *key, gn_weights **weights_out, gn_error *err);
/* The same from memory, which must outlive the weights.  name: stands in error lines. */
gn_status gn_weights_open_bytes(const void *bytes, size_t n, const char *name, const char *key,
                                gn_weights **weights_out, gn_error *err);
/* The weights and other STATE of a graph, which must outlive the result.  name: stands in error lines. */
gn_status gn_weights_open_graph(const gn_graph *graph, const char *name, gn_weights **weights_out, gn_error *err);
void gn_weights_close(gn_weights **weights);

/* The file's name, for error lines.  Borrowed, valid until close. */
const char *gn_weights_name(const gn_weights *weights);
/* "PyTorch checkpoint", "PyTorch checkpoint (legacy form)", "safetensors", "model".  Static. */
const char *gn_weights_form(const gn_weights *weights);
/* Key under which the tensors lay in a checkpoint, "" when at its top. */
const char *gn_weights_key(const gn_weights *weights);
/* In the order of the file.  Borrowed, valid until close. */
size_t gn_weights_count(const gn_weights *weights);
const gn_weight *gn_weights_at(const gn_weights *weights, size_t i); /* i: 0..count-1 */
/* By name; false when there is none. */
bool gn_weights_find(const gn_weights *weights, const char *name, size_t *i_out);
/* Reads tensor i into dst (plain; of its shape; any gn_dtype), converting elements as gn_tensor_set does.
 * GN_EFORMAT: the file changed or its checksum is wrong; GN_EIO; GN_ENOMEM. */
gn_status gn_weights_read(const gn_weights *weights, size_t i, gn_tensor *dst, gn_error *err);

/* ---- into a graph ---- */

/* from: a whole name in which each "*" stands for any text, as short as possible; to: the new name, in which the i-th "*" is what the
 * i-th of `from` stood for, "{2}" what its second stood for, and "{1+6}" the first as a number plus 6.  An empty `to` leaves the tensor
 * out. */
typedef struct gn_weights_rename {
    const char *from, *to;
} gn_weights_rename;

/* GN_EUSAGE: not of the form OLD=NEW, or NEW refers to what OLD does not have.  Strings live in `arena`. */
gn_status gn_weights_rename_parse(const char *text, gn_arena *arena, gn_weights_rename *rename_out, gn_error *err);
/* The new name, in `arena`: of the first rename that matches, else the name itself; "" when the tensor is left out; NULL: no memory. */
const char *gn_weights_rename_apply(const gn_weights_rename *renames, size_t n, const char *name, gn_arena *arena);

/* All zero means: names as they are, and everything must fit. */
typedef struct gn_weights_load_options {
    const gn_weights_rename *renames;
    size_t n_renames;
    bool is_partial; /* what fits is loaded, the rest is reported */
} gn_weights_load_options;

/* A tensor of the graph and a tensor of the file that should meet.  An empty name: there is none. */
typedef struct gn_weights_pair {
    const char *name, *file_name;
    gn_shape shape, file_shape;
} gn_weights_pair;

/* Strings and lists live in the arena given to gn_weights_load_into. */
typedef struct gn_weights_report {
    int n_loaded;
    int n_missing, n_left_over, n_misfits;
    const gn_weights_pair *missing;   /* in the graph, not in the file */
    const gn_weights_pair *left_over; /* in the file, not in the graph */
    const gn_weights_pair *misfits;   /* of another shape */
    int n_counters;                   /* num_batches_tracked and the constants of detectors, which nothing here needs */
    int n_auxiliary;                  /* of auxiliary heads, which training elsewhere used */
    int n_dropped;                    /* left out by a rename */
} gn_weights_report;

/* Copies tensors into the STATE values of the same name (after renaming; densenet's old names are understood).  Nothing is copied unless
 * all fits or is_partial.  report_out is filled on success and on GN_ESHAPE.
 * GN_ESHAPE: something is missing, left over or of another shape (one line with the counts and the first of each), or nothing fits at
 * all; GN_EDATA: two tensors get the same name; as gn_weights_read. */
gn_status gn_weights_load_into(gn_graph *graph, const gn_weights *weights, const gn_weights_load_options *options,
                               gn_arena *arena, gn_weights_report *report_out, gn_error *err);
/* The lists as lines for a person, at most max_lines of each kind. */
void gn_weights_report_text(const gn_weights_report *report, int max_lines, gn_text *text);

#endif
