/* PASCAL VOC's XML; see voc_xml.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/voc_xml.h"

#include <expat.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Elements that count, by their place in the file.  Parts of a person are objects within objects and have boxes of their own, so that the
 * whole path decides. */
typedef enum voc_field {
    FIELD_NONE = 0,
    FIELD_FILENAME,
    FIELD_WIDTH,
    FIELD_HEIGHT,
    FIELD_ID,
    FIELD_NAME,
    FIELD_DIFFICULT,
    FIELD_TRUNCATED,
    FIELD_CROWD,
    FIELD_OBJECT_ID,
    FIELD_AREA,
    FIELD_CORNER, /* and the next three */
    FIELD_CORNER_LAST = FIELD_CORNER + 3,
} voc_field;

static const struct {
    const char *path;
    voc_field field;
} fields[] = {
    {"annotation/filename", FIELD_FILENAME},
    {"annotation/size/width", FIELD_WIDTH},
    {"annotation/size/height", FIELD_HEIGHT},
    {"annotation/id", FIELD_ID},
    {"annotation/object/name", FIELD_NAME},
    {"annotation/object/difficult", FIELD_DIFFICULT},
    {"annotation/object/truncated", FIELD_TRUNCATED},
    {"annotation/object/crowd", FIELD_CROWD},
    {"annotation/object/id", FIELD_OBJECT_ID},
    {"annotation/object/area", FIELD_AREA},
    {"annotation/object/bndbox/xmin", FIELD_CORNER},
    {"annotation/object/bndbox/ymin", FIELD_CORNER + 1},
    {"annotation/object/bndbox/xmax", FIELD_CORNER + 2},
    {"annotation/object/bndbox/ymax", FIELD_CORNER + 3},
};

#define PATH_BYTES 64 /* longer paths are none of the above */

typedef struct voc_reader {
    XML_Parser parser;
    const char *name;
    gn_arena *arena;
    gn_error *err;
    gn_status status;
    gn_voc_file file;
    int depth;
    size_t path_end[GN_VOC_MAX_DEPTH + 1]; /* of the path at each depth */
    char path[PATH_BYTES];                 /* cut at its size; path_end goes on */
    voc_field field;
    char text[GN_VOC_MAX_TEXT + 1];
    size_t text_bytes;
} voc_reader;

static void stop(voc_reader *r, gn_status status, const char *message)
{
    if (r->status != GN_OK)
        return;
    r->status = gn_fail_at(r->err, status, r->name, (int64_t)XML_GetCurrentLineNumber(r->parser), "%s", message);
    XML_StopParser(r->parser, XML_FALSE);
}

static void push(voc_reader *r, const char *element)
{
    const size_t at = r->path_end[r->depth++], n = strlen(element), slash = at > 0;
    r->path_end[r->depth] = at + slash + n;
    if (at + slash + n >= PATH_BYTES)
        return;
    if (slash)
        r->path[at] = '/';
    memcpy(r->path + at + slash, element, n + 1);
}

static void pop(voc_reader *r)
{
    r->depth--;
    if (r->path_end[r->depth] < PATH_BYTES)
        r->path[r->path_end[r->depth]] = '\0';
}

static bool is_path(const voc_reader *r, const char *path)
{
    return r->path_end[r->depth] < PATH_BYTES && strcmp(r->path, path) == 0;
}

static void add_object(voc_reader *r)
{
    gn_voc_file *f = &r->file;
    if (f->n_objects >= GN_VOC_MAX_OBJECTS) {
        stop(r, GN_ELIMIT, "more than 10000 objects");
        return;
    }
    if (gn_grow(&f->object, &f->capacity, (size_t)f->n_objects + 1, sizeof *f->object) != GN_OK) {
        stop(r, GN_ENOMEM, "out of memory for the objects");
        return;
    }
    f->object[f->n_objects++] =
        (gn_voc_object){.name = "", .id = -1, .area = -1, .line = (int64_t)XML_GetCurrentLineNumber(r->parser)};
}

static void XMLCALL on_start(void *ctx, const XML_Char *element, const XML_Char **attributes)
{
    voc_reader *r = ctx;
    (void)attributes;
    if (r->status != GN_OK)
        return;
    if (r->depth == 0 && strcmp(element, "annotation") != 0) {
        stop(r, GN_EFORMAT, "this XML is no annotation of PASCAL VOC: its top element is not <annotation>");
        return;
    }
    if (r->depth >= GN_VOC_MAX_DEPTH) {
        stop(r, GN_ELIMIT, "the XML is nested too deep");
        return;
    }
    push(r, element);
    r->field = FIELD_NONE;
    r->text_bytes = 0;
    if (is_path(r, "annotation/object"))
        add_object(r);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (is_path(r, fields[i].path))
            r->field = fields[i].field;
}

static void XMLCALL on_text(void *ctx, const XML_Char *text, int n)
{
    voc_reader *r = ctx;
    if (r->field == FIELD_NONE || r->status != GN_OK)
        return;
    if ((size_t)n > GN_VOC_MAX_TEXT - r->text_bytes) {
        stop(r, GN_ELIMIT, "a name or number is too long");
        return;
    }
    memcpy(r->text + r->text_bytes, text, (size_t)n);
    r->text_bytes += (size_t)n;
}

/* The text without white space at its ends. */
static const char *trimmed(voc_reader *r)
{
    static const char blanks[] = " \t\r\n";
    r->text[r->text_bytes] = '\0';
    while (r->text_bytes > 0 && strchr(blanks, r->text[r->text_bytes - 1]) != NULL)
        r->text[--r->text_bytes] = '\0';
    return r->text + strspn(r->text, blanks);
}

static const char *keep(voc_reader *r, const char *text)
{
    const char *kept = gn_arena_strdup(r->arena, text);
    if (kept == NULL)
        stop(r, GN_ENOMEM, "out of memory for a name");
    return kept != NULL ? kept : "";
}

static void take_object_field(voc_reader *r, gn_voc_object *o, const char *text)
{
    double number = 0;
    const bool is_number = gn_parse_f64(text, &number);
    const bool flag = is_number ? number != 0 : strcmp(text, "true") == 0 || strcmp(text, "True") == 0;
    switch (r->field) {
    case FIELD_NAME:
        o->name = keep(r, text);
        break;
    case FIELD_DIFFICULT:
        o->is_difficult = flag;
        break;
    case FIELD_TRUNCATED:
        o->is_truncated = flag;
        break;
    case FIELD_CROWD:
        o->is_crowd = flag;
        break;
    case FIELD_OBJECT_ID:
        if (!gn_parse_i64(text, &o->id) || o->id < 0)
            o->id = -1;
        break;
    case FIELD_AREA:
        o->area = is_number && number >= 0 ? number : -1;
        break;
    default:
        o->corner[r->field - FIELD_CORNER] = number;
        o->has_corner[r->field - FIELD_CORNER] = is_number;
    }
}

static void XMLCALL on_end(void *ctx, const XML_Char *element)
{
    voc_reader *r = ctx;
    (void)element;
    if (r->status != GN_OK)
        return;
    pop(r);
    gn_voc_file *f = &r->file;
    const char *text = r->field != FIELD_NONE ? trimmed(r) : "";
    double number = 0;
    if (r->field == FIELD_FILENAME)
        f->filename = keep(r, text);
    else if (r->field == FIELD_WIDTH || r->field == FIELD_HEIGHT)
        *(r->field == FIELD_WIDTH ? &f->width : &f->height) =
            gn_parse_f64(text, &number) && number >= 1 && number <= 1e6 ? number : 0;
    else if (r->field == FIELD_ID)
        f->id = gn_parse_i64(text, &f->id) && f->id >= 0 ? f->id : -1;
    else if (r->field != FIELD_NONE && f->n_objects > 0)
        take_object_field(r, &f->object[f->n_objects - 1], text);
    r->field = FIELD_NONE;
}

/* Entities are how a small file becomes a huge text, and no annotation needs one. */
static void XMLCALL on_entity(void *ctx, const XML_Char *name, int is_parameter, const XML_Char *value, int n,
                              const XML_Char *base, const XML_Char *system, const XML_Char *public,
                              const XML_Char *note)
{
    (void)name, (void)is_parameter, (void)value, (void)n, (void)base, (void)system, (void)public, (void)note;
    stop(ctx, GN_EFORMAT, "the XML declares entities, which are not read");
}

static gn_status run(voc_reader *r, const char *bytes, size_t n)
{
    const enum XML_Status got = XML_Parse(r->parser, bytes, (int)n, 1);
    if (r->status != GN_OK)
        return r->status;
    if (got == XML_STATUS_OK)
        return GN_OK;
    const enum XML_Error code = XML_GetErrorCode(r->parser);
    if (code == XML_ERROR_NO_MEMORY)
        return gn_fail(r->err, GN_ENOMEM, "out of memory reading %s", r->name);
    return gn_fail_at(r->err, GN_EFORMAT, r->name, (int64_t)XML_GetCurrentLineNumber(r->parser),
                      "the XML is damaged or cut off: %s", XML_ErrorString(code));
}

gn_status gn_voc_parse(const char *bytes, size_t n, const char *name, gn_arena *arena, gn_voc_file *file_out,
                       gn_error *err)
{
    static const XML_Memory_Handling_Suite memory = {gn_alloc, gn_realloc, gn_free};
    if (n > GN_VOC_MAX_BYTES)
        return gn_fail_at(err, GN_ELIMIT, name, 0, "%zu bytes of XML; at most %zu are read", n, GN_VOC_MAX_BYTES);
    voc_reader r = {.name = name, .arena = arena, .err = err, .file = {.filename = "", .id = -1}};
    r.parser = XML_ParserCreate_MM(NULL, &memory, NULL);
    if (r.parser == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory reading %s", name);
    XML_SetUserData(r.parser, &r);
    XML_SetElementHandler(r.parser, on_start, on_end);
    XML_SetCharacterDataHandler(r.parser, on_text);
    XML_SetEntityDeclHandler(r.parser, on_entity);
    const gn_status status = run(&r, bytes, n);
    XML_ParserFree(r.parser);
    if (status != GN_OK) {
        gn_voc_file_deinit(&r.file);
        return status;
    }
    *file_out = r.file;
    return GN_OK;
}

void gn_voc_file_deinit(gn_voc_file *file)
{
    gn_free(file->object);
    file->object = NULL;
    file->n_objects = 0;
    file->capacity = 0;
}
