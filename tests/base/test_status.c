/* Statuses, the error record and log lines.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/status.h"

static void names_and_sentences(void **state)
{
    (void)state;
    assert_string_equal(gn_status_name(GN_OK), "OK");
    assert_string_equal(gn_status_name(GN_EFORMAT), "EFORMAT");
    assert_string_equal(gn_status_sentence(GN_ENOMEM), "out of memory");
    assert_string_equal(gn_status_name((gn_status)9999), "?");
}

static void fail_fills_the_record(void **state)
{
    (void)state;
    gn_error err;
    gn_error_clear(&err);
    assert_int_equal(gn_fail_at(&err, GN_EFORMAT, "a/b.txt", 7, "found %d columns, expected %d", 3, 5), GN_EFORMAT);
    assert_int_equal(err.status, GN_EFORMAT);
    assert_int_equal(err.line, 7);
    assert_int_equal(err.offset, -1);
    char line[600];
    gn_error_line(&err, line, sizeof line);
    assert_string_equal(line, "a/b.txt:7: found 3 columns, expected 5");
    gn_error_prefix(&err, "reading labels");
    gn_error_line(&err, line, sizeof line);
    assert_string_equal(line, "a/b.txt:7: reading labels: found 3 columns, expected 5");
    gn_fail_offset(&err, GN_EFORMAT, "m.onnx", 12, "bad tag");
    gn_error_line(&err, line, sizeof line);
    assert_string_equal(line, "m.onnx: at byte 12: bad tag");
    gn_fail(&err, GN_EINVAL, "no file");
    gn_error_line(&err, line, sizeof line);
    assert_string_equal(line, "no file");
}

static void record_may_be_null(void **state)
{
    (void)state;
    assert_int_equal(gn_fail(NULL, GN_EIO, "x"), GN_EIO);
    gn_error_prefix(NULL, "x");
    gn_error_clear(NULL);
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char path[1000], message[2000], line[2000];
    memset(path, 'p', sizeof path - 1);
    memcpy(path + sizeof path - 8, "end.jpg", 8);
    memset(message, 'm', sizeof message - 1);
    message[sizeof message - 1] = '\0';
    gn_error err;
    gn_error_clear(&err);
    gn_fail_at(&err, GN_EDATA, path, 1, "%s", message);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_int_equal(strlen(err.file), sizeof err.file - 1);
    assert_non_null(strstr(err.file, "end.jpg"));
    gn_error_prefix(&err, "%s", message);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    gn_error_line(&err, line, 10);
    assert_int_equal(strlen(line), 9);
}

/* A caller may rephrase a failure with parts of the record itself. */
static void record_may_name_itself(void **state)
{
    (void)state;
    gn_error err;
    gn_error_clear(&err);
    gn_fail_at(&err, GN_EFORMAT, "x.yaml", 3, "inner");
    gn_fail_at(&err, GN_EDATA, err.file, 4, "outer (%s)", err.message);
    assert_string_equal(err.file, "x.yaml");
    assert_string_equal(err.message, "outer (inner)");
}

static gn_status forward(gn_status status)
{
    GN_TRY(status);
    return GN_EIO;
}

static void try_forwards(void **state)
{
    (void)state;
    assert_int_equal(forward(GN_ELIMIT), GN_ELIMIT);
    assert_int_equal(forward(GN_OK), GN_EIO);
}

typedef struct seen_line {
    int count, level;
    char text[64];
} seen_line;

static void remember(void *ctx, int level, const char *line)
{
    seen_line *seen = ctx;
    seen->count++;
    seen->level = level;
    strncpy(seen->text, line, sizeof seen->text - 1);
}

static void log_passes_up_to_its_level(void **state)
{
    (void)state;
    seen_line seen = {0};
    gn_warn("nobody listens");
    gn_log_set(remember, &seen, 2);
    gn_log(3, "too often");
    assert_int_equal(seen.count, 0);
    gn_log(2, "graph %d", 5);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.level, 2);
    assert_string_equal(seen.text, "graph 5");
    gn_log_set(remember, &seen, 0);
    gn_warn("seen at any level");
    assert_int_equal(seen.count, 2);
    gn_log_set(NULL, NULL, 5);
    assert_int_equal(gn_log_level(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_sentences),        cmocka_unit_test(fail_fills_the_record),
        cmocka_unit_test(record_may_be_null),         cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(record_may_name_itself),     cmocka_unit_test(try_forwards),
        cmocka_unit_test(log_passes_up_to_its_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
