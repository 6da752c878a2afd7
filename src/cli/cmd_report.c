/* gannet report: the report of a study, made from its file alone.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
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
     .help = "report to write (default: the study's name with .html); its ending says the format"},
    {.name = "format",
     .type = GN_OPT_STRING,
     .choices = "html|md|csv|latex|json",
     .help = "format, when the ending of FILE does not say it"},
    {.name = "plots",
     .type = GN_OPT_STRING,
     .metavar = "DIR",
     .help = "also draw every plot into DIR, as .svg and .png for papers"},
    {.name = "pictures", .type = GN_OPT_FLAG, .init = "true", .help = "show the photos of the study in the page"},
    {.name = "table", .type = GN_OPT_FLAG, .help = "print the trials as a table instead"},
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "report",
    .usage = "F.db [G.db ...] [-o report.html]",
    .about =
        "Makes the report of a search: one HTML file that is complete in itself and opens offline, with the winner, "
        "every candidate that it beat, accuracy against latency, loss curves, pictures, and the commands to do it "
        "again; or its tables as Markdown or LaTeX, all trials as CSV, everything as JSON. Several studies are "
        "compared. Everything comes from the studies alone; the search may still be running.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = GN_REPORT_MAX_STUDIES,
    .examples = "  gannet report runs/search/study.db -o report.html\n"
                "  gannet report nano.db pi4.db -o devices.md\n"
                "  gannet report runs/search/study.db -o trials.csv\n"
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
static gn_status default_output(const char *study_path, const char *ending, gn_text *out, gn_error *err)
{
    const size_t n = strlen(study_path) - (gn_has_suffix(study_path, ".db") ? 3 : 0);
    gn_text_add_bytes(out, study_path, n);
    gn_text_printf(out, ".%s", ending);
    return out->failed ? gn_fail(err, GN_ENOMEM, "out of memory") : GN_OK;
}

/* What --format says, else the ending of the file, else HTML. */
static gn_status find_format(const gn_args *args, gn_report_format *format, gn_error *err)
{
    const char *path = gn_args_str(args, "output");
    *format = GN_REPORT_HTML;
    if (gn_args_has(args, "format")) {
        gn_report_format_parse(gn_args_str(args, "format"), format);
        return GN_OK;
    }
    if (path == NULL)
        return GN_OK;
    const char *ending = gn_path_ext(path);
    if (ending[0] == '.' && gn_report_format_parse(ending + 1, format))
        return GN_OK;
    return gn_fail(err, GN_EUSAGE, "%s: \"%s\" tells no format; expected .html, .md, .csv, .tex or .json, or --format",
                   path, ending);
}

static gn_status write_report(const gn_args *args, const char *path, const gn_report_options *how, gn_error *err)
{
    const char *studies[GN_REPORT_MAX_STUDIES];
    const int n = gn_args_n_positional(args);
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        studies[i] = gn_args_positional(args, i);
    GN_TRY(gn_report_write_as(studies, (size_t)n, path, how, &bytes, err));
    gn_cli_say("report of %s%s: %s\n", studies[0], n > 1 ? " and others" : "", path);
    size_t n_plots = 0;
    if (gn_args_has(args, "plots")) {
        GN_TRY(gn_report_write_plots(studies, (size_t)n, gn_args_str(args, "plots"), &n_plots, err));
        gn_cli_say("%zu plots: %s\n", n_plots, gn_args_str(args, "plots"));
    }
    if (!gn_args_flag(args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "study", studies[0]);
    gn_jsonw_array(&j, "studies");
    for (int i = 0; i < n; i++)
        gn_jsonw_str(&j, NULL, studies[i]);
    gn_jsonw_end(&j);
    gn_jsonw_str(&j, "report", path);
    gn_jsonw_int(&j, "bytes", (int64_t)bytes);
    gn_jsonw_int(&j, "plots", (int64_t)n_plots);
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

static gn_status report(const gn_args *args, gn_error *err)
{
    gn_report_options how = {.has_pictures = gn_args_flag(args, "pictures")};
    gn_text path;
    if (gn_args_flag(args, "table"))
        return print_table(gn_args_positional(args, 0), err);
    GN_TRY(find_format(args, &how.format, err));
    gn_text_init(&path);
    gn_status status = GN_OK;
    if (gn_args_has(args, "output"))
        gn_text_add(&path, gn_args_str(args, "output"));
    else
        status = default_output(gn_args_positional(args, 0), gn_report_format_ending(how.format), &path, err);
    if (status == GN_OK)
        status = path.failed ? gn_fail(err, GN_ENOMEM, "out of memory") : write_report(args, path.data, &how, err);
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
