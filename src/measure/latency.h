/* Latency of a model on the CPU: warm-up, many runs, quantiles, and whether the machine stayed the same meanwhile.
 * Two loops: the network alone on an input that is ready (as ONNX Runtime counts), and the whole way from a
 * decoded picture to boxes.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_LATENCY_H
#define GN_MEASURE_LATENCY_H

#include "measure/machine_state.h"
#include "run/session.h"

typedef struct gn_latency_options {
    int warmup_runs;       /* at least; default 10 */
    double warmup_seconds; /* at least; default 0.2 */
    int min_runs;          /* of each loop; default 50 */
    double min_seconds;    /* of each loop; default 1.0 */
    int batch;             /* of the network's loop; default 1.  The whole way is measured for one picture. */
    const gn_image *image; /* decoded picture for the whole way; NULL: a synthetic one of 640 x 480 */
    double max_clock_drop; /* fraction by which the clock may fall, 0..1; default 0.15 */
    const char *
        sysfs_root; /* folder in place of "/" for clocks, temperatures and energy; NULL: the machine's own.  For tests */
} gn_latency_options;

gn_latency_options gn_latency_default_options(void);

/* Milliseconds. */
typedef struct gn_quantiles {
    double min, p50, p90, p99, mean;
} gn_quantiles;

typedef struct gn_latency {
    int threads, batch;
    int warmup, runs, total_runs; /* runs made: before, in the network's loop, in the other */
    double first_ms;              /* the very first run, with planning and packing */
    gn_quantiles network;         /* of one run of a batch */
    bool has_total;               /* false: the model takes no pictures, and the three below are NaN */
    gn_quantiles preprocess, postprocess, total;
    double images_per_s; /* batch / network.p50 */
    gn_machine_state before, after;
    double clock_mhz, clock_min_mhz,
        clock_max_mhz;    /* median and range over some ten readings between runs; NaN when unknown */
    double temperature_c; /* the highest of these readings; NaN when unknown */
    double
        energy_mj; /* of one whole answer, or without has_total of one picture of the network's loop: what the meters of the machine
                       * counted, whoever used it, over that loop's runs; NaN where the machine does not tell */
    bool is_valid;
    char reason[128];           /* why not; "" */
    int64_t peak_bytes;         /* weights, packed weights, arena, scratch and the input */
    int64_t process_peak_bytes; /* resident memory of the process at its peak, loading included; -1 unknown */
} gn_latency;

/* Measures `session`.  Take gn_machine_lock_take first.  A machine that throttled gives GN_OK with is_valid false.
 * GN_EINVAL: an option out of range; GN_ECANCELED; GN_ENOMEM; errors of gn_session_run. */
gn_status gn_measure_latency(gn_session *session, const gn_latency_options *options, gn_latency *latency_out,
                             gn_error *err);

/* Quantiles of n times in milliseconds (sorted in place); nearest rank. */
gn_quantiles gn_quantiles_of(double *ms, int n);

#endif
