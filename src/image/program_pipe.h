/* Another program at the end of a pipe: started with an argument vector (never through a shell), read from or written to, and waited for.
 * What it complains about is kept for error lines.  Not for other folders.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_IMAGE_PROGRAM_PIPE_H
#define GN_IMAGE_PROGRAM_PIPE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

typedef struct gn_program_pipe gn_program_pipe;

/* Starts argv[0], found on PATH, in a process group of its own, so that Ctrl-C in the terminal reaches this program only.  is_source: what
 * it prints is read here; else what is written here is its standard input.  argv ends with NULL.
 * GN_EUNSUPPORTED: there is no such program; GN_EIO; GN_ENOMEM. */
gn_status gn_program_pipe_open(const char *const *argv, bool is_source, gn_program_pipe **pipe_out, gn_error *err);
/* Up to n bytes, less only at the end of what it prints. */
size_t gn_program_pipe_read(gn_program_pipe *pipe, void *dst, size_t n);
/* False: it takes nothing any more. */
bool gn_program_pipe_write(gn_program_pipe *pipe, const void *src, size_t n);
/* Closes the pipe, waits for the program and frees.  is_abandoned: it is ended first.  Returns whether it ended well by itself; else why,
 * its own last line if it printed one, is in `why`. */
bool gn_program_pipe_close(gn_program_pipe **pipe, bool is_abandoned, char *why, size_t why_bytes);

#endif
