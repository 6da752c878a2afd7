/* Sheets of augmented pictures, taken from the loader as training sees them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/augment_pictures.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "draw/draw.h"
#include "gannet/image_api.h"

#define TILES     4
#define IMGSZ     256
#define TILE_PX   200
#define MAX_BOXES 64
#define QUALITY   80

/* Strengths at which an effect can be seen at a glance. */
static const struct {
    const char *name;
    gn_augment augment;
} shown[] = {
    {"fliplr", {.fliplr = 1}},
    {"flipud", {.flipud = 1}},
    {"scale", {.scale = 0.5}},
    {"translate", {.translate = 0.3}},
    {"degrees", {.degrees = 30}},
    {"shear", {.shear = 20}},
    {"perspective", {.perspective = 0.001}},
    {"mosaic", {.mosaic = 1}},
    {"mixup", {.mixup = 1}},
    {"hsv_h", {.hsv_h = 0.3}},
    {"hsv_s", {.hsv_s = 0.9}},
    {"hsv_v", {.hsv_v = 0.6}},
    {"brightness", {.brightness = 0.5}},
    {"contrast", {.contrast = 0.7}},
    {"crop", {.crop = 1}},
    {"erase", {.erase = 1}},
    {"pad_crop", {.pad_crop = 40}},
    {"resized_crop", {.resized_crop = 0.3}},
    {"multi_scale", {.fliplr = 0}},
    {"rect", {.fliplr = 0}},
    {"all", {.mosaic = 1, .scale = 0.5, .translate = 0.1, .fliplr = 0.5, .hsv_h = 0.015, .hsv_s = 0.7, .hsv_v = 0.4}},
};

typedef struct sheet {
    gn_image tile[TILES];
    char caption[TILES][48];
    int n;
} sheet;

static gn_loader_options options_of(const char *name, uint64_t seed)
{
    gn_loader_options o = gn_loader_default_options();
    o.imgsz_w = o.imgsz_h = IMGSZ;
    o.fit = GN_FIT_LETTERBOX;
    o.batch = 1;
    o.workers = 0;
    o.seed = seed;
    for (int c = 0; c < 3; c++) {
        o.mean[c] = 0;
        o.std[c] = 1;
    }
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (strcmp(shown[i].name, name) == 0)
            o.augment = shown[i].augment;
    o.multi_scale = strcmp(name, "multi_scale") == 0 ? 0.5 : 0;
    o.rect = strcmp(name, "rect") == 0;
    return o;
}

static gn_status picture_of(const gn_batch *b, gn_image *out)
{
    gn_image image;
    GN_TRY(gn_image_create(b->width, b->height, 3, &image));
    const size_t plane = (size_t)b->width * (size_t)b->height;
    for (size_t i = 0; i < plane; i++)
        for (size_t c = 0; c < 3; c++)
            image.data[3 * i + c] = (uint8_t)(b->images[c * plane + i] * 255.0f + 0.5f);
    gn_draw_box box[MAX_BOXES];
    gn_colour colour[MAX_BOXES];
    size_t n = 0;
    for (int i = 0; i < b->n_truth[0] && n < MAX_BOXES; i++, n++) {
        const float *row = b->truth + (size_t)i * 5;
        const float w = (float)b->width, h = (float)b->height;
        box[n] = (gn_draw_box){row[0] * w, row[1] * h, row[2] * w, row[3] * h};
        colour[n] = gn_colour_nth((int)row[4]);
    }
    const gn_status status = gn_draw_boxes(&image, box, n, colour, NULL, 0);
    if (status != GN_OK) {
        gn_image_deinit(&image);
        return status;
    }
    *out = image;
    return GN_OK;
}

/* Adds batch `batch` of `epoch`. */
static gn_status add_tile(gn_loader *l, int64_t epoch, int64_t batch, const char *caption, sheet *s)
{
    gn_batch b;
    GN_TRY(gn_loader_begin_epoch(l, epoch, batch));
    GN_TRY(gn_loader_next(l, &b));
    GN_TRY(picture_of(&b, &s->tile[s->n]));
    if (caption != NULL)
        snprintf(s->caption[s->n], sizeof s->caption[s->n], "%s", caption);
    else
        snprintf(s->caption[s->n], sizeof s->caption[s->n], "%d x %d", b.width, b.height);
    s->n++;
    return GN_OK;
}

/* First picture with a box, from `from` on. */
static gn_status find_picture(const gn_dataset *set, int64_t from, int64_t *index_out, gn_error *err)
{
    const int64_t n = gn_dataset_count(set, GN_SPLIT_TRAIN);
    for (int64_t i = 0; i < n; i++)
        if (gn_dataset_sample(set, GN_SPLIT_TRAIN, (from + i) % n)->n_boxes > 0) {
            *index_out = (from + i) % n;
            return GN_OK;
        }
    return gn_fail(err, GN_EDATA, "no picture of the train split of %s has a box to show", gn_dataset_path(set));
}

static gn_status fill(const gn_dataset *set, const char *name, uint64_t seed, sheet *s, gn_error *err)
{
    int64_t index = 0;
    GN_TRY(find_picture(set, (int64_t)(seed % 1000), &index, err));
    gn_loader_options plain = options_of("", seed), augmented = options_of(name, seed);
    gn_loader *l = NULL;
    gn_status status = GN_OK;
    if (!augmented.rect) {
        GN_TRY(gn_loader_create(set, &plain, &l, err));
        status = add_tile(l, 0, index, "as it is", s);
        gn_loader_destroy(&l);
    }
    if (status == GN_OK)
        status = gn_loader_create(set, &augmented, &l, err);
    const int64_t n = gn_dataset_count(set, GN_SPLIT_TRAIN);
    for (int i = 0; s->n < TILES && status == GN_OK; i++) {
        const bool has_sizes = augmented.rect || augmented.multi_scale > 0;
        char caption[32];
        snprintf(caption, sizeof caption, "epoch %d", i);
        status = augmented.rect ? add_tile(l, 0, (n - 1) * i / (TILES - 1), NULL, s)
                                : add_tile(l, i, index, has_sizes ? NULL : caption, s);
    }
    gn_loader_destroy(&l);
    return status;
}

gn_status gn_cli_show_augment(const gn_dataset *set, const char *name, uint64_t seed, const char *path, gn_error *err)
{
    if (gn_dataset_has_labels(set))
        return gn_fail_at(err, GN_EINVAL, gn_dataset_path(set), 0,
                          "--show-augment shows boxes; the pictures of this set have a class each");
    if (gn_dataset_count(set, GN_SPLIT_TRAIN) == 0)
        return gn_fail_at(err, GN_EDATA, gn_dataset_path(set), 0, "the train split is empty; nothing to augment");
    sheet s = {.n = 0};
    gn_image whole = {0};
    gn_status status = fill(set, name, seed, &s, err);
    if (status == GN_OK) {
        const char *captions[TILES];
        for (int i = 0; i < TILES; i++)
            captions[i] = s.caption[i];
        status = gn_draw_contact_sheet(s.tile, captions, (size_t)s.n, TILES, TILE_PX, &whole);
    }
    if (status == GN_OK)
        status = gn_image_save(path, &whole, QUALITY, err);
    else if (err != NULL && err->message[0] == '\0')
        gn_fail(err, status, "cannot draw pictures of %s", name);
    gn_image_deinit(&whole);
    for (int i = 0; i < s.n; i++)
        gn_image_deinit(&s.tile[i]);
    return status;
}
