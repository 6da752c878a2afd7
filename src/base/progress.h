/* Progress of long work as events; the program decides how it looks (a line that rewrites itself on a terminal, plain lines in
 * a log).  Also the one flag by which long work is asked to stop.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_PROGRESS_H
#define GN_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* what: e.g. "epoch 3/40"; done/total in `unit`; note: e.g. "loss 0.0123", may be "". */
typedef struct gn_progress {
    const char *what;
    int64_t done, total;
    const char *unit;
    double seconds; /* since this piece of work began */
    const char *note;
} gn_progress;

typedef void (*gn_progress_fn)(void *ctx, const gn_progress *progress);
/* Set by the program before work starts; NULL: silent. */
void gn_progress_set(gn_progress_fn fn, void *ctx);
void gn_progress_tell(const gn_progress *progress);

/* Ask for a stop (async-signal-safe), and look whether it was asked for.  Long work looks at least once per step and
 * returns GN_ECANCELED after leaving everything resumable. */
void gn_stop_request(void);
bool gn_stop_requested(void);
void gn_stop_clear(void);

#endif
