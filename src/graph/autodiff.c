/* Reverse-mode differentiation over the node list, from the loss back to what is asked for.
 * SPDX-License-Identifier: Apache-2.0 */
#include "graph/autodiff.h"

#include <string.h>

#include "graph/graph_internal.h"

struct gn_grad {
    gn_graph *graph;
    int *of;      /* per original value: value id of its gradient so far, or -1 */
    bool *wanted; /* per original value: something asked for depends on it, or it is asked for */
    int n_values; /* values that existed before differentiation */
};

gn_graph *gn_grad_graph(gn_grad *grad)
{
    return grad->graph;
}

int gn_grad_of_out(gn_grad *grad, const gn_node *node, int i)
{
    return gn_has_out(node, i) ? grad->of[node->out[i]] : -1;
}

bool gn_grad_wants(gn_grad *grad, const gn_node *node, int i)
{
    return gn_has_in(node, i) && grad->wanted[node->in[i]];
}

gn_status gn_grad_give(gn_grad *grad, const gn_node *node, int i, int value)
{
    if (value < 0)
        return gn_graph_error(grad->graph, NULL);
    if (!gn_grad_wants(grad, node, i))
        return GN_OK;
    int *of = &grad->of[node->in[i]];
    if (*of < 0) {
        *of = value;
        return GN_OK;
    }
    const int in[2] = {*of, value};
    *of = gn_graph_add_op(grad->graph, "Add", "", "grad.sum", in, 2, NULL, 0);
    return *of < 0 ? gn_graph_error(grad->graph, NULL) : GN_OK;
}

/* wanted: forward from the values asked for. */
static void mark_wanted(gn_grad *grad, const int *wrt, int n_wrt, int n_nodes)
{
    for (int i = 0; i < n_wrt; i++)
        grad->wanted[wrt[i]] = true;
    for (int i = 0; i < n_nodes; i++) {
        const gn_node *node = gn_graph_node(grad->graph, i);
        bool depends = false;
        for (int k = 0; k < node->n_in; k++)
            depends = depends || gn_grad_wants(grad, node, k);
        for (int k = 0; k < node->n_out && depends; k++)
            if (node->out[k] >= 0)
                grad->wanted[node->out[k]] = true;
    }
}

static gn_status seed(gn_grad *grad, int loss)
{
    gn_tensor *one = NULL;
    const gn_value *value = gn_graph_value(grad->graph, loss);
    GN_TRY(gn_tensor_create(value->dtype, &value->shape, &one));
    gn_tensor_set(one, 0, 1.0);
    grad->of[loss] = gn_graph_add_const(grad->graph, "grad.one", one);
    gn_tensor_destroy(&one);
    return grad->of[loss] < 0 ? gn_graph_error(grad->graph, NULL) : GN_OK;
}

static gn_status node_gradient(gn_grad *grad, int index, gn_error *err)
{
    const gn_node *node = gn_graph_node(grad->graph, index);
    bool arrives = false, wants = false;
    for (int k = 0; k < node->n_out; k++)
        arrives = arrives || gn_grad_of_out(grad, node, k) >= 0;
    for (int k = 0; k < node->n_in; k++)
        wants = wants || gn_grad_wants(grad, node, k);
    if (!arrives || !wants)
        return GN_OK;
    if (!node->op->grad)
        return gn_fail(err, GN_EUNSUPPORTED, "node %s: operator %s has no gradient", node->name, node->op->name);
    gn_status status = node->op->grad(grad, node);
    if (status != GN_OK && gn_graph_error(grad->graph, err) == GN_OK)
        gn_fail(err, status, "node %s: the gradient of %s could not be built", node->name, node->op->name);
    return status;
}

gn_status gn_graph_differentiate(gn_graph *graph, int loss, const int *wrt, int n_wrt, int *grads_out, gn_error *err)
{
    if (gn_shape_count(&gn_graph_value(graph, loss)->shape) != 1)
        return gn_fail(err, GN_ESHAPE, "value %s is not a scalar: only a scalar can be differentiated",
                       gn_graph_value(graph, loss)->name);
    int n_nodes = gn_graph_node_count(graph);
    gn_grad grad = {.graph = graph, .n_values = gn_graph_value_count(graph)};
    grad.of = gn_alloc((size_t)grad.n_values * sizeof *grad.of);
    grad.wanted = gn_calloc((size_t)grad.n_values, sizeof *grad.wanted);
    gn_status status = grad.of && grad.wanted ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        for (int i = 0; i < grad.n_values; i++)
            grad.of[i] = -1;
        mark_wanted(&grad, wrt, n_wrt, n_nodes);
        status = seed(&grad, loss);
    }
    for (int i = n_nodes - 1; i >= 0 && status == GN_OK; i--)
        status = node_gradient(&grad, i, err);
    if (status == GN_OK)
        for (int i = 0; i < n_wrt; i++)
            grads_out[i] = grad.of[wrt[i]];
    gn_free(grad.of);
    gn_free(grad.wanted);
    return status;
}
