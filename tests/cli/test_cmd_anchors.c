/* gannet anchors from outside: figures that follow from the labels, the order of the maps, exit codes.
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
#include "image/image.h"

static char folder[512];
static char output[100000]; /* of the last call */

static int call(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && " GN_BINARY_DIR "/gannet anchors %s", folder, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_file(const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(gn_file_write(path, text, strlen(text), NULL), GN_OK);
}

/* Two pictures of 80 x 40 with boxes of 8 x 8, 20 x 20 and 80 x 40 pixels, one of a crowd's size, one of a pixel. */
static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    char path[1024];
    snprintf(folder, sizeof folder, "%s/gannet-cli-anchors-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL)
        return -1;
    for (int i = 0; i < 2; i++) {
        gn_image image;
        assert_int_equal(gn_image_create(80, 40, 3, &image), GN_OK);
        snprintf(path, sizeof path, "%s/%d.png", folder, i);
        assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
        gn_image_deinit(&image);
    }
    write_file("val.json",
               "{\"images\": [{\"id\": 0, \"file_name\": \"0.png\"}, {\"id\": 1, \"file_name\": \"1.png\"}],"
               "\"categories\": [{\"id\": 1, \"name\": \"x\"}], \"annotations\": ["
               "{\"id\": 1, \"image_id\": 0, \"category_id\": 1, \"bbox\": [1, 1, 8, 8]},"
               "{\"id\": 2, \"image_id\": 1, \"category_id\": 1, \"bbox\": [1, 1, 20, 20]},"
               "{\"id\": 3, \"image_id\": 1, \"category_id\": 1, \"bbox\": [0, 0, 80, 40]},"
               "{\"id\": 4, \"image_id\": 1, \"category_id\": 1, \"bbox\": [5, 5, 40, 10], \"iscrowd\": 1},"
               "{\"id\": 5, \"image_id\": 1, \"category_id\": 1, \"bbox\": [5, 5, 0.4, 0.4]}]}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[1024];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static double figure(const char *path)
{
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    double value = -1;
    assert_int_equal(gn_json_parse(output, strlen(output), arena, &root, NULL), GN_OK);
    assert_true(gn_json_number(root, path, &value));
    gn_arena_destroy(&arena);
    return value;
}

/* At 160 x 160 the letterbox doubles everything: three sizes, three anchors, a perfect fit. */
static void finds_the_sizes(void **state)
{
    (void)state;
    assert_int_equal(call("--data val.json --split val --imgsz 160 --anchors 3 --json"), 0);
    assert_non_null(strstr(output, "\"anchors\": [[[16, 16]], [[40, 40]], [[160, 80]]]"));
    assert_true(figure("mean_iou") == 1 && figure("best_recall") == 1 && figure("boxes") == 3);
    assert_true(figure("crowds") == 1 && figure("tiny_boxes") == 1);
    assert_int_equal(call("--data val.json --split val --imgsz 160 --anchors 3 --maps 1 --fit stretch"), 0);
    assert_non_null(strstr(output, "16.0,32.0  40.0,80.0  160.0,160.0"));
    assert_non_null(strstr(output, "anchors = 16,32, 40,80, 160,160"));
    assert_int_equal(call("--data val.json --split val --imgsz 160,80 --anchors 1 --maps 1 --ratio 1.5 --json"), 0);
    assert_true(figure("mean_iou") < 1 && figure("best_recall") < 0.5);
}

static void mistakes_have_their_exit_code(void **state)
{
    (void)state;
    assert_int_equal(call("2>&1"), 2);
    assert_int_equal(call("--data val.json --anchors 4 2>&1"), 2);
    assert_non_null(strstr(output, "shared evenly"));
    assert_int_equal(call("--data val.json --imgsz 0 2>&1"), 2);
    assert_int_equal(call("--data nowhere 2>&1"), 3);
    assert_int_equal(call("--data val.json --maps 1 --anchors 3 2>&1"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_sizes),
        cmocka_unit_test(mistakes_have_their_exit_code),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
