/* The best and the worst pictures of a split; see val_pictures.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/val_pictures.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/cli_args.h"
#include "draw/draw.h"

#define MAX_DRAWN   600 /* boxes on one picture */
#define LABEL_BYTES 48

typedef struct ranked {
    int64_t image;
    double score; /* falls or rises, so that the first is wanted most */
    int64_t mistakes;
} ranked;

static int compare_ranked(const void *pa, const void *pb)
{
    const ranked *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    if (a->mistakes != b->mistakes)
        return a->mistakes > b->mistakes ? -1 : 1;
    return (a->image > b->image) - (a->image < b->image);
}

/* Boxes of one picture while they are drawn. */
typedef struct drawing {
    gn_draw_box box[MAX_DRAWN];
    gn_colour colour[MAX_DRAWN];
    const char *label[MAX_DRAWN];
    char text[MAX_DRAWN][LABEL_BYTES];
    size_t n;
} drawing;

static void add_box(drawing *d, const gn_rect *box, const gn_image *image, const gn_sample *sample, gn_colour colour)
{
    const double x = (double)image->width / sample->width, y = (double)image->height / sample->height;
    d->box[d->n] = (gn_draw_box){(float)(box->x * x), (float)(box->y * y), (float)((box->x + box->w) * x),
                                 (float)((box->y + box->h) * y)};
    d->colour[d->n] = colour;
    d->label[d->n] = NULL;
    d->n++;
}

static void collect_boxes(drawing *d, const gn_val_result *r, int64_t index, const gn_image *image,
                          const gn_sample *sample)
{
    const gn_scored_split *s = &r->scored;
    d->n = 0;
    for (int64_t i = 0; i < s->n_truth && d->n < MAX_DRAWN; i++)
        if (s->truth[i].image == index)
            add_box(d, &s->truth[i].box, image, sample,
                    s->truth[i].is_crowd || s->truth[i].is_ignored ? (gn_colour){150, 150, 150}
                                                                   : (gn_colour){60, 190, 90});
    for (int64_t i = 0; i < s->n_det && d->n < MAX_DRAWN; i++) {
        const gn_detection *det = &s->det[i];
        if (det->image != index || (r->has_objects && det->score < r->accuracy.coco.confidence))
            continue;
        snprintf(d->text[d->n], LABEL_BYTES, "%.30s %.2f", r->has_objects ? r->names[det->cls] : "IoU",
                 r->has_objects ? det->score : r->picture_score[index]);
        add_box(d, &det->box, image, sample, (gn_colour){245, 140, 30});
        d->label[d->n - 1] = d->text[d->n - 1];
    }
}

static gn_status draw_picture(drawing *d, const gn_val_result *r, const gn_sample *sample, int64_t index, int place,
                              const char *folder, gn_error *err)
{
    char path[1024], name[300];
    gn_image image;
    const char *file = gn_path_name(sample->path);
    const size_t stem = strlen(file) - strlen(gn_path_ext(file));
    snprintf(name, sizeof name, "%02d_%.*s.jpg", place, stem < 200 ? (int)stem : 200, file);
    for (char *c = name; *c; c++)
        if (*c == '/' || *c == '#')
            *c = '_';
    gn_status status = gn_path_join(folder, name, path, sizeof path);
    if (status != GN_OK)
        return gn_fail(err, status, "the path of %s in %s is too long", name, folder);
    GN_TRY(gn_sample_decode(sample, NULL, &image, err));
    collect_boxes(d, r, index, &image, sample);
    status = gn_draw_boxes(&image, d->box, d->n, d->colour, d->label, 0);
    if (status == GN_OK)
        status = gn_image_save(path, &image, 90, err);
    else
        gn_fail_at(err, status, path, 0, "cannot draw boxes: %s", gn_status_sentence(status));
    gn_image_deinit(&image);
    return status;
}

/* Pictures in the wanted order; how many.  The worst of a detector have a mistake each, the best of all have something to find. */
static int64_t rank_pictures(const gn_val_result *r, bool is_best, ranked *list)
{
    int64_t n = 0;
    for (int64_t i = 0; i < r->scored.n_images; i++) {
        const gn_coco_picture *p = &r->picture[i];
        const int64_t mistakes = (int64_t)p->wrong + p->missed;
        const double score = r->picture_score[i];
        if (isnan(score) || (is_best && p->hits + p->missed == 0) || (!is_best && r->has_objects && mistakes == 0))
            continue;
        list[n++] = is_best ? (ranked){i, -score, p->hits > 0 ? -(int64_t)p->hits : 0} : (ranked){i, score, mistakes};
    }
    if (n > 0)
        qsort(list, (size_t)n, sizeof *list, compare_ranked);
    return n;
}

gn_status gn_val_write_pictures(const gn_val_result *result, const gn_dataset *dataset, gn_split split, bool is_best,
                                int n, const char *folder, gn_error *err)
{
    const gn_val_result *r = result;
    ranked *list = gn_alloc(((size_t)r->scored.n_images + 1) * sizeof *list);
    drawing *d = gn_alloc(sizeof *d);
    gn_status status =
        list && d ? gn_make_dirs(folder, err) : gn_fail(err, GN_ENOMEM, "no memory to rank the pictures");
    const int64_t found = list ? rank_pictures(r, is_best, list) : 0;
    for (int i = 0; i < n && i < found && status == GN_OK; i++) {
        const gn_sample *sample = gn_dataset_sample(dataset, split, r->scored.sample[list[i].image]);
        const char *title = i > 0 ? "" : is_best ? "best pictures" : "worst pictures";
        const double score = r->picture_score[list[i].image];
        if (r->has_objects && !is_best)
            gn_cli_say("  %-18s F1 %.2f, %" PRId64 " mistakes: %s\n", title, score, list[i].mistakes, sample->path);
        else
            gn_cli_say("  %-18s %s %.2f: %s\n", title, r->has_objects ? "F1" : "IoU", score, sample->path);
        status = draw_picture(d, r, sample, list[i].image, i + 1, folder, err);
    }
    gn_free(list);
    gn_free(d);
    return status;
}
