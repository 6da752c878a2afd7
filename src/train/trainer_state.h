/* What a training run carries from step to step, shared by the files of this folder.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TRAIN_TRAINER_STATE_H
#define GN_TRAIN_TRAINER_STATE_H

#include "backend/backend.h"
#include "base/text.h"
#include "train/trainer.h"

/* Step graphs for other sizes of the input that are kept at a time. */
#define GN_TRAIN_SIZES 16

/* The step for one size of the input; its states are those of the run's step_graph. */
typedef struct gn_train_size {
    int width, height;
    gn_train_graph graph;
    gn_exec *exec;
} gn_train_size;

typedef struct gn_trainer {
    gn_graph *model;
    const gn_dataset *dataset;
    gn_train_options *options; /* the run's own copy */
    gn_epoch_fn on_epoch;
    void *ctx;

    gn_train_graph step_graph;
    gn_device *device;
    gn_exec *exec;
    gn_train_size size[GN_TRAIN_SIZES]; /* batches of other sizes than imgsz (multi-scale) */
    int n_sizes;                        /* made so far; beyond GN_TRAIN_SIZES the oldest makes room */
    gn_loader *loader, *val_loader;
    gn_graph *eval_model; /* the model with averaged weights, or a plain clone; tensors borrowed */

    /* Where the run stands. */
    int epoch;       /* finished epochs */
    int64_t batch;   /* finished batches of the epoch under way */
    int64_t step;    /* finished steps of the run */
    double loss_sum; /* over the finished batches of the epoch under way */
    double parts_sum[GN_LOSS_PARTS];
    int best_epoch;
    double best_value;
    double seconds; /* finished work, as in gn_epoch_record */
    gn_text csv;    /* results.csv so far */
    double lr;      /* of the last step */
} gn_trainer;

/* Rate and the other entries of "train.hyper" for the next step. */
void gn_trainer_hyper(const gn_trainer *t, float hyper[GN_HYPER_COUNT]);

/* The step for batches of width x height pixels, made when it is first asked for. */
gn_status gn_trainer_step_of(gn_trainer *t, int width, int height, const gn_train_graph **graph_out, gn_exec **exec_out,
                             gn_error *err);
void gn_trainer_free_sizes(gn_trainer *t);

/* last.safetensors: every state of the step graph, and where the run stands. */
gn_status gn_checkpoint_save(const gn_trainer *t, const char *path, gn_error *err);
/* GN_EFORMAT when it belongs to other settings or another model. */
gn_status gn_checkpoint_load(gn_trainer *t, const char *path, gn_error *err);

/* Writes the model under evaluation to run_dir/name with its metadata and `accuracy` (NULL: none). */
gn_status gn_trainer_write_model(const gn_trainer *t, const char *name, const gn_accuracy *accuracy, gn_error *err);
/* Appends a line to the results and replaces results.csv. */
gn_status gn_trainer_write_results(gn_trainer *t, const gn_epoch_record *record, gn_error *err);
/* run_dir/name into dst. */
gn_status gn_trainer_path(const gn_trainer *t, const char *name, char *dst, size_t dst_bytes, gn_error *err);

#endif
