/* Studies in a temporary folder.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"

char fixture_folder[256];
char fixture_path[300];

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
