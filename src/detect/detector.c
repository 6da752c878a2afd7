/* The description of a detector: channels, checks, and its line of JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/detector.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

static const char *const kind_names[GN_DETECTOR_KINDS] = {"yolov1", "yolov2", "yolov3",
                                                          "yolov5", "yolov8", "retinanet"};

const char *gn_detector_kind_name(gn_detector_kind kind)
{
    return kind_names[kind];
}

bool gn_detector_kind_parse(const char *name, gn_detector_kind *out)
{
    for (int i = 0; i < GN_DETECTOR_KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *out = (gn_detector_kind)i;
            return true;
        }
    return false;
}

bool gn_detector_has_anchors(gn_detector_kind kind)
{
    return kind != GN_DETECTOR_YOLOV1 && kind != GN_DETECTOR_YOLOV8;
}

int64_t gn_detector_channels(const gn_detector *d)
{
    switch (d->kind) {
    case GN_DETECTOR_YOLOV1:
        return 5 * (int64_t)d->anchors + d->classes;
    case GN_DETECTOR_YOLOV8:
        return 4 * (int64_t)d->bins + d->classes;
    case GN_DETECTOR_RETINANET:
        return (int64_t)d->anchors * (4 + d->classes);
    case GN_DETECTOR_YOLOV2:
    case GN_DETECTOR_YOLOV3:
    case GN_DETECTOR_YOLOV5:
    case GN_DETECTOR_KINDS:
        break;
    }
    return (int64_t)d->anchors * (5 + d->classes);
}

int64_t gn_detector_candidates(const gn_detector *d, int64_t height, int64_t width)
{
    return height * width * d->anchors;
}

static gn_status check_maps(const gn_detector *d, gn_error *err)
{
    if (d->n_maps < 1 || d->n_maps > GN_DETECTOR_MAX_MAPS || (d->kind == GN_DETECTOR_YOLOV1 && d->n_maps != 1))
        return gn_fail(err, GN_EINVAL, "a detector %s has %d maps, expected %s", kind_names[d->kind], d->n_maps,
                       d->kind == GN_DETECTOR_YOLOV1 ? "one" : "1 to 5");
    if (d->anchors < 1 || d->anchors > GN_DETECTOR_MAX_ANCHORS || (d->kind == GN_DETECTOR_YOLOV8 && d->anchors != 1))
        return gn_fail(err, GN_EINVAL, "a detector %s has %d anchors per cell, expected %s", kind_names[d->kind],
                       d->anchors, d->kind == GN_DETECTOR_YOLOV8 ? "1" : "1 to 16");
    for (int m = 0; m < d->n_maps && d->kind != GN_DETECTOR_YOLOV1; m++) {
        if (d->stride[m] < 1 || d->stride[m] > 4096)
            return gn_fail(err, GN_EINVAL, "a detector's stride is %d, expected 1 to 4096", d->stride[m]);
        for (int a = 0; a < d->anchors && gn_detector_has_anchors(d->kind); a++)
            for (int i = 0; i < 2; i++)
                if (!(d->anchor[m][a][i] > 0 && d->anchor[m][a][i] <= 65536))
                    return gn_fail(err, GN_EINVAL, "a detector's anchor has a side of %g pixels",
                                   (double)d->anchor[m][a][i]);
    }
    return GN_OK;
}

gn_status gn_detector_check(const gn_detector *d, gn_error *err)
{
    if ((int)d->kind < 0 || d->kind >= GN_DETECTOR_KINDS)
        return gn_fail(err, GN_EINVAL, "a detector's kind is number %d", (int)d->kind);
    if (d->classes < 1 || d->classes > GN_DETECTOR_MAX_CLASSES)
        return gn_fail(err, GN_EINVAL, "a detector has %d classes, expected 1 to %d", d->classes,
                       GN_DETECTOR_MAX_CLASSES);
    if (d->kind == GN_DETECTOR_YOLOV8 ? d->bins < 2 || d->bins > 64 : d->bins != 0)
        return gn_fail(err, GN_EINVAL, "a detector %s has %d bins per side, expected %s", kind_names[d->kind], d->bins,
                       d->kind == GN_DETECTOR_YOLOV8 ? "2 to 64" : "none");
    if (!(d->scale_xy >= 1 && d->scale_xy <= 2))
        return gn_fail(err, GN_EINVAL, "a detector's scale_xy is %g, expected 1 to 2", (double)d->scale_xy);
    return check_maps(d, err);
}

/* ---- as text ---- */

void gn_detector_format(const gn_detector *d, gn_text *text)
{
    gn_text_printf(text, "{\"kind\":\"%s\",\"classes\":%d,\"strides\":[", kind_names[d->kind], d->classes);
    for (int m = 0; m < d->n_maps; m++)
        gn_text_printf(text, m ? ",%d" : "%d", d->stride[m]);
    gn_text_printf(text, "],\"anchors\":%d", d->anchors);
    if (gn_detector_has_anchors(d->kind)) {
        gn_text_add(text, ",\"anchor\":[");
        for (int m = 0; m < d->n_maps; m++)
            for (int a = 0; a < d->anchors; a++)
                gn_text_printf(text, m || a ? ",%.9g,%.9g" : "%.9g,%.9g", (double)d->anchor[m][a][0],
                               (double)d->anchor[m][a][1]);
        gn_text_add(text, "]");
    }
    if (d->bins > 0)
        gn_text_printf(text, ",\"bins\":%d", d->bins);
    if (d->scale_xy != 1)
        gn_text_printf(text, ",\"scale_xy\":%.9g", (double)d->scale_xy);
    gn_text_add(text, d->has_softmax ? ",\"softmax\":true}" : "}");
}

/* The whole number under `key`, or `fallback`; false: it is there and no whole number of that size. */
static bool read_int(const gn_json *root, const char *key, int fallback, int *out)
{
    double x = fallback;
    const gn_json *member = gn_json_member(root, key);
    if (member && member->kind != GN_JSON_NUMBER)
        return false;
    if (member)
        x = member->number;
    *out = fabs(x) <= 1e6 ? (int)x : -1;
    return *out == x;
}

/* Numbers of a list, at most `most`; their number, or -1. */
static int read_list(const gn_json *list, float *dst, int most)
{
    int n = 0;
    if (!list || list->kind != GN_JSON_ARRAY)
        return -1;
    for (const gn_json *item = list->first; item; item = item->next) {
        if (item->kind != GN_JSON_NUMBER || n >= most)
            return -1;
        dst[n++] = (float)item->number;
    }
    return n;
}

static bool read_fields(const gn_json *root, gn_detector *d)
{
    const char *kind = NULL;
    float stride[GN_DETECTOR_MAX_MAPS], anchor[GN_DETECTOR_MAX_MAPS * GN_DETECTOR_MAX_ANCHORS * 2];
    double scale = 1;
    if (root->kind != GN_JSON_OBJECT || !gn_json_string(root, "kind", &kind) || !gn_detector_kind_parse(kind, &d->kind))
        return false;
    d->n_maps = read_list(gn_json_member(root, "strides"), stride, GN_DETECTOR_MAX_MAPS);
    if (d->n_maps < 1 || !read_int(root, "classes", 0, &d->classes) || !read_int(root, "anchors", 1, &d->anchors) ||
        !read_int(root, "bins", 0, &d->bins))
        return false;
    for (int m = 0; m < d->n_maps; m++)
        d->stride[m] = stride[m] >= 0 && stride[m] <= 65536 ? (int)stride[m] : -1;
    gn_json_number(root, "scale_xy", &scale);
    d->scale_xy = (float)scale;
    const gn_json *softmax = gn_json_member(root, "softmax");
    d->has_softmax = softmax && softmax->kind == GN_JSON_BOOL && softmax->number != 0;
    if (!gn_detector_has_anchors(d->kind))
        return true;
    if (d->anchors < 1 || d->anchors > GN_DETECTOR_MAX_ANCHORS)
        return false;
    const int n = read_list(gn_json_member(root, "anchor"), anchor, (int)(sizeof anchor / sizeof *anchor));
    if (n != 2 * d->n_maps * d->anchors)
        return false;
    for (int m = 0; m < d->n_maps; m++)
        memcpy(d->anchor[m], anchor + 2 * m * d->anchors, 2 * (size_t)d->anchors * sizeof *anchor);
    return true;
}

gn_status gn_detector_parse(const char *text, gn_detector *out, gn_error *err)
{
    gn_detector d = {0};
    const gn_json *root = NULL;
    gn_arena *arena = gn_arena_create(0);
    if (!arena)
        return gn_fail(err, GN_ENOMEM, "no memory to read what a detector is made of");
    gn_status status = gn_json_parse(text, strlen(text), arena, &root, NULL);
    if (status == GN_OK && !read_fields(root, &d))
        status = GN_EFORMAT;
    gn_arena_destroy(&arena);
    if (status != GN_OK)
        return gn_fail(err, status, "'%.80s' does not describe a detector (kind, classes, strides, anchors)", text);
    GN_TRY(gn_detector_check(&d, err));
    *out = d;
    return GN_OK;
}
