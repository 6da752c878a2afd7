/* Operator look-up, shape inference, structural check and cost of a graph.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph_internal.h"

const gn_op_def *gn_op_find(const gn_op_registry *registry, const char *domain, const char *name)
{
    if (!domain || strcmp(domain, "ai.onnx") == 0)
        domain = "";
    for (const gn_op_def *const *def = registry->defs; *def; def++)
        if (strcmp((*def)->name, name) == 0 && strcmp((*def)->domain, domain) == 0)
            return *def;
    return NULL;
}

bool gn_has_in(const gn_node *node, int i)
{
    return i < node->n_in && node->in[i] >= 0;
}
bool gn_has_out(const gn_node *node, int i)
{
    return i < node->n_out && node->out[i] >= 0;
}

const gn_shape *gn_in_shape(const gn_graph *graph, const gn_node *node, int i)
{
    return gn_has_in(node, i) ? &graph->values[node->in[i]]->shape : NULL;
}

gn_dtype gn_in_dtype(const gn_graph *graph, const gn_node *node, int i)
{
    return gn_has_in(node, i) ? graph->values[node->in[i]]->dtype : GN_DTYPE_NONE;
}

void gn_set_out(gn_graph *graph, const gn_node *node, int i, gn_dtype dtype, const gn_shape *shape)
{
    if (!gn_has_out(node, i))
        return;
    graph->values[node->out[i]]->dtype = dtype;
    graph->values[node->out[i]]->shape = *shape;
}

const gn_tensor *gn_in_known(const gn_graph *graph, const gn_node *node, int i)
{
    if (!gn_has_in(node, i))
        return NULL;
    const gn_value *value = graph->values[node->in[i]];
    const gn_tensor *known = value->kind == GN_VALUE_CONST ? value->data : value->known;
    return known && (known->data || gn_tensor_count(known) == 0) ? known : NULL;
}

int gn_in_const_s64(const gn_graph *graph, const gn_node *node, int i, int64_t *dst, int n)
{
    const gn_tensor *known = gn_in_known(graph, node, i);
    if (!known || (known->dtype != GN_DTYPE_S64 && known->dtype != GN_DTYPE_S32))
        return -1;
    int64_t count = gn_tensor_count(known);
    int copied = count < n ? (int)count : n;
    for (int k = 0; k < copied; k++)
        dst[k] = known->dtype == GN_DTYPE_S64 ? ((const int64_t *)known->data)[k] : ((const int32_t *)known->data)[k];
    return copied;
}

gn_status gn_shape_fail(gn_error *err, const gn_node *node, const char *fmt, ...)
{
    char what[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return gn_fail(err, GN_ESHAPE, "node %s (%s): %s", node->name, node->op->name, what);
}

bool gn_node_inputs_known(const gn_graph *graph, const gn_node *node)
{
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0)
            continue;
        const gn_value *value = graph->values[node->in[i]];
        if (value->dtype == GN_DTYPE_NONE || !gn_shape_known(&value->shape))
            return false;
    }
    return true;
}

/* Shape rules multiply dimensions: sound inputs keep every product of theirs below 2^63. */
static gn_status check_input_sizes(const gn_graph *graph, const gn_node *node, gn_error *err)
{
    for (int i = 0; i < node->n_in; i++) {
        if (node->in[i] < 0)
            continue;
        const gn_value *value = graph->values[node->in[i]];
        if (gn_shape_count(&value->shape) < 0) {
            char shape[128];
            gn_shape_format(&value->shape, shape);
            return gn_shape_fail(err, node, "its input %s has the shape %s, which is not possible", value->name, shape);
        }
    }
    return GN_OK;
}

gn_status gn_node_infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_node_forget(graph, node);
    GN_TRY(check_input_sizes(graph, node, err));
    GN_TRY(node->op->infer(graph, node, err));
    for (int i = 0; i < node->n_out; i++) {
        if (node->out[i] < 0)
            continue;
        const gn_value *value = graph->values[node->out[i]];
        if (gn_shape_count(&value->shape) < 0) {
            char shape[128];
            gn_shape_format(&value->shape, shape);
            return gn_shape_fail(err, node, "its output %s would have the shape %s, which is not possible", value->name,
                                 shape);
        }
    }
    return gn_node_evaluate(graph, node, err);
}

gn_status gn_graph_set_input_shape(gn_graph *graph, int input, const gn_shape *shape)
{
    gn_value *value = gn_graph_value_mut(graph, input);
    if (value->kind != GN_VALUE_INPUT || (value->shape.rank >= 0 && value->shape.rank != shape->rank))
        return GN_ESHAPE;
    value->shape = *shape;
    return GN_OK;
}

gn_status gn_graph_infer(gn_graph *graph, gn_error *err)
{
    for (size_t i = 0; i < graph->n_inputs; i++) {
        const gn_value *value = graph->values[graph->inputs[i]];
        if (!gn_shape_known(&value->shape)) {
            char shape[128];
            gn_shape_format(&value->shape, shape);
            return gn_fail(err, GN_ESHAPE, "input %s has the shape %s: give its unknown dimensions a size first",
                           value->name, shape);
        }
    }
    for (size_t i = 0; i < graph->n_nodes; i++)
        GN_TRY(gn_node_infer(graph, graph->nodes[i], err));
    return GN_OK;
}

void gn_graph_forget_shapes(gn_graph *graph)
{
    for (size_t i = 0; i < graph->n_values; i++) {
        gn_value *value = graph->values[i];
        if (value->kind != GN_VALUE_TEMP)
            continue;
        gn_value_forget(graph, value);
        value->dtype = GN_DTYPE_NONE;
        value->shape = gn_shape_make(1, -1);
    }
}

gn_status gn_graph_check(const gn_graph *graph, gn_error *err)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const gn_node *node = graph->nodes[i];
        for (int k = 0; k < node->n_in; k++) {
            if (node->in[k] < 0)
                continue;
            const gn_value *value = graph->values[node->in[k]];
            if (value->kind == GN_VALUE_TEMP && (value->producer < 0 || value->producer >= (int)i))
                return gn_fail(err, GN_EFORMAT, "node %s (%s): its input %s is not computed before it", node->name,
                               node->op->name, value->name);
        }
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0 && graph->values[node->out[k]]->producer != (int)i)
                return gn_fail(err, GN_EFORMAT, "node %s (%s): its output %s belongs to another node", node->name,
                               node->op->name, graph->values[node->out[k]]->name);
    }
    for (size_t i = 0; i < graph->n_outputs; i++) {
        const gn_value *value = graph->values[graph->outputs[i]];
        if (value->kind == GN_VALUE_TEMP && value->producer < 0)
            return gn_fail(err, GN_EFORMAT, "output %s is not computed by any node", value->name);
    }
    return GN_OK;
}

int64_t gn_node_bytes(const gn_graph *graph, const gn_node *node)
{
    int64_t bytes = 0;
    for (int side = 0; side < 2; side++) {
        const int n = side ? node->n_out : node->n_in, *ids = side ? node->out : node->in;
        for (int i = 0; i < n; i++) {
            bool seen = ids[i] < 0;
            for (int k = 0; k < i && !seen; k++)
                seen = ids[k] == ids[i];
            if (seen)
                continue;
            const gn_value *value = graph->values[ids[i]];
            int64_t count = gn_shape_count(&value->shape);
            bytes += count > 0 ? count * (int64_t)gn_dtype_bytes(value->dtype) : 0;
        }
    }
    return bytes;
}

void gn_node_cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    *cost_out = (gn_cost){0};
    if (node->op->cost)
        node->op->cost(graph, node, cost_out);
    cost_out->bytes = node->op->is_view ? 0 : gn_node_bytes(graph, node);
}

void gn_graph_cost(const gn_graph *graph, gn_cost *cost_out)
{
    *cost_out = (gn_cost){0};
    for (size_t i = 0; i < graph->n_nodes; i++) {
        gn_cost cost;
        gn_node_cost(graph, graph->nodes[i], &cost);
        cost_out->macs += cost.macs;
        cost_out->elementwise += cost.elementwise;
        cost_out->bytes += cost.bytes;
    }
}
