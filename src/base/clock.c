/* Monotonic and calendar time from POSIX clocks.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S INT64_C(1000000000)

int64_t gn_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t gn_unix_seconds(void)
{
    return (int64_t)time(NULL);
}

double gn_unix_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void gn_sleep_ns(int64_t ns)
{
    if (ns <= 0)
        return;
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        ;
}

void gn_format_utc(int64_t unix_seconds, char *dst)
{
    const time_t seconds = (time_t)unix_seconds;
    struct tm tm;
    if (!gmtime_r(&seconds, &tm) || strftime(dst, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(dst, 24, "?");
}
