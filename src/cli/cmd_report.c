/* gannet report: the report of a study, made from its file alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "gannet/report_api.h"
#include "gannet/store_api.h"

static const gn_opt options[] = {
    {.name = "output",
     .short_name = 'o',
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .group = "Report",
     .help = "page to write (default: the study's name with .html)"},
    {.name = "table", .type = GN_OPT_FLAG, .help = "print the trials as a table instead"},
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "report",
    .usage = "F.db [-o report.html]",
    .about =
        "Makes the report of a search: one HTML file that is complete in itself and opens offline, with the winner, "
        "every "
        "candidate that it beat, accuracy against latency, loss curves, pictures, and the commands to do it again. "
        "Everything comes from the study F.db; the search may still be running.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet report runs/search/study.db -o report.html\n"
                "  gannet report runs/search/study.db --table\n",
};

static gn_status print_table(const char *study_path, gn_error *err)
{
    gn_study *study = NULL;
    gn_text table;
    GN_TRY(gn_study_open(study_path, GN_STUDY_READ, &study, err));
    gn_text_init(&table);
    gn_status status = gn_report_table(study, &table, err);
    if (status == GN_OK && !gn_cli_print("%s", table.data))
        status = gn_fail(err, GN_EIO, "cannot write the table to standard output");
    gn_text_deinit(&table);
    gn_study_close(&study);
    return status;
}

/* "runs/faces.db" becomes "runs/faces.html". */
static gn_status default_output(const char *study_path, gn_text *out, gn_error *err)
{
    const size_t n = strlen(study_path) - (gn_has_suffix(study_path, ".db") ? 3 : 0);
    gn_text_add_bytes(out, study_path, n);
    gn_text_add(out, ".html");
    return out->failed ? gn_fail(err, GN_ENOMEM, "out of memory") : GN_OK;
}

static gn_status write_page(const gn_args *args, const char *study_path, const char *html_path, gn_error *err)
{
    size_t bytes = 0;
    GN_TRY(gn_report_write(study_path, html_path, &bytes, err));
    gn_cli_say("report of %s: %s\n", study_path, html_path);
    if (!gn_args_flag(args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "study", study_path);
    gn_jsonw_str(&j, "report", html_path);
    gn_jsonw_int(&j, "bytes", (int64_t)bytes);
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

static gn_status report(const gn_args *args, gn_error *err)
{
    const char *study_path = gn_args_positional(args, 0);
    gn_text path;
    if (gn_args_flag(args, "table"))
        return print_table(study_path, err);
    if (gn_args_has(args, "output"))
        return write_page(args, study_path, gn_args_str(args, "output"), err);
    gn_text_init(&path);
    gn_status status = default_output(study_path, &path, err);
    if (status == GN_OK)
        status = write_page(args, study_path, path.data, err);
    gn_text_deinit(&path);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    if (report(args, &err) != GN_OK)
        code = gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_report = {"report", "makes the report of a search", "Choose", run};
