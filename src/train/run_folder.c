/* Files of a run folder that training writes besides checkpoints: models and results.csv.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "formats/onnx/onnx_format.h"
#include "train/trainer_state.h"

gn_status gn_trainer_path(const gn_trainer *t, const char *name, char *dst, size_t dst_bytes, gn_error *err)
{
    gn_status status = gn_path_join(t->options->run_dir, name, dst, dst_bytes);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "run folder %s: its path is too long", t->options->run_dir);
}

static void add_figure(gn_text *json, const char *key, double x)
{
    gn_text_printf(json, "%s\"%s\": ", json->len > 1 ? ", " : "", key);
    if (isfinite(x))
        gn_text_printf(json, "%.6g", x);
    else
        gn_text_add(json, "null");
}

static gn_status set_metrics(gn_graph *model, const gn_accuracy *a, int epoch)
{
    gn_text json;
    gn_text_init(&json);
    gn_text_add(&json, "{");
    add_figure(&json, "epoch", epoch);
    add_figure(&json, "images", (double)a->images);
    add_figure(&json, "loss", a->loss);
    if (a->is_classifier) {
        add_figure(&json, "top1", a->top1.value);
        add_figure(&json, "top5", a->top5.value);
    } else {
        if (!gn_train_is_detector(model)) {
            add_figure(&json, "mean_iou", a->mean_iou.value);
            add_figure(&json, "box_precision50", a->box_precision50.value);
        }
        add_figure(&json, "map50", a->map50.value);
        add_figure(&json, "map50_95", a->coco.map50_95);
    }
    gn_text_add(&json, "}");
    gn_status status = json.failed ? GN_ENOMEM : gn_graph_meta_set(model, "gannet.metrics", json.data);
    gn_text_deinit(&json);
    return status;
}

/* The confidence at which precision and recall are in the best balance is the one that `predict` goes by. */
static gn_status set_confidence(gn_graph *model, const gn_accuracy *a)
{
    char text[32];
    if (!gn_train_is_detector(model) || !isfinite(a->coco.confidence))
        return GN_OK;
    snprintf(text, sizeof text, "%.9g", a->coco.confidence); /* rounded up, it would drop its own detection */
    return gn_graph_meta_set(model, "gannet.conf", text);
}

gn_status gn_trainer_write_model(const gn_trainer *t, const char *name, const gn_accuracy *accuracy, gn_error *err)
{
    char path[1024];
    GN_TRY(gn_trainer_path(t, name, path, sizeof path, err));
    if (accuracy) {
        GN_TRY(set_metrics(t->eval_model, accuracy, t->epoch + 1));
        GN_TRY(set_confidence(t->eval_model, accuracy));
    }
    return gn_onnx_write(t->eval_model, path, NULL, err);
}

static void add_cell(gn_text *csv, double x)
{
    if (isfinite(x))
        gn_text_printf(csv, ",%.6g", x);
    else
        gn_text_add(csv, ",");
}

#define MOST_CELLS 16

/* The line's cells but for the epoch; returns how many. */
static int results_cells(const gn_epoch_record *r, double cells[MOST_CELLS])
{
    const gn_accuracy *v = &r->val;
    int n = 0;
    cells[n++] = r->seconds;
    cells[n++] = r->train_loss;
    for (int i = 0; i < GN_LOSS_PARTS && r->is_detector; i++)
        cells[n++] = r->parts[i];
    if (!r->is_detector)
        cells[n++] = v->loss;
    if (v->is_classifier) {
        cells[n++] = v->top1.value;
        cells[n++] = v->top5.value;
    } else {
        cells[n++] = r->is_detector ? v->coco.precision : v->mean_iou.value;
        cells[n++] = r->is_detector ? v->coco.recall : v->box_precision50.value;
        cells[n++] = v->map50.value;
        cells[n++] = v->coco.map50_95;
    }
    cells[n++] = r->lr;
    return n;
}

static const char *results_header(const gn_epoch_record *r)
{
    if (r->is_detector)
        return "epoch,time,train/loss,train/box_loss,train/obj_loss,train/cls_loss,train/dfl_loss,val/precision,val/"
               "recall,"
               "val/map50,val/map50_95,lr\n";
    if (r->val.is_classifier)
        return "epoch,time,train/loss,val/loss,val/top1,val/top5,lr\n";
    return "epoch,time,train/loss,val/loss,val/mean_iou,val/box_precision50,val/map50,val/map50_95,lr\n";
}

gn_status gn_trainer_write_results(gn_trainer *t, const gn_epoch_record *r, gn_error *err)
{
    double cells[MOST_CELLS];
    const int n = results_cells(r, cells);
    if (t->csv.len == 0)
        gn_text_add(&t->csv, results_header(r));
    gn_text_printf(&t->csv, "%d", r->epoch);
    for (int i = 0; i < n; i++)
        add_cell(&t->csv, cells[i]);
    gn_text_add(&t->csv, "\n");
    if (t->csv.failed)
        return gn_fail(err, GN_ENOMEM, "results of epoch %d: out of memory", r->epoch);
    char path[1024];
    GN_TRY(gn_trainer_path(t, "results.csv", path, sizeof path, err));
    return gn_file_write(path, t->csv.data, t->csv.len, err);
}
