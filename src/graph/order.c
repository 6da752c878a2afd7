/* Keeping the node list in topological order, removing nodes, and counting uses.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "graph/graph_internal.h"
#include "graph/passes.h"

int *gn_graph_use_counts(const gn_graph *graph)
{
    int *uses = gn_calloc(graph->n_values + 1, sizeof *uses);
    if (!uses)
        return NULL;
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < graph->nodes[i]->n_in; k++)
            if (graph->nodes[i]->in[k] >= 0)
                uses[graph->nodes[i]->in[k]]++;
    for (size_t i = 0; i < graph->n_outputs; i++)
        uses[graph->outputs[i]]++;
    for (size_t i = 0; i < graph->n_updates; i++)
        uses[graph->updates[i].value]++;
    return uses;
}

gn_status gn_graph_remove_nodes(gn_graph *graph, const bool *gone)
{
    size_t kept = 0;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        gn_node *node = graph->nodes[i];
        if (gone[i])
            gn_name_map_remove(&graph->node_names, node->name);
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0)
                graph->values[node->out[k]]->producer = gone[i] ? -1 : (int)kept;
        if (!gone[i]) {
            graph->order[kept] = graph->order[i];
            graph->nodes[kept++] = node;
        }
    }
    graph->n_nodes = kept;
    return GN_OK;
}

gn_status gn_pass_prune(gn_graph *graph)
{
    bool *gone = gn_calloc(graph->n_nodes + 1, sizeof *gone);
    bool *wanted = gn_calloc(graph->n_values + 1, sizeof *wanted);
    gn_status status = gone && wanted ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        for (size_t i = 0; i < graph->n_outputs; i++)
            wanted[graph->outputs[i]] = true;
        for (size_t i = 0; i < graph->n_updates; i++)
            wanted[graph->updates[i].value] = true;
        for (size_t i = graph->n_nodes; i-- > 0;) {
            const gn_node *node = graph->nodes[i];
            gone[i] = true;
            for (int k = 0; k < node->n_out; k++)
                if (node->out[k] >= 0 && wanted[node->out[k]])
                    gone[i] = false;
            for (int k = 0; k < node->n_in && !gone[i]; k++)
                if (node->in[k] >= 0)
                    wanted[node->in[k]] = true;
        }
        status = gn_graph_remove_nodes(graph, gone);
    }
    gn_free(gone);
    gn_free(wanted);
    return status;
}

void gn_graph_replace_uses(gn_graph *graph, int from, int to)
{
    for (size_t i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < graph->nodes[i]->n_in; k++)
            if (graph->nodes[i]->in[k] == from)
                graph->nodes[i]->in[k] = to;
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == from)
            graph->outputs[i] = to;
    for (size_t i = 0; i < graph->n_updates; i++)
        if (graph->updates[i].value == from)
            graph->updates[i].value = to;
}

static bool is_output(const gn_graph *graph, int value)
{
    for (size_t i = 0; i < graph->n_outputs; i++)
        if (graph->outputs[i] == value)
            return true;
    return false;
}

void gn_graph_swap_names(gn_graph *graph, int a, int b)
{
    const char *name = graph->values[a]->name;
    graph->values[a]->name = graph->values[b]->name;
    graph->values[b]->name = name;
    gn_name_map_set(&graph->value_names, name, b);
    gn_name_map_set(&graph->value_names, graph->values[a]->name, a);
}

void gn_graph_take_place(gn_graph *graph, int from, int to)
{
    if (is_output(graph, from) && !is_output(graph, to) && graph->values[to]->kind == GN_VALUE_TEMP)
        gn_graph_swap_names(graph, from, to);
    gn_graph_replace_uses(graph, from, to);
}

/* ---- topological sort ---- */

/* Edges as a compressed list: node i is waited for by next[first[i] .. first[i+1]-1]. */
typedef struct sorter {
    int n;
    int *waiting; /* predecessors not done yet, per node */
    int *first, *next;
    int *heap, heap_n; /* free nodes, smallest (order, id) on top */
    const int64_t *order;
} sorter;

static bool before(const sorter *s, int a, int b)
{
    return s->order[a] != s->order[b] ? s->order[a] < s->order[b] : a < b;
}

static void heap_push(sorter *s, int node)
{
    int i = s->heap_n++;
    for (; i > 0 && before(s, node, s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = node;
}

static int heap_pop(sorter *s)
{
    int top = s->heap[0], last = s->heap[--s->heap_n], i = 0;
    for (;;) {
        int child = 2 * i + 1;
        if (child >= s->heap_n)
            break;
        if (child + 1 < s->heap_n && before(s, s->heap[child + 1], s->heap[child]))
            child++;
        if (!before(s, s->heap[child], last))
            break;
        s->heap[i] = s->heap[child];
        i = child;
    }
    s->heap[i] = last;
    return top;
}

/* Calls `edge` for every pair (earlier node, later node): producers before consumers, readers of a state before its update. */
static void for_each_edge(const gn_graph *g, void (*edge)(sorter *, int, int), sorter *s)
{
    for (int i = 0; i < (int)g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            int in = g->nodes[i]->in[k];
            if (in < 0)
                continue;
            if (g->values[in]->producer >= 0)
                edge(s, g->values[in]->producer, i);
        }
}

static void count_edge(sorter *s, int from, int to)
{
    s->waiting[to]++;
    s->first[from + 1]++;
}

static void put_edge(sorter *s, int from, int to)
{
    s->next[s->first[from]++] = to;
}

int gn_viewed_value(const gn_graph *g, int value)
{
    for (size_t steps = 0; steps < g->n_nodes; steps++) { /* a bound, for lists that hold a cycle */
        int producer = g->values[value]->producer;
        if (producer < 0 || !g->nodes[producer]->op->is_view || g->nodes[producer]->out[0] != value ||
            g->nodes[producer]->in[0] < 0)
            break;
        value = g->nodes[producer]->in[0];
    }
    return value;
}

/* Updater of each state value, or -1; readers of the state, or of a view of it, must precede it. */
static void state_edges(const gn_graph *g, const int *updater, void (*edge)(sorter *, int, int), sorter *s)
{
    for (int i = 0; i < (int)g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++) {
            int in = g->nodes[i]->in[k] < 0 ? -1 : gn_viewed_value(g, g->nodes[i]->in[k]);
            if (in >= 0 && updater[in] >= 0 && updater[in] != i)
                edge(s, i, updater[in]);
        }
}

/* A node that must run before `node` and has not run. */
static int waits_for(const sorter *s, int node)
{
    for (int i = 0; i < s->n; i++)
        for (int e = i > 0 ? s->first[i - 1] : 0; e < s->first[i]; e++)
            if (s->waiting[i] > 0 && s->next[e] == node)
                return i;
    return node;
}

/* Going back from a node that never became free, one ends on a cycle. */
static gn_status name_cycle(const gn_graph *g, const sorter *s, gn_error *err)
{
    int node = 0;
    while (s->waiting[node] == 0)
        node++;
    for (int i = 0; i < s->n; i++)
        node = waits_for(s, node);
    return gn_fail(err, GN_EFORMAT, "node %s (%s) waits for its own result: the graph has a cycle",
                   g->nodes[node]->name, g->nodes[node]->op->name);
}

static gn_status apply_order(gn_graph *graph, const int *sorted)
{
    if (graph->n_nodes == 0)
        return GN_OK;
    gn_node **nodes = gn_alloc((graph->n_nodes + 1) * sizeof *nodes);
    if (!nodes)
        return GN_ENOMEM;
    memcpy(nodes, graph->nodes, graph->n_nodes * sizeof *nodes);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        graph->nodes[i] = nodes[sorted[i]];
        graph->order[i] = (int64_t)i;
        for (int k = 0; k < graph->nodes[i]->n_out; k++)
            if (graph->nodes[i]->out[k] >= 0)
                graph->values[graph->nodes[i]->out[k]]->producer = (int)i;
    }
    gn_free(nodes);
    return GN_OK;
}

static gn_status sort_with(gn_graph *g, sorter *s, const int *updater, int *sorted, gn_error *err)
{
    for_each_edge(g, count_edge, s);
    state_edges(g, updater, count_edge, s);
    for (int i = 0; i < s->n; i++)
        s->first[i + 1] += s->first[i];
    int n_edges = s->first[s->n];
    s->next = gn_alloc(((size_t)n_edges + 1) * sizeof *s->next);
    if (!s->next)
        return GN_ENOMEM;
    for_each_edge(g, put_edge, s); /* moves first[i] to the end of i's list, that is to the start of i+1's */
    state_edges(g, updater, put_edge, s);
    for (int i = 0; i < s->n; i++)
        if (s->waiting[i] == 0)
            heap_push(s, i);
    int done = 0;
    while (s->heap_n > 0) {
        int node = heap_pop(s);
        sorted[done++] = node;
        for (int e = node > 0 ? s->first[node - 1] : 0; e < s->first[node]; e++)
            if (--s->waiting[s->next[e]] == 0)
                heap_push(s, s->next[e]);
    }
    if (done == s->n)
        return apply_order(g, sorted);
    return name_cycle(g, s, err);
}

gn_status gn_graph_sort(gn_graph *graph, gn_error *err)
{
    size_t n = graph->n_nodes;
    sorter s = {.n = (int)n, .order = graph->order};
    int *sorted = gn_calloc(n + 1, sizeof *sorted), *updater = gn_alloc((graph->n_values + 1) * sizeof *updater);
    s.waiting = gn_calloc(n + 1, sizeof *s.waiting);
    s.first = gn_calloc(n + 2, sizeof *s.first);
    s.heap = gn_calloc(n + 1, sizeof *s.heap);
    gn_status status = sorted && updater && s.waiting && s.first && s.heap ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        for (size_t i = 0; i < graph->n_values; i++)
            updater[i] = -1;
        for (size_t i = 0; i < graph->n_updates; i++)
            updater[graph->updates[i].state] = graph->values[graph->updates[i].value]->producer;
        status = sort_with(graph, &s, updater, sorted, err);
    }
    gn_free(sorted);
    gn_free(updater);
    gn_free(s.waiting);
    gn_free(s.first);
    gn_free(s.next);
    gn_free(s.heap);
    return status;
}
