/* Scratch data sets; see data_fixture.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "image/image.h"

static void remove_tree(const char *path)
{
    if (gn_path_is_dir(path)) {
        gn_arena *arena = gn_arena_create(0);
        const char **names = NULL;
        size_t n = 0;
        assert_int_equal(gn_list_dir(path, arena, &names, &n, NULL), GN_OK);
        for (size_t i = 0; i < n; i++) {
            char child[FIXTURE_PATH_BYTES * 2];
            snprintf(child, sizeof child, "%s/%s", path, names[i]);
            remove_tree(child);
        }
        gn_arena_destroy(&arena);
    }
    remove(path);
}

int fixture_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    char *folder = malloc(FIXTURE_PATH_BYTES);
    snprintf(folder, FIXTURE_PATH_BYTES, "%s/gannet-data-XXXXXX", tmp != NULL ? tmp : "/tmp");
    *state = folder;
    return mkdtemp(folder) != NULL ? 0 : -1;
}

int fixture_teardown(void **state)
{
    remove_tree(*state);
    free(*state);
    return 0;
}

const char *fixture_path(void *const *state, const char *name)
{
    static char buffer[8][FIXTURE_PATH_BYTES * 2];
    static int next;
    char *path = buffer[next++ % 8];
    snprintf(path, sizeof buffer[0], "%s/%s", (const char *)*state, name);
    return path;
}

void fixture_write_bytes(void *const *state, const char *name, const void *bytes, size_t n)
{
    char folder[FIXTURE_PATH_BYTES * 2];
    const char *path = fixture_path(state, name);
    gn_path_dir(path, folder, sizeof folder);
    assert_int_equal(gn_make_dirs(folder, NULL), GN_OK);
    assert_int_equal(gn_file_write(path, bytes, n, NULL), GN_OK);
}

void fixture_write(void *const *state, const char *name, const char *text)
{
    fixture_write_bytes(state, name, text, strlen(text));
}

void fixture_picture(void *const *state, const char *name, int width, int height, unsigned seed)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    gn_rng rng;
    gn_rng_init(&rng, seed, 0);
    uint8_t block[8][9][3];
    for (int i = 0; i < 8 * 9 * 3; i++)
        (&block[0][0][0])[i] = (uint8_t)gn_rng_u32(&rng);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            memcpy(image.data + (size_t)y * image.stride_bytes + (size_t)x * 3, block[y * 8 / height][x * 9 / width],
                   3);
    char folder[FIXTURE_PATH_BYTES * 2];
    const char *path = fixture_path(state, name);
    gn_path_dir(path, folder, sizeof folder);
    assert_int_equal(gn_make_dirs(folder, NULL), GN_OK);
    assert_int_equal(gn_image_save(path, &image, 95, NULL), GN_OK);
    gn_image_deinit(&image);
}

void fixture_simple_set(void *const *state, const char *prefix, int n)
{
    for (int i = 0; i < n; i++) {
        char name[64], label[64];
        snprintf(name, sizeof name, "images/%s%d.png", prefix, i);
        fixture_picture(state, name, 64, 48, (unsigned)i + 1);
        snprintf(name, sizeof name, "labels/%s%d.txt", prefix, i);
        snprintf(label, sizeof label, "0 %.4f 0.5 0.25 0.5\n", 0.25 + 0.5 * i / (n > 1 ? n - 1 : 1));
        fixture_write(state, name, label);
    }
    fixture_write(state, "data.yaml", "path: .\ntrain: images\nnames: [face]\n");
}

/* --- zips --- */

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

typedef struct zip_bytes {
    uint8_t *data;
    size_t n, capacity;
} zip_bytes;

static void put(zip_bytes *z, const void *p, size_t n)
{
    if (n == 0)
        return;
    assert_int_equal(gn_grow(&z->data, &z->capacity, z->n + n, 1), GN_OK);
    memcpy(z->data + z->n, p, n);
    z->n += n;
}

static void put_number(zip_bytes *z, uint64_t x, int n)
{
    uint8_t b[8];
    for (int i = 0; i < n; i++)
        b[i] = (uint8_t)(x >> (8 * i));
    put(z, b, (size_t)n);
}

/* From "version needed" to "length of the name", which local and central headers share. */
static void put_header(zip_bytes *z, const fixture_member *m, const char *bytes, size_t n)
{
    put_number(z, 20, 2);
    put_number(z, m->flags, 2);
    put_number(z, m->method, 2);
    put_number(z, 0, 4);
    put_number(z, crc32_of((const uint8_t *)bytes, n), 4);
    put_number(z, n, 4);
    put_number(z, m->claims != 0 ? m->claims : n, 4);
    put_number(z, strlen(m->name), 2);
    put_number(z, 0, 2);
}

void fixture_zip(void *const *state, const char *name, const fixture_member *members, size_t n)
{
    zip_bytes z = {0}, central = {0};
    for (size_t i = 0; i < n; i++) {
        const fixture_member *m = &members[i];
        char *bytes = NULL;
        size_t n_bytes = m->n;
        if (m->file != NULL)
            assert_int_equal(gn_file_read(fixture_path(state, m->file), (size_t)1 << 30, &bytes, &n_bytes, NULL),
                             GN_OK);
        const char *content = m->file != NULL ? bytes : m->n > 0 ? m->bytes : "";
        const size_t offset = z.n;
        put_number(&z, 0x04034b50, 4);
        put_header(&z, m, content, n_bytes);
        put(&z, m->name, strlen(m->name));
        put(&z, content, n_bytes);
        put_number(&central, 0x02014b50, 4);
        put_number(&central, 20, 2);
        put_header(&central, m, content, n_bytes);
        put_number(&central, 0, 2); /* comment */
        put_number(&central, 0, 2); /* disk */
        put_number(&central, 0, 2);
        put_number(&central, 0, 4);
        put_number(&central, offset, 4);
        put(&central, m->name, strlen(m->name));
        gn_free(bytes);
    }
    const size_t start = z.n, size = central.n;
    put(&z, central.data, central.n);
    put_number(&z, 0x06054b50, 4);
    put_number(&z, 0, 4);
    put_number(&z, n, 2);
    put_number(&z, n, 2);
    put_number(&z, size, 4);
    put_number(&z, start, 4);
    put_number(&z, 0, 2);
    fixture_write_bytes(state, name, z.data, z.n);
    gn_free(z.data);
    gn_free(central.data);
}

typedef struct zip_list {
    gn_arena *arena;
    fixture_member member[256];
    size_t n;
} zip_list;

static void list_files(void *const *state, zip_list *list, const char *file, const char *name)
{
    if (!gn_path_is_dir(fixture_path(state, file))) {
        assert_true(list->n < sizeof list->member / sizeof list->member[0]);
        list->member[list->n++] = (fixture_member){.name = name, .file = file};
        return;
    }
    const char **names = NULL;
    size_t n = 0;
    assert_int_equal(gn_list_dir(fixture_path(state, file), list->arena, &names, &n, NULL), GN_OK);
    for (size_t i = 0; i < n; i++)
        list_files(state, list, gn_arena_printf(list->arena, "%s/%s", file, names[i]),
                   gn_arena_printf(list->arena, "%s%s%s", name, name[0] != '\0' ? "/" : "", names[i]));
}

void fixture_zip_folder(void *const *state, const char *name, const char *source, const char *prefix)
{
    zip_list *list = gn_calloc(1, sizeof *list);
    assert_non_null(list);
    list->arena = gn_arena_create(0);
    list_files(state, list, source, prefix);
    fixture_zip(state, name, list->member, list->n);
    gn_arena_destroy(&list->arena);
    gn_free(list);
}

const char *fixture_real_data(void)
{
    const char *data = getenv("GANNET_DATA");
    if (data == NULL)
        data = GN_SOURCE_DIR "/../shared/data";
    return gn_path_is_dir(data) ? data : NULL;
}
