/* Studies in a temporary folder, for the tests of the store.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_STORE_STORE_FIXTURE_H
#define GN_TESTS_STORE_STORE_FIXTURE_H

#include "store/study.h"

extern char fixture_folder[256];
extern char fixture_path[300]; /* of the study's file in it */

/* Set-up and tear-down of a test: makes the folder, and removes it with all files in it. */
int fixture_make_folder(void **state);
int fixture_remove_folder(void **state);

/* Opens the study; fails the test when that does not work. */
gn_study *fixture_open(const char *where, gn_study_mode mode);
/* Adds a trial that waits. */
int64_t fixture_add_trial(gn_study *study, const char *config);

#endif
