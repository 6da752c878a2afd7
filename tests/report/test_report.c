/* Reports: valid and escaped JSON, a page made from the study's file alone, the aligned table.
 * With arguments `OUT.html [PICTURE.jpg|- [TRIALS]]` it writes the report of a made-up study instead, to be looked at in a browser.
 * SPDX-License-Identifier: Apache-2.0 */
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
#include "base/json.h"
#include "base/clock.h"
#include "demo_search.h"
#include "demo_study.h"
#include "report/report.h"

static char folder[256], study_path[300], html_path[300], jpeg_path[300];
static const unsigned char tiny_jpeg[] = {0xFF, 0xD8, 0xFF, 0x00, 0x10, 0x83, 0xFE, 0xFF, 0xD9, 0x41};

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-report-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(study_path, sizeof study_path, "%s/study.db", folder);
    snprintf(html_path, sizeof html_path, "%s/report.html", folder);
    snprintf(jpeg_path, sizeof jpeg_path, "%s/sheet.jpg", folder);
    assert_int_equal(gn_file_write(jpeg_path, tiny_jpeg, sizeof tiny_jpeg, NULL), GN_OK);
    gn_error err = {0};
    if (demo_study_write(study_path, jpeg_path, &err) != GN_OK)
        fail_msg("%s", err.message);
    unlink(jpeg_path); /* a report is made from the study alone */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(study_path);
    unlink(html_path);
    rmdir(folder);
    return 0;
}

static gn_study *open_study(void)
{
    gn_study *study = NULL;
    assert_int_equal(gn_study_open(study_path, GN_STUDY_READ, &study, NULL), GN_OK);
    return study;
}

static const gn_json *item(const gn_json *array, int i)
{
    const gn_json *at = array->first;
    while (i-- > 0)
        at = at->next;
    return at;
}

static int length(const gn_json *array)
{
    int n = 0;
    for (const gn_json *at = array->first; at != NULL; at = at->next)
        n++;
    return n;
}

/* The place of a number in an array; -1. */
static int index_of(const gn_json *array, double x)
{
    int i = 0;
    for (const gn_json *at = array->first; at != NULL; at = at->next, i++)
        if (at->number == x)
            return i;
    return -1;
}

/* The i-th string of a column of strings; NULL where there is none. */
static const char *dictionary_item(const gn_json *column, int i)
{
    const int at = (int)item(gn_json_member(column, "index"), i)->number;
    return at >= 0 ? item(gn_json_member(column, "values"), at)->text : NULL;
}

static void test_json_is_valid_and_complete(void **state)
{
    (void)state;
    gn_text text;
    gn_study *study = open_study();
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    double x = 0;
    const char *s = NULL;
    gn_text_init(&text);
    assert_int_equal(gn_report_json(&study, 1, true, &text, NULL), GN_OK);
    assert_int_equal(gn_json_parse(text.data, text.len, arena, &root, NULL), GN_OK);
    root = item(gn_json_member(root, "studies"), 0);
    assert_null(strchr(text.data, '<'));
    assert_true(gn_json_string(root, "facts.space", &s));
    assert_string_equal(s, DEMO_NASTY);
    const gn_json *trials = gn_json_member(root, "trials");
    assert_int_equal(length(gn_json_member(trials, "id")), 21);
    assert_int_equal(length(gn_json_at(root, "networks.p50_ms")), 7);
    assert_null(gn_json_at(root, "networks.energy_mj"));
    /* Trial 8 is resnet18 with the middle rate: 60 epochs, three results on val and one on test. */
    assert_int_equal(item(gn_json_member(trials, "id"), 7)->number, 8);
    assert_string_equal(dictionary_item(gn_json_at(root, "config.model"), 7), "resnet18");
    assert_string_equal(dictionary_item(gn_json_at(root, "config.lr0"), 7), "0.001");
    assert_string_equal(dictionary_item(gn_json_member(trials, "state"), 7), "done");
    assert_non_null(strstr(dictionary_item(gn_json_member(trials, "reason"), 14), DEMO_NASTY));
    const int first = index_of(gn_json_at(root, "results.trial"), 8);
    assert_int_equal(item(gn_json_at(root, "results.trial"), first + 3)->number, 8);
    assert_string_equal(dictionary_item(gn_json_at(root, "results.split"), first + 2), "test");
    const double value = item(gn_json_at(root, "metrics.mean_iou.value"), first + 1)->number;
    assert_true(value > 0.4 && item(gn_json_at(root, "metrics.mean_iou.low"), first + 1)->number < value);
    assert_null(gn_json_at(root, "metrics.loss.low"));
    /* A trial without epochs takes nobody else's. */
    const gn_json *curves = gn_json_member(root, "curves");
    assert_true(gn_json_number(curves, "n_trials", &x) && x == length(gn_json_member(curves, "trial")));
    assert_int_equal(index_of(gn_json_member(curves, "trial"), 16), -1);
    assert_int_equal(item(gn_json_member(curves, "rows"), index_of(gn_json_member(curves, "trial"), 15))->number, 3);
    assert_int_equal(item(gn_json_member(curves, "rows"), index_of(gn_json_member(curves, "trial"), 8))->number, 60);
    assert_null(gn_json_member(curves, "map50"));
    const gn_json *picture = item(gn_json_member(root, "pictures"), 0);
    assert_true(gn_json_string(picture, "jpeg", &s));
    assert_string_equal(s, "/9j/ABCD/v/ZQQ==");
    gn_arena_destroy(&arena);
    gn_study_close(&study);
    gn_text_deinit(&text);
}

static size_t count_of(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        n++;
    return n;
}

static void test_page_is_complete_in_itself(void **state)
{
    (void)state;
    char *page = NULL;
    size_t bytes = 0, told = 0;
    gn_error err = {0};
    if (gn_report_write(study_path, html_path, &told, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_file_read(html_path, 1u << 26, &page, &bytes, NULL), GN_OK);
    assert_int_equal(bytes, told);
    assert_null(strstr(page, "@LIVE@"));
    assert_null(strstr(page, "@CSS@"));
    assert_null(strstr(page, "@DATA@"));
    assert_null(strstr(page, "@JS@"));
    /* Three script elements (the data, where they come from, the script), and nothing in the data closes or opens one. */
    assert_int_equal(count_of(page, "<script"), 3);
    assert_int_equal(count_of(page, "</script>"), 3);
    assert_null(strstr(page, "connect-src"));
    assert_non_null(strstr(page, "default-src 'none'"));
    /* The only address is the name space of SVG. */
    assert_int_equal(count_of(page, "http://"), 1);
    assert_int_equal(count_of(page, "https://"), 0);
    assert_int_equal(count_of(page, "@import"), 0);
    gn_free(page);
}

static void test_same_study_same_page(void **state)
{
    (void)state;
    gn_text a, b;
    gn_text_init(&a);
    gn_text_init(&b);
    gn_study *study = open_study();
    assert_int_equal(gn_report_json(&study, 1, true, &a, NULL), GN_OK);
    assert_int_equal(gn_report_json(&study, 1, true, &b, NULL), GN_OK);
    assert_string_equal(a.data, b.data);
    gn_study_close(&study);
    gn_text_deinit(&a);
    gn_text_deinit(&b);
}

static void test_table_is_aligned(void **state)
{
    (void)state;
    gn_text text;
    gn_text_init(&text);
    gn_study *study = open_study();
    assert_int_equal(gn_report_table(study, &text, NULL), GN_OK);
    gn_study_close(&study);
    assert_int_equal(count_of(text.data, "\n"), 2 + 21);
    const char *first = strchr(strchr(text.data, '\n') + 1, '\n') + 1;
    assert_memory_equal(first, "  * 8", 5);
    assert_non_null(strstr(text.data, "over budget"));
    assert_non_null(strstr(text.data, "failed: exit code 1"));
    /* Every line has the last column at the place where the header has it. */
    const char *header_end = strchr(text.data, '\n');
    const long column = strstr(text.data, "state") - text.data;
    assert_true(column > 0 && column < header_end - text.data);
    for (const char *line = text.data; *line != '\0'; line = strchr(line, '\n') + 1) {
        assert_true(strchr(line, '\n') - line > column);
        assert_true(line[column - 1] == ' ' && line[column - 2] == ' ' && line[column] != ' ');
    }
    gn_text_deinit(&text);
}

/* Documents and importance are there; passwords of addresses are not. */
static void test_json_keeps_passwords_and_passes_documents(void **state)
{
    (void)state;
    gn_text text;
    gn_study *study = NULL;
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    const char *s = NULL;
    double x = 0;
    assert_int_equal(gn_study_open(study_path, GN_STUDY_WRITE, &study, NULL), GN_OK);
    assert_int_equal(
        gn_study_add_command(study, "gannet worker --study postgresql://ada:s3cret@db:5432/faces x://y z", 1, NULL),
        GN_OK);
    assert_int_equal(
        gn_study_put_document(study, 8, "test_curves", "{\"a\":[0.5,null,true,\"</script>\"],\"b\":{}}", NULL), GN_OK);
    gn_text_init(&text);
    assert_int_equal(gn_report_json(&study, 1, false, &text, NULL), GN_OK);
    gn_study_close(&study);
    assert_null(strstr(text.data, "s3cret"));
    assert_null(strchr(text.data, '<'));
    assert_int_equal(gn_json_parse(text.data, text.len, arena, &root, NULL), GN_OK);
    root = item(gn_json_member(root, "studies"), 0);
    assert_true(gn_json_string(item(gn_json_member(root, "commands"), 1), "line", &s) ||
                gn_json_string(item(gn_json_member(root, "commands"), 0), "line", &s));
    assert_non_null(strstr(text.data, "postgresql://ada:***@db:5432/faces x://y z"));
    assert_int_equal(length(gn_json_member(root, "pictures")), 0);
    const gn_json *document = item(gn_json_member(root, "documents"), 0);
    assert_true(gn_json_number(document, "trial", &x) && x == 8);
    assert_string_equal(item(gn_json_at(document, "value.a"), 3)->text, "</script>");
    assert_int_equal(gn_json_at(document, "value.b")->kind, GN_JSON_OBJECT);
    assert_non_null(gn_json_at(root, "importance.shares"));
    gn_arena_destroy(&arena);
    gn_text_deinit(&text);
}

/* Beyond a thousand trials only some have curves, the winner among them; every trial has its results. */
static void test_large_study_is_lean(void **state)
{
    (void)state;
    gn_text text;
    gn_study *study = NULL;
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    double n_curves = 0, winner = 0;
    const char *s = NULL;
    unlink(study_path);
    const demo_search options = {.n_trials = 1200};
    assert_int_equal(demo_search_write(study_path, &options, NULL), GN_OK);
    assert_int_equal(gn_study_open(study_path, GN_STUDY_READ, &study, NULL), GN_OK);
    gn_text_init(&text);
    assert_int_equal(gn_report_json(&study, 1, true, &text, NULL), GN_OK);
    gn_study_close(&study);
    assert_int_equal(gn_json_parse(text.data, text.len, arena, &root, NULL), GN_OK);
    root = item(gn_json_member(root, "studies"), 0);
    assert_int_equal(gn_json_member(root, "is_lean")->number, 1);
    assert_int_equal(length(gn_json_at(root, "trials.id")), 1200);
    const gn_json *curves = gn_json_member(root, "curves");
    assert_true(gn_json_number(curves, "n_trials", &n_curves) && n_curves > 600);
    const int kept = length(gn_json_member(curves, "trial"));
    assert_true(kept >= 150 && kept <= 300);
    assert_true(gn_json_string(root, "facts.winner", &s));
    winner = strtod(s, NULL);
    assert_true(index_of(gn_json_member(curves, "trial"), winner) >= 0);
    /* The objective keeps all intervals, other metrics those of the trials in full. */
    int with_interval = 0, of_precision = 0, n_results = length(gn_json_at(root, "results.trial"));
    for (const gn_json *v = gn_json_at(root, "metrics.mean_iou.high")->first; v != NULL; v = v->next)
        with_interval += v->number != 0;
    for (const gn_json *v = gn_json_at(root, "metrics.box_precision50.high")->first; v != NULL; v = v->next)
        of_precision += v->number != 0;
    assert_int_equal(with_interval, n_results);
    assert_in_range(of_precision, 150, n_results - 100);
    gn_arena_destroy(&arena);
    gn_text_deinit(&text);
}

/* Only a page with an address to fetch from may connect. */
static void test_live_page(void **state)
{
    (void)state;
    gn_text page;
    gn_text_init(&page);
    gn_report_page("{}", "data.json?token=a\"</script>", &page);
    assert_non_null(strstr(page.data, "connect-src 'self'"));
    assert_non_null(strstr(page.data, "\"data.json?token=a\\\"\\u003c/script>\""));
    assert_int_equal(count_of(page.data, "<script"), 3);
    gn_text_deinit(&page);
}

static void test_empty_study(void **state)
{
    (void)state;
    gn_study *study = NULL;
    gn_text text;
    unlink(study_path);
    assert_int_equal(gn_study_open(study_path, GN_STUDY_WRITE, &study, NULL), GN_OK);
    gn_text_init(&text);
    assert_int_equal(gn_report_table(study, &text, NULL), GN_OK);
    gn_text_deinit(&text);
    gn_study_close(&study);
    assert_int_equal(gn_report_write(study_path, html_path, NULL, NULL), GN_OK);
    unlink(study_path);
    gn_error err = {0};
    assert_int_equal(gn_report_write(study_path, html_path, NULL, &err), GN_ENOENT);
}

/* OUT.html [PICTURE.jpg|- [TRIALS [running]]]: without TRIALS the study of demo_study.c, with "A+B" two studies of A and B trials. */
static int write_example(int argc, char **argv)
{
    char path[2][512];
    const char *paths[2] = {path[0], path[1]};
    const char *picture = argc > 2 && strcmp(argv[2], "-") != 0 ? argv[2] : NULL;
    char *next = argc > 3 ? argv[3] : NULL;
    gn_error err = {0};
    size_t n = 0;
    gn_status status = GN_OK;
    do {
        demo_search options = {.picture = picture, .seed = n, .is_running = argc > 4};
        options.n_trials = next != NULL ? (int)strtol(next, &next, 10) : 0;
        snprintf(path[n], sizeof path[n], "%s.%zu.db", argv[1], n);
        unlink(path[n]);
        status = options.n_trials > 0 ? demo_search_write(path[n], &options, &err)
                                      : demo_study_write(path[n], picture, &err);
        n++;
    } while (status == GN_OK && n < 2 && next != NULL && *next++ == '+');
    const int64_t begun = gn_now_ns();
    size_t bytes = 0;
    if (status != GN_OK || gn_report_write_all(paths, n, true, argv[1], &bytes, &err) != GN_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    printf("%s: %zu bytes, report made in %.2f s\n", argv[1], bytes, (double)(gn_now_ns() - begun) * 1e-9);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && argv[1][0] != '-')
        return write_example(argc, argv);
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_json_is_valid_and_complete), CASE(test_page_is_complete_in_itself),
        CASE(test_same_study_same_page),       CASE(test_json_keeps_passwords_and_passes_documents),
        CASE(test_large_study_is_lean),        CASE(test_live_page),
        CASE(test_table_is_aligned),           CASE(test_empty_study),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
