/* What the bootstrap intervals of metrics.c and coco_ap.c share.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_BOOTSTRAP_H
#define GN_DETECT_BOOTSTRAP_H

#include "detect/metrics.h"

#define GN_BOOTSTRAP_MAX_RESAMPLES 100000

/* 95% percentile interval of n resampled values (reordered; NaN is left out) around the measured one. */
gn_interval gn_bootstrap_interval(double value, double *resampled, int n);

#endif
