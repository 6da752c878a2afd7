/* The inference form of a graph: constants folded, BatchNormalization and activations taken into convolutions.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "graph/graph_internal.h"
#include "graph/pass_internal.h"
#include "graph/passes.h"

static bool is_op(const gn_node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

/* ---- nodes that do nothing at inference ---- */

static void bypass_idle_nodes(gn_graph *graph)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const gn_node *node = graph->nodes[i];
        bool idle = is_op(node, "Identity") || is_op(node, "Dropout");
        if (idle && gn_graph_value(graph, node->in[0])->kind == GN_VALUE_TEMP && !gn_is_update(graph, node->out[0]))
            gn_graph_take_place(graph, node->out[0], node->in[0]);
    }
}

/* ---- convolution with what follows it ---- */

/* A convolution and the nodes it takes in; -1 where there is none. */
typedef struct chain {
    int conv, bn, curve, add, act;
    int residual; /* value */
    float lo, hi;
} chain;

static bool has_data(const gn_graph *graph, int value)
{
    return value >= 0 && graph->values[value]->data != NULL;
}

static bool bn_is_fixed(const gn_graph *graph, const gn_node *bn)
{
    for (int i = 1; i <= 4; i++)
        if (!has_data(graph, bn->in[i]) || gn_is_renewed(graph, bn->in[i]))
            return false;
    return true;
}

/* Where the producer of a value stands; new nodes inherit the place of what they replace. */
static int64_t position_of(const gn_graph *graph, int value)
{
    return graph->order[graph->values[value]->producer];
}

static chain follow(const gn_graph *graph, const int *uses, int conv)
{
    chain c = {
        .conv = conv, .bn = -1, .curve = -1, .add = -1, .act = -1, .residual = -1, .lo = -INFINITY, .hi = INFINITY};
    int value = graph->nodes[conv]->out[0];
    int user = gn_single_user(graph, uses, value);
    if (user >= 0 && is_op(graph->nodes[user], "BatchNormalization") && graph->nodes[user]->in[0] == value &&
        bn_is_fixed(graph, graph->nodes[user])) {
        c.bn = user;
        value = graph->nodes[user]->out[0];
        user = gn_single_user(graph, uses, value);
    }
    gn_attr unused[2];
    if (user >= 0 && gn_node_curve_attrs(graph->nodes[user], unused) > 0) {
        c.curve = user;
        value = graph->nodes[user]->out[0];
        user = gn_single_user(graph, uses, value);
    }
    if (user >= 0 && is_op(graph->nodes[user], "Add")) {
        const gn_node *add = graph->nodes[user];
        int other = add->in[0] == value ? add->in[1] : add->in[0];
        /* The other operand must be there before this convolution runs, and be an activation of the same shape. */
        if (other != value && graph->values[other]->kind == GN_VALUE_TEMP &&
            position_of(graph, other) < graph->order[conv] &&
            gn_shape_equal(&graph->values[other]->shape, &graph->values[value]->shape)) {
            c.add = user;
            c.residual = other;
            value = add->out[0];
            user = gn_single_user(graph, uses, value);
        }
    }
    if (user >= 0 && gn_node_is_clamp(graph, graph->nodes[user], &c.lo, &c.hi))
        c.act = user;
    else {
        c.lo = -INFINITY;
        c.hi = INFINITY;
    }
    return c;
}

/* scale[k] = gamma/sqrt(var+eps); shift[k] = beta + (bias - mean)*scale.  Values of the new constants. */
static gn_status fold_bn(gn_graph *graph, const gn_node *bn, int conv_bias, int *scale_out, int *shift_out)
{
    const gn_tensor *t[5];
    for (int i = 1; i <= 4; i++)
        t[i] = graph->values[bn->in[i]]->data;
    int64_t K = gn_tensor_count(t[1]);
    double epsilon = (double)gn_node_float(bn, "epsilon", 1e-5f);
    float *scale = gn_alloc((size_t)K * sizeof *scale), *shift = gn_alloc((size_t)K * sizeof *shift);
    gn_status status = scale && shift ? GN_OK : GN_ENOMEM;
    for (int64_t k = 0; k < K && status == GN_OK; k++) {
        double s = gn_tensor_get(t[1], k) / sqrt(gn_tensor_get(t[4], k) + epsilon);
        double b = conv_bias >= 0 ? gn_tensor_get(graph->values[conv_bias]->data, k) : 0.0;
        scale[k] = (float)s;
        shift[k] = (float)(gn_tensor_get(t[2], k) + (b - gn_tensor_get(t[3], k)) * s);
    }
    if (status == GN_OK) {
        *scale_out = gn_graph_add_const_f32(graph, "folded.scale", (int)K, scale);
        *shift_out = gn_graph_add_const_f32(graph, "folded.shift", (int)K, shift);
        status = gn_graph_error(graph, NULL);
    }
    gn_free(scale);
    gn_free(shift);
    return status;
}

static int last_of(const chain *c)
{
    const int by_place[4] = {c->act, c->add, c->curve, c->bn};
    for (int i = 0; i < 4; i++)
        if (by_place[i] >= 0)
            return by_place[i];
    return c->conv;
}

static gn_status emit_fused(gn_graph *graph, const chain *c, bool *gone)
{
    gn_node *conv = graph->nodes[c->conv];
    int bias = gn_has_in(conv, 2) ? conv->in[2] : -1, scale = -1;
    if (c->bn < 0 && c->curve < 0 && c->add < 0 && c->act < 0)
        return GN_OK;
    if (bias >= 0 && (!has_data(graph, bias) || (c->bn >= 0 && gn_is_renewed(graph, bias))))
        return GN_OK; /* a computed bias stays as it is */
    if (c->bn >= 0)
        GN_TRY(fold_bn(graph, graph->nodes[c->bn], bias, &scale, &bias));
    int last = last_of(c);
    const int in[5] = {conv->in[0], conv->in[1], bias, c->residual, scale};
    int n_in = scale >= 0 ? 5 : c->residual >= 0 ? 4 : bias >= 0 ? 3 : 2;
    int node = gn_graph_add_node(graph, "FusedConv", "gannet", conv->name, in, n_in, 1, conv->attrs, conv->n_attrs);
    if (node < 0)
        return gn_graph_error(graph, NULL);
    gn_attr curve[2];
    const int n_curve = c->curve >= 0 ? gn_node_curve_attrs(graph->nodes[c->curve], curve) : 0;
    for (int i = 0; i < n_curve; i++)
        GN_TRY(gn_node_set_attr(graph, graph->nodes[node], &curve[i]));
    gn_attr lo = gn_attr_float("lo", c->lo), hi = gn_attr_float("hi", c->hi);
    if (c->lo > -INFINITY)
        GN_TRY(gn_node_set_attr(graph, graph->nodes[node], &lo));
    if (c->hi < INFINITY)
        GN_TRY(gn_node_set_attr(graph, graph->nodes[node], &hi));
    graph->order[node] = graph->order[c->conv];
    gn_graph_take_place(graph, graph->nodes[last]->out[0], graph->nodes[node]->out[0]);
    const char *name = conv->name; /* messages and tables go on calling it what it was */
    conv->name = graph->nodes[node]->name;
    graph->nodes[node]->name = name;
    const int taken[5] = {c->conv, c->bn, c->curve, c->add, c->act};
    for (int i = 0; i < 5; i++)
        if (taken[i] >= 0)
            gone[taken[i]] = true;
    return GN_OK;
}

gn_status gn_pass_fuse(gn_graph *graph, gn_error *err)
{
    size_t n = graph->n_nodes;
    int *uses = gn_graph_use_counts(graph);
    bool *gone = gn_calloc(2 * n + 1, sizeof *gone);
    gn_status status = uses && gone ? GN_OK : GN_ENOMEM;
    for (size_t i = 0; i < n && status == GN_OK; i++)
        if (is_op(graph->nodes[i], "Conv") && has_data(graph, graph->nodes[i]->in[1]) &&
            graph->values[graph->nodes[i]->in[1]]->shape.rank == 4) {
            chain c = follow(graph, uses, (int)i);
            status = emit_fused(graph, &c, gone);
        }
    if (status == GN_OK)
        status = gn_graph_remove_nodes(graph, gone);
    gn_free(uses);
    gn_free(gone);
    return status == GN_OK ? gn_graph_sort(graph, err) : status;
}

gn_status gn_pass_inference(gn_graph *graph, gn_error *err)
{
    GN_TRY(gn_pass_fold_weights(graph, err));
    bypass_idle_nodes(graph);
    GN_TRY(gn_pass_prune(graph));
    GN_TRY(gn_pass_join_activations(graph, err));
    GN_TRY(gn_pass_fuse(graph, err));
    return gn_pass_prune(graph);
}
