/* The .weights file: a header (versions, pictures seen), then the numbers of all layers in order, float32, without names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "formats/darknet/darknet_build.h"

/* Three 32-bit versions, and the number of pictures seen in 32 bits or, since version 0.2, in 64. */
#define OLD_HEADER_BYTES 16
#define HEADER_BYTES     20
/* Beyond this in a version, matrices of connected layers are transposed. */
#define TRANSPOSED_VERSION 1000

typedef struct reader {
    const uint8_t *bytes;
    size_t at, n;
    bool is_transposed;
} reader;

static gn_status read_header(reader *r, const char *name, gn_error *err)
{
    int32_t version[3];
    if (r->n < OLD_HEADER_BYTES)
        return gn_fail_offset(err, GN_EFORMAT, name, (int64_t)r->n, "too short for a Darknet .weights file");
    memcpy(version, r->bytes, sizeof version);
    const int64_t major = version[0], minor = version[1];
    if (major < 0 || minor < 0 || major > 100000 || minor > 100000)
        return gn_fail_at(err, GN_EFORMAT, name, 0,
                          "not a Darknet .weights file: its version would be %" PRId64 ".%" PRId64, major, minor);
    r->at = major * 10 + minor >= 2 && major < 1000 && minor < 1000 ? HEADER_BYTES : OLD_HEADER_BYTES;
    r->is_transposed = major > TRANSPOSED_VERSION || minor > TRANSPOSED_VERSION;
    if (r->n < r->at)
        return gn_fail_offset(err, GN_EFORMAT, name, (int64_t)r->n, "too short for a Darknet .weights file");
    return GN_OK;
}

static size_t slot_bytes(const gn_darknet_build *b, const gn_darknet_slot *slot)
{
    return (size_t)gn_shape_count(&gn_graph_value(b->graph, slot->value)->shape) * sizeof(float);
}

/* How many slots the file fills: all, or with is_partial those of the layers before its end. */
static gn_status count_slots(const gn_darknet_build *b, const reader *r, const char *name, size_t *n_out)
{
    size_t at = r->at, i = 0;
    while (i < b->n_slots && slot_bytes(b, &b->slots[i]) <= r->n - at)
        at += slot_bytes(b, &b->slots[i++]);
    const bool is_within = i > 0 && i < b->n_slots && b->slots[i].section == b->slots[i - 1].section;
    if (i < b->n_slots && (at != r->n || is_within))
        return gn_fail_offset(b->err, GN_EFORMAT, name, (int64_t)r->n,
                              "the file ends within the weights of [%s], line %d of %s (is it of another .cfg?)",
                              b->slots[i].section->name, b->slots[i].section->line, b->cfg->name);
    if (at != r->n)
        return gn_fail_offset(b->err, GN_EFORMAT, name, (int64_t)at,
                              "the layers of %s end here, %zu bytes are left over (is it of another .cfg?)",
                              b->cfg->name, r->n - at);
    *n_out = i;
    return GN_OK;
}

static void note_rest(gn_darknet_build *b, size_t n)
{
    if (b->notes && n < b->n_slots)
        gn_text_printf(b->notes, "random weights from [%s] in line %d on: the .weights file ends before it\n",
                       b->slots[n].section->name, b->slots[n].section->line);
}

/* dst [c][r] from src [r][c] */
static void transpose(float *dst, const uint8_t *src, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++)
            memcpy(&dst[c * rows + r], src + (size_t)(r * cols + c) * sizeof(float), sizeof(float));
}

/* Row i of the tensor becomes what was row rows[i]. */
static gn_status reorder(gn_tensor *data, const int *rows, gn_error *err)
{
    const size_t row = (size_t)(gn_tensor_count(data) / data->shape.dim[0]) * sizeof(float);
    char *from = gn_alloc(row * (size_t)data->shape.dim[0]), *to = data->data;
    if (!from)
        return gn_fail(err, GN_ENOMEM, "no memory to read the .weights file");
    memcpy(from, to, row * (size_t)data->shape.dim[0]);
    for (int64_t i = 0; i < data->shape.dim[0]; i++)
        memcpy(to + (size_t)i * row, from + (size_t)rows[i] * row, row);
    gn_free(from);
    return GN_OK;
}

static gn_status read_slot(const gn_darknet_build *b, const gn_darknet_slot *slot, reader *r)
{
    const gn_value *v = gn_graph_value(b->graph, slot->value);
    float *dst = v->data->data;
    const int64_t count = gn_shape_count(&v->shape), first = v->shape.dim[0];
    const uint8_t *src = r->bytes + r->at;
    r->at += (size_t)count * sizeof *dst;
    if (slot->order == GN_DARKNET_LOCAL) {
        const int64_t in = v->shape.dim[1], out = v->shape.dim[2];
        for (int64_t i = 0; i < first; i++)
            transpose(dst + i * in * out, src + (size_t)(i * in * out) * sizeof *dst, out, in);
    } else if (slot->order == GN_DARKNET_FLIPPED || (slot->order == GN_DARKNET_CONNECTED && r->is_transposed)) {
        transpose(dst, src, count / first, first);
    } else {
        memcpy(dst, src, (size_t)count * sizeof *dst);
    }
    return slot->rows ? reorder(v->data, slot->rows, b->err) : GN_OK;
}

static void draw_slot(const gn_darknet_build *b, const gn_darknet_slot *slot, uint64_t seed)
{
    const gn_value *v = gn_graph_value(b->graph, slot->value);
    float *dst = v->data->data;
    const int64_t count = gn_shape_count(&v->shape);
    gn_rng rng;
    gn_rng_init(&rng, seed, gn_hash64(v->name, strlen(v->name), 0));
    for (int64_t i = 0; i < count; i++)
        dst[i] = slot->spread > 0 ? (float)(slot->spread * (2 * gn_rng_uniform(&rng) - 1)) : slot->start;
}

gn_status gn_darknet_count(const void *weights, size_t bytes, const char *name, int64_t *count_out, gn_error *err)
{
    reader r = {.bytes = weights, .n = bytes};
    GN_TRY(read_header(&r, name, err));
    *count_out = (int64_t)((r.n - r.at) / sizeof(float));
    return GN_OK;
}

gn_status gn_darknet_fill(gn_darknet_build *b, const void *weights, size_t bytes, const char *name, uint64_t seed)
{
    reader r = {.bytes = weights, .n = bytes};
    size_t n = 0;
    if (weights) {
        GN_TRY(read_header(&r, name, b->err));
        GN_TRY(count_slots(b, &r, name, &n));
        note_rest(b, n);
    }
    for (size_t i = 0; i < b->n_slots; i++)
        if (i < n)
            GN_TRY(read_slot(b, &b->slots[i], &r));
        else
            draw_slot(b, &b->slots[i], seed);
    return GN_OK;
}
