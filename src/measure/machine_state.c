/* Readings from /proc and /sys.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/machine_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Cores and thermal zones that are looked at. */
#define MAX_CORES  256
#define MAX_ZONES  64
#define PATH_BYTES 512

static bool read_number(const char *path, double *out)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool good = fscanf(file, "%lf", out) == 1;
    fclose(file);
    return good;
}

static double clock_from_cpuinfo(const char *root)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/proc/cpuinfo", root);
    FILE *file = fopen(path, "re");
    double fastest = NAN, mhz;
    char line[512];
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "cpu MHz : %lf", &mhz) == 1)
            fastest = fmax(fastest, mhz);
    if (file)
        fclose(file);
    return fastest;
}

static double clock_now(const char *root)
{
    double fastest = NAN, khz;
    for (int i = 0; i < MAX_CORES; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/cpufreq/scaling_cur_freq", root, i);
        if (!read_number(path, &khz))
            break;
        fastest = fmax(fastest, khz / 1000);
    }
    return isnan(fastest) ? clock_from_cpuinfo(root) : fastest;
}

static double temperature_now(const char *root)
{
    double hottest = NAN, milli;
    for (int i = 0; i < MAX_ZONES; i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/sys/class/thermal/thermal_zone%d/temp", root, i);
        if (!read_number(path, &milli))
            break;
        hottest = fmax(hottest, milli / 1000);
    }
    return hottest;
}

static int64_t throttle_now(const char *root)
{
    static const char *const names[] = {"core_throttle_count", "package_throttle_count"};
    double sum = -1, count;
    for (int i = 0; i < MAX_CORES; i++) {
        bool is_there = false;
        for (int k = 0; k < 2; k++) {
            char path[PATH_BYTES];
            snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/thermal_throttle/%s", root, i, names[k]);
            if (!read_number(path, &count))
                continue;
            sum = (sum < 0 ? 0 : sum) + count;
            is_there = true;
        }
        if (!is_there)
            break;
    }
    return (int64_t)sum;
}

gn_machine_state gn_machine_state_under(const char *root)
{
    return (gn_machine_state){
        .clock_mhz = clock_now(root), .temperature_c = temperature_now(root), .throttle_events = throttle_now(root)};
}

gn_machine_state gn_machine_state_now(void)
{
    return gn_machine_state_under("");
}

int64_t gn_process_peak_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    int64_t kib = -1;
    char line[256];
    while (file && kib < 0 && fgets(line, sizeof line, file))
        if (sscanf(line, "VmHWM: %" SCNd64, &kib) != 1)
            kib = -1;
    if (file)
        fclose(file);
    return kib < 0 ? -1 : kib * 1024;
}

double gn_process_age_ms(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = '\0';
    const char *after = strrchr(text, ')'); /* the name may hold anything */
    uint64_t start = 0;
    /* Field 22, the 20th after the name: ticks since boot. */
    if (!after ||
        sscanf(after + 1, " %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
               &start) != 1)
        return NAN;
    struct timespec now;
    long ticks = sysconf(_SC_CLK_TCK);
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0 || ticks <= 0)
        return NAN;
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6 - (double)start * 1e3 / (double)ticks;
}
