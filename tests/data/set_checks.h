/* What tests of data set readers ask again and again.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_SET_CHECKS_H
#define GN_TESTS_SET_CHECKS_H

#include <stdbool.h>
#include <stdint.h>

#include "data/dataset.h"

/* Opens a set at `path` as it is: no splits are made.  Fails the test with the error's line. */
gn_dataset *set_open(const char *path);
/* Expects a refusal whose line holds `word`. */
void set_refuse(const char *path, gn_status status, const char *word);
/* Whether a problem about `file` (end of its path) and `line` (-1: any) holds `word`. */
bool set_has_problem(const gn_dataset *d, const char *file, int64_t line, const char *word);
/* The sample whose path ends in `name`; fails the test when there is none. */
const gn_sample *set_sample(const gn_dataset *d, gn_split split, const char *name);
/* Whether box i is x1 y1 x2 y2 pixels, to 1e-4. */
bool set_box_is(const gn_sample *s, int i, double x1, double y1, double x2, double y2);

#endif
