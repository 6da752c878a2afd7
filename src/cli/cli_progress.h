/* How progress looks: a line that rewrites itself on a terminal, plain lines at most every ten seconds elsewhere.  And how
 * Ctrl-C works: the first asks long work to stop in good order, the second ends the program at once.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_PROGRESS_H
#define GN_CLI_PROGRESS_H

#include <stdbool.h>

#include "base/progress.h"

/* Shows progress events on standard error from now on.  is_quiet: not at all. */
void gn_cli_progress_begin(bool is_quiet);
/* Ends a line that is being rewritten, so that other text starts on a new one. */
void gn_cli_progress_end(void);
/* For what draws more than a line: whether progress goes to a terminal (never when quiet), its width, and taking away the last
 * n_lines that were written there. */
bool gn_cli_progress_is_terminal(void);
int gn_cli_progress_columns(void);
void gn_cli_progress_erase(int n_lines);
/* Catches SIGINT, SIGTERM and SIGHUP; ignores SIGPIPE and SIGXFSZ (writes then fail with an error that is reported). */
void gn_cli_signals_begin(void);
/* The signal that asked for a stop, 0 when none did. */
int gn_cli_signal(void);

#endif
