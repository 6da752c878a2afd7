/* Who does the work of a search: measures a network, trains a trial, evaluates the winner.  The search sees only this table of
 * functions; the real one (search/process_runner.h) gives every job a process of its own.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_RUNNER_H
#define GN_SEARCH_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/study.h"

/* What a latency belongs to. */
typedef struct gn_network {
    const char *config; /* JSON object of the options that shape it; this and the others are borrowed */
    const char *model, *head;
    const char *variant; /* the options besides model, head and imgsz, "activation=silu"; "" without */
    int64_t imgsz;
} gn_network;

/* How the message begins that tells of a worker's crash, or of a kill from outside. */
#define GN_KILLED "killed by signal"

#define GN_METRICS_MAX 24

typedef struct gn_named_metric {
    char name[24];
    double value, low, high; /* low, high: NaN without an interval */
} gn_named_metric;

/* What a worker's last words held. */
typedef struct gn_metrics {
    int n;
    gn_named_metric metric[GN_METRICS_MAX];
    int64_t best_epoch;
    double images_per_s, seconds; /* NaN when unknown */
} gn_metrics;

void gn_metrics_init(gn_metrics *metrics);
/* Ignored when there is no room. */
void gn_metrics_add(gn_metrics *metrics, const char *name, double value, double low, double high);
double gn_metrics_value(const gn_metrics *metrics, const char *name); /* NaN when absent */

typedef void (*gn_search_epoch_fn)(void *ctx, const gn_epoch *epoch);

typedef struct gn_train_job {
    int64_t trial;
    const char *config; /* JSON object of strings */
    const char *folder; /* of the trial; may hold a checkpoint of its own */
    int64_t seed;
    int epochs;                  /* in all */
    int schedule_epochs;         /* where the schedule of the rate ends: the last stage's epochs; 0: with the run */
    int threads;                 /* for this worker; 0: its own choice */
    const char *best;            /* the metric that says which epoch is best: "iou", "map", "loss", ... */
    gn_search_epoch_fn on_epoch; /* called from poll, for every epoch that has become known */
    void *epoch_ctx;
} gn_train_job;

typedef struct gn_train_outcome {
    gn_status status;      /* GN_OK, GN_ECANCELED (stopped on request), GN_EWORKER */
    bool is_worth_a_retry; /* of GN_EWORKER: a crash or a kill from outside, not what would come again */
    char reason[400];      /* of GN_EWORKER, for people */
    gn_metrics metrics;
} gn_train_outcome;

typedef struct gn_evaluate_job {
    int64_t trial;
    const char *config;
    const char *folder;
    const char *out_folder; /* of the whole search */
    bool is_without_pictures;
    /* (optional) Called for every JSON text that is worth keeping: "test_curves", "test_confusion", "test_calibration", "test_pictures",
     * "device"; "val_pictures" by score_pictures. */
    void (*on_document)(void *ctx, int64_t trial, const char *name, const char *json);
    void *document_ctx;
} gn_evaluate_job;

typedef void (*gn_picture_fn)(void *ctx, const gn_picture *picture);

/* All strings in a job are valid during the call; what outlives it is copied by the runner. */
typedef struct gn_search_runner {
    void *ctx;
    /* (optional) A text that identifies the data set (its hash) and one that describes it, both at least 128 bytes; and how many
     * pictures it has to train on. */
    gn_status (*describe_data)(void *ctx, char *hash, char *about, int64_t *n_train_out, gn_error *err);
    /* Fills everything but id, model, head, variant, imgsz and target.  Strings it sets must stay valid until the next call.
     * GN_ECANCELED: asked to stop.  GN_EUNSUPPORTED, GN_EIO: the target cannot be reached.  Any other failure is the network's. */
    gn_status (*measure)(void *ctx, const gn_network *network, gn_measurement *measurement, gn_error *err);
    /* Begins a job; *run_out is handed to poll until that says it is done, or to stop. */
    gn_status (*train)(void *ctx, const gn_train_job *job, void **run_out, gn_error *err);
    /* Looks without waiting.  When the job has ended: true, *outcome_out is filled and `run` is gone. */
    bool (*poll)(void *ctx, void *run, gn_train_outcome *outcome_out);
    /* Asks a job to stop in good order, waits for it, and `run` is gone. */
    void (*stop)(void *ctx, void *run);
    /* Accuracy on the test split.  on_picture: called for every picture that is worth keeping.  GN_ECANCELED. */
    gn_status (*evaluate)(void *ctx, const gn_evaluate_job *job, gn_metrics *metrics_out, gn_picture_fn on_picture,
                          void *picture_ctx, gn_error *err);
    /* (optional) A score for every validation picture, as the document "val_pictures".  GN_ECANCELED. */
    gn_status (*score_pictures)(void *ctx, const gn_evaluate_job *job, gn_error *err);
} gn_search_runner;

#endif
