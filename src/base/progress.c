/* Hands progress events to the program, and keeps the flag by which long work is asked to stop.  Both are process-wide.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include <stdatomic.h>
#include <stddef.h>

static struct {
    gn_progress_fn fn;
    void *ctx;
} progress_state;

static atomic_bool stop_flag; /* lock-free, hence safe in a signal handler */

void gn_progress_set(gn_progress_fn fn, void *ctx)
{
    progress_state.fn = fn;
    progress_state.ctx = ctx;
}

void gn_progress_tell(const gn_progress *progress)
{
    if (progress_state.fn)
        progress_state.fn(progress_state.ctx, progress);
}

void gn_stop_request(void)
{
    atomic_store(&stop_flag, true);
}

bool gn_stop_requested(void)
{
    return atomic_load_explicit(&stop_flag, memory_order_relaxed);
}

void gn_stop_clear(void)
{
    atomic_store(&stop_flag, false);
}
