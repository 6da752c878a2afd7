/* A backend is a table of functions that executes planned graphs.  CPU and CUDA fill the same table.
 * A device may serve several compiled graphs; they share one arena, as large as the largest plan needs, so results of one run are
 * valid until the next run or compilation of any graph on the same device.  One device = one thread at a time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BACKEND_BACKEND_H
#define GN_BACKEND_BACKEND_H

#include "graph/plan.h"

typedef struct gn_device gn_device;
typedef struct gn_exec gn_exec; /* a graph, planned and ready to run on a device */

/* What computes a step.  work: multiplications that it needs, as a part of those of the operator's definition (Winograd: less than 1). */
#define GN_KERNEL_NAME_BYTES 32
typedef struct gn_step_kernel {
    char name[GN_KERNEL_NAME_BYTES]; /* "direct p2 t8", "depthwise", "reference", ...; "" where there is nothing to tell */
    double work;
} gn_step_kernel;

/* What a device with its threads can do at most, measured. */
enum { GN_PEAK_SIZES = 6 };
typedef struct gn_device_peak {
    double flop_per_s;
    /* Rising sizes of what all threads together touch again and again: from the nearest caches to memory. */
    struct gn_memory_peak {
        double bytes;
        double read_per_s, copy_per_s; /* bytes; copy: read and written ones */
    } memory[GN_PEAK_SIZES];
} gn_device_peak;

typedef struct gn_backend {
    const char *name; /* "cpu" */
    gn_status (*open)(int n_threads, gn_device **device_out, gn_error *err);
    void (*close)(gn_device **device);
    int (*threads)(const gn_device *device);
    /* Plans `graph` (may insert layout conversions) and prepares it: constants that kernels want packed are packed now.  The graph is
     * borrowed and must outlive the exec; its STATE tensors are read and written in place by runs.  Weights that no update of this graph
     * renews are packed once, now: when somebody else changes them, compile again. */
    gn_status (*compile)(gn_device *device, gn_graph *graph, gn_exec **exec_out, gn_error *err);
    void (*destroy)(gn_exec **exec);
    /* Memory of an INPUT value (plain layout), borrowed until it is bound anew. */
    gn_status (*bind)(gn_exec *exec, int value, const void *data);
    /* Runs all steps.  GN_EINVAL when an input is not bound, GN_EUNSUPPORTED names a node whose types nobody can compute. */
    gn_status (*run)(gn_exec *exec, gn_error *err);
    /* Result of graph output i in plain layout, valid until the next run or compilation on the device. */
    const void *(*output)(const gn_exec *exec, int i);
    const gn_plan *(*plan)(const gn_exec *exec);
    /* Arena + packed weights + per-thread scratch of this exec, in bytes. */
    size_t (*memory_bytes)(const gn_exec *exec);
    /* Nanoseconds of each plan step in one run, for `bench --layers`; step_ns has plan->n_steps entries. */
    gn_status (*run_timed)(gn_exec *exec, int64_t *step_ns, gn_error *err);
    /* False when no run of `exec` reads the contents of this CONST or STATE, because a packed copy has taken their place: their
     * owner may free them if nothing else is to be compiled from them. */
    bool (*reads_data)(const gn_exec *exec, int value);
    /* The kernel of plan step `step`. */
    void (*kernel)(const gn_exec *exec, int step, gn_step_kernel *kernel_out);
    /* The kernels worth measuring for a step, the model's own choice first; their number, 0 where there is no choice. */
    int (*choices)(const gn_exec *exec, int step, gn_step_kernel *choices, int max);
    /* Fixes the kernel of a step by its name; weights are packed anew where they must be, so they must still be there.
     * GN_EINVAL: the step has no such choice; GN_ENOMEM.  The old choice stays on failure. */
    gn_status (*choose)(gn_exec *exec, int step, const char *name, gn_error *err);
    /* Measures for a fraction of a second.  GN_ENOMEM. */
    gn_status (*peak)(gn_device *device, gn_device_peak *peak_out, gn_error *err);
} gn_backend;

extern const gn_backend gn_backend_cpu;

#endif
