/* A space as text: on one line to tell it from others, and as a table for people.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "search/space_internal.h"

/* A value that could be taken for several stands in quotes. */
static void add_value(gn_text *out, const char *value)
{
    if (value[strcspn(value, " ,\"[]")] != '\0')
        gn_text_add_json(out, value);
    else
        gn_text_add(out, value);
}

/* --- one line ------------------------------------------------------------------------------------------------------- */

static void describe_domain(const space_domain *d, gn_text *out)
{
    if (d->kind == DOMAIN_RANGE)
        gn_text_printf(out, "%.12g..%.12g%s", d->low, d->high, d->is_log ? ":log" : "");
    for (size_t i = 0; d->kind != DOMAIN_RANGE && i < d->n; i++) {
        gn_text_add(out, i > 0 ? "," : "");
        add_value(out, d->value[i]);
    }
}

void gn_space_describe(const gn_space *space, gn_text *out)
{
    bool is_first = true;
    for (int key = 0; key < SPACE_N_KEYS; key++) {
        if (!gn_space_is_given(&space->base[key]))
            continue;
        gn_text_printf(out, "%s%s=", is_first ? "" : " ", gn_space_keys[key].name);
        describe_domain(&space->base[key], out);
        is_first = false;
    }
    for (size_t i = 0; i < space->n_rules; i++) {
        const space_rule *rule = &space->rules[i];
        gn_text_printf(out, "%s%s[%s]=", is_first ? "" : " ", gn_space_keys[rule->key].name, rule->domain.pattern);
        describe_domain(&rule->domain, out);
        is_first = false;
    }
}

/* --- for people ----------------------------------------------------------------------------------------------------- */

/* Columns of a line, and where its text may not go on. */
#define LINE_COLUMNS 110

typedef struct printer {
    gn_text *out;
    int indent; /* columns before the values */
} printer;

/* Values between commas, on as many lines as they need. */
static void print_values(const printer *p, const char *const *value, size_t n)
{
    int column = p->indent;
    for (size_t i = 0; i < n; i++) {
        const size_t before = p->out->len;
        const int width = (int)strlen(value[i]) + 2;
        if (i > 0 && column + width > LINE_COLUMNS) {
            gn_text_printf(p->out, ",\n%*s", p->indent, "");
            column = p->indent;
        } else if (i > 0) {
            gn_text_add(p->out, ", ");
        }
        add_value(p->out, value[i]);
        column += (int)(p->out->len - before) < width + 2 ? (int)(p->out->len - before) : width;
    }
}

static void print_domain(const printer *p, const space_domain *d)
{
    if (d->kind == DOMAIN_RANGE)
        gn_text_printf(p->out, "%.6g to %.6g%s%s", d->low, d->high, d->is_whole ? ", whole numbers" : "",
                       d->is_log ? ", logarithmic" : "");
    else if (d->kind == DOMAIN_STEPS && d->n > 8)
        gn_text_printf(p->out, "%s to %s, %zu values", d->value[0], d->value[d->n - 1], d->n);
    else
        print_values(p, d->value, d->n);
    gn_text_add(p->out, "\n");
}

static int widest_key(const gn_space *space)
{
    size_t width = 8;
    for (int key = 0; key < SPACE_N_KEYS; key++)
        if (gn_space_is_given(&space->base[key]) && strlen(gn_space_keys[key].name) > width)
            width = strlen(gn_space_keys[key].name);
    for (size_t i = 0; i < space->n_rules; i++)
        if (strlen(gn_space_keys[space->rules[i].key].name) > width)
            width = strlen(gn_space_keys[space->rules[i].key].name);
    return (int)width;
}

/* The rules in the order of their patterns, each pattern once as a heading. */
static void print_rules(const gn_space *space, int width, gn_text *out)
{
    const printer p = {out, width + 4};
    const char *pattern = NULL;
    for (size_t i = 0; i < space->n_rules; i++) {
        const space_rule *rule = &space->rules[i];
        if (pattern == NULL || strcmp(pattern, rule->domain.pattern) != 0)
            gn_text_printf(out, "  models like %s\n", rule->domain.pattern);
        pattern = rule->domain.pattern;
        gn_text_printf(out, "    %-*s", width, gn_space_keys[rule->key].name);
        print_domain(&p, &rule->domain);
    }
}

static void print_settings(const gn_space *space, int width, gn_text *out)
{
    for (int i = 0; gn_space_setting_name(i) != NULL; i++)
        if (space->setting[i] != NULL)
            gn_text_printf(out, "  %-*s  %s\n", width, gn_space_setting_name(i), space->setting[i]);
}

static void print_size(const gn_space *space, int epochs, gn_text *out)
{
    gn_space_network *networks = NULL;
    size_t n_networks = 0;
    const double size = gn_space_size(space);
    gn_arena *arena = gn_arena_create(0);
    if (arena == NULL) {
        out->failed = true;
        return;
    }
    if (isfinite(size))
        gn_text_printf(out, "%.0f config%s", size, size == 1 ? "" : "s");
    else
        gn_text_add(out, "configs without end (ranges without points)");
    if (gn_space_networks(space, arena, &networks, &n_networks, NULL) == GN_OK)
        gn_text_printf(out, ", %zu network%s", n_networks, n_networks == 1 ? "" : "s");
    if (isfinite(size) && epochs > 0)
        gn_text_printf(out, "; all of them to the end: %.0f epochs", size * epochs);
    gn_text_add(out, "\n");
    gn_arena_destroy(&arena);
}

void gn_space_print(const gn_space *space, int epochs, gn_text *out)
{
    const int width = widest_key(space);
    const printer p = {out, width + 4};
    gn_text_add(out, "space\n");
    for (int key = 0; key < SPACE_N_KEYS; key++) {
        if (!gn_space_is_given(&space->base[key]))
            continue;
        gn_text_printf(out, "  %-*s  ", width, gn_space_keys[key].name);
        print_domain(&p, &space->base[key]);
    }
    print_rules(space, width, out);
    print_settings(space, width, out);
    print_size(space, epochs, out);
}
