/* A worker process: a program with arguments, its output in files, that never outlives the process that began it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_CHILD_H
#define GN_SEARCH_CHILD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct gn_child gn_child;

typedef struct gn_child_spec {
    const char *program;     /* path; a search runs its own program again */
    const char *const *argv; /* NULL-terminated, argv[0] included */
    const char *log_path;    /* standard error is appended here; made when absent */
    const char *out_path;    /* standard output, replaced */
} gn_child_spec;

typedef struct gn_child_end {
    int exit_code; /* -1 when a signal ended it */
    int signal;    /* 0 when it exited */
    double seconds;
} gn_child_end;

/* GN_EWORKER: it cannot be started.  GN_EIO: its files cannot be opened.  GN_ENOMEM. */
gn_status gn_child_start(const gn_child_spec *spec, gn_child **child_out, gn_error *err);
/* Looks without waiting: true, and *end_out, once it has ended.  May be asked again. */
bool gn_child_ended(gn_child *child, gn_child_end *end_out);
/* SIGTERM to it and to what it started; kill: SIGKILL. */
void gn_child_signal(gn_child *child, bool kill);
/* Waits up to `seconds`; false when it still runs then. */
bool gn_child_wait(gn_child *child, double seconds, gn_child_end *end_out);
/* Kills it if it still runs, waits, frees; sets *child NULL. */
void gn_child_destroy(gn_child **child);

/* Why it ended badly, for people: how, and the last line of its log. dst is always terminated. */
void gn_child_reason(const gn_child_end *end, const char *log_path, char *dst, size_t dst_bytes);

#endif
