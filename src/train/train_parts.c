/* Backbone, head and layers of a model.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/train_parts.h"

#include <string.h>

#include "base/text.h"
#include "graph/op.h"

#define MAX_LAYERS 100000

gn_status gn_freeze_parse(const char *text, gn_freeze *freeze_out, gn_error *err)
{
    int64_t n = 0;
    if (strcmp(text, "none") == 0)
        *freeze_out = (gn_freeze){.kind = GN_FREEZE_NONE};
    else if (strcmp(text, "backbone") == 0)
        *freeze_out = (gn_freeze){.kind = GN_FREEZE_BACKBONE};
    else if (gn_parse_i64(text, &n) && n >= 0 && n <= MAX_LAYERS)
        *freeze_out = (gn_freeze){.kind = n > 0 ? GN_FREEZE_LAYERS : GN_FREEZE_NONE, .layers = (int)n};
    else
        return gn_fail(err, GN_EUSAGE, "--freeze %.60s: none, backbone or a number of layers was expected", text);
    return GN_OK;
}

static bool is_layer(const gn_graph *graph, const gn_node *node)
{
    static const char *const names[] = {"Conv", "ConvTranspose", "Gemm", "MatMul"};
    bool is_one = false;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        is_one = is_one || strcmp(node->op->name, names[i]) == 0;
    for (int k = 0; k < node->n_in && is_one; k++)
        if (node->in[k] >= 0 && gn_graph_value(graph, node->in[k])->trainable)
            return true;
    return false;
}

gn_status gn_train_layers(const gn_graph *graph, int **layer_out, int *n_layers_out)
{
    int *layer = gn_calloc((size_t)gn_graph_value_count(graph) + 1, sizeof *layer), n = 0;
    if (!layer)
        return GN_ENOMEM;
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        n += is_layer(graph, node);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0 && gn_graph_value(graph, node->in[k])->trainable && layer[node->in[k]] == 0)
                layer[node->in[k]] = n > 0 ? n : 1;
    }
    *layer_out = layer;
    *n_layers_out = n;
    return GN_OK;
}

/* Whether `name` is one of the names between commas. */
static bool is_listed(const char *list, const char *name)
{
    const size_t n = strlen(name);
    while (*list) {
        const size_t length = strcspn(list, ",");
        if (length == n && memcmp(list, name, n) == 0)
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

bool gn_train_is_head(const gn_graph *graph, int value, const int *layers, int n_layers)
{
    const char *list = gn_graph_meta_get(graph, "gannet.head_tensors");
    return list && *list ? is_listed(list, gn_graph_value(graph, value)->name) : layers[value] == n_layers;
}

gn_status gn_train_freeze(gn_graph *graph, const gn_freeze *freeze, int *n_frozen_out, gn_error *err)
{
    int *layers = NULL, n_layers = 0, n_frozen = 0, n_left = 0;
    *n_frozen_out = 0;
    if (freeze->kind == GN_FREEZE_NONE)
        return GN_OK;
    if (gn_train_layers(graph, &layers, &n_layers) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "out of memory counting the layers of the model");
    for (int v = 0; v < gn_graph_value_count(graph); v++) {
        gn_value *value = gn_graph_value_mut(graph, v);
        if (!value->trainable || layers[v] == 0)
            continue;
        const bool stays = freeze->kind == GN_FREEZE_BACKBONE ? !gn_train_is_head(graph, v, layers, n_layers)
                                                              : layers[v] <= freeze->layers;
        value->trainable = !stays;
        n_frozen += stays;
        n_left += !stays;
    }
    gn_free(layers);
    *n_frozen_out = n_frozen;
    if (n_left == 0)
        return gn_fail(err, GN_EUSAGE, "with all %d layers of the model frozen there is nothing left to train",
                       n_layers);
    return GN_OK;
}
