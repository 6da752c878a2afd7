/* The run stage as programs see it: sessions, and what a model says about itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_RUN_API_H
#define GANNET_RUN_API_H

#include "run/detector_tail.h"
#include "run/kernel_plan.h"
#include "run/model_info.h"
#include "run/session.h"

#endif
