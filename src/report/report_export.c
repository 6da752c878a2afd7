/* Studies as one JSON object with everything that they hold but the pictures, for other programs (docs/report.md lists the keys).
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "report/report_compare.h"
#include "report/report_formats.h"
#include "report/report_knobs.h"
#include "report/report_tables.h"

/* "key": with the comma before it, unless it is the first of its object. */
static void add_key(gn_text *out, const char *key)
{
    const char last = out->len > 0 ? out->data[out->len - 1] : '{';
    if (last != '{' && last != '[')
        gn_text_add(out, ",");
    if (key == NULL)
        return;
    gn_text_add_json(out, key);
    gn_text_add(out, ":");
}

static void put_text(gn_text *out, const char *key, const char *value)
{
    add_key(out, key);
    if (value != NULL)
        gn_text_add_json(out, value);
    else
        gn_text_add(out, "null");
}

static void put_number(gn_text *out, const char *key, double x)
{
    add_key(out, key);
    if (isfinite(x))
        gn_text_printf(out, "%.10g", x);
    else
        gn_text_add(out, "null");
}

static void put_count(gn_text *out, const char *key, int64_t n)
{
    add_key(out, key);
    if (n >= 0)
        gn_text_printf(out, "%" PRId64, n);
    else
        gn_text_add(out, "null");
}

static void put_bool(gn_text *out, const char *key, bool x)
{
    add_key(out, key);
    gn_text_add(out, x ? "true" : "false");
}

static void open_at(gn_text *out, const char *key, const char *bracket)
{
    add_key(out, key);
    gn_text_add(out, bracket);
}

static void add_facts(const gn_report_model *m, gn_text *out)
{
    open_at(out, "facts", "{");
    for (size_t i = 0; i < m->n_facts; i++)
        put_text(out, m->fact[i].name, m->fact[i].value);
    gn_text_add(out, "}");
    open_at(out, "commands", "[");
    for (size_t i = 0; i < m->n_commands; i++) {
        char when[32];
        gn_format_utc(m->command[i].started_at, when);
        open_at(out, NULL, "{");
        put_text(out, "at", when);
        put_text(out, "line", m->command[i].line);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]");
}

static void add_network(const gn_measurement *n, gn_text *out)
{
    const struct {
        const char *key;
        double x;
    } figures[] = {
        {"min_ms", n->min_ms},
        {"p50_ms", n->p50_ms},
        {"p90_ms", n->p90_ms},
        {"p99_ms", n->p99_ms},
        {"preprocess_ms", n->preprocess_ms},
        {"postprocess_ms", n->postprocess_ms},
        {"total_p50_ms", n->total_p50_ms},
        {"total_p90_ms", n->total_p90_ms},
        {"total_p99_ms", n->total_p99_ms},
        {"energy_mj", n->energy_mj},
        {"clock_mhz", n->clock_mhz},
        {"temperature_c", n->temperature_c},
    };
    open_at(out, NULL, "{");
    put_count(out, "id", n->id);
    put_text(out, "model", n->model);
    put_text(out, "head", n->head);
    put_count(out, "imgsz", n->imgsz);
    put_text(out, "precision", n->precision);
    put_text(out, "variant", n->variant);
    put_text(out, "target", n->target);
    put_text(out, "device", n->device);
    put_count(out, "threads", n->threads);
    put_count(out, "warmup", n->warmup);
    put_count(out, "runs", n->runs);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        put_number(out, figures[i].key, figures[i].x);
    put_count(out, "peak_bytes", n->peak_bytes);
    put_count(out, "params", n->params);
    put_count(out, "macs", n->macs);
    put_count(out, "bytes", n->bytes);
    put_bool(out, "is_valid", n->is_valid);
    put_text(out, "note", n->note);
    gn_text_add(out, "}");
}

static void add_result(const gn_result *r, gn_text *out)
{
    open_at(out, NULL, "{");
    put_count(out, "stage", r->stage);
    put_text(out, "split", r->split);
    put_count(out, "epochs", r->epochs);
    put_count(out, "best_epoch", r->best_epoch);
    put_number(out, "images_per_s", r->images_per_s);
    put_number(out, "seconds", r->seconds);
    open_at(out, "metrics", "{");
    for (size_t i = 0; i < r->n_metrics; i++) {
        const gn_metric *metric = &r->metrics[i];
        open_at(out, metric->name, "[");
        put_number(out, NULL, metric->value);
        put_number(out, NULL, metric->low);
        put_number(out, NULL, metric->high);
        gn_text_add(out, "]");
    }
    gn_text_add(out, "}}");
}

static const struct {
    const char *name;
    size_t offset;
} epoch_columns[] = {
    {"seconds", offsetof(gn_epoch, seconds)},
    {"train_loss", offsetof(gn_epoch, train_loss)},
    {"val_loss", offsetof(gn_epoch, val_loss)},
    {"mean_iou", offsetof(gn_epoch, mean_iou)},
    {"box_precision50", offsetof(gn_epoch, box_precision50)},
    {"map50", offsetof(gn_epoch, map50)},
    {"map50_95", offsetof(gn_epoch, map50_95)},
    {"lr", offsetof(gn_epoch, lr)},
};

static void add_epochs(const gn_report_trial *t, gn_text *out)
{
    open_at(out, "epochs", "{");
    open_at(out, "epoch", "[");
    for (size_t i = 0; i < t->n_epochs; i++)
        put_count(out, NULL, t->epoch[i].epoch);
    gn_text_add(out, "]");
    for (size_t c = 0; c < sizeof epoch_columns / sizeof epoch_columns[0]; c++) {
        bool is_any = false;
        double x = NAN;
        for (size_t i = 0; i < t->n_epochs && !is_any; i++) {
            memcpy(&x, (const char *)&t->epoch[i] + epoch_columns[c].offset, sizeof x);
            is_any = isfinite(x);
        }
        if (!is_any)
            continue;
        open_at(out, epoch_columns[c].name, "[");
        for (size_t i = 0; i < t->n_epochs; i++) {
            memcpy(&x, (const char *)&t->epoch[i] + epoch_columns[c].offset, sizeof x);
            put_number(out, NULL, x);
        }
        gn_text_add(out, "]");
    }
    gn_text_add(out, "}");
}

static void add_trial(const gn_report_model *m, const gn_report_trial *t, gn_text *out)
{
    open_at(out, NULL, "{");
    put_count(out, "id", t->row->id);
    put_text(out, "label", t->label);
    put_text(out, "family", t->family);
    open_at(out, "config", "{");
    for (size_t k = 0; k < m->n_knobs; k++)
        if (t->value[k] != NULL)
            put_text(out, m->knob[k].name, t->value[k]);
    gn_text_add(out, "}");
    put_count(out, "network", t->network != NULL ? t->network->id : -1);
    put_text(out, "state", gn_trial_state_name(t->row->state));
    put_count(out, "stage", t->row->stage);
    put_text(out, "reason", t->row->reason);
    put_text(out, "folder", t->row->folder);
    put_count(out, "seed", t->row->seed);
    put_number(out, "seconds", t->row->seconds);
    put_count(out, "bracket", t->row->bracket);
    put_text(out, "origin", t->row->origin);
    put_count(out, "attempts", t->row->attempts);
    put_text(out, "worker", t->row->worker);
    put_count(out, "place", t->place > 0 ? (int64_t)t->place : -1);
    put_number(out, "score", t->score);
    put_bool(out, "is_front", t->is_front);
    open_at(out, "results", "[");
    for (size_t i = 0; i < t->n_results; i++)
        add_result(&t->result[i], out);
    gn_text_add(out, "]");
    add_epochs(t, out);
    gn_text_add(out, "}");
}

static gn_status add_importance(const gn_report_model *m, gn_text *out, gn_error *err)
{
    gn_report_shares shares;
    GN_TRY(gn_report_shares_of(m, &shares, err));
    open_at(out, "importance", "{");
    put_text(out, "unknown_because", shares.is_known ? NULL : shares.why);
    put_count(out, "trials", (int64_t)shares.n_trials);
    put_count(out, "epochs", shares.epochs);
    put_number(out, "r2", shares.r2);
    open_at(out, "shares", "[");
    for (int i = 0; i < shares.n_knobs + shares.n_pairs; i++) {
        open_at(out, NULL, "{");
        put_text(out, "knob", shares.list[i].knob);
        if (shares.list[i].other != NULL)
            put_text(out, "with", shares.list[i].other);
        put_number(out, "share", shares.list[i].share);
        put_number(out, "spread", shares.list[i].spread);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]}");
    return GN_OK;
}

static void add_findings(const gn_report_model *m, gn_text *out)
{
    gn_text sentences;
    gn_text_init(&sentences);
    gn_report_sentences(m, &sentences);
    put_text(out, "summary", sentences.failed ? NULL : sentences.data);
    gn_text_deinit(&sentences);
    put_text(out, "objective", m->objective);
    put_bool(out, "is_minimised", m->is_minimised);
    put_number(out, "budget_ms", m->budget_ms);
    put_count(out, "winner", m->winner != NULL ? m->winner->row->id : -1);
    put_count(out, "leader", m->leader != NULL ? m->leader->row->id : -1);
    put_count(out, "level_with_leader", m->leader != NULL ? (int64_t)gn_report_count_level(m, m->leader) : -1);
    open_at(out, "front", "[");
    for (size_t i = 0; i < m->n_front; i++)
        put_count(out, NULL, m->front[i]->row->id);
    gn_text_add(out, "]");
    put_number(out, "hypervolume", m->hypervolume);
    put_number(out, "hypervolume_ms", m->hypervolume_ms);
    open_at(out, "stages", "[");
    for (size_t i = 0; i < m->n_stages; i++) {
        open_at(out, NULL, "{");
        put_count(out, "stage", m->stage[i].stage);
        put_count(out, "epochs", m->stage[i].epochs);
        put_count(out, "trials", (int64_t)m->stage[i].n_trials);
        put_count(out, "networks", (int64_t)m->stage[i].n_networks);
        put_number(out, "best", m->stage[i].best_score);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]");
}

/* Documents stand as they are: the study takes valid JSON only. */
static void add_documents(const gn_report_model *m, gn_text *out)
{
    open_at(out, "documents", "[");
    for (size_t i = 0; i < m->n_documents; i++) {
        open_at(out, NULL, "{");
        put_count(out, "trial", m->document[i].trial);
        put_text(out, "name", m->document[i].name);
        add_key(out, "content");
        gn_text_add(out, m->document[i].text);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]");
}

gn_status gn_report_export(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err)
{
    gn_text_add(out, "{");
    put_text(out, "version", GN_VERSION);
    open_at(out, "studies", "[");
    for (size_t i = 0; i < n; i++) {
        const gn_report_model *m = models[i];
        open_at(out, NULL, "{");
        put_text(out, "path", m->path);
        add_facts(m, out);
        add_findings(m, out);
        GN_TRY(add_importance(m, out, err));
        open_at(out, "networks", "[");
        for (size_t k = 0; k < m->n_networks; k++)
            add_network(&m->network[k], out);
        gn_text_add(out, "]");
        open_at(out, "trials", "[");
        for (size_t k = 0; k < m->n_trials; k++)
            add_trial(m, &m->trial[k], out);
        gn_text_add(out, "]");
        add_documents(m, out);
        gn_text_add(out, "}");
    }
    gn_text_add(out, "]}\n");
    return GN_OK;
}
