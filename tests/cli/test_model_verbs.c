/* The verbs that take a model, from outside: info, export, import, bench, predict and val on drawn pictures; exit
 * codes, JSON keys and messages.
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

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"

#define PROGRAM GN_BINARY_DIR "/gannet"

static char output[400000]; /* of the last call */
static char folder[256];
static gn_arena *arena;

/* Runs "gannet LINE" in the test's folder through the shell; the exit code. */
static int call(const char *line)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && " PROGRAM " %s", folder, line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static const gn_json *call_json(const char *line)
{
    const gn_json *root = NULL;
    int code = call(line);
    if (code != 0)
        fail_msg("gannet %s: exit code %d: %s", line, code, output);
    gn_error err = {0};
    if (gn_json_parse(output, strlen(output), arena, &root, &err) != GN_OK)
        fail_msg("%s: %s", err.message, output);
    return root;
}

static double number(const gn_json *root, const char *path)
{
    double x = -1;
    if (!gn_json_number(root, path, &x))
        fail_msg("no number %s in %s", path, output);
    return x;
}

static void expect(const char *line, int code, const char *word)
{
    int got = call(line);
    if (got != code || !strstr(output, word))
        fail_msg("gannet %s: exit code %d, %d and \"%s\" were expected: %s", line, got, code, word, output);
}

static int setup(void **ctx)
{
    (void)ctx;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-verbs-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder) || setenv("GANNET_LOCK", "bench.lock", 1) != 0)
        return -1;
    arena = gn_arena_create(0);
    if (call("synth set --images 12 --quiet 2>&1") != 0) {
        print_message("%s\n", output);
        return -1;
    }
    return call("export mobilenet_v2@0.1 --imgsz 64 --no-fold -o model.onnx --quiet 2>&1");
}

static int teardown(void **ctx)
{
    (void)ctx;
    char command[512];
    snprintf(command, sizeof command, "rm -r %s", folder);
    gn_arena_destroy(&arena);
    return system(command) == 0 ? 0 : -1;
}

/* Published figures of torchvision's networks: parameters, and MACs within 1%. */
static void test_info_counts(void **ctx)
{
    (void)ctx;
    const gn_json *root = call_json("info mobilenet_v2 --head classify --json 2>&1");
    assert_true(number(root, "params") == 3504872);
    assert_true(number(root, "macs") > 0.297e9 && number(root, "macs") < 0.303e9);
    assert_true(number(root, "flops") == 2 * number(root, "macs"));
    root = call_json("info resnet18 --head classify --json 2>&1");
    assert_true(number(root, "params") == 11689512);
    assert_true(number(root, "macs") > 1.80e9 && number(root, "macs") < 1.83e9);
    root = call_json("info squeezenet1_1 --head classify --json 2>&1");
    assert_true(number(root, "params") == 1235496);
    assert_true(number(root, "macs") > 0.345e9 && number(root, "macs") < 0.355e9);
    /* A box head at another size, with its layers: the sums agree. */
    root = call_json("info model.onnx --layers --plan --json 2>&1");
    double params = 0, macs = 0;
    for (const gn_json *l = gn_json_member(root, "layers")->first; l; l = l->next) {
        params += number(l, "params");
        macs += number(l, "macs");
    }
    assert_true(params == number(root, "params"));
    assert_true(macs == number(root, "macs"));
    assert_true(number(root, "inference_bytes") > number(root, "arena_bytes"));
    assert_true(number(root, "live_bytes") <= number(root, "arena_bytes"));
    assert_true(number(root, "training_bytes") > number(root, "inference_bytes"));
    const char *plan = NULL;
    assert_true(gn_json_string(root, "plan", &plan));
    assert_non_null(strstr(plan, "FusedConv"));
}

/* Inference takes the weights once and at most 1.2 times the largest live set. */
static void test_inference_memory(void **ctx)
{
    (void)ctx;
    const gn_json *root = call_json("info mobilenet_v2 --threads 1 --json 2>&1");
    assert_true(number(root, "inference_bytes") <= number(root, "bytes") + 1.2 * number(root, "live_bytes"));
}

static void test_export_and_import(void **ctx)
{
    (void)ctx;
    const gn_json *root = call_json("export model.onnx -o folded.onnx --json 2>/dev/null");
    assert_true(number(root, "bytes") > 1000);
    root = call_json("info folded.onnx --json 2>&1");
    assert_true(number(root, "buffers") == 0);
    double macs = number(root, "macs");
    root = call_json("info model.onnx --json 2>&1");
    assert_true(number(root, "macs") == macs);
    assert_true(number(root, "buffers") > 0);
    root = call_json("info model.onnx --imgsz 128,96 --json 2>&1");
    assert_true(number(root, "macs") > 2 * macs);
    expect("export model.onnx --imgsz 96 --fixed-batch -o small.onnx 2>&1", 0, "wrote small.onnx");
    expect("info small.onnx 2>&1", 0, "96 x 96 px");
    expect("export model.onnx -o weights.safetensors 2>&1", 0, "wrote weights.safetensors");
    expect("import folded.onnx --fit letterbox --names '[\"thing\"]' -o again.onnx 2>&1", 0, "wrote again.onnx");
    expect("info again.onnx 2>&1", 0, "letterboxed");
    expect("export model.onnx -o model.tflite 2>&1", 2, ".safetensors");
    expect("export model.onnx 2>&1", 2, "-o FILE");
    expect("export model.onnx -o /nonexistent/x.onnx 2>&1", 1, "/nonexistent/x.onnx");
    expect("import folded.onnx --mean 1,2 -o bad.onnx 2>&1", 3, "gannet.mean");
    char path[512];
    snprintf(path, sizeof path, "%s/bad.onnx", folder);
    assert_false(gn_path_exists(path));
}

static void test_models_that_are_none(void **ctx)
{
    (void)ctx;
    expect("info mobilnet_v2 2>&1", 2, "did you mean mobilenet_v2?");
    expect("bench resnet81 2>&1", 2, "resnet18");
    expect("info absent.onnx 2>&1", 3, "absent.onnx");
    expect("info set 2>&1", 1, "folder");
    expect("info model.onnx --imgsz 7 2>&1", 2, "--imgsz 7");
    expect("info model.onnx --threads 0 2>&1", 2, "threads");
    assert_int_equal(call("--help > text.onnx"), 0);
    expect("predict text.onnx set 2>&1", 3, "text.onnx");
}

static void test_bench(void **ctx)
{
    (void)ctx;
    const gn_json *root = call_json(
        "bench model.onnx --target 'cpu?threads=1' --seconds 50ms --warmup 10ms --runs 10 --layers --json 2>&1");
    static const char *const figures[] = {
        "latency_ms.min", "latency_ms.p50", "latency_ms.p90", "latency_ms.p99",     "preprocess_ms.p50",
        "total_ms.p50",   "total_ms.p90",   "total_ms.p99",   "postprocess_ms.p50", "peak_bytes",
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        assert_true(number(root, figures[i]) > 0);
    assert_true(number(root, "threads") == 1);
    assert_true(number(root, "runs") >= 10);
    const char *target = NULL;
    assert_true(gn_json_string(root, "target", &target));
    assert_string_equal(target, "cpu?threads=1");
    assert_non_null(gn_json_member(root, "valid"));
    assert_true(number(gn_json_member(root, "layers")->first, "ms") > 0);
    root = call_json("bench model.onnx squeezenet1_1 --imgsz 64 --seconds 10ms --warmup 1ms --runs 5 --json 2>&1");
    assert_non_null(gn_json_member(root, "models")->first->next);
    expect("bench model.onnx --target cuda:0 2>&1", 1, "cuda:0");
    expect("bench model.onnx --target gpu 2>&1", 2, "gpu");
    expect("bench 2>&1", 2, "MODEL");
}

static void test_predict(void **ctx)
{
    (void)ctx;
    assert_int_equal(call("--version > set/broken.jpg"), 0);
    const gn_json *root =
        call_json("predict model.onnx set --json --save drawn --sheet sheet.png --conf 0 2>/dev/null");
    assert_true(number(root, "images") == 12);
    assert_true(number(root, "skipped") == 1);
    for (const gn_json *p = gn_json_member(root, "predictions")->first; p; p = p->next) {
        const gn_json *object = gn_json_member(p, "objects")->first;
        assert_non_null(object);
        const gn_json *x = gn_json_member(object, "box")->first;
        double w = number(p, "width"), h = number(p, "height");
        assert_true(x->number >= 0 && x->next->next->number <= w && x->next->next->next->number <= h);
        assert_true(number(p, "network_ms") > 0);
    }
    char path[512];
    snprintf(path, sizeof path, "%s/sheet.png", folder);
    assert_true(gn_path_bytes(path) > 1000);
    snprintf(path, sizeof path, "%s/drawn", folder);
    const char **names = NULL;
    size_t n = 0;
    assert_int_equal(gn_list_dir(path, arena, &names, &n, NULL), GN_OK);
    assert_int_equal(n, 12);
    expect("predict model.onnx set/broken.jpg 2>&1", 3, "broken.jpg");
    expect("predict model.onnx absent.jpg 2>&1", 3, "absent.jpg");
    expect("predict model.onnx 2>&1", 2, "--data");
    expect("predict model.onnx set --limit 2 2>/dev/null", 0, "object");
    snprintf(path, sizeof path, "%s/set/broken.jpg", folder);
    unlink(path);
}

static void test_val(void **ctx)
{
    (void)ctx;
    const gn_json *root =
        call_json("val model.onnx --data set/data.yaml --split train --resamples 50 --batch 3 --json 2>/dev/null");
    static const char *const keys[] = {"images", "mean_iou", "box_precision50", "map50", "map75", "map50_95", "loss"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(number(root, keys[i]) >= 0);
    assert_non_null(gn_json_member(gn_json_member(root, "intervals"), "mean_iou"));
    expect("val model.onnx --data set/data.yaml --split train --resamples 0 --min-iou 0 2>&1", 0, "mean IoU");
    expect("val model.onnx --data set/data.yaml --split train --resamples 0 --min-iou 0.99 2>&1", 4, "--min-iou 0.99");
    expect("val model.onnx --data set/data.yaml --split train --resamples 0 --min-map50 0.99 2>&1", 4, "--min-map50");
    expect("val model.onnx 2>&1", 2, "--data");
    expect("val model.onnx --data absent 2>&1", 3, "absent");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_info_counts),
        cmocka_unit_test(test_inference_memory),
        cmocka_unit_test(test_export_and_import),
        cmocka_unit_test(test_models_that_are_none),
        cmocka_unit_test(test_bench),
        cmocka_unit_test(test_predict),
        cmocka_unit_test(test_val),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
