/* Graph to ONNX model: names, initializers, shapes and metadata around the nodes, and the file.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/onnx_build.h"

/* ---- names and shapes ---- */

/* Outputs keep the names that the model gave them, whatever value computes them after folding. */
static gn_status name_values(gn_onnx_build *b, const gn_graph *model)
{
    int n = gn_graph_value_count(b->graph);
    b->names = gn_onnx_take(b, (size_t)(n + 1) * sizeof *b->names);
    if (!b->names)
        return GN_ENOMEM;
    for (int i = 0; i < n; i++)
        b->names[i] = gn_graph_value(b->graph, i)->name;
    for (int i = 0; i < gn_graph_output_count(b->graph); i++) {
        int now = gn_graph_output(b->graph, i), before = gn_graph_output(model, i);
        if (now == before || gn_graph_value(b->graph, now)->kind != GN_VALUE_TEMP)
            continue;
        b->names[now] = gn_graph_value(model, before)->name;
        if (before < n)
            b->names[before] = gn_onnx_name(b, b->names[now], "before");
    }
    return GN_OK;
}

/* Finds the values that have as many rows as there are objects. */
static gn_status find_counted(gn_onnx_build *b)
{
    b->rows = gn_onnx_take(b, ((size_t)gn_graph_value_count(b->graph) + 1) * sizeof *b->rows);
    for (int i = 0; b->rows && i < gn_graph_node_count(b->graph); i++) {
        const gn_node *node = gn_graph_node(b->graph, i);
        int64_t rows = 0;
        for (int k = 0; k < node->n_in; k++)
            rows = node->in[k] >= 0 && b->rows[node->in[k]] > rows ? b->rows[node->in[k]] : rows;
        if (!*node->op->domain && strcmp(node->op->name, "NonMaxSuppression") == 0)
            rows = gn_graph_value(b->graph, node->out[0])->shape.dim[0];
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0)
                b->rows[node->out[k]] = rows;
    }
    return b->rows ? GN_OK : GN_ENOMEM;
}

static Onnx__ValueInfoProto *make_info(gn_onnx_build *b, int value, const char *name)
{
    const gn_value *v = gn_graph_value(b->graph, value);
    const gn_shape *at2 = b->twin ? &gn_graph_value(b->twin, value)->shape : &v->shape;
    Onnx__ValueInfoProto *info = gn_onnx_take(b, sizeof *info);
    Onnx__TypeProto *type = gn_onnx_take(b, sizeof *type);
    Onnx__TypeProto__Tensor *tensor = gn_onnx_take(b, sizeof *tensor);
    Onnx__TensorShapeProto *shape = gn_onnx_take(b, sizeof *shape);
    Onnx__TensorShapeProto__Dimension **dims = gn_onnx_take(b, GN_MAX_RANK * sizeof *dims);
    if (!info || !type || !tensor || !shape || !dims)
        return NULL;
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(type);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    info->name = gn_onnx_copy(b, name);
    info->type = type;
    type->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    type->tensor_type = tensor;
    tensor->has_elem_type = 1;
    tensor->elem_type = gn_onnx_type_of(v->dtype);
    tensor->shape = shape;
    shape->dim = dims;
    for (int i = 0; i < v->shape.rank; i++) {
        Onnx__TensorShapeProto__Dimension *d = gn_onnx_take(b, sizeof *d);
        if (!d)
            return NULL;
        onnx__tensor_shape_proto__dimension__init(d);
        const bool is_counted = b->rows[value] > 0 && v->shape.dim[i] % b->rows[value] == 0;
        bool is_fixed = !is_counted && v->shape.dim[i] == at2->dim[i],
             is_batch = !is_counted && v->shape.dim[i] == 1 && at2->dim[i] == 2;
        if (is_fixed) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = v->shape.dim[i];
        } else if (is_batch) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = gn_onnx_copy(b, "N");
        }
        dims[shape->n_dim++] = d;
    }
    return info;
}

/* ---- initializers and what is known of the others ---- */

/* A value of the graph by its name in the file. */
typedef struct named_value {
    const char *name;
    int value;
} named_value;

typedef struct usage {
    named_value *index; /* sorted by name */
    size_t n;
    gn_onnx_role *roles; /* per value: what the reader would take it for, by the rule of onnx_normalise.c */
    bool *is_read, *is_computed, *is_output;
} usage;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const named_value *)a)->name, ((const named_value *)b)->name);
}

/* -1: no value of the graph. */
static int find_value(const usage *u, const char *name)
{
    const named_value key = {.name = name};
    const named_value *found = bsearch(&key, u->index, u->n, sizeof key, by_name);
    return found ? found->value : -1;
}

/* Walks the nodes that were written: they may be others than those of the graph. */
static void look_at_nodes(const gn_onnx_build *b, usage *u)
{
    for (size_t i = 0; i < b->n_nodes; i++) {
        const Onnx__NodeProto *node = b->nodes[i];
        for (size_t k = 0; k < node->n_input; k++) {
            const int id = *node->input[k] ? find_value(u, node->input[k]) : -1;
            if (id < 0)
                continue;
            u->is_read[id] = true;
            const gn_tensor *t = b->fixed[id];
            const gn_onnx_role role =
                t ? gn_onnx_role_of(node->op_type, (int)k, t->dtype, gn_tensor_count(t)) : GN_ONNX_ROLE_CONST;
            u->roles[id] = role > u->roles[id] ? role : u->roles[id];
        }
        for (size_t k = 0; k < node->n_output; k++) {
            const int id = *node->output[k] ? find_value(u, node->output[k]) : -1;
            if (id >= 0)
                u->is_computed[id] = true;
        }
    }
}

static gn_status look(gn_onnx_build *b, usage *u)
{
    const size_t n = (size_t)gn_graph_value_count(b->graph);
    *u = (usage){.index = gn_onnx_take(b, (n + 1) * sizeof *u->index),
                 .n = n,
                 .roles = gn_onnx_take(b, (n + 1) * sizeof *u->roles),
                 .is_read = gn_onnx_take(b, n + 1),
                 .is_computed = gn_onnx_take(b, n + 1),
                 .is_output = gn_onnx_take(b, n + 1)};
    if (b->failed)
        return GN_ENOMEM;
    for (size_t i = 0; i < n; i++)
        u->index[i] = (named_value){b->names[i], (int)i};
    qsort(u->index, n, sizeof *u->index, by_name);
    look_at_nodes(b, u);
    for (int i = 0; i < gn_graph_output_count(b->graph); i++)
        u->is_output[gn_graph_output(b->graph, i)] = true;
    return GN_OK;
}

/* Folded weights are constants of the inference form; read back they are weights again. */
static gn_onnx_role role_of_value(const gn_onnx_build *b, int value, gn_onnx_role role_by_use)
{
    const gn_value *v = gn_graph_value(b->graph, value);
    if (v->kind == GN_VALUE_STATE)
        return v->trainable ? GN_ONNX_ROLE_TRAINED : GN_ONNX_ROLE_KEPT;
    return b->is_folded ? role_by_use : GN_ONNX_ROLE_CONST;
}

static gn_status put_values(gn_onnx_build *b)
{
    usage u;
    GN_TRY(look(b, &u));
    for (int i = 0; i < gn_graph_value_count(b->graph); i++) {
        if (b->fixed[i] && u.is_read[i]) {
            const gn_onnx_role role = role_of_value(b, i, u.roles[i]);
            gn_onnx_put_initializer(b, b->names[i], b->fixed[i], role != u.roles[i] ? gn_onnx_role_word(role) : NULL);
        } else if (u.is_computed[i] && !u.is_output[i]) {
            gn_onnx_append_info(b, make_info(b, i, b->names[i]));
        }
    }
    return GN_OK;
}

/* ---- the model ---- */

static void put_metadata(gn_onnx_build *b, Onnx__ModelProto *model, const gn_onnx_write_options *o)
{
    int n = gn_graph_meta_count(b->graph);
    model->metadata_props = gn_onnx_take(b, (size_t)(n + 1) * sizeof *model->metadata_props);
    for (int i = 0; i < n && !b->failed; i++) {
        const char *key, *value;
        gn_graph_meta_at(b->graph, i, &key, &value);
        Onnx__StringStringEntryProto *entry = gn_onnx_take(b, sizeof *entry);
        if (!entry)
            return;
        onnx__string_string_entry_proto__init(entry);
        if (strcmp(key, "gannet.imgsz") == 0 && o->imgsz_w > 0 && o->imgsz_h > 0)
            value = gn_arena_printf(b->arena, "%d,%d", o->imgsz_w, o->imgsz_h);
        entry->key = gn_onnx_copy(b, key);
        entry->value = gn_onnx_copy(b, value ? value : "");
        model->metadata_props[model->n_metadata_props++] = entry;
    }
}

static Onnx__GraphProto *make_graph(gn_onnx_build *b)
{
    int n_in = gn_graph_input_count(b->graph), n_out = gn_graph_output_count(b->graph);
    Onnx__GraphProto *g = gn_onnx_take(b, sizeof *g);
    Onnx__ValueInfoProto **in = gn_onnx_take(b, (size_t)n_in * sizeof *in),
                         **out = gn_onnx_take(b, (size_t)n_out * sizeof *out);
    if (!g || !in || !out)
        return NULL;
    onnx__graph_proto__init(g);
    const char *name = gn_graph_meta_get(b->graph, "gannet.model");
    g->name = gn_onnx_copy(b, name && *name ? name : "gannet");
    g->input = in;
    g->output = out;
    for (int i = 0; i < n_in; i++)
        in[g->n_input++] = make_info(b, gn_graph_input(b->graph, i), b->names[gn_graph_input(b->graph, i)]);
    for (int i = 0; i < n_out; i++)
        out[g->n_output++] = make_info(b, gn_graph_output(b->graph, i), b->output_names[i]);
    g->node = b->nodes;
    g->n_node = b->n_nodes;
    g->initializer = b->initializers;
    g->n_initializer = b->n_initializers;
    g->value_info = b->infos;
    g->n_value_info = b->n_infos;
    return g;
}

/* The version of ONNX's messages that came with an opset. */
static int64_t ir_version_of(int opset)
{
    return opset >= 21 ? 10 : opset >= 19 ? 9 : opset >= 15 ? 8 : opset >= 12 ? 7 : 6;
}

static Onnx__ModelProto *make_model(gn_onnx_build *b, const gn_onnx_write_options *o)
{
    Onnx__ModelProto *model = gn_onnx_take(b, sizeof *model);
    Onnx__OperatorSetIdProto *opset = gn_onnx_take(b, sizeof *opset);
    Onnx__OperatorSetIdProto **imports = gn_onnx_take(b, sizeof *imports);
    if (!model || !opset || !imports)
        return NULL;
    onnx__model_proto__init(model);
    onnx__operator_set_id_proto__init(opset);
    opset->domain = gn_onnx_copy(b, "");
    opset->has_version = 1;
    opset->version = b->opset;
    imports[0] = opset;
    model->opset_import = imports;
    model->n_opset_import = 1;
    model->has_ir_version = 1;
    model->ir_version = ir_version_of(b->opset);
    model->producer_name = gn_onnx_copy(b, "gannet");
    model->producer_version = gn_onnx_copy(b, GN_VERSION);
    model->graph = make_graph(b);
    put_metadata(b, model, o);
    return model;
}

/* A result that no node computes (an input, a constant), or that is given out twice, needs a node of its own in
 * ONNX. */
static gn_status put_direct_outputs(gn_onnx_build *b)
{
    int n = gn_graph_output_count(b->graph);
    b->output_names = gn_onnx_take(b, (size_t)(n + 1) * sizeof *b->output_names);
    if (!b->output_names)
        return GN_ENOMEM;
    for (int i = 0; i < n; i++) {
        int id = gn_graph_output(b->graph, i);
        bool needs_node = b->fixed[id] || gn_graph_value(b->graph, id)->kind != GN_VALUE_TEMP;
        for (int k = 0; k < i; k++)
            needs_node = needs_node || gn_graph_output(b->graph, k) == id;
        b->output_names[i] = b->names[id];
        if (!needs_node)
            continue;
        char part[32];
        snprintf(part, sizeof part, "output%d", i);
        b->output_names[i] = gn_onnx_name(b, b->names[id], part);
        gn_onnx_emit(b, "Identity", b->output_names[i], &b->names[id], 1, &b->output_names[i], 1);
    }
    return GN_OK;
}

static gn_status build_model(gn_onnx_build *b, const gn_graph *model, const gn_onnx_write_options *o,
                             Onnx__ModelProto **model_out)
{
    b->is_folded = o->fold;
    b->decompose = o->decompose;
    b->opset = o->opset ? o->opset : o->decompose ? GN_ONNX_OPSET_DEFAULT : gn_onnx_opset_of(b->graph);
    if (gn_graph_update_count(b->graph) > 0)
        return gn_fail(b->err, GN_EUNSUPPORTED, "this graph is a training step, not a model: ONNX cannot hold it");
    GN_TRY(name_values(b, model));
    GN_TRY(find_counted(b));
    GN_TRY(gn_onnx_choose(b));
    for (int i = 0; i < gn_graph_node_count(b->graph); i++)
        if (b->needs[i])
            GN_TRY(gn_onnx_write_node(b, gn_graph_node(b->graph, i)));
    GN_TRY(put_direct_outputs(b));
    GN_TRY(put_values(b));
    *model_out = make_model(b, o);
    return b->failed || !*model_out ? gn_fail(b->err, GN_ENOMEM, "no memory to write the model") : GN_OK;
}

/* ---- packing ---- */

/* Where protobuf-c's pieces go: gathered in `chunk`, then into a file (or, without one, into `text`). */
typedef struct sink {
    ProtobufCBuffer base;
    gn_writer *file;
    gn_text text;
    gn_error *err;
    gn_status status;
    size_t n;
    uint8_t chunk[32768];
} sink;

static void flush(sink *s)
{
    if (s->status == GN_OK && s->n > 0) {
        if (s->file)
            s->status = gn_writer_write(s->file, s->chunk, s->n, s->err);
        else
            gn_text_add_bytes(&s->text, s->chunk, s->n);
    }
    s->n = 0;
}

static void sink_append(ProtobufCBuffer *base, size_t n, const uint8_t *data)
{
    sink *s = (sink *)base;
    if (n > sizeof s->chunk - s->n)
        flush(s);
    if (n <= sizeof s->chunk - s->n) {
        memcpy(s->chunk + s->n, data, n);
        s->n += n;
    } else if (s->status == GN_OK && s->file) {
        s->status = gn_writer_write(s->file, data, n, s->err);
    } else if (s->status == GN_OK) {
        gn_text_add_bytes(&s->text, data, n);
    }
}

static gn_status pack_model(const Onnx__ModelProto *model, const char *path, void **bytes_out, size_t *n_out,
                            gn_error *err)
{
    sink *s = gn_calloc(1, sizeof *s);
    if (!s)
        return gn_fail(err, GN_ENOMEM, "no memory to write the model");
    s->base.append = sink_append;
    s->err = err;
    gn_text_init(&s->text);
    gn_status status = path ? gn_writer_open(path, &s->file, err) : GN_OK;
    if (status == GN_OK) {
        onnx__model_proto__pack_to_buffer(model, &s->base);
        flush(s);
        status = s->status;
    }
    if (status == GN_OK && path)
        status = gn_writer_commit(&s->file, err);
    else if (s->file)
        gn_writer_abandon(&s->file);
    if (status == GN_OK && !path && (s->text.failed || !s->text.data))
        status = gn_fail(err, GN_ENOMEM, "no memory to write the model");
    if (status == GN_OK && !path) {
        *bytes_out = s->text.data;
        *n_out = s->text.len;
    } else {
        gn_text_deinit(&s->text);
    }
    gn_free(s);
    return status;
}

static gn_status write_model(const gn_graph *graph, const gn_onnx_write_options *options, const char *path,
                             void **bytes_out, size_t *n_out, gn_error *err)
{
    gn_onnx_write_options o = options ? *options : (gn_onnx_write_options){0};
    if (o.opset != 0 && (o.opset < GN_ONNX_OPSET_WRITE_MIN || o.opset > GN_ONNX_OPSET_WRITE_MAX))
        return gn_fail(err, GN_EINVAL, "opset %d: opsets %d to %d of ONNX are written", o.opset,
                       GN_ONNX_OPSET_WRITE_MIN, GN_ONNX_OPSET_WRITE_MAX);
    if (o.batch < 0 || o.batch > GN_ONNX_BATCH_MAX)
        return gn_fail(err, GN_EINVAL, "batch %d: 1 to %d is written, 0 leaves it free", o.batch, GN_ONNX_BATCH_MAX);
    gn_graph *at1 = NULL, *at2 = NULL;
    gn_onnx_build b = {.err = err, .arena = gn_arena_create(0)};
    Onnx__ModelProto *model = NULL;
    gn_status status = b.arena ? gn_onnx_prepare(graph, &o, &at1, &at2, err) : GN_ENOMEM;
    if (status == GN_OK) {
        b.graph = at1;
        b.twin = at2;
        status = build_model(&b, graph, &o, &model);
    }
    if (status == GN_OK)
        status = pack_model(model, path, bytes_out, n_out, err);
    gn_free(b.nodes);
    gn_free(b.initializers);
    gn_free(b.infos);
    gn_arena_destroy(&b.arena);
    gn_graph_destroy(&at1);
    gn_graph_destroy(&at2);
    return status;
}

gn_status gn_onnx_write(const gn_graph *graph, const char *path, const gn_onnx_write_options *options, gn_error *err)
{
    gn_status status = write_model(graph, options, path, NULL, NULL, err);
    if (status != GN_OK && err && !*err->file)
        snprintf(err->file, sizeof err->file, "%s", path);
    return status;
}

gn_status gn_onnx_pack(const gn_graph *graph, const gn_onnx_write_options *options, void **bytes_out, size_t *n_out,
                       gn_error *err)
{
    return write_model(graph, options, NULL, bytes_out, n_out, err);
}
