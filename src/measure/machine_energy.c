/* Energy from /sys.  Sources: Linux Documentation/power/powercap, Documentation/hwmon/ina3221 and sysfs-interface; NVIDIA, Jetson Linux
 * Developer Guide, "Power monitors" (rail VDD_IN is the whole module; the older kernel of Jetson Nano has it under iio_device as milliwatts).
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/machine_energy.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define MAX_SOCKETS  8
#define MAX_HWMON    32
#define MAX_CHANNELS 8

static bool read_number(const char *path, double *out)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool is_good = fscanf(file, "%lf", out) == 1 && isfinite(*out);
    fclose(file);
    return is_good;
}

static bool read_word(const char *path, char dst[64])
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool is_good = fscanf(file, "%63s", dst) == 1;
    fclose(file);
    return is_good;
}

/* The rail of the whole module or board. */
static bool is_whole_board(const char *rail)
{
    return strcmp(rail, "VDD_IN") == 0 || strcmp(rail, "POM_5V_IN") == 0 || strcmp(rail, "VDD_5V_IN") == 0;
}

/* --- finding -------------------------------------------------------------------------------------------------------- */

/* Packages only: their parts (core, uncore) are contained in them. */
static void find_rapl(gn_energy_meter *m, const char *root)
{
    for (int i = 0; i < MAX_SOCKETS; i++) {
        char path[300], range[300];
        double now = 0, range_uj = 0;
        snprintf(path, sizeof path, "%.120s/sys/class/powercap/intel-rapl:%d/energy_uj", root, i);
        snprintf(range, sizeof range, "%.120s/sys/class/powercap/intel-rapl:%d/max_energy_range_uj", root, i);
        if (!read_number(path, &now) || !read_number(range, &range_uj) || range_uj <= 0)
            continue;
        snprintf(m->path[m->n], sizeof m->path[0], "%s", path);
        m->range_uj[m->n] = range_uj;
        m->n++;
    }
    m->kind = m->n > 0 ? GN_ENERGY_COUNTERS : GN_ENERGY_NONE;
}

static void add_sensor(gn_energy_meter *m, const char *path, const char *second, double unit)
{
    double x = 0;
    if (m->n == GN_ENERGY_MAX_METERS || !read_number(path, &x) || (second[0] != '\0' && !read_number(second, &x)))
        return;
    snprintf(m->path[m->n], sizeof m->path[0], "%s", path);
    snprintf(m->second[m->n], sizeof m->second[0], "%s", second);
    m->unit[m->n] = unit;
    m->n++;
    m->kind = GN_ENERGY_POWER;
}

/* hwmonK/in1_label "VDD_IN", with in1_input in millivolts and curr1_input in milliamperes. */
static void find_hwmon(gn_energy_meter *m, const char *root)
{
    for (int i = 0; i < MAX_HWMON; i++) {
        char dir[200], path[240], second[240], word[64];
        snprintf(dir, sizeof dir, "%.120s/sys/class/hwmon/hwmon%d", root, i);
        snprintf(path, sizeof path, "%s/name", dir);
        if (!read_word(path, word) || strcmp(word, "ina3221") != 0)
            continue;
        for (int k = 1; k <= MAX_CHANNELS; k++) {
            snprintf(path, sizeof path, "%s/in%d_label", dir, k);
            if (!read_word(path, word) || !is_whole_board(word))
                continue;
            snprintf(path, sizeof path, "%s/in%d_input", dir, k);
            snprintf(second, sizeof second, "%s/curr%d_input", dir, k);
            add_sensor(m, path, second, 1e-6);
        }
    }
}

/* The older kernel: i2c-6/6-0040/iio_device/rail_name_0 "POM_5V_IN", in_power0_input in milliwatts. */
static void find_iio(gn_energy_meter *m, const char *root)
{
    char base[200];
    snprintf(base, sizeof base, "%.120s/sys/bus/i2c/drivers/ina3221x", root);
    DIR *dir = opendir(base);
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir))
        for (int i = 0; i < 8 && strlen(entry->d_name) < 20; i++)
            for (int k = 0; k < 3; k++) {
                char path[300], word[64];
                snprintf(path, sizeof path, "%s/%.20s/iio:device%d/rail_name_%d", base, entry->d_name, i, k);
                if (!read_word(path, word) || !is_whole_board(word))
                    continue;
                snprintf(path, sizeof path, "%s/%.20s/iio:device%d/in_power%d_input", base, entry->d_name, i, k);
                if (strlen(path) < sizeof m->path[0])
                    add_sensor(m, path, "", 1e-3);
            }
    if (dir != NULL)
        closedir(dir);
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

static void read_counters(gn_energy_meter *m, bool is_first)
{
    for (int i = 0; i < m->n; i++) {
        double now = 0;
        if (!read_number(m->path[i], &now)) {
            m->is_good = false;
            continue;
        }
        const double used = now - m->last_uj[i];
        if (!is_first)
            m->used_uj += used >= 0 ? used : used + m->range_uj[i];
        m->last_uj[i] = now;
    }
}

static void read_power(gn_energy_meter *m, int64_t now_ns, bool is_first)
{
    double watts = 0;
    for (int i = 0; i < m->n; i++) {
        double first = 0, second = 1;
        if (!read_number(m->path[i], &first) || (m->second[i][0] != '\0' && !read_number(m->second[i], &second)))
            m->is_good = false;
        watts += first * second * m->unit[i];
    }
    if (!is_first)
        m->used_uj += (watts + m->last_w) / 2 * (double)(now_ns - m->last_ns) * 1e-3;
    m->last_w = watts;
    m->last_ns = now_ns;
}

void gn_energy_start(gn_energy_meter *meter, const char *root)
{
    *meter = (gn_energy_meter){.is_good = true};
    find_rapl(meter, root);
    if (meter->kind == GN_ENERGY_NONE)
        find_hwmon(meter, root);
    if (meter->kind == GN_ENERGY_NONE)
        find_iio(meter, root);
    if (meter->kind == GN_ENERGY_COUNTERS)
        read_counters(meter, true);
    else if (meter->kind == GN_ENERGY_POWER)
        read_power(meter, gn_now_ns(), true);
}

void gn_energy_read(gn_energy_meter *meter, int64_t now_ns)
{
    if (meter->kind == GN_ENERGY_COUNTERS)
        read_counters(meter, false);
    else if (meter->kind == GN_ENERGY_POWER)
        read_power(meter, now_ns, false);
}

double gn_energy_mj(const gn_energy_meter *meter)
{
    return meter->kind != GN_ENERGY_NONE && meter->is_good && meter->used_uj > 0 ? meter->used_uj * 1e-3 : NAN;
}
