/* Spaces as parameters and points, keys of certain models, networks, printing, the shipped spaces, and everything that is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "search/space.h"
#include "search/stopping.h"
#include "zoo/zoo.h"

static gn_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = gn_arena_create(0);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    gn_arena_destroy(&arena);
    return 0;
}

static gn_space *space_of(const char *text)
{
    gn_model_names models = {.is_known = gn_zoo_knows};
    static gn_model_names kept;
    models.names = gn_zoo_names(&models.n_names);
    kept = models;
    gn_space *space = NULL;
    gn_error err = {0};
    char line[800];
    assert_int_equal(gn_space_create(&kept, &space), GN_OK);
    if (gn_space_parse(space, text, strlen(text), "s.yaml", &err) != GN_OK) {
        gn_error_line(&err, line, sizeof line);
        fail_msg("%s", line);
    }
    return space;
}

static const char *const mixed = "model: [mobilenet_v2@0.35, yolov8n, resnet18, yolov3_tiny]\n"
                                 "head: box\n"
                                 "imgsz: {from: 96, to: 224, step: 32}\n"
                                 "lr0: {from: 1e-4, to: 1e-2, count: 3, scale: log}\n"
                                 "weight_decay: {from: 0, to: 0.1}\n"
                                 "activation: [relu, silu]\n"
                                 "batch: 32\n"
                                 "per_model:\n"
                                 "  mobilenet_v2*: {lr0: {from: 1e-4, to: 1e-3, scale: log}, batch: [16, 32]}\n"
                                 "  yolo*:\n"
                                 "    head: detect\n"
                                 "    lr0: {from: 1e-5, to: 1e-2, scale: log}\n"
                                 "  yolov3*: {lr0: 0.001}\n";

static void expect_param(const gn_param *p, const char *name, gn_param_kind kind, double high, const char *when)
{
    char got[8] = "";
    for (size_t i = 0; p->parent == 0 && i < 4; i++)
        got[i] = p->when[i] ? '1' : '0';
    if (strcmp(p->name, name) != 0 || p->kind != kind || (kind == GN_PARAM_CHOICE ? p->n_choices : p->high) != high ||
        strcmp(got, when) != 0)
        fail_msg("%s: kind %d, %d choices, to %g, when %s", p->name, (int)p->kind, p->n_choices, p->high, got);
}

static void test_params(void **state)
{
    (void)state;
    gn_space *space = space_of(mixed);
    const gn_param *p = NULL;
    size_t n = 0;
    gn_error err = {0};
    assert_int_equal(gn_space_params(space, arena, &p, &n, &err), GN_OK);
    assert_int_equal(n, 8);
    expect_param(&p[0], "model", GN_PARAM_CHOICE, 4, "");
    expect_param(&p[1], "imgsz", GN_PARAM_INT, 4, "");
    expect_param(&p[2], "activation", GN_PARAM_CHOICE, 2, "");
    expect_param(&p[3], "batch[mobilenet_v2*]", GN_PARAM_CHOICE, 2, "1000");
    expect_param(&p[4], "lr0[mobilenet_v2*]", GN_PARAM_REAL, 1e-3, "1000");
    expect_param(&p[5], "lr0[yolo*]", GN_PARAM_REAL, 1e-2, "0100");
    expect_param(&p[6], "lr0", GN_PARAM_INT, 2, "0010");
    expect_param(&p[7], "weight_decay", GN_PARAM_REAL, 0.1, "");
    assert_true(p[4].is_log && p[4].low == 1e-4 && !p[7].is_log && p[7].low == 0);
    assert_int_equal(gn_params_check(p, n, &err), GN_OK);
    assert_false(gn_space_is_finite(space));
    assert_true(gn_space_varies(space, "batch") && gn_space_varies(space, "head") && gn_space_varies(space, "lr0"));
    assert_false(gn_space_varies(space, "optimizer"));
    gn_space_destroy(&space);
}

/* Random points go to configs and come back as the point that the config's rounded numbers are. */
static void test_round_trip(void **state)
{
    (void)state;
    gn_space *space = space_of(mixed);
    const gn_param *p = NULL;
    size_t n = 0;
    gn_rng rng;
    gn_rng_init(&rng, 7, 0);
    assert_int_equal(gn_space_params(space, arena, &p, &n, NULL), GN_OK);
    for (int round = 0; round < 500; round++) {
        double point[16];
        const double *back = NULL;
        const char *config = NULL, *again = NULL;
        gn_error err = {0};
        for (size_t i = 0; i < n; i++) {
            const double t = gn_rng_uniform(&rng);
            const bool applies = p[i].parent < 0 || p[i].when[(size_t)point[p[i].parent]];
            point[i] = !applies                       ? NAN
                       : p[i].kind == GN_PARAM_CHOICE ? floor(t * p[i].n_choices)
                       : p[i].kind == GN_PARAM_INT    ? p[i].low + floor(t * (p[i].high - p[i].low + 1))
                                                      : p[i].low + t * (p[i].high - p[i].low);
        }
        assert_int_equal(gn_space_config(space, point, arena, &config, &err), GN_OK);
        assert_int_equal(gn_space_point(space, config, arena, &back, &err), GN_OK);
        for (size_t i = 0; i < n; i++)
            if (isnan(point[i]) != isnan(back[i]) || fabs(point[i] - back[i]) > 1e-5 * fabs(point[i]))
                fail_msg("%s: %s is %.17g, was %.17g", config, p[i].name, back[i], point[i]);
        assert_int_equal(gn_space_config(space, back, arena, &again, &err), GN_OK);
        assert_string_equal(again, config);
    }
    gn_space_destroy(&space);
}

static void test_configs(void **state)
{
    (void)state;
    gn_space *space = space_of(mixed);
    const char *config = NULL;
    const double *back = NULL;
    gn_error err = {0};
    const double point[] = {1, 2, 1, NAN, NAN, 0.00123456789, NAN, 0.05};
    assert_int_equal(gn_space_config(space, point, arena, &config, &err), GN_OK);
    assert_string_equal(config, "{\"model\":\"yolov8n\",\"head\":\"detect\",\"imgsz\":\"160\",\"activation\":\"silu\","
                                "\"batch\":\"32\",\"lr0\":\"0.00123457\",\"weight_decay\":\"0.05\"}");
    const double wrong[] = {1, 2, 1, NAN, NAN, NAN, NAN, 0.05};
    assert_int_equal(gn_space_config(space, wrong, arena, &config, &err), GN_EINVAL);
    const double above[] = {1, 5, 1, NAN, NAN, 0.001, NAN, 0.05};
    assert_int_equal(gn_space_config(space, above, arena, &config, &err), GN_EINVAL);
    static const char *const foreign[][2] = {
        {"{\"model\":\"alexnet\"}", "alexnet"},
        {"{\"model\":\"resnet18\",\"head\":\"detect\"}", "head"},
        {"{\"model\":\"resnet18\",\"head\":\"box\"}", "lacks imgsz"},
        {"{\"model\":\"resnet18\",\"gamma\":\"0.5\"}", "gamma"},
        {"{\"head\":\"box\"}", "model"},
    };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_int_equal(gn_space_point(space, foreign[i][0], arena, &back, &err), GN_EINVAL);
        if (strstr(err.message, foreign[i][1]) == NULL)
            fail_msg("%s: %s", foreign[i][0], err.message);
    }
    gn_space_destroy(&space);
}

static void test_grid_of_certain_models(void **state)
{
    (void)state;
    gn_space *space =
        space_of("model: [resnet18, yolov8n]\nlr0: [0.1, 0.2]\nper_model: {yolo*: {lr0: 0.01, batch: [8, 16, 32]}}\n");
    const char **configs = NULL;
    size_t n = 0;
    assert_int_equal(gn_space_expand(space, arena, &configs, &n, NULL), GN_OK);
    assert_int_equal(n, 5);
    assert_true(gn_space_size(space) == 5);
    assert_string_equal(configs[1], "{\"model\":\"resnet18\",\"lr0\":\"0.2\"}");
    assert_string_equal(configs[4], "{\"model\":\"yolov8n\",\"batch\":\"32\",\"lr0\":\"0.01\"}");
    /* The command line speaks for all models. */
    assert_int_equal(gn_space_set(space, "lr0=1e-4..1e-2:log", NULL), GN_OK);
    gn_error err = {0};
    assert_int_equal(gn_space_expand(space, arena, &configs, &n, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "count"));
    gn_text text;
    gn_text_init(&text);
    gn_space_describe(space, &text);
    assert_string_equal(text.data, "model=resnet18,yolov8n lr0=0.0001..0.01:log batch[yolo*]=8,16,32");
    gn_text_deinit(&text);
    gn_space_destroy(&space);
}

static void test_ranges_of_the_command_line(void **state)
{
    (void)state;
    static const char *const good[][2] = {
        {"imgsz=96..160:step=32", "imgsz=96,128,160"},
        {"lr0=1e-4..1e-2:log:count=3", "lr0=0.0001,0.001,0.01"},
        {"lr0=0..1:linear", "lr0=0..1"},
        {"batch=8..11", "batch=8,9,10,11"},
        {"seed=0..1000000", "seed=0..1000000"},
        {"lr0=0.5..0.5", "lr0=0.5"},
        {"mean=0.5,0.25", "mean=0.5,0.25"},
        {"nesterov=yes,off", "nesterov=true,false"},
    };
    static const char *const bad[] = {"lr0=1..0",
                                      "lr0=0..1:log",
                                      "lr0=1e-4..x",
                                      "lr0=1..2:count=1",
                                      "lr0=1..2:foo",
                                      "imgsz=96..5000",
                                      "model=a..b",
                                      "lr0=..",
                                      "lr0=1..2:step=0",
                                      "lr0=1..2:log:step=1",
                                      "imgsz=96..128:step=0.5",
                                      "lr0=1..2:count=3:step=1",
                                      "optimizer=adamm",
                                      "nesterov=maybe",
                                      "schedule=cosin",
                                      "precision=int8",
                                      "pruning=0.5",
                                      "activation=",
                                      "batch=1..4096:count=5000"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        gn_space *space = space_of("model: resnet18");
        gn_error err = {0};
        gn_text text;
        gn_text_init(&text);
        if (gn_space_set(space, good[i][0], &err) != GN_OK)
            fail_msg("%s: %s", good[i][0], err.message);
        assert_int_equal(gn_space_set(space, good[i][0], &err), GN_EUSAGE);
        gn_space_describe(space, &text);
        assert_string_equal(strchr(text.data, ' ') + 1, good[i][1]);
        gn_text_deinit(&text);
        gn_space_destroy(&space);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gn_space *space = space_of("model: resnet18");
        gn_error err = {0};
        if (gn_space_set(space, bad[i], &err) != GN_EUSAGE || strlen(err.message) < 30)
            fail_msg("%s: %s", bad[i], err.message);
        gn_space_destroy(&space);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t line, column;
        const char *words;
    } cases[] = {
        {"model: resnet18\n  \nlr: 0.1\n", 3, 1, "did you mean \"lr0\""},
        {"model: [resnet18,\n        reznet18]\n", 2, 9, "did you mean \"resnet18\""},
        {"lr0: {from: 1e-2, to: 1e-4}\n", 1, 6, "empty"},
        {"lr0: {from: 0, to: 1, scale: log}\n", 1, 6, "logarithmic"},
        {"lr0: {from: 0, to: 1, scale: lag}\n", 1, 30, "linear or log"},
        {"lr0: {from: 0, too: 1}\n", 1, 16, "did you mean to"},
        {"lr0: {from: low, to: 1}\n", 1, 13, "a number"},
        {"lr0: {from: 0, to: 1, count: 1}\n", 1, 30, "count"},
        {"lr0: {from: 0, to: 1, step: 0.1, count: 3}\n", 1, 6, "one of them"},
        {"lr0: {from: 0, to: 1, step: -1}\n", 1, 6, "above 0"},
        {"lr0: {}\n", 1, 6, "lacks `from`"},
        {"optimizer: {from: 0, to: 1}\n", 1, 12, "takes a list"},
        {"optimizer: [adam, lion]\n", 1, 19, "sgd|adam|adamw"},
        {"weight_decay: 0\nweight-decay: 1\n", 2, 1, "first in line 1"},
        {"lr0: 1\nlr0: 2\n", 2, 0, "first in line 1"},
        {"stages: 3:1,4\nepochs: 3\n", 2, 1, "leave one out"},
        {"target:\n", 1, 0, "one value"},
        {"precision: [f32, int8]\n", 1, 18, "no compression yet"},
        {"pruning_ratio: 0.3\n", 1, 1, "cannot be pruned yet"},
        {"lr0: [1, ]\nbatch: [8,, 16]\n", 2, 0, ""},
        {"per_model: [a]\n", 1, 12, "patterns"},
        {"per_model: {yolo*: 3}\n", 1, 20, "no keys"},
        {"per_model: {yolo*: {data: x}}\n", 1, 21, "whole search"},
        {"per_model: {yolo*: {model: x}}\n", 1, 21, "cannot give models"},
        {"per_model: {yolo*: {lrf0: 1}}\n", 1, 21, "did you mean"},
        {"model: resnet18\nper_model:\n  yolo*: {lr0: 1}\n", 3, 11, "would never hold"},
        {"model: yolov8n\nper_model:\n  yolov8*: {lr0: 1}\n  yolo*: {lr0: 2}\n", 3, 13, "wider pattern first"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gn_model_names models = {.is_known = gn_zoo_knows};
        models.names = gn_zoo_names(&models.n_names);
        gn_space *space = NULL;
        gn_error err = {0};
        assert_int_equal(gn_space_create(&models, &space), GN_OK);
        const gn_status status = gn_space_parse(space, cases[i].text, strlen(cases[i].text), "s.yaml", &err);
        if (status != GN_EFORMAT || err.line != cases[i].line ||
            (cases[i].column > 0 && err.column != cases[i].column) || strstr(err.message, cases[i].words) == NULL)
            fail_msg("%s\ngave %s at %lld:%lld: %s", cases[i].text, gn_status_name(status), (long long)err.line,
                     (long long)err.column, err.message);
        gn_space_destroy(&space);
    }
}

/* Models that come later than the file: a pattern that fits none of them is found when the space is used. */
static void test_models_of_the_command_line(void **state)
{
    (void)state;
    gn_space *space = space_of("per_model: {yolo*: {lr0: 1}}\n");
    const gn_param *params = NULL;
    size_t n = 0;
    gn_error err = {0};
    assert_int_equal(gn_space_params(space, arena, &params, &n, &err), GN_EINVAL);
    assert_int_equal(gn_space_set(space, "model=resnet18", &err), GN_OK);
    assert_int_equal(gn_space_params(space, arena, &params, &n, &err), GN_EFORMAT);
    assert_int_equal(err.line, 1);
    gn_space_destroy(&space);
    /* But a file's models may be narrowed. */
    space = space_of("model: [resnet18, yolov8n]\nper_model: {yolo*: {lr0: 1}}\n");
    assert_int_equal(gn_space_set(space, "model=resnet18", &err), GN_OK);
    assert_int_equal(gn_space_params(space, arena, &params, &n, &err), GN_OK);
    assert_int_equal(n, 1);
    gn_space_destroy(&space);
}

static void test_networks(void **state)
{
    (void)state;
    gn_space *space =
        space_of("model: [resnet18, yolov8n]\nhead: box\nimgsz: [64, 96]\nactivation: [relu, silu]\nlr0: {from: 1, to: "
                 "2}\nper_model: {yolo*: {head: detect, imgsz: 128}}\n");
    gn_space_network *list = NULL, one;
    size_t n = 0;
    gn_error err = {0};
    assert_int_equal(gn_space_networks(space, arena, &list, &n, &err), GN_OK);
    assert_int_equal(n, 6);
    assert_string_equal(list[1].config,
                        "{\"model\":\"resnet18\",\"head\":\"box\",\"imgsz\":\"64\",\"activation\":\"silu\"}");
    assert_string_equal(list[5].variant, "activation=silu");
    assert_string_equal(list[5].head, "detect");
    assert_int_equal(list[5].imgsz, 128);
    const char *config =
        "{\"model\":\"resnet18\",\"head\":\"box\",\"imgsz\":\"64\",\"activation\":\"silu\",\"lr0\":\"1\"}";
    assert_int_equal(gn_config_network(config, arena, &one, &err), GN_OK);
    assert_string_equal(one.config, list[1].config);
    assert_int_equal(gn_config_network("{\"model\":\"a\"}", arena, &one, &err), GN_EINVAL);
    assert_int_equal(gn_config_network("[1]", arena, &one, &err), GN_EINVAL);
    assert_true(gn_space_key_shapes("imgsz") && !gn_space_key_shapes("lr0") && !gn_space_key_shapes("foo"));
    gn_space_destroy(&space);
    space = space_of("model: resnet18\n");
    assert_int_equal(gn_space_networks(space, arena, &list, &n, &err), GN_EINVAL);
    gn_space_destroy(&space);
    space = space_of("model: resnet18\nhead: box\nimgsz: {from: 8, to: 4096, scale: log}\nactivation: [relu, silu]\n");
    assert_int_equal(gn_space_networks(space, arena, &list, &n, &err), GN_ELIMIT);
    gn_space_destroy(&space);
}

static void test_printing(void **state)
{
    (void)state;
    gn_space *space = space_of(
        "stages: 2:1,4\nmodel: [resnet18, yolov8n]\nhead: box\nimgsz: 64\nlr0: {from: 1e-4, to: 1e-2, scale: log}\n"
        "fliplr: {from: 0, to: 1, step: 0.1}\nmean: '0.5,0.5,0.5'\nper_model: {yolo*: {lr0: 0.001}}\n");
    gn_text text;
    gn_text_init(&text);
    gn_space_print(space, 4, &text);
    assert_string_equal(text.data, "space\n"
                                   "  model     resnet18, yolov8n\n"
                                   "  head      box\n"
                                   "  imgsz     64\n"
                                   "  mean      \"0.5,0.5,0.5\"\n"
                                   "  lr0       0.0001 to 0.01, logarithmic\n"
                                   "  fliplr    0 to 1, 11 values\n"
                                   "  models like yolo*\n"
                                   "    lr0     0.001\n"
                                   "  stages    2:1,4\n"
                                   "configs without end (ranges without points), 2 networks\n");
    gn_text_deinit(&text);
    gn_space_destroy(&space);
}

static void test_shipped_spaces(void **state)
{
    (void)state;
    size_t n_names = 0;
    const char *const *names = gn_space_names(&n_names);
    assert_int_equal(n_names, 4);
    for (size_t i = 0; i < n_names; i++) {
        gn_space *space = space_of(gn_space_named(names[i]));
        gn_space_network *networks = NULL;
        size_t n = 0;
        gn_stopping stages;
        gn_text text;
        assert_int_equal(gn_space_networks(space, arena, &networks, &n, NULL), GN_OK);
        assert_in_range(n, 10, 60);
        if (gn_space_setting(space, "stages") != NULL)
            assert_int_equal(gn_stopping_parse(gn_space_setting(space, "stages"), &stages, NULL), GN_OK);
        gn_text_init(&text);
        gn_space_print(space, 60, &text);
        assert_false(text.failed);
        gn_text_deinit(&text);
        gn_space_destroy(&space);
    }
    gn_space *space = NULL;
    gn_error err = {0};
    assert_int_equal(gn_space_create(NULL, &space), GN_OK);
    assert_int_equal(gn_space_read(space, "edge21", &err), GN_OK);
    assert_true(gn_space_size(space) == 84);
    assert_int_equal(gn_space_read(space, "edge12", &err), GN_ENOENT);
    assert_non_null(strstr(err.message, "did you mean edge21"));
    assert_int_equal(gn_space_read(space, "none.yaml", &err), GN_ENOENT);
    gn_space_destroy(&space);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_params),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_configs),
        cmocka_unit_test(test_grid_of_certain_models),
        cmocka_unit_test(test_ranges_of_the_command_line),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_models_of_the_command_line),
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_printing),
        cmocka_unit_test(test_shipped_spaces),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
