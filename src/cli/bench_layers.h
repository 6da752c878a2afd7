/* The table of layers that `gannet bench --layers` shows.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_BENCH_LAYERS_H
#define GN_CLI_BENCH_LAYERS_H

#include "cli/cli_json.h"
#include "gannet/measure_api.h"

void gn_bench_layers_print(const gn_layer_times *times);
/* Members "peak", "kinds" and "layers" of the open object. */
void gn_bench_layers_json(gn_jsonw *j, const gn_layer_times *times);

#endif
