/* Pickles, zip files and checkpoints byte by byte.
 * SPDX-License-Identifier: Apache-2.0 */
#include "torch_builder.h"

#include <string.h>

static void put(gn_text *t, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        const uint8_t b = (uint8_t)(x >> (8 * i));
        gn_text_add_bytes(t, &b, 1);
    }
}

/* ---- pickles ---- */

void pickle_op(gn_text *t, const char *ops)
{
    gn_text_add(t, ops);
}

void pickle_string(gn_text *t, const char *s)
{
    gn_text_add(t, "X");
    put(t, strlen(s), 4);
    gn_text_add(t, s);
}

void pickle_int(gn_text *t, int64_t x)
{
    gn_text_add(t, "\x8a\x08");
    put(t, (uint64_t)x, 8);
}

void pickle_global(gn_text *t, const char *module, const char *name)
{
    gn_text_printf(t, "c%s\n%s\n", module, name);
}

void pickle_storage(gn_text *t, const char *type, const char *key, int64_t count)
{
    pickle_op(t, "(");
    pickle_string(t, "storage");
    pickle_global(t, "torch", type);
    pickle_string(t, key);
    pickle_string(t, "cpu");
    pickle_int(t, count);
    pickle_op(t, "tQ");
}

void pickle_tensor(gn_text *t, const tensor_spec *spec)
{
    pickle_global(t, "torch._utils", "_rebuild_tensor_v2");
    pickle_op(t, "(");
    pickle_storage(t, spec->type, spec->key, spec->count);
    pickle_int(t, spec->offset);
    pickle_op(t, "(");
    for (int i = 0; i < spec->rank; i++)
        pickle_int(t, spec->shape[i]);
    pickle_op(t, "t(");
    for (int i = 0; i < spec->rank; i++)
        pickle_int(t, spec->stride[i]);
    pickle_op(t, "t\x89NtR");
}

gn_text pickle_dict(gn_text *body)
{
    gn_text t;
    gn_text_init(&t);
    gn_text_add(&t, "\x80\x02}(");
    gn_text_add_bytes(&t, body->data, body->len);
    gn_text_add(&t, "u.");
    gn_text_deinit(body);
    return t;
}

/* ---- files ---- */

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = (crc >> 1) ^ (0xedb88320u & (0u - (crc & 1)));
    }
    return ~crc;
}

/* The fields that a local header and the directory have in common. */
static void put_common(gn_text *t, const zip_entry *e)
{
    put(t, 20, 2); /* version */
    put(t, 0, 2);
    put(t, (uint64_t)e->method, 2);
    put(t, 0, 4); /* time */
    put(t, crc32_of(e->data, e->n), 4);
    put(t, e->n, 4);
    put(t, e->claims ? e->claims : e->n, 4);
    put(t, strlen(e->name), 2);
    put(t, 0, 2);
}

gn_text zip_file(const zip_entry *entries, int n, int claimed_entries)
{
    gn_text t, directory;
    gn_text_init(&t);
    gn_text_init(&directory);
    for (int i = 0; i < n; i++) {
        gn_text_add(&directory, "PK\1\2");
        put(&directory, 20, 2);
        put_common(&directory, &entries[i]);
        put(&directory, 0, 6); /* comment, disk, kind */
        put(&directory, 0, 4);
        put(&directory, t.len, 4);
        gn_text_add(&directory, entries[i].name);
        gn_text_add(&t, "PK\3\4");
        put_common(&t, &entries[i]);
        gn_text_add(&t, entries[i].name);
        gn_text_add_bytes(&t, entries[i].data, entries[i].n);
    }
    const size_t at = t.len;
    gn_text_add_bytes(&t, directory.data, directory.len);
    gn_text_add(&t, "PK\5\6");
    put(&t, 0, 4);
    put(&t, (uint64_t)(claimed_entries ? claimed_entries : n), 2);
    put(&t, (uint64_t)(claimed_entries ? claimed_entries : n), 2);
    put(&t, directory.len, 4);
    put(&t, at, 4);
    put(&t, 0, 2);
    gn_text_deinit(&directory);
    return t;
}

gn_text checkpoint_zip(gn_text *pickle, const void *storage, size_t n)
{
    const zip_entry entries[2] = {{.name = "archive/data.pkl", .data = pickle->data, .n = pickle->len},
                                  {.name = "archive/data/0", .data = storage, .n = n}};
    gn_text t = zip_file(entries, 2, 0);
    gn_text_deinit(pickle);
    return t;
}

gn_text checkpoint_legacy(gn_text *pickle, int64_t count, const void *storage, size_t n)
{
    static const char magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
    gn_text t;
    gn_text_init(&t);
    gn_text_add_bytes(&t, magic, sizeof magic - 1);
    gn_text_add(&t, "\x80\x02M\xe9\x03.");
    gn_text_add(&t, "\x80\x02}.");
    gn_text_add_bytes(&t, pickle->data, pickle->len);
    gn_text_add(&t, "\x80\x02]");
    pickle_string(&t, "0");
    gn_text_add(&t, "a.");
    put(&t, (uint64_t)count, 8);
    gn_text_add_bytes(&t, storage, n);
    gn_text_deinit(pickle);
    return t;
}
