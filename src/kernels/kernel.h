/* What all kernel families share: the activation that a kernel may apply to its result, and the rules of a job.
 *
 * A family offers, for one problem given by a const struct of sizes:
 *   <family>_tasks(p)          number of independent tasks, from the sizes alone (never from the number of threads);
 *   <family>_scratch_bytes(p)  scratch of ONE task in bytes (each thread owns one such block, 64-byte aligned);
 *   <family>_task(call, task, scratch)  computes task `task`.
 * Tasks write disjoint outputs.  Where outputs are reductions, a fixed number of partial results (again from the sizes alone) is
 * combined in fixed order by a second job, so that bits do not depend on the number of threads.
 * Buffers are N,H,W,C unless said otherwise; they may be read (never written) up to GN_PAD_BYTES past their end.
 * Nothing here allocates, locks or starts threads.  Preconditions are asserted.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_KERNELS_KERNEL_H
#define GN_KERNELS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "base/status.h"

/* y = min(max(x, lo), hi).  No activation: -INFINITY, INFINITY.  Relu: 0, INFINITY.  NaN stays NaN. */
typedef struct gn_clamp {
    float lo, hi;
} gn_clamp;

/* Activations that bend: y = x (none), x/(1 + e^-x), x*clamp(x/6 + 1/2, 0, 1), x < 0 ? alpha*x : x. */
typedef enum gn_curve_kind {
    GN_CURVE_NONE,
    GN_CURVE_SILU,
    GN_CURVE_HARD_SWISH,
    GN_CURVE_LEAKY_RELU,
    GN_CURVE_KINDS
} gn_curve_kind;
typedef struct gn_curve {
    gn_curve_kind kind;
    float alpha;
} gn_curve;

#endif
