/* Graph storage: values, nodes, inputs, outputs, updates and metadata, and adding to them.
 * SPDX-License-Identifier: Apache-2.0 */
#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/graph_internal.h"

gn_status gn_graph_create(const gn_op_registry *registry, gn_graph **graph_out)
{
    gn_graph *graph = gn_calloc(1, sizeof *graph);
    if (!graph)
        return GN_ENOMEM;
    graph->registry = registry;
    graph->arena = gn_arena_create(0);
    if (!graph->arena) {
        gn_free(graph);
        return GN_ENOMEM;
    }
    *graph_out = graph;
    return GN_OK;
}

void gn_graph_destroy(gn_graph **graph)
{
    if (!graph || !*graph)
        return;
    gn_graph *g = *graph;
    for (size_t i = 0; i < g->n_tensors; i++)
        gn_tensor_destroy(&g->tensors[i]);
    for (size_t i = 0; i < g->n_values; i++)
        gn_tensor_destroy(&g->values[i]->known);
    gn_name_map_deinit(&g->value_names);
    gn_name_map_deinit(&g->node_names);
    gn_free(g->values);
    gn_free(g->nodes);
    gn_free(g->order);
    gn_free(g->inputs);
    gn_free(g->outputs);
    gn_free(g->updates);
    gn_free(g->metas);
    gn_free(g->tensors);
    gn_arena_destroy(&g->arena);
    gn_free(g);
    *graph = NULL;
}

int gn_graph_value_count(const gn_graph *graph)
{
    return (int)graph->n_values;
}
int gn_graph_node_count(const gn_graph *graph)
{
    return (int)graph->n_nodes;
}
int gn_graph_input_count(const gn_graph *graph)
{
    return (int)graph->n_inputs;
}
int gn_graph_output_count(const gn_graph *graph)
{
    return (int)graph->n_outputs;
}
int gn_graph_update_count(const gn_graph *graph)
{
    return (int)graph->n_updates;
}
int gn_graph_meta_count(const gn_graph *graph)
{
    return (int)graph->n_metas;
}
gn_arena *gn_graph_arena(gn_graph *graph)
{
    return graph->arena;
}
const gn_op_registry *gn_graph_registry(const gn_graph *graph)
{
    return graph->registry;
}

const gn_value *gn_graph_value(const gn_graph *graph, int value)
{
    GN_ASSERT(value >= 0 && (size_t)value < graph->n_values);
    return graph->values[value];
}

gn_value *gn_graph_value_mut(gn_graph *graph, int value)
{
    GN_ASSERT(value >= 0 && (size_t)value < graph->n_values);
    return graph->values[value];
}

const gn_node *gn_graph_node(const gn_graph *graph, int node)
{
    GN_ASSERT(node >= 0 && (size_t)node < graph->n_nodes);
    return graph->nodes[node];
}

gn_node *gn_graph_node_mut(gn_graph *graph, int node)
{
    GN_ASSERT(node >= 0 && (size_t)node < graph->n_nodes);
    return graph->nodes[node];
}

int gn_graph_find_value(const gn_graph *graph, const char *name)
{
    return gn_name_map_find(&graph->value_names, name);
}

int gn_graph_input(const gn_graph *graph, int i)
{
    GN_ASSERT(i >= 0 && (size_t)i < graph->n_inputs);
    return graph->inputs[i];
}

int gn_graph_output(const gn_graph *graph, int i)
{
    GN_ASSERT(i >= 0 && (size_t)i < graph->n_outputs);
    return graph->outputs[i];
}

void gn_graph_update(const gn_graph *graph, int i, int *state_out, int *value_out)
{
    GN_ASSERT(i >= 0 && (size_t)i < graph->n_updates);
    *state_out = graph->updates[i].state;
    *value_out = graph->updates[i].value;
}

gn_status gn_graph_error(const gn_graph *graph, gn_error *err)
{
    if (graph->error.status != GN_OK && err)
        *err = graph->error;
    return graph->error.status;
}

gn_status gn_graph_set_error(gn_graph *graph, gn_status status, const char *fmt, ...)
{
    if (graph->error.status != GN_OK)
        return graph->error.status;
    char message[sizeof graph->error.message];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return gn_fail(&graph->error, status, "%s", message);
}

static int out_of_memory(gn_graph *graph)
{
    gn_graph_set_error(graph, GN_ENOMEM, "building a graph: out of memory");
    return -1;
}

/* A name of the arena that `map` does not hold: `base`, or `base.2`, `base.3`, ... */
static const char *unique_name(gn_graph *graph, const gn_name_map *map, const char *base)
{
    if (gn_name_map_find(map, base) < 0)
        return gn_arena_strdup(graph->arena, base);
    char name[512];
    for (size_t i = 2;; i++) {
        snprintf(name, sizeof name, "%.480s.%zu", base, i + map->count);
        if (gn_name_map_find(map, name) < 0)
            return gn_arena_strdup(graph->arena, name);
    }
}

gn_status gn_graph_keep_tensor(gn_graph *graph, gn_tensor *tensor)
{
    GN_TRY(gn_grow(&graph->tensors, &graph->cap_tensors, graph->n_tensors + 1, sizeof *graph->tensors));
    graph->tensors[graph->n_tensors++] = tensor;
    return GN_OK;
}

static int add_value(gn_graph *graph, const char *name, gn_value_kind kind, gn_dtype dtype, const gn_shape *shape)
{
    if (graph->error.status != GN_OK)
        return -1;
    static const char *const bases[] = {"input", "const", "state", "t"};
    const char *unique = unique_name(graph, &graph->value_names, name && *name ? name : bases[kind]);
    gn_value *value = gn_arena_alloc(graph->arena, sizeof *value);
    int id = (int)graph->n_values;
    if (!unique || !value ||
        gn_grow(&graph->values, &graph->cap_values, graph->n_values + 1, sizeof *graph->values) != GN_OK ||
        gn_name_map_put(&graph->value_names, unique, id) != GN_OK)
        return out_of_memory(graph);
    *value = (gn_value){.name = unique, .kind = kind, .dtype = dtype, .producer = -1};
    if (shape)
        value->shape = *shape;
    else
        value->shape = gn_shape_make(1, -1);
    graph->values[graph->n_values++] = value;
    return id;
}

int gn_graph_add_input(gn_graph *graph, const char *name, gn_dtype dtype, const gn_shape *shape)
{
    int id = add_value(graph, name, GN_VALUE_INPUT, dtype, shape);
    if (id < 0)
        return id;
    if (gn_grow(&graph->inputs, &graph->cap_inputs, graph->n_inputs + 1, sizeof *graph->inputs) != GN_OK)
        return out_of_memory(graph);
    graph->inputs[graph->n_inputs++] = id;
    return id;
}

int gn_graph_add_const(gn_graph *graph, const char *name, const gn_tensor *tensor)
{
    int id = add_value(graph, name, GN_VALUE_CONST, tensor->dtype, &tensor->shape);
    if (id < 0)
        return id;
    gn_tensor *copy = NULL;
    if (gn_tensor_copy(tensor, &copy) != GN_OK || gn_graph_keep_tensor(graph, copy) != GN_OK) {
        gn_tensor_destroy(&copy);
        return out_of_memory(graph);
    }
    graph->values[id]->data = copy;
    return id;
}

int gn_graph_add_const_f32(gn_graph *graph, const char *name, int n, const float *x)
{
    gn_shape shape = n > 0 ? gn_shape_make(1, n) : gn_shape_make(0);
    union {
        const float *from;
        void *to;
    } data = {.from = x};
    gn_tensor view = gn_tensor_view(GN_DTYPE_F32, &shape, data.to);
    return gn_graph_add_const(graph, name, &view);
}

int gn_graph_add_const_s64(gn_graph *graph, const char *name, int n, const int64_t *x)
{
    gn_shape shape = n > 0 ? gn_shape_make(1, n) : gn_shape_make(0);
    union {
        const int64_t *from;
        void *to;
    } data = {.from = x};
    gn_tensor view = gn_tensor_view(GN_DTYPE_S64, &shape, data.to);
    return gn_graph_add_const(graph, name, &view);
}

static int fail_state(gn_graph *graph, int id, const gn_shape *shape, gn_status status)
{
    char text[128];
    gn_shape_format(shape, text);
    gn_graph_set_error(graph, status, "state %s of shape %s: %s", graph->values[id]->name, text,
                       gn_status_sentence(status));
    return -1;
}

int gn_graph_add_state_of(gn_graph *graph, const char *name, gn_tensor *tensor, bool trainable)
{
    int id = add_value(graph, name, GN_VALUE_STATE, tensor->dtype, &tensor->shape);
    if (id < 0)
        return id;
    gn_status status = gn_graph_keep_tensor(graph, tensor);
    if (status != GN_OK)
        return fail_state(graph, id, &tensor->shape, status);
    graph->values[id]->data = tensor;
    graph->values[id]->trainable = trainable;
    return id;
}

int gn_graph_add_state(gn_graph *graph, const char *name, gn_dtype dtype, const gn_shape *shape, bool trainable)
{
    int id = add_value(graph, name, GN_VALUE_STATE, dtype, shape);
    if (id < 0)
        return id;
    gn_tensor *tensor = NULL;
    gn_status status = gn_tensor_create(dtype, shape, &tensor);
    if (status == GN_OK)
        status = gn_graph_keep_tensor(graph, tensor);
    if (status != GN_OK) {
        gn_tensor_destroy(&tensor);
        return fail_state(graph, id, shape, status);
    }
    graph->values[id]->data = tensor;
    graph->values[id]->trainable = trainable;
    return id;
}

/* Frees a tensor that the graph owns. */
static void drop_tensor(gn_graph *graph, gn_tensor *tensor)
{
    for (size_t i = 0; i < graph->n_tensors; i++)
        if (graph->tensors[i] == tensor) {
            gn_tensor_destroy(&graph->tensors[i]);
            graph->tensors[i] = graph->tensors[--graph->n_tensors];
            return;
        }
}

void gn_graph_share_states(gn_graph *graph, const gn_graph *owner)
{
    for (size_t v = 0; v < graph->n_values; v++) {
        gn_value *mine = graph->values[v];
        const int id = mine->kind == GN_VALUE_STATE ? gn_graph_find_value(owner, mine->name) : -1;
        const gn_value *theirs = id >= 0 ? gn_graph_value(owner, id) : NULL;
        if (!theirs || theirs->kind != GN_VALUE_STATE || theirs->data == mine->data || theirs->dtype != mine->dtype ||
            !gn_shape_equal(&theirs->shape, &mine->shape))
            continue;
        drop_tensor(graph, mine->data);
        mine->data = theirs->data;
    }
}

/* Checks arity and that inputs exist; the message names op and node. */
static bool node_arguments_fit(gn_graph *graph, const gn_op_def *def, const char *name, const int *in, int n_in,
                               int n_out)
{
    if (n_in < def->min_in || (def->max_in >= 0 && n_in > def->max_in) || n_out < def->min_out ||
        (def->max_out >= 0 && n_out > def->max_out)) {
        gn_graph_set_error(
            graph, GN_EFORMAT, "node %s (%s) has %d inputs and %d outputs; %d to %d and %d to %d are expected",
            name ? name : "?", def->name, n_in, n_out, def->min_in, def->max_in, def->min_out, def->max_out);
        return false;
    }
    for (int i = 0; i < n_in; i++) {
        if (in[i] >= (int)graph->n_values || in[i] < -1 || (in[i] == -1 && i < def->min_in)) {
            gn_graph_set_error(graph, GN_EFORMAT, "node %s (%s): input %d is missing", name ? name : "?", def->name, i);
            return false;
        }
    }
    return true;
}

static gn_node *make_node(gn_graph *graph, const gn_op_def *def, const char *name, int n_in, int n_out, int n_attrs)
{
    gn_node *node = gn_arena_alloc(graph->arena, sizeof *node);
    if (!node)
        return NULL;
    node->op = def;
    node->name = unique_name(graph, &graph->node_names, name && *name ? name : def->name);
    node->n_in = n_in;
    node->n_out = n_out;
    node->in = gn_arena_alloc(graph->arena, (size_t)(n_in + 1) * sizeof *node->in);
    node->out = gn_arena_alloc(graph->arena, (size_t)(n_out + 1) * sizeof *node->out);
    node->attrs = gn_arena_alloc(graph->arena, (size_t)(n_attrs + 1) * sizeof *node->attrs);
    return node->name && node->in && node->out && node->attrs ? node : NULL;
}

int gn_graph_add_node(gn_graph *graph, const char *op, const char *domain, const char *name, const int *in, int n_in,
                      int n_out, const gn_attr *attrs, int n_attrs)
{
    if (graph->error.status != GN_OK)
        return -1;
    const gn_op_def *def = gn_op_find(graph->registry, domain, op);
    if (!def) {
        gn_graph_set_error(graph, GN_EUNSUPPORTED, "node %s: operator %s%s%s is not known", name ? name : "?",
                           domain && *domain ? domain : "", domain && *domain ? "." : "", op);
        return -1;
    }
    if (!node_arguments_fit(graph, def, name, in, n_in, n_out))
        return -1;
    gn_node *node = make_node(graph, def, name, n_in, n_out, n_attrs);
    int id = (int)graph->n_nodes;
    if (!node || gn_grow(&graph->nodes, &graph->cap_nodes, graph->n_nodes + 1, sizeof *graph->nodes) != GN_OK ||
        gn_grow(&graph->order, &graph->cap_order, graph->n_nodes + 1, sizeof *graph->order) != GN_OK ||
        gn_name_map_put(&graph->node_names, node->name, id) != GN_OK)
        return out_of_memory(graph);
    if (n_in > 0)
        memcpy(node->in, in, (size_t)n_in * sizeof *in);
    for (int i = 0; i < n_attrs; i++)
        if (gn_node_set_attr(graph, node, &attrs[i]) != GN_OK)
            return out_of_memory(graph);
    for (int i = 0; i < n_out; i++) {
        node->out[i] = add_value(graph, node->name, GN_VALUE_TEMP, GN_DTYPE_NONE, NULL);
        if (node->out[i] < 0)
            return -1;
        graph->values[node->out[i]]->producer = id;
    }
    graph->order[id] =
        id > 0 ? graph->order[id - 1] + 1 : 0; /* nodes are kept sorted by order, so this is the largest */
    graph->nodes[graph->n_nodes++] = node;
    if (gn_node_inputs_known(graph, node)) {
        gn_error err = {0};
        gn_status status = gn_node_infer(graph, node, &err);
        if (status != GN_OK) {
            gn_graph_set_error(graph, status, "%s", err.message);
            return -1;
        }
    }
    return id;
}

int gn_graph_add_op(gn_graph *graph, const char *op, const char *domain, const char *name, const int *in, int n_in,
                    const gn_attr *attrs, int n_attrs)
{
    int node = gn_graph_add_node(graph, op, domain, name, in, n_in, 1, attrs, n_attrs);
    return node < 0 ? node : graph->nodes[node]->out[0];
}

gn_status gn_graph_rename_value(gn_graph *graph, int value, const char *name)
{
    gn_value *v = gn_graph_value_mut(graph, value);
    if (strcmp(v->name, name) == 0)
        return GN_OK;
    if (!*name)
        return gn_graph_set_error(graph, GN_EFORMAT, "value %s: its new name is empty", v->name);
    if (gn_graph_find_value(graph, name) >= 0)
        return gn_graph_set_error(graph, GN_EFORMAT, "two values are named %s", name);
    const char *copy = gn_arena_strdup(graph->arena, name);
    if (!copy || gn_name_map_put(&graph->value_names, copy, value) != GN_OK) {
        out_of_memory(graph);
        return GN_ENOMEM;
    }
    gn_name_map_remove(&graph->value_names, v->name);
    v->name = copy;
    return GN_OK;
}

gn_status gn_graph_name_outputs(gn_graph *graph, int node_id, const char *const *names)
{
    gn_node *node = graph->nodes[node_id];
    /* The names given when the node was made go first: one of them may be what another result is to be called. */
    for (int i = 0; i < node->n_out; i++)
        gn_name_map_remove(&graph->value_names, graph->values[node->out[i]]->name);
    for (int i = 0; i < node->n_out; i++) {
        gn_value *v = graph->values[node->out[i]];
        if (!names[i]) { /* the value stays behind, under a name that nobody asks for */
            v->producer = -1;
            v->name = gn_arena_printf(graph->arena, "(left out %d)", node->out[i]);
            if (!v->name || gn_name_map_put(&graph->value_names, v->name, node->out[i]) != GN_OK) {
                out_of_memory(graph);
                return GN_ENOMEM;
            }
            node->out[i] = -1;
            continue;
        }
        if (!*names[i] || gn_name_map_find(&graph->value_names, names[i]) >= 0)
            return gn_graph_set_error(graph, GN_EFORMAT, "node %s: its result is named \"%.200s\", which is %s",
                                      node->name, names[i], *names[i] ? "taken" : "empty");
        v->name = gn_arena_strdup(graph->arena, names[i]);
        if (!v->name || gn_name_map_put(&graph->value_names, v->name, node->out[i]) != GN_OK) {
            out_of_memory(graph);
            return GN_ENOMEM;
        }
    }
    return GN_OK;
}

gn_status gn_graph_add_output(gn_graph *graph, int value)
{
    if (graph->error.status != GN_OK)
        return graph->error.status;
    GN_ASSERT(value >= 0 && (size_t)value < graph->n_values);
    GN_TRY(gn_grow(&graph->outputs, &graph->cap_outputs, graph->n_outputs + 1, sizeof *graph->outputs));
    graph->outputs[graph->n_outputs++] = value;
    return GN_OK;
}

void gn_graph_clear_outputs(gn_graph *graph)
{
    graph->n_outputs = 0;
}

gn_status gn_graph_add_update(gn_graph *graph, int state, int value)
{
    GN_ASSERT(gn_graph_value(graph, state)->kind == GN_VALUE_STATE &&
              gn_graph_value(graph, value)->kind == GN_VALUE_TEMP);
    GN_TRY(gn_grow(&graph->updates, &graph->cap_updates, graph->n_updates + 1, sizeof *graph->updates));
    graph->updates[graph->n_updates++] = (gn_update){state, value};
    return GN_OK;
}

gn_status gn_graph_meta_set(gn_graph *graph, const char *key, const char *value)
{
    const char *copy = gn_arena_strdup(graph->arena, value);
    if (!copy)
        return GN_ENOMEM;
    for (size_t i = 0; i < graph->n_metas; i++)
        if (strcmp(graph->metas[i].key, key) == 0) {
            graph->metas[i].value = copy;
            return GN_OK;
        }
    GN_TRY(gn_grow(&graph->metas, &graph->cap_metas, graph->n_metas + 1, sizeof *graph->metas));
    const char *key_copy = gn_arena_strdup(graph->arena, key);
    if (!key_copy)
        return GN_ENOMEM;
    graph->metas[graph->n_metas++] = (gn_meta){key_copy, copy};
    return GN_OK;
}

const char *gn_graph_meta_get(const gn_graph *graph, const char *key)
{
    for (size_t i = 0; i < graph->n_metas; i++)
        if (strcmp(graph->metas[i].key, key) == 0)
            return graph->metas[i].value;
    return NULL;
}

void gn_graph_meta_at(const gn_graph *graph, int i, const char **key_out, const char **value_out)
{
    GN_ASSERT(i >= 0 && (size_t)i < graph->n_metas);
    *key_out = graph->metas[i].key;
    *value_out = graph->metas[i].value;
}

/* ---- cloning ---- */

static gn_status clone_value(gn_graph *clone, const gn_value *from, bool copy_data)
{
    int id = add_value(clone, from->name, from->kind, from->dtype, &from->shape);
    if (id < 0)
        return GN_ENOMEM;
    gn_value *to = clone->values[id];
    to->trainable = from->trainable;
    to->producer = from->producer;
    if (from->known) {
        GN_TRY(gn_tensor_copy(from->known, &to->known));
        clone->known_bytes += gn_tensor_bytes(to->known);
    }
    if (!from->data)
        return GN_OK;
    if (copy_data) {
        GN_TRY(gn_tensor_copy(from->data, &to->data));
        gn_status status = gn_graph_keep_tensor(clone, to->data);
        if (status != GN_OK)
            gn_tensor_destroy(&to->data);
        return status;
    }
    gn_tensor *view = gn_arena_alloc(clone->arena, sizeof *view);
    if (!view)
        return GN_ENOMEM;
    *view = *from->data;
    view->owned = false;
    to->data = view;
    return GN_OK;
}

static gn_status clone_node(gn_graph *clone, const gn_node *from)
{
    gn_node *to = make_node(clone, from->op, from->name, from->n_in, from->n_out, from->n_attrs);
    if (!to)
        return GN_ENOMEM;
    memcpy(to->in, from->in, (size_t)from->n_in * sizeof *to->in);
    memcpy(to->out, from->out, (size_t)from->n_out * sizeof *to->out);
    for (int i = 0; i < from->n_attrs; i++)
        GN_TRY(gn_node_set_attr(clone, to, &from->attrs[i]));
    GN_TRY(gn_grow(&clone->nodes, &clone->cap_nodes, clone->n_nodes + 1, sizeof *clone->nodes));
    clone->nodes[clone->n_nodes++] = to;
    return gn_name_map_put(&clone->node_names, to->name, (int)clone->n_nodes - 1);
}

static gn_status clone_ints(int **dst, size_t *n, size_t *capacity, const int *src, size_t count)
{
    GN_TRY(gn_grow(dst, capacity, count, sizeof **dst));
    if (count > 0)
        memcpy(*dst, src, count * sizeof *src);
    *n = count;
    return GN_OK;
}

static gn_status clone_into(gn_graph *c, const gn_graph *g, bool copy_data)
{
    for (size_t i = 0; i < g->n_values; i++)
        GN_TRY(clone_value(c, g->values[i], copy_data));
    for (size_t i = 0; i < g->n_nodes; i++)
        GN_TRY(clone_node(c, g->nodes[i]));
    GN_TRY(gn_grow(&c->order, &c->cap_order, g->n_nodes, sizeof *c->order));
    if (g->n_nodes > 0)
        memcpy(c->order, g->order, g->n_nodes * sizeof *c->order);
    GN_TRY(clone_ints(&c->inputs, &c->n_inputs, &c->cap_inputs, g->inputs, g->n_inputs));
    GN_TRY(clone_ints(&c->outputs, &c->n_outputs, &c->cap_outputs, g->outputs, g->n_outputs));
    for (size_t i = 0; i < g->n_updates; i++)
        GN_TRY(gn_graph_add_update(c, g->updates[i].state, g->updates[i].value));
    for (size_t i = 0; i < g->n_metas; i++)
        GN_TRY(gn_graph_meta_set(c, g->metas[i].key, g->metas[i].value));
    return GN_OK;
}

gn_status gn_graph_clone(const gn_graph *graph, bool copy_data, gn_graph **clone_out)
{
    gn_graph *clone = NULL;
    GN_TRY(gn_graph_create(graph->registry, &clone));
    gn_status status = clone_into(clone, graph, copy_data);
    if (status != GN_OK)
        gn_graph_destroy(&clone);
    else
        *clone_out = clone;
    return status;
}
