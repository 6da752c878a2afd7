/* Files of weights behind one face: which form it is, finding by name, and reading contents.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/weights.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/weights/weights_internal.h"
#include "formats/weights/zip_archive.h"

/* Elements that are converted go through a buffer of this size. */
#define PIECE_BYTES ((size_t)1 << 20)

static const struct {
    const char *name;
    size_t bytes;
    gn_dtype dtype;
} types[] = {
    [GN_WEIGHT_F32] = {"f32", 4, GN_DTYPE_F32}, [GN_WEIGHT_F64] = {"f64", 8, GN_DTYPE_F64},
    [GN_WEIGHT_F16] = {"f16", 2, GN_DTYPE_F16}, [GN_WEIGHT_BF16] = {"bf16", 2, GN_DTYPE_F32},
    [GN_WEIGHT_S64] = {"s64", 8, GN_DTYPE_S64}, [GN_WEIGHT_S32] = {"s32", 4, GN_DTYPE_S32},
    [GN_WEIGHT_S16] = {"s16", 2, GN_DTYPE_S16}, [GN_WEIGHT_S8] = {"s8", 1, GN_DTYPE_S8},
    [GN_WEIGHT_U8] = {"u8", 1, GN_DTYPE_U8},    [GN_WEIGHT_BOOL] = {"bool", 1, GN_DTYPE_BOOL},
};

const char *gn_weight_type_name(gn_weight_type type)
{
    return types[type].name;
}

gn_dtype gn_weight_type_dtype(gn_weight_type type)
{
    return types[type].dtype;
}

size_t gn_weight_type_bytes(gn_weight_type type)
{
    return types[type].bytes;
}

static gn_status no_memory(const gn_weights *w, gn_error *err)
{
    return gn_fail_at(err, GN_ENOMEM, w->name, 0, "no memory to read the weights");
}

/* ---- the list ---- */

gn_status gn_weights_add(gn_weights *w, const char *name, gn_weight_type type, const gn_shape *shape,
                         const gn_weight_place *place, gn_error *err)
{
    const size_t length = strlen(name);
    bool is_good = length > 0 && length <= GN_WEIGHTS_MAX_NAME;
    for (size_t i = 0; i < length && is_good; i++)
        is_good = (unsigned char)name[i] >= ' ' && name[i] != 0x7f;
    if (!is_good)
        return gn_fail_at(err, GN_EFORMAT, w->name, 0,
                          "the name of tensor %zu is empty, longer than %d bytes or has control characters", w->n,
                          GN_WEIGHTS_MAX_NAME);
    if (w->n >= GN_WEIGHTS_MAX_TENSORS)
        return gn_fail_at(err, GN_ELIMIT, w->name, 0, "more than %d tensors, the limit", GN_WEIGHTS_MAX_TENSORS);
    if (gn_grow(&w->items, &w->cap_items, w->n + 1, sizeof *w->items) != GN_OK ||
        gn_grow(&w->places, &w->cap_places, w->n + 1, sizeof *w->places) != GN_OK)
        return no_memory(w, err);
    w->items[w->n] = (gn_weight){.name = name, .type = type, .shape = *shape};
    w->places[w->n++] = *place;
    return GN_OK;
}

/* What DataParallel puts before every name. */
static void drop_module(gn_weights *w)
{
    static const char prefix[] = "module.";
    const size_t n = sizeof prefix - 1;
    for (;;) {
        for (size_t i = 0; i < w->n; i++)
            if (strncmp(w->items[i].name, prefix, n) != 0 || !w->items[i].name[n])
                return;
        for (size_t i = 0; i < w->n; i++)
            w->items[i].name += n;
    }
}

typedef struct named {
    const char *name;
    size_t i;
} named;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named *)a)->name, ((const named *)b)->name);
}

static gn_status sort_names(gn_weights *w, gn_error *err)
{
    named *all = gn_alloc((w->n + 1) * sizeof *all);
    w->by_name = gn_arena_alloc(w->arena, (w->n + 1) * sizeof *w->by_name);
    gn_status status = all && w->by_name ? GN_OK : no_memory(w, err);
    for (size_t i = 0; i < w->n && status == GN_OK; i++)
        all[i] = (named){w->items[i].name, i};
    if (status == GN_OK && w->n > 1)
        qsort(all, w->n, sizeof *all, by_name);
    for (size_t i = 0; i < w->n && status == GN_OK; i++) {
        w->by_name[i] = all[i].i;
        if (i > 0 && strcmp(all[i - 1].name, all[i].name) == 0)
            status = gn_fail_at(err, GN_EDATA, w->name, 0, "two tensors are named '%.200s'", all[i].name);
    }
    gn_free(all);
    return status;
}

/* ---- opening ---- */

static gn_status open_form(gn_weights *w, const char *key, gn_error *err)
{
    uint8_t b[16] = {0};
    const uint64_t n = w->source.bytes < sizeof b ? w->source.bytes : sizeof b;
    GN_TRY(gn_byte_source_read(&w->source, 0, b, n, err));
    if (n >= 4 && memcmp(b, "PK\3\4", 4) == 0)
        return gn_weights_open_torch_zip(w, key, err);
    if (n >= 2 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5)
        return gn_weights_open_torch_legacy(w, key, err);
    if (n >= 9 && b[8] == '{')
        return gn_weights_open_safetensors(w, err);
    return gn_fail_at(err, GN_EFORMAT, w->name, 0,
                      "this is neither a PyTorch checkpoint nor a safetensors file: it begins with %02x %02x %02x %02x",
                      b[0], b[1], b[2], b[3]);
}

/* Takes `source`. */
static gn_status open_source(gn_byte_source source, const char *name, const char *key, gn_weights **weights_out,
                             gn_error *err)
{
    gn_status status = GN_OK;
    gn_weights *w = gn_calloc(1, sizeof *w);
    if (!w) {
        gn_byte_source_close(&source);
        return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
    }
    w->source = source;
    w->key = "";
    w->arena = gn_arena_create(0);
    w->name = w->arena ? gn_arena_strdup(w->arena, name) : NULL;
    if (!w->name) {
        status = gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
        goto cleanup;
    }
    w->source.name = w->name;
    status = open_form(w, key, err);
    if (status != GN_OK)
        goto cleanup;
    drop_module(w);
    status = sort_names(w, err);

cleanup:
    if (status != GN_OK)
        gn_weights_close(&w);
    else
        *weights_out = w;
    return status;
}

gn_status gn_weights_open(const char *path, const char *key, gn_weights **weights_out, gn_error *err)
{
    gn_byte_source source;
    GN_TRY(gn_byte_source_open(path, GN_WEIGHTS_MAX_BYTES, &source, err));
    return open_source(source, path, key, weights_out, err);
}

gn_status gn_weights_open_bytes(const void *bytes, size_t n, const char *name, const char *key,
                                gn_weights **weights_out, gn_error *err)
{
    return open_source(gn_byte_source_memory(bytes, n, name), name, key, weights_out, err);
}

/* The type of a graph's tensor in a file. */
static bool find_type(gn_dtype dtype, gn_weight_type *type_out)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].dtype == dtype && types[i].bytes == gn_dtype_bytes(dtype)) {
            *type_out = (gn_weight_type)i;
            return true;
        }
    return false;
}

static gn_status add_states(gn_weights *w, const gn_graph *graph, gn_error *err)
{
    for (int id = 0; id < gn_graph_value_count(graph); id++) {
        const gn_value *v = gn_graph_value(graph, id);
        gn_weight_type type;
        if (v->kind != GN_VALUE_STATE || !v->data || !find_type(v->data->dtype, &type))
            continue;
        const gn_weight_place place = {.tensor = v->data};
        GN_TRY(gn_weights_add(w, v->name, type, &v->data->shape, &place, err));
    }
    return GN_OK;
}

gn_status gn_weights_open_graph(const gn_graph *graph, const char *name, gn_weights **weights_out, gn_error *err)
{
    gn_weights *w = gn_calloc(1, sizeof *w);
    if (!w)
        return gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
    *w = (gn_weights){.source = gn_byte_source_memory(NULL, 0, name), .key = "", .form = "model"};
    w->arena = gn_arena_create(0);
    w->name = w->arena ? gn_arena_strdup(w->arena, name) : NULL;
    gn_status status = w->name ? GN_OK : gn_fail_at(err, GN_ENOMEM, name, 0, "no memory to read the weights");
    if (status == GN_OK)
        status = add_states(w, graph, err);
    if (status == GN_OK)
        status = sort_names(w, err);
    if (status != GN_OK)
        gn_weights_close(&w);
    else
        *weights_out = w;
    return status;
}

void gn_weights_close(gn_weights **weights)
{
    if (!weights || !*weights)
        return;
    gn_weights *w = *weights;
    gn_zip_close(&w->zip);
    gn_byte_source_close(&w->source);
    gn_free(w->items);
    gn_free(w->places);
    gn_arena_destroy(&w->arena);
    gn_free(w);
    *weights = NULL;
}

/* ---- looking ---- */

const char *gn_weights_name(const gn_weights *weights)
{
    return weights->name;
}

const char *gn_weights_form(const gn_weights *weights)
{
    return weights->form;
}

const char *gn_weights_key(const gn_weights *weights)
{
    return weights->key;
}

size_t gn_weights_count(const gn_weights *weights)
{
    return weights->n;
}

const gn_weight *gn_weights_at(const gn_weights *weights, size_t i)
{
    GN_ASSERT(i < weights->n);
    return &weights->items[i];
}

bool gn_weights_find(const gn_weights *weights, const char *name, size_t *i_out)
{
    size_t low = 0, high = weights->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2, i = weights->by_name[mid];
        const int order = strcmp(weights->items[i].name, name);
        if (order == 0) {
            *i_out = i;
            return true;
        }
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

/* ---- contents ---- */

static float f32_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* One element of a file as a double; whole numbers beyond 2^53 are rounded. */
static double element(gn_weight_type type, const uint8_t *p)
{
    uint64_t u = 0;
    double d;
    for (size_t i = 0; i < types[type].bytes; i++)
        u |= (uint64_t)p[i] << (8 * i);
    switch (type) {
    case GN_WEIGHT_F32:
        return (double)f32_of_bits((uint32_t)u);
    case GN_WEIGHT_BF16:
        return (double)f32_of_bits((uint32_t)u << 16);
    case GN_WEIGHT_F64:
        memcpy(&d, &u, sizeof d);
        return d;
    case GN_WEIGHT_F16: {
        const gn_shape scalar = {0};
        uint16_t half = (uint16_t)u;
        const gn_tensor t = gn_tensor_view(GN_DTYPE_F16, &scalar, &half);
        return gn_tensor_get(&t, 0);
    }
    case GN_WEIGHT_S64:
        return (double)(int64_t)u;
    case GN_WEIGHT_S32:
        return (double)(int32_t)(uint32_t)u;
    case GN_WEIGHT_S16:
        return (double)(int16_t)(uint16_t)u;
    case GN_WEIGHT_S8:
        return (double)(int8_t)(uint8_t)u;
    default:
        return (double)u;
    }
}

static void convert(gn_weight_type type, const uint8_t *src, int64_t n, gn_tensor *dst, int64_t at)
{
    const size_t each = types[type].bytes;
    if (types[type].dtype == dst->dtype && gn_dtype_bytes(dst->dtype) == each) {
        memcpy((uint8_t *)dst->data + (size_t)at * each, src, (size_t)n * each);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        gn_tensor_set(dst, at + i, element(type, src + (size_t)i * each));
}

static gn_status read_range(const gn_weights *w, const gn_weight_place *place, uint64_t offset, void *dst, uint64_t n,
                            gn_error *err)
{
    if (place->is_entry)
        return gn_zip_read(w->zip, place->base, offset, dst, n, err);
    return gn_byte_source_read(&w->source, place->base + offset, dst, n, err);
}

static gn_status read_rows(const gn_weights *w, size_t i, gn_tensor *dst, gn_error *err)
{
    const gn_weight_type type = w->items[i].type;
    const gn_weight_place *place = &w->places[i];
    const size_t each = types[type].bytes;
    const uint64_t count = (uint64_t)gn_tensor_count(dst);
    if (types[type].dtype == dst->dtype && gn_dtype_bytes(dst->dtype) == each)
        return read_range(w, place, place->offset, dst->data, count * each, err);
    const uint64_t piece = PIECE_BYTES / each;
    gn_status status = GN_OK;
    uint8_t *buffer = gn_alloc((size_t)(count < piece ? count : piece) * each);
    if (!buffer)
        return no_memory(w, err);
    for (uint64_t at = 0; at < count && status == GN_OK; at += piece) {
        const uint64_t n = count - at < piece ? count - at : piece;
        status = read_range(w, place, place->offset + at * each, buffer, n * each, err);
        if (status == GN_OK)
            convert(type, buffer, (int64_t)n, dst, (int64_t)at);
    }
    gn_free(buffer);
    return status;
}

/* A view with strides: the stretch that it touches is read, which its storage bounds. */
static gn_status read_strided(const gn_weights *w, size_t i, gn_tensor *dst, gn_error *err)
{
    const gn_weight *item = &w->items[i];
    const gn_weight_place *place = &w->places[i];
    const size_t each = types[item->type].bytes;
    uint64_t reach = 1;
    for (int d = 0; d < item->shape.rank; d++)
        reach += (uint64_t)(item->shape.dim[d] - 1) * (uint64_t)place->stride[d];
    uint8_t *span = gn_alloc((size_t)reach * each);
    if (!span)
        return no_memory(w, err);
    const gn_status status = read_range(w, place, place->offset, span, reach * each, err);
    int64_t index[GN_MAX_RANK] = {0};
    const int64_t count = gn_tensor_count(dst);
    for (int64_t at = 0; at < count && status == GN_OK; at++) {
        int64_t from = 0;
        for (int d = 0; d < item->shape.rank; d++)
            from += index[d] * place->stride[d];
        convert(item->type, span + (size_t)from * each, 1, dst, at);
        for (int d = item->shape.rank; d-- > 0;) {
            if (++index[d] < item->shape.dim[d])
                break;
            index[d] = 0;
        }
    }
    gn_free(span);
    return status;
}

gn_status gn_weights_read(const gn_weights *weights, size_t i, gn_tensor *dst, gn_error *err)
{
    GN_ASSERT(i < weights->n && gn_shape_equal(&weights->items[i].shape, &dst->shape));
    const gn_weight_place *place = &weights->places[i];
    if (gn_tensor_count(dst) == 0)
        return GN_OK;
    if (place->tensor) {
        convert(weights->items[i].type, place->tensor->data, gn_tensor_count(dst), dst, 0);
        return GN_OK;
    }
    return place->is_contiguous ? read_rows(weights, i, dst, err) : read_strided(weights, i, dst, err);
}
