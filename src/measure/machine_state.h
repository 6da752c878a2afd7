/* What the machine tells about its own condition: clock, temperature, throttling, memory of this process.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_MACHINE_STATE_H
#define GN_MEASURE_MACHINE_STATE_H

#include <stdint.h>

/* NaN or -1 where the machine does not say. */
typedef struct gn_machine_state {
    double clock_mhz;        /* of the fastest core */
    double temperature_c;    /* of the hottest thermal zone */
    int64_t throttle_events; /* sum over cores since boot */
} gn_machine_state;

gn_machine_state gn_machine_state_now(void);
/* The same from files below `root` ("" for the machine's own), for tests. */
gn_machine_state gn_machine_state_under(const char *root);
/* Peak resident memory of this process, bytes; -1 when unknown. */
int64_t gn_process_peak_bytes(void);
/* Milliseconds since this process was started (resolution of the kernel's tick, 10 ms); NaN when unknown. */
double gn_process_age_ms(void);

#endif
