/* The training step of a detector: cut at its raw maps, with the terms of its loss beside the loss, and a step that lowers it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/rng.h"
#include "train/train_graph.h"
#include "train/trainer.h"
#include "zoo/zoo.h"

#define BATCH  2
#define SIDE   64
#define TRUTHS 3

static gn_graph *network(int classes)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_error err = {0};
    options.model = "yolov8n@0.25";
    options.head = "detect";
    options.classes = classes;
    options.width_px = options.height_px = SIDE;
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

static gn_train_rule rule(void)
{
    gn_train_rule r = gn_train_default_options().rule;
    r.detection.truths = TRUTHS;
    r.clip_norm = 10;
    return r;
}

static gn_train_graph build(const gn_graph *model, const gn_train_rule *r)
{
    gn_train_graph t;
    gn_error err = {0};
    if (gn_train_graph_build(model, BATCH, SIDE, SIDE, r, &t, &err) != GN_OK)
        fail_msg("%s", err.message);
    return t;
}

/* Pictures with one bright square each, which is the truth. */
typedef struct scene {
    float images[BATCH * 3 * SIDE * SIDE];
    float truth[BATCH * TRUTHS * 5];
    int64_t n_truth[BATCH];
    float weight[BATCH], hyper[GN_HYPER_COUNT];
} scene;

static scene *make_scene(void)
{
    scene *s = calloc(1, sizeof *s);
    for (int n = 0; n < BATCH; n++) {
        const int left = 8 + 20 * n, side = 24;
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < side; y++)
                for (int x = 0; x < side; x++)
                    s->images[((n * 3 + c) * SIDE + 16 + y) * SIDE + left + x] = 1;
        const float box[5] = {(float)left / SIDE, 16.0f / SIDE, (float)(left + side) / SIDE, (16.0f + side) / SIDE, 0};
        memcpy(s->truth + n * TRUTHS * 5, box, sizeof box);
        s->n_truth[n] = 1;
        s->weight[n] = 1;
    }
    return s;
}

typedef struct runner {
    gn_device *device;
    gn_exec *exec;
    const gn_train_graph *t;
    scene *s;
} runner;

static runner open_runner(const gn_train_graph *t)
{
    runner r = {.t = t, .s = make_scene()};
    assert_int_equal(gn_backend_cpu.open(2, &r.device, NULL), GN_OK);
    assert_int_equal(gn_backend_cpu.compile(r.device, t->graph, &r.exec, NULL), GN_OK);
    return r;
}

static void close_runner(runner *r)
{
    gn_backend_cpu.destroy(&r->exec);
    gn_backend_cpu.close(&r->device);
    free(r->s);
}

/* The loss of one step; parts: its terms. */
static double step(runner *r, int i, double parts[GN_LOSS_PARTS])
{
    const gn_train_graph *t = r->t;
    const double n = i + 1;
    r->s->hyper[GN_HYPER_LR] = 0.005f;
    r->s->hyper[GN_HYPER_BIAS_LR] = 0.005f;
    r->s->hyper[GN_HYPER_BIAS1] = (float)(1 - pow(0.9, n));
    r->s->hyper[GN_HYPER_BIAS2] = (float)(1 - pow(0.999, n));
    const struct {
        int value;
        const void *data;
    } inputs[] = {{t->images, r->s->images},
                  {t->truth, r->s->truth},
                  {t->n_truth, r->s->n_truth},
                  {t->weight, r->s->weight},
                  {t->hyper, r->s->hyper}};
    for (size_t k = 0; k < sizeof inputs / sizeof *inputs; k++)
        assert_int_equal(gn_backend_cpu.bind(r->exec, inputs[k].value, inputs[k].data), GN_OK);
    assert_int_equal(gn_backend_cpu.run(r->exec, NULL), GN_OK);
    const float *terms = gn_backend_cpu.output(r->exec, 2);
    for (int k = 0; k < GN_LOSS_PARTS; k++)
        parts[k] = (double)terms[k];
    return (double)*(const float *)gn_backend_cpu.output(r->exec, 0);
}

static void steps_lower_the_loss_and_its_terms_add_up(void **state)
{
    (void)state;
    gn_graph *model = network(1);
    const gn_train_rule r = rule();
    gn_train_graph t = build(model, &r);
    double parts[GN_LOSS_PARTS], highest = 0, last = 0;
    assert_int_equal(t.n_classes, 1);
    assert_int_equal(gn_graph_output_count(t.graph), 3);
    runner run = open_runner(&t);
    /* It climbs first: what is asked for follows what fits already. */
    for (int i = 0; i < 120; i++) {
        last = step(&run, i, parts);
        highest = fmax(highest, last);
        assert_true(isfinite(last));
        assert_float_equal(parts[0] + parts[1] + parts[2] + parts[3], last, 1e-5 * last);
        assert_true(parts[0] > 0 && parts[2] > 0 && parts[3] > 0);
    }
    if (!(last < 0.4 * highest))
        fail_msg("the loss was %g at most and is %g", highest, last);
    close_runner(&run);
    gn_train_graph_deinit(&t);
    gn_graph_destroy(&model);
}

static void gains_scale_their_terms(void **state)
{
    (void)state;
    gn_graph *model = network(2), *twin = network(2);
    const float weights[2] = {1, 1};
    gn_train_rule plain = rule(), other = rule();
    double a[GN_LOSS_PARTS], b[GN_LOSS_PARTS];
    plain.detection.box = 2;
    plain.detection.cls = 1;
    plain.detection.dfl = 3;
    other.detection.box = 1;
    other.detection.cls = 4;
    other.detection.dfl = 3;
    other.detection.class_weight = weights;
    other.detection.n_class_weights = 2;
    gn_train_graph t = build(model, &plain), u = build(twin, &other);
    runner first = open_runner(&t), second = open_runner(&u);
    step(&first, 0, a);
    step(&second, 0, b);
    assert_float_equal(a[0], 2 * b[0], 1e-5 * a[0]);
    assert_float_equal(4 * a[2], b[2], 1e-5 * b[2]);
    assert_float_equal(a[3], b[3], 1e-5 * a[3]);
    close_runner(&first);
    close_runner(&second);
    gn_train_graph_deinit(&t);
    gn_train_graph_deinit(&u);
    gn_graph_destroy(&model);
    gn_graph_destroy(&twin);
}

static void other_sizes_share_the_states(void **state)
{
    (void)state;
    gn_graph *model = network(1);
    gn_train_rule r = rule();
    gn_train_graph large, t = build(model, &r);
    r.has_ema = true;
    gn_train_graph with_ema = build(model, &r);
    assert_int_equal(gn_train_graph_build(model, BATCH, 2 * SIDE, SIDE, &r, &large, NULL), GN_OK);
    gn_graph_share_states(large.graph, with_ema.graph);
    int shared = 0;
    for (int v = 0; v < gn_graph_value_count(large.graph); v++) {
        const gn_value *value = gn_graph_value(large.graph, v);
        if (value->kind != GN_VALUE_STATE)
            continue;
        const int other = gn_graph_find_value(with_ema.graph, value->name);
        assert_true(other >= 0);
        assert_ptr_equal(value->data, gn_graph_value(with_ema.graph, other)->data);
        shared++;
    }
    assert_true(shared > 100);
    gn_train_graph_deinit(&large);
    gn_train_graph_deinit(&with_ema);
    gn_train_graph_deinit(&t);
    gn_graph_destroy(&model);
}

static void expect_refused(const char *key, const char *value, const char *word)
{
    gn_graph *model = network(1);
    gn_train_graph t;
    gn_error err = {0};
    const gn_train_rule r = rule();
    assert_int_equal(gn_graph_meta_set(model, key, value), GN_OK);
    assert_int_not_equal(gn_train_graph_build(model, BATCH, SIDE, SIDE, &r, &t, &err), GN_OK);
    if (!strstr(err.message, word))
        fail_msg("%s=%s: %s", key, value, err.message);
    gn_graph_destroy(&model);
}

static void broken_metadata_is_named(void **state)
{
    (void)state;
    expect_refused("gannet.raw", "raw0,raw1,nobody", "nobody");
    expect_refused("gannet.raw", "raw0", "raw maps");
    expect_refused("gannet.raw", "", "raw maps");
    expect_refused("gannet.detector", "{}", "detector");
    expect_refused("gannet.detector",
                   "{\"kind\":\"yolov8\",\"classes\":5,\"strides\":[8,16,32],\"anchors\":1,\"bins\":16}", "shape");
}

static void strides_come_from_the_detector(void **state)
{
    (void)state;
    gn_graph *model = network(1);
    assert_int_equal(gn_train_stride(model, 7), 32);
    assert_int_equal(gn_graph_meta_set(model, "gannet.detector", "?"), GN_OK);
    assert_int_equal(gn_train_stride(model, 7), 7);
    gn_graph_destroy(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_lower_the_loss_and_its_terms_add_up),
        cmocka_unit_test(gains_scale_their_terms),
        cmocka_unit_test(other_sizes_share_the_states),
        cmocka_unit_test(broken_metadata_is_named),
        cmocka_unit_test(strides_come_from_the_detector),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
