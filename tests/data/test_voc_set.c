/* Data sets from PASCAL VOC's XML: the parser, layouts, corners that count from 1 or from 0, flags, damage, and the real faces.
 * SPDX-License-Identifier: Apache-2.0 */
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
#include "data/voc_xml.h"
#include "data_fixture.h"
#include "set_checks.h"

#define BOX(x1, y1, x2, y2)                                                                                            \
    "<bndbox><xmin>" x1 "</xmin><ymin>" y1 "</ymin><xmax>" x2 "</xmax><ymax>" y2 "</ymax></bndbox>"
#define OBJECT(name, more, box)  "<object><name>" name "</name>" more box "</object>\n"
#define SIZE(w, h)               "<size><width>" w "</width><height>" h "</height><depth>3</depth></size>\n"
#define ANNOTATION(file, inside) "<annotation>\n<filename>" file "</filename>\n" inside "</annotation>\n"

static const char
    dog[] = "<?xml version=\"1.0\"?>\n"
            "<annotation><folder>VOC2012</folder><filename> a.png\n</filename>" SIZE(
                "100", "50") "<object><name>dog</name><pose>Left</pose><truncated>1</truncated><difficult>1</"
                             "difficult>" BOX("11", "6", "30",
                                              "35.0") "<part><name>head</name>" BOX("12", "7", "15",
                                                                                    "9") "</part></object>\n"
                                                                                         "<object><bndbox><xmax>100</"
                                                                                         "xmax><xmin>1</xmin><ymax>50</"
                                                                                         "ymax><ymin>1</ymin></"
                                                                                         "bndbox><name>a &amp; "
                                                                                         "b</name></object>\n"
                                                                                         "</annotation>";

static void test_parser(void **state)
{
    (void)state;
    gn_arena *arena = gn_arena_create(0);
    gn_voc_file v;
    assert_int_equal(gn_voc_parse(dog, sizeof dog - 1, "dog.xml", arena, &v, NULL), GN_OK);
    assert_string_equal(v.filename, "a.png");
    assert_true(v.width == 100 && v.height == 50 && v.id == -1);
    assert_int_equal(v.n_objects, 2);
    assert_string_equal(v.object[0].name, "dog"); /* not the part's name, nor its box */
    assert_true(v.object[0].corner[0] == 11 && v.object[0].corner[3] == 35);
    assert_true(v.object[0].is_difficult && v.object[0].is_truncated && !v.object[0].is_crowd);
    assert_string_equal(v.object[1].name, "a & b");
    assert_true(v.object[1].corner[0] == 1 && v.object[1].corner[2] == 100 && v.object[1].line == 5);
    gn_voc_file_deinit(&v);
    gn_arena_destroy(&arena);
}

static gn_status parse(const char *text, size_t n, char line[1024])
{
    gn_arena *arena = gn_arena_create(0);
    gn_voc_file v;
    gn_error err = {0};
    const gn_status status = gn_voc_parse(text, n, "x.xml", arena, &v, &err);
    gn_error_line(&err, line, 1024);
    if (status == GN_OK)
        gn_voc_file_deinit(&v);
    gn_arena_destroy(&arena);
    return status;
}

static void test_every_cut(void **state)
{
    (void)state;
    char line[1024];
    for (size_t n = 0; n + 1 < sizeof dog; n++) {
        char *copy = malloc(n + 1);
        memcpy(copy, dog, n);
        assert_int_equal(parse(copy, n, line), GN_EFORMAT);
        assert_non_null(strstr(line, "x.xml"));
        free(copy);
    }
}

static void test_damage(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        gn_status status;
        const char *word;
    } cases[] = {
        {"<kml></kml>", GN_EFORMAT, "top element is not <annotation>"},
        {"not xml", GN_EFORMAT, "damaged"},
        {"<annotation><a></b></annotation>", GN_EFORMAT, "mismatched tag"},
        {"<!DOCTYPE a [<!ENTITY x \"y\">]><annotation>&x;</annotation>", GN_EFORMAT, "declares entities"},
        {"<!DOCTYPE a [<!ENTITY x SYSTEM \"/etc/passwd\">]><annotation><filename>&x;</filename></annotation>",
         GN_EFORMAT, "declares entities"},
        {"<annotation><filename>&x;</filename></annotation>", GN_EFORMAT, "entity"},
    };
    char line[1024];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const gn_status got = parse(cases[i].text, strlen(cases[i].text), line);
        if (got != cases[i].status || strstr(line, cases[i].word) == NULL)
            fail_msg("case %zu: %s '%s'", i, gn_status_name(got), line);
    }
    /* Ten entities of ten entities each, ten times over: ten thousand million letters, none of which is made. */
    char laughs[4096];
    int n = snprintf(laughs, sizeof laughs, "<!DOCTYPE a [<!ENTITY l0 \"lol\">");
    for (int i = 1; i < 10; i++)
        n += snprintf(laughs + n, sizeof laughs - (size_t)n, "<!ENTITY l%d \"&l%d;&l%d;&l%d;&l%d;&l%d;\">", i, i - 1,
                      i - 1, i - 1, i - 1, i - 1);
    n += snprintf(laughs + n, sizeof laughs - (size_t)n, "]><annotation><filename>&l9;</filename></annotation>");
    assert_int_equal(parse(laughs, (size_t)n, line), GN_EFORMAT);
    /* Depth, length, number. */
    const size_t size = 2000000;
    char *big = malloc(size);
    for (size_t i = 0; i < 100000; i++)
        memcpy(big + 12 + 3 * i, "<a>", 3);
    memcpy(big, "<annotation>", 12);
    assert_int_equal(parse(big, 300012, line), GN_ELIMIT);
    memcpy(big, "<annotation><filename>", 22);
    memset(big + 22, 'x', 5000);
    assert_int_equal(parse(big, 5022, line), GN_ELIMIT);
    memcpy(big, "<annotation>", 12);
    for (size_t i = 0; i < 10001; i++)
        memcpy(big + 12 + 9 * i, "<object/>", 9);
    assert_int_equal(parse(big, 12 + 9 * 10001, line), GN_ELIMIT);
    free(big);
    char *huge = calloc(1, GN_VOC_MAX_BYTES + 1);
    assert_int_equal(parse(huge, GN_VOC_MAX_BYTES + 1, line), GN_ELIMIT);
    free(huge);
}

/* VOCdevkit's own layout, with its lists; classes in bytewise order. */
static void test_devkit(void **state)
{
    fixture_picture(state, "VOCdevkit/VOC2012/JPEGImages/a.png", 100, 50, 1);
    fixture_picture(state, "VOCdevkit/VOC2012/JPEGImages/b.png", 64, 64, 2);
    fixture_picture(state, "VOCdevkit/VOC2012/JPEGImages/c.png", 64, 64, 3);
    fixture_picture(state, "VOCdevkit/VOC2007/JPEGImages/d.png", 64, 64, 4);
    fixture_write(state, "VOCdevkit/VOC2012/Annotations/a.xml", dog);
    fixture_write(state, "VOCdevkit/VOC2012/Annotations/b.xml", ANNOTATION("b.png", SIZE("64", "64")));
    fixture_write(state, "VOCdevkit/VOC2012/Annotations/c.xml",
                  ANNOTATION("c.png", OBJECT("cat", "", BOX("1", "1", "64", "32"))));
    fixture_write(state, "VOCdevkit/VOC2012/ImageSets/Main/train.txt", "a\nb \ngone\n");
    fixture_write(state, "VOCdevkit/VOC2012/ImageSets/Main/val.txt", "c  1\r\n");
    fixture_write(state, "VOCdevkit/VOC2012/ImageSets/Main/trainval.txt", "a\nb\nc\n");
    fixture_write(state, "VOCdevkit/VOC2012/ImageSets/Main/dog_train.txt", "c -1\n");
    fixture_write(state, "VOCdevkit/VOC2007/Annotations/d.xml",
                  ANNOTATION("d.png", OBJECT("cat", "", BOX("33", "1", "64", "32"))));
    fixture_write(state, "VOCdevkit/VOC2007/ImageSets/Main/trainval.txt", "d\n");
    gn_dataset *d = set_open(fixture_path(state, "."));
    assert_string_equal(gn_dataset_format(d), "VOC");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 3); /* a, b, d */
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 1);
    assert_int_equal(gn_dataset_classes(d), 3);
    assert_string_equal(gn_dataset_class_name(d, 0), "a & b");
    assert_string_equal(gn_dataset_class_name(d, 1), "cat");
    assert_string_equal(gn_dataset_class_name(d, 2), "dog");
    const gn_sample *a = set_sample(d, GN_SPLIT_TRAIN, "a.png");
    assert_int_equal(a->n_boxes, 2);
    assert_true(set_box_is(a, 0, 10, 5, 30, 35)); /* pixels 11 to 30, counted from 1 */
    assert_true(set_box_is(a, 1, 0, 0, 100, 50)); /* 1 to 100: all of it */
    assert_true(a->flags[0] == (GN_BOX_DIFFICULT | GN_BOX_TRUNCATED) && a->flags[1] == 0);
    assert_int_equal(set_sample(d, GN_SPLIT_TRAIN, "b.png")->n_boxes, 0);
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "d.png"), 0, 32, 0, 64, 32));
    assert_int_equal(gn_dataset_problem_counts(d).bad_list_lines, 1);
    assert_true(set_has_problem(d, "train.txt", 3, "gone.xml"));
    gn_dataset_close(&d);
    fixture_zip_folder(state, "kit.zip", "VOCdevkit", "VOCdevkit/");
    d = set_open(fixture_path(state, "kit.zip"));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 3);
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "a.png"), 0, 10, 5, 30, 35));
    gn_dataset_close(&d);
}

/* XML beside the pictures per split, pictures of another ending, and a list of classes; one corner at 0 and all count from there. */
static void test_flat(void **state)
{
    fixture_picture(state, "train/a.jpg", 100, 50, 1);
    fixture_picture(state, "valid/b.jpg", 64, 64, 2);
    fixture_write(state, "train/a.xml", ANNOTATION("a.bmp", OBJECT("dog", "", BOX("0", "5", "30", "35"))));
    fixture_write(state, "valid/b.xml", ANNOTATION("other.jpg", OBJECT("cat", "", BOX("8", "8", "16.5", "24"))));
    fixture_write(state, "classes.txt", "dog\nunicorn\ncat\n");
    gn_dataset *d = set_open(fixture_path(state, "."));
    assert_string_equal(gn_dataset_class_name(d, 1), "unicorn");
    assert_int_equal(gn_dataset_classes(d), 3);
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "a.jpg"), 0, 0, 5, 30, 35));
    assert_true(set_box_is(set_sample(d, GN_SPLIT_VAL, "b.jpg"), 0, 8, 8, 16.5, 24));
    assert_int_equal(set_sample(d, GN_SPLIT_VAL, "b.jpg")->cls[0], 2);
    gn_dataset_close(&d);
}

static void test_everything_wrong(void **state)
{
    for (int i = 0; i < 8; i++) {
        char name[64];
        snprintf(name, sizeof name, "images/p%d.png", i);
        fixture_picture(state, name, 64, 64, (unsigned)i + 1);
    }
    fixture_write(state, "xml/p0.xml", ANNOTATION("p0.png", OBJECT("x", "", BOX("2", "2", "10", "10"))));
    fixture_write(state, "xml/p1.xml", "<annotation><object>");
    fixture_write(state, "xml/p2.xml",
                  ANNOTATION("p2.png", SIZE("64", "48") OBJECT("x", "", BOX("2", "2", "10", "10"))));
    fixture_write(
        state, "xml/p3.xml",
        ANNOTATION("p3.png", OBJECT("x", "", BOX("2", "2", "90", "10")) OBJECT("x", "", BOX("9", "2", "7", "10"))));
    fixture_write(state, "xml/p4.xml",
                  ANNOTATION("p4.png", OBJECT("x", "", "") OBJECT("", "", BOX("2", "2", "9", "9"))));
    fixture_write(
        state, "xml/p5.xml",
        ANNOTATION("p5.png", OBJECT("x", "", BOX("2", "two", "9", "9")) OBJECT("x", "", BOX("2", "2", "9", "9"))));
    fixture_write(state, "xml/p6.xml", ANNOTATION("p6.png", SIZE("0", "0") OBJECT("x", "", BOX("3", "3", "3", "3"))));
    fixture_write(state, "xml/gone.xml", ANNOTATION("gone.png", OBJECT("x", "", BOX("2", "2", "10", "10"))));
    gn_dataset *d = set_open(fixture_path(state, "xml"));
    const gn_problem_counts c = gn_dataset_problem_counts(d);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 4); /* p0, p3, p5, p6 */
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "p3.png"), 0, 1, 1, 64, 10));
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "p6.png"), 0, 2, 2, 3, 3)); /* one pixel is no empty box */
    assert_int_equal(c.missing_pictures, 1);
    assert_int_equal(c.wrong_sizes, 1);
    assert_int_equal(c.clipped_boxes, 1);
    assert_int_equal(c.empty_boxes, 1);
    assert_int_equal(c.spoilt_pictures, 2); /* p1, p4 */
    assert_true(set_has_problem(d, "p1.xml", 1, "damaged or cut off"));
    assert_true(set_has_problem(d, "p4.xml", 3, "no <xmin>"));
    assert_true(set_has_problem(d, "p4.xml", 4, "no <name>"));
    assert_true(set_has_problem(d, "p5.xml", 3, "no <ymin>"));
    assert_true(set_has_problem(d, "p3.xml", 4, "has no area"));
    gn_dataset_close(&d);
    fixture_write(state, "none/a.xml", ANNOTATION("p0.png", ""));
    set_refuse(fixture_path(state, "none"), GN_EDATA, "no annotation in this set has an object");
}

/* The XML files and the YOLO labels of the real faces were made of the same boxes: they agree within a pixel. */
static void test_real_faces(void **state)
{
    (void)state;
    char xml[1024], yolo[1024];
    if (fixture_real_data() == NULL)
        skip();
    snprintf(xml, sizeof xml, "%s/faces/annotations_voc", fixture_real_data());
    snprintf(yolo, sizeof yolo, "%s/faces/data.yaml", fixture_real_data());
    if (!gn_path_is_dir(xml) || !gn_path_exists(yolo))
        skip();
    gn_dataset *v = set_open(xml), *y = set_open(yolo);
    int64_t compared = 0;
    double worst = 0;
    assert_int_equal(gn_dataset_count(v, GN_SPLIT_TRAIN), 853);
    assert_int_equal(gn_dataset_problem_count(v), 0);
    assert_int_equal(gn_dataset_classes(v), 3);
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        for (int64_t i = 0; i < gn_dataset_count(y, (gn_split)s); i++) {
            const gn_sample *b = gn_dataset_sample(y, (gn_split)s, i);
            const gn_sample *a = set_sample(v, GN_SPLIT_TRAIN, gn_path_name(b->path) - 1);
            assert_int_equal(a->n_boxes, b->n_boxes);
            for (int k = 0; k < a->n_boxes; k++, compared++) {
                worst = fmax(worst, fabs((double)(a->box[k].x1 - b->box[k].x1)) * a->width);
                worst = fmax(worst, fabs((double)(a->box[k].y1 - b->box[k].y1)) * a->height);
                worst = fmax(worst, fabs((double)(a->box[k].x2 - b->box[k].x2)) * a->width);
                worst = fmax(worst, fabs((double)(a->box[k].y2 - b->box[k].y2)) * a->height);
            }
        }
    assert_int_equal(compared, 4072);
    assert_true(worst < 1.001);
    gn_dataset_close(&v);
    gn_dataset_close(&y);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parser),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_damage),
        cmocka_unit_test_setup_teardown(test_devkit, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_flat, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_everything_wrong, fixture_setup, fixture_teardown),
        cmocka_unit_test(test_real_faces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
