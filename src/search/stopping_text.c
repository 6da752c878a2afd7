/* Stopping rules as text, and from single settings.
 * SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "search/stopping.h"

static const char *const kind_name[] = {"none", "stages", "halving", "asha", "hyperband", "median"};
#define N_KINDS ((int)(sizeof kind_name / sizeof *kind_name))

#define DEFAULT_ETA    4
#define DEFAULT_GRACE  5
#define DEFAULT_TRIALS 40

const char *gn_stopping_name(gn_stopping_kind kind)
{
    return (int)kind >= 0 && (int)kind < N_KINDS ? kind_name[kind] : "?";
}

bool gn_stopping_parse_kind(const char *name, gn_stopping_kind *kind_out)
{
    for (int i = 0; i < N_KINDS; i++)
        if (strcmp(name, kind_name[i]) == 0) {
            *kind_out = (gn_stopping_kind)i;
            return true;
        }
    return false;
}

static bool has_eta(gn_stopping_kind kind)
{
    return kind == GN_STOPPING_HALVING || kind == GN_STOPPING_ASHA || kind == GN_STOPPING_HYPERBAND;
}

/* --- checks --------------------------------------------------------------------------------------------------------- */

static const char *ladder_fault(const gn_stopping *r)
{
    for (int i = 0; i < r->n_ladder; i++) {
        if (r->epochs[i] < 1 || r->epochs[i] > GN_STOPPING_MAX_EPOCHS)
            return "epochs must be 1 to 100000";
        if (i > 0 && r->epochs[i] <= r->epochs[i - 1])
            return "each rung must train longer than the one before";
    }
    return NULL;
}

static const char *keep_fault(const gn_stopping *r)
{
    for (int i = 0; i < r->n_ladder; i++) {
        if (i + 1 < r->n_ladder && (r->keep[i] < 1 || r->keep[i] > GN_STOPPING_MAX_KEEP))
            return "a stage before the last must say how many networks (1 to 100000) go on";
        if (i + 1 == r->n_ladder && r->keep[i] != 0)
            return "after the last stage no network goes on";
        if (i > 0 && i + 1 < r->n_ladder && r->keep[i] > r->keep[i - 1])
            return "more networks cannot go on than came in";
    }
    return NULL;
}

static const char *rule_fault(const gn_stopping *r)
{
    if ((int)r->kind < 0 || (int)r->kind >= N_KINDS)
        return "its kind is unknown";
    if (r->n_ladder < 1 || r->n_ladder > GN_STOPPING_MAX_RUNGS)
        return "it must have 1 to 64 rungs";
    if (r->n_trials < 1 || r->n_trials > GN_STOPPING_MAX_TRIALS)
        return "the number of trials must be 1 to 1000000";
    if (has_eta(r->kind) && (r->eta < 2 || r->eta > GN_STOPPING_MAX_ETA))
        return "eta must be 2 to 100";
    if (r->kind == GN_STOPPING_MEDIAN && (r->grace < 1 || r->grace > GN_STOPPING_MAX_TRIALS))
        return "grace must be 1 to 1000000 trials";
    if (r->is_pareto && r->kind == GN_STOPPING_NONE)
        return "when every trial is trained to the end there is nothing to rank";
    const char *fault = ladder_fault(r);
    return fault == NULL && r->kind == GN_STOPPING_STAGES ? keep_fault(r) : fault;
}

gn_status gn_stopping_check(const gn_stopping *rule, gn_error *err)
{
    const char *fault = rule_fault(rule);
    return fault == NULL ? GN_OK
                         : gn_fail(err, GN_EINVAL, "the stopping rule %s: %s", gn_stopping_name(rule->kind), fault);
}

/* --- ladders -------------------------------------------------------------------------------------------------------- */

/* min, min*eta, min*eta^2, ... below max, then max; one that is nearer to max than a factor of sqrt(eta) is left out. */
static void geometric(gn_stopping *r, int min, int max)
{
    for (double at = min; at < max && r->n_ladder + 1 < GN_STOPPING_MAX_RUNGS; at *= r->eta)
        if (at * sqrt(r->eta) <= max || r->n_ladder == 0)
            r->epochs[r->n_ladder++] = (int)at;
    r->epochs[r->n_ladder++] = max;
}

static gn_status arithmetic(gn_stopping *r, int step, int max, gn_error *err)
{
    if ((max - 1) / step + 1 > GN_STOPPING_MAX_RUNGS)
        return gn_fail(err, GN_EINVAL,
                       "the median rule every %d epochs to %d would look %d times; at most %d: at least %d min-epochs",
                       step, max, (max - 1) / step + 1, GN_STOPPING_MAX_RUNGS,
                       (max + GN_STOPPING_MAX_RUNGS - 1) / GN_STOPPING_MAX_RUNGS);
    for (int at = step; at < max; at += step)
        r->epochs[r->n_ladder++] = at;
    r->epochs[r->n_ladder++] = max;
    return GN_OK;
}

static int default_min_epochs(gn_stopping_kind kind, int max)
{
    const int min = kind == GN_STOPPING_MEDIAN ? (max + 9) / 10 : max / 16;
    return min > 0 ? min : 1;
}

gn_status gn_stopping_make(gn_stopping_kind kind, int min_epochs, int max_epochs, int eta, int64_t n_trials,
                           gn_stopping *rule_out, gn_error *err)
{
    gn_stopping r = {.kind = kind,
                     .eta = has_eta(kind) ? (eta != 0 ? eta : DEFAULT_ETA) : 0,
                     .grace = kind == GN_STOPPING_MEDIAN ? DEFAULT_GRACE : 0,
                     .n_trials = n_trials != 0 ? n_trials : DEFAULT_TRIALS};
    if (kind == GN_STOPPING_STAGES)
        return gn_fail(err, GN_EINVAL, "stages are given as a list, such as 10:8,30:2,60");
    if (max_epochs < 1 || max_epochs > GN_STOPPING_MAX_EPOCHS)
        return gn_fail(err, GN_EINVAL, "the stopping rule %s to %d epochs; expected 1 to %d", gn_stopping_name(kind),
                       max_epochs, GN_STOPPING_MAX_EPOCHS);
    const int min = min_epochs != 0 ? min_epochs : default_min_epochs(kind, max_epochs);
    if (min < 1 || min > max_epochs)
        return gn_fail(err, GN_EINVAL, "the stopping rule %s from %d to %d epochs; expected 1 to %d for the first",
                       gn_stopping_name(kind), min, max_epochs, max_epochs);
    if (has_eta(kind) && (r.eta < 2 || r.eta > GN_STOPPING_MAX_ETA))
        return gn_fail(err, GN_EINVAL, "the stopping rule %s with eta %d; expected 2 to %d", gn_stopping_name(kind),
                       r.eta, GN_STOPPING_MAX_ETA);
    if (has_eta(kind))
        geometric(&r, min, max_epochs);
    else if (kind == GN_STOPPING_MEDIAN)
        GN_TRY(arithmetic(&r, min, max_epochs, err));
    else
        r.epochs[r.n_ladder++] = max_epochs;
    GN_TRY(gn_stopping_check(&r, err));
    *rule_out = r;
    return GN_OK;
}

/* --- text ----------------------------------------------------------------------------------------------------------- */

static gn_status refuse(gn_error *err, const char *text, const char *why)
{
    return gn_fail(err, GN_EINVAL,
                   "reading the stopping rule \"%.200s\": %s; expected 10:8,30:2,60 (epochs:networks that go on, ..., "
                   "epochs), asha:4-60/4 (likewise halving, hyperband), median:4-60 or none:60, and then trials=N, "
                   "grace=N or pareto",
                   text, why);
}

static void skip_blanks(const char **at)
{
    while (isspace((unsigned char)**at))
        (*at)++;
}

/* A whole number of at most a million at *at, which is moved past it and the blanks around it; -1 when there is none. */
static int take_number(const char **at)
{
    skip_blanks(at);
    if (!isdigit((unsigned char)**at))
        return -1;
    int number = 0;
    for (; isdigit((unsigned char)**at); (*at)++) {
        number = number * 10 + (**at - '0');
        if (number > GN_STOPPING_MAX_TRIALS)
            return -1;
    }
    skip_blanks(at);
    return number;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool take_word(const char **at, const char *word)
{
    const size_t n = strlen(word);
    if (strncmp(*at, word, n) != 0)
        return false;
    *at += n;
    return true;
}

static const char *take_stages(const char **at, gn_stopping *r)
{
    do {
        if (r->n_ladder == GN_STOPPING_MAX_RUNGS)
            return "more than 64 stages";
        const int rung = r->n_ladder++;
        r->epochs[rung] = take_number(at);
        if (r->epochs[rung] < 1)
            return "a number of epochs (1 to 100000) is missing";
        if (take_char(at, ':')) {
            r->keep[rung] = take_number(at);
            if (r->keep[rung] < 1)
                return "after ':' a number of networks (1 to 100000) is missing";
        }
    } while (take_char(at, ','));
    return NULL;
}

/* "MIN-MAX/ETA", of which none has MAX alone and the median no eta; 0 where nothing stands. */
static const char *take_range(const char **at, gn_stopping_kind kind, int *min, int *max, int *eta)
{
    *min = *eta = 0;
    *max = take_number(at);
    if (*max < 1)
        return "a number of epochs (1 to 100000) is missing";
    if (kind != GN_STOPPING_NONE && take_char(at, '-')) {
        *min = *max;
        *max = take_number(at);
        if (*max < 1)
            return "after '-' a number of epochs (1 to 100000) is missing";
    }
    if (has_eta(kind) && take_char(at, '/')) {
        *eta = take_number(at);
        if (*eta < 2)
            return "after '/' a number (2 to 100) is missing";
    }
    return NULL;
}

static const char *take_settings(const char **at, gn_stopping *r)
{
    for (skip_blanks(at); **at != '\0'; skip_blanks(at)) {
        if (take_word(at, "trials=")) {
            r->n_trials = take_number(at);
            if (r->n_trials < 1)
                return "after trials= a number (1 to 1000000) is missing";
        } else if (r->kind == GN_STOPPING_MEDIAN && take_word(at, "grace=")) {
            r->grace = take_number(at);
            if (r->grace < 1)
                return "after grace= a number (1 to 1000000) is missing";
        } else if (take_word(at, "pareto")) {
            r->is_pareto = true;
        } else {
            return "something is left over";
        }
    }
    return NULL;
}

gn_status gn_stopping_parse(const char *text, gn_stopping *rule_out, gn_error *err)
{
    gn_stopping r = {.kind = GN_STOPPING_STAGES, .n_trials = DEFAULT_TRIALS};
    const char *at = text, *fault = NULL;
    int min = 0, max = 0, eta = 0;
    skip_blanks(&at);
    for (int i = 0; i < N_KINDS; i++) {
        const char *rest = at;
        if (take_word(&rest, kind_name[i]) && take_char(&rest, ':')) {
            r.kind = (gn_stopping_kind)i;
            at = rest;
            break;
        }
    }
    if (r.kind == GN_STOPPING_STAGES) {
        fault = take_stages(&at, &r);
    } else {
        fault = take_range(&at, r.kind, &min, &max, &eta);
        if (fault == NULL)
            GN_TRY(gn_stopping_make(r.kind, min, max, eta, 0, &r, err));
    }
    if (fault == NULL)
        fault = take_settings(&at, &r);
    if (fault == NULL)
        fault = rule_fault(&r);
    if (fault != NULL)
        return refuse(err, text, fault);
    *rule_out = r;
    return GN_OK;
}

/* Appends at *at, which moves; what does not fit is left out. */
static void __attribute__((format(printf, 3, 4))) add(char **at, const char *end, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(*at, (size_t)(end - *at), fmt, args);
    va_end(args);
    *at += n > 0 && n < end - *at ? n : 0;
}

void gn_stopping_format(const gn_stopping *rule, char *dst)
{
    char *at = dst;
    const char *end = dst + GN_STOPPING_TEXT;
    const int last = rule->epochs[rule->n_ladder - 1];
    dst[0] = '\0';
    if (rule->kind != GN_STOPPING_STAGES)
        add(&at, end, "%s:", gn_stopping_name(rule->kind));
    for (int i = 0; i < rule->n_ladder && rule->kind == GN_STOPPING_STAGES; i++) {
        add(&at, end, "%s%d", i > 0 ? "," : "", rule->epochs[i]);
        if (rule->keep[i] > 0)
            add(&at, end, ":%d", rule->keep[i]);
    }
    if (has_eta(rule->kind))
        add(&at, end, "%d-%d/%d", rule->epochs[0], last, rule->eta);
    else if (rule->kind == GN_STOPPING_MEDIAN)
        add(&at, end, "%d-%d", rule->epochs[0], last);
    else if (rule->kind == GN_STOPPING_NONE)
        add(&at, end, "%d", last);
    add(&at, end, " trials=%lld", (long long)rule->n_trials);
    if (rule->kind == GN_STOPPING_MEDIAN)
        add(&at, end, " grace=%d", rule->grace);
    if (rule->is_pareto)
        add(&at, end, " pareto");
}
