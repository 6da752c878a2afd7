/* Which kernel computes each layer of a model, kept as a file: chosen once (by measuring, or by hand), the same in every later run.
 *
 *     {"gannet_plan": 1, "cpu": "...", "level": "avx512", "threads": 2, "batch": 1, "graph": "53c1...",
 *      "layers": [
 *       {"name": "layer1.0.conv1", "shape": "1x64x56x56 3x3/1 64x56x56 g1", "kernel": "winograd4 t28"},
 *       ...]}
 *
 * One line per layer that has more than one kernel.  With the same plan a model gives the same bits for any number of threads; another plan
 * may sum in another order.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_RUN_KERNEL_PLAN_H
#define GN_RUN_KERNEL_PLAN_H

#include "base/text.h"
#include "run/session.h"

/* Larger files, and more layers, are not plans. */
#define GN_KERNEL_PLAN_MAX_BYTES  (4 * 1024 * 1024)
#define GN_KERNEL_PLAN_MAX_LAYERS 20000

typedef struct gn_kernel_line {
    const char *name, *shape, *kernel;
} gn_kernel_line;

/* Strings live in `arena`. */
typedef struct gn_kernel_plan {
    const char *cpu, *level; /* where it was made */
    int threads, batch;
    uint64_t graph; /* hash of the layers: operators, names, shapes */
    int n;
    gn_kernel_line *lines;
    gn_arena *arena;
} gn_kernel_plan;

/* The kernels in force of the plan that `session` ran or prepared last.  GN_EINVAL: there is none; GN_ENOMEM. */
gn_status gn_kernel_plan_of(const gn_session *session, gn_kernel_plan **plan_out, gn_error *err);
void gn_kernel_plan_destroy(gn_kernel_plan **plan);

/* Reading: GN_ENOENT, GN_EIO, GN_ELIMIT, GN_EFORMAT (no plan, or a damaged one), GN_ENOMEM. */
gn_status gn_kernel_plan_read(const char *path, gn_kernel_plan **plan_out, gn_error *err);
gn_status gn_kernel_plan_parse(const char *text, size_t bytes, gn_kernel_plan **plan_out, gn_error *err);
gn_status gn_kernel_plan_text(const gn_kernel_plan *plan, gn_text *text);
/* Atomically; the folder must exist. */
gn_status gn_kernel_plan_write(const gn_kernel_plan *plan, const char *path, gn_error *err);

/* Fixes the kernels of the session's current plan.  GN_EINVAL with one line about the first difference: another batch, a layer that one side
 * lacks, another shape, a kernel that this CPU level does not have.  Call it before gn_session_release_weights. */
gn_status gn_kernel_plan_apply(const gn_kernel_plan *plan, gn_session *session, gn_error *err);

/* Made on a machine like this one, for this session's threads and current plan. */
bool gn_kernel_plan_is_for(const gn_kernel_plan *plan, const gn_session *session);
/* Where the plan measured for the session's current plan on this machine is kept: under $XDG_CACHE_HOME/gannet, else ~/.cache/gannet.
 * GN_ENOENT: neither variable is set; GN_ELIMIT. */
gn_status gn_kernel_plan_cache_path(const gn_session *session, char *dst, size_t dst_bytes);

#endif
