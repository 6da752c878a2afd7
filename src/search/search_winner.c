/* The end of a search: the winner, its model, and the only time that anything looks at the test split.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_internal.h"

/* A trained network's file. */
#define MODEL_MAX_BYTES ((size_t)2 << 30)
/* Trials whose validation pictures are scored one by one, the winner among them. */
#define FINALISTS 4
/* How long to wait for the worker that has the winner's model, and how often to look. */
#define WAIT_FOR_FIGURES_NS INT64_C(120000000000)
#define LOOK_FOR_FIGURES_NS INT64_C(500000000)

/* The score of the last stage that a trial finished. */
static double last_score(const candidate *c)
{
    return c->row.stage > 0 ? c->score[c->row.stage - 1] : NAN;
}

/* The best among the trials that ended well; one that failed in a later stage counts only when there is no other. */
static candidate *choose_winner(const search *s)
{
    candidate *best = NULL;
    for (int is_failed = 0; is_failed < 2 && best == NULL; is_failed++)
        for (size_t i = 0; i < s->n; i++) {
            candidate *c = s->list[i];
            if ((c->row.state == GN_TRIAL_FAILED) != (is_failed == 1) || isnan(last_score(c)))
                continue;
            if (best == NULL || last_score(c) > last_score(best))
                best = c;
        }
    return best;
}

static gn_status copy_model(const search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    char from[1024];
    char *data = NULL;
    size_t bytes = 0;
    GN_TRY(gn_path_join(winner->folder, "best.onnx", from, sizeof from));
    GN_TRY(gn_path_join(s->options->out_folder, "best.onnx", outcome->best_path, sizeof outcome->best_path));
    GN_TRY(gn_file_read(from, MODEL_MAX_BYTES, &data, &bytes, err));
    const gn_status status = gn_file_write(outcome->best_path, data, bytes, err);
    gn_free(data);
    return status;
}

static void keep_picture(void *ctx, const gn_picture *picture)
{
    search *s = ctx;
    gn_error err = {0};
    if (gn_study_put_picture(s->study, picture, &err) != GN_OK)
        gn_search_say(s, "the picture %s is not kept: %s", picture->name, err.message);
}

static void keep_document(void *ctx, int64_t trial, const char *name, const char *json)
{
    search *s = ctx;
    gn_error err = {0};
    if (gn_study_put_document(s->study, trial, name, json, &err) != GN_OK)
        gn_search_say(s, "%s of trial %" PRId64 " is not kept: %s", name, trial, err.message);
}

static gn_evaluate_job evaluate_job(search *s, const candidate *c)
{
    return (gn_evaluate_job){.trial = c->row.id,
                             .config = c->row.config,
                             .folder = c->folder,
                             .out_folder = s->options->out_folder,
                             .is_without_pictures = s->options->is_without_pictures,
                             .on_document = keep_document,
                             .document_ctx = s};
}

/* The result on `split` of the trial's last stage, from the study. */
static gn_status recall_metrics(search *s, const candidate *c, const char *split, gn_metrics *out, bool *is_found,
                                gn_error *err)
{
    gn_result *result = NULL;
    size_t n = 0;
    *is_found = false;
    gn_metrics_init(out);
    GN_TRY(gn_study_results(s->study, s->arena, &result, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (result[i].trial != c->row.id || result[i].stage != c->row.stage || strcmp(result[i].split, split) != 0)
            continue;
        *is_found = true;
        out->best_epoch = result[i].best_epoch;
        out->images_per_s = result[i].images_per_s;
        out->seconds = result[i].seconds;
        for (size_t k = 0; k < result[i].n_metrics; k++)
            gn_metrics_add(out, result[i].metrics[k].name, result[i].metrics[k].value, result[i].metrics[k].low,
                           result[i].metrics[k].high);
    }
    return GN_OK;
}

/* The only time that anything looks at the test split. */
static gn_status evaluate_winner(search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    bool is_known = false;
    gn_error cause = {0};
    GN_TRY(recall_metrics(s, winner, "val", &outcome->val, &is_known, err));
    GN_TRY(recall_metrics(s, winner, "test", &outcome->test, &is_known, err));
    if (is_known)
        return GN_OK;
    const gn_evaluate_job job = evaluate_job(s, winner);
    gn_status status = s->runner->evaluate(s->runner->ctx, &job, &outcome->test, keep_picture, s, &cause);
    if (status == GN_EWORKER && gn_has_prefix(cause.message, GN_KILLED))
        status = s->runner->evaluate(s->runner->ctx, &job, &outcome->test, keep_picture, s, &cause);
    if (status == GN_ECANCELED)
        return gn_fail(err, GN_ECANCELED, "interrupted while evaluating the winner; the same command goes on");
    if (status != GN_OK) {
        gn_metrics_init(&outcome->test);
        gn_search_say(s, "the winner could not be evaluated on the test split: %s", cause.message);
        return gn_study_set_fact(s->study, "test_note", cause.message, err);
    }
    gn_metric list[GN_METRICS_MAX];
    for (int i = 0; i < outcome->test.n; i++) {
        const gn_named_metric *m = &outcome->test.metric[i];
        list[i] = (gn_metric){m->name, m->value, m->low, m->high};
    }
    GN_TRY(gn_study_set_fact(s->study, "test_note", "", err));
    return gn_study_put_result(s->study,
                               &(gn_result){.trial = winner->row.id,
                                            .stage = winner->row.stage,
                                            .split = "test",
                                            .epochs = winner->epochs_seen,
                                            .best_epoch = outcome->val.best_epoch,
                                            .images_per_s = NAN,
                                            .seconds = outcome->test.seconds,
                                            .metrics = list,
                                            .n_metrics = (size_t)outcome->test.n},
                               err);
}

/* The best trial that was trained as long as the winner and is not among the n of the list; NULL: there is none. */
static const candidate *next_finalist(const search *s, const candidate *const *list, int n)
{
    const candidate *best = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const candidate *c = s->list[i];
        bool is_listed = false;
        for (int k = 0; k < n; k++)
            is_listed = is_listed || list[k] == c;
        if (is_listed || c->row.state != GN_TRIAL_DONE || c->row.stage != list[0]->row.stage || isnan(last_score(c)) ||
            (s->is_shared && !gn_search_is_here(s, c)))
            continue;
        if (best == NULL || last_score(c) > last_score(best))
            best = c;
    }
    return best;
}

/* Scores of the validation pictures of the winner and of the best others, so that the report can say whether they can be told apart.
 * A search without them is still a search. */
static gn_status compare_finalists(search *s, const candidate *winner, gn_error *err)
{
    const candidate *list[FINALISTS] = {winner};
    const char *known = NULL;
    int n = 1;
    GN_TRY(gn_study_document(s->study, winner->row.id, "val_pictures", s->arena, &known, err));
    if (s->runner->score_pictures == NULL || known != NULL)
        return GN_OK;
    for (const candidate *c; n < FINALISTS && (c = next_finalist(s, list, n)) != NULL;)
        list[n++] = c;
    for (int i = 0; i < n && n > 1; i++) {
        gn_error cause = {0};
        const gn_evaluate_job job = evaluate_job(s, list[i]);
        const gn_status status = s->runner->score_pictures(s->runner->ctx, &job, &cause);
        if (status == GN_ECANCELED)
            return gn_fail(err, status, "interrupted while comparing the best trials; the same command goes on");
        if (status != GN_OK)
            gn_search_say(s, "trial %" PRId64 " has no score per picture: %s", list[i]->row.id, cause.message);
    }
    return GN_OK;
}

static gn_status recall_latency(search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    gn_measurement *list = NULL;
    size_t n = 0;
    GN_TRY(gn_study_measurements(s->study, s->arena, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        if (list[i].id == winner->row.measurement_id) {
            outcome->total_p90_ms = list[i].total_p90_ms;
            outcome->is_latency_valid = list[i].is_valid;
        }
    return GN_OK;
}

/* The model lies with another worker, which evaluates it: waits for its figures. */
static gn_status wait_for_figures(search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    bool is_known = false;
    snprintf(outcome->best_path, sizeof outcome->best_path, "%s/best.onnx on %s", winner->row.folder,
             winner->row.worker);
    gn_search_say(s, "the winner's model lies in %s", outcome->best_path);
    GN_TRY(recall_metrics(s, winner, "val", &outcome->val, &is_known, err));
    const int64_t until_ns = gn_now_ns() + WAIT_FOR_FIGURES_NS;
    for (;;) {
        GN_TRY(recall_metrics(s, winner, "test", &outcome->test, &is_known, err));
        if (is_known || gn_now_ns() > until_ns)
            return GN_OK;
        if (gn_stop_requested())
            return gn_fail(err, GN_ECANCELED, "interrupted while waiting for the winner's figures");
        gn_sleep_ns(LOOK_FOR_FIGURES_NS);
    }
}

/* Why each trial came no farther, for the report. */
static gn_status write_verdicts(search *s, gn_error *err)
{
    gn_standing *list = NULL;
    size_t *index = NULL, n = 0;
    char verdict[200];
    GN_TRY(gn_search_standings(s, s->arena, &list, &index, &n, err));
    GN_TRY(gn_study_begin(s->study, err));
    for (size_t i = 0; i < n; i++) {
        candidate *c = s->list[index[i]];
        if (c->row.state != GN_TRIAL_DONE || c->row.stage >= s->stopping.n_ladder)
            continue;
        gn_stopping_verdict(&s->stopping, list, n, i, verdict, sizeof verdict);
        const gn_status status = gn_search_set_state(s, c, GN_TRIAL_DONE, verdict, err);
        if (status != GN_OK) {
            gn_study_rollback(s->study);
            return status;
        }
    }
    return gn_study_commit(s->study, err);
}

gn_status gn_search_conclude(search *s, gn_search_outcome *outcome, gn_error *err)
{
    char text[32];
    const candidate *winner = choose_winner(s);
    if (winner == NULL)
        return s->is_out_of_time ? gn_fail(err, GN_EWORKER,
                                           "time was up before any trial came to a result; give it "
                                           "more time, or fewer epochs to the first rung")
                                 : gn_fail(err, GN_EWORKER, "no trial came to a result");
    const bool is_here = !s->is_shared || gn_search_is_here(s, winner);
    if (s->options->is_worker && !is_here)
        return GN_OK;
    outcome->winner = winner->row.id;
    outcome->score = gn_search_metric(s, last_score(winner));
    snprintf(outcome->winner_label, sizeof outcome->winner_label, "%s", winner->label);
    snprintf(text, sizeof text, "%" PRId64, winner->row.id);
    GN_TRY(gn_study_set_fact(s->study, "winner", text, err));
    GN_TRY(write_verdicts(s, err));
    GN_TRY(recall_latency(s, winner, outcome, err));
    if (is_here) {
        GN_TRY(copy_model(s, winner, outcome, err));
        GN_TRY(evaluate_winner(s, winner, outcome, err));
        GN_TRY(compare_finalists(s, winner, err));
    } else {
        GN_TRY(wait_for_figures(s, winner, outcome, err));
    }
    gn_format_utc(gn_unix_seconds(), text);
    return gn_study_set_fact(s->study, "finished_at", text, err);
}
