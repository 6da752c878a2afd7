/* InstanceNormalization: each channel of each picture gets mean 0 and variance 1, then a scale and a bias per channel.  The gradient
 * is spelled in other operators.
 * Source: ONNX InstanceNormalization (opset 6); Ulyanov et al. 2016, "Instance Normalization".
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <inttypes.h>
#include <math.h>

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    if (x->rank < 3)
        return gn_shape_fail(err, node, "its input has %d dimensions, expected three or more", x->rank);
    for (int i = 1; i < 3; i++) {
        const gn_shape *s = gn_in_shape(graph, node, i);
        if (s->rank != 1 || s->dim[0] != x->dim[1])
            return gn_shape_fail(err, node, "scale and bias do not have one number for each of %" PRId64 " channels",
                                 x->dim[1]);
    }
    return gn_rule_same(graph, node, err);
}

/* ---- gradient ---- */

typedef struct emitter {
    gn_grad *grad;
    const gn_node *node;
    int axes; /* constant: those of the pixels */
} emitter;

static int binary(const emitter *e, const char *op, int a, int b)
{
    return gn_emit_binary(e->grad, e->node, "", op, a, b);
}

static int mean(const emitter *e, int value)
{
    return binary(e, "ReduceMean", value, e->axes);
}

/* A value per channel as [C,1,...]. */
static int per_channel(const emitter *e, int value, const gn_shape *x)
{
    int64_t dims[GN_MAX_RANK];
    for (int d = 1; d < x->rank; d++)
        dims[d - 1] = d == 1 ? x->dim[1] : 1;
    return binary(e, "Reshape", value, gn_graph_add_const_s64(gn_grad_graph(e->grad), NULL, x->rank - 1, dims));
}

/* Sum over everything but the channels. */
static gn_status give_per_channel(const emitter *e, int i, int value, const gn_shape *x)
{
    int64_t dims[GN_MAX_RANK];
    for (int d = 0; d < x->rank; d++)
        dims[d] = d == 1 ? x->dim[1] : 1;
    const gn_attr attr = gn_attr_ints("shape", dims, x->rank);
    const int sum = value < 0 ? value : gn_emit(e->grad, e->node, "gannet", "SumTo", &value, 1, &attr, 1);
    return gn_give(e->grad, e->node, i, gn_emit_reshape_like(e->grad, e->node, sum, e->node->in[i]));
}

/* With n = (x - mean) / deviation and g = dY * scale: dX = (g - mean(g) - n * mean(g * n)) / deviation. */
static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const gn_shape x = *gn_in_shape(graph, node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    int64_t axes[GN_MAX_RANK];
    if (dy < 0)
        return GN_OK;
    for (int d = 2; d < x.rank; d++)
        axes[d - 2] = d;
    const emitter e = {grad, node, gn_graph_add_const_s64(graph, NULL, x.rank - 2, axes)};
    const int centred = binary(&e, "Sub", node->in[0], mean(&e, node->in[0]));
    const int variance = mean(&e, binary(&e, "Mul", centred, centred));
    const int shifted = binary(&e, "Add", variance, gn_emit_scalar(grad, node, gn_node_float(node, "epsilon", 1e-5f)));
    const int deviation = gn_emit_unary(grad, node, "", "Sqrt", shifted);
    const int normal = binary(&e, "Div", centred, deviation);
    if (gn_grad_wants(grad, node, 0)) {
        const int g = binary(&e, "Mul", dy, per_channel(&e, node->in[1], &x));
        const int along = binary(&e, "Mul", normal, mean(&e, binary(&e, "Mul", g, normal)));
        const int rest = binary(&e, "Sub", binary(&e, "Sub", g, mean(&e, g)), along);
        GN_TRY(gn_give(grad, node, 0, binary(&e, "Div", rest, deviation)));
    }
    if (gn_grad_wants(grad, node, 1))
        GN_TRY(give_per_channel(&e, 1, binary(&e, "Mul", dy, normal), &x));
    return gn_grad_wants(grad, node, 2) ? give_per_channel(&e, 2, dy, &x) : GN_OK;
}

/* ---- reference ---- */

static gn_status reference(const gn_ref_call *call)
{
    const gn_shape *shape = &call->in[0]->shape;
    const double epsilon = (double)gn_node_float(call->node, "epsilon", 1e-5f);
    const int64_t C = shape->dim[1], planes = shape->dim[0] * C, n = gn_shape_count(shape);
    const int64_t pixels = planes > 0 ? n / planes : 0;
    for (int64_t p = 0; p < planes; p++) {
        const double scale = gn_ref_load(call->in[1], p % C), bias = gn_ref_load(call->in[2], p % C);
        double sum = 0, squares = 0;
        for (int64_t i = p * pixels; i < (p + 1) * pixels; i++)
            sum += gn_ref_load(call->in[0], i);
        const double centre = sum / (double)pixels;
        for (int64_t i = p * pixels; i < (p + 1) * pixels; i++) {
            const double d = gn_ref_load(call->in[0], i) - centre;
            squares += d * d;
        }
        const double factor = scale / sqrt(squares / (double)pixels + epsilon);
        for (int64_t i = p * pixels; i < (p + 1) * pixels; i++)
            gn_ref_store(call->out[0], i, (gn_ref_load(call->in[0], i) - centre) * factor + bias);
    }
    return GN_OK;
}

const gn_op_def gn_op_instance_normalization = {
    .name = "InstanceNormalization",
    .domain = "",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};
