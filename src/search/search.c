/* A search from beginning to end.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/search.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "search/search_internal.h"

#define DEFAULT_LEASE_SECONDS 60.0

const char *gn_search_objective_for(const char *head)
{
    if (strncmp(head, "box", 3) == 0)
        return "mean_iou";
    return strcmp(head, "classify") == 0 ? "top1" : "map50_95";
}

double gn_search_score(const search *s, double metric)
{
    return strcmp(s->options->objective, "loss") == 0 ? -metric : metric;
}

double gn_search_metric(const search *s, double score)
{
    return gn_search_score(s, score);
}

void gn_search_say(search *s, const char *fmt, ...)
{
    char line[700];
    va_list args;
    if (s->options->say == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->options->say(s->options->say_ctx, line);
}

gn_status gn_search_set_state(search *s, candidate *c, gn_trial_state state, const char *reason, gn_error *err)
{
    const char *kept = gn_arena_strdup(s->arena, reason);
    if (kept == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    GN_TRY(gn_study_set_trial_state(s->study, c->row.id, state, reason, err));
    c->row.state = state;
    c->row.reason = kept;
    return GN_OK;
}

static gn_status check_options(const gn_search_options *o, gn_error *err)
{
    const gn_budget *b = &o->budget;
    if (o->jobs < 1 || o->jobs > GN_SEARCH_MAX_JOBS)
        return gn_fail(err, GN_EINVAL, "--jobs is %d, expected 1 to %d", o->jobs, GN_SEARCH_MAX_JOBS);
    if (!(b->latency_ms >= 0) || !(b->memory_mb >= 0) || !(b->size_mb >= 0) || !(b->energy_mj >= 0))
        return gn_fail(err, GN_EINVAL, "a budget is negative");
    if (o->n_trials < 0 || o->n_trials > GN_SEARCH_MAX_TRIALS)
        return gn_fail(err, GN_EINVAL, "the number of trials must be 0 to %d", GN_SEARCH_MAX_TRIALS);
    if (o->sampler != GN_SAMPLER_GRID && o->n_trials == 0 && !gn_space_is_finite(o->space))
        return gn_fail(err, GN_EINVAL,
                       "the space has no last trial; say how many are to be tried, e.g. with --trials 40");
    return GN_OK;
}

static void count_states(const search *s, gn_search_outcome *outcome)
{
    outcome->n_trials = (int)s->n;
    for (size_t i = 0; i < s->n; i++) {
        const gn_trial_state state = s->list[i]->row.state;
        outcome->n_failed += state == GN_TRIAL_FAILED;
        outcome->n_screened += state == GN_TRIAL_SCREENED;
        outcome->n_done += state == GN_TRIAL_DONE;
    }
    outcome->images = gn_search_epochs_seen(s) * s->n_train_images;
    outcome->seconds = (double)(gn_now_ns() - s->started_ns) * 1e-9;
    outcome->is_out_of_time = s->is_out_of_time;
}

static gn_status walk(search *s, gn_search_outcome *outcome, gn_error *err)
{
    char folder[1024];
    GN_TRY(gn_path_join(s->options->out_folder, "trials", folder, sizeof folder));
    GN_TRY(gn_make_dirs(folder, err));
    GN_TRY(gn_study_open(s->options->study_path, GN_STUDY_WRITE, &s->study, err));
    s->is_shared = gn_study_is_shared(s->study);
    GN_TRY(gn_search_keep_settings(s, err));
    GN_TRY(gn_search_keep_machine(s, err));
    GN_TRY(gn_search_list(s, err));
    GN_TRY(gn_search_measure(s, err));
    GN_TRY(gn_search_train(s, err));
    count_states(s, outcome);
    const gn_status status = gn_search_conclude(s, outcome, err);
    if (status == GN_OK || !gn_study_is_lost(s->study))
        return status;
    /* The server went away just now: concluding again changes nothing that is written already. */
    GN_TRY(gn_study_reconnect(s->study, GN_SEARCH_RECONNECT_SECONDS, err));
    return gn_search_conclude(s, outcome, err);
}

gn_status gn_search_run(const gn_search_options *options, const gn_search_runner *runner,
                        gn_search_outcome *outcome_out, gn_error *err)
{
    GN_TRY(check_options(options, err));
    gn_search_options o = *options;
    search s = {.options = &o, .runner = runner, .started_ns = gn_now_ns(), .stopping = o.stopping, .gain = NAN};
    gn_search_outcome outcome = {.total_p90_ms = NAN, .score = NAN};
    o.lease_s = o.lease_s > 0 ? o.lease_s : DEFAULT_LEASE_SECONDS;
    o.worker = o.worker != NULL ? o.worker : "search";
    s.deadline_ns = o.time_s > 0 ? s.started_ns + (int64_t)(o.time_s * 1e9) : INT64_MAX;
    gn_metrics_init(&outcome.val);
    gn_metrics_init(&outcome.test);
    s.arena = gn_arena_create(0);
    if (s.arena == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    const gn_status status = walk(&s, &outcome, err);
    gn_study_close(&s.study);
    gn_arena_destroy(&s.arena);
    gn_free(s.list);
    if (status == GN_OK)
        *outcome_out = outcome;
    return status;
}
