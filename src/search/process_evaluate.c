/* The winner of a search on the test split: its figures, and the pictures that a report shows.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/process_evaluate.h"

#include "base/file.h"
#include "base/memory.h"
#include "search/process_worker.h"

static void give_picture(const char *path, const char *caption, int64_t trial, gn_picture_fn on_picture, void *ctx)
{
    char *data = NULL;
    size_t bytes = 0;
    if (gn_file_read(path, GN_STUDY_PICTURE_MAX_BYTES, &data, &bytes, NULL) != GN_OK)
        return;
    on_picture(ctx, &(gn_picture){.trial = trial,
                                  .name = gn_path_name(path),
                                  .caption = caption,
                                  .jpeg = (const unsigned char *)data,
                                  .bytes = bytes});
    gn_free(data);
}

/* What training itself drew. */
static void give_samples(const gn_evaluate_job *job, gn_arena *arena, gn_picture_fn on_picture, void *ctx)
{
    const char *path = gn_arena_printf(arena, "%s/samples.jpg", job->folder);
    if (path != NULL)
        give_picture(path, "Validation pictures: the true box and the predicted one", job->trial, on_picture, ctx);
}

/* A contact sheet of test pictures; a search without one is still a search. */
static gn_status draw_sheet(gn_process_runner *runner, const gn_evaluate_job *job, const char *model, gn_arena *arena,
                            gn_picture_fn on_picture, void *ctx, gn_error *err)
{
    gn_worker_args args = {.arena = arena};
    const gn_json *output = NULL;
    char reason[300];
    const char *sheet = gn_arena_printf(arena, "%s/test-sheet.jpg", job->out_folder);
    gn_worker_arg(&args, "gannet");
    gn_worker_arg(&args, "predict");
    gn_worker_arg(&args, model);
    gn_worker_option(&args, "data", runner->data);
    gn_worker_arg(&args, "--split=test");
    gn_worker_arg(&args, sheet != NULL ? gn_arena_printf(arena, "--sheet=%s", sheet) : NULL);
    GN_TRY(gn_worker_run(runner, &args, "predict-test", 0, &output, reason, sizeof reason, err));
    if (reason[0] == '\0')
        give_picture(sheet, "Test pictures: the true box and the predicted one", job->trial, on_picture, ctx);
    return GN_OK;
}

gn_status gn_process_evaluate(void *ctx, const gn_evaluate_job *job, gn_metrics *metrics_out, gn_picture_fn on_picture,
                              void *picture_ctx, gn_error *err)
{
    gn_process_runner *runner = ctx;
    const gn_json *output = NULL;
    char reason[300];
    gn_status status = GN_OK;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "evaluating the winner: out of memory");
    gn_worker_args args = {.arena = arena};
    const char *model = gn_arena_printf(arena, "%s/best.onnx", job->folder);
    gn_worker_arg(&args, "gannet");
    gn_worker_arg(&args, "val");
    gn_worker_arg(&args, model);
    gn_worker_option(&args, "data", runner->data);
    gn_worker_arg(&args, "--split=test");
    gn_worker_arg(&args, "--json");
    give_samples(job, arena, on_picture, picture_ctx);
    status = gn_worker_run(runner, &args, "val-test", 0, &output, reason, sizeof reason, err);
    if (status == GN_OK && (reason[0] != '\0' || output == NULL))
        status = gn_fail(err, GN_EWORKER, "%s", reason[0] != '\0' ? reason : "`gannet val` gave no result");
    if (status == GN_OK)
        gn_worker_metrics(output, metrics_out);
    if (status == GN_OK)
        status = draw_sheet(runner, job, model, arena, on_picture, picture_ctx, err);
    gn_arena_destroy(&arena);
    return status;
}
