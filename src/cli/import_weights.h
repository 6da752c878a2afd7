/* What gannet import does with files of weights.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_IMPORT_WEIGHTS_H
#define GN_CLI_IMPORT_WEIGHTS_H

#include "cli/cli_args.h"
#include "gannet/formats_api.h"

/* Prints names, shapes and types (--list, --json). */
gn_status gn_import_list(const gn_args *args, const gn_weights *weights, gn_error *err);
/* Writes the tensors as a safetensors file; renames: by --rename. */
gn_status gn_import_convert(const gn_args *args, const gn_weights *weights, bool renames, const char *path,
                            gn_error *err);
/* How many tensors were taken, begin anew, and were of no use.  is_counted: a network was loaded. */
typedef struct gn_import_counts {
    bool is_counted;
    int loaded, fresh, left_over;
} gn_import_counts;

/* Builds --model with the weights in it; what does not fit is listed and refused unless --partial.  The caller owns the graph. */
gn_status gn_import_network(const gn_args *args, const gn_weights *weights, gn_graph **graph_out,
                            gn_import_counts *counts_out, gn_error *err);

#endif
