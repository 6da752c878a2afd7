/* gannet worker: helps a search that shares its study, from this or another machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/search_setup.h"

static const gn_opt options[] = {
    {.name = "study",
     .type = GN_OPT_STRING,
     .metavar = "URL",
     .group = "What",
     .help = "the shared study: postgresql://..."},
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .help = "where the data set lies here (default: where it lay for the search); its content must be the same"},
    {.name = "out",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .group = "Course",
     .init = "runs/worker",
     .help = "folder for checkpoints and logs"},
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
     .help = "a worker that is silent for so long has lost its trial (default 60s)"},
    {.name = "trial-time",
     .type = GN_OPT_DURATION,
     .metavar = "T",
     .min = 1,
     .max = 3.2e7,
     .help = "a trial that takes longer to its next rung has failed"},
    {.name = "pictures", .type = GN_OPT_FLAG, .init = "true", .help = "keep pictures of the winner in the study"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "worker",
    .usage = "--study postgresql://... [--data D] [--jobs N]",
    .about =
        "Takes trials of a search that was begun with `gannet search --study postgresql://...` and trains them here, "
        "until nothing is left to do. Trials are leased: when a worker dies, its trial goes back and another takes it; "
        "a promoted trial goes on where its checkpoint lies, elsewhere it starts again.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .examples = "  gannet worker --study postgresql://gannet@server/studies --data /data/faces/data.yaml --jobs 2\n",
};

static gn_status print_json(const search_setup *j, const gn_search_outcome *outcome, gn_error *err)
{
    gn_jsonw w;
    gn_jsonw_init(&w);
    gn_jsonw_str(&w, "worker", j->worker.data);
    gn_jsonw_int(&w, "trials", outcome->n_trials);
    gn_jsonw_int(&w, "done", outcome->n_done);
    gn_jsonw_int(&w, "failed", outcome->n_failed);
    gn_jsonw_num(&w, "seconds", outcome->seconds);
    const gn_status status = gn_jsonw_print(&w);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

static gn_status work(search_setup *j, gn_error *err)
{
    gn_search_outcome outcome;
    if (!gn_args_has(j->args, "study"))
        return gn_fail(err, GN_EUSAGE, "--study is missing: whose trials to train");
    GN_TRY(search_setup_init(j, err));
    GN_TRY(search_setup_from_study(j, err));
    GN_TRY(search_setup_runner(j, err));
    const gn_search_runner runner = gn_process_runner_table(j->runner);
    const gn_status status = gn_search_run(&j->options, &runner, &outcome, err);
    search_screen_end(&j->screen);
    GN_TRY(status);
    gn_cli_say("nothing is left to train: %d trials, %d done, %d failed\n", outcome.n_trials, outcome.n_done,
               outcome.n_failed);
    return gn_args_flag(j->args, "json") ? print_json(j, &outcome, err) : GN_OK;
}

static int run(int argc, char **argv)
{
    search_setup j = {0};
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &j.args, &code))
        return code;
    gn_error err = {0};
    if (work(&j, &err) != GN_OK)
        code = gn_cli_fail(j.args, &err);
    search_setup_deinit(&j);
    return code;
}

const gn_verb gn_verb_worker = {"worker", "trains trials of a search on another machine", "Choose", run};
