/* Darknet networks: what PyTorch computes for a network of every layer, real networks of other people, and files that are broken.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/file.h"
#include "format_fixture.h"
#include "formats/darknet/darknet.h"
#include "ops/interpret.h"

#define GOLDEN       GN_SOURCE_DIR "/tests/golden/"
#define MEMORY_BYTES ((uint64_t)100000000)

static const char *data_folder(void)
{
    const char *folder = getenv("GANNET_DATA");
    return folder && folder[0] ? folder : GN_SOURCE_DIR "/../shared/data";
}

/* Number i of the formula in make_darknet_golden.py, in 0..1. */
static double formula(uint64_t i)
{
    return (double)((i * UINT64_C(2654435761) % (UINT64_C(1) << 32)) >> 8) / (1 << 24);
}

/* The .weights file that the golden file describes: a header of 16 bytes, and numbers by the formula. */
static gn_text weights_of(const char *golden)
{
    gn_text t;
    uint64_t at = 0;
    static const int32_t header[4] = {0, 1, 0, 0};
    gn_text_init(&t);
    gn_text_add_bytes(&t, header, sizeof header);
    for (const char *line = golden; line; line = strchr(line, '\n')) {
        char kind[16];
        int count;
        double scale;
        line += *line == '\n';
        if (sscanf(line, "%15[a-z] %d %lf", kind, &count, &scale) != 3 || strcmp(kind, "output") == 0)
            continue;
        for (int i = 0; i < count; i++, at++) {
            const double u = formula(at);
            const float x = (float)(strcmp(kind, "positive") == 0 ? u + 0.5 : (u - 0.5) * scale);
            gn_text_add_bytes(&t, &x, sizeof x);
        }
    }
    return t;
}

static double *run(const gn_graph *graph, int64_t *count_out)
{
    gn_graph *g = NULL;
    gn_error err = {0};
    gn_interpret *it = NULL;
    assert_int_equal(gn_graph_clone(graph, false, &g), GN_OK);
    const int input = gn_graph_input(g, 0);
    gn_shape shape = gn_graph_value(g, input)->shape;
    shape.dim[0] = 1;
    assert_int_equal(gn_graph_set_input_shape(g, input, &shape), GN_OK);
    if (gn_graph_infer(g, &err) != GN_OK || gn_interpret_create(g, GN_DTYPE_F64, &it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const int64_t n = gn_shape_count(&shape);
    double *x = gn_alloc((size_t)n * sizeof *x);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)formula((uint64_t)i + 1);
    gn_interpret_set(it, input, x);
    gn_free(x);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    const gn_tensor *y = gn_interpret_get(it, gn_graph_output(g, 0));
    *count_out = gn_tensor_count(y);
    double *result = gn_alloc((size_t)*count_out * sizeof *result);
    for (int64_t i = 0; i < *count_out; i++)
        result[i] = gn_tensor_get(y, i);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&g);
    return result;
}

static void test_every_layer(void **ctx)
{
    (void)ctx;
    char *cfg = NULL, *golden = NULL;
    size_t cfg_bytes = 0, n = 0;
    int64_t count = 0;
    gn_error err = {0};
    gn_graph *graph = NULL;
    assert_int_equal(gn_file_read(GOLDEN "darknet_layers.cfg", 1 << 20, &cfg, &cfg_bytes, &err), GN_OK);
    assert_int_equal(gn_file_read(GOLDEN "darknet_layers.txt", 1 << 20, &golden, &n, &err), GN_OK);
    gn_text weights = weights_of(golden);
    if (gn_darknet_read_bytes(cfg, cfg_bytes, "layers.cfg", weights.data, weights.len, "layers.weights", NULL, NULL,
                              &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    double *y = run(graph, &count);
    assert_int_equal(count, 12);
    const char *want = strstr(golden, "output ");
    assert_non_null(want);
    want += strlen("output ");
    for (int64_t i = 0; i < count; i++) {
        char *end;
        const double expected = strtod(want, &end);
        if (end == want || fabs(y[i] - expected) > 2e-6)
            fail_msg("number %" PRId64 ": %.9g, %.9g was expected", i, y[i], expected);
        want = end;
    }
    gn_graph_destroy(&graph);
    /* A number less, a number more. */
    assert_int_equal(gn_darknet_read_bytes(cfg, cfg_bytes, "layers.cfg", weights.data, weights.len - 4,
                                           "layers.weights", NULL, NULL, &graph, &err),
                     GN_EFORMAT);
    gn_text_add_bytes(&weights, "abcd", 4);
    assert_int_equal(gn_darknet_read_bytes(cfg, cfg_bytes, "layers.cfg", weights.data, weights.len, "layers.weights",
                                           NULL, NULL, &graph, &err),
                     GN_EFORMAT);
    assert_non_null(strstr(err.message, "4 bytes are left over"));
    gn_text_deinit(&weights);
    gn_free(y);
    gn_free(cfg);
    gn_free(golden);
}

/* Other people's networks, with random weights; those with detection layers on request only. */
static void test_people(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *name;
        int outputs; /* with is_raw */
        bool is_classifier;
    } nets[] = {{"cifar", 1, true},
                {"darknet", 1, true},
                {"tiny", 1, true},
                {"yolov2-tiny", 1, false},
                {"yolov3-tiny", 2, false}};
    int n_read = 0;
    for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
        char path[512];
        gn_graph *graph = NULL;
        gn_error err = {0};
        gn_text notes;
        const gn_darknet_options raw = {.is_raw = true};
        snprintf(path, sizeof path, "%s/models/darknet_cfg/%s.cfg", data_folder(), nets[i].name);
        if (!gn_path_exists(path))
            continue;
        n_read++;
        gn_text_init(&notes);
        const gn_status status = gn_darknet_read(path, NULL, NULL, &notes, &graph, &err);
        if (nets[i].is_classifier) {
            assert_int_equal(status, GN_OK);
            assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "logits");
            assert_string_equal(gn_graph_meta_get(graph, "gannet.task"), "classify");
            assert_non_null(strstr(notes.data, "[softmax]: left to whoever reads the logits"));
        } else {
            assert_int_equal(status, GN_EUNSUPPORTED);
            assert_non_null(strstr(err.message, "--raw"));
            assert_true(err.line > 50);
        }
        gn_graph_destroy(&graph);
        assert_int_equal(gn_darknet_read(path, NULL, &raw, NULL, &graph, &err), GN_OK);
        assert_int_equal(gn_graph_output_count(graph), nets[i].outputs);
        gn_graph_destroy(&graph);
        gn_text_deinit(&notes);
    }
    if (n_read == 0)
        skip();
    assert_int_equal(n_read, 5);
}

/* Real weights fit to the byte; the first and the last number are where they belong. */
static void test_real_weights(void **ctx)
{
    (void)ctx;
    char cfg[512], path[512];
    char *bytes = NULL;
    size_t n = 0;
    gn_graph *graph = NULL;
    gn_error err = {0};
    const gn_darknet_options raw = {.is_raw = true};
    snprintf(cfg, sizeof cfg, "%s/models/yolo_fastest/yolo-fastest-1.1.cfg", data_folder());
    snprintf(path, sizeof path, "%s/models/yolo_fastest/yolo-fastest-1.1.weights", data_folder());
    if (!gn_path_exists(path))
        skip();
    if (gn_darknet_read(cfg, path, &raw, NULL, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_graph_output_count(graph), 2);
    assert_string_equal(gn_graph_value(graph, gn_graph_output(graph, 0))->name, "map121");
    assert_int_equal(gn_file_read(path, 1 << 24, &bytes, &n, &err), GN_OK);
    float first, last;
    memcpy(&first, bytes + 20, sizeof first);
    memcpy(&last, bytes + n - 4, sizeof last);
    const gn_value *bias = gn_graph_value(graph, gn_graph_find_value(graph, "layers.0.bn.bias"));
    const gn_value *weight = gn_graph_value(graph, gn_graph_find_value(graph, "layers.129.conv.weight"));
    assert_true(gn_tensor_get(bias->data, 0) == first);
    assert_true(gn_tensor_get(weight->data, gn_tensor_count(weight->data) - 1) == last);
    gn_free(bytes);
    gn_graph_destroy(&graph);
}

/* The first layers of a network: the others begin at random, when that is asked for. */
static void test_partial(void **ctx)
{
    (void)ctx;
    static const char cfg[] = "[net]\nwidth=8\nheight=8\nchannels=1\n[convolutional]\nfilters=2\nactivation=relu\n"
                              "[convolutional]\nfilters=3\nactivation=linear\n";
    struct {
        int32_t header[4];
        float numbers[13];
    } file = {{0, 1, 0, 0}, {1, 2, 3, 4}};
    const gn_darknet_options partial = {.is_partial = true, .seed = 3};
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_text notes;
    gn_text_init(&notes);
    assert_int_equal(gn_darknet_read_bytes(cfg, sizeof cfg - 1, "x.cfg", &file, 32, "w", NULL, NULL, &graph, &err),
                     GN_EFORMAT);
    if (gn_darknet_read_bytes(cfg, sizeof cfg - 1, "x.cfg", &file, 32, "w", &partial, &notes, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_non_null(strstr(notes.data, "random weights from [convolutional] in line 8 on"));
    const gn_tensor *first = gn_graph_value(graph, gn_graph_find_value(graph, "layers.0.conv.weight"))->data;
    const gn_tensor *second = gn_graph_value(graph, gn_graph_find_value(graph, "layers.1.conv.weight"))->data;
    assert_true(gn_tensor_get(first, 0) == 3 && gn_tensor_get(first, 1) == 4);
    assert_true(gn_tensor_get(second, 0) != 0 && fabs(gn_tensor_get(second, 0)) <= 1);
    gn_graph_destroy(&graph);
    /* Within a layer, also between its tensors, it may not end. */
    for (size_t n = 36; n < 16 + 13 * 4; n += 4) {
        assert_int_equal(
            gn_darknet_read_bytes(cfg, sizeof cfg - 1, "x.cfg", &file, n, "w", &partial, NULL, &graph, &err),
            GN_EFORMAT);
        assert_non_null(strstr(err.message, "line 8"));
    }
    gn_text_deinit(&notes);
}

/* ---- broken files ---- */

#define NET "[net]\nwidth=8\nheight=8\nchannels=3\n"

static void test_broken(void **ctx)
{
    (void)ctx;
    static const struct {
        const char *cfg;
        gn_status status;
        int line;
        const char *word;
    } cases[] = {
        {"", GN_EFORMAT, 0, "no section"},
        {"width=3\n", GN_EFORMAT, 1, "before the first section"},
        {"[net\n", GN_EFORMAT, 1, "[name]"},
        {NET "x\n", GN_EFORMAT, 5, "key=value"},
        {"[convolutional]\n", GN_EFORMAT, 1, "[net]"},
        {"[net]\nwidth=8\n", GN_EUNSUPPORTED, 1, "not told"},
        {"[net]\nwidth=-8\n", GN_EFORMAT, 1, "width=-8 in line 2"},
        {"[net]\nwidth=8x\n", GN_EFORMAT, 1, "width=8x in line 2"},
        {NET, GN_EFORMAT, 1, "no layers"},
        {NET "[crnn]\n", GN_EUNSUPPORTED, 5, "[crnn]: there is no layer"},
        {NET "[convolutional]\nactivation=stair\n", GN_EUNSUPPORTED, 5, "stair"},
        {NET "[convolutional]\nfilters=4\ngroups=2\n", GN_EFORMAT, 5, "2 groups"},
        {NET "[convolutional]\nsize=9\n", GN_EFORMAT, 5, "larger than its input"},
        {NET "[convolutional]\nxnor=1\n", GN_EUNSUPPORTED, 5, "xnor"},
        {NET "[convolutional]\nfilters=65536\nsize=1000\npad=1\n", GN_ELIMIT, 5, "400000000 numbers"},
        {NET "[connected]\noutput=100000\n[connected]\noutput=100000\n", GN_ELIMIT, 7, "numbers"},
        {NET "[maxpool]\nsize=20\nstride=1\npadding=0\n", GN_EFORMAT, 5, "larger than its input"},
        {NET "[shortcut]\n", GN_EFORMAT, 5, "from="},
        {NET "[shortcut]\nfrom=0\n", GN_EFORMAT, 5, "before it"},
        {NET "[shortcut]\nfrom=-1\n", GN_EFORMAT, 5, "before it"},
        {NET "[maxpool]\n[route]\nlayers=0,,0\n", GN_EFORMAT, 6, "before it"},
        {NET "[maxpool]\n[route]\nlayers=99999999999999999999\n", GN_EFORMAT, 6, "before it"},
        {NET "[maxpool]\n[maxpool]\nstride=2\n[route]\nlayers=0,1\n", GN_EFORMAT, 8, "8 x 8 and 4 x 4"},
        {NET "[maxpool]\n[route]\nlayers=0\ngroups=2\n", GN_EFORMAT, 6, "2 groups"},
        {NET "[maxpool]\n[route]\nlayers=0\ngroups=3\ngroup_id=3\n", GN_EFORMAT, 6, "group_id=3"},
        {NET "[convolutional]\nfilters=2\n[maxpool]\nstride=2\n[shortcut]\nfrom=0\n", GN_EUNSUPPORTED, 9,
         "only equal sizes"},
        {NET "[upsample]\nstride=64\n[upsample]\nstride=64\n", GN_EFORMAT, 7, "32768"},
        {NET "[reorg]\nstride=3\n", GN_EFORMAT, 5, "stride 3"},
        {NET "[dropout]\nprobability=1.5\n[softmax]\n", GN_EFORMAT, 5, "probability"},
        {NET "[softmax]\ngroups=7\n", GN_EFORMAT, 5, "7 groups"},
        {NET "[softmax]\ntree=x\n", GN_EUNSUPPORTED, 5, "tree"},
        {NET "[connected]\n[convolutional]\n", GN_EUNSUPPORTED, 6, "after a connected"},
        {NET "[crop]\ncrop_height=4\ncrop_width=4\n", GN_EUNSUPPORTED, 5, "crop"},
        {NET "[cost]\n", GN_EFORMAT, 5, "computes nothing"},
        {NET "[yolo]\n", GN_EUNSUPPORTED, 5, "--raw"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *graph = NULL;
        gn_error err = {0};
        const gn_status status =
            gn_darknet_read_bytes(cases[i].cfg, strlen(cases[i].cfg), "x.cfg", NULL, 0, NULL, NULL, NULL, &graph, &err);
        if (status != cases[i].status || err.line != cases[i].line || !strstr(err.message, cases[i].word))
            fail_msg("case %zu: %s, line %d: %s", i, gn_status_name(status), (int)err.line, err.message);
        assert_null(graph);
    }
    assert_true(gn_memory_stats_get().peak_bytes < MEMORY_BYTES);
}

/* Every byte of the network of every layer changed, and every length of it; weights that are too few for what it asks. */
static void test_damage(void **ctx)
{
    (void)ctx;
    char *cfg = NULL;
    size_t n = 0;
    gn_error err = {0};
    const gn_darknet_options small = {.max_numbers = 200000};
    static const char weights[64] = {0, 0, 0, 0, 2};
    int n_read = 0, n_refused = 0;
    assert_int_equal(gn_file_read(GOLDEN "darknet_layers.cfg", 1 << 20, &cfg, &n, &err), GN_OK);
    for (size_t i = 0; i < 2 * n; i++) {
        gn_graph *graph = NULL;
        const bool is_cut = i >= n;
        if (!is_cut)
            cfg[i] ^= (char)(1 << i % 7);
        const gn_status status = gn_darknet_read_bytes(cfg, is_cut ? i - n : n, "x.cfg", i % 3 ? NULL : weights, 64,
                                                       "w", &small, NULL, &graph, &err);
        n_read += status == GN_OK;
        n_refused += status != GN_OK;
        gn_graph_destroy(&graph);
        if (!is_cut)
            cfg[i] ^= (char)(1 << i % 7);
    }
    assert_true(n_read > 100 && n_refused > 100);
    gn_free(cfg);
    assert_true(gn_memory_stats_get().peak_bytes < MEMORY_BYTES);
}

static gn_status read_layers(void *ctx)
{
    (void)ctx;
    gn_graph *graph = NULL;
    gn_error err = {0};
    GN_TRY(gn_darknet_read(GOLDEN "darknet_layers.cfg", NULL, NULL, NULL, &graph, &err));
    gn_graph_destroy(&graph);
    return GN_OK;
}

static void test_out_of_memory(void **ctx)
{
    (void)ctx;
    assert_true(fixture_fail_each_allocation(read_layers, NULL) > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_layer),   cmocka_unit_test(test_partial), cmocka_unit_test(test_broken),
        cmocka_unit_test(test_damage),        cmocka_unit_test(test_people),  cmocka_unit_test(test_real_weights),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
