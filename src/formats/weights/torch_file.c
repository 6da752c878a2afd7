/* PyTorch checkpoints: the zip form (since 1.6: an archive with data.pkl and one entry per storage) and the legacy form (pickles, then
 * the storages one after another), and which of the values in them are the tensors that are meant.
 * Source: torch/serialization.py of PyTorch describes both.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/weights/pickle.h"
#include "formats/weights/weights_internal.h"
#include "formats/weights/zip_archive.h"

#define MAX_DEPTH        32
#define LEGACY_PROTOCOL  1001
#define MAX_PICKLE_BYTES ((uint64_t)256 << 20)

typedef gn_pickle_value value;

/* Where a storage of the legacy form lies. */
typedef struct legacy_storage {
    const gn_pickle_storage *storage;
    uint64_t at;
    bool is_placed;
} legacy_storage;

typedef struct torch_file {
    gn_weights *w;
    gn_pickle_heap heap;
    char prefix[256]; /* of the entries: "archive/" */
    legacy_storage *legacy;
    size_t n_legacy;
    gn_error *err;
} torch_file;

static gn_status no_memory(const torch_file *f)
{
    return gn_fail_at(f->err, GN_ENOMEM, f->w->name, 0, "no memory to read the checkpoint");
}

static size_t storage_element_bytes(const gn_pickle_storage *s)
{
    return s->is_untyped ? 1 : gn_weight_type_bytes(s->type);
}

/* ---- where storages lie ---- */

static int by_key(const void *a, const void *b)
{
    return strcmp(((const legacy_storage *)a)->storage->key, ((const legacy_storage *)b)->storage->key);
}

static legacy_storage *find_legacy(const torch_file *f, const char *key)
{
    const gn_pickle_storage wanted = {.key = key};
    const legacy_storage probe = {.storage = &wanted};
    return f->n_legacy ? bsearch(&probe, f->legacy, f->n_legacy, sizeof probe, by_key) : NULL;
}

static gn_status find_in_zip(torch_file *f, const gn_pickle_storage *s, gn_weight_place *place)
{
    uint64_t bytes = 0;
    char name[GN_WEIGHTS_MAX_NAME];
    snprintf(name, sizeof name, "%sdata/%s", f->prefix, s->key);
    const gn_status status = gn_zip_find(f->w->zip, name, &place->base, &bytes, f->err);
    if (status == GN_ENOENT)
        return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0, "the entry '%.200s' with contents of tensors is missing",
                          name);
    GN_TRY(status);
    const size_t each = storage_element_bytes(s);
    if ((uint64_t)s->root_count > bytes / each)
        return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0,
                          "entry '%.200s' has %" PRIu64 " bytes, %" PRId64 " elements of %zu bytes were expected", name,
                          bytes, s->root_count, each);
    place->is_entry = true;
    return GN_OK;
}

static gn_status find_in_legacy(torch_file *f, const gn_pickle_storage *s, gn_weight_place *place)
{
    const legacy_storage *found = find_legacy(f, s->key);
    if (!found || !found->is_placed)
        return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0, "the contents of storage '%.100s' are missing", s->key);
    if (s->root_count != found->storage->root_count ||
        storage_element_bytes(s) != storage_element_bytes(found->storage))
        return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0, "storage '%.100s' has two sizes or element types", s->key);
    place->base = found->at;
    return GN_OK;
}

/* ---- which tensors are meant ---- */

static bool is_row_major(const gn_pickle_tensor *t)
{
    int64_t expected = 1;
    for (int i = t->shape.rank; i-- > 0;) {
        if (t->shape.dim[i] != 1 && t->stride[i] != expected)
            return false;
        expected *= t->shape.dim[i];
    }
    return true;
}

static gn_status add_tensor(torch_file *f, const char *name, const gn_pickle_tensor *t)
{
    gn_weight_place place = {0};
    const uint64_t each = gn_weight_type_bytes(t->type);
    GN_TRY(f->w->zip ? find_in_zip(f, t->storage, &place) : find_in_legacy(f, t->storage, &place));
    place.offset = ((uint64_t)t->storage->offset + (uint64_t)t->offset) * each;
    memcpy(place.stride, t->stride, sizeof place.stride);
    place.is_contiguous = gn_shape_count(&t->shape) == 0 || is_row_major(t);
    return gn_weights_add(f->w, name, t->type, &t->shape, &place, f->err);
}

static bool is_container(const value *v)
{
    return v->kind == GN_PICKLE_DICT || v->kind == GN_PICKLE_LIST || v->kind == GN_PICKLE_TUPLE;
}

/* Each container is looked into once, however often it is referred to, also by itself. */
static bool holds_tensors(const value *v, int depth)
{
    if (v->kind == GN_PICKLE_TENSOR)
        return true;
    if (!is_container(v) || depth > MAX_DEPTH)
        return false;
    gn_pickle_items *items = v->u.items;
    if (items->holds_tensors != 0)
        return items->holds_tensors > 0;
    items->holds_tensors = -1;
    const size_t step = v->kind == GN_PICKLE_DICT ? 2 : 1;
    for (size_t i = step - 1; i < items->n; i += step)
        if (holds_tensors(&items->item[i], depth + 1)) {
            items->holds_tensors = 1;
            break;
        }
    return items->holds_tensors > 0;
}

static bool has_tensor(const value *dict)
{
    for (size_t i = 1; i < dict->u.items->n; i += 2)
        if (dict->u.items->item[i].kind == GN_PICKLE_TENSOR)
            return true;
    return false;
}

/* The name of an item below `path`. */
static gn_status item_name(torch_file *f, const char *path, const value *key, size_t i, const char **out)
{
    const char *dot = path[0] ? "." : "";
    if (key && key->kind == GN_PICKLE_STRING) {
        if (strlen(key->u.text->bytes) != key->u.text->n || key->u.text->n > GN_WEIGHTS_MAX_NAME)
            return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0, "a key of the checkpoint cannot be a name");
        *out = gn_arena_printf(f->w->arena, "%s%s%s", path, dot, key->u.text->bytes);
    } else if (key && key->kind != GN_PICKLE_INT) {
        return gn_fail_at(f->err, GN_EUNSUPPORTED, f->w->name, 0, "a tensor's key is neither a text nor a number");
    } else {
        *out = gn_arena_printf(f->w->arena, "%s%s%" PRId64, path, dot, key ? key->u.i : (int64_t)i);
    }
    return *out ? GN_OK : no_memory(f);
}

static bool is_other_state(const value *key)
{
    static const char *const others[] = {"optimizer", "optim", "scheduler", "lr_scheduler", "scaler", "grad_scaler"};
    if (!key || key->kind != GN_PICKLE_STRING)
        return false;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strncmp(key->u.text->bytes, others[i], strlen(others[i])) == 0)
            return true;
    return false;
}

/* Every tensor in `v`, named by the keys that lead to it.  A container is walked once, however often it is referred to. */
static gn_status add_all(torch_file *f, const value *v, const char *path, int depth)
{
    if (v->kind == GN_PICKLE_TENSOR)
        return add_tensor(f, path[0] ? path : "tensor", v->u.tensor);
    if (!is_container(v) || v->u.items->is_walked)
        return GN_OK;
    if (depth > MAX_DEPTH)
        return gn_fail_at(f->err, GN_ELIMIT, f->w->name, 0, "the checkpoint is nested more than %d deep", MAX_DEPTH);
    v->u.items->is_walked = true;
    const bool is_dict = v->kind == GN_PICKLE_DICT;
    for (size_t i = 0; i < v->u.items->n; i += is_dict ? 2 : 1) {
        const value *key = is_dict ? &v->u.items->item[i] : NULL;
        const value *item = &v->u.items->item[i + (is_dict ? 1 : 0)];
        const char *name = "";
        if (item->kind != GN_PICKLE_TENSOR && (!is_container(item) || (depth == 0 && is_other_state(key))))
            continue;
        GN_TRY(item_name(f, path, key, i, &name));
        GN_TRY(add_all(f, item, name, depth + 1));
    }
    return GN_OK;
}

/* The part of a checkpoint in which its authors usually keep the weights; NULL: none. */
static const value *find_state_dict(const value *dict, const char **key_out)
{
    static const char *const keys[] = {"state_dict", "model_state_dict", "model_state", "model", "net", "network",
                                       "ema",        "params",           "weights"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const value *v = gn_pickle_member(dict, keys[i]);
        if (v && v->kind == GN_PICKLE_DICT && holds_tensors(v, 0)) {
            *key_out = keys[i];
            return v;
        }
    }
    return NULL;
}

/* "ema", "model.state_dict": a key with dots in it is tried whole first. */
static const value *follow(const value *v, const char *key)
{
    const value *whole = gn_pickle_member(v, key);
    const char *dot = strchr(key, '.');
    char part[128];
    if (whole || !dot || (size_t)(dot - key) >= sizeof part)
        return whole;
    snprintf(part, sizeof part, "%.*s", (int)(dot - key), key);
    const value *next = gn_pickle_member(v, part);
    return next ? follow(next, dot + 1) : NULL;
}

static gn_status choose(torch_file *f, const value *root, const char *key)
{
    const value *v = root;
    f->w->key = key ? gn_arena_strdup(f->w->arena, key) : "";
    if (!f->w->key)
        return no_memory(f);
    if (key) {
        v = follow(root, key);
        if (!v)
            return gn_fail_at(f->err, GN_EDATA, f->w->name, 0, "the checkpoint has nothing under the key '%.100s'",
                              key);
    }
    for (int depth = 0; depth < 2 && v->kind == GN_PICKLE_DICT && !has_tensor(v); depth++) {
        const char *found = NULL;
        const value *inner = find_state_dict(v, &found);
        if (!inner)
            break;
        v = inner;
        f->w->key = f->w->key[0] ? gn_arena_printf(f->w->arena, "%s.%s", f->w->key, found) : found;
        if (!f->w->key)
            return no_memory(f);
    }
    GN_TRY(add_all(f, v, "", 0));
    if (f->w->n == 0)
        return gn_fail_at(f->err, GN_EDATA, f->w->name, 0, "the checkpoint has no tensors%s%.100s%s",
                          key ? " under the key '" : "", key ? key : "", key ? "'" : "");
    return GN_OK;
}

/* ---- the zip form ---- */

/* The folder in which everything lies: that of data.pkl. */
static gn_status find_prefix(torch_file *f)
{
    static const char last[] = "/data.pkl";
    for (uint64_t i = 0; i < gn_zip_count(f->w->zip); i++) {
        const char *name = gn_zip_name(f->w->zip, i);
        const char *slash = strchr(name, '/');
        if (!slash || strcmp(slash, last) != 0 || (size_t)(slash - name) + 2 > sizeof f->prefix)
            continue;
        snprintf(f->prefix, sizeof f->prefix, "%.*s/", (int)(slash - name), name);
        return GN_OK;
    }
    return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0,
                      "this is a zip file, but no PyTorch checkpoint: it has no data.pkl");
}

/* An entry as text, cut at n-1 bytes; "" when there is none. */
static gn_status read_word(torch_file *f, const char *entry, char *dst, size_t n)
{
    char name[300];
    uint64_t at = 0, bytes = 0;
    dst[0] = '\0';
    snprintf(name, sizeof name, "%s%s", f->prefix, entry);
    const gn_status status = gn_zip_find(f->w->zip, name, &at, &bytes, f->err);
    if (status == GN_ENOENT)
        return GN_OK;
    GN_TRY(status);
    if (bytes > n - 1)
        bytes = n - 1;
    GN_TRY(gn_zip_read(f->w->zip, at, 0, dst, bytes, f->err));
    dst[bytes] = '\0';
    return GN_OK;
}

static gn_status check_archive(torch_file *f)
{
    char word[16], name[300];
    uint64_t at, bytes;
    GN_TRY(read_word(f, "byteorder", word, sizeof word));
    if (word[0] && strncmp(word, "little", 6) != 0)
        return gn_fail_at(f->err, GN_EUNSUPPORTED, f->w->name, 0, "its byte order is \"%s\", only little is read",
                          word);
    snprintf(name, sizeof name, "%sconstants.pkl", f->prefix);
    if (gn_zip_find(f->w->zip, name, &at, &bytes, NULL) == GN_OK)
        return gn_fail_at(f->err, GN_EUNSUPPORTED, f->w->name, 0,
                          "this is a TorchScript program, which is not run here; save its weights: "
                          "torch.save(torch.jit.load(\"...\").state_dict(), \"weights.pth\")");
    return GN_OK;
}

gn_status gn_weights_open_torch_zip(gn_weights *w, const char *key, gn_error *err)
{
    torch_file f = {.w = w, .err = err, .heap = {.arena = w->arena, .budget = GN_PICKLE_MAX_BYTES}};
    uint64_t at = 0, bytes = 0, end = 0;
    char name[300];
    value root = {0};
    w->form = "PyTorch checkpoint";
    GN_TRY(gn_zip_open(&w->source, &w->zip, err));
    GN_TRY(find_prefix(&f));
    GN_TRY(check_archive(&f));
    snprintf(name, sizeof name, "%sdata.pkl", f.prefix);
    GN_TRY(gn_zip_find(w->zip, name, &at, &bytes, err));
    if (bytes > MAX_PICKLE_BYTES)
        return gn_fail_at(err, GN_ELIMIT, w->name, 0,
                          "its data.pkl has %" PRIu64 " bytes, at most %" PRIu64 " are read", bytes, MAX_PICKLE_BYTES);
    char *pickle = gn_alloc((size_t)bytes + 1);
    if (!pickle)
        return no_memory(&f);
    gn_status status = gn_zip_read(w->zip, at, 0, pickle, bytes, err);
    const gn_byte_source source = gn_byte_source_memory(pickle, bytes, w->name);
    if (status == GN_OK)
        status = gn_pickle_read(&source, 0, &f.heap, &root, &end, err);
    if (status == GN_OK)
        status = choose(&f, &root, key);
    gn_free(pickle);
    return status;
}

/* ---- the legacy form ---- */

static bool is_magic(const value *v)
{
    static const uint8_t magic[10] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    return v->kind == GN_PICKLE_BIG && v->u.text->n == sizeof magic &&
           memcmp(v->u.text->bytes, magic, sizeof magic) == 0;
}

/* Magic number, protocol and machine; *at moves behind them. */
static gn_status read_preamble(torch_file *f, uint64_t *at)
{
    value v = {0};
    GN_TRY(gn_pickle_read(&f->w->source, *at, &f->heap, &v, at, f->err));
    if (!is_magic(&v))
        return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0,
                          "this is a pickle, but no PyTorch checkpoint: PyTorch's magic number was expected first");
    GN_TRY(gn_pickle_read(&f->w->source, *at, &f->heap, &v, at, f->err));
    if (v.kind != GN_PICKLE_INT || v.u.i != LEGACY_PROTOCOL)
        return gn_fail_at(f->err, GN_EUNSUPPORTED, f->w->name, 0,
                          "the checkpoint has another protocol than %d, the only one of its form", LEGACY_PROTOCOL);
    GN_TRY(gn_pickle_read(&f->w->source, *at, &f->heap, &v, at, f->err));
    const value *little = gn_pickle_member(&v, "little_endian");
    if (little && little->kind == GN_PICKLE_BOOL && !little->u.i)
        return gn_fail_at(f->err, GN_EUNSUPPORTED, f->w->name, 0,
                          "the checkpoint was written in big-endian order, only little-endian is read");
    return GN_OK;
}

/* All storages that the pickle named, sorted by key. */
static gn_status list_storages(torch_file *f)
{
    size_t n = 0;
    for (const gn_pickle_storage *s = f->heap.storages; s; s = s->next)
        n++;
    f->legacy = gn_arena_alloc(f->w->arena, (n + 1) * sizeof *f->legacy);
    if (!f->legacy)
        return no_memory(f);
    for (const gn_pickle_storage *s = f->heap.storages; s; s = s->next)
        f->legacy[f->n_legacy++].storage = s;
    qsort(f->legacy, n, sizeof *f->legacy, by_key);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(f->legacy[kept - 1].storage->key, f->legacy[i].storage->key) != 0)
            f->legacy[kept++] = f->legacy[i];
    f->n_legacy = kept;
    return GN_OK;
}

/* Each storage is its number of elements and then the elements. */
static gn_status place_storages(torch_file *f, const value *keys, uint64_t at)
{
    if (keys->kind != GN_PICKLE_LIST)
        return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0, "the list of storages is missing");
    for (size_t i = 0; i < keys->u.items->n; i++) {
        const value *key = &keys->u.items->item[i];
        uint8_t head[8];
        uint64_t count = 0;
        legacy_storage *s = key->kind == GN_PICKLE_STRING ? find_legacy(f, key->u.text->bytes) : NULL;
        if (!s || s->is_placed)
            return gn_fail_at(f->err, GN_EFORMAT, f->w->name, 0, "the list of storages does not fit the tensors");
        GN_TRY(gn_byte_source_read(&f->w->source, at, head, sizeof head, f->err));
        for (int k = 0; k < 8; k++)
            count |= (uint64_t)head[k] << (8 * k);
        at += sizeof head;
        const uint64_t each = storage_element_bytes(s->storage), left = f->w->source.bytes - at;
        if (count != (uint64_t)s->storage->root_count)
            return gn_fail_offset(f->err, GN_EFORMAT, f->w->name, (int64_t)at,
                                  "storage '%.100s' has %" PRIu64 " elements here, the tensors expect %" PRId64,
                                  s->storage->key, count, s->storage->root_count);
        if (count > left / each)
            return gn_fail_offset(f->err, GN_EFORMAT, f->w->name, (int64_t)f->w->source.bytes,
                                  "the file ends inside storage '%.100s' (is it truncated?)", s->storage->key);
        s->at = at;
        s->is_placed = true;
        at += count * each;
    }
    return GN_OK;
}

gn_status gn_weights_open_torch_legacy(gn_weights *w, const char *key, gn_error *err)
{
    torch_file f = {.w = w, .err = err, .heap = {.arena = w->arena, .budget = GN_PICKLE_MAX_BYTES}};
    uint64_t at = 0;
    value root = {0}, keys = {0};
    w->form = "PyTorch checkpoint (legacy form)";
    GN_TRY(read_preamble(&f, &at));
    GN_TRY(gn_pickle_read(&w->source, at, &f.heap, &root, &at, err));
    GN_TRY(gn_pickle_read(&w->source, at, &f.heap, &keys, &at, err));
    GN_TRY(list_storages(&f));
    GN_TRY(place_storages(&f, &keys, at));
    return choose(&f, &root, key);
}
