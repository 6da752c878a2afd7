/* Detection mathematics as programs see it: boxes and metrics.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_DETECT_API_H
#define GANNET_DETECT_API_H

#include "detect/anchors.h"
#include "detect/bootstrap.h"
#include "detect/box.h"
#include "detect/calibration.h"
#include "detect/detector.h"
#include "detect/metrics.h"

#endif
