/* Training runs of small classifiers: what is frozen stays to the bit, the backbone's own rate, going on exactly with both, and what
 * cannot be trained together.
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
#include "base/rng.h"
#include "graph/op.h"
#include "image/image.h"
#include "train/trainer.h"
#include "zoo/zoo.h"

#define SIDE  32
#define MODEL "mobilenet_v1@0.25"

static char folder[256];
static gn_dataset *classes, *boxes;

/* Three classes that differ by their colour. */
static void draw_picture(const char *name, int cls, unsigned seed)
{
    char path[512], dir[512];
    gn_image image;
    gn_rng rng;
    gn_rng_init(&rng, seed, (uint64_t)cls);
    assert_int_equal(gn_image_create(SIDE, SIDE, 3, &image), GN_OK);
    for (int i = 0; i < SIDE * SIDE; i++)
        for (int c = 0; c < 3; c++)
            image.data[3 * i + c] = (uint8_t)(gn_rng_uniform(&rng) * 120 + (c == cls ? 110 : 0));
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gn_path_dir(path, dir, sizeof dir);
    assert_int_equal(gn_make_dirs(dir, NULL), GN_OK);
    assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
    gn_image_deinit(&image);
}

static gn_dataset *open_set(const char *name)
{
    char path[512];
    gn_dataset *d = NULL;
    gn_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (gn_dataset_open(path, NULL, &d, &err) != GN_OK)
        fail_msg("%s", err.message);
    return d;
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-transfer-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    static const char *const names[] = {"red", "green", "blue"};
    for (int cls = 0; cls < 3; cls++)
        for (int i = 0; i < 6; i++) {
            char name[64];
            snprintf(name, sizeof name, "classes/%s/%s/%d.png", i < 4 ? "train" : "val", names[cls], i);
            draw_picture(name, cls, (unsigned)i);
        }
    char text[] = "image,x1,y1,x2,y2\na.png,1,1,20,20\nb.png,2,2,20,20\nc.png,3,3,20,20\n", path[512];
    for (int i = 0; i < 3; i++) {
        const char name[] = {'b', 'o', 'x', '/', (char)('a' + i), '.', 'p', 'n', 'g', 0};
        draw_picture(name, i, 77);
    }
    snprintf(path, sizeof path, "%s/box/boxes.csv", folder);
    assert_int_equal(gn_file_write(path, text, strlen(text), NULL), GN_OK);
    classes = open_set("classes");
    boxes = open_set("box/boxes.csv");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[400];
    gn_dataset_close(&classes);
    gn_dataset_close(&boxes);
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : -1;
}

static gn_graph *network(const char *head, int n_classes)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = MODEL;
    options.head = head;
    options.classes = n_classes;
    options.width_px = options.height_px = SIDE;
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

/* A run of its own folder. */
static gn_train_options options_for(const char *name, char run_dir[512])
{
    gn_train_options o = gn_train_default_options();
    snprintf(run_dir, 512, "%s/%s", folder, name);
    assert_int_equal(gn_make_dirs(run_dir, NULL), GN_OK);
    o.run_dir = run_dir;
    o.settings = "";
    o.epochs = 2;
    o.loader.imgsz_w = o.loader.imgsz_h = SIDE;
    o.loader.batch = 4;
    o.loader.workers = 0;
    o.loader.augment.fliplr = 0.5;
    o.schedule.lr0 = 0.01;
    return o;
}

static gn_train_result train(gn_graph *model, const gn_train_options *o)
{
    gn_train_result result;
    gn_error err = {0};
    if (gn_train_run(model, classes, o, NULL, NULL, &result, &err) != GN_OK)
        fail_msg("%s", err.message);
    return result;
}

static bool is_same(const gn_graph *a, const gn_graph *b, int value)
{
    const gn_tensor *x = gn_graph_value(a, value)->data, *y = gn_graph_value(b, value)->data;
    return memcmp(x->data, y->data, gn_tensor_bytes(x)) == 0;
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* ---- frozen ---- */

/* Weights, scales, shifts and running statistics of what is frozen are the same bits after training; all else has moved. */
static void check_frozen(const gn_freeze *freeze, bool (*stays)(const char *name), bool has_ema, const char *run)
{
    char run_dir[512];
    gn_graph *model = network("classify", 3), *before = network("classify", 3);
    gn_train_options o = options_for(run, run_dir);
    o.rule.freeze = *freeze;
    o.rule.has_ema = has_ema;
    o.rule.weight_decay = 0.1; /* would move them even without a gradient */
    o.rule.decays_all = true;
    const gn_train_result result = train(model, &o);
    int n_stay = 0, n_move = 0;
    for (int v = 0; v < gn_graph_value_count(model); v++) {
        const gn_value *value = gn_graph_value(model, v);
        if (value->kind != GN_VALUE_STATE)
            continue;
        const bool should = stays(value->name);
        n_stay += should && value->trainable;
        n_move += !should;
        if (is_same(model, before, v) != should)
            fail_msg("%s: %s", value->name, should ? "it is frozen and has changed" : "it should have moved");
    }
    assert_int_equal(result.n_frozen, n_stay);
    assert_true(n_stay > 0 && n_move > 0);
    gn_graph_destroy(&model);
    gn_graph_destroy(&before);
}

static bool is_backbone(const char *name)
{
    return !begins(name, "fc.");
}

/* The first convolution, the depthwise and the pointwise one of the block after it, with their normalisations. */
static bool is_early(const char *name)
{
    return begins(name, "stage1.0.") || begins(name, "stage1.1.");
}

static void a_frozen_backbone_stays(void **state)
{
    (void)state;
    check_frozen(&(gn_freeze){.kind = GN_FREEZE_BACKBONE}, is_backbone, false, "frozen");
    check_frozen(&(gn_freeze){.kind = GN_FREEZE_BACKBONE}, is_backbone, true, "frozen_ema");
}

static void frozen_layers_stay(void **state)
{
    (void)state;
    check_frozen(&(gn_freeze){.kind = GN_FREEZE_LAYERS, .layers = 3}, is_early, false, "layers");
}

/* No gradient is computed where nobody asks for one. */
static void frozen_layers_have_no_gradient(void **state)
{
    (void)state;
    gn_graph *model = network("classify", 3);
    gn_train_rule rule = gn_train_default_options().rule;
    gn_train_graph all, head;
    int grads[2] = {0}, normalisations[2] = {0};
    assert_int_equal(gn_train_graph_build(model, 4, SIDE, SIDE, &rule, &all, NULL), GN_OK);
    rule.freeze.kind = GN_FREEZE_BACKBONE;
    assert_int_equal(gn_train_graph_build(model, 4, SIDE, SIDE, &rule, &head, NULL), GN_OK);
    for (int k = 0; k < 2; k++) {
        const gn_graph *g = k == 0 ? all.graph : head.graph;
        for (int i = 0; i < gn_graph_node_count(g); i++) {
            grads[k] += begins(gn_graph_node(g, i)->op->name, "ConvGrad");
            normalisations[k] += strcmp(gn_graph_node(g, i)->op->name, "BatchNormTrain") == 0;
        }
    }
    assert_true(grads[0] > 27 && normalisations[0] == 27);
    assert_int_equal(grads[1], 0);
    assert_int_equal(normalisations[1], 0);
    gn_train_graph_deinit(&all);
    gn_train_graph_deinit(&head);
    gn_graph_destroy(&model);
}

/* A model that does not say which tensors are its head's: the last layer is. */
static void without_a_word_the_last_layer_is_the_head(void **state)
{
    (void)state;
    gn_graph *model = network("box", 1);
    int *layers = NULL, n_layers = 0, n_head = 0;
    assert_int_equal(gn_train_layers(model, &layers, &n_layers), GN_OK);
    assert_int_equal(n_layers, 27 + 2);
    for (int pass = 0; pass < 2; pass++) {
        n_head = 0;
        for (int v = 0; v < gn_graph_value_count(model); v++)
            if (gn_graph_value(model, v)->trainable && gn_train_is_head(model, v, layers, n_layers)) {
                assert_true(begins(gn_graph_value(model, v)->name, pass == 0 ? "head." : "head.2."));
                n_head++;
            }
        assert_int_equal(n_head, pass == 0 ? 4 : 2);
        assert_int_equal(gn_graph_meta_set(model, "gannet.head_tensors", ""), GN_OK);
    }
    gn_free(layers);
    gn_graph_destroy(&model);
}

/* ---- a rate of its own ---- */

/* One step of plain SGD: with half the rate the backbone goes exactly half the way, the head the same one. */
static void the_backbone_has_its_own_rate(void **state)
{
    (void)state;
    gn_graph *model[2], *before = network("classify", 3);
    for (int k = 0; k < 2; k++) {
        char run_dir[512];
        gn_train_options o = options_for(k == 0 ? "rate1" : "rate2", run_dir);
        model[k] = network("classify", 3);
        o.epochs = 1;
        o.loader.limit = 4; /* one step */
        o.has_val = false;
        o.rule.optimizer = GN_OPTIMIZER_SGD;
        o.rule.momentum = 0;
        o.rule.has_lr_backbone = k == 1;
        o.rule.lr_backbone = 0.5;
        train(model[k], &o);
    }
    double most = 0;
    for (int v = 0; v < gn_graph_value_count(before); v++) {
        const gn_value *value = gn_graph_value(before, v);
        if (value->kind != GN_VALUE_STATE || !value->trainable)
            continue;
        const float *w0 = value->data->data, *w1 = gn_graph_value(model[0], v)->data->data,
                    *w2 = gn_graph_value(model[1], v)->data->data;
        for (int64_t i = 0; i < gn_tensor_count(value->data); i++) {
            if (begins(value->name, "fc.")) {
                assert_true(w1[i] == w2[i]);
                continue;
            }
            const double whole = (double)w1[i] - (double)w0[i], half = (double)w2[i] - (double)w0[i];
            /* both differences carry the rounding of a weight */
            if (fabs(half - 0.5 * whole) > 1.2e-7 * (fabs((double)w0[i]) + fabs((double)w1[i])) + 1e-9)
                fail_msg("%s[%lld]: %.9g of %.9g", value->name, (long long)i, half, whole);
            most = fmax(most, fabs(whole));
        }
    }
    assert_true(most > 1e-4);
    for (int k = 0; k < 2; k++)
        gn_graph_destroy(&model[k]);
    gn_graph_destroy(&before);
}

/* ---- going on ---- */

static gn_train_options lasting(const char *name, char run_dir[512])
{
    gn_train_options o = options_for(name, run_dir);
    o.rule.freeze = (gn_freeze){.kind = GN_FREEZE_LAYERS, .layers = 9};
    o.rule.has_lr_backbone = true;
    o.rule.lr_backbone = 0.3;
    o.rule.has_ema = true;
    o.rule.label_smoothing = 0.1;
    o.schedule.kind = GN_SCHEDULE_COSINE;
    o.schedule_epochs = 4;
    o.resume = true;
    return o;
}

/* Stopped after an epoch and gone on with: the same bits as never stopped, under a schedule that is laid over all epochs. */
static void going_on_gives_the_same_bits(void **state)
{
    (void)state;
    char one_dir[512], two_dir[512];
    gn_train_options one = lasting("whole", one_dir), two = lasting("parts", two_dir);
    gn_graph *whole = network("classify", 3), *part = network("classify", 3), *rest = network("classify", 3);
    one.epochs = 3;
    const gn_train_result result = train(whole, &one);
    two.epochs = 1;
    train(part, &two);
    two.epochs = 3;
    const gn_train_result after = train(rest, &two);
    assert_true(after.resumed && !result.resumed);
    assert_int_equal(after.epochs_done, 3);
    for (int v = 0; v < gn_graph_value_count(whole); v++)
        if (gn_graph_value(whole, v)->kind == GN_VALUE_STATE && !is_same(whole, rest, v))
            fail_msg("%s differs", gn_graph_value(whole, v)->name);
    assert_true(result.best.top1.value == after.best.top1.value);
    assert_true(result.best.loss == after.best.loss);
    gn_graph_destroy(&whole);
    gn_graph_destroy(&part);
    gn_graph_destroy(&rest);
}

/* ---- learning, and telling ---- */

static void colours_are_learned(void **state)
{
    (void)state;
    char run_dir[512], path[600], *csv = NULL;
    size_t n = 0;
    gn_graph *model = network("classify", 3);
    gn_train_options o = options_for("learn", run_dir);
    o.epochs = 60; /* the running variances begin at 1 and need 100 steps to come down */
    o.loader.batch = 4;
    o.schedule.lr0 = 0.003;
    o.best_by = GN_BEST_AUTO;
    const gn_train_result result = train(model, &o);
    assert_true(result.best.is_classifier);
    assert_true(result.best.top1.value > 0.6);
    assert_true(result.best.top5.value == 1.0); /* three classes */
    assert_true(result.best.top1.low <= result.best.top1.value && result.best.top1.high >= result.best.top1.value);
    assert_true(isnan(result.best.mean_iou.value));
    snprintf(path, sizeof path, "%s/results.csv", run_dir);
    assert_int_equal(gn_file_read(path, 100000, &csv, &n, NULL), GN_OK);
    assert_true(begins(csv, "epoch,time,train/loss,val/loss,val/top1,val/top5,lr\n1,"));
    gn_free(csv);
    gn_graph_destroy(&model);
}

static void refuse(gn_graph *model, const gn_dataset *d, const gn_train_options *o, gn_status status, const char *word)
{
    gn_train_result result;
    gn_error err = {0};
    const gn_status got = gn_train_run(model, d, o, NULL, NULL, &result, &err);
    char line[1200];
    gn_error_line(&err, line, sizeof line);
    if (got != status || !strstr(line, word))
        fail_msg("%s \"%s\", where %s \"%s\" is expected", gn_status_name(got), line, gn_status_name(status), word);
    gn_graph_destroy(&model);
}

static void what_does_not_go_together_is_named(void **state)
{
    (void)state;
    char run_dir[512];
    gn_train_options o = options_for("refused", run_dir);
    refuse(network("box", 1), classes, &o, GN_EDATA, "--head classify");
    refuse(network("classify", 3), boxes, &o, GN_EDATA, "box head");
    refuse(network("classify", 4), classes, &o, GN_EDATA, "3 classes");
    o.best_by = GN_BEST_IOU;
    refuse(network("classify", 3), classes, &o, GN_EUSAGE, "top1");
    o.best_by = GN_BEST_AUTO;
    o.rule.freeze = (gn_freeze){.kind = GN_FREEZE_LAYERS, .layers = 1000};
    refuse(network("classify", 3), classes, &o, GN_EUSAGE, "nothing left");
    gn_freeze freeze;
    assert_int_equal(gn_freeze_parse("head", &freeze, NULL), GN_EUSAGE);
    assert_int_equal(gn_freeze_parse("-1", &freeze, NULL), GN_EUSAGE);
    assert_int_equal(gn_freeze_parse("7", &freeze, NULL), GN_OK);
    assert_true(freeze.kind == GN_FREEZE_LAYERS && freeze.layers == 7);
    assert_int_equal(gn_freeze_parse("0", &freeze, NULL), GN_OK);
    assert_true(freeze.kind == GN_FREEZE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frozen_backbone_stays),
        cmocka_unit_test(frozen_layers_stay),
        cmocka_unit_test(frozen_layers_have_no_gradient),
        cmocka_unit_test(without_a_word_the_last_layer_is_the_head),
        cmocka_unit_test(the_backbone_has_its_own_rate),
        cmocka_unit_test(going_on_gives_the_same_bits),
        cmocka_unit_test(colours_are_learned),
        cmocka_unit_test(what_does_not_go_together_is_named),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
