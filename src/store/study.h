/* The study: one SQLite file, or a schema of a PostgreSQL database, that holds what a search was asked, every measurement, trial, epoch
 * and result, and the few pictures of the report.  Each call that writes is one transaction (or part of the one that begin opened), so
 * a process that is killed at any moment leaves a study that says what was finished.
 * A study belongs to one thread at a time.  One process writes a file, several may write to a server; others may read meanwhile.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_STUDY_H
#define GN_STORE_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "base/status.h"

/* The schema that this version writes.  A study with a lower one is brought up to it when opened for writing; a reader sees an
 * upgraded copy in memory, and the file stays as it is. */
#define GN_STUDY_VERSION 2
/* A picture is refused beyond this. */
#define GN_STUDY_PICTURE_MAX_BYTES ((size_t)8 << 20)
/* And a document. */
#define GN_STUDY_DOCUMENT_MAX_BYTES ((size_t)8 << 20)

typedef struct gn_study gn_study;
typedef struct gn_result gn_result;

typedef enum gn_study_mode {
    GN_STUDY_READ,  /* must exist; nothing is changed */
    GN_STUDY_WRITE, /* made when it does not exist; of a file there is one writer at a time, of a server any number */
} gn_study_mode;

/* where: a file, or "postgresql://user@host:port/database?study=NAME" (NAME: a schema of the database, "gannet" when it is left out;
 * further parameters are libpq's).
 * GN_ENOENT; GN_EFORMAT: no study; GN_EUNSUPPORTED: written by a newer version, a server that is too old, or no libpq here; GN_EBUSY:
 * another process writes the file; GN_EINVAL: an address that is not understood; GN_EIO: among others, a server that refuses;
 * GN_ENOMEM. */
gn_status gn_study_open(const char *where, gn_study_mode mode, gn_study **study_out, gn_error *err);
/* Also rolls back what begin opened.  Sets *study NULL. */
void gn_study_close(gn_study **study);
/* The file, or the server's address without a password. */
const char *gn_study_path(const gn_study *study);
/* Whether `where` is the address of a server. */
bool gn_study_is_server(const char *where);
/* Whether other processes may write as well (PostgreSQL). */
bool gn_study_is_shared(const gn_study *study);
/* Whether the connection to the server broke.  Every call then fails with GN_EIO, and what was not committed is undone, until
 * reconnect brings it back: it tries again and again with growing pauses (0.1 s to 5 s), for timeout_seconds in all.  A commit that
 * failed so may have been written all the same; all writes of this header may be repeated. */
bool gn_study_is_lost(const gn_study *study);
gn_status gn_study_reconnect(gn_study *study, double timeout_seconds, gn_error *err);

/* Several reads and writes as one, while nobody else has begun such a transaction: what is read inside stays true until commit, so
 * that "read the table, decide, add a trial and claim it" is one step for several workers.  In a study that was opened for reading: everything is read as of one moment.  After a failure
 * inside only rollback may follow.  No nesting. */
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

/* Adds or replaces it.  Here and in command lines *** takes the place of passwords in addresses of servers. */
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
    const char *model, *head, *precision;
    const char *variant; /* further options that shape the network, as "activation=silu"; mostly "" */
    const char *target, *device;
    int64_t imgsz, threads, warmup, runs;
    double min_ms, p50_ms, p90_ms, p99_ms;
    double preprocess_ms, postprocess_ms;
    double total_p50_ms, total_p90_ms, total_p99_ms;
    double energy_mj;     /* of one whole answer, where the device tells */
    double clock_mhz;     /* of the processor, in the median, while it was measured */
    double temperature_c; /* the highest that was seen */
    int64_t peak_bytes, params, macs, bytes;
    bool is_valid;
    const char *note;
    int64_t measured_at;
} gn_measurement;

/* All figures absent, all strings empty. */
gn_measurement gn_measurement_default(void);
/* Adds it, or replaces the one of the same model, head, imgsz, precision, variant, target and threads; the id stays. */
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
    int bracket;        /* of the schedule; 0 where it has one only */
    const char *origin; /* who proposed it: "grid", "random", "tpe", "nsga2", "user" */
    int attempts;       /* how often a worker claimed it */
    const char *worker; /* who claimed it last; "" when nobody did */
} gn_trial;

/* Adds a trial that waits, with the config, seed, bracket and origin (NULL: "grid") of `trial`; one with the same config stays as
 * it is and gives its id.  GN_EINVAL: an unknown origin. */
gn_status gn_study_add_trial(gn_study *study, const gn_trial *trial, int64_t *id_out, gn_error *err);
gn_status gn_study_set_trial_measurement(gn_study *study, int64_t trial, int64_t measurement, gn_error *err);
gn_status gn_study_set_trial_bracket(gn_study *study, int64_t trial, int bracket, gn_error *err);
gn_status gn_study_set_trial_folder(gn_study *study, int64_t trial, const char *folder, gn_error *err);
gn_status gn_study_set_trial_state(gn_study *study, int64_t trial, gn_trial_state state, const char *reason,
                                   gn_error *err);
/* stage: stages finished.  seconds: added to what was spent before. */
gn_status gn_study_set_trial_stage(gn_study *study, int64_t trial, int stage, gn_error *err);
gn_status gn_study_add_trial_seconds(gn_study *study, int64_t trial, double seconds, gn_error *err);
/* By id. */
gn_status gn_study_trials(gn_study *study, gn_arena *arena, gn_trial **list_out, size_t *n_out, gn_error *err);
/* One trial.  GN_ENOENT. */
gn_status gn_study_trial(gn_study *study, int64_t id, gn_arena *arena, gn_trial *trial_out, gn_error *err);
/* With its epochs, results, pictures, documents and attempts.  A worker that has it finds its lease lost.  GN_ENOENT. */
gn_status gn_study_remove_trial(gn_study *study, int64_t id, gn_error *err);

/* --- leases: which worker has which trial ------------------------------------------------------------------------ */

/* A worker claims a trial for some seconds and renews the lease by heartbeats.  When none comes in time, anybody may declare the
 * worker lost (gn_study_expire): the trial waits again, and whatever the lost worker writes at its end is refused.  So every stage of
 * a trial is finished exactly once.  Times are the clock of the database server, or of this machine for a file. */

typedef enum gn_outcome {
    GN_OUTCOME_RUNNING = 0,
    GN_OUTCOME_DONE,    /* the stage was reached */
    GN_OUTCOME_FAILED,  /* crash, NaN, out of memory, time-out */
    GN_OUTCOME_STOPPED, /* interrupted; the worker gave the trial back */
    GN_OUTCOME_LOST,    /* the lease ran out */
} gn_outcome;

const char *gn_outcome_name(gn_outcome outcome);

/* One row each time a worker took a trial. */
typedef struct gn_attempt {
    int64_t trial;
    int number; /* from 1 */
    int stage;  /* that it works towards, from 1 */
    const char *worker;
    double started_at, ended_at; /* seconds since 1970; ended_at: NaN while it runs */
    double lease_until;
    gn_outcome outcome;
    const char *reason;
} gn_attempt;

/* Takes a trial that waits or was stopped, to bring it to `stage`; it runs from here on.  *number_out: of the attempt.
 * GN_EBUSY: it is not to be had (another worker has it, it ended, or it has finished that stage already).  GN_ENOENT. */
gn_status gn_study_claim(gn_study *study, int64_t trial, int stage, const char *worker, double lease_seconds,
                         int *number_out, gn_error *err);
/* The lease lasts for `lease_seconds` from now.  GN_EBUSY: the lease is lost, the worker must drop its work. */
gn_status gn_study_heartbeat(gn_study *study, int64_t trial, int number, double lease_seconds, gn_error *err);

/* How an attempt ended, and what becomes of its trial. */
typedef struct gn_attempt_end {
    gn_outcome outcome;      /* DONE, FAILED or STOPPED */
    gn_trial_state state;    /* of the trial from now on; not RUNNING */
    int stage;               /* finished by the trial; -1: as it was */
    const char *reason;      /* "" when all went well */
    double seconds;          /* added to the trial's */
    const gn_result *result; /* NULL: none */
} gn_attempt_end;

/* Closes the attempt, writes result and metrics, and sets the trial's state, stage, reason and seconds: all or nothing.  To end an
 * attempt again in the same way (after a connection broke in the middle) is fine and changes nothing.
 * GN_EBUSY: the lease was lost, nothing is written. */
gn_status gn_study_finish(gn_study *study, int64_t trial, int number, const gn_attempt_end *end, gn_error *err);
/* Attempts whose lease ran out are lost and their trials wait again, their stage unchanged.  *n_out: how many. */
gn_status gn_study_expire(gn_study *study, int64_t *n_out, gn_error *err);
/* The same for every running attempt, whatever its lease: for who knows that no worker is left, such as the writer of a file that was
 * just opened. */
gn_status gn_study_expire_all(gn_study *study, int64_t *n_out, gn_error *err);
/* All attempts, by trial and number; trial 0: of all trials. */
gn_status gn_study_attempts(gn_study *study, int64_t trial, gn_arena *arena, gn_attempt **list_out, size_t *n_out,
                            gn_error *err);
/* Seconds since 1970 by the clock that leases go by. */
gn_status gn_study_now(gn_study *study, double *seconds_out, gn_error *err);

/* --- epochs and results ------------------------------------------------------------------------------------------ */

/* NaN where there is no figure. */
typedef struct gn_epoch {
    int64_t trial;
    int64_t epoch;  /* from 1 */
    double seconds; /* since the trial began */
    double train_loss, val_loss, mean_iou, box_precision50, map50, map50_95, lr;
} gn_epoch;

gn_status gn_study_put_epoch(gn_study *study, const gn_epoch *epoch, gn_error *err);
/* By trial and epoch; trial_epochs: those of one trial. */
gn_status gn_study_epochs(gn_study *study, gn_arena *arena, gn_epoch **list_out, size_t *n_out, gn_error *err);
gn_status gn_study_trial_epochs(gn_study *study, int64_t trial, gn_arena *arena, gn_epoch **list_out, size_t *n_out,
                                gn_error *err);

typedef struct gn_metric {
    const char *name;
    double value, low, high; /* low, high: NaN without an interval */
} gn_metric;

struct gn_result {
    int64_t trial;
    int stage;         /* from 1 */
    const char *split; /* "val" or "test" */
    int64_t epochs, best_epoch;
    double images_per_s, seconds;
    const gn_metric *metrics;
    size_t n_metrics;
};

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

/* --- documents: curves, confusion, calibration, scores per picture ------------------------------------------------ */

typedef struct gn_document {
    int64_t trial;
    const char *name;
} gn_document;

/* Adds or replaces the JSON text of (trial, name).  GN_EFORMAT: no JSON.  GN_ELIMIT: larger than GN_STUDY_DOCUMENT_MAX_BYTES, or
 * with more values than base/json.h reads. */
gn_status gn_study_put_document(gn_study *study, int64_t trial, const char *name, const char *json, gn_error *err);
/* What there is, without the texts: by trial and name; trial 0: of all trials. */
gn_status gn_study_documents(gn_study *study, int64_t trial, gn_arena *arena, gn_document **list_out, size_t *n_out,
                             gn_error *err);
/* *json_out: in `arena`; NULL when there is no such document. */
gn_status gn_study_document(gn_study *study, int64_t trial, const char *name, gn_arena *arena, const char **json_out,
                            gn_error *err);

#endif
