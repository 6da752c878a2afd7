/* Training a model on a data set: epochs of steps, validation after each, best and last checkpoints, resuming to the bit.
 * What happens is told through events; nothing is printed.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TRAIN_TRAINER_H
#define GN_TRAIN_TRAINER_H

#include "data/batch.h"
#include "data/dataset.h"
#include "measure/accuracy.h"
#include "train/schedule.h"
#include "train/train_graph.h"

/* GN_BEST_AUTO: mean IoU of boxes, top-1 of classes. */
typedef enum gn_best_by { GN_BEST_AUTO = 0, GN_BEST_IOU, GN_BEST_MAP, GN_BEST_LOSS, GN_BEST_TOP1 } gn_best_by;

typedef struct gn_train_options {
    int epochs;               /* >= 1 */
    gn_loader_options loader; /* of the training split; size, fit and normalisation also go into the model's metadata */
    gn_train_rule rule;
    gn_schedule schedule;      /* its `epochs` is set from schedule_epochs */
    double schedule_epochs;    /* where the schedule ends, wherever the run ends; 0: where the run ends */
    double ema_decay, ema_tau; /* decay of step t: ema_decay * (1 - exp(-t/ema_tau)) */
    int patience;              /* stop after so many epochs without a better one; 0: never */
    gn_best_by best_by;
    int threads;               /* 1..256 */
    int val_batch;             /* pictures per validation batch */
    bool has_val;              /* validate after each epoch; without it the last epoch is the best */
    const char *run_dir;       /* exists; receives best.onnx, last.onnx, last.safetensors, results.csv */
    bool resume;               /* go on from run_dir/last.safetensors when it is there */
    size_t memory_limit_bytes; /* refuse to begin above this; 0: what the machine has free */
    const char *settings;      /* text that must be the same when a run is resumed (model, data, seed, ...); borrowed */
} gn_train_options;

gn_train_options gn_train_default_options(void);

/* Terms of a detector's loss: box, objectness, class, distribution of the sides. */
#define GN_LOSS_PARTS 4

/* One epoch, counted from 1.  val.* is NaN without validation. */
typedef struct gn_epoch_record {
    int epoch;
    double seconds;              /* of training and validation since the run began, interruptions not counted */
    double train_loss;           /* mean over the epoch's steps */
    double parts[GN_LOSS_PARTS]; /* likewise, of a detector; else 0 */
    bool is_detector;
    double lr;           /* of the last step */
    double images_per_s; /* of the training part */
    gn_accuracy val;
    bool is_best;
} gn_epoch_record;

typedef void (*gn_epoch_fn)(void *ctx, const gn_epoch_record *record);

typedef struct gn_train_result {
    int epochs_done, best_epoch;
    double seconds, images_per_s; /* median over epochs of this process */
    gn_accuracy best;             /* validation of the best epoch, with intervals when it was reached by this process */
    bool stopped_early;
    bool resumed;
    int n_frozen; /* tensors left as they were */
    size_t arena_bytes;
    char best_path[1024], last_path[1024];
} gn_train_result;

/* Trains `model` in place (graph of the zoo or of a file, batch free).
 * GN_ENOMEM: the settings need more memory than there is; the figure is named before anything starts.
 * GN_EDIVERGED: loss or gradient became NaN or infinite; step, rate and advice are named, the last good checkpoint stays.
 * GN_ECANCELED: a stop was asked for; everything is saved and `resume` goes on with the next step.
 * GN_EDATA: also when the set's labels are not of the model's kind (boxes or classes), or its classes are not as many.
 * GN_EIO, GN_EINVAL, GN_EFORMAT (a checkpoint of other settings). */
gn_status gn_train_run(gn_graph *model, const gn_dataset *dataset, const gn_train_options *options,
                       gn_epoch_fn on_epoch, void *ctx, gn_train_result *result_out, gn_error *err);

/* Bytes that can still be used on this machine (memory limit of the control group respected); 0 when unknown. */
size_t gn_memory_available(void);

#endif
