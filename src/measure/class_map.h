/* How the classes of a data set meet those of a model.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_CLASS_MAP_H
#define GN_MEASURE_CLASS_MAP_H

#include "data/dataset.h"
#include "run/model_info.h"

/* Classes of the set to classes of the model: by name when the model knows them all, else as they are numbered.
 * map: [classes of the set]. */
void gn_class_map_make(const gn_model_info *info, const gn_dataset *dataset, int32_t *map);
/* Whether a model of n_classes classes can be measured that way.  GN_EDATA: it cannot. */
gn_status gn_class_map_check(const gn_dataset *dataset, const int32_t *map, int64_t n_classes, gn_error *err);

#endif
