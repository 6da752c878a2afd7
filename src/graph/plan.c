/* The planner: who shares whose memory, when each buffer is live, and where it lies in the arena.
 * Members of a Concat and parts of a Split lie inside the whole (plan_slices.c).
 * Offsets are given one buffer after the other, each at the lowest place that is free throughout its life; of several orders (largest
 * first, ...) the best is kept (Pisarchyk and Lee 2020, "Efficient memory management for deep neural net inference").
 * SPDX-License-Identifier: Apache-2.0 */
#include "graph/plan.h"

#include <stdlib.h>
#include <string.h>

#include "graph/graph_internal.h"
#include "graph/layout.h"
#include "graph/plan_slices.h"

typedef struct planner {
    gn_graph *graph;
    gn_plan *plan;
    int *last_use; /* per value: last step that reads it (n_steps for outputs), -1 when none */
} planner;

/* ---- what can be planned ---- */

/* Memory is given out by shape, so every shape must be known. */
static gn_status shapes_are_known(const gn_graph *g, gn_error *err)
{
    for (size_t v = 0; v < g->n_values; v++) {
        const gn_value *value = g->values[v];
        if (value->kind == GN_VALUE_TEMP && value->producer < 0)
            continue; /* nobody makes it any more */
        if (value->dtype == GN_DTYPE_NONE || gn_shape_count(&value->shape) < 0)
            return gn_fail(err, GN_ESHAPE, "planning a graph: the shape of value %s is not known", value->name);
    }
    return GN_OK;
}

/* ---- updates of states ---- */

/* May the node that makes `value` write it straight into `state`, although it reads the state? */
static bool may_renew(const gn_graph *g, const gn_node *node, int state, int value)
{
    bool reads = false, overwrites = node->out[0] == value;
    for (int k = 0; k < node->n_in; k++) {
        if (node->in[k] < 0 || gn_viewed_value(g, node->in[k]) != state)
            continue;
        reads = true;
        overwrites = overwrites && node->in[k] == state && k < 32 && (node->op->inplace_in >> k & 1u);
    }
    return !reads || node->op->renews || overwrites;
}

/* Every update must be a value of its own that its producer may write into the state; where it is not, a copy is put between. */
static gn_status separate_updates(gn_graph *g, gn_error *err)
{
    size_t n = g->n_nodes;
    for (size_t i = 0; i < g->n_updates; i++) {
        int state = g->updates[i].state, value = g->updates[i].value;
        const gn_value *s = g->values[state], *v = g->values[value];
        if (s->dtype != v->dtype || !gn_shape_equal(&s->shape, &v->shape))
            return gn_fail(err, GN_ESHAPE, "state %s cannot take the value of %s: their types or shapes differ",
                           s->name, v->name);
        bool taken = v->producer < 0;
        for (size_t k = 0; k < i; k++) {
            if (g->updates[k].state == state)
                return gn_fail(err, GN_EFORMAT, "state %s has two new values, %s and %s", s->name,
                               g->values[g->updates[k].value]->name, v->name);
            taken = taken || g->updates[k].value == value;
        }
        if (!taken && may_renew(g, g->nodes[v->producer], state, value))
            continue;
        int copy = gn_graph_add_op(g, "Identity", "", s->name, &value, 1, NULL, 0);
        if (copy < 0)
            return gn_graph_error(g, err);
        g->updates[i].value = copy;
    }
    return g->n_nodes > n ? gn_graph_sort(g, err) : GN_OK;
}

/* ---- who shares whose memory ---- */

static int root_of(const gn_plan *plan, int value)
{
    while (plan->values[value].of >= 0)
        value = plan->values[value].of;
    return value;
}

static size_t value_bytes(const gn_value *value)
{
    int64_t count = gn_shape_count(&value->shape);
    return count > 0 ? (size_t)count * gn_dtype_bytes(value->dtype) : 0;
}

static void count_last_uses(planner *p)
{
    gn_graph *g = p->graph;
    for (size_t v = 0; v < g->n_values; v++)
        p->last_use[v] = -1;
    for (size_t i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            if (g->nodes[i]->in[k] >= 0)
                p->last_use[g->nodes[i]->in[k]] = (int)i;
    for (size_t i = 0; i < g->n_outputs; i++)
        p->last_use[g->outputs[i]] = (int)g->n_nodes;
}

static void place_sources(planner *p)
{
    for (size_t v = 0; v < p->graph->n_values; v++) {
        gn_value_kind kind = p->graph->values[v]->kind;
        gn_plan_value *pv = &p->plan->values[v];
        pv->bytes = value_bytes(p->graph->values[v]);
        pv->of = pv->first = pv->last = -1;
        if (kind == GN_VALUE_INPUT)
            pv->place = GN_PLACE_INPUT;
        else if (kind == GN_VALUE_CONST || kind == GN_VALUE_STATE)
            pv->place = GN_PLACE_DATA;
    }
    for (size_t i = 0; i < p->graph->n_updates; i++) {
        gn_plan_value *pv = &p->plan->values[p->graph->updates[i].value];
        pv->place = GN_PLACE_STATE;
        pv->of = p->graph->updates[i].state;
    }
}

/* Extends the life of a buffer to the last use of a value that shares it. */
static void live_until(planner *p, int value, int step)
{
    gn_plan_value *root = &p->plan->values[root_of(p->plan, value)];
    if (root->place == GN_PLACE_ARENA && step > root->last)
        root->last = step;
}

/* May output 0 be written over input k at this step? */
static bool can_overwrite(const planner *p, const gn_node *node, int k, int step)
{
    if (k >= 32 || !(node->op->inplace_in >> k & 1u) || !gn_has_in(node, k))
        return false;
    int in_root = root_of(p->plan, node->in[k]);
    const gn_plan_value *root = &p->plan->values[in_root], *out = &p->plan->values[node->out[0]];
    const gn_value *in_value = p->graph->values[node->in[k]], *out_value = p->graph->values[node->out[0]];
    if (root->place != GN_PLACE_ARENA || root->last != step || root->bytes != out->bytes)
        return false;
    if (p->plan->values[node->in[k]].is_slice)
        return false;
    if (in_value->dtype != out_value->dtype || !gn_shape_equal(&in_value->shape, &out_value->shape) ||
        p->plan->values[node->in[k]].layout != out->layout)
        return false;
    for (int i = 0; i < node->n_in; i++)
        if (i != k && node->in[i] >= 0 && node->in[i] != node->in[k] && root_of(p->plan, node->in[i]) == in_root)
            return false;
    for (int i = 0; i < node->n_in; i++)
        if (i != k && node->in[i] == node->in[k] && node->op->layout != GN_LAYOUT_RULE_SAME)
            return false;
    return true;
}

/* Lives of buffers must be complete for all values before a step is looked at, so uses of later views count: a first round gives
 * every value its own buffer or its view, and a second one merges in place. */
static void share_views(planner *p)
{
    for (size_t i = 0; i < p->graph->n_nodes; i++) {
        const gn_node *node = p->graph->nodes[i];
        for (int k = 0; k < node->n_out; k++) {
            if (node->out[k] < 0)
                continue;
            gn_plan_value *pv = &p->plan->values[node->out[k]];
            if (pv->place == GN_PLACE_STATE)
                continue;
            if (k == 0 && node->op->is_view) {
                pv->of = node->in[0];
                pv->place = p->plan->values[root_of(p->plan, node->in[0])].place;
            } else {
                pv->place = GN_PLACE_ARENA;
                pv->first = pv->last = (int)i;
            }
        }
    }
}

static void find_lives(planner *p)
{
    for (size_t v = 0; v < p->graph->n_values; v++) {
        const gn_plan_value *pv = &p->plan->values[v];
        if (pv->is_slice) { /* the first part that is made begins the life of the whole */
            gn_plan_value *root = &p->plan->values[root_of(p->plan, (int)v)];
            root->first = pv->first < root->first ? pv->first : root->first;
            live_until(p, (int)v, pv->last);
        }
        if (p->last_use[v] >= 0)
            live_until(p, (int)v, p->last_use[v]);
    }
}

static void share_in_place(planner *p)
{
    for (size_t i = 0; i < p->graph->n_nodes; i++) {
        const gn_node *node = p->graph->nodes[i];
        if (node->op->inplace_in == 0 || node->n_out == 0 || node->out[0] < 0 || node->op->is_view)
            continue;
        gn_plan_value *out = &p->plan->values[node->out[0]];
        if (out->place != GN_PLACE_ARENA || out->of >= 0)
            continue;
        for (int k = 0; k < node->n_in; k++) {
            if (!can_overwrite(p, node, k, (int)i))
                continue;
            int last = out->last;
            out->of = node->in[k];
            live_until(p, node->in[k], last);
            break;
        }
    }
}

/* ---- where buffers lie ---- */

typedef struct buffer {
    size_t bytes; /* rounded up */
    int first, last;
    int value, step; /* one of them; the other is -1 */
    size_t offset;
} buffer;

/* Orders in which buffers get their offsets; every comparison is a total order, so that plans are the same everywhere. */

static int by_identity(const buffer *x, const buffer *y)
{
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->step < y->step ? -1 : x->step > y->step;
}

static int larger_first(const void *a, const void *b)
{
    const buffer *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return by_identity(x, y);
}

static int longer_first(const void *a, const void *b)
{
    const buffer *x = a, *y = b;
    int x_steps = x->last - x->first, y_steps = y->last - y->first;
    if (x_steps != y_steps)
        return x_steps < y_steps ? 1 : -1;
    return larger_first(a, b);
}

static int wider_first(const void *a, const void *b)
{
    const buffer *x = a, *y = b;
    double x_area = (double)x->bytes * (x->last - x->first + 1), y_area = (double)y->bytes * (y->last - y->first + 1);
    if (x_area < y_area || x_area > y_area)
        return x_area < y_area ? 1 : -1;
    return by_identity(x, y);
}

static int earlier_first(const void *a, const void *b)
{
    const buffer *x = a, *y = b;
    if (x->first != y->first)
        return x->first < y->first ? -1 : 1;
    return larger_first(a, b);
}

static size_t rounded(size_t bytes)
{
    return (bytes + GN_ALIGN_BYTES - 1) / GN_ALIGN_BYTES * GN_ALIGN_BYTES;
}

static size_t collect(const planner *p, buffer *list)
{
    size_t n = 0;
    for (int v = 0; v < p->plan->n_values; v++) {
        const gn_plan_value *pv = &p->plan->values[v];
        if (pv->place == GN_PLACE_ARENA && pv->of < 0 && pv->bytes > 0)
            list[n++] = (buffer){rounded(pv->bytes), pv->first, pv->last, v, -1, 0};
    }
    for (int s = 0; s < p->plan->n_steps; s++)
        if (p->plan->steps[s].scratch_bytes > 0)
            list[n++] = (buffer){rounded(p->plan->steps[s].scratch_bytes), s, s, -1, s, 0};
    return n;
}

/* Lowest offset at which `b` overlaps no placed buffer that is live at the same time.  `placed` is sorted by offset. */
static size_t lowest_gap(const buffer *const *placed, size_t n, const buffer *b)
{
    size_t offset = 0;
    for (size_t i = 0; i < n; i++) {
        if (placed[i]->last < b->first || b->last < placed[i]->first)
            continue;
        if (placed[i]->offset >= offset + b->bytes)
            break;
        size_t end = placed[i]->offset + placed[i]->bytes;
        if (end > offset)
            offset = end;
    }
    return offset;
}

/* Gives every buffer of `list` an offset, in the order of the list; returns the bytes that all of them span. */
static size_t place_in_order(buffer *list, size_t n, const buffer **placed)
{
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        buffer *b = &list[i];
        b->offset = lowest_gap(placed, i, b);
        size_t at = i;
        for (; at > 0 && placed[at - 1]->offset > b->offset; at--)
            placed[at] = placed[at - 1];
        placed[at] = b;
        if (b->offset + b->bytes > end)
            end = b->offset + b->bytes;
    }
    return end;
}

/* No order is best for every graph: all are tried until one needs no more than the largest live set. */
static void place_all(buffer *list, size_t n, const buffer **placed, gn_plan *plan)
{
    static int (*const orders[])(const void *, const void *) = {larger_first, wider_first, longer_first, earlier_first};
    for (size_t k = 0; k < sizeof orders / sizeof *orders; k++) {
        qsort(list, n, sizeof *list, orders[k]);
        size_t bytes = place_in_order(list, n, placed);
        if (k > 0 && bytes >= plan->arena_bytes)
            continue;
        plan->arena_bytes = bytes;
        for (size_t i = 0; i < n; i++)
            if (list[i].value >= 0)
                plan->values[list[i].value].offset = list[i].offset;
            else
                plan->steps[list[i].step].scratch_offset = list[i].offset;
        if (bytes <= plan->live_bytes)
            break;
    }
}

static void sum_live(const buffer *list, size_t n, gn_plan *plan)
{
    for (int s = 0; s < plan->n_steps; s++) {
        size_t live = 0;
        for (size_t i = 0; i < n; i++)
            if (list[i].first <= s && s <= list[i].last)
                live += list[i].bytes;
        if (live > plan->live_bytes) {
            plan->live_bytes = live;
            plan->peak_step = s;
        }
    }
}

static gn_status give_offsets(planner *p)
{
    size_t capacity = (size_t)p->plan->n_values + (size_t)p->plan->n_steps + 1;
    buffer *list = gn_calloc(capacity, sizeof *list);
    const buffer **placed = gn_calloc(capacity, sizeof *placed);
    gn_status status = list && placed ? GN_OK : GN_ENOMEM;
    if (status == GN_OK) {
        size_t n = collect(p, list);
        sum_live(list, n, p->plan);
        place_all(list, n, placed, p->plan);
        for (int v = 0; v < p->plan->n_values; v++) { /* sharers show where they lie, too */
            gn_plan_value *pv = &p->plan->values[v];
            if (pv->of >= 0 && pv->place == GN_PLACE_ARENA)
                pv->offset = p->plan->values[root_of(p->plan, v)].offset + pv->shift;
        }
    }
    gn_free(list);
    gn_free(placed);
    return status;
}

static gn_status allocate_plan(planner *p, gn_layout *layouts)
{
    gn_plan *plan = p->plan;
    plan->n_steps = (int)p->graph->n_nodes;
    plan->n_values = (int)p->graph->n_values;
    plan->steps = gn_calloc(p->graph->n_nodes + 1, sizeof *plan->steps);
    plan->values = gn_calloc(p->graph->n_values + 1, sizeof *plan->values);
    p->last_use = gn_calloc(p->graph->n_values + 1, sizeof *p->last_use);
    if (!plan->steps || !plan->values || !p->last_use)
        return GN_ENOMEM;
    for (int v = 0; v < plan->n_values; v++)
        plan->values[v].layout = layouts[v];
    return GN_OK;
}

gn_status gn_plan_create(gn_graph *graph, const gn_plan_target *target, gn_plan **plan_out, gn_error *err)
{
    planner p = {.graph = graph};
    gn_layout *layouts = NULL;
    GN_TRY(shapes_are_known(graph, err));
    GN_TRY(gn_graph_sort(graph, err));
    GN_TRY(separate_updates(graph, err));
    GN_TRY(gn_layout_assign(graph, target, &layouts, err));
    p.plan = gn_calloc(1, sizeof *p.plan);
    gn_status status = p.plan ? allocate_plan(&p, layouts) : GN_ENOMEM;
    gn_free(layouts);
    if (status == GN_OK) {
        for (int i = 0; i < p.plan->n_steps; i++) {
            p.plan->steps[i].node = i;
            if (target && target->step_scratch_bytes)
                p.plan->steps[i].scratch_bytes = target->step_scratch_bytes(target->ctx, graph, graph->nodes[i]);
        }
        count_last_uses(&p);
        place_sources(&p);
        share_views(&p);
        if (target && target->takes_slice)
            status = gn_plan_share_slices(graph, target, p.plan);
    }
    if (status == GN_OK) {
        find_lives(&p);
        share_in_place(&p);
        status = give_offsets(&p);
    }
    gn_free(p.last_use);
    if (status != GN_OK)
        gn_plan_destroy(&p.plan);
    else
        *plan_out = p.plan;
    return status;
}

void gn_plan_destroy(gn_plan **plan)
{
    if (!plan || !*plan)
        return;
    gn_free((*plan)->steps);
    gn_free((*plan)->values);
    gn_free(*plan);
    *plan = NULL;
}

static void describe_value(const gn_plan *plan, const gn_graph *graph, int value, gn_text *text)
{
    const gn_value *v = graph->values[value];
    const gn_plan_value *pv = &plan->values[value];
    char shape[128];
    gn_shape_format(&v->shape, shape);
    gn_text_printf(text, " %%%s %s%s%s", v->name, gn_dtype_name(v->dtype), shape,
                   pv->layout == GN_LAYOUT_NHWC ? " nhwc" : "");
    switch (pv->place) {
    case GN_PLACE_ARENA:
        gn_text_printf(text, " @%zu+%zu", pv->offset, pv->bytes);
        if (pv->stride > 0)
            gn_text_printf(text, "/%d", pv->stride);
        break;
    case GN_PLACE_INPUT:
        gn_text_add(text, " @input");
        break;
    case GN_PLACE_DATA:
        gn_text_add(text, " @data");
        break;
    case GN_PLACE_STATE:
        gn_text_printf(text, " @state(%s)", graph->values[pv->of]->name);
        break;
    case GN_PLACE_NONE:
        break;
    }
}

void gn_plan_to_text(const gn_plan *plan, const gn_graph *graph, gn_text *text)
{
    gn_text_printf(text, "plan: %d steps, arena %zu bytes, largest live set %zu bytes at step %d\n", plan->n_steps,
                   plan->arena_bytes, plan->live_bytes, plan->peak_step);
    for (int i = 0; i < plan->n_steps; i++) {
        const gn_node *node = graph->nodes[plan->steps[i].node];
        gn_text_printf(text, "%4d %s(%s):", i, node->op->name, node->name);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0)
                describe_value(plan, graph, node->in[k], text);
        gn_text_add(text, " ->");
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0)
                describe_value(plan, graph, node->out[k], text);
        if (plan->steps[i].scratch_bytes > 0)
            gn_text_printf(text, " scratch @%zu+%zu", plan->steps[i].scratch_offset, plan->steps[i].scratch_bytes);
        gn_text_add(text, "\n");
    }
}
