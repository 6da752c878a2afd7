/* Stable orders of detections in linear time: by falling score, and by a small whole number.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DETECT_SCORE_ORDER_H
#define GN_DETECT_SCORE_ORDER_H

#include <stdint.h>

#include "base/status.h"

/* Reorders order[0..n) so that score[order[i]] falls; equal scores (0 and -0 among them) keep the order they came in.
 * score: indexed by the entries of `order`, no NaN.  GN_ENOMEM. */
gn_status gn_order_by_score(const double *score, int64_t *order, int64_t n);

/* Reorders order[0..n) so that key[order[i]] rises; equal keys keep their order.  key: 0..n_keys-1.
 * first_out: NULL, or [n_keys + 1]: where each key begins.  GN_ENOMEM. */
gn_status gn_order_by_key(const int32_t *key, int32_t n_keys, int64_t *order, int64_t n, int64_t *first_out);

#endif
