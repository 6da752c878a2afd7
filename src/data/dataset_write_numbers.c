/* Boxes as the shortest decimals that read back as the same box; see dataset_write.h.
 * The readers round each corner to a float once, so of all decimals near it those with the fewest digits that hit the same float are
 * taken: they are the ones that stood in the file, when the box came from a file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset_write.h"

#define MOST_DIGITS  17 /* behind the point; a double has no more to say about a number below 1 */
#define NUMBER_BYTES 32

/* Drops zeros behind the point, and the point with them. */
static void trim_zeros(char *s)
{
    if (strchr(s, '.') == NULL)
        return;
    size_t n = strlen(s);
    while (s[n - 1] == '0')
        s[--n] = '\0';
    if (s[n - 1] == '.')
        s[n - 1] = '\0';
    if (strcmp(s, "-0") == 0)
        memcpy(s, "0", 2);
}

static double as_read(double value, int digits, char text[NUMBER_BYTES])
{
    snprintf(text, NUMBER_BYTES, "%.*f", digits, value);
    return strtod(text, NULL);
}

/* One axis of a YOLO box, as label_file.c reads it: corners centre -+ size / 2 as floats, cut at 0 and 1. */
static void yolo_axis(float low, float high, char centre[NUMBER_BYTES], char size[NUMBER_BYTES])
{
    const double c = ((double)low + (double)high) / 2, s = (double)high - (double)low;
    for (int digits = 1; digits <= MOST_DIGITS; digits++) {
        const double got_c = as_read(c, digits, centre), got_s = as_read(s, digits, size);
        const float a = (float)(got_c - got_s / 2), b = (float)(got_c + got_s / 2);
        if (fmaxf(a, 0) == low && fminf(b, 1) == high && got_s > 0 && got_c >= 0 && got_c <= 1)
            break;
    }
    trim_zeros(centre);
    trim_zeros(size);
}

void gn_write_yolo_box(const gn_box *box, char *dst)
{
    char cx[NUMBER_BYTES], cy[NUMBER_BYTES], w[NUMBER_BYTES], h[NUMBER_BYTES];
    yolo_axis(box->x1, box->x2, cx, w);
    yolo_axis(box->y1, box->y2, cy, h);
    snprintf(dst, 4 * NUMBER_BYTES, "%s %s %s %s", cx, cy, w, h);
}

/* One axis of a COCO box, as data_boxes.c reads it: corners over the side as floats, cut at 0 and at the side. */
static void coco_axis(float low, float high, int side, char from[NUMBER_BYTES], char size[NUMBER_BYTES])
{
    double at = 0;
    for (int digits = 0; digits <= MOST_DIGITS; digits++) {
        at = as_read((double)low * side, digits, from);
        if ((float)(at / side) == low)
            break;
    }
    for (int digits = 0; digits <= MOST_DIGITS; digits++) {
        const double got = as_read((double)high * side - at, digits, size);
        if ((float)(fmin(at + got, side) / side) == high && got > 0)
            break;
    }
    trim_zeros(from);
    trim_zeros(size);
}

void gn_write_coco_box(const gn_box *box, int width, int height, char *dst)
{
    char x[NUMBER_BYTES], y[NUMBER_BYTES], w[NUMBER_BYTES], h[NUMBER_BYTES];
    coco_axis(box->x1, box->x2, width, x, w);
    coco_axis(box->y1, box->y2, height, y, h);
    snprintf(dst, 4 * NUMBER_BYTES, "%s, %s, %s, %s", x, y, w, h);
}

static void voc_axis(double low, double high, int side, int *first, int *last)
{
    int from = (int)lround(low), to = (int)lround(high);
    if (to <= from) {
        from = (int)floor((low + high) / 2);
        to = from + 1;
    }
    from = from < 0 ? 0 : from > side - 1 ? side - 1 : from;
    to = to > side ? side : to;
    *first = from + 1;
    *last = to;
}

void gn_write_voc_corners(const gn_box *box, int width, int height, int corner[4])
{
    voc_axis((double)box->x1 * width, (double)box->x2 * width, width, &corner[0], &corner[2]);
    voc_axis((double)box->y1 * height, (double)box->y2 * height, height, &corner[1], &corner[3]);
}
