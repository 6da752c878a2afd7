/* Boxes that a reader has found, in pixels: handed to their pictures, and turned into fractions once the pictures' sizes are known.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset_private.h"
#include "image/image.h"

/* A box may reach this far out of its picture without a word: labelling tools count pixels from 0 or from 1. */
#define OUTSIDE_PX 1.0

gn_status gn_box_rows_add(gn_box_rows *rows, const gn_box_row *row)
{
    GN_TRY(gn_grow(&rows->row, &rows->capacity, rows->n + 1, sizeof *rows->row));
    rows->row[rows->n++] = *row;
    return GN_OK;
}

void gn_box_rows_deinit(gn_box_rows *rows)
{
    gn_free(rows->row);
    memset(rows, 0, sizeof *rows);
}

/* What the rows of a picture have at all. */
typedef struct row_facts {
    bool flags, ids, areas;
} row_facts;

static gn_status make_room(gn_arena *arena, gn_data_entry *e, const row_facts *has)
{
    const size_t n = (size_t)e->n_boxes + 1;
    e->pixel = gn_arena_alloc(arena, n * sizeof *e->pixel);
    e->box = gn_arena_alloc(arena, n * sizeof *e->box);
    e->cls = gn_arena_alloc(arena, n * sizeof *e->cls);
    e->box_line = gn_arena_alloc(arena, n * sizeof *e->box_line);
    e->flags = has->flags ? gn_arena_alloc(arena, n * sizeof *e->flags) : NULL;
    e->box_id = has->ids ? gn_arena_alloc(arena, n * sizeof *e->box_id) : NULL;
    e->area = has->areas ? gn_arena_alloc(arena, n * sizeof *e->area) : NULL;
    const bool ok = e->pixel != NULL && e->box != NULL && e->cls != NULL && e->box_line != NULL &&
                    (!has->flags || e->flags != NULL) && (!has->ids || e->box_id != NULL) &&
                    (!has->areas || e->area != NULL);
    return ok ? GN_OK : GN_ENOMEM;
}

static gn_status give(gn_dataset *d, gn_data_entry *e, const gn_box_row *row)
{
    if (e->n_boxes >= GN_LABEL_MAX_BOXES) {
        d->counts.bad_label_lines++;
        return gn_dataset_note(d, e->source, row->line, "more than %d boxes in %s", GN_LABEL_MAX_BOXES, e->path);
    }
    const int i = e->n_boxes++;
    const double corners[4] = {row->x1, row->y1, row->x2, row->y2};
    memcpy(e->pixel[i], corners, sizeof corners);
    e->cls[i] = row->cls;
    e->box_line[i] = row->line;
    if (e->flags != NULL)
        e->flags[i] = row->flags;
    if (e->box_id != NULL)
        e->box_id[i] = row->id;
    if (e->area != NULL)
        e->area[i] = row->area;
    return GN_OK;
}

gn_status gn_box_rows_give(gn_dataset *d, const gn_box_rows *rows)
{
    row_facts *has = gn_calloc(d->n_entries + 1, sizeof *has);
    gn_status status = has != NULL ? GN_OK : GN_ENOMEM;
    for (size_t i = 0; i < rows->n && status == GN_OK; i++) {
        const gn_box_row *row = &rows->row[i];
        gn_data_entry *e = &d->entry[row->entry];
        e->n_boxes += e->n_boxes < GN_LABEL_MAX_BOXES;
        has[row->entry].flags |= row->flags != 0;
        has[row->entry].ids |= row->id >= 0;
        has[row->entry].areas |= row->area >= 0;
    }
    for (size_t i = 0; i < d->n_entries && status == GN_OK; i++) {
        gn_data_entry *e = &d->entry[i];
        if (e->n_boxes > 0)
            status = make_room(d->arena, e, &has[i]);
        e->n_boxes = 0;
    }
    for (size_t i = 0; i < rows->n && status == GN_OK; i++)
        status = give(d, &d->entry[rows->row[i].entry], &rows->row[i]);
    gn_free(has);
    return status;
}

/* --- checks --------------------------------------------------------------------------------------------------------- */

void gn_entry_spoil(gn_dataset *d, gn_data_entry *e)
{
    e->is_usable = false;
    d->counts.spoilt_pictures++;
}

/* Compares the size that the set gives with the picture's.  A picture that was scaled since keeps its boxes; one that was turned or
 * cropped must not. */
static gn_status check_size(gn_dataset *d, gn_data_entry *e)
{
    const double w = e->width, h = e->height;
    if (e->ref_width <= 1 || e->ref_height <= 1 || (e->ref_width == w && e->ref_height == h))
        return GN_OK;
    if (fabs(e->ref_width * h - e->ref_height * w) <= fmax(e->ref_width, e->ref_height) + fmax(w, h)) {
        d->counts.rescaled_pictures++;
        return GN_OK;
    }
    d->counts.wrong_sizes++;
    e->is_usable = false;
    return gn_dataset_note(d, e->source, e->line, "%s is said to have %g x %g pixels, but has %d x %d%s", e->path,
                           e->ref_width, e->ref_height, e->width, e->height,
                           e->ref_width == h && e->ref_height == w
                               ? " (turned as its EXIF data say?); its boxes cannot be trusted"
                               : "; its boxes cannot be trusted");
}

typedef enum box_verdict {
    BOX_GOOD,
    BOX_CLIPPED,
    BOX_EMPTY,
    BOX_BAD,
    BOX_OUTSIDE,
} box_verdict;

/* The box in fractions.  Rounded once, so that whoever writes the set can find the very numbers again. */
static box_verdict judge(const gn_data_entry *e, const double px[4], gn_box *box_out)
{
    const double w = e->ref_width > 0 ? e->ref_width : e->width, h = e->ref_height > 0 ? e->ref_height : e->height;
    const double slack_x = OUTSIDE_PX * w / e->width, slack_y = OUTSIDE_PX * h / e->height;
    for (int i = 0; i < 4; i++)
        if (!isfinite(px[i]))
            return BOX_BAD;
    if (!(px[0] < px[2]) || !(px[1] < px[3]))
        return BOX_EMPTY;
    const bool reaches_out = px[0] < -slack_x || px[1] < -slack_y || px[2] > w + slack_x || px[3] > h + slack_y;
    const double x1 = fmax(px[0], 0), y1 = fmax(px[1], 0), x2 = fmin(px[2], w), y2 = fmin(px[3], h);
    if (!(x1 < x2) || !(y1 < y2) || (reaches_out && !e->clips))
        return BOX_OUTSIDE;
    *box_out = (gn_box){(float)(x1 / w), (float)(y1 / h), (float)(x2 / w), (float)(y2 / h)};
    if (!(box_out->x1 < box_out->x2) || !(box_out->y1 < box_out->y2))
        return BOX_EMPTY;
    return reaches_out ? BOX_CLIPPED : BOX_GOOD;
}

static gn_status note_verdict(gn_dataset *d, const gn_data_entry *e, int i, box_verdict verdict)
{
    if (verdict == BOX_GOOD)
        return GN_OK;
    char id[64] = "";
    const double *px = e->pixel[i];
    if (e->box_id != NULL && e->box_id[i] >= 0)
        snprintf(id, sizeof id, " of annotation %" PRId64, e->box_id[i]);
    d->counts.clipped_boxes += verdict == BOX_CLIPPED;
    d->counts.empty_boxes += verdict == BOX_EMPTY;
    d->counts.bad_label_lines += verdict == BOX_BAD || verdict == BOX_OUTSIDE;
    if (verdict == BOX_EMPTY)
        return gn_dataset_note(d, e->source, e->box_line[i], "the box %g,%g,%g,%g%s in %s has no area", px[0], px[1],
                               px[2], px[3], id, gn_path_name(e->path));
    if (verdict == BOX_BAD)
        return gn_dataset_note(d, e->source, e->box_line[i], "the box %g,%g,%g,%g%s in %s is no box", px[0], px[1],
                               px[2], px[3], id, gn_path_name(e->path));
    return gn_dataset_note(
        d, e->source, e->box_line[i], "the box %g,%g,%g,%g%s reaches outside the picture of %g x %g pixels%s", px[0],
        px[1], px[2], px[3], id, e->ref_width > 1 ? e->ref_width : e->width,
        e->ref_height > 1 ? e->ref_height : e->height, verdict == BOX_CLIPPED ? "; cut off there" : "");
}

/* Puts box `from` to place `to`, with all that is known of it. */
static void move_box(gn_data_entry *e, int from, int to)
{
    e->cls[to] = e->cls[from];
    e->box_line[to] = e->box_line[from];
    if (e->flags != NULL)
        e->flags[to] = e->flags[from];
    if (e->box_id != NULL)
        e->box_id[to] = e->box_id[from];
    if (e->area != NULL)
        e->area[to] = e->area[from];
}

/* Whether box `i` with the corners `box` stands among the first `n` already.  Two numbers make two boxes. */
static bool is_repeated(const gn_data_entry *e, int n, int i, const gn_box *box)
{
    for (int k = 0; k < n; k++)
        if (e->cls[k] == e->cls[i] && memcmp(&e->box[k], box, sizeof *box) == 0 &&
            (e->box_id == NULL || e->box_id[k] == e->box_id[i]))
            return true;
    return false;
}

gn_status gn_entry_check_boxes(gn_dataset *d, gn_data_entry *e)
{
    int kept = 0;
    int64_t bad = 0;
    GN_TRY(check_size(d, e));
    for (int i = 0; i < e->n_boxes && e->is_usable; i++) {
        gn_box box;
        const box_verdict verdict = judge(e, e->pixel[i], &box);
        GN_TRY(note_verdict(d, e, i, verdict));
        if (verdict != BOX_GOOD && verdict != BOX_CLIPPED) {
            bad++;
            continue;
        }
        if (is_repeated(e, kept, i, &box)) {
            d->counts.duplicate_lines++;
            continue;
        }
        move_box(e, i, kept);
        e->box[kept++] = box;
    }
    e->n_boxes = kept;
    if (kept == 0 && bad > 0)
        gn_entry_spoil(d, e);
    return GN_OK;
}

/* --- names ---------------------------------------------------------------------------------------------------------- */

bool gn_data_find_stem(const gn_dataset *d, const char *folder, const char *stem, size_t stem_bytes, char *dst)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".JPG", ".JPEG", ".PNG"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (snprintf(dst, GN_DATA_PATH_BYTES, "%s/%.*s%s", folder, (int)stem_bytes, stem, endings[i]) <
                GN_DATA_PATH_BYTES &&
            gn_data_exists(d, dst))
            return true;
    return false;
}

gn_split gn_data_split_of_name(const char *name)
{
    return strstr(name, "train") != NULL  ? GN_SPLIT_TRAIN
           : strstr(name, "val") != NULL  ? GN_SPLIT_VAL
           : strstr(name, "test") != NULL ? GN_SPLIT_TEST
                                          : GN_SPLIT_TRAIN;
}
