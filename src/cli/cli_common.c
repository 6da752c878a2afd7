/* What every verb needs around its work: --help and usage errors, the error line, exit codes, output.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/pool.h"
#include "cli/cli_args.h"
#include "cli/cli_args_internal.h"
#include "cli/cli_json.h"
#include "cli/cli_progress.h"

static bool is_quiet; /* --quiet of the verb that runs */

static void print_log(void *ctx, int level, const char *line)
{
    (void)ctx;
    gn_cli_progress_end();
    fprintf(stderr, level == 0 ? "gannet: warning: %s\n" : "gannet: %s\n", line);
}

static int print_help(const gn_args_spec *spec)
{
    gn_text text;
    gn_text_init(&text);
    gn_args_help(spec, &text);
    const bool is_fine = !text.failed && fputs(text.data, stdout) >= 0;
    gn_text_deinit(&text);
    return is_fine ? 0 : 1;
}

static void print_error(const char *verb, const gn_error *err)
{
    char line[1024];
    gn_error_line(err, line, sizeof line);
    gn_cli_progress_end();
    fprintf(stderr, "gannet: %s: %s\n", verb, line);
}

bool gn_cli_begin(const gn_args_spec *spec, int argc, char **argv, gn_args **args_out, int *exit_code_out)
{
    gn_error err;
    gn_error_clear(&err);
    gn_args *args = NULL;
    gn_log_set(print_log, NULL, 0);
    const gn_status status = gn_args_parse(spec, argc, argv, &args, &err);
    if (status != GN_OK) {
        print_error(spec->verb, &err);
        *exit_code_out = gn_cli_exit_code(status);
        return false;
    }
    if (gn_args_flag(args, "help")) {
        gn_args_destroy(&args);
        *exit_code_out = print_help(spec);
        return false;
    }
    is_quiet = gn_args_flag(args, "quiet");
    gn_log_set(print_log, NULL, gn_args_int(args, "verbose"));
    gn_cli_progress_begin(is_quiet);
    *args_out = args;
    return true;
}

static bool wants_json(const gn_args *args)
{
    for (size_t i = 0; i < args->spec->n_options; i++)
        if (strcmp(args->spec->options[i].name, "json") == 0)
            return args->values[i].flag;
    return false;
}

int gn_cli_fail(const gn_args *args, const gn_error *err)
{
    print_error(args->spec->verb, err);
    if (wants_json(args)) {
        char line[1024];
        gn_error_line(err, line, sizeof line);
        gn_jsonw j;
        gn_jsonw_init(&j);
        gn_jsonw_str(&j, "error", line);
        gn_jsonw_str(&j, "status", gn_status_name(err->status));
        gn_jsonw_print(&j);
    }
    /* What a file holds and this program lacks is the file's matter: another operator, another version. */
    if (err->status == GN_EUNSUPPORTED && *err->file)
        return gn_cli_exit_code(GN_EFORMAT);
    return gn_cli_exit_code(err->status);
}

int gn_cli_exit_code(gn_status status)
{
    switch (status) {
    case GN_OK:
        return 0;
    case GN_EUSAGE:
    case GN_EINVAL:
        return 2;
    case GN_EFORMAT:
    case GN_EDATA:
    case GN_ELIMIT:
    case GN_ESHAPE:
    case GN_ENOENT:
        return 3;
    case GN_EFLOOR:
        return 4;
    case GN_EMEASURE:
        return 5;
    case GN_ECANCELED:
        return gn_cli_signal() ? 128 + gn_cli_signal() : 1;
    default:
        return 1;
    }
}

int gn_cli_threads(const gn_args *args)
{
    return gn_args_has(args, "threads") ? gn_args_int(args, "threads") : gn_cpu_count();
}

void gn_cli_say(const char *fmt, ...)
{
    if (is_quiet)
        return;
    gn_cli_progress_end();
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
}

bool gn_cli_print(const char *fmt, ...)
{
    gn_cli_progress_end();
    va_list args;
    va_start(args, fmt);
    const int n = vprintf(fmt, args);
    va_end(args);
    return n >= 0;
}
