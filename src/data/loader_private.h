/* Parts of the loader: its options, and which pictures stand in a batch of which size.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DATA_LOADER_PRIVATE_H
#define GN_DATA_LOADER_PRIVATE_H

#include "data/batch.h"

#define GN_LOADER_MAX_WORKERS 64

/* GN_EINVAL: an option out of its range, or two that contradict each other. */
gn_status gn_loader_check_options(const gn_dataset *dataset, const gn_loader_options *options, gn_error *err);

/* Sides of a batch's pictures, and of what they are fitted into. */
typedef struct gn_batch_size {
    int width, height, fit_width, fit_height;
} gn_batch_size;

/* order_out: [n] pictures of an epoch.  With rect: sorted by their shape.  GN_ENOMEM. */
gn_status gn_epoch_order(const gn_dataset *dataset, const gn_loader_options *options, int64_t epoch, int64_t n,
                         int64_t *order_out);
/* Of batch `batch`, which holds the pictures first[0..n-1]. */
gn_batch_size gn_batch_size_of(const gn_dataset *dataset, const gn_loader_options *options, int64_t epoch,
                               int64_t batch, const int64_t *first, int n);
/* The longest sides that a batch can have. */
gn_batch_size gn_batch_size_most(const gn_loader_options *options);

#endif
