/* A cairo drawing surface over our own memory.
 * SPDX-License-Identifier: Apache-2.0 */
#include "draw/canvas.h"

#include <stddef.h>
#include <string.h>

#include "base/memory.h"

#ifdef __SANITIZE_ADDRESS__
/* Asked by the leak checker of sanitizer builds: fontconfig, behind cairo's text, keeps its tables until the process ends. */
const char *__lsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}

/* And no table of what was passed over at the end of each program. */
const char *__lsan_default_options(void);
__attribute__((visibility("default"))) const char *__lsan_default_options(void)
{
    return "print_suppressions=0";
}
#endif

#ifdef __SANITIZE_THREAD__
/* Asked by the race checker of sanitizer builds: cairo hands contexts from thread to thread through atomics that it cannot see,
 * since the library is not built with it. */
const char *__tsan_default_suppressions(void);
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libcairo.so\ncalled_from_lib:libpixman-1.so\ncalled_from_lib:libfontconfig.so\n";
}
#endif

/* cairo's largest surface side */
enum { MAX_SIDE = 32767 };

gn_status gn_canvas_init(gn_canvas *canvas, int width, int height)
{
    memset(canvas, 0, sizeof *canvas);
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
        return GN_EINVAL;
    canvas->width = width;
    canvas->height = height;
    canvas->stride_bytes = cairo_format_stride_for_width(CAIRO_FORMAT_RGB24, width);
    canvas->pixels = gn_calloc((size_t)height, (size_t)canvas->stride_bytes);
    if (canvas->pixels == NULL)
        return GN_ENOMEM;
    canvas->surface =
        cairo_image_surface_create_for_data(canvas->pixels, CAIRO_FORMAT_RGB24, width, height, canvas->stride_bytes);
    canvas->cr = cairo_create(canvas->surface);
    if (cairo_status(canvas->cr) != CAIRO_STATUS_SUCCESS) {
        gn_canvas_deinit(canvas);
        return GN_ENOMEM;
    }
    return GN_OK;
}

void gn_canvas_deinit(gn_canvas *canvas)
{
    if (canvas->cr != NULL)
        cairo_destroy(canvas->cr);
    if (canvas->surface != NULL)
        cairo_surface_destroy(canvas->surface);
    gn_free(canvas->pixels);
    memset(canvas, 0, sizeof *canvas);
}

void gn_canvas_put(gn_canvas *canvas, const gn_image *image, int x, int y)
{
    cairo_surface_flush(canvas->surface);
    for (int row = 0; row < image->height; row++) {
        const int to_y = y + row;
        if (to_y < 0 || to_y >= canvas->height)
            continue;
        const uint8_t *src = image->data + (size_t)row * image->stride_bytes;
        uint32_t *dst = (uint32_t *)(void *)(canvas->pixels + (size_t)to_y * (size_t)canvas->stride_bytes);
        for (int column = 0; column < image->width; column++, src += image->channels) {
            const int to_x = x + column;
            if (to_x < 0 || to_x >= canvas->width)
                continue;
            const uint32_t r = src[0];
            const uint32_t g = image->channels == 3 ? src[1] : r;
            const uint32_t b = image->channels == 3 ? src[2] : r;
            dst[to_x] = r << 16 | g << 8 | b;
        }
    }
    cairo_surface_mark_dirty(canvas->surface);
}

gn_status gn_canvas_take(gn_canvas *canvas, gn_image *image_out)
{
    gn_image image;
    if (cairo_status(canvas->cr) != CAIRO_STATUS_SUCCESS)
        return GN_ENOMEM;
    GN_TRY(gn_image_create(canvas->width, canvas->height, 3, &image));
    cairo_surface_flush(canvas->surface);
    for (int y = 0; y < image.height; y++) {
        const uint32_t *src =
            (const uint32_t *)(const void *)(canvas->pixels + (size_t)y * (size_t)canvas->stride_bytes);
        uint8_t *dst = image.data + (size_t)y * image.stride_bytes;
        for (int x = 0; x < image.width; x++, dst += 3) {
            dst[0] = (uint8_t)(src[x] >> 16 & 0xFF);
            dst[1] = (uint8_t)(src[x] >> 8 & 0xFF);
            dst[2] = (uint8_t)(src[x] & 0xFF);
        }
    }
    *image_out = image;
    return GN_OK;
}
