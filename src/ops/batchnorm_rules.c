/* The check that the batch normalisation operators share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/batchnorm_rules.h"

#include <inttypes.h>

gn_status gn_batchnorm_check(const gn_graph *graph, const gn_node *node, int x, int first, int end, gn_error *err)
{
    const gn_shape *shape = gn_in_shape(graph, node, x);
    char text[128];
    gn_shape_format(shape, text);
    if (shape->rank < 2)
        return gn_shape_fail(err, node, "its input has the shape %s, expected [N,C,...]", text);
    for (int i = first; i < end; i++) {
        const gn_shape *c = gn_in_shape(graph, node, i);
        if (c->rank == 1 && c->dim[0] == shape->dim[1])
            continue;
        gn_shape_format(c, text);
        return gn_shape_fail(err, node, "its input %d has the shape %s, expected [%" PRId64 "]", i, text,
                             shape->dim[1]);
    }
    return GN_OK;
}
