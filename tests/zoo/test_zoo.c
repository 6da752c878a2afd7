/* The architectures against the published figures and torchvision: parameters, multiply-accumulates, names, shapes and initial
 * distributions of tensors, heads, sizes; and bad requests.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "graph/op.h"
#include "zoo/zoo.h"

/* They stand in front of the detectors. */
static size_t backbones(void)
{
    size_t n = 0;
    while (n < gn_zoo_count() && !gn_zoo_at(n).is_detector)
        n++;
    return n;
}

static gn_graph *build_as(const gn_zoo_options *options)
{
    gn_error err = {0};
    gn_graph *graph = NULL;
    if (gn_zoo_build(options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

/* Without weights, for shapes and counts. */
static gn_graph *build(const char *model, const char *head, int classes, int px)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = model;
    options.head = head;
    options.classes = classes;
    options.width_px = options.height_px = px;
    options.no_weights = true;
    return build_as(&options);
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

/* Of FIELD's table of published figures: backbone is without the classifier. */
static const struct {
    const char *model, *classifier;
    int64_t params, backbone;
    int feature_width;
} published[] = {
    {"alexnet", "classifier.", 61100840, 2469696, 9216},
    {"vgg11", "classifier.", 132863336, 9220480, 25088},
    {"vgg11_bn", "classifier.", 132868840, 9225984, 25088},
    {"vgg16", "classifier.", 138357544, 14714688, 25088},
    {"resnet18", "fc.", 11689512, 11176512, 512},
    {"squeezenet1_0", "classifier.", 1248424, 735424, 512},
    {"squeezenet1_1", "classifier.", 1235496, 722496, 512},
    {"densenet121", "classifier.", 7978856, 6953856, 1024},
    {"shufflenet_v2_x0_5", "fc.", 1366792, 341792, 1024},
    {"shufflenet_v2_x1_0", "fc.", 2278604, 1253604, 1024},
    {"mobilenet_v2", "classifier.", 3504872, 2223872, 1280},
    {"mobilenet_v3_small", "classifier.", 2542856, 927008, 576},
    {"mobilenet_v3_large", "classifier.", 5483032, 2971952, 960},
    {"mnasnet0_5", "classifier.", 2218512, 937512, 1280},
    {"mnasnet1_0", "classifier.", 4383312, 3102312, 1280},
    {"mnasnet1_3", "classifier.", 6282256, 5001256, 1280},
    {"regnet_y_400mf", "fc.", 4344144, 3903144, 440},
    {"regnet_y_800mf", "fc.", 6432512, 5647512, 784},
    {"regnet_x_400mf", "fc.", 5495976, 5094976, 400},
    {"regnet_x_800mf", "fc.", 7259656, 6586656, 672},
    {"convnext_tiny", "classifier.2.", 28589128, 27820128, 768},
    {"convnext_small", "classifier.2.", 50223688, 49454688, 768},
    {"googlenet", "fc.", 6624904, 5599904, 1024},
    {"mobilenet_v1", "fc.", 4231976, 3206976, 1024},
    {"mobilenet_v1@0.75", "fc.", 2585560, 1816560, 768},
    {"mobilenet_v1@0.5", "fc.", 1331592, 818592, 512},
    {"mobilenet_v1@0.25", "fc.", 470072, 213072, 256},
};
#define N_PUBLISHED (sizeof published / sizeof published[0])

static int64_t running_statistics(const gn_graph *graph)
{
    int64_t sum = 0;
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *value = gn_graph_value(graph, i);
        sum += value->kind == GN_VALUE_STATE && !value->trainable ? gn_tensor_count(value->data) : 0;
    }
    return sum;
}

static void parameters_are_the_published_ones(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        if (gn_has_prefix(published[i].model, "vgg")) { /* half a gigabyte each; costs_are_pytorchs counts all of it */
            gn_graph *features = build(published[i].model, "features", 0, 64);
            assert_int_equal(parameters(features, NULL), published[i].backbone);
            gn_graph_destroy(&features);
            continue;
        }
        gn_graph *graph = build(published[i].model, "classify", 1000, 64);
        bind_batch(graph, 1);
        assert_int_equal(parameters(graph, NULL), published[i].params);
        assert_int_equal(parameters(graph, published[i].classifier), published[i].backbone);
        const gn_shape *logits = &gn_graph_value(graph, gn_graph_output(graph, 0))->shape;
        assert_true(gn_shape_equal(logits, &(gn_shape){.rank = 2, .dim = {1, 1000}}));
        gn_graph_destroy(&graph);
    }
    /* Keras counts running statistics too */
    gn_graph *graph = build("xception", "classify", 1000, 299);
    assert_int_equal(parameters(graph, NULL) + running_statistics(graph), 22910480);
    assert_int_equal(parameters(graph, "predictions.") + running_statistics(graph), 20861480);
    gn_graph_destroy(&graph);
}

/* tests/golden/zoo_params_macs.csv: "model,px,params,buffers,macs" as PyTorch counts them. */
static void costs_are_pytorchs(void **state)
{
    (void)state;
    char *text = NULL, *save = NULL;
    size_t bytes, checked = 0;
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/zoo_params_macs.csv", 1 << 16, &text, &bytes, NULL),
                     GN_OK);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char model[64];
        int px;
        int64_t params, buffers, macs;
        if (line[0] == '#' || gn_has_prefix(line, "model,"))
            continue;
        assert_int_equal(
            sscanf(line, "%63[^,],%d,%" SCNd64 ",%" SCNd64 ",%" SCNd64, model, &px, &params, &buffers, &macs), 5);
        gn_graph *graph = build(model, "classify", 1000, px);
        gn_cost cost;
        bind_batch(graph, 1);
        gn_graph_cost(graph, &cost);
        assert_int_equal(parameters(graph, NULL), params);
        assert_int_equal(running_statistics(graph), buffers);
        if (!(fabs((double)(cost.macs - macs)) <= 0.005 * (double)macs))
            fail_msg("%s: %" PRId64 " MACs, PyTorch counts %" PRId64, model, cost.macs, macs);
        gn_graph_destroy(&graph);
        checked++;
    }
    assert_true(checked >= backbones());
    gn_free(text);
}

static void box_head_halves_the_features(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PUBLISHED; i++) {
        const int64_t F = published[i].feature_width;
        if (F > 10000)
            continue; /* vgg: a head of 1.3 GB */
        gn_graph *graph = build(published[i].model, "box", 0, 64);
        bind_batch(graph, 3);
        assert_int_equal(parameters(graph, NULL), published[i].backbone + F * (F / 2) + F / 2 + F / 2 * 4 + 4);
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

/* Convolutions and poolings without padding lose up to two pixels. */
static void check_side(int64_t side, int of, int stride)
{
    assert_in_range(side, of / stride - 2, of / stride);
}

/* Three maps, each half as large as the one before, of every architecture; width and height are not confused. */
static void feature_maps_halve(void **state)
{
    (void)state;
    static const char *const names[3] = {"map8", "map16", "map32"};
    for (size_t i = 0; i < backbones(); i++) {
        gn_zoo_options options = gn_zoo_options_default();
        options.model = gn_zoo_at(i).name;
        options.head = "features";
        options.width_px = 320;
        options.height_px = 128;
        options.no_weights = true;
        gn_graph *graph = build_as(&options);
        bind_batch(graph, 2);
        assert_int_equal(gn_graph_output_count(graph), 3);
        for (int k = 0; k < 3; k++) {
            const gn_value *map = gn_graph_value(graph, gn_graph_output(graph, k));
            assert_string_equal(map->name, names[k]);
            assert_int_equal(map->shape.rank, 4);
            check_side(map->shape.dim[2], 128, 8 << k);
            check_side(map->shape.dim[3], 320, 8 << k);
            assert_true(map->shape.dim[1] >= 24);
        }
        assert_string_equal(gn_graph_meta_get(graph, "gannet.task"), "features");
        gn_graph_destroy(&graph);
    }
}

/* ---- tensors ---- */

/* One line of tests/golden/zoo_tensors.txt: "model tensor shape deviation largest"; the last two are - where nobody says them. */
typedef struct tensor_line {
    char model[64], name[128];
    gn_shape shape;
    double deviation, largest; /* below 0: not said */
} tensor_line;

static tensor_line read_tensor_line(const char *line)
{
    tensor_line t = {.deviation = -1, .largest = -1};
    char shape[64], deviation[32], largest[32];
    assert_int_equal(sscanf(line, "%63s %127s %63s %31s %31s", t.model, t.name, shape, deviation, largest), 5);
    for (const char *p = shape; *p; p += *p == ',') {
        char *end;
        t.shape.dim[t.shape.rank++] = strtoll(p, &end, 10);
        p = end;
    }
    if (strcmp(deviation, "-") != 0 && (!gn_parse_f64(deviation, &t.deviation) || !gn_parse_f64(largest, &t.largest)))
        fail_msg("cannot read \"%s\"", line);
    return t;
}

/* Building these takes seconds; their layers are those of alexnet and convnext_tiny. */
static bool is_large(const char *model)
{
    return gn_has_prefix(model, "vgg") || strcmp(model, "convnext_small") == 0;
}

/* The values are drawn from torchvision's distribution: as wide, and with as far a tail. */
static void check_beginning(const tensor_line *line, const gn_tensor *got)
{
    const int64_t n = gn_tensor_count(got);
    double squares = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = (double)((const float *)got->data)[i];
        squares += x * x;
        largest = fmax(largest, fabs(x));
    }
    const double deviation = sqrt(squares / (double)n);
    const bool is_constant = line->largest - line->deviation <= 1e-5 * line->largest;
    const double slack = is_constant ? 1e-5 : 6 / sqrt((double)n);
    if (!(fabs(deviation - line->deviation) <= slack * line->deviation))
        fail_msg("%s: %s begins with a deviation of %g, torchvision with %g", line->model, line->name, deviation,
                 line->deviation);
    if (n > 1000 && !(largest > line->largest / 1.6 && largest < line->largest * 1.6) && !is_constant)
        fail_msg("%s: %s reaches %g at the beginning, torchvision %g", line->model, line->name, largest, line->largest);
}

static int count_states(const gn_graph *graph)
{
    int n = 0;
    for (int i = 0; i < gn_graph_value_count(graph); i++)
        n += gn_graph_value(graph, i)->kind == GN_VALUE_STATE;
    return n;
}

/* Every tensor of torchvision's is there, and no other, in its shape and with its initial distribution. */
static void tensors_are_torchvisions(void **state)
{
    (void)state;
    char *text = NULL, *save = NULL, current[64] = "";
    size_t bytes;
    gn_graph *graph = NULL;
    int seen = 0, models = 0;
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/zoo_tensors.txt", 1 << 20, &text, &bytes, NULL), GN_OK);
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (line[0] == '#')
            continue;
        const tensor_line t = read_tensor_line(line);
        if (strcmp(t.model, current) != 0) {
            assert_true(!graph || seen == count_states(graph));
            gn_graph_destroy(&graph);
            gn_zoo_options options = gn_zoo_options_default();
            options.model = snprintf(current, sizeof current, "%s", t.model) ? current : NULL;
            options.head = "classify";
            options.classes = 1000;
            options.no_weights = is_large(t.model);
            graph = build_as(&options);
            seen = 0;
            models++;
        }
        const int id = gn_graph_find_value(graph, t.name);
        if (id < 0)
            fail_msg("%s has no tensor %s", t.model, t.name);
        if (!gn_shape_equal(&t.shape, &gn_graph_value(graph, id)->shape))
            fail_msg("%s: %s has another shape", t.model, t.name);
        if (t.deviation >= 0 && !is_large(t.model))
            check_beginning(&t, gn_graph_value(graph, id)->data);
        seen++;
    }
    assert_int_equal(seen, count_states(graph));
    assert_int_equal(models, backbones() + 2); /* two of them in another width too */
    gn_graph_destroy(&graph);
    gn_free(text);
}

/* The smallest size that the table names works, and the next smaller one is refused or cannot be computed. */
static void smallest_sizes_work(void **state)
{
    (void)state;
    for (size_t i = 0; i < backbones(); i++) {
        const gn_zoo_entry entry = gn_zoo_at(i);
        gn_zoo_options options = gn_zoo_options_default();
        gn_graph *graph = NULL;
        gn_error err = {0};
        char expected[64];
        for (int head = is_large(entry.name) ? 1 : 0; head < 2; head++) {
            graph = build(entry.name, head ? "features" : "classify", 10, entry.smallest_px);
            bind_batch(graph, 1);
            gn_graph_destroy(&graph);
        }
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
        {"mobilenet_v4", "box", "did you mean mobilenet_v1?", 0, 224},
        {"resnet81", "box", "did you mean resnet18?", 0, 224},
        {"xyz", "box", "gannet zoo lists all", 0, 224},
        {"mobilenet_v2@0.05", "box", "expected a number in 0.1..1.4", 0, 224},
        {"mobilenet_v2@", "box", "expected a number in 0.1..1.4", 0, 224},
        {"mobilenet_v2@nan", "box", "expected a number in 0.1..1.4", 0, 224},
        {"resnet18@0.5", "box", "one width only", 0, 224},
        {"resnet18", "boxes", "there are box, box+score, classify and features", 0, 224},
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
        cmocka_unit_test(parameters_are_the_published_ones),
        cmocka_unit_test(costs_are_pytorchs),
        cmocka_unit_test(feature_maps_halve),
        cmocka_unit_test(box_head_halves_the_features),
        cmocka_unit_test(tensors_are_torchvisions),
        cmocka_unit_test(smallest_sizes_work),
        cmocka_unit_test(weights_depend_on_seed_and_name),
        cmocka_unit_test(width_scales_channels),
        cmocka_unit_test(bad_requests_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
