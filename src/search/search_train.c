/* Training in stages: every participant of a stage in a worker of its own, then the promotion of the best networks.  Who takes part
 * follows from the results in the study alone, so an interrupted search finds its place again by going through the same steps.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_internal.h"

/* How often workers are looked at, and how often progress is told. */
#define LOOK_NS INT64_C(50000000)
#define TELL_NS INT64_C(500000000)

/* A worker under way. */
typedef struct slot {
    search *search;
    candidate *candidate;
    void *run; /* NULL: free */
    int64_t started_ns;
    int epochs; /* aim */
} slot;

typedef struct stage_run {
    search *search;
    int stage; /* 0-based */
    candidate **participant;
    size_t n, next, n_ended;
    slot slots[GN_SEARCH_MAX_JOBS];
    int n_running;
    int64_t told_ns;
} stage_run;

/* --- progress ------------------------------------------------------------------------------------------------------ */

/* Best score so far, over all trials. */
static const candidate *leader(const search *s, double *score_out)
{
    const candidate *best = NULL;
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < s->options->stages.n; k++) {
            const double score = s->list[i].score[k];
            if (!isnan(score) && (best == NULL || score > *score_out)) {
                best = &s->list[i];
                *score_out = score;
            }
        }
    return best;
}

/* Epochs still to train: this stage's exactly; later ones as if average networks went on.  In epochs, and weighted by cost. */
static void work_left(const stage_run *r, double *epochs_out, double *cost_out)
{
    const gn_stages *stages = &r->search->options->stages;
    double epochs = 0, cost = 0, macs = 0;
    for (size_t i = 0; i < r->n; i++) {
        const candidate *c = r->participant[i];
        macs += c->macs / (double)r->n;
        if (c->row.stage > r->stage || c->row.state == GN_TRIAL_FAILED)
            continue;
        const double left = fmax(0, (double)(stages->stage[r->stage].epochs - c->epochs_seen));
        epochs += left;
        cost += left * c->macs;
    }
    for (int k = r->stage; k + 1 < stages->n; k++) {
        const double n = fmin(stages->stage[k].keep, (double)r->n);
        const double more = n * (stages->stage[k + 1].epochs - stages->stage[k].epochs);
        epochs += more;
        cost += more * macs;
    }
    *epochs_out = epochs;
    *cost_out = cost;
}

/* Worker-seconds so far, those of running workers included. */
static double busy_seconds(const stage_run *r)
{
    double busy = r->search->busy_seconds;
    for (int i = 0; i < r->search->options->jobs; i++)
        if (r->slots[i].run != NULL)
            busy += (double)(gn_now_ns() - r->slots[i].started_ns) * 1e-9;
    return busy;
}

static void tell_progress(stage_run *r)
{
    const search *s = r->search;
    char what[300], note[300], left_text[32] = "";
    double left = 0, cost_left = 0, score = 0;
    int64_t seen = 0;
    const candidate *running = NULL;
    for (int i = 0; i < s->options->jobs; i++)
        if (r->slots[i].run != NULL && running == NULL)
            running = r->slots[i].candidate;
    for (size_t i = 0; i < s->n; i++)
        seen += s->list[i].epochs_seen;
    work_left(r, &left, &cost_left);
    if (s->cost_done > 0)
        gn_format_seconds(cost_left * busy_seconds(r) / s->cost_done / s->options->jobs, left_text);
    const candidate *best = leader(s, &score);
    snprintf(what, sizeof what, "stage %d/%d trial %zu/%zu %s", r->stage + 1, s->options->stages.n,
             r->n_ended + 1 < r->n ? r->n_ended + 1 : r->n, r->n, running != NULL ? running->label : "");
    /* What is cut on a narrow terminal stands last. */
    int len = 0;
    note[0] = '\0';
    if (left_text[0] != '\0')
        len = snprintf(note, sizeof note, "%s left%s", left_text, best != NULL ? ", " : "");
    if (best != NULL && len >= 0 && len < (int)sizeof note)
        snprintf(note + len, sizeof note - (size_t)len, "best %.3f (%s)", fabs(score), best->label);
    gn_progress_tell(
        &(gn_progress){.what = what, .done = seen, .total = seen + (int64_t)left, .unit = "epochs", .note = note});
}

/* --- one trial ------------------------------------------------------------------------------------------------------ */

static void on_epoch(void *ctx, const gn_epoch *epoch)
{
    slot *at = ctx;
    search *s = at->search;
    candidate *c = at->candidate;
    if (epoch->epoch > c->epochs_seen) {
        s->cost_done += (double)(epoch->epoch - c->epochs_seen) * c->macs;
        c->epochs_seen = epoch->epoch;
    }
    if (s->event_status == GN_OK)
        s->event_status = gn_study_put_epoch(s->study, epoch, &s->event_error);
}

/* What `gannet train --best` calls an objective. */
static const char *best_name(const char *objective)
{
    if (strcmp(objective, "mean_iou") == 0)
        return "iou";
    if (strcmp(objective, "loss") == 0)
        return "loss";
    if (strcmp(objective, "top1") == 0)
        return "top1";
    return strncmp(objective, "map", 3) == 0 ? "map" : "iou";
}

static gn_status start_trial(stage_run *r, slot *at, candidate *c, gn_error *err)
{
    search *s = r->search;
    gn_error cause = {0};
    *at = (slot){
        .search = s, .candidate = c, .epochs = s->options->stages.stage[r->stage].epochs, .started_ns = gn_now_ns()};
    const int threads = gn_cpu_count() / s->options->jobs;
    const gn_train_job job = {.trial = c->row.id,
                              .config = c->row.config,
                              .folder = c->folder,
                              .seed = c->row.seed,
                              .epochs = at->epochs,
                              .schedule_epochs = s->options->stages.stage[s->options->stages.n - 1].epochs,
                              .threads = threads > 0 ? threads : 1,
                              .best = best_name(s->options->objective),
                              .on_epoch = on_epoch,
                              .epoch_ctx = at};
    if (c->row.stage > 0 && !gn_path_is_dir(c->folder)) {
        c->epochs_seen = 0;
        gn_search_say(s, "trial %lld (%s): its checkpoint is not in %s any more; it starts again", (long long)c->row.id,
                      c->label, c->folder);
    }
    GN_TRY(gn_search_set_state(s, c, GN_TRIAL_RUNNING, "", err));
    if (s->runner->train(s->runner->ctx, &job, &at->run, &cause) == GN_OK) {
        r->n_running++;
        return GN_OK;
    }
    char reason[400];
    at->run = NULL;
    r->n_ended++;
    gn_error_line(&cause, reason, sizeof reason);
    gn_search_say(s, "trial %lld (%s) failed: %s", (long long)c->row.id, c->label, reason);
    return gn_search_set_state(s, c, GN_TRIAL_FAILED, reason, err);
}

static gn_status write_result(const stage_run *r, const slot *at, const gn_metrics *metrics, gn_error *err)
{
    const search *s = r->search;
    gn_metric list[GN_METRICS_MAX];
    for (int i = 0; i < metrics->n; i++)
        list[i] = (gn_metric){metrics->metric[i].name, metrics->metric[i].value, metrics->metric[i].low,
                              metrics->metric[i].high};
    const int64_t epochs = at->candidate->epochs_seen > 0 ? at->candidate->epochs_seen : at->epochs;
    const gn_result result = {.trial = at->candidate->row.id,
                              .stage = r->stage + 1,
                              .split = "val",
                              .epochs = epochs,
                              .best_epoch = metrics->best_epoch,
                              .images_per_s = metrics->images_per_s,
                              .seconds = metrics->seconds,
                              .metrics = list,
                              .n_metrics = (size_t)metrics->n};
    return gn_study_put_result(s->study, &result, err);
}

/* A trial that came to its end: result, stage and state become known together or not at all. */
static gn_status end_trial(stage_run *r, slot *at, const gn_train_outcome *outcome, gn_error *err)
{
    search *s = r->search;
    candidate *c = at->candidate;
    const double seconds = (double)(gn_now_ns() - at->started_ns) * 1e-9;
    const double score = gn_search_score(s, gn_metrics_value(&outcome->metrics, s->options->objective));
    char reason[400];
    s->busy_seconds += seconds;
    snprintf(reason, sizeof reason, "%s", outcome->reason);
    if (outcome->status == GN_OK && isnan(score))
        snprintf(reason, sizeof reason, "the worker reported no %s", s->options->objective);
    const bool is_good = outcome->status == GN_OK && !isnan(score);
    GN_TRY(gn_study_begin(s->study, err));
    gn_status status = gn_study_add_trial_seconds(s->study, c->row.id, seconds, err);
    if (status == GN_OK && is_good)
        status = write_result(r, at, &outcome->metrics, err);
    if (status == GN_OK && is_good)
        status = gn_study_set_trial_stage(s->study, c->row.id, r->stage + 1, err);
    if (status == GN_OK)
        status = gn_search_set_state(s, c, is_good ? GN_TRIAL_DONE : GN_TRIAL_FAILED, reason, err);
    if (status != GN_OK) {
        gn_study_rollback(s->study);
        return status;
    }
    GN_TRY(gn_study_commit(s->study, err));
    r->n_ended++;
    if (is_good) {
        c->row.stage = r->stage + 1;
        c->score[r->stage] = score;
        gn_search_say(s, "stage %d  trial %lld  %s: %s %.4f", r->stage + 1, (long long)c->row.id, c->label,
                      s->options->objective, gn_metrics_value(&outcome->metrics, s->options->objective));
    } else {
        gn_search_say(s, "stage %d  trial %lld  %s failed: %s", r->stage + 1, (long long)c->row.id, c->label, reason);
    }
    return GN_OK;
}

/* --- one stage ------------------------------------------------------------------------------------------------------ */

/* Ends all workers in good order; their trials go on next time. */
static void stop_all(stage_run *r, const char *reason)
{
    search *s = r->search;
    for (int i = 0; i < s->options->jobs; i++) {
        slot *at = &r->slots[i];
        if (at->run == NULL)
            continue;
        s->runner->stop(s->runner->ctx, at->run);
        at->run = NULL;
        gn_study_add_trial_seconds(s->study, at->candidate->row.id, (double)(gn_now_ns() - at->started_ns) * 1e-9,
                                   NULL);
        gn_search_set_state(s, at->candidate, GN_TRIAL_STOPPED, reason, NULL);
    }
    r->n_running = 0;
}

static gn_status fill_slots(stage_run *r, gn_error *err)
{
    for (int i = 0; i < r->search->options->jobs; i++)
        while (r->slots[i].run == NULL && r->next < r->n) {
            candidate *c = r->participant[r->next++];
            if (c->row.stage > r->stage || c->row.state == GN_TRIAL_FAILED)
                r->n_ended++;
            else
                GN_TRY(start_trial(r, &r->slots[i], c, err));
        }
    return GN_OK;
}

/* Looks at every worker once; *has_news_out: one has ended. */
static gn_status look_at_slots(stage_run *r, bool *has_news_out, gn_error *err)
{
    search *s = r->search;
    *has_news_out = false;
    for (int i = 0; i < s->options->jobs; i++) {
        slot *at = &r->slots[i];
        gn_train_outcome outcome;
        if (at->run == NULL || !s->runner->poll(s->runner->ctx, at->run, &outcome))
            continue;
        *has_news_out = true;
        at->run = NULL;
        r->n_running--;
        GN_TRY(end_trial(r, at, &outcome, err));
    }
    if (s->event_status != GN_OK) {
        if (err != NULL)
            *err = s->event_error;
        return s->event_status;
    }
    return GN_OK;
}

static gn_status run_stage(stage_run *r, gn_error *err)
{
    gn_status status = GN_OK;
    bool has_news = false;
    while (status == GN_OK) {
        if (gn_stop_requested()) {
            stop_all(r, "interrupted; goes on from its checkpoint");
            return gn_fail(err, GN_ECANCELED, "interrupted; the same command goes on where it was");
        }
        status = fill_slots(r, err);
        if (status == GN_OK && r->n_running == 0)
            return GN_OK;
        if (status == GN_OK)
            status = look_at_slots(r, &has_news, err);
        if (r->n_running > 0 && gn_now_ns() - r->told_ns > TELL_NS) {
            tell_progress(r);
            r->told_ns = gn_now_ns();
        }
        if (!has_news)
            gn_sleep_ns(LOOK_NS);
    }
    stop_all(r, "the search could not go on");
    return status;
}

/* --- all stages ----------------------------------------------------------------------------------------------------- */

static gn_status fail_when_all_failed(const search *s, const stage_run *r, gn_error *err)
{
    const candidate *first = NULL;
    size_t n_failed = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->participant[i]->row.stage > r->stage)
            return GN_OK;
        if (first == NULL)
            first = r->participant[i];
        n_failed++;
    }
    if (r->n == 0)
        for (size_t i = 0; i < s->n && first == NULL; i++)
            if (s->list[i].row.state == GN_TRIAL_FAILED)
                first = &s->list[i];
    if (first == NULL)
        return gn_fail(err, GN_EINVAL, "there is no trial to run");
    return gn_fail(
        err, GN_EWORKER,
        "all %zu trials of stage %d failed, first trial %lld (%s): %s; the logs are in %s; when the cause is gone, "
        "repeat with --retry-failed",
        n_failed > 0 ? n_failed : s->n, r->stage + 1, (long long)first->row.id, first->label, first->row.reason,
        s->options->out_folder);
}

/* The participants of the next stage, in the order of their trials' numbers. */
static gn_status promote(search *s, stage_run *r, gn_error *err)
{
    gn_contender *list = gn_arena_alloc(s->arena, (r->n + 1) * sizeof *list);
    if (list == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < r->n; i++) {
        const candidate *c = r->participant[i];
        list[i] = (gn_contender){c->row.id, c->row.measurement_id, c->score[r->stage]};
    }
    const size_t kept = gn_promote(list, r->n, (size_t)s->options->stages.stage[r->stage].keep);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++)
        for (size_t k = 0; k < kept; k++)
            if (list[k].trial == r->participant[i]->row.id) {
                r->participant[n++] = r->participant[i];
                break;
            }
    r->n = n;
    for (size_t i = 0; i < n; i++)
        if (r->participant[i]->row.state == GN_TRIAL_DONE && r->participant[i]->row.stage <= r->stage + 1)
            GN_TRY(gn_search_set_state(s, r->participant[i], GN_TRIAL_WAITING, "", err));
    return GN_OK;
}

gn_status gn_search_train(search *s, gn_error *err)
{
    stage_run *r = gn_arena_alloc(s->arena, sizeof *r);
    candidate **participant = gn_arena_alloc(s->arena, (s->n + 1) * sizeof *participant);
    if (r == NULL || participant == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    *r = (stage_run){.search = s, .participant = participant};
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].row.state != GN_TRIAL_SCREENED &&
            !(s->list[i].row.state == GN_TRIAL_FAILED && s->list[i].row.stage == 0))
            participant[r->n++] = &s->list[i];
    for (r->stage = 0; r->stage < s->options->stages.n; r->stage++) {
        r->next = r->n_ended = 0;
        GN_TRY(run_stage(r, err));
        if (r->stage == 0)
            GN_TRY(fail_when_all_failed(s, r, err));
        GN_TRY(promote(s, r, err));
    }
    return GN_OK;
}
