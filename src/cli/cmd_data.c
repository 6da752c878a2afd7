/* gannet data: what a data set holds, how large its boxes are, and what is wrong with it; writes its splits as lists, a contact sheet,
 * and the set in another format.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "cli/augment_pictures.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/data_convert.h"
#include "cli/data_sheet.h"
#include "gannet/data_api.h"

#define SHOWN_PROBLEMS 20
#define SHOWN_CLASSES  20
#define N_QUANTILES    5

static const double quantiles[N_QUANTILES] = {0, 0.1, 0.5, 0.9, 1};
static const char *const quantile_names[N_QUANTILES] = {"min", "p10", "p50", "p90", "max"};

/* COCO's sizes of objects, by area in pixels of the picture: up to 32 x 32, up to 96 x 96, above. */
#define SMALL_AREA  (32.0 * 32.0)
#define MEDIUM_AREA (96.0 * 96.0)

typedef struct split_facts {
    int64_t images, boxes, without, with_one, with_many;
    int64_t crowds, difficult;
} split_facts;

/* A figure of all boxes or pictures, by quantile. */
typedef struct spread {
    double at[N_QUANTILES]; /* NaN without values */
} spread;

typedef struct set_facts {
    const gn_dataset *set;
    split_facts split[GN_SPLIT_COUNT];
    int64_t *class_boxes;             /* [GN_SPLIT_COUNT][classes] boxes */
    int64_t *class_images;            /* [GN_SPLIT_COUNT][classes] pictures of a class, by split */
    int64_t by_size[3];               /* boxes that are small, medium, large */
    spread width, height, side_px;    /* of boxes: fractions of the picture; the shorter side in pixels */
    spread aspect;                    /* of boxes: width over height, in pixels */
    spread per_image;                 /* boxes of a picture */
    spread image_width, image_height; /* pixels */
} set_facts;

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static spread spread_of(double *values, size_t n)
{
    spread s;
    qsort(values, n, sizeof *values, compare_doubles);
    for (int q = 0; q < N_QUANTILES; q++)
        s.at[q] = n > 0 ? values[(size_t)(quantiles[q] * (double)(n - 1) + 0.5)] : (double)NAN;
    return s;
}

/* One figure of every box (or, for pictures, of every sample) of the set, in order. */
typedef double (*figure_fn)(const gn_sample *s, const gn_box *box);

static double box_width(const gn_sample *s, const gn_box *box)
{
    (void)s;
    return (double)box->x2 - (double)box->x1;
}

static double box_height(const gn_sample *s, const gn_box *box)
{
    (void)s;
    return (double)box->y2 - (double)box->y1;
}

static double box_side_px(const gn_sample *s, const gn_box *box)
{
    return fmin(box_width(s, box) * s->width, box_height(s, box) * s->height);
}

static double box_aspect(const gn_sample *s, const gn_box *box)
{
    return box_width(s, box) * s->width / (box_height(s, box) * s->height);
}

static double box_count(const gn_sample *s, const gn_box *box)
{
    (void)box;
    return s->n_boxes;
}

static double image_width(const gn_sample *s, const gn_box *box)
{
    (void)box;
    return s->width;
}

static double image_height(const gn_sample *s, const gn_box *box)
{
    (void)box;
    return s->height;
}

static spread measure(const gn_dataset *set, figure_fn figure, bool of_boxes, double *values)
{
    size_t n = 0;
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        for (int64_t i = 0; i < gn_dataset_count(set, (gn_split)s); i++) {
            const gn_sample *sample = gn_dataset_sample(set, (gn_split)s, i);
            for (int k = 0; k < (of_boxes ? sample->n_boxes : 1); k++)
                values[n++] = figure(sample, of_boxes ? &sample->box[k] : NULL);
        }
    return spread_of(values, n);
}

static void count_box(set_facts *f, gn_split split, const gn_sample *s, int k)
{
    const int flags = s->flags != NULL ? s->flags[k] : 0;
    const double told = s->area != NULL ? s->area[k] : -1;
    const double area = told >= 0 ? told : box_width(s, &s->box[k]) * s->width * box_height(s, &s->box[k]) * s->height;
    f->class_boxes[(int64_t)split * gn_dataset_classes(f->set) + s->cls[k]]++;
    f->by_size[area <= SMALL_AREA ? 0 : area <= MEDIUM_AREA ? 1 : 2]++;
    f->split[split].crowds += (flags & GN_BOX_CROWD) != 0;
    f->split[split].difficult += (flags & GN_BOX_DIFFICULT) != 0;
}

static size_t count_split(set_facts *f, gn_split split)
{
    split_facts *s = &f->split[split];
    s->images = gn_dataset_count(f->set, split);
    for (int64_t i = 0; i < s->images; i++) {
        const gn_sample *sample = gn_dataset_sample(f->set, split, i);
        s->boxes += sample->n_boxes;
        s->without += sample->n_boxes == 0;
        s->with_one += sample->n_boxes == 1;
        s->with_many += sample->n_boxes > 1;
        for (int k = 0; k < sample->n_boxes; k++)
            count_box(f, split, sample, k);
        if (sample->label >= 0)
            f->class_images[(int64_t)split * gn_dataset_classes(f->set) + sample->label]++;
    }
    return (size_t)(s->boxes + s->images);
}

static gn_status collect(const gn_dataset *set, set_facts *f)
{
    memset(f, 0, sizeof *f);
    f->set = set;
    f->class_boxes = gn_calloc((size_t)gn_dataset_classes(set) * GN_SPLIT_COUNT, sizeof *f->class_boxes);
    f->class_images = gn_calloc((size_t)gn_dataset_classes(set) * GN_SPLIT_COUNT, sizeof *f->class_images);
    if (f->class_boxes == NULL || f->class_images == NULL)
        return GN_ENOMEM;
    size_t room = 1;
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        room += count_split(f, (gn_split)s);
    double *values = gn_alloc(room * sizeof *values);
    if (values == NULL)
        return GN_ENOMEM;
    f->width = measure(set, box_width, true, values);
    f->height = measure(set, box_height, true, values);
    f->side_px = measure(set, box_side_px, true, values);
    f->aspect = measure(set, box_aspect, true, values);
    f->per_image = measure(set, box_count, false, values);
    f->image_width = measure(set, image_width, false, values);
    f->image_height = measure(set, image_height, false, values);
    gn_free(values);
    return GN_OK;
}

/* --- output --------------------------------------------------------------------------------------------------------- */

static void print_spread(const char *name, const spread *s, const char *format)
{
    gn_cli_print("%-22s", name);
    for (int q = 0; q < N_QUANTILES; q++) {
        char text[32];
        snprintf(text, sizeof text, format, s->at[q]);
        gn_cli_print(" %8s", text);
    }
    gn_cli_print("\n");
}

static void print_splits(const set_facts *f)
{
    gn_cli_print("\n%-10s %9s %9s %9s %9s %9s\n", "split", "pictures", "no box", "one box", "more", "boxes");
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        const split_facts *k = &f->split[s];
        gn_cli_print("%-10s %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 "\n",
                     gn_split_name((gn_split)s), k->images, k->without, k->with_one, k->with_many, k->boxes);
    }
}

static void print_counts(const gn_problem_counts *c)
{
    const struct {
        int64_t n;
        const char *what;
    } rows[] = {
        {c->missing_pictures, "pictures, lists or folders that are named but not there"},
        {c->unreadable_pictures, "pictures that cannot be read"},
        {c->bad_list_lines, "lines of lists that name no picture"},
        {c->bad_label_lines, "label lines that cannot be used"},
        {c->spoilt_pictures, "pictures left out because none of their label lines can be used"},
        {c->duplicate_lines, "label lines that repeat another one (dropped)"},
        {c->duplicate_pictures, "pictures named twice in a split (taken once)"},
        {c->split_overlap, "pictures in more than one split (kept: figures on val or test will flatter)"},
        {c->missing_labels, "pictures without a label file (taken as background)"},
        {c->clipped_boxes, "boxes that reach out of their picture (what lies inside is kept)"},
        {c->empty_boxes, "boxes without area (dropped)"},
        {c->orphan_boxes, "boxes of pictures that are not listed or not there (dropped)"},
        {c->duplicate_ids, "numbers of pictures, boxes or classes that stand twice"},
        {c->wrong_sizes, "pictures of another shape than the set says (left out)"},
        {c->rescaled_pictures, "pictures of another size than the set says (boxes go with them)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n > 0)
            gn_cli_print("%8" PRId64 "  %s\n", rows[i].n, rows[i].what);
}

static void print_problems(const gn_dataset *set, bool all)
{
    const int64_t n = gn_dataset_problem_count(set);
    const int64_t shown = all || n <= SHOWN_PROBLEMS ? n : SHOWN_PROBLEMS;
    for (int64_t i = 0; i < shown; i++) {
        const gn_problem *p = gn_dataset_problem(set, i);
        if (p->line > 0)
            gn_cli_print("%s:%" PRId64 ": %s\n", p->file, p->line, p->message);
        else
            gn_cli_print("%s: %s\n", p->file, p->message);
    }
    if (shown < n)
        gn_cli_print("... and %" PRId64 " more (--all shows them)\n", n - shown);
}

/* What is counted of each class, by split: boxes, or pictures in a set whose pictures have a class each.  The empty ones last. */
static void print_classes(const set_facts *f, const int64_t *counts, const char *what, bool all)
{
    const gn_dataset *set = f->set;
    const int classes = gn_dataset_classes(set);
    int64_t total[GN_SPLIT_COUNT] = {0}, unused = 0;
    gn_cli_print("%-22s %9s %9s %9s\n", "class", "train", "val", "test");
    for (int c = 0; c < classes; c++) {
        const bool is_shown = all || c < SHOWN_CLASSES;
        int64_t sum = 0;
        if (is_shown)
            gn_cli_print("%3d %-18.60s", c, gn_dataset_class_name(set, c));
        for (int s = 0; s < GN_SPLIT_COUNT; s++) {
            const int64_t n = counts[(int64_t)s * classes + c];
            total[s] += n;
            sum += n;
            if (is_shown)
                gn_cli_print(" %9" PRId64, n);
        }
        unused += sum == 0;
        if (is_shown)
            gn_cli_print("\n");
    }
    if (!all && classes > SHOWN_CLASSES)
        gn_cli_print("... and %d more (--all shows them)\n", classes - SHOWN_CLASSES);
    gn_cli_print("%-22s", what);
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        gn_cli_print(" %9" PRId64, total[s]);
    gn_cli_print("\n");
    if (unused > 0)
        gn_cli_print("%" PRId64 " class%s ha%s nothing.\n", unused, unused == 1 ? "" : "es", unused == 1 ? "s" : "ve");
}

static void print_sizes(const set_facts *f)
{
    const double n = (double)(f->by_size[0] + f->by_size[1] + f->by_size[2]);
    if (n == 0)
        return;
    gn_cli_print("\nBoxes of at most 32 x 32 pixels %.1f%%, of at most 96 x 96 %.1f%%, larger %.1f%%.\n",
                 100 * (double)f->by_size[0] / n, 100 * (double)f->by_size[1] / n, 100 * (double)f->by_size[2] / n);
    int64_t crowds = 0, difficult = 0;
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        crowds += f->split[s].crowds;
        difficult += f->split[s].difficult;
    }
    if (crowds > 0)
        gn_cli_print("%" PRId64 " boxes are crowds: not trained on, neither hit nor miss when measured.\n", crowds);
    if (difficult > 0)
        gn_cli_print("%" PRId64 " boxes are marked as difficult.\n", difficult);
}

static void print_boxes(const set_facts *f, bool all)
{
    print_classes(f, f->class_boxes, "boxes", all);
    print_splits(f);
}

static void print_text(const set_facts *f, bool all)
{
    const gn_dataset *set = f->set;
    const bool has_labels = gn_dataset_has_labels(set);
    gn_cli_print("%s  (%s, hash %016" PRIx64 ")\n\n", gn_dataset_path(set), gn_dataset_format(set),
                 gn_dataset_hash(set));
    if (has_labels)
        print_classes(f, f->class_images, "pictures", all);
    else
        print_boxes(f, all);
    if (gn_dataset_is_split_made(set))
        gn_cli_print("The set names no val split: it was split here, pictures that look alike kept on one side.\n");
    gn_cli_print("\n%-22s", "size");
    for (int q = 0; q < N_QUANTILES; q++)
        gn_cli_print(" %8s", quantile_names[q]);
    gn_cli_print("\n");
    if (!has_labels) {
        print_spread("box width (0..1)", &f->width, "%.3f");
        print_spread("box height (0..1)", &f->height, "%.3f");
        print_spread("box, shorter side px", &f->side_px, "%.0f");
        print_spread("box, width / height", &f->aspect, "%.2f");
        print_spread("boxes of a picture", &f->per_image, "%.0f");
    }
    print_spread("picture width px", &f->image_width, "%.0f");
    print_spread("picture height px", &f->image_height, "%.0f");
    print_sizes(f);
    const gn_problem_counts counts = gn_dataset_problem_counts(set);
    gn_cli_print("\n%s\n", gn_dataset_problem_count(set) > 0 ? "Problems" : "No problems found.");
    print_counts(&counts);
    print_problems(set, all);
}

static void json_spread(gn_jsonw *j, const char *key, const spread *s)
{
    gn_jsonw_object(j, key);
    for (int q = 0; q < N_QUANTILES; q++)
        gn_jsonw_num(j, quantile_names[q], s->at[q]);
    gn_jsonw_end(j);
}

static void json_splits(gn_jsonw *j, const set_facts *f)
{
    gn_jsonw_object(j, "splits");
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        gn_jsonw_object(j, gn_split_name((gn_split)s));
        gn_jsonw_int(j, "images", f->split[s].images);
        gn_jsonw_int(j, "boxes", f->split[s].boxes);
        gn_jsonw_int(j, "without_box", f->split[s].without);
        gn_jsonw_int(j, "with_one_box", f->split[s].with_one);
        gn_jsonw_int(j, "with_many_boxes", f->split[s].with_many);
        gn_jsonw_int(j, "crowds", f->split[s].crowds);
        gn_jsonw_int(j, "difficult", f->split[s].difficult);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_bool(j, "split_made", gn_dataset_is_split_made(f->set));
}

static void json_problems(gn_jsonw *j, const gn_dataset *set)
{
    const gn_problem_counts c = gn_dataset_problem_counts(set);
    gn_jsonw_object(j, "counts");
    gn_jsonw_int(j, "missing_pictures", c.missing_pictures);
    gn_jsonw_int(j, "unreadable_pictures", c.unreadable_pictures);
    gn_jsonw_int(j, "bad_list_lines", c.bad_list_lines);
    gn_jsonw_int(j, "bad_label_lines", c.bad_label_lines);
    gn_jsonw_int(j, "spoilt_pictures", c.spoilt_pictures);
    gn_jsonw_int(j, "duplicate_lines", c.duplicate_lines);
    gn_jsonw_int(j, "duplicate_pictures", c.duplicate_pictures);
    gn_jsonw_int(j, "split_overlap", c.split_overlap);
    gn_jsonw_int(j, "missing_labels", c.missing_labels);
    gn_jsonw_int(j, "clipped_boxes", c.clipped_boxes);
    gn_jsonw_int(j, "empty_boxes", c.empty_boxes);
    gn_jsonw_int(j, "orphan_boxes", c.orphan_boxes);
    gn_jsonw_int(j, "duplicate_ids", c.duplicate_ids);
    gn_jsonw_int(j, "wrong_sizes", c.wrong_sizes);
    gn_jsonw_int(j, "rescaled_pictures", c.rescaled_pictures);
    gn_jsonw_end(j);
    gn_jsonw_array(j, "problems");
    for (int64_t i = 0; i < gn_dataset_problem_count(set); i++) {
        const gn_problem *p = gn_dataset_problem(set, i);
        gn_jsonw_object(j, NULL);
        gn_jsonw_str(j, "file", p->file);
        if (p->line > 0)
            gn_jsonw_int(j, "line", p->line);
        gn_jsonw_str(j, "message", p->message);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
}

static void json_class(gn_jsonw *j, const set_facts *f, int c)
{
    const bool has_labels = gn_dataset_has_labels(f->set);
    const int64_t classes = gn_dataset_classes(f->set), *counts = has_labels ? f->class_images : f->class_boxes;
    int64_t sum = 0;
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        sum += f->class_boxes[s * classes + c];
    gn_jsonw_int(j, "id", gn_dataset_category_id(f->set, c));
    gn_jsonw_int(j, "boxes", sum);
    gn_jsonw_object(j, has_labels ? "images" : "boxes_of");
    for (int s = 0; s < GN_SPLIT_COUNT; s++)
        gn_jsonw_int(j, gn_split_name((gn_split)s), counts[s * classes + c]);
    gn_jsonw_end(j);
}

static void json_sizes(gn_jsonw *j, const set_facts *f)
{
    static const char *const names[] = {"small", "medium", "large"};
    gn_jsonw_object(j, "sizes");
    for (int i = 0; i < 3; i++)
        gn_jsonw_int(j, names[i], f->by_size[i]);
    gn_jsonw_end(j);
}

static gn_status print_json(const set_facts *f, const gn_write_report *written, gn_error *err)
{
    const gn_dataset *set = f->set;
    char hash[20];
    snprintf(hash, sizeof hash, "%016" PRIx64, gn_dataset_hash(set));
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "data", gn_dataset_path(set));
    gn_jsonw_str(&j, "format", gn_dataset_format(set));
    gn_jsonw_str(&j, "hash", hash);
    gn_jsonw_str(&j, "task", gn_dataset_has_labels(set) ? "classify" : "box");
    gn_jsonw_array(&j, "classes");
    for (int c = 0; c < gn_dataset_classes(set); c++) {
        gn_jsonw_object(&j, NULL);
        gn_jsonw_str(&j, "name", gn_dataset_class_name(set, c));
        json_class(&j, f, c);
        gn_jsonw_end(&j);
    }
    gn_jsonw_end(&j);
    json_splits(&j, f);
    json_spread(&j, "box_width", &f->width);
    json_spread(&j, "box_height", &f->height);
    json_spread(&j, "box_side_px", &f->side_px);
    json_spread(&j, "box_aspect", &f->aspect);
    json_spread(&j, "boxes_per_image", &f->per_image);
    json_sizes(&j, f);
    json_spread(&j, "image_width", &f->image_width);
    json_spread(&j, "image_height", &f->image_height);
    json_problems(&j, set);
    if (written != NULL)
        gn_cli_data_json_report(&j, written);
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write to standard output");
}

/* --- --split -------------------------------------------------------------------------------------------------------- */

static gn_status write_text(const char *folder, const char *name, gn_text *t, gn_error *err)
{
    char path[PATH_MAX];
    gn_status status = t->failed ? gn_fail(err, GN_ENOMEM, "out of memory writing %s", name) : GN_OK;
    if (status == GN_OK && gn_path_join(folder, name, path, sizeof path) != GN_OK)
        status = gn_fail(err, GN_ELIMIT, "the path of %s in %s is too long", name, folder);
    if (status == GN_OK)
        status = gn_file_write(path, t->data != NULL ? t->data : "", t->len, err);
    gn_text_deinit(t);
    return status;
}

static gn_status write_list(const gn_dataset *set, const char *folder, gn_split split, gn_error *err)
{
    gn_text t;
    gn_text_init(&t);
    for (int64_t i = 0; i < gn_dataset_count(set, split); i++) {
        char path[PATH_MAX];
        const char *given = gn_dataset_sample(set, split, i)->path;
        gn_text_printf(&t, "%s\n", realpath(given, path) != NULL ? path : given);
    }
    char name[32];
    snprintf(name, sizeof name, "%s.txt", gn_split_name(split));
    return write_text(folder, name, &t, err);
}

/* Lists of the splits and a data.yaml that names them; labels stay where they are. */
static gn_status write_splits(const gn_dataset *set, const char *folder, gn_error *err)
{
    if (gn_dataset_has_labels(set) || strncmp(gn_dataset_format(set), "zip", 3) == 0)
        return gn_fail_at(err, GN_EUNSUPPORTED, gn_dataset_path(set), 0,
                          "--split writes lists of pictures beside their label files, which a set of class folders, of "
                          "CIFAR or in an archive does not have");
    static const char *const labelled[] = {"data.yaml", "folder", "Darknet .data"};
    bool has_files = false;
    for (size_t i = 0; i < sizeof labelled / sizeof *labelled; i++)
        has_files = has_files || strcmp(gn_dataset_format(set), labelled[i]) == 0;
    if (!has_files)
        return gn_fail_at(
            err, GN_EUNSUPPORTED, gn_dataset_path(set), 0,
            "--split writes lists of pictures beside their label files, which a set of the form %s does not "
            "have; --to writes the whole set, splits and all",
            gn_dataset_format(set));
    GN_TRY(gn_make_dirs(folder, err));
    gn_text t;
    gn_text_init(&t);
    gn_text_printf(&t, "# The splits of %s.\npath: .\n", gn_dataset_path(set));
    for (int s = 0; s < GN_SPLIT_COUNT; s++) {
        if (gn_dataset_count(set, (gn_split)s) == 0)
            continue;
        const gn_status status = write_list(set, folder, (gn_split)s, err);
        if (status != GN_OK) {
            gn_text_deinit(&t);
            return status;
        }
        gn_text_printf(&t, "%s: %s.txt\n", gn_split_name((gn_split)s), gn_split_name((gn_split)s));
    }
    gn_text_add(&t, "names:\n");
    for (int c = 0; c < gn_dataset_classes(set); c++) {
        gn_text_printf(&t, "  %d: ", c);
        gn_text_add_json(&t, gn_dataset_class_name(set, c)); /* a JSON string is a YAML string */
        gn_text_add(&t, "\n");
    }
    return write_text(folder, "data.yaml", &t, err);
}

/* --- the verb ------------------------------------------------------------------------------------------------------- */

static const gn_opt options[] = {
    {.name = "verify",
     .type = GN_OPT_FLAG,
     .init = "true",
     .group = "Reading",
     .help = "decode every picture; with --no-verify only look at headers"},
    {.name = "val-frac",
     .type = GN_OPT_DOUBLE,
     .metavar = "F",
     .init = "0.15",
     .min = 0,
     .max = 0.5,
     .help = "share of pictures for val when the set names no val"},
    {.name = "test-frac",
     .type = GN_OPT_DOUBLE,
     .metavar = "F",
     .init = "0.15",
     .min = 0,
     .max = 0.5,
     .help = "share of pictures for test when the set names neither val nor test"},
    {.name = "seed",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 2147483647.0,
     .help = "of the split"},
    {.name = "labels",
     .type = GN_OPT_STRING,
     .init = "fine",
     .choices = "fine|coarse",
     .help = "which of CIFAR-100's labels"},
    {.name = "split",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Output",
     .help = "write the splits as lists and a data.yaml into DIR"},
    {.name = "to",
     .type = GN_OPT_STRING,
     .choices = "yolo|coco|voc",
     .help = "convert the set, with its numbers and flags as far as the format holds them, into -o DIR"},
    {.name = "output",
     .short_name = 'o',
     .type = GN_OPT_STRING,
     .metavar = "DIR|FILE",
     .help = "where --to writes: a folder that is new or empty; of --show-augment a .jpg or .png"},
    {.name = "pictures",
     .type = GN_OPT_STRING,
     .init = "link",
     .choices = "link|copy|none",
     .help = "what --to does with the pictures"},
    {.name = "sheet",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "write a contact sheet of pictures with their boxes (.jpg, .png)"},
    {.name = "sheet-pictures",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "24",
     .min = 1,
     .max = 400,
     .help = "how many pictures stand on the sheet"},
    {.name = "all", .type = GN_OPT_FLAG, .help = "list every class and problem, not only the first 20"},
    {.name = "show-augment",
     .type = GN_OPT_STRING,
     .metavar = "NAME",
     .choices = GN_AUGMENT_CHOICES,
     .help = "write a picture of what the augmentation NAME of training does to this set, into the file of --output"},
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "data",
    .usage = "D [options]",
    .about = "Tells what a data set holds: classes, splits, sizes of boxes and pictures, and everything that is wrong "
             "with it, by file "
             "and line; draws it as a contact sheet, and converts it.  D is a data.yaml (Ultralytics), COCO's JSON or "
             "the folder of it, "
             "PASCAL VOC's folders or XML files, WIDER FACE's list, Open Images' CSV, Darknet's .data, a folder that "
             "holds a data.yaml or "
             "images/ and labels/, a CSV of boxes (image,x1,y1,x2,y2[,class], pixels), a folder with one folder of "
             "pictures per class (with "
             "or without train/, val/, test/ above them), CIFAR-10's or CIFAR-100's binary files, or a .zip of any of "
             "these.  The form is "
             "recognised by looking.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet data faces/data.yaml --sheet faces.jpg\n"
                "  gannet data photos/ --split photos_split --val-frac 0.2\n"
                "  gannet data coco/annotations/instances_val2017.json --to yolo -o coco_yolo\n"
                "  gannet data VOCdevkit --to coco -o voc_coco --pictures copy\n",
};

static gn_status show_augment(const gn_args *args, const gn_dataset *set, gn_error *err)
{
    if (!gn_args_has(args, "output"))
        return gn_fail(err, GN_EINVAL, "--show-augment needs a file to write: -o FILE.jpg");
    const char *name = gn_args_str(args, "show-augment"), *path = gn_args_str(args, "output");
    GN_TRY(gn_cli_show_augment(set, name, (uint64_t)gn_args_int(args, "seed"), path, err));
    gn_cli_print("%s: %s\n", path, name);
    return GN_OK;
}

static gn_status show(const gn_args *args, gn_error *err)
{
    gn_dataset_options o = gn_dataset_default_options();
    const bool converts = gn_args_has(args, "to"), shows = gn_args_has(args, "show-augment");
    if (converts && shows)
        return gn_fail(err, GN_EUSAGE, "--to converts and --show-augment draws: one at a time");
    if (!shows && converts != gn_args_has(args, "output"))
        return gn_fail(err, GN_EUSAGE, "--to %s needs -o DIR, and -o DIR needs --to yolo|coco|voc",
                       converts ? gn_args_str(args, "to") : "FORMAT");
    o.verify = gn_args_flag(args, "verify");
    o.val_frac = gn_args_double(args, "val-frac");
    o.test_frac = gn_args_double(args, "test-frac");
    o.seed = (uint64_t)gn_args_int(args, "seed");
    o.coarse_labels = strcmp(gn_args_str(args, "labels"), "coarse") == 0;
    gn_dataset *set = NULL;
    GN_TRY(gn_dataset_open(gn_args_positional(args, 0), &o, &set, err));
    if (gn_args_has(args, "show-augment")) {
        const gn_status shown = show_augment(args, set, err);
        gn_dataset_close(&set);
        return shown;
    }
    set_facts facts;
    gn_status status = collect(set, &facts);
    if (status != GN_OK)
        gn_fail(err, status, "out of memory counting the boxes of %s", gn_dataset_path(set));
    if (status == GN_OK && gn_args_has(args, "split"))
        status = write_splits(set, gn_args_str(args, "split"), err);
    if (status == GN_OK && gn_args_has(args, "sheet"))
        status = gn_cli_data_sheet(set, gn_args_int(args, "sheet-pictures"), gn_args_str(args, "sheet"), err);
    gn_write_report written = {0};
    if (status == GN_OK && converts)
        status = gn_cli_data_convert(args, set, &written, err);
    if (status == GN_OK && gn_args_flag(args, "json"))
        status = print_json(&facts, converts ? &written : NULL, err);
    else if (status == GN_OK)
        print_text(&facts, gn_args_flag(args, "all"));
    if (status == GN_OK && converts && !gn_args_flag(args, "json"))
        gn_cli_data_print_report(args, &written);
    gn_free(facts.class_boxes);
    gn_free(facts.class_images);
    gn_dataset_close(&set);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err;
    gn_error_clear(&err);
    if (show(args, &err) != GN_OK)
        code = gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_data = {"data", "tells what a data set holds and what is wrong with it", "Data", run};
