/* Tensors of ONNX files: element types, and contents from raw_data, from the typed fields, or from a file beside the
 * model.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <stdio.h>

#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/onnx_reader.h"
#include "formats/onnx/onnx_scan.h"

static const struct {
    int32_t onnx;
    gn_dtype dtype;
} types[] = {
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT, GN_DTYPE_F32},   {ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE, GN_DTYPE_F64},
    {ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16, GN_DTYPE_F16}, {ONNX__TENSOR_PROTO__DATA_TYPE__INT64, GN_DTYPE_S64},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT32, GN_DTYPE_S32},   {ONNX__TENSOR_PROTO__DATA_TYPE__INT8, GN_DTYPE_S8},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT8, GN_DTYPE_U8},    {ONNX__TENSOR_PROTO__DATA_TYPE__BOOL, GN_DTYPE_BOOL},
    {ONNX__TENSOR_PROTO__DATA_TYPE__INT16, GN_DTYPE_S16},   {ONNX__TENSOR_PROTO__DATA_TYPE__UINT16, GN_DTYPE_U16},
    {ONNX__TENSOR_PROTO__DATA_TYPE__UINT32, GN_DTYPE_U32},  {ONNX__TENSOR_PROTO__DATA_TYPE__UINT64, GN_DTYPE_U64},
};

int32_t gn_onnx_type_of(gn_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype)
            return types[i].onnx;
    return 0;
}

gn_dtype gn_onnx_dtype_of(int32_t type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].onnx == type)
            return types[i].dtype;
    return GN_DTYPE_NONE;
}

static gn_status read_shape(const Onnx__TensorProto *proto, const gn_onnx_source *source, const char *what,
                            gn_shape *shape_out, gn_error *err)
{
    if (proto->n_dims > GN_MAX_RANK)
        return gn_fail_offset(err, GN_ELIMIT, source->name, -1, "tensor '%s' has %zu dimensions, at most %d are read",
                              what, proto->n_dims, GN_MAX_RANK);
    for (size_t i = 0; i < proto->n_dims; i++)
        if (proto->dims[i] < 0)
            return gn_fail_offset(err, GN_EFORMAT, source->name, -1, "tensor '%s' has the negative dimension %" PRId64,
                                  what, proto->dims[i]);
    *shape_out = gn_shape_of((int)proto->n_dims, proto->dims);
    if (gn_shape_count(shape_out) < 0)
        return gn_fail_offset(err, GN_ELIMIT, source->name, -1,
                              "the shape of tensor '%s' overflows: more than 2^40 elements", what);
    return GN_OK;
}

static gn_status size_fail(const gn_onnx_source *source, const char *what, size_t found, size_t expected, gn_error *err)
{
    return gn_fail_offset(err, GN_EFORMAT, source->name, -1,
                          "tensor '%s' has %zu bytes of data, its shape and type ask for %zu", what, found, expected);
}

static bool is_uint64_field(gn_dtype dtype)
{
    return dtype == GN_DTYPE_U64 || dtype == GN_DTYPE_U32;
}

/* The typed fields hold one element per entry; integers of int32_data are narrowed to the tensor's type.  The number of
 * entries has been checked. */
static void fill_typed(const Onnx__TensorProto *proto, gn_tensor *t)
{
    size_t count = (size_t)gn_tensor_count(t), elem = gn_dtype_bytes(t->dtype);
    if (count == 0)
        return;
    if (t->dtype == GN_DTYPE_F32)
        memcpy(t->data, proto->float_data, count * elem);
    else if (t->dtype == GN_DTYPE_F64)
        memcpy(t->data, proto->double_data, count * elem);
    else if (t->dtype == GN_DTYPE_S64)
        memcpy(t->data, proto->int64_data, count * elem);
    else if (is_uint64_field(t->dtype))
        for (size_t i = 0; i < count; i++)
            gn_tensor_set_s64(t, (int64_t)i, (int64_t)proto->uint64_data[i]);
    else
        for (size_t i = 0; i < count; i++) {
            int32_t x = proto->int32_data[i];
            if (elem == 4)
                ((int32_t *)t->data)[i] = x;
            else if (elem == 2)
                ((uint16_t *)t->data)[i] = (uint16_t)x;
            else
                ((uint8_t *)t->data)[i] = (uint8_t)x;
        }
}

static bool is_external(const Onnx__TensorProto *proto)
{
    return proto->has_data_location && proto->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL;
}

static const char *external_entry(const Onnx__TensorProto *proto, const char *key)
{
    for (size_t i = 0; i < proto->n_external_data; i++)
        if (proto->external_data[i]->key && strcmp(proto->external_data[i]->key, key) == 0)
            return proto->external_data[i]->value;
    return NULL;
}

/* The file must lie in the model's folder, also after symbolic links are followed. */
static gn_status external_path(const gn_onnx_source *source, const char *what, const char *location, char *path,
                               size_t path_bytes, gn_error *err)
{
    if (!source->folder)
        return gn_fail_offset(err, GN_EUNSUPPORTED, source->name, -1,
                              "tensor '%s' lies in another file, which a model in memory cannot have", what);
    bool is_inside = location && *location && location[0] != '/';
    for (const char *part = location; is_inside && part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
        is_inside = !(part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'));
    if (is_inside)
        GN_TRY(gn_path_join(source->folder, location, path, path_bytes));
    if (is_inside && gn_path_exists(path)) {
        char folder_real[4096], real[4096];
        is_inside = realpath(source->folder, folder_real) && realpath(path, real);
        size_t n = is_inside ? strlen(folder_real) : 0;
        is_inside = is_inside && strncmp(real, folder_real, n) == 0 && (real[n] == '/' || n == 1);
    }
    if (!is_inside)
        return gn_fail_offset(err, GN_EFORMAT, source->name, -1,
                              "the data of tensor '%s' would lie in '%s', outside the model's folder; it is not opened",
                              what, location ? location : "");
    return GN_OK;
}

/* Opens the file at the tensor's data after checking that it holds `bytes` bytes there. */
static gn_status open_external(const Onnx__TensorProto *proto, const gn_onnx_source *source, const char *what,
                               size_t bytes, FILE **file_out, gn_error *err)
{
    char path[4096];
    GN_TRY(external_path(source, what, external_entry(proto, "location"), path, sizeof path, err));
    int64_t offset = 0, length = (int64_t)bytes;
    const char *offset_text = external_entry(proto, "offset"), *length_text = external_entry(proto, "length");
    if ((offset_text && (!gn_parse_i64(offset_text, &offset) || offset < 0)) ||
        (length_text && !gn_parse_i64(length_text, &length)))
        return gn_fail_offset(err, GN_EFORMAT, source->name, -1, "the offset or length of tensor '%s' is not a number",
                              what);
    if (length != (int64_t)bytes)
        return size_fail(source, what, (size_t)length, bytes, err);
    int64_t file_bytes = gn_path_bytes(path);
    if (file_bytes < 0)
        return gn_fail_at(err, GN_ENOENT, path, 0, "the data of tensor '%s' is not there", what);
    if (offset > file_bytes || length > file_bytes - offset)
        return gn_fail_offset(err, GN_EFORMAT, path, offset,
                              "%zu bytes of tensor '%s' were expected, the file has %" PRId64, bytes, what, file_bytes);
    FILE *file = fopen(path, "rb");
    if (!file || fseeko(file, (off_t)offset, SEEK_SET) != 0) {
        if (file)
            fclose(file);
        return gn_fail_at(err, GN_EIO, path, 0, "the data of tensor '%s' cannot be read", what);
    }
    *file_out = file;
    return GN_OK;
}

/* Bytes of data that the message itself carries: a shape that claims more is refused before memory is taken for it. */
static size_t carried_bytes(const Onnx__TensorProto *proto, gn_dtype dtype)
{
    if (proto->has_raw_data)
        return proto->raw_data.len;
    size_t n = proto->n_int32_data;
    if (dtype == GN_DTYPE_F32)
        n = proto->n_float_data;
    else if (dtype == GN_DTYPE_F64)
        n = proto->n_double_data;
    else if (dtype == GN_DTYPE_S64)
        n = proto->n_int64_data;
    else if (is_uint64_field(dtype))
        n = proto->n_uint64_data;
    return n * gn_dtype_bytes(dtype);
}

gn_status gn_onnx_tensor_head(const Onnx__TensorProto *proto, const gn_onnx_source *source, const char *what,
                              gn_dtype *dtype_out, gn_shape *shape_out, gn_error *err)
{
    int32_t type = proto->has_data_type ? proto->data_type : 0;
    gn_dtype dtype = gn_onnx_dtype_of(type);
    if (dtype == GN_DTYPE_NONE)
        return gn_fail_offset(err, GN_EUNSUPPORTED, source->name, -1,
                              "tensor '%s' has ONNX's element type number %d, which Gannet does not read", what, type);
    if (proto->segment)
        return gn_fail_offset(err, GN_EUNSUPPORTED, source->name, -1, "tensor '%s' is stored in segments", what);
    gn_shape shape;
    GN_TRY(read_shape(proto, source, what, &shape, err));
    size_t bytes = (size_t)gn_shape_count(&shape) * gn_dtype_bytes(dtype);
    if (is_external(proto)) {
        FILE *file = NULL;
        GN_TRY(open_external(proto, source, what, bytes, &file, err));
        fclose(file);
    } else if (carried_bytes(proto, dtype) != bytes) {
        return size_fail(source, what, carried_bytes(proto, dtype), bytes, err);
    }
    *dtype_out = dtype;
    *shape_out = shape;
    return GN_OK;
}

gn_status gn_onnx_tensor_fill(const Onnx__TensorProto *proto, const gn_onnx_source *source, const char *what,
                              gn_tensor *dst, gn_error *err)
{
    size_t bytes = gn_tensor_bytes(dst);
    if (is_external(proto)) {
        FILE *file = NULL;
        GN_TRY(open_external(proto, source, what, bytes, &file, err));
        size_t got = fread(dst->data, 1, bytes, file);
        fclose(file);
        if (got != bytes)
            return gn_fail_offset(err, GN_EIO, source->name, -1, "the data of tensor '%s' cannot be read", what);
        return GN_OK;
    }
    if (!proto->has_raw_data)
        fill_typed(proto, dst);
    else if (bytes)
        memcpy(dst->data, proto->raw_data.data, bytes);
    return GN_OK;
}

gn_status gn_onnx_read_tensor(const char *path, char *name, size_t name_bytes, gn_tensor **tensor_out, gn_error *err)
{
    const gn_onnx_source source = {.name = path};
    char *bytes = NULL;
    size_t n = 0;
    gn_onnx_memory memory = {0};
    Onnx__TensorProto *proto = NULL;
    gn_tensor *tensor = NULL;
    gn_dtype dtype = GN_DTYPE_NONE;
    gn_shape shape;
    GN_TRY(gn_file_read(path, GN_ONNX_MAX_BYTES, &bytes, &n, err));
    gn_status status = gn_onnx_scan(&onnx__tensor_proto__descriptor, (const uint8_t *)bytes, n, path, err);
    if (status == GN_OK)
        status = gn_onnx_unpack_tensor((const uint8_t *)bytes, n, path, &memory, &proto, err);
    gn_free(bytes);
    if (status == GN_OK)
        status = gn_onnx_tensor_head(proto, &source, proto->name ? proto->name : "", &dtype, &shape, err);
    if (status == GN_OK && gn_tensor_create(dtype, &shape, &tensor) != GN_OK)
        status = gn_fail(err, GN_ENOMEM, "no memory to read '%s'", path);
    if (status == GN_OK)
        status = gn_onnx_tensor_fill(proto, &source, proto->name ? proto->name : "", tensor, err);
    if (status == GN_OK && name)
        snprintf(name, name_bytes, "%s", proto->name ? proto->name : "");
    gn_onnx_memory_deinit(&memory);
    if (status != GN_OK)
        gn_tensor_destroy(&tensor);
    else
        *tensor_out = tensor;
    return status;
}
