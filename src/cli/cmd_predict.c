/* gannet predict: what a model finds in pictures and videos, as text, JSON, labels, drawn pictures or a contact sheet.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/cli_args.h"
#include "cli/cli_progress.h"
#include "cli/kernel_options.h"
#include "cli/model_source.h"
#include "cli/output_names.h"
#include "cli/picture_list.h"
#include "cli/predict_draw.h"
#include "cli/predict_options.h"
#include "cli/predict_report.h"
#include "cli/predict_video.h"
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
     .help = "at most so many pictures, and frames of each video, 0: all"},
    {.name = "vid-stride",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1",
     .min = 1,
     .max = 1000000,
     .help = "look at every Nth frame of a video"},
    GN_OPT_ROWS_PREDICT,
    {.name = "save",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Output",
     .help = "write pictures and videos with their boxes there"},
    {.name = "save-txt",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .help = "write a label file per picture there (YOLO)"},
    {.name = "save-conf", .type = GN_OPT_FLAG, .help = "with the score at the end of each line"},
    {.name = "save-json", .type = GN_OPT_STRING, .metavar = "FILE", .help = "write all boxes as COCO results"},
    {.name = "sheet",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "contact sheet of up to 16 pictures (.jpg or .png); with --data also the true boxes (green)"},
    {.name = "line-width",
     .type = GN_OPT_DOUBLE,
     .metavar = "PX",
     .init = "0",
     .min = 0,
     .max = 100,
     .help = "of drawn boxes, 0: by the size of the picture"},
    {.name = "show-labels", .type = GN_OPT_FLAG, .init = "true", .help = "names on drawn boxes"},
    {.name = "show-conf", .type = GN_OPT_FLAG, .init = "true", .help = "scores on drawn boxes"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_THREADS,
    GN_OPT_ROWS_KERNELS,
    GN_OPT_ROW_HEAD,
    GN_OPT_ROW_IMGSZ,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "predict",
    .usage = "MODEL SOURCE... [options]\nMODEL --data D [--split test] [options]",
    .about =
        "Tells what a model finds in pictures and videos (files, or all of a folder): one line per object with its box "
        "in\n"
        "pixels of the upright picture, its score and its class; of a classifier one line per picture with its five "
        "likeliest\n"
        "classes.  What cannot be read is named and skipped.  Videos need the program ffmpeg.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = -1,
    .examples = "  gannet predict runs/train/best.onnx photo.jpg --save drawn\n"
                "  gannet predict best.onnx holiday/ --json\n"
                "  gannet predict yolo.onnx street.mp4 --conf 0.4 --classes person,car --save drawn\n"
                "  gannet predict best.onnx --data faces/data.yaml --split test --sheet sheet.jpg\n",
};

typedef struct work {
    const gn_args *args;
    gn_session *session;
    gn_predict_options options;
    gn_picture_list list;
    const char **name;         /* [list.n] of what is written about each */
    const gn_dataset *dataset; /* whose pictures these are; NULL: files */
    gn_split split;
    gn_predict_report report;
    gn_predict_draw draw;
    const char *save; /* folder, or NULL */
    gn_image *tile;   /* of the sheet */
    const char **caption;
    int n_tiles, max_tiles; /* max 0: no sheet of its own */
    size_t every;           /* one picture in so many becomes a tile */
    int64_t n_done, n_failed;
    gn_error *err;
} work;

/* ---- one picture ---- */

/* Picture `index` of the list: a file, or whatever a data set holds. */
static gn_status load(const work *w, size_t index, const gn_decode_options *decode, gn_image *image)
{
    if (w->dataset == NULL)
        return gn_image_load(w->list.path[index], decode, image, w->err);
    return gn_sample_decode(gn_dataset_sample(w->dataset, w->split, (int64_t)index), decode, image, w->err);
}

static gn_status save_drawn(const work *w, size_t index, const gn_image *image)
{
    char name[512], path[4096];
    const char *ext = gn_path_ext(w->list.path[index]);
    const bool can_write = strcmp(ext, ".png") == 0 || strcmp(ext, ".jpg") == 0 || strcmp(ext, ".jpeg") == 0;
    snprintf(name, sizeof name, "%.400s%s", w->name[index], can_write ? ext : ".jpg");
    if (gn_path_join(w->save, name, path, sizeof path) != GN_OK)
        return gn_fail_at(w->err, GN_EINVAL, w->save, 0, "its name is too long");
    return gn_image_save(path, image, JPEG_QUALITY, w->err);
}

/* Draws on the picture and keeps it where it is wanted. */
static gn_status show(work *w, size_t index, gn_image *image, const gn_prediction *p)
{
    /* The network sees the same pixels with and without --save; what is drawn on has the size of the file. */
    if (w->save) {
        gn_image_deinit(image);
        GN_TRY(load(w, index, &(gn_decode_options){0}, image));
    }
    const bool is_tile = w->n_tiles < w->max_tiles && index % w->every == 0;
    if (w->save || is_tile) {
        const gn_status status = gn_predict_draw_objects(&w->draw, image, p);
        if (status != GN_OK)
            return gn_fail_at(w->err, status, w->list.path[index], 0, "boxes cannot be drawn");
    }
    if (w->save)
        GN_TRY(save_drawn(w, index, image));
    if (is_tile) {
        w->caption[w->n_tiles] = gn_path_name(w->list.path[index]);
        w->tile[w->n_tiles++] = *image;
        *image = (gn_image){0};
    }
    return GN_OK;
}

static gn_status handle_picture(work *w, size_t index)
{
    gn_prediction prediction;
    gn_times times;
    gn_image image = {0};
    const int64_t begin = gn_now_ns();
    const gn_decode_options decode = gn_session_decode_options(w->session);
    gn_status status = load(w, index, &decode, &image);
    const int64_t decode_ns = gn_now_ns() - begin;
    if (status == GN_OK)
        status = gn_session_predict(w->session, &image, &prediction, &times, w->err);
    if (status == GN_OK) {
        const gn_predict_item item = {.source = w->list.path[index],
                                      .name = w->name[index],
                                      .frame = -1,
                                      .id =
                                          w->dataset ? gn_dataset_sample(w->dataset, w->split, (int64_t)index)->id : -1,
                                      .width = image.full_width,
                                      .height = image.full_height};
        times.preprocess_ns += decode_ns;
        gn_predict_options_filter(&w->options, &prediction);
        status = gn_predict_report_add(&w->report, &item, &prediction, &times, w->err);
    }
    if (status == GN_OK)
        status = show(w, index, &image, &prediction);
    gn_image_deinit(&image);
    return status;
}

static void filter(void *ctx, gn_prediction *p)
{
    gn_predict_options_filter(ctx, p);
}

static gn_status handle(work *w, size_t index)
{
    if (w->dataset || !gn_video_has_known_extension(w->list.path[index]))
        return handle_picture(w, index);
    int64_t n_frames = 0;
    const gn_predict_video video = {.session = w->session,
                                    .report = &w->report,
                                    .draw = &w->draw,
                                    .filter = filter,
                                    .filter_ctx = &w->options,
                                    .save = w->save,
                                    .stride = gn_args_int(w->args, "vid-stride"),
                                    .limit = gn_args_int64(w->args, "limit")};
    return gn_predict_video_run(&video, w->list.path[index], w->name[index], &n_frames, w->err);
}

/* Bad pictures are told and skipped; a full disk or a lack of memory ends the work. */
static gn_status handle_all(work *w)
{
    const int64_t begin = gn_now_ns();
    const size_t n = w->list.n;
    for (size_t i = 0; i < n; i++) {
        if (gn_stop_requested())
            return gn_fail(w->err, GN_ECANCELED, "interrupted after %zu of %zu sources", i, n);
        const gn_status status = handle(w, i);
        if (status == GN_OK) {
            w->n_done++;
        } else if (status == GN_EFORMAT || status == GN_ELIMIT || status == GN_ENOENT || status == GN_EUNSUPPORTED) {
            char line[1024];
            gn_error_line(w->err, line, sizeof line);
            gn_cli_progress_end();
            if (n > 1) /* else it is the error line */
                gn_cli_say("skipped %s\n", line);
            w->n_failed++;
        } else {
            return status;
        }
        if (n > 1)
            gn_progress_tell(&(gn_progress){.what = "predicting",
                                            .done = (int64_t)i + 1,
                                            .total = (int64_t)n,
                                            .unit = "pictures",
                                            .seconds = (double)(gn_now_ns() - begin) * 1e-9,
                                            .note = ""});
    }
    gn_cli_progress_end();
    if (w->n_done == 0 && n == 1)
        return w->err->status;
    return w->n_done > 0 ? GN_OK : gn_fail(w->err, GN_EDATA, "none of %zu pictures could be read", n);
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
    const int n = gn_args_n_positional(args);
    if (gn_args_has(args, "data") ? n != 1 : n < 2)
        return gn_fail(err, GN_EUSAGE, "either pictures and folders after MODEL, or --data D, was expected");
    for (int i = 1; i < n; i++)
        GN_TRY(gn_picture_list_add(list, gn_args_positional(args, i), err));
    if (gn_args_has(args, "data")) {
        gn_split_parse(gn_args_str(args, "split"), split_out);
        GN_TRY(gn_dataset_open(gn_args_str(args, "data"), NULL, dataset_out, err));
        GN_TRY(list_split(list, *dataset_out, *split_out, err));
    }
    const size_t limit = (size_t)gn_args_int64(args, "limit");
    if (limit > 0 && list->n > limit)
        list->n = limit;
    return GN_OK;
}

static gn_status write_sheet(const work *w, const char *path)
{
    gn_image sheet = {0};
    if (w->n_tiles == 0)
        return gn_fail(w->err, GN_EDATA, "there is no picture for the contact sheet");
    gn_status status =
        gn_draw_contact_sheet(w->tile, w->caption, (size_t)w->n_tiles, SHEET_COLUMNS, SHEET_TILE_PX, &sheet);
    if (status == GN_OK)
        status = gn_image_save(path, &sheet, JPEG_QUALITY, w->err);
    else
        gn_fail(w->err, status, "the contact sheet cannot be drawn");
    gn_image_deinit(&sheet);
    return status;
}

static gn_status begin(work *w)
{
    const gn_args *args = w->args;
    GN_TRY(gn_predict_options_open(&w->options, args, &w->session, w->err));
    const gn_model_info *info = gn_session_info(w->session);
    if (info->decode == GN_DECODE_CLASSES && (gn_args_has(args, "save-txt") || gn_args_has(args, "save-json")))
        return gn_fail(w->err, GN_EUSAGE,
                       "--save-txt and --save-json are for models that find boxes; this is a classifier");
    GN_TRY(gn_output_names(w->list.path, w->list.n, w->list.arena, &w->name, w->err));
    if (w->save)
        GN_TRY(gn_make_dirs(w->save, w->err));
    w->max_tiles = gn_args_has(args, "sheet") && !w->dataset ? SHEET_TILES : 0;
    w->every = w->list.n > SHEET_TILES ? w->list.n / SHEET_TILES : 1;
    w->draw = (gn_predict_draw){.info = info,
                                .line_px = (float)gn_args_double(args, "line-width"),
                                .hides_labels = !gn_args_flag(args, "show-labels"),
                                .hides_conf = !gn_args_flag(args, "show-conf")};
    w->report.info = info;
    w->report.dataset = w->dataset;
    return gn_predict_report_begin(&w->report, gn_args_positional(args, 0), w->err);
}

static gn_status finish(work *w, gn_status status)
{
    const char *sheet = gn_args_str(w->args, "sheet");
    /* What was found until an interruption is kept. */
    if (status == GN_ECANCELED)
        gn_predict_report_save(&w->report, NULL);
    if (status != GN_OK)
        return status;
    GN_TRY(gn_predict_report_save(&w->report, w->err));
    if (sheet && w->dataset)
        GN_TRY(gn_cli_prediction_sheet(w->session, w->dataset, w->split, SHEET_TILES, sheet, w->err));
    else if (sheet)
        GN_TRY(write_sheet(w, sheet));
    return gn_predict_report_print(&w->report, w->n_done, w->n_failed, w->err);
}

static gn_status predict(const gn_args *args, gn_error *err)
{
    gn_dataset *dataset = NULL;
    gn_image tile[SHEET_TILES] = {0};
    const char *caption[SHEET_TILES] = {0};
    work w = {.args = args,
              .split = GN_SPLIT_TEST,
              .report = {.is_json = gn_args_flag(args, "json"),
                         .txt_folder = gn_args_str(args, "save-txt"),
                         .has_conf = gn_args_flag(args, "save-conf"),
                         .coco_path = gn_args_str(args, "save-json")},
              .save = gn_args_str(args, "save"),
              .tile = tile,
              .caption = caption,
              .err = err};
    gn_status status = list_pictures(args, &w.list, &dataset, &w.split, err);
    w.dataset = dataset;
    if (status == GN_OK)
        status = begin(&w);
    if (status == GN_OK)
        status = finish(&w, handle_all(&w));
    for (int i = 0; i < SHEET_TILES; i++)
        gn_image_deinit(&tile[i]);
    gn_predict_report_deinit(&w.report);
    gn_predict_options_deinit(&w.options);
    gn_session_close(&w.session);
    gn_dataset_close(&dataset);
    gn_picture_list_deinit(&w.list);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    const gn_status status = predict(args, &err);
    if (status != GN_OK && err.status == GN_OK)
        gn_fail(&err, status, "%s", gn_status_sentence(status));
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_predict = {"predict", "what a model finds in pictures and videos", "Look", run};
