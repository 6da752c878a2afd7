/* Command lines by table: one row per option gives parsing, checking, --help, --cfg files and the record of settings.
 *
 * A verb looks like this (src/cli/cmd_train.c):
 *
 *     static const gn_opt options[] = {
 *         {.name = "data", .type = GN_OPT_STRING, .metavar = "D", .help = "data set", .group = "Data"},
 *         {.name = "epochs", .short_name = 'e', .type = GN_OPT_INT, .metavar = "N", .help = "passes over the data",
 *          .init = "40", .min = 1, .max = 100000},
 *         {.name = "optimizer", .type = GN_OPT_STRING, .help = "...", .init = "adam", .choices = "sgd|adam|adamw"},
 *         GN_OPT_ROW_JSON, GN_OPT_ROW_CFG,
 *     };
 *     static const gn_args_spec spec = {.verb = "train", .usage = "--data D --model M [options]", .about = "Trains ...",
 *                                       .options = options, .n_options = sizeof options / sizeof options[0]};
 *     static int run(int argc, char **argv)
 *     {
 *         gn_args *args = NULL;
 *         int code = 0;
 *         if (!gn_cli_begin(&spec, argc, argv, &args, &code))
 *             return code;
 *         gn_error err = {0};
 *         const gn_status status = ... gn_args_int(args, "epochs") ... &err ...;
 *         code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
 *         gn_args_destroy(&args);
 *         return code;
 *     }
 *     const gn_verb gn_verb_train = {"train", "trains a network", "Make", run};
 *
 * and one line in cli_verbs.c.  Every verb has --help, --verbose and --quiet without asking.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_ARGS_H
#define GN_CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

typedef enum gn_opt_type {
    GN_OPT_FLAG,     /* --name, --no-name, --name=true */
    GN_OPT_INT,      /* whole number; min..max when min < max */
    GN_OPT_DOUBLE,   /* finite number; min..max when min < max */
    GN_OPT_STRING,   /* any text, or one of `choices` */
    GN_OPT_LIST,     /* texts between commas; a repeated option adds to the list; each one of `choices` */
    GN_OPT_DURATION, /* number with a unit ns us ms s m h; read in seconds; min..max in seconds */
    GN_OPT_BYTES,    /* number with a unit kB MB GB TB KiB MiB GiB TiB or none (bytes); min..max in bytes */
} gn_opt_type;

/* One option.  Members not named are zero: no short name, no default, no range. */
typedef struct gn_opt {
    const char *name; /* long name; '-' and '_' count as the same letter */
    char short_name;
    gn_opt_type type;
    const char *metavar; /* what stands for the value in --help, e.g. "N"; NULL: a word for the type */
    const char *help;    /* one phrase, no full stop; NULL hides the option */
    const char *group;   /* heading in --help; NULL: the heading of the row before ("Options" at first) */
    const char *init;    /* default as text; NULL: none */
    double min, max;
    const char *choices; /* "a|b|c"; NULL: anything */
    const char *env;     /* environment variable that replaces the default */
    const char *implied; /* value of the option when written without "=value" (then a value needs the '=') */
} gn_opt;

#define GN_OPT_ROW_JSON                                                                                                \
    {                                                                                                                  \
        .name = "json", .type = GN_OPT_FLAG, .group = "Output", .help = "print one JSON object on standard output"     \
    }
#define GN_OPT_ROW_CFG                                                                                                 \
    {                                                                                                                  \
        .name = "cfg", .type = GN_OPT_STRING, .metavar = "FILE", .group = "Settings",                                  \
        .help = "take options from a YAML file of `name: value` lines; the command line wins"                          \
    }
#define GN_OPT_ROW_THREADS                                                                                             \
    {                                                                                                                  \
        .name = "threads", .type = GN_OPT_INT, .metavar = "N", .min = 1, .max = 256, .env = "GANNET_THREADS",          \
        .help = "CPU threads (default: all cores this process may use)"                                                \
    }

typedef struct gn_args_spec {
    const char *verb;  /* "train" */
    const char *usage; /* after "gannet train ", e.g. "MODEL --data D [options]"; one line per form */
    const char *about; /* a paragraph or more for --help */
    const gn_opt *options;
    size_t n_options;
    int min_positional, max_positional; /* max -1: any number */
    const char *examples;               /* lines after the options in --help, may be NULL */
} gn_args_spec;

/* A parsed command line. */
typedef struct gn_args gn_args;

/* Parses argv[1..argc-1] (argv[0] is the verb).  `spec` and `argv` must outlive the result.  Order of precedence: command
 * line, --cfg file, environment, default.
 * GN_EUSAGE: unknown option (the nearest is named), missing or unreadable value, wrong number of positional arguments.
 * GN_ENOENT, GN_EFORMAT: --cfg file.  GN_ENOMEM. */
gn_status gn_args_parse(const gn_args_spec *spec, int argc, char **argv, gn_args **args_out, gn_error *err);
void gn_args_destroy(gn_args **args);
/* Another default than the table's, where one follows from other options; a value that was given stays. */
gn_status gn_args_set_default(gn_args *args, const char *name, const char *value, gn_error *err);
/* Whether the table has an option of this name, '-' and '_' alike. */
bool gn_args_knows(const gn_args *args, const char *name);
/* A value as if the --cfg file had it. */
gn_status gn_args_set_given(gn_args *args, const char *name, const char *value, gn_error *err);

/* Values by long name.  A name that the table lacks, or of another type, is a bug of the verb (assertion).  Without a value
 * and a default: false, 0 or NULL. */
bool gn_args_flag(const gn_args *args, const char *name);
int gn_args_int(const gn_args *args, const char *name);
/* Of GN_OPT_INT and GN_OPT_BYTES. */
int64_t gn_args_int64(const gn_args *args, const char *name);
/* Of GN_OPT_DOUBLE, GN_OPT_INT, GN_OPT_BYTES and GN_OPT_DURATION (then in seconds). */
double gn_args_double(const gn_args *args, const char *name);
/* Valid as long as args. */
const char *gn_args_str(const gn_args *args, const char *name);
/* Items of a list; 0 items without default and value; valid as long as args. */
const char *const *gn_args_list(const gn_args *args, const char *name, size_t *n_out);
/* Given on the command line, in the --cfg file or in the environment. */
bool gn_args_is_set(const gn_args *args, const char *name);
/* There is a value: given or default. */
bool gn_args_has(const gn_args *args, const char *name);

/* Arguments that are not options. */
int gn_args_n_positional(const gn_args *args);
const char *gn_args_positional(const gn_args *args, int i);

/* The text of --help. */
void gn_args_help(const gn_args_spec *spec, gn_text *out);
/* Effective settings, one `name: value` line each in the order of the table, as --cfg reads them.  Options without a value,
 * and cfg, json, verbose, quiet and help, are left out.  '-' in names is written as '_'. */
void gn_args_yaml(const gn_args *args, gn_text *out);
/* The command line as it was given, quoted for a shell. */
void gn_args_command(const gn_args *args, gn_text *out);

/* How a --cfg file is read: calls `each` for every `key: value` (lists joined with commas) and stops at its first failure. */
typedef gn_status (*gn_args_each_fn)(void *ctx, const char *key, const char *value, int64_t line, gn_error *err);
typedef gn_status (*gn_args_cfg_reader)(const char *path, gn_args_each_fn each, void *ctx, gn_error *err);
/* Set once by the program; without a reader --cfg is GN_EUNSUPPORTED. */
void gn_args_set_cfg_reader(gn_args_cfg_reader reader);

/* --- what verbs share --- */

/* A verb of the program: `run` returns the exit code; argv[0] is the verb's name. */
typedef struct gn_verb {
    const char *name;
    const char *summary; /* one phrase for gannet --help */
    const char *group;   /* heading there */
    int (*run)(int argc, char **argv);
} gn_verb;

/* Parses; prints --help (standard output) or the usage error (standard error).  True: go on with *args_out.  False: return
 * *exit_code_out.  Also sets the log level from --verbose and --quiet. */
bool gn_cli_begin(const gn_args_spec *spec, int argc, char **argv, gn_args **args_out, int *exit_code_out);
/* Prints "gannet: VERB: what went wrong" on standard error, with --json also {"error": ..., "status": ...} on standard output;
 * returns the exit code for err->status. */
int gn_cli_fail(const gn_args *args, const gn_error *err);
/* 0 done, 1 failed, 2 usage, 3 bad input file or data, 4 below a floor, 5 measurement invalid; after an interruption by a
 * signal GN_ECANCELED gives 128 + its number. */
int gn_cli_exit_code(gn_status status);
/* The number of threads from --threads, else all cores. */
int gn_cli_threads(const gn_args *args);
/* Text for people on standard error; silent with --quiet. */
void gn_cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Text that is the verb's result, on standard output.  False when it could not be written. */
bool gn_cli_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
