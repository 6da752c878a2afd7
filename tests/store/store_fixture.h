/* Studies for the tests of the store: in a temporary folder, and on a PostgreSQL server that is started for the test.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_STORE_STORE_FIXTURE_H
#define GN_TESTS_STORE_STORE_FIXTURE_H

#include <stdbool.h>

#include "store/study.h"

extern char fixture_folder[256];
extern char fixture_path[300]; /* of the study's file in it */
extern char fixture_where
    [600]; /* the study of this test: that file, or the address of a fresh one on the server; "" without a server */

/* Set-up and tear-down of a test: makes the folder, and removes it with all files in it. */
int fixture_make_folder(void **state);
int fixture_remove_folder(void **state);
/* Besides, sets fixture_where. */
int fixture_set_up_file(void **state);
int fixture_set_up_server(void **state);
/* For a test of both kinds, which begins with this; the server's is skipped where there is none. */
void fixture_skip_without_study(void);
#define FIXTURE_BOTH(test)                                                                                             \
    {#test " (file)", test, fixture_set_up_file, fixture_remove_folder, NULL},                                         \
    {                                                                                                                  \
#test " (server)", test, fixture_set_up_server, fixture_remove_folder, NULL                                    \
    }

/* The server, started by the first test that needs it and stopped by the group's tear-down. */
bool fixture_server_start(void); /* false: PostgreSQL is not installed */
int fixture_server_stop(void **state);
bool fixture_server_do(const char *verb); /* restart, down, up: see postgres.sh */
/* The address of the study `name` over TCP with a password, or over the socket without one. */
void fixture_server_address(char dst[600], const char *name, bool is_socket);

/* Opens the study; fails the test when that does not work. */
gn_study *fixture_open(const char *where, gn_study_mode mode);
/* Adds a trial that waits. */
int64_t fixture_add_trial(gn_study *study, const char *config);

#endif
