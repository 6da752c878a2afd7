/* Element types, shapes and n-dimensional buffers that everything above works on.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TENSOR_TENSOR_H
#define GN_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

#define GN_MAX_RANK 8

typedef enum gn_dtype {
    GN_DTYPE_NONE = 0,
    GN_DTYPE_F32,
    GN_DTYPE_F64,
    GN_DTYPE_F16,
    GN_DTYPE_S64,
    GN_DTYPE_S32,
    GN_DTYPE_S8,
    GN_DTYPE_U8,
    GN_DTYPE_BOOL,
    GN_DTYPE_S16,
    GN_DTYPE_U16,
    GN_DTYPE_U32,
    GN_DTYPE_U64,
} gn_dtype;

/* Memory order of a rank-4 buffer with logical dimensions N,C,H,W.  Shapes are always written logically. */
typedef enum gn_layout {
    GN_LAYOUT_PLAIN = 0, /* row-major in logical order */
    GN_LAYOUT_NHWC = 1,
} gn_layout;

/* rank 0 is a scalar (one element).  dim -1: not known yet (only before shape inference). */
typedef struct gn_shape {
    int rank;
    int64_t dim[GN_MAX_RANK];
} gn_shape;

size_t gn_dtype_bytes(gn_dtype dtype);     /* 0 for NONE */
const char *gn_dtype_name(gn_dtype dtype); /* "f32", ...; "none" */
bool gn_dtype_is_real(gn_dtype dtype);     /* f16, f32, f64 */
bool gn_dtype_is_integer(gn_dtype dtype);  /* signed or not; bool is none */
bool gn_dtype_parse(const char *name, gn_dtype *out);

gn_shape gn_shape_make(int rank, ...); /* rank arguments of type int */
gn_shape gn_shape_of(int rank, const int64_t *dim);
bool gn_shape_equal(const gn_shape *a, const gn_shape *b);
bool gn_shape_known(const gn_shape *shape); /* no -1 */
/* Elements; -1 when a dimension is unknown or negative or the product exceeds 2^40. */
int64_t gn_shape_count(const gn_shape *shape);
/* NumPy and ONNX broadcasting of two shapes; GN_ESHAPE when they do not fit. */
gn_status gn_shape_broadcast(const gn_shape *a, const gn_shape *b, gn_shape *out);
/* "[1,3,224,224]"; "[]" for a scalar; unknown as "?".  dst holds at least 128 bytes. */
void gn_shape_format(const gn_shape *shape, char *dst);

/* A typed view of memory.  `owned`: data came from gn_alloc and goes with the tensor. */
typedef struct gn_tensor {
    gn_dtype dtype;
    gn_layout layout;
    gn_shape shape;
    void *data;
    bool owned;
} gn_tensor;

/* Owned, zeroed tensor.  GN_EINVAL: unknown or overlarge shape.  GN_ENOMEM. */
gn_status gn_tensor_create(gn_dtype dtype, const gn_shape *shape, gn_tensor **tensor_out);
/* The same over `data`, a block of gn_alloc of just its bytes, which the tensor owns from then on (not when this fails). */
gn_status gn_tensor_adopt(gn_dtype dtype, const gn_shape *shape, void *data, gn_tensor **tensor_out);
/* Borrowed view; `data` must outlive it. */
gn_tensor gn_tensor_view(gn_dtype dtype, const gn_shape *shape, void *data);
gn_status gn_tensor_copy(const gn_tensor *src, gn_tensor **tensor_out);
void gn_tensor_destroy(gn_tensor **tensor);
int64_t gn_tensor_count(const gn_tensor *tensor);
size_t gn_tensor_bytes(const gn_tensor *tensor);
/* Element i in memory order as a double (any dtype), and back with rounding and saturation for integers.  For references,
 * tests and small constants; not for speed. */
double gn_tensor_get(const gn_tensor *tensor, int64_t i);
void gn_tensor_set(gn_tensor *tensor, int64_t i, double x);
/* The same for integers and bool, exactly, which doubles beyond 2^53 are not.  u64 keeps its 64 bits; set keeps the low bits that the
 * type has (bool: whether x is not 0).  Other types: 0, and nothing. */
int64_t gn_tensor_get_s64(const gn_tensor *tensor, int64_t i);
void gn_tensor_set_s64(gn_tensor *tensor, int64_t i, int64_t x);
/* Copies element i of src to element at of dst, both in memory order: the bytes where the types are the same, else by value. */
void gn_tensor_move(gn_tensor *dst, int64_t at, const gn_tensor *src, int64_t i);

#endif
