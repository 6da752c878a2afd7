/* Attributes of nodes: making, copying into the graph's arena, and reading with defaults.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "graph/graph_internal.h"

gn_attr gn_attr_int(const char *name, int64_t i)
{
    return (gn_attr){.name = name, .type = GN_ATTR_INT, .u.i = i};
}

gn_attr gn_attr_float(const char *name, float f)
{
    return (gn_attr){.name = name, .type = GN_ATTR_FLOAT, .u.f = f};
}

gn_attr gn_attr_string(const char *name, const char *s)
{
    return (gn_attr){.name = name, .type = GN_ATTR_STRING, .u.s = s};
}

gn_attr gn_attr_ints(const char *name, const int64_t *ints, int n)
{
    return (gn_attr){.name = name, .type = GN_ATTR_INTS, .n = n, .u.ints = ints};
}

gn_attr gn_attr_floats(const char *name, const float *floats, int n)
{
    return (gn_attr){.name = name, .type = GN_ATTR_FLOATS, .n = n, .u.floats = floats};
}

const gn_attr *gn_node_attr(const gn_node *node, const char *name)
{
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, name) == 0)
            return &node->attrs[i];
    return NULL;
}

int64_t gn_node_int(const gn_node *node, const char *name, int64_t fallback)
{
    const gn_attr *a = gn_node_attr(node, name);
    return a && a->type == GN_ATTR_INT ? a->u.i : fallback;
}

float gn_node_float(const gn_node *node, const char *name, float fallback)
{
    const gn_attr *a = gn_node_attr(node, name);
    return a && a->type == GN_ATTR_FLOAT ? a->u.f : fallback;
}

const char *gn_node_string(const gn_node *node, const char *name, const char *fallback)
{
    const gn_attr *a = gn_node_attr(node, name);
    return a && a->type == GN_ATTR_STRING ? a->u.s : fallback;
}

int gn_node_ints(const gn_node *node, const char *name, int64_t *dst, int n, int64_t fallback)
{
    const gn_attr *a = gn_node_attr(node, name);
    int have = a && a->type == GN_ATTR_INTS ? a->n : 0;
    for (int i = 0; i < n; i++)
        dst[i] = i < have ? a->u.ints[i] : fallback;
    return have;
}

static void *copy_bytes(gn_graph *graph, const void *src, size_t bytes)
{
    void *dst = gn_arena_alloc(graph->arena, bytes + 1);
    if (dst && bytes > 0)
        memcpy(dst, src, bytes);
    return dst;
}

/* Copy of what the attribute points to, in the graph's memory. */
static gn_status copy_attr(gn_graph *graph, const gn_attr *src, gn_attr *dst)
{
    *dst = *src;
    dst->name = gn_arena_strdup(graph->arena, src->name);
    const void *data = dst->name;
    switch (src->type) {
    case GN_ATTR_INT:
    case GN_ATTR_FLOAT:
        break;
    case GN_ATTR_STRING:
        data = dst->u.s = gn_arena_strdup(graph->arena, src->u.s);
        break;
    case GN_ATTR_INTS:
        data = dst->u.ints = copy_bytes(graph, src->u.ints, (size_t)src->n * sizeof *src->u.ints);
        break;
    case GN_ATTR_FLOATS:
        data = dst->u.floats = copy_bytes(graph, src->u.floats, (size_t)src->n * sizeof *src->u.floats);
        break;
    case GN_ATTR_TENSOR: {
        gn_tensor *copy = NULL;
        GN_TRY(gn_tensor_copy(src->u.t, &copy));
        gn_status status = gn_graph_keep_tensor(graph, copy);
        if (status != GN_OK) {
            gn_tensor_destroy(&copy);
            return status;
        }
        data = dst->u.t = copy;
        break;
    }
    }
    return dst->name && data ? GN_OK : GN_ENOMEM;
}

gn_status gn_node_set_attr(gn_graph *graph, gn_node *node, const gn_attr *attr)
{
    gn_attr copy;
    GN_TRY(copy_attr(graph, attr, &copy));
    for (int i = 0; i < node->n_attrs; i++)
        if (strcmp(node->attrs[i].name, attr->name) == 0) {
            node->attrs[i] = copy;
            return GN_OK;
        }
    gn_attr *longer = gn_arena_alloc(graph->arena, (size_t)(node->n_attrs + 2) * sizeof *longer);
    if (!longer)
        return GN_ENOMEM;
    if (node->n_attrs > 0)
        memcpy(longer, node->attrs, (size_t)node->n_attrs * sizeof *longer);
    longer[node->n_attrs] = copy;
    node->attrs = longer;
    node->n_attrs++;
    return GN_OK;
}
