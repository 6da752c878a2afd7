/* Reading golden training steps, and making their graphs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "step_golden.h"
#include "zoo/weight_init.h"
#include "zoo/zoo.h"

#define MOST_TENSORS 1024
#define MOST_MODELS  64
#define MOST_NAME    96
#define BETA         0.1f

static bool read_tensor(const char *line, step_tensor *t)
{
    char kind[8];
    const int n =
        sscanf(line, "%7s %95s %lf %" SCNd64 " %lf %" SCNd64 " %lf %" SCNd64 " %lf %lf", kind, t->name, &t->norm,
               &t->index[0], &t->value[0], &t->index[1], &t->value[1], &t->index[2], &t->value[2], &t->f32_error);
    t->is_grad = strcmp(kind, "grad") == 0;
    return n == (t->is_grad ? 10 : 9);
}

step_golden step_golden_read(const char *model)
{
    step_golden golden = {0};
    char path[512], *text = NULL, *save = NULL;
    size_t bytes;
    const char *folder = getenv("GN_STEP_FOLDER");
    if (folder)
        snprintf(path, sizeof path, "%s/step_%s.txt", folder, model);
    else
        snprintf(path, sizeof path, "%s/tests/golden/step_%s.txt", GN_SOURCE_DIR, model);
    assert_int_equal(gn_file_read(path, 1 << 20, &text, &bytes, NULL), GN_OK);
    golden.tensors = gn_calloc(MOST_TENSORS, sizeof *golden.tensors);
    assert_non_null(golden.tensors);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (strcmp(line, "drawn") == 0) {
            golden.is_drawn = true;
            continue;
        }
        if (line[0] == '#' || sscanf(line, "loss %lf", &golden.loss) == 1 ||
            sscanf(line, "input %d %d %" SCNu64, &golden.size_px, &golden.batch, &golden.seed) == 3)
            continue;
        assert_true(golden.n < MOST_TENSORS);
        if (!read_tensor(line, &golden.tensors[golden.n++]))
            fail_msg("%s: cannot read \"%s\"", path, line);
    }
    gn_free(text);
    return golden;
}

/* Models that have a file step_<model>.txt in the folder. */
static size_t models_in(const char *folder, char (*names)[MOST_NAME])
{
    DIR *dir = opendir(folder);
    size_t n = 0;
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir)) && n < MOST_MODELS;)
        if (sscanf(entry->d_name, "step_%95s", names[n]) == 1 && gn_has_suffix(names[n], ".txt")) {
            names[n][strlen(names[n]) - 4] = '\0';
            n++;
        }
    closedir(dir);
    return n;
}

int step_golden_run(CMUnitTestFunction test)
{
    static char found[MOST_MODELS][MOST_NAME];
    static const char *const everyday[] = {"mobilenet_v2@0.35",  "mobilenet_v2",       "resnet18",   "squeezenet1_1",
                                           "mobilenet_v3_small", "shufflenet_v2_x0_5", "mnasnet0_5", "resnet20_cifar"};
    const char *folder = getenv("GN_STEP_FOLDER");
    const size_t n = folder ? models_in(folder, found) : sizeof everyday / sizeof *everyday;
    struct CMUnitTest tests[MOST_MODELS] = {{0}};
    for (size_t i = 0; i < n; i++) {
        if (!folder)
            snprintf(found[i], sizeof found[i], "%s", everyday[i]);
        tests[i] = (struct CMUnitTest){found[i], test, NULL, NULL, found[i]};
    }
    if (n == 0) {
        print_error("no file step_<model>.txt lies in %s\n", folder);
        return 1;
    }
    return _cmocka_run_group_tests("training steps", tests, n, NULL, NULL);
}

void step_golden_free(step_golden *golden)
{
    gn_free(golden->tensors);
    golden->tensors = NULL;
}

const step_tensor *step_golden_find(const step_golden *golden, const char *name, bool is_grad)
{
    for (int i = 0; i < golden->n; i++)
        if (golden->tensors[i].is_grad == is_grad && strcmp(golden->tensors[i].name, name) == 0)
            return &golden->tensors[i];
    return NULL;
}

void step_draw_row(gn_tensor *row, uint64_t seed, const char *name, bool is_around_one)
{
    gn_init_uniform(row, seed, name, is_around_one ? 0.25 : 0.125);
    for (int64_t k = 0; k < gn_tensor_count(row) && is_around_one; k++)
        ((float *)row->data)[k] += 1;
}

void step_draw_weights(gn_graph *graph, uint64_t seed)
{
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        gn_value *v = gn_graph_value_mut(graph, i);
        if (v->kind != GN_VALUE_STATE || !v->trainable)
            continue;
        const double fan_in = (double)gn_shape_count(&v->shape) / (double)v->shape.dim[0];
        if (v->shape.rank > 1)
            gn_init_normal(v->data, seed, v->name, sqrt(2 / fan_in));
        else
            step_draw_row(v->data, seed, v->name, gn_has_suffix(v->name, "weight"));
    }
}

static gn_graph *training_graph(const char *model, const step_golden *golden)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_error err = {0};
    options.model = model;
    options.width_px = options.height_px = golden->size_px;
    options.seed = golden->seed;
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    if (golden->is_drawn)
        step_draw_weights(graph, golden->seed);
    const gn_shape images = gn_shape_make(4, golden->batch, 3, golden->size_px, golden->size_px);
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &images), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK || gn_pass_training(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

step_graph step_graph_make(const char *model, const step_golden *golden)
{
    step_graph step = {.graph = training_graph(model, golden)};
    gn_graph *graph = step.graph;
    gn_error err = {0};
    const gn_shape boxes = gn_shape_make(2, golden->batch, 4), rows = gn_shape_make(1, golden->batch);
    const gn_attr beta = gn_attr_float("beta", BETA);
    step.images = gn_graph_input(graph, 0);
    step.targets = gn_graph_add_input(graph, "train.targets", GN_DTYPE_F32, &boxes);
    step.weights = gn_graph_add_input(graph, "train.weights", GN_DTYPE_F32, &rows);
    const int in[3] = {gn_graph_output(graph, 0), step.targets, step.weights};
    step.loss = gn_graph_add_op(graph, "SmoothL1Loss", "gannet", "loss", in, 3, &beta, 1);
    assert_true(step.loss >= 0);
    step.params = gn_calloc((size_t)gn_graph_value_count(graph), sizeof *step.params);
    step.grads = gn_calloc((size_t)gn_graph_value_count(graph), sizeof *step.grads);
    assert_true(step.params && step.grads);
    for (int i = 0; i < gn_graph_value_count(graph); i++)
        if (gn_graph_value(graph, i)->kind == GN_VALUE_STATE && gn_graph_value(graph, i)->trainable)
            step.params[step.n++] = i;
    if (gn_graph_differentiate(graph, step.loss, step.params, step.n, step.grads, &err) != GN_OK ||
        gn_graph_infer(graph, &err) != GN_OK || gn_graph_check(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return step;
}

void step_graph_free(step_graph *step)
{
    gn_graph_destroy(&step->graph);
    gn_free(step->params);
    gn_free(step->grads);
}

static gn_tensor *tensor_of(const gn_shape *shape)
{
    gn_tensor *tensor = NULL;
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, shape, &tensor), GN_OK);
    return tensor;
}

gn_tensor *step_images(const step_golden *golden)
{
    const gn_shape shape = gn_shape_make(4, golden->batch, 3, golden->size_px, golden->size_px);
    gn_tensor *images = tensor_of(&shape);
    gn_init_uniform(images, golden->seed, "step.images", 2);
    return images;
}

gn_tensor *step_targets(const step_golden *golden)
{
    const gn_shape shape = gn_shape_make(2, golden->batch, 4);
    gn_tensor *targets = tensor_of(&shape);
    gn_init_uniform(targets, golden->seed, "step.targets", 0.5);
    for (int i = 0; i < golden->batch * 4; i++)
        ((float *)targets->data)[i] += 0.5f;
    return targets;
}

gn_tensor *step_weights(const step_golden *golden)
{
    const gn_shape shape = gn_shape_make(1, golden->batch);
    gn_tensor *weights = tensor_of(&shape);
    gn_init_constant(weights, 1);
    return weights;
}
