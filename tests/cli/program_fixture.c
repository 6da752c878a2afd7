/* Running the program in a folder of its own, for tests of verbs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "program_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PROGRAM GN_BINARY_DIR "/gannet"

char program_folder[256];
char program_output[400000];
static gn_arena *arena; /* of JSON */

bool program_begin(const char *what)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(program_folder, sizeof program_folder, "%s/gannet-%s-XXXXXX", tmp && *tmp ? tmp : "/tmp", what);
    arena = gn_arena_create(0);
    return arena && mkdtemp(program_folder) != NULL;
}

int program_end(void)
{
    char command[300];
    gn_arena_destroy(&arena);
    snprintf(command, sizeof command, "rm -rf '%s'", program_folder);
    return system(command);
}

int program_call(const char *line)
{
    char command[4096];
    snprintf(command, sizeof command, "cd %s && " PROGRAM " %s", program_folder, line);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    const size_t n = fread(program_output, 1, sizeof program_output - 1, pipe);
    program_output[n] = '\0';
    const int status = pclose(pipe);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void program_expect(const char *line, int code, const char *word)
{
    const int got = program_call(line);
    if (got != code || !strstr(program_output, word))
        fail_msg("gannet %s: exit code %d, %d and \"%s\" were expected: %s", line, got, code, word, program_output);
}

const gn_json *program_json(const char *line)
{
    const gn_json *root = NULL;
    gn_error err = {0};
    program_expect(line, 0, "{");
    if (gn_json_parse(program_output, strlen(program_output), arena, &root, &err) != GN_OK)
        fail_msg("%s: %s", err.message, program_output);
    return root;
}
