/* Writing a graph as text, and reading it back.  One line per item; strings are in double quotes with C escapes; names of values are
 * quoted as well, so that any name round-trips.
 *
 *   gannet-graph 1
 *   meta "key" "value"
 *   input "images" f32 [?,3,224,224]
 *   const "shape" s64 [2] = 0 -1
 *   state "conv.weight" f32 [8,3,3,3] trainable
 *   node "Conv" "" "conv" ("images" "conv.weight" -) -> ("y") {pads: ints 1 1 1 1; group: int 1}
 *   output "y"
 *   update "running_mean" = "new_mean"
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "graph/graph_internal.h"

/* Letters of attribute names that need no quotes. */
#define GN_TEXT_BARE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

/* ---- writing ---- */

static void put_quoted(gn_text *text, const char *s)
{
    gn_text_add(text, "\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\')
            gn_text_printf(text, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            gn_text_printf(text, "\\x%02x", c);
        else
            gn_text_add_bytes(text, s, 1);
    }
    gn_text_add(text, "\"");
}

static void put_type(gn_text *text, gn_dtype dtype, const gn_shape *shape)
{
    char buffer[128];
    gn_shape_format(shape, buffer);
    gn_text_printf(text, " %s %s", gn_dtype_name(dtype), buffer);
}

static void put_elements(gn_text *text, const gn_tensor *tensor)
{
    for (int64_t i = 0; i < gn_tensor_count(tensor); i++)
        if (gn_dtype_is_real(tensor->dtype))
            gn_text_printf(text, " %.17g", gn_tensor_get(tensor, i));
        else /* u64 as the s64 of the same bits */
            gn_text_printf(text, " %" PRId64, gn_tensor_get_s64(tensor, i));
}

static void put_attr(gn_text *text, const gn_attr *a)
{
    if (*a->name && strspn(a->name, GN_TEXT_BARE) == strlen(a->name))
        gn_text_add(text, a->name);
    else
        put_quoted(text, a->name);
    gn_text_add(text, ": ");
    switch (a->type) {
    case GN_ATTR_INT:
        gn_text_printf(text, "int %" PRId64, a->u.i);
        break;
    case GN_ATTR_FLOAT:
        gn_text_printf(text, "float %.9g", (double)a->u.f);
        break;
    case GN_ATTR_STRING:
        gn_text_add(text, "string ");
        put_quoted(text, a->u.s);
        break;
    case GN_ATTR_INTS:
        gn_text_add(text, "ints");
        for (int i = 0; i < a->n; i++)
            gn_text_printf(text, " %" PRId64, a->u.ints[i]);
        break;
    case GN_ATTR_FLOATS:
        gn_text_add(text, "floats");
        for (int i = 0; i < a->n; i++)
            gn_text_printf(text, " %.9g", (double)a->u.floats[i]);
        break;
    case GN_ATTR_TENSOR:
        gn_text_add(text, "tensor");
        put_type(text, a->u.t->dtype, &a->u.t->shape);
        put_elements(text, a->u.t);
        break;
    }
}

static void put_names(gn_text *text, const gn_graph *graph, const int *ids, int n)
{
    gn_text_add(text, " (");
    for (int i = 0; i < n; i++) {
        if (i > 0)
            gn_text_add(text, " ");
        if (ids[i] < 0)
            gn_text_add(text, "-");
        else
            put_quoted(text, graph->values[ids[i]]->name);
    }
    gn_text_add(text, ")");
}

static void put_node(gn_text *text, const gn_graph *graph, const gn_node *node)
{
    gn_text_add(text, "node ");
    put_quoted(text, node->op->name);
    gn_text_add(text, " ");
    put_quoted(text, node->op->domain);
    gn_text_add(text, " ");
    put_quoted(text, node->name);
    put_names(text, graph, node->in, node->n_in);
    gn_text_add(text, " ->");
    put_names(text, graph, node->out, node->n_out);
    gn_text_add(text, " {");
    for (int i = 0; i < node->n_attrs; i++) {
        if (i > 0)
            gn_text_add(text, "; ");
        put_attr(text, &node->attrs[i]);
    }
    gn_text_add(text, "}\n");
}

static void put_source(gn_text *text, const gn_value *value)
{
    static const char *const words[] = {"input ", "const ", "state "};
    gn_text_add(text, words[value->kind]);
    put_quoted(text, value->name);
    put_type(text, value->dtype, &value->shape);
    if (value->kind == GN_VALUE_CONST) {
        gn_text_add(text, " =");
        put_elements(text, value->data);
    }
    if (value->kind == GN_VALUE_STATE && value->trainable)
        gn_text_add(text, " trainable");
    gn_text_add(text, "\n");
}

void gn_graph_to_text(const gn_graph *graph, gn_text *text)
{
    gn_text_add(text, "gannet-graph 1\n");
    for (size_t i = 0; i < graph->n_metas; i++) {
        gn_text_add(text, "meta ");
        put_quoted(text, graph->metas[i].key);
        gn_text_add(text, " ");
        put_quoted(text, graph->metas[i].value);
        gn_text_add(text, "\n");
    }
    for (size_t i = 0; i < graph->n_values; i++)
        if (graph->values[i]->kind != GN_VALUE_TEMP)
            put_source(text, graph->values[i]);
    for (size_t i = 0; i < graph->n_nodes; i++)
        put_node(text, graph, graph->nodes[i]);
    for (size_t i = 0; i < graph->n_outputs; i++) {
        gn_text_add(text, "output ");
        put_quoted(text, graph->values[graph->outputs[i]]->name);
        gn_text_add(text, "\n");
    }
    for (size_t i = 0; i < graph->n_updates; i++) {
        gn_text_add(text, "update ");
        put_quoted(text, graph->values[graph->updates[i].state]->name);
        gn_text_add(text, " = ");
        put_quoted(text, graph->values[graph->updates[i].value]->name);
        gn_text_add(text, "\n");
    }
}

/* ---- reading ---- */

#define GN_TEXT_MAX_OPERANDS    4096 /* inputs or results of a node, numbers in an attribute */
#define GN_TEXT_MAX_ATTRS       64
#define GN_TEXT_MAX_STATE_BYTES ((size_t)1 << 30) /* of all states together: their contents are not in the text */

typedef struct reader {
    const char *at, *end;
    int64_t line;
    gn_graph *graph;
    gn_arena *arena; /* words and lists; freed after the read */
    gn_error *err;
    size_t state_bytes;
    int *in; /* [GN_TEXT_MAX_OPERANDS], like the next three: for the node that is being read */
    const char **out;
    int64_t *ints;
    float *floats;
    gn_attr *attrs; /* [GN_TEXT_MAX_ATTRS] */
} reader;

static gn_status expected(reader *r, const char *what)
{
    int shown = (int)(r->end - r->at < 20 ? r->end - r->at : 20);
    const char *newline = shown > 0 ? memchr(r->at, '\n', (size_t)shown) : NULL;
    if (newline)
        shown = (int)(newline - r->at);
    return gn_fail_at(r->err, GN_EFORMAT, "", r->line, "reading a graph: \"%.*s\" was found where %s is expected",
                      shown, r->at, what);
}

static void skip_blanks(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\r'))
        r->at++;
}

static bool take(reader *r, const char *literal)
{
    skip_blanks(r);
    size_t n = strlen(literal);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, literal, n) != 0)
        return false;
    r->at += n;
    return true;
}

static gn_status need(reader *r, const char *literal)
{
    return take(r, literal) ? GN_OK : expected(r, literal);
}

/* A run of characters up to a blank or one of ()[]{};:, */
static gn_status word(reader *r, char *dst, size_t dst_bytes)
{
    skip_blanks(r);
    size_t n = 0;
    while (r->at + n < r->end && !strchr(" \r\n()[]{};:,", r->at[n]))
        n++;
    if (n == 0 || n >= dst_bytes)
        return expected(r, "a word");
    memcpy(dst, r->at, n);
    dst[n] = 0;
    r->at += n;
    return GN_OK;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static gn_status quoted(reader *r, const char **out)
{
    GN_TRY(need(r, "\""));
    size_t n = 0;
    while (r->at + n < r->end && r->at[n] != '"' && r->at[n] != '\n')
        n += r->at[n] == '\\' ? 2 : 1;
    if (r->at + n >= r->end || r->at[n] != '"')
        return expected(r, "the end of a string");
    char *s = gn_arena_alloc(r->arena, n + 1), *dst = s;
    if (!s)
        return GN_ENOMEM;
    for (const char *stop = r->at + n; r->at < stop;) {
        if (*r->at != '\\') {
            *dst++ = *r->at++;
        } else if (r->at[1] == 'x' && stop - r->at >= 4 && hex_digit(r->at[2]) >= 0 && hex_digit(r->at[3]) >= 0) {
            *dst++ = (char)(hex_digit(r->at[2]) * 16 + hex_digit(r->at[3]));
            r->at += 4;
        } else {
            *dst++ = r->at[1];
            r->at += 2;
        }
    }
    r->at++;
    *out = s;
    return GN_OK;
}

static gn_status integer(reader *r, int64_t *out)
{
    char text[64];
    GN_TRY(word(r, text, sizeof text));
    return gn_parse_i64(text, out) ? GN_OK : expected(r, "a whole number");
}

static gn_status type(reader *r, gn_dtype *dtype, gn_shape *shape)
{
    char text[64];
    GN_TRY(word(r, text, sizeof text));
    if (!gn_dtype_parse(text, dtype) || *dtype == GN_DTYPE_NONE)
        return expected(r, "an element type");
    *shape = gn_shape_make(0);
    GN_TRY(need(r, "["));
    while (!take(r, "]")) {
        if (shape->rank == GN_MAX_RANK)
            return expected(r, "at most 8 dimensions");
        int64_t dim = -1;
        if (!take(r, "?")) {
            GN_TRY(integer(r, &dim));
            if (dim < 0)
                return expected(r, "a dimension of 0 or more");
        }
        shape->dim[shape->rank++] = dim;
        take(r, ",");
    }
    return GN_OK;
}

static gn_status number(reader *r, double *out)
{
    char text[64], *stop;
    GN_TRY(word(r, text, sizeof text));
    *out = strtod(text, &stop); /* inf and nan are numbers here */
    return *stop == 0 ? GN_OK : expected(r, "a number");
}

static gn_status elements(reader *r, gn_dtype dtype, const gn_shape *shape, gn_tensor **out)
{
    if (gn_shape_count(shape) < 0 || gn_shape_count(shape) > r->end - r->at)
        return expected(r, "as many elements as the shape says");
    GN_TRY(gn_tensor_create(dtype, shape, out));
    for (int64_t i = 0; i < gn_tensor_count(*out); i++) {
        const bool is_long = dtype == GN_DTYPE_S64 || dtype == GN_DTYPE_U64;
        double x = 0;
        int64_t whole = 0;
        gn_status status = is_long ? integer(r, &whole) : number(r, &x);
        if (status != GN_OK) {
            gn_tensor_destroy(out);
            return status;
        }
        if (is_long)
            gn_tensor_set_s64(*out, i, whole);
        else
            gn_tensor_set(*out, i, x);
    }
    return GN_OK;
}

/* Room for the contents of a state of that shape. */
static gn_status count_state(reader *r, gn_dtype dtype, const gn_shape *shape)
{
    int64_t count = gn_shape_count(shape);
    size_t bytes;
    if (count < 0 || !gn_mul_size((size_t)count, gn_dtype_bytes(dtype), &bytes) ||
        bytes > GN_TEXT_MAX_STATE_BYTES - r->state_bytes)
        return gn_fail_at(r->err, GN_ELIMIT, "", r->line, "reading a graph: its states need more than %zu bytes",
                          GN_TEXT_MAX_STATE_BYTES);
    r->state_bytes += bytes;
    return GN_OK;
}

static gn_status read_source(reader *r, gn_value_kind kind)
{
    const char *name;
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(quoted(r, &name));
    GN_TRY(type(r, &dtype, &shape));
    if (!*name || gn_graph_find_value(r->graph, name) >= 0)
        return gn_fail_at(r->err, GN_EFORMAT, "", r->line, "reading a graph: the name \"%.200s\" is %s", name,
                          *name ? "taken twice" : "empty");
    if (kind == GN_VALUE_INPUT)
        gn_graph_add_input(r->graph, name, dtype, &shape);
    else if (kind == GN_VALUE_STATE) {
        GN_TRY(count_state(r, dtype, &shape));
        gn_graph_add_state(r->graph, name, dtype, &shape, take(r, "trainable"));
    } else {
        gn_tensor *tensor = NULL;
        GN_TRY(need(r, "="));
        GN_TRY(elements(r, dtype, &shape, &tensor));
        gn_graph_add_const(r->graph, name, tensor);
        gn_tensor_destroy(&tensor);
    }
    return gn_graph_error(r->graph, r->err);
}

static gn_status known_value(reader *r, int *id)
{
    const char *name;
    GN_TRY(quoted(r, &name));
    *id = gn_graph_find_value(r->graph, name);
    if (*id < 0)
        return gn_fail_at(r->err, GN_EFORMAT, "", r->line,
                          "reading a graph: no value is named \"%.200s\" before this line", name);
    return GN_OK;
}

static gn_status read_numbers(reader *r, gn_attr *a)
{
    bool whole = a->type == GN_ATTR_INTS;
    for (skip_blanks(r); r->at < r->end && *r->at != ';' && *r->at != '}' && *r->at != '\n'; skip_blanks(r), a->n++) {
        double x = 0;
        if (a->n == GN_TEXT_MAX_OPERANDS)
            return expected(r, "fewer numbers");
        GN_TRY(whole ? integer(r, &r->ints[a->n]) : number(r, &x));
        if (!whole)
            r->floats[a->n] = (float)x;
    }
    size_t bytes = (size_t)a->n * (whole ? sizeof *r->ints : sizeof *r->floats);
    void *copy = gn_arena_alloc(r->arena, bytes + 1);
    if (!copy)
        return GN_ENOMEM;
    memcpy(copy, whole ? (const void *)r->ints : (const void *)r->floats, bytes);
    if (whole)
        a->u.ints = copy;
    else
        a->u.floats = copy;
    return GN_OK;
}

/* The tensor stays with the graph, from which the node then takes its own copy. */
static gn_status read_tensor(reader *r, gn_attr *a)
{
    gn_dtype dtype;
    gn_shape shape;
    gn_tensor *tensor = NULL;
    GN_TRY(type(r, &dtype, &shape));
    GN_TRY(elements(r, dtype, &shape, &tensor));
    gn_status status = gn_graph_keep_tensor(r->graph, tensor);
    if (status != GN_OK)
        gn_tensor_destroy(&tensor);
    a->u.t = tensor;
    return status;
}

static gn_status attr_name(reader *r, const char **out)
{
    char name[64];
    skip_blanks(r);
    if (r->at < r->end && *r->at == '"')
        return quoted(r, out);
    GN_TRY(word(r, name, sizeof name));
    *out = gn_arena_strdup(r->arena, name);
    return *out ? GN_OK : GN_ENOMEM;
}

static gn_status read_attr(reader *r, gn_attr *a)
{
    static const char *const kinds[] = {"int", "float", "string", "ints", "floats", "tensor"}; /* as gn_attr_type */
    char kind[16];
    size_t k = 0;
    double x = 0;
    *a = (gn_attr){0};
    GN_TRY(attr_name(r, &a->name));
    GN_TRY(need(r, ":"));
    GN_TRY(word(r, kind, sizeof kind));
    while (k < sizeof kinds / sizeof *kinds && strcmp(kind, kinds[k]) != 0)
        k++;
    a->type = (gn_attr_type)k;
    switch (a->type) {
    case GN_ATTR_INT:
        return integer(r, &a->u.i);
    case GN_ATTR_FLOAT:
        GN_TRY(number(r, &x));
        a->u.f = (float)x;
        return GN_OK;
    case GN_ATTR_STRING:
        return quoted(r, &a->u.s);
    case GN_ATTR_INTS:
    case GN_ATTR_FLOATS:
        return read_numbers(r, a);
    case GN_ATTR_TENSOR:
        return read_tensor(r, a);
    }
    return expected(r, "an attribute's type before this");
}

static gn_status read_operands(reader *r, int *n)
{
    GN_TRY(need(r, "("));
    while (!take(r, ")")) {
        if (*n == GN_TEXT_MAX_OPERANDS)
            return expected(r, "fewer operands");
        r->in[*n] = -1;
        if (!take(r, "-"))
            GN_TRY(known_value(r, &r->in[*n]));
        (*n)++;
    }
    return GN_OK;
}

static gn_status read_results(reader *r, int *n)
{
    GN_TRY(need(r, "->"));
    GN_TRY(need(r, "("));
    while (!take(r, ")")) {
        if (*n == GN_TEXT_MAX_OPERANDS)
            return expected(r, "fewer results");
        r->out[*n] = NULL;
        if (!take(r, "-"))
            GN_TRY(quoted(r, &r->out[*n]));
        (*n)++;
    }
    return GN_OK;
}

static gn_status read_attrs(reader *r, int *n)
{
    GN_TRY(need(r, "{"));
    while (!take(r, "}")) {
        if (*n == GN_TEXT_MAX_ATTRS)
            return expected(r, "fewer attributes");
        GN_TRY(read_attr(r, &r->attrs[*n]));
        (*n)++;
        take(r, ";");
    }
    return GN_OK;
}

static gn_status read_node(reader *r)
{
    const char *op, *domain, *name;
    int n_in = 0, n_out = 0, n_attrs = 0;
    GN_TRY(quoted(r, &op));
    GN_TRY(quoted(r, &domain));
    GN_TRY(quoted(r, &name));
    GN_TRY(read_operands(r, &n_in));
    GN_TRY(read_results(r, &n_out));
    GN_TRY(read_attrs(r, &n_attrs));
    int id = gn_graph_add_node(r->graph, op, domain, name, r->in, n_in, n_out, r->attrs, n_attrs);
    if (id >= 0)
        gn_graph_name_outputs(r->graph, id, r->out);
    return gn_graph_error(r->graph, r->err);
}

static gn_status read_update(reader *r)
{
    int state, value;
    GN_TRY(known_value(r, &state));
    GN_TRY(need(r, "="));
    GN_TRY(known_value(r, &value));
    if (gn_graph_value(r->graph, state)->kind != GN_VALUE_STATE ||
        gn_graph_value(r->graph, value)->kind != GN_VALUE_TEMP)
        return expected(r, "a state and a node's result before this");
    return gn_graph_add_update(r->graph, state, value);
}

static gn_status read_line(reader *r)
{
    const char *key, *value;
    int a;
    if (take(r, "meta ")) {
        GN_TRY(quoted(r, &key));
        GN_TRY(quoted(r, &value));
        return gn_graph_meta_set(r->graph, key, value);
    }
    if (take(r, "input "))
        return read_source(r, GN_VALUE_INPUT);
    if (take(r, "const "))
        return read_source(r, GN_VALUE_CONST);
    if (take(r, "state "))
        return read_source(r, GN_VALUE_STATE);
    if (take(r, "node "))
        return read_node(r);
    if (take(r, "output ")) {
        GN_TRY(known_value(r, &a));
        return gn_graph_add_output(r->graph, a);
    }
    if (take(r, "update "))
        return read_update(r);
    return expected(r, "meta, input, const, state, node, output or update");
}

static gn_status read_all(reader *r)
{
    GN_TRY(need(r, "gannet-graph 1"));
    while (r->at < r->end) {
        skip_blanks(r);
        if (r->at < r->end && *r->at == '\n') {
            r->at++;
            r->line++;
            continue;
        }
        if (r->at < r->end)
            GN_TRY(read_line(r));
    }
    return GN_OK;
}

static gn_status begin_reading(reader *r)
{
    r->arena = gn_arena_create(0);
    if (!r->arena)
        return GN_ENOMEM;
    r->in = gn_arena_alloc(r->arena, GN_TEXT_MAX_OPERANDS * sizeof *r->in);
    r->out = gn_arena_alloc(r->arena, GN_TEXT_MAX_OPERANDS * sizeof *r->out);
    r->ints = gn_arena_alloc(r->arena, GN_TEXT_MAX_OPERANDS * sizeof *r->ints);
    r->floats = gn_arena_alloc(r->arena, GN_TEXT_MAX_OPERANDS * sizeof *r->floats);
    r->attrs = gn_arena_alloc(r->arena, GN_TEXT_MAX_ATTRS * sizeof *r->attrs);
    return r->in && r->out && r->ints && r->floats && r->attrs ? GN_OK : GN_ENOMEM;
}

gn_status gn_graph_from_text(const char *text, size_t bytes, const gn_op_registry *registry, gn_graph **graph_out,
                             gn_error *err)
{
    reader r = {.at = text, .end = text + bytes, .line = 1, .err = err};
    GN_TRY(gn_graph_create(registry, &r.graph));
    gn_status status = begin_reading(&r);
    if (status == GN_OK)
        status = read_all(&r);
    gn_arena_destroy(&r.arena);
    if (status == GN_OK)
        *graph_out = r.graph;
    else
        gn_graph_destroy(&r.graph);
    return status;
}
