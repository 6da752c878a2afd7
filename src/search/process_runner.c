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
#include "base/json.h"
#include "base/memory.h"
#include "base/progress.h"
#include "base/text.h"
#include "data/dataset.h"
#include "search/child.h"

#define PATH_BYTES 1024
#define MAX_ARGS   96
/* Standard output of a worker is one JSON object. */
#define OUTPUT_MAX_BYTES ((size_t)4 << 20)
/* How long a worker may take to stop in good order (end its step, write its checkpoint) before it is killed. */
#define STOP_SECONDS 60.0
/* A disturbed measurement is repeated so often. */
#define MEASURE_TRIES 3

struct gn_process_runner {
    char *program, *data, *target, *log_folder;
    char note[256]; /* of the last measurement */
    int n_classes;  /* of the data set, once it has been described */
};

/* A training job under way. */
typedef struct training {
    gn_child *child;
    gn_arena *arena;
    const char *log_path, *out_path, *csv_path;
    int64_t csv_bytes, csv_rows, trial;
    gn_search_epoch_fn on_epoch;
    void *epoch_ctx;
} training;

/* Arguments under construction; strings are borrowed or in the arena.  A failed allocation shows at the end. */
typedef struct arguments {
    gn_arena *arena;
    const char *argv[MAX_ARGS + 1];
    int n;
    bool failed;
} arguments;

static void add_arg(arguments *a, const char *text)
{
    if (text == NULL || a->n == MAX_ARGS)
        a->failed = true;
    else
        a->argv[a->n++] = text;
}

static void add_option(arguments *a, const char *name, const char *value)
{
    add_arg(a, gn_arena_printf(a->arena, "--%s=%s", name, value));
}

/* Every key of the config as an option. */
static gn_status add_config(arguments *a, const char *config, gn_error *err)
{
    const gn_json *root = NULL;
    GN_TRY(gn_json_parse(config, strlen(config), a->arena, &root, err));
    for (const gn_json *m = root->first; m != NULL; m = m->next)
        add_option(a, m->key, m->text);
    return GN_OK;
}

/* --- the end of a worker ------------------------------------------------------------------------------------------- */

/* The JSON object on the last line of a worker's standard output; NULL when there is none. */
static const gn_json *read_output(const char *path, gn_arena *arena)
{
    char *data = NULL;
    size_t bytes = 0;
    const gn_json *root = NULL;
    if (gn_file_read(path, OUTPUT_MAX_BYTES, &data, &bytes, NULL) != GN_OK)
        return NULL;
    while (bytes > 0 && (data[bytes - 1] == '\n' || data[bytes - 1] == '\r'))
        bytes--;
    size_t begin = bytes;
    while (begin > 0 && data[begin - 1] != '\n')
        begin--;
    /* An object that was printed over several lines begins with the first. */
    if (gn_json_parse(data + begin, bytes - begin, arena, &root, NULL) != GN_OK &&
        gn_json_parse(data, bytes, arena, &root, NULL) != GN_OK)
        root = NULL;
    gn_free(data);
    return root != NULL && root->kind == GN_JSON_OBJECT ? root : NULL;
}

static double number_at(const gn_json *root, const char *path)
{
    double value = NAN;
    gn_json_number(root, path, &value);
    return value;
}

static int64_t count_at(const gn_json *root, const char *path)
{
    const double value = number_at(root, path);
    return value >= 0 && value < 9e18 ? (int64_t)value : -1;
}

/* The 95% interval of a metric: "intervals": {name: [low, high]} or {name: {"low":, "high":}}. */
static void interval_at(const gn_json *root, const char *name, double *low, double *high)
{
    const gn_json *value = gn_json_member(gn_json_member(root, "intervals"), name);
    *low = *high = NAN;
    if (value == NULL)
        return;
    if (value->kind == GN_JSON_OBJECT) {
        *low = number_at(value, "low");
        *high = number_at(value, "high");
    } else if (value->kind == GN_JSON_ARRAY && value->first != NULL && value->first->next != NULL &&
               value->first->kind == GN_JSON_NUMBER && value->first->next->kind == GN_JSON_NUMBER) {
        *low = value->first->number;
        *high = value->first->next->number;
    }
}

static void read_metrics(const gn_json *root, gn_metrics *out)
{
    static const char *const names[] = {"images", "map50",    "map75",           "map95", "map50_95", "precision",
                                        "recall", "mean_iou", "box_precision50", "top1",  "top5",     "loss"};
    gn_metrics_init(out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        double low, high;
        const double value = number_at(root, names[i]);
        if (isnan(value))
            continue;
        interval_at(root, names[i], &low, &high);
        gn_metrics_add(out, names[i], value, low, high);
    }
    const int64_t best = count_at(root, "best_epoch");
    out->best_epoch = best > 0 ? best : 0;
    out->images_per_s = number_at(root, "images_per_s");
    out->seconds = number_at(root, "seconds");
}

/* What the worker itself says went wrong, else how it ended and the last line of its log. */
static void why(const gn_child_end *end, const gn_json *output, const char *log_path, char *dst, size_t dst_bytes)
{
    const char *said = NULL;
    if (output != NULL && gn_json_string(output, "error", &said) && said[0] != '\0')
        snprintf(dst, dst_bytes, "%s", said);
    else
        gn_child_reason(end, log_path, dst, dst_bytes);
}

/* --- jobs that are waited for -------------------------------------------------------------------------------------- */

/* One worker from start to end.  *output_out: its JSON object or NULL, in the arena; *reason: why it failed, "" when it did not.
 * A worker that ends with `tolerated` (besides 0) has not failed.  GN_ECANCELED when asked to stop. */
static gn_status run_worker(gn_process_runner *runner, arguments *args, const char *name, int tolerated,
                            const gn_json **output_out, char *reason, size_t reason_bytes, gn_error *err)
{
    const char *log_path = gn_arena_printf(args->arena, "%s/%s.log", runner->log_folder, name);
    const char *out_path = gn_arena_printf(args->arena, "%s/%s.json", runner->log_folder, name);
    gn_child *child = NULL;
    gn_child_end end;
    if (args->failed || log_path == NULL || out_path == NULL)
        return gn_fail(err, GN_ENOMEM, "starting a worker: out of memory");
    const gn_child_spec spec = {runner->program, args->argv, log_path, out_path};
    GN_TRY(gn_child_start(&spec, &child, err));
    while (!gn_child_wait(child, 0.1, &end))
        if (gn_stop_requested()) {
            gn_child_signal(child, false);
            if (!gn_child_wait(child, STOP_SECONDS, &end))
                gn_child_signal(child, true);
            gn_child_destroy(&child);
            return gn_fail(err, GN_ECANCELED, "interrupted");
        }
    gn_child_destroy(&child);
    const gn_json *output = read_output(out_path, args->arena);
    reason[0] = '\0';
    if ((end.exit_code != 0 && end.exit_code != tolerated) || end.signal != 0)
        why(&end, output, log_path, reason, reason_bytes);
    *output_out = output;
    return GN_OK;
}

/* A network's name as part of a file's name. */
static const char *file_label(gn_arena *arena, const char *verb, const gn_network *network)
{
    char *label = gn_arena_printf(arena, "%s-%s-%s-%" PRId64, verb, network->model, network->head, network->imgsz);
    for (char *p = label; p != NULL && *p != '\0'; p++)
        if (*p == '/')
            *p = '_';
    return label;
}

static void begin_network_args(const gn_process_runner *runner, arguments *args, gn_arena *arena, const char *verb,
                               const gn_network *network)
{
    *args = (arguments){.arena = arena};
    add_arg(args, "gannet");
    add_arg(args, verb);
    add_arg(args, network->model);
    add_option(args, "head", network->head);
    add_arg(args, gn_arena_printf(arena, "--imgsz=%" PRId64, network->imgsz));
    if (runner->n_classes > 0 && strcmp(network->head, "classify") == 0)
        add_arg(args, gn_arena_printf(arena, "--classes=%d", runner->n_classes));
    add_arg(args, "--json");
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
    };
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        gn_json_number(bench, figures[i].path, figures[i].dst);
    m->peak_bytes = count_at(bench, "peak_bytes");
    const int64_t threads = count_at(bench, "threads"), warmup = count_at(bench, "warmup"),
                  runs = count_at(bench, "runs");
    m->threads = threads > 0 ? threads : m->threads;
    m->warmup = warmup > 0 ? warmup : 0;
    m->runs = runs > 0 ? runs : 0;
    m->is_valid = number_at(bench, "valid") == 1;
}

/* Another program of ours may be training on this machine: wait for its end, at most so long. */
#define MEASURE_WAIT "--wait=600s"
/* Exit code of `gannet bench` for a disturbed measurement. */
#define EXIT_INVALID 5

static gn_status measure_latency(gn_process_runner *runner, const gn_network *network, gn_arena *arena,
                                 gn_measurement *m, gn_error *err)
{
    const char *label = file_label(arena, "bench", network);
    gn_measurement best = *m;
    for (int i = 0; i < MEASURE_TRIES && !best.is_valid; i++) {
        arguments args;
        const gn_json *output = NULL;
        char reason[300];
        begin_network_args(runner, &args, arena, "bench", network);
        add_option(&args, "target", runner->target);
        add_arg(&args, MEASURE_WAIT);
        if (label == NULL)
            return gn_fail(err, GN_ENOMEM, "measuring: out of memory");
        GN_TRY(run_worker(runner, &args, label, EXIT_INVALID, &output, reason, sizeof reason, err));
        if (reason[0] != '\0')
            return gn_fail(err, GN_EWORKER, "%s", reason);
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
    arguments args;
    const gn_json *info = NULL;
    char reason[300];
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "measuring: out of memory");
    runner->note[0] = '\0';
    m->precision = "f32";
    m->device = gn_has_prefix(runner->target, "cpu") ? gn_cpu_name() : runner->target;
    m->note = runner->note;
    begin_network_args(runner, &args, arena, "info", network);
    const char *label = file_label(arena, "info", network);
    status = run_worker(runner, &args, label != NULL ? label : "info", 0, &info, reason, sizeof reason, err);
    if (status != GN_OK)
        goto cleanup;
    /* Sizes are for the report only; what is really wrong with the network `bench` says, too. */
    m->params = count_at(info, "params");
    m->macs = count_at(info, "macs");
    m->bytes = count_at(info, "bytes");
    status = measure_latency(runner, network, arena, m, err);
    if (status == GN_OK && !m->is_valid)
        snprintf(runner->note, sizeof runner->note, "disturbed in %d of %d tries; the quietest one is kept",
                 MEASURE_TRIES, MEASURE_TRIES);

cleanup:
    gn_arena_destroy(&arena);
    return status;
}

/* --- training ------------------------------------------------------------------------------------------------------ */

static gn_status train_args(gn_process_runner *runner, const gn_train_job *job, arguments *args, gn_error *err)
{
    char project[PATH_BYTES], checkpoint[PATH_BYTES];
    gn_path_dir(job->folder, project, sizeof project);
    GN_TRY(gn_path_join(job->folder, "last.safetensors", checkpoint, sizeof checkpoint));
    add_arg(args, "gannet");
    add_arg(args, "train");
    add_option(args, "data", runner->data);
    GN_TRY(add_config(args, job->config, err));
    const gn_json *config = NULL;
    GN_TRY(gn_json_parse(job->config, strlen(job->config), args->arena, &config, err));
    if (gn_json_member(config, "seed") == NULL)
        add_arg(args, gn_arena_printf(args->arena, "--seed=%" PRId64, job->seed));
    add_arg(args, gn_arena_printf(args->arena, "--epochs=%d", job->epochs));
    if (job->schedule_epochs > 0)
        add_arg(args, gn_arena_printf(args->arena, "--schedule-epochs=%d", job->schedule_epochs));
    add_option(args, "best", job->best);
    if (job->threads > 0)
        add_arg(args, gn_arena_printf(args->arena, "--threads=%d", job->threads));
    add_option(args, "project", project);
    add_option(args, "name", gn_path_name(job->folder));
    add_arg(args, "--exist-ok");
    if (gn_path_exists(checkpoint))
        add_arg(args, "--resume");
    add_arg(args, "--json");
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
    arguments args = {.arena = t->arena};
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
    const gn_json *output = read_output(t->out_path, t->arena);
    *outcome_out = (gn_train_outcome){.status = GN_OK};
    gn_metrics_init(&outcome_out->metrics);
    if (end.exit_code != 0) {
        outcome_out->status = GN_EWORKER;
        why(&end, output, t->log_path, outcome_out->reason, sizeof outcome_out->reason);
    } else if (output == NULL) {
        outcome_out->status = GN_EWORKER;
        snprintf(outcome_out->reason, sizeof outcome_out->reason,
                 "the worker ended without a result; see its worker.log");
    } else {
        read_metrics(output, &outcome_out->metrics);
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
    gn_child_wait(t->child, STOP_SECONDS, &end);
    follow_epochs(t);
    free_training(&t);
}

/* --- the winner ---------------------------------------------------------------------------------------------------- */

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
    arguments args = {.arena = arena};
    const gn_json *output = NULL;
    char reason[300];
    const char *sheet = gn_arena_printf(arena, "%s/test-sheet.jpg", job->out_folder);
    add_arg(&args, "gannet");
    add_arg(&args, "predict");
    add_arg(&args, model);
    add_option(&args, "data", runner->data);
    add_arg(&args, "--split=test");
    add_arg(&args, sheet != NULL ? gn_arena_printf(arena, "--sheet=%s", sheet) : NULL);
    GN_TRY(run_worker(runner, &args, "predict-test", 0, &output, reason, sizeof reason, err));
    if (reason[0] == '\0')
        give_picture(sheet, "Test pictures: the true box and the predicted one", job->trial, on_picture, ctx);
    return GN_OK;
}

static gn_status evaluate(void *ctx, const gn_evaluate_job *job, gn_metrics *metrics_out, gn_picture_fn on_picture,
                          void *picture_ctx, gn_error *err)
{
    gn_process_runner *runner = ctx;
    const gn_json *output = NULL;
    char reason[300];
    gn_status status = GN_OK;
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL)
        return gn_fail(err, GN_ENOMEM, "evaluating the winner: out of memory");
    arguments args = {.arena = arena};
    const char *model = gn_arena_printf(arena, "%s/best.onnx", job->folder);
    add_arg(&args, "gannet");
    add_arg(&args, "val");
    add_arg(&args, model);
    add_option(&args, "data", runner->data);
    add_arg(&args, "--split=test");
    add_arg(&args, "--json");
    give_samples(job, arena, on_picture, picture_ctx);
    status = run_worker(runner, &args, "val-test", 0, &output, reason, sizeof reason, err);
    if (status == GN_OK && (reason[0] != '\0' || output == NULL))
        status = gn_fail(err, GN_EWORKER, "%s", reason[0] != '\0' ? reason : "`gannet val` gave no result");
    if (status == GN_OK)
        read_metrics(output, metrics_out);
    if (status == GN_OK)
        status = draw_sheet(runner, job, model, arena, on_picture, picture_ctx, err);
    gn_arena_destroy(&arena);
    return status;
}

static gn_status describe_data(void *ctx, char *hash, char *about, gn_error *err)
{
    gn_process_runner *runner = ctx;
    gn_dataset *dataset = NULL;
    GN_TRY(gn_dataset_open(runner->data, NULL, &dataset, err));
    snprintf(hash, 128, "%016" PRIx64, gn_dataset_hash(dataset));
    snprintf(about, 128, "%" PRId64 " training, %" PRId64 " validation and %" PRId64 " test pictures",
             gn_dataset_count(dataset, GN_SPLIT_TRAIN), gn_dataset_count(dataset, GN_SPLIT_VAL),
             gn_dataset_count(dataset, GN_SPLIT_TEST));
    runner->n_classes = gn_dataset_classes(dataset);
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
                              .evaluate = evaluate};
}
