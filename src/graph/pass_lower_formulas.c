/* Formulas that models spell in simpler operators, because their opset had no operator for them: HardSwish, Silu, Gelu,
 * LayerNormalization.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "graph/graph_internal.h"
#include "graph/pass_lower.h"

/* The operand of a node of two that is not `value`; -1 when neither is. */
static int other_operand(const gn_node *node, int value)
{
    return node->in[0] == value ? node->in[1] : node->in[1] == value ? node->in[0] : -1;
}

/* The operand beside one that is the constant x; -1 when there is none. */
static int beside_scalar(const gn_lowering *l, const gn_node *node, double x)
{
    for (int i = 0; i < 2; i++)
        if (gn_lower_is_scalar(l, node->in[i], x))
            return node->in[1 - i];
    return -1;
}

/* x * HardSigmoid(x), with 1/6 and 1/2. */
gn_status gn_lower_hard_swish(gn_lowering *l, int at)
{
    const gn_node *node = l->graph->nodes[at];
    for (int i = 0; i < 2; i++) {
        const gn_node *gate = gn_lower_producer(l, node->in[i], "HardSigmoid");
        if (!gate || gate->in[0] != node->in[1 - i] || l->uses[gate->out[0]] != 1 ||
            fabsf(gn_node_float(gate, "alpha", 0.2f) - 1.0f / 6) > 1e-6f || gn_node_float(gate, "beta", 0.5f) != 0.5f)
            continue;
        gn_lower_replace(l, at, "", "HardSwish", gate->in, 1, NULL, 0);
        return gn_graph_error(l->graph, NULL);
    }
    return GN_OK;
}

/* x * Sigmoid(x). */
gn_status gn_lower_silu(gn_lowering *l, int at)
{
    const gn_node *node = l->graph->nodes[at];
    for (int i = 0; i < 2; i++) {
        const gn_node *gate = gn_lower_producer(l, node->in[i], "Sigmoid");
        if (!gate || gate->in[0] != node->in[1 - i] || l->uses[gate->out[0]] != 1)
            continue;
        gn_lower_replace(l, at, "gannet", "Silu", gate->in, 1, NULL, 0);
        return gn_graph_error(l->graph, NULL);
    }
    return GN_OK;
}

/* x, when `value` is 1 + erf(x / sqrt(2)); else -1. */
static int inside_one_plus_erf(const gn_lowering *l, int value)
{
    const gn_node *add = gn_lower_producer(l, value, "Add");
    const gn_node *erf = add ? gn_lower_producer(l, beside_scalar(l, add, 1), "Erf") : NULL;
    if (!erf)
        return -1;
    const gn_node *div = gn_lower_producer(l, erf->in[0], "Div"), *mul = gn_lower_producer(l, erf->in[0], "Mul");
    if (div)
        return gn_lower_is_scalar(l, div->in[1], 1.41421356237309505) ? div->in[0] : -1;
    return mul ? beside_scalar(l, mul, 0.70710678118654752) : -1;
}

/* (x * (1 + erf)) * 0.5, or (x * 0.5) * (1 + erf). */
gn_status gn_lower_gelu(gn_lowering *l, int at)
{
    const gn_node *node = l->graph->nodes[at];
    for (int i = 0; i < 2; i++) {
        const gn_node *inner = gn_lower_producer(l, node->in[i], "Mul");
        if (!inner)
            continue;
        int x = -1;
        if (gn_lower_is_scalar(l, node->in[1 - i], 0.5)) {
            for (int k = 0; k < 2 && x < 0; k++) {
                x = inside_one_plus_erf(l, inner->in[k]);
                x = x == inner->in[1 - k] ? x : -1;
            }
        } else {
            x = inside_one_plus_erf(l, node->in[1 - i]);
            x = x >= 0 && x == beside_scalar(l, inner, 0.5) ? x : -1;
        }
        if (x < 0 || l->uses[inner->out[0]] != 1)
            continue;
        gn_lower_replace(l, at, "", "Gelu", &x, 1, NULL, 0);
        return gn_graph_error(l->graph, NULL);
    }
    return GN_OK;
}

/* Mean over the last axis only, kept as a dimension. */
static bool is_last_mean(const gn_lowering *l, const gn_node *mean)
{
    int64_t axes[GN_MAX_RANK];
    const int rank = l->graph->values[mean->in[0]]->shape.rank;
    const int n = gn_has_in(mean, 1) ? gn_in_const_s64(l->graph, mean, 1, axes, GN_MAX_RANK)
                                     : gn_node_ints(mean, "axes", axes, GN_MAX_RANK, 0);
    return n == 1 && (axes[0] == -1 || axes[0] == rank - 1) && gn_node_int(mean, "keepdims", 1) != 0;
}

static bool is_square_of(const gn_lowering *l, int value, int x)
{
    const gn_node *pow = gn_lower_producer(l, value, "Pow"), *mul = gn_lower_producer(l, value, "Mul");
    if (pow)
        return pow->in[0] == x && gn_lower_is_scalar(l, pow->in[1], 2);
    return mul && mul->in[0] == x && mul->in[1] == x;
}

/* The epsilon of sqrt(mean(d^2) + epsilon) over the last axis; false when `value` is something else. */
static bool is_deviation(const gn_lowering *l, int value, int d, float *epsilon)
{
    const gn_node *root = gn_lower_producer(l, value, "Sqrt");
    const gn_node *add = root ? gn_lower_producer(l, root->in[0], "Add") : NULL;
    for (int i = 0; add && i < 2; i++) {
        const gn_node *mean = gn_lower_producer(l, add->in[i], "ReduceMean");
        const int constant = add->in[1 - i];
        if (!mean || !is_last_mean(l, mean) || !is_square_of(l, mean->in[0], d) || !gn_lower_is_fixed(l, constant) ||
            gn_tensor_count(l->graph->values[constant]->data) != 1)
            continue;
        *epsilon = (float)gn_tensor_get(l->graph->values[constant]->data, 0);
        return true;
    }
    return false;
}

static bool is_vector(const gn_lowering *l, int value, int64_t n)
{
    const gn_value *v = value < 0 ? NULL : l->graph->values[value];
    return v && v->shape.rank == 1 && v->shape.dim[0] == n && v->producer < 0 && v->dtype == GN_DTYPE_F32;
}

/* d / sqrt(mean(d^2) + epsilon) * scale + bias, where d = x - mean(x). */
gn_status gn_lower_layer_norm(gn_lowering *l, int at)
{
    const gn_node *div = l->graph->nodes[at], *sub = gn_lower_producer(l, div->in[0], "Sub");
    const gn_node *mean = sub ? gn_lower_producer(l, sub->in[1], "ReduceMean") : NULL;
    float epsilon;
    if (!mean || mean->in[0] != sub->in[0] || !is_last_mean(l, mean) ||
        !is_deviation(l, div->in[1], div->in[0], &epsilon))
        return GN_OK;
    const gn_shape *x = &l->graph->values[sub->in[0]]->shape;
    const int64_t width = x->dim[x->rank - 1];
    const int mul = gn_lower_user(l, div->out[0], "Mul");
    const int scale = mul < 0 ? -1 : other_operand(l->graph->nodes[mul], div->out[0]);
    if (!is_vector(l, scale, width))
        return GN_OK;
    const int product = l->graph->nodes[mul]->out[0], add = gn_lower_user(l, product, "Add");
    const int bias = add < 0 ? -1 : other_operand(l->graph->nodes[add], product);
    const bool has_bias = is_vector(l, bias, width);
    const int in[3] = {sub->in[0], scale, bias};
    const gn_attr attrs[2] = {gn_attr_int("axis", -1), gn_attr_float("epsilon", epsilon)};
    gn_lower_replace(l, has_bias ? add : mul, "", "LayerNormalization", in, has_bias ? 3 : 2, attrs, 2);
    return gn_graph_error(l->graph, NULL);
}
