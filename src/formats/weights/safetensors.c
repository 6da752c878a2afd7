/* Reading and writing of safetensors files.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/safetensors.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define LENGTH_BYTES 8
#define META_KEY     "__metadata__"

static const struct {
    gn_dtype dtype;
    const char *name;
} types[] = {
    {GN_DTYPE_F32, "F32"}, {GN_DTYPE_F64, "F64"}, {GN_DTYPE_F16, "F16"}, {GN_DTYPE_S64, "I64"},
    {GN_DTYPE_S32, "I32"}, {GN_DTYPE_S8, "I8"},   {GN_DTYPE_U8, "U8"},   {GN_DTYPE_BOOL, "BOOL"},
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
    uint64_t begin, end; /* in the data */
} item;

struct gn_safetensors {
    gn_arena *arena; /* JSON tree, items, tensors that had to be moved */
    char *bytes;     /* whole file */
    const gn_json *meta;
    item *items; /* sorted by name once read */
    size_t n;
};

typedef struct parse {
    gn_safetensors *file;
    const char *name;
    char *data; /* after the header */
    uint64_t data_bytes;
    gn_error *err;
} parse;

static gn_status bad(const parse *p, const char *tensor, const char *what)
{
    return gn_fail_offset(p->err, GN_EFORMAT, p->name, LENGTH_BYTES, "tensor '%s': %s", tensor, what);
}

/* A JSON number that is a whole one and not negative. */
static bool read_count(const gn_json *value, uint64_t *out)
{
    int64_t x;
    if (!value || value->kind != GN_JSON_NUMBER || !gn_parse_i64(value->text, &x) || x < 0)
        return false;
    *out = (uint64_t)x;
    return true;
}

static gn_status read_shape(const parse *p, const gn_json *member, gn_shape *shape_out)
{
    const gn_json *list = gn_json_member(member, "shape");
    if (!list || list->kind != GN_JSON_ARRAY)
        return bad(p, member->key, "it has no shape");
    gn_shape shape = {0};
    for (const gn_json *d = list->first; d; d = d->next) {
        uint64_t dim;
        if (shape.rank == GN_MAX_RANK)
            return gn_fail_at(p->err, GN_ELIMIT, p->name, 0, "tensor '%s' has more than 8 dimensions", member->key);
        if (!read_count(d, &dim))
            return bad(p, member->key, "a dimension is no whole number");
        shape.dim[shape.rank++] = (int64_t)dim;
    }
    if (gn_shape_count(&shape) < 0)
        return gn_fail_at(p->err, GN_ELIMIT, p->name, 0, "the shape of tensor '%s' overflows", member->key);
    *shape_out = shape;
    return GN_OK;
}

static gn_status read_dtype(const parse *p, const gn_json *member, gn_dtype *dtype_out)
{
    const char *text = NULL;
    if (!gn_json_string(member, "dtype", &text))
        return bad(p, member->key, "it has no dtype");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, text) == 0) {
            *dtype_out = types[i].dtype;
            return GN_OK;
        }
    return gn_fail_at(p->err, GN_EUNSUPPORTED, p->name, 0,
                      "tensor '%s' has the element type %s, which is not supported", member->key, text);
}

static gn_status read_item(const parse *p, const gn_json *member, item *out)
{
    gn_dtype dtype = GN_DTYPE_NONE;
    gn_shape shape = {0};
    GN_TRY(read_dtype(p, member, &dtype));
    GN_TRY(read_shape(p, member, &shape));
    const gn_json *offsets = gn_json_member(member, "data_offsets");
    uint64_t begin, end;
    if (!offsets || offsets->kind != GN_JSON_ARRAY || !read_count(offsets->first, &begin) ||
        !read_count(offsets->first->next, &end) || offsets->first->next->next)
        return bad(p, member->key, "data_offsets should be two whole numbers");
    if (begin > end || end > p->data_bytes)
        return bad(p, member->key, "its data would lie outside the file (is the file truncated?)");
    if (end - begin != (uint64_t)gn_shape_count(&shape) * gn_dtype_bytes(dtype))
        return bad(p, member->key, "its bytes do not fit its shape and type");
    *out = (item){.name = member->key, .begin = begin, .end = end};
    out->tensor = gn_tensor_view(dtype, &shape, p->data + begin);
    return GN_OK;
}

static int item_by_offset(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->begin != y->begin)
        return (x->begin > y->begin) - (x->begin < y->begin);
    return (x->end > y->end) - (x->end < y->end);
}

static int item_by_name(const void *a, const void *b)
{
    return strcmp(((const item *)a)->name, ((const item *)b)->name);
}

static gn_status check_items(const parse *p)
{
    gn_safetensors *f = p->file;
    uint64_t at = 0;
    if (f->n > 1)
        qsort(f->items, f->n, sizeof *f->items, item_by_offset);
    for (size_t i = 0; i < f->n; i++) {
        if (f->items[i].begin != at)
            return bad(p, f->items[i].name,
                       f->items[i].begin < at ? "its data overlaps another tensor's" : "a gap lies before its data");
        at = f->items[i].end;
    }
    if (at != p->data_bytes)
        return gn_fail_offset(p->err, GN_EFORMAT, p->name, -1, "%" PRIu64 " bytes after the last tensor belong to none",
                              p->data_bytes - at);
    if (f->n > 1)
        qsort(f->items, f->n, sizeof *f->items, item_by_name);
    for (size_t i = 1; i < f->n; i++)
        if (strcmp(f->items[i - 1].name, f->items[i].name) == 0)
            return bad(p, f->items[i].name, "it is there twice");
    return GN_OK;
}

/* Elements of foreign files may lie at any address; those that are misaligned are copied. */
static gn_status align_items(const parse *p)
{
    for (size_t i = 0; i < p->file->n; i++) {
        gn_tensor *t = &p->file->items[i].tensor;
        if ((uintptr_t)t->data % gn_dtype_bytes(t->dtype) == 0)
            continue;
        void *copy = gn_arena_alloc(p->file->arena, gn_tensor_bytes(t) + 1);
        if (!copy)
            return gn_fail_at(p->err, GN_ENOMEM, p->name, 0, "no memory to read the weights");
        if (gn_tensor_bytes(t))
            memcpy(copy, t->data, gn_tensor_bytes(t));
        t->data = copy;
    }
    return GN_OK;
}

static gn_status read_header(parse *p, const gn_json *root)
{
    gn_safetensors *f = p->file;
    if (root->kind != GN_JSON_OBJECT)
        return gn_fail_offset(p->err, GN_EFORMAT, p->name, LENGTH_BYTES,
                              "the header of a safetensors file should be a JSON object");
    size_t n = 0;
    for (const gn_json *m = root->first; m; m = m->next)
        n++;
    if (n > GN_SAFETENSORS_MAX_TENSORS)
        return gn_fail_at(p->err, GN_ELIMIT, p->name, 0, "%zu tensors, at most %d are read", n,
                          GN_SAFETENSORS_MAX_TENSORS);
    f->items = gn_arena_alloc(f->arena, (n + 1) * sizeof *f->items);
    if (!f->items)
        return gn_fail_at(p->err, GN_ENOMEM, p->name, 0, "no memory to read the weights");
    for (const gn_json *m = root->first; m; m = m->next) {
        if (strcmp(m->key, META_KEY) != 0) {
            GN_TRY(read_item(p, m, &f->items[f->n]));
            f->n++;
            continue;
        }
        if (f->meta || m->kind != GN_JSON_OBJECT)
            return bad(p, META_KEY, "the metadata should be one map of strings");
        f->meta = m;
        for (const gn_json *s = m->first; s; s = s->next)
            if (s->kind != GN_JSON_STRING)
                return bad(p, META_KEY, "the metadata should be one map of strings");
    }
    GN_TRY(check_items(p));
    return align_items(p);
}

static gn_status parse_file(gn_safetensors *f, size_t n, const char *name, gn_error *err)
{
    if (n < LENGTH_BYTES)
        return gn_fail_offset(err, GN_EFORMAT, name, (int64_t)n, "the file is too short for a safetensors file");
    uint64_t header_bytes = 0;
    for (int i = 0; i < LENGTH_BYTES; i++)
        header_bytes |= (uint64_t)(uint8_t)f->bytes[i] << (8 * i);
    if (header_bytes > GN_SAFETENSORS_MAX_HEADER_BYTES)
        return gn_fail_offset(err, GN_ELIMIT, name, 0,
                              "the header would have %" PRIu64 " bytes; is this a safetensors file?", header_bytes);
    if (header_bytes > n - LENGTH_BYTES)
        return gn_fail_offset(err, GN_EFORMAT, name, (int64_t)n, "the file ends inside its header (is it truncated?)");
    const gn_json *root = NULL;
    gn_status status = gn_json_parse(f->bytes + LENGTH_BYTES, (size_t)header_bytes, f->arena, &root, err);
    if (status != GN_OK) {
        if (err) {
            snprintf(err->file, sizeof err->file, "%s", name);
            err->offset += err->offset >= 0 ? LENGTH_BYTES : 0;
        }
        return status;
    }
    size_t start = LENGTH_BYTES + (size_t)header_bytes;
    parse p = {.file = f, .name = name, .data = f->bytes + start, .data_bytes = n - start, .err = err};
    return read_header(&p, root);
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
