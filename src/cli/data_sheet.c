/* gannet data --sheet; see data_sheet.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/data_sheet.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "draw/draw.h"
#include "gannet/image_api.h"

#define COLUMNS       6
#define TILE_PX       256
#define MAX_BOXES     1000 /* of a picture that are drawn */
#define CAPTION_BYTES 96
#define LABEL_BYTES   48

typedef struct data_sheet {
    gn_image *tile;
    char (*caption)[CAPTION_BYTES];
    const char **captions;
    gn_draw_box *box;
    gn_colour *colour;
    char (*label)[LABEL_BYTES];
    const char **labels;
    int n;
} data_sheet;

static gn_status sheet_init(data_sheet *s, int n)
{
    *s = (data_sheet){
        .tile = gn_calloc((size_t)n, sizeof *s->tile),
        .caption = gn_calloc((size_t)n, sizeof *s->caption),
        .captions = gn_calloc((size_t)n, sizeof *s->captions),
        .box = gn_calloc(MAX_BOXES, sizeof *s->box),
        .colour = gn_calloc(MAX_BOXES, sizeof *s->colour),
        .label = gn_calloc(MAX_BOXES, sizeof *s->label),
        .labels = gn_calloc(MAX_BOXES, sizeof *s->labels),
    };
    return s->tile && s->caption && s->captions && s->box && s->colour && s->label && s->labels ? GN_OK : GN_ENOMEM;
}

static void sheet_deinit(data_sheet *s)
{
    for (int i = 0; i < s->n; i++)
        gn_image_deinit(&s->tile[i]);
    gn_free(s->tile);
    gn_free(s->caption);
    gn_free(s->captions);
    gn_free(s->box);
    gn_free(s->colour);
    gn_free(s->label);
    gn_free(s->labels);
}

/* Shrinks a picture to its tile before boxes are drawn, so that lines and letters stay readable. */
static gn_status shrink(gn_image *image)
{
    const int longest = image->width > image->height ? image->width : image->height;
    if (longest <= TILE_PX)
        return GN_OK;
    const int width = image->width * TILE_PX / longest, height = image->height * TILE_PX / longest;
    gn_image small = {0};
    GN_TRY(gn_resize_u8(image, width > 0 ? width : 1, height > 0 ? height : 1, &small));
    gn_image_deinit(image);
    *image = small;
    return GN_OK;
}

static gn_status draw_boxes(data_sheet *s, const gn_dataset *set, const gn_sample *sample, gn_image *image)
{
    const int n = sample->n_boxes < MAX_BOXES ? sample->n_boxes : MAX_BOXES;
    /* Names of a crowd of boxes would hide the picture. */
    const bool is_named = n <= 12 && gn_dataset_classes(set) > 1;
    for (int i = 0; i < n; i++) {
        const gn_box *b = &sample->box[i];
        const int flags = sample->flags != NULL ? sample->flags[i] : 0;
        const float w = (float)image->width, h = (float)image->height;
        s->box[i] = (gn_draw_box){b->x1 * w, b->y1 * h, b->x2 * w, b->y2 * h};
        s->colour[i] = gn_colour_nth(sample->cls[i]);
        snprintf(s->label[i], LABEL_BYTES, "%.24s%s%s", gn_dataset_class_name(set, sample->cls[i]),
                 flags & GN_BOX_CROWD ? " crowd" : "", flags & GN_BOX_DIFFICULT ? " difficult" : "");
        s->labels[i] = is_named || flags != 0 ? s->label[i] : NULL;
    }
    return gn_draw_boxes(image, s->box, (size_t)n, s->colour, s->labels, n > 12 ? 1 : 0);
}

static gn_status add_tile(data_sheet *s, const gn_dataset *set, gn_split split, const gn_sample *sample)
{
    gn_image *image = &s->tile[s->n];
    const gn_decode_options opt = {.need_width = TILE_PX, .need_height = TILE_PX};
    const gn_status status = gn_sample_decode(sample, &opt, image, NULL);
    if (status != GN_OK)
        return status == GN_ENOMEM ? status : GN_OK;
    s->n++;
    GN_TRY(shrink(image));
    GN_TRY(draw_boxes(s, set, sample, image));
    char *caption = s->caption[s->n - 1];
    if (sample->label >= 0)
        snprintf(caption, CAPTION_BYTES, "%s: %.40s", gn_split_name(split), gn_dataset_class_name(set, sample->label));
    else
        snprintf(caption, CAPTION_BYTES, "%s, %d: %.18s", gn_split_name(split), sample->n_boxes,
                 gn_path_name(sample->path));
    s->captions[s->n - 1] = caption;
    return GN_OK;
}

/* The i-th sample of all splits together. */
static const gn_sample *sample_at(const gn_dataset *set, int64_t i, gn_split *split_out)
{
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        const int64_t n = gn_dataset_count(set, (gn_split)s);
        *split_out = (gn_split)s;
        if (i < n)
            return gn_dataset_sample(set, (gn_split)s, i);
        i -= n;
    }
    return NULL;
}

gn_status gn_cli_data_sheet(const gn_dataset *set, int n, const char *path, gn_error *err)
{
    int64_t count = 0;
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        count += gn_dataset_count(set, (gn_split)s);
    n = count < n ? (int)count : n;
    data_sheet sheet;
    gn_image image = {0};
    gn_status status = sheet_init(&sheet, n);
    for (int i = 0; i < n && status == GN_OK; i++) {
        gn_split split;
        const gn_sample *sample = sample_at(set, i * count / n, &split);
        status = add_tile(&sheet, set, split, sample);
    }
    if (status == GN_OK && sheet.n == 0)
        status = gn_fail_at(err, GN_EDATA, gn_dataset_path(set), 0, "no picture can be decoded for %s", path);
    if (status == GN_OK)
        status = gn_draw_contact_sheet(sheet.tile, sheet.captions, (size_t)sheet.n,
                                       sheet.n < COLUMNS ? sheet.n : COLUMNS, TILE_PX, &image);
    if (status == GN_OK)
        status = gn_image_save(path, &image, 90, err);
    else if (status != GN_EDATA)
        gn_fail_at(err, status, path, 0, "drawing the contact sheet: %s", gn_status_sentence(status));
    gn_image_deinit(&image);
    sheet_deinit(&sheet);
    return status;
}
