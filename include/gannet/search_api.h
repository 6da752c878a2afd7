/* The search stage as programs see it: spaces, stages and the search itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_SEARCH_API_H
#define GANNET_SEARCH_API_H

#include "search/search.h"
#include "search/space.h"
#include "search/stages.h"

#endif
