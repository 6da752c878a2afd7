/* Before anything trains: the latency of every distinct network, once, on a quiet machine; whoever misses a budget is screened out
 * and never trained.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_internal.h"

/* How often a helping worker looks whether the search has measured. */
#define WAIT_NS       INT64_C(500000000)
#define MEASURED_FACT "measured"

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
            list[i].imgsz == network->imgsz && strcmp(list[i].variant, network->variant) == 0 &&
            strcmp(list[i].target, target) == 0)
            return &list[i];
    return NULL;
}

static void tell(const search *s, const gn_network *network, size_t done)
{
    char what[200];
    snprintf(what, sizeof what, "measuring %s at %" PRId64 " px", network->model, network->imgsz);
    gn_progress_tell(&(gn_progress){.what = what,
                                    .done = (int64_t)done,
                                    .total = (int64_t)s->n_networks,
                                    .unit = "networks",
                                    .seconds = (double)(gn_now_ns() - s->started_ns) * 1e-9,
                                    .note = ""});
}

/* Measures one network; a failure is a measurement too, with its reason as note and no figures.  A target that cannot be reached is
 * nobody's measurement: the search ends, and goes on when it is back. */
static gn_status measure_network(search *s, const gn_network *network, gn_measurement *m, char *note, size_t note_bytes,
                                 gn_error *err)
{
    gn_error cause = {0};
    *m = gn_measurement_default();
    m->model = network->model;
    m->head = network->head;
    m->variant = network->variant;
    m->imgsz = network->imgsz;
    m->target = s->options->target;
    m->threads = target_threads(s->options->target);
    gn_status status = s->runner->measure(s->runner->ctx, network, m, &cause);
    if (status == GN_EWORKER && gn_has_prefix(cause.message, GN_KILLED)) /* from outside: it may not come again */
        status = s->runner->measure(s->runner->ctx, network, m, &cause);
    if (status == GN_ECANCELED)
        return gn_fail(err, GN_ECANCELED, "interrupted while measuring; the same command goes on");
    if (status == GN_EUNSUPPORTED || status == GN_EIO)
        return gn_fail(err, GN_EWORKER,
                       "nothing was trained: %s; what was measured so far is kept, and the same command goes on",
                       cause.message);
    if (status != GN_OK) {
        gn_error_line(&cause, note, note_bytes);
        m->total_p90_ms = NAN;
        m->is_valid = false;
        m->note = note;
        gn_search_say(s, "%s at %" PRId64 " px cannot be measured: %s", network->model, network->imgsz, note);
    }
    m->measured_at = gn_unix_seconds();
    return gn_study_put_measurement(s->study, m, &m->id, err);
}

/* --- budgets --------------------------------------------------------------------------------------------------------- */

/* One budget and what a network takes of it; value NaN: the device does not tell. */
typedef struct limit {
    const char *what, *unit;
    double budget, value;
} limit;

#define N_LIMITS 4

static void limits_of(const gn_budget *budget, const gn_measurement *m, limit out[N_LIMITS])
{
    out[0] = (limit){"p90", "ms", budget->latency_ms, m->total_p90_ms};
    out[1] = (limit){"peak memory", "MB", budget->memory_mb, m->peak_bytes >= 0 ? (double)m->peak_bytes * 1e-6 : NAN};
    out[2] = (limit){"size", "MB", budget->size_mb, m->bytes >= 0 ? (double)m->bytes * 1e-6 : NAN};
    out[3] = (limit){"energy", "mJ", budget->energy_mj, m->energy_mj};
}

/* Which budget the measurement misses, if any, in words; false when it keeps all. */
static bool find_miss(const gn_budget *budget, const gn_measurement *m, char *reason, size_t reason_bytes)
{
    limit list[N_LIMITS];
    limits_of(budget, m, list);
    for (int i = 0; i < N_LIMITS; i++) {
        const limit *l = &list[i];
        if (l->budget <= 0 || l->value <= l->budget)
            continue;
        if (isnan(l->value))
            snprintf(reason, reason_bytes, "the target does not tell its %s, which has a budget of %.3g %s", l->what,
                     l->budget, l->unit);
        else
            snprintf(reason, reason_bytes, "%s of %.3g %s is over the budget of %.3g %s", l->what, l->value, l->unit,
                     l->budget, l->unit);
        return true;
    }
    return false;
}

/* What the measurement means for the network's trials: they may train, are screened out, or fail. */
static gn_status judge_network(search *s, network_fact *n, const gn_measurement *m, gn_error *err)
{
    char reason[600] = "";
    n->measurement = m->id;
    n->total_p90_ms = m->total_p90_ms;
    n->macs = m->macs > 0 ? (double)m->macs : 1;
    n->verdict = GN_TRIAL_WAITING;
    if (isnan(m->total_p90_ms)) {
        snprintf(reason, sizeof reason, "its latency could not be measured: %s", m->note);
        n->verdict = GN_TRIAL_FAILED;
    } else if (find_miss(&s->options->budget, m, reason, sizeof reason)) {
        n->verdict = GN_TRIAL_SCREENED;
    }
    n->reason = gn_arena_strdup(s->arena, reason);
    return n->reason != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "out of memory");
}

/* Passes the networks' verdicts on to the trials that never began. */
static gn_status judge_trials(search *s, gn_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        candidate *c = s->list[i];
        if (c->row.measurement_id != c->network->measurement) {
            c->row.measurement_id = c->network->measurement;
            GN_TRY(gn_study_set_trial_measurement(s->study, c->row.id, c->row.measurement_id, err));
        }
        if (c->network->verdict != GN_TRIAL_WAITING && c->row.state == GN_TRIAL_WAITING && !gn_search_has_begun(c))
            GN_TRY(gn_search_set_state(s, c, c->network->verdict, c->network->reason, err));
    }
    return GN_OK;
}

static void say_measurement(search *s, const network_fact *n, const gn_measurement *m)
{
    if (isnan(m->total_p90_ms))
        return;
    gn_search_say(s, "%s%s%s at %" PRId64 " px: p50 %.2f ms, p90 %.2f ms%s%s%s", m->model,
                  m->variant[0] != '\0' ? " " : "", m->variant, m->imgsz, m->total_p50_ms, m->total_p90_ms,
                  n->verdict == GN_TRIAL_SCREENED ? ", over the budget: not trained" : "", m->is_valid ? "" : "; ",
                  m->is_valid ? "" : m->note);
}

/* --- nobody left ----------------------------------------------------------------------------------------------------- */

/* How far over its budgets a measurement is: the largest ratio. */
static double excess(const gn_budget *budget, const gn_measurement *m)
{
    limit list[N_LIMITS];
    double worst = 0;
    limits_of(budget, m, list);
    for (int i = 0; i < N_LIMITS; i++)
        if (list[i].budget > 0)
            worst = fmax(worst, isnan(list[i].value) ? INFINITY : list[i].value / list[i].budget);
    return worst;
}

static gn_status fail_over_budget(search *s, gn_error *err)
{
    gn_measurement *list = NULL, *nearest = NULL;
    const gn_budget *budget = &s->options->budget;
    size_t n = 0;
    char reason[200] = "";
    GN_TRY(gn_study_measurements(s->study, s->arena, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        if (!isnan(list[i].total_p90_ms) && strcmp(list[i].target, s->options->target) == 0 &&
            (nearest == NULL || excess(budget, &list[i]) < excess(budget, nearest)))
            nearest = &list[i];
    GN_ASSERT(nearest != NULL);
    find_miss(budget, nearest, reason, sizeof reason);
    return gn_fail(err, GN_EFLOOR,
                   "no network keeps the budget on %s; the nearest is %s at %" PRId64 " px: %s; allow more, or add "
                   "smaller networks or a smaller imgsz to the space",
                   s->options->target, nearest->model, nearest->imgsz, reason);
}

static gn_status say_if_none_is_left(search *s, gn_error *err)
{
    const network_fact *failed = NULL;
    size_t n_screened = 0;
    for (size_t i = 0; i < s->n_networks; i++) {
        if (s->networks[i].verdict == GN_TRIAL_WAITING)
            return GN_OK;
        n_screened += s->networks[i].verdict == GN_TRIAL_SCREENED;
        if (s->networks[i].verdict == GN_TRIAL_FAILED && failed == NULL)
            failed = &s->networks[i];
    }
    if (n_screened > 0)
        return fail_over_budget(s, err);
    return gn_fail(err, GN_EWORKER,
                   "no network could be measured, first %s at %" PRId64 " px: %s; when the cause is gone, repeat with "
                   "--retry-failed",
                   failed->network.model, failed->network.imgsz, failed->reason);
}

/* --- all networks ---------------------------------------------------------------------------------------------------- */

static gn_status measure_one(search *s, size_t i, const gn_measurement *known, size_t n_known, gn_error *err)
{
    network_fact *n = &s->networks[i];
    const gn_measurement *found = find_measurement(known, n_known, &n->network, s->options->target);
    gn_measurement fresh;
    char note[400];
    if (found != NULL && !(s->options->is_retrying_failed && isnan(found->total_p90_ms)))
        return judge_network(s, n, found, err);
    tell(s, &n->network, i);
    GN_TRY(measure_network(s, &n->network, &fresh, note, sizeof note, err));
    GN_TRY(judge_network(s, n, &fresh, err));
    say_measurement(s, n, &fresh);
    return GN_OK;
}

/* A helping worker takes the figures of the search: latency belongs to the target, not to it. */
static gn_status wait_for_measurements(search *s, gn_error *err)
{
    const char *fact = NULL;
    bool has_said = false;
    for (;;) {
        GN_TRY(gn_study_fact_of(s->study, MEASURED_FACT, s->arena, &fact, err));
        if (fact != NULL)
            return GN_OK;
        if (gn_stop_requested())
            return gn_fail(err, GN_ECANCELED, "interrupted");
        if (!has_said)
            gn_search_say(s, "waiting until the search has measured its networks");
        has_said = true;
        gn_sleep_ns(WAIT_NS);
    }
}

gn_status gn_search_measure(search *s, gn_error *err)
{
    gn_measurement *known = NULL;
    size_t n_known = 0;
    if (s->options->is_worker)
        GN_TRY(wait_for_measurements(s, err));
    GN_TRY(gn_study_measurements(s->study, s->arena, &known, &n_known, err));
    for (size_t i = 0; i < s->n_networks; i++) {
        if (s->options->is_worker &&
            find_measurement(known, n_known, &s->networks[i].network, s->options->target) == NULL)
            return gn_fail(err, GN_EINVAL, "the study has no latency of %s at %" PRId64 " px; run the search again",
                           s->networks[i].network.model, s->networks[i].network.imgsz);
        GN_TRY(measure_one(s, i, known, n_known, err));
    }
    GN_TRY(judge_trials(s, err));
    GN_TRY(say_if_none_is_left(s, err));
    return s->options->is_worker ? GN_OK : gn_study_set_fact(s->study, MEASURED_FACT, "1", err);
}
