/* The weights of a model as a safetensors file that torchvision's `load_state_dict` takes as it is: names are its own
 * already, and the counters of BatchNormalization, which nothing here needs, are added.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/weights/safetensors_model.h"

#include "base/memory.h"
#include "formats/weights/safetensors.h"
#include "graph/op.h"

static const char running_mean[] = ".running_mean", counter[] = ".num_batches_tracked";

typedef struct writing {
    const gn_graph *graph;
    gn_arena *arena;
    gn_safetensors_entry *entries;
    size_t n;
    gn_safetensors_meta *meta;
    gn_tensor zero; /* every counter */
    int64_t zero_data;
} writing;

/* "layer1.0.bn1.num_batches_tracked" beside "layer1.0.bn1.running_mean"; NULL: not a running mean, or no memory. */
static const char *counter_name(gn_arena *arena, const char *name, bool *is_counted)
{
    *is_counted = gn_has_suffix(name, running_mean);
    if (!*is_counted)
        return NULL;
    return gn_arena_printf(arena, "%.*s%s", (int)(strlen(name) - strlen(running_mean)), name, counter);
}

static gn_status collect(writing *w)
{
    for (int i = 0; i < gn_graph_value_count(w->graph); i++) {
        const gn_value *v = gn_graph_value(w->graph, i);
        if (v->kind != GN_VALUE_STATE)
            continue;
        w->entries[w->n++] = (gn_safetensors_entry){v->name, v->data};
        bool is_counted;
        const char *name = counter_name(w->arena, v->name, &is_counted);
        if (is_counted && !name)
            return GN_ENOMEM;
        if (is_counted && gn_graph_find_value(w->graph, name) < 0)
            w->entries[w->n++] = (gn_safetensors_entry){name, &w->zero};
    }
    for (int i = 0; i < gn_graph_meta_count(w->graph); i++)
        gn_graph_meta_at(w->graph, i, &w->meta[i].key, &w->meta[i].value);
    return GN_OK;
}

gn_status gn_safetensors_write_model(const char *path, const gn_graph *graph, gn_error *err)
{
    const size_t n_values = (size_t)gn_graph_value_count(graph), n_meta = (size_t)gn_graph_meta_count(graph);
    const gn_shape scalar = {0};
    writing w = {.graph = graph,
                 .arena = gn_arena_create(0),
                 .entries = gn_calloc(2 * n_values + 1, sizeof *w.entries),
                 .meta = gn_calloc(n_meta + 1, sizeof *w.meta)};
    w.zero = gn_tensor_view(GN_DTYPE_S64, &scalar, &w.zero_data);
    gn_status status = w.arena && w.entries && w.meta ? collect(&w) : GN_ENOMEM;
    if (status == GN_OK)
        status = gn_safetensors_write(path, w.entries, w.n, w.meta, n_meta, err);
    else
        gn_fail(err, status, "no memory to write the weights");
    gn_free(w.entries);
    gn_free(w.meta);
    gn_arena_destroy(&w.arena);
    return status;
}
