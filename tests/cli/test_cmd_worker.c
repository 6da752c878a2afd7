/* gannet worker with a study that a PostgreSQL server keeps: it builds space and settings from the study alone.  And which of the options
 * of a search win over its space.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../store/store_fixture.h"
#include "cli/search_setup.h"
#include "program_fixture.h"

static int begin(void **state)
{
    (void)state;
    return program_begin("worker") ? 0 : -1;
}

static int end(void **state)
{
    return fixture_server_stop(state) + program_end();
}

static double number_of(const gn_json *root, const char *path)
{
    double value = -1;
    gn_json_number(root, path, &value);
    return value;
}

static void test_worker_of_a_search_that_is_over(void **state)
{
    (void)state;
    char where[600], line[1200];
    if (!fixture_server_start()) {
        print_message("PostgreSQL's server is not installed\n");
        skip();
    }
    fixture_server_address(where, "verbs", false);
    program_expect("synth faces --images 40 --imgsz-range 64,96 --quiet", 0, "");
    program_expect("synth others --images 40 --imgsz-range 64,96 --seed 5 --quiet", 0, "");
    snprintf(
        line, sizeof line,
        "search --data faces --model squeezenet1_1 --set lr0=1e-4..1e-2:log --set imgsz=64 --set batch=8 --sampler "
        "random --trials 2 --stop asha --epochs 2 --min-epochs 1 --eta 2 --no-pictures --out s --json --study '%s'",
        where);
    const gn_json *search = program_json(line);
    assert_true(number_of(search, "done") == 2);
    assert_null(strstr(program_output, "secret")); /* the password */
    snprintf(line, sizeof line, "worker --out w --json --study '%s'", where);
    const gn_json *worker = program_json(line);
    assert_true(number_of(worker, "trials") == 2 && number_of(worker, "done") == 2 && number_of(worker, "failed") == 0);
    /* A copy of the data set with other pictures. */
    snprintf(line, sizeof line, "worker --out w --json --data others --study '%s'", where);
    program_expect(line, 2, "have changed");
    fixture_server_address(where, "empty", false);
    snprintf(line, sizeof line, "worker --out w --json --study '%s'", where);
    assert_int_not_equal(program_call(line), 0);
    program_expect("worker --json", 2, "--study is missing");
}

static void test_the_command_line_wins(void **state)
{
    (void)state;
    char path[300];
    snprintf(path, sizeof path, "%s/space.yaml", program_folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("model: [resnet18, squeezenet1_1]\nstop: asha\nepochs: 30\n", file);
    fclose(file);
    program_expect("search --space space.yaml --print-space", 0, "all of them to the end: 60 epochs");
    program_expect("search --space space.yaml --epochs 7 --print-space", 0, "all of them to the end: 14 epochs");
    program_expect("search --space space.yaml --stages 2:1,5 --print-space", 0, "all of them to the end: 10 epochs");
    program_expect("search --space tiny --epochs 9 --stop median --print-space", 0, "180 epochs");
    program_expect("search --space tiny --stages 2:1,5 --epochs 9 --print-space --json", 2, "does not go with");
    program_expect("search --space tinny --print-space --json", 3, "did you mean");
}

static void test_energy(void **state)
{
    (void)state;
    const char *const wrong[] = {"", "mJ", "-1mJ", "0", "5kJ", "nan", "1e99J"};
    double mj = 0;
    gn_error err = {0};
    assert_true(search_parse_energy("50mJ", &mj, NULL) == GN_OK && mj == 50);
    assert_true(search_parse_energy("0.2J", &mj, NULL) == GN_OK && mj == 200);
    assert_true(search_parse_energy("7", &mj, NULL) == GN_OK && mj == 7);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(search_parse_energy(wrong[i], &mj, &err), GN_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_of_a_search_that_is_over),
        cmocka_unit_test(test_the_command_line_wins),
        cmocka_unit_test(test_energy),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
