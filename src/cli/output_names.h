/* Names for what is written about each source: its own name without folder and extension, told apart by a number where two are the same.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_OUTPUT_NAMES_H
#define GN_CLI_OUTPUT_NAMES_H

#include <stddef.h>

#include "base/memory.h"
#include "base/status.h"

/* names_out: [n], all different, in `arena`.  "a/x.jpg", "b/x.png", "c/x-2.jpg" give "x", "x-3", "x-2": a name that a source has itself is
 * not given to another one.  GN_ENOMEM. */
gn_status gn_output_names(const char *const *sources, size_t n, gn_arena *arena, const char ***names_out,
                          gn_error *err);

#endif
