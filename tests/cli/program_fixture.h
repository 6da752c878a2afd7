/* Running the program in a folder of its own, for tests of verbs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_PROGRAM_FIXTURE_H
#define GN_TESTS_PROGRAM_FIXTURE_H

#include "base/json.h"

extern char program_folder[256];    /* where it runs; programs begin with program_begin */
extern char program_output[400000]; /* standard output of the last call */

/* Makes the folder, whose name tells what for.  False: it cannot. */
bool program_begin(const char *what);
/* Removes it. */
int program_end(void);
/* Runs "gannet LINE" (a shell's words) there; returns the exit code. */
int program_call(const char *line);
/* The same, with the exit code and a word of the output that are expected. */
void program_expect(const char *line, int code, const char *word);
/* The same; the output is JSON, which lives until program_end. */
const gn_json *program_json(const char *line);

#endif
