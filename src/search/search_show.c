/* A running search as a person is shown it: a view for programs that draw it, a line of progress for all others.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_loop.h"

/* Worker-seconds so far, those of running workers included. */
static double busy_seconds(const loop *l)
{
    double busy = l->search->busy_seconds;
    for (int i = 0; i < l->search->options->jobs; i++)
        if (l->slots[i].search != NULL)
            busy += (double)(gn_now_ns() - l->slots[i].started_ns) * 1e-9;
    return busy;
}

static int list_running(const loop *l, gn_search_running *out)
{
    const search *s = l->search;
    int n = 0;
    for (int i = 0; i < s->options->jobs; i++) {
        const slot *at = &l->slots[i];
        if (at->search == NULL)
            continue;
        out[n++] = (gn_search_running){.trial = at->candidate->row.id,
                                       .label = at->candidate->label,
                                       .rung = at->rung,
                                       .epoch = at->epoch,
                                       .epochs = s->stopping.epochs[at->rung],
                                       .metric = gn_search_metric(s, at->candidate->best_seen),
                                       .seconds = (double)(gn_now_ns() - at->started_ns) * 1e-9};
    }
    return n;
}

static void count_trials(const search *s, gn_search_view *view)
{
    view->n_rungs = s->stopping.n_ladder;
    for (int k = 0; k < s->stopping.n_ladder; k++)
        view->rung_epochs[k] = s->stopping.epochs[k];
    view->n_trials = (int)s->stopping.n_trials;
    for (size_t i = 0; i < s->n; i++) {
        const gn_trial *t = &s->list[i]->row;
        view->n_done += t->state == GN_TRIAL_DONE;
        view->n_failed += t->state == GN_TRIAL_FAILED;
        view->n_screened += t->state == GN_TRIAL_SCREENED;
        view->n_waiting += t->state == GN_TRIAL_WAITING || t->state == GN_TRIAL_STOPPED;
        for (int k = t->bracket; k < t->stage && k < view->n_rungs; k++)
            view->rung_done[k]++;
    }
}

static void tell_line(const gn_search_view *v)
{
    char what[300], note[400], left[32] = "", best[240] = "";
    if (!isnan(v->seconds_left))
        gn_format_seconds(v->seconds_left, left);
    if (v->best_label != NULL)
        snprintf(best, sizeof best, "best %.3f (%.160s)", v->best_metric, v->best_label);
    snprintf(what, sizeof what, "%d of %d trials begun, %d running%s%s", v->n_done + v->n_failed + v->n_running,
             v->n_trials, v->n_running, v->n_running > 0 ? ": " : "", v->n_running > 0 ? v->running[0].label : "");
    /* What is cut on a narrow terminal stands last. */
    snprintf(note, sizeof note, "%s%s%s%s", left, left[0] != '\0' ? " left" : "",
             left[0] != '\0' && best[0] != '\0' ? ", " : "", best);
    gn_progress_tell(
        &(gn_progress){.what = what, .done = v->epochs_done, .total = v->epochs_total, .unit = "epochs", .note = note});
}

void gn_search_show(const loop *l)
{
    const search *s = l->search;
    gn_search_running running[GN_SEARCH_MAX_JOBS];
    double score = NAN;
    gn_search_view v = {.objective = s->options->objective, .running = running, .gain = s->gain, .best_ms = NAN};
    v.n_running = list_running(l, running);
    count_trials(s, &v);
    const candidate *best = gn_search_leader(s, &score);
    if (best != NULL) {
        v.best_label = best->label;
        v.best_ms = best->network->total_p90_ms;
    }
    v.best_metric = gn_search_metric(s, score);
    v.epochs_done = gn_search_epochs_seen(s);
    const double epochs_left = gn_search_epochs_left(s);
    v.epochs_total = v.epochs_done + (int64_t)(isnan(epochs_left) ? 0 : epochs_left);
    v.seconds = (double)(gn_now_ns() - s->started_ns) * 1e-9;
    v.seconds_left = gn_search_seconds_left(s, busy_seconds(l));
    if (s->options->show != NULL)
        s->options->show(s->options->show_ctx, &v);
    else
        tell_line(&v);
}
