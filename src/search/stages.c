/* Reading stages, and deciding who goes on to the next.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/stages.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static gn_status refuse(gn_error *err, const char *text, const char *why)
{
    return gn_fail(
        err, GN_EINVAL,
        "reading the stages \"%s\": %s; expected e.g. 10:8,30:2,60 (epochs:networks that go on, ..., epochs)", text,
        why);
}

/* A whole number of at most 100,000 at *at, which is moved past it and the blanks around it; -1 when there is none. */
static int take_number(const char **at)
{
    while (isspace((unsigned char)**at))
        (*at)++;
    if (!isdigit((unsigned char)**at))
        return -1;
    int number = 0;
    for (; isdigit((unsigned char)**at); (*at)++) {
        number = number * 10 + (**at - '0');
        if (number > GN_STAGE_MAX_EPOCHS)
            return -1;
    }
    while (isspace((unsigned char)**at))
        (*at)++;
    return number;
}

static const char *fault_of(const gn_stages *stages)
{
    for (int i = 0; i < stages->n; i++) {
        const gn_stage *s = &stages->stage[i];
        if (i > 0 && s->epochs <= stages->stage[i - 1].epochs)
            return "each stage must train longer than the one before";
        if (i + 1 < stages->n && s->keep < 1)
            return "a stage before the last must say how many networks go on";
        if (i + 1 == stages->n && s->keep > 0)
            return "after the last stage no network goes on";
        if (i > 0 && i + 1 < stages->n && s->keep > stages->stage[i - 1].keep)
            return "more networks cannot go on than came in";
    }
    return NULL;
}

gn_status gn_stages_parse(const char *text, gn_stages *stages_out, gn_error *err)
{
    gn_stages stages = {0};
    const char *at = text;
    for (;;) {
        if (stages.n == GN_STAGES_MAX)
            return refuse(err, text, "more than 8 stages");
        gn_stage *stage = &stages.stage[stages.n++];
        stage->epochs = take_number(&at);
        if (stage->epochs < 1)
            return refuse(err, text, "a number of epochs (1 to 100000) is missing");
        if (*at == ':') {
            at++;
            stage->keep = take_number(&at);
            if (stage->keep < 1)
                return refuse(err, text, "after ':' a number of networks (1 to 100000) is missing");
        }
        if (*at == '\0')
            break;
        if (*at++ != ',')
            return refuse(err, text, "stages stand between commas");
    }
    const char *fault = fault_of(&stages);
    if (fault != NULL)
        return refuse(err, text, fault);
    *stages_out = stages;
    return GN_OK;
}

void gn_stages_format(const gn_stages *stages, char *dst)
{
    int len = 0;
    dst[0] = '\0';
    for (int i = 0; i < stages->n; i++) {
        const gn_stage *s = &stages->stage[i];
        len += snprintf(dst + len, (size_t)(GN_STAGES_TEXT - len), s->keep > 0 ? "%s%d:%d" : "%s%d", i > 0 ? "," : "",
                        s->epochs, s->keep);
    }
}

static int by_score(const void *a, const void *b)
{
    const gn_contender *x = a, *y = b;
    const bool x_counts = !isnan(x->score), y_counts = !isnan(y->score);
    if (x_counts != y_counts)
        return x_counts ? -1 : 1;
    if (x_counts && x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->trial > y->trial) - (x->trial < y->trial);
}

static bool has_network(const gn_contender *list, size_t n, int64_t network)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].network == network)
            return true;
    return false;
}

size_t gn_promote(gn_contender *list, size_t n, size_t keep)
{
    size_t kept = 0;
    qsort(list, n, sizeof *list, by_score);
    for (size_t i = 0; i < n && kept < keep && !isnan(list[i].score); i++)
        if (!has_network(list, kept, list[i].network)) {
            const gn_contender promoted = list[i];
            for (size_t j = i; j > kept; j--)
                list[j] = list[j - 1];
            list[kept++] = promoted;
        }
    return kept;
}
