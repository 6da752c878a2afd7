/* gannet search: finds the most accurate network that keeps a latency budget on a target.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/search_setup.h"
#include "gannet/report_api.h"
#include "gannet/search_api.h"
#include "gannet/store_api.h"

static const gn_opt options[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "What",
     .help = "data set: data.yaml, a folder, or a CSV of boxes"},
    {.name = "space",
     .type = GN_OPT_STRING,
     .metavar = "S",
     .help =
         "YAML file: options of `gannet train`, each with one value, a list or a range; or edge21, mobile, yolo, tiny"},
    {.name = "set",
     .type = GN_OPT_LIST,
     .metavar = "KEY=V,V",
     .help = "values of one more key, or a range KEY=A..B:log (wins over the file; may be repeated)"},
    {.name = "model", .type = GN_OPT_LIST, .metavar = "M,M", .help = "networks to try; the same as --set model=M,M"},
    {.name = "objective",
     .type = GN_OPT_STRING,
     .choices = "mean_iou|box_precision50|map50|map75|map50_95|top1|loss",
     .help = "what decides (default: mean_iou for box heads, map50_95 for detectors)"},
    {.name = "print-space", .type = GN_OPT_FLAG, .help = "print the space and how large it is, and do nothing else"},
    {.name = "target",
     .type = GN_OPT_STRING,
     .metavar = "URI",
     .group = "Device",
     .init = "cpu",
     .help = "whose latency counts"},
    {.name = "latency",
     .type = GN_OPT_DURATION,
     .metavar = "T",
     .min = 1e-7,
     .max = 3600,
     .help = "budget for p90 of a whole answer, e.g. 15ms (default: none)"},
    {.name = "memory",
     .type = GN_OPT_BYTES,
     .metavar = "SIZE",
     .min = 1,
     .max = 1e15,
     .help = "budget for the peak memory of inference, e.g. 200MB"},
    {.name = "size",
     .type = GN_OPT_BYTES,
     .metavar = "SIZE",
     .min = 1,
     .max = 1e15,
     .help = "budget for the weights, e.g. 5MB"},
    {.name = "energy",
     .type = GN_OPT_STRING,
     .metavar = "E",
     .help = "budget for the energy of an inference, e.g. 50mJ, where the device tells it"},
    {.name = "sampler",
     .type = GN_OPT_STRING,
     .group = "Who trains how long",
     .choices = "grid|random|tpe|nsga2",
     .init = "grid",
     .help = "who proposes trials"},
    {.name = "trials",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = GN_SEARCH_MAX_TRIALS,
     .help = "trials to begin (default 0: all of a finite space)"},
    {.name = "stages",
     .type = GN_OPT_STRING,
     .metavar = "S",
     .help = "epochs:networks that go on, ..., epochs (default 10:8,30:2,60)"},
    {.name = "stop",
     .type = GN_OPT_STRING,
     .choices = "none|halving|asha|hyperband|median",
     .help = "instead of stages: the rule that stops trials early"},
    {.name = "epochs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .min = 1,
     .max = GN_STOPPING_MAX_EPOCHS,
     .help = "of a trial that is never stopped (default 60)"},
    {.name = "min-epochs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = GN_STOPPING_MAX_EPOCHS,
     .help = "before a trial may be stopped (default 0: a sixteenth of --epochs, of the median rule a tenth)"},
    {.name = "eta",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = GN_STOPPING_MAX_ETA,
     .help = "one of so many goes on from each rung (default 0: 4)"},
    {.name = "promote",
     .type = GN_OPT_STRING,
     .choices = "score|pareto",
     .init = "score",
     .help = "who goes on: by the objective, or by Pareto rank of objective and latency"},
    {.name = "time",
     .type = GN_OPT_DURATION,
     .metavar = "T",
     .min = 1,
     .max = 3.2e7,
     .help = "end in so much time, with the best so far"},
    {.name = "trial-time",
     .type = GN_OPT_DURATION,
     .metavar = "T",
     .min = 1,
     .max = 3.2e7,
     .help = "a trial that takes longer to its next rung has failed"},
    {.name = "out",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Course",
     .init = "runs/search",
     .help = "folder for trials/, best.onnx, study.db and report.html"},
    {.name = "study",
     .type = GN_OPT_STRING,
     .metavar = "F.db|URL",
     .help = "the study (default OUT/study.db), or postgresql://... to share it; an existing one goes on"},
    {.name = "jobs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1",
     .min = 1,
     .max = GN_SEARCH_MAX_JOBS,
     .help = "trials that train at the same time, sharing the cores"},
    {.name = "lease",
     .type = GN_OPT_DURATION,
     .metavar = "T",
     .min = 1,
     .max = 86400,
     .help = "in a shared study: a worker that is silent for so long has lost its trial (default 60s)"},
    {.name = "seed",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 9e15,
     .help = "of every trial, and of the sampler"},
    {.name = "retry-failed", .type = GN_OPT_FLAG, .help = "try again what failed in an earlier run"},
    {.name = "pictures", .type = GN_OPT_FLAG, .init = "true", .help = "keep pictures of the winner in the study"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "search",
    .usage = "--data D --space S.yaml [--target URI --latency 15ms] [options]",
    .about =
        "Measures every network of a space on the target, leaves out what is too slow, trains the rest as long as they "
        "are promising, each trial in a process of its own, and keeps the best: OUT/best.onnx, with OUT/report.html "
        "about all that it beat. The test split is used once, by the winner. Interrupted in any way, the same command "
        "goes on where it was.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .examples =
        "  gannet search --data faces/data.yaml --model mobilenet_v2@0.35,resnet18 --set lr0=1e-3,3e-3 \\\n"
        "      --stages 10:1,40 --latency 15ms --target cpu?threads=1 --out runs/faces\n"
        "  gannet search --data faces/data.yaml --space mobile --sampler tpe --trials 60 --stop asha --epochs 60 \\\n"
        "      --latency 15ms --time 2h --jobs 4\n"
        "  gannet search --data faces/data.yaml --space edge21 --set lr0=1e-2,1e-3,1e-4,1e-5 --stages 10:8,30:2,60\n",
};

/* --- results --------------------------------------------------------------------------------------------------------- */

/* *shown_out: how the study is called, without a password; valid as long as the setup. */
static gn_status show_table(const search_setup *j, const char **shown_out, gn_error *err)
{
    gn_study *study = NULL;
    gn_text table;
    GN_TRY(gn_study_open(j->study_path.data, GN_STUDY_READ, &study, err));
    gn_text_init(&table);
    *shown_out = gn_arena_strdup(j->arena, gn_study_path(study));
    const gn_status status =
        *shown_out != NULL ? gn_report_table(study, &table, err) : gn_fail(err, GN_ENOMEM, "out of memory");
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

static gn_status print_json(const search_setup *j, const char *study, const gn_search_outcome *outcome, gn_error *err)
{
    gn_jsonw w;
    gn_jsonw_init(&w);
    gn_jsonw_str(&w, "winner", outcome->winner_label);
    gn_jsonw_int(&w, "trial", outcome->winner);
    gn_jsonw_str(&w, "objective", j->options.objective);
    gn_jsonw_num(&w, "score", outcome->score);
    gn_jsonw_str(&w, "target", j->options.target);
    gn_jsonw_num(&w, "latency_p90_ms", outcome->total_p90_ms);
    gn_jsonw_bool(&w, "latency_valid", outcome->is_latency_valid);
    if (j->options.budget.latency_ms > 0)
        gn_jsonw_num(&w, "budget_ms", j->options.budget.latency_ms);
    add_metrics(&w, "val", &outcome->val);
    add_metrics(&w, "test", &outcome->test);
    gn_jsonw_int(&w, "trials", outcome->n_trials);
    gn_jsonw_int(&w, "done", outcome->n_done);
    gn_jsonw_int(&w, "failed", outcome->n_failed);
    gn_jsonw_int(&w, "over_budget", outcome->n_screened);
    gn_jsonw_int(&w, "images", outcome->images);
    gn_jsonw_num(&w, "seconds", outcome->seconds);
    gn_jsonw_bool(&w, "out_of_time", outcome->is_out_of_time);
    gn_jsonw_str(&w, "best", outcome->best_path);
    gn_jsonw_str(&w, "study", study);
    gn_jsonw_str(&w, "report", j->report_path.data);
    const gn_status status = gn_jsonw_print(&w);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

static gn_status conclude(const search_setup *j, const gn_search_outcome *outcome, gn_error *err)
{
    char latency[64] = "", time[32];
    const char *shown = NULL;
    GN_TRY(gn_report_write(j->study_path.data, j->report_path.data, NULL, err));
    GN_TRY(show_table(j, &shown, err));
    if (isfinite(outcome->total_p90_ms))
        snprintf(latency, sizeof latency, ", %.2f ms (p90)", outcome->total_p90_ms);
    gn_format_seconds(outcome->seconds, time);
    gn_cli_say("%d trials, %lld pictures trained on, %s in this run\n", outcome->n_trials, (long long)outcome->images,
               time);
    gn_cli_say("winner: %s, %s %.4f%s\nmodel:  %s\nreport: %s\n", outcome->winner_label, j->options.objective,
               outcome->score, latency, outcome->best_path, j->report_path.data);
    return gn_args_flag(j->args, "json") ? print_json(j, shown, outcome, err) : GN_OK;
}

static gn_status print_space(search_setup *j, gn_error *err)
{
    const gn_stopping *rule = &j->options.stopping;
    gn_text text;
    gn_text_init(&text);
    gn_space_print(j->space, rule->epochs[rule->n_ladder - 1], &text);
    gn_status status = text.failed ? gn_fail(err, GN_ENOMEM, "out of memory") : GN_OK;
    if (status == GN_OK && !gn_args_flag(j->args, "print-space"))
        gn_cli_say("%s\n", text.data);
    else if (status == GN_OK && !gn_cli_print("%s", text.data))
        status = gn_fail(err, GN_EIO, "cannot write the space to standard output");
    gn_text_deinit(&text);
    return status;
}

static gn_status search(search_setup *j, gn_error *err)
{
    gn_search_outcome outcome;
    GN_TRY(search_setup_init(j, err));
    GN_TRY(search_setup_space(j, err));
    if (gn_args_flag(j->args, "print-space") && !gn_args_has(j->args, "data"))
        GN_TRY(gn_args_set_default(j->args, "data", "none", err));
    GN_TRY(search_setup_options(j, err));
    GN_TRY(print_space(j, err));
    if (gn_args_flag(j->args, "print-space"))
        return GN_OK;
    GN_TRY(search_setup_runner(j, err));
    const gn_search_runner runner = gn_process_runner_table(j->runner);
    const gn_status status = gn_search_run(&j->options, &runner, &outcome, err);
    search_screen_end(&j->screen);
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
    search_setup j = {0};
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &j.args, &code))
        return code;
    gn_error err = {0};
    if (search(&j, &err) != GN_OK)
        code = gn_cli_fail(j.args, &err);
    search_setup_deinit(&j);
    return code;
}

const gn_verb gn_verb_search = {"search", "finds the most accurate network within a latency budget", "Choose", run};
