/* What a network of the zoo costs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/zoo_costs.h"

gn_status gn_zoo_build_for_counting(const gn_zoo_options *options, gn_graph **graph_out, gn_error *err)
{
    gn_zoo_options o = *options;
    gn_graph *graph = NULL;
    o.no_weights = true;
    GN_TRY(gn_zoo_build(&o, &graph, err));
    const gn_shape images = gn_shape_make(4, 1, 3, o.height_px, o.width_px);
    gn_status status = gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &images);
    if (status == GN_OK)
        status = gn_graph_infer(graph, err);
    if (status == GN_OK)
        *graph_out = graph;
    else
        gn_graph_destroy(&graph);
    return status;
}

void gn_zoo_count_costs(const gn_graph *graph, gn_zoo_costs *costs)
{
    gn_cost cost;
    *costs = (gn_zoo_costs){0};
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *v = gn_graph_value(graph, i);
        if (v->kind == GN_VALUE_STATE)
            *(v->trainable ? &costs->params : &costs->buffers) += gn_tensor_count(v->data);
    }
    gn_graph_cost(graph, &cost);
    costs->macs = cost.macs;
}

gn_status gn_zoo_costs_of(const gn_zoo_options *options, gn_zoo_costs *costs_out, gn_error *err)
{
    gn_zoo_entry entry = {0};
    gn_zoo_costs costs;
    gn_graph *graph = NULL;
    gn_zoo_find(options->model, &entry);
    GN_TRY(gn_zoo_build_for_counting(options, &graph, err));
    gn_zoo_count_costs(graph, &costs);
    gn_graph_destroy(&graph);
    if (!entry.is_detector)
        GN_TRY(gn_zoo_feature_width(options->model, &costs.feature_width, err));
    *costs_out = costs;
    return GN_OK;
}
