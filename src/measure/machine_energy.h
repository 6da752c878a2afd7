/* Energy that the machine says it has used: counters of x86 processors (RAPL through powercap), power sensors of Jetson boards (INA3221).
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_MACHINE_ENERGY_H
#define GN_MEASURE_MACHINE_ENERGY_H

#include <stdbool.h>
#include <stdint.h>

/* What there is to read.  root: "" or a folder in place of "/", for tests. */
#define GN_ENERGY_MAX_METERS 16
typedef struct gn_energy_meter {
    enum { GN_ENERGY_NONE = 0, GN_ENERGY_COUNTERS, GN_ENERGY_POWER } kind;
    int n;                                  /* counters (processor packages) or sensors */
    char path[GN_ENERGY_MAX_METERS][200];   /* COUNTERS: energy_uj; POWER: watts or volts */
    char second[GN_ENERGY_MAX_METERS][200]; /* POWER: amperes where path has volts; "" else */
    double range_uj[GN_ENERGY_MAX_METERS];  /* COUNTERS: where they begin again from 0 */
    double unit[GN_ENERGY_MAX_METERS];      /* POWER: watts of one step of path (times second) */
    double last_uj[GN_ENERGY_MAX_METERS];
    int64_t last_ns; /* POWER: of the last reading */
    double last_w;
    double used_uj;
    bool is_good; /* every reading since the start succeeded */
} gn_energy_meter;

/* Looks for meters that this process may read, and begins to count.  kind NONE: the machine does not tell. */
void gn_energy_start(gn_energy_meter *meter, const char *root);
/* Reads again: at least once before a counter can have gone around twice (minutes), and, for sensors, many times a second, since their power is
 * taken to change in a straight line between two readings.  now_ns: gn_now_ns. */
void gn_energy_read(gn_energy_meter *meter, int64_t now_ns);
/* Millijoules since the start, of the whole machine as far as its meters see; NaN when it does not tell, or told nothing (0). */
double gn_energy_mj(const gn_energy_meter *meter);

#endif
