/* Command lines as text: --help, the settings as YAML, and the command as a shell takes it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cli/cli_args.h"
#include "cli/cli_args_internal.h"

#define HELP_COLUMN 30
#define HELP_WIDTH  100

/* --- help --- */

static const char *type_word(gn_opt_type type)
{
    switch (type) {
    case GN_OPT_FLAG:
        return "";
    case GN_OPT_INT:
        return "N";
    case GN_OPT_DOUBLE:
        return "X";
    case GN_OPT_STRING:
        return "TEXT";
    case GN_OPT_LIST:
        return "A,B,...";
    case GN_OPT_DURATION:
        return "TIME";
    case GN_OPT_BYTES:
        return "SIZE";
    }
    return "";
}

/* Adds words, broken before HELP_WIDTH, later lines indented; `column` is where the text starts. */
static void add_wrapped(gn_text *out, const char *text, size_t column, size_t indent)
{
    size_t at = column;
    bool is_first = true;
    while (*text) {
        const size_t n = strcspn(text, " ");
        if (!is_first && at + 1 + n > HELP_WIDTH) {
            gn_text_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!is_first) {
            gn_text_add(out, " ");
            at++;
        }
        gn_text_add_bytes(out, text, n);
        at += n;
        is_first = false;
        text += n;
        text += strspn(text, " ");
    }
}

static void describe(const gn_opt *opt, gn_text *out)
{
    gn_text_add(out, opt->help);
    if (opt->choices) {
        const char *rest = opt->choices;
        char word[64];
        gn_text_add(out, ":");
        while (gn_args_next_choice(&rest, word, sizeof word))
            gn_text_printf(out, " %s%s", word, *rest ? "," : "");
    }
    const bool has_range = opt->min < opt->max && opt->type != GN_OPT_FLAG;
    const bool has_init = opt->init && *opt->init && !(opt->type == GN_OPT_FLAG && strcmp(opt->init, "false") == 0);
    if (!has_range && !has_init && !opt->env)
        return;
    const char *separator = "";
    gn_text_add(out, " (");
    if (has_init) {
        gn_text_printf(out, "default %s", opt->init);
        separator = "; ";
    }
    if (has_range) {
        gn_text_printf(out, "%s%.10g..%.10g%s", separator, opt->min, opt->max,
                       opt->type == GN_OPT_DURATION ? " s" : "");
        separator = "; ";
    }
    if (opt->env)
        gn_text_printf(out, "%s$%s", separator, opt->env);
    gn_text_add(out, ")");
}

static void add_option(const gn_opt *opt, gn_text *out)
{
    char left[128], names[96];
    /* A switch that is on by default is shown by the name that turns it off. */
    const bool is_on = opt->type == GN_OPT_FLAG && opt->init && strcmp(opt->init, "true") == 0;
    snprintf(names, sizeof names, "--%s%s", is_on ? "[no-]" : "", opt->name);
    const char *value = opt->metavar ? opt->metavar : type_word(opt->type);
    char full[120];
    if (opt->type == GN_OPT_FLAG)
        snprintf(full, sizeof full, "%s", names);
    else
        snprintf(full, sizeof full, opt->implied ? "%s[=%s]" : "%s %s", names, value);
    if (opt->short_name)
        snprintf(left, sizeof left, "  -%c, %s", opt->short_name, full);
    else
        snprintf(left, sizeof left, "      %s", full);
    gn_text_add(out, left);
    size_t n = strlen(left);
    if (n + 2 > HELP_COLUMN) {
        gn_text_add(out, "\n");
        n = 0;
    }
    gn_text_printf(out, "%*s", (int)(HELP_COLUMN - n), "");
    gn_text text;
    gn_text_init(&text);
    describe(opt, &text);
    if (text.data)
        add_wrapped(out, text.data, HELP_COLUMN, HELP_COLUMN);
    gn_text_deinit(&text);
    gn_text_add(out, "\n");
}

/* The heading under which option i stands: its own, else that of the row before. */
static const char *group_of(const gn_args_spec *spec, size_t i)
{
    for (size_t k = i + 1; k-- > 0;)
        if (gn_args_option(spec, k)->group)
            return gn_args_option(spec, k)->group;
    return "Options";
}

static void add_group(const gn_args_spec *spec, const char *group, gn_text *out)
{
    gn_text_printf(out, "\n%s:\n", group);
    for (size_t i = 0; i < gn_args_n_options(spec); i++)
        if (gn_args_option(spec, i)->help && strcmp(group_of(spec, i), group) == 0)
            add_option(gn_args_option(spec, i), out);
}

static bool is_new_group(const gn_args_spec *spec, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (gn_args_option(spec, k)->help && strcmp(group_of(spec, k), group_of(spec, i)) == 0)
            return false;
    return gn_args_option(spec, i)->help != NULL;
}

static void add_paragraphs(const char *text, gn_text *out)
{
    while (*text) {
        const size_t n = strcspn(text, "\n");
        char line[2048];
        snprintf(line, sizeof line, "%.*s", (int)n, text);
        add_wrapped(out, line, 0, 0);
        gn_text_add(out, "\n");
        text += n + (text[n] == '\n');
    }
}

void gn_args_help(const gn_args_spec *spec, gn_text *out)
{
    const char *usage = spec->usage ? spec->usage : "[options]";
    for (const char *lead = "Usage:"; *usage; lead = "      ") {
        const size_t n = strcspn(usage, "\n");
        gn_text_printf(out, "%s gannet %s %.*s\n", lead, spec->verb, (int)n, usage);
        usage += n + (usage[n] == '\n');
    }
    if (spec->about) {
        gn_text_add(out, "\n");
        add_paragraphs(spec->about, out);
    }
    for (size_t i = 0; i < gn_args_n_options(spec); i++)
        if (is_new_group(spec, i))
            add_group(spec, group_of(spec, i), out);
    if (spec->examples)
        gn_text_printf(out, "\nExamples:\n%s%s", spec->examples, gn_has_suffix(spec->examples, "\n") ? "" : "\n");
}

/* --- settings as YAML --- */

static bool is_about_the_call(const gn_opt *opt)
{
    static const char *const names[] = {"cfg", "json", "verbose", "quiet", "help"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(opt->name, names[i]) == 0)
            return true;
    return false;
}

/* Plain where YAML 1.1 reads the text back as this very string. */
static void add_yaml_text(gn_text *out, const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@-+";
    static const char *const special[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
    bool is_plain = *text && text[strspn(text, letters)] == '\0' && text[0] != '-' && text[0] != '.';
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        is_plain = is_plain && strcmp(text, special[i]) != 0;
    if (is_plain)
        gn_text_add(out, text);
    else
        gn_text_add_json(out, text);
}

void gn_args_yaml(const gn_args *args, gn_text *out)
{
    for (size_t i = 0; i < gn_args_n_options(args->spec); i++) {
        const gn_opt *opt = gn_args_option(args->spec, i);
        const gn_args_value *value = &args->values[i];
        if (value->rank == GN_ARGS_NONE || is_about_the_call(opt))
            continue;
        for (const char *p = opt->name; *p; p++)
            gn_text_add_bytes(out, *p == '-' ? "_" : p, 1);
        gn_text_add(out, ": ");
        if (opt->type == GN_OPT_FLAG) {
            gn_text_add(out, value->flag ? "true" : "false");
        } else if (opt->type == GN_OPT_LIST) {
            gn_text_add(out, "[");
            for (size_t k = 0; k < value->n_items; k++) {
                gn_text_add(out, k ? ", " : "");
                add_yaml_text(out, value->items[k]);
            }
            gn_text_add(out, "]");
        } else if (opt->type == GN_OPT_INT || opt->type == GN_OPT_DOUBLE) {
            gn_text_add(out, value->text);
        } else {
            add_yaml_text(out, value->text);
        }
        gn_text_add(out, "\n");
    }
}

/* --- the command --- */

static void add_shell_word(gn_text *out, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./@%+=:,-";
    gn_text_add(out, " ");
    if (*word && word[strspn(word, safe)] == '\0') {
        gn_text_add(out, word);
        return;
    }
    gn_text_add(out, "'");
    for (const char *p = word; *p; p++) {
        if (*p == '\'')
            gn_text_add(out, "'\\''");
        else
            gn_text_add_bytes(out, p, 1);
    }
    gn_text_add(out, "'");
}

void gn_args_command(const gn_args *args, gn_text *out)
{
    gn_text_printf(out, "gannet %s", args->spec->verb);
    for (int i = 1; i < args->argc; i++)
        add_shell_word(out, args->argv[i]);
}
