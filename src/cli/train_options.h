/* The options of gannet train and the settings that they mean.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_TRAIN_OPTIONS_H
#define GN_CLI_TRAIN_OPTIONS_H

#include "cli/cli_args.h"
#include "gannet/train_api.h"

extern const gn_args_spec gn_train_spec;

/* What is the default for detectors of so many classes where the table says something else; imgsz: "320" or "W,H". */
gn_status gn_train_detector_defaults(gn_args *args, const char *imgsz, int classes, bool is_yolov1, gn_error *err);
/* All settings but the data, the model and the run folder. */
gn_status gn_train_options_of(const gn_args *args, gn_train_options *out, gn_error *err);

#endif
