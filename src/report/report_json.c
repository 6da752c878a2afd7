/* The study as one JSON object.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "report/report.h"

/* --- values ---------------------------------------------------------------------------------------------------------- */

/* A string; '<' is escaped so that no text can end the script element or open a comment in it. */
static void add_string(gn_text *out, const char *s)
{
    const size_t from = out->len;
    gn_text_add_json(out, s);
    if (out->failed || memchr(out->data + from, '<', out->len - from) == NULL)
        return;
    char *quoted = gn_strdup(out->data + from);
    if (quoted == NULL) {
        out->failed = true;
        return;
    }
    out->len = from;
    for (const char *p = quoted; *p != '\0'; p++) {
        if (*p == '<')
            gn_text_add(out, "\\u003c");
        else
            gn_text_add_bytes(out, p, 1);
    }
    gn_free(quoted);
}

/* The shortest decimal that reads back as the same float; enough for figures that people look at. */
static void add_number(gn_text *out, double x)
{
    char text[40];
    if (!isfinite(x)) {
        gn_text_add(out, "null");
        return;
    }
    for (int digits = 3; digits <= 17; digits++) {
        double back = 0;
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (gn_parse_f64(text, &back) && (back == x || (digits >= 9 && fabs(back - x) <= fabs(x) * 1e-9)))
            break;
    }
    gn_text_add(out, text);
}

static void add_key(gn_text *out, const char *key, bool *is_first)
{
    gn_text_add(out, *is_first ? "" : ",");
    *is_first = false;
    add_string(out, key);
    gn_text_add(out, ":");
}

static void put_number(gn_text *out, const char *key, double x, bool *is_first)
{
    add_key(out, key, is_first);
    add_number(out, x);
}

static void put_count(gn_text *out, const char *key, int64_t n, bool *is_first)
{
    add_key(out, key, is_first);
    if (n < 0)
        gn_text_add(out, "null");
    else
        gn_text_printf(out, "%" PRId64, n);
}

static void put_string(gn_text *out, const char *key, const char *s, bool *is_first)
{
    add_key(out, key, is_first);
    add_string(out, s);
}

static void add_base64(gn_text *out, const unsigned char *data, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char quad[4];
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t b =
            (uint32_t)data[i] << 16 | (i + 1 < n ? (uint32_t)data[i + 1] << 8 : 0) | (i + 2 < n ? data[i + 2] : 0);
        quad[0] = digits[b >> 18];
        quad[1] = digits[b >> 12 & 63];
        quad[2] = i + 1 < n ? digits[b >> 6 & 63] : '=';
        quad[3] = i + 2 < n ? digits[b & 63] : '=';
        gn_text_add_bytes(out, quad, 4);
    }
}

/* --- parts ----------------------------------------------------------------------------------------------------------- */

static gn_status add_facts(gn_study *study, gn_arena *arena, gn_text *out, gn_error *err)
{
    gn_study_fact *fact = NULL;
    gn_study_command *command = NULL;
    size_t n = 0;
    bool is_first = true;
    GN_TRY(gn_study_facts(study, arena, &fact, &n, err));
    gn_text_add(out, "\"facts\":{");
    for (size_t i = 0; i < n; i++)
        put_string(out, fact[i].name, fact[i].value, &is_first);
    GN_TRY(gn_study_commands(study, arena, &command, &n, err));
    gn_text_add(out, "},\"commands\":[");
    for (size_t i = 0; i < n; i++) {
        char when[32];
        gn_format_utc(command[i].started_at, when);
        gn_text_printf(out, "%s{\"at\":\"%s\",\"line\":", i > 0 ? "," : "", when);
        add_string(out, command[i].line);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]");
    return GN_OK;
}

static void add_measurement(const gn_measurement *m, gn_text *out)
{
    bool is_first = true;
    gn_text_add(out, "{");
    put_count(out, "id", m->id, &is_first);
    put_string(out, "model", m->model, &is_first);
    put_string(out, "head", m->head, &is_first);
    put_count(out, "imgsz", m->imgsz, &is_first);
    put_string(out, "precision", m->precision, &is_first);
    put_string(out, "target", m->target, &is_first);
    put_string(out, "device", m->device, &is_first);
    put_count(out, "threads", m->threads, &is_first);
    put_count(out, "warmup", m->warmup, &is_first);
    put_count(out, "runs", m->runs, &is_first);
    put_number(out, "min_ms", m->min_ms, &is_first);
    put_number(out, "p50_ms", m->p50_ms, &is_first);
    put_number(out, "p90_ms", m->p90_ms, &is_first);
    put_number(out, "p99_ms", m->p99_ms, &is_first);
    put_number(out, "preprocess_ms", m->preprocess_ms, &is_first);
    put_number(out, "postprocess_ms", m->postprocess_ms, &is_first);
    put_number(out, "total_p50_ms", m->total_p50_ms, &is_first);
    put_number(out, "total_p90_ms", m->total_p90_ms, &is_first);
    put_number(out, "total_p99_ms", m->total_p99_ms, &is_first);
    put_count(out, "peak_bytes", m->peak_bytes, &is_first);
    put_count(out, "params", m->params, &is_first);
    put_count(out, "macs", m->macs, &is_first);
    put_count(out, "bytes", m->bytes, &is_first);
    add_key(out, "is_valid", &is_first);
    gn_text_add(out, m->is_valid ? "true" : "false");
    put_string(out, "note", m->note, &is_first);
    gn_text_add(out, "}");
}

static gn_status add_measurements(gn_study *study, gn_arena *arena, gn_text *out, gn_error *err)
{
    gn_measurement *list = NULL;
    size_t n = 0;
    GN_TRY(gn_study_measurements(study, arena, &list, &n, err));
    gn_text_add(out, ",\"networks\":[");
    for (size_t i = 0; i < n; i++) {
        gn_text_add(out, i > 0 ? "," : "");
        add_measurement(&list[i], out);
    }
    gn_text_add(out, "]");
    return GN_OK;
}

/* The config's members anew: what lies in the file as text is not passed on unread. */
static gn_status add_config(const char *config, gn_arena *arena, gn_text *out, gn_error *err)
{
    const gn_json *root = NULL;
    bool is_first = true;
    GN_TRY(gn_json_parse(config, strlen(config), arena, &root, err));
    gn_text_add(out, "\"config\":{");
    for (const gn_json *m = root->kind == GN_JSON_OBJECT ? root->first : NULL; m != NULL; m = m->next)
        put_string(out, m->key, m->text, &is_first);
    gn_text_add(out, "}");
    return GN_OK;
}

typedef struct column {
    const char *name;
    size_t offset;
} column;

static const column epoch_columns[] = {
    {"seconds", offsetof(gn_epoch, seconds)},
    {"train_loss", offsetof(gn_epoch, train_loss)},
    {"val_loss", offsetof(gn_epoch, val_loss)},
    {"mean_iou", offsetof(gn_epoch, mean_iou)},
    {"box_precision50", offsetof(gn_epoch, box_precision50)},
    {"map50", offsetof(gn_epoch, map50)},
    {"map50_95", offsetof(gn_epoch, map50_95)},
    {"lr", offsetof(gn_epoch, lr)},
};

/* Epochs as one array per figure, which is small and what a chart wants. */
static void add_epochs(const gn_epoch *epoch, size_t n, gn_text *out)
{
    gn_text_add(out, ",\"epochs\":{\"epoch\":[");
    for (size_t i = 0; i < n; i++)
        gn_text_printf(out, "%s%" PRId64, i > 0 ? "," : "", epoch[i].epoch);
    gn_text_add(out, "]");
    for (size_t c = 0; c < sizeof epoch_columns / sizeof epoch_columns[0]; c++) {
        gn_text_printf(out, ",\"%s\":[", epoch_columns[c].name);
        for (size_t i = 0; i < n; i++) {
            double x = NAN;
            memcpy(&x, (const char *)&epoch[i] + epoch_columns[c].offset, sizeof x);
            gn_text_add(out, i > 0 ? "," : "");
            add_number(out, x);
        }
        gn_text_add(out, "]");
    }
    gn_text_add(out, "}");
}

static void add_result(const gn_result *r, gn_text *out)
{
    bool is_first = true;
    gn_text_add(out, "{");
    put_count(out, "stage", r->stage, &is_first);
    put_string(out, "split", r->split, &is_first);
    put_count(out, "epochs", r->epochs, &is_first);
    put_count(out, "best_epoch", r->best_epoch, &is_first);
    put_number(out, "images_per_s", r->images_per_s, &is_first);
    put_number(out, "seconds", r->seconds, &is_first);
    gn_text_add(out, ",\"metrics\":{");
    is_first = true;
    for (size_t i = 0; i < r->n_metrics; i++) {
        const gn_metric *m = &r->metrics[i];
        add_key(out, m->name, &is_first);
        const double triple[3] = {m->value, m->low, m->high};
        for (int k = 0; k < 3; k++) {
            gn_text_add(out, k == 0 ? "[" : ",");
            add_number(out, triple[k]);
        }
        gn_text_add(out, "]");
    }
    gn_text_add(out, "}}");
}

/* All rows of a trial stand together, because the lists are ordered by trial. */
typedef struct lists {
    gn_trial *trial;
    gn_epoch *epoch;
    gn_result *result;
    size_t n_trials, n_epochs, n_results;
    size_t epoch_at, result_at;
} lists;

static gn_status add_trial(const gn_trial *t, lists *l, gn_arena *arena, gn_text *out, gn_error *err)
{
    bool is_first = true;
    size_t n = 0;
    gn_text_add(out, "{");
    put_count(out, "id", t->id, &is_first);
    put_count(out, "network", t->measurement_id, &is_first);
    put_string(out, "state", gn_trial_state_name(t->state), &is_first);
    put_count(out, "stage", t->stage, &is_first);
    put_string(out, "reason", t->reason, &is_first);
    put_string(out, "folder", t->folder, &is_first);
    put_count(out, "seed", t->seed, &is_first);
    put_number(out, "seconds", t->seconds, &is_first);
    gn_text_add(out, ",");
    GN_TRY(add_config(t->config, arena, out, err));
    while (l->epoch_at < l->n_epochs && l->epoch[l->epoch_at].trial < t->id)
        l->epoch_at++;
    while (l->epoch_at + n < l->n_epochs && l->epoch[l->epoch_at + n].trial == t->id)
        n++;
    add_epochs(l->epoch + l->epoch_at, n, out);
    gn_text_add(out, ",\"results\":[");
    bool is_first_result = true;
    for (; l->result_at < l->n_results && l->result[l->result_at].trial <= t->id; l->result_at++) {
        if (l->result[l->result_at].trial < t->id)
            continue;
        gn_text_add(out, is_first_result ? "" : ",");
        add_result(&l->result[l->result_at], out);
        is_first_result = false;
    }
    gn_text_add(out, "]}");
    return GN_OK;
}

static gn_status add_trials(gn_study *study, gn_arena *arena, gn_text *out, gn_error *err)
{
    lists l = {0};
    GN_TRY(gn_study_trials(study, arena, &l.trial, &l.n_trials, err));
    GN_TRY(gn_study_epochs(study, arena, &l.epoch, &l.n_epochs, err));
    GN_TRY(gn_study_results(study, arena, &l.result, &l.n_results, err));
    gn_text_add(out, ",\"trials\":[");
    for (size_t i = 0; i < l.n_trials; i++) {
        gn_text_add(out, i > 0 ? "," : "");
        GN_TRY(add_trial(&l.trial[i], &l, arena, out, err));
    }
    gn_text_add(out, "]");
    return GN_OK;
}

static gn_status add_pictures(gn_study *study, gn_arena *arena, gn_text *out, gn_error *err)
{
    gn_picture *list = NULL;
    size_t n = 0;
    GN_TRY(gn_study_pictures(study, arena, &list, &n, err));
    gn_text_add(out, ",\"pictures\":[");
    for (size_t i = 0; i < n; i++) {
        bool is_first = true;
        gn_text_add(out, i > 0 ? ",{" : "{");
        put_count(out, "trial", list[i].trial, &is_first);
        put_string(out, "name", list[i].name, &is_first);
        put_string(out, "caption", list[i].caption, &is_first);
        gn_text_add(out, ",\"jpeg\":\"");
        add_base64(out, list[i].jpeg, list[i].bytes);
        gn_text_add(out, "\"}");
    }
    gn_text_add(out, "]");
    return GN_OK;
}

gn_status gn_report_json(gn_study *study, gn_text *out, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "making the report: out of memory");
    gn_text_add(out, "{\"version\":");
    add_string(out, GN_VERSION);
    gn_text_add(out, ",\"study\":");
    add_string(out, gn_study_path(study));
    gn_text_add(out, ",");
    gn_status status = add_facts(study, arena, out, err);
    if (status == GN_OK)
        status = add_measurements(study, arena, out, err);
    if (status == GN_OK)
        status = add_trials(study, arena, out, err);
    if (status == GN_OK)
        status = add_pictures(study, arena, out, err);
    gn_text_add(out, "}");
    gn_arena_destroy(&arena);
    if (status == GN_OK && out->failed)
        status = gn_fail(err, GN_ENOMEM, "making the report: out of memory");
    return status;
}
