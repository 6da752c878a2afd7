/* gannet import from outside: weights to a network and back, lists, what does not fit, Darknet networks, wrong requests.
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

#define PROGRAM GN_BINARY_DIR "/gannet"
#define GOLDEN  GN_SOURCE_DIR "/tests/golden/"

static char output[400000]; /* of the last call */
static char folder[256];
static gn_arena *arena;

/* Runs "gannet LINE" in the test's folder through the shell; the exit code. */
static int call(const char *line)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && " PROGRAM " %s 2>&1", folder, line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const char *line, int code, const char *word)
{
    const int got = call(line);
    if (got != code || !strstr(output, word))
        fail_msg("gannet %s: exit code %d, %d and \"%s\" were expected: %s", line, got, code, word, output);
}

static const gn_json *call_json(const char *line)
{
    const gn_json *root = NULL;
    gn_error err = {0};
    const int code = call(line);
    if (code != 0 || gn_json_parse(output, strlen(output), arena, &root, &err) != GN_OK)
        fail_msg("gannet %s: exit code %d: %s %s", line, code, err.message, output);
    return root;
}

static double params_of(const char *model)
{
    char line[128];
    double x = -1;
    snprintf(line, sizeof line, "info %s --json", model);
    assert_true(gn_json_number(call_json(line), "params", &x));
    return x;
}

static void assert_same_files(const char *a, const char *b)
{
    char path[512], *x = NULL, *y = NULL;
    size_t n = 0, m = 0;
    snprintf(path, sizeof path, "%s/%s", folder, a);
    assert_int_equal(gn_file_read(path, 1 << 26, &x, &n, NULL), GN_OK);
    snprintf(path, sizeof path, "%s/%s", folder, b);
    assert_int_equal(gn_file_read(path, 1 << 26, &y, &m, NULL), GN_OK);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    gn_free(x);
    gn_free(y);
}

/* Model to weights to model to weights: the same bytes; the number of classes is what the file has. */
static void test_there_and_back(void **ctx)
{
    (void)ctx;
    expect("import net.onnx -o net.safetensors", 0, "wrote net.safetensors");
    expect("import net.safetensors --model mobilenet_v2@0.1 --imgsz 64 -o again.onnx", 0,
           ", 0 of mobilenet_v2@0.1's are new");
    expect("import again.onnx -o again.safetensors", 0, "wrote");
    assert_same_files("net.safetensors", "again.safetensors");
    assert_true(params_of("again.onnx") == params_of("net.onnx"));
    /* Other people's names on the way, and back by patterns. */
    expect("import net.safetensors -o theirs.safetensors --rename 'features.*.conv.*=body.{1+6}.{2}' --rename '*=x.*'",
           0, "wrote");
    expect("import theirs.safetensors --list", 0, "body.7.0.0.weight");
    expect("import theirs.safetensors --model mobilenet_v2@0.1 --imgsz 64 -o back.safetensors --rename "
           "'body.*.*=features.{1-6}.conv.{2}' --rename 'x.*=*'",
           0, "wrote");
    assert_same_files("net.safetensors", "back.safetensors");
}

static void test_list(void **ctx)
{
    (void)ctx;
    expect("import " GOLDEN "checkpoint_whole_zip.pth --list", 0, "1.num_batches_tracked");
    assert_non_null(strstr(output, "7 tensors, 129 numbers"));
    const gn_json *root = call_json("import " GOLDEN "checkpoint_everyday_legacy.pth --list --json");
    const char *text = NULL;
    assert_true(gn_json_string(root, "form", &text));
    assert_string_equal(text, "PyTorch checkpoint (legacy form)");
    const gn_json *first = gn_json_member(root, "tensors")->first;
    assert_true(gn_json_string(first, "name", &text));
    assert_string_equal(text, "real.float32");
    assert_true(gn_json_string(first, "dtype", &text));
    assert_string_equal(text, "f32");
    const gn_json *dim = gn_json_member(first, "shape")->first;
    assert_true(dim->number == 3 && dim->next->number == 5 && !dim->next->next);
    expect("import " GOLDEN "checkpoint_whole_zip.pth --key absent --list", 3, "nothing under the key 'absent'");
    expect("import net.onnx --list", 0, "features.0.0.weight");
}

static void test_does_not_fit(void **ctx)
{
    (void)ctx;
    expect("import net.onnx -o net.safetensors", 0, "wrote");
    expect("import net.safetensors --model mobilenet_v2@0.1 --imgsz 64 --head box -o no.onnx", 3,
           "missing: head.0.weight");
    assert_non_null(strstr(output, "left over: classifier.1.weight"));
    assert_non_null(strstr(output, "with --partial what fits is taken"));
    expect("import net.safetensors --model mobilenet_v2@0.1 --imgsz 64 --classes 5 -o no.onnx", 3,
           "the network has [5,");
    expect("import net.safetensors --model resnet18 -o no.onnx --partial", 3, "none of its");
    char path[512];
    snprintf(path, sizeof path, "%s/no.onnx", folder);
    assert_false(gn_path_exists(path));
    expect("import net.safetensors --model mobilenet_v2@0.1 --imgsz 64 --head box --partial -o part.onnx", 0, "4 of");
    const gn_json *root = call_json(
        "import net.safetensors --model mobilenet_v2@0.1 --imgsz 64 --head box --partial -o part.onnx --json --quiet");
    double fresh = 0, left_over = 0;
    assert_true(gn_json_number(root, "tensors_new", &fresh) && gn_json_number(root, "tensors_left_over", &left_over));
    assert_true(fresh == 4 && left_over == 2);
    expect("predict part.onnx " GN_SOURCE_DIR "/docs/report.png --json", 0, "box");
}

static void test_darknet(void **ctx)
{
    (void)ctx;
    expect("import " GOLDEN "darknet_layers.cfg -o d.onnx", 0, "no .weights file: the weights are random");
    assert_non_null(strstr(output, "[cost]: left out"));
    expect("import " GOLDEN "darknet_layers.cfg --list", 0, "layers.0.conv.weight");
    assert_true(params_of("d.onnx") > 20000);
    expect("import " GOLDEN "darknet_layers.cfg " GOLDEN "darknet_layers.txt -o e.onnx", 3, "darknet_layers.txt");
}

static void test_requests(void **ctx)
{
    (void)ctx;
    expect("import net.onnx", 2, "-o M.onnx is missing");
    expect("import net.onnx --model resnet18 -o x.onnx", 2, "--model is for files of weights");
    expect("import a.pth -o x.onnx", 2, "--model NAME is missing");
    expect("import a.weights -o x.onnx", 2, "its .cfg before it");
    expect("import a.pth b.pth --model resnet18 -o x.onnx", 2, "one file was expected");
    expect("import a.pth --model resnet18 -o x.onnx", 3, "a.pth: cannot open");
    expect("import net.onnx -o y.safetensors --rename oops", 2, "OLD=NEW");
    expect("import net.onnx --model resnet19 --list", 2, "--model");
    expect("import " GOLDEN "checkpoint_nested_zip.pth --model resnet19 -o x.onnx", 2, "did you mean resnet18");
}

static int setup(void **ctx)
{
    (void)ctx;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-import-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder) || setenv("GANNET_LOCK", "bench.lock", 1) != 0)
        return -1;
    arena = gn_arena_create(0);
    return call("export mobilenet_v2@0.1 --head classify --classes 7 --imgsz 64 --no-fold -o net.onnx --quiet");
}

static int teardown(void **ctx)
{
    (void)ctx;
    char command[300];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    gn_arena_destroy(&arena);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_list),     cmocka_unit_test(test_does_not_fit),
        cmocka_unit_test(test_darknet),        cmocka_unit_test(test_requests),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
