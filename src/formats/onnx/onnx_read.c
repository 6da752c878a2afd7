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
#include "formats/onnx/onnx_read_internal.h"
#include "ops/ops.h"

gn_status gn_onnx_fail(const gn_onnx_reader *r, gn_status status, const char *fmt, ...)
{
    char message[sizeof r->err->message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return gn_fail_offset(r->err, status, r->source.name, -1, "%s", message);
}

gn_status gn_onnx_out_of_memory(const gn_onnx_reader *r)
{
    return gn_fail(r->err, GN_ENOMEM, "no memory to read '%s'", r->source.name);
}

const char *gn_onnx_node_label(const Onnx__NodeProto *node)
{
    if (node->name && *node->name)
        return node->name;
    return node->n_output > 0 && *node->output[0] ? node->output[0] : "(unnamed)";
}

/* ---- header ---- */

static gn_status read_opset(gn_onnx_reader *r, const Onnx__ModelProto *model)
{
    r->opset = 0;
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = gn_onnx_text(model->opset_import[i]->domain);
        if (*domain == '\0' || strcmp(domain, "ai.onnx") == 0)
            r->opset = model->opset_import[i]->version;
    }
    if (r->opset == 0)
        return gn_onnx_fail(r, GN_EFORMAT, "the model does not say which opset of ONNX it follows");
    if (r->opset < GN_ONNX_OPSET_MIN || r->opset > GN_ONNX_OPSET_MAX)
        return gn_onnx_fail(r, GN_EUNSUPPORTED,
                            "the model follows opset %" PRId64 " of ONNX; opsets %d to %d are read: convert it",
                            r->opset, GN_ONNX_OPSET_MIN, GN_ONNX_OPSET_MAX);
    return GN_OK;
}

static gn_status check_header(gn_onnx_reader *r, const Onnx__ModelProto *model)
{
    if (!model->graph)
        return gn_onnx_fail(r, GN_EFORMAT, "no graph is in this file; is it an ONNX model?");
    GN_TRY(read_opset(r, model));
    r->proto = model->graph;
    if (r->proto->n_node > GN_ONNX_MAX_NODES)
        return gn_onnx_fail(r, GN_ELIMIT, "the graph has %zu nodes, at most %d are read", r->proto->n_node,
                            GN_ONNX_MAX_NODES);
    if (r->proto->n_sparse_initializer > 0)
        return gn_onnx_fail(r, GN_EUNSUPPORTED, "the model holds sparse initializers, which Gannet does not read");
    return GN_OK;
}

/* ---- names ---- */

static int by_name(const void *a, const void *b)
{
    const gn_onnx_producer *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->node > y->node) - (x->node < y->node);
}

static const gn_onnx_producer *find_name(const gn_onnx_producer *list, size_t n, const char *name)
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

static gn_status sort_names(const gn_onnx_reader *r, gn_onnx_producer *list, size_t n, const char *what)
{
    if (n > 1)
        qsort(list, n, sizeof *list, by_name);
    for (size_t i = 1; i < n; i++)
        if (strcmp(list[i - 1].name, list[i].name) == 0)
            return gn_onnx_fail(r, GN_EFORMAT, "%s '%s'", what, list[i].name);
    return GN_OK;
}

static gn_status index_outputs(gn_onnx_reader *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->proto->n_node; i++)
        n += r->proto->node[i]->n_output;
    r->producers = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->producers);
    if (!r->producers)
        return gn_onnx_out_of_memory(r);
    for (size_t i = 0; i < r->proto->n_node; i++)
        for (size_t k = 0; k < r->proto->node[i]->n_output; k++)
            if (*r->proto->node[i]->output[k])
                r->producers[r->n_producers++] = (gn_onnx_producer){r->proto->node[i]->output[k], (int)i};
    return sort_names(r, r->producers, r->n_producers, "two nodes compute the value");
}

static gn_status index_initializers(gn_onnx_reader *r)
{
    size_t n = r->proto->n_initializer;
    r->initializers = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->initializers);
    r->roles = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->roles);
    if (!r->initializers || !r->roles)
        return gn_onnx_out_of_memory(r);
    for (size_t i = 0; i < n; i++) {
        const char *name = gn_onnx_text(r->proto->initializer[i]->name);
        if (!*name)
            return gn_onnx_fail(r, GN_EFORMAT, "an initializer has no name");
        if (find_name(r->producers, r->n_producers, name))
            return gn_onnx_fail(r, GN_EFORMAT, "'%s' is an initializer and the output of a node", name);
        r->initializers[i] = (gn_onnx_producer){name, (int)i};
    }
    return sort_names(r, r->initializers, n, "two initializers are named");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gn_status index_reads(gn_onnx_reader *r)
{
    size_t n = r->proto->n_output;
    for (size_t i = 0; i < r->proto->n_node; i++)
        n += r->proto->node[i]->n_input;
    r->read_names = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *r->read_names);
    if (!r->read_names)
        return gn_onnx_out_of_memory(r);
    for (size_t i = 0; i < r->proto->n_node; i++)
        for (size_t k = 0; k < r->proto->node[i]->n_input; k++)
            r->read_names[r->n_read_names++] = r->proto->node[i]->input[k];
    for (size_t i = 0; i < r->proto->n_output; i++)
        r->read_names[r->n_read_names++] = gn_onnx_text(r->proto->output[i]->name);
    if (n > 1)
        qsort(r->read_names, n, sizeof *r->read_names, by_text);
    return GN_OK;
}

bool gn_onnx_is_read(const gn_onnx_reader *r, const char *name)
{
    return *name && r->n_read_names > 0 &&
           bsearch(&name, r->read_names, r->n_read_names, sizeof *r->read_names, by_text) != NULL;
}

/* ---- initialisers ---- */

static int64_t proto_count(const Onnx__TensorProto *t)
{
    gn_shape shape = gn_shape_of(t->n_dims <= GN_MAX_RANK ? (int)t->n_dims : 0, t->dims);
    return gn_shape_count(&shape);
}

/* The initialiser that a name stands for, also through an Identity, by which exporters share equal ones. */
static const gn_onnx_producer *initializer_of(const gn_onnx_reader *r, const char *name)
{
    const gn_onnx_producer *found = find_name(r->initializers, r->proto->n_initializer, name);
    const gn_onnx_producer *from = found ? NULL : find_name(r->producers, r->n_producers, name);
    const Onnx__NodeProto *node = from ? r->proto->node[from->node] : NULL;
    if (node && strcmp(gn_onnx_text(node->op_type), "Identity") == 0 && node->n_input == 1)
        found = find_name(r->initializers, r->proto->n_initializer, node->input[0]);
    return found;
}

/* What each initialiser is to the nodes that read it; a running statistic stays one whoever else reads it. */
static void find_roles(gn_onnx_reader *r)
{
    for (size_t i = 0; i < r->proto->n_node; i++) {
        const Onnx__NodeProto *node = r->proto->node[i];
        for (size_t k = 0; k < node->n_input; k++) {
            const gn_onnx_producer *found = initializer_of(r, node->input[k]);
            if (!found)
                continue;
            const Onnx__TensorProto *t = r->proto->initializer[found->node];
            gn_onnx_role role =
                gn_onnx_role_of(gn_onnx_text(node->op_type), (int)k, gn_onnx_dtype_of(t->data_type), proto_count(t));
            if (role > r->roles[found->node])
                r->roles[found->node] = role;
        }
    }
    for (size_t i = 0; i < r->proto->n_initializer; i++)
        gn_onnx_role_parse(r->proto->initializer[i]->doc_string, &r->roles[i]);
}

gn_status gn_onnx_head(gn_onnx_reader *r, const Onnx__TensorProto *t, const char *name, gn_dtype *dtype_out,
                       gn_shape *shape_out)
{
    GN_TRY(gn_onnx_tensor_head(t, &r->source, name, dtype_out, shape_out, r->err));
    if (!t->has_data_location || t->data_location != ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return GN_OK;
    r->external_bytes += (size_t)gn_shape_count(shape_out) * gn_dtype_bytes(*dtype_out);
    return r->external_bytes <= GN_ONNX_MAX_BYTES
               ? GN_OK
               : gn_onnx_fail(r, GN_ELIMIT, "the data in other files, up to tensor '%s', is more than 2 GiB", name);
}

gn_status gn_onnx_add_constant(gn_onnx_reader *r, const Onnx__TensorProto *t, const char *name)
{
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(gn_onnx_head(r, t, name, &dtype, &shape));
    gn_tensor *tensor = NULL;
    gn_status status = gn_tensor_create(dtype, &shape, &tensor);
    if (status != GN_OK)
        return gn_onnx_out_of_memory(r);
    status = gn_onnx_tensor_fill(t, &r->source, name, tensor, r->err);
    if (status == GN_OK && gn_graph_add_const(r->graph, name, tensor) < 0)
        status = gn_graph_error(r->graph, r->err);
    gn_tensor_destroy(&tensor);
    return status;
}

/* Large contents that stand in the file as they are in memory: the block into which they were unpacked becomes the state's. */
static gn_status add_unpacked_state(gn_onnx_reader *r, Onnx__TensorProto *t, const gn_shape *shape, bool is_trainable)
{
    gn_tensor *tensor = NULL;
    void *block = t->raw_data.data;
    t->raw_data.data = NULL;
    if (gn_tensor_adopt(GN_DTYPE_F32, shape, block, &tensor) != GN_OK) {
        gn_free(block);
        return gn_onnx_out_of_memory(r);
    }
    if (gn_graph_add_state_of(r->graph, t->name, tensor, is_trainable) >= 0)
        return GN_OK;
    gn_tensor_destroy(&tensor);
    return gn_graph_error(r->graph, r->err);
}

static gn_status add_state(gn_onnx_reader *r, Onnx__TensorProto *t, bool is_trainable)
{
    gn_dtype dtype;
    gn_shape shape;
    GN_TRY(gn_onnx_head(r, t, t->name, &dtype, &shape));
    if (dtype == GN_DTYPE_F32 && t->has_raw_data && t->raw_data.len == (size_t)gn_shape_count(&shape) * sizeof(float) &&
        !t->has_data_location && gn_onnx_memory_take(&r->memory, t->raw_data.data))
        return add_unpacked_state(r, t, &shape, is_trainable);
    int id = gn_graph_add_state(r->graph, t->name, dtype, &shape, is_trainable);
    if (id < 0)
        return gn_graph_error(r->graph, r->err);
    return gn_onnx_tensor_fill(t, &r->source, t->name, gn_graph_value(r->graph, id)->data, r->err);
}

static gn_status read_initializers(gn_onnx_reader *r)
{
    find_roles(r);
    for (size_t i = 0; i < r->proto->n_initializer; i++) {
        Onnx__TensorProto *t = r->proto->initializer[i];
        if (r->roles[i] == GN_ONNX_ROLE_CONST)
            GN_TRY(gn_onnx_add_constant(r, t, t->name));
        else
            GN_TRY(add_state(r, t, r->roles[i] == GN_ONNX_ROLE_TRAINED));
        gn_onnx_memory_release(&r->memory, t->raw_data.data);
        t->raw_data.data = NULL;
    }
    return GN_OK;
}

/* ---- inputs ---- */

static const gn_tensor *bound_contents(const gn_onnx_reader *r, const char *name)
{
    for (int i = 0; i < r->options.n_bound; i++)
        if (strcmp(r->options.bound[i].name, name) == 0)
            return r->options.bound[i].contents;
    return NULL;
}

static gn_status input_shape(const gn_onnx_reader *r, const char *name, const Onnx__TensorShapeProto *dims,
                             gn_shape *shape_out)
{
    if (dims->n_dim > GN_MAX_RANK)
        return gn_onnx_fail(r, GN_ELIMIT, "graph input '%s' has more than 8 dimensions", name);
    gn_shape shape = {.rank = (int)dims->n_dim};
    gn_shape known = shape;
    for (int i = 0; i < shape.rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = dims->dim[i];
        bool has_value = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        if (has_value && d->dim_value < -1)
            return gn_onnx_fail(r, GN_EFORMAT, "graph input '%s' has a negative dimension", name);
        shape.dim[i] = has_value && d->dim_value > 0 ? d->dim_value : -1; /* old exporters write 0 or -1 for "free" */
        known.dim[i] = shape.dim[i] > 0 ? shape.dim[i] : 1;
    }
    if (gn_shape_count(&known) < 0)
        return gn_onnx_fail(r, GN_ELIMIT, "the shape of graph input '%s' overflows: more than 2^40 elements", name);
    *shape_out = shape;
    return GN_OK;
}

/* An input whose contents the caller gave. */
static gn_status add_bound(gn_onnx_reader *r, const char *name, gn_dtype dtype, const gn_shape *shape,
                           const gn_tensor *contents)
{
    bool fits = contents->dtype == dtype && contents->shape.rank == shape->rank;
    for (int i = 0; fits && i < shape->rank; i++)
        fits = shape->dim[i] < 0 || shape->dim[i] == contents->shape.dim[i];
    if (!fits)
        return gn_onnx_fail(r, GN_ESHAPE, "what is given for graph input '%s' has another type or shape", name);
    return gn_graph_add_const(r->graph, name, contents) < 0 ? gn_graph_error(r->graph, r->err) : GN_OK;
}

static gn_status read_input(gn_onnx_reader *r, const Onnx__ValueInfoProto *info)
{
    const char *name = gn_onnx_text(info->name);
    gn_shape shape;
    if (!*name)
        return gn_onnx_fail(r, GN_EFORMAT, "a graph input has no name");
    if (find_name(r->initializers, r->proto->n_initializer, name))
        return GN_OK; /* a default value, in models before IR version 4 */
    if (gn_graph_find_value(r->graph, name) >= 0 || find_name(r->producers, r->n_producers, name))
        return gn_onnx_fail(r, GN_EFORMAT, "graph input '%s' is defined twice", name);
    if (!info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE || !info->type->tensor_type->shape)
        return gn_onnx_fail(r, GN_EFORMAT, "graph input '%s' does not say that it is a tensor, and of which shape",
                            name);
    gn_dtype dtype = gn_onnx_dtype_of(info->type->tensor_type->elem_type);
    if (dtype == GN_DTYPE_NONE)
        return gn_onnx_fail(r, GN_EUNSUPPORTED, "graph input '%s' has an element type that Gannet does not read", name);
    GN_TRY(input_shape(r, name, info->type->tensor_type->shape, &shape));
    const gn_tensor *contents = bound_contents(r, name);
    if (contents)
        return add_bound(r, name, dtype, &shape, contents);
    if (gn_graph_add_input(r->graph, name, dtype, &shape) < 0)
        return gn_graph_error(r->graph, r->err);
    return GN_OK;
}

/* While nodes are read, free dimensions have a size: batch 1, height and width of the options or the metadata.  Shapes are then
 * inferred node by node, and a model that makes no sense is refused with the name of the node.  Where a height or width stays
 * free, shapes are inferred when it gets a size. */
static gn_status set_free_dims(gn_onnx_reader *r)
{
    int w = 0, h = 0, end = 0;
    const char *imgsz = gn_graph_meta_get(r->graph, "gannet.imgsz");
    if (imgsz && (sscanf(imgsz, "%6d,%6d%n", &w, &h, &end) != 2 || imgsz[end] != '\0' || w < 1 || h < 1))
        return gn_onnx_fail(r, GN_EFORMAT, "the metadata gannet.imgsz is '%s'; width,height in pixels was expected",
                            imgsz);
    if (r->options.imgsz_w > 0 && r->options.imgsz_h > 0) {
        w = r->options.imgsz_w;
        h = r->options.imgsz_h;
    }
    const int n = gn_graph_input_count(r->graph);
    r->free_shapes = gn_arena_alloc(r->memory.arena, ((size_t)n + 1) * sizeof *r->free_shapes);
    if (!r->free_shapes)
        return gn_onnx_out_of_memory(r);
    for (int i = 0; i < n; i++) {
        gn_shape shape = r->free_shapes[i] = gn_graph_value(r->graph, gn_graph_input(r->graph, i))->shape;
        r->has_free_dims = r->has_free_dims || !gn_shape_known(&shape);
        if (shape.rank > 0 && shape.dim[0] < 0)
            shape.dim[0] = 1;
        if (shape.rank == 4 && shape.dim[2] < 0 && h > 0)
            shape.dim[2] = h;
        if (shape.rank == 4 && shape.dim[3] < 0 && w > 0)
            shape.dim[3] = w;
        GN_TRY(gn_graph_set_input_shape(r->graph, gn_graph_input(r->graph, i), &shape));
    }
    return GN_OK;
}

static gn_status restore_free_dims(gn_onnx_reader *r)
{
    if (!r->has_free_dims)
        return GN_OK;
    for (int i = 0; i < gn_graph_input_count(r->graph); i++)
        GN_TRY(gn_graph_set_input_shape(r->graph, gn_graph_input(r->graph, i), &r->free_shapes[i]));
    gn_graph_forget_shapes(r->graph);
    return GN_OK;
}

/* ---- order ---- */

enum { NODE_NEW = 0, NODE_OPEN, NODE_DONE };

typedef struct visit {
    int node;
    size_t next_input;
} visit;

gn_status gn_onnx_undefined_input(const gn_onnx_reader *r, const Onnx__NodeProto *node, size_t i)
{
    return gn_onnx_fail(
        r, GN_EFORMAT,
        "node '%s' (%s): its input %zu, '%s', is neither a graph input, nor an initializer, nor computed by a node",
        gn_onnx_node_label(node), gn_onnx_text(node->op_type), i, node->input[i]);
}

/* Depth first from node `root` along inputs; appends finished nodes to `order`.  Nodes that stand in order already stay
 * so. */
static gn_status visit_from(gn_onnx_reader *r, int root, uint8_t *state, visit *stack, int *order, size_t *n_order)
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
        const gn_onnx_producer *from = find_name(r->producers, r->n_producers, node->input[i]);
        if (!from)
            return gn_onnx_undefined_input(r, node, i);
        if (state[from->node] == NODE_OPEN)
            return gn_onnx_fail(r, GN_EFORMAT,
                                "the graph has a cycle: node '%s' (%s) needs its own result, through '%s'",
                                gn_onnx_node_label(r->proto->node[from->node]),
                                gn_onnx_text(r->proto->node[from->node]->op_type), from->name);
        if (state[from->node] == NODE_NEW) {
            state[from->node] = NODE_OPEN;
            stack[depth++] = (visit){.node = from->node};
        }
    }
    return GN_OK;
}

static gn_status sort_nodes(gn_onnx_reader *r, int **order_out)
{
    size_t n = r->proto->n_node, n_order = 0;
    uint8_t *state = gn_arena_alloc(r->memory.arena, n + 1);
    visit *stack = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *stack);
    int *order = gn_arena_alloc(r->memory.arena, (n + 1) * sizeof *order);
    if (!state || !stack || !order)
        return gn_onnx_out_of_memory(r);
    for (size_t i = 0; i < n; i++)
        if (state[i] == NODE_NEW)
            GN_TRY(visit_from(r, (int)i, state, stack, order, &n_order));
    *order_out = order;
    return GN_OK;
}

/* ---- the whole ---- */

static gn_status read_outputs(gn_onnx_reader *r)
{
    if (r->proto->n_output == 0)
        return gn_onnx_fail(r, GN_EFORMAT, "the graph has no output");
    for (size_t i = 0; i < r->proto->n_output; i++) {
        const char *name = gn_onnx_text(r->proto->output[i]->name);
        int id = gn_graph_find_value(r->graph, name);
        if (id < 0)
            return gn_onnx_fail(r, GN_EFORMAT, "graph output '%s' is not computed by any node", name);
        GN_TRY(gn_graph_add_output(r->graph, id));
    }
    return GN_OK;
}

static gn_status read_metadata(gn_onnx_reader *r, const Onnx__ModelProto *model)
{
    if (model->n_metadata_props > 10000)
        return gn_onnx_fail(r, GN_ELIMIT, "the model has more than 10,000 metadata entries");
    for (size_t i = 0; i < model->n_metadata_props; i++) {
        const Onnx__StringStringEntryProto *entry = model->metadata_props[i];
        if (entry->key && *entry->key && gn_graph_meta_set(r->graph, entry->key, gn_onnx_text(entry->value)) != GN_OK)
            return gn_onnx_out_of_memory(r);
    }
    return GN_OK;
}

static gn_status build(gn_onnx_reader *r, const Onnx__ModelProto *model)
{
    GN_TRY(check_header(r, model));
    GN_TRY(index_outputs(r));
    GN_TRY(index_initializers(r));
    GN_TRY(index_reads(r));
    for (size_t i = 0; i < r->proto->n_input; i++)
        GN_TRY(read_input(r, r->proto->input[i]));
    GN_TRY(read_metadata(r, model));
    GN_TRY(set_free_dims(r));
    GN_TRY(read_initializers(r));
    int *order = NULL;
    GN_TRY(sort_nodes(r, &order));
    for (size_t i = 0; i < r->proto->n_node; i++)
        GN_TRY(gn_onnx_read_node(r, r->proto->node[order[i]]));
    GN_TRY(read_outputs(r));
    GN_TRY(gn_graph_error(r->graph, r->err));
    GN_TRY(gn_graph_check(r->graph, r->err));
    return restore_free_dims(r);
}

/* bytes_owned: freed as soon as it is unpacked; NULL when the caller keeps them. */
static gn_status read_model(const gn_onnx_source *source, const uint8_t *bytes, size_t n, char *bytes_owned,
                            const gn_onnx_read_options *options, gn_graph **graph_out, gn_error *err)
{
    gn_error local = {0};
    gn_onnx_reader r = {.source = *source, .err = err ? err : &local};
    Onnx__ModelProto *model = NULL;
    if (options)
        r.options = *options;
    gn_status status = gn_onnx_scan(&onnx__model_proto__descriptor, bytes, n, source->name, r.err);
    if (status == GN_OK)
        status = gn_onnx_unpack(bytes, n, source->name, &r.memory, &model, r.err);
    gn_free(bytes_owned);
    if (status != GN_OK)
        return status;
    status = gn_graph_create(r.options.registry ? r.options.registry : gn_ops_registry(), &r.graph);
    if (status != GN_OK)
        gn_onnx_out_of_memory(&r);
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
    const gn_onnx_source source = {.name = name ? name : "model in memory"};
    const gn_onnx_read_options options = {.registry = registry};
    if (n > GN_ONNX_MAX_BYTES)
        return gn_fail_offset(err, GN_ELIMIT, source.name, -1, "an ONNX model of more than 2 GiB");
    return read_model(&source, bytes, n, NULL, &options, graph_out, err);
}

gn_status gn_onnx_read_with(const char *path, const gn_onnx_read_options *options, gn_graph **graph_out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_ONNX_MAX_BYTES, &bytes, &n, err));
    char folder[4096];
    gn_path_dir(path, folder, sizeof folder);
    const gn_onnx_source source = {.name = path, .folder = folder};
    return read_model(&source, (const uint8_t *)bytes, n, bytes, options, graph_out, err);
}

gn_status gn_onnx_read(const char *path, const gn_op_registry *registry, gn_graph **graph_out, gn_error *err)
{
    const gn_onnx_read_options options = {.registry = registry};
    return gn_onnx_read_with(path, &options, graph_out, err);
}
