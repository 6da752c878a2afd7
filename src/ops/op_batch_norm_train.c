/* BatchNormTrain and BatchNormGrad: batch normalisation by the statistics of the batch, with an optional clamp of the result
 * (lo, hi) or curve in its place (activation, alpha; curve_rules.h).
 * Variance: biased for normalising, unbiased for the running one, as PyTorch has it.
 * Source: Ioffe and Szegedy 2015, "Batch normalization", algorithm 1 and the gradient of section 3.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/batchnorm_rules.h"
#include "ops/curve_rules.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

#include <math.h>

/* ---- forward ---- */

static gn_status infer_train(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const gn_dtype dtype = gn_in_dtype(graph, node, 0);
    GN_TRY(gn_batchnorm_check(graph, node, 0, 1, 5, err));
    GN_TRY(gn_op_curve_check(node, err));
    const gn_batchnorm_sizes s = gn_batchnorm_sizes_of(x);
    if (s.N * s.inner < 2)
        return gn_shape_fail(err, node,
                             "one value per channel has no variance: a larger batch or picture is needed for training");
    gn_set_out(graph, node, 0, dtype, x);
    for (int i = 1; i < 5; i++)
        gn_set_out(graph, node, i, dtype, &(gn_shape){.rank = 1, .dim = {s.C}});
    return GN_OK;
}

static void cost_train(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    cost_out->elementwise = 3 * gn_shape_count(gn_in_shape(graph, node, 0)); /* sum, squares, normalise */
}

/* Mean and biased variance of channel c, in two passes. */
static void channel_statistics(const gn_tensor *x, const gn_batchnorm_sizes *s, int64_t c, double *mean, double *var)
{
    const int64_t count = s->N * s->inner;
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++)
        sum += gn_ref_load(x, gn_batchnorm_index(s, c, i));
    *mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        const double d = gn_ref_load(x, gn_batchnorm_index(s, c, i)) - *mean;
        squares += d * d;
    }
    *var = squares / (double)count;
}

static void store_channel(const gn_ref_call *call, int i, int64_t c, double value)
{
    if (gn_has_out(call->node, i))
        gn_ref_store(call->out[i], c, value);
}

static gn_status reference_train(const gn_ref_call *call)
{
    const gn_tensor *x = call->in[0];
    const gn_batchnorm_sizes s = gn_batchnorm_sizes_of(&x->shape);
    const double epsilon = (double)gn_node_float(call->node, "epsilon", GN_BATCHNORM_EPSILON);
    const double keep = (double)gn_node_float(call->node, "momentum", GN_BATCHNORM_MOMENTUM);
    const double count = (double)(s.N * s.inner);
    const gn_curve curve = gn_op_curve(call->node);
    float lo, hi;
    gn_op_clamp(call->node, &lo, &hi);
    for (int64_t c = 0; c < s.C; c++) {
        double mean, var;
        channel_statistics(x, &s, c, &mean, &var);
        const double invstd = 1 / sqrt(var + epsilon);
        const double scale = gn_ref_load(call->in[1], c) * invstd, shift = gn_ref_load(call->in[2], c);
        store_channel(call, 1, c, keep * gn_ref_load(call->in[3], c) + (1 - keep) * mean);
        store_channel(call, 2, c, keep * gn_ref_load(call->in[4], c) + (1 - keep) * var * count / (count - 1));
        store_channel(call, 3, c, mean);
        store_channel(call, 4, c, invstd);
        for (int64_t i = 0; i < s.N * s.inner; i++) {
            const int64_t at = gn_batchnorm_index(&s, c, i);
            const double y = gn_curve_value(curve, (gn_ref_load(x, at) - mean) * scale + shift);
            gn_ref_store(call->out[0], at, y < (double)lo ? (double)lo : y > (double)hi ? (double)hi : y);
        }
    }
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    gn_graph *graph = gn_grad_graph(grad);
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {"lo", "hi", "activation", "alpha"};
    gn_attr attrs[4];
    if (dy < 0)
        return GN_OK;
    const int n_attrs = gn_op_copy_attrs(node, copied, 4, attrs);
    /* The clamp's mask is computed again from X: cheaper than reading Y. */
    const int in[7] = {dy, node->in[0], node->in[1], node->out[3], node->out[4], node->in[2], -1};
    const int id = gn_graph_add_node(graph, "BatchNormGrad", "gannet", node->name, in, 7, 3, attrs, n_attrs);
    if (id < 0)
        return gn_graph_error(graph, NULL);
    const gn_node *made = gn_graph_node(graph, id);
    for (int i = 0; i < 3; i++)
        if (gn_grad_wants(grad, node, i))
            GN_TRY(gn_grad_give(grad, node, i, made->out[i]));
    return GN_OK;
}

/* ---- gradient ---- */

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 1);
    GN_TRY(gn_op_curve_check(node, err));
    GN_TRY(gn_batchnorm_check(graph, node, 1, 2, 6, err));
    if (!gn_shape_equal(x, gn_in_shape(graph, node, 0)) ||
        (gn_has_in(node, 6) && !gn_shape_equal(x, gn_in_shape(graph, node, 6)))) {
        char shapes[256];
        gn_op_input_shapes(graph, node, shapes);
        return gn_shape_fail(err, node, "gradient and input differ in shape: %s", shapes);
    }
    const gn_shape channels = {.rank = 1, .dim = {x->dim[1]}};
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), x);
    gn_set_out(graph, node, 1, gn_in_dtype(graph, node, 0), &channels);
    gn_set_out(graph, node, 2, gn_in_dtype(graph, node, 0), &channels);
    return GN_OK;
}

static void cost_grad(const gn_graph *graph, const gn_node *node, gn_cost *cost_out)
{
    cost_out->elementwise = 4 * gn_shape_count(gn_in_shape(graph, node, 0));
}

/* What of dy arrives at the normalised x. */
typedef struct gate {
    float lo, hi;
    gn_curve curve;
    double mean, factor, shift; /* of the channel */
} gate;

static double masked(const gn_ref_call *call, int64_t at, const gate *g)
{
    const double dy = gn_ref_load(call->in[0], at);
    double y = (gn_ref_load(call->in[1], at) - g->mean) * g->factor + g->shift;
    if (g->curve.kind != GN_CURVE_NONE)
        return dy * gn_curve_slope(g->curve, y);
    if (gn_has_in(call->node, 6))
        y = gn_ref_load(call->in[6], at);
    return y <= (double)g->lo || y >= (double)g->hi ? 0 : dy;
}

/* With xhat = (x - mean)*invstd and means over the m values of a channel:
 * dB = sum dy; dscale = sum dy*xhat; dx = scale*invstd * (dy - dB/m - xhat*dscale/m). */
static gn_status reference_grad(const gn_ref_call *call)
{
    const gn_batchnorm_sizes s = gn_batchnorm_sizes_of(&call->in[1]->shape);
    const int64_t count = s.N * s.inner;
    gate g = {.curve = gn_op_curve(call->node)};
    gn_op_clamp(call->node, &g.lo, &g.hi);
    for (int64_t c = 0; c < s.C; c++) {
        const double mean = gn_ref_load(call->in[3], c), invstd = gn_ref_load(call->in[4], c);
        const double factor = gn_ref_load(call->in[2], c) * invstd;
        double sum = 0, projected = 0;
        g.mean = mean;
        g.factor = factor;
        g.shift = gn_ref_load(call->in[5], c);
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = gn_batchnorm_index(&s, c, i);
            const double dy = masked(call, at, &g);
            sum += dy;
            projected += dy * (gn_ref_load(call->in[1], at) - mean) * invstd;
        }
        store_channel(call, 1, c, projected);
        store_channel(call, 2, c, sum);
        for (int64_t i = 0; i < count && gn_has_out(call->node, 0); i++) {
            const int64_t at = gn_batchnorm_index(&s, c, i);
            const double xhat = (gn_ref_load(call->in[1], at) - mean) * invstd;
            const double dx = factor * (masked(call, at, &g) - sum / (double)count - xhat * projected / (double)count);
            gn_ref_store(call->out[0], at, dx);
        }
    }
    return GN_OK;
}

const gn_op_def gn_op_batch_norm_train = {
    .name = "BatchNormTrain",
    .domain = "gannet",
    .min_in = 5,
    .max_in = 5,
    .min_out = 1,
    .max_out = 5,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 1u,
    .nhwc_out = 1u,
    .renews = true,
    .infer = infer_train,
    .cost = cost_train,
    .grad = grad_rule,
    .reference = reference_train,
};

const gn_op_def gn_op_batch_norm_grad = {
    .name = "BatchNormGrad",
    .domain = "gannet",
    .min_in = 6, /* Y, the last, is for who wants the mask of another's rounding */
    .max_in = 7,
    .min_out = 1,
    .max_out = 3,
    .layout = GN_LAYOUT_RULE_NHWC,
    .nhwc_in = 0x43u,
    .nhwc_out = 1u,
    .inplace_in = 1u,
    .infer = infer_grad,
    .cost = cost_grad,
    .reference = reference_grad,
};
