/* Shapes, element types and buffers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "tensor/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Larger tensors are a mistake in a file, not a network. */
#define MAX_COUNT (INT64_C(1) << 40)

static const struct {
    const char *name;
    size_t bytes;
} dtypes[] = {
    [GN_DTYPE_NONE] = {"none", 0}, [GN_DTYPE_F32] = {"f32", 4}, [GN_DTYPE_F64] = {"f64", 8},
    [GN_DTYPE_F16] = {"f16", 2},   [GN_DTYPE_S64] = {"s64", 8}, [GN_DTYPE_S32] = {"s32", 4},
    [GN_DTYPE_S8] = {"s8", 1},     [GN_DTYPE_U8] = {"u8", 1},   [GN_DTYPE_BOOL] = {"bool", 1},
    [GN_DTYPE_S16] = {"s16", 2},   [GN_DTYPE_U16] = {"u16", 2}, [GN_DTYPE_U32] = {"u32", 4},
    [GN_DTYPE_U64] = {"u64", 8},
};
#define N_DTYPES (sizeof dtypes / sizeof dtypes[0])

size_t gn_dtype_bytes(gn_dtype dtype)
{
    return (size_t)dtype < N_DTYPES ? dtypes[dtype].bytes : 0;
}

const char *gn_dtype_name(gn_dtype dtype)
{
    return (size_t)dtype < N_DTYPES ? dtypes[dtype].name : "?";
}

bool gn_dtype_is_real(gn_dtype dtype)
{
    return dtype == GN_DTYPE_F16 || dtype == GN_DTYPE_F32 || dtype == GN_DTYPE_F64;
}

bool gn_dtype_is_integer(gn_dtype dtype)
{
    return gn_dtype_bytes(dtype) > 0 && !gn_dtype_is_real(dtype) && dtype != GN_DTYPE_BOOL;
}

bool gn_dtype_parse(const char *name, gn_dtype *out)
{
    for (size_t i = 0; i < N_DTYPES; i++)
        if (strcmp(dtypes[i].name, name) == 0) {
            *out = (gn_dtype)i;
            return true;
        }
    return false;
}

gn_shape gn_shape_make(int rank, ...)
{
    GN_ASSERT(rank >= 0 && rank <= GN_MAX_RANK);
    gn_shape shape = {.rank = rank};
    va_list args;
    va_start(args, rank);
    for (int i = 0; i < rank; i++)
        shape.dim[i] = va_arg(args, int);
    va_end(args);
    return shape;
}

gn_shape gn_shape_of(int rank, const int64_t *dim)
{
    GN_ASSERT(rank >= 0 && rank <= GN_MAX_RANK);
    gn_shape shape = {.rank = rank};
    for (int i = 0; i < rank; i++)
        shape.dim[i] = dim[i];
    return shape;
}

bool gn_shape_equal(const gn_shape *a, const gn_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

bool gn_shape_known(const gn_shape *shape)
{
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0)
            return false;
    return true;
}

int64_t gn_shape_count(const gn_shape *shape)
{
    int64_t count = 1; /* of the dimensions that are not 0, so that no partial product overflows either */
    bool is_empty = false;
    for (int i = 0; i < shape->rank; i++) {
        const int64_t dim = shape->dim[i];
        if (dim < 0 || dim > MAX_COUNT)
            return -1;
        is_empty = is_empty || dim == 0;
        if (dim > 0 && count > MAX_COUNT / dim)
            return -1;
        count *= dim > 0 ? dim : 1;
    }
    return is_empty ? 0 : count;
}

/* One aligned pair of dimensions; unknown with 1 stays unknown, unknown with n > 1 must be n (or 1) and gives n. */
static bool broadcast_dim(int64_t a, int64_t b, int64_t *out)
{
    if (a == b || b == 1) {
        *out = a;
        return true;
    }
    if (a == 1 || a < 0) {
        *out = b;
        return true;
    }
    *out = a;
    return b < 0;
}

gn_status gn_shape_broadcast(const gn_shape *a, const gn_shape *b, gn_shape *out)
{
    gn_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < result.rank; i++) {
        const int ia = i - (result.rank - a->rank), ib = i - (result.rank - b->rank);
        if (!broadcast_dim(ia < 0 ? 1 : a->dim[ia], ib < 0 ? 1 : b->dim[ib], &result.dim[i]))
            return GN_ESHAPE;
    }
    *out = result;
    return GN_OK;
}

void gn_shape_format(const gn_shape *shape, char *dst)
{
    /* 8 dimensions of at most 14 characters (2^40 and a comma) and the brackets fit into 128 bytes; odder numbers are cut. */
    const size_t room = 128;
    size_t n = (size_t)snprintf(dst, room, "[");
    for (int i = 0; i < shape->rank && n < room; i++) {
        const char *comma = i ? "," : "";
        if (shape->dim[i] < 0)
            n += (size_t)snprintf(dst + n, room - n, "%s?", comma);
        else
            n += (size_t)snprintf(dst + n, room - n, "%s%" PRId64, comma, shape->dim[i]);
    }
    if (n < room)
        snprintf(dst + n, room - n, "]");
}

static bool data_bytes(gn_dtype dtype, const gn_shape *shape, size_t *out)
{
    const int64_t count = gn_shape_count(shape);
    return count >= 0 && gn_dtype_bytes(dtype) > 0 && gn_mul_size((size_t)count, gn_dtype_bytes(dtype), out);
}

gn_status gn_tensor_create(gn_dtype dtype, const gn_shape *shape, gn_tensor **tensor_out)
{
    size_t bytes;
    if (shape->rank < 0 || shape->rank > GN_MAX_RANK || !data_bytes(dtype, shape, &bytes))
        return GN_EINVAL;
    void *data = gn_calloc(1, bytes);
    if (!data)
        return GN_ENOMEM;
    const gn_status status = gn_tensor_adopt(dtype, shape, data, tensor_out);
    if (status != GN_OK)
        gn_free(data);
    return status;
}

gn_status gn_tensor_adopt(gn_dtype dtype, const gn_shape *shape, void *data, gn_tensor **tensor_out)
{
    size_t bytes;
    if (shape->rank < 0 || shape->rank > GN_MAX_RANK || !data_bytes(dtype, shape, &bytes))
        return GN_EINVAL;
    gn_tensor *tensor = gn_calloc(1, sizeof *tensor);
    if (!tensor)
        return GN_ENOMEM;
    *tensor = gn_tensor_view(dtype, shape, data);
    tensor->owned = true;
    *tensor_out = tensor;
    return GN_OK;
}

gn_tensor gn_tensor_view(gn_dtype dtype, const gn_shape *shape, void *data)
{
    gn_tensor view = {.dtype = dtype, .layout = GN_LAYOUT_PLAIN, .shape = *shape, .data = data, .owned = false};
    return view;
}

gn_status gn_tensor_copy(const gn_tensor *src, gn_tensor **tensor_out)
{
    gn_tensor *tensor = NULL;
    GN_ASSERT(src->data || gn_tensor_count(src) == 0);
    GN_TRY(gn_tensor_create(src->dtype, &src->shape, &tensor));
    tensor->layout = src->layout;
    if (gn_tensor_bytes(src) > 0) /* without elements there may be no contents to point to */
        if (src->data)            /* an empty one may have none */
            memcpy(tensor->data, src->data, gn_tensor_bytes(src));
    *tensor_out = tensor;
    return GN_OK;
}

void gn_tensor_destroy(gn_tensor **tensor)
{
    if (!tensor || !*tensor)
        return;
    if ((*tensor)->owned)
        gn_free((*tensor)->data);
    gn_free(*tensor);
    *tensor = NULL;
}

int64_t gn_tensor_count(const gn_tensor *tensor)
{
    return gn_shape_count(&tensor->shape);
}

size_t gn_tensor_bytes(const gn_tensor *tensor)
{
    size_t bytes;
    return data_bytes(tensor->dtype, &tensor->shape, &bytes) ? bytes : 0;
}

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static double f16_to_f64(uint16_t h)
{
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    double x;
    if (exponent == 31)
        x = fraction ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        x = ldexp(fraction, -24);
    else
        x = ldexp(1024 + fraction, exponent - 25);
    return h >> 15 ? -x : x;
}

/* Rounds to nearest, ties to even; overflows to infinity. */
static uint16_t f64_to_f16(double x)
{
    const uint16_t sign = signbit(x) ? 0x8000u : 0;
    if (isnan(x))
        return (uint16_t)(sign | 0x7E00u);
    x = fabs(x);
    if (x >= 65520.0) /* halfway between the largest number and the next */
        return (uint16_t)(sign | 0x7C00u);
    int exponent = -13; /* subnormals and zero share one */
    if (x >= 0x1p-14)
        frexp(x, &exponent);                              /* x = f * 2^exponent, 0.5 <= f < 1 */
    const long fraction = lrint(ldexp(x, 11 - exponent)); /* 0..2048, 1024.. for normal numbers */
    return (uint16_t)(sign | (((long)exponent + 13) * 1024 + fraction));
}

static double saturate(double x, double lo, double hi)
{
    if (isnan(x))
        return 0;
    x = nearbyint(x);
    return x < lo ? lo : x > hi ? hi : x;
}

/* 2^63 itself does not fit, and doubles near it are 1024 apart. */
static int64_t saturate_s64(double x)
{
    if (isnan(x))
        return 0;
    if (x >= 0x1p63)
        return INT64_MAX;
    return x < -0x1p63 ? INT64_MIN : (int64_t)nearbyint(x);
}

static uint64_t saturate_u64(double x)
{
    if (isnan(x) || x <= 0)
        return 0;
    return x >= 0x1p64 ? UINT64_MAX : (uint64_t)nearbyint(x);
}

double gn_tensor_get(const gn_tensor *tensor, int64_t i)
{
    const void *data = tensor->data;
    switch (tensor->dtype) {
    case GN_DTYPE_F32:
        return (double)((const float *)data)[i];
    case GN_DTYPE_F64:
        return ((const double *)data)[i];
    case GN_DTYPE_F16:
        return f16_to_f64(((const uint16_t *)data)[i]);
    case GN_DTYPE_S64:
        return (double)((const int64_t *)data)[i];
    case GN_DTYPE_S32:
        return ((const int32_t *)data)[i];
    case GN_DTYPE_S8:
        return ((const int8_t *)data)[i];
    case GN_DTYPE_U8:
    case GN_DTYPE_BOOL:
        return ((const uint8_t *)data)[i];
    case GN_DTYPE_S16:
        return ((const int16_t *)data)[i];
    case GN_DTYPE_U16:
        return ((const uint16_t *)data)[i];
    case GN_DTYPE_U32:
        return ((const uint32_t *)data)[i];
    case GN_DTYPE_U64:
        return (double)((const uint64_t *)data)[i];
    case GN_DTYPE_NONE:
        break;
    }
    return 0;
}

void gn_tensor_set(gn_tensor *tensor, int64_t i, double x)
{
    void *data = tensor->data;
    switch (tensor->dtype) {
    case GN_DTYPE_F32:
        ((float *)data)[i] = (float)x;
        break;
    case GN_DTYPE_F64:
        ((double *)data)[i] = x;
        break;
    case GN_DTYPE_F16:
        ((uint16_t *)data)[i] = f64_to_f16(x);
        break;
    case GN_DTYPE_S64:
        ((int64_t *)data)[i] = saturate_s64(x);
        break;
    case GN_DTYPE_S32:
        ((int32_t *)data)[i] = (int32_t)saturate(x, INT32_MIN, INT32_MAX);
        break;
    case GN_DTYPE_S8:
        ((int8_t *)data)[i] = (int8_t)saturate(x, INT8_MIN, INT8_MAX);
        break;
    case GN_DTYPE_U8:
        ((uint8_t *)data)[i] = (uint8_t)saturate(x, 0, UINT8_MAX);
        break;
    case GN_DTYPE_BOOL:
        ((uint8_t *)data)[i] = x != 0;
        break;
    case GN_DTYPE_S16:
        ((int16_t *)data)[i] = (int16_t)saturate(x, INT16_MIN, INT16_MAX);
        break;
    case GN_DTYPE_U16:
        ((uint16_t *)data)[i] = (uint16_t)saturate(x, 0, UINT16_MAX);
        break;
    case GN_DTYPE_U32:
        ((uint32_t *)data)[i] = (uint32_t)saturate(x, 0, UINT32_MAX);
        break;
    case GN_DTYPE_U64:
        ((uint64_t *)data)[i] = saturate_u64(x);
        break;
    case GN_DTYPE_NONE:
        break;
    }
}

int64_t gn_tensor_get_s64(const gn_tensor *tensor, int64_t i)
{
    const void *data = tensor->data;
    switch (tensor->dtype) {
    case GN_DTYPE_S64:
    case GN_DTYPE_U64:
        return ((const int64_t *)data)[i];
    case GN_DTYPE_S32:
        return ((const int32_t *)data)[i];
    case GN_DTYPE_U32:
        return ((const uint32_t *)data)[i];
    case GN_DTYPE_S16:
        return ((const int16_t *)data)[i];
    case GN_DTYPE_U16:
        return ((const uint16_t *)data)[i];
    case GN_DTYPE_S8:
        return ((const int8_t *)data)[i];
    case GN_DTYPE_U8:
    case GN_DTYPE_BOOL:
        return ((const uint8_t *)data)[i];
    default:
        return 0;
    }
}

void gn_tensor_set_s64(gn_tensor *tensor, int64_t i, int64_t x)
{
    const uint64_t bits = (uint64_t)x;
    void *data = tensor->data;
    switch (tensor->dtype) {
    case GN_DTYPE_S64:
    case GN_DTYPE_U64:
        ((uint64_t *)data)[i] = bits;
        break;
    case GN_DTYPE_S32:
    case GN_DTYPE_U32:
        ((uint32_t *)data)[i] = (uint32_t)bits;
        break;
    case GN_DTYPE_S16:
    case GN_DTYPE_U16:
        ((uint16_t *)data)[i] = (uint16_t)bits;
        break;
    case GN_DTYPE_S8:
    case GN_DTYPE_U8:
        ((uint8_t *)data)[i] = (uint8_t)bits;
        break;
    case GN_DTYPE_BOOL:
        ((uint8_t *)data)[i] = x != 0;
        break;
    default:
        break;
    }
}

void gn_tensor_move(gn_tensor *dst, int64_t at, const gn_tensor *src, int64_t i)
{
    if (dst->dtype == src->dtype) {
        const size_t bytes = gn_dtype_bytes(dst->dtype);
        memcpy((char *)dst->data + (size_t)at * bytes, (const char *)src->data + (size_t)i * bytes, bytes);
    } else if (!gn_dtype_is_real(dst->dtype) && !gn_dtype_is_real(src->dtype)) {
        gn_tensor_set_s64(dst, at, gn_tensor_get_s64(src, i));
    } else {
        gn_tensor_set(dst, at, gn_tensor_get(src, i));
    }
}
