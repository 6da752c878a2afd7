/* The program from outside: overview, help of every verb, suggestions, exit codes, a full disk, and the JSON of doctor.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/cli_verbs.h"

#define PROGRAM GN_BINARY_DIR "/gannet"

static char output[200000]; /* of the last call */

/* Runs the program through the shell; `line` may redirect.  Returns the exit code. */
static int call(const char *line)
{
    char command[1024];
    snprintf(command, sizeof command, PROGRAM " %s", line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(output, 1, sizeof output - 1, pipe);
    output[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void overview_names_every_verb(void **state)
{
    (void)state;
    assert_int_equal(call("--help"), 0);
    assert_non_null(strstr(output, "Exit codes"));
    for (size_t i = 0; gn_verbs[i]; i++) {
        char line[64];
        snprintf(line, sizeof line, "\n  %-10s ", gn_verbs[i]->name);
        assert_true(!gn_verbs[i]->group || strstr(output, line));
    }
    assert_int_equal(call("2>&1 >/dev/null"), 2);
    assert_non_null(strstr(output, "Usage: gannet VERB"));
    assert_int_equal(call("--version"), 0);
    assert_memory_equal(output, "gannet ", 7);
}

static void every_verb_has_help(void **state)
{
    (void)state;
    for (size_t i = 0; gn_verbs[i]; i++) {
        char line[64], usage[64];
        if (!gn_verbs[i]->group)
            continue;
        snprintf(line, sizeof line, "%s --help", gn_verbs[i]->name);
        snprintf(usage, sizeof usage, "Usage: gannet %s ", gn_verbs[i]->name);
        assert_int_equal(call(line), 0);
        assert_memory_equal(output, usage, strlen(usage));
        char *text = strdup(output);
        snprintf(line, sizeof line, "help %s", gn_verbs[i]->name);
        assert_int_equal(call(line), 0);
        assert_string_equal(text, output);
        free(text);
        snprintf(line, sizeof line, "%s --no-such-option 2>&1", gn_verbs[i]->name);
        assert_int_equal(call(line), 2);
        assert_non_null(strstr(output, "unknown option --no-such-option"));
    }
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    assert_int_equal(call("docter 2>&1"), 2);
    assert_non_null(strstr(output, "did you mean doctor?"));
    assert_int_equal(call("help docter 2>&1"), 2);
    assert_int_equal(call("doctor surplus 2>&1"), 2);
    assert_non_null(strstr(output, "unexpected argument \"surplus\""));
}

static void full_disk_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(call("doctor 2>&1 >/dev/full"), 1);
    assert_non_null(strstr(output, "No space left on device"));
    assert_int_equal(call("doctor --json 2>&1 >/dev/full"), 1);
}

static void doctor_speaks_json(void **state)
{
    (void)state;
    assert_int_equal(call("doctor --json 2>/dev/null"), 0);
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    assert_int_equal(gn_json_parse(output, strlen(output), arena, &root, NULL), GN_OK);
    double cores = 0;
    const char *level = NULL;
    assert_true(gn_json_number(root, "cores", &cores));
    assert_true(cores >= 1);
    assert_true(gn_json_string(root, "cpu_level", &level));
    assert_int_equal(setenv("GANNET_CPU", "ref", 1), 0);
    assert_int_equal(call("doctor --json 2>/dev/null"), 0);
    unsetenv("GANNET_CPU");
    assert_int_equal(gn_json_parse(output, strlen(output), arena, &root, NULL), GN_OK);
    assert_true(gn_json_string(root, "cpu_level", &level));
    assert_string_equal(level, "ref");
    gn_arena_destroy(&arena);
}

/* The bound is ten times what a quiet machine needs, so that a busy one passes too. */
static void help_is_quick(void **state)
{
    (void)state;
    int64_t best_ns = INT64_MAX;
    for (int i = 0; i < 5; i++) {
        const int64_t start = gn_now_ns();
        assert_int_equal(call("--help"), 0);
        const int64_t ns = gn_now_ns() - start;
        best_ns = ns < best_ns ? ns : best_ns;
    }
    print_message("gannet --help: %.1f ms\n", (double)best_ns / 1e6);
    assert_true(best_ns < 200000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overview_names_every_verb), cmocka_unit_test(every_verb_has_help),
        cmocka_unit_test(mistakes_are_explained),    cmocka_unit_test(full_disk_is_noticed),
        cmocka_unit_test(doctor_speaks_json),        cmocka_unit_test(help_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
