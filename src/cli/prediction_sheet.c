/* Contact sheets of predictions.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/prediction_sheet.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "draw/draw.h"
#include "gannet/detect_api.h"
#include "gannet/image_api.h"

#define GN_SHEET_COLUMNS   4
#define GN_SHEET_TILE_PX   240
#define GN_SHEET_MAX_BOXES 400 /* of each kind */

typedef struct sheet {
    int n;
    double least; /* score of an object that is drawn */
    gn_image *tile;
    char (*caption)[64];
    const char **caption_ptr;
} sheet;

static gn_status sheet_init(sheet *s, int n)
{
    *s = (sheet){0};
    s->tile = gn_calloc((size_t)n, sizeof *s->tile);
    s->caption = gn_calloc((size_t)n, sizeof *s->caption);
    s->caption_ptr = gn_calloc((size_t)n, sizeof *s->caption_ptr);
    return s->tile && s->caption && s->caption_ptr ? GN_OK : GN_ENOMEM;
}

static void sheet_deinit(sheet *s)
{
    for (int i = 0; s->tile && i < s->n; i++)
        gn_image_deinit(&s->tile[i]);
    gn_free(s->tile);
    gn_free(s->caption);
    gn_free(s->caption_ptr);
}

static gn_draw_box in_pixels(const gn_box *b, const gn_image *image)
{
    float w = (float)image->width, h = (float)image->height;
    return (gn_draw_box){b->x1 * w, b->y1 * h, b->x2 * w, b->y2 * h};
}

static gn_box of_truth(const gn_sample *sample, int i, const gn_image *image)
{
    const gn_draw_box b = in_pixels(&sample->box[i], image);
    return (gn_box){b.x1, b.y1, b.x2, b.y2};
}

/* Both kinds of boxes: the predicted ones on top. */
static gn_status draw(gn_image *image, const gn_sample *sample, const gn_prediction *p)
{
    gn_draw_box *box = gn_calloc(2 * GN_SHEET_MAX_BOXES, sizeof *box);
    gn_colour *colour = gn_calloc(2 * GN_SHEET_MAX_BOXES, sizeof *colour);
    size_t n = 0;
    gn_status status = box && colour ? GN_OK : GN_ENOMEM;
    for (int i = 0; status == GN_OK && i < sample->n_boxes && i < GN_SHEET_MAX_BOXES; i++, n++) {
        box[n] = in_pixels(&sample->box[i], image);
        colour[n] = (gn_colour){60, 190, 90};
    }
    for (int i = 0; status == GN_OK && i < p->n && i < GN_SHEET_MAX_BOXES; i++, n++) {
        const gn_box *b = &p->object[i].box;
        box[n] = (gn_draw_box){b->x1, b->y1, b->x2, b->y2};
        colour[n] = (gn_colour){245, 140, 30};
    }
    if (status == GN_OK)
        status = gn_draw_boxes(image, box, n, colour, NULL, 0);
    gn_free(box);
    gn_free(colour);
    return status;
}

/* The best overlap of the first prediction with a true box, -1 where there is none. */
static double best_iou(const gn_image *image, const gn_sample *sample, const gn_prediction *p)
{
    double best = -1.0;
    for (int i = 0; i < sample->n_boxes; i++) {
        const gn_box truth = of_truth(sample, i, image);
        const double iou = p->n > 0 ? gn_box_iou(&p->object[0].box, &truth) : 0.0;
        best = iou > best ? iou : best;
    }
    return best;
}

/* How many true boxes a prediction of their class covers by half or more; each prediction counts once, the surest first. */
static int count_found(const gn_image *image, const gn_sample *sample, const gn_prediction *p)
{
    bool is_taken[GN_SHEET_MAX_BOXES] = {false};
    int n = 0;
    for (int k = 0; k < p->n; k++) {
        double best = 0.5;
        int at = -1;
        for (int i = 0; i < sample->n_boxes && i < GN_SHEET_MAX_BOXES; i++) {
            const gn_box truth = of_truth(sample, i, image);
            const double iou = gn_box_iou(&p->object[k].box, &truth);
            if (!is_taken[i] && sample->cls[i] == p->object[k].cls && iou >= best) {
                best = iou;
                at = i;
            }
        }
        if (at >= 0)
            is_taken[at] = true;
        n += at >= 0;
    }
    return n;
}

/* A frame around the picture, green when the class is right, and what it was taken for. */
static void frame(sheet *s, gn_session *session, const gn_dataset *dataset, const gn_sample *sample,
                  const gn_prediction *p)
{
    gn_image *image = &s->tile[s->n - 1];
    char number[16];
    const char *truth = gn_dataset_class_name(dataset, sample->label), *name = "?";
    if (p->n > 0)
        name = gn_model_info_class(gn_session_info(session), p->object[0].cls, number);
    const bool is_right = p->n > 0 && strcmp(name, truth) == 0;
    const gn_draw_box all = {0, 0, (float)image->width, (float)image->height};
    const gn_colour colour = is_right ? (gn_colour){60, 190, 90} : (gn_colour){245, 140, 30};
    gn_draw_boxes(image, &all, 1, &colour, NULL, 0);
    if (is_right)
        snprintf(s->caption[s->n - 1], sizeof s->caption[0], "%.40s %.2f", name, (double)p->object[0].score);
    else
        snprintf(s->caption[s->n - 1], sizeof s->caption[0], "%.24s %.2f, is %.24s", name,
                 p->n > 0 ? (double)p->object[0].score : 0.0, truth);
    s->caption_ptr[s->n - 1] = s->caption[s->n - 1];
}

/* A session that measures tells more than people want to see. */
static void drop_unsure(gn_prediction *p, double least)
{
    int n = 0;
    for (int k = 0; k < p->n; k++)
        if ((double)p->object[k].score >= least)
            p->object[n++] = p->object[k];
    p->n = n;
}

static gn_status add_tile(sheet *s, gn_session *session, const gn_dataset *dataset, const gn_sample *sample,
                          gn_error *err)
{
    gn_image *image = &s->tile[s->n];
    gn_prediction prediction;
    GN_TRY(gn_sample_decode(sample, NULL, image, err));
    s->n++;
    GN_TRY(gn_session_predict(session, image, &prediction, NULL, err));
    drop_unsure(&prediction, s->least);
    if (sample->label >= 0) {
        frame(s, session, dataset, sample, &prediction);
        return GN_OK;
    }
    char *caption = s->caption[s->n - 1];
    s->caption_ptr[s->n - 1] = caption;
    if (gn_session_info(session)->decode == GN_DECODE_DETECT) {
        const int found = count_found(image, sample, &prediction);
        snprintf(caption, sizeof s->caption[0], "%d of %d, %d too many", found, sample->n_boxes, prediction.n - found);
    } else if (sample->n_boxes > 0) {
        snprintf(caption, sizeof s->caption[0], "IoU %.2f", best_iou(image, sample, &prediction));
    } else {
        snprintf(caption, sizeof s->caption[0], "no true box");
    }
    const gn_status status = draw(image, sample, &prediction);
    return status == GN_OK ? status : gn_fail(err, status, "boxes cannot be drawn");
}

gn_status gn_cli_prediction_sheet(gn_session *session, const gn_dataset *dataset, gn_split split, int n,
                                  const char *path, gn_error *err)
{
    return gn_cli_prediction_sheet_above(session, dataset, split, n, 0, path, err);
}

gn_status gn_cli_prediction_sheet_above(gn_session *session, const gn_dataset *dataset, gn_split split, int n,
                                        double least, const char *path, gn_error *err)
{
    int64_t count = gn_dataset_count(dataset, split);
    if (count == 0)
        return gn_fail(err, GN_EDATA, "the split %s of %s holds no picture", gn_split_name(split),
                       gn_dataset_path(dataset));
    if (count < n)
        n = (int)count;
    sheet s;
    gn_image image = {0};
    gn_status status = sheet_init(&s, n);
    s.least = least;
    for (int i = 0; i < n && status == GN_OK; i++) {
        gn_status one = add_tile(&s, session, dataset, gn_dataset_sample(dataset, split, i * count / n), err);
        if (one == GN_ENOMEM) /* a picture that cannot be decoded is left out */
            status = one;
    }
    if (status == GN_OK && s.n > 0)
        status = gn_draw_contact_sheet(s.tile, s.caption_ptr, (size_t)s.n, GN_SHEET_COLUMNS, GN_SHEET_TILE_PX, &image);
    if (status == GN_OK && s.n > 0)
        status = gn_image_save(path, &image, 88, err);
    gn_image_deinit(&image);
    sheet_deinit(&s);
    return status;
}
