/* Energy meters, clocks and temperatures from folders that look like /sys.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "measure/machine_energy.h"
#include "measure/machine_state.h"

static char root[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/gannet-sysfs-XXXXXX");
    return mkdtemp(root) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    return gn_remove_tree(root) ? 0 : 1;
}

static void put(const char *name, const char *text)
{
    char path[300], folder[300];
    snprintf(path, sizeof path, "%s/%s", root, name);
    gn_path_dir(path, folder, sizeof folder);
    assert_int_equal(gn_make_dirs(folder, NULL), GN_OK);
    assert_int_equal(gn_file_write(path, text, strlen(text), NULL), GN_OK);
}

#define RAPL "sys/class/powercap/intel-rapl:"

static void test_counters(void **state)
{
    (void)state;
    gn_energy_meter m;
    put(RAPL "0/energy_uj", "999000\n");
    put(RAPL "0/max_energy_range_uj", "1000000\n");
    put(RAPL "1/energy_uj", "5000\n");
    put(RAPL "1/max_energy_range_uj", "1000000\n");
    put(RAPL "0:0/energy_uj", "7\n"); /* a part of package 0, which has it already */
    gn_energy_start(&m, root);
    assert_int_equal(m.kind, GN_ENERGY_COUNTERS);
    assert_int_equal(m.n, 2);
    assert_true(isnan(gn_energy_mj(&m))); /* nothing counted is no figure */
    put(RAPL "1/energy_uj", "9000\n");
    gn_energy_read(&m, 1);
    assert_true(gn_energy_mj(&m) == 4);
    put(RAPL "0/energy_uj", "1500\n"); /* around */
    gn_energy_read(&m, 2);
    assert_true(gn_energy_mj(&m) == 6.5);
    put(RAPL "0/energy_uj", "no number\n");
    gn_energy_read(&m, 3);
    assert_true(isnan(gn_energy_mj(&m)));
}

static void test_sensors(void **state)
{
    (void)state;
    gn_energy_meter m;
    put("sys/class/hwmon/hwmon0/name", "cpu_thermal\n");
    put("sys/class/hwmon/hwmon2/name", "ina3221\n");
    put("sys/class/hwmon/hwmon2/in1_label", "VDD_IN\n");
    put("sys/class/hwmon/hwmon2/in1_input", "5000\n");    /* mV */
    put("sys/class/hwmon/hwmon2/curr1_input", "800\n");   /* mA: 4 W */
    put("sys/class/hwmon/hwmon2/in2_label", "VDD_CPU\n"); /* contained in it */
    put("sys/class/hwmon/hwmon2/in2_input", "5000\n");
    put("sys/class/hwmon/hwmon2/curr2_input", "100\n");
    gn_energy_start(&m, root);
    assert_int_equal(m.kind, GN_ENERGY_POWER);
    assert_int_equal(m.n, 1);
    put("sys/class/hwmon/hwmon2/curr1_input", "1200\n"); /* 6 W */
    gn_energy_read(&m, m.last_ns + 500000000);
    assert_float_equal(gn_energy_mj(&m), 2500, 1e-9); /* half a second of 5 W in the mean */
}

static void test_sensors_of_older_kernels(void **state)
{
    (void)state;
    gn_energy_meter m;
    put("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_0", "POM_5V_IN\n");
    put("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power0_input", "3000\n");
    put("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/rail_name_1", "POM_5V_GPU\n");
    put("sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0/in_power1_input", "1000\n");
    gn_energy_start(&m, root);
    assert_int_equal(m.n, 1);
    gn_energy_read(&m, m.last_ns + 1000000000);
    assert_float_equal(gn_energy_mj(&m), 3000, 1e-9);
}

static void test_nothing(void **state)
{
    (void)state;
    gn_energy_meter m;
    gn_energy_start(&m, root);
    assert_int_equal(m.kind, GN_ENERGY_NONE);
    gn_energy_read(&m, 1);
    assert_true(isnan(gn_energy_mj(&m)));
    const gn_machine_state s = gn_machine_state_under(root);
    assert_true(isnan(s.clock_mhz) && isnan(s.temperature_c));
    assert_int_equal(s.throttle_events, -1);
}

static void test_state(void **state)
{
    (void)state;
    put("proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 1200.5\n\nprocessor : 1\ncpu MHz\t\t: 900\n");
    assert_float_equal(gn_machine_state_under(root).clock_mhz, 1200.5, 0);
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1428000\n");
    put("sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "102000\n");
    put("sys/class/thermal/thermal_zone0/temp", "41500\n");
    put("sys/class/thermal/thermal_zone1/temp", "52000\n");
    put("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
    const gn_machine_state s = gn_machine_state_under(root);
    assert_float_equal(s.clock_mhz, 1428, 0);
    assert_float_equal(s.temperature_c, 52, 0);
    assert_int_equal(s.throttle_events, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_counters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sensors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sensors_of_older_kernels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_state, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
