/* The zoo as programs see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_ZOO_API_H
#define GANNET_ZOO_API_H

#include "zoo/zoo.h"

#endif
