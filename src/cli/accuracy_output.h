/* How verbs show accuracy: the keys of --json, and lines for people.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_ACCURACY_OUTPUT_H
#define GN_CLI_ACCURACY_OUTPUT_H

#include "cli/cli_json.h"
#include "gannet/detect_api.h"
#include "gannet/measure_api.h"

/* images map50 map75 map95 map50_95 precision recall mean_iou box_precision50 loss, of a detector also ap_small ... and speed_ms, and
 * intervals {name: [low, high]} where known. */
void gn_cli_json_accuracy(gn_jsonw *j, const gn_accuracy *a);
/* "classes": [{...}, ...] of those with a true box.  names: [n]; voc: [n] or NULL. */
void gn_cli_json_classes(gn_jsonw *j, const gn_coco_class *classes, const gn_voc_class *voc, const char *const *names,
                         int32_t n);
/* A small table on standard error. */
void gn_cli_say_accuracy(const gn_accuracy *a);
/* One row for all classes and one for each that has a true box (at most 100 rows), on standard error. */
void gn_cli_say_classes(const gn_accuracy *a, const gn_coco_class *classes, const char *const *names, int32_t n);

#endif
