/* ONNX model to graph: names are resolved, nodes sorted, initialisers become state or constants, and the shapes are
 * inferred once to find out whether the model makes sense.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/onnx_scan.h"
#include "graph/op.h"
#include "ops/ops.h"

/* Name of a value that node `node` computes. */
typedef struct producer {
    const char *name;
    int node;
} producer;

typedef struct reader {
    gn_onnx_source source;
    const Onnx__GraphProto *proto;
    int64_t opset;
    gn_onnx_memory memory;
    gn_graph *graph;
    producer *producers; /* sorted by name; in the arena, as all below */
    size_t n_producers;
    gn_onnx_role *roles;    /* per initialiser, in the order of `initializers` */
    producer *initializers; /* sorted by name; node = index in the file */
    gn_error *err;
} reader;

static gn_status fail(const reader *r, gn_status status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static gn_status fail(const reader *r, gn_status status, const char *fmt, ...)
{
    char message[sizeof r->err->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return gn_fail_offset(r->err, status, r->source.name, -1, "%s", message);
}

static gn_status out_of_memory(const reader *r)
{
    return gn_fail(r->err, GN_ENOMEM, "no memory to read '%s'", r->source.name);
}

static const char *text_of(const char *s)
{
    return s ? s : "";
}

/* A name for messages: unnamed nodes are known by their first output. */
static const char *node_label(const Onnx__NodeProto *node)
{
    if (node->name && *node->name)
        return node->name;
    return node->n_output > 0 && *node->output[0] ? node->output[0] : "(unnamed)";
}

/* ---- header ---- */

static gn_status read_opset(reader *r, const Onnx__ModelProto *model)
{
    r->opset = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = text_of(model->opset_import[i]->domain);
        if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0)
            r->opset = model->opset_import[i]->version;
    }
    if (r->opset == 0)
        return fail(r, GN_EFORMAT, "the model does not say which opset of ONNX it follows");
    if (r->opset < GN_ONNX_OPSET_MIN || r->opset > GN_ONNX_OPSET_MAX)
        return fail(r, GN_EUNSUPPORTED,
                    "the model follows opset %" PRId64 " of ONNX; opsets %d to %d are read: convert it", r->opset,
                    GN_ONNX_OPSET_MIN, GN_ONNX_OPSET_MAX);
    return GN_OK;
}

static gn_status check_header(reader *r, const Onnx__ModelProto *model)
{
    if (!model->graph)
        return fail(r, GN_EFORMAT, "no graph is in this file; is it an ONNX model?");
    GN_TRY(read_opset(r, model));
    r->proto = model->graph;
    if (r->proto->n_node > GN_ONNX_MAX_NODES)
        return fail(r, GN_ELIMIT, "the graph has %zu nodes, at most %d are read", r->proto->n_node, GN_ONNX_MAX_NODES);
    if (r->proto->n_sparse_initializer > 0)
        return fail(r, GN_EUNSUPPORTED, "the model holds sparse initializers, which Gannet does not read");
    return GN_OK;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    const producer *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->node > y->node) - (x->node < y->node);
}

static const producer *find_name(const producer *list, size_t n, const char *name)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(list[mid].name, name);
        if (order == 0)
            return &list[mid];
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static gn_status sort_names(const reader *r, producer *list, size_t n, const char *what)
{
    if (n > 1)
        qsort(list, n, sizeof *list, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(list[i - 1].name, list[i].name) == 0)
            return fail(r, GN_EFORMAT, "%s '%s'", what, list[i].name);
    return GN_OK;
}

static gn_status index_outputs(reader *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->proto->n_node; i++)
        n += r->proto->node[i]->n_output;
    r->producers = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->producers);
    if (!r->producers)
        return out_of_memory(r);
    for (size_t i = 0; i < r->proto->n_node; i++)
        for (size_t k = 0; k < r->proto->node[i]->n_output; k++)
            if (*r->proto->node[i]->output[k])
                r->producers[r->n_producers++] = (producer){r->proto->node[i]->output[k], (int)i};
    return sort_names(r, r->producers, r->n_producers, "two nodes compute the value");
}

static gn_status index_initializers(reader *r)
{
    size_t n = r->proto->n_initializer;
    r->initializers = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->initializers);
    r->roles = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->roles);
    if (!r->initializers || !r->roles)
        return out_of_memory(r);
    for (size_t i = 0; i < n; i++) {
        const char *name = text_of(r->proto->initializer[i]->name);
        if (!*name)
            return fail(r, GN_EFORMAT, "an initializer has no name");
        if (find_name(r->producers, r->n_producers, name))
            return fail(r, GN_EFORMAT, "'%s' is an initializer and the output of a node", name);
        r->initializers[i] = (producer){name, (int)i};
    }
    return sort_names(r, r->initializers, n, "two initializers are named");
}

/* ---- initialisers ---- */

static int64_t proto_count(const Onnx__TensorProto *t)
{
    gn_shape shape = gn_shape_of(t->n_dims <= GN_MAX_RANK ? (int)t->n_dims : 0, t->dims);
    return gn_shape_count(&shape);
}

/* What each initialiser is to the nodes that read it; a running statistic stays one whoever else reads it. */
static void find_roles(reader *r)
{
    for (size_t i = 0; i < r->proto->n_node; i++) {
        const Onnx__NodeProto *node = r->proto->node[i];
        for (size_t k = 0; k < node->n_input; k++) {
            const producer *found = find_name(r->initializers, r->proto->n_initializer, node->input[k]);
            if (!found)
                continue;
            const Onnx__TensorProto *t = r->proto->initializer[found->node];
            gn_onnx_role role =
                gn_onnx_role_of(text_of(node->op_type), (int)k, gn_onnx_dtype_of(t->data_type), proto_count(t));
            if (role > r->roles[found->node])
                r->roles[found->node] = role;
        }
    }
    for (size_t i = 0; i < r->proto->n_initializer; i++)
        gn_onnx_role_parse(r->proto->initializer[i]->doc_string, &r->roles[i]);
}

static gn_status add_constant(reader *r, const Onnx__TensorProto *t, const char *name)
{
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(gn_onnx_tensor_head(t, &r->source, name, &dtype, &shape, r->err));
    gn_tensor *tensor = NULL;
    gn_status status = gn_tensor_create(dtype, &shape, &tensor);
    if (status != GN_OK)
        return out_of_memory(r);
    status = gn_onnx_tensor_fill(t, &r->source, name, tensor, r->err);
    if (status == GN_OK && gn_graph_add_const(r->graph, name, tensor) < 0)
        status = gn_graph_error(r->graph, r->err);
    gn_tensor_destroy(&tensor);
    return status;
}

static gn_status add_state(reader *r, const Onnx__TensorProto *t, bool is_trainable)
{
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(gn_onnx_tensor_head(t, &r->source, t->name, &dtype, &shape, r->err));
    int id = gn_graph_add_state(r->graph, t->name, dtype, &shape, is_trainable);
    if (id < 0)
        return gn_graph_error(r->graph, r->err);
    return gn_onnx_tensor_fill(t, &r->source, t->name, gn_graph_value(r->graph, id)->data, r->err);
}

static gn_status read_initializers(reader *r)
{
    find_roles(r);
    for (size_t i = 0; i < r->proto->n_initializer; i++) {
        Onnx__TensorProto *t = r->proto->initializer[i];
        if (r->roles[i] == GN_ONNX_ROLE_CONST)
            GN_TRY(add_constant(r, t, t->name));
        else
            GN_TRY(add_state(r, t, r->roles[i] == GN_ONNX_ROLE_TRAINED));
        gn_onnx_memory_release(&r->memory, t->raw_data.data);
        t->raw_data.data = NULL;
    }
    return GN_OK;
}

/* ---- inputs ---- */

static gn_status read_input(reader *r, const Onnx__ValueInfoProto *info)
{
    const char *name = text_of(info->name);
    if (!*name)
        return fail(r, GN_EFORMAT, "a graph input has no name");
    if (find_name(r->initializers, r->proto->n_initializer, name))
        return GN_OK; /* a default value, in models before IR version 4 */
    if (gn_graph_find_value(r->graph, name) >= 0 || find_name(r->producers, r->n_producers, name))
        return fail(r, GN_EFORMAT, "graph input '%s' is defined twice", name);
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !info->type->tensor_type->shape)
        return fail(r, GN_EFORMAT, "graph input '%s' does not say that it is a tensor, and of which shape", name);
    gn_dtype dtype = gn_onnx_dtype_of(info->type->tensor_type->elem_type);
    if (dtype == GN_DTYPE_NONE)
        return fail(r, GN_EUNSUPPORTED, "graph input '%s' has an element type that Gannet does not read", name);
    const Onnx__TensorShapeProto *dims = info->type->tensor_type->shape;
    if (dims->n_dim > GN_MAX_RANK)
        return fail(r, GN_ELIMIT, "graph input '%s' has more than 8 dimensions", name);
    gn_shape shape = {.rank = (int)dims->n_dim};
    gn_shape known = shape;
    for (int i = 0; i < shape.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = dims->dim[i];
        bool has_value = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (has_value && d->dim_value < -1)
            return fail(r, GN_EFORMAT, "graph input '%s' has a negative dimension", name);
        shape.dim[i] = has_value && d->dim_value > 0 ? d->dim_value : -1; /* old exporters write 0 or -1 for "free" */
        known.dim[i] = shape.dim[i] > 0 ? shape.dim[i] : 1;
    }
    if (gn_shape_count(&known) < 0)
        return fail(r, GN_ELIMIT, "the shape of graph input '%s' overflows: more than 2^40 elements", name);
    if (gn_graph_add_input(r->graph, name, dtype, &shape) < 0)
        return gn_graph_error(r->graph, r->err);
    return GN_OK;
}

/* ---- order ---- */

enum { NODE_NEW = 0, NODE_OPEN, NODE_DONE };

typedef struct visit {
    int node;
    size_t next_input;
} visit;

static gn_status undefined_input(const reader *r, const Onnx__NodeProto *node, size_t i)
{
    return fail(
        r, GN_EFORMAT,
        "node '%s' (%s): its input %zu, '%s', is neither a graph input, nor an initializer, nor computed by a node",
        node_label(node), text_of(node->op_type), i, node->input[i]);
}

/* Depth first from node `root` along inputs; appends finished nodes to `order`.  Nodes that stand in order already stay
 * so. */
static gn_status visit_from(reader *r, int root, uint8_t *state, visit *stack, int *order, size_t *n_order)
{
    size_t depth = 0;
    stack[depth++] = (visit){.node = root};
    state[root] = NODE_OPEN;
    while (depth > 0) {
        visit *top = &stack[depth - 1];
        const Onnx__NodeProto *node = r->proto->node[top->node];
        if (top->next_input == node->n_input) {
            state[top->node] = NODE_DONE;
            order[(*n_order)++] = top->node;
            depth--;
            continue;
        }
        size_t i = top->next_input++;
        if (!*node->input[i] || gn_graph_find_value(r->graph, node->input[i]) >= 0)
            continue;
        const producer *from = find_name(r->producers, r->n_producers, node->input[i]);
        if (!from)
            return undefined_input(r, node, i);
        if (state[from->node] == NODE_OPEN)
            return fail(r, GN_EFORMAT, "the graph has a cycle: node '%s' (%s) needs its own result, through '%s'",
                        node_label(r->proto->node[from->node]), text_of(r->proto->node[from->node]->op_type),
                        from->name);
        if (state[from->node] == NODE_NEW) {
            state[from->node] = NODE_OPEN;
            stack[depth++] = (visit){.node = from->node};
        }
    }
    return GN_OK;
}

static gn_status sort_nodes(reader *r, int **order_out)
{
    size_t n = r->proto->n_node, n_order = 0;
    uint8_t *state = gn_arena_alloc(r->memory.arena, n + 1);
    visit *stack = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *stack);
    int *order = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *order);
    if (!state || !stack || !order)
        return out_of_memory(r);
    for (size_t i = 0; i < n; i++)
        if (state[i] == NODE_NEW)
            GN_TRY(visit_from(r, (int)i, state, stack, order, &n_order));
    *order_out = order;
    return GN_OK;
}

/* ---- nodes ---- */

static gn_status attr_fail(const reader *r, gn_status status, const Onnx__NodeProto *node,
                           const Onnx__AttributeProto *a, const char *what)
{
    return fail(r, status, "node '%s' (%s): its attribute '%s' %s", node_label(node), text_of(node->op_type),
                text_of(a->name), what);
}

static gn_status read_tensor_attr(reader *r, const Onnx__NodeProto *node, const Onnx__AttributeProto *a,
                                  gn_attr *attr_out)
{
    if (!a->t)
        return attr_fail(r, GN_EFORMAT, node, a, "holds no tensor");
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(gn_onnx_tensor_head(a->t, &r->source, node_label(node), &dtype, &shape, r->err));
    size_t bytes = (size_t)gn_shape_count(&shape) * gn_dtype_bytes(dtype);
    gn_tensor *t = gn_arena_alloc(r->memory.arena, sizeof *t);
    void *data = gn_arena_alloc(r->memory.arena, bytes + 1);
    if (!t || !data)
        return out_of_memory(r);
    *t = gn_tensor_view(dtype, &shape, data);
    GN_TRY(gn_onnx_tensor_fill(a->t, &r->source, node_label(node), t, r->err));
    *attr_out = (gn_attr){.name = a->name, .type = GN_ATTR_TENSOR, .u.t = t};
    return GN_OK;
}

static gn_status read_attr(reader *r, const Onnx__NodeProto *node, const Onnx__AttributeProto *a, gn_attr *attr_out)
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
            return out_of_memory(r);
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

static gn_status read_attrs(reader *r, const Onnx__NodeProto *proto, gn_onnx_node *node)
{
    node->attrs = gn_arena_alloc(r->memory.arena, (proto->n_attribute + GN_ONNX_ROOM) * sizeof *node->attrs);
    if (!node->attrs)
        return out_of_memory(r);
    for (size_t i = 0; i < proto->n_attribute; i++)
        GN_TRY(read_attr(r, proto, proto->attribute[i], &node->attrs[node->n_attrs++]));
    return GN_OK;
}

/* A Constant node becomes a constant of the graph under its output's name. */
static gn_status read_constant(reader *r, const Onnx__NodeProto *proto)
{
    if (proto->n_output != 1 || proto->n_attribute != 1 || !*proto->output[0])
        return fail(r, GN_EFORMAT, "node '%s' (Constant) should have one attribute and one output", node_label(proto));
    const Onnx__AttributeProto *a = proto->attribute[0];
    if (a->type == ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR && a->t)
        return add_constant(r, a->t, proto->output[0]);
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
        if (attr.n > 0)
            id = gn_graph_add_const_s64(r->graph, proto->output[0], attr.n, attr.u.ints);
        break;
    case GN_ATTR_FLOATS:
        if (attr.n > 0)
            id = gn_graph_add_const_f32(r->graph, proto->output[0], attr.n, attr.u.floats);
        break;
    default:
        break;
    }
    if (id >= 0)
        return GN_OK;
    GN_TRY(gn_graph_error(r->graph, r->err));
    return attr_fail(r, GN_EUNSUPPORTED, proto, a, "is no constant that Gannet reads");
}

static gn_status read_edges(reader *r, const Onnx__NodeProto *proto, gn_onnx_node *node)
{
    size_t n_in = proto->n_input, n_out = proto->n_output;
    while (n_in > 0 && !*proto->input[n_in - 1])
        n_in--;
    while (n_out > 0 && !*proto->output[n_out - 1])
        n_out--;
    if (n_in > 65535 || n_out > 65535)
        return fail(r, GN_ELIMIT, "node '%s' has more than 65535 inputs or outputs", node_label(proto));
    node->in = gn_arena_alloc(r->memory.arena, (n_in + GN_ONNX_ROOM) * sizeof *node->in);
    if (!node->in)
        return out_of_memory(r);
    for (size_t i = 0; i < n_in; i++) {
        int id = *proto->input[i] ? gn_graph_find_value(r->graph, proto->input[i]) : -1;
        if (id < 0 && *proto->input[i])
            return undefined_input(r, proto, i);
        node->in[node->n_in++] = id;
    }
    node->n_out = (int)n_out;
    return GN_OK;
}

/* Outputs get their names in two rounds, because a name may be one that the graph made for a neighbour. */
static gn_status name_outputs(reader *r, const Onnx__NodeProto *proto, int id)
{
    gn_node *node = gn_graph_node_mut(r->graph, id);
    for (int round = node->n_out > 1 ? 0 : 1; round < 2; round++)
        for (int i = 0; i < node->n_out; i++) {
            const char *name = proto->output[i];
            if (round == 0 || !*name)
                name = gn_arena_printf(r->memory.arena, "%s\x01%d", node->name, i);
            if (!name)
                return out_of_memory(r);
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

static gn_status read_node(reader *r, const Onnx__NodeProto *proto)
{
    const char *op = text_of(proto->op_type), *domain = text_of(proto->domain);
    bool is_standard = *domain == '\0' || strcmp(domain, "ai.onnx") == 0;
    if (is_standard && strcmp(op, "Constant") == 0)
        return read_constant(r, proto);
    if (!is_standard || !gn_op_find(gn_graph_registry(r->graph), "", op))
        return fail(r, GN_EUNSUPPORTED, "node '%s': its operator %s%s%s is not supported", node_label(proto),
                    is_standard ? "" : domain, is_standard ? "" : ".", *op ? op : "(none)");
    gn_onnx_node node = {.op = op, .name = node_label(proto)};
    GN_TRY(read_edges(r, proto, &node));
    GN_TRY(read_attrs(r, proto, &node));
    GN_TRY(gn_onnx_normalise(r->graph, r->opset, &node, r->err));
    int id = gn_graph_add_node(r->graph, op, "", node.name, node.in, node.n_in, node.n_out, node.attrs, node.n_attrs);
    if (id < 0)
        return gn_graph_error(r->graph, r->err);
    return name_outputs(r, proto, id);
}

/* ---- the whole ---- */

static gn_status read_outputs(reader *r)
{
    if (r->proto->n_output == 0)
        return fail(r, GN_EFORMAT, "the graph has no output");
    for (size_t i = 0; i < r->proto->n_output; i++) {
        const char *name = text_of(r->proto->output[i]->name);
        int id = gn_graph_find_value(r->graph, name);
        if (id < 0)
            return fail(r, GN_EFORMAT, "graph output '%s' is not computed by any node", name);
        GN_TRY(gn_graph_add_output(r->graph, id));
    }
    return GN_OK;
}

static gn_status read_metadata(reader *r, const Onnx__ModelProto *model)
{
    if (model->n_metadata_props > 10000)
        return fail(r, GN_ELIMIT, "the model has more than 10,000 metadata entries");
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = model->metadata_props[i];
        if (entry->key && *entry->key && gn_graph_meta_set(r->graph, entry->key, text_of(entry->value)) != GN_OK)
            return out_of_memory(r);
    }
    return GN_OK;
}

/* Before opset 13 Softmax took everything from its axis on as one row: the same only for the last axis. */
static gn_status check_softmax(const reader *r, const gn_graph *known)
{
    for (int i = 0; r->opset < 13 && i < gn_graph_node_count(known); i++) {
        const gn_node *node = gn_graph_node(known, i);
        const gn_shape *shape = gn_in_shape(known, node, 0);
        int64_t axis = gn_node_int(node, "axis", -1);
        if (strcmp(node->op->name, "Softmax") == 0 && axis != -1 && axis != shape->rank - 1)
            return fail(r, GN_EUNSUPPORTED, "node '%s' (Softmax) runs over several axes, as opsets before 13 allowed",
                        node->name);
    }
    return GN_OK;
}

/* Turns auto_pad into pads, node by node as shapes become known; `known` is the graph with its free dimensions set. */
static gn_status resolve_auto_pads(const reader *r, gn_graph *known)
{
    for (int i = 0; i < gn_graph_node_count(known); i++) {
        const gn_node *node = gn_graph_node(known, i);
        const gn_shape *x = gn_in_shape(known, node, 0), *w = gn_in_shape(known, node, 1);
        int64_t pads[4];
        if (x && gn_onnx_same_pads(node, x, w, pads)) {
            const gn_attr attrs[2] = {gn_attr_ints("pads", pads, 4), gn_attr_string("auto_pad", "NOTSET")};
            gn_graph *const both[2] = {r->graph, known};
            for (int k = 0; k < 4; k++)
                if (gn_node_set_attr(both[k / 2], gn_graph_node_mut(both[k / 2], i), &attrs[k % 2]) != GN_OK)
                    return out_of_memory(r);
        }
        GN_TRY(node->op->infer(known, node, r->err));
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0 && gn_shape_count(&gn_graph_value(known, node->out[k])->shape) < 0)
                return fail(r, GN_ESHAPE, "node '%s' (%s): the shape of its result is not possible", node->name,
                            node->op->name);
    }
    return GN_OK;
}

static bool has_auto_pad(const gn_graph *g)
{
    for (int i = 0; i < gn_graph_node_count(g); i++)
        if (gn_has_prefix(gn_node_string(gn_graph_node(g, i), "auto_pad", ""), "SAME"))
            return true;
    return false;
}

/* Shapes with free dimensions set to 1 (sizes to the model's own): a model that cannot be inferred is refused here,
 * with the name of the node.  Models whose height or width is free and not in the metadata are inferred when they get a
 * size. */
static gn_status check_shapes(const reader *r)
{
    int w = 0, h = 0, end = 0;
    const char *imgsz = gn_graph_meta_get(r->graph, "gannet.imgsz");
    if (imgsz && (sscanf(imgsz, "%6d,%6d%n", &w, &h, &end) != 2 || imgsz[end] != '\0' || w < 1 || h < 1))
        return fail(r, GN_EFORMAT, "the metadata gannet.imgsz is '%s'; width,height in pixels was expected", imgsz);
    gn_graph *known = NULL;
    GN_TRY(gn_graph_clone(r->graph, false, &known));
    gn_status status = GN_OK;
    bool is_known = true;
    for (int i = 0; i < gn_graph_input_count(known) && status == GN_OK; i++) {
        gn_shape shape = gn_graph_value(known, gn_graph_input(known, i))->shape;
        for (int k = 0; k < shape.rank; k++)
            if (shape.dim[k] < 0)
                shape.dim[k] = k == 0                                 ? 1
                               : (shape.rank == 4 && k == 2 && h > 0) ? h
                               : (shape.rank == 4 && k == 3 && w > 0) ? w
                                                                      : -1;
        is_known = is_known && gn_shape_known(&shape);
        status = gn_graph_set_input_shape(known, gn_graph_input(known, i), &shape);
    }
    if (status == GN_OK && has_auto_pad(known))
        status = is_known ? resolve_auto_pads(r, known)
                          : fail(r, GN_EUNSUPPORTED, "auto_pad needs an input of fixed height and width");
    if (status == GN_OK && is_known)
        status = gn_graph_infer(known, r->err);
    if (status == GN_OK && is_known)
        status = check_softmax(r, known);
    gn_graph_destroy(&known);
    return status;
}

static gn_status build(reader *r, const Onnx__ModelProto *model)
{
    GN_TRY(check_header(r, model));
    GN_TRY(index_outputs(r));
    GN_TRY(index_initializers(r));
    for (size_t i = 0; i < r->proto->n_input; i++)
        GN_TRY(read_input(r, r->proto->input[i]));
    GN_TRY(read_initializers(r));
    int *order = NULL;
    GN_TRY(sort_nodes(r, &order));
    for (size_t i = 0; i < r->proto->n_node; i++)
        GN_TRY(read_node(r, r->proto->node[order[i]]));
    GN_TRY(read_outputs(r));
    GN_TRY(read_metadata(r, model));
    GN_TRY(gn_graph_error(r->graph, r->err));
    GN_TRY(gn_graph_check(r->graph, r->err));
    return check_shapes(r);
}

/* bytes_owned: freed as soon as it is unpacked; NULL when the caller keeps them. */
static gn_status read_model(const gn_onnx_source *source, const uint8_t *bytes, size_t n, char *bytes_owned,
                            const gn_op_registry *registry, gn_graph **graph_out, gn_error *err)
{
    gn_error local = {0};
    reader r = {.source = *source, .err = err ? err : &local};
    Onnx__ModelProto *model = NULL;
    gn_status status = gn_onnx_scan(bytes, n, source->name, r.err);
    if (status == GN_OK)
        status = gn_onnx_unpack(bytes, n, source->name, &r.memory, &model, r.err);
    gn_free(bytes_owned);
    if (status != GN_OK)
        return status;
    status = gn_graph_create(registry ? registry : gn_ops_registry(), &r.graph);
    if (status != GN_OK)
        out_of_memory(&r);
    else
        status = build(&r, model);
    gn_onnx_memory_deinit(&r.memory);
    if (status != GN_OK) {
        gn_graph_destroy(&r.graph);
        if (!*r.err->file)
            snprintf(r.err->file, sizeof r.err->file, "%s", source->name);
        return status;
    }
    *graph_out = r.graph;
    return GN_OK;
}

gn_status gn_onnx_read_bytes(const void *bytes, size_t n, const char *name, const gn_op_registry *registry,
                             gn_graph **graph_out, gn_error *err)
{
    gn_onnx_source source = {.name = name ? name : "model in memory"};
    if (n > GN_ONNX_MAX_BYTES)
        return gn_fail_offset(err, GN_ELIMIT, source.name, -1, "an ONNX model of more than 2 GiB");
    return read_model(&source, bytes, n, NULL, registry, graph_out, err);
}

gn_status gn_onnx_read(const char *path, const gn_op_registry *registry, gn_graph **graph_out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_ONNX_MAX_BYTES, &bytes, &n, err));
    char folder[4096];
    gn_path_dir(path, folder, sizeof folder);
    gn_onnx_source source = {.name = path, .folder = folder};
    return read_model(&source, (const uint8_t *)bytes, n, bytes, registry, graph_out, err);
}
