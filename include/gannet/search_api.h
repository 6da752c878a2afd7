/* The search stage as programs see it: spaces, stages, the search itself, and its workers.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_SEARCH_API_H
#define GANNET_SEARCH_API_H

#include "search/process_runner.h"
#include "search/sampler.h"
#include "search/search.h"
#include "search/search_view.h"
#include "search/space.h"
#include "search/stopping.h"

#endif
