/* Reading the header of a safetensors file, and such a file as named tensors.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/safetensors_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "formats/weights/safetensors.h"

#define LENGTH_BYTES GN_SAFETENSORS_LENGTH_BYTES
#define META_KEY     GN_SAFETENSORS_META_KEY

static const struct {
    gn_weight_type type;
    const char *name;
} types[] = {
    {GN_WEIGHT_F32, "F32"}, {GN_WEIGHT_F64, "F64"},   {GN_WEIGHT_F16, "F16"}, {GN_WEIGHT_BF16, "BF16"},
    {GN_WEIGHT_S64, "I64"}, {GN_WEIGHT_S32, "I32"},   {GN_WEIGHT_S16, "I16"}, {GN_WEIGHT_S8, "I8"},
    {GN_WEIGHT_U8, "U8"},   {GN_WEIGHT_BOOL, "BOOL"},
};

typedef struct parse {
    gn_safetensors_header *header;
    gn_arena *arena;
    const char *name;
    uint64_t data_bytes;
    gn_error *err;
} parse;

static gn_status bad(const parse *p, const char *tensor, const char *what)
{
    return gn_fail_offset(p->err, GN_EFORMAT, p->name, LENGTH_BYTES, "tensor '%s': %s", tensor, what);
}

static gn_status no_memory(const char *name, gn_error *err)
{
    return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
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

static gn_status read_type(const parse *p, const gn_json *member, gn_weight_type *type_out)
{
    const char *text = NULL;
    if (!gn_json_string(member, "dtype", &text))
        return bad(p, member->key, "it has no dtype");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, text) == 0) {
            *type_out = types[i].type;
            return GN_OK;
        }
    return gn_fail_at(p->err, GN_EUNSUPPORTED, p->name, 0,
                      "tensor '%s' has the element type %s, which is not supported", member->key, text);
}

static gn_status read_item(const parse *p, const gn_json *member, gn_safetensors_item *out)
{
    gn_safetensors_item item = {.name = member->key};
    GN_TRY(read_type(p, member, &item.type));
    GN_TRY(read_shape(p, member, &item.shape));
    const gn_json *offsets = gn_json_member(member, "data_offsets");
    if (!offsets || offsets->kind != GN_JSON_ARRAY || !read_count(offsets->first, &item.begin) ||
        !read_count(offsets->first->next, &item.end) || offsets->first->next->next)
        return bad(p, member->key, "data_offsets should be two whole numbers");
    if (item.begin > item.end || item.end > p->data_bytes)
        return bad(p, member->key, "its data would lie outside the file (is the file truncated?)");
    if (item.end - item.begin != (uint64_t)gn_shape_count(&item.shape) * gn_weight_type_bytes(item.type))
        return bad(p, member->key, "its bytes do not fit its shape and type");
    *out = item;
    return GN_OK;
}

static int by_offset(const void *a, const void *b)
{
    const gn_safetensors_item *x = a, *y = b;
    if (x->begin != y->begin)
        return (x->begin > y->begin) - (x->begin < y->begin);
    return (x->end > y->end) - (x->end < y->end);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gn_safetensors_item *)a)->name, ((const gn_safetensors_item *)b)->name);
}

static gn_status check_items(const parse *p)
{
    gn_safetensors_item *items = p->header->items;
    const size_t n = p->header->n;
    uint64_t at = 0;
    if (n > 1)
        qsort(items, n, sizeof *items, by_offset);
    for (size_t i = 0; i < n; i++) {
        if (items[i].begin != at)
            return bad(p, items[i].name,
                       items[i].begin < at ? "its data overlaps another tensor's" : "a gap lies before its data");
        at = items[i].end;
    }
    if (at != p->data_bytes)
        return gn_fail_offset(p->err, GN_EFORMAT, p->name, -1, "%" PRIu64 " bytes after the last tensor belong to none",
                              p->data_bytes - at);
    if (n > 1)
        qsort(items, n, sizeof *items, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(items[i - 1].name, items[i].name) == 0)
            return bad(p, items[i].name, "it is there twice");
    return GN_OK;
}

static gn_status read_meta(parse *p, const gn_json *m)
{
    if (p->header->meta || m->kind != GN_JSON_OBJECT)
        return bad(p, META_KEY, "the metadata should be one map of strings");
    p->header->meta = m;
    for (const gn_json *s = m->first; s; s = s->next)
        if (s->kind != GN_JSON_STRING)
            return bad(p, META_KEY, "the metadata should be one map of strings");
    return GN_OK;
}

static gn_status read_members(parse *p, const gn_json *root)
{
    gn_safetensors_header *h = p->header;
    if (root->kind != GN_JSON_OBJECT)
        return gn_fail_offset(p->err, GN_EFORMAT, p->name, LENGTH_BYTES,
                              "the header of a safetensors file should be a JSON object");
    size_t n = 0;
    for (const gn_json *m = root->first; m; m = m->next)
        n++;
    if (n > GN_SAFETENSORS_MAX_TENSORS)
        return gn_fail_at(p->err, GN_ELIMIT, p->name, 0, "%zu tensors, at most %d are read", n,
                          GN_SAFETENSORS_MAX_TENSORS);
    h->items = gn_arena_alloc(p->arena, (n + 1) * sizeof *h->items);
    if (!h->items)
        return no_memory(p->name, p->err);
    for (const gn_json *m = root->first; m; m = m->next) {
        if (strcmp(m->key, META_KEY) == 0) {
            GN_TRY(read_meta(p, m));
            continue;
        }
        GN_TRY(read_item(p, m, &h->items[h->n]));
        h->n++;
    }
    return check_items(p);
}

static gn_status read_length(const gn_byte_source *source, uint64_t *bytes_out, gn_error *err)
{
    uint8_t b[LENGTH_BYTES];
    uint64_t bytes = 0;
    if (source->bytes < LENGTH_BYTES)
        return gn_fail_offset(err, GN_EFORMAT, source->name, (int64_t)source->bytes,
                              "the file is too short for a safetensors file");
    GN_TRY(gn_byte_source_read(source, 0, b, sizeof b, err));
    for (int i = 0; i < LENGTH_BYTES; i++)
        bytes |= (uint64_t)b[i] << (8 * i);
    if (bytes > GN_SAFETENSORS_MAX_HEADER_BYTES)
        return gn_fail_offset(err, GN_ELIMIT, source->name, 0,
                              "the header would have %" PRIu64 " bytes; is this a safetensors file?", bytes);
    if (bytes > source->bytes - LENGTH_BYTES)
        return gn_fail_offset(err, GN_EFORMAT, source->name, (int64_t)source->bytes,
                              "the file ends inside its header (is it truncated?)");
    *bytes_out = bytes;
    return GN_OK;
}

gn_status gn_safetensors_read_header(const gn_byte_source *source, gn_arena *arena, gn_safetensors_header *header_out,
                                     gn_error *err)
{
    uint64_t bytes = 0;
    const gn_json *root = NULL;
    gn_safetensors_header header = {0};
    GN_TRY(read_length(source, &bytes, err));
    char *text = gn_alloc((size_t)bytes + 1);
    if (!text)
        return no_memory(source->name, err);
    gn_status status = gn_byte_source_read(source, LENGTH_BYTES, text, bytes, err);
    if (status == GN_OK) {
        status = gn_json_parse(text, (size_t)bytes, arena, &root, err);
        if (status != GN_OK && err) {
            snprintf(err->file, sizeof err->file, "%s", source->name);
            err->offset += err->offset >= 0 ? LENGTH_BYTES : 0;
        }
    }
    gn_free(text);
    GN_TRY(status);
    header.data_at = LENGTH_BYTES + bytes;
    parse p = {&header, arena, source->name, source->bytes - header.data_at, err};
    GN_TRY(read_members(&p, root));
    *header_out = header;
    return GN_OK;
}

gn_status gn_weights_open_safetensors(gn_weights *w, gn_error *err)
{
    gn_safetensors_header header;
    w->form = "safetensors";
    GN_TRY(gn_safetensors_read_header(&w->source, w->arena, &header, err));
    for (size_t i = 0; i < header.n; i++) {
        const gn_safetensors_item *item = &header.items[i];
        const gn_weight_place place = {.base = header.data_at, .offset = item->begin, .is_contiguous = true};
        GN_TRY(gn_weights_add(w, item->name, item->type, &item->shape, &place, err));
    }
    if (w->n == 0)
        return gn_fail_at(err, GN_EDATA, w->name, 0, "the file has no tensors");
    return GN_OK;
}
