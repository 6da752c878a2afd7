/* IoULoss with attribute kind (iou, giou, diou, ciou): 1 - measure of each row's box x1 y1 x2 y2, and its gradient.
 * Source: formulas and papers in detect/box.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/box.h"
#include "ops/loss_rules.h"
#include "ops/op_rules.h"
#include "ops/ref_access.h"

static gn_status check_boxes(const gn_graph *graph, const gn_node *node, int pred, gn_error *err)
{
    const gn_shape *shape = gn_in_shape(graph, node, pred);
    const char *kind = gn_node_string(node, "kind", "iou");
    gn_iou_kind parsed;
    if (shape->rank != 2 || shape->dim[1] != 4)
        return gn_shape_fail(err, node, "its predictions are not boxes [N,4]");
    if (!gn_iou_kind_parse(kind, &parsed))
        return gn_shape_fail(err, node, "its kind is %s, expected iou, giou, diou or ciou", kind);
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check_boxes(graph, node, 0, err));
    return gn_loss_infer(graph, node, err);
}

static gn_status infer_grad(gn_graph *graph, const gn_node *node, gn_error *err)
{
    GN_TRY(check_boxes(graph, node, 1, err));
    return gn_loss_grad_infer(graph, node, err);
}

static double row_loss(const gn_node *node, const gn_tensor *pred, const gn_tensor *target, int64_t n, double dpred[4])
{
    double p[4], t[4];
    gn_iou_kind kind = GN_IOU_PLAIN;
    gn_iou_kind_parse(gn_node_string(node, "kind", "iou"), &kind);
    for (int i = 0; i < 4; i++) {
        p[i] = gn_ref_load(pred, n * 4 + i);
        t[i] = gn_ref_load(target, n * 4 + i);
    }
    return gn_box_iou_loss(kind, p, t, dpred);
}

static gn_status reference(const gn_ref_call *call)
{
    const gn_tensor *pred = call->in[0], *target = call->in[1], *weight = call->in[2];
    double sum = 0;
    for (int64_t n = 0; n < pred->shape.dim[0]; n++)
        sum += gn_ref_load(weight, n) * row_loss(call->node, pred, target, n, NULL);
    gn_ref_store(call->out[0], 0, sum / gn_loss_weight_sum(weight));
    return GN_OK;
}

static gn_status reference_grad(const gn_ref_call *call)
{
    const gn_tensor *pred = call->in[1], *target = call->in[2], *weight = call->in[3];
    const double factor = gn_ref_load(call->in[0], 0) / gn_loss_weight_sum(weight);
    for (int64_t n = 0; n < pred->shape.dim[0]; n++) {
        double dpred[4];
        row_loss(call->node, pred, target, n, dpred);
        for (int i = 0; i < 4; i++)
            gn_ref_store(call->out[0], n * 4 + i, factor * gn_ref_load(weight, n) * dpred[i]);
    }
    return GN_OK;
}

const gn_op_def gn_op_iou_loss = {
    .name = "IoULoss",
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

const gn_op_def gn_op_iou_loss_grad = {
    .name = "IoULossGrad",
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
