/* Checks a message's bytes before protobuf-c unpacks them: depth, lengths, counts.  The schema's own descriptors
 * tell which fields hold messages.
 * Source: the Protocol Buffers encoding document.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/onnx/onnx_scan.h"

#include <inttypes.h>

/* Wire types. */
enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* A message that is being walked: where it ends, and which single messages it has had (bit = number of the field in the
 * descriptor's list, at most 64 there). */
typedef struct frame {
    const ProtobufCMessageDescriptor *desc;
    size_t end;
    uint64_t seen;
} frame;

typedef struct scan {
    const uint8_t *bytes;
    size_t pos;
    const char *name;
    gn_error *err;
    int depth; /* frames in use */
    int64_t fields;
    frame stack[GN_ONNX_MAX_DEPTH];
} scan;

static gn_status fail(const scan *s, gn_status status, const char *what)
{
    const frame *top = &s->stack[s->depth - 1];
    return gn_fail_offset(s->err, status, s->name, (int64_t)s->pos, "not a readable ONNX model: %s in %s at nesting %d",
                          what, top->desc->short_name, s->depth);
}

static gn_status read_varint(scan *s, uint64_t *out)
{
    size_t end = s->stack[s->depth - 1].end;
    uint64_t x = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (s->pos >= end)
            return fail(s, GN_EFORMAT, "the data ends inside a number");
        uint8_t byte = s->bytes[s->pos++];
        if (shift == 63 && byte > 1)
            break;
        x |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = x;
            return GN_OK;
        }
    }
    return fail(s, GN_EFORMAT, "a number is longer than 64 bits");
}

static gn_status skip(scan *s, uint64_t n)
{
    if (n > s->stack[s->depth - 1].end - s->pos)
        return fail(s, GN_EFORMAT, "a field is longer than what is left (is the file truncated?)");
    s->pos += (size_t)n;
    return GN_OK;
}

static gn_status enter(scan *s, const ProtobufCFieldDescriptor *field, uint64_t n)
{
    frame *top = &s->stack[s->depth - 1];
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        uint64_t bit = UINT64_C(1) << ((uint64_t)(field - top->desc->fields) & 63);
        if (top->seen & bit)
            return fail(s, GN_EFORMAT, "a part that may stand once stands twice");
        top->seen |= bit;
    }
    if (s->depth == GN_ONNX_MAX_DEPTH)
        return fail(s, GN_ELIMIT, "messages are nested too deep (limit 64)");
    s->stack[s->depth++] = (frame){.desc = field->descriptor, .end = s->pos + (size_t)n};
    return GN_OK;
}

static gn_status scan_field(scan *s)
{
    uint64_t tag = 0, n = 0;
    GN_TRY(read_varint(s, &tag));
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return fail(s, GN_EFORMAT, "a field number is out of range");
    if (++s->fields > GN_ONNX_MAX_FIELDS)
        return fail(s, GN_ELIMIT, "more than 4 million fields");
    switch (tag & 7) {
    case WIRE_VARINT:
        return read_varint(s, &n);
    case WIRE_64:
        return skip(s, 8);
    case WIRE_32:
        return skip(s, 4);
    case WIRE_BYTES:
        break;
    default:
        return fail(s, GN_EFORMAT, "an unknown wire type");
    }
    GN_TRY(read_varint(s, &n));
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(s->stack[s->depth - 1].desc, (unsigned)(tag >> 3));
    if (field && field->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (n > s->stack[s->depth - 1].end - s->pos)
            return skip(s, n); /* fails with its message */
        return enter(s, field, n);
    }
    return skip(s, n);
}

gn_status gn_onnx_scan(const ProtobufCMessageDescriptor *message, const uint8_t *bytes, size_t n, const char *name,
                       gn_error *err)
{
    scan s = {.bytes = bytes, .name = name, .err = err, .depth = 1};
    s.stack[0] = (frame){.desc = message, .end = n};
    if (n == 0)
        return gn_fail_offset(err, GN_EFORMAT, name, 0, "the file is empty, an ONNX model was expected");
    while (s.depth > 0) {
        if (s.pos == s.stack[s.depth - 1].end)
            s.depth--;
        else
            GN_TRY(scan_field(&s));
    }
    return GN_OK;
}
