/* Results of predict as text, JSON, YOLO labels and COCO results.
 * Sources: the label format of Ultralytics' YOLO (class, centre, size in 0..1, confidence), COCO's results format.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/predict_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli_args.h"

#define MAX_PATH_BYTES 4096

static const char *class_name(const gn_predict_report *r, int cls, char *number)
{
    return gn_model_info_class(r->info, cls, number);
}

gn_status gn_predict_report_begin(gn_predict_report *r, const char *model, gn_error *err)
{
    gn_jsonw_init(&r->json);
    gn_text_init(&r->coco);
    gn_jsonw_str(&r->json, "model", model);
    gn_jsonw_array(&r->json, "predictions");
    gn_text_add(&r->coco, "[");
    return r->txt_folder ? gn_make_dirs(r->txt_folder, err) : GN_OK;
}

/* ---- text ---- */

static void print_where(const gn_predict_item *item)
{
    if (item->frame >= 0)
        gn_cli_print("%s frame %" PRId64 ":", item->source, item->frame);
    else
        gn_cli_print("%s:", item->source);
}

static void print_classes(const gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p)
{
    char number[16];
    print_where(item);
    for (int i = 0; i < p->n; i++)
        gn_cli_print("  %.3f %s", (double)p->object[i].score, class_name(r, p->object[i].cls, number));
    gn_cli_print("\n");
}

static void print_objects(const gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p)
{
    char number[16];
    if (r->info->decode == GN_DECODE_CLASSES && p->n > 0) {
        print_classes(r, item, p);
        return;
    }
    if (p->n == 0) {
        print_where(item);
        gn_cli_print(" nothing found\n");
    }
    for (int i = 0; i < p->n; i++) {
        const gn_object *o = &p->object[i];
        print_where(item);
        gn_cli_print(" %.1f %.1f %.1f %.1f  %.3f  %s\n", (double)o->box.x1, (double)o->box.y1, (double)o->box.x2,
                     (double)o->box.y2, (double)o->score, class_name(r, o->cls, number));
    }
}

/* ---- --json ---- */

static void json_objects(gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p,
                         const gn_times *times)
{
    char number[16];
    gn_jsonw *j = &r->json;
    gn_jsonw_object(j, NULL);
    gn_jsonw_str(j, "image", item->source);
    if (item->frame >= 0) {
        gn_jsonw_int(j, "frame", item->frame);
        gn_jsonw_num(j, "time_s", item->time_s);
    }
    gn_jsonw_int(j, "width", item->width);
    gn_jsonw_int(j, "height", item->height);
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
        gn_jsonw_str(j, "name", class_name(r, o->cls, number));
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_num(j, "preprocess_ms", (double)times->preprocess_ns * 1e-6);
    gn_jsonw_num(j, "network_ms", (double)times->infer_ns * 1e-6);
    gn_jsonw_num(j, "postprocess_ms", (double)times->postprocess_ns * 1e-6);
    gn_jsonw_end(j);
}

/* ---- --save-txt ---- */

static gn_status write_labels(const gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p,
                              gn_error *err)
{
    char name[256], path[MAX_PATH_BYTES];
    gn_text text;
    if (item->frame >= 0)
        snprintf(name, sizeof name, "%s_%" PRId64 ".txt", item->name, item->frame);
    else
        snprintf(name, sizeof name, "%s.txt", item->name);
    if (gn_path_join(r->txt_folder, name, path, sizeof path) != GN_OK)
        return gn_fail_at(err, GN_EINVAL, r->txt_folder, 0, "its name is too long");
    gn_text_init(&text);
    gn_text_add(&text, ""); /* a picture with nothing in it has an empty file: it is background */
    for (int i = 0; i < p->n; i++) {
        const gn_object *o = &p->object[i];
        const double w = item->width, h = item->height;
        gn_text_printf(&text, "%d %.6f %.6f %.6f %.6f", o->cls, (double)(o->box.x1 + o->box.x2) / (2 * w),
                       (double)(o->box.y1 + o->box.y2) / (2 * h), (double)(o->box.x2 - o->box.x1) / w,
                       (double)(o->box.y2 - o->box.y1) / h);
        if (r->has_conf)
            gn_text_printf(&text, " %.6f", (double)o->score);
        gn_text_add(&text, "\n");
    }
    const gn_status status =
        text.failed ? gn_fail(err, GN_ENOMEM, "no memory for labels") : gn_file_write(path, text.data, text.len, err);
    gn_text_deinit(&text);
    return status;
}

/* ---- --save-json ---- */

static bool is_number(const char *s)
{
    const size_t n = strspn(s, "0123456789");
    return n > 0 && n <= 15 && s[n] == '\0';
}

/* The data set's number of the picture; else its name, as a number when it is one. */
static void add_image_id(gn_text *t, const gn_predict_item *item)
{
    char name[256];
    int64_t number = item->id;
    if (item->frame >= 0)
        snprintf(name, sizeof name, "%s_%" PRId64, item->name, item->frame);
    else
        snprintf(name, sizeof name, "%s", item->name);
    if (number >= 0 || (is_number(name) && gn_parse_i64(name, &number)))
        gn_text_printf(t, "%" PRId64, number);
    else
        gn_text_add_json(t, name);
}

static void add_coco(gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p)
{
    for (int i = 0; i < p->n; i++) {
        const gn_object *o = &p->object[i];
        const int64_t category = r->dataset && o->cls < gn_dataset_classes(r->dataset)
                                     ? gn_dataset_category_id(r->dataset, o->cls)
                                     : (int64_t)o->cls + 1;
        gn_text_add(&r->coco, r->has_coco_items ? ",\n{\"image_id\": " : "\n{\"image_id\": ");
        add_image_id(&r->coco, item);
        gn_text_printf(&r->coco, ", \"category_id\": %" PRId64 ", \"bbox\": [%.3f, %.3f, %.3f, %.3f], \"score\": %.5f}",
                       category, (double)o->box.x1, (double)o->box.y1, (double)(o->box.x2 - o->box.x1),
                       (double)(o->box.y2 - o->box.y1), (double)o->score);
        r->has_coco_items = true;
    }
}

/* ---- all of them ---- */

gn_status gn_predict_report_add(gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p,
                                const gn_times *times, gn_error *err)
{
    if (r->is_json)
        json_objects(r, item, p, times);
    else
        print_objects(r, item, p);
    if (r->coco_path)
        add_coco(r, item, p);
    return r->txt_folder ? write_labels(r, item, p, err) : GN_OK;
}

gn_status gn_predict_report_save(gn_predict_report *r, gn_error *err)
{
    if (!r->coco_path)
        return GN_OK;
    gn_text_add(&r->coco, r->has_coco_items ? "\n]\n" : "]\n");
    if (r->coco.failed)
        return gn_fail(err, GN_ENOMEM, "no memory for the results");
    return gn_file_write(r->coco_path, r->coco.data, r->coco.len, err);
}

gn_status gn_predict_report_print(gn_predict_report *r, int64_t n_done, int64_t n_failed, gn_error *err)
{
    if (!r->is_json)
        return GN_OK;
    gn_jsonw_end(&r->json);
    gn_jsonw_int(&r->json, "images", n_done);
    gn_jsonw_int(&r->json, "skipped", n_failed);
    const gn_status status = gn_jsonw_print(&r->json);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}

void gn_predict_report_deinit(gn_predict_report *r)
{
    gn_jsonw_deinit(&r->json);
    gn_text_deinit(&r->coco);
}
