/* The training stage as programs see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_TRAIN_API_H
#define GANNET_TRAIN_API_H

#include "train/trainer.h"

#endif
