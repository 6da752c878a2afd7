/* gannet predict with a detector, from outside: a network whose boxes are known, its results in every form, names that do not collide,
 * videos (through programs of the test's own in the place of ffmpeg), an interruption.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/json.h"
#include "image/image.h"

#define PROGRAM GN_BINARY_DIR "/gannet"

static char output[400000]; /* of the last call */
static char folder[256];
static gn_arena *arena;

static int call(const char *line)
{
    char command[2048];
    snprintf(command, sizeof command, "cd %s && PATH=%s/bin:$PATH " PROGRAM " %s 2>&1", folder, folder, line);
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

static void expect_no(const char *word)
{
    if (strstr(output, word))
        fail_msg("\"%s\" was not expected: %s", word, output);
}

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

/* Content of a file, in the arena. */
static const char *content(const char *name)
{
    char *text = NULL;
    size_t n = 0;
    if (gn_file_read(in_folder(name), (size_t)1 << 20, &text, &n, NULL) != GN_OK)
        fail_msg("there is no %s", name);
    const char *copy = gn_arena_strdup(arena, text);
    gn_free(text);
    return copy;
}

static const gn_json *json_of(const char *text)
{
    const gn_json *root = NULL;
    gn_error err = {0};
    if (gn_json_parse(text, strlen(text), arena, &root, &err) != GN_OK)
        fail_msg("%s: %.400s", err.message, text);
    return root;
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(gn_file_write(in_folder(name), text, strlen(text), NULL), GN_OK);
}

static void write_picture(const char *name, int width, int height)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    memset(image.data, 90, image.stride_bytes * (size_t)height);
    assert_int_equal(gn_image_save(in_folder(name), &image, 90, NULL), GN_OK);
    gn_image_deinit(&image);
}

static double logit(double p)
{
    return log(p / (1 - p));
}

/* Pictures of 64 x 64 in 2 x 2 cells of 32, whatever is in them: in each cell a cup of 24 x 16 with the score 0.9 * 0.8, a bowl of the same
 * place with 0.9 * 0.7, and a spoon of 8 x 8 with 0.6 * 0.9. */
static void write_model(void)
{
    static const char cfg[] = "[net]\nwidth=64\nheight=64\nchannels=3\n"
                              "[convolutional]\nfilters=24\nsize=1\nstride=32\nactivation=linear\n"
                              "[yolo]\nanchors=24,16, 24,16, 8,8\nnum=3\nclasses=3\n";
    static const double objectness[3] = {0.9, 0.9, 0.6}, score[3] = {0.8, 0.7, 0.9};
    struct {
        int32_t header[5];
        float bias[24], weight[72];
    } file = {{0, 2, 0, 0, 0}, {0}, {0}};
    for (int a = 0; a < 3; a++) {
        file.bias[8 * a + 4] = (float)logit(objectness[a]);
        for (int c = 0; c < 3; c++)
            file.bias[8 * a + 5 + c] = c == a ? (float)logit(score[a]) : -20.0f;
    }
    write_text("net.cfg", cfg);
    write_text("net.names", "cup\nbowl\ntea spoon\n");
    assert_int_equal(gn_file_write(in_folder("net.weights"), &file, sizeof file, NULL), GN_OK);
    expect("import net.cfg net.weights -o net.onnx", 0, "class names from net.names");
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-predict-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    arena = gn_arena_create(0);
    static const char *const folders[] = {"a", "b", "c", "bin"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(gn_make_dirs(in_folder(folders[i]), NULL), GN_OK);
    write_model();
    write_picture("a/7.png", 128, 64);
    write_picture("b/7.jpg", 64, 64);
    write_picture("c/7-2.png", 64, 64);
    return arena ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[512];
    gn_arena_destroy(&arena);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

/* The picture is twice as wide as the input, which it is stretched to. */
static void test_boxes(void **state)
{
    (void)state;
    expect("predict net.onnx a/7.png", 0, "a/7.png: 8.0 8.0 56.0 24.0  0.720  cup\n");
    assert_non_null(strstr(output, "a/7.png: 72.0 40.0 120.0 56.0  0.720  cup\n"));
    assert_non_null(strstr(output, "a/7.png: 24.0 12.0 40.0 20.0  0.540  tea spoon\n"));
    assert_non_null(strstr(output, "a/7.png: 8.0 8.0 56.0 24.0  0.630  bowl\n"));
    expect("predict net.onnx a/7.png --classes 0", 0, "cup");
    expect_no("bowl");
    expect_no("spoon");
    expect("predict net.onnx a/7.png --classes 'tea spoon,1'", 0, "spoon");
    expect_no("cup");
    expect("predict net.onnx a/7.png --classes bowll", 2, "did you mean 'bowl'?");
    expect("predict net.onnx a/7.png --classes 3", 2, "has 3 classes");
    expect("predict net.onnx a/7.png --agnostic-nms", 0, "cup");
    expect_no("bowl");
    expect("predict net.onnx a/7.png --conf 0.6", 0, "bowl");
    expect_no("spoon");
    expect("predict net.onnx a/7.png --conf 0.95", 0, "a/7.png: nothing found\n");
    const gn_json *root = NULL;
    expect("predict net.onnx a/7.png --max-det 5 --json", 0, "\"score\"");
    root = json_of(output);
    const gn_json *p = gn_json_member(root, "predictions")->first;
    int n = 0;
    for (const gn_json *o = gn_json_member(p, "objects")->first; o; o = o->next)
        n++;
    assert_int_equal(n, 5);
    double width = 0;
    assert_true(gn_json_number(p, "width", &width) && width == 128);
    assert_null(gn_json_member(p, "frame"));
    expect("predict net.onnx a/7.png --iou 2", 2, "iou");
    expect("predict net.onnx a/7.png --nms nothing", 2, "nms");
}

static void test_files(void **state)
{
    (void)state;
    expect("predict net.onnx a b c --conf 0.7 --save out --save-txt labels --save-conf --save-json found.json", 0,
           "cup");
    /* Three pictures, two of the same name and one with the name that the second might have got. */
    assert_true(gn_path_exists(in_folder("out/7.png")));
    assert_true(gn_path_exists(in_folder("out/7-3.jpg")));
    assert_true(gn_path_exists(in_folder("out/7-2.png")));
    assert_string_equal(content("labels/7.txt"), "0 0.250000 0.250000 0.375000 0.250000 0.720000\n"
                                                 "0 0.750000 0.250000 0.375000 0.250000 0.720000\n"
                                                 "0 0.250000 0.750000 0.375000 0.250000 0.720000\n"
                                                 "0 0.750000 0.750000 0.375000 0.250000 0.720000\n");
    assert_true(gn_path_exists(in_folder("labels/7-3.txt")) && gn_path_exists(in_folder("labels/7-2.txt")));
    const gn_json *root = json_of(content("found.json")), *first = root->first;
    double x = 0;
    const char *id = NULL;
    int n = 0;
    for (const gn_json *o = root->first; o; o = o->next)
        n++;
    assert_int_equal(n, 12);
    assert_true(gn_json_number(first, "image_id", &x) && x == 7);
    assert_true(gn_json_number(first, "category_id", &x) && x == 1);
    const gn_json *box = gn_json_member(first, "bbox")->first;
    assert_true(box->number == 8 && box->next->number == 8 && box->next->next->number == 48);
    assert_true(gn_json_string(first->next->next->next->next, "image_id", &id));
    assert_string_equal(id, "7-3");
    /* The drawn picture has its boxes, and is as large as the file. */
    gn_image drawn;
    assert_int_equal(gn_image_load(in_folder("out/7.png"), NULL, &drawn, NULL), GN_OK);
    assert_int_equal(drawn.width, 128);
    const uint8_t *edge = drawn.data + 24 * drawn.stride_bytes + 3 * 32;
    assert_true(abs(edge[0] - 90) + abs(edge[2] - 90) > 40);
    assert_int_equal(drawn.data[60 * drawn.stride_bytes], 90);
    gn_image_deinit(&drawn);
    /* A picture with nothing in it has an empty file; without scores the lines are labels. */
    expect("predict net.onnx a/7.png --conf 0.99 --save-txt labels --save-json found.json", 0, "nothing");
    assert_string_equal(content("labels/7.txt"), "");
    assert_null(json_of(content("found.json"))->first);
    expect("predict net.onnx a/7.png --classes 2 --max-det 1 --save-txt labels", 0, "spoon");
    assert_string_equal(content("labels/7.txt"), "2 0.250000 0.250000 0.125000 0.125000\n");
    expect("predict net.onnx a/7.png --save-json absent/found.json", 1, "absent/found.json");
}

static void test_sheets(void **state)
{
    (void)state;
    gn_image sheet;
    expect("predict net.onnx a b c --sheet sheet.png", 0, "cup");
    assert_int_equal(gn_image_load(in_folder("sheet.png"), NULL, &sheet, NULL), GN_OK);
    gn_image_deinit(&sheet);
    assert_int_equal(gn_make_dirs(in_folder("set/images"), NULL), GN_OK);
    assert_int_equal(gn_make_dirs(in_folder("set/labels"), NULL), GN_OK);
    write_picture("set/images/x.png", 64, 64);
    write_text("set/labels/x.txt", "0 0.25 0.25 0.375 0.25\n1 0.7 0.7 0.2 0.2\n");
    write_text("set/data.yaml", "train: images\nval: images\ntest: images\nnames: [cup, bowl, spoon]\n");
    expect("predict net.onnx --data set --split val --sheet sheet.png --conf 0.7 --save-json found.json", 0, "cup");
    assert_int_equal(gn_image_load(in_folder("sheet.png"), NULL, &sheet, NULL), GN_OK);
    gn_image_deinit(&sheet);
    double x = 0;
    assert_true(gn_json_number(json_of(content("found.json"))->first, "category_id", &x) && x == 1);
}

/* ---- videos ---- */

static void write_program(const char *name, const char *text)
{
    char path[64], script[2048];
    snprintf(path, sizeof path, "bin/%s", name);
    snprintf(script, sizeof script, "#!/bin/sh\n%s\n", text);
    write_text(path, script);
    assert_int_equal(chmod(in_folder(path), 0755), 0);
}

/* Frames of 64 x 64, grey; or what is written to it into its last argument. */
#define FRAME "printf 'P6\\n64 64\\n255\\n'; head -c 12288 /dev/zero"
#define WRITE "for a in \"$@\"; do out=${a#file:}; done; case $out in pipe:1) ;; *) exec cat > \"$out\";; esac; "

static void test_video(void **state)
{
    (void)state;
    write_text("a/clip.mp4", "x");
    write_program("ffprobe", "printf 'avg_frame_rate=10/1\\nnb_frames=5\\n'");
    write_program("ffmpeg", WRITE "for i in 1 2 3 4 5; do " FRAME "; done");
    expect("predict net.onnx a/clip.mp4 --conf 0.7 --save out --save-txt frames --save-json video.json --json", 0,
           "\"time_s\": 0.4");
    const gn_json *root = json_of(output);
    int n = 0;
    for (const gn_json *p = gn_json_member(root, "predictions")->first; p; p = p->next, n++) {
        double frame = -1;
        assert_true(gn_json_number(p, "frame", &frame) && frame == n);
        assert_non_null(gn_json_member(p, "objects")->first);
    }
    assert_int_equal(n, 5);
    assert_int_equal(gn_path_bytes(in_folder("out/clip.mp4")), 5 * 12288);
    assert_true(gn_path_exists(in_folder("frames/clip_0.txt")) && gn_path_exists(in_folder("frames/clip_4.txt")));
    const char *id = NULL;
    assert_true(gn_json_string(json_of(content("video.json"))->first, "image_id", &id));
    assert_string_equal(id, "clip_0");
    /* Every second frame; then a video among pictures, and one that breaks off. */
    expect("predict net.onnx a/clip.mp4 --conf 0.7 --vid-stride 2 --save out", 0,
           "a/clip.mp4 frame 4: 4.0 8.0 28.0 24.0");
    expect_no("frame 1:");
    assert_int_equal(gn_path_bytes(in_folder("out/clip.mp4")), 3 * 12288);
    expect("predict net.onnx a/clip.mp4 --conf 0.7 --limit 2", 0, "frame 1:");
    expect_no("frame 2:");
    write_program("ffmpeg", FRAME "; echo 'no more' >&2; exit 1");
    expect("predict net.onnx a --conf 0.7", 0, "skipped a/clip.mp4: the video ends after 1 frames: no more");
    assert_non_null(strstr(output, "a/7.png: "));
    assert_non_null(strstr(output, "frame 0:"));
    write_program("ffprobe", "exit 1");
    expect("predict net.onnx a/clip.mp4", 3, "ffprobe finds no video in it");
    remove(in_folder("a/clip.mp4"));
}

/* Asked to end in the middle of a video that never ends: what there is so far is kept. */
static void test_interruption(void **state)
{
    (void)state;
    char command[2048];
    write_text("b/endless.mp4", "x");
    write_program("ffprobe", "printf 'avg_frame_rate=10/1\\n'");
    write_program("ffmpeg", WRITE "while :; do " FRAME "; sleep 0.02; done");
    snprintf(command, sizeof command,
             "cd %s && PATH=%s/bin:$PATH; export PATH; " PROGRAM
             " predict net.onnx b/endless.mp4 --conf 0.7 --save out --save-json endless.json > text 2>&1 & pid=$!; "
             "for i in $(seq 400); do grep -qs 'frame 3:' text && break; sleep 0.05; done; kill -TERM $pid; wait $pid",
             folder, folder);
    const int status = system(command);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 143);
    assert_non_null(strstr(content("text"), "interrupted after"));
    assert_true(gn_path_bytes(in_folder("out/endless.mp4")) >= 4 * 12288);
    assert_non_null(json_of(content("endless.json"))->first);
    remove(in_folder("b/endless.mp4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_boxes), cmocka_unit_test(test_files),        cmocka_unit_test(test_sheets),
        cmocka_unit_test(test_video), cmocka_unit_test(test_interruption),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
