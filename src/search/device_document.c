/* The machine as JSON; see device_document.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/device_document.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "measure/machine_state.h"

#define FILE_MAX_BYTES 65536

static void put_text(gn_text *out, const char *key, const char *value)
{
    gn_text_add(out, out->len > 1 ? "," : "");
    gn_text_add_json(out, key);
    gn_text_add(out, ":");
    if (value != NULL && value[0] != '\0')
        gn_text_add_json(out, value);
    else
        gn_text_add(out, "null");
}

static void put_number(gn_text *out, const char *key, double value)
{
    gn_text_add(out, out->len > 1 ? "," : "");
    gn_text_add_json(out, key);
    if (isfinite(value))
        gn_text_printf(out, ":%.6g", value);
    else
        gn_text_add(out, ":null");
}

/* What stands behind `key` on its line of a small file ("" takes the first line), without quotes; "" when there is none. */
static void read_line(const char *path, const char *key, char *dst, size_t dst_bytes)
{
    char *text = NULL;
    size_t bytes = 0;
    dst[0] = '\0';
    if (gn_file_read(path, FILE_MAX_BYTES, &text, &bytes, NULL) != GN_OK)
        return;
    const char *at = strstr(text, key);
    if (at != NULL) {
        at += strlen(key);
        at += strspn(at, "\"");
        snprintf(dst, dst_bytes, "%.*s", (int)strcspn(at, "\"\n"), at);
    }
    gn_free(text);
}

void gn_device_document(gn_text *out)
{
    char governor[64], os[128], board[128], when[32];
    struct utsname system;
    const gn_machine_state state = gn_machine_state_now();
    read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", governor, sizeof governor);
    read_line("/etc/os-release", "PRETTY_NAME=", os, sizeof os);
    read_line("/proc/device-tree/model", "", board, sizeof board);
    gn_format_utc(gn_unix_seconds(), when);
    gn_text_add(out, "{");
    put_text(out, "model", gn_cpu_name());
    put_text(out, "board", board);
    put_text(out, "cpu_level", gn_cpu_level_name(gn_cpu_current()));
    put_number(out, "cores", (double)sysconf(_SC_NPROCESSORS_ONLN));
    put_text(out, "governor", governor);
    put_number(out, "clock_mhz", state.clock_mhz);
    put_number(out, "temperature_c", state.temperature_c);
    put_text(out, "kernel", uname(&system) == 0 ? system.release : NULL);
    put_text(out, "os", os);
    put_text(out, "compiler", __VERSION__);
    put_text(out, "gannet", GN_VERSION);
    put_text(out, "measured_at", when);
    gn_text_add(out, "}");
}
