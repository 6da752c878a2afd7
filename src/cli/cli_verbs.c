/* The list of verbs.  To add one: write src/cli/cmd_<verb>.c with `const gn_verb gn_verb_<verb>`, and add its name to both lists
 * here.  A verb without a group is not shown by gannet --help.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_verbs.h"

#include <stddef.h>

extern const gn_verb gn_verb_anchors;
extern const gn_verb gn_verb_bench;
extern const gn_verb gn_verb_dash;
extern const gn_verb gn_verb_data;
extern const gn_verb gn_verb_doctor;
extern const gn_verb gn_verb_report;
extern const gn_verb gn_verb_search;
extern const gn_verb gn_verb_study;
extern const gn_verb gn_verb_synth;
extern const gn_verb gn_verb_import;
extern const gn_verb gn_verb_export;
extern const gn_verb gn_verb_val;
extern const gn_verb gn_verb_predict;
extern const gn_verb gn_verb_info;
extern const gn_verb gn_verb_train;
extern const gn_verb gn_verb_worker;
extern const gn_verb gn_verb_zoo;

const gn_verb *const gn_verbs[] = {
    &gn_verb_synth, &gn_verb_data,    &gn_verb_anchors, &gn_verb_train, &gn_verb_export, &gn_verb_import,
    &gn_verb_val,   &gn_verb_predict, &gn_verb_info,    &gn_verb_zoo,   &gn_verb_bench,  &gn_verb_search,
    &gn_verb_study, &gn_verb_worker,  &gn_verb_report,  &gn_verb_dash,  &gn_verb_doctor, NULL,
};
