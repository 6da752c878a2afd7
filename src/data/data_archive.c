/* Zip files through libzip: the list of names is checked and sorted once; reading is one thread at a time, decoding is not its business.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/data_archive.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"

/* A file of the archive under its tidied name. */
typedef struct archive_member {
    const char *name;
    int64_t index; /* libzip's */
} archive_member;

struct gn_archive {
    zip_t *zip;
    pthread_mutex_t lock;
    gn_arena *arena;
    const char *path;
    archive_member *member; /* [n] sorted by name */
    int64_t n;
};

/* Drops "." and empty parts; false when the name is too long or climbs out. */
static bool tidy(const char *name, char dst[GN_ARCHIVE_MAX_NAME_BYTES])
{
    size_t used = 0;
    while (*name != '\0') {
        const size_t n = strcspn(name, "/");
        const bool is_dot = n == 1 && name[0] == '.';
        if (n == 2 && name[0] == '.' && name[1] == '.')
            return false;
        if (n > 0 && !is_dot) {
            if (used + n + 2 > GN_ARCHIVE_MAX_NAME_BYTES)
                return false;
            if (used > 0)
                dst[used++] = '/';
            memcpy(dst + used, name, n);
            used += n;
        }
        name += n + (name[n] == '/');
    }
    dst[used] = '\0';
    return true;
}

static int compare_members(const void *pa, const void *pb)
{
    const archive_member *a = pa, *b = pb;
    const int order = strcmp(a->name, b->name);
    return order != 0 ? order : (a->index > b->index) - (a->index < b->index);
}

static gn_status take_name(gn_archive *a, int64_t index, gn_error *err)
{
    const char *name = zip_get_name(a->zip, (zip_uint64_t)index, ZIP_FL_ENC_GUESS);
    char kept[GN_ARCHIVE_MAX_NAME_BYTES];
    if (name == NULL)
        return gn_fail_at(err, GN_EFORMAT, a->path, 0, "the name of member %lld cannot be read", (long long)index);
    if (strlen(name) >= sizeof kept)
        return gn_fail_at(err, GN_ELIMIT, a->path, 0, "member %lld has a name of %zu bytes; at most %d are taken",
                          (long long)index, strlen(name), GN_ARCHIVE_MAX_NAME_BYTES - 1);
    if (name[0] == '/' || !tidy(name, kept))
        return gn_fail_at(err, GN_EFORMAT, a->path, 0,
                          "its member '%.200s' would lie outside the archive's folder; such archives are not read",
                          name);
    if (kept[0] == '\0' || name[strlen(name) - 1] == '/') /* a folder of its own */
        return GN_OK;
    const char *copy = gn_arena_strdup(a->arena, kept);
    if (copy == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory for the names in %s", a->path);
    a->member[a->n++] = (archive_member){.name = copy, .index = index};
    return GN_OK;
}

static gn_status open_zip(gn_archive *a, gn_error *err)
{
    int code = 0;
    a->zip = zip_open(a->path, ZIP_RDONLY, &code);
    if (a->zip == NULL) {
        zip_error_t why;
        zip_error_init_with_code(&why, code);
        const gn_status status = code == ZIP_ER_MEMORY ? GN_ENOMEM : code == ZIP_ER_NOENT ? GN_ENOENT : GN_EFORMAT;
        gn_fail_at(err, status, a->path, 0, "this is no zip file that can be read: %s", zip_error_strerror(&why));
        zip_error_fini(&why);
        return status;
    }
    const int64_t n = (int64_t)zip_get_num_entries(a->zip, 0);
    if (n > GN_ARCHIVE_MAX_MEMBERS)
        return gn_fail_at(err, GN_ELIMIT, a->path, 0, "%lld members; at most %d are read", (long long)n,
                          GN_ARCHIVE_MAX_MEMBERS);
    a->member = gn_arena_alloc(a->arena, ((size_t)n + 1) * sizeof *a->member);
    if (a->member == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory for the names in %s", a->path);
    for (int64_t i = 0; i < n; i++)
        GN_TRY(take_name(a, i, err));
    qsort(a->member, (size_t)a->n, sizeof *a->member, compare_members);
    for (int64_t i = 1; i < a->n; i++)
        if (strcmp(a->member[i].name, a->member[i - 1].name) == 0)
            return gn_fail_at(err, GN_EFORMAT, a->path, 0, "two members are named '%.200s'", a->member[i].name);
    return GN_OK;
}

gn_status gn_archive_open(const char *path, gn_archive **archive_out, gn_error *err)
{
    gn_archive *a = gn_calloc(1, sizeof *a);
    if (a == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory opening %s", path);
    pthread_mutex_init(&a->lock, NULL);
    a->arena = gn_arena_create(0);
    a->path = a->arena != NULL ? gn_arena_strdup(a->arena, path) : NULL;
    const gn_status status =
        a->path != NULL ? open_zip(a, err) : gn_fail(err, GN_ENOMEM, "out of memory opening %s", path);
    if (status != GN_OK) {
        gn_archive_close(&a);
        return status;
    }
    *archive_out = a;
    return GN_OK;
}

void gn_archive_close(gn_archive **archive)
{
    if (archive == NULL || *archive == NULL)
        return;
    gn_archive *a = *archive;
    if (a->zip != NULL)
        zip_discard(a->zip);
    pthread_mutex_destroy(&a->lock);
    gn_arena_destroy(&a->arena);
    gn_free(a);
    *archive = NULL;
}

/* First member whose name is not below `name`. */
static int64_t lower_bound(const gn_archive *a, const char *name)
{
    int64_t low = 0, high = a->n;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (strcmp(a->member[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int64_t gn_archive_find(const gn_archive *archive, const char *name)
{
    char kept[GN_ARCHIVE_MAX_NAME_BYTES];
    if (!tidy(name, kept))
        return -1;
    const int64_t i = lower_bound(archive, kept);
    return i < archive->n && strcmp(archive->member[i].name, kept) == 0 ? i : -1;
}

/* "name/" tidied; "" for the top. */
static bool as_prefix(const char *name, char dst[GN_ARCHIVE_MAX_NAME_BYTES + 1])
{
    if (!tidy(name, dst))
        return false;
    const size_t n = strlen(dst);
    if (n > 0)
        memcpy(dst + n, "/", 2);
    return true;
}

bool gn_archive_is_dir(const gn_archive *archive, const char *name)
{
    char prefix[GN_ARCHIVE_MAX_NAME_BYTES + 1];
    if (!as_prefix(name, prefix))
        return false;
    const int64_t i = lower_bound(archive, prefix);
    return prefix[0] == '\0' || (i < archive->n && strncmp(archive->member[i].name, prefix, strlen(prefix)) == 0);
}

static int compare_names(const void *pa, const void *pb)
{
    return strcmp(*(const char *const *)pa, *(const char *const *)pb);
}

gn_status gn_archive_list(const gn_archive *archive, const char *name, gn_arena *arena, const char ***names_out,
                          size_t *n_out, gn_error *err)
{
    char prefix[GN_ARCHIVE_MAX_NAME_BYTES + 1];
    if (!gn_archive_is_dir(archive, name) || !as_prefix(name, prefix))
        return gn_fail_at(err, GN_ENOENT, archive->path, 0, "there is no folder '%.200s' in this archive", name);
    const size_t skip = strlen(prefix);
    const char **names = NULL, *last = "";
    size_t n = 0, capacity = 0, last_length = 0;
    gn_status status = GN_OK;
    for (int64_t i = lower_bound(archive, prefix); i < archive->n && status == GN_OK; i++) {
        const char *rest = archive->member[i].name;
        if (strncmp(rest, prefix, skip) != 0)
            break;
        rest += skip;
        const size_t length = strcspn(rest, "/");
        if (length == last_length && strncmp(rest, last, length) == 0)
            continue;
        last = rest;
        last_length = length;
        status = gn_grow(&names, &capacity, n + 1, sizeof *names);
        if (status == GN_OK) {
            names[n] = gn_arena_printf(arena, "%.*s", (int)length, rest);
            status = names[n++] != NULL ? GN_OK : GN_ENOMEM;
        }
    }
    const char **kept = status == GN_OK ? gn_arena_alloc(arena, (n + 1) * sizeof *kept) : NULL;
    if (kept != NULL && n > 0) {
        qsort(names, n, sizeof *names, compare_names);
        /* "a.txt" sorts between the members of "a": the same folder may have come twice. */
        size_t unique = 0;
        for (size_t i = 0; i < n; i++)
            if (unique == 0 || strcmp(kept[unique - 1], names[i]) != 0)
                kept[unique++] = names[i];
        n = unique;
    }
    gn_free(names);
    if (kept == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory listing %s", archive->path);
    *names_out = kept;
    *n_out = n;
    return GN_OK;
}

static gn_status check_size(const gn_archive *a, const archive_member *m, const zip_stat_t *st, size_t max_bytes,
                            gn_error *err)
{
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
    if ((st->valid & need) != need)
        return gn_fail_at(err, GN_EFORMAT, a->path, 0, "its member '%.200s' does not say how large it is", m->name);
    if (st->encryption_method != ZIP_EM_NONE)
        return gn_fail_at(err, GN_EUNSUPPORTED, a->path, 0, "its member '%.200s' is encrypted", m->name);
    if (st->size > max_bytes)
        return gn_fail_at(err, GN_ELIMIT, a->path, 0, "its member '%.200s' holds %llu bytes; at most %zu are read",
                          m->name, (unsigned long long)st->size, max_bytes);
    const zip_uint64_t ratio = st->size > GN_ARCHIVE_LARGE_BYTES ? GN_ARCHIVE_LARGE_RATIO : GN_ARCHIVE_MAX_RATIO;
    if (st->size > 4096 && st->size / ratio > st->comp_size)
        return gn_fail_at(err, GN_ELIMIT, a->path, 0,
                          "its member '%.200s' claims %llu bytes in %llu packed ones, which no picture or text does",
                          m->name, (unsigned long long)st->size, (unsigned long long)st->comp_size);
    return GN_OK;
}

/* The lock is held. */
static gn_status read_locked(gn_archive *a, const archive_member *m, size_t max_bytes, char **data_out,
                             size_t *bytes_out, gn_error *err)
{
    zip_stat_t st;
    zip_stat_init(&st);
    if (zip_stat_index(a->zip, (zip_uint64_t)m->index, 0, &st) != 0)
        return gn_fail_at(err, GN_EFORMAT, a->path, 0, "its member '%.200s' cannot be found again", m->name);
    GN_TRY(check_size(a, m, &st, max_bytes, err));
    char *data = gn_alloc((size_t)st.size + 1);
    if (data == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory reading '%.200s' of %s", m->name, a->path);
    zip_file_t *file = zip_fopen_index(a->zip, (zip_uint64_t)m->index, 0);
    zip_int64_t got = file != NULL ? 0 : -1;
    zip_uint64_t done = 0;
    while (got >= 0 && done < st.size) {
        got = zip_fread(file, data + done, st.size - done);
        if (got == 0)
            got = -1;
        done += got > 0 ? (zip_uint64_t)got : 0;
    }
    char extra;
    if (got >= 0 && zip_fread(file, &extra, 1) != 0) /* reaching the end checks the sum */
        got = -1;
    gn_status status = GN_OK;
    if (got < 0) {
        const char *why = file != NULL ? zip_file_strerror(file) : zip_strerror(a->zip);
        const bool is_unknown = file == NULL && zip_error_code_zip(zip_get_error(a->zip)) == ZIP_ER_COMPNOTSUPP;
        status = gn_fail_at(err, is_unknown ? GN_EUNSUPPORTED : GN_EFORMAT, a->path, 0,
                            "its member '%.200s' cannot be unpacked: %s", m->name, why);
    }
    if (file != NULL)
        zip_fclose(file);
    if (status != GN_OK) {
        gn_free(data);
        return status;
    }
    data[st.size] = '\0';
    *data_out = data;
    *bytes_out = (size_t)st.size;
    return GN_OK;
}

gn_status gn_archive_read(gn_archive *archive, int64_t member, size_t max_bytes, char **data_out, size_t *bytes_out,
                          gn_error *err)
{
    GN_ASSERT(member >= 0 && member < archive->n);
    pthread_mutex_lock(&archive->lock);
    const gn_status status = read_locked(archive, &archive->member[member], max_bytes, data_out, bytes_out, err);
    pthread_mutex_unlock(&archive->lock);
    return status;
}
