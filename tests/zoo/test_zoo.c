/* The architectures against the published figures: parameters, multiply-accumulates, tensor names and shapes; and bad requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "graph/op.h"
#include "zoo/zoo.h"

static gn_graph *build(const char *model, const char *head, int classes, int px)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_error err = {0};
    gn_graph *graph = NULL;
    options.model = model;
    options.head = head;
    options.classes = classes;
    options.width_px = options.height_px = px;
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

static void bind_batch(gn_graph *graph, int batch)
{
    gn_error err = {0};
    gn_shape shape = gn_graph_value(graph, gn_graph_input(graph, 0))->shape;
    shape.dim[0] = batch;
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &shape), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_graph_check(graph, &err), GN_OK);
}

static int64_t parameters(const gn_graph *graph, const char *without)
{
    int64_t sum = 0;
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *value = gn_graph_value(graph, i);
        if (value->kind == GN_VALUE_STATE && value->trainable && !(without && gn_has_prefix(value->name, without)))
            sum += gn_tensor_count(value->data);
    }
    return sum;
}

static const struct {
    const char *model, *classifier;
    int64_t params, backbone;
    double gmac;
    int feature_width;
} published[] = {
    {"mobilenet_v2", "classifier.", 3504872, 2223872, 0.301, 1280},
    {"resnet18", "fc.", 11689512, 11176512, 1.814, 512},
    {"squeezenet1_1", "classifier.", 1235496, 722496, 0.349, 512},
};
#define N_PUBLISHED (sizeof published / sizeof published[0])

static void parameters_and_macs_are_the_published_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        gn_graph *graph = build(published[i].model, "classify", 1000, 224);
        gn_cost cost;
        bind_batch(graph, 1);
        gn_graph_cost(graph, &cost);
        assert_int_equal(parameters(graph, NULL), published[i].params);
        assert_int_equal(parameters(graph, published[i].classifier), published[i].backbone);
        assert_true(fabs((double)cost.macs / 1e9 - published[i].gmac) < 0.0005);
        const gn_shape *logits = &gn_graph_value(graph, gn_graph_output(graph, 0))->shape;
        assert_true(gn_shape_equal(logits, &(gn_shape){.rank = 2, .dim = {1, 1000}}));
        gn_graph_destroy(&graph);
    }
}

static void box_head_halves_the_features(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        gn_graph *graph = build(published[i].model, "box", 0, 64);
        const int64_t F = published[i].feature_width;
        bind_batch(graph, 3);
        assert_int_equal(parameters(graph, NULL), published[i].backbone + F * F / 2 + F / 2 + F / 2 * 4 + 4);
        const gn_shape *boxes = &gn_graph_value(graph, gn_graph_output(graph, 0))->shape;
        assert_true(gn_shape_equal(boxes, &(gn_shape){.rank = 2, .dim = {3, 4}}));
        assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "boxes");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.imgsz"), "64,64");
        assert_string_equal(gn_graph_meta_get(graph, "gannet.decode"), "box_xyxy01");
        gn_graph_destroy(&graph);
    }
    gn_graph *graph = build("squeezenet1_1", "box+score", 0, 64);
    bind_batch(graph, 2);
    assert_int_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->shape.dim[1], 5);
    gn_graph_destroy(&graph);
}

/* tests/golden/zoo_tensors.txt: "model name dim dim ..." for every tensor of torchvision's state dictionaries. */
static void tensors_are_torchvisions(void **state)
{
    (void)state;
    char *text = NULL;
    size_t bytes;
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/zoo_tensors.txt", 1 << 20, &text, &bytes, NULL), GN_OK);
    char current[64] = "", *save = NULL;
    gn_graph *graph = NULL;
    int seen = 0, states = 0, checked_models = 0;
    for (char *line = strtok_r(text, "\n", &save);; line = strtok_r(NULL, "\n", &save)) {
        char model[64] = "", name[128] = "";
        int used = 0;
        if (line && line[0] == '#')
            continue;
        if (line)
            assert_int_equal(sscanf(line, "%63s %127s%n", model, name, &used), 2);
        if (strcmp(model, current) != 0) {
            assert_int_equal(seen, states); /* every tensor of ours is torchvision's */
            gn_graph_destroy(&graph);
            seen = states = 0;
            if (!line)
                break;
            snprintf(current, sizeof current, "%s", model);
            graph = build(model, "classify", 1000, 224);
            checked_models++;
            for (int i = 0; i < gn_graph_value_count(graph); i++)
                states += gn_graph_value(graph, i)->kind == GN_VALUE_STATE;
        }
        const int id = gn_graph_find_value(graph, name);
        if (id < 0)
            fail_msg("%s has no tensor %s", model, name);
        gn_shape shape = {0};
        for (int step, dim; sscanf(line + used, "%d%n", &dim, &step) == 1; used += step)
            shape.dim[shape.rank++] = dim;
        if (!gn_shape_equal(&shape, &gn_graph_value(graph, id)->shape))
            fail_msg("%s: %s has another shape", model, name);
        seen++;
    }
    assert_int_equal(checked_models, 4);
    gn_free(text);
}

/* The smallest size that the table names works, and the next smaller one is refused or cannot be computed. */
static void smallest_sizes_work(void **state)
{
    (void)state;
    for (size_t i = 0; i < gn_zoo_count(); i++) {
        const gn_zoo_entry entry = gn_zoo_at(i);
        gn_zoo_options options = gn_zoo_options_default();
        gn_graph *graph = build(entry.name, "box", 0, entry.smallest_px);
        gn_error err = {0};
        char expected[64];
        bind_batch(graph, 1);
        gn_graph_destroy(&graph);
        options.model = entry.name;
        options.width_px = options.height_px = entry.smallest_px - 1;
        assert_int_equal(gn_zoo_build(&options, &graph, &err), GN_EINVAL);
        snprintf(expected, sizeof expected, "the smallest that works is %d x %d px", entry.smallest_px,
                 entry.smallest_px);
        assert_non_null(strstr(err.message, expected));
        assert_null(graph);
    }
}

static void weights_depend_on_seed_and_name(void **state)
{
    (void)state;
    static const char *const name = "features.3.squeeze.weight";
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graphs[3] = {NULL};
    options.model = "squeezenet1_1";
    for (int i = 0; i < 3; i++) {
        options.seed = i == 2 ? 7 : 3;
        options.head = i == 1 ? "box+score" : "box";
        assert_int_equal(gn_zoo_build(&options, &graphs[i], NULL), GN_OK);
    }
    const gn_tensor *w[3];
    for (int i = 0; i < 3; i++)
        w[i] = gn_graph_value(graphs[i], gn_graph_find_value(graphs[i], name))->data;
    assert_memory_equal(w[0]->data, w[1]->data, gn_tensor_bytes(w[0]));
    assert_memory_not_equal(w[0]->data, w[2]->data, gn_tensor_bytes(w[0]));
    /* uniform within sqrt(6/64): mean 0, deviation bound/sqrt(3) */
    double sum = 0, squares = 0;
    const int64_t n = gn_tensor_count(w[0]);
    for (int64_t i = 0; i < n; i++) {
        sum += gn_tensor_get(w[0], i);
        squares += gn_tensor_get(w[0], i) * gn_tensor_get(w[0], i);
    }
    const double deviation = sqrt(2.0 / 64);
    assert_true(fabs(sum / (double)n) < 5 * deviation / sqrt((double)n));
    assert_true(fabs(sqrt(squares / (double)n) - deviation) < 0.05 * deviation);
    for (int i = 0; i < 3; i++)
        gn_graph_destroy(&graphs[i]);
}

static void width_scales_channels(void **state)
{
    (void)state;
    gn_graph *graph = build("mobilenet_v2@0.35", "box", 0, 96);
    /* Width 0.35: the table's channels become 16, 8, 8, 16, 24, 32, 56, 112; the last layer never shrinks. */
    assert_int_equal(gn_graph_value(graph, gn_graph_find_value(graph, "features.0.0.weight"))->shape.dim[0], 16);
    assert_int_equal(gn_graph_value(graph, gn_graph_find_value(graph, "features.17.conv.2.weight"))->shape.dim[0], 112);
    assert_int_equal(gn_graph_value(graph, gn_graph_find_value(graph, "features.18.0.weight"))->shape.dim[0], 1280);
    gn_graph_destroy(&graph);
    for (int percent = 10; percent <= 140; percent += 10) {
        char model[64];
        snprintf(model, sizeof model, "mobilenet_v2@%d.%02d", percent / 100, percent % 100);
        graph = build(model, "box", 0, 32);
        bind_batch(graph, 1);
        gn_graph_destroy(&graph);
    }
}

static void bad_requests_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *model, *head, *says;
        int classes, px;
    } cases[] = {
        {"mobilenet_v3", "box", "did you mean mobilenet_v2?", 0, 224},
        {"resnet81", "box", "did you mean resnet18?", 0, 224},
        {"xyz", "box", "there are mobilenet_v2, resnet18, squeezenet1_1", 0, 224},
        {"mobilenet_v2@0.05", "box", "expected a number in 0.1..1.4", 0, 224},
        {"mobilenet_v2@", "box", "expected a number in 0.1..1.4", 0, 224},
        {"mobilenet_v2@nan", "box", "expected a number in 0.1..1.4", 0, 224},
        {"resnet18@0.5", "box", "one width only", 0, 224},
        {"resnet18", "boxes", "there are box, box+score and classify", 0, 224},
        {"resnet18", "classify", "0 classes", 0, 224},
        {"resnet18", "box", "7 x 7 px is too small", 0, 7},
        {"resnet18", "box", "too large", 0, 100000},
        {"", "box", "no model is named", 0, 224},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gn_zoo_options options = gn_zoo_options_default();
        gn_graph *graph = NULL;
        gn_error err = {0};
        options.model = cases[i].model;
        options.head = cases[i].head;
        options.classes = cases[i].classes;
        options.width_px = options.height_px = cases[i].px;
        assert_int_equal(gn_zoo_build(&options, &graph, &err), GN_EINVAL);
        if (!strstr(err.message, cases[i].says))
            fail_msg("\"%s\" does not say \"%s\"", err.message, cases[i].says);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_and_macs_are_the_published_ones),
        cmocka_unit_test(box_head_halves_the_features),
        cmocka_unit_test(tensors_are_torchvisions),
        cmocka_unit_test(smallest_sizes_work),
        cmocka_unit_test(weights_depend_on_seed_and_name),
        cmocka_unit_test(width_scales_channels),
        cmocka_unit_test(bad_requests_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
