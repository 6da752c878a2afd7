/* gannet search: finds the most accurate network that keeps a latency budget on a target.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "gannet/report_api.h"
#include "gannet/search_api.h"
#include "gannet/store_api.h"
#include "gannet/zoo_api.h"

static const gn_opt options[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "What",
     .help = "data set: data.yaml, a folder, or a CSV of boxes"},
    {.name = "space",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "YAML: options of `gannet train`, each with one value, a list or a range"},
    {.name = "set",
     .type = GN_OPT_LIST,
     .metavar = "KEY=V,V",
     .help = "values of one more key (wins over the file; may be repeated)"},
    {.name = "model", .type = GN_OPT_LIST, .metavar = "M,M", .help = "networks to try; the same as --set model=M,M"},
    {.name = "stages",
     .type = GN_OPT_STRING,
     .metavar = "S",
     .help = "epochs:networks that go on, ..., epochs (default 10:8,30:2,60)"},
    {.name = "objective",
     .type = GN_OPT_STRING,
     .choices = "mean_iou|box_precision50|map50|map75|map50_95|top1|loss",
     .help = "what decides (default: mean_iou for box heads)"},
    {.name = "target",
     .type = GN_OPT_STRING,
     .metavar = "URI",
     .group = "Device",
     .help = "whose latency counts (default cpu)"},
    {.name = "latency",
     .type = GN_OPT_DURATION,
     .metavar = "T",
     .min = 1e-7,
     .max = 3600,
     .help = "budget for p90 of a whole answer, e.g. 15ms (default: none)"},
    {.name = "out",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Course",
     .init = "runs/search",
     .help = "folder for trials/, best.onnx, study.db and report.html"},
    {.name = "study",
     .type = GN_OPT_STRING,
     .metavar = "F.db",
     .help = "the study (default OUT/study.db); an existing one goes on"},
    {.name = "jobs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1",
     .min = 1,
     .max = GN_SEARCH_MAX_JOBS,
     .help = "trials that train at the same time, sharing the cores"},
    {.name = "seed", .type = GN_OPT_INT, .metavar = "N", .init = "0", .min = 0, .max = 9e15, .help = "of every trial"},
    {.name = "retry-failed", .type = GN_OPT_FLAG, .help = "try again what failed in an earlier run"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "search",
    .usage = "--data D --space S.yaml [--target URI --latency 15ms] [options]",
    .about =
        "Measures every network of a space on the target, leaves out what is too slow, trains the rest in stages, each "
        "trial in a process of its own, and keeps the best: OUT/best.onnx, with OUT/report.html about all that it "
        "beat. "
        "The test split is used once, by the winner. Interrupted in any way, the same command goes on where it was.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .examples = "  gannet search --data faces/data.yaml --model mobilenet_v2@0.35,resnet18 --set lr0=1e-3,3e-3 \\\n"
                "      --stages 10:1,40 --latency 15ms --target cpu?threads=1 --out runs/faces\n"
                "  gannet search --data faces/data.yaml --space space.yaml --study faces.db\n",
};

/* --- the space ------------------------------------------------------------------------------------------------------- */

/* "--set lr0=1e-3,1e-2" arrives as two items; one without '=' belongs to the key before. */
static gn_status apply_assignments(gn_space *space, const gn_args *args, gn_error *err)
{
    size_t n = 0;
    const char *const *items = gn_args_list(args, "set", &n);
    gn_text text;
    gn_status status = GN_OK;
    gn_text_init(&text);
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        gn_text_printf(&text, "%s%s", text.len > 0 ? "," : "", items[i]);
        if (i + 1 < n && strchr(items[i + 1], '=') == NULL)
            continue;
        status = text.failed ? gn_fail(err, GN_ENOMEM, "out of memory") : gn_space_set(space, text.data, err);
        text.len = 0;
    }
    gn_text_deinit(&text);
    return status;
}

static gn_status apply_models(gn_space *space, const gn_args *args, gn_error *err)
{
    size_t n = 0;
    const char *const *items = gn_args_list(args, "model", &n);
    gn_text text;
    if (n == 0)
        return GN_OK;
    gn_text_init(&text);
    gn_text_add(&text, "model=");
    for (size_t i = 0; i < n; i++)
        gn_text_printf(&text, "%s%s", i > 0 ? "," : "", items[i]);
    const gn_status status =
        text.failed ? gn_fail(err, GN_ENOMEM, "out of memory") : gn_space_set(space, text.data, err);
    gn_text_deinit(&text);
    return status;
}

/* A constant rate is the default here: every stage then compares networks at the same rate, whatever the later stages are. */
static gn_status fill_space(gn_space *space, const gn_args *args, gn_error *err)
{
    if (gn_args_has(args, "space"))
        GN_TRY(gn_space_read(space, gn_args_str(args, "space"), err));
    GN_TRY(apply_models(space, args, err));
    GN_TRY(apply_assignments(space, args, err));
    GN_TRY(gn_space_set_default(space, "head", "box", err));
    GN_TRY(gn_space_set_default(space, "imgsz", "128", err));
    return gn_space_set_default(space, "schedule", "constant", err);
}

/* --- settings -------------------------------------------------------------------------------------------------------- */

typedef struct job {
    gn_args *args;
    gn_space *space;
    gn_process_runner *runner;
    gn_text command, study_path, out, report_path, log_folder;
    const char *target, *data;
    gn_search_options options;
} job;

static void say(void *ctx, const char *line)
{
    (void)ctx;
    gn_cli_say("%s\n", line);
}

/* The command line's value, else the space's, else NULL. */
static const char *setting(const job *j, const char *name)
{
    return gn_args_has(j->args, name) ? gn_args_str(j->args, name) : gn_space_setting(j->space, name);
}

/* "15ms", "0.015s" or a bare number of milliseconds, as a space may have it. */
static gn_status read_latency(const job *j, double *ms_out, gn_error *err)
{
    const char *text = gn_space_setting(j->space, "latency");
    char number[64];
    if (gn_args_has(j->args, "latency")) {
        *ms_out = gn_args_double(j->args, "latency") * 1e3;
        return GN_OK;
    }
    *ms_out = 0;
    if (text == NULL)
        return GN_OK;
    const bool is_ms = gn_has_suffix(text, "ms"), is_s = !is_ms && gn_has_suffix(text, "s");
    snprintf(number, sizeof number, "%.*s", (int)(strlen(text) - (is_ms ? 2 : is_s ? 1 : 0)), text);
    if (!gn_parse_f64(number, ms_out) || *ms_out <= 0)
        return gn_fail(err, GN_EUSAGE, "latency of the space is \"%s\", expected a time such as 15ms", text);
    *ms_out *= is_s ? 1e3 : 1;
    return GN_OK;
}

/* --study F.db alone keeps its trials in the folder F. */
static gn_status read_paths(job *j, gn_error *err)
{
    const char *study = gn_args_str(j->args, "study");
    if (study != NULL && !gn_args_is_set(j->args, "out"))
        gn_text_add_bytes(&j->out, study, strlen(study) - (gn_has_suffix(study, ".db") ? 3 : 0));
    else
        gn_text_add(&j->out, gn_args_str(j->args, "out"));
    if (study != NULL && !j->out.failed && strcmp(study, j->out.data) == 0)
        gn_text_add(&j->out, ".run");
    if (study != NULL)
        gn_text_add(&j->study_path, study);
    else
        gn_text_printf(&j->study_path, "%s/study.db", j->out.data != NULL ? j->out.data : "");
    gn_text_printf(&j->report_path, "%s/report.html", j->out.data != NULL ? j->out.data : "");
    gn_text_printf(&j->log_folder, "%s/logs", j->out.data != NULL ? j->out.data : "");
    if (j->out.failed || j->study_path.failed || j->report_path.failed || j->log_folder.failed)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    return GN_OK;
}

static gn_status read_stages(const job *j, gn_stages *stages, gn_error *err)
{
    const char *text = setting(j, "stages");
    if (text == NULL)
        text = gn_space_setting(j->space, "epochs");
    const gn_status status = gn_stages_parse(text != NULL ? text : "10:8,30:2,60", stages, err);
    if (status == GN_EINVAL && err != NULL)
        err->status = GN_EUSAGE;
    return status;
}

static gn_status prepare(job *j, gn_error *err)
{
    gn_model_names models = {.is_known = gn_zoo_knows};
    models.names = gn_zoo_names(&models.n_names);
    const char *const *heads = NULL;
    gn_search_options *o = &j->options;
    gn_status status = gn_space_create(&models, &j->space);
    if (status != GN_OK)
        return gn_fail(err, status, "out of memory");
    GN_TRY(fill_space(j->space, j->args, err));
    j->data = setting(j, "data");
    if (j->data == NULL)
        return gn_fail(err, GN_EUSAGE, "--data is missing: which pictures to search on");
    j->target = setting(j, "target") != NULL ? setting(j, "target") : "cpu";
    GN_TRY(read_paths(j, err));
    GN_TRY(read_stages(j, &o->stages, err));
    GN_TRY(read_latency(j, &o->budget_ms, err));
    gn_args_command(j->args, &j->command);
    if (j->command.failed)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    gn_space_values(j->space, "head", &heads);
    o->space = j->space;
    o->data = j->data;
    o->target = j->target;
    o->objective = setting(j, "objective") != NULL ? setting(j, "objective") : gn_search_objective_for(heads[0]);
    o->seed = gn_args_int64(j->args, "seed");
    o->jobs = gn_args_int(j->args, "jobs");
    o->out_folder = j->out.data;
    o->study_path = j->study_path.data;
    o->command = j->command.data;
    o->is_retrying_failed = gn_args_flag(j->args, "retry-failed");
    o->say = say;
    GN_TRY(gn_make_dirs(j->log_folder.data, err));
    const gn_process_runner_options workers = {.data = j->data, .target = j->target, .log_folder = j->log_folder.data};
    return gn_process_runner_create(&workers, &j->runner, err);
}

/* --- results --------------------------------------------------------------------------------------------------------- */

static gn_status show_table(const char *study_path, gn_error *err)
{
    gn_study *study = NULL;
    gn_text table;
    GN_TRY(gn_study_open(study_path, GN_STUDY_READ, &study, err));
    gn_text_init(&table);
    const gn_status status = gn_report_table(study, &table, err);
    if (status == GN_OK)
        gn_cli_say("\n%s\n", table.data);
    gn_text_deinit(&table);
    gn_study_close(&study);
    return status;
}

static void add_metrics(gn_jsonw *w, const char *key, const gn_metrics *metrics)
{
    gn_jsonw_object(w, key);
    for (int i = 0; i < metrics->n; i++)
        gn_jsonw_num(w, metrics->metric[i].name, metrics->metric[i].value);
    gn_jsonw_end(w);
}

static gn_status print_json(const job *j, const gn_search_outcome *outcome, gn_error *err)
{
    gn_jsonw w;
    gn_jsonw_init(&w);
    gn_jsonw_str(&w, "winner", outcome->winner_label);
    gn_jsonw_int(&w, "trial", outcome->winner);
    gn_jsonw_str(&w, "objective", j->options.objective);
    gn_jsonw_num(&w, "score", outcome->score);
    gn_jsonw_str(&w, "target", j->target);
    gn_jsonw_num(&w, "latency_p90_ms", outcome->total_p90_ms);
    gn_jsonw_bool(&w, "latency_valid", outcome->is_latency_valid);
    if (j->options.budget_ms > 0)
        gn_jsonw_num(&w, "budget_ms", j->options.budget_ms);
    add_metrics(&w, "val", &outcome->val);
    add_metrics(&w, "test", &outcome->test);
    gn_jsonw_int(&w, "trials", outcome->n_trials);
    gn_jsonw_int(&w, "done", outcome->n_done);
    gn_jsonw_int(&w, "failed", outcome->n_failed);
    gn_jsonw_int(&w, "over_budget", outcome->n_screened);
    gn_jsonw_str(&w, "best", outcome->best_path);
    gn_jsonw_str(&w, "study", j->study_path.data);
    gn_jsonw_str(&w, "report", j->report_path.data);
    const gn_status status = gn_jsonw_print(&w);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

static gn_status conclude(const job *j, const gn_search_outcome *outcome, gn_error *err)
{
    char latency[64] = "";
    GN_TRY(gn_report_write(j->study_path.data, j->report_path.data, NULL, err));
    GN_TRY(show_table(j->study_path.data, err));
    if (isfinite(outcome->total_p90_ms))
        snprintf(latency, sizeof latency, ", %.2f ms (p90)", outcome->total_p90_ms);
    gn_cli_say("winner: %s, %s %.4f%s\nmodel:  %s\nreport: %s\n", outcome->winner_label, j->options.objective,
               outcome->score, latency, outcome->best_path, j->report_path.data);
    return gn_args_flag(j->args, "json") ? print_json(j, outcome, err) : GN_OK;
}

static gn_status search(job *j, gn_error *err)
{
    gn_search_outcome outcome;
    GN_TRY(prepare(j, err));
    const gn_search_runner runner = gn_process_runner_table(j->runner);
    const gn_status status = gn_search_run(&j->options, &runner, &outcome, err);
    if (status == GN_OK)
        return conclude(j, &outcome, err);
    /* What is known so far can be looked at; the first failure is the one to tell. */
    if (gn_path_exists(j->study_path.data) &&
        gn_report_write(j->study_path.data, j->report_path.data, NULL, NULL) == GN_OK)
        gn_cli_say("what is known so far: %s\n", j->report_path.data);
    return status;
}

static int run(int argc, char **argv)
{
    job j = {0};
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &j.args, &code))
        return code;
    gn_error err = {0};
    gn_text *const texts[] = {&j.command, &j.study_path, &j.out, &j.report_path, &j.log_folder};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        gn_text_init(texts[i]);
    if (search(&j, &err) != GN_OK)
        code = gn_cli_fail(j.args, &err);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        gn_text_deinit(texts[i]);
    gn_process_runner_destroy(&j.runner);
    gn_space_destroy(&j.space);
    gn_args_destroy(&j.args);
    return code;
}

const gn_verb gn_verb_search = {"search", "finds the most accurate network within a latency budget", "Choose", run};
