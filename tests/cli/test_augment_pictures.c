/* gannet data --show-augment from outside: a sheet for every name, and what is refused.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/augment_pictures.h"
#include "image/image.h"

static char folder[512];
static char output[4096]; /* of the last call */

static int call(const char *arguments)
{
    char command[2048];
    snprintf(command, sizeof command,
             "cd %s && " GN_BINARY_DIR "/gannet data data.yaml --no-verify --val-frac 0 %s 2>&1", folder, arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
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

/* Five grey pictures of different sizes with a white square each. */
static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-augment-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(folder) == NULL)
        return -1;
    char path[1024], name[64];
    for (int i = 0; i < 5; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, i % 2 == 0 ? "images" : "labels");
        assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
    }
    for (int i = 0; i < 5; i++) {
        gn_image image;
        assert_int_equal(gn_image_create(60 + 20 * i, 80, 3, &image), GN_OK);
        memset(image.data, 40 + 20 * i, image.stride_bytes * 80);
        for (int y = 20; y < 60; y++)
            memset(image.data + (size_t)y * image.stride_bytes + 60, 255, 60);
        snprintf(path, sizeof path, "%s/images/p%d.png", folder, i);
        assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
        gn_image_deinit(&image);
        snprintf(name, sizeof name, "labels/p%d.txt", i);
        write_file(name, i == 0 ? "" : "0 0.3 0.5 0.2 0.5\n");
    }
    write_file("data.yaml", "train: images\nnames: [square]\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void test_every_name(void **state)
{
    (void)state;
    char names[] = GN_AUGMENT_CHOICES;
    int n = 0;
    for (char *name = strtok(names, "|"); name != NULL; name = strtok(NULL, "|"), n++) {
        char arguments[256], path[1024];
        snprintf(arguments, sizeof arguments, "--show-augment %s -o %s.png", name, name);
        if (call(arguments) != 0)
            fail_msg("%s: %s", name, output);
        snprintf(path, sizeof path, "%s/%s.png", folder, name);
        gn_image image;
        assert_int_equal(gn_image_load(path, NULL, &image, NULL), GN_OK);
        assert_true(image.width > 4 * 200 && image.height > 200); /* four tiles and a line of text */
        gn_image_deinit(&image);
    }
    assert_int_equal(n, 21);
}

static void test_same_seed_same_picture(void **state)
{
    (void)state;
    uint64_t hash[3];
    for (int i = 0; i < 3; i++) {
        char path[1024], *bytes;
        size_t n;
        assert_int_equal(call(i < 2 ? "--show-augment mosaic -o m.png" : "--show-augment mosaic --seed 1 -o m.png"), 0);
        snprintf(path, sizeof path, "%s/m.png", folder);
        assert_int_equal(gn_file_read(path, 1 << 22, &bytes, &n, NULL), GN_OK);
        hash[i] = gn_hash64(bytes, n, 0);
        gn_free(bytes);
    }
    assert_true(hash[0] == hash[1] && hash[0] != hash[2]);
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_not_equal(call("--show-augment mosaic"), 0);
    assert_non_null(strstr(output, "-o FILE"));
    assert_int_equal(call("--show-augment moasic -o m.png"), 2);
    assert_non_null(strstr(output, "did you mean \"mosaic\""));
    assert_int_not_equal(call("--show-augment mosaic -o m.gif"), 0);
    assert_non_null(strstr(output, "m.gif"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_name),
        cmocka_unit_test(test_same_seed_same_picture),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
