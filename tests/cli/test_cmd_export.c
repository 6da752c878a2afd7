/* gannet export from outside: formats, batches, the check for TensorRT 8.2, exit codes and JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/json.h"
#include "formats/onnx/onnx_format.h"
#include "formats/weights/safetensors.h"

#define PROGRAM GN_BINARY_DIR "/gannet"

static char output[400000]; /* of the last call */
static char folder[256];
static gn_arena *arena;

static void expect(const char *line, int code, const char *word)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && " PROGRAM " %s", folder, line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != code || !strstr(output, word))
        fail_msg("gannet %s: exit code %d, %d and \"%s\" were expected: %s", line, WEXITSTATUS(status), code, word,
                 output);
}

static const gn_json *member_of_output(const char *name)
{
    const gn_json *root = NULL;
    gn_error err = {0};
    if (gn_json_parse(output, strlen(output), arena, &root, &err) != GN_OK)
        fail_msg("%s: %s", err.message, output);
    const gn_json *member = gn_json_member(root, name);
    assert_non_null(member);
    return member;
}

static double number(const gn_json *object, const char *path)
{
    double x = -1;
    if (!gn_json_number(object, path, &x))
        fail_msg("no number %s in %s", path, output);
    return x;
}

static int setup(void **ctx)
{
    (void)ctx;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-export-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    arena = gn_arena_create(0);
    return arena && mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **ctx)
{
    (void)ctx;
    char command[512];
    snprintf(command, sizeof command, "rm -r %s", folder);
    gn_arena_destroy(&arena);
    return system(command) == 0 ? 0 : -1;
}

static int64_t batch_of(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_onnx_read(path, NULL, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    const int64_t batch = gn_graph_value(graph, gn_graph_input(graph, 0))->shape.dim[0];
    gn_graph_destroy(&graph);
    return batch;
}

static void test_batches_and_opsets(void **ctx)
{
    (void)ctx;
    expect("export mobilenet_v2@0.1 --imgsz 64 --fixed-batch=3 -o three.onnx 2>&1", 0, "wrote three.onnx");
    assert_int_equal(batch_of("three.onnx"), 3);
    expect("export mobilenet_v2@0.1 --imgsz 64 --fixed-batch -o one.onnx 2>&1", 0, "wrote one.onnx");
    assert_int_equal(batch_of("one.onnx"), 1);
    expect("export one.onnx -o still.onnx --quiet 2>&1", 0, "");
    assert_int_equal(batch_of("still.onnx"), 1);
    expect("export mobilenet_v2@0.1 --imgsz 64 --opset 21 -o free.onnx --quiet 2>&1", 0, "");
    assert_int_equal(batch_of("free.onnx"), -1);
    expect("export mobilenet_v2@0.1 --imgsz 64 --fixed-batch=0 -o none.onnx 2>&1", 2, "fixed-batch");
    expect("export mobilenet_v2@0.1 --opset 10 -o old.onnx 2>&1", 2, "opset");
    expect("export mobilenet_v2@0.1 --opset 22 -o new.onnx 2>&1", 2, "opset");
    expect("export mobilenet_v2@0.1 -o some.tflite 2>&1", 2, ".safetensors");
    expect("export mobilenet_v2@0.1 2>&1", 2, "-o FILE is missing");
}

static void test_check(void **ctx)
{
    (void)ctx;
    expect("export mobilenet_v2@0.1 --imgsz 64 -o own.onnx --check trt82 --json 2>/dev/null", 0, "is_taken");
    const gn_json *check = member_of_output("check");
    assert_true(number(check, "errors") == 0 && number(check, "warnings") == 0 && number(check, "nodes") > 50);
    assert_true(number(check, "opset") == 13);
    expect("export --check trt82 own.onnx 2>&1", 0, "0 errors");
    expect("export --check trt82 mobilenet_v2@0.1 2>&1", 0, "0 errors");
    /* HardSwish is refused; by default it is written in operators that are not. */
    expect("export mobilenet_v3_small --imgsz 64 -o swish.onnx --no-decompose --quiet 2>&1", 0, "");
    expect("export --check trt82 swish.onnx 2>&1", 4, "(HardSwish): TensorRT 8.2 has no such operator; write it as");
    expect("export --check trt82 swish.onnx --json 2>/dev/null", 4, "\"operator\": \"HardSwish\"");
    check = member_of_output("check");
    assert_true(number(check, "errors") >= 10);
    expect("export swish.onnx -o plain.onnx --check trt82 2>&1", 0, "0 errors");
    expect("export --check trt99 own.onnx 2>&1", 2, "trt82");
    expect("export --check trt82 missing.onnx 2>&1", 3, "missing.onnx");
    expect("export own.onnx --check trt82 -o own.safetensors 2>&1", 2, "ONNX files");
}

/* Tensor names are PyTorch's, with the counters that its strict loading asks for. */
static void test_weights(void **ctx)
{
    (void)ctx;
    expect("export mobilenet_v2@0.1 --head classify --classes 7 --imgsz 64 -o w.safetensors 2>&1", 0,
           "wrote w.safetensors");
    char path[300];
    snprintf(path, sizeof path, "%s/w.safetensors", folder);
    gn_safetensors *file = NULL;
    gn_error err = {0};
    if (gn_safetensors_open(path, &file, &err) != GN_OK)
        fail_msg("%s", err.message);
    int n_mean = 0, n_counters = 0;
    for (size_t i = 0; i < gn_safetensors_count(file); i++) {
        const char *name;
        const gn_tensor *t = gn_safetensors_at(file, i, &name);
        n_mean += strstr(name, ".running_mean") != NULL;
        if (!strstr(name, ".num_batches_tracked"))
            continue;
        n_counters++;
        assert_int_equal(t->dtype, GN_DTYPE_S64);
        assert_int_equal(t->shape.rank, 0);
        assert_true(gn_tensor_get(t, 0) == 0);
    }
    assert_true(n_mean > 20);
    assert_int_equal(n_counters, n_mean);
    assert_non_null(gn_safetensors_find(file, "features.0.1.num_batches_tracked"));
    const gn_tensor *head = gn_safetensors_find(file, "classifier.1.weight");
    assert_non_null(head);
    assert_int_equal(head->shape.dim[0], 7);
    gn_safetensors_close(&file);
    /* A folded model has lost what PyTorch asks for. */
    expect("export mobilenet_v2@0.1 --imgsz 64 -o folded.onnx --quiet 2>&1", 0, "");
    expect("export folded.onnx -o lost.safetensors 2>&1", 2, "folded into the convolutions");
}

/* Outputs of a file, "boxes scores", and the size of the second dimension of the last. */
static void check_outputs(const char *name, const char *names, int64_t last)
{
    char path[300], all[200] = "";
    gn_graph *graph = NULL;
    gn_error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    if (gn_onnx_read(path, NULL, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < gn_graph_output_count(graph); i++)
        snprintf(all + strlen(all), sizeof all - strlen(all), i ? " %s" : "%s",
                 gn_graph_value(graph, gn_graph_output(graph, i))->name);
    assert_string_equal(all, names);
    assert_int_equal(
        gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &(gn_shape){.rank = 4, .dim = {1, 3, 64, 64}}),
        GN_OK);
    assert_int_equal(gn_graph_infer(graph, &err), GN_OK);
    const gn_shape *shape = &gn_graph_value(graph, gn_graph_output(graph, gn_graph_output_count(graph) - 1))->shape;
    assert_int_equal(shape->dim[shape->rank - 1], last);
    assert_true(gn_graph_find_value(graph, "raw0") >= 0 && gn_graph_find_value(graph, "raw2") >= 0);
    gn_graph_destroy(&graph);
}

/* A detector with and without suppression; written again it is as new, at another size, too. */
static void test_detectors(void **ctx)
{
    (void)ctx;
    expect(
        "export yolov8n --imgsz 64 --classes 2 --nms --conf 0.125 --iou 0.5 --max-det 9 -o nms.onnx --check trt82 2>&1",
        0, "(NonMaxSuppression): experimental");
    check_outputs("nms.onnx", "boxes scores detections", 7);
    expect("export nms.onnx -o plain.onnx --quiet 2>&1", 0, "");
    check_outputs("plain.onnx", "boxes scores", 2);
    expect("export nms.onnx --imgsz 96,64 -o wide.onnx 2>&1", 0, "wrote wide.onnx");
    expect("export nms.onnx --imgsz 70 -o odd.onnx 2>&1", 3, "Concat");
    char path[300];
    snprintf(path, sizeof path, "%s/plain.onnx", folder);
    gn_graph *graph = NULL;
    assert_int_equal(gn_onnx_read(path, NULL, &graph, NULL), GN_OK);
    assert_string_equal(gn_graph_meta_get(graph, "gannet.conf"), "0.125");
    assert_string_equal(gn_graph_meta_get(graph, "gannet.iou"), "0.5");
    gn_graph_destroy(&graph);
    expect("export mobilenet_v2@0.1 --imgsz 64 --nms -o none.onnx 2>&1", 2, "--nms: the model is no detector");
    expect("export yolov8n --imgsz 64 --conf 1.5 -o none.onnx 2>&1", 2, "conf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_and_opsets),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_detectors),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
