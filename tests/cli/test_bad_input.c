/* Bad input through the whole program: every kind of broken file and senseless argument gives its exit code and a line that names
 * the file, what was found and what was expected; nothing crashes and no run folder is left behind.
 * SPDX-License-Identifier: Apache-2.0 */
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
#include "base/memory.h"
#include "image/image.h"

#define PROGRAM GN_BINARY_DIR "/gannet"
#define CORPUS  GN_SOURCE_DIR "/fuzz/corpus/onnx/"

enum { OK = 0, FAILED = 1, USAGE = 2, BAD_INPUT = 3 };

static char folder[256];
static char output[200000]; /* both streams of the last call */

/* Runs "gannet LINE" in the scratch folder. */
static void expect(const char *line, int code, const char *word)
{
    char command[2048];
    snprintf(command, sizeof command, "cd '%s' && " PROGRAM " %s 2>&1", folder, line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != code || !strstr(output, word))
        fail_msg("gannet %s: exit code %d (expected %d), '%s' wanted in:\n%s", line, WEXITSTATUS(status), code, word,
                 output);
}

static void expect_also(const char *word)
{
    if (!strstr(output, word))
        fail_msg("'%s' wanted in:\n%s", word, output);
}

static const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    assert_int_equal(gn_file_write(in_folder(name), text, strlen(text), NULL), GN_OK);
}

static void make_folder(const char *name)
{
    assert_int_equal(gn_make_dirs(in_folder(name), NULL), GN_OK);
}

static void write_picture(const char *name, unsigned seed)
{
    gn_image image;
    assert_int_equal(gn_image_create(48, 40, 3, &image), GN_OK);
    for (size_t k = 0; k < image.stride_bytes * 40; k++)
        image.data[k] = (uint8_t)((k / 9 * 2654435761u * (seed + 1)) >> 24);
    assert_int_equal(gn_image_save(in_folder(name), &image, 90, NULL), GN_OK);
    gn_image_deinit(&image);
}

/* First `keep` bytes of a file. */
static void write_head_of(const char *name, const char *source, size_t keep)
{
    char *bytes = NULL;
    size_t n = 0;
    assert_int_equal(gn_file_read(source, (size_t)1 << 24, &bytes, &n, NULL), GN_OK);
    assert_true(n > keep);
    assert_int_equal(gn_file_write(in_folder(name), bytes, keep, NULL), GN_OK);
    gn_free(bytes);
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-bad-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    setenv("GANNET_LOCK", in_folder("lock"), 1); /* other trainings on this machine are no matter of ours */
    make_folder("good/images");
    make_folder("good/labels");
    for (unsigned i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "good/images/p%u.jpg", i);
        write_picture(name, i);
        snprintf(name, sizeof name, "good/labels/p%u.txt", i);
        write_file(name, "0 0.5 0.5 0.25 0.5\n");
    }
    write_file("good/data.yaml", "train: images\nval: images\nnames: [face]\n");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[512];
    snprintf(command, sizeof command, "chmod -R u+w '%s'; rm -rf '%s'", folder, folder);
    return system(command);
}

/* ---- data sets ---- */

/* What `gannet data` says of a set, `val` and `train` say too; none of them makes a run folder. */
static void expect_no_set(const char *set, const char *word)
{
    char line[512];
    snprintf(line, sizeof line, "data %s", set);
    expect(line, BAD_INPUT, word);
    snprintf(line, sizeof line, "val mobilenet_v2@0.35 --imgsz 32 --data %s", set);
    expect(line, BAD_INPUT, word);
    snprintf(line, sizeof line, "train --model mobilenet_v2@0.35 --imgsz 32 --project runs_bad --data %s", set);
    expect(line, BAD_INPUT, word);
    assert_false(gn_path_exists(in_folder("runs_bad")));
}

static void missing_and_empty_sets(void **state)
{
    (void)state;
    expect_no_set("nowhere", "nowhere: there is no such data set");
    make_folder("nothing");
    expect_no_set("nothing", "nothing: there is no picture");
    make_folder("hollow/images");
    write_file("hollow/data.yaml", "train: images\nnames: [face]\n");
    expect_no_set("hollow/data.yaml", "there is no picture");
    write_file("blank.yaml", "");
    expect_no_set("blank.yaml", "blank.yaml: ");
    write_file("blank.csv", "");
    expect_no_set("blank.csv", "blank.csv");
}

static void lists_of_files_that_are_not_there(void **state)
{
    (void)state;
    write_file("absent.txt", "gone/a.jpg\ngone/b.jpg\n");
    write_file("absent.yaml", "train: absent.txt\nval: absent.txt\nnames: [face]\n");
    expect_no_set("absent.yaml", "there is no picture 'gone/a.jpg'");
    expect_also("absent.txt:1: ");
    /* Some of a list may be missing: they are counted and listed by line. */
    write_file("some.txt", "good/images/p0.jpg\ngone/a.jpg\ngood/images/p1.jpg\n");
    write_file("some.yaml", "train: some.txt\nval: some.txt\nnames: [face]\n");
    expect("data some.yaml", OK, "some.txt:2: there is no picture 'gone/a.jpg'");
    write_file("no_list.yaml", "train: no_list.txt\nval: no_list.txt\nnames: [face]\n");
    expect_no_set("no_list.yaml", "no_list.txt");
}

static void descriptions_that_are_wrong(void **state)
{
    (void)state;
    write_file("tab.yaml", "train: good/images\nnames:\n\t- face\n");
    expect_no_set("tab.yaml", "tab.yaml:3: ");
    expect_also("tab is not allowed");
    write_file("loop.yaml", "train: &here [*here]\nnames: [face]\n");
    expect_no_set("loop.yaml", "loop.yaml:1: ");
    expect_also("cycle");
    write_file("nameless.yaml", "train: good/images\nval: good/images\n");
    expect_no_set("nameless.yaml", "no `names`");
    write_file("not_a_set.txt", "hello\n");
    expect_no_set("not_a_set.txt", "not_a_set.txt: ");
}

static void label_lines_that_are_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *line, *word;
    } lines[] = {
        {"0 1.5 0.5 0.2 0.2", ".txt:1: column 2 is 1.5, outside 0..1"},
        {"0 0.5 0.5 -0.2 0.2", ".txt:1: negative size: width -0.2"},
        {"0 nan 0.5 0.2 0.2", ".txt:1: column 2 is NaN"},
        {"0 0.5 0.5 0.2", ".txt:1: 4 columns; expected 5"},
        {"7 0.5 0.5 0.2 0.2", ".txt:1: class 7, but there is 1 class"},
        {"face 0.5 0.5 0.2 0.2", ".txt:1: column 1 is 'face'"},
    };
    const size_t n = sizeof lines / sizeof *lines;
    make_folder("bad/images");
    make_folder("bad/labels");
    for (size_t i = 0; i < n + 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "bad/images/q%zu.png", i);
        write_picture(name, (unsigned)i + 10);
        snprintf(name, sizeof name, "bad/labels/q%zu.txt", i);
        write_file(name, i < n ? lines[i].line : "0 0.5 0.5 0.2 0.2\n");
    }
    write_file("bad/data.yaml", "train: images\nval: images\nnames: [face]\n");
    expect("data bad --all", OK, "label lines that cannot be used");
    for (size_t i = 0; i < n; i++)
        expect_also(lines[i].word);
    /* The same set trains with what is left, and says what it skipped. */
    expect("train --data bad --model mobilenet_v2@0.35 --imgsz 32 --epochs 1 --batch 3 --no-pictures --no-val "
           "--project runs_left",
           OK, "skipped");
    expect_also("1 of 1 epochs, not validated");
    for (size_t i = n; i < n + 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "bad/labels/q%zu.txt", i);
        write_file(name, "0 0.5 0.5 0.2\n");
    }
    expect_no_set("bad/data.yaml", "no usable picture is left");
}

/* ---- pictures ---- */

/* A PNG whose header promises 30,000 x 30,000 pixels (the checksum is right, the pixels are missing). */
static void write_giant(const char *name)
{
    static const unsigned char bytes[] = {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a, 0,    0, 0,    13,
                                          'I',  'H', 'D', 'R', 0,    0,    0x75, 0x30, 0,    0, 0x75, 0x30,
                                          8,    2,   0,   0,   0,    0xe9, 0x45, 0x6f, 0xed, 0, 0,    0,
                                          0,    'I', 'E', 'N', 'D',  0xae, 0x42, 0x60, 0x82};
    assert_int_equal(gn_file_write(in_folder(name), bytes, sizeof bytes, NULL), GN_OK);
}

static void pictures_that_are_none(void **state)
{
    (void)state;
    write_head_of("cut.jpg", in_folder("good/images/p0.jpg"), 700);
    write_file("text.jpg", "these are words\n");
    write_file("zero.jpg", "");
    write_giant("giant.png");
    const char *const model = "predict mobilenet_v2@0.35 --imgsz 32 ";
    char line[512];
    static const struct {
        const char *name, *word;
    } cases[] = {{"cut.jpg", "cut.jpg: the JPEG is damaged or cut off"},
                 {"text.jpg", "text.jpg: is not a JPEG, PNG or WebP picture"},
                 {"zero.jpg", "zero.jpg: "},
                 {"giant.png", "30000"},
                 {"absent.jpg", "absent.jpg: no such picture"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(line, sizeof line, "%s%s", model, cases[i].name);
        expect(line, BAD_INPUT, cases[i].word);
    }
    /* Among good ones they are named and skipped. */
    snprintf(line, sizeof line, "%s cut.jpg text.jpg giant.png good/images/p1.jpg", model);
    expect(line, OK, "skipped cut.jpg");
    expect_also("skipped text.jpg");
    expect_also("skipped giant.png");
    expect_also("good/images/p1.jpg");
}

static void pictures_of_a_set_that_are_none(void **state)
{
    (void)state;
    make_folder("mixed/images");
    make_folder("mixed/labels");
    write_picture("mixed/images/fine.png", 3);
    write_head_of("mixed/images/cut.jpg", in_folder("good/images/p0.jpg"), 700);
    write_file("mixed/images/text.jpg", "these are words\n");
    write_giant("mixed/images/giant.png");
    for (size_t i = 0; i < 4; i++)
        write_file(((const char *const[]){"mixed/labels/fine.txt", "mixed/labels/cut.txt", "mixed/labels/text.txt",
                                          "mixed/labels/giant.txt"})[i],
                   "0 0.5 0.5 0.25 0.5\n");
    write_file("mixed/data.yaml", "train: images\nval: images\nnames: [face]\n");
    expect("data mixed --all", OK, "mixed/images/cut.jpg: the JPEG is damaged or cut off");
    expect_also("mixed/images/text.jpg: is not a JPEG");
    expect_also("mixed/images/giant.png: ");
    expect_also("30000");
    expect("val mobilenet_v2@0.35 --imgsz 32 --data mixed", OK, "skipped");
}

/* ---- models ---- */

/* Graph in attribute in node in graph ...: a million messages, each inside the one before. */
static void write_deep_model(const char *name)
{
    enum { DEPTH = 1000000 };
    static const unsigned char tags[3] = {1 << 3 | 2, 5 << 3 | 2, 6 << 3 | 2}; /* node, attribute, g */
    const size_t capacity = (size_t)DEPTH * 6 + 16;
    char *buffer = gn_alloc(capacity);
    assert_non_null(buffer);
    size_t at = capacity;
    for (int level = DEPTH - 1; level >= 0; level--) {
        unsigned char head[8] = {level ? tags[(level - 1) % 3] : 7 << 3 | 2};
        size_t n = 1;
        for (size_t length = capacity - at;; length >>= 7) {
            head[n++] = (unsigned char)((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
            if (length <= 0x7f)
                break;
        }
        at -= n;
        memcpy(buffer + at, head, n);
    }
    assert_int_equal(gn_file_write(in_folder(name), buffer + at, capacity - at, NULL), GN_OK);
    gn_free(buffer);
}

/* Every verb that opens a model refuses it in the same words. */
static void expect_no_model(const char *model, const char *word)
{
    static const char *const verbs[] = {"info %s",
                                        "bench %s",
                                        "export %s -o out.onnx",
                                        "import %s -o out.onnx",
                                        "predict %s good/images",
                                        "val %s --data good",
                                        "train --model %s --data good --project runs_none"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char form[256], line[768];
        snprintf(form, sizeof form, "%s", verbs[i]);
        char *hole = strstr(form, "%s");
        *hole = '\0';
        snprintf(line, sizeof line, "%s%s%s", form, model, hole + 2);
        expect(line, BAD_INPUT, word);
    }
    assert_false(gn_path_exists(in_folder("out.onnx")));
    assert_false(gn_path_exists(in_folder("runs_none")));
}

static void models_that_are_broken(void **state)
{
    (void)state;
    write_head_of("cut.onnx", CORPUS "detector.onnx", 600);
    expect_no_model("cut.onnx", "cut.onnx: at byte ");
    write_deep_model("deep.onnx");
    expect_no_model("deep.onnx", "deep.onnx: at byte ");
    expect_also("nest");
    write_file("words.onnx", "this is no model\n");
    expect_no_model("words.onnx", "words.onnx: at byte ");
    write_file("zero.onnx", "");
    expect_no_model("zero.onnx", "zero.onnx: ");
    expect_no_model("absent.onnx", "absent.onnx: ");
}

static void models_that_make_no_sense(void **state)
{
    (void)state;
    expect_no_model(CORPUS "cycle.onnx", "the graph has a cycle: node '");
    expect_no_model(CORPUS "missing_initializer.onnx", "node 'stem' (Conv): its input 1, 'stem.weight'");
    expect_no_model(CORPUS "overflowing_shape.onnx", "overflow");
    expect_no_model(CORPUS "unknown_operator.onnx", "node 'stage2/fancy': its operator FancyPool");
}

static void errors_are_json_too(void **state)
{
    (void)state;
    expect("info " CORPUS "cycle.onnx --json", BAD_INPUT, "\"status\": \"EFORMAT\"}");
    expect_also("{\"error\": \"" CORPUS "cycle.onnx: the graph has a cycle");
    expect_also("gannet: info: " CORPUS "cycle.onnx: the graph has a cycle");
}

/* ---- arguments and places ---- */

static void arguments_that_make_no_sense(void **state)
{
    (void)state;
    const char *const train = "train --data good --project runs_args ";
    static const struct {
        const char *arguments, *word;
    } cases[] = {
        {"--model resnet18 --threads 0", "--threads: \"0\" is not between 1 and 256"},
        {"--model resnet18 --imgsz 7", "--imgsz 7"},
        {"--model resnet81", "did you mean resnet18?"},
        {"--model mobilenet_v2@9", "mobilenet_v2@9"},
        {"--model resnet18 --epochs many", "--epochs"},
        {"--model resnet18 --epoch 3", "--epochs"},
        {"--model resnet18 --optimizer adan", "sgd"},
        {"--model resnet18 --lr0 nan", "--lr0"},
        {"", "--model"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512];
        snprintf(line, sizeof line, "%s%s", train, cases[i].arguments);
        expect(line, USAGE, cases[i].word);
    }
    assert_false(gn_path_exists(in_folder("runs_args")));
    expect("bench mobilnet_v2", USAGE, "did you mean mobilenet_v2?");
    expect("bench mobilenet_v2 --threads 0", USAGE, "--threads");
    expect("val resnet18 --data good --imgsz 7", USAGE, "--imgsz 7");
    expect("train --cfg absent_args.yaml", BAD_INPUT, "absent_args.yaml");
    write_file("args.yaml", "data: good\nmodle: resnet18\n");
    expect("train --cfg args.yaml", USAGE, "modle");
}

static void places_that_cannot_be_written(void **state)
{
    (void)state;
    write_file("plain_file", "x");
    expect("train --data good --model mobilenet_v2@0.35 --imgsz 32 --epochs 1 --batch 2 --project plain_file", FAILED,
           "plain_file");
    expect("synth plain_file/faces --images 1", FAILED, "plain_file");
    expect("export mobilenet_v2@0.35 --imgsz 32 -o plain_file/m.onnx", FAILED, "plain_file/m.onnx");
    if (geteuid() == 0) /* root writes everywhere */
        return;
    make_folder("locked");
    assert_int_equal(chmod(in_folder("locked"), 0500), 0);
    expect("train --data good --model mobilenet_v2@0.35 --imgsz 32 --epochs 1 --batch 2 --project locked", FAILED,
           "locked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_and_empty_sets),        cmocka_unit_test(lists_of_files_that_are_not_there),
        cmocka_unit_test(descriptions_that_are_wrong),   cmocka_unit_test(label_lines_that_are_wrong),
        cmocka_unit_test(pictures_that_are_none),        cmocka_unit_test(pictures_of_a_set_that_are_none),
        cmocka_unit_test(models_that_are_broken),        cmocka_unit_test(models_that_make_no_sense),
        cmocka_unit_test(errors_are_json_too),           cmocka_unit_test(arguments_that_make_no_sense),
        cmocka_unit_test(places_that_cannot_be_written),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
