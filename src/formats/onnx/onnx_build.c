/* Pieces of a ModelProto: names, tensors, attributes, nodes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/onnx/onnx_build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *gn_onnx_take(gn_onnx_build *b, size_t bytes)
{
    void *p = gn_arena_alloc(b->arena, bytes ? bytes : 1);
    b->failed = b->failed || !p;
    return p;
}

char *gn_onnx_copy(gn_onnx_build *b, const char *s)
{
    char *copy = gn_arena_strdup(b->arena, s);
    b->failed = b->failed || !copy;
    return copy;
}

const char *gn_onnx_name(gn_onnx_build *b, const char *base, const char *part)
{
    const char *name = gn_arena_printf(b->arena, "%s.%s", base, part);
    for (int i = 2; name && gn_graph_find_value(b->graph, name) >= 0; i++)
        name = gn_arena_printf(b->arena, "%s.%s.%d", base, part, i);
    b->failed = b->failed || !name;
    return name ? name : "";
}

const char *gn_onnx_in(const gn_onnx_build *b, const gn_node *node, int i)
{
    return gn_has_in(node, i) ? b->names[node->in[i]] : "";
}

const char *gn_onnx_out(const gn_onnx_build *b, const gn_node *node, int i)
{
    return gn_has_out(node, i) ? b->names[node->out[i]] : "";
}

const gn_tensor *gn_onnx_in_fixed(const gn_onnx_build *b, const gn_node *node, int i)
{
    return gn_has_in(node, i) ? b->fixed[node->in[i]] : NULL;
}

gn_status gn_onnx_cannot(gn_onnx_build *b, const gn_node *node, const char *fmt, ...)
{
    char what[320];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return gn_fail(b->err, GN_EUNSUPPORTED, "node %s (%s): %s", node->name, node->op->name, what);
}

/* Appends a pointer to one of the build's lists, whose blocks come from gn_alloc. */
static void append(gn_onnx_build *b, void *list, size_t *n, size_t *capacity, void *item)
{
    if (!item || gn_grow(list, capacity, *n + 1, sizeof(void *)) != GN_OK) {
        b->failed = true;
        return;
    }
    void **items;
    memcpy(&items, list, sizeof items);
    items[(*n)++] = item;
}

void gn_onnx_append_info(gn_onnx_build *b, Onnx__ValueInfoProto *info)
{
    append(b, &b->infos, &b->n_infos, &b->cap_infos, info);
}

static char **copy_names(gn_onnx_build *b, const char *const *names, int n)
{
    char **copies = gn_onnx_take(b, (size_t)n * sizeof *copies);
    for (int i = 0; i < n && copies; i++)
        copies[i] = gn_onnx_copy(b, names[i]);
    return copies;
}

Onnx__NodeProto *gn_onnx_emit(gn_onnx_build *b, const char *op, const char *name, const char *const *in, int n_in,
                              const char *const *out, int n_out)
{
    Onnx__NodeProto *node = gn_onnx_take(b, sizeof *node);
    Onnx__AttributeProto **attrs = gn_onnx_take(b, GN_ONNX_MAX_ATTRS * sizeof *attrs);
    if (!node || !attrs)
        return NULL;
    onnx__node_proto__init(node);
    node->op_type = gn_onnx_copy(b, op);
    node->name = gn_onnx_copy(b, name);
    node->input = copy_names(b, in, n_in);
    node->n_input = (size_t)n_in;
    node->output = copy_names(b, out, n_out);
    node->n_output = (size_t)n_out;
    node->attribute = attrs;
    if (b->failed)
        return NULL;
    append(b, &b->nodes, &b->n_nodes, &b->cap_nodes, node);
    return node;
}

/* ---- tensors ---- */

static Onnx__TensorProto *make_tensor(gn_onnx_build *b, const char *name, gn_dtype dtype, const gn_shape *shape,
                                      void *data)
{
    Onnx__TensorProto *t = gn_onnx_take(b, sizeof *t);
    int64_t *dims = gn_onnx_take(b, (size_t)shape->rank * sizeof *dims);
    if (!t || !dims)
        return NULL;
    onnx__tensor_proto__init(t);
    t->name = name ? gn_onnx_copy(b, name) : NULL;
    t->has_data_type = 1;
    t->data_type = gn_onnx_type_of(dtype);
    t->n_dims = (size_t)shape->rank;
    t->dims = dims;
    for (int i = 0; i < shape->rank; i++)
        dims[i] = shape->dim[i];
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)gn_shape_count(shape) * gn_dtype_bytes(dtype);
    t->raw_data.data = data;
    return t;
}

void gn_onnx_put_initializer(gn_onnx_build *b, const char *name, const gn_tensor *tensor, const char *note)
{
    Onnx__TensorProto *t = make_tensor(b, name, tensor->dtype, &tensor->shape, tensor->data);
    if (t && note)
        t->doc_string = gn_onnx_copy(b, note);
    append(b, &b->initializers, &b->n_initializers, &b->cap_initializers, t);
}

const char *gn_onnx_put_tensor(gn_onnx_build *b, const char *base, const char *part, const gn_shape *shape, float *data,
                               gn_onnx_role role)
{
    const char *name = gn_onnx_name(b, base, part);
    const gn_tensor t = gn_tensor_view(GN_DTYPE_F32, shape, data);
    gn_onnx_put_initializer(b, name, &t, role == GN_ONNX_ROLE_CONST ? gn_onnx_role_word(role) : NULL);
    return name;
}

const char *gn_onnx_put_scalar(gn_onnx_build *b, const gn_node *node, const char *part, float x)
{
    const gn_shape scalar = {0};
    const gn_dtype dtype = gn_in_dtype(b->graph, node, 0);
    void *data = gn_onnx_take(b, sizeof(double));
    if (!data)
        return "";
    gn_tensor t = gn_tensor_view(dtype, &scalar, data);
    gn_tensor_set(&t, 0, (double)x);
    const char *name = gn_onnx_name(b, node->name, part);
    gn_onnx_put_initializer(b, name, &t, gn_onnx_role_word(GN_ONNX_ROLE_CONST));
    return name;
}

const char *gn_onnx_put_ints(gn_onnx_build *b, const char *base, const char *part, const int64_t *x, int n)
{
    const gn_shape shape = gn_shape_make(1, n);
    int64_t *copy = gn_onnx_take(b, (size_t)n * sizeof *copy);
    if (!copy)
        return "";
    if (n > 0)
        memcpy(copy, x, (size_t)n * sizeof *copy);
    const char *name = gn_onnx_name(b, base, part);
    const gn_tensor t = gn_tensor_view(GN_DTYPE_S64, &shape, copy);
    gn_onnx_put_initializer(b, name, &t, NULL);
    return name;
}

const char *gn_onnx_put_empty(gn_onnx_build *b, const char *base, const char *part)
{
    const gn_shape shape = gn_shape_make(1, 0);
    float *none = gn_onnx_take(b, sizeof *none);
    return none ? gn_onnx_put_tensor(b, base, part, &shape, none, GN_ONNX_ROLE_CONST) : "";
}

/* ---- attributes ---- */

static void *copy_list(gn_onnx_build *b, const void *list, int n, size_t elem_bytes)
{
    void *copy = gn_onnx_take(b, (size_t)n * elem_bytes);
    if (copy && n > 0)
        memcpy(copy, list, (size_t)n * elem_bytes);
    return copy;
}

static void fill_attr(gn_onnx_build *b, Onnx__AttributeProto *a, const gn_attr *attr)
{
    switch (attr->type) {
    case GN_ATTR_INT:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = 1;
        a->i = attr->u.i;
        break;
    case GN_ATTR_FLOAT:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        a->has_f = 1;
        a->f = attr->u.f;
        break;
    case GN_ATTR_STRING:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        a->has_s = 1;
        a->s.len = strlen(attr->u.s);
        a->s.data = (uint8_t *)gn_onnx_copy(b, attr->u.s);
        break;
    case GN_ATTR_INTS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        a->ints = copy_list(b, attr->u.ints, attr->n, sizeof *a->ints);
        a->n_ints = (size_t)attr->n;
        break;
    case GN_ATTR_FLOATS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        a->floats = copy_list(b, attr->u.floats, attr->n, sizeof *a->floats);
        a->n_floats = (size_t)attr->n;
        break;
    case GN_ATTR_TENSOR:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        a->t = make_tensor(b, NULL, attr->u.t->dtype, &attr->u.t->shape, attr->u.t->data);
        break;
    }
}

void gn_onnx_put_attr(gn_onnx_build *b, Onnx__NodeProto *node, const gn_attr *attr)
{
    Onnx__AttributeProto *a = node ? gn_onnx_take(b, sizeof *a) : NULL;
    if (!a)
        return;
    GN_ASSERT(node->n_attribute < GN_ONNX_MAX_ATTRS);
    onnx__attribute_proto__init(a);
    a->name = gn_onnx_copy(b, attr->name);
    a->has_type = 1;
    fill_attr(b, a, attr);
    node->attribute[node->n_attribute++] = a;
}

const char *gn_onnx_step(gn_onnx_build *b, const gn_node *node, const char *op, const char *part, const char *x,
                         const char *y, const gn_attr *attrs, int n_attrs)
{
    const char *in[2] = {x, y}, *name = part ? gn_onnx_name(b, node->name, part) : node->name;
    const char *out = part ? name : gn_onnx_out(b, node, 0);
    Onnx__NodeProto *proto = gn_onnx_emit(b, op, name, in, y ? 2 : 1, &out, 1);
    for (int i = 0; i < n_attrs; i++)
        gn_onnx_put_attr(b, proto, &attrs[i]);
    return out;
}
