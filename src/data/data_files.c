/* Where the files and pictures of a data set lie: on the disk, in an archive, or as records of a CIFAR file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "data/dataset_private.h"
#include "image/image.h"

#define RECORD_SIDE  32
#define RECORD_PLANE (RECORD_SIDE * RECORD_SIDE)
/* Largest text or file of records that is taken out of an archive: CIFAR-100's training file has 154 MB. */
#define DATA_MAX_UNPACKED ((size_t)256 << 20)

/* --- files ---------------------------------------------------------------------------------------------------------- */

/* The name inside the archive, or NULL for a path that is not in it. */
static const char *inside(const gn_dataset *d, const char *path)
{
    const size_t n = strlen(d->path);
    if (strncmp(path, d->path, n) != 0 || (path[n] != '/' && path[n] != '\0'))
        return NULL;
    return path[n] == '/' ? path + n + 1 : path + n;
}

bool gn_data_exists(const gn_dataset *d, const char *path)
{
    if (d->archive == NULL)
        return gn_path_exists(path);
    const char *name = inside(d, path);
    return name != NULL && (gn_archive_find(d->archive, name) >= 0 || gn_archive_is_dir(d->archive, name));
}

bool gn_data_is_dir(const gn_dataset *d, const char *path)
{
    if (d->archive == NULL)
        return gn_path_is_dir(path);
    const char *name = inside(d, path);
    return name != NULL && gn_archive_is_dir(d->archive, name);
}

gn_status gn_data_list(const gn_dataset *d, const char *path, const char ***names_out, size_t *n_out, gn_error *err)
{
    if (d->archive == NULL)
        return gn_list_dir(path, d->arena, names_out, n_out, err);
    const char *name = inside(d, path);
    if (name == NULL)
        return gn_fail_at(err, GN_ENOENT, path, 0, "there is no such folder in %.200s", d->path);
    return gn_archive_list(d->archive, name, d->arena, names_out, n_out, err);
}

gn_status gn_data_names(const gn_dataset *d, const char *path, const char ***names_out, size_t *n_out)
{
    *n_out = 0;
    const gn_status status = gn_data_list(d, path, names_out, n_out, NULL);
    return status == GN_ENOMEM ? status : GN_OK;
}

gn_status gn_data_read(const gn_dataset *d, const char *path, size_t max_bytes, char **data_out, size_t *bytes_out,
                       gn_error *err)
{
    if (d->archive == NULL)
        return gn_file_read(path, max_bytes, data_out, bytes_out, err);
    const char *name = inside(d, path);
    const int64_t member = name != NULL ? gn_archive_find(d->archive, name) : -1;
    if (member < 0)
        return gn_fail_at(err, GN_ENOENT, path, 0, "there is no such file in %.200s", d->path);
    const size_t most = max_bytes < DATA_MAX_UNPACKED ? max_bytes : DATA_MAX_UNPACKED;
    return gn_archive_read(d->archive, member, most, data_out, bytes_out, err);
}

/* --- sources -------------------------------------------------------------------------------------------------------- */

gn_status gn_data_add_archive(gn_dataset *d)
{
    gn_data_source *s = gn_arena_alloc(d->arena, sizeof *s);
    if (s == NULL)
        return GN_ENOMEM;
    *s = (gn_data_source){.archive = d->archive, .fd = -1, .next = d->sources};
    d->sources = d->archive_source = s;
    return GN_OK;
}

gn_status gn_data_add_records(gn_dataset *d, const char *file, int fd, char *bytes, int label_bytes, int64_t n_records,
                              gn_data_source **source_out)
{
    gn_data_source *s = gn_arena_alloc(d->arena, sizeof *s);
    const char *kept = gn_arena_strdup(d->arena, file);
    if (s == NULL || kept == NULL) {
        gn_free(bytes);
        if (fd >= 0)
            close(fd);
        return GN_ENOMEM;
    }
    *s = (gn_data_source){
        .file = kept, .fd = fd, .bytes = bytes, .label_bytes = label_bytes, .n_records = n_records, .next = d->sources};
    d->sources = s;
    *source_out = s;
    return GN_OK;
}

void gn_data_close_sources(gn_dataset *d)
{
    for (gn_data_source *s = d->sources; s != NULL; s = s->next) {
        gn_free(s->bytes);
        if (s->fd >= 0)
            close(s->fd);
    }
    d->sources = NULL;
    gn_archive_close(&d->archive);
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

/* Planes of a record to pixels. */
static gn_status record_picture(const gn_data_source *s, int64_t item, gn_image *image_out, gn_error *err)
{
    uint8_t planes[3 * RECORD_PLANE];
    const int64_t at = item * (s->label_bytes + (int64_t)sizeof planes) + s->label_bytes;
    if (s->bytes != NULL)
        memcpy(planes, s->bytes + at, sizeof planes);
    else if (pread(s->fd, planes, sizeof planes, (off_t)at) != (ssize_t)sizeof planes)
        return gn_fail_at(err, GN_EIO, s->file, 0, "record %lld cannot be read", (long long)item);
    gn_status status = gn_image_create(RECORD_SIDE, RECORD_SIDE, 3, image_out);
    if (status != GN_OK)
        return gn_fail(err, status, "out of memory for a picture of %s", s->file);
    for (int y = 0; y < RECORD_SIDE; y++)
        for (int x = 0; x < RECORD_SIDE; x++)
            for (int c = 0; c < 3; c++)
                image_out->data[(size_t)y * image_out->stride_bytes + (size_t)(3 * x + c)] =
                    planes[c * RECORD_PLANE + y * RECORD_SIDE + x];
    return GN_OK;
}

gn_status gn_data_look(const gn_sample *sample, const gn_decode_options *opt, gn_image_info *info_out,
                       gn_image *image_out, gn_error *err)
{
    const gn_data_source *s = sample->source;
    if (s == NULL) {
        if (info_out != NULL)
            GN_TRY(gn_image_size_of_file(sample->path, info_out, err));
        return image_out != NULL ? gn_image_load(sample->path, opt, image_out, err) : GN_OK;
    }
    if (s->archive == NULL) {
        if (info_out != NULL)
            *info_out =
                (gn_image_info){.width = RECORD_SIDE, .height = RECORD_SIDE, .orientation = 1, .format = "CIFAR"};
        return image_out != NULL ? record_picture(s, sample->item, image_out, err) : GN_OK;
    }
    char *bytes = NULL;
    size_t n = 0;
    if (sample->item < 0)
        return gn_fail_at(err, GN_EFORMAT, sample->path, 0, "this is a folder, not a picture");
    GN_TRY(gn_archive_read(s->archive, sample->item, GN_ARCHIVE_MAX_MEMBER_BYTES, &bytes, &n, err));
    gn_status status = info_out != NULL ? gn_image_size(bytes, n, sample->path, info_out, err) : GN_OK;
    if (status == GN_OK && image_out != NULL)
        status = gn_image_decode(bytes, n, sample->path, opt, image_out, err);
    gn_free(bytes);
    return status;
}

gn_status gn_sample_decode(const gn_sample *sample, const gn_decode_options *opt, gn_image *image_out, gn_error *err)
{
    return gn_data_look(sample, opt, NULL, image_out, err);
}
