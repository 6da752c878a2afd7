/* What the optimisers share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/optimizer_rules.h"

int gn_optimizer_count(const gn_node *node)
{
    const int64_t n = gn_node_int(node, "n", 0);
    return n < 0 || n > node->n_in ? 0 : (int)n;
}

double gn_optimizer_decay(const gn_node *node, int i)
{
    const gn_attr *attr = gn_node_attr(node, "weight_decay");
    return attr && attr->type == GN_ATTR_FLOATS && i < attr->n ? (double)attr->u.floats[i] : 0;
}

gn_status gn_optimizer_infer(gn_graph *graph, const gn_node *node, int fixed, int groups_in, const int *out_like,
                             int groups_out, gn_error *err)
{
    const int n = gn_optimizer_count(node);
    const gn_attr *decay = gn_node_attr(node, "weight_decay");
    if (n < 1 || node->n_in != fixed + groups_in * n || node->n_out != groups_out * n)
        return gn_shape_fail(err, node, "%d inputs and %d outputs do not fit n = %d tensors", node->n_in, node->n_out,
                             n);
    if (decay && (decay->type != GN_ATTR_FLOATS || decay->n != n))
        return gn_shape_fail(err, node, "weight_decay has %d numbers, expected %d", decay->n, n);
    if (gn_shape_count(gn_in_shape(graph, node, 0)) != GN_HYPER_COUNT)
        return gn_shape_fail(err, node, "its hyper-parameters are not %d numbers", GN_HYPER_COUNT);
    for (int i = 0; i < groups_in * n; i++)
        if (!gn_has_in(node, fixed + i) ||
            !gn_shape_equal(gn_in_shape(graph, node, fixed + i), gn_in_shape(graph, node, fixed + i % n)))
            return gn_shape_fail(err, node, "tensor %d of group %d is missing or differs in shape from its weight",
                                 i % n, i / n);
    for (int i = 0; i < groups_out * n; i++) {
        const int like = fixed + out_like[i / n] * n + i % n;
        gn_set_out(graph, node, i, gn_in_dtype(graph, node, like), gn_in_shape(graph, node, like));
    }
    return GN_OK;
}
