/* Sections "[name]" and options "key=value"; # and ; begin comments, white space counts nowhere.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/darknet/darknet_cfg.h"

#include <string.h>

#include "formats/darknet/darknet.h"

#define MAX_LINE_BYTES 8192

typedef struct parse {
    gn_darknet_cfg *cfg;
    size_t capacity;
    gn_arena *arena;
    int line;
    gn_error *err;
} parse;

static gn_status bad(const parse *p, const char *what)
{
    return gn_fail_at(p->err, GN_EFORMAT, p->cfg->name, p->line, "not a readable Darknet .cfg: %s", what);
}

static gn_status no_memory(const parse *p)
{
    return gn_fail_at(p->err, GN_ENOMEM, p->cfg->name, 0, "no memory to read the .cfg");
}

static gn_status add_section(parse *p, const char *line, size_t n)
{
    if (n < 3 || line[n - 1] != ']')
        return bad(p, "a section should read [name]");
    if (p->cfg->n > GN_DARKNET_MAX_LAYERS)
        return gn_fail_at(p->err, GN_ELIMIT, p->cfg->name, p->line, "more than %d layers, the limit",
                          GN_DARKNET_MAX_LAYERS);
    if (gn_grow(&p->cfg->sections, &p->capacity, p->cfg->n + 1, sizeof *p->cfg->sections) != GN_OK)
        return no_memory(p);
    const char *name = gn_arena_printf(p->arena, "%.*s", (int)(n - 2), line + 1);
    if (!name)
        return no_memory(p);
    p->cfg->sections[p->cfg->n++] = (gn_darknet_section){.name = name, .line = p->line};
    return GN_OK;
}

static gn_status add_option(parse *p, const char *line, size_t n)
{
    const char *equals = memchr(line, '=', n);
    if (!equals || equals == line)
        return bad(p, "an option should read key=value");
    if (p->cfg->n == 0)
        return bad(p, "an option stands before the first section");
    gn_darknet_section *section = &p->cfg->sections[p->cfg->n - 1];
    gn_darknet_option *option = gn_arena_alloc(p->arena, sizeof *option);
    const size_t key = (size_t)(equals - line);
    if (!option)
        return no_memory(p);
    option->key = gn_arena_printf(p->arena, "%.*s", (int)key, line);
    option->value = gn_arena_printf(p->arena, "%.*s", (int)(n - key - 1), equals + 1);
    if (!option->key || !option->value)
        return no_memory(p);
    option->line = p->line;
    option->next = section->options;
    section->options = option;
    return GN_OK;
}

static gn_status parse_line(parse *p, const char *text, size_t bytes)
{
    char line[MAX_LINE_BYTES];
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++) {
        const char c = text[i];
        if (c == '\0')
            return bad(p, "it has a NUL byte (is this a text file?)");
        if (c == ' ' || c == '\t' || c == '\r')
            continue;
        if (n == 0 && (c == '#' || c == ';'))
            return GN_OK;
        if (c == '#')
            break;
        if (n + 1 == sizeof line)
            return bad(p, "a line is too long");
        line[n++] = c;
    }
    line[n] = '\0';
    if (n == 0)
        return GN_OK;
    return line[0] == '[' ? add_section(p, line, n) : add_option(p, line, n);
}

gn_status gn_darknet_cfg_parse(const char *text, size_t bytes, const char *name, gn_arena *arena,
                               gn_darknet_cfg *cfg_out, gn_error *err)
{
    gn_darknet_cfg cfg = {.name = name};
    parse p = {.cfg = &cfg, .arena = arena, .err = err};
    gn_status status = GN_OK;
    for (size_t at = 0; at < bytes && status == GN_OK;) {
        const char *end = memchr(text + at, '\n', bytes - at);
        const size_t n = end ? (size_t)(end - (text + at)) : bytes - at;
        p.line++;
        status = parse_line(&p, text + at, n);
        at += n + 1;
    }
    if (status == GN_OK && cfg.n == 0)
        status = bad(&p, "it has no section");
    if (status == GN_OK) {
        /* The list moves into the arena, so that there is one owner. */
        cfg_out->sections = gn_arena_alloc(arena, cfg.n * sizeof *cfg.sections);
        status = cfg_out->sections ? GN_OK : no_memory(&p);
    }
    if (status == GN_OK) {
        memcpy(cfg_out->sections, cfg.sections, cfg.n * sizeof *cfg.sections);
        cfg_out->name = name;
        cfg_out->n = cfg.n;
    }
    gn_free(cfg.sections);
    return status;
}

const gn_darknet_option *gn_darknet_find(const gn_darknet_section *section, const char *key)
{
    for (const gn_darknet_option *o = section->options; o; o = o->next)
        if (strcmp(o->key, key) == 0)
            return o;
    return NULL;
}
