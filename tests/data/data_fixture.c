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

const char *fixture_real_data(void)
{
    const char *data = getenv("GANNET_DATA");
    if (data == NULL)
        data = GN_SOURCE_DIR "/../shared/data";
    return gn_path_is_dir(data) ? data : NULL;
}
