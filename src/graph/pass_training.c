/* The training form of a graph: operators that behave otherwise in training are replaced, and normalisation takes its activation in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "graph/graph_internal.h"
#include "graph/pass_internal.h"
#include "graph/passes.h"

bool gn_node_is_clamp(const gn_graph *graph, const gn_node *node, float *lo, float *hi)
{
    *lo = -INFINITY;
    *hi = INFINITY;
    if (strcmp(node->op->name, "Relu") == 0) {
        *lo = 0.0f;
        return true;
    }
    if (strcmp(node->op->name, "Clip") != 0)
        return false;
    *lo = gn_node_float(node, "min", *lo);
    *hi = gn_node_float(node, "max", *hi);
    for (int i = 1; i <= 2; i++) {
        if (!gn_has_in(node, i))
            continue;
        const gn_tensor *bound = gn_in_known(graph, node, i);
        if (!bound || gn_tensor_count(bound) != 1)
            return false;
        *(i == 1 ? lo : hi) = (float)gn_tensor_get(bound, 0);
    }
    return true;
}

int gn_node_curve_attrs(const gn_node *node, gn_attr attrs[2])
{
    static const char *const names[][2] = {{"Silu", "silu"}, {"HardSwish", "hard_swish"}, {"LeakyRelu", "leaky_relu"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(node->op->name, names[i][0]) != 0)
            continue;
        attrs[0] = gn_attr_string("activation", names[i][1]);
        attrs[1] = gn_attr_float("alpha", gn_node_float(node, "alpha", 0.01f));
        return i == 2 ? 2 : 1;
    }
    return 0;
}

int gn_single_user(const gn_graph *graph, const int *uses, int value)
{
    if (uses[value] != 1)
        return -1;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < graph->nodes[i]->n_in; k++)
            if (graph->nodes[i]->in[k] == value)
                return (int)i;
    return -1;
}

static gn_status replace_by_training_form(gn_graph *graph, int index, gn_error *err)
{
    const gn_node *node = graph->nodes[index];
    size_t first_new = graph->n_nodes;
    int value = -1;
    GN_TRY(node->op->training(graph, node, &value, err));
    GN_TRY(gn_graph_error(graph, err));
    for (size_t i = first_new; i < graph->n_nodes; i++)
        graph->order[i] = graph->order[index];
    if (value >= 0)
        gn_graph_take_place(graph, node->out[0], value);
    return GN_OK;
}

/* The activation `user` becomes part of the normalisation, if it is one that can. */
static gn_status take_activation_in(gn_graph *graph, gn_node *bn, const gn_node *user)
{
    float lo, hi;
    gn_attr attrs[2];
    int n = gn_node_curve_attrs(user, attrs);
    if (n == 0 && gn_node_is_clamp(graph, user, &lo, &hi)) {
        if (lo > -INFINITY)
            attrs[n++] = gn_attr_float("lo", lo);
        if (hi < INFINITY)
            attrs[n++] = gn_attr_float("hi", hi);
    } else if (n == 0)
        return GN_OK;
    for (int i = 0; i < n; i++)
        GN_TRY(gn_node_set_attr(graph, bn, &attrs[i]));
    gn_graph_take_place(graph, user->out[0], bn->out[0]);
    return GN_OK;
}

/* BatchNormTrain -> Relu|Clip|Silu|HardSwish|LeakyRelu with no other reader: the normalisation does both. */
static gn_status take_activations_in(gn_graph *graph)
{
    int *uses = gn_graph_use_counts(graph);
    if (!uses)
        return GN_ENOMEM;
    gn_status status = GN_OK;
    for (size_t i = 0; i < graph->n_nodes && status == GN_OK; i++) {
        gn_node *bn = graph->nodes[i];
        if (strcmp(bn->op->name, "BatchNormTrain") != 0 || gn_node_attr(bn, "lo") || gn_node_attr(bn, "hi") ||
            gn_node_attr(bn, "activation"))
            continue;
        const int user = gn_single_user(graph, uses, bn->out[0]);
        if (user >= 0)
            status = take_activation_in(graph, bn, graph->nodes[user]);
    }
    gn_free(uses);
    return status;
}

gn_status gn_pass_training(gn_graph *graph, gn_error *err)
{
    GN_TRY(gn_pass_fold_shapes(graph, err));
    GN_TRY(gn_pass_join_activations(graph, err));
    size_t n = graph->n_nodes;
    bool replaced = false;
    for (size_t i = 0; i < n; i++)
        if (graph->nodes[i]->op->training) {
            GN_TRY(replace_by_training_form(graph, (int)i, err));
            replaced = true;
        }
    if (replaced)
        GN_TRY(gn_graph_sort(graph, err));
    GN_TRY(gn_pass_prune(graph));
    GN_TRY(take_activations_in(graph));
    return gn_pass_prune(graph);
}
