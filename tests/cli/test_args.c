/* Command lines by table: spellings, checks, precedence, --cfg, help and settings as text.
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
#include "base/memory.h"
#include "cli/cli_args.h"
#include "cli/cli_cfg.h"
#include "cli/cli_json.h"

static const gn_opt options[] = {
    {.name = "data", .short_name = 'd', .type = GN_OPT_STRING, .metavar = "D", .help = "data set", .group = "Data"},
    {.name = "epochs", .short_name = 'e', .type = GN_OPT_INT, .help = "passes", .init = "40", .min = 1, .max = 1000},
    {.name = "lr0", .type = GN_OPT_DOUBLE, .help = "rate", .init = "0.001", .group = "Training"},
    {.name = "weight-decay", .type = GN_OPT_DOUBLE, .help = "decay", .init = "0", .min = 0, .max = 1},
    {.name = "optimizer", .type = GN_OPT_STRING, .help = "method", .init = "adam", .choices = "sgd|adam|adamw"},
    {.name = "flip", .short_name = 'f', .type = GN_OPT_FLAG, .help = "mirror", .init = "true"},
    {.name = "models", .type = GN_OPT_LIST, .help = "networks"},
    {.name = "heads", .type = GN_OPT_LIST, .help = "heads", .init = "box", .choices = "box|classify"},
    {.name = "latency", .type = GN_OPT_DURATION, .help = "budget", .min = 1e-6, .max = 10},
    {.name = "cache", .type = GN_OPT_BYTES, .help = "memory", .init = "1GB"},
    {.name = "resume", .type = GN_OPT_STRING, .help = "go on", .implied = "last"},
    {.name = "threads", .type = GN_OPT_INT, .help = "threads", .min = 1, .max = 256, .env = "GN_TEST_THREADS"},
    {.name = "secret", .type = GN_OPT_FLAG},
    GN_OPT_ROW_CFG,
    GN_OPT_ROW_JSON,
};
static const gn_args_spec spec = {
    .verb = "train",
    .usage = "[MODEL...] --data D [options]",
    .about = "Trains a network on a data set.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .max_positional = 2,
    .examples = "  gannet train --data D\n",
};

/* Splits at blanks and parses. */
static gn_status parse(const char *line, gn_args **args, gn_error *err)
{
    static char text[1024];
    static char *argv[64];
    int argc = 0;
    snprintf(text, sizeof text, "train %s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    gn_error_clear(err);
    return gn_args_parse(&spec, argc, argv, args, err);
}

static gn_args *parse_ok(const char *line)
{
    gn_args *args = NULL;
    gn_error err;
    const gn_status status = parse(line, &args, &err);
    if (status != GN_OK)
        print_message("%s: %s\n", line, err.message);
    assert_int_equal(status, GN_OK);
    return args;
}

static void check_fails(const char *line, const char *part)
{
    gn_args *args = NULL;
    gn_error err;
    assert_int_equal(parse(line, &args, &err), GN_EUSAGE);
    assert_null(args);
    if (!strstr(err.message, part))
        print_message("%s: \"%s\" lacks \"%s\"\n", line, err.message, part);
    assert_non_null(strstr(err.message, part));
}

static void defaults(void **state)
{
    (void)state;
    gn_args *args = parse_ok("");
    assert_null(gn_args_str(args, "data"));
    assert_false(gn_args_has(args, "data"));
    assert_int_equal(gn_args_int(args, "epochs"), 40);
    assert_true(gn_args_has(args, "epochs"));
    assert_false(gn_args_is_set(args, "epochs"));
    assert_true(gn_args_double(args, "lr0") == 0.001);
    assert_true(gn_args_flag(args, "flip"));
    assert_false(gn_args_flag(args, "json"));
    assert_int_equal(gn_args_int64(args, "cache"), 1000000000);
    size_t n = 9;
    gn_args_list(args, "models", &n);
    assert_int_equal(n, 0);
    assert_string_equal(gn_args_list(args, "heads", &n)[0], "box");
    assert_int_equal(n, 1);
    gn_args_destroy(&args);
    assert_null(args);
}

static void spellings(void **state)
{
    (void)state;
    gn_args *args = parse_ok("a -d D1 --epochs=7 --weight_decay 0.5 --no-flip --lr0 -1e-2 -- --b");
    assert_string_equal(gn_args_str(args, "data"), "D1");
    assert_int_equal(gn_args_int(args, "epochs"), 7);
    assert_true(gn_args_is_set(args, "epochs"));
    assert_true(gn_args_double(args, "weight-decay") == 0.5);
    assert_true(gn_args_double(args, "weight_decay") == 0.5);
    assert_true(gn_args_double(args, "lr0") == -1e-2);
    assert_false(gn_args_flag(args, "flip"));
    assert_int_equal(gn_args_n_positional(args), 2);
    assert_string_equal(gn_args_positional(args, 0), "a");
    assert_string_equal(gn_args_positional(args, 1), "--b");
    gn_args_destroy(&args);
    args = parse_ok("-e9 -qf - -5");
    assert_int_equal(gn_args_int(args, "epochs"), 9);
    assert_true(gn_args_flag(args, "quiet"));
    assert_string_equal(gn_args_positional(args, 0), "-");
    assert_string_equal(gn_args_positional(args, 1), "-5");
    gn_args_destroy(&args);
    args = parse_ok("--flip=false --resume x -v");
    assert_false(gn_args_flag(args, "flip"));
    assert_string_equal(gn_args_str(args, "resume"), "last");
    assert_string_equal(gn_args_positional(args, 0), "x");
    assert_int_equal(gn_args_int(args, "verbose"), 2);
    gn_args_destroy(&args);
    args = parse_ok("--resume=f.onnx --epochs 3 --epochs 4");
    assert_string_equal(gn_args_str(args, "resume"), "f.onnx");
    assert_int_equal(gn_args_int(args, "epochs"), 4);
    gn_args_destroy(&args);
}

static void units_and_lists(void **state)
{
    (void)state;
    gn_args *args = parse_ok("--latency 15ms --cache 2GiB --models a,b --models=c --heads classify,box");
    assert_true(gn_args_double(args, "latency") == 15 * 1e-3);
    assert_true(gn_args_int64(args, "cache") == INT64_C(2) << 30);
    size_t n;
    const char *const *models = gn_args_list(args, "models", &n);
    assert_int_equal(n, 3);
    assert_string_equal(models[0], "a");
    assert_string_equal(models[2], "c");
    const char *const *heads = gn_args_list(args, "heads", &n);
    assert_int_equal(n, 2);
    assert_string_equal(heads[0], "classify");
    gn_args_destroy(&args);
}

static void bad_lines(void **state)
{
    (void)state;
    check_fails("--epoch 3", "did you mean --epochs?");
    check_fails("--zzzzzzzz", "unknown option --zzzzzzzz");
    check_fails("-x", "unknown option -x");
    check_fails("--epochs", "--epochs needs a value");
    check_fails("-e", "-e (--epochs) needs a value");
    check_fails("--epochs 0", "\"0\" is not between 1 and 1000");
    check_fails("--epochs 1.5", "\"1.5\" is not a whole number");
    check_fails("--epochs 99999999999999999999", "not a whole number");
    check_fails("--lr0 nan", "\"nan\" is not a number");
    check_fails("--optimizer adamm", "did you mean \"adam\"?");
    check_fails("--optimizer x", "one of sgd adam adamw");
    check_fails("--heads box,boxx", "\"boxx\" is not one of");
    check_fails("--flip=maybe", "true or false");
    check_fails("--no-epochs", "unknown option");
    check_fails("--latency 15", "is not a duration");
    check_fails("--latency 1h", "between 1e-06s and 10s");
    check_fails("--cache 5parsec", "is not a size");
    check_fails("--cache -1", "is not a size");
    check_fails("a b c", "unexpected argument \"c\"");
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    gn_args *args = parse_ok("a b c --help");
    assert_true(gn_args_flag(args, "help"));
    gn_args_destroy(&args);
}

static void environment_ranks_between(void **state)
{
    (void)state;
    setenv("GN_TEST_THREADS", "5", 1);
    gn_args *args = parse_ok("");
    assert_int_equal(gn_args_int(args, "threads"), 5);
    assert_int_equal(gn_cli_threads(args), 5);
    gn_args_destroy(&args);
    args = parse_ok("--threads 2");
    assert_int_equal(gn_args_int(args, "threads"), 2);
    gn_args_destroy(&args);
    setenv("GN_TEST_THREADS", "many", 1);
    check_fails("", "environment variable GN_TEST_THREADS");
    unsetenv("GN_TEST_THREADS");
    args = parse_ok("");
    assert_true(gn_cli_threads(args) >= 1);
    gn_args_destroy(&args);
}

/* --- files --- */

static char cfg_path[256];

static void write_cfg(const char *text)
{
    assert_int_equal(gn_file_write(cfg_path, text, strlen(text), NULL), GN_OK);
}

static int begin_cfg(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(cfg_path, sizeof cfg_path, "%s/gn-args-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    const int fd = mkstemp(cfg_path);
    gn_args_set_cfg_reader(gn_cli_read_cfg);
    return fd >= 0 ? close(fd) : -1;
}

static int end_cfg(void **state)
{
    (void)state;
    return remove(cfg_path);
}

static gn_status parse_cfg(const char *more, gn_args **args, gn_error *err)
{
    char line[600];
    snprintf(line, sizeof line, "--cfg %s %s", cfg_path, more);
    return parse(line, args, err);
}

static void cfg_files(void **state)
{
    (void)state;
    write_cfg("# settings\nepochs: 12\nweight_decay: 0.25\nmodels: [a, b]\nflip: no\noptimizer: 'sgd'\nlatency:\n");
    gn_args *args = NULL;
    gn_error err;
    assert_int_equal(parse_cfg("--epochs 3 --models c", &args, &err), GN_OK);
    assert_int_equal(gn_args_int(args, "epochs"), 3);
    assert_true(gn_args_double(args, "weight-decay") == 0.25);
    assert_string_equal(gn_args_str(args, "optimizer"), "sgd");
    assert_false(gn_args_flag(args, "flip"));
    assert_true(gn_args_is_set(args, "flip"));
    assert_false(gn_args_has(args, "latency"));
    size_t n;
    assert_string_equal(gn_args_list(args, "models", &n)[0], "c");
    assert_int_equal(n, 1);
    gn_args_destroy(&args);
    write_cfg("epochs: 1\nepoch: 12\n");
    assert_int_equal(parse_cfg("", &args, &err), GN_EUSAGE);
    assert_int_equal(err.line, 2);
    assert_string_equal(err.file, cfg_path);
    assert_non_null(strstr(err.message, "did you mean epochs?"));
    write_cfg("\n\nepochs: many\n");
    assert_int_equal(parse_cfg("", &args, &err), GN_EUSAGE);
    assert_int_equal(err.line, 3);
    write_cfg("epochs: {a: 1}\n");
    assert_int_equal(parse_cfg("", &args, &err), GN_EFORMAT);
    write_cfg("- a\n- b\n");
    assert_int_equal(parse_cfg("", &args, &err), GN_EFORMAT);
    assert_int_equal(parse("--cfg /nonexistent/a.yaml", &args, &err), GN_ENOENT);
    assert_null(args);
}

/* What gn_args_yaml writes, --cfg reads to the same settings. */
static void settings_round_trip(void **state)
{
    (void)state;
    gn_args *args = parse_ok("--epochs 5 --no-flip --models mobilenet_v2@0.35,no --latency 15ms --json -q");
    gn_text first, second;
    gn_text_init(&first);
    gn_text_init(&second);
    gn_args_yaml(args, &first);
    assert_non_null(strstr(first.data, "weight_decay: 0\n"));
    assert_non_null(strstr(first.data, "models: [mobilenet_v2@0.35, \"no\"]\n"));
    assert_null(strstr(first.data, "json"));
    assert_null(strstr(first.data, "data"));
    gn_args_destroy(&args);
    write_cfg(first.data);
    gn_error err;
    assert_int_equal(parse_cfg("", &args, &err), GN_OK);
    gn_args_yaml(args, &second);
    assert_string_equal(first.data, second.data);
    gn_args_destroy(&args);
    gn_text_deinit(&first);
    gn_text_deinit(&second);
}

/* --- text --- */

static void help_text(void **state)
{
    (void)state;
    gn_text text;
    gn_text_init(&text);
    gn_args_help(&spec, &text);
    static const char *const parts[] = {
        "Usage: gannet train [MODEL...] --data D [options]\n",
        "Trains a network on a data set.",
        "\nData:\n",
        "-d, --data D",
        "(default 40; 1..1000)",
        "sgd, adam, adamw",
        "--[no-]flip",
        "--resume[=TEXT]",
        "$GN_TEST_THREADS",
        "\nExamples:\n",
        "-h, --help",
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!strstr(text.data, parts[i]))
            print_message("help lacks: %s\n%s", parts[i], text.data);
        assert_non_null(strstr(text.data, parts[i]));
    }
    assert_null(strstr(text.data, "secret"));
    for (const char *line = text.data; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        assert_true(strcspn(line, "\n") <= 100);
    gn_text_deinit(&text);
}

static void command_text(void **state)
{
    (void)state;
    char verb[] = "train", a[] = "it's a model", b[] = "--epochs=3", c[] = "";
    char *argv[] = {verb, a, b, c};
    gn_args *args = NULL;
    assert_int_equal(gn_args_parse(&spec, 4, argv, &args, NULL), GN_OK);
    gn_text text;
    gn_text_init(&text);
    gn_args_command(args, &text);
    assert_string_equal(text.data, "gannet train 'it'\\''s a model' --epochs=3 ''");
    gn_text_deinit(&text);
    gn_args_destroy(&args);
}

static void json_text(void **state)
{
    (void)state;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "target", "cpu");
    gn_jsonw_object(&j, "latency_ms");
    gn_jsonw_num(&j, "p90", 14.2);
    gn_jsonw_num(&j, "p99", 0.1 + 0.2);
    gn_jsonw_num(&j, "max", 1e300 * 1e300);
    gn_jsonw_end(&j);
    gn_jsonw_array(&j, "runs");
    gn_jsonw_int(&j, NULL, -3);
    gn_jsonw_bool(&j, NULL, true);
    gn_jsonw_str(&j, NULL, NULL);
    gn_jsonw_object(&j, NULL);
    assert_string_equal(gn_jsonw_text(&j),
                        "{\"target\": \"cpu\", \"latency_ms\": {\"p90\": 14.2, \"p99\": 0.30000000000000004, "
                        "\"max\": null}, \"runs\": [-3, true, null, {}]}");
    gn_jsonw_deinit(&j);
}

static void exit_codes(void **state)
{
    (void)state;
    static const struct {
        gn_status status;
        int code;
    } cases[] = {
        {GN_OK, 0},     {GN_EUSAGE, 2},   {GN_EINVAL, 2},    {GN_EFORMAT, 3},   {GN_EDATA, 3},
        {GN_ENOENT, 3}, {GN_ESHAPE, 3},   {GN_ELIMIT, 3},    {GN_EFLOOR, 4},    {GN_EIO, 1},
        {GN_ENOMEM, 1}, {GN_EMEASURE, 5}, {GN_EDIVERGED, 1}, {GN_ECANCELED, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(gn_cli_exit_code(cases[i].status), cases[i].code);
}

/* --- allocations that fail --- */

static int allocations_left;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    (void)ctx;
    void *ptr = NULL;
    return allocations_left-- > 0 && posix_memalign(&ptr, align, bytes) == 0 ? ptr : NULL;
}

static void failing_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void any_allocation_may_fail(void **state)
{
    (void)state;
    const gn_allocator failing = {failing_alloc, failing_free, NULL};
    gn_status status = GN_ENOMEM;
    for (int k = 0; k < 100 && status != GN_OK; k++) {
        gn_args *args = NULL;
        gn_error err;
        allocations_left = k;
        gn_set_allocator(&failing);
        status = parse("--models a,b,c --epochs 3", &args, &err);
        gn_args_destroy(&args);
        gn_set_allocator(NULL);
        assert_true(status == GN_OK || status == GN_ENOMEM);
        assert_true(k > 3 || status == GN_ENOMEM);
    }
    assert_int_equal(status, GN_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(spellings),
        cmocka_unit_test(units_and_lists),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(environment_ranks_between),
        cmocka_unit_test_setup_teardown(cfg_files, begin_cfg, end_cfg),
        cmocka_unit_test_setup_teardown(settings_round_trip, begin_cfg, end_cfg),
        cmocka_unit_test(help_text),
        cmocka_unit_test(command_text),
        cmocka_unit_test(json_text),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
