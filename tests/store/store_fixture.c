/* Studies in a temporary folder, and a PostgreSQL server.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

char fixture_folder[256];
char fixture_path[300];
char fixture_where[600];

/* The server: 0 not tried yet, 1 runs, -1 there is none. */
static int server_state;
static int server_port;
static char server_folder[64];

int fixture_make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(fixture_folder, sizeof fixture_folder, "%s/gannet-study-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(fixture_folder));
    snprintf(fixture_path, sizeof fixture_path, "%s/study.db", fixture_folder);
    return 0;
}

int fixture_remove_folder(void **state)
{
    (void)state;
    const char **names = NULL;
    size_t n = 0;
    gn_arena *arena = gn_arena_create(0);
    assert_int_equal(gn_list_dir(fixture_folder, arena, &names, &n, NULL), GN_OK);
    for (size_t i = 0; i < n; i++) {
        char file[600];
        snprintf(file, sizeof file, "%s/%s", fixture_folder, names[i]);
        unlink(file);
    }
    gn_arena_destroy(&arena);
    return rmdir(fixture_folder);
}

int fixture_set_up_file(void **state)
{
    fixture_make_folder(state);
    snprintf(fixture_where, sizeof fixture_where, "%s", fixture_path);
    return 0;
}

int fixture_set_up_server(void **state)
{
    static int n_studies;
    char name[32];
    fixture_make_folder(state);
    fixture_where[0] = '\0';
    snprintf(name, sizeof name, "study_%d", ++n_studies);
    if (fixture_server_start())
        fixture_server_address(fixture_where, name, n_studies % 2 == 0);
    return 0;
}

void fixture_skip_without_study(void)
{
    if (fixture_where[0] != '\0')
        return;
    print_message("PostgreSQL's server is not installed\n");
    skip();
}

/* Exit status of postgres.sh; -1 when it was killed. */
static int run_script(const char *verb, const char *arguments)
{
    char command[600];
    snprintf(command, sizeof command, "'%s/tests/store/postgres.sh' %s '%s' %s", GN_SOURCE_DIR, verb, server_folder,
             arguments);
    const int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool fixture_server_start(void)
{
    char arguments[64];
    /* A port that is taken by another is no reason to fail: the next one may be free. */
    for (int i = 0; i < 5 && server_state == 0; i++) {
        server_port = 20000 + (int)((unsigned)getpid() * 7919u + (unsigned)i * 104729u) % 40000;
        snprintf(server_folder, sizeof server_folder, "/tmp/gannet-pg-%ld-%d", (long)getpid(), i);
        snprintf(arguments, sizeof arguments, "%d %ld", server_port, (long)getpid());
        const int status = run_script("start", arguments);
        server_state = status == 0 ? 1 : status == 77 ? -1 : 0;
        if (server_state == 0)
            run_script("stop", "");
    }
    if (server_state == 0)
        fail_msg("PostgreSQL is installed, but its server does not start");
    return server_state == 1;
}

int fixture_server_stop(void **state)
{
    (void)state;
    const bool is_running = server_state == 1;
    server_state = 0;
    return is_running ? run_script("stop", "") : 0;
}

bool fixture_server_do(const char *verb)
{
    return run_script(verb, "") == 0;
}

void fixture_server_address(char dst[600], const char *name, bool is_socket)
{
    if (is_socket)
        snprintf(dst, 600, "postgresql:///postgres?host=%s&port=%d&user=gannet&study=%s", server_folder, server_port,
                 name);
    else
        snprintf(dst, 600, "postgresql://gannet:secret@127.0.0.1:%d/postgres?study=%s", server_port, name);
}

gn_study *fixture_open(const char *where, gn_study_mode mode)
{
    gn_study *study = NULL;
    gn_error err = {0};
    if (gn_study_open(where, mode, &study, &err) != GN_OK)
        fail_msg("%s", err.message);
    return study;
}

int64_t fixture_add_trial(gn_study *study, const char *config)
{
    int64_t id = 0;
    gn_error err = {0};
    if (gn_study_add_trial(study, &(gn_trial){.config = config, .seed = 7}, &id, &err) != GN_OK)
        fail_msg("%s", err.message);
    return id;
}
