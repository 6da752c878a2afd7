/* Studies on a PostgreSQL server: addresses without their passwords, refusals in one line, and servers that go away.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/text.h"
#include "store/postgres_address.h"
#include "store_fixture.h"

/* --- addresses --------------------------------------------------------------------------------------------------- */

static void check_address(const char *where, const char *url, const char *shown, const char *study)
{
    gn_postgres_address address;
    gn_error err = {0};
    if (gn_postgres_address_parse(where, &address, &err) != GN_OK)
        fail_msg("%s: %s", where, err.message);
    assert_string_equal(address.url, url);
    assert_string_equal(address.shown, shown);
    assert_string_equal(address.study, study);
    gn_postgres_address_deinit(&address);
}

static void test_addresses(void **state)
{
    (void)state;
    check_address("postgresql://host/db", "postgresql://host/db", "postgresql://host/db", "gannet");
    check_address("postgres://ann:geheim@host:5433/db?study=faces", "postgres://ann:geheim@host:5433/db",
                  "postgres://ann:***@host:5433/db?study=faces", "faces");
    check_address("postgresql://host/db?sslmode=require&study=a_1&connect_timeout=3",
                  "postgresql://host/db?sslmode=require&connect_timeout=3",
                  "postgresql://host/db?sslmode=require&study=a_1&connect_timeout=3", "a_1");
    check_address("postgresql:///db?password=geheim&sslpassword=auch",
                  "postgresql:///db?password=geheim&sslpassword=auch", "postgresql:///db?password=***&sslpassword=***",
                  "gannet");
    /* Passwords that should have been escaped are not shown either. */
    check_address("postgresql://ann:ge/h@ei?m@host/db", "postgresql://ann:ge/h@ei?m@host/db",
                  "postgresql://ann:***@host/db", "gannet");
    check_address("postgresql://ann@host/db", "postgresql://ann@host/db", "postgresql://ann@host/db", "gannet");
    static const char *const bad[] = {"postgresql://h/d?study=",       "postgresql://h/d?study=Faces",
                                      "postgresql://h/d?study=1a",     "postgresql://h/d?study=pg_x",
                                      "postgresql://h/d?study=a\"b",   "postgresql://h/d?study=a%20b",
                                      "postgresql://h/d?study=a-b&x=y"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gn_postgres_address address;
        gn_error err = {0};
        assert_int_equal(gn_postgres_address_parse(bad[i], &address, &err), GN_EINVAL);
        assert_non_null(strstr(err.message, "the name of the study"));
        gn_postgres_address_deinit(&address);
    }
    assert_true(gn_study_is_server("postgresql:///x") && !gn_study_is_server("postgres.db"));
}

static void check_hidden(const char *text, const char *expected)
{
    gn_text out;
    gn_text_init(&out);
    gn_postgres_hide_passwords(text, &out);
    assert_string_equal(out.data, expected);
    gn_text_deinit(&out);
}

static void test_passwords_are_hidden_in_command_lines(void **state)
{
    (void)state;
    check_hidden("", "");
    check_hidden("gannet search --data a@b:c", "gannet search --data a@b:c");
    check_hidden("gannet search --study 'postgresql://ann:geheim@h/d?study=x' --data a@b",
                 "gannet search --study 'postgresql://ann:***@h/d?study=x' --data a@b");
    check_hidden("postgres://a:b@h/d postgresql://c:d@h/d?password=e",
                 "postgres://a:***@h/d postgresql://c:***@h/d?password=***");
    check_hidden("postgresql://h/d", "postgresql://h/d");
}

/* --- refusals ---------------------------------------------------------------------------------------------------- */

/* One line with `word` in it and without the password. */
static void check_refused(const char *where, gn_study_mode mode, gn_status expected, const char *word)
{
    gn_study *study = NULL;
    gn_error err = {0};
    const gn_status status = gn_study_open(where, mode, &study, &err);
    if (status != expected || strstr(err.message, word) == NULL)
        fail_msg("%s: %s instead of %s: %s", where, gn_status_name(status), gn_status_name(expected), err.message);
    assert_null(study);
    assert_null(strchr(err.message, '\n'));
    assert_null(strstr(err.message, "geheim"));
    assert_null(strstr(err.file, "geheim"));
}

static void test_refusals(void **state)
{
    (void)state;
    fixture_skip_without_study();
    char good[600], where[800];
    fixture_server_address(good, "refusals", false);
    const char *port = strstr(good, "127.0.0.1:") + 10;
    check_refused("postgresql://ann:geheim@127.0.0.1:1/db", GN_STUDY_READ, GN_EIO, "refused");
    check_refused("postgresql:///db?host=/nowhere&password=geheim", GN_STUDY_READ, GN_EIO, "No such file");
    snprintf(where, sizeof where, "postgresql://gannet:geheim@127.0.0.1:%s", port);
    check_refused(where, GN_STUDY_WRITE, GN_EIO, "password authentication failed");
    snprintf(where, sizeof where, "postgresql://gannet@127.0.0.1:%s", port);
    check_refused(where, GN_STUDY_WRITE, GN_EIO, "PGPASSWORD");
    snprintf(where, sizeof where, "postgresql://gannet:secret@127.0.0.1:%d/nothing", atoi(port));
    check_refused(where, GN_STUDY_WRITE, GN_EIO, "database \"nothing\" does not exist");
    check_refused(good, GN_STUDY_READ, GN_ENOENT, "none of the name refusals");
    check_refused("postgresql://ann:ge%zzheim@host/db", GN_STUDY_READ, GN_EINVAL, "the address is not understood");
    check_refused("postgresql://ann:geheim/x@host:5/db", GN_STUDY_READ, GN_EINVAL, "the address is not understood");
    check_refused("postgresql://ann:geheim@host/db?colour=red", GN_STUDY_READ, GN_EINVAL, "colour");
}

/* Sends one statement to the server by psql. */
static void run_psql(const char *sql)
{
    char command[1200], address[600];
    fixture_server_address(address, "x", false);
    *strstr(address, "?study") = '\0';
    snprintf(command, sizeof command, "psql -q -v ON_ERROR_STOP=1 -c \"%s\" '%s'", sql, address);
    assert_int_equal(system(command), 0);
}

static void test_foreign_and_newer_schemas(void **state)
{
    (void)state;
    fixture_skip_without_study();
    char where[600];
    run_psql("CREATE SCHEMA somebody; CREATE TABLE somebody.elses (x int)");
    fixture_server_address(where, "somebody", false);
    check_refused(where, GN_STUDY_READ, GN_EFORMAT, "tables of somebody else");
    check_refused(where, GN_STUDY_WRITE, GN_EFORMAT, "tables of somebody else");
    gn_study *study = fixture_open(fixture_where, GN_STUDY_WRITE);
    gn_study_close(&study);
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE %s.gannet_study SET version = %d", strstr(fixture_where, "study=") + 6,
             GN_STUDY_VERSION + 1);
    run_psql(sql);
    check_refused(fixture_where, GN_STUDY_READ, GN_EUNSUPPORTED, "newer Gannet");
    check_refused(fixture_where, GN_STUDY_WRITE, GN_EUNSUPPORTED, "newer Gannet");
    /* An empty schema that an administrator made for us is taken, and rights that are missing are named. */
    run_psql("CREATE SCHEMA prepared; CREATE ROLE guest LOGIN PASSWORD 'geheim'");
    fixture_server_address(where, "prepared", false);
    study = fixture_open(where, GN_STUDY_WRITE);
    gn_study_close(&study);
    char guest[700];
    snprintf(guest, sizeof guest, "postgresql://guest:geheim%s", strchr(where, '@'));
    check_refused(guest, GN_STUDY_READ, GN_EIO, "GRANT USAGE");
}

/* --- one server, several studies, several clients ------------------------------------------------------------------ */

static void test_studies_beside_each_other(void **state)
{
    (void)state;
    fixture_skip_without_study();
    char other[600];
    fixture_server_address(other, "neighbour", false);
    gn_study *a = fixture_open(fixture_where, GN_STUDY_WRITE), *b = fixture_open(other, GN_STUDY_WRITE);
    gn_study *again = fixture_open(fixture_where, GN_STUDY_WRITE), *reader = fixture_open(fixture_where, GN_STUDY_READ);
    gn_arena *arena = gn_arena_create(0);
    gn_trial *list = NULL;
    const char *value = NULL;
    size_t n = 0;
    assert_true(gn_study_is_shared(a));
    assert_non_null(strstr(gn_study_path(a), "study_"));
    assert_null(strstr(gn_study_path(a), "secret"));
    fixture_add_trial(a, "{}");
    fixture_add_trial(again, "{\"a\":\"1\"}");
    assert_int_equal(gn_study_trials(reader, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    assert_int_equal(gn_study_trials(b, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 0);
    /* A reader's transaction sees one moment, and writes nothing. */
    assert_int_equal(gn_study_begin(reader, NULL), GN_OK);
    assert_int_equal(gn_study_trials(reader, arena, &list, &n, NULL), GN_OK);
    fixture_add_trial(a, "{\"a\":\"2\"}");
    assert_int_equal(gn_study_trials(reader, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 2);
    gn_error err = {0};
    assert_int_equal(gn_study_set_fact(reader, "a", "b", &err), GN_EIO);
    assert_non_null(strstr(err.message, "read-only"));
    /* The failure undid the transaction, and commit says so. */
    assert_int_equal(gn_study_commit(reader, &err), GN_EINVAL);
    assert_int_equal(gn_study_trials(reader, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 3);
    /* What a program printed before it was killed in the middle of a character. */
    assert_int_equal(gn_study_set_fact(a, "note", "caf\xC3\xA9 \xC3", NULL), GN_OK);
    assert_int_equal(gn_study_fact_of(a, "note", arena, &value, NULL), GN_OK);
    assert_string_equal(value, "caf\xC3\xA9 \xEF\xBF\xBD");
    gn_arena_destroy(&arena);
    gn_study_close(&reader);
    gn_study_close(&again);
    gn_study_close(&b);
    gn_study_close(&a);
}

static void test_numbers_keep_every_bit(void **state)
{
    (void)state;
    fixture_skip_without_study();
    static const double numbers[] = {0.1, 1e-310, 1.7976931348623157e308, -0.0, 1.0 / 3, 123456789012345.67};
    gn_study *study = fixture_open(fixture_where, GN_STUDY_WRITE);
    const int64_t trial = fixture_add_trial(study, "{}");
    gn_arena *arena = gn_arena_create(0);
    for (int i = 0; i < 6; i++)
        assert_int_equal(gn_study_put_epoch(
                             study, &(gn_epoch){.trial = trial, .epoch = i + 1, .lr = numbers[i], .map50 = NAN}, NULL),
                         GN_OK);
    gn_epoch *e = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_epochs(study, arena, &e, &n, NULL), GN_OK);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < n; i++)
        assert_true(memcmp(&e[i].lr, &numbers[i], sizeof(double)) == 0 && isnan(e[i].map50));
    gn_arena_destroy(&arena);
    gn_study_close(&study);
}

/* Ten processes that open the same study at the same moment: one makes it, all can use it. */
static void test_everybody_makes_the_study_at_once(void **state)
{
    (void)state;
    fixture_skip_without_study();
    pid_t child[10];
    for (int i = 0; i < 10; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            gn_study *study = NULL;
            gn_error err = {0};
            gn_status status = gn_study_open(fixture_where, GN_STUDY_WRITE, &study, &err);
            if (status == GN_OK)
                status = gn_study_add_command(study, "x", i, &err);
            if (status != GN_OK)
                print_error("%s\n", err.message);
            _exit(status == GN_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < 10; i++) {
        int status = 0;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    gn_study *study = fixture_open(fixture_where, GN_STUDY_READ);
    gn_arena *arena = gn_arena_create(0);
    gn_study_command *list = NULL;
    size_t n = 0;
    assert_int_equal(gn_study_commands(study, arena, &list, &n, NULL), GN_OK);
    assert_int_equal(n, 10);
    gn_arena_destroy(&arena);
    gn_study_close(&study);
}

/* A decision excludes the others': the second waits until the first is done. */
static void test_decisions_wait_for_each_other(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_study *study = fixture_open(fixture_where, GN_STUDY_WRITE);
    assert_int_equal(gn_study_begin(study, NULL), GN_OK);
    const pid_t child = fork();
    if (child == 0) {
        gn_study *other = NULL;
        const int64_t start = gn_now_ns();
        gn_status status = gn_study_open(fixture_where, GN_STUDY_WRITE, &other, NULL);
        _exit(status == GN_OK && gn_now_ns() - start > INT64_C(250000000) ? 0 : 1);
    }
    gn_sleep_ns(INT64_C(400000000));
    assert_int_equal(gn_study_commit(study, NULL), GN_OK);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    gn_study_close(&study);
}

/* --- servers that go away ------------------------------------------------------------------------------------------ */

static void test_lost_connection(void **state)
{
    (void)state;
    fixture_skip_without_study();
    gn_study *study = fixture_open(fixture_where, GN_STUDY_WRITE);
    gn_error err = {0};
    assert_int_equal(gn_study_set_fact(study, "a", "1", NULL), GN_OK);
    assert_int_equal(gn_study_begin(study, NULL), GN_OK);
    assert_int_equal(gn_study_set_fact(study, "a", "2", NULL), GN_OK);
    assert_true(fixture_server_do("down"));
    assert_int_equal(gn_study_set_fact(study, "a", "3", &err), GN_EIO);
    assert_non_null(strstr(err.message, "the connection to the server is lost"));
    assert_true(gn_study_is_lost(study));
    gn_study_rollback(study);
    assert_int_equal(gn_study_set_fact(study, "a", "3", &err), GN_EIO);
    /* It stays away: the attempt ends in time, with the cause. */
    const int64_t start = gn_now_ns();
    assert_int_equal(gn_study_reconnect(study, 0.5, &err), GN_EIO);
    assert_true(gn_now_ns() - start < INT64_C(3000000000));
    assert_null(strchr(err.message, '\n'));
    /* It comes back while somebody waits for it. */
    const pid_t child = fork();
    if (child == 0) {
        gn_sleep_ns(INT64_C(300000000));
        _exit(fixture_server_do("up") ? 0 : 1);
    }
    if (gn_study_reconnect(study, 20, &err) != GN_OK)
        fail_msg("%s", err.message);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(gn_study_is_lost(study));
    gn_arena *arena = gn_arena_create(0);
    const char *value = NULL;
    assert_int_equal(gn_study_fact_of(study, "a", arena, &value, NULL), GN_OK);
    assert_string_equal(value, "1");
    assert_int_equal(gn_study_set_fact(study, "a", "4", NULL), GN_OK);
    /* A polite restart is noticed just so. */
    assert_true(fixture_server_do("restart"));
    assert_int_equal(gn_study_set_fact(study, "a", "5", &err), GN_EIO);
    assert_true(gn_study_is_lost(study));
    assert_int_equal(gn_study_reconnect(study, 20, NULL), GN_OK);
    assert_int_equal(gn_study_set_fact(study, "a", "6", NULL), GN_OK);
    gn_arena_destroy(&arena);
    gn_study_close(&study);
}

int main(void)
{
#define ON_SERVER(test) cmocka_unit_test_setup_teardown(test, fixture_set_up_server, fixture_remove_folder)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_passwords_are_hidden_in_command_lines),
        ON_SERVER(test_refusals),
        ON_SERVER(test_foreign_and_newer_schemas),
        ON_SERVER(test_studies_beside_each_other),
        ON_SERVER(test_numbers_keep_every_bit),
        ON_SERVER(test_everybody_makes_the_study_at_once),
        ON_SERVER(test_decisions_wait_for_each_other),
        ON_SERVER(test_lost_connection),
    };
    return cmocka_run_group_tests(tests, NULL, fixture_server_stop);
}
