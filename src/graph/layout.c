/* Memory layouts: every rank-4 activation goes N,H,W,C where its operators want it so, and conversion nodes are put where the
 * wishes of a producer and a consumer differ.
 * SPDX-License-Identifier: Apache-2.0 */
#include "graph/layout.h"

#include <string.h>

#include "graph/graph_internal.h"

typedef struct layouter {
    gn_graph *graph;
    const gn_plan_target *target;
    gn_layout *of;  /* per value */
    int *converted; /* per original value: the value in the other layout, or -1 */
    size_t n_original;
} layouter;

/* Rank 4 and more than one channel and more than one pixel: only then do the two layouts differ in memory. */
static bool layouts_differ(const gn_value *value)
{
    const gn_shape *s = &value->shape;
    return s->rank == 4 && s->dim[1] > 1 && s->dim[2] * s->dim[3] > 1;
}

static gn_layout layout_of(const layouter *l, int value)
{
    return (size_t)value < l->n_original ? l->of[value] : GN_LAYOUT_PLAIN;
}

/* The layout that operand i of a node must have. */
static gn_layout wanted_layout(const layouter *l, const gn_node *node, int i, gn_layout same)
{
    switch (node->op->layout) {
    case GN_LAYOUT_RULE_NHWC:
        if (i >= 32 || !(node->op->nhwc_in >> i & 1u))
            return GN_LAYOUT_PLAIN;
        if (layout_of(l, node->in[i]) == GN_LAYOUT_PLAIN && l->target && l->target->takes_plain &&
            l->target->takes_plain(l->target->ctx, l->graph, node, i))
            return GN_LAYOUT_PLAIN;
        return GN_LAYOUT_NHWC;
    case GN_LAYOUT_RULE_SAME:
        return same;
    case GN_LAYOUT_RULE_PLAIN:
    default:
        return GN_LAYOUT_PLAIN;
    }
}

/* Elementwise operators follow their activations: N,H,W,C as soon as one operand is. */
static gn_layout common_layout(const layouter *l, const gn_node *node)
{
    for (int i = 0; i < node->n_in; i++)
        if (node->in[i] >= 0 && layout_of(l, node->in[i]) == GN_LAYOUT_NHWC)
            return GN_LAYOUT_NHWC;
    return GN_LAYOUT_PLAIN;
}

/* The value `value` in the layout `layout`: itself, or the result of a conversion node placed before `order`. */
static int in_layout(layouter *l, int value, gn_layout layout, int64_t order)
{
    if (layout_of(l, value) == layout || !layouts_differ(l->graph->values[value]))
        return value;
    if (l->converted[value] >= 0)
        return l->converted[value];
    const char *op = layout == GN_LAYOUT_NHWC ? "ToNhwc" : "ToPlain";
    int result = gn_graph_add_op(l->graph, op, "gannet", l->graph->values[value]->name, &value, 1, NULL, 0);
    if (result >= 0) {
        l->graph->order[l->graph->values[result]->producer] = order;
        l->converted[value] = result;
    }
    return result;
}

static gn_status layout_node(layouter *l, gn_node *node, int64_t order, gn_error *err)
{
    gn_layout same = common_layout(l, node);
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0)
            continue;
        int value = in_layout(l, node->in[i], wanted_layout(l, node, i, same), order);
        if (value < 0)
            return gn_graph_error(l->graph, err);
        node->in[i] = value;
    }
    for (int i = 0; i < node->n_out; i++) {
        if (node->out[i] < 0)
            continue;
        bool nhwc = node->op->layout == GN_LAYOUT_RULE_SAME
                        ? same == GN_LAYOUT_NHWC
                        : i < 32 && node->op->layout == GN_LAYOUT_RULE_NHWC && (node->op->nhwc_out >> i & 1u);
        if (nhwc && l->graph->values[node->out[i]]->shape.rank == 4)
            l->of[node->out[i]] = GN_LAYOUT_NHWC;
    }
    return GN_OK;
}

static gn_status run(layouter *l, gn_error *err)
{
    gn_graph *g = l->graph;
    size_t n = g->n_nodes;
    for (size_t i = 0; i < n; i++)
        GN_TRY(layout_node(l, g->nodes[i], g->order[i], err));
    for (size_t i = 0; i < g->n_outputs; i++) {
        int value = in_layout(l, g->outputs[i], GN_LAYOUT_PLAIN, (int64_t)n);
        if (value < 0)
            return gn_graph_error(g, err);
        if (value != g->outputs[i] && g->values[g->outputs[i]]->kind == GN_VALUE_TEMP)
            gn_graph_swap_names(g, g->outputs[i], value);
        g->outputs[i] = value;
    }
    for (size_t i = 0; i < g->n_updates; i++) { /* contents of states are plain */
        int value = in_layout(l, g->updates[i].value, GN_LAYOUT_PLAIN, (int64_t)n);
        if (value < 0)
            return gn_graph_error(g, err);
        g->updates[i].value = value;
    }
    return g->n_nodes > n ? gn_graph_sort(g, err) : GN_OK;
}

gn_status gn_layout_assign(gn_graph *graph, const gn_plan_target *target, gn_layout **layouts_out, gn_error *err)
{
    layouter l = {.graph = graph, .target = target, .n_original = graph->n_values};
    l.of = gn_calloc(graph->n_values + 1, sizeof *l.of);
    l.converted = gn_alloc((graph->n_values + 1) * sizeof *l.converted);
    gn_layout *all = NULL;
    gn_status status = l.of && l.converted ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        memset(l.converted, 0xff, (graph->n_values + 1) * sizeof *l.converted);
        status = run(&l, err);
    }
    if (status == GN_OK && !(all = gn_calloc(graph->n_values + 1, sizeof *all)))
        status = GN_ENOMEM;
    if (status == GN_OK) {
        memcpy(all, l.of, l.n_original * sizeof *all);
        for (size_t i = 0; i < graph->n_nodes; i++)
            if (strcmp(graph->nodes[i]->op->name, "ToNhwc") == 0)
                all[graph->nodes[i]->out[0]] = GN_LAYOUT_NHWC;
        *layouts_out = all;
    }
    gn_free(l.of);
    gn_free(l.converted);
    return status;
}
