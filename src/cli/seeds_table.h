/* gannet info --table seeds: two comparison tables that the project grew from, computed from the graphs.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_SEEDS_TABLE_H
#define GN_CLI_SEEDS_TABLE_H

#include <stdbool.h>

#include "base/status.h"

/* Computes and prints, as text or as one JSON object. */
gn_status gn_cli_seeds_table(bool as_json, gn_error *err);

#endif
