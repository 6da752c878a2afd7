/* The pickle machine: a stack, a memo, and one function per group of operations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/weights/pickle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "formats/weights/pickle_machine.h"

#define MAX_PROTOCOL 5
/* A line of protocol 0, such as the name in GLOBAL or a number in digits. */
#define LINE_BYTES 1024

typedef gn_pickle_machine machine;
typedef gn_pickle_value value;

/* ---- failures and memory ---- */

gn_status gn_pickle_bad(machine *m, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return gn_fail_offset(m->err, GN_EFORMAT, m->source->name, (int64_t)m->at, "not a readable pickle: %s", text);
}

static gn_status no_memory(machine *m)
{
    return gn_fail_at(m->err, GN_ENOMEM, m->source->name, 0, "no memory to read the checkpoint");
}

static gn_status over(machine *m, const char *what, size_t limit)
{
    return gn_fail_offset(m->err, GN_ELIMIT, m->source->name, (int64_t)m->at,
                          "the pickle has more than %zu %s, the limit", limit, what);
}

void *gn_pickle_take(machine *m, size_t bytes, gn_status *status)
{
    if (bytes > m->heap->budget) {
        *status = over(m, "bytes of values", GN_PICKLE_MAX_BYTES);
        return NULL;
    }
    m->heap->budget -= bytes;
    void *p = gn_arena_alloc(m->heap->arena, bytes ? bytes : 1);
    *status = p ? GN_OK : no_memory(m);
    return p;
}

gn_status gn_pickle_append(machine *m, gn_pickle_items *items, const value *values, size_t n)
{
    if (n == 0)
        return GN_OK;
    if (n > items->capacity - items->n) {
        const size_t wanted = items->n + n;
        const size_t capacity = items->capacity * 2 > wanted ? items->capacity * 2 : wanted;
        gn_status status;
        value *item = gn_pickle_take(m, capacity * sizeof *item, &status);
        if (!item)
            return status;
        if (items->n)
            memcpy(item, items->item, items->n * sizeof *item);
        items->item = item;
        items->capacity = capacity;
    }
    memcpy(items->item + items->n, values, n * sizeof *values);
    items->n += n;
    return GN_OK;
}

gn_status gn_pickle_new_items(machine *m, gn_pickle_kind kind, const value *values, size_t n, value *out)
{
    gn_status status;
    gn_pickle_items *items = gn_pickle_take(m, sizeof *items, &status);
    if (!items)
        return status;
    GN_TRY(gn_pickle_append(m, items, values, n));
    *out = (value){.kind = kind, .u.items = items};
    return GN_OK;
}

const value *gn_pickle_member(const value *dict, const char *key)
{
    if (!dict || dict->kind != GN_PICKLE_DICT)
        return NULL;
    const value *found = NULL; /* of a key that stands there twice the last one counts, as in Python */
    for (size_t i = 0; i + 1 < dict->u.items->n; i += 2) {
        const value *k = &dict->u.items->item[i];
        if (k->kind == GN_PICKLE_STRING && strcmp(k->u.text->bytes, key) == 0)
            found = k + 1;
    }
    return found;
}

/* ---- bytes ---- */

static gn_status take_bytes(machine *m, void *dst, size_t n)
{
    uint8_t *to = dst;
    while (n > 0) {
        const uint64_t in_buffer = m->at - m->buffer_at;
        if (in_buffer >= m->buffer_n) {
            const uint64_t left = m->source->bytes > m->at ? m->source->bytes - m->at : 0;
            if (left == 0)
                return gn_pickle_bad(m, "it ends too early (is the file truncated?)");
            m->buffer_n = left < sizeof m->buffer ? (size_t)left : sizeof m->buffer;
            m->buffer_at = m->at;
            GN_TRY(gn_byte_source_read(m->source, m->at, m->buffer, m->buffer_n, m->err));
            continue;
        }
        size_t piece = m->buffer_n - (size_t)in_buffer;
        piece = piece < n ? piece : n;
        memcpy(to, m->buffer + in_buffer, piece);
        to += piece;
        n -= piece;
        m->at += piece;
    }
    return GN_OK;
}

static gn_status take_uint(machine *m, int bytes, uint64_t *out)
{
    uint8_t b[8] = {0};
    GN_TRY(take_bytes(m, b, (size_t)bytes));
    *out = 0;
    for (int i = 0; i < bytes; i++)
        *out |= (uint64_t)b[i] << (8 * i);
    return GN_OK;
}

/* n bytes as a text; what is claimed is checked against the file before memory is taken. */
static gn_status take_text(machine *m, gn_pickle_kind kind, uint64_t n, value *out)
{
    gn_status status;
    if (n > m->source->bytes - m->at)
        return gn_pickle_bad(m, "a text of %" PRIu64 " bytes goes beyond its end (is the file truncated?)", n);
    if (n > m->heap->budget)
        return over(m, "bytes of values", GN_PICKLE_MAX_BYTES);
    gn_pickle_text *text = gn_pickle_take(m, sizeof *text, &status);
    char *bytes = text ? gn_pickle_take(m, (size_t)n + 1, &status) : NULL;
    if (!bytes)
        return status;
    GN_TRY(take_bytes(m, bytes, (size_t)n));
    *text = (gn_pickle_text){.n = (size_t)n, .bytes = bytes};
    *out = (value){.kind = kind, .u.text = text};
    return GN_OK;
}

static gn_status take_line(machine *m, char *dst)
{
    for (size_t i = 0; i < LINE_BYTES; i++) {
        GN_TRY(take_bytes(m, &dst[i], 1));
        if (dst[i] == '\n') {
            dst[i] = '\0';
            return GN_OK;
        }
    }
    return gn_pickle_bad(m, "a line is longer than %d bytes", LINE_BYTES);
}

/* ---- the stack ---- */

static gn_status push(machine *m, const value *v)
{
    if (m->n_stack >= GN_PICKLE_MAX_STACK)
        return over(m, "values on its stack", GN_PICKLE_MAX_STACK);
    if (gn_grow(&m->stack, &m->cap_stack, m->n_stack + 1, sizeof *m->stack) != GN_OK)
        return no_memory(m);
    m->stack[m->n_stack++] = *v;
    return GN_OK;
}

static gn_status push_kind(machine *m, gn_pickle_kind kind, int64_t i)
{
    const value v = {.kind = kind, .u.i = i};
    return push(m, &v);
}

static gn_status pop(machine *m, value *out)
{
    if (m->n_stack == 0 || m->stack[m->n_stack - 1].kind == GN_PICKLE_MARK)
        return gn_pickle_bad(m, "an operation finds no value on the stack");
    *out = m->stack[--m->n_stack];
    return GN_OK;
}

static gn_status top(machine *m, value **out)
{
    if (m->n_stack == 0 || m->stack[m->n_stack - 1].kind == GN_PICKLE_MARK)
        return gn_pickle_bad(m, "an operation finds no value on the stack");
    *out = &m->stack[m->n_stack - 1];
    return GN_OK;
}

/* Values above the last mark, which go with it; they stay readable until the next push. */
static gn_status pop_to_mark(machine *m, const value **values, size_t *n)
{
    size_t i = m->n_stack;
    while (i > 0 && m->stack[i - 1].kind != GN_PICKLE_MARK)
        i--;
    if (i == 0)
        return gn_pickle_bad(m, "an operation finds no mark on the stack");
    *values = &m->stack[i];
    *n = m->n_stack - i;
    m->n_stack = i - 1;
    return GN_OK;
}

/* ---- numbers and texts ---- */

/* Two's complement, little endian, of any length. */
static gn_status push_long(machine *m, uint64_t n)
{
    value v = {0};
    if (n > 8) {
        GN_TRY(take_text(m, GN_PICKLE_BIG, n, &v));
        return push(m, &v);
    }
    uint64_t x = 0;
    GN_TRY(take_uint(m, (int)n, &x));
    if (n > 0 && n < 8 && (x >> (8 * n - 1)) != 0)
        x |= ~UINT64_C(0) << (8 * n);
    return push_kind(m, GN_PICKLE_INT, (int64_t)x);
}

static gn_status push_digits(machine *m, bool is_long)
{
    char line[LINE_BYTES];
    int64_t x;
    GN_TRY(take_line(m, line));
    const size_t n = strlen(line);
    if (!is_long && (strcmp(line, "00") == 0 || strcmp(line, "01") == 0))
        return push_kind(m, GN_PICKLE_BOOL, line[1] == '1');
    if (is_long && n > 0 && line[n - 1] == 'L')
        line[n - 1] = '\0';
    if (!gn_parse_i64(line, &x))
        return gn_pickle_bad(m, "a number cannot be read");
    return push_kind(m, GN_PICKLE_INT, x);
}

static gn_status push_float(machine *m, bool is_text)
{
    value v = {.kind = GN_PICKLE_FLOAT};
    char line[LINE_BYTES];
    if (is_text) {
        GN_TRY(take_line(m, line));
        v.u.f = strtod(line, NULL);
        return push(m, &v);
    }
    uint8_t b[8];
    uint64_t bits = 0;
    GN_TRY(take_bytes(m, b, sizeof b));
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | b[i];
    memcpy(&v.u.f, &bits, sizeof bits);
    return push(m, &v);
}

static gn_status push_text(machine *m, gn_pickle_kind kind, int length_bytes)
{
    value v = {0};
    uint64_t n = 0;
    GN_TRY(take_uint(m, length_bytes, &n));
    GN_TRY(take_text(m, kind, n, &v));
    return push(m, &v);
}

/* STRING and UNICODE of protocol 0; escapes stay as they are, quotes go. */
static gn_status push_line(machine *m, bool is_quoted)
{
    char line[LINE_BYTES];
    gn_status status;
    GN_TRY(take_line(m, line));
    size_t n = strlen(line), from = 0;
    if (is_quoted) {
        if (n < 2 || (line[0] != '\'' && line[0] != '"') || line[n - 1] != line[0])
            return gn_pickle_bad(m, "a text lacks its quotes");
        from = 1;
        n -= 2;
    }
    gn_pickle_text *text = gn_pickle_take(m, sizeof *text, &status);
    char *bytes = text ? gn_pickle_take(m, n + 1, &status) : NULL;
    if (!bytes)
        return status;
    memcpy(bytes, line + from, n);
    *text = (gn_pickle_text){.n = n, .bytes = bytes};
    const value v = {.kind = GN_PICKLE_STRING, .u.text = text};
    return push(m, &v);
}

/* ---- containers ---- */

static gn_status push_items(machine *m, gn_pickle_kind kind, const value *values, size_t n)
{
    value v = {0};
    if (kind == GN_PICKLE_DICT && n % 2 != 0)
        return gn_pickle_bad(m, "a dict has a key without a value");
    GN_TRY(gn_pickle_new_items(m, kind, values, n, &v));
    return push(m, &v);
}

static gn_status push_marked(machine *m, gn_pickle_kind kind)
{
    const value *values = NULL;
    size_t n = 0;
    GN_TRY(pop_to_mark(m, &values, &n));
    return push_items(m, kind, values, n);
}

static gn_status push_tuple_of(machine *m, size_t n)
{
    value values[3] = {{0}}, v;
    for (size_t i = n; i > 0; i--)
        GN_TRY(pop(m, &values[i - 1]));
    GN_TRY(gn_pickle_new_items(m, GN_PICKLE_TUPLE, values, n, &v));
    return push(m, &v);
}

/* APPEND(S), ADDITEMS, SETITEM(S): what is to be added goes into the container below it. */
static gn_status add_items(machine *m, gn_pickle_kind kind, bool is_marked)
{
    const value *values = NULL;
    size_t n = 0;
    value *container = NULL;
    if (is_marked) {
        GN_TRY(pop_to_mark(m, &values, &n));
    } else {
        n = kind == GN_PICKLE_DICT ? 2 : 1;
        for (size_t i = 0; i < n; i++)
            if (i >= m->n_stack || m->stack[m->n_stack - 1 - i].kind == GN_PICKLE_MARK)
                return gn_pickle_bad(m, "an operation finds no value on the stack");
        m->n_stack -= n;
        values = &m->stack[m->n_stack];
    }
    GN_TRY(top(m, &container));
    if (container->kind == GN_PICKLE_PLAIN)
        return GN_OK;
    if (container->kind != kind || (kind == GN_PICKLE_DICT && n % 2 != 0))
        return gn_pickle_bad(m, "values are added to what is no %s", kind == GN_PICKLE_DICT ? "dict" : "list");
    return gn_pickle_append(m, container->u.items, values, n);
}

/* ---- memo ---- */

static gn_status put(machine *m, uint64_t i)
{
    value *v = NULL;
    GN_TRY(top(m, &v));
    if (i >= GN_PICKLE_MAX_MEMO)
        return over(m, "remembered values", GN_PICKLE_MAX_MEMO);
    if (i >= m->n_memo) {
        if (gn_grow(&m->memo, &m->cap_memo, (size_t)i + 1, sizeof *m->memo) != GN_OK)
            return no_memory(m);
        for (size_t k = m->n_memo; k <= i; k++)
            m->memo[k] = (value){.kind = GN_PICKLE_MARK}; /* nothing is remembered there */
        m->n_memo = (size_t)i + 1;
    }
    m->memo[i] = *v;
    return GN_OK;
}

static gn_status get(machine *m, uint64_t i)
{
    if (i >= m->n_memo || m->memo[i].kind == GN_PICKLE_MARK)
        return gn_pickle_bad(m, "value %" PRIu64 " is asked for, which was not remembered", i);
    return push(m, &m->memo[i]);
}

static gn_status memo_line(machine *m, bool is_put)
{
    char line[LINE_BYTES];
    int64_t i;
    GN_TRY(take_line(m, line));
    if (!gn_parse_i64(line, &i) || i < 0)
        return gn_pickle_bad(m, "a number cannot be read");
    return is_put ? put(m, (uint64_t)i) : get(m, (uint64_t)i);
}

static gn_status memo_binary(machine *m, int bytes, bool is_put)
{
    uint64_t i = 0;
    GN_TRY(take_uint(m, bytes, &i));
    return is_put ? put(m, i) : get(m, i);
}

/* ---- classes and calls ---- */

static gn_status push_global(machine *m)
{
    char module[LINE_BYTES], name[LINE_BYTES];
    value v = {0};
    GN_TRY(take_line(m, module));
    GN_TRY(take_line(m, name));
    GN_TRY(gn_pickle_find_name(m, module, name, &v));
    return push(m, &v);
}

static gn_status push_stack_global(machine *m)
{
    value name = {0}, module = {0}, v = {0};
    GN_TRY(pop(m, &name));
    GN_TRY(pop(m, &module));
    if (name.kind != GN_PICKLE_STRING || module.kind != GN_PICKLE_STRING)
        return gn_pickle_bad(m, "the name of a class is no text");
    GN_TRY(gn_pickle_find_name(m, module.u.text->bytes, name.u.text->bytes, &v));
    return push(m, &v);
}

static gn_status call(machine *m, bool has_keywords)
{
    value callee = {0}, args = {0}, keywords = {0}, v = {0};
    if (has_keywords)
        GN_TRY(pop(m, &keywords));
    GN_TRY(pop(m, &args));
    GN_TRY(pop(m, &callee));
    if (args.kind != GN_PICKLE_TUPLE)
        return gn_pickle_bad(m, "the arguments of a call are no tuple");
    GN_TRY(gn_pickle_call(m, &callee, &args, &v));
    return push(m, &v);
}

/* INST and OBJ of the oldest protocols: a class and its arguments after a mark. */
static gn_status call_marked(machine *m, bool is_inst)
{
    value callee = {0}, args = {0}, v = {0};
    const value *values = NULL;
    size_t n = 0;
    if (is_inst) {
        GN_TRY(push_global(m));
        GN_TRY(pop(m, &callee));
    }
    GN_TRY(pop_to_mark(m, &values, &n));
    if (!is_inst) {
        if (n == 0)
            return gn_pickle_bad(m, "an object has no class");
        callee = values[0];
        values++;
        n--;
    }
    GN_TRY(gn_pickle_new_items(m, GN_PICKLE_TUPLE, values, n, &args));
    GN_TRY(gn_pickle_call(m, &callee, &args, &v));
    return push(m, &v);
}

/* Attributes of an object: of an ordered dict (`_metadata` of a state dict) and of plain things; nobody needs them. */
static gn_status build(machine *m)
{
    value state = {0}, *object = NULL;
    GN_TRY(pop(m, &state));
    GN_TRY(top(m, &object));
    switch (object->kind) {
    case GN_PICKLE_DICT:
    case GN_PICKLE_LIST:
    case GN_PICKLE_TENSOR:
    case GN_PICKLE_PLAIN:
        return GN_OK;
    default:
        return gn_pickle_bad(m, "attributes are given to what can have none");
    }
}

static gn_status persistent(machine *m, bool is_line)
{
    value id = {0}, v = {0};
    if (is_line)
        return gn_pickle_bad(m, "storages named by a line are not PyTorch's");
    GN_TRY(pop(m, &id));
    GN_TRY(gn_pickle_persistent(m, &id, &v));
    return push(m, &v);
}

/* ---- the operations ---- */

static gn_status protocol(machine *m)
{
    uint64_t n = 0;
    GN_TRY(take_uint(m, 1, &n));
    if (n > MAX_PROTOCOL)
        return gn_fail_offset(m->err, GN_EUNSUPPORTED, m->source->name, (int64_t)m->at,
                              "pickle protocol %" PRIu64 ", 0 to %d are read", n, MAX_PROTOCOL);
    return GN_OK;
}

static gn_status pop_one(machine *m)
{
    if (m->n_stack == 0)
        return gn_pickle_bad(m, "an operation finds no value on the stack");
    m->n_stack--;
    return GN_OK;
}

static gn_status pop_mark(machine *m)
{
    const value *values = NULL;
    size_t n = 0;
    return pop_to_mark(m, &values, &n);
}

static gn_status duplicate(machine *m)
{
    value *v = NULL;
    GN_TRY(top(m, &v));
    const value copy = *v;
    return push(m, &copy);
}

static gn_status push_int(machine *m, int bytes, bool is_signed)
{
    uint64_t x = 0;
    GN_TRY(take_uint(m, bytes, &x));
    return push_kind(m, GN_PICKLE_INT, is_signed ? (int64_t)(int32_t)(uint32_t)x : (int64_t)x);
}

static gn_status push_sized_long(machine *m, int bytes)
{
    uint64_t n = 0;
    GN_TRY(take_uint(m, bytes, &n));
    return push_long(m, n);
}

static gn_status skip_frame(machine *m)
{
    uint64_t n = 0;
    return take_uint(m, 8, &n);
}

/* One operation other than STOP; the letters are the format's. */
/* clang-format off */
static gn_status step(machine *m, uint8_t code)
{
    switch (code) {
    case 0x80: return protocol(m);
    case 0x95: return skip_frame(m);
    case '(': return push_kind(m, GN_PICKLE_MARK, 0);
    case '0': return pop_one(m);
    case '1': return pop_mark(m);
    case '2': return duplicate(m);
    case 'N': return push_kind(m, GN_PICKLE_NONE, 0);
    case 0x88: return push_kind(m, GN_PICKLE_BOOL, 1);
    case 0x89: return push_kind(m, GN_PICKLE_BOOL, 0);
    case 'I': return push_digits(m, false);
    case 'L': return push_digits(m, true);
    case 'J': return push_int(m, 4, true);
    case 'K': return push_int(m, 1, false);
    case 'M': return push_int(m, 2, false);
    case 0x8a: return push_sized_long(m, 1);
    case 0x8b: return push_sized_long(m, 4);
    case 'F': return push_float(m, true);
    case 'G': return push_float(m, false);
    case 'S': return push_line(m, true);
    case 'V': return push_line(m, false);
    case 'T': return push_text(m, GN_PICKLE_STRING, 4);
    case 'U': return push_text(m, GN_PICKLE_STRING, 1);
    case 'X': return push_text(m, GN_PICKLE_STRING, 4);
    case 0x8c: return push_text(m, GN_PICKLE_STRING, 1);
    case 0x8d: return push_text(m, GN_PICKLE_STRING, 8);
    case 'B': return push_text(m, GN_PICKLE_BYTES, 4);
    case 'C': return push_text(m, GN_PICKLE_BYTES, 1);
    case 0x8e: return push_text(m, GN_PICKLE_BYTES, 8);
    case 0x96: return push_text(m, GN_PICKLE_BYTES, 8);
    case ')': return push_items(m, GN_PICKLE_TUPLE, NULL, 0);
    case 't': return push_marked(m, GN_PICKLE_TUPLE);
    case 0x85: return push_tuple_of(m, 1);
    case 0x86: return push_tuple_of(m, 2);
    case 0x87: return push_tuple_of(m, 3);
    case ']': return push_items(m, GN_PICKLE_LIST, NULL, 0);
    case 0x8f: return push_items(m, GN_PICKLE_LIST, NULL, 0);
    case 'l': return push_marked(m, GN_PICKLE_LIST);
    case 0x91: return push_marked(m, GN_PICKLE_LIST);
    case 'a': return add_items(m, GN_PICKLE_LIST, false);
    case 'e': return add_items(m, GN_PICKLE_LIST, true);
    case 0x90: return add_items(m, GN_PICKLE_LIST, true);
    case '}': return push_items(m, GN_PICKLE_DICT, NULL, 0);
    case 'd': return push_marked(m, GN_PICKLE_DICT);
    case 's': return add_items(m, GN_PICKLE_DICT, false);
    case 'u': return add_items(m, GN_PICKLE_DICT, true);
    case 'p': return memo_line(m, true);
    case 'q': return memo_binary(m, 1, true);
    case 'r': return memo_binary(m, 4, true);
    case 0x94: return put(m, m->n_memo);
    case 'g': return memo_line(m, false);
    case 'h': return memo_binary(m, 1, false);
    case 'j': return memo_binary(m, 4, false);
    case 'c': return push_global(m);
    case 0x93: return push_stack_global(m);
    case 'R': return call(m, false);
    case 0x81: return call(m, false);
    case 0x92: return call(m, true);
    case 'i': return call_marked(m, true);
    case 'o': return call_marked(m, false);
    case 'b': return build(m);
    case 'P': return persistent(m, true);
    case 'Q': return persistent(m, false);
    default: return gn_pickle_bad(m, "there is no operation 0x%02x", code);
    }
}
/* clang-format on */

static gn_status run(machine *m, value *value_out)
{
    for (int64_t i = 0; i < GN_PICKLE_MAX_STEPS; i++) {
        uint8_t code = 0;
        GN_TRY(take_bytes(m, &code, 1));
        if (code == '.')
            return pop(m, value_out);
        GN_TRY(step(m, code));
    }
    return over(m, "operations", GN_PICKLE_MAX_STEPS);
}

gn_status gn_pickle_read(const gn_byte_source *source, uint64_t offset, gn_pickle_heap *heap, value *value_out,
                         uint64_t *end_out, gn_error *err)
{
    machine *m = gn_calloc(1, sizeof *m);
    if (!m)
        return gn_fail_at(err, GN_ENOMEM, source->name, 0, "no memory to read the checkpoint");
    m->source = source;
    m->at = m->buffer_at = offset;
    m->heap = heap;
    m->err = err;
    value v = {0};
    const gn_status status = run(m, &v);
    if (status == GN_OK) {
        *value_out = v;
        *end_out = m->at;
    }
    gn_free(m->stack);
    gn_free(m->memo);
    gn_free(m);
    return status;
}
