/* A study as reports see it: every trial with its network, figures and place, the winner, the funnel of stages, the Pareto front.
 * All formats are made from this, so that they say the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_MODEL_H
#define GN_REPORT_REPORT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "base/memory.h"
#include "base/status.h"
#include "store/study.h"

/* A key of the trials' configs.  is_varied: not all trials have the same value. */
typedef struct gn_report_knob {
    const char *name;
    bool is_varied;
    bool is_number;  /* every value that is there reads as a number */
    bool is_log;     /* numbers, all positive, whose largest is at least 20 times the smallest */
    size_t n_values; /* distinct values */
} gn_report_knob;

/* Figures are NaN and pointers NULL where there is nothing.  score, low, high: the objective on the validation pictures after the last
 * finished stage, with its 95% interval. */
typedef struct gn_report_trial {
    const gn_trial *row;
    const gn_measurement *network;
    const gn_result *result; /* all, by stage and split */
    size_t n_results;
    const gn_result *first, *val, *test; /* on val after the first and the last finished stage; on test */
    const gn_epoch *epoch;
    size_t n_epochs;
    const char *model, *family; /* "mobilenet_v2@0.35" and "mobilenet_v2" */
    const char *label;          /* the model, and every knob that varies */
    const char *const *value;   /* [n_knobs] as the config has it */
    double score, low, high;
    double latency_ms; /* p90 of the whole answer */
    size_t place;      /* from 1 by score; 0 without one */
    bool is_winner, is_front;
} gn_report_trial;

/* What was left after a stage. */
typedef struct gn_report_stage {
    int stage;
    int64_t epochs;
    size_t n_trials, n_networks;
    const gn_report_trial *best; /* by this stage's score */
    double best_score;
} gn_report_stage;

/* A JSON text of the study beside a trial, such as "test_curves"; parsed when first asked for. */
typedef struct gn_report_document {
    int64_t trial;
    const char *name, *text;
    const gn_json *root;
} gn_report_document;

typedef struct gn_report_model {
    gn_arena *arena; /* everything below lives here */
    const char *path;
    const gn_study_fact *fact; /* by name */
    const gn_study_command *command;
    const gn_measurement *network;
    size_t n_facts, n_commands, n_networks;
    const char *objective; /* e.g. "mean_iou" */
    bool is_minimised;     /* smaller is better */
    double budget_ms;      /* NaN: none */
    gn_report_knob *knob;
    size_t n_knobs;
    gn_report_trial *trial;     /* in the study's order */
    gn_report_trial **by_place; /* winner, then by score, then those without one by number */
    size_t n_trials;
    const gn_report_trial *winner; /* NULL while the search runs */
    const gn_report_trial *leader; /* the winner, else the best so far; NULL: none has a score */
    gn_report_stage *stage;
    size_t n_stages;
    const gn_report_trial **front; /* by rising latency: no other valid trial is as fast and better */
    size_t n_front;
    double hypervolume;    /* of the front: see gn_report_hypervolume; NaN without one */
    double hypervolume_ms; /* the latency that it is counted up to: the budget, else the slowest network's */
    gn_report_document *document;
    size_t n_documents;
    size_t n_done, n_failed, n_screened, n_open; /* open: waiting, running or stopped */
} gn_report_model;

/* Reads a study; it may be closed afterwards.  What the store gives, GN_ENOMEM. */
gn_status gn_report_model_load(gn_study *study, gn_report_model **model_out, gn_error *err);
void gn_report_model_destroy(gn_report_model **model);

/* NULL when there is none of this name. */
const char *gn_report_fact(const gn_report_model *model, const char *name);
const gn_report_trial *gn_report_trial_by_id(const gn_report_model *model, int64_t id);
/* A trial's document; NULL when there is none, or none that can be read. */
const gn_json *gn_report_document_of(const gn_report_model *model, const gn_report_trial *trial, const char *name);
/* A score with its sign turned so that higher is better. */
double gn_report_utility(const gn_report_model *model, double score);
/* A metric of a result with its interval; false, and NaN, when result is NULL or has none of this name. */
bool gn_report_metric(const gn_result *result, const char *name, double *value_out, double *low_out, double *high_out);
/* The best trial of each network (by measurement, else by model), as pointers into by_place's order; room: [n_trials].  Returns how many. */
size_t gn_report_best_of_networks(const gn_report_model *model, const gn_report_trial **best_out);
/* "mobilenet_v2@0.35" -> "mobilenet_v2", "resnet18" -> "resnet", "yolov5n" -> "yolov5".  dst: at least 64 bytes. */
void gn_report_family(const char *model, char *dst, size_t dst_bytes);

/* Area that a front of (cost, gain) covers, counted from gain_from up and from cost_to down; costs rising, gains rising.  n points. */
double gn_report_hypervolume(const double *cost, const double *gain, size_t n, double cost_to, double gain_from);

#endif
