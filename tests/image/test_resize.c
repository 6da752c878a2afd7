/* Resize against Pillow's own figures, letterbox geometry, warp, flip, jitter.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/image.h"
#include "image/resize.h"

/* The picture of tests/oracle/make_resize_golden.py. */
static gn_image formula_picture(int width, int height, int channels)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, channels, &image), GN_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++) {
                int v = (x * 7 + y * 13 + x * y + c * 50 + (x * x) / 5) % 256;
                v = (x + 2 * y + c) % 17 == 0 ? 255 : v;
                v = (3 * x + y) % 23 == 0 ? 0 : v;
                image.data[(size_t)y * image.stride_bytes + (size_t)(x * channels + c)] = (uint8_t)v;
            }
    return image;
}

static void hex_of(const uint8_t *bytes, size_t n, char *dst)
{
    for (size_t i = 0; i < n; i++)
        snprintf(dst + 2 * i, 3, "%02x", bytes[i]);
    dst[2 * n] = '\0';
}

static void test_resize_equals_pillow(void **state)
{
    (void)state;
    FILE *file = fopen(GN_SOURCE_DIR "/tests/golden/resize_pillow.txt", "r");
    assert_non_null(file);
    char line[256];
    int n_cases = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        int channels, sw, sh, dw, dh;
        unsigned long long hash;
        char sample[64];
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%d %d %d %d %d %llx %63s", &channels, &sw, &sh, &dw, &dh, &hash, sample), 7);
        gn_image src = formula_picture(sw, sh, channels);
        gn_image dst;
        assert_int_equal(gn_resize_u8(&src, dw, dh, &dst), GN_OK);
        assert_int_equal(dst.width, dw);
        assert_int_equal(dst.height, dh);
        char got[64];
        hex_of(dst.data, strlen(sample) / 2, got);
        assert_string_equal(got, sample);
        const size_t bytes = (size_t)dw * (size_t)dh * (size_t)channels;
        assert_true(gn_hash64(dst.data, bytes, 0) == hash);
        gn_image_deinit(&src);
        gn_image_deinit(&dst);
        n_cases++;
    }
    fclose(file);
    assert_int_equal(n_cases, 12);
}

/* A view into a larger picture must give what its copy gives. */
static void test_resize_respects_stride(void **state)
{
    (void)state;
    gn_image whole = formula_picture(60, 40, 3);
    gn_image view = gn_image_view(31, 23, 3, whole.data + 5 * whole.stride_bytes + 7 * 3);
    view.stride_bytes = whole.stride_bytes;
    gn_image packed, a, b;
    assert_int_equal(gn_image_copy(&view, &packed), GN_OK);
    assert_int_equal(gn_resize_u8(&view, 12, 50, &a), GN_OK);
    assert_int_equal(gn_resize_u8(&packed, 12, 50, &b), GN_OK);
    assert_memory_equal(a.data, b.data, 12 * 50 * 3);
    gn_image_deinit(&whole);
    gn_image_deinit(&packed);
    gn_image_deinit(&a);
    gn_image_deinit(&b);
}

static void test_resize_refuses_bad_sizes(void **state)
{
    (void)state;
    gn_image src = formula_picture(4, 4, 3);
    gn_image dst;
    assert_int_equal(gn_resize_u8(&src, 0, 4, &dst), GN_EINVAL);
    assert_int_equal(gn_resize_u8(&src, 4, 70000, &dst), GN_EINVAL);
    gn_image_deinit(&src);
}

static void test_resize_f32_normalises_in_both_orders(void **state)
{
    (void)state;
    static const float mean[3] = {0.485f, 0.456f, 0.406f};
    static const float stddev[3] = {0.229f, 0.224f, 0.225f};
    enum { W = 9, H = 6 };
    float chw[3 * W * H], hwc[3 * W * H];
    gn_image src = formula_picture(30, 21, 3);
    gn_image small;
    assert_int_equal(gn_resize_u8(&src, W, H, &small), GN_OK);
    assert_int_equal(gn_resize_f32(&src, W, H, mean, stddev, GN_PIXELS_CHW, chw), GN_OK);
    assert_int_equal(gn_resize_f32(&src, W, H, mean, stddev, GN_PIXELS_HWC, hwc), GN_OK);
    for (int i = 0; i < W * H; i++)
        for (int c = 0; c < 3; c++) {
            const double want = (small.data[3 * i + c] / 255.0 - (double)mean[c]) / (double)stddev[c];
            assert_true(fabs((double)hwc[3 * i + c] - want) < 1e-6);
            assert_true(hwc[3 * i + c] == chw[c * W * H + i]);
        }
    assert_int_equal(gn_resize_f32(&small, W, H, NULL, NULL, GN_PIXELS_HWC, hwc), GN_OK);
    assert_true(fabs((double)hwc[0] - small.data[0] / 255.0) < 1e-7);
    gn_image_deinit(&src);
    gn_image_deinit(&small);
}

/* Figures worked out with Ultralytics' formula: r = min, round half to even, margins round(d -+ 0.1). */
static void test_letterbox_geometry(void **state)
{
    (void)state;
    static const struct {
        int sw, sh, dw, dh, new_w, new_h, pad_x, pad_y;
    } cases[] = {
        {640, 480, 640, 640, 640, 480, 0, 80},
        {480, 640, 640, 640, 480, 640, 80, 0},
        {1280, 720, 640, 640, 640, 360, 0, 140},
        {100, 50, 64, 64, 64, 32, 0, 16},
        {333, 500, 416, 416, 277, 416, 69, 0}, /* rest 139: 69 left, 70 right */
        {64, 64, 64, 64, 64, 64, 0, 0},
        {1000, 3, 32, 32, 32, 1, 0, 15}, /* a side never vanishes; rest 31 */
        {4, 5, 2, 10, 2, 2, 0, 4},       /* 5 * 0.5 = 2.5 rounds to even 2 */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gn_letterbox lb = gn_letterbox_make(cases[i].sw, cases[i].sh, cases[i].dw, cases[i].dh);
        assert_int_equal(lb.new_w, cases[i].new_w);
        assert_int_equal(lb.new_h, cases[i].new_h);
        assert_int_equal(lb.pad_x, cases[i].pad_x);
        assert_int_equal(lb.pad_y, cases[i].pad_y);
    }
}

static void test_letterbox_boxes_there_and_back(void **state)
{
    (void)state;
    const gn_letterbox lb = gn_letterbox_make(1280, 720, 640, 640);
    const float box[4] = {100.0f, 200.0f, 300.0f, 700.0f};
    float mapped[4], back[4];
    gn_letterbox_map(&lb, box, mapped);
    assert_true(mapped[0] == 50.0f && mapped[1] == 240.0f && mapped[2] == 150.0f && mapped[3] == 490.0f);
    gn_letterbox_unmap(&lb, mapped, back);
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(back[i] - box[i]) < 1e-3f);
    const float outside[4] = {-20.0f, 0.0f, 700.0f, 639.0f};
    gn_letterbox_unmap(&lb, outside, back);
    assert_true(back[0] == 0.0f && back[1] == 0.0f && back[2] == 1280.0f && back[3] == 720.0f);
}

static void test_letterbox_picture(void **state)
{
    (void)state;
    gn_image src, dst;
    assert_int_equal(gn_image_create(40, 20, 3, &src), GN_OK);
    memset(src.data, 200, 40 * 20 * 3);
    const gn_letterbox lb = gn_letterbox_make(40, 20, 32, 32);
    assert_int_equal(gn_letterbox_u8(&src, &lb, &dst), GN_OK);
    for (int y = 0; y < 32; y++)
        for (int x = 0; x < 32 * 3; x++)
            assert_int_equal(dst.data[(size_t)y * dst.stride_bytes + (size_t)x],
                             y >= 8 && y < 24 ? 200 : GN_LETTERBOX_FILL);
    gn_image_deinit(&src);
    gn_image_deinit(&dst);
}

static void test_warp_identity_shift_and_fill(void **state)
{
    (void)state;
    gn_image src = formula_picture(20, 15, 3);
    gn_image dst;
    const float identity[6] = {1, 0, 0, 0, 1, 0};
    assert_int_equal(gn_image_warp_affine_u8(&src, 20, 15, identity, 7, &dst), GN_OK);
    assert_memory_equal(dst.data, src.data, 20 * 15 * 3);
    gn_image_deinit(&dst);

    const float shift[6] = {1, 0, -3, 0, 1, 2}; /* picture moves 3 right, 2 up */
    assert_int_equal(gn_image_warp_affine_u8(&src, 20, 15, shift, 7, &dst), GN_OK);
    for (int y = 0; y < 15; y++)
        for (int x = 0; x < 20; x++) {
            const bool is_inside = x - 3 >= 0 && y + 2 < 15;
            const int want = is_inside ? src.data[(size_t)(y + 2) * src.stride_bytes + (size_t)(x - 3) * 3] : 7;
            assert_int_equal(dst.data[(size_t)y * dst.stride_bytes + (size_t)x * 3], want);
        }
    gn_image_deinit(&dst);

    const float endless[6] = {INFINITY, 0, 0, 0, 1, 0};
    assert_int_equal(gn_image_warp_affine_u8(&src, 20, 15, endless, 7, &dst), GN_EINVAL);
    const float far_away[6] = {1e30f, 0, 0, 0, 1, 0};
    assert_int_equal(gn_image_warp_affine_u8(&src, 2, 1, far_away, 7, &dst), GN_OK);
    assert_int_equal(dst.data[3], 7);
    gn_image_deinit(&dst);
    gn_image_deinit(&src);
}

/* Doubling by warp samples at quarter positions: a two-pixel ramp gives 0, 25, 75, 100 per cent. */
static void test_warp_scales_about_pixel_edges(void **state)
{
    (void)state;
    uint8_t pixels[2] = {0, 200};
    gn_image src = gn_image_view(2, 1, 1, pixels);
    gn_image dst;
    const float half[6] = {0.5f, 0, 0, 0, 1, 0};
    assert_int_equal(gn_image_warp_affine_u8(&src, 4, 1, half, 0, &dst), GN_OK);
    assert_int_equal(dst.data[1], 50);
    assert_int_equal(dst.data[2], 150);
    gn_image_deinit(&dst);
}

static void test_flip_twice_is_identity(void **state)
{
    (void)state;
    gn_image src = formula_picture(21, 4, 3);
    gn_image flipped;
    assert_int_equal(gn_image_copy(&src, &flipped), GN_OK);
    gn_image_flip_h(&flipped);
    for (int x = 0; x < 21; x++)
        assert_memory_equal(flipped.data + x * 3, src.data + (20 - x) * 3, 3);
    gn_image_flip_h(&flipped);
    assert_memory_equal(flipped.data, src.data, 21 * 4 * 3);
    gn_image_deinit(&src);
    gn_image_deinit(&flipped);
}

static void jittered(const uint8_t rgb[3], float b, float c, float s, float h, uint8_t *out)
{
    memcpy(out, rgb, 3);
    gn_image one = gn_image_view(1, 1, 3, out);
    gn_image_jitter(&one, b, c, s, h);
}

static void test_jitter_formulas(void **state)
{
    (void)state;
    const uint8_t rgb[3] = {200, 100, 40};
    uint8_t out[3];
    jittered(rgb, 1, 1, 1, 0, out);
    assert_memory_equal(out, rgb, 3);
    jittered(rgb, 0.5f, 1, 1, 0, out);
    assert_int_equal(out[0], 100);
    assert_int_equal(out[2], 20);
    jittered(rgb, 2.0f, 1, 1, 0, out);
    assert_int_equal(out[0], 255);
    jittered(rgb, 1, 1, 0, 0, out); /* grey: 0.299*200 + 0.587*100 + 0.114*40 = 123.06 */
    assert_int_equal(out[0], 123);
    assert_int_equal(out[1], 123);
    jittered(rgb, 1, 0, 1, 0, out); /* contrast 0: the mean grey of the one pixel */
    assert_int_equal(out[2], 123);
    jittered(rgb, 1, 1, 1, 1.0f / 3.0f, out); /* a third of a turn: channels move on by one */
    assert_int_equal(out[1], 200);
    assert_int_equal(out[2], 100);
    assert_int_equal(out[0], 40);
}

static void test_hsv_gains(void **state)
{
    (void)state;
    gn_image src = formula_picture(30, 30, 3);
    gn_image same;
    assert_int_equal(gn_image_copy(&src, &same), GN_OK);
    gn_image_hsv(&same, 0.0f, 1.0f, 1.0f);
    for (int i = 0; i < 30 * 30 * 3; i++)
        assert_int_equal(same.data[i], src.data[i]);
    uint8_t pixel[3] = {200, 100, 40};
    gn_image one = gn_image_view(1, 1, 3, pixel);
    gn_image_hsv(&one, 0.0f, 0.0f, 0.5f);
    for (int c = 0; c < 3; c++)
        assert_int_equal(pixel[c], 100);
    gn_image_deinit(&src);
    gn_image_deinit(&same);
}

static int bits(uint64_t x)
{
    int n = 0;
    for (; x != 0; x &= x - 1)
        n++;
    return n;
}

static void test_fingerprint_tells_pictures_apart(void **state)
{
    (void)state;
    gn_image a, small, mirrored;
    assert_int_equal(gn_image_create(120, 90, 3, &a), GN_OK);
    for (int y = 0; y < 90; y++)
        for (int x = 0; x < 120; x++)
            for (int c = 0; c < 3; c++)
                a.data[(size_t)y * a.stride_bytes + (size_t)(x * 3 + c)] =
                    (uint8_t)(128 + 100 * sin(x * 0.07 + y * 0.11) * cos(y * 0.05 - x * 0.02));
    assert_int_equal(gn_resize_u8(&a, 64, 48, &small), GN_OK);
    assert_int_equal(gn_image_copy(&a, &mirrored), GN_OK);
    gn_image_flip_h(&mirrored);
    const uint64_t hash = gn_image_fingerprint(&a);
    assert_true(bits(hash ^ gn_image_fingerprint(&small)) <= 3);
    assert_true(bits(hash ^ gn_image_fingerprint(&mirrored)) > 20);
    gn_image_deinit(&a);
    gn_image_deinit(&small);
    gn_image_deinit(&mirrored);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_equals_pillow),
        cmocka_unit_test(test_resize_respects_stride),
        cmocka_unit_test(test_resize_refuses_bad_sizes),
        cmocka_unit_test(test_resize_f32_normalises_in_both_orders),
        cmocka_unit_test(test_letterbox_geometry),
        cmocka_unit_test(test_letterbox_boxes_there_and_back),
        cmocka_unit_test(test_letterbox_picture),
        cmocka_unit_test(test_warp_identity_shift_and_fill),
        cmocka_unit_test(test_warp_scales_about_pixel_edges),
        cmocka_unit_test(test_flip_twice_is_identity),
        cmocka_unit_test(test_jitter_formulas),
        cmocka_unit_test(test_hsv_gains),
        cmocka_unit_test(test_fingerprint_tells_pictures_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
