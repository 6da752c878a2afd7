/* The names that a pickle may ask for, and what they make of their arguments: storages, tensors, containers, and things that are
 * harmless and of no use here.
 * Source: torch/_utils.py and torch/serialization.py describe the arguments.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/weights/pickle_machine.h"

typedef gn_pickle_machine machine;
typedef gn_pickle_value value;

typedef enum role {
    STORAGE_TYPE, /* arg: gn_weight_type, or UNTYPED */
    ELEMENT_TYPE, /* torch.float32, ... */
    TENSOR_V1,    /* (storage, offset, size, stride), and v2 with more behind it */
    TENSOR_V3,    /* (storage, offset, size, stride, requires_grad, hooks, dtype) */
    PARAMETER,    /* (tensor, ...) */
    FROM_TYPE,    /* (function, type, arguments, state) */
    TUPLE_OF,
    LIST_OF,
    DICT_OF,
    PLAIN,
    UNREAD, /* known, but there is nothing here that could hold it */
} role;

enum { UNTYPED = -1 };

typedef struct known_name {
    const char *module, *name; /* module "torch" also covers torch.cuda */
    role role;
    int arg;
} known_name;

static const known_name names[] = {
    {"torch", "FloatStorage", STORAGE_TYPE, GN_WEIGHT_F32},
    {"torch", "DoubleStorage", STORAGE_TYPE, GN_WEIGHT_F64},
    {"torch", "HalfStorage", STORAGE_TYPE, GN_WEIGHT_F16},
    {"torch", "BFloat16Storage", STORAGE_TYPE, GN_WEIGHT_BF16},
    {"torch", "LongStorage", STORAGE_TYPE, GN_WEIGHT_S64},
    {"torch", "IntStorage", STORAGE_TYPE, GN_WEIGHT_S32},
    {"torch", "ShortStorage", STORAGE_TYPE, GN_WEIGHT_S16},
    {"torch", "CharStorage", STORAGE_TYPE, GN_WEIGHT_S8},
    {"torch", "ByteStorage", STORAGE_TYPE, GN_WEIGHT_U8},
    {"torch", "BoolStorage", STORAGE_TYPE, GN_WEIGHT_BOOL},
    {"torch.storage", "UntypedStorage", STORAGE_TYPE, UNTYPED},
    {"torch", "UntypedStorage", STORAGE_TYPE, UNTYPED},
    {"torch", "ComplexFloatStorage", UNREAD, 0},
    {"torch", "ComplexDoubleStorage", UNREAD, 0},
    {"torch", "QInt8Storage", UNREAD, 0},
    {"torch", "QUInt8Storage", UNREAD, 0},
    {"torch", "QInt32Storage", UNREAD, 0},
    {"torch", "float32", ELEMENT_TYPE, GN_WEIGHT_F32},
    {"torch", "float64", ELEMENT_TYPE, GN_WEIGHT_F64},
    {"torch", "float16", ELEMENT_TYPE, GN_WEIGHT_F16},
    {"torch", "bfloat16", ELEMENT_TYPE, GN_WEIGHT_BF16},
    {"torch", "int64", ELEMENT_TYPE, GN_WEIGHT_S64},
    {"torch", "int32", ELEMENT_TYPE, GN_WEIGHT_S32},
    {"torch", "int16", ELEMENT_TYPE, GN_WEIGHT_S16},
    {"torch", "int8", ELEMENT_TYPE, GN_WEIGHT_S8},
    {"torch", "uint8", ELEMENT_TYPE, GN_WEIGHT_U8},
    {"torch", "bool", ELEMENT_TYPE, GN_WEIGHT_BOOL},
    {"torch._utils", "_rebuild_tensor", TENSOR_V1, 0},
    {"torch._utils", "_rebuild_tensor_v2", TENSOR_V1, 0},
    {"torch._utils", "_rebuild_tensor_v3", TENSOR_V3, 0},
    {"torch._utils", "_rebuild_parameter", PARAMETER, 0},
    {"torch._utils", "_rebuild_parameter_with_state", PARAMETER, 0},
    {"torch.nn.parameter", "Parameter", PARAMETER, 0},
    {"torch.nn.parameter", "Buffer", PARAMETER, 0},
    {"torch._tensor", "_rebuild_from_type_v2", FROM_TYPE, 0},
    {"torch", "Tensor", PARAMETER, 0},
    {"torch", "Size", TUPLE_OF, 0},
    {"torch", "device", PLAIN, 0},
    {"collections", "OrderedDict", DICT_OF, 0},
    {"collections", "defaultdict", DICT_OF, 1}, /* arg: what comes before the items */
    {"collections", "Counter", DICT_OF, 0},
    {"builtins", "dict", DICT_OF, 0},
    {"builtins", "list", LIST_OF, 0},
    {"builtins", "tuple", TUPLE_OF, 0},
    {"builtins", "set", LIST_OF, 0},
    {"builtins", "frozenset", LIST_OF, 0},
    {"builtins", "int", PLAIN, 0},
    {"builtins", "float", PLAIN, 0},
    {"builtins", "bool", PLAIN, 0},
    {"builtins", "str", PLAIN, 0},
    {"builtins", "complex", PLAIN, 0},
    {"builtins", "bytearray", PLAIN, 0},
    {"_codecs", "encode", PLAIN, 0}, /* the bytes of a numpy number, in protocol 2 */
    {"numpy", "dtype", PLAIN, 0},
    {"numpy", "ndarray", PLAIN, 0},
    {"numpy.core.multiarray", "scalar", PLAIN, 0},
    {"numpy.core.multiarray", "_reconstruct", PLAIN, 0},
    {"numpy._core.multiarray", "scalar", PLAIN, 0},
    {"numpy._core.multiarray", "_reconstruct", PLAIN, 0},
    {"argparse", "Namespace", PLAIN, 0},
};

static const char *plain_module(const char *module)
{
    if (strcmp(module, "__builtin__") == 0)
        return "builtins"; /* Python 2 */
    if (strcmp(module, "torch.cuda") == 0)
        return "torch";
    return module;
}

/* Letters that a terminal shows, at most n-1 of them. */
static void printable(const char *text, char *dst, size_t n)
{
    size_t i = 0;
    for (; text[i] && i + 1 < n; i++)
        dst[i] = text[i] < ' ' || text[i] > '~' ? '?' : text[i];
    dst[i] = '\0';
}

gn_status gn_pickle_find_name(machine *m, const char *module, const char *name, value *out)
{
    const char *home = plain_module(module);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].module, home) == 0 && strcmp(names[i].name, name) == 0) {
            *out = (value){.kind = GN_PICKLE_NAME, .u.i = (int64_t)i};
            return GN_OK;
        }
    char shown_module[100], shown_name[100];
    printable(module, shown_module, sizeof shown_module);
    printable(name, shown_name, sizeof shown_name);
    return gn_fail_at(
        m->err, GN_EUNSUPPORTED, m->source->name, 0,
        "the checkpoint asks for %s.%s, which is refused: only tensors and plain data are read, nothing is "
        "run (of a whole model save the weights: torch.save(model.state_dict(), \"weights.pth\"))",
        shown_module, shown_name);
}

/* ---- storages ---- */

static bool is_text(const value *v, const char *text)
{
    return v->kind == GN_PICKLE_STRING && strcmp(v->u.text->bytes, text) == 0;
}

static gn_status storage_type(machine *m, const value *v, gn_pickle_storage *storage)
{
    if (v->kind != GN_PICKLE_NAME)
        return gn_pickle_bad(m, "a storage has no type");
    const known_name *known = &names[v->u.i];
    if (known->role == UNREAD)
        return gn_fail_at(m->err, GN_EUNSUPPORTED, m->source->name, 0,
                          "a tensor has the element type of %s.%s, which is not supported", known->module, known->name);
    if (known->role != STORAGE_TYPE)
        return gn_pickle_bad(m, "a storage has no type");
    storage->is_untyped = known->arg == UNTYPED;
    storage->type = storage->is_untyped ? GN_WEIGHT_U8 : (gn_weight_type)known->arg;
    return GN_OK;
}

/* (key, offset, size) of a part of a storage, in the oldest files. */
static gn_status storage_view(machine *m, const value *view, gn_pickle_storage *storage)
{
    if (view->kind == GN_PICKLE_NONE)
        return GN_OK;
    if (view->kind != GN_PICKLE_TUPLE || view->u.items->n != 3 || view->u.items->item[1].kind != GN_PICKLE_INT ||
        view->u.items->item[2].kind != GN_PICKLE_INT)
        return gn_pickle_bad(m, "a part of a storage is not three values");
    const int64_t offset = view->u.items->item[1].u.i, count = view->u.items->item[2].u.i;
    if (offset < 0 || count < 0 || offset > storage->root_count || count > storage->root_count - offset)
        return gn_pickle_bad(m, "a part of a storage lies outside of it");
    storage->offset = offset;
    storage->count = count;
    return GN_OK;
}

/* ("storage", type, key, place, number of elements[, view]) */
gn_status gn_pickle_persistent(machine *m, const value *id, value *out)
{
    if (id->kind != GN_PICKLE_TUPLE || id->u.items->n == 0)
        return gn_pickle_bad(m, "a storage is not named by a tuple");
    const value *part = id->u.items->item;
    const size_t n = id->u.items->n;
    if (!is_text(&part[0], "storage") || n < 5 || n > 6)
        return gn_pickle_bad(m, "something that is stored beside the pickle is no storage");
    gn_status status;
    gn_pickle_storage *storage = gn_pickle_take(m, sizeof *storage, &status);
    if (!storage)
        return status;
    GN_TRY(storage_type(m, &part[1], storage));
    if (part[2].kind != GN_PICKLE_STRING || part[4].kind != GN_PICKLE_INT || part[4].u.i < 0)
        return gn_pickle_bad(m, "a storage has no name or no size");
    storage->key = part[2].u.text->bytes;
    storage->count = storage->root_count = part[4].u.i;
    if (n == 6)
        GN_TRY(storage_view(m, &part[5], storage));
    storage->next = m->heap->storages;
    m->heap->storages = storage;
    *out = (value){.kind = GN_PICKLE_STORAGE, .u.storage = storage};
    return GN_OK;
}

/* ---- tensors ---- */

static gn_status read_ints(machine *m, const value *v, const char *what, int64_t *dst, int *n_out)
{
    if (v->kind != GN_PICKLE_TUPLE && v->kind != GN_PICKLE_LIST)
        return gn_pickle_bad(m, "the %s of a tensor is no tuple", what);
    if (v->u.items->n > GN_MAX_RANK)
        return gn_fail_at(m->err, GN_ELIMIT, m->source->name, 0, "a tensor has %zu dimensions, at most %d are read",
                          v->u.items->n, GN_MAX_RANK);
    for (size_t i = 0; i < v->u.items->n; i++) {
        if (v->u.items->item[i].kind != GN_PICKLE_INT || v->u.items->item[i].u.i < 0)
            return gn_pickle_bad(m, "the %s of a tensor has a part that is no number from 0 on", what);
        dst[i] = v->u.items->item[i].u.i;
    }
    *n_out = (int)v->u.items->n;
    return GN_OK;
}

static gn_status fail_reach(machine *m, const gn_pickle_tensor *t, int64_t count)
{
    char shape[128];
    gn_shape_format(&t->shape, shape);
    return gn_fail_at(m->err, GN_EFORMAT, m->source->name, 0,
                      "a tensor of shape %s reaches outside its storage, which has %" PRId64 " elements", shape, count);
}

/* Every element lies in the storage, and none is claimed more often than there are elements. */
static gn_status check_reach(machine *m, const gn_pickle_tensor *t, int64_t count)
{
    const int64_t elements = gn_shape_count(&t->shape);
    if (elements < 0 || elements > count || t->offset > count)
        return fail_reach(m, t, count);
    if (elements == 0)
        return GN_OK;
    int64_t left = count - t->offset - 1; /* how far the last element may lie from the first */
    for (int i = 0; i < t->shape.rank && left >= 0; i++) {
        const int64_t steps = t->shape.dim[i] - 1;
        if (steps > 0 && t->stride[i] > left / steps)
            return fail_reach(m, t, count);
        left -= steps * (steps > 0 ? t->stride[i] : 0);
    }
    return left >= 0 ? GN_OK : fail_reach(m, t, count);
}

static gn_status make_tensor(machine *m, const value *arg, size_t n, bool has_type, value *out)
{
    gn_status status;
    if (n < (has_type ? 7u : 4u) || arg[0].kind != GN_PICKLE_STORAGE || arg[1].kind != GN_PICKLE_INT || arg[1].u.i < 0)
        return gn_pickle_bad(m, "a tensor lacks its storage or its place in it");
    gn_pickle_tensor *t = gn_pickle_take(m, sizeof *t, &status);
    if (!t)
        return status;
    t->storage = arg[0].u.storage;
    t->type = t->storage->type;
    if (has_type) {
        if (arg[6].kind != GN_PICKLE_NAME || names[arg[6].u.i].role != ELEMENT_TYPE)
            return gn_pickle_bad(m, "a tensor has no element type");
        t->type = (gn_weight_type)names[arg[6].u.i].arg;
    }
    int n_strides = 0;
    t->offset = arg[1].u.i;
    GN_TRY(read_ints(m, &arg[2], "shape", t->shape.dim, &t->shape.rank));
    GN_TRY(read_ints(m, &arg[3], "stride", t->stride, &n_strides));
    if (n_strides != t->shape.rank)
        return gn_pickle_bad(m, "a tensor has %d dimensions and %d strides", t->shape.rank, n_strides);
    int64_t count = t->storage->count;
    if (t->storage->is_untyped)
        count /= (int64_t)gn_weight_type_bytes(t->type);
    else if (t->type != t->storage->type)
        return gn_pickle_bad(m, "a tensor has another element type than its storage");
    GN_TRY(check_reach(m, t, count));
    *out = (value){.kind = GN_PICKLE_TENSOR, .u.tensor = t};
    return GN_OK;
}

/* ---- calls ---- */

/* Tuples, lists and sets of what is iterated; nothing: an empty one. */
static gn_status make_list(machine *m, gn_pickle_kind kind, const value *arg, size_t n, value *out)
{
    if (n == 0)
        return gn_pickle_new_items(m, kind, NULL, 0, out);
    if (n != 1 || (arg[0].kind != GN_PICKLE_TUPLE && arg[0].kind != GN_PICKLE_LIST))
        return gn_pickle_bad(m, "a list is made of what is no list");
    return gn_pickle_new_items(m, kind, arg[0].u.items->item, arg[0].u.items->n, out);
}

/* Of nothing, of a dict, or of a list of pairs. */
static gn_status make_dict(machine *m, const value *arg, size_t n, value *out)
{
    if (n > 0 && arg[0].kind == GN_PICKLE_DICT)
        return gn_pickle_new_items(m, GN_PICKLE_DICT, arg[0].u.items->item, arg[0].u.items->n, out);
    GN_TRY(gn_pickle_new_items(m, GN_PICKLE_DICT, NULL, 0, out));
    if (n == 0)
        return GN_OK;
    if (arg[0].kind != GN_PICKLE_LIST && arg[0].kind != GN_PICKLE_TUPLE)
        return gn_pickle_bad(m, "a dict is made of what is no list");
    for (size_t i = 0; i < arg[0].u.items->n; i++) {
        const value *pair = &arg[0].u.items->item[i];
        if ((pair->kind != GN_PICKLE_TUPLE && pair->kind != GN_PICKLE_LIST) || pair->u.items->n != 2)
            return gn_pickle_bad(m, "a dict is made of what are no pairs");
        GN_TRY(gn_pickle_append(m, out->u.items, pair->u.items->item, 2));
    }
    return GN_OK;
}

static gn_status call_from_type(machine *m, const value *arg, size_t n, value *out)
{
    if (n < 3 || arg[0].kind != GN_PICKLE_NAME || arg[2].kind != GN_PICKLE_TUPLE || names[arg[0].u.i].role == FROM_TYPE)
        return gn_pickle_bad(m, "a tensor of another type lacks its function");
    return gn_pickle_call(m, &arg[0], &arg[2], out);
}

gn_status gn_pickle_call(machine *m, const value *callee, const value *args, value *out)
{
    if (callee->kind == GN_PICKLE_PLAIN) {
        *out = *callee;
        return GN_OK;
    }
    if (callee->kind != GN_PICKLE_NAME)
        return gn_pickle_bad(m, "something is called that is no function");
    const known_name *known = &names[callee->u.i];
    const value *arg = args->u.items->item;
    size_t n = args->u.items->n;
    switch (known->role) {
    case TENSOR_V1:
        return make_tensor(m, arg, n, false, out);
    case TENSOR_V3:
        return make_tensor(m, arg, n, true, out);
    case FROM_TYPE:
        return call_from_type(m, arg, n, out);
    case PARAMETER:
        if (n == 0 || arg[0].kind != GN_PICKLE_TENSOR)
            return gn_pickle_bad(m, "a parameter has no tensor");
        *out = arg[0];
        return GN_OK;
    case TUPLE_OF:
        return make_list(m, GN_PICKLE_TUPLE, arg, n, out);
    case LIST_OF:
        return make_list(m, GN_PICKLE_LIST, arg, n, out);
    case DICT_OF: {
        const size_t before = (size_t)known->arg;
        return n > before ? make_dict(m, arg + before, n - before, out) : make_dict(m, NULL, 0, out);
    }
    case PLAIN:
        *out = (value){.kind = GN_PICKLE_PLAIN};
        return GN_OK;
    default:
        return gn_pickle_bad(m, "%s.%s is called, which is no function", known->module, known->name);
    }
}
