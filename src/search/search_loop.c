/* Training: whenever a worker is free, the rule and the sampler say from the study alone who goes on or who begins; every stage of a
 * trial is a process of its own, and its end becomes known to the study whole or not at all.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_loop.h"

/* How often workers are looked at, a person is told, and other workers' results are waited for. */
#define LOOK_NS INT64_C(20000000)
#define SHOW_NS INT64_C(250000000)
#define WAIT_NS INT64_C(500000000)
/* Crashes of one trial that are tried again in one run. */
#define MAX_CRASHES 1
/* So many failures before any success, and the search does not go on failing. */
#define MAX_FAILURES 20

/* --- one trial ------------------------------------------------------------------------------------------------------- */

static void on_epoch(void *ctx, const gn_epoch *epoch)
{
    slot *at = ctx;
    search *s = at->search;
    candidate *c = at->candidate;
    const int64_t before = c->epochs_seen;
    gn_search_see_epoch(s, c, epoch);
    if (epoch->epoch > at->epoch) {
        at->epoch = epoch->epoch;
        s->cost_done += epoch->epoch > before ? (double)(epoch->epoch - before) * c->network->macs : 0;
    }
    if (at->n_epochs == at->epoch_capacity) {
        const size_t capacity = at->epoch_capacity > 0 ? 2 * at->epoch_capacity : 16;
        gn_epoch *list = gn_realloc(at->epochs, capacity * sizeof *list);
        if (list == NULL) {
            s->event_status = gn_fail(&s->event_error, GN_ENOMEM, "out of memory");
            return;
        }
        at->epochs = list;
        at->epoch_capacity = capacity;
    }
    at->epochs[at->n_epochs++] = *epoch;
}

/* Epochs that became known go to the study; what a broken connection leaves is written later. */
static gn_status write_epochs(slot *at, gn_error *err)
{
    search *s = at->search;
    if (at->n_epochs == 0)
        return GN_OK;
    GN_TRY(gn_study_begin(s->study, err));
    for (size_t i = 0; i < at->n_epochs; i++) {
        const gn_status status = gn_study_put_epoch(s->study, &at->epochs[i], err);
        if (status != GN_OK) {
            gn_study_rollback(s->study);
            return status;
        }
    }
    GN_TRY(gn_study_commit(s->study, err));
    at->n_epochs = 0;
    return GN_OK;
}

/* What `gannet train --best` calls an objective. */
const char *gn_search_best_for(const char *objective)
{
    if (strcmp(objective, "mean_iou") == 0)
        return "iou";
    if (strcmp(objective, "loss") == 0)
        return "loss";
    if (strcmp(objective, "top1") == 0)
        return "top1";
    return strncmp(objective, "map", 3) == 0 ? "map" : "iou";
}

static gn_status prepare_folder(search *s, candidate *c, gn_error *err)
{
    if (c->row.stage > 0 && !gn_path_is_dir(c->folder)) {
        c->epochs_seen = 0;
        gn_search_say(s, "trial %" PRId64 " (%s): its checkpoint is not in %s; it starts again", c->row.id, c->label,
                      c->folder);
    }
    return gn_search_mark_folder(s, c, err);
}

/* Starts the process of a trial that was claimed; when it cannot be started, the trial has failed. */
static void start_trial(slot *at)
{
    search *s = at->search;
    candidate *c = at->candidate;
    gn_error cause = {0};
    gn_status status = prepare_folder(s, c, &cause);
    const int threads = gn_cpu_count() / s->options->jobs;
    const gn_train_job job = {.trial = c->row.id,
                              .config = c->row.config,
                              .folder = c->folder,
                              .seed = c->row.seed,
                              .epochs = s->stopping.epochs[at->rung],
                              .schedule_epochs = s->stopping.epochs[s->stopping.n_ladder - 1],
                              .threads = threads > 0 ? threads : 1,
                              .best = gn_search_best_for(s->options->objective),
                              .on_epoch = on_epoch,
                              .epoch_ctx = at};
    if (status == GN_OK)
        status = s->runner->train(s->runner->ctx, &job, &at->run, &cause);
    if (status == GN_OK)
        return;
    at->has_ended = true;
    at->outcome = (gn_train_outcome){.status = GN_EWORKER};
    gn_metrics_init(&at->outcome.metrics);
    gn_error_line(&cause, at->outcome.reason, sizeof at->outcome.reason);
}

/* --- the end of a trial's stage -------------------------------------------------------------------------------------- */

static gn_status finish_trial(slot *at, const gn_attempt_end *end, gn_error *err)
{
    search *s = at->search;
    candidate *c = at->candidate;
    const gn_status status = gn_study_finish(s->study, c->row.id, at->attempt, end, err);
    if (status == GN_EBUSY) {
        gn_search_say(s, "trial %" PRId64 " (%s): its lease ran out, another worker has it", c->row.id, c->label);
        return GN_OK;
    }
    GN_TRY(status);
    c->row.state = end->state;
    c->row.reason = gn_arena_strdup(s->arena, end->reason);
    if (c->row.reason == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    c->row.stage = end->stage >= 0 ? end->stage : c->row.stage;
    return GN_OK;
}

static double seconds_of(const slot *at)
{
    return (double)(gn_now_ns() - at->started_ns) * 1e-9;
}

static gn_status end_well(slot *at, double score, gn_error *err)
{
    search *s = at->search;
    candidate *c = at->candidate;
    const gn_metrics *metrics = &at->outcome.metrics;
    gn_metric list[GN_METRICS_MAX];
    for (int i = 0; i < metrics->n; i++)
        list[i] = (gn_metric){metrics->metric[i].name, metrics->metric[i].value, metrics->metric[i].low,
                              metrics->metric[i].high};
    const gn_result result = {.trial = c->row.id,
                              .stage = at->rung + 1,
                              .split = "val",
                              .epochs = at->epoch > 0 ? at->epoch : s->stopping.epochs[at->rung],
                              .best_epoch = metrics->best_epoch,
                              .images_per_s = metrics->images_per_s,
                              .seconds = metrics->seconds,
                              .metrics = list,
                              .n_metrics = (size_t)metrics->n};
    const gn_attempt_end end = {.outcome = GN_OUTCOME_DONE,
                                .state = GN_TRIAL_DONE,
                                .stage = at->rung + 1,
                                .reason = "",
                                .seconds = seconds_of(at),
                                .result = &result};
    GN_TRY(finish_trial(at, &end, err));
    if (c->row.state != GN_TRIAL_DONE)
        return GN_OK;
    c->score[at->rung] = score;
    gn_search_say(s, "%d epoch%s  trial %" PRId64 "  %s: %s %.4f", s->stopping.epochs[at->rung],
                  s->stopping.epochs[at->rung] == 1 ? "" : "s", c->row.id, c->label, s->options->objective,
                  gn_search_metric(s, score));
    return gn_search_estimate_gain(s, err);
}

static gn_status end_badly(slot *at, const char *reason, gn_error *err)
{
    search *s = at->search;
    candidate *c = at->candidate;
    const bool is_again = at->outcome.is_worth_a_retry && c->n_crashes < MAX_CRASHES;
    const gn_attempt_end end = {.outcome = GN_OUTCOME_FAILED,
                                .state = is_again ? GN_TRIAL_WAITING : GN_TRIAL_FAILED,
                                .stage = -1,
                                .reason = reason,
                                .seconds = seconds_of(at)};
    c->n_crashes++;
    gn_search_say(s, "trial %" PRId64 "  %s %s: %s", c->row.id, c->label, is_again ? "is tried again" : "failed",
                  reason);
    return finish_trial(at, &end, err);
}

static gn_status end_trial(slot *at, gn_error *err)
{
    search *s = at->search;
    const gn_train_outcome *outcome = &at->outcome;
    const double score = gn_search_score(s, gn_metrics_value(&outcome->metrics, s->options->objective));
    char reason[400];
    GN_TRY(write_epochs(at, err));
    snprintf(reason, sizeof reason, "%s", outcome->reason);
    if (outcome->status == GN_OK && isnan(score))
        snprintf(reason, sizeof reason, "the worker reported no %s", s->options->objective);
    const bool is_good = outcome->status == GN_OK && !isnan(score);
    GN_TRY(is_good ? end_well(at, score, err) : end_badly(at, reason, err));
    s->busy_seconds += seconds_of(at);
    gn_free(at->epochs);
    *at = (slot){0};
    return GN_OK;
}

/* Ends all workers in good order; their trials go on next time. */
static void stop_all(loop *l, const char *reason)
{
    search *s = l->search;
    for (int i = 0; i < s->options->jobs; i++) {
        slot *at = &l->slots[i];
        if (at->search == NULL)
            continue;
        if (at->run != NULL)
            s->runner->stop(s->runner->ctx, at->run);
        const gn_attempt_end end = {.outcome = GN_OUTCOME_STOPPED,
                                    .state = GN_TRIAL_STOPPED,
                                    .stage = -1,
                                    .reason = reason,
                                    .seconds = seconds_of(at)};
        /* Whatever cannot be written now is found out by whoever goes on. */
        if (write_epochs(at, NULL) == GN_OK)
            finish_trial(at, &end, NULL);
        gn_free(at->epochs);
        *at = (slot){0};
    }
}

/* --- who is next ----------------------------------------------------------------------------------------------------- */

/* Trials that are to start: of a grid all that may train, else as many as were asked for; no more than there are. */
static void count_trials(search *s)
{
    int64_t n_begun = 0, n_able = 0;
    for (size_t i = 0; i < s->n; i++) {
        const bool has_begun = gn_search_has_begun(s->list[i]);
        n_begun += has_begun;
        n_able += has_begun || s->list[i]->row.state == GN_TRIAL_WAITING;
    }
    int64_t n = s->params == NULL ? n_able : s->options->n_trials;
    if (s->params != NULL && n == 0)
        n = (int64_t)fmin(gn_space_size(s->options->space), GN_SEARCH_MAX_TRIALS);
    else if (s->options->n_trials > 0 && n > s->options->n_trials)
        n = s->options->n_trials;
    if (s->is_exhausted || n < n_begun)
        n = n_begun;
    s->stopping.n_trials = n > 0 ? n : 1;
}

static gn_status ask_rule(search *s, gn_next *next, candidate **out, gn_error *err)
{
    gn_standing *list = NULL;
    size_t *index = NULL, n = 0;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    count_trials(s);
    gn_status status = gn_search_standings(s, arena, &list, &index, &n, err);
    if (status == GN_OK)
        status = gn_stopping_next(&s->stopping, list, n, next, err);
    if (status == GN_OK && next->kind == GN_NEXT_CONTINUE)
        *out = s->list[index[next->index]];
    gn_arena_destroy(&arena);
    return status;
}

static gn_status claim(search *s, slot *at, candidate *c, const gn_next *next, gn_error *err)
{
    const double lease = s->options->lease_s;
    if (c->row.state == GN_TRIAL_DONE)
        GN_TRY(gn_search_set_state(s, c, GN_TRIAL_WAITING, "", err));
    if (strcmp(c->row.folder, c->folder) != 0)
        GN_TRY(gn_study_set_trial_folder(s->study, c->row.id, c->folder, err));
    c->row.folder = c->folder;
    GN_TRY(gn_study_claim(s->study, c->row.id, next->rung + 1, s->options->worker, lease, &at->attempt, err));
    const int attempt = at->attempt;
    *at = (slot){.search = s,
                 .candidate = c,
                 .rung = next->rung,
                 .attempt = attempt,
                 .started_ns = gn_now_ns(),
                 .beat_ns = gn_now_ns()};
    return GN_OK;
}

/* Inside a transaction: nobody else decides meanwhile. */
static gn_status decide(search *s, slot *at, gn_next *next, gn_error *err)
{
    candidate *c = NULL;
    GN_TRY(gn_search_refresh(s, err));
    GN_TRY(ask_rule(s, next, &c, err));
    if (next->kind == GN_NEXT_START) {
        GN_TRY(gn_search_propose(s, next->bracket, &c, err));
        if (c == NULL && s->is_exhausted) /* nobody is left to begin: the rule decides with who there is */
            GN_TRY(ask_rule(s, next, &c, err));
        if (c == NULL)
            return GN_OK;
        if (c->row.bracket != next->bracket)
            GN_TRY(gn_study_set_trial_bracket(s->study, c->row.id, next->bracket, err));
        c->row.bracket = next->bracket;
    }
    return c != NULL ? claim(s, at, c, next, err) : GN_OK;
}

/* Gives a free slot something to do; next says what was decided. */
static gn_status fill_slot(search *s, slot *at, gn_next *next, gn_error *err)
{
    GN_TRY(gn_study_begin(s->study, err));
    gn_status status = decide(s, at, next, err);
    if (status == GN_OK)
        status = gn_study_commit(s->study, err);
    else
        gn_study_rollback(s->study);
    if (status != GN_OK)
        *at = (slot){0};
    if (status != GN_OK || at->search == NULL)
        return status;
    at->candidate->row.state = GN_TRIAL_RUNNING;
    at->candidate->row.attempts++;
    start_trial(at);
    return GN_OK;
}

static gn_status fill_slots(loop *l, gn_error *err)
{
    search *s = l->search;
    l->is_over = false;
    /* What other workers do is looked at now and then only. */
    if (s->is_shared && gn_now_ns() < l->ask_ns)
        return GN_OK;
    for (int i = 0; i < s->options->jobs; i++) {
        gn_next next = {.kind = GN_NEXT_WAIT};
        if (l->slots[i].search != NULL)
            continue;
        GN_TRY(fill_slot(s, &l->slots[i], &next, err));
        if (l->slots[i].search == NULL) {
            l->is_over = next.kind == GN_NEXT_END;
            l->ask_ns = gn_now_ns() + WAIT_NS;
            break;
        }
    }
    return GN_OK;
}

/* --- the workers ----------------------------------------------------------------------------------------------------- */

static void stop_when_too_long(slot *at)
{
    search *s = at->search;
    if (at->has_ended || s->options->trial_s <= 0 || seconds_of(at) < s->options->trial_s)
        return;
    s->runner->stop(s->runner->ctx, at->run);
    at->run = NULL;
    at->has_ended = true;
    at->outcome = (gn_train_outcome){.status = GN_EWORKER};
    gn_metrics_init(&at->outcome.metrics);
    snprintf(at->outcome.reason, sizeof at->outcome.reason, "it took longer than the %.3g s that a trial may take",
             s->options->trial_s);
}

static gn_status keep_lease(slot *at, gn_error *err)
{
    search *s = at->search;
    if (!s->is_shared || (double)(gn_now_ns() - at->beat_ns) * 1e-9 < s->options->lease_s / 4)
        return GN_OK;
    const gn_status status = gn_study_heartbeat(s->study, at->candidate->row.id, at->attempt, s->options->lease_s, err);
    if (status == GN_OK)
        at->beat_ns = gn_now_ns();
    if (status != GN_EBUSY)
        return status;
    gn_search_say(s, "trial %" PRId64 " (%s): its lease ran out; its work is dropped", at->candidate->row.id,
                  at->candidate->label);
    if (at->run != NULL)
        s->runner->stop(s->runner->ctx, at->run);
    gn_free(at->epochs);
    *at = (slot){0};
    return GN_OK;
}

/* Looks at every worker once. */
static gn_status look_at_slots(loop *l, gn_error *err)
{
    search *s = l->search;
    for (int i = 0; i < s->options->jobs; i++) {
        slot *at = &l->slots[i];
        if (at->search == NULL)
            continue;
        if (!at->has_ended && s->runner->poll(s->runner->ctx, at->run, &at->outcome)) {
            at->has_ended = true;
            at->run = NULL;
        }
        stop_when_too_long(at);
        l->has_news = l->has_news || at->has_ended;
        if (at->has_ended)
            GN_TRY(end_trial(at, err));
        else
            GN_TRY(write_epochs(at, err));
        if (at->search != NULL)
            GN_TRY(keep_lease(at, err));
    }
    if (s->event_status != GN_OK && err != NULL)
        *err = s->event_error;
    return s->event_status;
}

static int n_running(const loop *l)
{
    int n = 0;
    for (int i = 0; i < l->search->options->jobs; i++)
        n += l->slots[i].search != NULL;
    return n;
}

/* --- the loop -------------------------------------------------------------------------------------------------------- */

/* The first failure that is not a trial's own; GN_OK while there is a success, or hope. */
static gn_status fail_when_all_failed(const search *s, bool is_over, gn_error *err)
{
    const candidate *first = NULL;
    size_t n_failed = 0;
    for (size_t i = 0; i < s->n; i++) {
        const candidate *c = s->list[i];
        if (c->row.stage > 0)
            return GN_OK;
        if (c->row.state == GN_TRIAL_FAILED && gn_search_has_begun(c)) {
            first = first == NULL ? c : first;
            n_failed++;
        }
    }
    if (n_failed < MAX_FAILURES && !is_over)
        return GN_OK;
    if (first == NULL)
        return gn_fail(err, GN_EINVAL, "there is no trial to run");
    return gn_fail(err, GN_EWORKER,
                   "all %zu trials that began failed, first trial %" PRId64 " (%s): %s; the logs are in %s; when the "
                   "cause is gone, repeat with --retry-failed",
                   n_failed, first->row.id, first->label, first->row.reason, s->options->out_folder);
}

static gn_status step(loop *l, gn_error *err)
{
    search *s = l->search;
    l->has_news = false;
    GN_TRY(look_at_slots(l, err));
    GN_TRY(fail_when_all_failed(s, false, err));
    GN_TRY(fill_slots(l, err));
    if (gn_now_ns() - l->shown_ns > SHOW_NS) {
        gn_search_show(l);
        l->shown_ns = gn_now_ns();
    }
    return GN_OK;
}

/* A study that several machines share may be away for a while: its server restarts, the network fails.  The workers go on. */
static gn_status come_back(search *s, gn_status status, gn_error *err)
{
    if (!gn_study_is_lost(s->study))
        return status;
    gn_search_say(s, "the study is away (%s); trying again", err->message);
    return gn_study_reconnect(s->study, GN_SEARCH_RECONNECT_SECONDS, err);
}

gn_status gn_search_train(search *s, gn_error *err)
{
    loop *l = gn_arena_alloc(s->arena, sizeof *l);
    gn_status status = GN_OK;
    gn_error why = {0};
    if (l == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    *l = (loop){.search = s};
    do {
        if (gn_stop_requested()) {
            stop_all(l, "interrupted; goes on from its checkpoint");
            return gn_fail(err, GN_ECANCELED, "interrupted; the same command goes on where it was");
        }
        if (gn_now_ns() >= s->deadline_ns) {
            stop_all(l, "time was up; goes on from its checkpoint");
            s->is_out_of_time = true;
            gn_search_say(s, "time is up; the best so far is taken");
            return fail_when_all_failed(s, true, err);
        }
        status = step(l, &why);
        if (status != GN_OK)
            status = come_back(s, status, &why);
        if (!l->has_news)
            gn_sleep_ns(LOOK_NS);
    } while (status == GN_OK && !(l->is_over && n_running(l) == 0));
    if (status == GN_OK)
        return fail_when_all_failed(s, true, err);
    stop_all(l, "the search could not go on");
    if (err != NULL)
        *err = why;
    return status;
}
