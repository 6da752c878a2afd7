/* Learning-rate schedules: the rate of every step from the settings and the step's number alone.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TRAIN_SCHEDULE_H
#define GN_TRAIN_SCHEDULE_H

#include <stdint.h>

#include "base/status.h"

typedef enum gn_schedule_kind {
    GN_SCHEDULE_CONSTANT = 0,
    GN_SCHEDULE_LINEAR,    /* lr0 -> lr0*lrf over all epochs */
    GN_SCHEDULE_COSINE,    /* the same along half a cosine (Loshchilov and Hutter 2017) */
    GN_SCHEDULE_STEP,      /* lr0 * gamma^(epoch / step_epochs) */
    GN_SCHEDULE_PIECEWISE, /* given rates from given epochs on */
} gn_schedule_kind;

#define GN_SCHEDULE_MAX_PIECES 32

/* warmup_epochs: 0 or more; over them the rate climbs linearly from warmup_lr to the schedule's.  Epochs count from 0; fractions count
 * steps within an epoch. */
typedef struct gn_schedule {
    gn_schedule_kind kind;
    double lr0, lrf;
    double epochs;
    double warmup_epochs, warmup_lr;
    double warmup_bias_lr;  /* the same for biases, where they have a rate of their own */
    double warmup_momentum; /* SGD's momentum climbs from here; 0: it is there at once */
    double step_epochs, gamma;
    int n_pieces;
    double piece_epoch[GN_SCHEDULE_MAX_PIECES], piece_lr[GN_SCHEDULE_MAX_PIECES];
} gn_schedule;

/* Rate at `epoch` (fractional, >= 0). */
double gn_schedule_lr(const gn_schedule *schedule, double epoch);
/* Rate of biases, and SGD's momentum on its way to `momentum`. */
double gn_schedule_bias_lr(const gn_schedule *schedule, double epoch);
double gn_schedule_momentum(const gn_schedule *schedule, double epoch, double momentum);
/* "constant", "linear", "cosine", "step", or pieces as "0:1e-3,75:1e-4" (rising epochs, the first 0). */
gn_status gn_schedule_parse(const char *text, gn_schedule *schedule, gn_error *err);

#endif
