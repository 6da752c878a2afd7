/* Serving a report live, as programs see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_DASH_API_H
#define GANNET_DASH_API_H

#include "dash/dash.h"

#endif
