/* The data stage as programs see it: data sets, batches of them, and YAML settings.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_DATA_API_H
#define GANNET_DATA_API_H

#include "data/batch.h"
#include "data/coco_json.h"
#include "data/dataset.h"
#include "data/dataset_write.h"
#include "data/yaml_doc.h"

#endif
