/* What predict says about each picture or frame: lines of text, --json, --save-txt, --save-json.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PREDICT_REPORT_H
#define GN_CLI_PREDICT_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli_json.h"
#include "gannet/data_api.h"
#include "gannet/run_api.h"

/* One picture, or one frame of a video. */
typedef struct gn_predict_item {
    const char *source; /* as it was given */
    const char *name;   /* of what is written about the source, without folder and extension */
    int64_t frame;      /* of a video, from 0; -1: a picture */
    double time_s;      /* of the frame */
    int64_t id;         /* the data set's number of the picture, -1: it has none */
    int width, height;  /* pixels, upright */
} gn_predict_item;

typedef struct gn_predict_report {
    const gn_model_info *info;
    const gn_dataset *dataset; /* whose pictures these are, or NULL */
    bool is_json;              /* of standard output */
    gn_jsonw json;
    const char *txt_folder; /* --save-txt, or NULL */
    bool has_conf;          /* in its lines */
    const char *coco_path;  /* --save-json, or NULL */
    gn_text coco;
    bool has_coco_items;
} gn_predict_report;

/* Members that are options are set by the caller before. */
gn_status gn_predict_report_begin(gn_predict_report *r, const char *model, gn_error *err);
/* GN_EIO, GN_ENOMEM. */
gn_status gn_predict_report_add(gn_predict_report *r, const gn_predict_item *item, const gn_prediction *p,
                                const gn_times *times, gn_error *err);
/* Writes --save-json and prints --json. */
gn_status gn_predict_report_save(gn_predict_report *r, gn_error *err);
gn_status gn_predict_report_print(gn_predict_report *r, int64_t n_done, int64_t n_failed, gn_error *err);
void gn_predict_report_deinit(gn_predict_report *r);

#endif
