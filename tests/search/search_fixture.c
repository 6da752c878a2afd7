/* SPDX-License-Identifier: Apache-2.0 */
#include "search_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/progress.h"

char search_folder[256], search_study_path[300];
char search_said[8192];

int search_make_folder(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(search_folder, sizeof search_folder, "%s/gannet-search-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(search_folder));
    snprintf(search_study_path, sizeof search_study_path, "%s/study.db", search_folder);
    search_said[0] = '\0';
    gn_stop_clear();
    return 0;
}

static void remove_tree(const char *path)
{
    gn_arena *arena = gn_arena_create(0);
    const char **names = NULL;
    size_t n = 0;
    if (gn_path_is_dir(path) && gn_list_dir(path, arena, &names, &n, NULL) == GN_OK) {
        for (size_t i = 0; i < n; i++) {
            char child[800];
            snprintf(child, sizeof child, "%s/%s", path, names[i]);
            remove_tree(child);
        }
        rmdir(path);
    } else {
        unlink(path);
    }
    gn_arena_destroy(&arena);
}

int search_remove_folder(void **state)
{
    (void)state;
    remove_tree(search_folder);
    return 0;
}

static void say(void *ctx, const char *line)
{
    (void)ctx;
    const size_t len = strlen(search_said);
    snprintf(search_said + len, sizeof search_said - len, "%s\n", line);
}

/* Three networks x two rates, two stages: 6 trials to epoch 4, the best two networks to epoch 10. */
gn_space *search_make_space(void)
{
    gn_space *space = NULL;
    assert_int_equal(gn_space_create(NULL, &space), GN_OK);
    assert_int_equal(gn_space_set(space, "model=a,b,c", NULL), GN_OK);
    assert_int_equal(gn_space_set(space, "lr0=0.001,0.01", NULL), GN_OK);
    assert_int_equal(gn_space_set(space, "head=box", NULL), GN_OK);
    assert_int_equal(gn_space_set(space, "imgsz=128", NULL), GN_OK);
    return space;
}

/* Three networks and a continuous rate: a space without an end. */
gn_space *search_make_endless_space(void)
{
    gn_space *space = NULL;
    assert_int_equal(gn_space_create(NULL, &space), GN_OK);
    assert_int_equal(gn_space_set(space, "model=a,b,c", NULL), GN_OK);
    assert_int_equal(gn_space_set(space, "lr0=1e-4..1:log", NULL), GN_OK);
    assert_int_equal(gn_space_set(space, "head=box", NULL), GN_OK);
    assert_int_equal(gn_space_set(space, "imgsz=128", NULL), GN_OK);
    return space;
}

gn_search_options search_options_for(const gn_space *space)
{
    gn_search_options o = {.space = space,
                           .data = "d",
                           .target = "cpu?threads=1",
                           .objective = "mean_iou",
                           .seed = 3,
                           .jobs = 1,
                           .out_folder = search_folder,
                           .study_path = search_study_path,
                           .command = "gannet search ...",
                           .budget = {.latency_ms = 15},
                           .say = say};
    assert_int_equal(gn_stopping_parse("4:2,10", &o.stopping, NULL), GN_OK);
    return o;
}

gn_status search_run(fake_runner *fake, gn_search_options *o, gn_search_outcome *outcome, gn_error *err)
{
    const gn_search_runner runner = fake_runner_table(fake);
    return gn_search_run(o, &runner, outcome, err);
}

search_snapshot search_read_study(void)
{
    gn_study *study = NULL;
    search_snapshot s = {.arena = gn_arena_create(0)};
    gn_error err = {0};
    if (gn_study_open(search_study_path, GN_STUDY_READ, &study, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_study_trials(study, s.arena, &s.trial, &s.n_trials, NULL), GN_OK);
    assert_int_equal(gn_study_epochs(study, s.arena, &s.epoch, &s.n_epochs, NULL), GN_OK);
    assert_int_equal(gn_study_results(study, s.arena, &s.result, &s.n_results, NULL), GN_OK);
    assert_int_equal(gn_study_measurements(study, s.arena, &s.measurement, &s.n_measurements, NULL), GN_OK);
    gn_study_close(&study);
    return s;
}
