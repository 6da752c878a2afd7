/* What is to be expected of a search that runs: how long it takes, and what going on may still bring.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "search/search_internal.h"

/* The objective's figure of one epoch; NaN when an epoch does not have it. */
static double epoch_metric(const char *objective, const gn_epoch *epoch)
{
    const struct {
        const char *name;
        double value;
    } figures[] = {{"mean_iou", epoch->mean_iou},
                   {"box_precision50", epoch->box_precision50},
                   {"map50", epoch->map50},
                   {"map50_95", epoch->map50_95},
                   {"loss", epoch->val_loss}};
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        if (strcmp(figures[i].name, objective) == 0)
            return figures[i].value;
    return NAN;
}

void gn_search_see_epoch(search *s, candidate *c, const gn_epoch *epoch)
{
    const double score = gn_search_score(s, epoch_metric(s->options->objective, epoch));
    if (epoch->epoch > c->epochs_seen)
        c->epochs_seen = epoch->epoch;
    if (!isnan(score) && !(score <= c->best_seen))
        c->best_seen = score;
}

int64_t gn_search_epochs_seen(const search *s)
{
    int64_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->list[i]->epochs_seen;
    return n;
}

const candidate *gn_search_leader(const search *s, double *score_out)
{
    const candidate *best = NULL;
    for (size_t i = 0; i < s->n; i++)
        for (int k = 0; k < s->stopping.n_ladder; k++) {
            const double score = s->list[i]->score[k];
            if (!isnan(score) && (best == NULL || score > *score_out)) {
                best = s->list[i];
                *score_out = score;
            }
        }
    return best;
}

/* What running and interrupted trials have trained since their last rung, which the rule does not know of. */
static double epochs_on_the_way(const search *s)
{
    double n = 0;
    for (size_t i = 0; i < s->n; i++) {
        const candidate *c = s->list[i];
        const int at = c->row.stage > 0 ? s->stopping.epochs[c->row.stage - 1] : 0;
        if (c->row.state == GN_TRIAL_RUNNING || c->row.state == GN_TRIAL_STOPPED)
            n += fmax(0, (double)(c->epochs_seen - at));
    }
    return n;
}

double gn_search_epochs_left(const search *s)
{
    gn_standing *list = NULL;
    size_t *index = NULL, n = 0;
    double left = NAN;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return NAN;
    if (gn_search_standings(s, arena, &list, &index, &n, NULL) == GN_OK)
        left = fmax(0, gn_stopping_epochs_left(&s->stopping, list, n) - epochs_on_the_way(s));
    gn_arena_destroy(&arena);
    return left;
}

/* The epochs that the rule still wants, at the pace so far; networks that are not yet chosen count as average ones. */
double gn_search_seconds_left(const search *s, double busy_seconds)
{
    double macs = 0;
    size_t n_able = 0;
    if (s->cost_done <= 0)
        return NAN;
    for (size_t i = 0; i < s->n_networks; i++)
        if (s->networks[i].verdict == GN_TRIAL_WAITING) {
            macs += s->networks[i].macs;
            n_able++;
        }
    macs /= n_able > 0 ? (double)n_able : 1;
    return gn_search_epochs_left(s) * macs * busy_seconds / s->cost_done / s->options->jobs;
}

/* As if the leader's curve went on rising with each doubling of its epochs as it did over the last one. */
gn_status gn_search_estimate_gain(search *s, gn_error *err)
{
    double score = 0, whole = NAN, half = NAN;
    gn_epoch *epoch = NULL;
    size_t n = 0;
    const candidate *leader = gn_search_leader(s, &score);
    s->gain = NAN;
    if (leader == NULL)
        return GN_OK;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    const gn_status status = gn_study_trial_epochs(s->study, leader->row.id, arena, &epoch, &n, err);
    const int64_t last = status == GN_OK && n > 0 ? epoch[n - 1].epoch : 0;
    const int end = s->stopping.epochs[s->stopping.n_ladder - 1];
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        const double at = gn_search_score(s, epoch_metric(s->options->objective, &epoch[i]));
        whole = isnan(whole) || at > whole ? at : whole;
        if (2 * epoch[i].epoch <= last)
            half = isnan(half) || at > half ? at : half;
    }
    gn_arena_destroy(&arena);
    if (last > 1 && !isnan(half) && end >= last)
        s->gain = (whole - half) * log2((double)end / (double)last);
    return status;
}
