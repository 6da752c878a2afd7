/* Running the program in a folder of its own and comparing what it leaves there.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_WALK_FIXTURE_H
#define GN_TESTS_WALK_FIXTURE_H

#include <stddef.h>
#include <sys/resource.h>
#include <sys/types.h>

#define WALK_MAX_ARGS 64

extern char walk_folder[256];   /* of this test program, while walk_set_up .. walk_tear_down */
extern char walk_stderr[65536]; /* of the last program that ended */
extern char walk_stdout[65536];

/* A command line in the making. */
typedef struct walk_launch {
    const char *args[WALK_MAX_ARGS];
    int n;
    rlim_t file_limit; /* largest file the child may write; 0: any */
} walk_launch;

/* args: ends in NULL. */
void walk_add(walk_launch *l, const char *const *args);
pid_t walk_begin(const walk_launch *l);
/* Exit code, or 1000 + signal; fills walk_stderr and walk_stdout. */
int walk_end(pid_t pid);
int walk_call(const char *const *args);
#define WALK_CALL(...) walk_call((const char *const[]){__VA_ARGS__, NULL})

/* Makes the folder with 48 drawn pictures of faces. */
int walk_set_up(void **state);
int walk_tear_down(void **state);
/* Their data.yaml. */
const char *walk_data(void);
/* Path of a file of a run. */
void walk_path(const char *name, const char *file, char *dst, size_t bytes);
/* Every tensor of both runs' checkpoints has the same bits. */
void walk_assert_same_weights(const char *a_name, const char *b_name);

#endif
