/* The interpreter of graphs by references.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/interpret.h"

#include <string.h>

#include "graph/op.h"
#include "ops/ref_access.h"

struct gn_interpret {
    const gn_graph *graph;
    int n_values;
    gn_tensor **values;  /* per value; NULL when nothing produces it */
    gn_tensor **operand; /* inputs and outputs of the node that runs */
};

static bool is_live(const gn_value *value)
{
    return value->kind != GN_VALUE_TEMP || value->producer >= 0;
}

static gn_status create_value(gn_interpret *it, int id, gn_dtype dtype, gn_error *err)
{
    const gn_value *value = gn_graph_value(it->graph, id);
    if (!is_live(value))
        return GN_OK;
    if (value->dtype == GN_DTYPE_NONE || gn_shape_count(&value->shape) < 0)
        return gn_fail(err, GN_ESHAPE, "running a graph: the shape of value %s is not known", value->name);
    GN_TRY(gn_tensor_create(value->dtype == GN_DTYPE_F32 ? dtype : value->dtype, &value->shape, &it->values[id]));
    return value->data ? gn_interpret_set_tensor(it, id, value->data) : GN_OK;
}

/* Most operands that a node of the graph has. */
static int most_operands(const gn_graph *graph)
{
    int most = 1;
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (node->n_in + node->n_out > most)
            most = node->n_in + node->n_out;
    }
    return most;
}

gn_status gn_interpret_create(const gn_graph *graph, gn_dtype dtype, gn_interpret **it_out, gn_error *err)
{
    gn_status status = GN_OK;
    if (dtype != GN_DTYPE_F32 && dtype != GN_DTYPE_F64)
        return gn_fail(err, GN_EINVAL, "running a graph: numbers of type %s, expected f32 or f64",
                       gn_dtype_name(dtype));
    gn_interpret *it = gn_calloc(1, sizeof *it);
    if (!it)
        return GN_ENOMEM;
    it->graph = graph;
    it->n_values = gn_graph_value_count(graph);
    it->values = gn_calloc((size_t)it->n_values, sizeof *it->values);
    it->operand = gn_calloc((size_t)most_operands(graph), sizeof *it->operand);
    if (!it->values || !it->operand)
        status = GN_ENOMEM;
    for (int i = 0; i < it->n_values && status == GN_OK; i++)
        status = create_value(it, i, dtype, err);
    if (status != GN_OK) {
        gn_interpret_destroy(&it);
        return status;
    }
    *it_out = it;
    return GN_OK;
}

void gn_interpret_destroy(gn_interpret **it)
{
    if (!it || !*it)
        return;
    for (int i = 0; i < (*it)->n_values && (*it)->values; i++)
        gn_tensor_destroy(&(*it)->values[i]);
    gn_free((*it)->values);
    gn_free((*it)->operand);
    gn_free(*it);
    *it = NULL;
}

void gn_interpret_set(gn_interpret *it, int value, const double *data)
{
    gn_tensor *dst = it->values[value];
    const int64_t n = gn_tensor_count(dst);
    for (int64_t i = 0; i < n; i++)
        gn_ref_store(dst, i, data[i]);
}

gn_status gn_interpret_set_tensor(gn_interpret *it, int value, const gn_tensor *src)
{
    gn_tensor *dst = it->values[value];
    if (!dst || gn_tensor_count(dst) != gn_tensor_count(src))
        return GN_ESHAPE;
    if (dst->dtype == src->dtype && src->layout == GN_LAYOUT_PLAIN)
        memcpy(dst->data, src->data, gn_tensor_bytes(src)); /* s64 exactly, beyond what a double holds */
    else
        gn_ref_copy(dst, src);
    return GN_OK;
}

static gn_status run_node(gn_interpret *it, const gn_node *node, gn_error *err)
{
    for (int i = 0; i < node->n_in; i++)
        it->operand[i] = node->in[i] < 0 ? NULL : it->values[node->in[i]];
    gn_tensor **out = it->operand + node->n_in;
    for (int i = 0; i < node->n_out; i++)
        out[i] = node->out[i] < 0 ? NULL : it->values[node->out[i]];
    const gn_ref_call call = {it->graph, node, (const gn_tensor *const *)it->operand, out};
    if (!node->op->reference)
        return gn_fail(err, GN_EUNSUPPORTED, "node %s: operator %s has no reference", node->name, node->op->name);
    const gn_status status = node->op->reference(&call);
    return status == GN_OK ? GN_OK
                           : gn_fail(err, status, "node %s (%s): the reference failed", node->name, node->op->name);
}

gn_status gn_interpret_run(gn_interpret *it, gn_error *err)
{
    for (int i = 0; i < gn_graph_node_count(it->graph); i++)
        GN_TRY(run_node(it, gn_graph_node(it->graph, i), err));
    for (int i = 0; i < gn_graph_update_count(it->graph); i++) {
        int state, value;
        gn_graph_update(it->graph, i, &state, &value);
        GN_TRY(gn_interpret_set_tensor(it, state, it->values[value]));
    }
    return GN_OK;
}

const gn_tensor *gn_interpret_get(const gn_interpret *it, int value)
{
    return it->values[value];
}
