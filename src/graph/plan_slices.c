/* Concat and Split of channels without copies: in N,H,W,C memory the channels of a part are a slice of every pixel of the whole, so
 * whoever makes the part can write it there with the whole's distance from pixel to pixel, and whoever reads it can read it there.
 * A part is linked only where its producer and all of its readers can do so; the other parts are copied by the handler as before.
 * SPDX-License-Identifier: Apache-2.0 */
#include "graph/plan_slices.h"

#include <string.h>

#include "base/memory.h"
#include "graph/graph_internal.h"

typedef struct use {
    int node, operand;
} use;

typedef struct slicer {
    const gn_graph *graph;
    const gn_plan_target *target;
    gn_plan *plan;
    size_t *first_use; /* per value, and one more: where its uses begin in `uses` */
    use *uses;
    bool *is_pinned; /* per value: an output of the graph or the new value of a state, which others find dense */
} slicer;

static gn_status list_uses(slicer *s)
{
    const gn_graph *g = s->graph;
    size_t n = 0;
    for (size_t i = 0; i < g->n_nodes; i++)
        n += (size_t)g->nodes[i]->n_in;
    s->first_use = gn_calloc(g->n_values + 2, sizeof *s->first_use);
    s->uses = gn_calloc(n + 1, sizeof *s->uses);
    s->is_pinned = gn_calloc(g->n_values + 1, sizeof *s->is_pinned);
    if (!s->first_use || !s->uses || !s->is_pinned)
        return GN_ENOMEM;
    size_t *end = s->first_use + 1; /* counted, summed up, and moved on to the ends while the list fills */
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] >= 0)
                end[g->nodes[i]->in[k] + 1]++;
    for (size_t v = 0; v < g->n_values; v++)
        end[v + 1] += end[v];
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] >= 0)
                s->uses[end[g->nodes[i]->in[k]]++] = (use){(int)i, k};
    for (size_t i = 0; i < g->n_outputs; i++)
        s->is_pinned[g->outputs[i]] = true;
    for (size_t i = 0; i < g->n_updates; i++)
        s->is_pinned[g->updates[i].value] = true;
    return GN_OK;
}

static int64_t channels(const slicer *s, int value)
{
    return s->graph->values[value]->shape.dim[1];
}

/* A result of a node, N,H,W,C in the arena, in a buffer of its own or in a slice. */
static bool is_picture(const slicer *s, int value)
{
    const gn_plan_value *pv = &s->plan->values[value];
    const gn_value *v = s->graph->values[value];
    return v->kind == GN_VALUE_TEMP && v->producer >= 0 && v->dtype == GN_DTYPE_F32 && v->shape.rank == 4 &&
           pv->layout == GN_LAYOUT_NHWC && pv->place == GN_PLACE_ARENA && (pv->of < 0 || pv->is_slice) && pv->bytes > 0;
}

static bool works_on_channels(const slicer *s, const gn_node *node, const char *op, int whole)
{
    if (node->op->domain[0] != '\0' || strcmp(node->op->name, op) != 0 || whole < 0 || !is_picture(s, whole))
        return false;
    const int64_t axis = gn_node_int(node, "axis", 0);
    return axis == 1 || axis == -3;
}

static bool node_takes(const slicer *s, int node, int operand, bool is_output)
{
    const gn_node *n = s->graph->nodes[node];
    return !n->op->is_view && s->target->takes_slice(s->target->ctx, s->graph, n, operand, is_output);
}

static bool readers_take(const slicer *s, int value)
{
    if (s->is_pinned[value])
        return false;
    for (size_t i = s->first_use[value]; i < s->first_use[value + 1]; i++)
        if (!node_takes(s, s->uses[i].node, s->uses[i].operand, false))
            return false;
    return true;
}

static bool producer_takes(const slicer *s, int value)
{
    const int node = s->graph->values[value]->producer;
    const gn_node *n = s->graph->nodes[node];
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] == value)
            return node_takes(s, node, k, true);
    return false;
}

/* May this value, which has a buffer of its own, move into a slice? */
static bool can_move(const slicer *s, int value)
{
    return is_picture(s, value) && s->plan->values[value].of < 0 && producer_takes(s, value) && readers_take(s, value);
}

/* Where a value begins in the picture that holds it. */
typedef struct spot {
    int root;
    int64_t channel;
} spot;

static spot spot_of(const slicer *s, int value)
{
    spot at = {value, 0};
    for (; s->plan->values[at.root].is_slice; at.root = s->plan->values[at.root].of)
        at.channel += (int64_t)(s->plan->values[at.root].shift / sizeof(float));
    return at;
}

static void link_slice(slicer *s, int value, int of, int64_t channel)
{
    gn_plan_value *pv = &s->plan->values[value];
    pv->of = of;
    pv->is_slice = true;
    pv->shift = (size_t)channel * sizeof(float);
}

static void share_split(slicer *s, const gn_node *node)
{
    int64_t channel = 0;
    for (int k = 0; k < node->n_out; k++) {
        const int part = node->out[k];
        if (part < 0)
            return; /* sizes of parts that are left out are not known here */
        if (is_picture(s, part) && s->plan->values[part].of < 0 && readers_take(s, part))
            link_slice(s, part, node->in[0], channel);
        channel += channels(s, part);
    }
}

/* Number of inputs from i on that lie one behind the other in one picture already; *at_out: where the first one does. */
static int run_length(const slicer *s, const gn_node *node, int i, spot *at_out, int64_t *channels_out)
{
    *at_out = spot_of(s, node->in[i]);
    *channels_out = channels(s, node->in[i]);
    int n = 1;
    for (; i + n < node->n_in; n++) {
        const spot next = spot_of(s, node->in[i + n]);
        if (next.root != at_out->root || next.channel != at_out->channel + *channels_out)
            break;
        *channels_out += channels(s, node->in[i + n]);
    }
    return n;
}

/* The members are neighbours in another picture already: so is their concatenation (a dense block joins ever more of them). */
static bool share_neighbours(slicer *s, const gn_node *node)
{
    const int whole = node->out[0];
    spot at;
    int64_t sum;
    if (s->plan->values[whole].of >= 0 || run_length(s, node, 0, &at, &sum) < node->n_in || node->n_in < 2 ||
        !is_picture(s, at.root) || !readers_take(s, whole))
        return false;
    link_slice(s, whole, at.root, at.channel);
    return true;
}

static void share_concat(slicer *s, const gn_node *node)
{
    const int whole = node->out[0];
    if (share_neighbours(s, node))
        return;
    const int host = spot_of(s, whole).root;
    int64_t channel = 0;
    for (int i = 0; i < node->n_in;) {
        spot at;
        int64_t sum;
        const int n = run_length(s, node, i, &at, &sum);
        /* one member, or all parts of a Split in their order: then what was split moves */
        if (at.root != host && at.channel == 0 && sum == channels(s, at.root) && can_move(s, at.root)) {
            link_slice(s, at.root, whole, channel);
            channel += sum;
            i += n;
        } else
            channel += channels(s, node->in[i++]);
    }
}

/* From steps between neighbours to the whole way: shifts from the root, and distances between pixels. */
static void resolve(slicer *s)
{
    gn_plan *plan = s->plan;
    for (int v = 0; v < plan->n_values; v++) {
        if (!plan->values[v].is_slice)
            continue;
        const int64_t all = channels(s, spot_of(s, v).root);
        plan->values[v].stride = all == channels(s, v) ? 0 : (int)all;
    }
    /* in a second array: each shift is summed up from the others' steps */
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].is_slice)
            plan->values[v].offset = (size_t)spot_of(s, v).channel * sizeof(float);
    for (int v = 0; v < plan->n_values; v++)
        if (plan->values[v].is_slice) {
            plan->values[v].shift = plan->values[v].offset;
            plan->values[v].offset = 0;
        }
}

gn_status gn_plan_share_slices(const gn_graph *graph, const gn_plan_target *target, gn_plan *plan)
{
    slicer s = {.graph = graph, .target = target, .plan = plan};
    gn_status status = list_uses(&s);
    for (size_t i = 0; i < graph->n_nodes && status == GN_OK; i++)
        if (works_on_channels(&s, graph->nodes[i], "Split", graph->nodes[i]->in[0]))
            share_split(&s, graph->nodes[i]);
    /* from behind: a Concat of Concats decides first */
    for (size_t i = graph->n_nodes; i-- > 0 && status == GN_OK;)
        if (works_on_channels(&s, graph->nodes[i], "Concat", graph->nodes[i]->out[0]))
            share_concat(&s, graph->nodes[i]);
    if (status == GN_OK)
        resolve(&s);
    gn_free(s.first_use);
    gn_free(s.uses);
    gn_free(s.is_pinned);
    return status;
}
