/* Writes data sets; see dataset_write.h.  Everything is written into a folder beside the one that is asked for, which is given its name at
 * the end; a failure removes it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/dataset_write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "data/dataset_private.h"

#define TEMP_TRIES 100

typedef struct set_writer {
    const gn_dataset *set;
    gn_data_format format;
    gn_data_pictures pictures;
    const char *folder;            /* as asked for */
    char temp[GN_DATA_PATH_BYTES]; /* where it is made */
    gn_arena *arena;
    gn_string_set stems; /* of the names that are taken in this split (VOC: in the set) */
    gn_string_set paths; /* VOC: pictures that are written; value: index in `stem_of` */
    const char **stem_of;
    size_t n_stems, stems_capacity;
    bool keeps_picture_ids, keeps_box_ids; /* COCO, this split */
    int64_t next_picture, next_box;
    gn_write_report report;
    gn_error *err;
} set_writer;

bool gn_data_format_parse(const char *name, gn_data_format *out)
{
    static const char *const names[] = {"yolo", "coco", "voc"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (gn_data_format)i;
            return true;
        }
    return false;
}

bool gn_data_pictures_parse(const char *name, gn_data_pictures *out)
{
    static const char *const names[] = {"link", "copy", "none"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (gn_data_pictures)i;
            return true;
        }
    return false;
}

/* --- files ---------------------------------------------------------------------------------------------------------- */

static gn_status make_folder(set_writer *w, const char *name)
{
    char path[GN_DATA_PATH_BYTES];
    if (gn_path_join(w->temp, name, path, sizeof path) != GN_OK)
        return gn_fail_at(w->err, GN_ELIMIT, w->folder, 0, "the path is too long");
    return gn_make_dirs(path, w->err);
}

/* A new file in the folder that is being made; the rename at the end is what makes it count, so each is not synced by itself. */
static gn_status write_bytes(set_writer *w, const char *name, const void *bytes, size_t n)
{
    char path[GN_DATA_PATH_BYTES];
    if (gn_path_join(w->temp, name, path, sizeof path) != GN_OK)
        return gn_fail_at(w->err, GN_ELIMIT, name, 0, "the path is too long");
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool ok = fd >= 0;
    for (size_t done = 0; ok && done < n;) {
        const ssize_t got = write(fd, (const char *)bytes + done, n - done);
        ok = got > 0 || (got < 0 && errno == EINTR);
        done += got > 0 ? (size_t)got : 0;
    }
    const int why = errno;
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    return ok ? GN_OK : gn_fail_at(w->err, GN_EIO, path, 0, "cannot be written: %s", strerror(why));
}

/* Writes and frees the text. */
static gn_status write_text(set_writer *w, const char *name, gn_text *t)
{
    const gn_status status = t->failed ? gn_fail(w->err, GN_ENOMEM, "out of memory writing %s", name)
                                       : write_bytes(w, name, t->data != NULL ? t->data : "", t->len);
    gn_text_deinit(t);
    return status;
}

/* A new folder beside the one that is asked for. */
static gn_status make_temp(set_writer *w)
{
    char above[GN_DATA_PATH_BYTES];
    size_t n = strlen(w->folder);
    while (n > 1 && w->folder[n - 1] == '/')
        n--;
    for (int k = 0; k < TEMP_TRIES; k++) {
        if (snprintf(w->temp, sizeof w->temp, "%.*s.part-%ld-%d", (int)n, w->folder, (long)getpid(), k) >=
            (int)sizeof w->temp)
            return gn_fail_at(w->err, GN_ELIMIT, w->folder, 0, "the path is too long");
        if (k == 0) {
            gn_path_dir(w->temp, above, sizeof above);
            GN_TRY(gn_make_dirs(above, w->err));
        }
        if (mkdir(w->temp, 0777) == 0)
            return GN_OK;
        if (errno != EEXIST)
            break;
    }
    const int why = errno;
    const gn_status status = gn_fail_at(w->err, GN_EIO, w->temp, 0, "the folder cannot be made: %s", strerror(why));
    w->temp[0] = '\0';
    return status;
}

static gn_status copy_picture(set_writer *w, const gn_sample *s, const char *name)
{
    char *bytes = NULL;
    size_t n = 0;
    if (s->source != NULL)
        GN_TRY(gn_archive_read(s->source->archive, s->item, GN_ARCHIVE_MAX_MEMBER_BYTES, &bytes, &n, w->err));
    else
        GN_TRY(gn_file_read(s->path, GN_IMAGE_MAX_FILE_BYTES, &bytes, &n, w->err));
    const gn_status status = write_bytes(w, name, bytes, n);
    gn_free(bytes);
    return status;
}

static gn_status put_picture(set_writer *w, const gn_sample *s, const char *folder, const char *name)
{
    char path[GN_DATA_PATH_BYTES], target[PATH_MAX], link_path[GN_DATA_PATH_BYTES];
    if (w->pictures == GN_PICTURES_NONE)
        return GN_OK;
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path ||
        gn_path_join(w->temp, path, link_path, sizeof link_path) != GN_OK)
        return gn_fail_at(w->err, GN_ELIMIT, name, 0, "the path is too long");
    if (w->pictures == GN_PICTURES_COPY || s->source != NULL)
        return copy_picture(w, s, path);
    if (realpath(s->path, target) == NULL || symlink(target, link_path) != 0)
        return gn_fail_at(w->err, GN_EIO, s->path, 0, "cannot be linked: %s", strerror(errno));
    return GN_OK;
}

/* A name for the picture that no other one has, ending included: "a.jpg", or "a_2.jpg".  Valid as long as the writer. */
static gn_status take_name(set_writer *w, const gn_sample *s, const char **stem_out, const char **name_out)
{
    const char *name = gn_path_name(s->path), *ext = gn_path_ext(name);
    const int n = (int)(strlen(name) - strlen(ext));
    const char *stem = gn_arena_printf(w->arena, "%.*s", n, name);
    for (int k = 2; stem != NULL && gn_string_set_find(&w->stems, stem) >= 0; k++)
        stem = gn_arena_printf(w->arena, "%.*s_%d", n, name, k);
    if (stem == NULL || gn_string_set_put(&w->stems, stem, 0) != GN_OK)
        return gn_fail(w->err, GN_ENOMEM, "out of memory for the names of the pictures");
    w->report.renamed += strlen(stem) != (size_t)n;
    w->report.pictures++;
    *stem_out = stem;
    *name_out = gn_arena_printf(w->arena, "%s%s", stem, ext);
    return *name_out != NULL ? GN_OK : gn_fail(w->err, GN_ENOMEM, "out of memory for the names of the pictures");
}

static int flags_of(const gn_sample *s, int i)
{
    return s->flags != NULL ? s->flags[i] : 0;
}

static int64_t box_id_of(const gn_sample *s, int i)
{
    return s->box_id != NULL ? s->box_id[i] : -1;
}

static double area_of(const gn_sample *s, int i)
{
    return s->area != NULL ? s->area[i] : -1;
}

static bool has_own_category_ids(const gn_dataset *set)
{
    for (int c = 0; c < gn_dataset_classes(set); c++)
        if (gn_dataset_category_id(set, c) != c + 1)
            return true;
    return false;
}

/* --- YOLO ----------------------------------------------------------------------------------------------------------- */

static gn_status yolo_sample(set_writer *w, gn_split split, const gn_sample *s)
{
    const char *stem, *name;
    char folder[64], path[GN_DATA_PATH_BYTES];
    gn_write_report *r = &w->report;
    GN_TRY(take_name(w, s, &stem, &name));
    snprintf(folder, sizeof folder, "images/%s", gn_split_name(split));
    GN_TRY(put_picture(w, s, folder, name));
    gn_text t;
    gn_text_init(&t);
    for (int i = 0; i < s->n_boxes; i++) {
        char box[128];
        const int flags = flags_of(s, i);
        if (flags & GN_BOX_CROWD) {
            r->dropped_crowds++;
            continue;
        }
        gn_write_yolo_box(&s->box[i], box);
        gn_text_printf(&t, "%d %s\n", (int)s->cls[i], box);
        r->boxes++;
        r->lost_flags += flags != 0;
        r->lost_box_ids += box_id_of(s, i) >= 0;
        r->lost_areas += area_of(s, i) >= 0;
    }
    r->lost_picture_ids += s->id >= 0;
    if (snprintf(path, sizeof path, "labels/%s/%s.txt", gn_split_name(split), stem) >= (int)sizeof path) {
        gn_text_deinit(&t);
        return gn_fail_at(w->err, GN_ELIMIT, name, 0, "the path is too long");
    }
    return write_text(w, path, &t);
}

static gn_status yolo_begin(set_writer *w, gn_split split)
{
    char folder[64];
    snprintf(folder, sizeof folder, "images/%s", gn_split_name(split));
    GN_TRY(make_folder(w, folder));
    snprintf(folder, sizeof folder, "labels/%s", gn_split_name(split));
    return make_folder(w, folder);
}

static gn_status yolo_finish(set_writer *w)
{
    const gn_dataset *set = w->set;
    gn_text t;
    gn_text_init(&t);
    gn_text_add(&t, "path: .\n");
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        if (gn_dataset_count(set, (gn_split)s) > 0)
            gn_text_printf(&t, "%s: images/%s\n", gn_split_name((gn_split)s), gn_split_name((gn_split)s));
    gn_text_add(&t, "names:\n");
    for (int c = 0; c < gn_dataset_classes(set); c++) {
        gn_text_printf(&t, "  %d: ", c);
        gn_text_add_json(&t, gn_dataset_class_name(set, c)); /* a JSON string is a YAML string */
        gn_text_add(&t, "\n");
    }
    if (has_own_category_ids(set)) { /* for the way back; others pass over it */
        gn_text_add(&t, "category_ids: [");
        for (int c = 0; c < gn_dataset_classes(set); c++)
            gn_text_printf(&t, "%s%" PRId64, c > 0 ? ", " : "", gn_dataset_category_id(set, c));
        gn_text_add(&t, "]\n");
    }
    return write_text(w, "data.yaml", &t);
}

/* --- COCO ----------------------------------------------------------------------------------------------------------- */

static int compare_i64(const void *pa, const void *pb)
{
    const int64_t a = *(const int64_t *)pa, b = *(const int64_t *)pb;
    return (a > b) - (a < b);
}

/* Whether the numbers of a split's pictures (or boxes) are all there and differ, so that they can stay. */
static gn_status ids_can_stay(const set_writer *w, gn_split split, bool of_boxes, bool *stay_out)
{
    const int64_t count = gn_dataset_count(w->set, split);
    int64_t n = 0, room = 1;
    for (int64_t i = 0; i < count; i++)
        room += of_boxes ? gn_dataset_sample(w->set, split, i)->n_boxes : 1;
    int64_t *id = gn_alloc((size_t)room * sizeof *id);
    if (id == NULL)
        return gn_fail(w->err, GN_ENOMEM, "out of memory for the numbers of the pictures");
    for (int64_t i = 0; i < count; i++) {
        const gn_sample *s = gn_dataset_sample(w->set, split, i);
        for (int k = 0; k < (of_boxes ? s->n_boxes : 1); k++)
            id[n++] = of_boxes ? box_id_of(s, k) : s->id;
    }
    qsort(id, (size_t)n, sizeof *id, compare_i64);
    *stay_out = n > 0 && id[0] >= 0;
    for (int64_t i = 1; i < n; i++)
        *stay_out = *stay_out && id[i] != id[i - 1];
    gn_free(id);
    return GN_OK;
}

static void coco_annotation(set_writer *w, gn_text *t, const gn_sample *s, int i, int64_t image_id)
{
    char box[128];
    const int flags = flags_of(s, i);
    const int64_t id = w->keeps_box_ids ? box_id_of(s, i) : w->next_box++;
    const double given = area_of(s, i);
    const double area = given >= 0 ? given
                                   : ((double)s->box[i].x2 - (double)s->box[i].x1) * s->width *
                                         ((double)s->box[i].y2 - (double)s->box[i].y1) * s->height;
    char text[32];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, area);
        if (given < 0 || strtod(text, NULL) == area)
            break;
    }
    gn_write_coco_box(&s->box[i], s->width, s->height, box);
    gn_text_printf(t,
                   "{\"id\": %" PRId64 ", \"image_id\": %" PRId64 ", \"category_id\": %" PRId64
                   ", \"bbox\": [%s], \"area\": %s, \"iscrowd\": %d",
                   id, image_id, gn_dataset_category_id(w->set, s->cls[i]), box, text, (flags & GN_BOX_CROWD) != 0);
    if (flags & GN_BOX_DIFFICULT)
        gn_text_add(t, ", \"difficult\": 1");
    if (flags & GN_BOX_TRUNCATED)
        gn_text_add(t, ", \"truncated\": 1");
    gn_text_add(t, "}");
    w->report.lost_box_ids += !w->keeps_box_ids && box_id_of(s, i) >= 0;
    w->report.boxes++;
}

static gn_status coco_sample(set_writer *w, gn_split split, const gn_sample *s, gn_text *images, gn_text *annotations)
{
    const char *stem, *name;
    char folder[64];
    const int64_t id = w->keeps_picture_ids ? s->id : w->next_picture++;
    GN_TRY(take_name(w, s, &stem, &name));
    snprintf(folder, sizeof folder, "images/%s", gn_split_name(split));
    GN_TRY(put_picture(w, s, folder, name));
    gn_text_printf(images, "%s\n{\"id\": %" PRId64 ", \"file_name\": ", images->len > 0 ? "," : "", id);
    gn_text_add_json(images, name);
    gn_text_printf(images, ", \"width\": %d, \"height\": %d}", s->width, s->height);
    for (int i = 0; i < s->n_boxes; i++) {
        gn_text_add(annotations, annotations->len > 0 ? ",\n" : "\n");
        coco_annotation(w, annotations, s, i, id);
    }
    w->report.lost_picture_ids += !w->keeps_picture_ids && s->id >= 0;
    return GN_OK;
}

static gn_status coco_file(set_writer *w, gn_split split, const gn_text *images, const gn_text *annotations)
{
    const gn_dataset *set = w->set;
    gn_text t;
    char name[64];
    gn_text_init(&t);
    gn_text_add(&t, "{\"categories\": [");
    for (int c = 0; c < gn_dataset_classes(set); c++) {
        gn_text_printf(&t, "%s\n{\"id\": %" PRId64 ", \"name\": ", c > 0 ? "," : "", gn_dataset_category_id(set, c));
        gn_text_add_json(&t, gn_dataset_class_name(set, c));
        gn_text_add(&t, "}");
    }
    gn_text_add(&t, "],\n\"images\": [");
    gn_text_add(&t, images->data != NULL ? images->data : "");
    gn_text_add(&t, "],\n\"annotations\": [");
    gn_text_add(&t, annotations->data != NULL ? annotations->data : "");
    gn_text_add(&t, "]}\n");
    t.failed = t.failed || images->failed || annotations->failed;
    snprintf(name, sizeof name, "annotations/instances_%s.json", gn_split_name(split));
    return write_text(w, name, &t);
}

static gn_status coco_split(set_writer *w, gn_split split)
{
    gn_text images, annotations;
    char folder[64];
    snprintf(folder, sizeof folder, "images/%s", gn_split_name(split));
    GN_TRY(make_folder(w, folder));
    GN_TRY(make_folder(w, "annotations"));
    GN_TRY(ids_can_stay(w, split, false, &w->keeps_picture_ids));
    GN_TRY(ids_can_stay(w, split, true, &w->keeps_box_ids));
    gn_text_init(&images);
    gn_text_init(&annotations);
    gn_status status = GN_OK;
    for (int64_t i = 0; i < gn_dataset_count(w->set, split) && status == GN_OK; i++) {
        status = coco_sample(w, split, gn_dataset_sample(w->set, split, i), &images, &annotations);
        if (status == GN_OK && gn_stop_requested())
            status = gn_fail(w->err, GN_ECANCELED, "stopped while writing %s", w->folder);
    }
    if (status == GN_OK)
        status = coco_file(w, split, &images, &annotations);
    gn_text_deinit(&images);
    gn_text_deinit(&annotations);
    return status;
}

/* --- VOC ------------------------------------------------------------------------------------------------------------ */

static void add_xml(gn_text *t, const char *s)
{
    for (; *s != '\0'; s++)
        switch (*s) {
        case '&':
            gn_text_add(t, "&amp;");
            break;
        case '<':
            gn_text_add(t, "&lt;");
            break;
        case '>':
            gn_text_add(t, "&gt;");
            break;
        default:
            gn_text_add_bytes(t, s, 1);
        }
}

static void voc_object(set_writer *w, gn_text *t, const gn_sample *s, int i)
{
    int corner[4];
    const int flags = flags_of(s, i);
    const gn_box *b = &s->box[i];
    gn_write_voc_corners(b, s->width, s->height, corner);
    gn_text_add(t, "  <object>\n    <name>");
    add_xml(t, gn_dataset_class_name(w->set, s->cls[i]));
    gn_text_printf(
        t, "</name>\n    <pose>Unspecified</pose>\n    <truncated>%d</truncated>\n    <difficult>%d</difficult>\n",
        (flags & GN_BOX_TRUNCATED) != 0, (flags & GN_BOX_DIFFICULT) != 0);
    if (flags & GN_BOX_CROWD)
        gn_text_add(t, "    <crowd>1</crowd>\n");
    if (box_id_of(s, i) >= 0)
        gn_text_printf(t, "    <id>%" PRId64 "</id>\n", box_id_of(s, i));
    if (area_of(s, i) >= 0)
        gn_text_printf(t, "    <area>%.17g</area>\n", area_of(s, i));
    gn_text_printf(t,
                   "    <bndbox>\n      <xmin>%d</xmin>\n      <ymin>%d</ymin>\n      <xmax>%d</xmax>\n      "
                   "<ymax>%d</ymax>\n    </bndbox>\n  </object>\n",
                   corner[0], corner[1], corner[2], corner[3]);
    const double moved =
        fmax(fmax(fabs((double)b->x1 * s->width - (corner[0] - 1)), fabs((double)b->x2 * s->width - corner[2])),
             fmax(fabs((double)b->y1 * s->height - (corner[1] - 1)), fabs((double)b->y2 * s->height - corner[3])));
    w->report.rounded_boxes += moved > 1e-3;
    w->report.boxes++;
}

static gn_status voc_annotation(set_writer *w, const gn_sample *s, const char *stem, const char *name)
{
    char path[GN_DATA_PATH_BYTES];
    gn_text t;
    gn_text_init(&t);
    gn_text_add(&t, "<annotation>\n  <folder>JPEGImages</folder>\n  <filename>");
    add_xml(&t, name);
    gn_text_add(&t, "</filename>\n");
    if (s->id >= 0)
        gn_text_printf(&t, "  <id>%" PRId64 "</id>\n", s->id);
    gn_text_printf(&t, "  <size>\n    <width>%d</width>\n    <height>%d</height>\n    <depth>3</depth>\n  </size>\n",
                   s->width, s->height);
    for (int i = 0; i < s->n_boxes; i++)
        voc_object(w, &t, s, i);
    gn_text_add(&t, "</annotation>\n");
    if (snprintf(path, sizeof path, "Annotations/%s.xml", stem) >= (int)sizeof path) {
        gn_text_deinit(&t);
        return gn_fail_at(w->err, GN_ELIMIT, name, 0, "the path is too long");
    }
    return write_text(w, path, &t);
}

/* A picture that stands in two splits is written once. */
static gn_status voc_sample(set_writer *w, const gn_sample *s, gn_text *list)
{
    const char *stem, *name;
    const int64_t seen = gn_string_set_find(&w->paths, s->path);
    if (seen >= 0) {
        gn_text_printf(list, "%s\n", w->stem_of[seen]);
        return GN_OK;
    }
    GN_TRY(take_name(w, s, &stem, &name));
    if (gn_grow(&w->stem_of, &w->stems_capacity, w->n_stems + 1, sizeof *w->stem_of) != GN_OK ||
        gn_string_set_put(&w->paths, s->path, (int64_t)w->n_stems) != GN_OK)
        return gn_fail(w->err, GN_ENOMEM, "out of memory for the names of the pictures");
    w->stem_of[w->n_stems++] = stem;
    GN_TRY(put_picture(w, s, "JPEGImages", name));
    gn_text_printf(list, "%s\n", stem);
    return voc_annotation(w, s, stem, name);
}

static gn_status voc_split(set_writer *w, gn_split split)
{
    static const char *const folders[] = {"JPEGImages", "Annotations", "ImageSets/Main"};
    gn_text list;
    char name[64];
    for (size_t i = 0; i < 3; i++)
        GN_TRY(make_folder(w, folders[i]));
    gn_text_init(&list);
    gn_status status = GN_OK;
    for (int64_t i = 0; i < gn_dataset_count(w->set, split) && status == GN_OK; i++) {
        status = voc_sample(w, gn_dataset_sample(w->set, split, i), &list);
        if (status == GN_OK && gn_stop_requested())
            status = gn_fail(w->err, GN_ECANCELED, "stopped while writing %s", w->folder);
    }
    if (status != GN_OK) {
        gn_text_deinit(&list);
        return status;
    }
    snprintf(name, sizeof name, "ImageSets/Main/%s.txt", gn_split_name(split));
    return write_text(w, name, &list);
}

static gn_status voc_finish(set_writer *w)
{
    gn_text t;
    gn_text_init(&t);
    for (int c = 0; c < gn_dataset_classes(w->set); c++)
        gn_text_printf(&t, "%s\n", gn_dataset_class_name(w->set, c));
    w->report.lost_category_ids = has_own_category_ids(w->set);
    return write_text(w, "classes.txt", &t);
}

/* --- all of them ---------------------------------------------------------------------------------------------------- */

static gn_status yolo_split(set_writer *w, gn_split split)
{
    GN_TRY(yolo_begin(w, split));
    for (int64_t i = 0; i < gn_dataset_count(w->set, split); i++) {
        GN_TRY(yolo_sample(w, split, gn_dataset_sample(w->set, split, i)));
        if (gn_stop_requested())
            return gn_fail(w->err, GN_ECANCELED, "stopped while writing %s", w->folder);
    }
    return GN_OK;
}

static gn_status write_all(set_writer *w)
{
    w->next_picture = w->next_box = 1;
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        const gn_split split = (gn_split)s;
        if (gn_dataset_count(w->set, split) == 0)
            continue;
        if (w->format != GN_DATA_VOC)
            gn_string_set_deinit(&w->stems);
        GN_TRY(w->format == GN_DATA_YOLO   ? yolo_split(w, split)
               : w->format == GN_DATA_COCO ? coco_split(w, split)
                                           : voc_split(w, split));
    }
    return w->format == GN_DATA_YOLO ? yolo_finish(w) : w->format == GN_DATA_VOC ? voc_finish(w) : GN_OK;
}

static gn_status check_request(const gn_dataset *set, const char *folder, gn_error *err)
{
    gn_arena *arena;
    const char **names;
    size_t n = 0;
    if (gn_dataset_has_labels(set))
        return gn_fail_at(err, GN_EUNSUPPORTED, gn_dataset_path(set), 0,
                          "its pictures have a class each and no boxes; only sets of boxes are converted");
    if (!gn_path_exists(folder))
        return GN_OK;
    if (!gn_path_is_dir(folder))
        return gn_fail_at(err, GN_EINVAL, folder, 0, "this is a file; a folder that is new or empty is needed");
    arena = gn_arena_create(0);
    gn_status status = arena != NULL ? gn_list_dir(folder, arena, &names, &n, err) : GN_ENOMEM;
    gn_arena_destroy(&arena);
    if (status == GN_OK && n > 0)
        status = gn_fail_at(err, GN_EINVAL, folder, 0,
                            "this folder is not empty; choose another one or remove it: nothing is written over");
    return status;
}

gn_status gn_dataset_write(const gn_dataset *dataset, gn_data_format format, gn_data_pictures pictures,
                           const char *folder, gn_write_report *report_out, gn_error *err)
{
    set_writer w = {.set = dataset, .format = format, .pictures = pictures, .folder = folder, .err = err};
    GN_TRY(check_request(dataset, folder, err));
    w.arena = gn_arena_create(0);
    gn_status status = w.arena != NULL ? make_temp(&w) : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status == GN_OK)
        status = write_all(&w);
    if (status == GN_OK && rename(w.temp, folder) != 0)
        status = gn_fail_at(err, GN_EIO, folder, 0, "the folder cannot be given its name: %s", strerror(errno));
    if (status != GN_OK && w.temp[0] != '\0')
        gn_remove_tree(w.temp);
    gn_string_set_deinit(&w.stems);
    gn_string_set_deinit(&w.paths);
    gn_free(w.stem_of);
    gn_arena_destroy(&w.arena);
    if (status == GN_OK)
        *report_out = w.report;
    return status;
}
