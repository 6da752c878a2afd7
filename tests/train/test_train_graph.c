/* The graph of a training step: what it is made of, what its loss is, and that it learns.
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
#include "graph/op.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "ops/interpret.h"
#include "ops/ops.h"
#include "train/train_graph.h"
#include "zoo/zoo.h"

static const gn_train_rule plain_rule = {
    .loss = {.l1_gain = 1.0, .beta = 0.1, .iou_kind = "ciou"},
    .optimizer = GN_OPTIMIZER_SGD,
    .momentum = 0.9,
    .beta2 = 0.999,
    .epsilon = 1e-8,
    .weight_decay = 0.01,
};

static gn_graph *network(const char *model, const char *head, int size_px)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = model;
    options.head = head;
    options.classes = 7;
    options.width_px = options.height_px = size_px;
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

static gn_train_graph build(const gn_graph *model, int batch, int size_px, const gn_train_rule *rule)
{
    gn_train_graph t;
    gn_error err = {0};
    if (gn_train_graph_build(model, batch, size_px, size_px, rule, &t, &err) != GN_OK)
        fail_msg("%s", err.message);
    if (gn_graph_check(t.graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return t;
}

static const gn_node *find_node(const gn_graph *graph, const char *op)
{
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        if (strcmp(gn_graph_node(graph, i)->op->name, op) == 0)
            return gn_graph_node(graph, i);
    return NULL;
}

/* States whose name begins so. */
static int count_states(const gn_graph *graph, const char *prefix)
{
    int n = 0;
    for (int v = 0; v < gn_graph_value_count(graph); v++)
        n += gn_graph_value(graph, v)->kind == GN_VALUE_STATE &&
             strncmp(gn_graph_value(graph, v)->name, prefix, strlen(prefix)) == 0;
    return n;
}

static int count_trainable(const gn_graph *graph)
{
    int n = 0;
    for (int v = 0; v < gn_graph_value_count(graph); v++)
        n += gn_graph_value(graph, v)->trainable;
    return n;
}

/* ---- what it is made of ---- */

static void the_step_has_its_parts(void **state)
{
    (void)state;
    gn_graph *model = network("mobilenet_v2@0.35", "box", 64);
    gn_train_rule rule = plain_rule;
    rule.has_ema = true;
    int n = count_trainable(model), statistics = 2 * 52;
    static const struct {
        gn_optimizer_kind kind;
        double momentum;
        int states;
        const char *op;
    } cases[] = {{GN_OPTIMIZER_SGD, 0.9, 1, "Sgd"},
                 {GN_OPTIMIZER_SGD, 0.0, 0, "Sgd"},
                 {GN_OPTIMIZER_ADAM, 0.9, 2, "Adam"},
                 {GN_OPTIMIZER_ADAMW, 0.9, 2, "Adam"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rule.optimizer = cases[i].kind;
        rule.momentum = cases[i].momentum;
        gn_train_graph t = build(model, 3, 64, &rule);
        const gn_node *step = find_node(t.graph, cases[i].op);
        assert_non_null(step);
        assert_int_equal(gn_node_int(step, "n", 0), n);
        assert_int_equal(gn_node_int(step, "decoupled", 0), cases[i].kind == GN_OPTIMIZER_ADAMW);
        assert_int_equal(count_states(t.graph, "optimizer."), n * cases[i].states);
        assert_int_equal(count_states(t.graph, "ema."), n + statistics);
        assert_int_equal(gn_graph_update_count(t.graph), n * (1 + cases[i].states) + statistics + n + statistics);
        assert_int_equal(gn_graph_output_count(t.graph), 2);
        for (int o = 0; o < 2; o++)
            assert_int_equal(gn_shape_count(&gn_graph_value(t.graph, gn_graph_output(t.graph, o))->shape), 1);
        assert_string_equal(gn_graph_value(t.graph, t.images)->name, "images");
        assert_int_equal(gn_graph_value(t.graph, t.images)->shape.dim[0], 3);
        assert_string_equal(gn_graph_value(t.graph, t.hyper)->name, "train.hyper");
        assert_true(t.target >= 0 && t.has_box >= 0);
        assert_int_equal(t.weight, -1);
        gn_train_graph_deinit(&t);
        assert_null(t.graph);
    }
    rule.has_ema = false;
    gn_train_graph t = build(model, 3, 64, &rule);
    assert_int_equal(count_states(t.graph, "ema."), 0);
    assert_null(find_node(t.graph, "Ema"));
    gn_train_graph_deinit(&t);
    gn_graph_destroy(&model);
}

static void weights_are_the_models_own(void **state)
{
    (void)state;
    gn_graph *model = network("squeezenet1_1", "box", 64);
    gn_train_rule rule = plain_rule;
    rule.has_ema = true;
    gn_train_graph t = build(model, 2, 64, &rule);
    for (int v = 0; v < gn_graph_value_count(model); v++) {
        const gn_value *mine = gn_graph_value(model, v);
        if (mine->kind != GN_VALUE_STATE)
            continue;
        char name[128];
        snprintf(name, sizeof name, "ema.%s", mine->name);
        int id = gn_graph_find_value(t.graph, mine->name), average = gn_graph_find_value(t.graph, name);
        assert_true(id >= 0 && average >= 0);
        assert_ptr_equal(gn_graph_value(t.graph, id)->data->data, mine->data->data);
        assert_ptr_not_equal(gn_graph_value(t.graph, average)->data->data, mine->data->data);
        assert_memory_equal(gn_graph_value(t.graph, average)->data->data, mine->data->data,
                            gn_tensor_bytes(mine->data));
    }
    gn_train_graph_deinit(&t);
    gn_graph_destroy(&model);
}

static void decay_spares_vectors(void **state)
{
    (void)state;
    gn_graph *model = network("resnet18", "box", 64);
    gn_train_rule rule = plain_rule;
    for (int all = 0; all < 2; all++) {
        rule.decays_all = all;
        gn_train_graph t = build(model, 2, 64, &rule);
        const gn_node *step = find_node(t.graph, "Sgd");
        const gn_attr *decay = gn_node_attr(step, "weight_decay");
        assert_int_equal(decay->n, count_trainable(model));
        for (int i = 0; i < decay->n; i++) {
            bool is_vector = gn_graph_value(t.graph, step->in[2 + i])->shape.rank == 1;
            assert_true(decay->u.floats[i] == (is_vector && !all ? 0.0f : 0.01f));
        }
        gn_train_graph_deinit(&t);
    }
    gn_graph_destroy(&model);
}

/* ---- the loss ---- */

typedef enum score_form { SCORE_NONE, SCORE_RAW, SCORE_SIGMOID } score_form;

/* Mean over the picture, then a linear layer. */
static gn_graph *small_model(score_form form)
{
    gn_graph *graph = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &graph), GN_OK);
    gn_shape images = gn_shape_make(4, -1, 3, -1, -1);
    int in[3] = {gn_graph_add_input(graph, "images", GN_DTYPE_F32, &images)};
    in[0] = gn_graph_add_op(graph, "GlobalAveragePool", "", NULL, in, 1, NULL, 0);
    int flat = gn_graph_add_op(graph, "Flatten", "", NULL, in, 1, NULL, 0), parts[2] = {-1, -1};
    for (int i = 0; i < (form == SCORE_SIGMOID ? 2 : 1); i++) {
        int rows = i == 1 ? 1 : form == SCORE_RAW ? 5 : 4;
        gn_shape shape = gn_shape_make(2, rows, 3), row = gn_shape_make(1, rows);
        in[0] = flat;
        in[1] = gn_graph_add_state(graph, i ? "score.weight" : "box.weight", GN_DTYPE_F32, &shape, true);
        in[2] = gn_graph_add_state(graph, i ? "score.bias" : "box.bias", GN_DTYPE_F32, &row, true);
        float *w = gn_graph_value(graph, in[1])->data->data, *b = gn_graph_value(graph, in[2])->data->data;
        for (int k = 0; k < rows * 3; k++)
            w[k] = 0.1f * (float)(k % 5) - 0.2f;
        for (int k = 0; k < rows; k++)
            b[k] = 0.2f * (float)(k + 1);
        const gn_attr transposed = gn_attr_int("transB", 1);
        parts[i] = gn_graph_add_op(graph, "Gemm", "", NULL, in, 3, &transposed, 1);
    }
    int result = parts[0];
    if (form == SCORE_SIGMOID) {
        const gn_attr axis = gn_attr_int("axis", 1);
        parts[1] = gn_graph_add_op(graph, "Sigmoid", "", NULL, &parts[1], 1, NULL, 0);
        result = gn_graph_add_op(graph, "Concat", "", NULL, parts, 2, &axis, 1);
    }
    gn_error err = {0};
    if (gn_graph_error(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_graph_add_output(graph, result);
    return graph;
}

static const double target[12] = {0.1, 0.2, 0.5, 0.7, 0.3, 0.3, 0.9, 0.8, 0, 0, 1, 1}, has_box[3] = {1, 1, 0},
                    weight[3] = {1, 0.5, 1};

/* By the interpreter, of a batch of three. */
static double loss_of(const gn_graph *model, const gn_train_rule *rule)
{
    gn_train_graph t = build(model, 3, 4, rule);
    gn_interpret *it = NULL;
    gn_error err = {0};
    double images[3 * 48];
    const double hyper[GN_HYPER_COUNT] = {0.01, 1, 1, 1, 0.9};
    for (int i = 0; i < 3 * 48; i++)
        images[i] = 0.1 * (i % 7) + 0.2 * (i / 48);
    assert_int_equal(gn_interpret_create(t.graph, GN_DTYPE_F64, &it, &err), GN_OK);
    gn_interpret_set(it, t.images, images);
    gn_interpret_set(it, t.target, target);
    gn_interpret_set(it, t.has_box, has_box);
    gn_interpret_set(it, t.hyper, hyper);
    if (t.weight >= 0)
        gn_interpret_set(it, t.weight, weight);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    double loss = gn_tensor_get(gn_interpret_get(it, gn_graph_output(t.graph, 0)), 0);
    gn_interpret_destroy(&it);
    gn_train_graph_deinit(&t);
    return loss;
}

static void the_loss_is_the_sum_of_its_terms(void **state)
{
    (void)state;
    for (score_form form = SCORE_NONE; form <= SCORE_SIGMOID; form++) {
        gn_graph *model = small_model(form);
        gn_train_rule rule = plain_rule;
        rule.loss = (gn_box_loss){.l1_gain = 1, .beta = 0.1, .iou_kind = "giou"};
        double l1 = loss_of(model, &rule);
        rule.loss = (gn_box_loss){.iou_gain = 1, .iou_kind = "giou"};
        double iou = loss_of(model, &rule), score = 0;
        if (form != SCORE_NONE) {
            rule.loss = (gn_box_loss){.score_gain = 1, .iou_kind = "giou"};
            score = loss_of(model, &rule);
            assert_true(score > 0);
        }
        rule.loss = (gn_box_loss){.l1_gain = 2, .beta = 0.1, .iou_gain = 0.5, .iou_kind = "giou", .score_gain = 3};
        double all = loss_of(model, &rule);
        assert_true(l1 > 0 && iou > 0);
        assert_true(fabs(all - (2 * l1 + 0.5 * iou + 3 * score)) < 1e-6 * all);
        gn_graph_destroy(&model);
    }
}

/* Both forms of a score give the logit to the loss, and the same boxes the same loss. */
static void both_forms_of_a_score_are_understood(void **state)
{
    (void)state;
    gn_graph *raw = small_model(SCORE_RAW), *squashed = small_model(SCORE_SIGMOID), *boxes = small_model(SCORE_NONE);
    gn_train_rule rule = plain_rule;
    double alone = loss_of(boxes, &rule);
    rule.loss.score_gain = 0;
    assert_true(fabs(loss_of(raw, &rule) - alone) < 1e-12);
    assert_true(fabs(loss_of(squashed, &rule) - alone) < 1e-12);
    /* the logit of the one is the fifth row of the other */
    const float *from = gn_graph_value(raw, gn_graph_find_value(raw, "box.weight"))->data->data;
    memcpy(gn_graph_value(squashed, gn_graph_find_value(squashed, "score.weight"))->data->data, from + 12,
           3 * sizeof *from);
    from = gn_graph_value(raw, gn_graph_find_value(raw, "box.bias"))->data->data;
    memcpy(gn_graph_value(squashed, gn_graph_find_value(squashed, "score.bias"))->data->data, from + 4, sizeof *from);
    rule.loss.score_gain = 1;
    double with_score = loss_of(raw, &rule);
    assert_true(with_score > alone + 0.1);
    assert_true(fabs(loss_of(squashed, &rule) - with_score) < 1e-12);
    gn_graph_destroy(&raw);
    gn_graph_destroy(&squashed);
    gn_graph_destroy(&boxes);
}

/* ---- learning ---- */

static float noise(int64_t i)
{
    return (float)((unsigned)i * 2654435761u >> 8) / 16777216.0f - 0.5f;
}

/* Pictures of one colour each, with noise. */
static void bind_pictures(gn_exec *exec, const gn_graph *graph, int value, float **memory)
{
    int64_t n = gn_shape_count(&gn_graph_value(graph, value)->shape);
    *memory = calloc((size_t)n + 16, sizeof **memory);
    for (int64_t i = 0; i < n; i++)
        (*memory)[i] = 3.0f * noise(i / (64 * 64) + 100) + noise(i * 7919 + 5);
    assert_int_equal(gn_backend_cpu.bind(exec, value, *memory), GN_OK);
}

/* Four pictures are learnt by heart. */
static void check_learning(const char *model_name, gn_optimizer_kind kind, float lr, int n_steps)
{
    gn_graph *model = network(model_name, "box", 64);
    gn_train_rule rule = plain_rule;
    rule.optimizer = kind;
    rule.has_ema = true;
    rule.clip_norm = 10;
    gn_train_graph t = build(model, 4, 64, &rule);
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_error err = {0};
    float *images = NULL, boxes[16 + 16] = {0.1f, 0.1f, 0.5f, 0.5f, 0.5f, 0.4f, 0.9f, 0.8f,
                                            0.2f, 0.6f, 0.4f, 0.9f, 0.0f, 0.0f, 1.0f, 1.0f};
    float all[4 + 16] = {1, 1, 1, 1}, hyper[GN_HYPER_COUNT + 16] = {0}, first = 0, last = 0, norm = 0;
    int64_t rng[2 + 8] = {1, 0};
    assert_int_equal(gn_backend_cpu.open(2, &device, &err), GN_OK);
    if (gn_backend_cpu.compile(device, t.graph, &exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    bind_pictures(exec, t.graph, t.images, &images);
    gn_backend_cpu.bind(exec, t.target, boxes);
    gn_backend_cpu.bind(exec, t.has_box, all);
    gn_backend_cpu.bind(exec, t.hyper, hyper);
    if (t.rng >= 0)
        gn_backend_cpu.bind(exec, t.rng, rng);
    for (int i = 1; i <= n_steps; i++) {
        hyper[GN_HYPER_LR] = lr;
        hyper[GN_HYPER_BIAS1] = 1.0f - powf(0.9f, (float)i);
        hyper[GN_HYPER_BIAS2] = 1.0f - powf(0.999f, (float)i);
        hyper[GN_HYPER_FIRST] = i == 1;
        hyper[GN_HYPER_EMA_DECAY] = 0.9f;
        rng[1] = i;
        if (gn_backend_cpu.run(exec, &err) != GN_OK)
            fail_msg("%s", err.message);
        last = *(const float *)gn_backend_cpu.output(exec, 0);
        norm = *(const float *)gn_backend_cpu.output(exec, 1);
        first = i == 1 ? last : first;
    }
    print_message("%s: the loss goes from %.4f to %.4f\n", model_name, (double)first, (double)last);
    assert_true(isfinite(norm) && norm > 0);
    assert_true(last < 0.1f * first);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    free(images);
    gn_train_graph_deinit(&t);
    gn_graph_destroy(&model);
}

static void steps_learn(void **state)
{
    (void)state;
    check_learning("mobilenet_v2@0.35", GN_OPTIMIZER_ADAMW, 2e-3f, 40);
    check_learning("squeezenet1_1", GN_OPTIMIZER_ADAM, 1e-3f, 60);
    check_learning("resnet18", GN_OPTIMIZER_SGD, 5e-3f, 20);
}

/* ---- memory, failures ---- */

static void memory_is_told_in_advance(void **state)
{
    (void)state;
    gn_graph *model = network("resnet18", "box", 64);
    gn_train_rule rule = plain_rule;
    gn_train_memory small, large;
    gn_error err = {0};
    size_t weights = 0, trained = 0;
    for (int v = 0; v < gn_graph_value_count(model); v++) {
        const gn_value *value = gn_graph_value(model, v);
        weights += value->kind == GN_VALUE_STATE ? gn_tensor_bytes(value->data) : 0;
        trained += value->trainable ? gn_tensor_bytes(value->data) : 0;
    }
    rule.optimizer = GN_OPTIMIZER_ADAM;
    assert_int_equal(gn_train_memory_of(model, 2, 64, 64, &rule, &small, &err), GN_OK);
    assert_int_equal(small.weight_bytes, weights);
    assert_int_equal(small.optimizer_bytes, 2 * trained);
    rule.has_ema = true;
    assert_int_equal(gn_train_memory_of(model, 4, 64, 64, &rule, &large, &err), GN_OK);
    assert_int_equal(large.optimizer_bytes, 2 * trained + weights);
    assert_true(large.arena_bytes > small.arena_bytes);
    gn_graph_destroy(&model);
}

static void refuse(const gn_graph *model, const gn_train_rule *rule, gn_status expected, const char *message)
{
    gn_train_graph t = {0};
    gn_error err = {0};
    gn_status status = gn_train_graph_build(model, 2, 64, 64, rule, &t, &err);
    if (status != expected || !strstr(err.message, message))
        fail_msg("%s \"%s\", where %s \"%s\" is expected", gn_status_name(status), err.message,
                 gn_status_name(expected), message);
    assert_null(t.graph);
}

static void what_cannot_be_trained_is_named(void **state)
{
    (void)state;
    gn_graph *model = network("squeezenet1_1", "box", 64);
    gn_train_rule rule = plain_rule;
    rule.loss.l1_gain = 0;
    refuse(model, &rule, GN_EINVAL, "no term");
    for (int v = 0; v < gn_graph_value_count(model); v++)
        gn_graph_value_mut(model, v)->trainable = false;
    refuse(model, &plain_rule, GN_EDATA, "no weights");
    gn_graph_destroy(&model);
    model = network("squeezenet1_1", "classify", 64);
    assert_int_equal(gn_graph_meta_set(model, "gannet.task", "box"), GN_OK);
    refuse(model, &plain_rule, GN_EUNSUPPORTED, "[2,7]");
    gn_graph_destroy(&model);
    model = network("squeezenet1_1", "box", 64);
    gn_shape shape = gn_shape_make(4, 1, 3, 64, 64);
    gn_error err = {0};
    assert_int_equal(gn_graph_set_input_shape(model, gn_graph_input(model, 0), &shape), GN_OK);
    assert_int_equal(gn_graph_infer(model, &err), GN_OK);
    assert_int_equal(gn_pass_inference(model, &err), GN_OK);
    refuse(model, &plain_rule, GN_EUNSUPPORTED, "FusedConv");
    gn_graph_destroy(&model);
}

typedef struct failing {
    long made, fails_at, live;
} failing;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    failing *f = ctx;
    if (++f->made == f->fails_at)
        return NULL;
    void *block = aligned_alloc(align, (bytes + align - 1) / align * align);
    f->live += block != NULL;
    return block;
}

static void failing_free(void *ctx, void *ptr)
{
    failing *f = ctx;
    f->live -= ptr != NULL;
    free(ptr);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    failing f = {0};
    const gn_allocator allocator = {failing_alloc, failing_free, &f};
    gn_set_allocator(&allocator);
    gn_graph *model = small_model(SCORE_SIGMOID);
    gn_train_rule rule = plain_rule;
    rule.has_ema = true;
    rule.loss.score_gain = 1;
    rule.loss.iou_gain = 1;
    rule.freeze.kind = GN_FREEZE_LAYERS; /* of no layer */
    rule.has_lr_backbone = true;
    rule.lr_backbone = 0.5;
    long live = f.live, k = 1;
    gn_status status = GN_ENOMEM;
    for (; status != GN_OK && k < 10000; k++) {
        gn_train_graph t = {0};
        f = (failing){.fails_at = k, .live = live};
        status = gn_train_graph_build(model, 2, 8, 8, &rule, &t, NULL);
        if (status != GN_OK && status != GN_ENOMEM)
            fail_msg("allocation %ld failed: %s", k, gn_status_name(status));
        if (status == GN_OK && f.made >= k)
            fail_msg("allocation %ld failed and nothing said so", k);
        gn_train_graph_deinit(&t);
        assert_int_equal(f.live, live);
    }
    gn_graph_destroy(&model);
    assert_int_equal(f.live, 0);
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    assert_true(k > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_step_has_its_parts),
        cmocka_unit_test(weights_are_the_models_own),
        cmocka_unit_test(decay_spares_vectors),
        cmocka_unit_test(the_loss_is_the_sum_of_its_terms),
        cmocka_unit_test(both_forms_of_a_score_are_understood),
        cmocka_unit_test(steps_learn),
        cmocka_unit_test(memory_is_told_in_advance),
        cmocka_unit_test(what_cannot_be_trained_is_named),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
