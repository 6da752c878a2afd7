/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_runner.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/progress.h"
#include "search/space.h"

typedef struct fake_run {
    gn_train_job job;
    char model[64], lr0[32];
    char folder[512];
    int number, looks;
} fake_run;

double fake_score(const char *model, const char *lr0, int epochs)
{
    const double rate = strtod(lr0, NULL);
    return (model[0] - 'a') * 0.02 + 0.1 - 0.02 * fabs(log10(rate / 0.01)) + 0.3 * (1 - exp(-epochs / 20.0));
}

static gn_status describe(void *ctx, char *hash, char *about, int64_t *n_train_out, gn_error *err)
{
    const fake_runner *fake = ctx;
    (void)err;
    snprintf(hash, 128, "%s", fake->hash != NULL ? fake->hash : "h1");
    snprintf(about, 128, "10 pictures");
    *n_train_out = 10;
    return GN_OK;
}

static gn_status measure(void *ctx, const gn_network *network, gn_measurement *m, gn_error *err)
{
    fake_runner *fake = ctx;
    fake->n_measured++;
    fake->has_trained_while_measuring |= fake->n_trained > 0;
    if (fake->n_measured == fake->die_at_measurement)
        raise(SIGKILL);
    if (fake->n_measured == fake->target_away_at_measurement)
        return gn_fail(err, GN_EUNSUPPORTED, "target 'ssh://nano': no answer");
    if (fake->unmeasurable_model != NULL && strcmp(network->model, fake->unmeasurable_model) == 0)
        return gn_fail(err, GN_EWORKER, "no such device");
    m->precision = "f32";
    m->device = "a device";
    m->total_p90_ms = fake->slow_model != NULL && strcmp(network->model, fake->slow_model) == 0 ? 50 : 5;
    m->macs = 1000000;
    m->peak_bytes = (int64_t)(network->model[0] - 'a' + 1) * 100000000;
    m->bytes = (int64_t)(network->model[0] - 'a' + 1) * 1000000;
    m->is_valid = true;
    return GN_OK;
}

static gn_status train(void *ctx, const gn_train_job *job, void **run_out, gn_error *err)
{
    fake_runner *fake = ctx;
    fake_run *run = calloc(1, sizeof *run);
    gn_arena *arena = gn_arena_create(0);
    const char *model = NULL, *lr0 = NULL;
    assert_int_equal(gn_config_value(job->config, "model", arena, &model, err), GN_OK);
    assert_int_equal(gn_config_value(job->config, "lr0", arena, &lr0, err), GN_OK);
    snprintf(run->model, sizeof run->model, "%s", model);
    snprintf(run->lr0, sizeof run->lr0, "%s", lr0 != NULL ? lr0 : "0.01");
    snprintf(run->folder, sizeof run->folder, "%s", job->folder);
    gn_arena_destroy(&arena);
    run->job = *job;
    run->number = ++fake->n_trained;
    fake->n_running++;
    fake->max_running = fake->n_running > fake->max_running ? fake->n_running : fake->max_running;
    const size_t len = strlen(fake->jobs);
    snprintf(fake->jobs + len, sizeof fake->jobs - len, "%lld@%d ", (long long)job->trial, job->epochs);
    assert_int_equal(gn_make_dirs(job->folder, err), GN_OK);
    *run_out = run;
    return GN_OK;
}

/* Two looks: at the first the first half of the epochs is known, at the second all. */
static bool poll_run(void *ctx, void *handle, gn_train_outcome *outcome)
{
    fake_runner *fake = ctx;
    fake_run *run = handle;
    const gn_train_job *job = &run->job;
    run->looks++;
    const int upto = run->looks == 1 && !fake->is_quick ? job->epochs / 2 : job->epochs;
    for (int e = 1; e <= upto; e++)
        job->on_epoch(job->epoch_ctx, &(gn_epoch){.trial = job->trial,
                                                  .epoch = e,
                                                  .seconds = 1,
                                                  .train_loss = 1.0 / e,
                                                  .val_loss = 1.1 / e,
                                                  .mean_iou = fake_score(run->model, run->lr0, e),
                                                  .box_precision50 = NAN,
                                                  .map50 = NAN,
                                                  .map50_95 = NAN,
                                                  .lr = 0.01});
    if (run->number == fake->die_at_job)
        raise(SIGKILL);
    if (run->number == fake->stop_at_job) {
        gn_stop_request();
        return false;
    }
    if ((run->looks < 2 && !fake->is_quick) ||
        (fake->endless_model != NULL && strcmp(run->model, fake->endless_model) == 0))
        return false;
    *outcome = (gn_train_outcome){.status = GN_OK};
    gn_metrics_init(&outcome->metrics);
    if (fake->is_failing_all || (fake->failing_model != NULL && strcmp(run->model, fake->failing_model) == 0)) {
        outcome->status = GN_EWORKER;
        snprintf(outcome->reason, sizeof outcome->reason, "killed by signal 9");
    } else if (fake->crashing_model != NULL && strcmp(run->model, fake->crashing_model) == 0 && !fake->has_crashed) {
        fake->has_crashed = true;
        outcome->status = GN_EWORKER;
        outcome->is_worth_a_retry = true;
        snprintf(outcome->reason, sizeof outcome->reason, "killed by signal 11");
    } else {
        char best[600], text[64];
        snprintf(best, sizeof best, "%s/best.onnx", run->folder);
        snprintf(text, sizeof text, "trial %lld", (long long)job->trial);
        assert_int_equal(gn_file_write(best, text, strlen(text), NULL), GN_OK);
        gn_metrics_add(&outcome->metrics, "mean_iou", fake_score(run->model, run->lr0, job->epochs), NAN, NAN);
        outcome->metrics.best_epoch = job->epochs;
    }
    fake->n_running--;
    free(run);
    return true;
}

static void stop(void *ctx, void *run)
{
    fake_runner *fake = ctx;
    fake->n_stopped++;
    fake->n_running--;
    free(run);
}

static gn_status evaluate(void *ctx, const gn_evaluate_job *job, gn_metrics *metrics_out, gn_picture_fn on_picture,
                          void *picture_ctx, gn_error *err)
{
    fake_runner *fake = ctx;
    fake->n_evaluated++;
    if (!fake->has_test_split)
        return gn_fail(err, GN_EDATA, "no test pictures");
    gn_metrics_init(metrics_out);
    gn_metrics_add(metrics_out, "mean_iou", 0.25, 0.2, 0.3);
    static const unsigned char jpeg[] = {0xFF, 0xD8, 0xFF, 0xD9};
    on_picture(picture_ctx,
               &(gn_picture){.trial = job->trial, .name = "a.jpg", .caption = "c", .jpeg = jpeg, .bytes = 4});
    job->on_document(job->document_ctx, job->trial, "test_pictures", "{\"metric\":\"iou\"}");
    return GN_OK;
}

static gn_status score_pictures(void *ctx, const gn_evaluate_job *job, gn_error *err)
{
    fake_runner *fake = ctx;
    (void)err;
    fake->n_scored++;
    job->on_document(job->document_ctx, job->trial, "val_pictures", "{\"metric\":\"iou\"}");
    return GN_OK;
}

gn_search_runner fake_runner_table(fake_runner *fake)
{
    return (gn_search_runner){.ctx = fake,
                              .describe_data = describe,
                              .measure = measure,
                              .train = train,
                              .poll = poll_run,
                              .stop = stop,
                              .evaluate = evaluate,
                              .score_pictures = score_pictures};
}
