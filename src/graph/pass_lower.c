/* The form in which a backend runs a graph: patterns that concern memory become single operators of the domain gannet, and what stands
 * for a product of rows with one matrix becomes that product.  Done after differentiation, so that gradients take part.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "graph/graph_internal.h"
#include "graph/pass_lower.h"
#include "graph/passes.h"

/* ---- small questions ---- */

bool gn_lower_is(const gn_node *node, const char *name)
{
    return node && *node->op->domain == '\0' && strcmp(node->op->name, name) == 0;
}

const gn_node *gn_lower_producer(const gn_lowering *l, int value, const char *name)
{
    const int producer = value < 0 ? -1 : l->graph->values[value]->producer;
    const gn_node *node = producer < 0 ? NULL : l->graph->nodes[producer];
    return gn_lower_is(node, name) ? node : NULL;
}

int gn_lower_user(const gn_lowering *l, int value, const char *name)
{
    const int user = (size_t)value < l->n_values ? gn_single_user(l->graph, l->uses, value) : -1;
    return user >= 0 && gn_lower_is(l->graph->nodes[user], name) ? user : -1;
}

bool gn_lower_is_fixed(const gn_lowering *l, int value)
{
    return value >= 0 && l->graph->values[value]->data && !gn_is_renewed(l->graph, value);
}

bool gn_lower_is_scalar(const gn_lowering *l, int value, double x)
{
    if (!gn_lower_is_fixed(l, value) || gn_tensor_count(l->graph->values[value]->data) != 1)
        return false;
    return fabs(gn_tensor_get(l->graph->values[value]->data, 0) - x) <= 1e-6 * fabs(x);
}

int gn_lower_replace(gn_lowering *l, int node, const char *domain, const char *op, const int *in, int n_in,
                     const gn_attr *attrs, int n_attrs)
{
    const gn_node *last = l->graph->nodes[node];
    const int made = gn_graph_add_op(l->graph, op, domain, last->name, in, n_in, attrs, n_attrs);
    if (made < 0)
        return made;
    l->graph->order[l->graph->values[made]->producer] = l->graph->order[node];
    gn_graph_take_place(l->graph, last->out[0], made);
    l->changed = true;
    return made;
}

/* ---- transpositions between N,C,H,W and N,H,W,C ---- */

static bool has_perm(const gn_node *node, const int64_t *perm, int rank)
{
    int64_t found[GN_MAX_RANK];
    if (gn_node_ints(node, "perm", found, GN_MAX_RANK, 0) != rank)
        return false;
    return memcmp(found, perm, (size_t)rank * sizeof *perm) == 0;
}

static gn_status lower_transpose(gn_lowering *l, int at)
{
    static const int64_t last[4] = {0, 2, 3, 1}, first[4] = {0, 3, 1, 2};
    const gn_node *node = l->graph->nodes[at];
    if (has_perm(node, last, 4))
        gn_lower_replace(l, at, "gannet", "ChannelsLast", node->in, 1, NULL, 0);
    else if (has_perm(node, first, 4))
        gn_lower_replace(l, at, "gannet", "ChannelsFirst", node->in, 1, NULL, 0);
    return gn_graph_error(l->graph, NULL);
}

/* ---- Reshape, Transpose, Reshape as a channel shuffle ---- */

/* [N,C,...] to [N,g,C/g,...], where the dimensions behind are the same or run together. */
static bool splits_channels(const gn_shape *x, const gn_shape *split)
{
    if (x->rank < 3 || split->rank < 4 || x->dim[0] != split->dim[0] || x->dim[1] != split->dim[1] * split->dim[2])
        return false;
    return split->dim[1] > 0 && split->dim[2] > 0 && gn_shape_count(x) == gn_shape_count(split);
}

static gn_status lower_shuffle(gn_lowering *l, int at)
{
    const gn_graph *g = l->graph;
    const gn_node *last = g->nodes[at], *transpose = gn_lower_producer(l, last->in[0], "Transpose");
    const gn_node *first = transpose ? gn_lower_producer(l, transpose->in[0], "Reshape") : NULL;
    if (!first)
        return GN_OK;
    const gn_shape *x = &g->values[first->in[0]]->shape, *split = &g->values[first->out[0]]->shape;
    int64_t perm[GN_MAX_RANK];
    for (int i = 0; i < split->rank; i++)
        perm[i] = i == 1 ? 2 : i == 2 ? 1 : i;
    if (!splits_channels(x, split) || !has_perm(transpose, perm, split->rank) ||
        !gn_shape_equal(x, &g->values[last->out[0]]->shape))
        return GN_OK;
    const gn_attr groups = gn_attr_int("groups", split->dim[1]);
    gn_lower_replace(l, at, "gannet", "ChannelShuffle", first->in, 1, &groups, 1);
    return gn_graph_error(l->graph, NULL);
}

/* ---- two halves joined, shuffled and split again ---- */

static bool is_along_channels(const gn_node *node, int rank)
{
    const int64_t axis = gn_node_int(node, "axis", 0);
    return axis == 1 || axis == 1 - rank;
}

/* The Split into two halves that alone reads `value`, or -1. */
static int halving_behind(const gn_lowering *l, int value)
{
    const gn_shape *y = &l->graph->values[value]->shape;
    const int user = gn_lower_user(l, value, "Split");
    if (user < 0 || !is_along_channels(l->graph->nodes[user], y->rank) || y->dim[1] % 4 != 0)
        return -1;
    const gn_node *split = l->graph->nodes[user];
    for (int i = 0; i < split->n_out; i++)
        if (!gn_has_out(split, i) || l->graph->values[split->out[i]]->shape.dim[1] != y->dim[1] / 2)
            return -1;
    return split->n_out == 2 ? user : -1;
}

/* Concat of two alike, a shuffle by two groups, and the Split of the next module. */
static gn_status lower_interleave(gn_lowering *l, int at)
{
    const gn_node *concat = l->graph->nodes[at];
    const gn_shape *a = &l->graph->values[concat->in[0]]->shape;
    const int user = (size_t)concat->out[0] < l->n_values ? gn_single_user(l->graph, l->uses, concat->out[0]) : -1;
    if (concat->n_in != 2 || user < 0 || !is_along_channels(concat, a->rank) || a->rank != 4 ||
        !gn_shape_equal(a, &l->graph->values[concat->in[1]]->shape) ||
        l->graph->values[concat->in[0]]->dtype != GN_DTYPE_F32)
        return GN_OK;
    const gn_node *shuffle = l->graph->nodes[user];
    if (strcmp(shuffle->op->name, "ChannelShuffle") != 0 || gn_node_int(shuffle, "groups", 1) != 2)
        return GN_OK;
    const int split = halving_behind(l, shuffle->out[0]);
    if (split < 0) {
        gn_lower_replace(l, user, "gannet", "Interleave", concat->in, 2, NULL, 0);
        return gn_graph_error(l->graph, NULL);
    }
    const int node =
        gn_graph_add_node(l->graph, "Interleave", "gannet", l->graph->nodes[split]->name, concat->in, 2, 2, NULL, 0);
    if (node < 0)
        return gn_graph_error(l->graph, NULL);
    l->graph->order[node] = l->graph->order[split];
    for (int i = 0; i < 2; i++)
        gn_graph_take_place(l->graph, l->graph->nodes[split]->out[i], l->graph->nodes[node]->out[i]);
    l->changed = true;
    return GN_OK;
}

/* ---- normalisation with fixed statistics ---- */

static gn_status add_factors(gn_lowering *l, const gn_node *bn, int *scale_out, int *shift_out)
{
    const gn_tensor *t[5];
    for (int i = 1; i <= 4; i++)
        t[i] = l->graph->values[bn->in[i]]->data;
    const int64_t C = gn_tensor_count(t[1]);
    const double epsilon = (double)gn_node_float(bn, "epsilon", 1e-5f);
    float *scale = gn_alloc((size_t)C * sizeof *scale), *shift = gn_alloc((size_t)C * sizeof *shift);
    for (int64_t c = 0; c < C && scale && shift; c++) {
        const double s = gn_tensor_get(t[1], c) / sqrt(gn_tensor_get(t[4], c) + epsilon);
        scale[c] = (float)s;
        shift[c] = (float)(gn_tensor_get(t[2], c) - gn_tensor_get(t[3], c) * s);
    }
    if (scale && shift) {
        *scale_out = gn_graph_add_const_f32(l->graph, "fixed.scale", (int)C, scale);
        *shift_out = gn_graph_add_const_f32(l->graph, "fixed.shift", (int)C, shift);
    }
    const bool failed = !scale || !shift;
    gn_free(scale);
    gn_free(shift);
    return failed ? GN_ENOMEM : gn_graph_error(l->graph, NULL);
}

/* The clamp that alone reads `value`: its node, or -1; bounds are open without one. */
static int clamp_behind(const gn_lowering *l, int value, gn_attr *attrs, int *n_attrs)
{
    const int user = (size_t)value < l->n_values ? gn_single_user(l->graph, l->uses, value) : -1;
    float lo, hi;
    *n_attrs = 0;
    if (user < 0 || !gn_node_is_clamp(l->graph, l->graph->nodes[user], &lo, &hi))
        return -1;
    if (lo > -INFINITY)
        attrs[(*n_attrs)++] = gn_attr_float("lo", lo);
    if (hi < INFINITY)
        attrs[(*n_attrs)++] = gn_attr_float("hi", hi);
    return user;
}

static gn_status lower_normalization(gn_lowering *l, int at)
{
    const gn_node *bn = l->graph->nodes[at];
    for (int i = 1; i <= 4; i++)
        if (!gn_has_in(bn, i) || !gn_lower_is_fixed(l, bn->in[i]))
            return GN_OK;
    if (l->graph->values[bn->in[0]]->dtype != GN_DTYPE_F32 || l->graph->values[bn->in[0]]->shape.rank != 4)
        return GN_OK;
    gn_attr attrs[2];
    int n_attrs, scale = -1, shift = -1;
    const int clamp = clamp_behind(l, bn->out[0], attrs, &n_attrs);
    GN_TRY(add_factors(l, bn, &scale, &shift));
    const int in[3] = {bn->in[0], scale, shift};
    gn_lower_replace(l, clamp >= 0 ? clamp : at, "gannet", "ScaleShift", in, 3, attrs, n_attrs);
    return gn_graph_error(l->graph, NULL);
}

/* ---- rows times one matrix ---- */

/* The weight of a MatMul by a transposed matrix (then [K,C]) or a constant one ([C,K], *is_turned); -1 when it is something else. */
static int weight_of(const gn_lowering *l, int b, bool *is_turned)
{
    static const int64_t swap[2] = {1, 0};
    const gn_value *value = l->graph->values[b];
    const gn_node *transpose = gn_lower_producer(l, b, "Transpose");
    *is_turned = false;
    if (value->shape.rank != 2 || value->dtype != GN_DTYPE_F32)
        return -1;
    if (transpose && (!gn_node_attr(transpose, "perm") || has_perm(transpose, swap, 2)))
        return transpose->in[0];
    *is_turned = true;
    return gn_lower_is_fixed(l, b) ? b : -1;
}

/* The Add that alone reads `value` and adds a vector of K numbers: its node; the vector in *bias_out. */
static int bias_behind(const gn_lowering *l, int value, int64_t K, int *bias_out)
{
    const int user = gn_lower_user(l, value, "Add");
    if (user < 0)
        return -1;
    const gn_node *add = l->graph->nodes[user];
    const int other = add->in[0] == value ? add->in[1] : add->in[0];
    const gn_value *bias = l->graph->values[other];
    const bool exists = bias->producer < 0; /* so that it is there before the product */
    if (other == value || !exists || bias->shape.rank != 1 || bias->shape.dim[0] != K || bias->dtype != GN_DTYPE_F32)
        return -1;
    *bias_out = other;
    return user;
}

static gn_status lower_matmul(gn_lowering *l, int at)
{
    const gn_node *node = l->graph->nodes[at];
    bool is_turned;
    if (l->graph->values[node->in[0]]->shape.rank < 2)
        return GN_OK;
    const int weight = weight_of(l, node->in[1], &is_turned);
    if (weight < 0)
        return GN_OK;
    gn_attr attrs[3];
    int n_attrs, bias = -1;
    const int add = bias_behind(l, node->out[0], l->graph->values[weight]->shape.dim[is_turned ? 1 : 0], &bias);
    const int last = add >= 0 ? add : at;
    const int clamp = clamp_behind(l, l->graph->nodes[last]->out[0], attrs, &n_attrs);
    attrs[n_attrs++] = gn_attr_int("turned", is_turned);
    const int in[3] = {node->in[0], weight, bias};
    gn_lower_replace(l, clamp >= 0 ? clamp : last, "gannet", "Linear", in, bias >= 0 ? 3 : 2, attrs, n_attrs);
    return gn_graph_error(l->graph, NULL);
}

/* (A^T B)^T = B^T A: the gradient of a weight that was transposed for its product. */
static gn_status lower_transposed_product(gn_lowering *l, int at)
{
    static const int64_t swap[2] = {1, 0};
    const gn_node *node = l->graph->nodes[at], *gemm = gn_lower_producer(l, node->in[0], "Gemm");
    if (!gemm || gn_has_in(gemm, 2) || gn_node_int(gemm, "transA", 0) == 0 || gn_node_int(gemm, "transB", 0) != 0 ||
        !has_perm(node, swap, 2))
        return GN_OK;
    const int in[2] = {gemm->in[1], gemm->in[0]};
    gn_lower_replace(l, at, "", "Gemm", in, 2, gemm->attrs, gemm->n_attrs);
    return gn_graph_error(l->graph, NULL);
}

/* A B^T with B = W^T is A W, and A B with B = W^T is A W^T: the transposition goes. */
static gn_status lower_product_operand(gn_lowering *l, int at)
{
    static const int64_t swap[2] = {1, 0};
    const gn_node *gemm = l->graph->nodes[at], *transpose = gn_lower_producer(l, gemm->in[1], "Transpose");
    if (!transpose || l->graph->values[transpose->in[0]]->shape.rank != 2 ||
        (gn_node_attr(transpose, "perm") && !has_perm(transpose, swap, 2)))
        return GN_OK;
    const gn_attr turned = gn_attr_int("transB", gn_node_int(gemm, "transB", 0) == 0);
    l->graph->nodes[at]->in[1] = transpose->in[0];
    l->changed = true;
    return gn_node_set_attr(l->graph, l->graph->nodes[at], &turned);
}

/* ---- means over pictures ---- */

/* ReduceMean over height and width is GlobalAveragePool. */
static gn_status lower_mean(gn_lowering *l, int at)
{
    const gn_node *node = l->graph->nodes[at];
    const gn_value *x = l->graph->values[node->in[0]], *y = l->graph->values[node->out[0]];
    int64_t axes[GN_MAX_RANK], sum = 0;
    int n = gn_has_in(node, 1) ? gn_in_const_s64(l->graph, node, 1, axes, GN_MAX_RANK)
                               : gn_node_ints(node, "axes", axes, GN_MAX_RANK, 0);
    if (x->shape.rank != 4 || x->dtype != GN_DTYPE_F32 || n != 2)
        return GN_OK;
    for (int i = 0; i < n; i++)
        sum += axes[i] < 0 ? axes[i] + 4 : axes[i];
    if (sum != 5 || axes[0] == 1 || axes[1] == 1 || axes[0] == -3 || axes[1] == -3)
        return GN_OK; /* 2 + 3, not 1 + 4 */
    if (y->shape.rank == 4) {
        gn_lower_replace(l, at, "", "GlobalAveragePool", node->in, 1, NULL, 0);
        return gn_graph_error(l->graph, NULL);
    }
    const int64_t order = l->graph->order[at], dims[2] = {y->shape.dim[0], y->shape.dim[1]};
    const gn_attr allow_zero = gn_attr_int("allowzero", 1);
    const int pooled = gn_graph_add_op(l->graph, "GlobalAveragePool", "", node->name, node->in, 1, NULL, 0);
    const int in[2] = {pooled, gn_graph_add_const_s64(l->graph, NULL, 2, dims)};
    GN_TRY(gn_graph_error(l->graph, NULL));
    l->graph->order[l->graph->values[pooled]->producer] = order;
    gn_lower_replace(l, at, "", "Reshape", in, 2, &allow_zero, 1);
    return gn_graph_error(l->graph, NULL);
}

/* ---- the pass ---- */

typedef struct rule {
    const char *op; /* of the node at which the pattern ends, or stands */
    gn_status (*apply)(gn_lowering *l, int node);
} rule;

/* One round over the nodes that are there now. */
static gn_status apply_rules(gn_graph *graph, const rule *rules, size_t n_rules, gn_error *err)
{
    gn_lowering l = {.graph = graph, .uses = gn_graph_use_counts(graph), .n_values = graph->n_values};
    const size_t n = graph->n_nodes;
    gn_status status = l.uses ? GN_OK : GN_ENOMEM;
    for (size_t i = 0; i < n && status == GN_OK; i++)
        for (size_t r = 0; r < n_rules && status == GN_OK; r++)
            if (gn_lower_is(graph->nodes[i], rules[r].op))
                status = rules[r].apply(&l, (int)i);
    gn_free(l.uses);
    if (status != GN_OK)
        return status == GN_ENOMEM ? gn_fail(err, status, "preparing a graph: out of memory")
                                   : gn_graph_error(graph, err);
    if (!l.changed)
        return GN_OK;
    GN_TRY(gn_graph_sort(graph, err));
    return gn_pass_prune(graph);
}

gn_status gn_pass_join_activations(gn_graph *graph, gn_error *err)
{
    static const rule formulas[] = {{"Mul", gn_lower_silu}, {"Mul", gn_lower_hard_swish}};
    return apply_rules(graph, formulas, sizeof formulas / sizeof *formulas, err);
}

gn_status gn_pass_lower(gn_graph *graph, gn_error *err)
{
    static const rule formulas[] = {{"Mul", gn_lower_silu},
                                    {"Mul", gn_lower_hard_swish},
                                    {"Mul", gn_lower_gelu},
                                    {"Div", gn_lower_layer_norm},
                                    {"ReduceMean", lower_mean}};
    static const rule memory[] = {{"Reshape", lower_shuffle},
                                  {"Transpose", lower_transposed_product},
                                  {"BatchNormalization", lower_normalization},
                                  {"Gemm", lower_product_operand},
                                  {"MatMul", lower_matmul}};
    static const rule views[] = {{"Transpose", lower_transpose}, {"Concat", lower_interleave}};
    GN_TRY(gn_pass_fold_shapes(graph, err));
    GN_TRY(apply_rules(graph, formulas, sizeof formulas / sizeof *formulas, err));
    GN_TRY(apply_rules(graph, memory, sizeof memory / sizeof *memory, err));
    return apply_rules(graph, views, sizeof views / sizeof *views, err);
}
