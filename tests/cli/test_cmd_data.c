/* gannet data from outside: text, JSON, exit codes, problems by file and line, and the lists that --split writes.
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
static char output[200000]; /* of the last call */

/* Runs "gannet data ARGUMENTS" in the scratch folder; returns the exit code. */
static int call(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && " GN_BINARY_DIR "/gannet data %s", folder, arguments);
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

/* Twelve pictures, one of them without a box, one with a bad label line, one that is no picture. */
static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-cli-data-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL)
        return -1;
    char path[1024], name[64];
    snprintf(path, sizeof path, "%s/images", folder);
    assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
    snprintf(path, sizeof path, "%s/labels", folder);
    assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
    for (int i = 0; i < 12; i++) {
        gn_image image;
        assert_int_equal(gn_image_create(40, 32, 3, &image), GN_OK);
        for (size_t k = 0; k < image.stride_bytes * 32; k++)
            image.data[k] = (uint8_t)((k / 12 * 2654435761u * (unsigned)(i + 1)) >> 24);
        snprintf(path, sizeof path, "%s/images/p%02d.png", folder, i);
        assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
        gn_image_deinit(&image);
        snprintf(name, sizeof name, "labels/p%02d.txt", i);
        write_file(name, i == 3 ? "" : i == 4 ? "0 0.5 0.5 0.5 0.5\n9 0.5 0.5 0.1 0.1\n" : "0 0.5 0.5 0.25 0.5\n");
    }
    write_file("images/text.jpg", "no picture");
    write_file("data.yaml", "train: images\nnames: [face]\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[1024];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void tells_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(call("."), 0);
    assert_non_null(strstr(output, "face"));
    assert_non_null(strstr(output, "labels/p04.txt:2: class 9"));
    assert_non_null(strstr(output, "images/text.jpg: "));
    assert_non_null(strstr(output, "it was split here"));
}

static void json_holds_the_figures(void **state)
{
    (void)state;
    assert_int_equal(call("data.yaml --json --val-frac 0.25 --test-frac 0.25"), 0);
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    assert_int_equal(gn_json_parse(output, strlen(output), arena, &root, NULL), GN_OK);
    static const struct {
        const char *path;
        double want;
    } figures[] = {
        {"splits.train.images", 6},    {"splits.val.images", 3},          {"splits.test.images", 3},
        {"counts.bad_label_lines", 1}, {"counts.unreadable_pictures", 1}, {"box_width.p50", 0.25},
        {"box_height.max", 0.5},       {"image_width.min", 40},           {"split_made", 1},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        double got = -1;
        assert_true(gn_json_number(root, figures[i].path, &got));
        if (got != figures[i].want)
            fail_msg("%s is %g, expected %g", figures[i].path, got, figures[i].want);
    }
    gn_arena_destroy(&arena);
}

static void split_writes_lists(void **state)
{
    (void)state;
    assert_int_equal(call("data.yaml --split out --seed 3"), 0);
    assert_int_equal(call("out --json --no-verify"), 0);
    assert_non_null(strstr(output, "\"split_made\": false"));
    assert_non_null(strstr(output, "\"test\": {\"images\": 2"));
}

/* There and back, with numbers and flags; the figures of --json tell what was written. */
static void converts(void **state)
{
    (void)state;
    assert_int_equal(call("data.yaml --no-verify --val-frac 0.25 --test-frac 0 --to coco -o as_coco --sheet sheet.png"),
                     0);
    assert_non_null(strstr(output, "Written as coco into as_coco: 12 pictures, 11 boxes."));
    char path[1024];
    gn_image_info info;
    snprintf(path, sizeof path, "%s/sheet.png", folder);
    assert_int_equal(gn_image_size_of_file(path, &info, NULL), GN_OK);
    assert_true(info.width > 6 * 200 && info.height > 2 * 200); /* two rows of six */
    assert_int_equal(call("as_coco --to voc -o as_voc --pictures copy --json"), 0);
    assert_non_null(strstr(output, "\"format\": \"COCO\""));
    assert_non_null(strstr(output, "\"lost_picture_ids\": 0"));
    assert_int_equal(call("as_voc --to yolo -o as_yolo"), 0);
    assert_non_null(strstr(output, "12  pictures lose their number"));
    assert_int_equal(call("as_yolo --json"), 0);
    assert_non_null(strstr(output, "\"train\": {\"images\": 9"));
    assert_non_null(strstr(output, "\"val\": {\"images\": 3"));
    char *text = NULL;
    size_t n;
    snprintf(path, sizeof path, "%s/as_yolo/labels/train/p00.txt", folder);
    if (!gn_path_exists(path))
        snprintf(path, sizeof path, "%s/as_yolo/labels/val/p00.txt", folder);
    assert_int_equal(gn_file_read(path, 1000, &text, &n, NULL), GN_OK);
    assert_string_equal(text, "0 0.5 0.5 0.25 0.5\n");
    gn_free(text);
    assert_int_equal(call("data.yaml --to coco -o as_coco 2>&1"), 2);
    assert_non_null(strstr(output, "not empty"));
    assert_int_equal(call("data.yaml --to coco 2>&1"), 2);
    assert_int_equal(call("data.yaml -o x 2>&1"), 2);
    assert_int_equal(call("data.yaml --to kitti -o x 2>&1"), 2);
    assert_int_equal(call("as_coco --split lists 2>&1"), 3);
    assert_non_null(strstr(output, "COCO"));
}

static void mistakes_have_their_exit_code(void **state)
{
    (void)state;
    assert_int_equal(call("2>&1"), 2);
    assert_int_equal(call("nowhere 2>&1"), 3);
    assert_non_null(strstr(output, "nowhere"));
    write_file("tab.yaml", "train: images\nnames:\n\t- face\n");
    assert_int_equal(call("tab.yaml 2>&1"), 3);
    assert_non_null(strstr(output, "tab.yaml:3: "));
    assert_int_equal(call("data.yaml --val-frac 0.9 2>&1"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_what_is_there),
        cmocka_unit_test(json_holds_the_figures),
        cmocka_unit_test(split_writes_lists),
        cmocka_unit_test(converts),
        cmocka_unit_test(mistakes_have_their_exit_code),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
