/* Monotonic time and calendar time.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_CLOCK_H
#define GN_BASE_CLOCK_H

#include <stdint.h>

int64_t gn_now_ns(void);       /* monotonic, nanoseconds */
int64_t gn_unix_seconds(void); /* since 1970 */
double gn_unix_time(void);     /* the same with fractions */
void gn_sleep_ns(int64_t ns);
/* "2026-11-20T12:48:22Z"; dst holds at least 24 bytes. */
void gn_format_utc(int64_t unix_seconds, char *dst);

#endif
