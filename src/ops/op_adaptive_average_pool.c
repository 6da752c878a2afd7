/* AdaptiveAveragePool(X) with attribute output_size = [P,Q], and AdaptiveAveragePoolGrad(dY) with attribute in_hw.
 * Source: PyTorch's AdaptiveAvgPool2d; ONNX has no such operator.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/adaptive.h"

#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* Output height and width lie in attribute `name`. */
static gn_status infer_to(gn_graph *graph, const gn_node *node, const char *name, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    int64_t hw[2];
    char text[128];
    gn_shape_format(x, text);
    if (x->rank != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return gn_shape_fail(err, node, "its input has the shape %s, expected [N,C,H,W]", text);
    if (gn_node_ints(node, name, hw, 2, 0) != 2 || hw[0] < 1 || hw[1] < 1 || hw[0] > INT32_MAX || hw[1] > INT32_MAX)
        return gn_shape_fail(err, node, "its attribute %s is not two positive numbers", name);
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0),
               &(gn_shape){.rank = 4, .dim = {x->dim[0], x->dim[1], hw[0], hw[1]}});
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    return infer_to(graph, node, "output_size", err);
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    return infer_to(graph, node, "in_hw", err);
}

gn_status gn_adaptive_grad(gn_grad *grad, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(gn_grad_graph(grad), node, 0);
    const int64_t hw[2] = {x->dim[2], x->dim[3]};
    const gn_attr in_hw = gn_attr_ints("in_hw", hw, 2);
    const int dy = gn_grad_of_out(grad, node, 0);
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", "AdaptiveAveragePoolGrad", &dy, 1, &in_hw, 1));
}

/* One cell: rows h0..h1-1 and columns w0..w1-1 of the larger side. */
typedef struct cell {
    int64_t h0, h1, w0, w1;
} cell;

/* Cell i of the smaller tensor (counted through all its elements) within the larger one. */
static cell cell_at(const gn_shape *larger, const gn_shape *smaller, int64_t i)
{
    const int64_t P = smaller->dim[2], Q = smaller->dim[3], p = i / Q % P, q = i % Q;
    return (cell){gn_adaptive_begin(p, larger->dim[2], P), gn_adaptive_end(p, larger->dim[2], P),
                  gn_adaptive_begin(q, larger->dim[3], Q), gn_adaptive_end(q, larger->dim[3], Q)};
}

gn_status gn_adaptive_reference(const gn_ref_call *call)
{
    const gn_tensor *x = call->in[0];
    const gn_shape *small = &call->out[0]->shape;
    const int64_t H = x->shape.dim[2], W = x->shape.dim[3], PQ = small->dim[2] * small->dim[3],
                  n = gn_shape_count(small);
    for (int64_t i = 0; i < n; i++) {
        const cell c = cell_at(&x->shape, small, i);
        double sum = 0;
        for (int64_t h = c.h0; h < c.h1; h++)
            for (int64_t w = c.w0; w < c.w1; w++)
                sum += gn_ref_load(x, (i / PQ * H + h) * W + w);
        gn_ref_store(call->out[0], i, sum / (double)((c.h1 - c.h0) * (c.w1 - c.w0)));
    }
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const gn_tensor *dy = call->in[0];
    gn_tensor *dx = call->out[0];
    const int64_t H = dx->shape.dim[2], W = dx->shape.dim[3], PQ = dy->shape.dim[2] * dy->shape.dim[3];
    const int64_t n = gn_tensor_count(dy), n_dx = gn_tensor_count(dx);
    for (int64_t i = 0; i < n_dx; i++)
        gn_ref_store(dx, i, 0);
    for (int64_t i = 0; i < n; i++) {
        const cell c = cell_at(&dx->shape, &dy->shape, i);
        const double share = gn_ref_load(dy, i) / (double)((c.h1 - c.h0) * (c.w1 - c.w0));
        for (int64_t h = c.h0; h < c.h1; h++)
            for (int64_t w = c.w0; w < c.w1; w++) {
                const int64_t at = (i / PQ * H + h) * W + w;
                gn_ref_store(dx, at, gn_ref_load(dx, at) + share);
            }
    }
    return GN_OK;
}

const gn_op_def gn_op_adaptive_average_pool = {
    .name = "AdaptiveAveragePool",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer,
    .cost = gn_cost_per_input,
    .grad = gn_adaptive_grad,
    .reference = gn_adaptive_reference,
};

const gn_op_def gn_op_adaptive_average_pool_grad = {
    .name = "AdaptiveAveragePoolGrad",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
