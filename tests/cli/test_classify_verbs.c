/* Classifiers from outside: data, train with pretrained weights, val and predict on drawn pictures of three colours.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
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
#include "base/rng.h"
#include "formats/weights/safetensors.h"
#include "image/image.h"
#include "program_fixture.h"

#define MODEL "mobilenet_v1@0.25 --head classify --imgsz 32"
#define TRAIN "train --data set --model " MODEL " --batch 4 --no-pictures --threads 1 --workers 0 --exist-ok "

static double number(const gn_json *root, const char *path)
{
    double x = -1;
    if (!gn_json_number(root, path, &x))
        fail_msg("no number %s in %s", path, program_output);
    return x;
}

static void draw_set(void)
{
    static const char *const names[] = {"red", "green", "blue"};
    for (int cls = 0; cls < 3; cls++)
        for (int i = 0; i < 8; i++) {
            gn_image image;
            gn_rng rng;
            char path[600];
            gn_rng_init(&rng, (uint64_t)i, (uint64_t)cls);
            assert_int_equal(gn_image_create(32, 32, 3, &image), GN_OK);
            for (int k = 0; k < 32 * 32 * 3; k++)
                image.data[k] = (uint8_t)(gn_rng_uniform(&rng) * 120 + (k % 3 == cls ? 110 : 0));
            snprintf(path, sizeof path, "%s/set/%s/%s", program_folder,
                     i < 4   ? "train"
                     : i < 6 ? "val"
                             : "test",
                     names[cls]);
            assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
            snprintf(path, sizeof path, "%s/set/%s/%s/%d.png", program_folder,
                     i < 4   ? "train"
                     : i < 6 ? "val"
                             : "test",
                     names[cls], i);
            assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
            gn_image_deinit(&image);
        }
}

static int setup(void **ctx)
{
    (void)ctx;
    if (!program_begin("classify") || setenv("GANNET_LOCK", "bench.lock", 1) != 0)
        return -1;
    draw_set();
    /* the features of a network for five classes */
    return program_call("export " MODEL " --classes 5 --no-fold -o five.safetensors --quiet 2>&1");
}

static int teardown(void **ctx)
{
    (void)ctx;
    return program_end();
}

static void data_tells_classes(void **ctx)
{
    (void)ctx;
    program_expect("data set", 0, "green                      4         2         2");
    const gn_json *root = program_json("data set --json");
    const gn_json *first = gn_json_member(root, "classes")->first;
    assert_true(number(first, "images.train") == 4 && number(first, "images.test") == 2);
    const char *task = NULL;
    assert_true(gn_json_string(root, "task", &task) && strcmp(task, "classify") == 0);
    program_expect("data set --split lists 2>&1", 3, "class folders");
}

/* What comes in, what does not, and that renamed names are found. */
static void weights_are_told(void **ctx)
{
    (void)ctx;
    program_expect(
        TRAIN "--epochs 1 --name a --weights five.safetensors 2>&1", 0,
        "135 tensors taken; 2 of the network begin anew (0 missing, 2 of another shape), 0 of the file left over; "
        "--verbose lists them");
    program_expect(TRAIN "--epochs 1 --name a --weights five.safetensors --verbose 2>&1", 0, "fc.weight");
    program_expect("import five.safetensors --rename '*=body.*' -o body.safetensors 2>&1", 0, "");
    program_expect(TRAIN "--epochs 1 --name b --weights body.safetensors 2>&1", 3, "body.safetensors");
    program_expect(TRAIN "--epochs 1 --name b --weights body.safetensors --rename 'body.*=*' 2>&1", 0,
                   "135 tensors taken");
    program_expect(TRAIN "--epochs 1 --name b --weights runs/a/best.onnx 2>&1", 0,
                   "137 tensors taken; 0 of the network begin anew");
    program_expect(TRAIN "--epochs 1 --name b --weights nowhere.pth 2>&1", 3, "nowhere.pth");
    program_expect(TRAIN "--epochs 1 --name b --freeze head 2>&1", 2, "--freeze head");
    program_expect(TRAIN "--epochs 1 --name b --mean 1,2 2>&1", 2, "--mean 1,2");
}

/* Weights made for BGR see RGB as they saw BGR; frozen ones come out as they went in, and the normalisation travels along. */
static void bgr_weights_are_turned_around(void **ctx)
{
    (void)ctx;
    char path[2][600];
    gn_safetensors *in = NULL, *out = NULL;
    program_expect(TRAIN "--epochs 1 --name bgr --weights five.safetensors --weights-order bgr --freeze backbone "
                         "--mean 0.1,0.2,0.3 --std 1,2,3 2>&1",
                   0, "135 tensors");
    program_expect("export runs/bgr/best.onnx --no-fold -o bgr.safetensors --quiet 2>&1", 0, "");
    snprintf(path[0], sizeof path[0], "%s/five.safetensors", program_folder);
    snprintf(path[1], sizeof path[1], "%s/bgr.safetensors", program_folder);
    assert_int_equal(gn_safetensors_open(path[0], &in, NULL), GN_OK);
    assert_int_equal(gn_safetensors_open(path[1], &out, NULL), GN_OK);
    const gn_tensor *before = gn_safetensors_find(in, "stage1.0.0.weight"),
                    *after = gn_safetensors_find(out, "stage1.0.0.weight");
    assert_non_null(before);
    assert_non_null(after);
    const float *a = before->data, *b = after->data;
    for (int k = 0; k < (int)before->shape.dim[0]; k++)
        for (int c = 0; c < 3; c++)
            for (int i = 0; i < 9; i++)
                assert_true(b[(k * 3 + c) * 9 + i] == a[(k * 3 + 2 - c) * 9 + i]);
    before = gn_safetensors_find(in, "stage2.3.4.running_var");
    after = gn_safetensors_find(out, "stage2.3.4.running_var");
    assert_memory_equal(before->data, after->data, gn_tensor_bytes(before));
    gn_safetensors_close(&in);
    gn_safetensors_close(&out);
    program_call("info runs/bgr/best.onnx 2>&1");
    char *model = NULL;
    size_t n = 0;
    snprintf(path[0], sizeof path[0], "%s/runs/bgr/args.yaml", program_folder);
    assert_int_equal(gn_file_read(path[0], 100000, &model, &n, NULL), GN_OK);
    assert_non_null(strstr(model, "weights_order: bgr"));
    assert_non_null(strstr(model, "0.1,0.2,0.3"));
    gn_free(model);
}

static void val_and_predict(void **ctx)
{
    (void)ctx;
    const gn_json *root = program_json(TRAIN "--epochs 60 --lr0 0.003 --no-ema --name good --json 2>/dev/null");
    assert_true(number(root, "top1") > 0.6 && number(root, "top5") == 1);
    root = program_json("val runs/good/best.onnx --data set --split test --json 2>/dev/null");
    const double top1 = number(root, "top1");
    assert_true(number(root, "images") == 6 && top1 > 0.4);
    assert_true(fabs(top1 * 6 - floor(top1 * 6 + 0.5)) < 1e-9);
    assert_null(gn_json_member(root, "mean_iou"));
    program_expect("val runs/good/best.onnx --data set --split test --min-top1 1 --min-top5 1 --sheet sheet.jpg 2>&1",
                   top1 < 1 ? 4 : 0, "top-1");
    program_expect("predict runs/good/best.onnx set/test/red/6.png", 0, "set/test/red/6.png:  ");
    assert_non_null(strstr(program_output, " green"));
    program_expect("predict runs/good/best.onnx --data set --split test --limit 2", 0, "7.png:  ");
    root = program_json("predict runs/good/best.onnx set/test/red/6.png --json 2>/dev/null");
    const gn_json *objects = gn_json_member(gn_json_member(root, "predictions")->first, "objects");
    double sum = 0;
    for (const gn_json *o = objects->first; o; o = o->next)
        sum += number(o, "score");
    assert_true(fabs(sum - 1) < 1e-3); /* three classes, all told */
    program_expect("val runs/good/best.onnx --data set --split test --batch 4 2>&1", 0, "top-5");
}

static void kinds_do_not_mix(void **ctx)
{
    (void)ctx;
    program_expect("train --data set --model mobilenet_v1@0.25 --imgsz 32 --epochs 1 2>&1", 3, "--head classify");
    program_expect("val mobilenet_v1@0.25 --imgsz 32 --data set 2>&1", 3, "a class each");
    program_expect(TRAIN "--epochs 1 --best iou --name x 2>&1", 2, "top1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_tells_classes),
        cmocka_unit_test(weights_are_told),
        cmocka_unit_test(bgr_weights_are_turned_around),
        cmocka_unit_test(val_and_predict),
        cmocka_unit_test(kinds_do_not_mix),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
