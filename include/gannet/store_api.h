/* The study as programs see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_STORE_API_H
#define GANNET_STORE_API_H

#include "store/study.h"

#endif
