/* Classes of a set as classes of a model; see class_map.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/class_map.h"

#include <string.h>

void gn_class_map_make(const gn_model_info *info, const gn_dataset *dataset, int32_t *map)
{
    const int n = gn_dataset_classes(dataset);
    bool all_known = info->n_names > 0;
    for (int c = 0; c < n; c++) {
        map[c] = -1;
        for (int k = 0; k < info->n_names && map[c] < 0; k++)
            if (strcmp(info->names[k], gn_dataset_class_name(dataset, c)) == 0)
                map[c] = k;
        all_known = all_known && map[c] >= 0;
    }
    for (int c = 0; c < n && !all_known; c++)
        map[c] = c;
}

gn_status gn_class_map_check(const gn_dataset *dataset, const int32_t *map, int64_t n_classes, gn_error *err)
{
    const int n = gn_dataset_classes(dataset);
    int32_t highest = 0;
    bool is_numbered = true;
    for (int c = 0; c < n; c++) {
        highest = map[c] > highest ? map[c] : highest;
        is_numbered = is_numbered && map[c] == c;
    }
    if (highest < n_classes && (!is_numbered || n == n_classes))
        return GN_OK;
    return gn_fail(
        err, GN_EDATA,
        "measuring accuracy: the model tells %lld classes apart and %s has %d, whose names it does not all know",
        (long long)n_classes, gn_dataset_path(dataset), n);
}
