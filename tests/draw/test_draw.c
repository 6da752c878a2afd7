/* Boxes with labels, contact sheets, plots.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "draw/draw.h"
#include "draw/plot.h"

static gn_image flat_picture(int width, int height, uint8_t grey)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    memset(image.data, grey, image.stride_bytes * (size_t)height);
    return image;
}

static const uint8_t *pixel(const gn_image *image, int x, int y)
{
    return image->data + (size_t)y * image->stride_bytes + (size_t)x * 3;
}

static int count_changed(const gn_image *image, uint8_t grey, int x1, int y1, int x2, int y2)
{
    int n = 0;
    for (int y = y1; y < y2; y++)
        for (int x = x1; x < x2; x++) {
            const uint8_t *p = pixel(image, x, y);
            n += p[0] != grey || p[1] != grey || p[2] != grey;
        }
    return n;
}

static void test_box_frames_in_their_colours(void **state)
{
    (void)state;
    gn_image image = flat_picture(200, 150, 80);
    const gn_draw_box boxes[2] = {{20, 60, 80, 140}, {110, 50, 180, 130}};
    const gn_colour colours[2] = {{255, 0, 0}, {0, 255, 0}};
    assert_int_equal(gn_draw_boxes(&image, boxes, 2, colours, NULL, 4.0f), GN_OK);
    assert_true(pixel(&image, 20, 100)[0] > 200 && pixel(&image, 20, 100)[1] < 60);
    assert_true(pixel(&image, 180, 90)[1] > 200 && pixel(&image, 180, 90)[0] < 60);
    assert_int_equal(count_changed(&image, 80, 30, 70, 70, 130), 0); /* inside of a box stays */
    assert_int_equal(count_changed(&image, 80, 0, 0, 200, 40), 0);
    gn_image_deinit(&image);
}

static void test_label_stays_inside_the_picture(void **state)
{
    (void)state;
    const gn_draw_box at_corner = {180, 2, 199, 30}, in_middle = {20, 60, 150, 140};
    const char *labels[1] = {"face 0.93"};
    gn_image image = flat_picture(200, 150, 80);
    assert_int_equal(gn_draw_boxes(&image, &in_middle, 1, NULL, labels, 2.0f), GN_OK);
    assert_true(count_changed(&image, 80, 20, 44, 60, 57) > 300); /* a filled ground above the box */
    gn_image_deinit(&image);
    image = flat_picture(200, 150, 80);
    assert_int_equal(gn_draw_boxes(&image, &at_corner, 1, NULL, labels, 2.0f), GN_OK);
    assert_true(count_changed(&image, 80, 140, 0, 175, 20) > 200); /* pushed left, below the upper edge */
    gn_image_deinit(&image);
}

static void test_odd_boxes_do_no_harm(void **state)
{
    (void)state;
    gn_image image = flat_picture(64, 64, 10);
    const gn_draw_box boxes[3] = {{NAN, 0, 5, 5}, {-1e9f, -1e9f, 1e9f, 1e9f}, {INFINITY, 1, 2, 3}};
    const char *labels[3] = {"a", NULL, "\xff\xfe"};
    assert_int_equal(gn_draw_boxes(&image, boxes, 3, NULL, labels, 0.0f), GN_OK);
    gn_image_deinit(&image);
    uint8_t grey_pixels[16] = {0};
    gn_image grey = gn_image_view(4, 4, 1, grey_pixels);
    assert_int_equal(gn_draw_boxes(&grey, boxes, 1, NULL, NULL, 0.0f), GN_EINVAL);
}

static void test_contact_sheet_places_tiles(void **state)
{
    (void)state;
    gn_image tiles[5];
    const char *captions[5] = {"one", NULL, "three", "", "five"};
    for (int i = 0; i < 5; i++)
        tiles[i] = flat_picture(40 + 30 * i, 50, (uint8_t)(40 * i));
    gn_image sheet;
    assert_int_equal(gn_draw_contact_sheet(tiles, captions, 5, 3, 96, &sheet), GN_OK);
    assert_true(sheet.width >= 3 * 96 && sheet.width < 3 * 96 + 60);
    assert_true(sheet.height >= 2 * 96);
    assert_int_equal(pixel(&sheet, sheet.width / 2, 54)[0], 40);                  /* middle tile of row 1 */
    assert_int_equal(pixel(&sheet, sheet.width - 54, 54)[0], 80);                 /* third */
    assert_int_equal(pixel(&sheet, sheet.width - 54, sheet.height - 60)[0], 255); /* sixth place is empty */
    gn_image_deinit(&sheet);
    assert_int_equal(gn_draw_contact_sheet(tiles, NULL, 0, 3, 96, &sheet), GN_EINVAL);
    assert_int_equal(gn_draw_contact_sheet(tiles, NULL, 5, 0, 96, &sheet), GN_EINVAL);
    assert_int_equal(gn_draw_contact_sheet(tiles, NULL, 5, 3, 8, &sheet), GN_EINVAL);
    for (int i = 0; i < 5; i++)
        gn_image_deinit(&tiles[i]);
}

/* Sum of x of pixels near a colour, and their number. */
static int find_colour(const gn_image *image, gn_colour c, int *x_min, int *x_max)
{
    int n = 0;
    *x_min = image->width;
    *x_max = -1;
    for (int y = 0; y < image->height; y++)
        for (int x = 0; x < image->width; x++) {
            const uint8_t *p = pixel(image, x, y);
            if (abs(p[0] - c.r) + abs(p[1] - c.g) + abs(p[2] - c.b) > 30)
                continue;
            n++;
            *x_min = x < *x_min ? x : *x_min;
            *x_max = x > *x_max ? x : *x_max;
        }
    return n;
}

static void test_plot_draws_every_series(void **state)
{
    (void)state;
    const double x[4] = {1, 2, 3, 4}, up[4] = {1, 2, 3, 4}, gap[4] = {4, NAN, 2, 1};
    const gn_plot_series series[2] = {
        {.label = "up", .x = x, .y = up, .n = 4, .has_colour = true, .colour = {255, 0, 0}},
        {.label = NULL, .x = x, .y = gap, .n = 4, .is_scatter = true, .has_colour = true, .colour = {0, 0, 255}},
    };
    const gn_plot plot = {.title = "t", .x_label = "x", .y_label = "y", .series = series, .n_series = 2};
    gn_image image;
    int from, to;
    assert_int_equal(gn_plot_render(&plot, 1, 1, 400, 300, &image), GN_OK);
    assert_int_equal(image.width, 400);
    assert_true(find_colour(&image, series[0].colour, &from, &to) > 300);
    assert_true(to - from > 280); /* the line spans the frame */
    const int blue = find_colour(&image, series[1].colour, &from, &to);
    assert_true(blue > 3 * 25 && blue < 4 * 60); /* three markers of radius 4 */
    gn_image_deinit(&image);
}

static void test_plot_without_data_and_extremes(void **state)
{
    (void)state;
    const double zero[1] = {0.0}, huge[2] = {-1e300, 1e300}, tiny[2] = {1e-300, 2e-300};
    const gn_plot_series series[3] = {{.label = "z", .x = zero, .y = zero, .n = 1},
                                      {.label = "h", .x = huge, .y = huge, .n = 2},
                                      {.label = "t", .x = tiny, .y = tiny, .n = 2}};
    gn_plot panels[5] = {{.title = "none"},
                         {.series = &series[0], .n_series = 1},
                         {.series = &series[1], .n_series = 1},
                         {.series = &series[2], .n_series = 1, .is_log_x = true, .is_log_y = true},
                         {.series = &series[0], .n_series = 1, .is_log_y = true}};
    gn_image image;
    assert_int_equal(gn_plot_render(panels, 5, 2, 200, 150, &image), GN_OK);
    assert_int_equal(image.width, 400);
    assert_int_equal(image.height, 450);
    gn_image_deinit(&image);
    assert_int_equal(gn_plot_render(panels, 0, 2, 200, 150, &image), GN_EINVAL);
    assert_int_equal(gn_plot_render(panels, 1, 2, 20, 150, &image), GN_EINVAL);
}

static void test_plot_files(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    char dir[200], path[256];
    snprintf(dir, sizeof dir, "%s/gn_plot_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(dir));
    const double x[2] = {0, 1};
    const gn_plot_series series = {.label = "s", .x = x, .y = x, .n = 2};
    const gn_plot plot = {.series = &series, .n_series = 1};
    gn_error err = {0};
    snprintf(path, sizeof path, "%s/a.png", dir);
    assert_int_equal(gn_plot_save(path, &plot, 1, 1, 200, 150, &err), GN_OK);
    gn_image_info info;
    assert_int_equal(gn_image_size_of_file(path, &info, NULL), GN_OK);
    assert_int_equal(info.width, 200);
    remove(path);
    snprintf(path, sizeof path, "%s/a.svg", dir);
    assert_int_equal(gn_plot_save(path, &plot, 1, 1, 200, 150, &err), GN_OK);
    char *svg;
    size_t n;
    assert_int_equal(gn_file_read(path, 1 << 20, &svg, &n, NULL), GN_OK);
    assert_non_null(strstr(svg, "<svg"));
    assert_non_null(strstr(svg, "</svg>"));
    gn_free(svg);
    remove(path);
    snprintf(path, sizeof path, "%s/a.pdf", dir);
    assert_int_equal(gn_plot_save(path, &plot, 1, 1, 200, 150, &err), GN_EINVAL);
    snprintf(path, sizeof path, "%s/none/a.svg", dir);
    assert_int_not_equal(gn_plot_save(path, &plot, 1, 1, 200, 150, &err), GN_OK);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_box_frames_in_their_colours),
        cmocka_unit_test(test_label_stays_inside_the_picture),
        cmocka_unit_test(test_odd_boxes_do_no_harm),
        cmocka_unit_test(test_contact_sheet_places_tiles),
        cmocka_unit_test(test_plot_draws_every_series),
        cmocka_unit_test(test_plot_without_data_and_extremes),
        cmocka_unit_test(test_plot_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
