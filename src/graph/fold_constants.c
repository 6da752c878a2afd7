/* Values that need no run: small ones are evaluated while shapes are inferred, so that shape rules see them, and passes turn what is
 * known into constants.
 * SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph_internal.h"
#include "graph/pass_internal.h"
#include "graph/passes.h"

/* What is evaluated while shapes are inferred: shapes, axes, scales and their like. */
#define KNOWN_MAX_OUT   4096
#define KNOWN_MAX_IN    16384
#define KNOWN_MAX_BYTES ((size_t)16 << 20) /* over a graph: a file of thousands of such nodes is no network */
/* Results of the passes that are larger than what they are made of: at most this large, and at most so much larger. */
#define FOLD_MAX_BYTES  ((size_t)64 << 20)
#define FOLD_GROWTH     4
#define FOLD_FREE_BYTES ((size_t)1 << 20)
/* All results of a pass together: so many times what the graph held, and FOLD_MAX_BYTES. */
#define FOLD_TOTAL 8

bool gn_is_update(const gn_graph *graph, int value)
{
    for (size_t i = 0; i < graph->n_updates; i++)
        if (graph->updates[i].value == value)
            return true;
    return false;
}

bool gn_is_renewed(const gn_graph *graph, int state)
{
    for (size_t i = 0; i < graph->n_updates; i++)
        if (graph->updates[i].state == state)
            return true;
    return false;
}

/* ---- one node ---- */

/* Runs the reference of a node; in[k] NULL: left out.  out[k]: one new tensor per present output, the caller's; none on failure. */
static gn_status run_reference(const gn_graph *graph, const gn_node *node, const gn_tensor *const *in, gn_tensor **out)
{
    gn_status status = GN_OK;
    for (int k = 0; k < node->n_out && status == GN_OK; k++)
        if (node->out[k] >= 0)
            status = gn_tensor_create(graph->values[node->out[k]]->dtype, &graph->values[node->out[k]]->shape, &out[k]);
    const gn_ref_call call = {.graph = graph, .node = node, .in = in, .out = out};
    if (status == GN_OK)
        status = node->op->reference(&call);
    for (int k = 0; k < node->n_out && status != GN_OK; k++)
        gn_tensor_destroy(&out[k]);
    return status;
}

static gn_status could_not(const gn_node *node, gn_status status, gn_error *err)
{
    return gn_fail(err, status, "node %s (%s) could not be evaluated ahead of time: %s", node->name, node->op->name,
                   gn_status_sentence(status));
}

/* ---- while shapes are inferred ---- */

void gn_value_forget(gn_graph *graph, gn_value *value)
{
    if (value->known)
        graph->known_bytes -= gn_tensor_bytes(value->known);
    gn_tensor_destroy(&value->known);
}

void gn_node_forget(gn_graph *graph, const gn_node *node)
{
    for (int k = 0; k < node->n_out; k++)
        if (node->out[k] >= 0)
            gn_value_forget(graph, graph->values[node->out[k]]);
}

static bool is_evaluable(const gn_graph *graph, const gn_node *node)
{
    int64_t n_in = 0;
    if (!node->op->reference || node->op->renews || node->op->is_host || node->n_in == 0)
        return false;
    for (int k = 0; k < node->n_in && !node->op->reads_shapes; k++) {
        const gn_tensor *known = gn_in_known(graph, node, k);
        if (node->in[k] >= 0 && !known)
            return false;
        n_in += known ? gn_tensor_count(known) : 0;
    }
    for (int k = 0; k < node->n_out; k++)
        if (node->out[k] >= 0) {
            const gn_value *v = graph->values[node->out[k]];
            if (v->dtype == GN_DTYPE_NONE || gn_shape_count(&v->shape) > KNOWN_MAX_OUT)
                return false;
        }
    return n_in <= KNOWN_MAX_IN && graph->known_bytes <= KNOWN_MAX_BYTES;
}

/* The inputs of a node that reads shapes: no contents. */
static const gn_tensor *shape_only(const gn_graph *graph, const gn_node *node, int k, gn_tensor *view)
{
    if (node->in[k] < 0)
        return NULL;
    const gn_value *v = graph->values[node->in[k]];
    *view = gn_tensor_view(v->dtype, &v->shape, NULL);
    return view;
}

gn_status gn_node_evaluate(gn_graph *graph, const gn_node *node, gn_error *err)
{
    if (!is_evaluable(graph, node))
        return GN_OK;
    const size_t n_in = (size_t)node->n_in, n_out = (size_t)node->n_out;
    const gn_tensor **in = gn_calloc(n_in + 1, sizeof *in);
    gn_tensor *views = gn_calloc(n_in + 1, sizeof *views), **out = gn_calloc(n_out + 1, sizeof *out);
    gn_status status = in && views && out ? GN_OK : GN_ENOMEM;
    for (int k = 0; k < node->n_in && status == GN_OK; k++)
        in[k] = node->op->reads_shapes ? shape_only(graph, node, k, &views[k]) : gn_in_known(graph, node, k);
    if (status == GN_OK)
        status = run_reference(graph, node, in, out);
    for (int k = 0; k < node->n_out && status == GN_OK; k++)
        if (node->out[k] >= 0) {
            graph->values[node->out[k]]->known = out[k];
            graph->known_bytes += gn_tensor_bytes(out[k]);
        }
    gn_free(in);
    gn_free(views);
    gn_free(out);
    if (status == GN_EUNSUPPORTED) /* a type that its reference does not know */
        return GN_OK;
    return status == GN_OK ? GN_OK : could_not(node, status, err);
}

/* ---- passes ---- */

/* Makes the outputs of a node constants; they no longer belong to it.  contents[k] is taken. */
static gn_status make_constants(gn_graph *graph, gn_node *node, gn_tensor **contents)
{
    gn_status status = GN_OK;
    for (int k = 0; k < node->n_out; k++) {
        if (node->out[k] < 0)
            continue;
        gn_value *v = graph->values[node->out[k]];
        if (status == GN_OK)
            status = gn_graph_keep_tensor(graph, contents[k]);
        if (status != GN_OK) {
            gn_tensor_destroy(&contents[k]);
            continue;
        }
        v->kind = GN_VALUE_CONST;
        v->data = contents[k];
        v->producer = -1;
        node->out[k] = -1;
    }
    return status;
}

static bool updates_a_state(const gn_graph *graph, const gn_node *node)
{
    for (int k = 0; k < node->n_out; k++)
        if (node->out[k] >= 0 && gn_is_update(graph, node->out[k]))
            return true;
    return false;
}

/* Every result of the node is known. */
static bool is_known(const gn_graph *graph, const gn_node *node)
{
    int n_known = 0;
    for (int k = 0; k < node->n_out; k++) {
        if (node->out[k] >= 0 && !graph->values[node->out[k]]->known)
            return false;
        n_known += node->out[k] >= 0;
    }
    return n_known > 0;
}

/* What is known of the node's results becomes their contents. */
static gn_status keep_known(gn_graph *graph, gn_node *node)
{
    gn_tensor **known = gn_calloc((size_t)node->n_out + 1, sizeof *known);
    if (!known)
        return GN_ENOMEM;
    for (int k = 0; k < node->n_out; k++)
        if (node->out[k] >= 0) {
            known[k] = graph->values[node->out[k]]->known;
            graph->known_bytes -= gn_tensor_bytes(known[k]);
            graph->values[node->out[k]]->known = NULL;
        }
    const gn_status status = make_constants(graph, node, known);
    gn_free(known);
    return status;
}

gn_status gn_pass_fold_shapes(gn_graph *graph, gn_error *err)
{
    bool *gone = gn_calloc(graph->n_nodes + 1, sizeof *gone);
    gn_status status = gone ? GN_OK : GN_ENOMEM;
    for (size_t i = 0; i < graph->n_nodes && status == GN_OK; i++) {
        gone[i] = is_known(graph, graph->nodes[i]) && !updates_a_state(graph, graph->nodes[i]);
        if (gone[i])
            status = keep_known(graph, graph->nodes[i]);
    }
    if (status == GN_OK)
        status = gn_graph_remove_nodes(graph, gone);
    if (status == GN_OK)
        status = gn_pass_prune(graph);
    gn_free(gone);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "no memory to fold constants");
}

/* May value `id` be taken for a constant? */
static bool is_fixed(const gn_graph *graph, int id, bool takes_states)
{
    const gn_value *v = graph->values[id];
    if (v->kind != GN_VALUE_CONST && (!takes_states || v->kind != GN_VALUE_STATE || gn_is_renewed(graph, id)))
        return false;
    return v->data && v->data->data;
}

/* budget: bytes that this pass may still make; taken from when the node is foldable. */
static bool is_foldable(const gn_graph *graph, const gn_node *node, bool takes_states, size_t *budget)
{
    size_t in_bytes = 0, out_bytes = 0;
    if (!node->op->reference || node->op->renews || node->op->is_host || node->n_in == 0 ||
        updates_a_state(graph, node))
        return false;
    for (int k = 0; k < node->n_in; k++) {
        if (node->in[k] >= 0 && !is_fixed(graph, node->in[k], takes_states))
            return false;
        in_bytes += node->in[k] >= 0 ? gn_tensor_bytes(graph->values[node->in[k]]->data) : 0;
    }
    for (int k = 0; k < node->n_out; k++)
        if (node->out[k] >= 0) {
            const gn_value *v = graph->values[node->out[k]];
            const int64_t count = gn_shape_count(&v->shape);
            if (v->dtype == GN_DTYPE_NONE || count < 0)
                return false;
            out_bytes += (size_t)count * gn_dtype_bytes(v->dtype);
        }
    const size_t growth = out_bytes > in_bytes ? out_bytes - in_bytes : 0;
    if (out_bytes > *budget ||
        (growth > 0 && (out_bytes > FOLD_MAX_BYTES || out_bytes > FOLD_FREE_BYTES + FOLD_GROWTH * in_bytes)))
        return false;
    *budget -= out_bytes;
    return true;
}

static gn_status fold_node(gn_graph *graph, gn_node *node)
{
    const gn_tensor **in = gn_calloc((size_t)node->n_in + 1, sizeof *in);
    gn_tensor **out = gn_calloc((size_t)node->n_out + 1, sizeof *out);
    gn_status status = in && out ? GN_OK : GN_ENOMEM;
    for (int k = 0; k < node->n_in && status == GN_OK; k++)
        in[k] = node->in[k] >= 0 ? graph->values[node->in[k]]->data : NULL;
    if (status == GN_OK)
        status = run_reference(graph, node, in, out);
    if (status == GN_OK) {
        gn_node_forget(graph, node);
        status = make_constants(graph, node, out);
    }
    gn_free(in);
    gn_free(out);
    return status;
}

static size_t total_budget(const gn_graph *graph)
{
    size_t bytes = 0;
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i]->data && graph->values[i]->data->data)
            bytes += gn_tensor_bytes(graph->values[i]->data);
    return FOLD_MAX_BYTES + FOLD_TOTAL * bytes;
}

static gn_status fold(gn_graph *graph, bool takes_states, gn_error *err)
{
    size_t budget = total_budget(graph);
    bool *gone = gn_calloc(graph->n_nodes + 1, sizeof *gone);
    gn_status status = gone ? GN_OK : GN_ENOMEM;
    for (size_t i = 0; i < graph->n_nodes && status == GN_OK; i++) {
        gn_node *node = graph->nodes[i];
        if (!is_foldable(graph, node, takes_states, &budget))
            continue;
        status = fold_node(graph, node);
        if (status == GN_EUNSUPPORTED) /* a type that its reference does not know: left to the backend */
            status = GN_OK;
        else if (status != GN_OK)
            status = could_not(node, status, err);
        else
            gone[i] = true;
    }
    if (status == GN_OK)
        status = gn_graph_remove_nodes(graph, gone);
    gn_free(gone);
    return status;
}

gn_status gn_pass_fold_constants(gn_graph *graph, gn_error *err)
{
    return fold(graph, false, err);
}

gn_status gn_pass_fold_weights(gn_graph *graph, gn_error *err)
{
    return fold(graph, true, err);
}
