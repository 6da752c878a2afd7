/* What reports are made from, and every format but the page: places, front, funnel, families, differences, tables, escaping.
 * With the argument F.db it writes the made-up study instead, to try `gannet report` with.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
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
#include "base/rng.h"
#include "base/text.h"
#include "demo_study.h"
#include "report/report_compare.h"
#include "report/report_knobs.h"
#include "report/report_model.h"
#include "report/report_write.h"

static char folder[256], study_path[300], out_path[320];

static int set_up(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-formats-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(study_path, sizeof study_path, "%s/study.db", folder);
    snprintf(out_path, sizeof out_path, "%s/out", folder);
    gn_error err = {0};
    if (demo_study_write(study_path, NULL, &err) != GN_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(study_path);
    unlink(out_path);
    rmdir(folder);
    return 0;
}

static gn_report_model *load(void)
{
    gn_study *study = NULL;
    gn_report_model *m = NULL;
    assert_int_equal(gn_study_open(study_path, GN_STUDY_READ, &study, NULL), GN_OK);
    assert_int_equal(gn_report_model_load(study, &m, NULL), GN_OK);
    gn_study_close(&study);
    return m;
}

static void test_families(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"mobilenet_v2@0.35", "mobilenet_v2"},
        {"mobilenet_v3_small", "mobilenet_v3"},
        {"resnet18", "resnet"},
        {"squeezenet1_1", "squeezenet"},
        {"efficientnet_b0", "efficientnet"},
        {"regnet_x_400mf", "regnet_x"},
        {"yolov5n", "yolov5"},
        {"yolov1_fast", "yolov1"},
        {"vgg16_bn", "vgg"},
        {"alexnet", "alexnet"},
        {"mnasnet0_5", "mnasnet"},
        {"shufflenet_v2_x0_5", "shufflenet_v2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char got[64];
        gn_report_family(cases[i][0], got, sizeof got);
        assert_string_equal(got, cases[i][1]);
    }
}

static void test_hypervolume(void **state)
{
    (void)state;
    const double cost[] = {1, 3, 6}, gain[] = {0.2, 0.5, 0.6};
    /* (3-1) 0.2 + (6-3) 0.5 + (10-6) 0.6 = 4.3; what lies beyond the end does not count. */
    assert_true(fabs(gn_report_hypervolume(cost, gain, 3, 10, 0) - 4.3) < 1e-12);
    assert_true(fabs(gn_report_hypervolume(cost, gain, 3, 5, 0) - (0.4 + 1.0)) < 1e-12);
    assert_true(fabs(gn_report_hypervolume(cost, gain, 3, 10, 0.3) - (0.6 + 1.2)) < 1e-12);
    assert_true(gn_report_hypervolume(cost, gain, 3, 0.5, 0) == 0);
    assert_true(gn_report_hypervolume(cost, gain, 0, 10, 0) == 0);
}

static void test_model(void **state)
{
    (void)state;
    gn_report_model *m = load();
    assert_int_equal(m->n_trials, 21);
    assert_int_equal(m->winner->row->id, 8);
    assert_ptr_equal(m->winner, m->leader);
    assert_ptr_equal(m->by_place[0], m->winner);
    assert_string_equal(m->winner->label, "resnet18 lr0=0.001");
    assert_string_equal(m->winner->family, "resnet");
    assert_int_equal(m->winner->n_epochs, 60);
    assert_int_equal(m->winner->n_results, 4);
    assert_true(m->winner->low < m->winner->score && m->winner->score < m->winner->high);
    assert_non_null(m->winner->test);
    assert_int_equal(m->n_screened, 6);
    assert_int_equal(m->n_failed, 1);
    assert_int_equal(m->n_done, 14);
    for (size_t i = 1; i < m->n_trials && m->by_place[i]->place > 0; i++) {
        assert_int_equal(m->by_place[i]->place, i + 1);
        assert_true(i == 1 || m->by_place[i]->score <= m->by_place[i - 1]->score);
    }
    size_t n_varied = 0;
    for (size_t k = 0; k < m->n_knobs; k++) {
        n_varied += m->knob[k].is_varied;
        if (strcmp(m->knob[k].name, "lr0") == 0)
            assert_true(m->knob[k].is_number && m->knob[k].is_log && m->knob[k].n_values == 3);
    }
    assert_int_equal(n_varied, 2);
    assert_int_equal(m->n_stages, 3);
    assert_int_equal(m->stage[0].n_trials, 14);
    assert_int_equal(m->stage[0].n_networks, 5);
    assert_int_equal(m->stage[2].epochs, 60);
    assert_true(m->n_front >= 2);
    for (size_t i = 1; i < m->n_front; i++)
        assert_true(m->front[i]->latency_ms > m->front[i - 1]->latency_ms &&
                    m->front[i]->score > m->front[i - 1]->score);
    assert_true(m->hypervolume_ms == 15 && m->hypervolume > 0);
    const gn_report_trial *best[21];
    assert_int_equal(gn_report_best_of_networks(m, best), 7);
    assert_ptr_equal(best[0], m->winner);
    gn_report_model_destroy(&m);
    assert_null(m);
}

static void test_paired_bootstrap(void **state)
{
    (void)state;
    double a[200], b[200], difference, low, high;
    gn_rng rng;
    gn_rng_init(&rng, 1, 0);
    /* Pictures differ far more than models: means alone would not tell these apart, pairs do. */
    for (int i = 0; i < 200; i++) {
        const double picture = gn_rng_uniform(&rng);
        a[i] = picture + 0.02 + 0.02 * gn_rng_normal(&rng);
        b[i] = picture;
    }
    a[3] = NAN;
    assert_int_equal(gn_paired_bootstrap(a, b, 200, 2000, 0, &difference, &low, &high), GN_OK);
    assert_true(fabs(difference - 0.02) < 0.005 && low > 0.012 && high < 0.028 && low < difference &&
                difference < high);
    /* The normal interval is mean +- 1.96 s / sqrt(n), s = 0.02. */
    assert_true(fabs((high - low) - 2 * 1.96 * 0.02 / sqrt(199)) < 0.001);
    for (int i = 0; i < 200; i++)
        a[i] = NAN;
    assert_int_equal(gn_paired_bootstrap(a, b, 200, 100, 0, &difference, &low, &high), GN_OK);
    assert_true(isnan(difference) && isnan(low));
}

static void put_scores(gn_study *study, int64_t trial, double shift)
{
    gn_text text;
    gn_text_init(&text);
    gn_text_add(&text, "{\"metric\":\"iou\",\"pictures\":[");
    for (int i = 0; i < 50; i++)
        gn_text_printf(&text, "%s{\"name\":\"%d.jpg\",\"score\":%g}", i > 0 ? "," : "", i,
                       0.3 + 0.01 * (i * 7 % 50) + shift + 0.002 * (i % 3));
    gn_text_add(&text, "]}");
    assert_int_equal(gn_study_put_document(study, trial, "val_pictures", text.data, NULL), GN_OK);
    gn_text_deinit(&text);
}

static void test_comparison(void **state)
{
    (void)state;
    gn_study *study = NULL;
    gn_report_difference d;
    gn_report_model *m = load();
    const int64_t other = m->by_place[1]->row->id;
    /* Intervals of 0.06 overlap. */
    gn_report_compare(m, m->leader, m->by_place[1], &d);
    assert_true(d.is_known && d.is_level && isnan(d.difference));
    assert_true(gn_report_count_level(m, m->leader) >= 1);
    gn_report_model_destroy(&m);
    assert_int_equal(gn_study_open(study_path, GN_STUDY_WRITE, &study, NULL), GN_OK);
    put_scores(study, 8, 0.05);
    put_scores(study, other, 0);
    gn_study_close(&study);
    m = load();
    assert_int_equal(m->n_documents, 2);
    gn_report_compare(m, m->leader, gn_report_trial_by_id(m, other), &d);
    assert_true(d.is_known && !d.is_level && fabs(d.difference - 0.05) < 1e-9);
    gn_report_model_destroy(&m);
}

static void test_shares(void **state)
{
    (void)state;
    gn_report_shares shares;
    gn_report_model *m = load();
    assert_int_equal(gn_report_shares_of(m, &shares, NULL), GN_OK);
    assert_true(shares.is_known);
    assert_int_equal(shares.n_trials, 14);
    assert_int_equal(shares.epochs, 10);
    assert_int_equal(shares.n_knobs, 2);
    assert_true(shares.list[0].share >= shares.list[1].share);
    m->n_trials = 9; /* a smaller study: too few */
    assert_int_equal(gn_report_shares_of(m, &shares, NULL), GN_OK);
    assert_false(shares.is_known);
    assert_non_null(strstr(shares.why, "too few"));
    m->n_trials = 21;
    gn_report_model_destroy(&m);
}

static char *write_format(const char *name, size_t *bytes)
{
    const char *paths[] = {study_path, study_path};
    gn_report_options options = {GN_REPORT_HTML, true};
    gn_error err = {0};
    char *text = NULL;
    assert_true(gn_report_format_parse(name, &options.format));
    if (gn_report_write_as(paths, 2, out_path, &options, NULL, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_file_read(out_path, 1u << 26, &text, bytes, NULL), GN_OK);
    return text;
}

static size_t count_of(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word))
        n++;
    return n;
}

static void test_markdown(void **state)
{
    (void)state;
    size_t bytes;
    char *text = write_format("md", &bytes);
    assert_non_null(strstr(text, "# Search report\n"));
    assert_int_equal(count_of(text, "## Studies compared"), 1);
    assert_int_equal(count_of(text, "### The stages"), 2);
    assert_non_null(strstr(text, "The winner is trial 8, resnet18 lr0=0.001"));
    assert_non_null(strstr(text, "p90 is over the budget of 15 ms"));
    assert_non_null(strstr(text, "gannet train --data shared/data/faces_one/data.yaml --model resnet18 --head box"));
    assert_non_null(strstr(text, "Hypervolume"));
    assert_null(strstr(text, "<script"));
    gn_free(text);
}

static void test_latex(void **state)
{
    (void)state;
    size_t bytes;
    char *text = write_format("latex", &bytes);
    assert_int_equal(count_of(text, "\\begin{table}"), count_of(text, "\\end{table}"));
    assert_non_null(strstr(text, "\\toprule"));
    assert_non_null(strstr(text, "mobilenet\\_v2@0.35"));
    /* No letter with a meaning is left bare: every % but comments, and every _ in texts. */
    for (const char *at = text; (at = strchr(at, '_')) != NULL; at++)
        assert_true(at[-1] == '\\');
    gn_free(text);
}

/* Cells of a line of CSV; the end of the line. */
static const char *csv_line(const char *at, int *cells)
{
    bool is_quoted = false;
    for (*cells = 1; *at != '\0' && (is_quoted || *at != '\r'); at++) {
        is_quoted = *at == '"' ? !is_quoted : is_quoted;
        *cells += *at == ',' && !is_quoted;
    }
    return *at == '\0' ? at : at + 2;
}

static void test_csv(void **state)
{
    (void)state;
    size_t bytes;
    char *text = write_format("csv", &bytes);
    int cells = 0, n, lines = 0;
    for (const char *at = csv_line(text, &cells); *at != '\0'; lines++) {
        at = csv_line(at, &n);
        assert_int_equal(n, cells);
    }
    assert_int_equal(lines, 42);
    assert_non_null(strstr(text, ",val_mean_iou,val_mean_iou_low,val_mean_iou_high"));
    assert_non_null(strstr(text, ",test_mean_iou,"));
    assert_non_null(strstr(text, "\"\"x\"\"")); /* of DEMO_NASTY */
    gn_free(text);
}

static void test_json(void **state)
{
    (void)state;
    size_t bytes;
    double x = 0;
    const char *s = NULL;
    char *text = write_format("json", &bytes);
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    gn_error err = {0};
    if (gn_json_parse(text, bytes, arena, &root, &err) != GN_OK)
        fail_msg("%s", err.message);
    const gn_json *study = gn_json_member(root, "studies")->first;
    assert_non_null(study->next);
    assert_true(gn_json_number(study, "winner", &x) && x == 8);
    assert_true(gn_json_string(study, "facts.space", &s) && strcmp(s, DEMO_NASTY) == 0);
    const gn_json *trial = gn_json_member(study, "trials")->first;
    int n = 0;
    for (const gn_json *t = trial; t != NULL; t = t->next, n++)
        assert_non_null(gn_json_at(t, "config.model"));
    assert_int_equal(n, 21);
    assert_true(gn_json_number(study, "importance.r2", &x));
    gn_arena_destroy(&arena);
    gn_free(text);
}

/* Every plot as SVG and PNG; those of the winner's documents once it has them, and a folder per study when there are several. */
static void test_plots(void **state)
{
    (void)state;
    static const char *const names[] = {"latency",          "macs",        "params",   "all_trials",
                                        "learning_curves",  "importance",  "funnel",   "knobs",
                                        "precision_recall", "calibration", "confusion"};
    const char *paths[] = {study_path, study_path};
    char plots[300], path[400];
    size_t n = 0;
    gn_study *study = NULL;
    gn_error err = {0};
    snprintf(plots, sizeof plots, "%s/plots", folder);
    assert_int_equal(gn_report_write_plots(paths, 1, plots, &n, &err), GN_OK);
    assert_int_equal(n, 8);
    assert_int_equal(gn_study_open(study_path, GN_STUDY_WRITE, &study, NULL), GN_OK);
    assert_int_equal(
        gn_study_put_document(study, 8, "test_curves",
                              "{\"recall\":[0,0.5,1],\"classes\":[{\"name\":\"all\",\"ap50\":0.7,\"precision\":["
                              "1,0.8,0]},{\"name\":\"odd\",\"precision\":[1]}]}",
                              NULL),
        GN_OK);
    assert_int_equal(gn_study_put_document(study, 8, "test_calibration",
                                           "{\"ece\":0.1,\"bins\":[{\"n\":0,\"confidence\":null,\"accuracy\":null},"
                                           "{\"n\":4,\"confidence\":0.7,\"accuracy\":0.5}]}",
                                           NULL),
                     GN_OK);
    assert_int_equal(gn_study_put_document(study, 8, "test_confusion",
                                           "{\"names\":[\"face\",\"background\"],\"count\":[[5,1],[2,0]]}", NULL),
                     GN_OK);
    gn_study_close(&study);
    assert_int_equal(gn_report_write_plots(paths, 1, plots, &n, &err), GN_OK);
    assert_int_equal(n, 11);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (int k = 0; k < 2; k++) {
            snprintf(path, sizeof path, "%s/%s.%s", plots, names[i], k == 0 ? "svg" : "png");
            assert_true(gn_path_bytes(path) > 1000);
            unlink(path);
        }
    assert_int_equal(gn_report_write_plots(paths, 2, plots, &n, &err), GN_OK);
    assert_int_equal(n, 22);
    for (int study_number = 1; study_number <= 2; study_number++) {
        for (size_t i = 0; i < 2 * sizeof names / sizeof names[0]; i++) {
            snprintf(path, sizeof path, "%s/%d-study/%s.%s", plots, study_number, names[i / 2],
                     i % 2 == 0 ? "svg" : "png");
            assert_int_equal(unlink(path), 0);
        }
        snprintf(path, sizeof path, "%s/%d-study", plots, study_number);
        rmdir(path);
    }
    rmdir(plots);
}

static void test_refusals(void **state)
{
    (void)state;
    gn_report_format format;
    const char *paths[] = {study_path, "/nonexistent/x.db"};
    const gn_report_options options = {GN_REPORT_CSV, true};
    gn_error err = {0};
    assert_false(gn_report_format_parse("pdf", &format));
    assert_int_equal(gn_report_write_as(paths, 2, out_path, &options, NULL, &err), GN_ENOENT);
    assert_false(gn_path_exists(out_path));
}

/* A study in which nothing has happened yet gives a report in every format. */
static void test_empty(void **state)
{
    (void)state;
    static const char *const formats[] = {"md", "csv", "latex", "json"};
    gn_study *study = NULL;
    unlink(study_path);
    assert_int_equal(gn_study_open(study_path, GN_STUDY_WRITE, &study, NULL), GN_OK);
    gn_study_close(&study);
    for (size_t i = 0; i < 4; i++) {
        size_t bytes = 0;
        gn_free(write_format(formats[i], &bytes));
        assert_true(bytes > 10);
    }
}

int main(int argc, char **argv)
{
    gn_error err = {0};
    if (argc == 2 && argv[1][0] != '-')
        return demo_study_write(argv[1], NULL, &err) != GN_OK;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_hypervolume),
        cmocka_unit_test(test_paired_bootstrap),
        cmocka_unit_test_setup_teardown(test_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_comparison, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shares, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_markdown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_latex, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_csv, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_plots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
