/* Trials of a study as text and as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/study_show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli_args.h"

/* A figure in a column; a dash where there is none. */
static const char *figure(double value, const char *fmt, char dst[32])
{
    if (isnan(value))
        snprintf(dst, 32, "-");
    else if (strcmp(fmt, "%.2f") == 0)
        snprintf(dst, 32, "%.2f", value);
    else
        snprintf(dst, 32, "%.4f", value);
    return dst;
}

static const char *state_of(const gn_report_trial *t)
{
    return t->is_winner ? "winner" : gn_trial_state_name(t->row->state);
}

void gn_study_print_table(const gn_report_model *model, const gn_report_trial *const *list, size_t n)
{
    gn_cli_print("%6s  %-9s %5s  %15s  %8s  trial\n", "number", "state", "stage", model->objective, "p90 ms");
    for (size_t i = 0; i < n; i++) {
        char score[32], latency[32];
        gn_cli_print("%6" PRId64 "  %-9s %5d  %15s  %8s  %s\n", list[i]->row->id, state_of(list[i]),
                     list[i]->row->stage, figure(list[i]->score, "%.4f", score),
                     figure(list[i]->latency_ms, "%.2f", latency), list[i]->label);
    }
}

/* --- one trial ------------------------------------------------------------------------------------------------------ */

static void print_config(const char *config, gn_arena *arena)
{
    const gn_json *root = NULL;
    if (gn_json_parse(config, strlen(config), arena, &root, NULL) != GN_OK)
        return;
    gn_cli_print("config\n");
    for (const gn_json *m = root->first; m != NULL; m = m->next)
        gn_cli_print("  %-16s %s\n", m->key, m->text);
}

static void print_result(const gn_result *r)
{
    gn_cli_print("stage %d, %s: epochs trained %" PRId64 ", the best %" PRId64 "\n", r->stage, r->split, r->epochs,
                 r->best_epoch);
    for (size_t i = 0; i < r->n_metrics; i++) {
        const gn_metric *m = &r->metrics[i];
        if (isnan(m->low))
            gn_cli_print("  %-16s %.4f\n", m->name, m->value);
        else
            gn_cli_print("  %-16s %.4f  (95%%: %.4f to %.4f)\n", m->name, m->value, m->low, m->high);
    }
}

static void print_attempt(const gn_attempt *a)
{
    char began[64];
    gn_format_utc((int64_t)a->started_at, began);
    gn_cli_print("  %d  stage %d  %s  %-8s %s%s%s\n", a->number, a->stage, began, gn_outcome_name(a->outcome),
                 a->worker, a->reason[0] != '\0' ? ": " : "", a->reason);
}

static void print_head(const gn_report_trial *t)
{
    char seconds[32];
    gn_format_seconds(t->row->seconds, seconds);
    gn_cli_print("trial %" PRId64 ": %s\n%s, %d stage%s finished, %zu epochs, %s of training, seed %" PRId64
                 ", proposed by %s\n",
                 t->row->id, t->label, state_of(t), t->row->stage, t->row->stage == 1 ? "" : "s", t->n_epochs, seconds,
                 t->row->seed, t->row->origin);
    if (t->row->reason[0] != '\0')
        gn_cli_print("%s\n", t->row->reason);
    if (!isnan(t->latency_ms))
        gn_cli_print("p90 of a whole answer: %.2f ms on %s%s\n", t->latency_ms, t->network->target,
                     t->network->is_valid ? "" : " (disturbed)");
}

gn_status gn_study_print_trial(gn_study *study, const gn_report_model *model, const gn_report_trial *t, gn_error *err)
{
    gn_attempt *attempt = NULL;
    gn_document *document = NULL;
    size_t n_attempts = 0, n_documents = 0;
    GN_TRY(gn_study_attempts(study, t->row->id, model->arena, &attempt, &n_attempts, err));
    GN_TRY(gn_study_documents(study, t->row->id, model->arena, &document, &n_documents, err));
    print_head(t);
    print_config(t->row->config, model->arena);
    for (size_t i = 0; i < t->n_results; i++)
        print_result(&t->result[i]);
    if (n_attempts > 0)
        gn_cli_print("attempts\n");
    for (size_t i = 0; i < n_attempts; i++)
        print_attempt(&attempt[i]);
    if (n_documents > 0)
        gn_cli_print("documents\n");
    for (size_t i = 0; i < n_documents; i++)
        gn_cli_print("  %s\n", document[i].name);
    gn_cli_print("files: %s\nagain: gannet train --from-trial %s:%" PRId64 "\n",
                 t->row->folder[0] != '\0' ? t->row->folder : "none yet", model->path, t->row->id);
    return GN_OK;
}

/* --- JSON ----------------------------------------------------------------------------------------------------------- */

static void json_config(gn_jsonw *j, const char *config, gn_arena *arena)
{
    const gn_json *root = NULL;
    gn_jsonw_object(j, "config");
    if (gn_json_parse(config, strlen(config), arena, &root, NULL) == GN_OK)
        for (const gn_json *m = root->first; m != NULL; m = m->next)
            gn_jsonw_str(j, m->key, m->text);
    gn_jsonw_end(j);
}

void gn_study_json_trial(gn_jsonw *j, const gn_report_model *model, const gn_report_trial *t)
{
    gn_jsonw_int(j, "trial", t->row->id);
    gn_jsonw_str(j, "label", t->label);
    gn_jsonw_str(j, "state", gn_trial_state_name(t->row->state));
    gn_jsonw_bool(j, "winner", t->is_winner);
    gn_jsonw_int(j, "stage", t->row->stage);
    gn_jsonw_num(j, "score", t->score);
    gn_jsonw_num(j, "score_low", t->low);
    gn_jsonw_num(j, "score_high", t->high);
    gn_jsonw_num(j, "latency_p90_ms", t->latency_ms);
    gn_jsonw_int(j, "epochs", (int64_t)t->n_epochs);
    gn_jsonw_num(j, "seconds", t->row->seconds);
    gn_jsonw_int(j, "seed", t->row->seed);
    gn_jsonw_str(j, "origin", t->row->origin);
    gn_jsonw_str(j, "reason", t->row->reason);
    gn_jsonw_str(j, "folder", t->row->folder);
    json_config(j, t->row->config, model->arena);
}

static void json_result(gn_jsonw *j, const gn_result *r)
{
    gn_jsonw_object(j, NULL);
    gn_jsonw_int(j, "stage", r->stage);
    gn_jsonw_str(j, "split", r->split);
    gn_jsonw_int(j, "epochs", r->epochs);
    gn_jsonw_int(j, "best_epoch", r->best_epoch);
    for (size_t i = 0; i < r->n_metrics; i++)
        gn_jsonw_num(j, r->metrics[i].name, r->metrics[i].value);
    gn_jsonw_object(j, "intervals");
    for (size_t i = 0; i < r->n_metrics; i++) {
        if (isnan(r->metrics[i].low))
            continue;
        gn_jsonw_array(j, r->metrics[i].name);
        gn_jsonw_num(j, NULL, r->metrics[i].low);
        gn_jsonw_num(j, NULL, r->metrics[i].high);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_end(j);
}

gn_status gn_study_json_details(gn_jsonw *j, gn_study *study, const gn_report_model *model, const gn_report_trial *t,
                                gn_error *err)
{
    gn_attempt *attempt = NULL;
    gn_document *document = NULL;
    size_t n_attempts = 0, n_documents = 0;
    GN_TRY(gn_study_attempts(study, t->row->id, model->arena, &attempt, &n_attempts, err));
    GN_TRY(gn_study_documents(study, t->row->id, model->arena, &document, &n_documents, err));
    gn_jsonw_array(j, "results");
    for (size_t i = 0; i < t->n_results; i++)
        json_result(j, &t->result[i]);
    gn_jsonw_end(j);
    gn_jsonw_array(j, "attempts");
    for (size_t i = 0; i < n_attempts; i++) {
        gn_jsonw_object(j, NULL);
        gn_jsonw_int(j, "number", attempt[i].number);
        gn_jsonw_int(j, "stage", attempt[i].stage);
        gn_jsonw_str(j, "worker", attempt[i].worker);
        gn_jsonw_num(j, "started_at", attempt[i].started_at);
        gn_jsonw_num(j, "ended_at", attempt[i].ended_at);
        gn_jsonw_str(j, "outcome", gn_outcome_name(attempt[i].outcome));
        gn_jsonw_str(j, "reason", attempt[i].reason);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_array(j, "documents");
    for (size_t i = 0; i < n_documents; i++)
        gn_jsonw_str(j, NULL, document[i].name);
    gn_jsonw_end(j);
    return GN_OK;
}
