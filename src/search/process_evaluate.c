/* The winner of a search on the test split: its figures, the pictures that a report shows, and the documents behind its plots; and the
 * score of every validation picture of those that the winner is compared with.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/process_evaluate.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "search/device_document.h"
#include "search/process_worker.h"

/* Best and worst pictures that are kept. */
#define EXTREME_PICTURES 6

static void give_picture(const char *path, const char *name, const char *caption, int64_t trial,
                         gn_picture_fn on_picture, void *ctx)
{
    char *data = NULL;
    size_t bytes = 0;
    if (path == NULL || gn_file_read(path, GN_STUDY_PICTURE_MAX_BYTES, &data, &bytes, NULL) != GN_OK)
        return;
    on_picture(
        ctx,
        &(gn_picture){
            .trial = trial, .name = name, .caption = caption, .jpeg = (const unsigned char *)data, .bytes = bytes});
    gn_free(data);
}

/* What training itself drew. */
static void give_samples(const gn_evaluate_job *job, gn_arena *arena, gn_picture_fn on_picture, void *ctx)
{
    give_picture(gn_arena_printf(arena, "%s/samples.jpg", job->folder), "samples.jpg",
                 "Validation pictures: the true box and the predicted one", job->trial, on_picture, ctx);
}

/* The pictures that `gannet val` drew in a folder, as best-01.jpg, ...; their names say the order. */
static void give_extremes(const gn_evaluate_job *job, const char *folder, const char *which, gn_arena *arena,
                          gn_picture_fn on_picture, void *ctx)
{
    const char **names = NULL;
    size_t n = 0;
    if (folder == NULL || gn_list_dir(folder, arena, &names, &n, NULL) != GN_OK)
        return;
    for (size_t i = 0; i < n && i < EXTREME_PICTURES; i++) {
        const char *name = gn_arena_printf(arena, "%s-%02zu.jpg", which, i + 1);
        const char *caption = gn_arena_printf(
            arena, "The winner's %s test picture, place %zu: true box green, predicted orange", which, i + 1);
        if (name != NULL && caption != NULL)
            give_picture(gn_arena_printf(arena, "%s/%s", folder, names[i]), name, caption, job->trial, on_picture, ctx);
    }
}

static void give_document(const gn_evaluate_job *job, const char *folder, const char *file, const char *name,
                          gn_arena *arena)
{
    char *text = NULL;
    size_t bytes = 0;
    const char *path = gn_arena_printf(arena, "%s/%s", folder, file);
    if (job->on_document == NULL || path == NULL ||
        gn_file_read(path, GN_STUDY_DOCUMENT_MAX_BYTES, &text, &bytes, NULL) != GN_OK)
        return;
    job->on_document(job->document_ctx, job->trial, name, text);
    gn_free(text);
}

static void give_documents(const gn_evaluate_job *job, const char *folder, gn_arena *arena)
{
    gn_text device;
    give_document(job, folder, "curves.json", "test_curves", arena);
    give_document(job, folder, "confusion.json", "test_confusion", arena);
    give_document(job, folder, "calibration.json", "test_calibration", arena);
    give_document(job, folder, "pictures.json", "test_pictures", arena);
    if (job->on_document == NULL)
        return;
    gn_text_init(&device);
    gn_device_document(&device);
    if (!device.failed)
        job->on_document(job->document_ctx, job->trial, "device", device.data);
    gn_text_deinit(&device);
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
        give_picture(sheet, "test-sheet.jpg", "Test pictures: the true box and the predicted one", job->trial,
                     on_picture, ctx);
    return GN_OK;
}

static bool is_classifier(const gn_evaluate_job *job, gn_arena *arena)
{
    const gn_json *config = NULL;
    const char *head = NULL;
    return gn_json_parse(job->config, strlen(job->config), arena, &config, NULL) == GN_OK &&
           gn_json_string(config, "head", &head) && strcmp(head, "classify") == 0;
}

/* `gannet val` of the trial's model over a split, with its documents in `folder`. */
static void val_args(const gn_process_runner *runner, const gn_evaluate_job *job, const char *model, const char *split,
                     const char *folder, gn_worker_args *args)
{
    gn_worker_arg(args, "gannet");
    gn_worker_arg(args, "val");
    gn_worker_arg(args, model);
    gn_worker_option(args, "data", runner->data);
    gn_worker_option(args, "split", split);
    gn_worker_option(args, "documents", folder);
    if (job->is_without_pictures)
        gn_worker_arg(args, "--hide-names");
    gn_worker_arg(args, "--json");
}

static gn_status run_val(gn_process_runner *runner, gn_worker_args *args, const char *name, const gn_json **output_out,
                         gn_error *err)
{
    char reason[300];
    GN_TRY(gn_worker_run(runner, args, name, 0, output_out, reason, sizeof reason, err));
    if (reason[0] != '\0' || *output_out == NULL)
        return gn_fail(err, GN_EWORKER, "%s", reason[0] != '\0' ? reason : "`gannet val` gave no result");
    return GN_OK;
}

gn_status gn_process_evaluate(void *ctx, const gn_evaluate_job *job, gn_metrics *metrics_out, gn_picture_fn on_picture,
                              void *picture_ctx, gn_error *err)
{
    gn_process_runner *runner = ctx;
    const gn_json *output = NULL;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "evaluating the winner: out of memory");
    gn_worker_args args = {.arena = arena};
    const char *model = gn_arena_printf(arena, "%s/best.onnx", job->folder);
    const char *documents = gn_arena_printf(arena, "%s/test", runner->log_folder);
    const char *best = gn_arena_printf(arena, "%s/test/best", runner->log_folder),
               *worst = gn_arena_printf(arena, "%s/test/worst", runner->log_folder);
    const bool has_extremes = !job->is_without_pictures && !is_classifier(job, arena);
    val_args(runner, job, model, "test", documents, &args);
    if (has_extremes) {
        gn_worker_arg(&args, gn_arena_printf(arena, "--best=%d", EXTREME_PICTURES));
        gn_worker_option(&args, "best-dir", best);
        gn_worker_arg(&args, gn_arena_printf(arena, "--worst=%d", EXTREME_PICTURES));
        gn_worker_option(&args, "worst-dir", worst);
    }
    gn_status status = run_val(runner, &args, "val-test", &output, err);
    if (status == GN_OK) {
        gn_worker_metrics(output, metrics_out);
        give_documents(job, documents, arena);
    }
    if (status == GN_OK && !job->is_without_pictures) {
        give_samples(job, arena, on_picture, picture_ctx);
        status = draw_sheet(runner, job, model, arena, on_picture, picture_ctx, err);
    }
    if (status == GN_OK && has_extremes) {
        give_extremes(job, best, "best", arena, on_picture, picture_ctx);
        give_extremes(job, worst, "worst", arena, on_picture, picture_ctx);
    }
    gn_arena_destroy(&arena);
    return status;
}

gn_status gn_process_score_pictures(void *ctx, const gn_evaluate_job *job, gn_error *err)
{
    gn_process_runner *runner = ctx;
    const gn_json *output = NULL;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "scoring pictures: out of memory");
    gn_worker_args args = {.arena = arena};
    const char *folder = gn_arena_printf(arena, "%s/val-%lld", runner->log_folder, (long long)job->trial);
    const char *name = gn_arena_printf(arena, "val-%lld", (long long)job->trial);
    val_args(runner, job, gn_arena_printf(arena, "%s/best.onnx", job->folder), "val", folder, &args);
    gn_worker_arg(&args, "--resamples=0");
    const gn_status status = run_val(runner, &args, name != NULL ? name : "val", &output, err);
    if (status == GN_OK)
        give_document(job, folder, "pictures.json", "val_pictures", arena);
    gn_arena_destroy(&arena);
    return status;
}
