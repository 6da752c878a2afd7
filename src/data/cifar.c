/* Reads the binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of one label byte (CIFAR-100: coarse, then fine) and
 * 3 x 32 x 32 bytes, red, green, blue.  data_batch_N.bin and train.bin are for training, test_batch.bin and test.bin for testing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/dataset_private.h"

#define PIXEL_BYTES    3072
#define MAX_FILE_BYTES ((int64_t)1 << 30)
#define MAX_BATCHES    100

typedef struct cifar_set {
    gn_dataset *d;
    char folder[GN_DATA_PATH_BYTES];
    bool is_100;
    int label_bytes;
} cifar_set;

/* The folder itself, or the one that the authors' archive makes in it. */
static bool find_folder(const gn_dataset *d, const char *folder, cifar_set *c)
{
    static const char *const names[] = {".", "cifar-10-batches-bin", "cifar-100-binary"};
    char path[GN_DATA_PATH_BYTES];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (i == 0 ? snprintf(c->folder, sizeof c->folder, "%s", folder) >= (int)sizeof c->folder
                   : gn_path_join(folder, names[i], c->folder, sizeof c->folder) != GN_OK)
            continue;
        static const char *const files[] = {"data_batch_1.bin", "test_batch.bin", "train.bin", "test.bin"};
        for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
            if (gn_path_join(c->folder, files[k], path, sizeof path) == GN_OK && gn_data_exists(d, path) &&
                !gn_data_is_dir(d, path)) {
                c->is_100 = k >= 2;
                c->label_bytes = c->is_100 ? 2 : 1;
                return true;
            }
    }
    return false;
}

bool gn_cifar_is(const gn_dataset *d, const char *folder)
{
    cifar_set c;
    return find_folder(d, folder, &c);
}

/* Names from a text file, one per line; without the file those of CIFAR-10, or numbers. */
static gn_status read_names(cifar_set *c, gn_error *err)
{
    static const char *const known[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                        "dog",      "frog",       "horse", "ship", "truck"};
    gn_dataset *d = c->d;
    const bool coarse = d->options.coarse_labels;
    const int n = !c->is_100 ? 10 : coarse ? 20 : 100;
    const char *file = !c->is_100 ? "batches.meta.txt" : coarse ? "coarse_label_names.txt" : "fine_label_names.txt";
    char path[GN_DATA_PATH_BYTES], *text = NULL, *save = NULL;
    size_t bytes = 0;
    d->class_name = gn_arena_alloc(d->arena, (size_t)n * sizeof *d->class_name);
    if (d->class_name == NULL)
        return GN_ENOMEM;
    if (gn_path_join(c->folder, file, path, sizeof path) == GN_OK && gn_data_exists(d, path))
        GN_TRY(gn_data_read(d, path, 65536, &text, &bytes, err));
    char *line = text != NULL ? strtok_r(text, "\r\n", &save) : NULL;
    bool ok = true;
    for (int i = 0; i < n && ok; i++) {
        d->class_name[i] = line != NULL ? gn_arena_strdup(d->arena, line)
                           : c->is_100  ? gn_arena_printf(d->arena, "%d", i)
                                        : known[i];
        ok = d->class_name[i] != NULL;
        line = line != NULL ? strtok_r(NULL, "\r\n", &save) : NULL;
    }
    gn_free(text);
    d->n_classes = n;
    return ok ? GN_OK : GN_ENOMEM;
}

/* Opens a file of records: on the disk it is read as pictures are needed, from an archive at once. */
static gn_status open_records(cifar_set *c, const char *path, gn_data_source **source_out, gn_error *err)
{
    gn_dataset *d = c->d;
    char *bytes = NULL;
    size_t n = 0;
    int fd = -1;
    int64_t size;
    if (d->archive != NULL) {
        GN_TRY(gn_data_read(d, path, (size_t)MAX_FILE_BYTES, &bytes, &n, err));
        size = (int64_t)n;
    } else {
        size = gn_path_bytes(path);
        fd = size >= 0 ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd < 0)
            return gn_fail_at(err, GN_EIO, path, 0, "this file of pictures cannot be opened");
    }
    const int64_t record = PIXEL_BYTES + c->label_bytes;
    if (size == 0 || size % record != 0 || size > MAX_FILE_BYTES) {
        gn_free(bytes);
        if (fd >= 0)
            close(fd);
        return gn_fail_at(err, GN_EFORMAT, path, 0,
                          "%lld bytes are no whole number of CIFAR-%s's records of %lld bytes; is the file complete?",
                          (long long)size, c->is_100 ? "100" : "10", (long long)record);
    }
    gn_status status = gn_data_add_records(d, path, fd, bytes, c->label_bytes, size / record, source_out);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "out of memory for the pictures of %s", path);
}

static gn_status read_label(const cifar_set *c, const gn_data_source *s, int64_t i, int *label_out, gn_error *err)
{
    uint8_t labels[2] = {0};
    const int64_t at = i * (PIXEL_BYTES + c->label_bytes);
    if (s->bytes != NULL)
        memcpy(labels, s->bytes + at, (size_t)c->label_bytes);
    else if (pread(s->fd, labels, (size_t)c->label_bytes, (off_t)at) != c->label_bytes)
        return gn_fail_at(err, GN_EIO, s->file, 0, "record %lld cannot be read", (long long)i);
    *label_out = labels[c->is_100 && !c->d->options.coarse_labels ? 1 : 0];
    return GN_OK;
}

static gn_status add_record(cifar_set *c, gn_data_source *s, int64_t i, gn_split split, gn_error *err)
{
    int label = -1;
    char path[GN_DATA_PATH_BYTES + 32];
    gn_data_entry *e;
    GN_TRY(read_label(c, s, i, &label, err));
    if (label >= c->d->n_classes) {
        c->d->counts.bad_label_lines++;
        return gn_dataset_note(c->d, s->file, i + 1, "record %lld has the label %d; there are %d classes", (long long)i,
                               label, c->d->n_classes);
    }
    snprintf(path, sizeof path, "%s#%lld", s->file, (long long)i);
    GN_TRY(gn_dataset_add_entry(c->d, path, split, &e));
    e->label = label;
    e->picture_source = s;
    e->item = i;
    return GN_OK;
}

/* GN_OK without a file of that name. */
static gn_status add_file(cifar_set *c, const char *name, gn_split split, gn_error *err)
{
    char path[GN_DATA_PATH_BYTES];
    gn_data_source *source = NULL;
    if (gn_path_join(c->folder, name, path, sizeof path) != GN_OK || !gn_data_exists(c->d, path))
        return GN_OK;
    GN_TRY(open_records(c, path, &source, err));
    c->d->has_split[split] = true;
    for (int64_t i = 0; i < source->n_records; i++)
        GN_TRY(add_record(c, source, i, split, err));
    return GN_OK;
}

gn_status gn_cifar_read(gn_dataset *d, const char *folder, gn_error *err)
{
    cifar_set c = {.d = d};
    const bool found = find_folder(d, folder, &c);
    GN_ASSERT(found);
    (void)found;
    d->has_labels = true;
    d->format = c.is_100 ? "CIFAR-100" : "CIFAR-10";
    GN_TRY(read_names(&c, err));
    for (int i = 1; i <= MAX_BATCHES && !c.is_100; i++) {
        char name[32];
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        GN_TRY(add_file(&c, name, GN_SPLIT_TRAIN, err));
    }
    if (c.is_100)
        GN_TRY(add_file(&c, "train.bin", GN_SPLIT_TRAIN, err));
    return add_file(&c, c.is_100 ? "test.bin" : "test_batch.bin", GN_SPLIT_TEST, err);
}
