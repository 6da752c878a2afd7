/* How verbs show accuracy: the keys of --json, and lines for people.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_ACCURACY_OUTPUT_H
#define GN_CLI_ACCURACY_OUTPUT_H

#include "cli/cli_json.h"
#include "gannet/measure_api.h"

/* images map50 map75 map95 map50_95 precision recall mean_iou box_precision50 loss, and intervals {name: [low, high]} where known. */
void gn_cli_json_accuracy(gn_jsonw *j, const gn_accuracy *a);
/* A small table on standard error. */
void gn_cli_say_accuracy(const gn_accuracy *a);

#endif
