/* From the command line, the space and the study to the options of a search; shared by the verbs `search` and `worker`.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_SEARCH_SETUP_H
#define GN_CLI_SEARCH_SETUP_H

#include "cli/cli_args.h"
#include "cli/search_screen.h"
#include "gannet/search_api.h"
#include "gannet/store_api.h"

/* What a search runs with; all zero at first, and search_setup_deinit at the end. */
typedef struct search_setup {
    gn_args *args;
    gn_space *space;
    gn_process_runner *runner;
    gn_arena *arena;
    gn_text command, study_path, out, report_path, log_folder, space_text, worker;
    search_screen screen;
    gn_search_options options;
} search_setup;

gn_status search_setup_init(search_setup *setup, gn_error *err);
void search_setup_deinit(search_setup *setup);

/* The space from a file or a name, --model, --set and what every space has besides; then the settings that it holds become defaults
 * of the command line. */
gn_status search_setup_space(search_setup *setup, gn_error *err);
/* Everything else, once the space is there. */
gn_status search_setup_options(search_setup *setup, gn_error *err);
/* For `worker`: space and options from the facts of the study. */
gn_status search_setup_from_study(search_setup *setup, gn_error *err);
/* Folder for logs, and the runner that starts processes. */
gn_status search_setup_runner(search_setup *setup, gn_error *err);

/* "15mJ", "0.2J" or a bare number of mJ.  GN_EUSAGE. */
gn_status search_parse_energy(const char *text, double *mj_out, gn_error *err);

#endif
