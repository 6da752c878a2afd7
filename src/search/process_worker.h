/* One worker of a search: its argument vector, its process from start to end, and what it says at its end.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_PROCESS_WORKER_H
#define GN_SEARCH_PROCESS_WORKER_H

#include "base/json.h"
#include "base/memory.h"
#include "search/child.h"
#include "search/process_runner.h"

#define GN_WORKER_MAX_ARGS 96
/* How long a worker may take to stop in good order (end its step, write its checkpoint) before it is killed. */
#define GN_WORKER_STOP_SECONDS 60.0

struct gn_process_runner {
    char *program, *data, *target, *log_folder;
    char note[256]; /* of the last measurement */
    int n_classes;  /* of the data set, once it has been described */
};

/* Arguments under construction; strings are borrowed or in the arena.  A failed allocation shows at the end. */
typedef struct gn_worker_args {
    gn_arena *arena;
    const char *argv[GN_WORKER_MAX_ARGS + 1];
    int n;
    bool failed;
} gn_worker_args;

/* text: NULL (out of memory) marks the arguments as failed. */
void gn_worker_arg(gn_worker_args *args, const char *text);
/* "--name=value" */
void gn_worker_option(gn_worker_args *args, const char *name, const char *value);
/* Every key of the config, a JSON object of strings, as an option. */
gn_status gn_worker_config(gn_worker_args *args, const char *config, gn_error *err);

/* One worker from start to end.  *output_out: its JSON object or NULL, in the arena; *reason: why it failed, "" when it did not.
 * A worker that ends with exit code `tolerated` (besides 0) has not failed.  GN_ECANCELED when asked to stop. */
gn_status gn_worker_run(const gn_process_runner *runner, gn_worker_args *args, const char *name, int tolerated,
                        const gn_json **output_out, char *reason, size_t reason_bytes, gn_error *err);

/* The JSON object on the last line of a worker's standard output; NULL when there is none. */
const gn_json *gn_worker_output(const char *path, gn_arena *arena);
/* What the worker itself says went wrong, else how it ended and the last line of its log. */
void gn_worker_reason(const gn_child_end *end, const gn_json *output, const char *log_path, char *dst,
                      size_t dst_bytes);
double gn_worker_number(const gn_json *root, const char *path); /* NaN when absent */
int64_t gn_worker_count(const gn_json *root, const char *path); /* -1 when absent */
/* The figures of accuracy with their intervals, and how the training went. */
void gn_worker_metrics(const gn_json *root, gn_metrics *out);

#endif
