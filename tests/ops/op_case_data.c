/* Making graphs and values of operator cases.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "op_cases.h"
#include "ops/ops.h"

#define MOST_NUMBERS  4096
#define KINK_DISTANCE 0.05

gn_status op_case_parse(const char *lines, gn_graph **graph_out, gn_error *err)
{
    gn_text text;
    gn_text_init(&text);
    gn_text_add(&text, "gannet-graph 1\n");
    for (const char *line = lines; *line;) {
        const char *end = strchr(line, '\n');
        const size_t length = end ? (size_t)(end - line) : strlen(line);
        gn_text_add_bytes(&text, line, length);
        if (strncmp(line, "node", 4) == 0 && !memchr(line, '{', length))
            gn_text_add(&text, " {}");
        gn_text_add(&text, "\n");
        line += length + (end != NULL);
    }
    assert_false(text.failed);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\'')
            text.data[i] = '"';
    const gn_status status = gn_graph_from_text(text.data, text.len, gn_ops_registry(), graph_out, err);
    gn_text_deinit(&text);
    return status;
}

gn_graph *op_case_graph(const op_case *c)
{
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (op_case_parse(c->graph, &graph, &err) != GN_OK || gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s: %s (line %d)", c->name, err.message, (int)err.line);
    return graph;
}

int op_case_numbers(const char *text, int group, double *dst, int max)
{
    int n = 0;
    for (; group > 0 && text; group--) {
        text = strchr(text, ';');
        text = text ? text + 1 : NULL;
    }
    if (!text)
        return -1;
    for (char *stop;; text = stop, n++) {
        const double x = strtod(text, &stop);
        if (stop == text)
            return n;
        assert_true(n < max);
        dst[n] = x;
    }
}

/* Numbers after "name " in "x 1 2; w 3"; -1 when the name is not there. */
static int given_numbers(const char *given, const char *name, double *dst, int max)
{
    const size_t length = strlen(name);
    for (const char *at = given; at; at = strchr(at, ';'), at = at ? at + 1 : NULL) {
        at += strspn(at, " ");
        if (strncmp(at, name, length) == 0 && at[length] == ' ')
            return op_case_numbers(at + length, 0, dst, max);
    }
    return -1;
}

static bool near_kink(const op_case *c, double x)
{
    double kinks[8];
    const int n = c->kinks ? op_case_numbers(c->kinks, 0, kinks, 8) : 0;
    for (int i = 0; i < n; i++)
        if (fabs(x - kinks[i]) < KINK_DISTANCE)
            return true;
    return false;
}

static void draw(const op_case *c, const char *name, double *dst, int64_t n)
{
    const double lo = c->lo == 0 && c->hi == 0 ? -2 : c->lo, hi = c->lo == 0 && c->hi == 0 ? 2 : c->hi;
    gn_rng rng;
    gn_rng_init(&rng, gn_hash64(c->name, strlen(c->name), 0), gn_hash64(name, strlen(name), 0));
    if (c->distinct) {
        int64_t *order = gn_alloc((size_t)n * sizeof *order);
        assert_non_null(order);
        for (int64_t i = 0; i < n; i++)
            order[i] = i;
        gn_rng_shuffle(&rng, order, n);
        for (int64_t i = 0; i < n; i++)
            dst[i] = lo + (hi - lo) * ((double)order[i] + 0.25 * gn_rng_uniform(&rng)) / (double)n;
        gn_free(order);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        do
            dst[i] = lo + (hi - lo) * gn_rng_uniform(&rng);
        while (near_kink(c, dst[i]));
}

double *op_case_values(const op_case *c, const gn_graph *graph, int id)
{
    const gn_value *value = gn_graph_value(graph, id);
    const int64_t n = gn_shape_count(&value->shape);
    double *values = gn_calloc(MOST_NUMBERS, sizeof *values);
    assert_non_null(values);
    assert_true(n <= MOST_NUMBERS);
    const int given = c->given ? given_numbers(c->given, value->name, values, MOST_NUMBERS) : -1;
    if (given >= 0 && given != n)
        fail_msg("%s: %d numbers are given for %s", c->name, given, value->name);
    if (given < 0)
        draw(c, value->name, values, n);
    for (int64_t i = 0; i < n && value->dtype == GN_DTYPE_F32; i++)
        values[i] = (double)(float)values[i]; /* so that f32 and f64 begin with the same numbers */
    return values;
}

void op_case_bind(const op_case *c, const gn_graph *graph, gn_interpret *it)
{
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value_kind kind = gn_graph_value(graph, i)->kind;
        if (kind != GN_VALUE_INPUT && kind != GN_VALUE_STATE)
            continue;
        double *values = op_case_values(c, graph, i);
        gn_interpret_set(it, i, values);
        gn_free(values);
    }
}

int op_case_names(const gn_graph *graph, const char *list, int *ids, int max)
{
    int n = 0;
    char name[64];
    for (int used; list && sscanf(list, "%63s%n", name, &used) == 1; list += used) {
        assert_true(n < max);
        ids[n] = gn_graph_find_value(graph, name);
        if (ids[n++] < 0)
            fail_msg("no value is named %s", name);
    }
    return n;
}
