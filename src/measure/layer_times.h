/* The time of each layer of a model beside what the machine could do at most.
 *
 * The bound of a step is the larger of two times: its multiplications (those of the algorithm that computes it) at the measured peak of
 * multiply-adds, and its operands at the measured rates of reading and copying.  Weights come from as far away as all that one run touches
 * reaches; data only from as far as the step itself does, since the step before has just written them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_LAYER_TIMES_H
#define GN_MEASURE_LAYER_TIMES_H

#include "run/session.h"

typedef struct gn_layer_time {
    gn_step_info info;
    double ms; /* median */
    double compute_ms, memory_ms;
} gn_layer_time;

/* Sums over the layers of one kind. */
typedef struct gn_kind_time {
    int layers;
    double ms, bound_ms;
    int64_t macs, bytes;
} gn_kind_time;

typedef struct gn_layer_times {
    int runs, n;
    gn_layer_time *layers; /* in the order in which they run; steps that only rename memory are left out */
    gn_kind_time kinds[GN_STEP_KINDS];
    double ms; /* sum of all layers */
    gn_device_peak peak;
} gn_layer_times;

/* The larger of a layer's two bounds, ms. */
double gn_layer_bound_ms(const gn_layer_time *layer);
/* Bytes per second at which `bytes` are read (copied) over and over: between measured sizes in proportion to the logarithm. */
double gn_peak_read_rate(const gn_device_peak *peak, double bytes);
double gn_peak_copy_rate(const gn_device_peak *peak, double bytes);

/* Runs the plan that `session` ran or prepared last 20 to 200 times (about half a second), and measures the machine.
 * The names in the result are valid as long as that plan.  GN_ECANCELED; GN_ENOMEM; errors of the run. */
gn_status gn_measure_layers(gn_session *session, gn_layer_times **times_out, gn_error *err);
void gn_layer_times_destroy(gn_layer_times **times);

#endif
