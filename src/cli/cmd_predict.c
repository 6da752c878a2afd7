/* gannet predict: what a model finds in pictures, as text, JSON, drawn pictures or a contact sheet.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/cli_progress.h"
#include "cli/model_source.h"
#include "cli/picture_list.h"
#include "cli/prediction_sheet.h"
#include "draw/draw.h"
#include "gannet/data_api.h"
#include "gannet/image_api.h"
#include "gannet/run_api.h"

#define SHEET_TILES   16
#define SHEET_COLUMNS 4
#define SHEET_TILE_PX 240
#define JPEG_QUALITY  90

static const gn_opt options[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "Pictures",
     .help = "pictures of a data set instead of SOURCE"},
    {.name = "split", .type = GN_OPT_STRING, .init = "test", .choices = "train|val|test", .help = "which of them"},
    {.name = "limit",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 1e9,
     .help = "at most so many pictures, 0: all"},
    {.name = "conf",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .min = 0,
     .max = 1,
     .group = "Boxes",
     .help = "leave out boxes with a lower score (default: the model's)"},
    {.name = "save",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Output",
     .help = "write pictures with their boxes there"},
    {.name = "sheet",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "contact sheet of up to 16 pictures (.jpg or .png); with --data also the true boxes (green)"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_THREADS,
    GN_OPT_ROWS_MODEL,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "predict",
    .usage = "MODEL SOURCE... [options]\nMODEL --data D [--split test] [options]",
    .about =
        "Tells what a model finds in pictures (files, or all pictures of a folder): one line per object with its box "
        "in\n"
        "pixels of the upright picture, its score and its class; of a classifier one line per picture with its five "
        "likeliest\n"
        "classes.  Pictures that cannot be read are named and skipped.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = -1,
    .examples = "  gannet predict runs/train/best.onnx photo.jpg --save drawn\n"
                "  gannet predict best.onnx holiday/ --json\n"
                "  gannet predict best.onnx --data faces/data.yaml --split test --sheet sheet.jpg\n",
};

typedef struct work {
    const gn_args *args;
    gn_session *session;
    const gn_dataset *dataset; /* whose pictures these are; NULL: files */
    gn_split split;
    gn_jsonw json;
    bool is_json;
    const char *save; /* folder, or NULL */
    gn_image *tile;   /* of the sheet */
    const char **caption;
    int n_tiles, max_tiles; /* max 0: no sheet of its own */
    size_t every;           /* one picture in so many becomes a tile */
    int64_t n_done, n_failed;
    gn_error *err;
} work;

/* ---- showing one picture ---- */

static bool is_classifier(const work *w)
{
    return gn_session_info(w->session)->decode == GN_DECODE_CLASSES;
}

/* The likeliest classes on one line. */
static void print_classes(const work *w, const char *path, const gn_prediction *p)
{
    char number[16];
    gn_cli_print("%s:", path);
    for (int i = 0; i < p->n; i++)
        gn_cli_print("  %.3f %s", (double)p->object[i].score,
                     gn_model_info_class(gn_session_info(w->session), p->object[i].cls, number));
    gn_cli_print("\n");
}

static void print_objects(const work *w, const char *path, const gn_prediction *p)
{
    char number[16];
    if (is_classifier(w) && p->n > 0) {
        print_classes(w, path, p);
        return;
    }
    if (p->n == 0)
        gn_cli_print("%s: nothing found\n", path);
    for (int i = 0; i < p->n; i++) {
        const gn_object *o = &p->object[i];
        gn_cli_print("%s: %.1f %.1f %.1f %.1f  %.3f  %s\n", path, (double)o->box.x1, (double)o->box.y1,
                     (double)o->box.x2, (double)o->box.y2, (double)o->score,
                     gn_model_info_class(gn_session_info(w->session), o->cls, number));
    }
}

static void json_objects(work *w, const char *path, const gn_image *image, const gn_prediction *p,
                         const gn_times *times)
{
    char number[16];
    gn_jsonw *j = &w->json;
    gn_jsonw_object(j, NULL);
    gn_jsonw_str(j, "image", path);
    gn_jsonw_int(j, "width", image->full_width);
    gn_jsonw_int(j, "height", image->full_height);
    gn_jsonw_array(j, "objects");
    for (int i = 0; i < p->n; i++) {
        const gn_object *o = &p->object[i];
        const float corners[4] = {o->box.x1, o->box.y1, o->box.x2, o->box.y2};
        gn_jsonw_object(j, NULL);
        gn_jsonw_array(j, "box");
        for (int k = 0; k < 4; k++)
            gn_jsonw_num(j, NULL, (double)corners[k]);
        gn_jsonw_end(j);
        gn_jsonw_num(j, "score", (double)o->score);
        gn_jsonw_int(j, "class", o->cls);
        gn_jsonw_str(j, "name", gn_model_info_class(gn_session_info(w->session), o->cls, number));
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_num(j, "preprocess_ms", (double)times->preprocess_ns * 1e-6);
    gn_jsonw_num(j, "network_ms", (double)times->infer_ns * 1e-6);
    gn_jsonw_num(j, "postprocess_ms", (double)times->postprocess_ns * 1e-6);
    gn_jsonw_end(j);
}

/* The picture may have been decoded smaller than it is; boxes follow. */
static gn_status draw_objects(const work *w, gn_image *image, const gn_prediction *p)
{
    gn_draw_box box[GN_PREDICTION_MAX];
    gn_colour colour[GN_PREDICTION_MAX];
    char label[GN_PREDICTION_MAX][64], number[16];
    const char *labels[GN_PREDICTION_MAX];
    float sx = (float)image->width / (float)image->full_width, sy = (float)image->height / (float)image->full_height;
    bool has_score = gn_session_info(w->session)->decode != GN_DECODE_BOX;
    const int n = is_classifier(w) && p->n > 1 ? 1 : p->n; /* the likeliest class only */
    for (int i = 0; i < n; i++) {
        const gn_object *o = &p->object[i];
        box[i] = (gn_draw_box){o->box.x1 * sx, o->box.y1 * sy, o->box.x2 * sx, o->box.y2 * sy};
        colour[i] = n == 1 ? (gn_colour){245, 140, 30} : gn_colour_nth(o->cls);
        const char *name = gn_model_info_class(gn_session_info(w->session), o->cls, number);
        if (has_score)
            snprintf(label[i], sizeof label[i], "%.50s %.2f", name, (double)o->score);
        else
            snprintf(label[i], sizeof label[i], "%.60s", name);
        labels[i] = label[i];
    }
    return gn_draw_boxes(image, box, (size_t)n, colour, labels, 0);
}

static gn_status save_drawn(const work *w, const char *source, const gn_image *image)
{
    char name[512], path[4096];
    const char *file = gn_path_name(source), *ext = gn_path_ext(source);
    bool can_write = strcmp(ext, ".png") == 0 || strcmp(ext, ".jpg") == 0 || strcmp(ext, ".jpeg") == 0;
    snprintf(name, sizeof name, "%.480s%s", file, can_write ? "" : ".jpg");
    GN_TRY(gn_path_join(w->save, name, path, sizeof path));
    return gn_image_save(path, image, JPEG_QUALITY, w->err);
}

/* ---- one picture ---- */

/* Picture `index` of the list: a file, or whatever a data set holds. */
static gn_status load(const work *w, const char *path, size_t index, const gn_decode_options *decode, gn_image *image)
{
    if (w->dataset == NULL)
        return gn_image_load(path, decode, image, w->err);
    return gn_sample_decode(gn_dataset_sample(w->dataset, w->split, (int64_t)index), decode, image, w->err);
}

static gn_status handle(work *w, const char *path, gn_image *image, size_t index)
{
    gn_prediction prediction;
    gn_times times;
    int64_t begin = gn_now_ns();
    gn_decode_options decode = gn_session_decode_options(w->session);
    GN_TRY(load(w, path, index, &decode, image));
    int64_t decode_ns = gn_now_ns() - begin;
    GN_TRY(gn_session_predict(w->session, image, &prediction, &times, w->err));
    times.preprocess_ns += decode_ns;
    if (w->is_json)
        json_objects(w, path, image, &prediction, &times);
    else
        print_objects(w, path, &prediction);
    /* The network sees the same pixels with and without --save; what is drawn on has the size of the file. */
    if (w->save) {
        gn_image_deinit(image);
        GN_TRY(load(w, path, index, &(gn_decode_options){0}, image));
    }
    bool is_tile = w->n_tiles < w->max_tiles && index % w->every == 0;
    if (w->save || is_tile)
        GN_TRY(draw_objects(w, image, &prediction));
    if (w->save)
        GN_TRY(save_drawn(w, path, image));
    if (is_tile) {
        w->caption[w->n_tiles] = gn_path_name(path);
        w->tile[w->n_tiles++] = *image;
        *image = (gn_image){0};
    }
    return GN_OK;
}

/* Bad pictures are told and skipped; a full disk or a lack of memory ends the work. */
static gn_status handle_all(work *w, const gn_picture_list *list)
{
    int64_t begin = gn_now_ns();
    for (size_t i = 0; i < list->n; i++) {
        if (gn_stop_requested())
            return gn_fail(w->err, GN_ECANCELED, "interrupted after %zu of %zu pictures", i, list->n);
        gn_image image = {0};
        gn_status status = handle(w, list->path[i], &image, i);
        gn_image_deinit(&image);
        if (status == GN_OK) {
            w->n_done++;
        } else if (status == GN_EFORMAT || status == GN_ELIMIT || status == GN_ENOENT || status == GN_EUNSUPPORTED) {
            char line[1024];
            gn_error_line(w->err, line, sizeof line);
            gn_cli_progress_end();
            gn_cli_say("skipped %s\n", line);
            w->n_failed++;
        } else {
            return status;
        }
        if (list->n > 1)
            gn_progress_tell(&(gn_progress){.what = "predicting",
                                            .done = (int64_t)i + 1,
                                            .total = (int64_t)list->n,
                                            .unit = "pictures",
                                            .seconds = (double)(gn_now_ns() - begin) * 1e-9,
                                            .note = ""});
    }
    gn_cli_progress_end();
    if (w->n_done == 0)
        return gn_fail(w->err, GN_EDATA, "none of %zu pictures could be read", list->n);
    return GN_OK;
}

/* ---- the verb ---- */

static gn_status list_split(gn_picture_list *list, const gn_dataset *dataset, gn_split split, gn_error *err)
{
    for (int64_t i = 0; i < gn_dataset_count(dataset, split); i++)
        GN_TRY(gn_picture_list_add_name(list, gn_dataset_sample(dataset, split, i)->path, err));
    return list->n > 0 ? GN_OK
                       : gn_fail(err, GN_EDATA, "split %s of %s holds no picture", gn_split_name(split),
                                 gn_dataset_path(dataset));
}

static gn_status list_pictures(const gn_args *args, gn_picture_list *list, gn_dataset **dataset_out,
                               gn_split *split_out, gn_error *err)
{
    int n = gn_args_n_positional(args);
    if (gn_args_has(args, "data") ? n != 1 : n < 2)
        return gn_fail(err, GN_EUSAGE, "either pictures and folders after MODEL, or --data D, was expected");
    for (int i = 1; i < n; i++)
        GN_TRY(gn_picture_list_add(list, gn_args_positional(args, i), err));
    if (gn_args_has(args, "data")) {
        gn_split_parse(gn_args_str(args, "split"), split_out);
        GN_TRY(gn_dataset_open(gn_args_str(args, "data"), NULL, dataset_out, err));
        GN_TRY(list_split(list, *dataset_out, *split_out, err));
    }
    size_t limit = (size_t)gn_args_int64(args, "limit");
    if (limit > 0 && list->n > limit)
        list->n = limit;
    return GN_OK;
}

static gn_status open_session(const gn_args *args, gn_session **session_out, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_session_options o = {.threads = gn_cli_threads(args), .has_conf = gn_args_has(args, "conf")};
    if (o.has_conf)
        o.conf = (float)gn_args_double(args, "conf");
    GN_TRY(gn_cli_model_load(gn_args_positional(args, 0), args, &graph, err));
    GN_TRY(gn_session_take_graph(&graph, &o, session_out, err));
    GN_TRY(gn_session_prepare(*session_out, 1, err));
    gn_session_release_weights(*session_out);
    return GN_OK;
}

static gn_status write_sheet(const work *w, const char *path)
{
    gn_image sheet = {0};
    gn_status status =
        gn_draw_contact_sheet(w->tile, w->caption, (size_t)w->n_tiles, SHEET_COLUMNS, SHEET_TILE_PX, &sheet);
    if (status == GN_OK)
        status = gn_image_save(path, &sheet, JPEG_QUALITY, w->err);
    else
        gn_fail(w->err, status, "the contact sheet cannot be drawn");
    gn_image_deinit(&sheet);
    return status;
}

static gn_status print_json(work *w)
{
    gn_jsonw_end(&w->json);
    gn_jsonw_int(&w->json, "images", w->n_done);
    gn_jsonw_int(&w->json, "skipped", w->n_failed);
    gn_status status = gn_jsonw_print(&w->json);
    return status == GN_OK ? status : gn_fail(w->err, status, "the result cannot be written to standard output");
}

static gn_status predict(const gn_args *args, gn_error *err)
{
    gn_picture_list list = {0};
    gn_dataset *dataset = NULL;
    gn_split split = GN_SPLIT_TEST;
    gn_image tile[SHEET_TILES] = {0};
    const char *caption[SHEET_TILES] = {0}, *sheet = gn_args_str(args, "sheet");
    work w = {.args = args,
              .is_json = gn_args_flag(args, "json"),
              .save = gn_args_str(args, "save"),
              .tile = tile,
              .caption = caption,
              .err = err};
    gn_jsonw_init(&w.json);
    gn_status status = list_pictures(args, &list, &dataset, &split, err);
    w.dataset = dataset;
    w.split = split;
    if (status == GN_OK)
        status = open_session(args, &w.session, err);
    if (status == GN_OK && w.save)
        status = gn_make_dirs(w.save, err);
    if (status == GN_OK) {
        w.max_tiles = sheet && !dataset ? SHEET_TILES : 0;
        w.every = list.n > SHEET_TILES ? list.n / SHEET_TILES : 1;
        if (w.is_json) {
            gn_jsonw_str(&w.json, "model", gn_args_positional(args, 0));
            gn_jsonw_array(&w.json, "predictions");
        }
        status = handle_all(&w, &list);
    }
    if (status == GN_OK && sheet)
        status = dataset ? gn_cli_prediction_sheet(w.session, dataset, split, SHEET_TILES, sheet, err)
                         : write_sheet(&w, sheet);
    if (status == GN_OK && w.is_json)
        status = print_json(&w);
    for (int i = 0; i < SHEET_TILES; i++)
        gn_image_deinit(&tile[i]);
    gn_jsonw_deinit(&w.json);
    gn_session_close(&w.session);
    gn_dataset_close(&dataset);
    gn_picture_list_deinit(&list);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    gn_status status = predict(args, &err);
    if (status != GN_OK && err.status == GN_OK)
        gn_fail(&err, status, "%s", gn_status_sentence(status));
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_predict = {"predict", "what a model finds in pictures", "Look", run};
