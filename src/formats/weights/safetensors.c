/* Reading and writing of safetensors files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "formats/weights/safetensors_header.h"

#define LENGTH_BYTES GN_SAFETENSORS_LENGTH_BYTES
#define META_KEY     GN_SAFETENSORS_META_KEY

static const struct {
    gn_dtype dtype;
    const char *name;
} types[] = {
    {GN_DTYPE_F32, "F32"}, {GN_DTYPE_F64, "F64"}, {GN_DTYPE_F16, "F16"},   {GN_DTYPE_S64, "I64"}, {GN_DTYPE_S32, "I32"},
    {GN_DTYPE_S8, "I8"},   {GN_DTYPE_U8, "U8"},   {GN_DTYPE_BOOL, "BOOL"}, {GN_DTYPE_S16, "I16"},
};

static const char *type_name(gn_dtype dtype)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype)
            return types[i].name;
    return NULL;
}

/* ---- writing ---- */

/* Wide elements first, then by name: a total order, so that equal contents give equal bytes. */
static int by_width_then_name(const void *a, const void *b)
{
    const gn_safetensors_entry *x = a, *y = b;
    size_t wx = gn_dtype_bytes(x->tensor->dtype), wy = gn_dtype_bytes(y->tensor->dtype);
    return wx != wy ? (wx < wy) - (wx > wy) : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gn_safetensors_entry *)a)->name, ((const gn_safetensors_entry *)b)->name);
}

static gn_status check_entries(gn_safetensors_entry *sorted, size_t n, const char *path, gn_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (!sorted[i].name[0] || strcmp(sorted[i].name, META_KEY) == 0)
            return gn_fail_at(err, GN_EINVAL, path, 0, "'%s' cannot be the name of a tensor", sorted[i].name);
        if (!type_name(sorted[i].tensor->dtype) || sorted[i].tensor->layout != GN_LAYOUT_PLAIN)
            return gn_fail_at(err, GN_EINVAL, path, 0, "tensor '%s' has a type or layout that safetensors lacks",
                              sorted[i].name);
    }
    qsort(sorted, n, sizeof *sorted, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1].name, sorted[i].name) == 0)
            return gn_fail_at(err, GN_EINVAL, path, 0, "two tensors are named '%s'", sorted[i].name);
    qsort(sorted, n, sizeof *sorted, by_width_then_name);
    return GN_OK;
}

static void add_tensor_header(gn_text *t, const gn_safetensors_entry *e, uint64_t offset)
{
    gn_text_add_json(t, e->name);
    gn_text_printf(t, ":{\"dtype\":\"%s\",\"shape\":[", type_name(e->tensor->dtype));
    for (int i = 0; i < e->tensor->shape.rank; i++)
        gn_text_printf(t, "%s%" PRId64, i ? "," : "", e->tensor->shape.dim[i]);
    gn_text_printf(t, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", offset, offset + gn_tensor_bytes(e->tensor));
}

/* The header ends on a multiple of 64 bytes, padded with spaces as the format allows. */
static void make_header(gn_text *t, const gn_safetensors_entry *sorted, size_t n, const gn_safetensors_meta *meta,
                        size_t n_meta)
{
    gn_text_add(t, "{");
    if (n_meta > 0) {
        gn_text_add(t, "\"" META_KEY "\":{");
        for (size_t i = 0; i < n_meta; i++) {
            gn_text_add(t, i ? "," : "");
            gn_text_add_json(t, meta[i].key);
            gn_text_add(t, ":");
            gn_text_add_json(t, meta[i].value);
        }
        gn_text_add(t, "}");
    }
    uint64_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        gn_text_add(t, i || n_meta ? "," : "");
        add_tensor_header(t, &sorted[i], offset);
        offset += gn_tensor_bytes(sorted[i].tensor);
    }
    gn_text_add(t, "}");
    while (!t->failed && (t->len + LENGTH_BYTES) % GN_ALIGN_BYTES != 0)
        gn_text_add(t, " ");
}

static gn_status write_all(const char *path, const gn_text *header, const gn_safetensors_entry *sorted, size_t n,
                           gn_error *err)
{
    gn_writer *file = NULL;
    GN_TRY(gn_writer_open(path, &file, err));
    uint8_t length[LENGTH_BYTES];
    for (int i = 0; i < LENGTH_BYTES; i++)
        length[i] = (uint8_t)((uint64_t)header->len >> (8 * i));
    gn_status status = gn_writer_write(file, length, sizeof length, err);
    if (status == GN_OK)
        status = gn_writer_write(file, header->data, header->len, err);
    for (size_t i = 0; i < n && status == GN_OK; i++)
        if (gn_tensor_bytes(sorted[i].tensor) > 0)
            status = gn_writer_write(file, sorted[i].tensor->data, gn_tensor_bytes(sorted[i].tensor), err);
    if (status == GN_OK)
        return gn_writer_commit(&file, err);
    gn_writer_abandon(&file);
    return status;
}

gn_status gn_safetensors_write(const char *path, const gn_safetensors_entry *entries, size_t n,
                               const gn_safetensors_meta *meta, size_t n_meta, gn_error *err)
{
    gn_safetensors_entry *sorted = gn_calloc(n ? n : 1, sizeof *sorted);
    if (!sorted)
        return gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to write the weights");
    if (n)
        memcpy(sorted, entries, n * sizeof *sorted);
    gn_text header;
    gn_text_init(&header);
    gn_status status = check_entries(sorted, n, path, err);
    if (status == GN_OK) {
        make_header(&header, sorted, n, meta, n_meta);
        status = header.failed ? gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to write the weights")
                               : write_all(path, &header, sorted, n, err);
    }
    gn_text_deinit(&header);
    gn_free(sorted);
    return status;
}

/* ---- reading ---- */

typedef struct item {
    const char *name;
    gn_tensor tensor;
} item;

struct gn_safetensors {
    gn_arena *arena; /* JSON tree, items, tensors that had to be moved */
    char *bytes;     /* whole file */
    const gn_json *meta;
    item *items; /* sorted by name */
    size_t n;
};

/* Elements of foreign files may lie at any address; those that are misaligned are copied. */
static gn_status align_items(const gn_safetensors *f, const char *name, gn_error *err)
{
    for (size_t i = 0; i < f->n; i++) {
        gn_tensor *t = &f->items[i].tensor;
        if ((uintptr_t)t->data % gn_dtype_bytes(t->dtype) == 0)
            continue;
        void *copy = gn_arena_alloc(f->arena, gn_tensor_bytes(t) + 1);
        if (!copy)
            return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
        if (gn_tensor_bytes(t))
            memcpy(copy, t->data, gn_tensor_bytes(t));
        t->data = copy;
    }
    return GN_OK;
}

static gn_status parse_file(gn_safetensors *f, size_t n, const char *name, gn_error *err)
{
    const gn_byte_source source = gn_byte_source_memory(f->bytes, n, name);
    gn_safetensors_header header;
    GN_TRY(gn_safetensors_read_header(&source, f->arena, &header, err));
    f->meta = header.meta;
    f->items = gn_arena_alloc(f->arena, (header.n + 1) * sizeof *f->items);
    if (!f->items)
        return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
    for (size_t i = 0; i < header.n; i++) {
        const gn_safetensors_item *from = &header.items[i];
        const gn_dtype dtype = gn_weight_type_dtype(from->type);
        if (gn_dtype_bytes(dtype) != gn_weight_type_bytes(from->type))
            return gn_fail_at(err, GN_EUNSUPPORTED, name, 0,
                              "tensor '%s' has the element type %s, which is not supported", from->name,
                              gn_weight_type_name(from->type));
        f->items[i] = (item){.name = from->name};
        f->items[i].tensor = gn_tensor_view(dtype, &from->shape, f->bytes + header.data_at + from->begin);
    }
    f->n = header.n;
    return align_items(f, name, err);
}

/* Takes `bytes`. */
static gn_status open_owned(char *bytes, size_t n, const char *name, gn_safetensors **file_out, gn_error *err)
{
    gn_safetensors *f = gn_calloc(1, sizeof *f);
    gn_arena *arena = gn_arena_create(0);
    if (!f || !arena) {
        gn_arena_destroy(&arena);
        gn_free(f);
        gn_free(bytes);
        return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
    }
    f->arena = arena;
    f->bytes = bytes;
    gn_status status = parse_file(f, n, name, err);
    if (status != GN_OK)
        gn_safetensors_close(&f);
    else
        *file_out = f;
    return status;
}

gn_status gn_safetensors_open(const char *path, gn_safetensors **file_out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_SAFETENSORS_MAX_BYTES, &bytes, &n, err));
    return open_owned(bytes, n, path, file_out, err);
}

gn_status gn_safetensors_open_bytes(const void *bytes, size_t n, const char *name, gn_safetensors **file_out,
                                    gn_error *err)
{
    char *copy = gn_alloc(n ? n : 1);
    if (!copy)
        return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
    if (n)
        memcpy(copy, bytes, n);
    return open_owned(copy, n, name, file_out, err);
}

void gn_safetensors_close(gn_safetensors **file)
{
    if (!file || !*file)
        return;
    gn_arena_destroy(&(*file)->arena);
    gn_free((*file)->bytes);
    gn_free(*file);
    *file = NULL;
}

size_t gn_safetensors_count(const gn_safetensors *file)
{
    return file->n;
}

const gn_tensor *gn_safetensors_at(const gn_safetensors *file, size_t i, const char **name_out)
{
    GN_ASSERT(i < file->n);
    if (name_out)
        *name_out = file->items[i].name;
    return &file->items[i].tensor;
}

const gn_tensor *gn_safetensors_find(const gn_safetensors *file, const char *name)
{
    size_t low = 0, high = file->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(file->items[mid].name, name);
        if (order == 0)
            return &file->items[mid].tensor;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

const char *gn_safetensors_meta_get(const gn_safetensors *file, const char *key)
{
    const gn_json *value = gn_json_member(file->meta, key);
    return value ? value->text : NULL;
}
