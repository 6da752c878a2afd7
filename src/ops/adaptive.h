/* Cells of adaptive average pooling, shared by it and global average pooling.
 * Output cell i of n over an extent covers floor(i*extent/n) .. ceil((i+1)*extent/n)-1, as PyTorch has it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_ADAPTIVE_H
#define GN_OPS_ADAPTIVE_H

#include "graph/autodiff.h"
#include "graph/op.h"

static inline int64_t gn_adaptive_begin(int64_t i, int64_t extent, int64_t n)
{
    return i * extent / n;
}

static inline int64_t gn_adaptive_end(int64_t i, int64_t extent, int64_t n)
{
    return ((i + 1) * extent + n - 1) / n;
}

/* Averages input 0 into the cells of output 0: any [N,C,H,W] to [N,C,P,Q]. */
gn_status gn_adaptive_reference(const gn_ref_call *call);
/* Emits AdaptiveAveragePoolGrad for input 0. */
gn_status gn_adaptive_grad(gn_grad *grad, const gn_node *node);

#endif
