/* What of a graph is written: the sizes are bound, the batch is found by comparing the graph at two batches, what follows
 * from shapes alone is stored, and nodes that nothing needs any more are left out.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "formats/onnx/onnx_build.h"
#include "graph/passes.h"

/* ---- the graph at a batch ---- */

/* Sizes of the free dimensions: the batch, and height and width from the options or the metadata. */
static gn_status bind_shapes(gn_graph *g, const gn_onnx_write_options *o, int batch, gn_error *err)
{
    int w = o->imgsz_w, h = o->imgsz_h;
    const char *imgsz = gn_graph_meta_get(g, "gannet.imgsz");
    bool is_given = w > 0 && h > 0;
    if (!is_given && (!imgsz || sscanf(imgsz, "%6d,%6d", &w, &h) != 2))
        w = h = -1;
    for (int i = 0; i < gn_graph_input_count(g); i++) {
        int id = gn_graph_input(g, i);
        gn_shape shape = gn_graph_value(g, id)->shape;
        if (shape.rank > 0 && (shape.dim[0] < 0 || (o->batch > 0 && i == 0)))
            shape.dim[0] = batch;
        for (int k = 2; k < 4 && shape.rank == 4; k++)
            if (shape.dim[k] < 0 || (is_given && i == 0))
                shape.dim[k] = k == 2 ? h : w;
        if (!gn_shape_known(&shape))
            return gn_fail(err, GN_ESHAPE, "input '%s' has no fixed size; say which with --imgsz",
                           gn_graph_value(g, id)->name);
        GN_TRY(gn_graph_set_input_shape(g, id, &shape));
    }
    return GN_OK;
}

static gn_status prepare_one(const gn_graph *model, const gn_onnx_write_options *o, int batch, gn_graph **out,
                             gn_error *err)
{
    gn_graph *g = NULL;
    gn_status status = gn_graph_clone(model, false, &g);
    if (status != GN_OK)
        return gn_fail(err, status, "no memory to write the model");
    status = bind_shapes(g, o, batch, err);
    if (status == GN_OK)
        status = gn_graph_infer(g, err);
    if (status == GN_OK && o->fold)
        status = gn_pass_inference(g, err);
    if (status == GN_OK && o->fold)
        status = gn_graph_infer(g, err);
    if (status != GN_OK) {
        gn_graph_destroy(&g);
        return status;
    }
    *out = g;
    return GN_OK;
}

static bool has_free_batch(const gn_graph *model)
{
    for (int i = 0; i < gn_graph_input_count(model); i++) {
        const gn_shape *shape = &gn_graph_value(model, gn_graph_input(model, i))->shape;
        if (shape->rank > 0 && shape->dim[0] < 0)
            return true;
    }
    return false;
}

static bool same_contents(const gn_tensor *a, const gn_tensor *b)
{
    const size_t bytes = a && b ? gn_tensor_bytes(a) : 0;
    return a && b && a->dtype == b->dtype && gn_shape_equal(&a->shape, &b->shape) &&
           (bytes == 0 || memcmp(a->data, b->data, bytes) == 0);
}

/* Folding at a batch must not have put the batch into a constant. */
static gn_status check_twin(const gn_graph *g, const gn_graph *twin, gn_error *err)
{
    bool is_same =
        gn_graph_value_count(g) == gn_graph_value_count(twin) && gn_graph_node_count(g) == gn_graph_node_count(twin);
    for (int i = 0; is_same && i < gn_graph_value_count(g); i++) {
        const gn_value *a = gn_graph_value(g, i), *c = gn_graph_value(twin, i);
        if (a->kind == GN_VALUE_CONST && a->dtype == GN_DTYPE_S64 && a->data && !same_contents(a->data, c->data))
            return gn_fail(err, GN_EUNSUPPORTED, "constant '%s' would depend on the batch; write a fixed batch",
                           a->name);
    }
    if (!is_same)
        return gn_fail(err, GN_EUNSUPPORTED, "the folded graph would depend on the batch; write a fixed batch");
    return GN_OK;
}

gn_status gn_onnx_prepare(const gn_graph *model, const gn_onnx_write_options *o, gn_graph **at1_out, gn_graph **at2_out,
                          gn_error *err)
{
    gn_graph *at1 = NULL, *at2 = NULL;
    GN_TRY(prepare_one(model, o, o->batch > 0 ? o->batch : 1, &at1, err));
    gn_status status = GN_OK;
    if (o->batch == 0 && has_free_batch(model)) {
        status = prepare_one(model, o, 2, &at2, err);
        if (status == GN_OK)
            status = check_twin(at1, at2, err);
    }
    if (status != GN_OK) {
        gn_graph_destroy(&at1);
        gn_graph_destroy(&at2);
        return status;
    }
    *at1_out = at1;
    *at2_out = at2;
    return GN_OK;
}

/* ---- shapes for any batch ---- */

static bool is_op(const gn_node *node, const char *name)
{
    return !*node->op->domain && strcmp(node->op->name, name) == 0;
}

/* Does dimension i of x grow with the batch, from `small` to `large`? */
static bool grows_as(const gn_onnx_build *b, int x, int i, int64_t small, int64_t large)
{
    const gn_shape *at1 = &gn_graph_value(b->graph, x)->shape, *at2 = &gn_graph_value(b->twin, x)->shape;
    return i >= 0 && i < at1->rank && at1->dim[i] == small && at2->dim[i] == large;
}

int gn_onnx_free_target(const gn_onnx_build *b, const gn_node *node, int64_t dims[GN_MAX_RANK])
{
    int64_t large[GN_MAX_RANK];
    const bool is_reshape = is_op(node, "Reshape");
    if (!b->is_folded || !b->twin || (!is_reshape && !is_op(node, "Expand")) || gn_node_int(node, "allowzero", 0) != 0)
        return -1;
    const int n = gn_in_const_s64(b->graph, node, 1, dims, GN_MAX_RANK);
    if (n < 0 || gn_in_const_s64(b->twin, node, 1, large, GN_MAX_RANK) != n)
        return -1;
    const int rank = gn_in_shape(b->graph, node, 0)->rank;
    int n_open = 0, open = -1;
    for (int i = 0; i < n; i++)
        n_open += dims[i] < 0;
    for (int i = 0; i < n; i++) {
        if (dims[i] == large[i])
            continue;
        if (is_reshape && grows_as(b, node->in[0], i, dims[i], large[i]))
            dims[i] = 0; /* as in the input */
        else if (!is_reshape && grows_as(b, node->in[0], i + rank - n, dims[i], large[i]))
            dims[i] = 1; /* not widened */
        else if (is_reshape && n_open == 0 && open < 0)
            open = i;
        else
            return -1;
    }
    if (open >= 0)
        dims[open] = -1; /* what is left over */
    return n;
}

/* ---- what is stored, and what is computed ---- */

static void choose_fixed(gn_onnx_build *b)
{
    for (int i = 0; i < gn_graph_value_count(b->graph); i++) {
        const gn_value *v = gn_graph_value(b->graph, i);
        if (v->kind == GN_VALUE_CONST || v->kind == GN_VALUE_STATE)
            b->fixed[i] = v->data;
        else if (b->is_folded && v->kind == GN_VALUE_TEMP && v->known &&
                 (!b->twin || same_contents(v->known, gn_graph_value(b->twin, i)->known)))
            b->fixed[i] = v->known;
    }
}

gn_status gn_onnx_choose(gn_onnx_build *b)
{
    const size_t n_values = (size_t)gn_graph_value_count(b->graph), n_nodes = (size_t)gn_graph_node_count(b->graph);
    bool *wanted = gn_onnx_take(b, n_values + 1);
    b->fixed = gn_onnx_take(b, (n_values + 1) * sizeof *b->fixed);
    b->needs = gn_onnx_take(b, n_nodes + 1);
    if (!wanted || !b->fixed || !b->needs)
        return GN_ENOMEM;
    choose_fixed(b);
    for (int i = 0; i < gn_graph_output_count(b->graph); i++)
        wanted[gn_graph_output(b->graph, i)] = true;
    for (size_t i = n_nodes; i-- > 0;) {
        const gn_node *node = gn_graph_node(b->graph, (int)i);
        bool is_needed = !b->is_folded;
        for (int k = 0; k < node->n_out; k++)
            is_needed = is_needed || (node->out[k] >= 0 && wanted[node->out[k]] && !b->fixed[node->out[k]]);
        b->needs[i] = is_needed;
        int64_t dims[GN_MAX_RANK];
        const bool has_target = is_needed && gn_onnx_free_target(b, node, dims) >= 0;
        for (int k = 0; k < node->n_in && is_needed; k++)
            if (node->in[k] >= 0 && !(has_target && k == 1))
                wanted[node->in[k]] = true;
    }
    return GN_OK;
}
