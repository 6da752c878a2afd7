/* The measuring stage as programs see it: accuracy, latency, memory.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_MEASURE_API_H
#define GANNET_MEASURE_API_H

#include "measure/accuracy.h"
#include "measure/class_map.h"
#include "measure/coco_scoring.h"
#include "measure/latency.h"
#include "measure/layer_times.h"
#include "measure/machine_lock.h"
#include "measure/machine_state.h"
#include "measure/set_predictions.h"
#include "measure/target.h"
#include "measure/tune.h"

#endif
