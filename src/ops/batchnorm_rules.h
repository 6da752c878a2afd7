/* What the three batch normalisation operators share: sizes, addressing, the check of the per-channel operands.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_BATCHNORM_RULES_H
#define GN_OPS_BATCHNORM_RULES_H

#include "graph/op.h"

/* ONNX's defaults; running = momentum*running + (1-momentum)*batch. */
#define GN_BATCHNORM_EPSILON  1e-5f
#define GN_BATCHNORM_MOMENTUM 0.9f

/* x: [N,C,inner...] */
typedef struct gn_batchnorm_sizes {
    int64_t N, C, inner;
} gn_batchnorm_sizes;

static inline gn_batchnorm_sizes gn_batchnorm_sizes_of(const gn_shape *x)
{
    gn_batchnorm_sizes s = {x->dim[0], x->dim[1], 1};
    for (int i = 2; i < x->rank; i++)
        s.inner *= x->dim[i];
    return s;
}

/* Plain index of element i (0..N*inner-1) of channel c. */
static inline int64_t gn_batchnorm_index(const gn_batchnorm_sizes *s, int64_t c, int64_t i)
{
    return (i / s->inner * s->C + c) * s->inner + i % s->inner;
}

/* Input `x` has at least two dimensions, inputs first..end-1 are [C].  GN_ESHAPE. */
gn_status gn_batchnorm_check(const gn_graph *graph, const gn_node *node, int x, int first, int end, gn_error *err);

#endif
