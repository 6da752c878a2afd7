/* gannet dash: the report of a study, live on loopback while the search runs.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/progress.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "gannet/dash_api.h"

/* How soon Ctrl-C is seen. */
#define LOOK_NS INT64_C(100000000)

static const gn_opt options[] = {
    {.name = "port",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 65535,
     .group = "Server",
     .help = "on 127.0.0.1 (default 0: one that is free)"},
    {.name = "pictures", .type = GN_OPT_FLAG, .init = "true", .help = "show the photos of the study in the page"},
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "dash",
    .usage = "F.db [--port N]",
    .about = "Serves the report of a study on this machine's loopback while the search runs; the page follows it. Its "
             "address holds a "
             "random token: who has it may look. Nothing can be changed through it. Ctrl-C ends it.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet dash runs/search/study.db\n"
                "  ssh -L 8765:127.0.0.1:8765 user@box gannet dash study.db --port 8765\n",
};

static gn_status tell(const gn_args *args, const gn_dash *dash, gn_error *err)
{
    gn_cli_say("%s\nCtrl-C ends it\n", gn_dash_url(dash));
    if (!gn_args_flag(args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "study", gn_args_positional(args, 0));
    gn_jsonw_str(&j, "url", gn_dash_url(dash));
    gn_jsonw_int(&j, "port", gn_dash_port(dash));
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the address to standard output");
}

static gn_status serve(const gn_args *args, gn_error *err)
{
    gn_dash *dash = NULL;
    const gn_dash_options how = {.study = gn_args_positional(args, 0),
                                 .port = gn_args_int(args, "port"),
                                 .has_pictures = gn_args_flag(args, "pictures")};
    GN_TRY(gn_dash_start(&how, &dash, err));
    const gn_status status = tell(args, dash, err);
    while (status == GN_OK && !gn_stop_requested())
        gn_sleep_ns(LOOK_NS);
    gn_dash_stop(&dash);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    if (serve(args, &err) != GN_OK)
        code = gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_dash = {"dash", "serves the report live while a search runs", "Choose", run};
