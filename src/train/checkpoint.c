/* Checkpoints: last.safetensors holds weights, running statistics, optimiser state and averages by name, and in its metadata where the
 * run stands, so that a resumed run computes the same bits as one that was never interrupted.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/weights/safetensors.h"
#include "train/trainer_state.h"

#define GN_CHECKPOINT_VERSION "1"

enum {
    META_VERSION,
    META_EPOCH,
    META_BATCH,
    META_STEP,
    META_LOSS,
    META_BEST_EPOCH,
    META_BEST,
    META_SECONDS,
    META_CSV,
    META_SETTINGS,
    META_PARTS,
    META_COUNT
};

static const char *const keys[META_COUNT] = {
    "gannet.checkpoint", "gannet.epoch",      "gannet.batch",      "gannet.step",
    "gannet.loss_sum",   "gannet.best_epoch", "gannet.best",       "gannet.seconds",
    "gannet.results",    "gannet.settings",   "gannet.loss_parts",
};

gn_status gn_checkpoint_save(const gn_trainer *t, const char *path, gn_error *err)
{
    const gn_graph *g = t->step_graph.graph;
    int n_values = gn_graph_value_count(g);
    gn_safetensors_entry *entries = gn_calloc((size_t)n_values + 1, sizeof *entries);
    if (!entries)
        return gn_fail(err, GN_ENOMEM, "writing checkpoint %s: out of memory", path);
    size_t n = 0;
    for (int v = 0; v < n_values; v++)
        if (gn_graph_value(g, v)->kind == GN_VALUE_STATE)
            entries[n++] = (gn_safetensors_entry){gn_graph_value(g, v)->name, gn_graph_value(g, v)->data};
    char text[META_COUNT][128];
    snprintf(text[META_EPOCH], sizeof text[0], "%d", t->epoch);
    snprintf(text[META_BATCH], sizeof text[0], "%" PRId64, t->batch);
    snprintf(text[META_STEP], sizeof text[0], "%" PRId64, t->step);
    snprintf(text[META_LOSS], sizeof text[0], "%a", t->loss_sum);
    snprintf(text[META_BEST_EPOCH], sizeof text[0], "%d", t->best_epoch);
    snprintf(text[META_BEST], sizeof text[0], "%a", t->best_value);
    snprintf(text[META_PARTS], sizeof text[0], "%a %a %a %a", t->parts_sum[0], t->parts_sum[1], t->parts_sum[2],
             t->parts_sum[3]);
    snprintf(text[META_SECONDS], sizeof text[0], "%a", t->seconds);
    gn_safetensors_meta meta[META_COUNT];
    for (int i = 0; i < META_COUNT; i++)
        meta[i] = (gn_safetensors_meta){keys[i], text[i]};
    meta[META_VERSION].value = GN_CHECKPOINT_VERSION;
    meta[META_CSV].value = t->csv.data ? t->csv.data : "";
    meta[META_SETTINGS].value = t->options->settings ? t->options->settings : "";
    gn_status status = gn_safetensors_write(path, entries, n, meta, META_COUNT, err);
    gn_free(entries);
    return status;
}

/* First line in which two texts differ, for the message. */
static void first_difference(const char *was, const char *is, char *dst, size_t dst_bytes)
{
    while (*was && *is) {
        size_t a = strcspn(was, "\n"), b = strcspn(is, "\n");
        if (a != b || memcmp(was, is, a) != 0) {
            snprintf(dst, dst_bytes, "\"%.*s\" then, \"%.*s\" now", (int)(a < 80 ? a : 80), was, (int)(b < 80 ? b : 80),
                     is);
            return;
        }
        was += a + (was[a] == '\n');
        is += b + (is[b] == '\n');
    }
    snprintf(dst, dst_bytes, "\"%.80s\" then, \"%.80s\" now", was, is);
}

static gn_status check_settings(const gn_trainer *t, const gn_safetensors *file, const char *path, gn_error *err)
{
    const char *version = gn_safetensors_meta_get(file, keys[META_VERSION]),
               *settings = gn_safetensors_meta_get(file, keys[META_SETTINGS]);
    const char *now = t->options->settings ? t->options->settings : "";
    if (!version || strcmp(version, GN_CHECKPOINT_VERSION) != 0 || !settings)
        return gn_fail_at(err, GN_EFORMAT, path, 0, "this is not a checkpoint of a training run");
    if (strcmp(settings, now) == 0)
        return GN_OK;
    char difference[256];
    first_difference(settings, now, difference, sizeof difference);
    return gn_fail_at(
        err, GN_EFORMAT, path, 0,
        "the run was begun with other settings (%s); use the same ones, or another --name without --resume",
        difference);
}

static gn_status copy_states(gn_trainer *t, const gn_safetensors *file, const char *path, gn_error *err)
{
    const gn_graph *g = t->step_graph.graph;
    for (int v = 0; v < gn_graph_value_count(g); v++) {
        const gn_value *value = gn_graph_value(g, v);
        if (value->kind != GN_VALUE_STATE)
            continue;
        const gn_tensor *saved = gn_safetensors_find(file, value->name);
        if (!saved || saved->dtype != value->dtype || !gn_shape_equal(&saved->shape, &value->shape))
            return gn_fail_at(err, GN_EFORMAT, path, 0, "tensor %s is %s: the checkpoint belongs to another model",
                              value->name, saved ? "of another shape" : "missing");
        memcpy(value->data->data, saved->data, gn_tensor_bytes(saved));
    }
    return GN_OK;
}

static double meta_number(const gn_safetensors *file, int key)
{
    const char *text = gn_safetensors_meta_get(file, keys[key]);
    return text ? strtod(text, NULL) : 0.0;
}

gn_status gn_checkpoint_load(gn_trainer *t, const char *path, gn_error *err)
{
    gn_safetensors *file = NULL;
    GN_TRY(gn_safetensors_open(path, &file, err));
    gn_status status = check_settings(t, file, path, err);
    if (status == GN_OK)
        status = copy_states(t, file, path, err);
    if (status == GN_OK) {
        const char *csv = gn_safetensors_meta_get(file, keys[META_CSV]);
        t->epoch = (int)meta_number(file, META_EPOCH);
        t->batch = (int64_t)meta_number(file, META_BATCH);
        t->step = (int64_t)meta_number(file, META_STEP);
        t->loss_sum = meta_number(file, META_LOSS);
        t->best_epoch = (int)meta_number(file, META_BEST_EPOCH);
        t->best_value = meta_number(file, META_BEST);
        t->seconds = meta_number(file, META_SECONDS);
        if (csv)
            gn_text_add(&t->csv, csv);
        const char *parts = gn_safetensors_meta_get(file, keys[META_PARTS]);
        for (int i = 0; i < GN_LOSS_PARTS && parts; i++) {
            char *end = NULL;
            t->parts_sum[i] = strtod(parts, &end);
            parts = end;
        }
    }
    gn_safetensors_close(&file);
    return status;
}
