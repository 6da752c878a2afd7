/* Parsing of command lines by table.  Text for people (--help, settings as YAML) stands in cli_args_text.c.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_args.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli_args_internal.h"

const gn_opt gn_args_builtin[GN_ARGS_N_BUILTIN] = {
    {.name = "verbose",
     .short_name = 'v',
     .type = GN_OPT_INT,
     .metavar = "LEVEL",
     .group = "Output",
     .implied = "2",
     .max = 5,
     .help = "log lines: 1 per process, 2 per graph, 3 per node, 4 per batch, 5 per kernel call"},
    {.name = "quiet", .short_name = 'q', .type = GN_OPT_FLAG, .group = "Output", .help = "no progress, errors only"},
    {.name = "help", .short_name = 'h', .type = GN_OPT_FLAG, .group = "Output", .help = "print this text"},
};

static gn_args_cfg_reader cfg_reader; /* of the program; set before any command line is read */

void gn_args_set_cfg_reader(gn_args_cfg_reader reader)
{
    cfg_reader = reader;
}

size_t gn_args_n_options(const gn_args_spec *spec)
{
    return spec->n_options + GN_ARGS_N_BUILTIN;
}

const gn_opt *gn_args_option(const gn_args_spec *spec, size_t i)
{
    return i < spec->n_options ? &spec->options[i] : &gn_args_builtin[i - spec->n_options];
}

static char fold(char c)
{
    return c == '_' ? '-' : c;
}

/* Compares `n` letters of `given` with the whole of `name`; '-' and '_' are the same. */
static bool same_name(const char *name, const char *given, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (name[i] == '\0' || fold(name[i]) != fold(given[i]))
            return false;
    return name[n] == '\0';
}

static int find_long(const gn_args_spec *spec, const char *given, size_t n)
{
    for (size_t i = 0; i < gn_args_n_options(spec); i++)
        if (same_name(gn_args_option(spec, i)->name, given, n))
            return (int)i;
    return -1;
}

static int find_short(const gn_args_spec *spec, char letter)
{
    for (size_t i = 0; i < gn_args_n_options(spec); i++)
        if (gn_args_option(spec, i)->short_name == letter)
            return (int)i;
    return -1;
}

/* --- values --- */

static bool parse_flag(const char *text, bool *out)
{
    static const char *const yes[] = {"true", "yes", "on", "1", "True"};
    static const char *const no[] = {"false", "no", "off", "0", "False"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(text, yes[i]) == 0)
            *out = true;
        else if (strcmp(text, no[i]) == 0)
            *out = false;
        else
            continue;
        return true;
    }
    return false;
}

typedef struct unit {
    const char *name;
    double scale;
} unit;

static const unit duration_units[] = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}, {"m", 60.0}, {"h", 3600.0}};
static const unit byte_units[] = {
    {"", 1.0},  {"B", 1.0}, {"kB", 1e3}, {"MB", 1e6},     {"GB", 1e9},     {"TB", 1e12},    {"K", 1024.0},
    {"k", 1e3}, {"M", 1e6}, {"G", 1e9},  {"KiB", 0x1p10}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40},
};

/* Number followed by one of the units. */
static bool parse_scaled(const char *text, const unit *units, size_t n_units, double *out)
{
    char number[64];
    const size_t n = strspn(text, "+-.0123456789");
    if (n == 0 || n >= sizeof number)
        return false;
    memcpy(number, text, n);
    number[n] = '\0';
    double x;
    if (!gn_parse_f64(number, &x))
        return false;
    for (size_t i = 0; i < n_units; i++)
        if (strcmp(text + n, units[i].name) == 0) {
            *out = x * units[i].scale;
            return true;
        }
    return false;
}

bool gn_args_next_choice(const char **choices, char *word, size_t word_bytes)
{
    if (!*choices || !**choices)
        return false;
    const size_t n = strcspn(*choices, "|");
    const size_t kept = n < word_bytes ? n : word_bytes - 1;
    memcpy(word, *choices, kept);
    word[kept] = '\0';
    *choices += n + ((*choices)[n] == '|');
    return true;
}

static bool is_choice(const char *choices, const char *text)
{
    char word[64];
    while (gn_args_next_choice(&choices, word, sizeof word))
        if (strcmp(word, text) == 0)
            return true;
    return false;
}

/* Where a value came from, for messages. */
typedef struct origin {
    gn_args_rank rank;
    const char *file; /* of a --cfg file */
    int64_t line;
} origin;

static gn_status fail_value(gn_error *err, const gn_opt *opt, const origin *from, const char *text,
                            const char *expected)
{
    if (from->rank == GN_ARGS_CFG)
        return gn_fail_at(err, GN_EUSAGE, from->file, from->line, "%s: \"%s\" is not %s", opt->name, text, expected);
    if (from->rank == GN_ARGS_ENV)
        return gn_fail(err, GN_EUSAGE, "environment variable %s: \"%s\" is not %s", opt->env, text, expected);
    return gn_fail(err, GN_EUSAGE, "--%s: \"%s\" is not %s", opt->name, text, expected);
}

static gn_status check_choice(const gn_opt *opt, const origin *from, const char *text, gn_error *err)
{
    if (!opt->choices || is_choice(opt->choices, text))
        return GN_OK;
    char expected[400], word[64];
    const char *nearest = NULL, *rest = opt->choices;
    char best[64] = "";
    size_t n = (size_t)snprintf(expected, sizeof expected, "one of");
    while (n < sizeof expected && gn_args_next_choice(&rest, word, sizeof word)) {
        n += (size_t)snprintf(expected + n, sizeof expected - n, " %s", word);
        const char *candidate = word;
        if (!nearest && gn_nearest(text, &candidate, 1)) {
            memcpy(best, word, sizeof best);
            nearest = best;
        }
    }
    if (nearest && n < sizeof expected)
        snprintf(expected + n, sizeof expected - n, "; did you mean \"%s\"?", nearest);
    return fail_value(err, opt, from, text, expected);
}

static gn_status check_range(const gn_opt *opt, const origin *from, const char *text, double x, gn_error *err)
{
    if (opt->min >= opt->max || (x >= opt->min && x <= opt->max))
        return GN_OK;
    char expected[128];
    if (opt->type == GN_OPT_DURATION)
        snprintf(expected, sizeof expected, "between %gs and %gs", opt->min, opt->max);
    else
        snprintf(expected, sizeof expected, "between %.10g and %.10g", opt->min, opt->max);
    return fail_value(err, opt, from, text, expected);
}

/* Adds the items between commas; an empty text adds none. */
static gn_status add_items(gn_args *args, gn_args_value *value, const gn_opt *opt, const origin *from, const char *text,
                           gn_error *err)
{
    while (*text) {
        const size_t n = strcspn(text, ",");
        char *item = gn_arena_alloc(args->arena, n + 1);
        if (!item || gn_grow(&value->items, &value->items_capacity, value->n_items + 1, sizeof *value->items) != GN_OK)
            return gn_fail(err, GN_ENOMEM, "no memory for the command line");
        memcpy(item, text, n);
        GN_TRY(check_choice(opt, from, item, err));
        value->items[value->n_items++] = item;
        text += n + (text[n] == ',');
    }
    return GN_OK;
}

/* Reads `text` by the option's type. */
static gn_status convert(const gn_opt *opt, const origin *from, const char *text, gn_args_value *value, gn_error *err)
{
    switch (opt->type) {
    case GN_OPT_FLAG:
        return parse_flag(text, &value->flag) ? GN_OK : fail_value(err, opt, from, text, "true or false");
    case GN_OPT_INT:
        if (!gn_parse_i64(text, &value->whole))
            return fail_value(err, opt, from, text, "a whole number");
        value->number = (double)value->whole;
        return check_range(opt, from, text, value->number, err);
    case GN_OPT_DOUBLE:
        if (!gn_parse_f64(text, &value->number))
            return fail_value(err, opt, from, text, "a number");
        return check_range(opt, from, text, value->number, err);
    case GN_OPT_DURATION:
        if (!parse_scaled(text, duration_units, sizeof duration_units / sizeof duration_units[0], &value->number))
            return fail_value(err, opt, from, text, "a duration such as 15ms, 2s or 1.5h");
        return check_range(opt, from, text, value->number, err);
    case GN_OPT_BYTES:
        if (!parse_scaled(text, byte_units, sizeof byte_units / sizeof byte_units[0], &value->number) ||
            value->number < 0 || value->number >= 0x1p62)
            return fail_value(err, opt, from, text, "a size such as 500MB or 2GiB");
        value->whole = (int64_t)value->number;
        return check_range(opt, from, text, value->number, err);
    case GN_OPT_STRING:
        return check_choice(opt, from, text, err);
    case GN_OPT_LIST:
        break;
    }
    return GN_OK;
}

/* A value of lower rank never replaces one of higher rank; a list grows when the same rank speaks again. */
static gn_status set_value(gn_args *args, int index, const char *text, const origin *from, gn_error *err)
{
    const gn_opt *opt = gn_args_option(args->spec, (size_t)index);
    gn_args_value *value = &args->values[index];
    if (from->rank < value->rank)
        return GN_OK;
    if (opt->type == GN_OPT_LIST) {
        if (from->rank != value->rank)
            value->n_items = 0;
        GN_TRY(add_items(args, value, opt, from, text, err));
    } else {
        GN_TRY(convert(opt, from, text, value, err));
    }
    value->text = gn_arena_strdup(args->arena, text);
    if (!value->text)
        return gn_fail(err, GN_ENOMEM, "no memory for the command line");
    value->rank = from->rank;
    return GN_OK;
}

/* --- the command line --- */

static const origin from_cli = {.rank = GN_ARGS_CLI};

static gn_status fail_unknown(const gn_args_spec *spec, const char *given, size_t n, const char *file, int64_t line,
                              gn_error *err)
{
    const size_t count = gn_args_n_options(spec);
    char word[64], hint[128] = "";
    snprintf(word, sizeof word, "%.*s", (int)(n < 63 ? n : 63), given);
    size_t best = 0, best_distance = 2 + n / 3;
    bool has_best = false;
    for (size_t i = 0; i < count; i++) {
        const size_t distance = gn_edit_distance(word, gn_args_option(spec, i)->name);
        if (gn_args_option(spec, i)->help && distance < best_distance) {
            best = i;
            best_distance = distance;
            has_best = true;
        }
    }
    if (has_best)
        snprintf(hint, sizeof hint, "; did you mean %s%s?", file ? "" : "--", gn_args_option(spec, best)->name);
    if (file)
        return gn_fail_at(err, GN_EUSAGE, file, line, "\"%s\" is no option of gannet %s%s", word, spec->verb, hint);
    return gn_fail(err, GN_EUSAGE, "unknown option --%s%s (gannet %s --help lists all)", word, hint, spec->verb);
}

/* A flag, or an option whose value may be left out. */
static const char *lone_value(const gn_opt *opt)
{
    return opt->implied ? opt->implied : opt->type == GN_OPT_FLAG ? "true" : NULL;
}

/* "--name", "--name=value", "--name value", "--no-name"; *i moves on when the next argument is taken as the value. */
static gn_status take_long(gn_args *args, int argc, char **argv, int *i, gn_error *err)
{
    const char *given = argv[*i] + 2;
    const size_t n = strcspn(given, "=");
    int index = find_long(args->spec, given, n);
    if (index < 0 && n > 3 && (gn_has_prefix(given, "no-") || gn_has_prefix(given, "no_"))) {
        index = find_long(args->spec, given + 3, n - 3);
        if (index >= 0 && gn_args_option(args->spec, (size_t)index)->type == GN_OPT_FLAG && given[n] == '\0')
            return set_value(args, index, "false", &from_cli, err);
        index = -1;
    }
    if (index < 0)
        return fail_unknown(args->spec, given, n, NULL, 0, err);
    const gn_opt *opt = gn_args_option(args->spec, (size_t)index);
    if (given[n] == '=')
        return set_value(args, index, given + n + 1, &from_cli, err);
    if (lone_value(opt))
        return set_value(args, index, lone_value(opt), &from_cli, err);
    if (*i + 1 >= argc)
        return gn_fail(err, GN_EUSAGE, "--%s needs a value", opt->name);
    return set_value(args, index, argv[++*i], &from_cli, err);
}

/* "-e 4", "-e4", "-qv". */
static gn_status take_short(gn_args *args, int argc, char **argv, int *i, gn_error *err)
{
    for (const char *p = argv[*i] + 1; *p; p++) {
        const int index = find_short(args->spec, *p);
        if (index < 0)
            return gn_fail(err, GN_EUSAGE, "unknown option -%c (gannet %s --help lists all)", *p, args->spec->verb);
        const gn_opt *opt = gn_args_option(args->spec, (size_t)index);
        if (opt->type != GN_OPT_FLAG && p[1])
            return set_value(args, index, p + 1, &from_cli, err);
        if (lone_value(opt)) {
            GN_TRY(set_value(args, index, lone_value(opt), &from_cli, err));
            continue;
        }
        if (*i + 1 >= argc)
            return gn_fail(err, GN_EUSAGE, "-%c (--%s) needs a value", *p, opt->name);
        return set_value(args, index, argv[++*i], &from_cli, err);
    }
    return GN_OK;
}

/* A lone "-" and numbers such as -5 are not options. */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && arg[1] != '\0' && !(arg[1] >= '0' && arg[1] <= '9') && arg[1] != '.';
}

static gn_status take_all(gn_args *args, int argc, char **argv, gn_error *err)
{
    bool only_positional = false;
    for (int i = 1; i < argc; i++) {
        if (!only_positional && strcmp(argv[i], "--") == 0)
            only_positional = true;
        else if (!only_positional && gn_has_prefix(argv[i], "--"))
            GN_TRY(take_long(args, argc, argv, &i, err));
        else if (!only_positional && is_option(argv[i]))
            GN_TRY(take_short(args, argc, argv, &i, err));
        else
            args->positional[args->n_positional++] = argv[i];
    }
    return GN_OK;
}

static gn_status check_positional(const gn_args *args, gn_error *err)
{
    const gn_args_spec *spec = args->spec;
    const int n = args->n_positional;
    if (n < spec->min_positional)
        return gn_fail(err, GN_EUSAGE, "an argument is missing; usage: gannet %s %s", spec->verb, spec->usage);
    if (spec->max_positional >= 0 && n > spec->max_positional)
        return gn_fail(err, GN_EUSAGE, "unexpected argument \"%s\"; usage: gannet %s %s",
                       args->positional[spec->max_positional], spec->verb, spec->usage);
    return GN_OK;
}

/* --- the other sources --- */

static gn_status take_defaults(gn_args *args, gn_error *err)
{
    static const origin from_default = {.rank = GN_ARGS_DEFAULT}, from_env = {.rank = GN_ARGS_ENV};
    for (size_t i = 0; i < gn_args_n_options(args->spec); i++) {
        const gn_opt *opt = gn_args_option(args->spec, i);
        if (opt->init)
            GN_TRY(set_value(args, (int)i, opt->init, &from_default, err));
        const char *env = opt->env ? getenv(opt->env) : NULL;
        if (env && *env)
            GN_TRY(set_value(args, (int)i, env, &from_env, err));
    }
    return GN_OK;
}

typedef struct cfg_context {
    gn_args *args;
    const char *path;
} cfg_context;

static gn_status take_cfg_line(void *ctx, const char *key, const char *value, int64_t line, gn_error *err)
{
    const cfg_context *cfg = ctx;
    const int index = find_long(cfg->args->spec, key, strlen(key));
    if (index < 0)
        return fail_unknown(cfg->args->spec, key, strlen(key), cfg->path, line, err);
    const origin from = {.rank = GN_ARGS_CFG, .file = cfg->path, .line = line};
    return set_value(cfg->args, index, value, &from, err);
}

static gn_status take_cfg(gn_args *args, gn_error *err)
{
    const int index = find_long(args->spec, "cfg", 3);
    if (index < 0 || args->values[index].rank == GN_ARGS_NONE)
        return GN_OK;
    if (!cfg_reader)
        return gn_fail(err, GN_EUNSUPPORTED, "--cfg: this program reads no YAML");
    cfg_context cfg = {args, args->values[index].text};
    return cfg_reader(cfg.path, take_cfg_line, &cfg, err);
}

static bool wants_help(const gn_args *args)
{
    return args->values[find_long(args->spec, "help", 4)].flag;
}

/* No two options of a table are called by the same letter or word. */
static bool names_are_unique(const gn_args_spec *spec)
{
    const size_t n = gn_args_n_options(spec);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++) {
            const gn_opt *a = gn_args_option(spec, i), *b = gn_args_option(spec, k);
            if (strcmp(a->name, b->name) == 0 || (a->short_name && a->short_name == b->short_name))
                return false;
        }
    return true;
}

gn_status gn_args_parse(const gn_args_spec *spec, int argc, char **argv, gn_args **args_out, gn_error *err)
{
    GN_ASSERT(names_are_unique(spec));
    gn_args *args = gn_calloc(1, sizeof *args);
    if (!args)
        return gn_fail(err, GN_ENOMEM, "no memory for the command line");
    args->spec = spec;
    args->argc = argc;
    args->argv = argv;
    args->arena = gn_arena_create(0);
    args->values = gn_calloc(gn_args_n_options(spec), sizeof *args->values);
    args->positional = gn_calloc((size_t)argc + 1, sizeof *args->positional);
    gn_status status = GN_OK;
    if (!args->arena || !args->values || !args->positional)
        status = gn_fail(err, GN_ENOMEM, "no memory for the command line");
    if (status == GN_OK)
        status = take_defaults(args, err);
    if (status == GN_OK)
        status = take_all(args, argc, argv, err);
    if (status == GN_OK && !wants_help(args))
        status = take_cfg(args, err);
    if (status == GN_OK && !wants_help(args))
        status = check_positional(args, err);
    if (status != GN_OK) {
        gn_args_destroy(&args);
        return status;
    }
    *args_out = args;
    return GN_OK;
}

gn_status gn_args_set_default(gn_args *args, const char *name, const char *value, gn_error *err)
{
    static const origin from_default = {.rank = GN_ARGS_DEFAULT};
    const int index = find_long(args->spec, name, strlen(name));
    GN_ASSERT(index >= 0);
    return set_value(args, index, value, &from_default, err);
}

bool gn_args_knows(const gn_args *args, const char *name)
{
    return find_long(args->spec, name, strlen(name)) >= 0;
}

gn_status gn_args_set_given(gn_args *args, const char *name, const char *value, gn_error *err)
{
    static const origin from_given = {.rank = GN_ARGS_CFG};
    const int index = find_long(args->spec, name, strlen(name));
    GN_ASSERT(index >= 0);
    return set_value(args, index, value, &from_given, err);
}

void gn_args_destroy(gn_args **args)
{
    if (!args || !*args)
        return;
    gn_args *a = *args;
    if (a->values)
        for (size_t i = 0; i < gn_args_n_options(a->spec); i++)
            gn_free(a->values[i].items);
    gn_free(a->values);
    gn_free(a->positional);
    gn_arena_destroy(&a->arena);
    gn_free(a);
    *args = NULL;
}

/* --- reading --- */

/* The value of an option that the table must have, with one of two types. */
static const gn_args_value *value_of(const gn_args *args, const char *name, gn_opt_type type, gn_opt_type other)
{
    const int index = find_long(args->spec, name, strlen(name));
    GN_ASSERT(index >= 0);
    const gn_opt_type found = gn_args_option(args->spec, (size_t)index)->type;
    GN_ASSERT(found == type || found == other);
    return &args->values[index];
}

bool gn_args_flag(const gn_args *args, const char *name)
{
    return value_of(args, name, GN_OPT_FLAG, GN_OPT_FLAG)->flag;
}

int gn_args_int(const gn_args *args, const char *name)
{
    const int64_t x = value_of(args, name, GN_OPT_INT, GN_OPT_INT)->whole;
    return x > INT_MAX ? INT_MAX : x < INT_MIN ? INT_MIN : (int)x;
}

int64_t gn_args_int64(const gn_args *args, const char *name)
{
    return value_of(args, name, GN_OPT_INT, GN_OPT_BYTES)->whole;
}

double gn_args_double(const gn_args *args, const char *name)
{
    const int index = find_long(args->spec, name, strlen(name));
    GN_ASSERT(index >= 0);
    return args->values[index].number;
}

const char *gn_args_str(const gn_args *args, const char *name)
{
    return value_of(args, name, GN_OPT_STRING, GN_OPT_STRING)->text;
}

const char *const *gn_args_list(const gn_args *args, const char *name, size_t *n_out)
{
    const gn_args_value *value = value_of(args, name, GN_OPT_LIST, GN_OPT_LIST);
    *n_out = value->n_items;
    return value->items;
}

bool gn_args_is_set(const gn_args *args, const char *name)
{
    const int index = find_long(args->spec, name, strlen(name));
    GN_ASSERT(index >= 0);
    return args->values[index].rank > GN_ARGS_DEFAULT;
}

bool gn_args_has(const gn_args *args, const char *name)
{
    const int index = find_long(args->spec, name, strlen(name));
    GN_ASSERT(index >= 0);
    return args->values[index].rank > GN_ARGS_NONE;
}

int gn_args_n_positional(const gn_args *args)
{
    return args->n_positional;
}

const char *gn_args_positional(const gn_args *args, int i)
{
    GN_ASSERT(i >= 0 && i < args->n_positional);
    return args->positional[i];
}
