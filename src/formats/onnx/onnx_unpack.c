/* Unpacks a scanned message with protobuf-c through Gannet's allocator: small pieces go to an arena, large ones (contents
 * of tensors) to blocks that can be given back one by one while the graph is built.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/onnx/onnx_scan.h"

/* Pieces at least this large get a block of their own. */
#define LARGE_BYTES 65536

static void *take(void *ctx, size_t bytes)
{
    gn_onnx_memory *m = ctx;
    void *ptr = NULL;
    if (bytes < LARGE_BYTES) {
        ptr = gn_arena_alloc(m->arena, bytes ? bytes : 1);
    } else if (gn_grow(&m->blocks, &m->capacity, m->n_blocks + 1, sizeof *m->blocks) == GN_OK) {
        ptr = gn_alloc(bytes);
        if (ptr)
            m->blocks[m->n_blocks++] = ptr;
    }
    if (!ptr)
        m->failed = true;
    return ptr;
}

void gn_onnx_memory_release(gn_onnx_memory *memory, void *block)
{
    for (size_t i = memory->n_blocks; i-- > 0;)
        if (memory->blocks[i] == block) {
            gn_free(block);
            memory->blocks[i] = memory->blocks[--memory->n_blocks];
            return;
        }
}

bool gn_onnx_memory_take(gn_onnx_memory *memory, const void *block)
{
    for (size_t i = memory->n_blocks; i-- > 0;)
        if (memory->blocks[i] == block) {
            memory->blocks[i] = memory->blocks[--memory->n_blocks];
            return true;
        }
    return false;
}

static void give(void *ctx, void *ptr)
{
    gn_onnx_memory_release(ctx, ptr);
}

static gn_status unpack(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t n, const char *name,
                        gn_onnx_memory *memory, ProtobufCMessage **message_out, gn_error *err)
{
    *memory = (gn_onnx_memory){.arena = gn_arena_create(0)};
    if (!memory->arena)
        return gn_fail(err, GN_ENOMEM, "no memory to read '%s'", name);
    ProtobufCAllocator allocator = {.alloc = take, .free = give, .allocator_data = memory};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, n, bytes);
    if (!message) {
        gn_status status = memory->failed ? GN_ENOMEM : GN_EFORMAT;
        gn_onnx_memory_deinit(memory);
        if (status == GN_ENOMEM)
            return gn_fail(err, status, "no memory to read '%s' (%zu bytes)", name, n);
        return gn_fail_offset(err, status, name, -1, "a field of this %s has a value that its type does not allow",
                              type->short_name);
    }
    *message_out = message;
    return GN_OK;
}

gn_status gn_onnx_unpack(const uint8_t *bytes, size_t n, const char *name, gn_onnx_memory *memory,
                         Onnx__ModelProto **model_out, gn_error *err)
{
    ProtobufCMessage *message = NULL;
    GN_TRY(unpack(&onnx__model_proto__descriptor, bytes, n, name, memory, &message, err));
    *model_out = (Onnx__ModelProto *)message;
    return GN_OK;
}

gn_status gn_onnx_unpack_tensor(const uint8_t *bytes, size_t n, const char *name, gn_onnx_memory *memory,
                                Onnx__TensorProto **tensor_out, gn_error *err)
{
    ProtobufCMessage *message = NULL;
    GN_TRY(unpack(&onnx__tensor_proto__descriptor, bytes, n, name, memory, &message, err));
    *tensor_out = (Onnx__TensorProto *)message;
    return GN_OK;
}

void gn_onnx_memory_deinit(gn_onnx_memory *memory)
{
    for (size_t i = 0; i < memory->n_blocks; i++)
        gn_free(memory->blocks[i]);
    gn_free(memory->blocks);
    gn_arena_destroy(&memory->arena);
    *memory = (gn_onnx_memory){0};
}
