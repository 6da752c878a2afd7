/* The verbs of the program, and what happens before one of them runs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_VERBS_H
#define GN_CLI_VERBS_H

#include "cli/cli_args.h"

/* All verbs, ended by NULL; those of one group stand together. */
extern const gn_verb *const gn_verbs[];

/* The whole program: gannet --help, --version, or a verb.  Returns the exit code. */
int gn_cli_main(int argc, char **argv);

#endif
