/* The stages of a search: train for so many epochs, keep so many networks, go on with these.  "10:8,30:2,60" trains every trial to
 * epoch 10, the best 8 networks (each by its best trial) to epoch 30, the best 2 of these to epoch 60.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_STAGES_H
#define GN_SEARCH_STAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define GN_STAGES_MAX       8
#define GN_STAGE_MAX_EPOCHS 100000
#define GN_STAGE_MAX_KEEP   100000

typedef struct gn_stage {
    int epochs; /* in all, since the trial began */
    int keep;   /* networks that go on to the next stage; 0 for the last */
} gn_stage;

typedef struct gn_stages {
    int n;
    gn_stage stage[GN_STAGES_MAX];
} gn_stages;

/* GN_EINVAL, with what was expected: epochs must rise, numbers of networks must not, and the last stage keeps nothing. */
gn_status gn_stages_parse(const char *text, gn_stages *stages_out, gn_error *err);
/* As gn_stages_parse reads it.  dst holds at least GN_STAGES_TEXT bytes. */
#define GN_STAGES_TEXT (GN_STAGES_MAX * 16)
void gn_stages_format(const gn_stages *stages, char *dst);

/* What a finished trial of a stage is judged by. */
typedef struct gn_contender {
    int64_t trial;
    int64_t network; /* trials with the same number train the same network */
    double score;    /* higher is better; NaN never goes on */
} gn_contender;

/* The trials that go on: of each network its best trial, of these the `keep` best, best first.  Ties go to the lower trial.
 * list: [n], reordered.  Returns how many of its first entries go on. */
size_t gn_promote(gn_contender *list, size_t n, size_t keep);

#endif
