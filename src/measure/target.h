/* Targets: whose latency counts, as a URI.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_TARGET_H
#define GN_MEASURE_TARGET_H

#include "base/status.h"

/* threads: 1..256; 0 when the URI leaves it open (all cores). */
typedef struct gn_target {
    int threads;
} gn_target;

/* "cpu" or "cpu?threads=N".  GN_EUSAGE: not understood.  GN_EUNSUPPORTED: a kind of target that this build cannot
 * measure. */
gn_status gn_target_parse(const char *uri, gn_target *target_out, gn_error *err);

#endif
