/* Storage of a graph, shared by the files of this folder only.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_GRAPH_GRAPH_INTERNAL_H
#define GN_GRAPH_GRAPH_INTERNAL_H

#include "graph/op.h"

/* Open-addressing map from names to ids; names are borrowed from the arena. */
typedef struct gn_name_map {
    const char **names;
    int *ids;
    size_t capacity, count; /* capacity: power of two, or 0 */
} gn_name_map;

typedef struct gn_meta {
    const char *key, *value;
} gn_meta;

typedef struct gn_update {
    int state, value;
} gn_update;

struct gn_graph {
    const gn_op_registry *registry;
    gn_arena *arena;
    gn_value **values;
    size_t n_values, cap_values;
    gn_node **nodes;
    size_t n_nodes, cap_nodes;
    int64_t *order; /* per node: where it wants to stand; a topological sort respects it among free nodes */
    size_t cap_order;
    int *inputs;
    size_t n_inputs, cap_inputs;
    int *outputs;
    size_t n_outputs, cap_outputs;
    gn_update *updates;
    size_t n_updates, cap_updates;
    gn_meta *metas;
    size_t n_metas, cap_metas;
    gn_tensor **tensors; /* owned */
    size_t n_tensors, cap_tensors;
    gn_name_map value_names, node_names;
    size_t known_bytes; /* of what is known without a run, over all values */
    gn_error error;     /* first failure of a builder call */
};

int gn_name_map_find(const gn_name_map *map, const char *name); /* -1 when absent */
gn_status gn_name_map_put(gn_name_map *map, const char *name, int id);
void gn_name_map_set(gn_name_map *map, const char *name, int id); /* another id for a name that is there */
void gn_name_map_remove(gn_name_map *map, const char *name);
void gn_name_map_deinit(gn_name_map *map);

/* Names all results of a node that was just added; a NULL leaves that result out.  Failures go to the sticky error. */
gn_status gn_graph_name_outputs(gn_graph *graph, int node, const char *const *names);
/* Callers know outputs by name: what takes the place of one takes its name, too. */
void gn_graph_swap_names(gn_graph *graph, int a, int b);
/* As gn_graph_replace_uses; an output of the graph keeps its name. */
void gn_graph_take_place(gn_graph *graph, int from, int to);
/* The graph takes the tensor. */
gn_status gn_graph_keep_tensor(gn_graph *graph, gn_tensor *tensor);
/* Marks values of removed nodes as gone, and sorts nodes topologically: among nodes that are free, by (order, id); a node that
 * produces an update of a state comes after every other reader of that state.  GN_EFORMAT names a node on a cycle. */
gn_status gn_graph_sort(gn_graph *graph, gn_error *err);
/* Drops the nodes whose flag is set and renumbers the rest. */
gn_status gn_graph_remove_nodes(gn_graph *graph, const bool *gone);
/* Evaluates a node whose inputs' contents are known, when it is small: fills `known` of its outputs (fold_constants.c). */
gn_status gn_node_evaluate(gn_graph *graph, const gn_node *node, gn_error *err);
/* Forgets what was known of a node's outputs, of one value. */
void gn_node_forget(gn_graph *graph, const gn_node *node);
void gn_value_forget(gn_graph *graph, gn_value *value);
bool gn_node_inputs_known(const gn_graph *graph, const gn_node *node);
/* The value in whose memory `value` lies when views (Reshape, ...) cost nothing. */
int gn_viewed_value(const gn_graph *graph, int value);
/* Number of uses of each value by nodes, outputs (1 each) and updates (1 each); owned, gn_free. */
int *gn_graph_use_counts(const gn_graph *graph);

#endif
