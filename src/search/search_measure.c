/* Before anything trains: the latency of every distinct network, once, on a quiet machine; whoever is over the budget is screened
 * out and never trained.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_internal.h"

static bool same_network(const gn_network *a, const gn_network *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->head, b->head) == 0 && a->imgsz == b->imgsz;
}

/* Threads that a target names ("cpu?threads=2"); 0 when it leaves that open. */
static int64_t target_threads(const char *target)
{
    const char *at = strstr(target, "threads=");
    return at != NULL ? strtol(at + strlen("threads="), NULL, 10) : 0;
}

static const gn_measurement *find_measurement(const gn_measurement *list, size_t n, const gn_network *network,
                                              const char *target)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].model, network->model) == 0 && strcmp(list[i].head, network->head) == 0 &&
            list[i].imgsz == network->imgsz && strcmp(list[i].target, target) == 0)
            return &list[i];
    return NULL;
}

static void tell(const search *s, const gn_network *network, int done, int total)
{
    char what[200];
    snprintf(what, sizeof what, "measuring %s at %lld px", network->model, (long long)network->imgsz);
    gn_progress_tell(&(gn_progress){.what = what,
                                    .done = done,
                                    .total = total,
                                    .unit = "networks",
                                    .seconds = (double)(gn_now_ns() - s->started_ns) * 1e-9,
                                    .note = ""});
}

/* Measures one network; a failure is a measurement too, with its reason as note and no figures. */
static gn_status measure_network(search *s, const gn_network *network, gn_measurement *m, char *note, size_t note_bytes,
                                 gn_error *err)
{
    gn_error cause = {0};
    *m = gn_measurement_default();
    m->model = network->model;
    m->head = network->head;
    m->imgsz = network->imgsz;
    m->target = s->options->target;
    m->threads = target_threads(s->options->target);
    const gn_status status = s->runner->measure(s->runner->ctx, network, m, &cause);
    if (status == GN_ECANCELED)
        return gn_fail(err, GN_ECANCELED, "interrupted while measuring; the same command goes on");
    if (status != GN_OK) {
        gn_error_line(&cause, note, note_bytes);
        m->total_p90_ms = NAN;
        m->is_valid = false;
        m->note = note;
        gn_search_say(s, "%s at %lld px cannot be measured: %s", network->model, (long long)network->imgsz, note);
    }
    m->measured_at = gn_unix_seconds();
    return gn_study_put_measurement(s->study, m, &m->id, err);
}

/* What the measurement means for a trial that has not begun: it waits, is screened out, or fails. */
static gn_status judge(search *s, candidate *c, const gn_measurement *m, gn_error *err)
{
    char reason[400];
    const double budget = s->options->budget_ms;
    c->macs = m->macs > 0 ? (double)m->macs : 1;
    if (c->row.measurement_id != m->id) {
        c->row.measurement_id = m->id;
        GN_TRY(gn_study_set_trial_measurement(s->study, c->row.id, m->id, err));
    }
    if (c->row.state != GN_TRIAL_WAITING || c->row.stage > 0)
        return GN_OK;
    if (isnan(m->total_p90_ms)) {
        snprintf(reason, sizeof reason, "its latency could not be measured: %s", m->note);
        return gn_search_set_state(s, c, GN_TRIAL_FAILED, reason, err);
    }
    if (budget > 0 && m->total_p90_ms > budget) {
        snprintf(reason, sizeof reason, "p90 of %.3g ms is over the budget of %.3g ms", m->total_p90_ms, budget);
        return gn_search_set_state(s, c, GN_TRIAL_SCREENED, reason, err);
    }
    return GN_OK;
}

static void say_measurement(search *s, const gn_measurement *m)
{
    const bool is_over = s->options->budget_ms > 0 && m->total_p90_ms > s->options->budget_ms;
    if (isnan(m->total_p90_ms))
        return;
    gn_search_say(s, "%s at %lld px: p50 %.2f ms, p90 %.2f ms%s%s%s", m->model, (long long)m->imgsz, m->total_p50_ms,
                  m->total_p90_ms, is_over ? ", over the budget: not trained" : "", m->is_valid ? "" : "; ",
                  m->is_valid ? "" : m->note);
}

static gn_status say_if_none_is_left(search *s, gn_error *err)
{
    const candidate *failed = NULL;
    size_t n_screened = 0;
    for (size_t i = 0; i < s->n; i++) {
        n_screened += s->list[i].row.state == GN_TRIAL_SCREENED;
        if (s->list[i].row.state == GN_TRIAL_FAILED && failed == NULL)
            failed = &s->list[i];
    }
    if (n_screened == 0 || n_screened + (failed != NULL) < s->n)
        return GN_OK;
    gn_measurement *list = NULL, *fastest = NULL;
    size_t n = 0;
    GN_TRY(gn_study_measurements(s->study, s->arena, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        if (!isnan(list[i].total_p90_ms) && (fastest == NULL || list[i].total_p90_ms < fastest->total_p90_ms))
            fastest = &list[i];
    GN_ASSERT(fastest != NULL);
    return gn_fail(err, GN_EFLOOR,
                   "no network keeps %.3g ms on %s; the nearest, %s at %lld px, takes %.3g ms (p90); allow "
                   "more time, or add "
                   "smaller networks or a smaller imgsz to the space",
                   s->options->budget_ms, s->options->target, fastest->model, (long long)fastest->imgsz,
                   fastest->total_p90_ms);
}

/* The first candidates of distinct networks. */
static size_t distinct_networks(const search *s, size_t *first)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t j = 0;
        while (j < n && !same_network(&s->list[first[j]].network, &s->list[i].network))
            j++;
        if (j == n)
            first[n++] = i;
    }
    return n;
}

gn_status gn_search_measure(search *s, gn_error *err)
{
    gn_measurement *known = NULL;
    size_t n_known = 0;
    char note[400];
    GN_TRY(gn_study_measurements(s->study, s->arena, &known, &n_known, err));
    size_t *first = gn_arena_alloc(s->arena, (s->n + 1) * sizeof *first);
    if (first == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    const size_t n = distinct_networks(s, first);
    for (size_t k = 0; k < n; k++) {
        const gn_network *network = &s->list[first[k]].network;
        const gn_measurement *found = find_measurement(known, n_known, network, s->options->target);
        gn_measurement fresh;
        if (found == NULL || (s->options->is_retrying_failed && isnan(found->total_p90_ms))) {
            tell(s, network, (int)k, (int)n);
            GN_TRY(measure_network(s, network, &fresh, note, sizeof note, err));
            say_measurement(s, &fresh);
            found = &fresh;
        }
        for (size_t i = 0; i < s->n; i++)
            if (same_network(&s->list[i].network, network))
                GN_TRY(judge(s, &s->list[i], found, err));
    }
    return say_if_none_is_left(s, err);
}
