/* libFuzzer target for data sets in archives: the input is a zip, which is opened as an archive and then as a data set of whatever form
 * it looks like; every picture that is left is decoded.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/data_archive.h"
#include "data/dataset.h"

/* Lists of a folder must name what can be found again. */
static void walk(const gn_archive *archive, const char *folder, gn_arena *arena, int depth)
{
    const char **names = NULL;
    size_t n = 0;
    if (depth > 8 || gn_archive_list(archive, folder, arena, &names, &n, NULL) != GN_OK)
        return;
    for (size_t i = 0; i < n && i < 50; i++) {
        const char *path = gn_arena_printf(arena, "%s%s%s", folder, folder[0] != '\0' ? "/" : "", names[i]);
        if (gn_archive_find(archive, path) < 0 && !gn_archive_is_dir(archive, path))
            abort();
        walk(archive, path, arena, depth + 1);
    }
}

static void open_archive(const char *path)
{
    gn_archive *archive = NULL;
    gn_error err = {0};
    if (gn_archive_open(path, &archive, &err) != GN_OK) {
        if (archive != NULL || err.message[0] == '\0')
            abort();
        return;
    }
    gn_arena *arena = gn_arena_create(0);
    walk(archive, "", arena, 0);
    gn_arena_destroy(&arena);
    gn_archive_close(&archive);
}

static void open_set(const char *path)
{
    gn_dataset *set = NULL;
    gn_error err = {0};
    if (gn_dataset_open(path, NULL, &set, &err) != GN_OK) {
        if (set != NULL || err.message[0] == '\0')
            abort();
        return;
    }
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        for (int64_t i = 0; i < gn_dataset_count(set, (gn_split)s) && i < 20; i++) {
            const gn_sample *sample = gn_dataset_sample(set, (gn_split)s, i);
            const gn_decode_options small = {.max_pixels = 1 << 20};
            gn_image image = {0};
            if (sample->label >= gn_dataset_classes(set))
                abort();
            gn_sample_decode(sample, &small, &image, NULL);
            gn_image_deinit(&image);
        }
    gn_dataset_close(&set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], link[96];
    const int fd = memfd_create("fuzz", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    /* a data set in an archive is known by its name */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    snprintf(link, sizeof link, "/tmp/gannet-fuzz-%d.zip", (int)getpid());
    unlink(link);
    if (symlink(path, link) != 0)
        abort();
    open_archive(link);
    open_set(link);
    unlink(link);
    close(fd);
    return 0;
}
