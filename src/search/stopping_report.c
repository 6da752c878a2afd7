/* What a rule says about a trial in words, and how much it still has to train.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "search/stopping_internal.h"

/* --- verdicts ------------------------------------------------------------------------------------------------------- */

static void fraction(int eta, char *dst, size_t bytes)
{
    static const char *const name[] = {"half",    "third",  "quarter", "fifth", "sixth",
                                       "seventh", "eighth", "ninth",   "tenth"};
    if (eta >= 2 && eta <= 10)
        snprintf(dst, bytes, "%s", name[eta - 2]);
    else
        snprintf(dst, bytes, "1/%d", eta);
}

/* Is this trial of its network the one that counted? */
static bool stands_for_network(const standing_order *order, size_t index)
{
    for (size_t i = 0; i < order->n; i++)
        if (order->list[i].index == index)
            return true;
    return false;
}

static bool has_place(const gn_stopping *rule, int rung, const standing_order *order, size_t index)
{
    const size_t places = gn_stopping_places(rule, rung, order);
    for (size_t i = 0; i < places; i++)
        if (order->list[i].index == index)
            return true;
    return false;
}

/* Of a trial that pauses at a rung with a score. */
static gn_status paused_verdict(const decision *d, size_t index, bool is_over, char *dst, size_t bytes)
{
    const gn_standing *s = &d->list[index];
    const int rung = s->n_rungs - 1, epochs = d->rule->epochs[rung];
    const char *stopped = is_over ? "stopped" : "paused", *by = d->rule->is_pareto ? " by score and cost" : "";
    char share[24];
    standing_order order = {0};
    bool *goes_on = gn_arena_alloc(d->arena, d->n + 1);
    if (goes_on == NULL)
        return GN_ENOMEM;
    goes_on[index] = true;
    if (d->rule->kind == GN_STOPPING_MEDIAN)
        GN_TRY(gn_stopping_median(d, goes_on));
    else if (d->rule->kind != GN_STOPPING_NONE)
        GN_TRY(gn_stopping_rank(d, s->bracket, rung, &order));
    const bool has_order = order.list != NULL;
    fraction(d->rule->eta, share, sizeof share);
    if (has_order ? has_place(d->rule, rung, &order, index) : goes_on[index])
        snprintf(dst, bytes, "goes on after %d epochs", epochs);
    else if (!has_order)
        snprintf(dst, bytes, "%s after %d epochs: below the median of the earlier trials", stopped, epochs);
    else if (d->rule->kind != GN_STOPPING_STAGES)
        snprintf(dst, bytes, "%s after %d epochs: not among the best %s of its rung%s", stopped, epochs, share, by);
    else if (!stands_for_network(&order, index))
        snprintf(dst, bytes, "stopped after %d epochs: another trial of its network was better", epochs);
    else
        snprintf(dst, bytes, "stopped after %d epochs: not among the best %d networks of its stage%s", epochs,
                 d->rule->keep[rung], by);
    return GN_OK;
}

void gn_stopping_verdict(const gn_stopping *rule, const gn_standing *list, size_t n, size_t index, char *dst,
                         size_t dst_bytes)
{
    const gn_standing *s = &list[index];
    const bool has_begun = s->n_rungs > s->bracket;
    const int epochs = has_begun ? rule->epochs[s->n_rungs - 1] : 0;
    bool is_over = (int64_t)n >= rule->n_trials;
    for (size_t i = 0; i < n && is_over; i++)
        is_over = !list[i].is_running;
    if (has_begun && s->n_rungs == rule->n_ladder)
        snprintf(dst, dst_bytes, "trained to the end (%d epochs)", epochs);
    else if (s->is_out && has_begun)
        snprintf(dst, dst_bytes, "failed or screened out after %d epochs", epochs);
    else if (s->is_out)
        snprintf(dst, dst_bytes, "failed or screened out before %d epochs", rule->epochs[s->bracket]);
    else if (s->is_running)
        snprintf(dst, dst_bytes, "in training, %d epochs done", epochs);
    else if (!has_begun)
        snprintf(dst, dst_bytes, "waits for its start");
    else if (isnan(s->score[s->n_rungs - 1]))
        snprintf(dst, dst_bytes, "stopped after %d epochs: it has no score", epochs);
    else {
        decision d = {.rule = rule, .list = list, .n = n, .arena = gn_arena_create(0)};
        if (d.arena == NULL || paused_verdict(&d, index, is_over, dst, dst_bytes) != GN_OK)
            snprintf(dst, dst_bytes, "%d epochs done", epochs);
        gn_arena_destroy(&d.arena);
    }
}

/* --- epochs left ---------------------------------------------------------------------------------------------------- */

/* One bracket in numbers. */
typedef struct tally {
    double started;
    double finished[GN_STOPPING_MAX_RUNGS]; /* trials that finished each rung */
    double lost[GN_STOPPING_MAX_RUNGS];     /* trials that went out on their way to it */
} tally;

static tally count_bracket(const gn_standing *list, size_t n, int bracket)
{
    tally t = {0};
    for (size_t i = 0; i < n; i++) {
        const gn_standing *s = &list[i];
        if (s->bracket != bracket)
            continue;
        t.started++;
        for (int r = bracket; r < s->n_rungs; r++)
            t.finished[r]++;
        if (s->is_out && s->n_rungs < GN_STOPPING_MAX_RUNGS)
            t.lost[s->n_rungs]++;
    }
    return t;
}

/* How many of `at` trials at a rung go on to the next. */
static double passes(const gn_stopping *rule, int rung, double at)
{
    switch (rule->kind) {
    case GN_STOPPING_STAGES:
        return fmin(at, rule->keep[rung]);
    case GN_STOPPING_HALVING:
    case GN_STOPPING_ASHA:
    case GN_STOPPING_HYPERBAND:
        return at > 0 ? fmax(1, floor(at / rule->eta)) : 0;
    case GN_STOPPING_MEDIAN:
        return at <= rule->grace ? at : rule->grace + (at - rule->grace) / 2;
    default:
        return at;
    }
}

double gn_stopping_epochs_left(const gn_stopping *rule, const gn_standing *list, size_t n)
{
    const int brackets = rule->kind == GN_STOPPING_HYPERBAND ? rule->n_ladder : 1;
    double left = 0;
    for (int b = 0; b < brackets; b++) {
        const tally t = count_bracket(list, n, b);
        double at = fmax(t.started, gn_stopping_share(rule, b) * (double)rule->n_trials);
        for (int r = b; r < rule->n_ladder; r++) {
            at -= t.lost[r];
            left += fmax(0, at - t.finished[r]) * (rule->epochs[r] - (r > b ? rule->epochs[r - 1] : 0));
            at = passes(rule, r, fmax(at, t.finished[r]));
        }
    }
    return left;
}
