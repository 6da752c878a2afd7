/* Resize: the input sampled on another grid, nearest, linear or cubic, axis by axis; and ResizeGrad(dY, roi, scales, sizes) with
 * attribute in_shape, the transposed sampling.
 * Source: ONNX Resize (opset 19).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"
#include "ops/resize_taps.h"

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_resize r;
    GN_TRY(gn_resize_of(graph, node, &r, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &r.y);
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    gn_resize r;
    GN_TRY(gn_resize_of(graph, node, &r, err));
    if (!gn_node_attr(node, "in_shape") || !gn_shape_equal(&r.y, gn_in_shape(graph, node, 0)))
        return gn_shape_fail(err, node, "the gradient does not have the shape of the result");
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &r.x);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const gn_shape *x = gn_in_shape(gn_grad_graph(grad), node, 0);
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {
        "mode", "coordinate_transformation_mode", "nearest_mode", "antialias", "exclude_outside", "cubic_coeff_a",
        "axes", "keep_aspect_ratio_policy"};
    gn_attr attrs[9];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int n = gn_op_copy_attrs(node, copied, 8, attrs);
    attrs[n] = gn_attr_ints("in_shape", x->dim, x->rank);
    int in[4] = {dy, -1, -1, -1};
    for (int i = 1; i < node->n_in; i++)
        in[i] = node->in[i];
    return gn_give(grad, node, 0, gn_emit(grad, node, "gannet", "ResizeGrad", in, node->n_in, attrs, n + 1));
}

/* ---- reference ---- */

typedef struct sampling {
    gn_resize resize;
    gn_resize_axis axes[GN_MAX_RANK];
} sampling;

static void sampling_deinit(sampling *s)
{
    for (int d = 0; d < GN_MAX_RANK; d++)
        gn_resize_axis_deinit(&s->axes[d]);
}

static gn_status sampling_init(const gn_ref_call *call, sampling *s)
{
    gn_status status = gn_resize_of(call->graph, call->node, &s->resize, NULL);
    for (int d = 0; d < s->resize.x.rank && status == GN_OK; d++)
        status = gn_resize_axis_init(&s->resize, d, &s->axes[d]);
    if (status != GN_OK)
        sampling_deinit(s);
    return status;
}

static bool is_outside(const sampling *s, const int64_t *at)
{
    for (int d = 0; d < s->resize.x.rank; d++)
        if (s->axes[d].is_outside[at[d]])
            return true;
    return false;
}

/* Sum over the taps of axes d.. at position `at` of the result; base: plain index of what was chosen along the axes before. */
static double sample(const sampling *s, const gn_tensor *x, int d, const int64_t *at, int64_t base)
{
    if (d == s->resize.x.rank)
        return gn_ref_load(x, base);
    const gn_resize_axis *axis = &s->axes[d];
    if (axis->is_identity)
        return sample(s, x, d + 1, at, base * axis->in + at[d]);
    double sum = 0;
    for (int64_t t = at[d] * axis->n; t < (at[d] + 1) * axis->n; t++)
        if (axis->weight[t] < 0 || axis->weight[t] > 0)
            sum += axis->weight[t] * sample(s, x, d + 1, at, base * axis->in + axis->index[t]);
    return sum;
}

/* Adds weight to every tap, the other way round. */
static void scatter(const sampling *s, gn_tensor *dx, int d, const int64_t *at, int64_t base, double weight)
{
    if (d == s->resize.x.rank) {
        gn_ref_store(dx, base, gn_ref_load(dx, base) + weight);
        return;
    }
    const gn_resize_axis *axis = &s->axes[d];
    for (int64_t t = at[d] * axis->n; t < (at[d] + 1) * axis->n; t++)
        if (axis->weight[t] < 0 || axis->weight[t] > 0)
            scatter(s, dx, d + 1, at, base * axis->in + axis->index[t], weight * axis->weight[t]);
}

static gn_status reference(const gn_ref_call *call)
{
    sampling s = {0};
    GN_TRY(sampling_init(call, &s));
    const int64_t n = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[GN_MAX_RANK];
        gn_unravel(&s.resize.y, i, at);
        gn_ref_store(call->out[0], i, is_outside(&s, at) ? s.resize.extrapolation : sample(&s, call->in[0], 0, at, 0));
    }
    sampling_deinit(&s);
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    sampling s = {0};
    GN_TRY(sampling_init(call, &s));
    const int64_t n = gn_tensor_count(call->in[0]), n_out = gn_tensor_count(call->out[0]);
    for (int64_t i = 0; i < n_out; i++)
        gn_ref_store(call->out[0], i, 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[GN_MAX_RANK];
        gn_unravel(&s.resize.y, i, at);
        if (!is_outside(&s, at))
            scatter(&s, call->out[0], 0, at, 0, gn_ref_load(call->in[0], i));
    }
    sampling_deinit(&s);
    return GN_OK;
}

const gn_op_def gn_op_resize = {
    .name = "Resize",
    .domain = "",
    .min_in = 1,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .cost = gn_cost_per_output,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_resize_grad = {
    .name = "ResizeGrad",
    .domain = "gannet",
    .min_in = 1,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer_grad,
    .cost = gn_cost_per_input,
    .reference = reference_grad,
};
