/* Reading ONNX models with something known beforehand, and single tensors.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_READER_H
#define GN_FORMATS_ONNX_ONNX_READER_H

#include "formats/onnx/onnx_format.h"

/* A graph input that has the same contents in every run: it becomes a constant.  Inputs that carry shapes, axes or counts must be
 * given so.  Borrowed during the call. */
typedef struct gn_onnx_bound {
    const char *name;
    const gn_tensor *contents;
} gn_onnx_bound;

/* All zero means the defaults. */
typedef struct gn_onnx_read_options {
    const gn_op_registry *registry; /* NULL: all of Gannet's operators */
    int imgsz_w, imgsz_h;           /* pixels, for a free height and width; 0: the metadata's */
    const gn_onnx_bound *bound;
    int n_bound;
} gn_onnx_read_options;

/* As gn_onnx_read.  options: NULL for the defaults.  GN_ESHAPE also when a bound tensor has another type or a shape that does not fit
 * the input of its name; names that are no input are ignored. */
gn_status gn_onnx_read_with(const char *path, const gn_onnx_read_options *options, gn_graph **graph_out, gn_error *err);

/* A file that holds one TensorProto; data in other files is refused.  name: gets the tensor's name, cut at name_bytes; NULL when not
 * wanted.  tensor_out: the caller's.  Errors as gn_onnx_read. */
gn_status gn_onnx_read_tensor(const char *path, char *name, size_t name_bytes, gn_tensor **tensor_out, gn_error *err);

#endif
