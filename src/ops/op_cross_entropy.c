/* SoftmaxCrossEntropyLoss, the cross entropy of logits against a class, and its gradient.  Per picture, with p = softmax(x) and label
 * smoothing e over C classes (Szegedy et al. 2016, section 7):
 *   (1 - e) * -log p[class] + e * mean over c of -log p[c],
 * the logarithm by the largest logit's shift, which does not overflow.  Operands: logits [N,C], classes s64 [N], weights [N]; the result
 * is the weighted mean of loss_rules.h.  A picture of weight 0 may have any class.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>

#include "ops/loss_rules.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

/* Logits are input `first`; classes and weights follow. */
static gn_status check_operands(const gn_graph *graph, const gn_node *node, int first, gn_error *err)
{
    const gn_shape *logits = gn_in_shape(graph, node, first), *classes = gn_in_shape(graph, node, first + 1),
                   *weight = gn_in_shape(graph, node, first + 2);
    char shapes[256];
    if (logits->rank == 2 && classes->rank == 1 && weight->rank == 1 && classes->dim[0] == logits->dim[0] &&
        weight->dim[0] == logits->dim[0] && gn_in_dtype(graph, node, first + 1) == GN_DTYPE_S64)
        return GN_OK;
    gn_op_input_shapes(graph, node, shapes);
    return gn_shape_fail(err, node,
                         "its operands have the shapes %s, expected logits [N,C], classes [N] in s64 and weights [N]",
                         shapes);
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check_operands(graph, node, 0, err));
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), &(gn_shape){.rank = 0});
    return GN_OK;
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    if (gn_shape_count(gn_in_shape(graph, node, 0)) != 1)
        return gn_shape_fail(err, node, "the gradient of its loss is no scalar");
    GN_TRY(check_operands(graph, node, 1, err));
    return gn_rule_like_second(graph, node, err);
}

/* log(sum over c of exp(x[c])) of row n. */
static double log_sum(const gn_tensor *logits, int64_t n, int64_t C)
{
    double peak = -INFINITY, sum = 0;
    for (int64_t c = 0; c < C; c++)
        peak = fmax(peak, gn_ref_load(logits, n * C + c));
    for (int64_t c = 0; c < C; c++)
        sum += exp(gn_ref_load(logits, n * C + c) - peak);
    return peak + log(sum);
}

/* What row n weighs; 0 also for a class that there is not. */
static double row_weight(const gn_tensor *classes, const gn_tensor *weight, int64_t n, int64_t C, int64_t *class_out)
{
    *class_out = (int64_t)gn_ref_load(classes, n);
    return *class_out >= 0 && *class_out < C ? gn_ref_load(weight, n) : 0;
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_tensor *logits = call->in[0];
    const int64_t N = logits->shape.dim[0], C = logits->shape.dim[1];
    const double e = (double)gn_node_float(call->node, "label_smoothing", 0);
    double total = 0;
    for (int64_t n = 0; n < N; n++) {
        int64_t cls;
        const double w = row_weight(call->in[1], call->in[2], n, C, &cls);
        if (w == 0)
            continue;
        const double norm = log_sum(logits, n, C);
        double mean = 0;
        for (int64_t c = 0; c < C; c++)
            mean += norm - gn_ref_load(logits, n * C + c);
        mean /= (double)C;
        total += w * ((1 - e) * (norm - gn_ref_load(logits, n * C + cls)) + e * mean);
    }
    gn_ref_store(call->out[0], 0, total / gn_loss_weight_sum(call->in[2]));
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const gn_tensor *logits = call->in[1];
    const int64_t N = logits->shape.dim[0], C = logits->shape.dim[1];
    const double e = (double)gn_node_float(call->node, "label_smoothing", 0);
    const double factor = gn_ref_load(call->in[0], 0) / gn_loss_weight_sum(call->in[3]);
    for (int64_t n = 0; n < N; n++) {
        int64_t cls;
        const double w = row_weight(call->in[2], call->in[3], n, C, &cls);
        const double norm = w != 0 ? log_sum(logits, n, C) : 0;
        for (int64_t c = 0; c < C; c++) {
            const double p = w != 0 ? exp(gn_ref_load(logits, n * C + c) - norm) : 0;
            const double target = (c == cls ? 1 - e : 0) + e / (double)C;
            gn_ref_store(call->out[0], n * C + c, w != 0 ? factor * w * (p - target) : 0);
        }
    }
    return GN_OK;
}

const gn_op_def gn_op_cross_entropy = {
    .name = "SoftmaxCrossEntropyLoss",
    .domain = "gannet",
    .min_in = 3,
    .max_in = 3,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer,
    .cost = gn_cost_per_input,
    .grad = gn_loss_grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_cross_entropy_grad = {
    .name = "SoftmaxCrossEntropyLossGrad",
    .domain = "gannet",
    .min_in = 4,
    .max_in = 4,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_PLAIN,
    .infer = infer_grad,
    .cost = gn_cost_per_output,
    .reference = reference_grad,
};
