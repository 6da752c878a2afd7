/* Data sets from lists: WIDER FACE, Open Images, Darknet's .data; and label files beside the pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "data_fixture.h"
#include "set_checks.h"

#define OI_HEADER                                                                                                      \
    "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,IsDepiction,IsInside\n"

static void test_wider(void **state)
{
    fixture_picture(state, "WIDER_train/images/0--Parade/a.jpg", 100, 50, 1);
    fixture_picture(state, "WIDER_train/images/0--Parade/b.jpg", 64, 64, 2);
    fixture_picture(state, "WIDER_val/images/1--x/c.jpg", 64, 64, 3);
    fixture_picture(state, "WIDER_train/images/0--Parade/d.jpg", 64, 64, 4);
    fixture_write(state, "wider_face_split/wider_face_train_bbx_gt.txt",
                  "0--Parade/a.jpg\n3\n10 5 20 30 0 0 0 0 0 0 \n40 5 20 30 2 0 0 1 0 0 \n60 5 0 4 0 0 0 0 0 0 \n"
                  "0--Parade/b.jpg\n0\n0 0 0 0 0 0 0 0 0 0 \n"
                  "0--Parade/gone.jpg\n1\n10 5 20 30 0 0 0 0 0 0 \n"
                  "0--Parade/d.jpg\n2\n60 60 20 30 0 0 0 0 0 0 \na b c d\n");
    fixture_write(state, "wider_face_split/wider_face_val_bbx_gt.txt", "1--x/c.jpg\r\n1\r\n1 2 3 4 0 0 0 0 0 0\r\n");
    gn_dataset *d = set_open(fixture_path(state, "."));
    assert_string_equal(gn_dataset_format(d), "WIDER FACE");
    assert_int_equal(gn_dataset_classes(d), 1);
    assert_string_equal(gn_dataset_class_name(d, 0), "face");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 3);
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 1);
    const gn_sample *a = set_sample(d, GN_SPLIT_TRAIN, "a.jpg");
    assert_int_equal(a->n_boxes, 2);
    assert_true(set_box_is(a, 0, 10, 5, 30, 35) && set_box_is(a, 1, 40, 5, 60, 35));
    assert_true(a->flags[0] == 0 && a->flags[1] == GN_BOX_DIFFICULT);
    assert_int_equal(set_sample(d, GN_SPLIT_TRAIN, "b.jpg")->n_boxes, 0);
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "d.jpg"), 0, 60, 60, 64, 64));
    assert_true(set_box_is(set_sample(d, GN_SPLIT_VAL, "c.jpg"), 0, 1, 2, 4, 6));
    const gn_problem_counts c = gn_dataset_problem_counts(d);
    assert_true(c.empty_boxes == 1 && c.missing_pictures == 1 && c.orphan_boxes == 1 && c.clipped_boxes == 1);
    assert_int_equal(c.bad_label_lines, 1);
    assert_true(set_has_problem(d, "train_bbx_gt.txt", 5, "has no area"));
    assert_true(set_has_problem(d, "train_bbx_gt.txt", 9, "gone.jpg"));
    assert_true(set_has_problem(d, "train_bbx_gt.txt", 15, "'a b c d' is no face"));
    gn_dataset_close(&d);
    d = set_open(fixture_path(state, "wider_face_split/wider_face_val_bbx_gt.txt"));
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 1);
    gn_dataset_close(&d);
    fixture_write(state, "cut.txt", "WIDER_train/images/0--Parade/a.jpg\n3\n1 2 3 4\n5 6 7 8\n");
    set_refuse(fixture_path(state, "cut.txt"), GN_EFORMAT, "ends with face 2 of 3");
    fixture_write(state, "shifted.txt", "WIDER_train/images/0--Parade/a.jpg\n2\n1 2 3 4\nb.jpg\n1\n5 6 7 8\n");
    set_refuse(fixture_path(state, "shifted.txt"), GN_EFORMAT, "a picture's name where face 2 of 2");
    fixture_write(state, "counts.txt", "WIDER_train/images/0--Parade/a.jpg\n1\n1 2 3 4\n5 6 7 8\n");
    set_refuse(fixture_path(state, "counts.txt"), GN_EFORMAT, "expected the name of a picture");
    fixture_write(state, "words.txt", "hello\nworld\n");
    set_refuse(fixture_path(state, "words.txt"), GN_EUNSUPPORTED, "not a known kind");
}

static void test_open_images(void **state)
{
    fixture_picture(state, "validation/0001.jpg", 200, 100, 1);
    fixture_picture(state, "validation/0002.png", 64, 64, 2);
    fixture_write(state, "class-descriptions-boxable.csv",
                  "/m/01g317,Person\n/m/0bt9lr,Dog\n/m/x,\"Cat, big\"\n/m/none,Unicorn\n");
    fixture_write(state, "validation-annotations-bbox.csv",
                  OI_HEADER "0001,xclick,/m/01g317,1,0.1,0.5,0.25,0.75,0,1,0,0,0\r\n"
                            "0001,xclick,/m/0bt9lr,1,0,1,0,1,0,0,1,0,0\n"
                            "0002,xclick,/m/x,1,0.5,1.25,0.5,0.75,0,0,0,0,0\n"
                            "0003,xclick,/m/x,1,0.5,0.75,0.5,0.75,0,0,0,0,0\n"
                            "0003,xclick,/m/x,1,0.5,0.75,0.5,0.75,0,0,0,0,0\n"
                            "0002,xclick,/m/x,1,0.5,abc,0.5,0.75,0,0,0,0,0\n"
                            "0002,xclick,/m/x,1,0.5\n"
                            "0002,xclick,/m/y,1,0.25,0.25,0.5,0.75,0,0,0,0,0\n");
    gn_dataset *d = set_open(fixture_path(state, "validation-annotations-bbox.csv"));
    assert_string_equal(gn_dataset_format(d), "Open Images");
    assert_int_equal(gn_dataset_classes(d), 4); /* those that the boxes name, one of them without a name of its own */
    assert_string_equal(gn_dataset_class_name(d, 0), "/m/y");
    assert_string_equal(gn_dataset_class_name(d, 1), "Cat, big");
    assert_string_equal(gn_dataset_class_name(d, 2), "Dog");
    assert_string_equal(gn_dataset_class_name(d, 3), "Person");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_VAL), 2);
    const gn_sample *a = set_sample(d, GN_SPLIT_VAL, "0001.jpg"), *b = set_sample(d, GN_SPLIT_VAL, "0002.png");
    assert_true(set_box_is(a, 0, 20, 25, 100, 75) && a->cls[0] == 3 && a->cls[1] == 2);
    assert_true(a->flags[0] == GN_BOX_TRUNCATED && a->flags[1] == GN_BOX_CROWD);
    assert_int_equal(b->n_boxes, 1);
    assert_true(set_box_is(b, 0, 32, 32, 64, 48));
    const gn_problem_counts c = gn_dataset_problem_counts(d);
    assert_true(c.missing_pictures == 1 && c.orphan_boxes == 2 && c.clipped_boxes == 1 && c.empty_boxes == 1);
    assert_int_equal(c.bad_label_lines, 2);
    assert_true(set_has_problem(d, ".csv", 5, "0003"));
    assert_true(set_has_problem(d, ".csv", 7, "'abc' is no XMax"));
    assert_true(set_has_problem(d, ".csv", 8, "5 columns; the header has 13"));
    gn_dataset_close(&d);
    fixture_write(state, "lost/train-annotations-bbox.csv", OI_HEADER "9,x,/m/x,1,0.5,0.75,0.5,0.75,0,0,0,0,0\n");
    set_refuse(fixture_path(state, "lost/train-annotations-bbox.csv"), GN_EDATA, "no box of this file");
}

static void test_darknet(void **state)
{
    fixture_picture(state, "data/obj/a.png", 100, 50, 1);
    fixture_write(state, "data/obj/a.txt", "1 0.5 0.5 0.25 0.5\n");
    fixture_picture(state, "data/VOC/JPEGImages/b.png", 64, 64, 2);
    fixture_write(state, "data/VOC/labels/b.txt", "0 0.5 0.5 0.5 0.5\n");
    fixture_picture(state, "data/images/c.png", 64, 64, 3);
    fixture_write(state, "data/images/c.txt",
                  "0 0.25 0.25 0.5 0.5\n"); /* beside, although there is images/ in the path */
    fixture_write(state, "data/train.txt", "data/obj/a.png\ndata/VOC/JPEGImages/b.png\n");
    fixture_write(state, "data/valid.txt", "images/c.png\n");
    fixture_write(state, "data/my.names", "cat\ndog\n");
    fixture_write(state, "cfg/my.data",
                  "classes= 2\ntrain  = data/train.txt\nvalid=data/valid.txt # \n\n# a remark\nnames = data/my.names\n"
                  "backup = backup/\n");
    fixture_write(state, "cfg/fine.data",
                  "classes= 2\r\ntrain  = data/train.txt\r\nvalid = data/valid.txt\r\nnames = data/my.names\r\n");
    gn_dataset *d = set_open(fixture_path(state, "cfg/fine.data"));
    assert_string_equal(gn_dataset_format(d), "Darknet .data");
    assert_int_equal(gn_dataset_classes(d), 2);
    assert_string_equal(gn_dataset_class_name(d, 1), "dog");
    assert_int_equal(gn_dataset_count(d, GN_SPLIT_TRAIN), 2);
    assert_int_equal(set_sample(d, GN_SPLIT_TRAIN, "a.png")->cls[0], 1);
    assert_true(set_box_is(set_sample(d, GN_SPLIT_TRAIN, "b.png"), 0, 16, 16, 48, 48));
    assert_true(set_box_is(set_sample(d, GN_SPLIT_VAL, "c.png"), 0, 0, 0, 32, 32));
    assert_int_equal(gn_dataset_problem_count(d), 0);
    gn_dataset_close(&d);
    d = set_open(fixture_path(state, "cfg/my.data")); /* Darknet knows no remarks behind a value */
    assert_true(set_has_problem(d, "my.data", 3, "no list 'data/valid.txt #'"));
    gn_dataset_close(&d);
    fixture_write(state, "cfg/n.data", "classes = 3\ntrain = data/train.txt\nnames = data/my.names\n");
    set_refuse(fixture_path(state, "cfg/n.data"), GN_EFORMAT, "classes is 3, but");
    fixture_write(state, "cfg/m.data", "classes = 3\nnames = data/none.names\ntrain = data/train.txt\n");
    set_refuse(fixture_path(state, "cfg/m.data"), GN_EDATA, "m.data:2: names: there is no file");
    fixture_write(state, "cfg/z.data", "classes = zero\ntrain = data/train.txt\n");
    set_refuse(fixture_path(state, "cfg/z.data"), GN_EFORMAT, "expected a number");
    fixture_write(state, "cfg/t.data", "just text\n");
    set_refuse(fixture_path(state, "cfg/t.data"), GN_EFORMAT, "t.data:1: found 'just text'");
    fixture_write(state, "cfg/e.data", "classes = 1\n");
    set_refuse(fixture_path(state, "cfg/e.data"), GN_EFORMAT, "neither train nor valid");
    fixture_write(state, "cfg/c.data", "train = data/train.txt\n");
    set_refuse(fixture_path(state, "cfg/c.data"), GN_EFORMAT, "how many classes");
    fixture_write_bytes(state, "cfg/b.data", "classes\0= 1\n", 12);
    set_refuse(fixture_path(state, "cfg/b.data"), GN_EFORMAT, "no text");
}

/* A YOLO box that reaches out by more than a pixel is cut off, counted and told; half a pixel is nothing. */
static void test_clipped_labels(void **state)
{
    fixture_simple_set(state, "p", 3);
    fixture_write(state, "labels/p0.txt", "0 0.1 0.5 0.4 0.5\n0 0.5 0.99 0.1 0.03\n"); /* 6.4 pixels; 0.24 */
    gn_dataset *d = set_open(fixture_path(state, "data.yaml"));
    assert_int_equal(gn_dataset_problem_counts(d).clipped_boxes, 1);
    assert_int_equal(gn_dataset_problem_count(d), 1);
    assert_true(set_has_problem(d, "labels/p0.txt", 1, "reaches outside the picture; cut off"));
    const gn_sample *s = set_sample(d, GN_SPLIT_TRAIN, "p0.png");
    assert_int_equal(s->n_boxes, 2);
    assert_true(set_box_is(s, 0, 0, 12, 19.2, 36));
    gn_dataset_close(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wider, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_open_images, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_clipped_labels, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_darknet, fixture_setup, fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
