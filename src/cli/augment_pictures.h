/* Pictures of what an augmentation does, for people and for docs/augment.md.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_AUGMENT_PICTURES_H
#define GN_CLI_AUGMENT_PICTURES_H

#include "base/status.h"
#include "gannet/data_api.h"

/* Names that gn_cli_show_augment takes, for gn_opt.choices. */
#define GN_AUGMENT_CHOICES                                                                                             \
    "fliplr|flipud|scale|translate|degrees|shear|perspective|mosaic|mixup|hsv_h|hsv_s|hsv_v|brightness|contrast|crop|" \
    "erase|pad_crop|resized_crop|multi_scale|rect|all"

/* Writes a sheet to `path` (.jpg or .png): one picture of the training split as a detector's input, then three draws of the augmentation
 * `name` at a strength that can be seen, boxes drawn in; of rect and multi_scale, batches of different sizes.
 * GN_EINVAL: a set whose pictures have classes instead of boxes, another extension.  GN_EDATA: no picture has a box.  GN_EIO, GN_ENOMEM. */
gn_status gn_cli_show_augment(const gn_dataset *set, const char *name, uint64_t seed, const char *path, gn_error *err);

#endif
