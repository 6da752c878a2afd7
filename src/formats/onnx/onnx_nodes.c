/* Nodes of an ONNX file as nodes of the graph: attributes, constants, edges and names.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/onnx/onnx_read_internal.h"
#include "formats/onnx/onnx_rules.h"

/* Elements of a sparse constant, which is held as a dense one. */
#define MAX_SPARSE (1 << 24)

static gn_status attr_fail(const gn_onnx_reader *r, gn_status status, const Onnx__NodeProto *node,
                           const Onnx__AttributeProto *a, const char *what)
{
    return gn_onnx_fail(r, status, "node '%s' (%s): its attribute '%s' %s", gn_onnx_node_label(node),
                        gn_onnx_text(node->op_type), gn_onnx_text(a->name), what);
}

static gn_status read_tensor_attr(gn_onnx_reader *r, const Onnx__NodeProto *node, const Onnx__AttributeProto *a,
                                  gn_attr *attr_out)
{
    if (!a->t)
        return attr_fail(r, GN_EFORMAT, node, a, "holds no tensor");
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(gn_onnx_head(r, a->t, gn_onnx_node_label(node), &dtype, &shape));
    size_t bytes = (size_t)gn_shape_count(&shape) * gn_dtype_bytes(dtype);
    gn_tensor *t = gn_arena_alloc(r->memory.arena, sizeof *t);
    void *data = gn_arena_alloc(r->memory.arena, bytes + 1);
    if (!t || !data)
        return gn_onnx_out_of_memory(r);
    *t = gn_tensor_view(dtype, &shape, data);
    GN_TRY(gn_onnx_tensor_fill(a->t, &r->source, gn_onnx_node_label(node), t, r->err));
    *attr_out = (gn_attr){.name = a->name, .type = GN_ATTR_TENSOR, .u.t = t};
    return GN_OK;
}

static gn_status read_attr(gn_onnx_reader *r, const Onnx__NodeProto *node, const Onnx__AttributeProto *a,
                           gn_attr *attr_out)
{
    if (!a->name || !*a->name)
        return attr_fail(r, GN_EFORMAT, node, a, "has no name");
    if (a->ref_attr_name && *a->ref_attr_name)
        return attr_fail(r, GN_EUNSUPPORTED, node, a, "refers to a function's argument");
    switch (a->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        *attr_out = gn_attr_int(a->name, a->i);
        return GN_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        *attr_out = gn_attr_float(a->name, a->f);
        return GN_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: {
        char *text = gn_arena_alloc(r->memory.arena, a->s.len + 1);
        if (!text)
            return gn_onnx_out_of_memory(r);
        if (a->s.len)
            memcpy(text, a->s.data, a->s.len);
        *attr_out = gn_attr_string(a->name, text);
        return GN_OK;
    }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        if (a->n_ints > 1000000)
            return attr_fail(r, GN_ELIMIT, node, a, "has more than a million numbers");
        *attr_out = gn_attr_ints(a->name, a->ints, (int)a->n_ints);
        return GN_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        if (a->n_floats > 1000000)
            return attr_fail(r, GN_ELIMIT, node, a, "has more than a million numbers");
        *attr_out = gn_attr_floats(a->name, a->floats, (int)a->n_floats);
        return GN_OK;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return read_tensor_attr(r, node, a, attr_out);
    default:
        return attr_fail(r, GN_EUNSUPPORTED, node, a,
                         "has a type that Gannet does not read (graphs, lists of tensors)");
    }
}

static gn_status read_attrs(gn_onnx_reader *r, const Onnx__NodeProto *proto, gn_onnx_node *node)
{
    node->attrs = gn_arena_alloc(r->memory.arena, (proto->n_attribute + GN_ONNX_ROOM) * sizeof *node->attrs);
    if (!node->attrs)
        return gn_onnx_out_of_memory(r);
    for (size_t i = 0; i < proto->n_attribute; i++)
        GN_TRY(read_attr(r, proto, proto->attribute[i], &node->attrs[node->n_attrs++]));
    return GN_OK;
}

static int add_list(gn_onnx_reader *r, const char *name, gn_dtype dtype, int n, const void *x)
{
    const gn_shape shape = gn_shape_make(1, n);
    union {
        const void *from;
        void *to;
    } data = {.from = x};
    const gn_tensor view = gn_tensor_view(dtype, &shape, data.to);
    return gn_graph_add_const(r->graph, name, &view);
}

/* Puts `values` where `indices` say: plain indices [n], or one row of coordinates per value [n,rank]. */
static gn_status spread(const gn_onnx_reader *r, const char *name, const gn_tensor *values, const gn_tensor *indices,
                        gn_tensor *dense)
{
    const int64_t n = gn_tensor_count(values);
    const int rank = dense->shape.rank;
    const bool is_plain = indices->shape.rank == 1;
    bool fits = indices->dtype == GN_DTYPE_S64 && (is_plain || indices->shape.rank == 2) &&
                indices->shape.dim[0] == n && (is_plain || indices->shape.dim[1] == rank);
    for (int64_t i = 0; i < n && fits; i++) {
        int64_t at = 0;
        for (int d = 0; d < rank && !is_plain && fits; d++) {
            const int64_t x = ((const int64_t *)indices->data)[i * rank + d];
            fits = x >= 0 && x < dense->shape.dim[d];
            at = fits ? at * dense->shape.dim[d] + x : 0;
        }
        if (is_plain)
            at = ((const int64_t *)indices->data)[i];
        fits = fits && at >= 0 && at < gn_tensor_count(dense);
        if (fits)
            gn_tensor_move(dense, at, values, i);
    }
    return fits ? GN_OK
                : gn_onnx_fail(r, GN_EFORMAT, "the indices of the sparse constant '%s' lie outside of it", name);
}

static gn_status read_part(gn_onnx_reader *r, const Onnx__TensorProto *t, const char *name, gn_tensor **out)
{
    gn_dtype dtype;
    gn_shape shape;
    if (!t)
        return gn_onnx_fail(r, GN_EFORMAT, "the sparse constant '%s' lacks its values or indices", name);
    GN_TRY(gn_onnx_head(r, t, name, &dtype, &shape));
    if (gn_tensor_create(dtype, &shape, out) != GN_OK)
        return gn_onnx_out_of_memory(r);
    return gn_onnx_tensor_fill(t, &r->source, name, *out, r->err);
}

/* A sparse constant is held as a dense one, so its size is limited. */
static gn_status read_sparse(gn_onnx_reader *r, const Onnx__SparseTensorProto *sparse, const char *name)
{
    gn_tensor *values = NULL, *indices = NULL, *dense = NULL;
    const gn_shape shape = gn_shape_of(sparse->n_dims <= GN_MAX_RANK ? (int)sparse->n_dims : 0, sparse->dims);
    if (sparse->n_dims > GN_MAX_RANK || gn_shape_count(&shape) < 0 || gn_shape_count(&shape) > MAX_SPARSE)
        return gn_onnx_fail(r, GN_ELIMIT, "the sparse constant '%s' has more than %d elements", name, MAX_SPARSE);
    gn_status status = read_part(r, sparse->values, name, &values);
    if (status == GN_OK)
        status = read_part(r, sparse->indices, name, &indices);
    if (status == GN_OK && gn_tensor_create(values->dtype, &shape, &dense) != GN_OK)
        status = gn_onnx_out_of_memory(r);
    if (status == GN_OK)
        status = spread(r, name, values, indices, dense);
    if (status == GN_OK && gn_graph_add_const(r->graph, name, dense) < 0)
        status = gn_graph_error(r->graph, r->err);
    gn_tensor_destroy(&values);
    gn_tensor_destroy(&indices);
    gn_tensor_destroy(&dense);
    return status;
}

/* A Constant node becomes a constant of the graph under its output's name. */
static gn_status read_constant(gn_onnx_reader *r, const Onnx__NodeProto *proto)
{
    if (proto->n_output != 1 || proto->n_attribute != 1 || !*proto->output[0])
        return gn_onnx_fail(r, GN_EFORMAT, "node '%s' (Constant) should have one attribute and one output",
                            gn_onnx_node_label(proto));
    const Onnx__AttributeProto *a = proto->attribute[0];
    if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR && a->t)
        return gn_onnx_add_constant(r, a->t, proto->output[0]);
    if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__SPARSE_TENSOR && a->sparse_tensor)
        return read_sparse(r, a->sparse_tensor, proto->output[0]);
    gn_attr attr;
    GN_TRY(read_attr(r, proto, a, &attr));
    int id = -1;
    switch (attr.type) {
    case GN_ATTR_INT:
        id = gn_graph_add_const_s64(r->graph, proto->output[0], 0, &attr.u.i);
        break;
    case GN_ATTR_FLOAT:
        id = gn_graph_add_const_f32(r->graph, proto->output[0], 0, &attr.u.f);
        break;
    case GN_ATTR_INTS:
        id = add_list(r, proto->output[0], GN_DTYPE_S64, attr.n, attr.u.ints);
        break;
    case GN_ATTR_FLOATS:
        id = add_list(r, proto->output[0], GN_DTYPE_F32, attr.n, attr.u.floats);
        break;
    default:
        break;
    }
    if (id >= 0)
        return GN_OK;
    GN_TRY(gn_graph_error(r->graph, r->err));
    return attr_fail(r, GN_EUNSUPPORTED, proto, a, "is no constant that Gannet reads");
}

/* Results that a node must keep though nothing reads them: as many as its operator has at least, and all where their number means
 * something (Split). */
static size_t least_results(const gn_onnx_reader *r, const Onnx__NodeProto *proto)
{
    const gn_op_def *op = gn_op_find(gn_graph_registry(r->graph), "", proto->op_type ? proto->op_type : "");
    if (op && op->max_out < 0)
        return proto->n_output;
    return op && op->min_out > 1 ? (size_t)op->min_out : 1;
}

static gn_status read_edges(gn_onnx_reader *r, const Onnx__NodeProto *proto, gn_onnx_node *node)
{
    size_t n_in = proto->n_input, n_out = proto->n_output;
    const size_t least = least_results(r, proto);
    while (n_in > 0 && !*proto->input[n_in - 1])
        n_in--;
    while (n_out > least && !gn_onnx_is_read(r, proto->output[n_out - 1]))
        n_out--;
    if (n_in > 65535 || n_out > 65535)
        return gn_onnx_fail(r, GN_ELIMIT, "node '%s' has more than 65535 inputs or outputs", gn_onnx_node_label(proto));
    node->in = gn_arena_alloc(r->memory.arena, (n_in + GN_ONNX_ROOM) * sizeof *node->in);
    if (!node->in)
        return gn_onnx_out_of_memory(r);
    for (size_t i = 0; i < n_in; i++) {
        int id = *proto->input[i] ? gn_graph_find_value(r->graph, proto->input[i]) : -1;
        if (id < 0 && *proto->input[i])
            return gn_onnx_undefined_input(r, proto, i);
        node->in[node->n_in++] = id;
    }
    node->n_out = (int)n_out;
    return GN_OK;
}

/* Outputs get their names in two rounds, because a name may be one that the graph made for a neighbour. */
static gn_status name_outputs(gn_onnx_reader *r, const Onnx__NodeProto *proto, int id)
{
    gn_node *node = gn_graph_node_mut(r->graph, id);
    for (int round = node->n_out > 1 ? 0 : 1; round < 2; round++)
        for (int i = 0; i < node->n_out; i++) {
            const char *name = proto->output[i];
            if (round == 0 || !*name)
                name = gn_arena_printf(r->memory.arena, "%s\x01%d", node->name, i);
            if (!name)
                return gn_onnx_out_of_memory(r);
            if (gn_graph_rename_value(r->graph, node->out[i], name) != GN_OK)
                return gn_graph_error(r->graph, r->err);
        }
    for (int i = 0; i < node->n_out; i++)
        if (!*proto->output[i]) {
            gn_graph_value_mut(r->graph, node->out[i])->producer = -1;
            node->out[i] = -1;
        }
    return GN_OK;
}

/* Outputs that a rule made itself. */
static gn_status name_results(gn_onnx_reader *r, const Onnx__NodeProto *proto, const gn_onnx_node *node)
{
    for (int i = 0; i < node->n_out && i < GN_ONNX_MAX_RESULTS; i++)
        if (node->result[i] >= 0 && *proto->output[i] &&
            gn_graph_rename_value(r->graph, node->result[i], proto->output[i]) != GN_OK)
            return gn_graph_error(r->graph, r->err);
    return GN_OK;
}

gn_status gn_onnx_read_node(gn_onnx_reader *r, const Onnx__NodeProto *proto)
{
    const char *op = gn_onnx_text(proto->op_type), *domain = gn_onnx_text(proto->domain);
    bool is_standard = *domain == '\0' || strcmp(domain, "ai.onnx") == 0;
    if (is_standard && strcmp(op, "Constant") == 0)
        return read_constant(r, proto);
    if (!is_standard || (!gn_onnx_has_rule(op) && !gn_op_find(gn_graph_registry(r->graph), "", op)))
        return gn_onnx_fail(r, GN_EUNSUPPORTED, "node '%s': its operator %s%s%s is not supported",
                            gn_onnx_node_label(proto), is_standard ? "" : domain, is_standard ? "" : ".",
                            *op ? op : "(none)");
    gn_onnx_node node = {.op = op, .name = gn_onnx_node_label(proto)};
    GN_TRY(read_edges(r, proto, &node));
    GN_TRY(read_attrs(r, proto, &node));
    GN_TRY(gn_onnx_normalise(r->graph, r->opset, &node, r->err));
    if (node.result[0] >= 0)
        return name_results(r, proto, &node);
    int id =
        gn_graph_add_node(r->graph, node.op, "", node.name, node.in, node.n_in, node.n_out, node.attrs, node.n_attrs);
    if (id < 0)
        return gn_graph_error(r->graph, r->err);
    return name_outputs(r, proto, id);
}
