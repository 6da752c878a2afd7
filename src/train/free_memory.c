/* How much memory this machine still has for us.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "train/trainer.h"

/* Number at the start of a small file; -1 when there is none ("max", missing). */
static int64_t number_in(const char *path)
{
    char *text = NULL;
    size_t bytes;
    if (gn_file_read(path, 4096, &text, &bytes, NULL) != GN_OK)
        return -1;
    char *stop;
    long long x = strtoll(text, &stop, 10);
    bool is_number = stop != text;
    gn_free(text);
    return is_number ? (int64_t)x : -1;
}

static int64_t kernel_says_available(void)
{
    char *text = NULL;
    size_t bytes;
    if (gn_file_read("/proc/meminfo", (size_t)1 << 20, &text, &bytes, NULL) != GN_OK)
        return -1;
    const char *line = strstr(text, "MemAvailable:");
    int64_t kib = line ? (int64_t)strtoll(line + strlen("MemAvailable:"), NULL, 10) : -1;
    gn_free(text);
    return kib > 0 ? kib * 1024 : -1;
}

size_t gn_memory_available(void)
{
    int64_t available = kernel_says_available();
    int64_t limit = number_in("/sys/fs/cgroup/memory.max"), used = number_in("/sys/fs/cgroup/memory.current");
    if (limit > 0 && used >= 0) {
        int64_t rest = limit > used ? limit - used : 0;
        if (available < 0 || rest < available)
            available = rest;
    }
    return available > 0 ? (size_t)available : 0;
}
