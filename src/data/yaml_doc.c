/* YAML text to a read-only tree, built from libyaml's event stream so that depth, node count and aliases are checked as they
 * come.  Source: YAML 1.1, as libyaml reads it; tags are ignored, "<<" is an ordinary key.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/yaml_doc.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"

typedef struct yaml_pair {
    const char *key;      /* NULL in a sequence */
    int64_t line, column; /* of the key */
    const gn_yaml_node *value;
} yaml_pair;

struct gn_yaml_node {
    gn_yaml_kind kind;
    bool quoted;
    const char *text;
    int64_t line, column;
    int64_t n;
    const yaml_pair *pairs; /* [n] */
    int64_t size;           /* nodes in this subtree, aliases followed */
    int height;             /* 1 for a scalar */
};

struct gn_yaml {
    gn_arena *arena;
    const char *name;
    const gn_yaml_node *root;
};

typedef struct yaml_anchor {
    struct yaml_anchor *next;
    const char *name;
    const gn_yaml_node *node; /* NULL while the node is still open */
} yaml_anchor;

typedef struct yaml_reader {
    yaml_parser_t parser;
    gn_yaml *yaml;
    yaml_anchor *anchors;
    int64_t nodes;
    gn_error *err;
} yaml_reader;

static const gn_yaml_node yaml_null = {.kind = GN_YAML_NULL, .size = 1, .height = 1};

static int64_t mark_line(yaml_mark_t mark)
{
    return (int64_t)mark.line + 1;
}

static gn_status fail_syntax(yaml_reader *r)
{
    const yaml_parser_t *p = &r->parser;
    if (p->error == YAML_MEMORY_ERROR)
        return gn_fail(r->err, GN_ENOMEM, "out of memory reading %s", r->yaml->name);
    if (p->error == YAML_READER_ERROR)
        return gn_fail_offset(r->err, GN_EFORMAT, r->yaml->name, (int64_t)p->problem_offset, "not YAML: %s",
                              p->problem != NULL ? p->problem : "unreadable text");
    const char *problem = p->problem != NULL ? p->problem : "unknown problem";
    const bool tab = strstr(problem, "cannot start any token") != NULL || strstr(problem, "tab") != NULL;
    return gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, mark_line(p->problem_mark), "not YAML at column %zu: %s%s%s%s",
                      (size_t)p->problem_mark.column + 1, problem, p->context != NULL ? " " : "",
                      p->context != NULL ? p->context : "", tab ? " (indent with spaces, a tab is not allowed)" : "");
}

static gn_status next_event(yaml_reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? GN_OK : fail_syntax(r);
}

static gn_status fail_memory(yaml_reader *r)
{
    return gn_fail(r->err, GN_ENOMEM, "out of memory reading %s", r->yaml->name);
}

static gn_status count_nodes(yaml_reader *r, int64_t more, int64_t line)
{
    r->nodes += more;
    if (r->nodes > GN_YAML_MAX_NODES)
        return gn_fail_at(r->err, GN_ELIMIT, r->yaml->name, line, "more than %d values after aliases are followed",
                          GN_YAML_MAX_NODES);
    return GN_OK;
}

static gn_status add_anchor(yaml_reader *r, const yaml_char_t *name, yaml_anchor **anchor_out)
{
    *anchor_out = NULL;
    if (name == NULL)
        return GN_OK;
    yaml_anchor *a = gn_arena_alloc(r->yaml->arena, sizeof *a);
    const char *copy = gn_arena_strdup(r->yaml->arena, (const char *)name);
    if (a == NULL || copy == NULL)
        return fail_memory(r);
    a->name = copy;
    a->next = r->anchors;
    r->anchors = a;
    *anchor_out = a;
    return GN_OK;
}

static bool is_null_text(const char *s)
{
    return s[0] == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0 || strcmp(s, "Null") == 0 ||
           strcmp(s, "NULL") == 0;
}

/* Text of a scalar event in the arena. */
static gn_status copy_scalar(yaml_reader *r, const yaml_event_t *event, const char **text_out)
{
    const char *value = (const char *)event->data.scalar.value;
    if (memchr(value, 0, event->data.scalar.length) != NULL)
        return gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, mark_line(event->start_mark),
                          "a text contains a NUL character");
    *text_out = gn_arena_strdup(r->yaml->arena, value);
    return *text_out != NULL ? GN_OK : fail_memory(r);
}

static gn_status read_scalar(yaml_reader *r, const yaml_event_t *event, gn_yaml_node *node)
{
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    GN_TRY(copy_scalar(r, event, &node->text));
    node->kind = !node->quoted && is_null_text(node->text) ? GN_YAML_NULL : GN_YAML_SCALAR;
    return GN_OK;
}

static gn_status read_alias(yaml_reader *r, const yaml_event_t *event, int depth, const gn_yaml_node **node_out)
{
    const char *name = (const char *)event->data.alias.anchor;
    const int64_t line = mark_line(event->start_mark);
    const yaml_anchor *a = r->anchors;
    while (a != NULL && strcmp(a->name, name) != 0)
        a = a->next;
    const size_t column = (size_t)event->start_mark.column + 1;
    if (a == NULL)
        return gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, line, "column %zu: the alias *%s has no anchor before it",
                          column, name);
    if (a->node == NULL)
        return gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, line,
                          "column %zu: the alias *%s stands inside its own anchor, which makes a cycle", column, name);
    if (depth + a->node->height - 1 > GN_YAML_MAX_DEPTH)
        return gn_fail_at(r->err, GN_ELIMIT, r->yaml->name, line, "nested deeper than %d levels", GN_YAML_MAX_DEPTH);
    GN_TRY(count_nodes(r, a->node->size, line));
    *node_out = a->node;
    return GN_OK;
}

static int compare_keys(const void *pa, const void *pb)
{
    const yaml_pair *a = pa, *b = pb;
    const int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a->line > b->line) - (a->line < b->line);
}

static gn_status refuse_equal_keys(yaml_reader *r, const gn_yaml_node *map)
{
    const size_t bytes = (size_t)map->n * sizeof(yaml_pair);
    yaml_pair *sorted = gn_alloc(bytes);
    if (sorted == NULL)
        return fail_memory(r);
    gn_status status = GN_OK;
    if (map->n > 0)
        memcpy(sorted, map->pairs, bytes);
    qsort(sorted, (size_t)map->n, sizeof *sorted, compare_keys);
    for (int64_t i = 1; i < map->n && status == GN_OK; i++)
        if (strcmp(sorted[i].key, sorted[i - 1].key) == 0)
            status = gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, sorted[i].line,
                                "the key '%.100s' stands here again (first in line %lld)", sorted[i].key,
                                (long long)sorted[i - 1].line);
    gn_free(sorted);
    return status;
}

static gn_status read_node(yaml_reader *r, yaml_event_t *event, int depth, const gn_yaml_node **node_out);

/* A key, when `event` is a scalar; the event is used up. */
static gn_status read_key(yaml_reader *r, yaml_event_t *event, yaml_pair *pair)
{
    pair->line = mark_line(event->start_mark);
    pair->column = (int64_t)event->start_mark.column + 1;
    gn_status status;
    if (event->type == YAML_SCALAR_EVENT)
        status = copy_scalar(r, event, &pair->key);
    else
        status = gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, pair->line,
                            "a key must be plain text, not a list, a map or an alias");
    yaml_event_delete(event);
    return status;
}

/* Items of a sequence or pairs of a map up to its end event. */
static gn_status read_children(yaml_reader *r, gn_yaml_node *node, int depth)
{
    const bool is_map = node->kind == GN_YAML_MAP;
    const yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    yaml_pair *pairs = NULL;
    size_t capacity = 0;
    gn_status status = GN_OK;
    for (;;) {
        yaml_event_t event;
        status = next_event(r, &event);
        if (status != GN_OK)
            break;
        if (event.type == end) {
            yaml_event_delete(&event);
            break;
        }
        yaml_pair pair = {0};
        if (is_map) {
            status = read_key(r, &event, &pair);
            if (status == GN_OK)
                status = next_event(r, &event);
            if (status != GN_OK)
                break;
        }
        status = read_node(r, &event, depth + 1, &pair.value);
        if (status == GN_OK && gn_grow(&pairs, &capacity, (size_t)node->n + 1, sizeof *pairs) != GN_OK)
            status = fail_memory(r);
        if (status != GN_OK)
            break;
        pairs[node->n++] = pair;
        node->size += pair.value->size;
        if (pair.value->height >= node->height)
            node->height = pair.value->height + 1;
    }
    if (status == GN_OK && node->n > 0) {
        yaml_pair *kept = gn_arena_alloc(r->yaml->arena, (size_t)node->n * sizeof *kept);
        if (kept != NULL)
            memcpy(kept, pairs, (size_t)node->n * sizeof *kept);
        else
            status = fail_memory(r);
        node->pairs = kept;
    }
    gn_free(pairs);
    if (status == GN_OK && is_map)
        status = refuse_equal_keys(r, node);
    return status;
}

/* One value, whose first event is given and used up. */
static gn_status read_node(yaml_reader *r, yaml_event_t *event, int depth, const gn_yaml_node **node_out)
{
    const int64_t line = mark_line(event->start_mark);
    gn_status status = GN_OK;
    yaml_anchor *anchor = NULL;
    gn_yaml_node *node = gn_arena_alloc(r->yaml->arena, sizeof *node);
    if (node == NULL) {
        status = fail_memory(r);
        goto cleanup;
    }
    if (depth > GN_YAML_MAX_DEPTH) {
        status = gn_fail_at(r->err, GN_ELIMIT, r->yaml->name, line, "nested deeper than %d levels", GN_YAML_MAX_DEPTH);
        goto cleanup;
    }
    *node = (gn_yaml_node){.line = line, .column = (int64_t)event->start_mark.column + 1, .size = 1, .height = 1};
    if (event->type == YAML_ALIAS_EVENT) {
        status = read_alias(r, event, depth, node_out);
        goto cleanup;
    }
    status = count_nodes(r, 1, line);
    if (status != GN_OK)
        goto cleanup;
    if (event->type == YAML_SCALAR_EVENT) {
        status = add_anchor(r, event->data.scalar.anchor, &anchor);
        if (status == GN_OK)
            status = read_scalar(r, event, node);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        node->kind = GN_YAML_SEQUENCE;
        status = add_anchor(r, event->data.sequence_start.anchor, &anchor);
        if (status == GN_OK)
            status = read_children(r, node, depth);
    } else {
        node->kind = GN_YAML_MAP;
        status = add_anchor(r, event->data.mapping_start.anchor, &anchor);
        if (status == GN_OK)
            status = read_children(r, node, depth);
    }
    if (anchor != NULL)
        anchor->node = node;
    if (status == GN_OK)
        *node_out = node;

cleanup:
    yaml_event_delete(event);
    return status;
}

/* Stream start, at most one document, stream end. */
static gn_status read_stream(yaml_reader *r)
{
    for (;;) {
        yaml_event_t event;
        GN_TRY(next_event(r, &event));
        const yaml_event_type_t type = event.type;
        const int64_t line = mark_line(event.start_mark);
        switch (type) {
        case YAML_SCALAR_EVENT:
        case YAML_ALIAS_EVENT:
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
            if (r->yaml->root != &yaml_null) {
                yaml_event_delete(&event);
                return gn_fail_at(r->err, GN_EFORMAT, r->yaml->name, line, "a second document begins; one is expected");
            }
            GN_TRY(read_node(r, &event, 1, &r->yaml->root));
            break;
        default:
            yaml_event_delete(&event);
            break;
        }
        if (type == YAML_STREAM_END_EVENT)
            return GN_OK;
    }
}

gn_status gn_yaml_parse(const char *text, size_t n, const char *name, gn_yaml **yaml_out, gn_error *err)
{
    if (n > GN_YAML_MAX_BYTES)
        return gn_fail_at(err, GN_ELIMIT, name, 0, "%zu bytes of YAML; at most %u are read", n, GN_YAML_MAX_BYTES);
    gn_yaml *yaml = gn_calloc(1, sizeof *yaml);
    yaml_reader r = {.yaml = yaml, .err = err};
    if (yaml == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory reading %s", name);
    yaml->name = name;
    yaml->root = &yaml_null;
    yaml->arena = gn_arena_create(0);
    gn_status status = GN_ENOMEM;
    const char *copy = yaml->arena != NULL ? gn_arena_strdup(yaml->arena, name) : NULL;
    if (copy != NULL && yaml_parser_initialize(&r.parser)) {
        yaml->name = copy;
        yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
        status = read_stream(&r);
        yaml_parser_delete(&r.parser);
    } else {
        fail_memory(&r);
    }
    if (status == GN_OK)
        *yaml_out = yaml;
    else
        gn_yaml_destroy(&yaml);
    return status;
}

gn_status gn_yaml_open(const char *path, gn_yaml **yaml_out, gn_error *err)
{
    char *text = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_YAML_MAX_BYTES, &text, &n, err));
    const gn_status status = gn_yaml_parse(text, n, path, yaml_out, err);
    gn_free(text);
    return status;
}

void gn_yaml_destroy(gn_yaml **yaml)
{
    if (yaml == NULL || *yaml == NULL)
        return;
    gn_arena_destroy(&(*yaml)->arena);
    gn_free(*yaml);
    *yaml = NULL;
}

const gn_yaml_node *gn_yaml_root(const gn_yaml *yaml)
{
    return yaml->root;
}

const char *gn_yaml_name(const gn_yaml *yaml)
{
    return yaml->name;
}

gn_yaml_kind gn_yaml_kind_of(const gn_yaml_node *node)
{
    return node != NULL ? node->kind : GN_YAML_NULL;
}

int64_t gn_yaml_line(const gn_yaml_node *node)
{
    return node != NULL ? node->line : 0;
}

int64_t gn_yaml_column(const gn_yaml_node *node)
{
    return node != NULL ? node->column : 0;
}

int64_t gn_yaml_count(const gn_yaml_node *node)
{
    return node != NULL ? node->n : 0;
}

const gn_yaml_node *gn_yaml_item(const gn_yaml_node *node, int64_t i)
{
    return node != NULL && i >= 0 && i < node->n ? node->pairs[i].value : NULL;
}

const char *gn_yaml_key(const gn_yaml_node *map, int64_t i)
{
    return map != NULL && i >= 0 && i < map->n ? map->pairs[i].key : NULL;
}

int64_t gn_yaml_key_line(const gn_yaml_node *map, int64_t i)
{
    return map != NULL && i >= 0 && i < map->n ? map->pairs[i].line : 0;
}

int64_t gn_yaml_key_column(const gn_yaml_node *map, int64_t i)
{
    return map != NULL && i >= 0 && i < map->n ? map->pairs[i].column : 0;
}

const gn_yaml_node *gn_yaml_find(const gn_yaml_node *map, const char *key)
{
    if (gn_yaml_kind_of(map) != GN_YAML_MAP)
        return NULL;
    for (int64_t i = 0; i < map->n; i++)
        if (strcmp(map->pairs[i].key, key) == 0)
            return map->pairs[i].value;
    return NULL;
}

const char *gn_yaml_text(const gn_yaml_node *node)
{
    return gn_yaml_kind_of(node) == GN_YAML_SCALAR ? node->text : NULL;
}

bool gn_yaml_is_quoted(const gn_yaml_node *node)
{
    return node != NULL && node->quoted;
}

bool gn_yaml_as_i64(const gn_yaml_node *node, int64_t *out)
{
    const char *text = gn_yaml_text(node);
    return text != NULL && !node->quoted && gn_parse_i64(text, out);
}

bool gn_yaml_as_f64(const gn_yaml_node *node, double *out)
{
    const char *text = gn_yaml_text(node);
    return text != NULL && !node->quoted && gn_parse_f64(text, out);
}

bool gn_yaml_as_bool(const gn_yaml_node *node, bool *out)
{
    static const char *const words[2][3] = {{"false", "no", "off"}, {"true", "yes", "on"}};
    const char *text = gn_yaml_text(node);
    if (text == NULL || node->quoted)
        return false;
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 3; i++)
            if (strcasecmp(text, words[value][i]) == 0) {
                *out = value == 1;
                return true;
            }
    return false;
}

static gn_status fail_type(const gn_yaml *yaml, const gn_yaml_node *node, const char *key, const char *expected,
                           gn_error *err)
{
    const char *text = gn_yaml_text(node);
    return gn_fail_at(err, GN_EFORMAT, yaml->name, gn_yaml_line(node), "%s must be %s, not %s%.100s%s", key, expected,
                      text != NULL ? "'" : "", text != NULL ? text : "a list or a map", text != NULL ? "'" : "");
}

/* The value of `key` when it is there and not null. */
static const gn_yaml_node *find_value(const gn_yaml_node *map, const char *key)
{
    const gn_yaml_node *node = gn_yaml_find(map, key);
    return gn_yaml_kind_of(node) == GN_YAML_NULL ? NULL : node;
}

gn_status gn_yaml_get_i64(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, int64_t *out, gn_error *err)
{
    const gn_yaml_node *node = find_value(map, key);
    if (node != NULL && !gn_yaml_as_i64(node, out))
        return fail_type(yaml, node, key, "a whole number", err);
    return GN_OK;
}

gn_status gn_yaml_get_f64(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, double *out, gn_error *err)
{
    const gn_yaml_node *node = find_value(map, key);
    if (node != NULL && !gn_yaml_as_f64(node, out))
        return fail_type(yaml, node, key, "a number", err);
    return GN_OK;
}

gn_status gn_yaml_get_bool(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, bool *out, gn_error *err)
{
    const gn_yaml_node *node = find_value(map, key);
    if (node != NULL && !gn_yaml_as_bool(node, out))
        return fail_type(yaml, node, key, "true or false", err);
    return GN_OK;
}

gn_status gn_yaml_get_text(const gn_yaml *yaml, const gn_yaml_node *map, const char *key, const char **out,
                           gn_error *err)
{
    const gn_yaml_node *node = find_value(map, key);
    if (node != NULL && gn_yaml_text(node) == NULL)
        return fail_type(yaml, node, key, "text", err);
    if (node != NULL)
        *out = node->text;
    return GN_OK;
}
