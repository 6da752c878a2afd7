/* Learning-rate schedules.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

static double piecewise(const gn_schedule *s, double epoch)
{
    double lr = s->lr0;
    for (int i = 0; i < s->n_pieces; i++)
        if (epoch >= s->piece_epoch[i])
            lr = s->piece_lr[i];
    return lr;
}

static double without_warmup(const gn_schedule *s, double epoch)
{
    const double pi = 3.14159265358979323846;
    double part = s->epochs > 0 ? fmin(epoch / s->epochs, 1.0) : 0.0;
    switch (s->kind) {
    case GN_SCHEDULE_LINEAR:
        return s->lr0 * (1.0 - part * (1.0 - s->lrf));
    case GN_SCHEDULE_COSINE:
        return s->lr0 * (s->lrf + (1.0 - s->lrf) * 0.5 * (1.0 + cos(pi * part)));
    case GN_SCHEDULE_STEP:
        return s->lr0 * pow(s->gamma, floor(epoch / s->step_epochs));
    case GN_SCHEDULE_PIECEWISE:
        return piecewise(s, epoch);
    case GN_SCHEDULE_CONSTANT:
        break;
    }
    return s->lr0;
}

/* Linearly from `from` to `to` over the warm-up. */
static double warm(const gn_schedule *s, double epoch, double from, double to)
{
    return epoch >= s->warmup_epochs ? to : from + (to - from) * epoch / s->warmup_epochs;
}

double gn_schedule_lr(const gn_schedule *schedule, double epoch)
{
    return warm(schedule, epoch, schedule->warmup_lr, without_warmup(schedule, epoch));
}

double gn_schedule_bias_lr(const gn_schedule *schedule, double epoch)
{
    return warm(schedule, epoch, schedule->warmup_bias_lr, without_warmup(schedule, epoch));
}

double gn_schedule_momentum(const gn_schedule *schedule, double epoch, double momentum)
{
    return schedule->warmup_momentum > 0 ? warm(schedule, epoch, schedule->warmup_momentum, momentum) : momentum;
}

static gn_status parse_pieces(const char *text, gn_schedule *schedule, gn_error *err)
{
    char copy[1024];
    int n = 0;
    if (strlen(text) >= sizeof copy)
        return gn_fail(err, GN_EINVAL, "schedule \"%.40s...\" is too long", text);
    memcpy(copy, text, strlen(text) + 1);
    for (char *rest = copy, *piece; rest && n < GN_SCHEDULE_MAX_PIECES; n++) {
        piece = rest;
        rest = strchr(rest, ',');
        if (rest)
            *rest++ = 0;
        char *colon = strchr(piece, ':');
        double epoch, lr;
        if (colon)
            *colon = 0;
        if (!colon || !gn_parse_f64(piece, &epoch) || !gn_parse_f64(colon + 1, &lr) || lr < 0 ||
            epoch < (n > 0 ? schedule->piece_epoch[n - 1] : 0) || (n == 0 && epoch != 0))
            return gn_fail(
                err, GN_EINVAL,
                "schedule \"%s\": pieces EPOCH:RATE with rising epochs, the first 0, are expected, e.g. 0:1e-3,75:1e-4",
                text);
        schedule->piece_epoch[n] = epoch;
        schedule->piece_lr[n] = lr;
    }
    schedule->kind = GN_SCHEDULE_PIECEWISE;
    schedule->n_pieces = n;
    return GN_OK;
}

gn_status gn_schedule_parse(const char *text, gn_schedule *schedule, gn_error *err)
{
    static const char *const names[] = {"constant", "linear", "cosine", "step"};
    for (int i = 0; i < 4; i++)
        if (strcmp(text, names[i]) == 0) {
            schedule->kind = (gn_schedule_kind)i;
            return GN_OK;
        }
    if (strchr(text, ':'))
        return parse_pieces(text, schedule, err);
    return gn_fail(err, GN_EINVAL,
                   "schedule \"%s\" is not known: constant, linear, cosine, step, or pieces such as 0:1e-3,75:1e-4",
                   text);
}
