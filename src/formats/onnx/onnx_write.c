/* Graph to ONNX model: binds the shapes, folds when asked, and spells values, nodes and metadata in ONNX's messages.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "formats/onnx/onnx_build.h"
#include "graph/passes.h"

/* ---- memory and small parts ---- */

void *gn_onnx_take(gn_onnx_build *b, size_t bytes)
{
    void *p = gn_arena_alloc(b->arena, bytes ? bytes : 1);
    b->failed = b->failed || !p;
    return p;
}

static char *copy_text(gn_onnx_build *b, const char *s)
{
    char *copy = gn_arena_strdup(b->arena, s);
    b->failed = b->failed || !copy;
    return copy;
}

const char *gn_onnx_name(gn_onnx_build *b, const char *base, const char *part)
{
    const char *name = gn_arena_printf(b->arena, "%s.%s", base, part);
    for (int i = 2; name && gn_graph_find_value(b->graph, name) >= 0; i++)
        name = gn_arena_printf(b->arena, "%s.%s.%d", base, part, i);
    b->failed = b->failed || !name;
    return name ? name : "";
}

/* Appends a pointer to one of the build's lists, whose blocks come from gn_alloc. */
static void append(gn_onnx_build *b, void *list, size_t *n, size_t *capacity, void *item)
{
    if (!item || gn_grow(list, capacity, *n + 1, sizeof(void *)) != GN_OK) {
        b->failed = true;
        return;
    }
    void **items;
    memcpy(&items, list, sizeof items);
    items[(*n)++] = item;
}

Onnx__NodeProto *gn_onnx_emit(gn_onnx_build *b, const char *op, const char *name, const char *const *in, int n_in,
                              const char *out)
{
    Onnx__NodeProto *node = gn_onnx_take(b, sizeof *node);
    char **input = gn_onnx_take(b, (size_t)n_in * sizeof *input);
    char **output = gn_onnx_take(b, sizeof *output);
    Onnx__AttributeProto **attrs = gn_onnx_take(b, GN_ONNX_MAX_ATTRS * sizeof *attrs);
    if (!node || !input || !output || !attrs)
        return NULL;
    onnx__node_proto__init(node);
    node->op_type = copy_text(b, op);
    node->name = copy_text(b, name);
    node->input = input;
    node->n_input = (size_t)n_in;
    for (int i = 0; i < n_in; i++)
        input[i] = copy_text(b, in[i]);
    node->output = output;
    node->n_output = 1;
    output[0] = copy_text(b, out);
    node->attribute = attrs;
    if (b->failed)
        return NULL;
    append(b, &b->nodes, &b->n_nodes, &b->cap_nodes, node);
    return node;
}

static Onnx__TensorProto *make_tensor(gn_onnx_build *b, const char *name, gn_dtype dtype, const gn_shape *shape,
                                      void *data)
{
    Onnx__TensorProto *t = gn_onnx_take(b, sizeof *t);
    int64_t *dims = gn_onnx_take(b, (size_t)shape->rank * sizeof *dims);
    if (!t || !dims)
        return NULL;
    onnx__tensor_proto__init(t);
    t->name = name ? copy_text(b, name) : NULL;
    t->has_data_type = 1;
    t->data_type = gn_onnx_type_of(dtype);
    t->n_dims = (size_t)shape->rank;
    t->dims = dims;
    for (int i = 0; i < shape->rank; i++)
        dims[i] = shape->dim[i];
    t->has_raw_data = 1;
    t->raw_data.len = (size_t)gn_shape_count(shape) * gn_dtype_bytes(dtype);
    t->raw_data.data = data;
    return t;
}

void gn_onnx_put_attr(gn_onnx_build *b, Onnx__NodeProto *node, const gn_attr *attr)
{
    Onnx__AttributeProto *a = node ? gn_onnx_take(b, sizeof *a) : NULL;
    if (!a)
        return;
    GN_ASSERT(node->n_attribute < GN_ONNX_MAX_ATTRS);
    onnx__attribute_proto__init(a);
    a->name = copy_text(b, attr->name);
    a->has_type = 1;
    void *list = NULL;
    switch (attr->type) {
    case GN_ATTR_INT:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT;
        a->has_i = 1;
        a->i = attr->u.i;
        break;
    case GN_ATTR_FLOAT:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT;
        a->has_f = 1;
        a->f = attr->u.f;
        break;
    case GN_ATTR_STRING:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING;
        a->has_s = 1;
        a->s.len = strlen(attr->u.s);
        a->s.data = (uint8_t *)copy_text(b, attr->u.s);
        break;
    case GN_ATTR_INTS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS;
        list = gn_onnx_take(b, (size_t)attr->n * sizeof *a->ints);
        if (list && attr->n > 0)
            memcpy(list, attr->u.ints, (size_t)attr->n * sizeof *a->ints);
        a->ints = list;
        a->n_ints = list ? (size_t)attr->n : 0;
        break;
    case GN_ATTR_FLOATS:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS;
        list = gn_onnx_take(b, (size_t)attr->n * sizeof *a->floats);
        if (list && attr->n > 0)
            memcpy(list, attr->u.floats, (size_t)attr->n * sizeof *a->floats);
        a->floats = list;
        a->n_floats = list ? (size_t)attr->n : 0;
        break;
    case GN_ATTR_TENSOR:
        a->type = ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR;
        a->t = make_tensor(b, NULL, attr->u.t->dtype, &attr->u.t->shape, attr->u.t->data);
        break;
    }
    node->attribute[node->n_attribute++] = a;
}

const char *gn_onnx_put_tensor(gn_onnx_build *b, const char *base, const char *part, const gn_shape *shape, float *data,
                               gn_onnx_role role)
{
    const char *name = gn_onnx_name(b, base, part);
    Onnx__TensorProto *t = make_tensor(b, name, GN_DTYPE_F32, shape, data);
    if (t && role == GN_ONNX_ROLE_CONST)
        t->doc_string = copy_text(b, gn_onnx_role_word(role));
    append(b, &b->initializers, &b->n_initializers, &b->cap_initializers, t);
    return name;
}

/* ---- values ---- */

/* Outputs keep the names that the model gave them, whatever value computes them after folding. */
static gn_status name_values(gn_onnx_build *b, const gn_graph *model)
{
    int n = gn_graph_value_count(b->graph);
    b->names = gn_onnx_take(b, (size_t)(n + 1) * sizeof *b->names);
    b->roles = gn_onnx_take(b, (size_t)(n + 1) * sizeof *b->roles);
    if (!b->names || !b->roles)
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
    info->name = copy_text(b, name);
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
        bool is_fixed = v->shape.dim[i] == at2->dim[i], is_batch = v->shape.dim[i] == 1 && at2->dim[i] == 2;
        if (is_fixed) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            d->dim_value = v->shape.dim[i];
        } else if (is_batch) {
            d->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            d->dim_param = copy_text(b, "N");
        }
        dims[shape->n_dim++] = d;
    }
    return info;
}

/* The role that the reader would give each value, by the rule of onnx_normalise.c. */
static void find_roles(gn_onnx_build *b)
{
    for (int i = 0; i < gn_graph_node_count(b->graph); i++) {
        const gn_node *node = gn_graph_node(b->graph, i);
        bool is_conv = strcmp(node->op->name, "FusedConv") == 0;
        for (int k = 0; k < node->n_in; k++) {
            if (!gn_has_in(node, k))
                continue;
            const gn_value *v = gn_graph_value(b->graph, node->in[k]);
            gn_onnx_role role =
                gn_onnx_role_of(is_conv ? "Conv" : node->op->name, k, v->dtype, gn_shape_count(&v->shape));
            if (role > b->roles[node->in[k]])
                b->roles[node->in[k]] = role;
        }
    }
}

/* Folded weights are constants of the inference form; read back they are weights again. */
static gn_onnx_role role_of_value(const gn_onnx_build *b, int value, bool is_folded)
{
    const gn_value *v = gn_graph_value(b->graph, value);
    if (v->kind == GN_VALUE_STATE)
        return v->trainable ? GN_ONNX_ROLE_TRAINED : GN_ONNX_ROLE_KEPT;
    return is_folded ? b->roles[value] : GN_ONNX_ROLE_CONST;
}

static void put_initializer(gn_onnx_build *b, int value, bool is_folded)
{
    const gn_value *v = gn_graph_value(b->graph, value);
    Onnx__TensorProto *t = make_tensor(b, b->names[value], v->dtype, &v->shape, v->data->data);
    gn_onnx_role role = role_of_value(b, value, is_folded);
    if (t && role != b->roles[value])
        t->doc_string = copy_text(b, gn_onnx_role_word(role));
    append(b, &b->initializers, &b->n_initializers, &b->cap_initializers, t);
}

static gn_status put_values(gn_onnx_build *b, bool is_folded)
{
    int n = gn_graph_value_count(b->graph);
    bool *used = gn_onnx_take(b, (size_t)n + 1), *is_output = gn_onnx_take(b, (size_t)n + 1);
    if (!used || !is_output)
        return GN_ENOMEM;
    for (int i = 0; i < gn_graph_node_count(b->graph); i++) {
        const gn_node *node = gn_graph_node(b->graph, i);
        bool is_scaled = strcmp(node->op->name, "FusedConv") == 0 && gn_has_in(node, GN_ONNX_FUSED_SCALE);
        for (int k = 0; k < node->n_in; k++)
            if (gn_has_in(node, k) && !(is_scaled && (k == 1 || k == GN_ONNX_FUSED_SCALE)))
                used[node->in[k]] = true;
        for (int k = 0; k < node->n_out; k++)
            if (gn_has_out(node, k))
                used[node->out[k]] = true;
    }
    for (int i = 0; i < gn_graph_output_count(b->graph); i++) {
        is_output[gn_graph_output(b->graph, i)] = true;
        used[gn_graph_output(b->graph, i)] = true;
    }
    for (int i = 0; i < n; i++) {
        const gn_value *v = gn_graph_value(b->graph, i);
        if (used[i] && v->data && (v->kind == GN_VALUE_CONST || v->kind == GN_VALUE_STATE))
            put_initializer(b, i, is_folded);
        else if (used[i] && v->kind == GN_VALUE_TEMP && !is_output[i])
            append(b, &b->infos, &b->n_infos, &b->cap_infos, make_info(b, i, b->names[i]));
    }
    return GN_OK;
}

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
        if (shape.rank > 0 && shape.dim[0] < 0)
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

static gn_status prepare(const gn_graph *model, const gn_onnx_write_options *o, int batch, gn_graph **out,
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

/* Folding at a batch must not have put the batch into a constant. */
static gn_status check_twin(const gn_graph *g, const gn_graph *twin, gn_error *err)
{
    bool is_same =
        gn_graph_value_count(g) == gn_graph_value_count(twin) && gn_graph_node_count(g) == gn_graph_node_count(twin);
    for (int i = 0; is_same && i < gn_graph_value_count(g); i++) {
        const gn_value *a = gn_graph_value(g, i), *c = gn_graph_value(twin, i);
        if (a->kind != GN_VALUE_CONST || a->dtype != GN_DTYPE_S64 || !a->data || !c->data)
            continue;
        if (gn_tensor_bytes(a->data) != gn_tensor_bytes(c->data) ||
            memcmp(a->data->data, c->data->data, gn_tensor_bytes(a->data)) != 0)
            return gn_fail(err, GN_EUNSUPPORTED, "constant '%s' would depend on the batch; write a fixed batch",
                           a->name);
    }
    if (!is_same)
        return gn_fail(err, GN_EUNSUPPORTED, "the folded graph would depend on the batch; write a fixed batch");
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
        entry->key = copy_text(b, key);
        entry->value = copy_text(b, value ? value : "");
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
    g->name = copy_text(b, name && *name ? name : "gannet");
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

static Onnx__ModelProto *make_model(gn_onnx_build *b, const gn_onnx_write_options *o)
{
    Onnx__ModelProto *model = gn_onnx_take(b, sizeof *model);
    Onnx__OperatorSetIdProto *opset = gn_onnx_take(b, sizeof *opset);
    Onnx__OperatorSetIdProto **imports = gn_onnx_take(b, sizeof *imports);
    if (!model || !opset || !imports)
        return NULL;
    onnx__model_proto__init(model);
    onnx__operator_set_id_proto__init(opset);
    opset->domain = copy_text(b, "");
    opset->has_version = 1;
    opset->version = b->opset;
    imports[0] = opset;
    model->opset_import = imports;
    model->n_opset_import = 1;
    model->has_ir_version = 1;
    model->ir_version = b->opset >= 15 ? 8 : 7;
    model->producer_name = copy_text(b, "gannet");
    model->producer_version = copy_text(b, GN_VERSION);
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
        bool needs_node = gn_graph_value(b->graph, id)->kind != GN_VALUE_TEMP;
        for (int k = 0; k < i; k++)
            needs_node = needs_node || gn_graph_output(b->graph, k) == id;
        b->output_names[i] = b->names[id];
        if (!needs_node)
            continue;
        char part[32];
        snprintf(part, sizeof part, "output%d", i);
        b->output_names[i] = gn_onnx_name(b, b->names[id], part);
        gn_onnx_emit(b, "Identity", b->output_names[i], &b->names[id], 1, b->output_names[i]);
    }
    return GN_OK;
}

static bool has_hardswish(const gn_graph *g)
{
    for (int i = 0; i < gn_graph_node_count(g); i++)
        if (strcmp(gn_graph_node(g, i)->op->name, "HardSwish") == 0)
            return true;
    return false;
}

static gn_status build_model(gn_onnx_build *b, const gn_graph *model, const gn_onnx_write_options *o,
                             Onnx__ModelProto **model_out)
{
    b->opset = o->opset ? o->opset : has_hardswish(b->graph) ? 14 : GN_ONNX_OPSET_DEFAULT;
    if (gn_graph_update_count(b->graph) > 0)
        return gn_fail(b->err, GN_EUNSUPPORTED, "this graph is a training step, not a model: ONNX cannot hold it");
    GN_TRY(name_values(b, model));
    find_roles(b);
    for (int i = 0; i < gn_graph_node_count(b->graph); i++)
        GN_TRY(gn_onnx_write_node(b, gn_graph_node(b->graph, i)));
    GN_TRY(put_direct_outputs(b));
    GN_TRY(put_values(b, o->fold));
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
    gn_graph *at1 = NULL, *at2 = NULL;
    gn_onnx_build b = {.err = err, .arena = gn_arena_create(0)};
    Onnx__ModelProto *model = NULL;
    gn_status status = b.arena ? prepare(graph, &o, 1, &at1, err) : GN_ENOMEM;
    if (status == GN_OK && !o.is_fixed_batch && has_free_batch(graph)) {
        status = prepare(graph, &o, 2, &at2, err);
        if (status == GN_OK)
            status = check_twin(at1, at2, err);
    }
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
