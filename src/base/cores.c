/* How many cores this process may use: CPU affinity, further limited by the quota of its control group.
 * SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"

static int affinity_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (int)online : 1;
}

static bool read_line(const char *path, char *line, int bytes)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    const bool got = fgets(line, bytes, file) != NULL;
    fclose(file);
    return got;
}

/* Cores of "quota period" in microseconds, rounded up; 0 when there is no limit. */
static int quota_cores(long long quota, long long period)
{
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

static int quota_of_folder(const char *folder)
{
    char path[512], line[128];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", folder);
    if (read_line(path, line, sizeof line) && sscanf(line, "%lld %lld", &quota, &period) == 2)
        return quota_cores(quota, period);
    return 0;
}

/* Control groups version 2 (own group and the root that a container sees), then version 1. */
static int quota_count(void)
{
    char line[256], folder[320];
    if (read_line("/proc/self/cgroup", line, sizeof line) && strncmp(line, "0::/", 4) == 0) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(folder, sizeof folder, "/sys/fs/cgroup%s", line + 3);
        const int cores = quota_of_folder(folder);
        if (cores > 0)
            return cores;
    }
    const int cores = quota_of_folder("/sys/fs/cgroup");
    if (cores > 0)
        return cores;
    long long quota, period;
    char line2[64];
    if (read_line("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", line, 64) && sscanf(line, "%lld", &quota) == 1 &&
        read_line("/sys/fs/cgroup/cpu/cpu.cfs_period_us", line2, sizeof line2) && sscanf(line2, "%lld", &period) == 1)
        return quota_cores(quota, period);
    return 0;
}

int gn_cpu_count(void)
{
    const int cores = affinity_count();
    const int quota = quota_count();
    return quota > 0 && quota < cores ? quota : cores;
}
