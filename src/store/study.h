/* The study: one SQLite file that holds what a search was asked, every measurement, trial, epoch and result, and the few pictures
 * of the report.  Each call that writes is one transaction (or part of the one that begin opened), so a process that is killed at
 * any moment leaves a file that says what was finished.
 * A study belongs to one thread at a time.  One process writes; others may read meanwhile.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_STUDY_H
#define GN_STORE_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* The schema that this version writes; studies with a lower one are brought up to it when opened for writing. */
#define GN_STUDY_VERSION 1
/* A picture is refused beyond this. */
#define GN_STUDY_PICTURE_MAX_BYTES ((size_t)8 << 20)

typedef struct gn_study gn_study;

typedef enum gn_study_mode {
    GN_STUDY_READ,  /* must exist; nothing is changed */
    GN_STUDY_WRITE, /* made when it does not exist; no second writer */
} gn_study_mode;

/* GN_ENOENT; GN_EFORMAT: no study; GN_EUNSUPPORTED: written by a newer version; GN_EBUSY: another process writes it; GN_EIO;
 * GN_ENOMEM. */
gn_status gn_study_open(const char *path, gn_study_mode mode, gn_study **study_out, gn_error *err);
/* Also rolls back what begin opened.  Sets *study NULL. */
void gn_study_close(gn_study **study);
const char *gn_study_path(const gn_study *study);

/* Several writes as one.  No nesting. */
gn_status gn_study_begin(gn_study *study, gn_error *err);
gn_status gn_study_commit(gn_study *study, gn_error *err);
void gn_study_rollback(gn_study *study);

/* --- facts and commands: settings, data set's hash, machine, versions ------------------------------------------- */

typedef struct gn_study_fact {
    const char *name;
    const char *value;
} gn_study_fact;

typedef struct gn_study_command {
    int64_t started_at; /* seconds since 1970 */
    const char *line;
} gn_study_command;

gn_status gn_study_set_fact(gn_study *study, const char *name, const char *value, gn_error *err);
/* *value_out: in `arena`; NULL when there is no such fact. */
gn_status gn_study_fact_of(gn_study *study, const char *name, gn_arena *arena, const char **value_out, gn_error *err);
/* All facts by name.  This and the lists below live in `arena`. */
gn_status gn_study_facts(gn_study *study, gn_arena *arena, gn_study_fact **facts_out, size_t *n_out, gn_error *err);
gn_status gn_study_add_command(gn_study *study, const char *line, int64_t started_at, gn_error *err);
gn_status gn_study_commands(gn_study *study, gn_arena *arena, gn_study_command **commands_out, size_t *n_out,
                            gn_error *err);

/* --- measurements ------------------------------------------------------------------------------------------------ */

/* Milliseconds; NaN and -1 where there is no figure.  Strings are borrowed, never NULL. */
typedef struct gn_measurement {
    int64_t id;
    const char *model, *head, *precision, *target, *device;
    int64_t imgsz, threads, warmup, runs;
    double min_ms, p50_ms, p90_ms, p99_ms;
    double preprocess_ms, postprocess_ms;
    double total_p50_ms, total_p90_ms, total_p99_ms;
    int64_t peak_bytes, params, macs, bytes;
    bool is_valid;
    const char *note;
    int64_t measured_at;
} gn_measurement;

/* All figures absent, all strings empty. */
gn_measurement gn_measurement_default(void);
/* Adds it, or replaces the one of the same network, target and threads; the id stays. */
gn_status gn_study_put_measurement(gn_study *study, const gn_measurement *measurement, int64_t *id_out, gn_error *err);
gn_status gn_study_measurements(gn_study *study, gn_arena *arena, gn_measurement **list_out, size_t *n_out,
                                gn_error *err);

/* --- trials ------------------------------------------------------------------------------------------------------ */

typedef enum gn_trial_state {
    GN_TRIAL_WAITING = 0, /* for its first or next stage */
    GN_TRIAL_RUNNING,
    GN_TRIAL_DONE,    /* with all stages that it was promoted to */
    GN_TRIAL_STOPPED, /* interrupted; goes on from its checkpoint */
    GN_TRIAL_FAILED,
    GN_TRIAL_SCREENED, /* over the latency budget, never trained */
} gn_trial_state;

const char *gn_trial_state_name(gn_trial_state state);

typedef struct gn_trial {
    int64_t id;
    const char *config;     /* JSON object of strings */
    int64_t measurement_id; /* 0: none yet */
    gn_trial_state state;
    int stage; /* finished */
    const char *reason;
    const char *folder;
    int64_t seed;
    double seconds;
} gn_trial;

/* Adds a trial that waits; one with the same config stays as it is and gives its id. */
gn_status gn_study_add_trial(gn_study *study, const char *config, int64_t seed, int64_t *id_out, gn_error *err);
gn_status gn_study_set_trial_measurement(gn_study *study, int64_t trial, int64_t measurement, gn_error *err);
gn_status gn_study_set_trial_folder(gn_study *study, int64_t trial, const char *folder, gn_error *err);
gn_status gn_study_set_trial_state(gn_study *study, int64_t trial, gn_trial_state state, const char *reason,
                                   gn_error *err);
/* stage: stages finished.  seconds: added to what was spent before. */
gn_status gn_study_set_trial_stage(gn_study *study, int64_t trial, int stage, gn_error *err);
gn_status gn_study_add_trial_seconds(gn_study *study, int64_t trial, double seconds, gn_error *err);
gn_status gn_study_trials(gn_study *study, gn_arena *arena, gn_trial **list_out, size_t *n_out, gn_error *err);

/* --- epochs and results ------------------------------------------------------------------------------------------ */

/* NaN where there is no figure. */
typedef struct gn_epoch {
    int64_t trial;
    int64_t epoch;  /* from 1 */
    double seconds; /* since the trial began */
    double train_loss, val_loss, mean_iou, box_precision50, map50, map50_95, lr;
} gn_epoch;

gn_status gn_study_put_epoch(gn_study *study, const gn_epoch *epoch, gn_error *err);
/* By trial and epoch. */
gn_status gn_study_epochs(gn_study *study, gn_arena *arena, gn_epoch **list_out, size_t *n_out, gn_error *err);

typedef struct gn_metric {
    const char *name;
    double value, low, high; /* low, high: NaN without an interval */
} gn_metric;

typedef struct gn_result {
    int64_t trial;
    int stage;         /* from 1 */
    const char *split; /* "val" or "test" */
    int64_t epochs, best_epoch;
    double images_per_s, seconds;
    const gn_metric *metrics;
    size_t n_metrics;
} gn_result;

/* Adds it or replaces the one of the same trial, stage and split. */
gn_status gn_study_put_result(gn_study *study, const gn_result *result, gn_error *err);
/* By trial, stage, split. */
gn_status gn_study_results(gn_study *study, gn_arena *arena, gn_result **list_out, size_t *n_out, gn_error *err);
/* The metric's value; NaN when the result has none of that name. */
double gn_result_metric(const gn_result *result, const char *name);

/* --- pictures ---------------------------------------------------------------------------------------------------- */

typedef struct gn_picture {
    int64_t trial;
    const char *name;
    const char *caption;
    const unsigned char *jpeg;
    size_t bytes;
} gn_picture;

/* Adds or replaces by (trial, name).  GN_EFORMAT: no JPEG.  GN_ELIMIT: larger than GN_STUDY_PICTURE_MAX_BYTES. */
gn_status gn_study_put_picture(gn_study *study, const gn_picture *picture, gn_error *err);
/* In the order in which they were added. */
gn_status gn_study_pictures(gn_study *study, gn_arena *arena, gn_picture **list_out, size_t *n_out, gn_error *err);

#endif
