/* Jobs of a search as processes: their arguments, and the JSON object that each prints last.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/process_runner.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "data/dataset.h"
#include "search/child.h"
#include "search/process_evaluate.h"
#include "search/process_worker.h"

#define PATH_BYTES 1024
/* A disturbed measurement is repeated so often. */
#define MEASURE_TRIES 3

/* A training job under way. */
typedef struct training {
    gn_child *child;
    gn_arena *arena;
    const char *log_path, *out_path, *csv_path;
    int64_t csv_bytes, csv_rows, trial;
    gn_search_epoch_fn on_epoch;
    void *epoch_ctx;
} training;

/* A network's name as part of a file's name. */
static const char *file_label(gn_arena *arena, const char *verb, const gn_network *network)
{
    char *label = gn_arena_printf(arena, "%s-%s-%s-%" PRId64 "%s%s", verb, network->model, network->head,
                                  network->imgsz, network->variant[0] != '\0' ? "-" : "", network->variant);
    for (char *p = label; p != NULL && *p != '\0'; p++)
        if (*p == '/')
            *p = '_';
    return label;
}

/* What shapes the network, as `gannet bench` and `gannet info` take it; what the labels are shows in the number of classes. */
static gn_status begin_network_args(const gn_process_runner *runner, gn_worker_args *args, gn_arena *arena,
                                    const char *verb, const gn_network *network, gn_error *err)
{
    const gn_json *config = NULL;
    *args = (gn_worker_args){.arena = arena};
    gn_worker_arg(args, "gannet");
    gn_worker_arg(args, verb);
    gn_worker_arg(args, network->model);
    GN_TRY(gn_json_parse(network->config, strlen(network->config), arena, &config, err));
    for (const gn_json *m = config->first; m != NULL; m = m->next)
        if (strcmp(m->key, "model") != 0 && strcmp(m->key, "labels") != 0)
            gn_worker_option(args, m->key, m->text);
    if (runner->n_classes > 0 && strncmp(network->head, "box", 3) != 0)
        gn_worker_arg(args, gn_arena_printf(arena, "--classes=%d", runner->n_classes));
    gn_worker_arg(args, "--json");
    return GN_OK;
}

static void read_latency(const gn_json *bench, gn_measurement *m)
{
    const struct {
        const char *path;
        double *dst;
    } figures[] = {
        {"latency_ms.min", &m->min_ms},
        {"latency_ms.p50", &m->p50_ms},
        {"latency_ms.p90", &m->p90_ms},
        {"latency_ms.p99", &m->p99_ms},
        {"total_ms.p50", &m->total_p50_ms},
        {"total_ms.p90", &m->total_p90_ms},
        {"total_ms.p99", &m->total_p99_ms},
        {"preprocess_ms", &m->preprocess_ms},
        {"postprocess_ms", &m->postprocess_ms},
        {"preprocess_ms.p50", &m->preprocess_ms},
        {"postprocess_ms.p50", &m->postprocess_ms},
        {"energy_mj", &m->energy_mj},
        {"clock_mhz", &m->clock_mhz},
        {"temperature_c", &m->temperature_c},
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        gn_json_number(bench, figures[i].path, figures[i].dst);
    m->peak_bytes = gn_worker_count(bench, "peak_bytes");
    const int64_t threads = gn_worker_count(bench, "threads"), warmup = gn_worker_count(bench, "warmup"),
                  runs = gn_worker_count(bench, "runs");
    m->threads = threads > 0 ? threads : m->threads;
    m->warmup = warmup > 0 ? warmup : 0;
    m->runs = runs > 0 ? runs : 0;
    m->is_valid = gn_worker_number(bench, "valid") == 1;
}

/* Another program of ours may be training on this machine: wait for its end, at most so long. */
#define MEASURE_WAIT "--wait=600s"
/* How a worker's complaint about the target, not the network, begins. */
#define TARGET_FAULT "target "
/* Exit code of `gannet bench` for a disturbed measurement. */
#define EXIT_INVALID 5

static gn_status measure_latency(gn_process_runner *runner, const gn_network *network, gn_arena *arena,
                                 gn_measurement *m, gn_error *err)
{
    const char *label = file_label(arena, "bench", network);
    gn_measurement best = *m;
    for (int i = 0; i < MEASURE_TRIES && !best.is_valid; i++) {
        gn_worker_args args;
        const gn_json *output = NULL;
        char reason[300];
        GN_TRY(begin_network_args(runner, &args, arena, "bench", network, err));
        gn_worker_option(&args, "target", runner->target);
        gn_worker_arg(&args, MEASURE_WAIT);
        if (label == NULL)
            return gn_fail(err, GN_ENOMEM, "measuring: out of memory");
        GN_TRY(gn_worker_run(runner, &args, label, EXIT_INVALID, &output, reason, sizeof reason, err));
        if (reason[0] != '\0')
            return gn_fail(err, gn_has_prefix(reason, TARGET_FAULT) ? GN_EUNSUPPORTED : GN_EWORKER, "%s", reason);
        gn_measurement got = *m;
        read_latency(output, &got);
        if (isnan(got.total_p90_ms))
            return gn_fail(err, GN_EWORKER, "`gannet bench` gave no total_ms.p90; see %s/%s.json", runner->log_folder,
                           label);
        if (got.is_valid || isnan(best.total_p90_ms) || got.total_p90_ms < best.total_p90_ms)
            best = got;
    }
    *m = best;
    return GN_OK;
}

static gn_status measure(void *ctx, const gn_network *network, gn_measurement *m, gn_error *err)
{
    gn_process_runner *runner = ctx;
    gn_arena *arena = gn_arena_create(0);
    gn_status status = GN_OK;
    gn_worker_args args;
    const gn_json *info = NULL;
    char reason[300];
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "measuring: out of memory");
    runner->note[0] = '\0';
    m->precision = "f32";
    m->device = gn_has_prefix(runner->target, "cpu") ? gn_cpu_name() : runner->target;
    m->note = runner->note;
    const char *label = file_label(arena, "info", network);
    status = begin_network_args(runner, &args, arena, "info", network, err);
    if (status == GN_OK)
        status = gn_worker_run(runner, &args, label != NULL ? label : "info", 0, &info, reason, sizeof reason, err);
    if (status != GN_OK)
        goto cleanup;
    /* Sizes are for the report only; what is really wrong with the network `bench` says, too. */
    m->params = gn_worker_count(info, "params");
    m->macs = gn_worker_count(info, "macs");
    m->bytes = gn_worker_count(info, "bytes");
    status = measure_latency(runner, network, arena, m, err);
    if (status == GN_OK && !m->is_valid)
        snprintf(runner->note, sizeof runner->note, "disturbed in %d of %d tries; the quietest one is kept",
                 MEASURE_TRIES, MEASURE_TRIES);

cleanup:
    gn_arena_destroy(&arena);
    return status;
}

/* --- training ------------------------------------------------------------------------------------------------------ */

static gn_status train_args(gn_process_runner *runner, const gn_train_job *job, gn_worker_args *args, gn_error *err)
{
    char project[PATH_BYTES], checkpoint[PATH_BYTES];
    gn_path_dir(job->folder, project, sizeof project);
    GN_TRY(gn_path_join(job->folder, "last.safetensors", checkpoint, sizeof checkpoint));
    gn_worker_arg(args, "gannet");
    gn_worker_arg(args, "train");
    gn_worker_option(args, "data", runner->data);
    GN_TRY(gn_worker_config(args, job->config, err));
    const gn_json *config = NULL;
    GN_TRY(gn_json_parse(job->config, strlen(job->config), args->arena, &config, err));
    if (gn_json_member(config, "seed") == NULL)
        gn_worker_arg(args, gn_arena_printf(args->arena, "--seed=%" PRId64, job->seed));
    gn_worker_arg(args, gn_arena_printf(args->arena, "--epochs=%d", job->epochs));
    if (job->schedule_epochs > 0)
        gn_worker_arg(args, gn_arena_printf(args->arena, "--schedule-epochs=%d", job->schedule_epochs));
    gn_worker_option(args, "best", job->best);
    if (job->threads > 0)
        gn_worker_arg(args, gn_arena_printf(args->arena, "--threads=%d", job->threads));
    gn_worker_option(args, "project", project);
    gn_worker_option(args, "name", gn_path_name(job->folder));
    gn_worker_arg(args, "--exist-ok");
    if (gn_path_exists(checkpoint))
        gn_worker_arg(args, "--resume");
    gn_worker_arg(args, "--json");
    return GN_OK;
}

static void free_training(training **t)
{
    if (*t == NULL)
        return;
    gn_child_destroy(&(*t)->child);
    gn_arena_destroy(&(*t)->arena);
    gn_free(*t);
    *t = NULL;
}

static gn_status start_training(void *ctx, const gn_train_job *job, void **run_out, gn_error *err)
{
    gn_process_runner *runner = ctx;
    gn_status status = GN_OK;
    training *t = gn_calloc(1, sizeof *t);
    if (t == NULL)
        return gn_fail(err, GN_ENOMEM, "starting a trial: out of memory");
    t->arena = gn_arena_create(0);
    if (t->arena == NULL) {
        status = gn_fail(err, GN_ENOMEM, "starting a trial: out of memory");
        goto cleanup;
    }
    gn_worker_args args = {.arena = t->arena};
    status = gn_make_dirs(job->folder, err);
    if (status == GN_OK)
        status = train_args(runner, job, &args, err);
    if (status != GN_OK)
        goto cleanup;
    t->log_path = gn_arena_printf(t->arena, "%s/worker.log", job->folder);
    t->out_path = gn_arena_printf(t->arena, "%s/worker.json", job->folder);
    t->csv_path = gn_arena_printf(t->arena, "%s/results.csv", job->folder);
    t->trial = job->trial;
    t->on_epoch = job->on_epoch;
    t->epoch_ctx = job->epoch_ctx;
    if (args.failed || t->log_path == NULL || t->out_path == NULL || t->csv_path == NULL) {
        status = gn_fail(err, GN_ENOMEM, "starting a trial: out of memory");
        goto cleanup;
    }
    const gn_child_spec spec = {runner->program, args.argv, t->log_path, t->out_path};
    status = gn_child_start(&spec, &t->child, err);
    if (status != GN_OK)
        goto cleanup;
    *run_out = t;
    return GN_OK;

cleanup:
    free_training(&t);
    return status;
}

static void follow_epochs(training *t)
{
    const int64_t bytes = gn_path_bytes(t->csv_path);
    if (t->on_epoch == NULL || bytes <= 0 || bytes == t->csv_bytes)
        return;
    if (bytes < t->csv_bytes)
        t->csv_rows = 0; /* the run began again */
    t->csv_bytes = bytes;
    gn_results_csv_follow(t->csv_path, t->trial, &t->csv_rows, t->on_epoch, t->epoch_ctx);
}

static bool poll_training(void *ctx, void *run, gn_train_outcome *outcome_out)
{
    training *t = run;
    gn_child_end end;
    (void)ctx;
    const bool has_ended = gn_child_ended(t->child, &end);
    follow_epochs(t);
    if (!has_ended)
        return false;
    const gn_json *output = gn_worker_output(t->out_path, t->arena);
    *outcome_out = (gn_train_outcome){.status = GN_OK};
    gn_metrics_init(&outcome_out->metrics);
    if (end.exit_code != 0) {
        outcome_out->status = GN_EWORKER;
        /* A crash or a kill from outside may not come again; what training itself refuses does. */
        outcome_out->is_worth_a_retry = end.signal != 0;
        gn_worker_reason(&end, output, t->log_path, outcome_out->reason, sizeof outcome_out->reason);
    } else if (output == NULL) {
        outcome_out->status = GN_EWORKER;
        snprintf(outcome_out->reason, sizeof outcome_out->reason,
                 "the worker ended without a result; see its worker.log");
    } else {
        gn_worker_metrics(output, &outcome_out->metrics);
    }
    if (isnan(outcome_out->metrics.seconds))
        outcome_out->metrics.seconds = end.seconds;
    free_training(&t);
    return true;
}

static void stop_training(void *ctx, void *run)
{
    training *t = run;
    gn_child_end end;
    (void)ctx;
    gn_child_signal(t->child, false);
    gn_child_wait(t->child, GN_WORKER_STOP_SECONDS, &end);
    follow_epochs(t);
    free_training(&t);
}

static gn_status describe_data(void *ctx, char *hash, char *about, int64_t *n_train_out, gn_error *err)
{
    gn_process_runner *runner = ctx;
    gn_dataset *dataset = NULL;
    GN_TRY(gn_dataset_open(runner->data, NULL, &dataset, err));
    snprintf(hash, 128, "%016" PRIx64, gn_dataset_hash(dataset));
    snprintf(about, 128, "%" PRId64 " training, %" PRId64 " validation and %" PRId64 " test pictures",
             gn_dataset_count(dataset, GN_SPLIT_TRAIN), gn_dataset_count(dataset, GN_SPLIT_VAL),
             gn_dataset_count(dataset, GN_SPLIT_TEST));
    runner->n_classes = gn_dataset_classes(dataset);
    *n_train_out = gn_dataset_count(dataset, GN_SPLIT_TRAIN);
    gn_dataset_close(&dataset);
    return GN_OK;
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

gn_status gn_process_runner_create(const gn_process_runner_options *options, gn_process_runner **runner_out,
                                   gn_error *err)
{
    gn_process_runner *runner = gn_calloc(1, sizeof *runner);
    if (runner != NULL) {
        runner->program = gn_strdup(options->program != NULL ? options->program : "/proc/self/exe");
        runner->data = gn_strdup(options->data);
        runner->target = gn_strdup(options->target);
        runner->log_folder = gn_strdup(options->log_folder);
    }
    if (runner == NULL || runner->program == NULL || runner->data == NULL || runner->target == NULL ||
        runner->log_folder == NULL) {
        gn_process_runner_destroy(&runner);
        return gn_fail(err, GN_ENOMEM, "preparing the workers: out of memory");
    }
    *runner_out = runner;
    return GN_OK;
}

void gn_process_runner_destroy(gn_process_runner **runner)
{
    if (*runner == NULL)
        return;
    gn_free((*runner)->program);
    gn_free((*runner)->data);
    gn_free((*runner)->target);
    gn_free((*runner)->log_folder);
    gn_free(*runner);
    *runner = NULL;
}

gn_search_runner gn_process_runner_table(gn_process_runner *runner)
{
    return (gn_search_runner){.ctx = runner,
                              .describe_data = describe_data,
                              .measure = measure,
                              .train = start_training,
                              .poll = poll_training,
                              .stop = stop_training,
                              .evaluate = gn_process_evaluate,
                              .score_pictures = gn_process_score_pictures};
}
