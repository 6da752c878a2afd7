/* Decoding of every format, orientation, damage, limits; encoding.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <png.h>
#include <turbojpeg.h>
#include <webp/encode.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/image.h"

/* An encoded picture on the heap. */
typedef struct blob {
    uint8_t *bytes;
    size_t n;
} blob;

static void blob_free(blob *b)
{
    free(b->bytes);
    *b = (blob){0};
}

static blob blob_of(const void *bytes, size_t n)
{
    blob b = {malloc(n + 1), n};
    assert_non_null(b.bytes);
    memcpy(b.bytes, bytes, n);
    return b;
}

/* Inserts bytes at a position. */
static void blob_insert(blob *b, size_t at, const void *bytes, size_t n)
{
    b->bytes = realloc(b->bytes, b->n + n);
    assert_non_null(b->bytes);
    memmove(b->bytes + at + n, b->bytes + at, b->n - at);
    memcpy(b->bytes + at, bytes, n);
    b->n += n;
}

static gn_image smooth_picture(int width, int height)
{
    gn_image image;
    assert_int_equal(gn_image_create(width, height, 3, &image), GN_OK);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint8_t *p = image.data + (size_t)y * image.stride_bytes + (size_t)x * 3;
            p[0] = (uint8_t)(255 * x / width);
            p[1] = (uint8_t)(255 * y / height);
            p[2] = (uint8_t)(128 + (x + y) % 64);
        }
    return image;
}

static blob jpeg_of(const gn_image *image, int quality)
{
    void *bytes;
    size_t n;
    assert_int_equal(gn_image_encode_jpeg(image, quality, &bytes, &n), GN_OK);
    const blob b = blob_of(bytes, n);
    gn_free(bytes);
    return b;
}

static blob png_of(const gn_image *image)
{
    void *bytes;
    size_t n;
    assert_int_equal(gn_image_encode_png(image, &bytes, &n), GN_OK);
    const blob b = blob_of(bytes, n);
    gn_free(bytes);
    return b;
}

static blob webp_of(const gn_image *image)
{
    uint8_t *bytes = NULL;
    const size_t n = WebPEncodeLosslessRGB(image->data, image->width, image->height, (int)image->stride_bytes, &bytes);
    assert_true(n > 0);
    const blob b = blob_of(bytes, n);
    WebPFree(bytes);
    return b;
}

static void assert_near(const gn_image *got, const gn_image *want, int tolerance)
{
    assert_int_equal(got->width, want->width);
    assert_int_equal(got->height, want->height);
    assert_int_equal(got->channels, want->channels);
    for (int y = 0; y < got->height; y++)
        for (int x = 0; x < got->width * got->channels; x++) {
            const int a = got->data[(size_t)y * got->stride_bytes + (size_t)x];
            const int b = want->data[(size_t)y * want->stride_bytes + (size_t)x];
            if (abs(a - b) > tolerance)
                fail_msg("byte %d of row %d is %d, expected %d", x, y, a, b);
        }
}

static gn_image decoded(const blob *b)
{
    gn_image image;
    gn_error err = {0};
    const gn_status status = gn_image_decode(b->bytes, b->n, "test", NULL, &image, &err);
    if (status != GN_OK)
        fail_msg("%s", err.message);
    return image;
}

static void test_jpeg_rgb_and_grey(void **state)
{
    (void)state;
    gn_image src = smooth_picture(70, 50);
    blob b = jpeg_of(&src, 95);
    gn_image got = decoded(&b);
    assert_near(&got, &src, 24); /* the blue sawtooth loses most */
    assert_int_equal(got.full_width, 70);
    gn_image_deinit(&got);
    blob_free(&b);

    gn_image grey;
    assert_int_equal(gn_image_create(33, 20, 1, &grey), GN_OK);
    for (int i = 0; i < 33 * 20; i++)
        grey.data[i] = (uint8_t)(i % 33 * 7);
    b = jpeg_of(&grey, 100);
    got = decoded(&b);
    assert_int_equal(got.channels, 3);
    for (int i = 0; i < 33 * 20; i++) {
        assert_true(abs(got.data[3 * i] - grey.data[i]) <= 2);
        assert_int_equal(got.data[3 * i], got.data[3 * i + 1]);
        assert_int_equal(got.data[3 * i], got.data[3 * i + 2]);
    }
    gn_image_deinit(&got);
    gn_image_deinit(&grey);
    gn_image_deinit(&src);
    blob_free(&b);
}

/* Adobe's convention: stored 255 means no ink.  Four flat quarters with known colours. */
static void test_jpeg_cmyk(void **state)
{
    (void)state;
    enum { SIDE = 32 };
    static const uint8_t inks[4][4] = {
        {255, 255, 255, 255}, {0, 255, 255, 255}, {255, 255, 255, 0}, {200, 100, 50, 128}};
    static const uint8_t want[4][3] = {{255, 255, 255}, {0, 255, 255}, {0, 0, 0}, {100, 50, 25}};
    uint8_t cmyk[SIDE * SIDE * 4];
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            memcpy(cmyk + (y * SIDE + x) * 4, inks[y / 16 * 2 + x / 16], 4);
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    tjhandle tj = tjInitCompress();
    assert_int_equal(tjCompress2(tj, cmyk, SIDE, 0, SIDE, TJPF_CMYK, &bytes, &n, TJSAMP_444, 100, 0), 0);
    blob b = blob_of(bytes, n);
    tjFree(bytes);
    tjDestroy(tj);
    gn_image got = decoded(&b);
    for (int q = 0; q < 4; q++) {
        const uint8_t *p = got.data + (size_t)(q / 2 * 16 + 8) * got.stride_bytes + (size_t)(q % 2 * 16 + 8) * 3;
        for (int c = 0; c < 3; c++)
            assert_true(abs(p[c] - want[q][c]) <= 3);
    }
    gn_image_deinit(&got);
    blob_free(&b);
}

static void test_jpeg_scaled_decoding_keeps_what_is_needed(void **state)
{
    (void)state;
    gn_image src = smooth_picture(800, 600);
    blob b = jpeg_of(&src, 90);
    static const struct {
        int need_w, need_h, want_w, want_h;
    } cases[] = {{0, 0, 800, 600},     {100, 75, 100, 75},   {101, 10, 200, 150},  {10, 76, 200, 150},
                 {224, 224, 400, 300}, {800, 600, 800, 600}, {2000, 10, 800, 600}, {1, 1, 100, 75}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const gn_decode_options opt = {.need_width = cases[i].need_w, .need_height = cases[i].need_h};
        gn_image got;
        assert_int_equal(gn_image_decode(b.bytes, b.n, "test", &opt, &got, NULL), GN_OK);
        assert_int_equal(got.width, cases[i].want_w);
        assert_int_equal(got.height, cases[i].want_h);
        assert_int_equal(got.full_width, 800);
        assert_int_equal(got.full_height, 600);
        const uint8_t *centre = got.data + (size_t)(got.height / 2) * got.stride_bytes + (size_t)(got.width / 2) * 3;
        assert_true(abs(centre[0] - 127) < 8 && abs(centre[1] - 127) < 8);
        gn_image_deinit(&got);
    }
    gn_image_deinit(&src);
    blob_free(&b);
}

/* A TIFF block with one entry, in either byte order. */
static size_t exif_block(int orientation, bool is_little, uint8_t *dst)
{
    static const uint8_t little[26] = {'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0};
    static const uint8_t big[26] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1};
    memcpy(dst, is_little ? little : big, 26);
    dst[is_little ? 18 : 19] = (uint8_t)orientation;
    return 26;
}

static void insert_jpeg_exif(blob *b, int orientation, bool is_little)
{
    uint8_t segment[64] = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
    const size_t n = 10 + exif_block(orientation, is_little, segment + 10);
    blob_insert(b, 2, segment, n);
}

/* What a viewer shows for orientation k of a stored w x h picture: stored position of displayed (x,y). */
static void stored_position(int k, int w, int h, int x, int y, int *sx, int *sy)
{
    const int table[9][2] = {{0, 0}, {x, y},         {w - 1 - x, y},         {w - 1 - x, h - 1 - y}, {x, h - 1 - y},
                             {y, x}, {y, h - 1 - x}, {w - 1 - y, h - 1 - x}, {w - 1 - y, x}};
    *sx = table[k][0];
    *sy = table[k][1];
}

static void check_turned(const gn_image *got, const gn_image *stored, int k, int tolerance)
{
    const int w = stored->width, h = stored->height;
    assert_int_equal(got->width, k >= 5 ? h : w);
    assert_int_equal(got->height, k >= 5 ? w : h);
    for (int y = 0; y < got->height; y++)
        for (int x = 0; x < got->width; x++) {
            int sx, sy;
            stored_position(k, w, h, x, y, &sx, &sy);
            for (int c = 0; c < 3; c++) {
                const int a = got->data[(size_t)y * got->stride_bytes + (size_t)(x * 3 + c)];
                const int b = stored->data[(size_t)sy * stored->stride_bytes + (size_t)(sx * 3 + c)];
                if (abs(a - b) > tolerance)
                    fail_msg("orientation %d: pixel %d,%d is %d, expected %d", k, x, y, a, b);
            }
        }
}

static void test_exif_orientation_of_jpeg(void **state)
{
    (void)state;
    gn_image src = smooth_picture(48, 32);
    for (int k = 1; k <= 8; k++)
        for (int is_little = 0; is_little < 2; is_little++) {
            blob plain = jpeg_of(&src, 95);
            gn_image stored = decoded(&plain);
            insert_jpeg_exif(&plain, k, is_little != 0);
            gn_image got = decoded(&plain);
            check_turned(&got, &stored, k, 0);
            gn_image_info info;
            assert_int_equal(gn_image_size(plain.bytes, plain.n, "test", &info, NULL), GN_OK);
            assert_int_equal(info.orientation, k);
            assert_int_equal(info.width, got.width);
            assert_int_equal(info.height, got.height);
            assert_string_equal(info.format, "JPEG");
            gn_image_deinit(&got);
            gn_image_deinit(&stored);
            blob_free(&plain);
        }
    gn_image_deinit(&src);
}

/* The sizes needed are those on display, also when the stored picture lies on its side. */
static void test_scaled_decoding_of_turned_jpeg(void **state)
{
    (void)state;
    gn_image src = smooth_picture(800, 400);
    blob b = jpeg_of(&src, 90);
    insert_jpeg_exif(&b, 6, true);
    const gn_decode_options opt = {.need_width = 200, .need_height = 100};
    gn_image got;
    assert_int_equal(gn_image_decode(b.bytes, b.n, "test", &opt, &got, NULL), GN_OK);
    assert_int_equal(got.width, 200);
    assert_int_equal(got.height, 400);
    assert_int_equal(got.full_width, 400);
    assert_int_equal(got.full_height, 800);
    gn_image_deinit(&got);
    gn_image_deinit(&src);
    blob_free(&b);
}

static void test_senseless_exif_is_ignored(void **state)
{
    (void)state;
    gn_image src = smooth_picture(16, 8);
    for (int k = 0; k <= 255; k += k == 0 ? 9 : 41) {
        blob b = jpeg_of(&src, 90);
        insert_jpeg_exif(&b, k, true);
        gn_image got = decoded(&b);
        assert_int_equal(got.width, 16);
        gn_image_deinit(&got);
        blob_free(&b);
    }
    gn_image_deinit(&src);
}

/* A chunk after IHDR (33 bytes in): length, type, payload, CRC (wrong: an ancillary chunk is then skipped by libpng). */
static void test_exif_orientation_of_png_and_webp(void **state)
{
    (void)state;
    gn_image src = smooth_picture(20, 12);
    for (int k = 2; k <= 8; k++) {
        blob b = png_of(&src);
        uint8_t chunk[64] = {0, 0, 0, 26, 'e', 'X', 'I', 'f'};
        const size_t n = exif_block(k, false, chunk + 8);
        blob_insert(&b, 33, chunk, 12 + n);
        gn_image got = decoded(&b);
        check_turned(&got, &src, k, 0);
        gn_image_deinit(&got);
        blob_free(&b);
    }
    blob b = webp_of(&src);
    uint8_t chunk[64] = {'E', 'X', 'I', 'F', 26, 0, 0, 0};
    const size_t n = exif_block(6, true, chunk + 8);
    blob_insert(&b, b.n, chunk, 8 + n);
    const size_t riff = b.n - 8;
    for (int i = 0; i < 4; i++)
        b.bytes[4 + i] = (uint8_t)(riff >> (8 * i));
    gn_image got = decoded(&b);
    check_turned(&got, &src, 6, 0);
    gn_image_deinit(&got);
    gn_image_deinit(&src);
    blob_free(&b);
}

typedef struct png_case {
    int depth, type, interlace;
    size_t row_bytes;
    const uint8_t *rows; /* two rows */
    uint8_t want[12];    /* RGB of the pixels 0,1 of both rows */
} png_case;

static void append_png(png_structp png, png_bytep bytes, size_t n)
{
    blob_insert(png_get_io_ptr(png), ((blob *)png_get_io_ptr(png))->n, bytes, n);
}

static void flush_nothing(png_structp png)
{
    (void)png;
}

static blob write_png(const png_case *c, int width)
{
    blob b = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_int_equal(setjmp(png_jmpbuf(png)), 0);
    png_set_write_fn(png, &b, append_png, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)width, 2, c->depth, c->type, c->interlace, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    if (c->type == PNG_COLOR_TYPE_PALETTE) {
        static const png_color palette[4] = {{1, 2, 3}, {250, 0, 10}, {0, 99, 0}, {7, 7, 7}};
        static const png_byte alpha[2] = {0, 128};
        png_set_PLTE(png, info, palette, 4);
        png_set_tRNS(png, info, alpha, 2, NULL);
    }
    png_bytep rows[2] = {(png_bytep)(uintptr_t)c->rows, (png_bytep)(uintptr_t)(c->rows + c->row_bytes)};
    png_set_rows(png, info, rows);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    return b;
}

static void test_png_of_every_kind(void **state)
{
    (void)state;
    static const uint8_t bits1[2] = {0x40, 0x80}; /* pixels 01 and 10 */
    static const uint8_t grey4[2] = {0x0F, 0x5A};
    static const uint8_t palette2[2] = {0x10, 0xB0}; /* 0,1 and 2,3 */
    static const uint8_t rgb16[24] = {0x12, 0x34, 0xFF, 0xFF, 0, 0x7F, 0x80, 0x80, 0,    0, 1,    0x80,
                                      0,    0,    0,    0,    0, 0,    0x40, 0,    0x40, 0, 0x40, 0};
    static const uint8_t grey16_alpha[16] = {0x80, 0x80, 0, 0, 0xFF, 0xFE, 0xFF, 0xFF, 0, 1, 0, 0, 0x33, 0x33, 0, 9};
    static const uint8_t rgba[16] = {10, 20, 30, 0, 40, 50, 60, 255, 70, 80, 90, 128, 1, 2, 3, 4};
    static const png_case cases[] = {
        {1, PNG_COLOR_TYPE_GRAY, 0, 1, bits1, {0, 0, 0, 255, 255, 255, 255, 255, 255, 0, 0, 0}},
        {4, PNG_COLOR_TYPE_GRAY, 0, 1, grey4, {0, 0, 0, 255, 255, 255, 85, 85, 85, 170, 170, 170}},
        {2, PNG_COLOR_TYPE_PALETTE, 0, 1, palette2, {1, 2, 3, 250, 0, 10, 0, 99, 0, 7, 7, 7}},
        {16, PNG_COLOR_TYPE_RGB, 0, 12, rgb16, {0x12, 0xFF, 0, 0x80, 0, 1, 0, 0, 0, 0x40, 0x40, 0x40}},
        {16,
         PNG_COLOR_TYPE_GRAY_ALPHA,
         0,
         8,
         grey16_alpha,
         {0x80, 0x80, 0x80, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0x33, 0x33, 0x33}},
        {8, PNG_COLOR_TYPE_RGB_ALPHA, 1, 8, rgba, {10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        blob b = write_png(&cases[i], 2);
        gn_image got = decoded(&b);
        assert_int_equal(got.width, 2);
        assert_int_equal(got.height, 2);
        for (int k = 0; k < 12; k++) {
            /* rounding 16 to 8 bits may differ by one between versions of libpng */
            const int tolerance = cases[i].depth == 16 ? 1 : 0;
            if (abs(got.data[k] - cases[i].want[k]) > tolerance)
                fail_msg("case %zu byte %d: %d, expected %d", i, k, got.data[k], cases[i].want[k]);
        }
        gn_image_deinit(&got);
        blob_free(&b);
    }
}

static void test_lossless_formats_round_trip(void **state)
{
    (void)state;
    gn_image src = smooth_picture(37, 23);
    blob png = png_of(&src), webp = webp_of(&src);
    gn_image a = decoded(&png), b = decoded(&webp);
    assert_near(&a, &src, 0);
    assert_near(&b, &src, 0);
    gn_image_info info;
    assert_int_equal(gn_image_size(webp.bytes, webp.n, "x", &info, NULL), GN_OK);
    assert_string_equal(info.format, "WebP");
    assert_int_equal(info.width, 37);
    gn_image_deinit(&a);
    gn_image_deinit(&b);
    gn_image_deinit(&src);
    blob_free(&png);
    blob_free(&webp);
}

static void expect_refusal(const void *bytes, size_t n, gn_status status, const char *part)
{
    gn_image image;
    gn_error err = {0};
    assert_int_equal(gn_image_decode(bytes, n, "photo.jpg", NULL, &image, &err), status);
    assert_string_equal(err.file, "photo.jpg");
    if (strstr(err.message, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.message, part);
}

static void test_text_called_jpg(void **state)
{
    (void)state;
    expect_refusal("hello world, not a picture", 26, GN_EFORMAT,
                   "is not a JPEG, PNG or WebP picture (starts with \"hello world,\")");
    expect_refusal("\x01\x02\xFF", 3, GN_EFORMAT, "starts with 01 02 ff");
    expect_refusal("", 0, GN_EFORMAT, "is empty");
}

static void test_truncated_files_are_refused(void **state)
{
    (void)state;
    gn_image src = smooth_picture(64, 64);
    blob files[3] = {jpeg_of(&src, 90), png_of(&src), webp_of(&src)};
    expect_refusal(files[0].bytes, files[0].n / 2, GN_EFORMAT, "damaged or cut off");
    for (int f = 0; f < 3; f++) {
        for (size_t n = 0; n + 2 < files[f].n; n += 1 + files[f].n / 300) {
            uint8_t *cut = malloc(n + 1); /* its own block, so that a sanitizer sees a read past the end */
            assert_non_null(cut);
            memcpy(cut, files[f].bytes, n);
            gn_image image;
            gn_error err = {0};
            if (gn_image_decode(cut, n, "cut", NULL, &image, &err) != GN_EFORMAT)
                fail_msg("file %d cut to %zu of %zu bytes is not refused", f, n, files[f].n);
            assert_true(err.message[0] != '\0');
            free(cut);
        }
        blob_free(&files[f]);
    }
    gn_image_deinit(&src);
}

static void test_damaged_bytes_never_crash(void **state)
{
    (void)state;
    gn_image src = smooth_picture(24, 24);
    blob files[3] = {jpeg_of(&src, 90), png_of(&src), webp_of(&src)};
    insert_jpeg_exif(&files[0], 6, true);
    uint32_t random = 12345;
    const gn_decode_options opt = {.max_pixels = 1000000};
    for (int f = 0; f < 3; f++) {
        for (int round = 0; round < 400; round++) {
            blob b = blob_of(files[f].bytes, files[f].n);
            for (int k = 0; k < 3; k++) {
                random = random * 1664525u + 1013904223u;
                b.bytes[(random >> 8) % b.n] = (uint8_t)(random >> 24);
            }
            gn_image image;
            if (gn_image_decode(b.bytes, b.n, "damaged", &opt, &image, NULL) == GN_OK)
                gn_image_deinit(&image);
            blob_free(&b);
        }
        blob_free(&files[f]);
    }
    gn_image_deinit(&src);
}

/* Refused by the header: the file has no pixels, and no memory is taken for them. */
static void test_giant_pictures_are_refused(void **state)
{
    (void)state;
    static const uint8_t png[41] = {0x89, 'P', 'N', 'G', 13, 10,   26,   10, 0, 0,    0,    13, 'I',
                                    'H',  'D', 'R', 0,   0,  0x75, 0x30, 0,  0, 0x75, 0x30, 8,  2};
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF, 0xC0, 0,    17, 8, 0x75, 0x30, 0x75, 0x30, 3,
                                   1,    0x11, 0,    2,    0x11, 0,  3, 0x11, 0,    0xFF, 0xDA};
    const uint64_t before = gn_memory_stats_get().allocations;
    expect_refusal(png, sizeof png, GN_ELIMIT, "30000 x 30000");
    expect_refusal(jpeg, sizeof jpeg, GN_ELIMIT, "30000 x 30000");
    assert_true(gn_memory_stats_get().allocations == before);
    gn_image_info info;
    assert_int_equal(gn_image_size(jpeg, sizeof jpeg, "x", &info, NULL), GN_OK);
    assert_int_equal(info.width, 30000);

    gn_image src = smooth_picture(30, 20), got;
    blob b = png_of(&src);
    const gn_decode_options small = {.max_pixels = 599}, fits = {.max_pixels = 600};
    assert_int_equal(gn_image_decode(b.bytes, b.n, "x", &small, &got, NULL), GN_ELIMIT);
    assert_int_equal(gn_image_decode(b.bytes, b.n, "x", &fits, &got, NULL), GN_OK);
    gn_image_deinit(&got);
    gn_image_deinit(&src);
    blob_free(&b);
}

static void test_save_and_load(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    char dir[200], path[256];
    snprintf(dir, sizeof dir, "%s/gn_image_XXXXXX", tmp == NULL ? "/tmp" : tmp);
    assert_non_null(mkdtemp(dir));
    gn_image src = smooth_picture(40, 30), got;
    snprintf(path, sizeof path, "%s/a.PNG", dir);
    assert_int_equal(gn_image_save(path, &src, 90, NULL), GN_OK);
    assert_int_equal(gn_image_load(path, NULL, &got, NULL), GN_OK);
    assert_near(&got, &src, 0);
    gn_image_deinit(&got);
    gn_image_info info;
    assert_int_equal(gn_image_size_of_file(path, &info, NULL), GN_OK);
    assert_int_equal(info.height, 30);
    remove(path);
    snprintf(path, sizeof path, "%s/a.jpeg", dir);
    assert_int_equal(gn_image_save(path, &src, 90, NULL), GN_OK);
    assert_int_equal(gn_image_load(path, NULL, &got, NULL), GN_OK);
    gn_image_deinit(&got);
    remove(path);
    gn_error err = {0};
    snprintf(path, sizeof path, "%s/a.gif", dir);
    assert_int_equal(gn_image_save(path, &src, 90, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, ".gif"));
    assert_false(gn_path_exists(path));
    assert_int_equal(gn_image_load(path, NULL, &got, &err), GN_ENOENT);
    assert_true(gn_image_has_known_extension("x/y.JpG"));
    assert_true(gn_image_has_known_extension("y.webp"));
    assert_false(gn_image_has_known_extension("y.txt"));
    assert_false(gn_image_has_known_extension("jpg"));
    gn_image_deinit(&src);
    rmdir(dir);
}

/* Lets the k-th allocation fail. */
typedef struct failing_heap {
    int left;
    int live;
} failing_heap;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    failing_heap *heap = ctx;
    if (heap->left-- <= 0)
        return NULL;
    heap->live++;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void failing_free(void *ctx, void *ptr)
{
    ((failing_heap *)ctx)->live--;
    free(ptr);
}

static void test_out_of_memory_at_every_allocation(void **state)
{
    (void)state;
    gn_image src = smooth_picture(40, 24);
    blob files[3] = {jpeg_of(&src, 90), png_of(&src), webp_of(&src)};
    gn_image_deinit(&src);
    insert_jpeg_exif(&files[0], 6, false);
    for (int f = 0; f < 3; f++) {
        gn_status status = GN_ENOMEM;
        for (int k = 0; status != GN_OK; k++) {
            assert_true(k < 50);
            failing_heap heap = {.left = k};
            const gn_allocator allocator = {failing_alloc, failing_free, &heap};
            gn_set_allocator(&allocator);
            gn_image got = {0};
            status = gn_image_decode(files[f].bytes, files[f].n, "x", NULL, &got, NULL);
            assert_true(status == GN_OK || status == GN_ENOMEM);
            gn_image_deinit(&got);
            assert_int_equal(heap.live, 0);
            gn_set_allocator(NULL);
        }
        blob_free(&files[f]);
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    gn_image image;
    assert_int_equal(gn_image_create(0, 4, 3, &image), GN_EINVAL);
    assert_int_equal(gn_image_create(4, 70000, 3, &image), GN_EINVAL);
    assert_int_equal(gn_image_create(4, 4, 2, &image), GN_EINVAL);
    gn_image src = smooth_picture(4, 4);
    void *bytes;
    size_t n;
    assert_int_equal(gn_image_encode_jpeg(&src, 0, &bytes, &n), GN_EINVAL);
    assert_int_equal(gn_image_encode_jpeg(&src, 101, &bytes, &n), GN_EINVAL);
    gn_image_deinit(&src);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jpeg_rgb_and_grey),
        cmocka_unit_test(test_jpeg_cmyk),
        cmocka_unit_test(test_jpeg_scaled_decoding_keeps_what_is_needed),
        cmocka_unit_test(test_exif_orientation_of_jpeg),
        cmocka_unit_test(test_scaled_decoding_of_turned_jpeg),
        cmocka_unit_test(test_senseless_exif_is_ignored),
        cmocka_unit_test(test_exif_orientation_of_png_and_webp),
        cmocka_unit_test(test_png_of_every_kind),
        cmocka_unit_test(test_lossless_formats_round_trip),
        cmocka_unit_test(test_text_called_jpg),
        cmocka_unit_test(test_truncated_files_are_refused),
        cmocka_unit_test(test_damaged_bytes_never_crash),
        cmocka_unit_test(test_giant_pictures_are_refused),
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_out_of_memory_at_every_allocation),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
