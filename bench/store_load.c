/* How long a large study takes to write and to read, and how large it gets.
 *   store_load WHERE [TRIALS]      WHERE: a file that does not exist yet, or postgresql://...?study=NAME
 * Each trial has 3 results of 8 metrics, 30 epochs and an attempt per result.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/file.h"
#include "store/study.h"

static const char *const names[8] = {"loss", "map50", "map50_95", "map75", "mean_iou", "precision", "recall", "top1"};

static double seconds_since(int64_t *start)
{
    const int64_t now = gn_now_ns();
    const double seconds = (double)(now - *start) * 1e-9;
    *start = now;
    return seconds;
}

static gn_status write_stage(gn_study *s, int64_t trial, int stage, gn_error *err)
{
    gn_metric metric[8];
    int number = 0;
    for (int i = 0; i < 8; i++)
        metric[i] = (gn_metric){names[i], sin((double)trial + i), 0.25, 0.75};
    const gn_result result = {
        .trial = trial, .stage = stage, .split = "val", .epochs = 10 * stage, .metrics = metric, .n_metrics = 8};
    const gn_attempt_end end = {.outcome = GN_OUTCOME_DONE,
                                .state = GN_TRIAL_WAITING,
                                .stage = stage,
                                .reason = "",
                                .seconds = 10,
                                .result = &result};
    GN_TRY(gn_study_claim(s, trial, stage, "worker:1", 60, &number, err));
    for (int e = 10 * stage - 9; e <= 10 * stage; e++) {
        const double loss = exp(-0.1 * e + 0.01 * cos((double)trial));
        const gn_epoch epoch = {.trial = trial,
                                .epoch = e,
                                .seconds = e,
                                .train_loss = loss,
                                .val_loss = loss * 1.1,
                                .mean_iou = 1 - loss,
                                .box_precision50 = NAN,
                                .map50 = NAN,
                                .map50_95 = NAN,
                                .lr = 1e-3};
        GN_TRY(gn_study_put_epoch(s, &epoch, err));
    }
    return gn_study_finish(s, trial, number, &end, err);
}

static gn_status write_study(gn_study *s, int n_trials, gn_error *err)
{
    for (int i = 0; i < n_trials; i++) {
        char config[200];
        int64_t trial = 0;
        if (i % 500 == 0)
            GN_TRY(gn_study_begin(s, err));
        snprintf(config, sizeof config,
                 "{\"model\":\"mobilenet_v2@0.35\",\"head\":\"box\",\"imgsz\":\"128\",\"batch\":\"32\",\"optimizer\":"
                 "\"adamw\","
                 "\"lr0\":\"%.6g\"}",
                 1e-5 * (i + 1));
        GN_TRY(gn_study_add_trial(s, &(gn_trial){.config = config}, &trial, err));
        for (int stage = 1; stage <= 3; stage++)
            GN_TRY(write_stage(s, trial, stage, err));
        if (i % 500 == 499 || i == n_trials - 1)
            GN_TRY(gn_study_commit(s, err));
    }
    return GN_OK;
}

static gn_status read_study(gn_study *s, gn_error *err)
{
    gn_arena *arena = gn_arena_create(0);
    gn_trial *trials = NULL;
    gn_result *results = NULL;
    gn_epoch *epochs = NULL;
    gn_attempt *attempts = NULL;
    size_t n = 0;
    int64_t start = gn_now_ns();
    const int64_t begin = start;
    gn_status status = gn_study_trials(s, arena, &trials, &n, err);
    printf("  %zu trials %.3f s", n, seconds_since(&start));
    if (status == GN_OK)
        status = gn_study_results(s, arena, &results, &n, err);
    printf(", %zu results %.3f s", n, seconds_since(&start));
    if (status == GN_OK)
        status = gn_study_epochs(s, arena, &epochs, &n, err);
    printf(", %zu epochs %.3f s", n, seconds_since(&start));
    if (status == GN_OK)
        status = gn_study_attempts(s, 0, arena, &attempts, &n, err);
    printf(", %zu attempts %.3f s; together %.3f s\n", n, seconds_since(&start), (double)(start - begin) * 1e-9);
    gn_arena_destroy(&arena);
    return status;
}

int main(int argc, char **argv)
{
    gn_error err = {0};
    gn_study *s = NULL;
    const int n_trials = argc > 2 ? atoi(argv[2]) : 10000;
    int64_t start = gn_now_ns();
    if (argc < 2) {
        fprintf(stderr, "usage: store_load WHERE [TRIALS]\n");
        return 2;
    }
    gn_status status = gn_study_open(argv[1], GN_STUDY_WRITE, &s, &err);
    if (status == GN_OK)
        status = write_study(s, n_trials, &err);
    gn_study_close(&s);
    printf("written in %.2f s", seconds_since(&start));
    printf(gn_study_is_server(argv[1]) ? "\n" : ", %.2f MB\n", (double)gn_path_bytes(argv[1]) * 1e-6);
    if (status == GN_OK)
        status = gn_study_open(argv[1], GN_STUDY_READ, &s, &err);
    for (int i = 0; i < 3 && status == GN_OK; i++)
        status = read_study(s, &err);
    gn_study_close(&s);
    if (status != GN_OK)
        fprintf(stderr, "%s\n", err.message);
    return status != GN_OK;
}
