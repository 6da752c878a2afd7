/* What a network of the zoo costs, without drawing its weights.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_ZOO_COSTS_H
#define GN_CLI_ZOO_COSTS_H

#include "gannet/graph_api.h"
#include "gannet/zoo_api.h"

typedef struct gn_zoo_costs {
    int64_t params, buffers; /* trainable numbers; running statistics */
    int64_t macs;            /* of one picture */
    int feature_width;       /* numbers per picture that a box head or a linear classifier gets; 0: a detector */
} gn_zoo_costs;

/* Builds without weights (options->no_weights is set here) and with every shape known at batch 1. */
gn_status gn_zoo_build_for_counting(const gn_zoo_options *options, gn_graph **graph_out, gn_error *err);
/* Of a graph whose shapes are known; feature_width stays 0. */
void gn_zoo_count_costs(const gn_graph *graph, gn_zoo_costs *costs_out);
gn_status gn_zoo_costs_of(const gn_zoo_options *options, gn_zoo_costs *costs_out, gn_error *err);

#endif
