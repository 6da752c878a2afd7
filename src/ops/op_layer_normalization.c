/* LayerNormalization: y = scale * (x - mean) / sqrt(var + epsilon) + bias, with mean and variance over the dimensions from `axis` on; the
 * optional outputs are mean and 1 / sqrt(var + epsilon).  LayerNormGrad(dY, X, scale) -> dX, dScale, dBias computes both again.
 * Source: Ba et al. 2016, "Layer normalization"; ONNX LayerNormalization (opset 17).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

/* X as [rows, width]; normalised: its dimensions from the axis on. */
typedef struct sizes {
    int64_t rows, width;
    gn_shape normalised;
    int axis;
    double epsilon;
} sizes;

static gn_status sizes_of(const gn_node *node, const gn_shape *x, sizes *out, gn_error *err)
{
    sizes s = {.epsilon = (double)gn_node_float(node, "epsilon", 1e-5f)};
    GN_TRY(gn_op_axis(node, "axis", -1, x->rank, &s.axis, err));
    const gn_shape outer = gn_shape_of(s.axis, x->dim);
    s.normalised = gn_shape_of(x->rank - s.axis, x->dim + s.axis);
    s.rows = gn_shape_count(&outer);
    s.width = gn_shape_count(&s.normalised);
    *out = s;
    return GN_OK;
}

/* Operand i broadcasts to the normalised dimensions. */
static gn_status check_operand(const gn_graph *graph, const gn_node *node, const sizes *s, int i, gn_error *err)
{
    gn_shape both;
    if (!gn_has_in(node, i) || (gn_shape_broadcast(&s->normalised, gn_in_shape(graph, node, i), &both) == GN_OK &&
                                gn_shape_equal(&both, &s->normalised)))
        return GN_OK;
    char found[128], expected[128];
    gn_shape_format(gn_in_shape(graph, node, i), found);
    gn_shape_format(&s->normalised, expected);
    return gn_shape_fail(err, node, "its input %d has the shape %s, expected %s", i, found, expected);
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    sizes s;
    GN_TRY(sizes_of(node, x, &s, err));
    for (int i = 1; i < 3; i++)
        GN_TRY(check_operand(graph, node, &s, i, err));
    gn_shape statistics = *x;
    for (int d = s.axis; d < x->rank; d++)
        statistics.dim[d] = 1;
    gn_set_out(graph, node, 1, gn_in_dtype(graph, node, 0), &statistics);
    gn_set_out(graph, node, 2, gn_in_dtype(graph, node, 0), &statistics);
    return gn_rule_same(graph, node, err);
}

static void cost(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    cost_out->elementwise = 2 * gn_shape_count(gn_in_shape(graph, node, 0));
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    static const char *const names[] = {"axis", "epsilon"};
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0);
    const int in[3] = {dy, node->in[0], node->in[1]};
    gn_attr attrs[2];
    if (gn_grad_of_out(grad, node, 1) >= 0 || gn_grad_of_out(grad, node, 2) >= 0)
        return gn_graph_set_error(graph, GN_EUNSUPPORTED,
                                  "node %s (LayerNormalization): its mean and deviation have no gradient", node->name);
    if (dy < 0)
        return GN_OK;
    const int n_attrs = gn_op_copy_attrs(node, names, 2, attrs);
    const int id = gn_graph_add_node(graph, "LayerNormGrad", "gannet", node->name, in, 3, 3, attrs, n_attrs);
    if (id < 0)
        return gn_graph_error(graph, NULL);
    const int out[3] = {gn_graph_node(graph, id)->out[0], gn_graph_node(graph, id)->out[1],
                        gn_graph_node(graph, id)->out[2]};
    if (gn_grad_wants(grad, node, 0))
        GN_TRY(gn_give(grad, node, 0, out[0]));
    for (int i = 1; i < node->n_in; i++)
        if (gn_has_in(node, i) && gn_grad_wants(grad, node, i))
            GN_TRY(gn_give_summed(grad, node, i, out[i]));
    return GN_OK;
}

static void row_statistics(const gn_tensor *x, const sizes *s, int64_t row, double *mean, double *invstd)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < s->width; i++)
        sum += gn_ref_load(x, row * s->width + i);
    *mean = sum / (double)s->width;
    for (int64_t i = 0; i < s->width; i++) {
        const double d = gn_ref_load(x, row * s->width + i) - *mean;
        squares += d * d;
    }
    *invstd = 1 / sqrt(squares / (double)s->width + s->epsilon);
}

static double operand(const gn_tensor *t, const sizes *s, int64_t i)
{
    return gn_ref_load(t, gn_broadcast_index(&t->shape, &s->normalised, i));
}

static gn_status reference(const gn_ref_call *call)
{
    sizes s;
    GN_TRY(sizes_of(call->node, &call->in[0]->shape, &s, NULL));
    for (int64_t row = 0; row < s.rows; row++) {
        double mean, invstd;
        row_statistics(call->in[0], &s, row, &mean, &invstd);
        for (int64_t i = 0; i < s.width; i++) {
            const double y =
                (gn_ref_load(call->in[0], row * s.width + i) - mean) * invstd * operand(call->in[1], &s, i);
            gn_ref_store(call->out[0], row * s.width + i,
                         gn_has_in(call->node, 2) ? y + operand(call->in[2], &s, i) : y);
        }
        if (gn_has_out(call->node, 1))
            gn_ref_store(call->out[1], row, mean);
        if (gn_has_out(call->node, 2))
            gn_ref_store(call->out[2], row, invstd);
    }
    return GN_OK;
}

/* ---- gradient ---- */

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    sizes s;
    GN_TRY(sizes_of(node, gn_in_shape(graph, node, 1), &s, err));
    GN_TRY(check_operand(graph, node, &s, 2, err));
    if (!gn_shape_equal(gn_in_shape(graph, node, 0), gn_in_shape(graph, node, 1)))
        return gn_shape_fail(err, node, "gradient and input differ in shape");
    gn_set_out(graph, node, 1, gn_in_dtype(graph, node, 0), &s.normalised);
    gn_set_out(graph, node, 2, gn_in_dtype(graph, node, 0), &s.normalised);
    return gn_rule_same(graph, node, err);
}

static void cost_grad(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    cost_out->elementwise = 4 * gn_shape_count(gn_in_shape(graph, node, 1));
}

/* With xhat = (x - mean) * invstd and g = dy * scale: dx = invstd * (g - mean(g) - xhat * mean(g * xhat)). */
static void row_dx(const gn_ref_call *call, const sizes *s, int64_t row, double mean, double invstd)
{
    double sum = 0, projected = 0;
    for (int64_t i = 0; i < s->width; i++) {
        const double g = gn_ref_load(call->in[0], row * s->width + i) * operand(call->in[2], s, i);
        sum += g;
        projected += g * (gn_ref_load(call->in[1], row * s->width + i) - mean) * invstd;
    }
    for (int64_t i = 0; i < s->width; i++) {
        const double g = gn_ref_load(call->in[0], row * s->width + i) * operand(call->in[2], s, i);
        const double xhat = (gn_ref_load(call->in[1], row * s->width + i) - mean) * invstd;
        gn_ref_store(call->out[0], row * s->width + i,
                     invstd * (g - sum / (double)s->width - xhat * projected / (double)s->width));
    }
}

static gn_status sum_parameters(const gn_ref_call *call, const sizes *s)
{
    double *sums = gn_calloc((size_t)s->width * 2 + 1, sizeof *sums);
    if (!sums)
        return GN_ENOMEM;
    for (int64_t row = 0; row < s->rows; row++) {
        double mean, invstd;
        row_statistics(call->in[1], s, row, &mean, &invstd);
        for (int64_t i = 0; i < s->width; i++) {
            const double dy = gn_ref_load(call->in[0], row * s->width + i);
            sums[i] += dy * (gn_ref_load(call->in[1], row * s->width + i) - mean) * invstd;
            sums[s->width + i] += dy;
        }
    }
    for (int k = 1; k < 3; k++)
        for (int64_t i = 0; gn_has_out(call->node, k) && i < s->width; i++)
            gn_ref_store(call->out[k], i, sums[(k - 1) * s->width + i]);
    gn_free(sums);
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    sizes s;
    GN_TRY(sizes_of(call->node, &call->in[1]->shape, &s, NULL));
    GN_TRY(sum_parameters(call, &s));
    for (int64_t row = 0; row < s.rows && gn_has_out(call->node, 0); row++) {
        double mean, invstd;
        row_statistics(call->in[1], &s, row, &mean, &invstd);
        row_dx(call, &s, row, mean, invstd);
    }
    return GN_OK;
}

const gn_op_def gn_op_layer_normalization = {
    .name = "LayerNormalization",
    .domain = "",
    .min_in = 2,
    .max_in = 3,
    .min_out = 1,
    .max_out = 3,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .inplace_in = 1u,
    .infer = infer,
    .cost = cost,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_layer_norm_grad = {
    .name = "LayerNormGrad",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 3,
    .max_out = 3,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .inplace_in = 1u,
    .infer = infer_grad,
    .cost = cost_grad,
    .reference = reference_grad,
};
