/* SpaceToDepth and DepthToSpace: blocks of pixels become channels, and back; in mode DCR the position in the block runs before the
 * channel, in CRD after it.  Each is the gradient of the other (SpaceToDepth knows the mode, too, which ONNX does not have).
 * Source: ONNX SpaceToDepth, DepthToSpace (opset 13).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"

#include <inttypes.h>
#include <string.h>

/* Sizes of the fine picture [N, C, H*b, W*b] and the deep one [N, C*b*b, H, W]. */
typedef struct sizes {
    int64_t N, C, H, W, b;
    bool channel_first; /* CRD */
} sizes;

static gn_status sizes_of(const gn_graph *graph, const gn_node *node, sizes *out, gn_error *err)
{
    const gn_shape *x = gn_in_shape(graph, node, 0);
    const int64_t b = gn_node_int(node, "blocksize", 0);
    const char *mode = gn_node_string(node, "mode", "DCR");
    const bool to_depth = strcmp(node->op->name, "SpaceToDepth") == 0;
    if (x->rank != 4 || b < 1 || b > (1 << 16))
        return gn_shape_fail(err, node, "a picture of four dimensions and a blocksize of at least 1 are expected");
    if (to_depth ? x->dim[2] % b != 0 || x->dim[3] % b != 0 : x->dim[1] % (b * b) != 0)
        return gn_shape_fail(err, node, "blocks of %" PRId64 " do not fit into its input", b);
    if (strcmp(mode, "DCR") != 0 && strcmp(mode, "CRD") != 0)
        return gn_shape_fail(err, node, "mode is %s, expected DCR or CRD", mode);
    *out = (sizes){.N = x->dim[0],
                   .C = to_depth ? x->dim[1] : x->dim[1] / (b * b),
                   .H = to_depth ? x->dim[2] / b : x->dim[2],
                   .W = to_depth ? x->dim[3] / b : x->dim[3],
                   .b = b,
                   .channel_first = strcmp(mode, "CRD") == 0};
    return GN_OK;
}

static gn_status infer(gn_graph *graph, const gn_node *node, gn_error *err)
{
    sizes s;
    GN_TRY(sizes_of(graph, node, &s, err));
    const bool to_depth = strcmp(node->op->name, "SpaceToDepth") == 0;
    const gn_shape deep = {.rank = 4, .dim = {s.N, s.C * s.b * s.b, s.H, s.W}},
                   fine = {.rank = 4, .dim = {s.N, s.C, s.H * s.b, s.W * s.b}};
    gn_set_out(graph, node, 0, gn_in_dtype(graph, node, 0), to_depth ? &deep : &fine);
    return GN_OK;
}

static gn_status grad_rule(gn_grad *grad, const gn_node *node)
{
    const bool to_depth = strcmp(node->op->name, "SpaceToDepth") == 0;
    const int dy = gn_grad_of_out(grad, node, 0);
    static const char *const copied[] = {"blocksize", "mode"};
    gn_attr attrs[2];
    if (dy < 0 || !gn_grad_wants(grad, node, 0))
        return GN_OK;
    const int n = gn_op_copy_attrs(node, copied, 2, attrs);
    return gn_give(grad, node, 0,
                   gn_emit(grad, node, "", to_depth ? "DepthToSpace" : "SpaceToDepth", &dy, 1, attrs, n));
}

/* Plain index into the fine picture of element i of the deep one. */
static int64_t fine_index(const sizes *s, int64_t i)
{
    const int64_t w = i % s->W, h = i / s->W % s->H, k = i / (s->W * s->H) % (s->C * s->b * s->b),
                  n = i / (s->W * s->H * s->C * s->b * s->b);
    const int64_t c = s->channel_first ? k / (s->b * s->b) : k % s->C;
    const int64_t place = s->channel_first ? k % (s->b * s->b) : k / s->C;
    return ((n * s->C + c) * s->H * s->b + h * s->b + place / s->b) * s->W * s->b + w * s->b + place % s->b;
}

static gn_status reference(const gn_ref_call *call)
{
    const bool to_depth = strcmp(call->node->op->name, "SpaceToDepth") == 0;
    const int64_t n = gn_tensor_count(call->out[0]);
    sizes s;
    GN_TRY(sizes_of(call->graph, call->node, &s, NULL));
    for (int64_t i = 0; i < n; i++) {
        const int64_t k = fine_index(&s, i);
        gn_ref_move(call->out[0], to_depth ? i : k, call->in[0], to_depth ? k : i);
    }
    return GN_OK;
}

const gn_op_def gn_op_space_to_depth = {
    .name = "SpaceToDepth",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};

const gn_op_def gn_op_depth_to_space = {
    .name = "DepthToSpace",
    .domain = "",
    .min_in = 1,
    .max_in = 1,
    .min_out = 1,
    .max_out = 1,
    .layout = GN_LAYOUT_RULE_SAME,
    .infer = infer,
    .grad = grad_rule,
    .reference = reference,
};
