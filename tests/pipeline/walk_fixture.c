/* Running the program in a folder of its own and comparing what it leaves there.
 * SPDX-License-Identifier: Apache-2.0 */
#include "walk_fixture.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
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
#include "formats/weights/safetensors.h"

#define PROGRAM GN_BINARY_DIR "/gannet"

char walk_folder[256];
char walk_stderr[65536];
char walk_stdout[65536];

/* Where the program's output goes. */
static void output_path(const char *name, char dst[300])
{
    snprintf(dst, 300, "%s/%s.txt", walk_folder, name);
}

static void read_output(const char *name, char *dst, size_t bytes)
{
    char path[300], *text = NULL;
    size_t n = 0;
    output_path(name, path);
    dst[0] = '\0';
    if (gn_file_read(path, bytes - 1, &text, &n, NULL) == GN_OK)
        snprintf(dst, bytes, "%s", text);
    gn_free(text);
}

static void send_output(int fd, const char *name)
{
    char path[300];
    output_path(name, path);
    dup2(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600), fd);
}

void walk_add(walk_launch *l, const char *const *args)
{
    for (; *args; args++)
        l->args[l->n++] = *args;
}

pid_t walk_begin(const walk_launch *l)
{
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    send_output(1, "stdout");
    send_output(2, "stderr");
    if (l->file_limit) {
        const struct rlimit limit = {l->file_limit, l->file_limit};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    char *argv[WALK_MAX_ARGS + 2] = {(char *)(uintptr_t)PROGRAM};
    for (int i = 0; i < l->n; i++)
        argv[i + 1] = (char *)(uintptr_t)l->args[i];
    execv(PROGRAM, argv);
    _exit(127);
}

/* Exit code, or 1000 + signal; fills walk_stderr and walk_stdout. */
int walk_end(pid_t pid)
{
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    read_output("stderr", walk_stderr, sizeof walk_stderr);
    read_output("stdout", walk_stdout, sizeof walk_stdout);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

int walk_call(const char *const *args)
{
    walk_launch l = {.n = 0};
    walk_add(&l, args);
    return walk_end(walk_begin(&l));
}

void walk_path(const char *name, const char *file, char *dst, size_t bytes)
{
    snprintf(dst, bytes, "%s/%s/%s", walk_folder, name, file);
}

/* Every tensor of both checkpoints has the same bits. */
void walk_assert_same_weights(const char *a_name, const char *b_name)
{
    char a_path[400], b_path[400];
    gn_safetensors *a = NULL, *b = NULL;
    walk_path(a_name, "last.safetensors", a_path, sizeof a_path);
    walk_path(b_name, "last.safetensors", b_path, sizeof b_path);
    assert_int_equal(gn_safetensors_open(a_path, &a, NULL), GN_OK);
    assert_int_equal(gn_safetensors_open(b_path, &b, NULL), GN_OK);
    assert_true(gn_safetensors_count(a) > 300); /* weights, statistics, two moments and averages */
    assert_int_equal(gn_safetensors_count(a), gn_safetensors_count(b));
    for (size_t i = 0; i < gn_safetensors_count(a); i++) {
        const char *name;
        const gn_tensor *x = gn_safetensors_at(a, i, &name), *y = gn_safetensors_find(b, name);
        assert_non_null(y);
        assert_int_equal(gn_tensor_bytes(x), gn_tensor_bytes(y));
        if (memcmp(x->data, y->data, gn_tensor_bytes(x)) != 0)
            fail_msg("tensor %s differs between %s and %s", name, a_name, b_name);
    }
    gn_safetensors_close(&a);
    gn_safetensors_close(&b);
}

int walk_set_up(void **state)
{
    char faces[300];
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(walk_folder, sizeof walk_folder, "%s/gannet-walk-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(walk_folder))
        return -1;
    snprintf(faces, sizeof faces, "%s/faces", walk_folder);
    if (WALK_CALL("synth", faces, "--images", "48", "--seed", "7") != 0) {
        fprintf(stderr, "%s\n", walk_stderr);
        return -1;
    }
    return 0;
}

int walk_tear_down(void **state)
{
    (void)state;
    char command[400];
    snprintf(command, sizeof command, "rm -rf '%s'", walk_folder);
    return system(command);
}

const char *walk_data(void)
{
    static char path[300];
    snprintf(path, sizeof path, "%s/faces/data.yaml", walk_folder);
    return path;
}
