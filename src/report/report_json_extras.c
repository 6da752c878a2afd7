/* SPDX-License-Identifier: Apache-2.0 */
#include "report/report_json_extras.h"

#include <inttypes.h>
#include <string.h>

#include "report/report_knobs.h"
#include "report/report_values.h"

/* Trials whose documents are written: enough to compare the leader with those who come next. */
#define MAX_TRIALS 24
/* A document beyond this is left out. */
#define MAX_BYTES ((size_t)512 << 10)

static void put_number(gn_text *out, const char *key, double x, int digits, bool *is_first)
{
    gn_report_add_key(out, key, is_first);
    gn_report_add_number(out, x, digits);
}

static void add_share(gn_text *out, const gn_report_share *share)
{
    bool is_first = true;
    gn_text_add(out, "{");
    gn_report_put_string(out, "knob", share->knob, &is_first);
    if (share->other != NULL)
        gn_report_put_string(out, "with", share->other, &is_first);
    put_number(out, "share", share->share, 3, &is_first);
    put_number(out, "spread", share->spread, 3, &is_first);
    gn_text_add(out, "}");
}

static gn_status add_importance(const gn_report_model *model, gn_text *out, gn_error *err)
{
    gn_report_shares shares;
    bool is_first = true;
    GN_TRY(gn_report_shares_of(model, &shares, err));
    gn_text_add(out, ",\"importance\":{");
    if (!shares.is_known)
        gn_report_put_string(out, "why", shares.why, &is_first);
    put_number(out, "n_trials", (double)shares.n_trials, 9, &is_first);
    put_number(out, "epochs", (double)shares.epochs, 9, &is_first);
    put_number(out, "r2", shares.r2, 3, &is_first);
    gn_text_add(out, ",\"shares\":[");
    for (int i = 0; shares.is_known && i < shares.n_knobs + shares.n_pairs; i++) {
        gn_text_add(out, i > 0 ? "," : "");
        add_share(out, &shares.list[i]);
    }
    gn_text_add(out, "]}");
    return GN_OK;
}

/* The value anew: what lies in the file as text is not passed on unread.  Depth: base/json.h reads GN_JSON_MAX_DEPTH levels. */
static void add_value(gn_text *out, const gn_json *value)
{
    const bool is_object = value->kind == GN_JSON_OBJECT;
    bool is_first = true;
    switch (value->kind) {
    case GN_JSON_NULL:
        gn_text_add(out, "null");
        return;
    case GN_JSON_BOOL:
        gn_text_add(out, value->number != 0 ? "true" : "false");
        return;
    case GN_JSON_NUMBER:
        gn_report_add_number(out, value->number, 6);
        return;
    case GN_JSON_STRING:
        gn_report_add_string(out, value->text);
        return;
    case GN_JSON_ARRAY:
    case GN_JSON_OBJECT:
        break;
    }
    gn_text_add(out, is_object ? "{" : "[");
    for (const gn_json *m = value->first; m != NULL; m = m->next) {
        if (is_object)
            gn_report_add_key(out, m->key, &is_first);
        else
            gn_text_add(out, m != value->first ? "," : "");
        add_value(out, m);
    }
    gn_text_add(out, is_object ? "}" : "]");
}

static void add_documents_of(const gn_report_model *model, const gn_report_trial *trial, gn_text *out, bool *is_first)
{
    for (size_t i = 0; i < model->n_documents; i++) {
        const gn_report_document *d = &model->document[i];
        if (d->trial != trial->row->id || strlen(d->text) > MAX_BYTES)
            continue;
        const gn_json *root = gn_report_document_of(model, trial, d->name);
        if (root == NULL)
            continue;
        gn_text_printf(out, "%s{\"trial\":%" PRId64 ",\"name\":", *is_first ? "" : ",", d->trial);
        *is_first = false;
        gn_report_add_string(out, d->name);
        gn_text_add(out, ",\"value\":");
        add_value(out, root);
        gn_text_add(out, "}");
    }
}

static gn_status add_documents(const gn_report_model *model, gn_text *out, gn_error *err)
{
    const gn_report_trial **best = gn_alloc((model->n_trials + 1) * sizeof(const gn_report_trial *));
    bool is_first = true;
    if (best == NULL)
        return gn_fail(err, GN_ENOMEM, "making the report: out of memory");
    const size_t n = gn_report_best_of_networks(model, best);
    gn_text_add(out, ",\"documents\":[");
    if (model->leader != NULL)
        add_documents_of(model, model->leader, out, &is_first);
    for (size_t i = 0; i < n && i < MAX_TRIALS; i++)
        if (best[i] != model->leader)
            add_documents_of(model, best[i], out, &is_first);
    gn_text_add(out, "]");
    gn_free(best);
    return GN_OK;
}

gn_status gn_report_add_extras(gn_study *study, gn_text *out, gn_error *err)
{
    gn_report_model *model = NULL;
    GN_TRY(gn_report_model_load(study, &model, err));
    gn_status status = add_importance(model, out, err);
    if (status == GN_OK)
        status = add_documents(model, out, err);
    gn_report_model_destroy(&model);
    return status;
}
