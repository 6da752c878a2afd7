/* Weights of a file into the STATE values of a graph, and what did not fit.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/weights/weights.h"

typedef enum fate { FATE_LEFT_OVER, FATE_LOADED, FATE_MISFIT, FATE_COUNTER, FATE_AUXILIARY, FATE_DROPPED } fate;

typedef struct match {
    const char *name; /* in the graph, after renaming */
    int value;        /* -1: none */
    fate fate;
} match;

typedef struct load {
    gn_graph *graph;
    const gn_weights *weights;
    const gn_weights_load_options *options;
    gn_arena *arena;
    const char *file; /* for error lines */
    match *matches;   /* one per tensor of the file */
    int *source;      /* one per value of the graph: tensor of the file, or -1 */
    gn_weights_report report;
    gn_error *err;
} load;

static gn_status no_memory(const load *l)
{
    return gn_fail_at(l->err, GN_ENOMEM, l->file, 0, "no memory to load the weights");
}

static int find_state(const load *l, const char *name)
{
    const int id = gn_graph_find_value(l->graph, name);
    return id >= 0 && gn_graph_value(l->graph, id)->kind == GN_VALUE_STATE ? id : -1;
}

/* Older densenets of torchvision say denselayer1.norm.1.weight where newer ones say denselayer1.norm1.weight. */
static const char *new_densenet_name(const load *l, const char *name)
{
    static const char *const parts[] = {".norm.1.", ".norm.2.", ".conv.1.", ".conv.2."};
    if (!strstr(name, "denselayer"))
        return NULL;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const char *at = strstr(name, parts[i]);
        if (at)
            return gn_arena_printf(l->arena, "%.*s%.5s%s", (int)(at - name), name, parts[i], at + 6);
    }
    return NULL;
}

static bool is_auxiliary(const char *name)
{
    static const char *const heads[] = {"aux1.", "aux2.", "AuxLogits.", "aux_classifier."};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
        if (gn_has_prefix(name, heads[i]))
            return true;
    return false;
}

/* Counters of PyTorch's normalisation, and numbers that detectors of YOLOv5 and YOLOv8 store but nobody trains: their anchors, which the
 * description of a detector holds, and the distances 0..15 that decoding multiplies by. */
static bool is_not_needed(const char *name)
{
    return gn_has_suffix(name, "num_batches_tracked") || gn_has_suffix(name, ".dfl.conv.weight") ||
           gn_has_suffix(name, ".anchors") || gn_has_suffix(name, ".anchor_grid");
}

static gn_status match_one(load *l, size_t i)
{
    match *m = &l->matches[i];
    const gn_weight *w = gn_weights_at(l->weights, i);
    m->value = -1;
    m->name = gn_weights_rename_apply(l->options->renames, l->options->n_renames, w->name, l->arena);
    if (!m->name)
        return no_memory(l);
    if (!m->name[0]) {
        m->fate = FATE_DROPPED;
        return GN_OK;
    }
    m->value = find_state(l, m->name);
    const char *newer = m->value < 0 ? new_densenet_name(l, m->name) : NULL;
    if (newer && find_state(l, newer) >= 0) {
        m->name = newer;
        m->value = find_state(l, newer);
    }
    if (m->value < 0) {
        m->fate = is_not_needed(m->name) ? FATE_COUNTER : is_auxiliary(m->name) ? FATE_AUXILIARY : FATE_LEFT_OVER;
        return GN_OK;
    }
    if (l->source[m->value] >= 0)
        return gn_fail_at(l->err, GN_EDATA, l->file, 0, "two tensors would become '%.150s': '%.150s' and '%.150s'",
                          m->name, gn_weights_at(l->weights, (size_t)l->source[m->value])->name, w->name);
    l->source[m->value] = (int)i;
    m->fate = gn_shape_equal(&w->shape, &gn_graph_value(l->graph, m->value)->shape) ? FATE_LOADED : FATE_MISFIT;
    return GN_OK;
}

/* ---- the report ---- */

static gn_weights_pair pair_of(const load *l, size_t i)
{
    const match *m = &l->matches[i];
    const gn_weight *w = gn_weights_at(l->weights, i);
    gn_weights_pair pair = {.name = "", .file_name = w->name, .file_shape = w->shape};
    if (m->value >= 0) {
        pair.name = gn_graph_value(l->graph, m->value)->name;
        pair.shape = gn_graph_value(l->graph, m->value)->shape;
    }
    return pair;
}

static gn_status list_missing(load *l)
{
    const int n = gn_graph_value_count(l->graph);
    int count = 0;
    for (int id = 0; id < n; id++)
        count += gn_graph_value(l->graph, id)->kind == GN_VALUE_STATE && l->source[id] < 0;
    gn_weights_pair *pairs = gn_arena_alloc(l->arena, (size_t)(count + 1) * sizeof *pairs);
    if (!pairs)
        return no_memory(l);
    count = 0;
    for (int id = 0; id < n; id++) {
        const gn_value *v = gn_graph_value(l->graph, id);
        if (v->kind == GN_VALUE_STATE && l->source[id] < 0)
            pairs[count++] = (gn_weights_pair){.name = v->name, .file_name = "", .shape = v->shape};
    }
    l->report.missing = pairs;
    l->report.n_missing = count;
    return GN_OK;
}

static gn_status make_report(load *l)
{
    const size_t n = gn_weights_count(l->weights);
    gn_weights_report *r = &l->report;
    int counts[FATE_DROPPED + 1] = {0};
    for (size_t i = 0; i < n; i++)
        counts[l->matches[i].fate]++;
    gn_weights_pair *left = gn_arena_alloc(l->arena, (size_t)(counts[FATE_LEFT_OVER] + 1) * sizeof *left);
    gn_weights_pair *misfit = gn_arena_alloc(l->arena, (size_t)(counts[FATE_MISFIT] + 1) * sizeof *misfit);
    if (!left || !misfit)
        return no_memory(l);
    r->left_over = left;
    r->misfits = misfit;
    for (size_t i = 0; i < n; i++) {
        if (l->matches[i].fate == FATE_LEFT_OVER)
            left[r->n_left_over++] = pair_of(l, i);
        else if (l->matches[i].fate == FATE_MISFIT)
            misfit[r->n_misfits++] = pair_of(l, i);
    }
    r->n_loaded = counts[FATE_LOADED];
    r->n_counters = counts[FATE_COUNTER];
    r->n_auxiliary = counts[FATE_AUXILIARY];
    r->n_dropped = counts[FATE_DROPPED];
    return list_missing(l);
}

static gn_status fail_unfit(const load *l)
{
    const gn_weights_report *r = &l->report;
    char missing[200] = "", left[200] = "", misfit[420] = "", file_shape[128], shape[128];
    if (r->n_missing)
        snprintf(missing, sizeof missing, "%d missing (first '%.120s')", r->n_missing, r->missing[0].name);
    if (r->n_left_over)
        snprintf(left, sizeof left, "%s%d left over (first '%.120s')", r->n_missing ? ", " : "", r->n_left_over,
                 r->left_over[0].file_name);
    if (r->n_misfits) {
        gn_shape_format(&r->misfits[0].file_shape, file_shape);
        gn_shape_format(&r->misfits[0].shape, shape);
        snprintf(misfit, sizeof misfit, "%s%d of another shape (first '%.120s': %s, the network has %s)",
                 r->n_missing || r->n_left_over ? ", " : "", r->n_misfits, r->misfits[0].name, file_shape, shape);
    }
    return gn_fail_at(l->err, GN_ESHAPE, l->file, 0, "the weights do not fit the network: %s%s%s", missing, left,
                      misfit);
}

static gn_status check_report(const load *l)
{
    const gn_weights_report *r = &l->report;
    if (r->n_loaded == 0)
        return gn_fail_at(l->err, GN_ESHAPE, l->file, 0,
                          "none of its %zu tensors has a name and shape of the network (first '%.120s'; the network's "
                          "first '%.120s')",
                          gn_weights_count(l->weights),
                          gn_weights_count(l->weights) ? gn_weights_at(l->weights, 0)->name : "",
                          r->n_missing ? r->missing[0].name : "");
    if (!l->options->is_partial && (r->n_missing || r->n_left_over || r->n_misfits))
        return fail_unfit(l);
    return GN_OK;
}

/* ---- loading ---- */

static gn_status match_all(load *l)
{
    const size_t n = gn_weights_count(l->weights);
    const int n_values = gn_graph_value_count(l->graph);
    l->matches = gn_arena_alloc(l->arena, (n + 1) * sizeof *l->matches);
    l->source = gn_arena_alloc(l->arena, (size_t)(n_values + 1) * sizeof *l->source);
    if (!l->matches || !l->source)
        return no_memory(l);
    for (int id = 0; id < n_values; id++)
        l->source[id] = -1;
    for (size_t i = 0; i < n; i++)
        GN_TRY(match_one(l, i));
    return make_report(l);
}

static gn_status copy_all(const load *l)
{
    for (size_t i = 0; i < gn_weights_count(l->weights); i++)
        if (l->matches[i].fate == FATE_LOADED)
            GN_TRY(gn_weights_read(l->weights, i, gn_graph_value_mut(l->graph, l->matches[i].value)->data, l->err));
    return GN_OK;
}

gn_status gn_weights_load_into(gn_graph *graph, const gn_weights *weights, const gn_weights_load_options *options,
                               gn_arena *arena, gn_weights_report *report_out, gn_error *err)
{
    static const gn_weights_load_options strict = {0};
    load l = {.graph = graph, .weights = weights, .options = options ? options : &strict, .arena = arena, .err = err};
    l.file = gn_weights_name(weights);
    GN_TRY(match_all(&l));
    *report_out = l.report;
    GN_TRY(check_report(&l));
    return copy_all(&l);
}

static void list_text(const gn_weights_pair *pairs, int n, int max_lines, const char *what, gn_text *text)
{
    char shape[128], file_shape[128];
    for (int i = 0; i < n && i < max_lines; i++) {
        gn_shape_format(&pairs[i].shape, shape);
        gn_shape_format(&pairs[i].file_shape, file_shape);
        if (!pairs[i].file_name[0])
            gn_text_printf(text, "%s: %s %s\n", what, pairs[i].name, shape);
        else if (!pairs[i].name[0])
            gn_text_printf(text, "%s: %s %s\n", what, pairs[i].file_name, file_shape);
        else
            gn_text_printf(text, "%s: %s %s, the network has %s\n", what, pairs[i].file_name, file_shape, shape);
    }
    if (n > max_lines)
        gn_text_printf(text, "%s: and %d more\n", what, n - max_lines);
}

void gn_weights_report_text(const gn_weights_report *report, int max_lines, gn_text *text)
{
    list_text(report->missing, report->n_missing, max_lines, "missing", text);
    list_text(report->left_over, report->n_left_over, max_lines, "left over", text);
    list_text(report->misfits, report->n_misfits, max_lines, "another shape", text);
    if (report->n_auxiliary)
        gn_text_printf(text, "dropped: %d tensors of auxiliary heads\n", report->n_auxiliary);
    if (report->n_dropped)
        gn_text_printf(text, "dropped: %d tensors as asked for\n", report->n_dropped);
}
