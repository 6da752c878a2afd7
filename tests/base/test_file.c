/* Files: limits, atomic replacement that survives a full disk, folders, paths.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"

static char folder[256];

static int make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gn-file-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    const char **names;
    size_t n;
    char path[1024];
    if (gn_list_dir(folder, arena, &names, &n, NULL) == GN_OK)
        for (size_t i = 0; i < n; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, names[i]);
            remove(path);
        }
    gn_arena_destroy(&arena);
    return rmdir(folder);
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void check_content(const char *path, const char *expected)
{
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(gn_file_read(path, 1 << 20, &data, &bytes, NULL), GN_OK);
    assert_int_equal(bytes, strlen(expected));
    assert_string_equal(data, expected);
    gn_free(data);
}

static size_t count_names(void)
{
    gn_arena *arena = gn_arena_create(0);
    const char **names;
    size_t n = 0;
    assert_int_equal(gn_list_dir(folder, arena, &names, &n, NULL), GN_OK);
    gn_arena_destroy(&arena);
    return n;
}

static void write_and_read(void **state)
{
    (void)state;
    const char *path = in_folder("a.txt");
    assert_int_equal(gn_file_write(path, "first", 5, NULL), GN_OK);
    check_content(path, "first");
    assert_int_equal(gn_file_write(path, "second", 6, NULL), GN_OK);
    check_content(path, "second");
    assert_int_equal(gn_file_write(path, "", 0, NULL), GN_OK);
    check_content(path, "");
    assert_int_equal(gn_path_bytes(path), 0);
    assert_int_equal(count_names(), 1);
    remove(path);
}

static void writing_in_pieces(void **state)
{
    (void)state;
    const char *path = in_folder("pieces");
    gn_writer *writer = NULL;
    assert_int_equal(gn_writer_open(path, &writer, NULL), GN_OK);
    unsigned char piece[1000];
    for (int i = 0; i < 500; i++) {
        memset(piece, i, sizeof piece);
        assert_int_equal(gn_writer_write(writer, piece, (size_t)(i * 2), NULL), GN_OK);
    }
    assert_false(gn_path_exists(path));
    assert_int_equal(gn_writer_commit(&writer, NULL), GN_OK);
    assert_null(writer);
    char *data = NULL;
    size_t bytes = 0, at = 0;
    assert_int_equal(gn_file_read(path, 1 << 20, &data, &bytes, NULL), GN_OK);
    assert_int_equal(bytes, 499 * 500);
    for (int i = 0; i < 500; i++)
        for (int k = 0; k < i * 2; k++)
            assert_int_equal((unsigned char)data[at++], i & 255);
    gn_free(data);
    remove(path);
}

static void abandoning_leaves_the_old_file(void **state)
{
    (void)state;
    const char *path = in_folder("kept");
    assert_int_equal(gn_file_write(path, "old", 3, NULL), GN_OK);
    gn_writer *writer = NULL;
    assert_int_equal(gn_writer_open(path, &writer, NULL), GN_OK);
    assert_int_equal(gn_writer_write(writer, "new", 3, NULL), GN_OK);
    gn_writer_abandon(&writer);
    assert_null(writer);
    check_content(path, "old");
    assert_int_equal(count_names(), 1);
    remove(path);
}

/* A limit on file size stands in for a full disk: write(2) takes a part, then fails. */
static void full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    const char *path = in_folder("checkpoint");
    assert_int_equal(gn_file_write(path, "old checkpoint", 14, NULL), GN_OK);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 100000;
    setrlimit(RLIMIT_FSIZE, &small);
    char *data = gn_calloc(1, 300000);
    gn_error err;
    gn_error_clear(&err);
    const gn_status whole = gn_file_write(path, data, 300000, &err);
    gn_writer *writer = NULL;
    gn_status opened = gn_writer_open(path, &writer, NULL), piece = GN_OK;
    for (int i = 0; i < 300 && piece == GN_OK; i++)
        piece = gn_writer_write(writer, data, 1000, NULL);
    const gn_status again = gn_writer_write(writer, data, 1, NULL);
    const gn_status committed = gn_writer_commit(&writer, NULL);
    setrlimit(RLIMIT_FSIZE, &before);
    gn_free(data);
    assert_int_equal(whole, GN_EIO);
    assert_string_equal(err.file, path);
    assert_non_null(strstr(err.message, "File too large"));
    assert_int_equal(opened, GN_OK);
    assert_int_equal(piece, GN_EIO);
    assert_int_equal(again, GN_EIO);
    assert_int_equal(committed, GN_EIO);
    assert_null(writer);
    check_content(path, "old checkpoint");
    assert_int_equal(count_names(), 1);
    remove(path);
}

static void targets_that_are_no_files(void **state)
{
    (void)state;
    gn_error err;
    gn_error_clear(&err);
    assert_int_equal(gn_file_write("/dev/null", "x", 1, &err), GN_EINVAL);
    assert_int_equal(gn_file_write(folder, "x", 1, &err), GN_EINVAL);
    assert_int_equal(gn_file_write(in_folder("none/x"), "x", 1, &err), GN_EIO);
    assert_true(gn_path_exists("/dev/null"));
}

static void links_and_permissions_stay(void **state)
{
    (void)state;
    char target[512], name[512];
    snprintf(target, sizeof target, "%s", in_folder("target"));
    snprintf(name, sizeof name, "%s", in_folder("link"));
    assert_int_equal(gn_file_write(target, "1", 1, NULL), GN_OK);
    assert_int_equal(chmod(target, 0600), 0);
    assert_int_equal(symlink(target, name), 0);
    assert_int_equal(gn_file_write(name, "2", 1, NULL), GN_OK);
    check_content(target, "2");
    struct stat st;
    assert_int_equal(lstat(name, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(target, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    remove(name);
    remove(target);
}

static void reading_has_limits(void **state)
{
    (void)state;
    const char *path = in_folder("big");
    char *data = (char *)1;
    size_t bytes = 77;
    gn_error err;
    gn_error_clear(&err);
    assert_int_equal(gn_file_write(path, "0123456789", 10, NULL), GN_OK);
    assert_int_equal(gn_file_read(path, 9, &data, &bytes, &err), GN_ELIMIT);
    assert_string_equal(err.file, path);
    assert_int_equal(gn_file_read("/dev/zero", 100000, &data, &bytes, &err), GN_ELIMIT);
    assert_int_equal(gn_file_read(in_folder("none"), 9, &data, &bytes, &err), GN_ENOENT);
    assert_int_equal(gn_file_read(folder, 9, &data, &bytes, &err), GN_EIO);
    assert_ptr_equal(data, (char *)1);
    assert_int_equal(bytes, 77);
    assert_int_equal(gn_file_read(in_folder("big"), 10, &data, &bytes, &err), GN_OK);
    assert_string_equal(data, "0123456789");
    gn_free(data);
    remove(in_folder("big"));
}

static void folders(void **state)
{
    (void)state;
    char deep[512];
    gn_error err;
    gn_error_clear(&err);
    snprintf(deep, sizeof deep, "%s", in_folder("x/y//z/"));
    assert_int_equal(gn_make_dirs(deep, NULL), GN_OK);
    assert_int_equal(gn_make_dirs(deep, NULL), GN_OK);
    assert_true(gn_path_is_dir(deep));
    assert_int_equal(gn_file_write(in_folder("file"), "", 0, NULL), GN_OK);
    assert_int_not_equal(gn_make_dirs(in_folder("file/x"), &err), GN_OK);
    assert_int_not_equal(gn_make_dirs(in_folder("file"), &err), GN_OK);
    assert_int_equal(gn_make_dirs("", &err), GN_EINVAL);
    assert_int_equal(rmdir(in_folder("x/y/z")), 0);
    assert_int_equal(rmdir(in_folder("x/y")), 0);
    assert_int_equal(rmdir(in_folder("x")), 0);
    remove(in_folder("file"));
}

static void listing_is_sorted(void **state)
{
    (void)state;
    static const char *const made[] = {"b", "B", "a10", "a2"};
    static const char *const sorted[] = {"B", "a10", "a2", "b"};
    for (int i = 0; i < 4; i++)
        assert_int_equal(gn_file_write(in_folder(made[i]), "", 0, NULL), GN_OK);
    gn_arena *arena = gn_arena_create(0);
    const char **names;
    size_t n;
    assert_int_equal(gn_list_dir(folder, arena, &names, &n, NULL), GN_OK);
    assert_int_equal(n, 4);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(names[i], sorted[i]);
        remove(in_folder(made[i]));
    }
    gn_error err;
    assert_int_equal(gn_list_dir(in_folder("none"), arena, &names, &n, &err), GN_ENOENT);
    gn_arena_destroy(&arena);
}

static void paths(void **state)
{
    (void)state;
    char dst[16];
    assert_int_equal(gn_path_join("a", "b", dst, sizeof dst), GN_OK);
    assert_string_equal(dst, "a/b");
    assert_int_equal(gn_path_join("a/", "b", dst, sizeof dst), GN_OK);
    assert_string_equal(dst, "a/b");
    assert_int_equal(gn_path_join("a", "/b", dst, sizeof dst), GN_OK);
    assert_string_equal(dst, "/b");
    assert_int_equal(gn_path_join("0123456789", "01234", dst, sizeof dst), GN_ELIMIT);
    assert_string_equal(gn_path_name("a/b.c/d.tar.gz"), "d.tar.gz");
    assert_string_equal(gn_path_ext("a/b.c/d.tar.gz"), ".gz");
    assert_string_equal(gn_path_ext("a.b/c"), "");
    assert_string_equal(gn_path_ext("a/.profile"), "");
    gn_path_dir("a/b/c", dst, sizeof dst);
    assert_string_equal(dst, "a/b");
    gn_path_dir("c", dst, sizeof dst);
    assert_string_equal(dst, ".");
    gn_path_dir("/c", dst, sizeof dst);
    assert_string_equal(dst, "/");
}

/* Published FNV-1a 64-bit values. */
static void hashes(void **state)
{
    (void)state;
    assert_true(gn_hash64("", 0, 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(gn_hash64("a", 1, 0) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(gn_hash64("foobar", 6, 0) == UINT64_C(0x85944171f73967e8));
    assert_true(gn_hash64("foobar", 6, 1) != gn_hash64("foobar", 6, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_and_read),
        cmocka_unit_test(writing_in_pieces),
        cmocka_unit_test(abandoning_leaves_the_old_file),
        cmocka_unit_test(full_disk_leaves_the_old_file),
        cmocka_unit_test(targets_that_are_no_files),
        cmocka_unit_test(links_and_permissions_stay),
        cmocka_unit_test(reading_has_limits),
        cmocka_unit_test(folders),
        cmocka_unit_test(listing_is_sorted),
        cmocka_unit_test(paths),
        cmocka_unit_test(hashes),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
