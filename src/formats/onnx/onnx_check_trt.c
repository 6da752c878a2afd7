/* Walks an ONNX file as TensorRT 8.2's parser would: element types are followed from node to node, each node is judged by
 * the rules of onnx_trt_rules.c, and what is wrong is collected.
 * Source: onnx-tensorrt, branch 8.2-GA: ModelImporter.cpp, onnx2trt_utils.cpp (facts, no code).
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/onnx/onnx_check_trt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/onnx/onnx_trt.h"

/* Subgraphs of If and Loop inside one another. */
#define MAX_SUBGRAPHS 16
#define OPSET_LAST    13
#define OPSET_FIRST   7

static char no_text[1]; /* what a node without an operator has as its name */

struct gn_trt_report {
    gn_onnx_memory memory; /* of the model, whose strings the findings show */
    gn_trt_check check;
};

/* ---- findings ---- */

static const char *name_of_node(const Onnx__NodeProto *node)
{
    if (node->name && *node->name)
        return node->name;
    return node->n_output > 0 && node->output[0] && *node->output[0] ? node->output[0] : "(unnamed)";
}

void gn_trt_find(gn_trt_check *c, gn_trt_level level, const char *name, const char *fix, const char *what, ...)
{
    char text[400];
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    char *copy = gn_arena_strdup(c->arena, text);
    if (!copy || gn_grow(&c->findings, &c->cap_findings, c->n_findings + 1, sizeof *c->findings) != GN_OK) {
        c->failed = true;
        return;
    }
    c->findings[c->n_findings++] =
        (gn_trt_finding){level, name ? name : name_of_node(c->node), name ? "" : c->node->op_type, copy, fix};
}

/* ---- element types ---- */

static const struct {
    int32_t onnx;
    int bit;
    const char *name;
} types[] = {
    {1, TRT_F, "FLOAT"},     {2, 0, "UINT8"},           {3, TRT_8, "INT8"},    {4, 0, "UINT16"},
    {5, 0, "INT16"},         {6, TRT_I, "INT32"},       {7, TRT_I, "INT64"},   {8, 0, "STRING"},
    {9, TRT_B, "BOOL"},      {10, TRT_H, "FLOAT16"},    {11, TRT_F, "DOUBLE"}, {12, 0, "UINT32"},
    {13, 0, "UINT64"},       {14, 0, "COMPLEX64"},      {15, 0, "COMPLEX128"}, {16, 0, "BFLOAT16"},
    {17, 0, "FLOAT8E4M3FN"}, {18, 0, "FLOAT8E4M3FNUZ"}, {19, 0, "FLOAT8E5M2"}, {20, 0, "FLOAT8E5M2FNUZ"},
    {21, 0, "UINT4"},        {22, 0, "INT4"},
};

enum { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT32 = 6, ONNX_INT64 = 7, ONNX_BOOL = 9, ONNX_DOUBLE = 11 };

int gn_trt_type_bit(int32_t onnx_type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].onnx == onnx_type)
            return types[i].bit;
    return 0;
}

const char *gn_trt_type_name(int32_t onnx_type)
{
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (types[i].onnx == onnx_type)
            return types[i].name;
    return "an unknown type";
}

/* ---- values ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const gn_trt_value *)a)->name, ((const gn_trt_value *)b)->name);
}

gn_trt_value *gn_trt_lookup(const gn_trt_check *c, const char *name)
{
    const gn_trt_value key = {.name = name};
    return name && *name && c->n_values ? bsearch(&key, c->values, c->n_values, sizeof key, by_name) : NULL;
}

bool gn_trt_has_in(const gn_trt_check *c, size_t i)
{
    return i < c->node->n_input && c->node->input[i] && *c->node->input[i];
}

const gn_trt_value *gn_trt_in(const gn_trt_check *c, size_t i)
{
    return gn_trt_has_in(c, i) ? gn_trt_lookup(c, c->node->input[i]) : NULL;
}

typedef void (*graph_fn)(gn_trt_check *c, const Onnx__GraphProto *g, int depth);

/* Calls `each` for the subgraphs of a node. */
static void for_subgraphs(gn_trt_check *c, const Onnx__NodeProto *node, int depth, graph_fn each)
{
    for (size_t i = 0; i < node->n_attribute && depth < MAX_SUBGRAPHS; i++) {
        const Onnx__AttributeProto *a = node->attribute[i];
        if (a->g)
            each(c, a->g, depth + 1);
        for (size_t k = 0; k < a->n_graphs; k++)
            each(c, a->graphs[k], depth + 1);
    }
}

static void count_names(gn_trt_check *c, const Onnx__GraphProto *g, int depth)
{
    c->n_values += g->n_initializer + g->n_input;
    for (size_t i = 0; i < g->n_node; i++) {
        if (!g->node[i]->op_type)
            g->node[i]->op_type = no_text;
        c->n_values += g->node[i]->n_output;
        for_subgraphs(c, g->node[i], depth, count_names);
    }
}

static void add_name(gn_trt_check *c, const char *name, int32_t type, int rank, const Onnx__TensorProto *weights,
                     const char *producer)
{
    if (name && *name)
        c->values[c->n_values++] = (gn_trt_value){name, type, rank, weights, producer};
}

/* The stored contents that a Constant gives, or NULL. */
static const Onnx__TensorProto *constant_of(const Onnx__NodeProto *node)
{
    for (size_t i = 0; i < node->n_attribute && strcmp(node->op_type, "Constant") == 0; i++)
        if (node->attribute[i]->name && strcmp(node->attribute[i]->name, "value") == 0)
            return node->attribute[i]->t;
    return NULL;
}

static void add_names(gn_trt_check *c, const Onnx__GraphProto *g, int depth)
{
    for (size_t i = 0; i < g->n_initializer; i++) {
        const Onnx__TensorProto *t = g->initializer[i];
        add_name(c, t->name, t->data_type, (int)t->n_dims, t, NULL);
    }
    for (size_t i = 0; i < g->n_input; i++) {
        const Onnx__TypeProto *type = g->input[i]->type;
        const bool is_tensor = type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
        const Onnx__TensorShapeProto *shape = is_tensor ? type->tensor_type->shape : NULL;
        add_name(c, g->input[i]->name, is_tensor ? type->tensor_type->elem_type : 0, shape ? (int)shape->n_dim : -1,
                 NULL, NULL);
    }
    for (size_t i = 0; i < g->n_node; i++) {
        const Onnx__TensorProto *t = constant_of(g->node[i]);
        for (size_t k = 0; k < g->node[i]->n_output; k++)
            add_name(c, g->node[i]->output[k], t ? t->data_type : 0, t ? (int)t->n_dims : -1, t, g->node[i]->op_type);
        for_subgraphs(c, g->node[i], depth, add_names);
    }
}

/* One entry per name; an initializer wins over the input of old files that it is the default of. */
static void sort_names(gn_trt_check *c)
{
    size_t n = 0;
    if (c->n_values > 1)
        qsort(c->values, c->n_values, sizeof *c->values, by_name);
    for (size_t i = 0; i < c->n_values; i++) {
        if (n > 0 && strcmp(c->values[n - 1].name, c->values[i].name) == 0) {
            if (c->values[i].weights)
                c->values[n - 1] = c->values[i];
            continue;
        }
        c->values[n++] = c->values[i];
    }
    c->n_values = n;
}

/* Types and ranks that the file tells beside the nodes. */
static void read_infos(gn_trt_check *c, const Onnx__GraphProto *g, int depth)
{
    for (size_t i = 0; i < g->n_value_info + g->n_output; i++) {
        const Onnx__ValueInfoProto *info = i < g->n_value_info ? g->value_info[i] : g->output[i - g->n_value_info];
        gn_trt_value *v = gn_trt_lookup(c, info->name);
        if (!v || !info->type || info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
            continue;
        v->type = v->type ? v->type : info->type->tensor_type->elem_type;
        if (v->rank < 0 && info->type->tensor_type->shape)
            v->rank = (int)info->type->tensor_type->shape->n_dim;
    }
    for (size_t i = 0; i < g->n_node; i++)
        for_subgraphs(c, g->node[i], depth, read_infos);
}

/* ---- stored numbers ---- */

int64_t gn_trt_count(const Onnx__TensorProto *t)
{
    if (t->has_data_location && t->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return -1;
    switch (t->data_type) {
    case ONNX_FLOAT:
        return (int64_t)(t->has_raw_data ? t->raw_data.len / 4 : t->n_float_data);
    case ONNX_DOUBLE:
        return (int64_t)(t->has_raw_data ? t->raw_data.len / 8 : t->n_double_data);
    case ONNX_INT64:
        return (int64_t)(t->has_raw_data ? t->raw_data.len / 8 : t->n_int64_data);
    case ONNX_INT32:
        return (int64_t)(t->has_raw_data ? t->raw_data.len / 4 : t->n_int32_data);
    case ONNX_UINT8:
    case 3:
    case ONNX_BOOL:
        return (int64_t)(t->has_raw_data ? t->raw_data.len : t->n_int32_data);
    default:
        return -1;
    }
}

double gn_trt_number(const Onnx__TensorProto *t, int64_t i)
{
    float f;
    double d;
    int64_t l;
    int32_t n;
    const uint8_t *raw = t->raw_data.data;
    switch (t->data_type) {
    case ONNX_FLOAT:
        memcpy(&f, t->has_raw_data ? (const void *)(raw + 4 * i) : (const void *)&t->float_data[i], sizeof f);
        return (double)f;
    case ONNX_DOUBLE:
        memcpy(&d, t->has_raw_data ? (const void *)(raw + 8 * i) : (const void *)&t->double_data[i], sizeof d);
        return d;
    case ONNX_INT64:
        memcpy(&l, t->has_raw_data ? (const void *)(raw + 8 * i) : (const void *)&t->int64_data[i], sizeof l);
        return (double)l;
    case ONNX_INT32:
        memcpy(&n, t->has_raw_data ? (const void *)(raw + 4 * i) : (const void *)&t->int32_data[i], sizeof n);
        return n;
    default:
        n = t->has_raw_data ? raw[i] : t->int32_data[i];
        return t->data_type == 3 ? (double)(int8_t)n : n;
    }
}

/* ---- attributes ---- */

const Onnx__AttributeProto *gn_trt_attr(const gn_trt_check *c, const char *name)
{
    for (size_t i = 0; i < c->node->n_attribute; i++)
        if (c->node->attribute[i]->name && strcmp(c->node->attribute[i]->name, name) == 0)
            return c->node->attribute[i];
    return NULL;
}

int64_t gn_trt_int(const gn_trt_check *c, const char *name, int64_t fallback)
{
    const Onnx__AttributeProto *a = gn_trt_attr(c, name);
    return a ? a->i : fallback;
}

bool gn_trt_is(const gn_trt_check *c, const char *name, const char *fallback, const char *word)
{
    const Onnx__AttributeProto *a = gn_trt_attr(c, name);
    if (!a)
        return strcmp(fallback, word) == 0;
    return a->s.len == strlen(word) && memcmp(a->s.data, word, a->s.len) == 0;
}

/* ---- types of results ---- */

static bool is_one_of(const char *op, const char *list)
{
    const size_t n = strlen(op);
    for (const char *at = strstr(list, op); at && n; at = strstr(at + 1, op))
        if ((at == list || at[-1] == ' ') && (at[n] == ' ' || at[n] == '\0'))
            return true;
    return false;
}

static int32_t type_of_in(const gn_trt_check *c, size_t i)
{
    const gn_trt_value *v = gn_trt_in(c, i);
    return v ? v->type : 0;
}

static int32_t type_of_out(const gn_trt_check *c, size_t i)
{
    const char *op = c->node->op_type;
    if (is_one_of(op, "Cast RandomUniform RandomNormal EyeLike") ||
        is_one_of(op, "RandomUniformLike RandomNormalLike")) {
        const Onnx__AttributeProto *to = gn_trt_attr(c, strcmp(op, "Cast") == 0 ? "to" : "dtype");
        return to ? (int32_t)to->i : strncmp(op, "RandomUniform", 13) == 0 ? ONNX_FLOAT : type_of_in(c, 0);
    }
    if (is_one_of(op, "Shape Size NonZero ArgMax ArgMin NonMaxSuppression") ||
        (i == 1 && is_one_of(op, "TopK MaxPool Unique")))
        return ONNX_INT64;
    if (is_one_of(op, "Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Not IsNaN IsInf") ||
        (i == 1 && strcmp(op, "Dropout") == 0))
        return ONNX_BOOL;
    if (strcmp(op, "ConstantOfShape") == 0) {
        const Onnx__AttributeProto *value = gn_trt_attr(c, "value");
        return value && value->t ? value->t->data_type : ONNX_FLOAT;
    }
    if (strcmp(op, "QuantizeLinear") == 0)
        return gn_trt_has_in(c, 2) ? type_of_in(c, 2) : ONNX_UINT8;
    if (strcmp(op, "DequantizeLinear") == 0)
        return type_of_in(c, 1);
    if (is_one_of(op, "Where OneHot"))
        return type_of_in(c, op[0] == 'W' ? 1 : 2);
    if (is_one_of(op, "If Loop Scan") || strcmp(op, "Constant") == 0)
        return 0;
    return type_of_in(c, 0);
}

/* Operators whose result has the rank of their first input. */
static bool keeps_rank(const char *op)
{
    return is_one_of(
        op, "Relu LeakyRelu Sigmoid Tanh Clip Elu Selu HardSigmoid Softplus PRelu Identity Dropout Cast Exp Log "
            "Sqrt Erf Abs Neg Conv ConvTranspose MaxPool AveragePool GlobalAveragePool BatchNormalization "
            "InstanceNormalization LRN Transpose Pad Slice Resize Upsample Softmax Concat Split");
}

static void follow_types(gn_trt_check *c)
{
    for (size_t i = 0; i < c->node->n_output; i++) {
        gn_trt_value *v = gn_trt_lookup(c, c->node->output[i]);
        if (!v || v->weights)
            continue;
        v->type = v->type ? v->type : type_of_out(c, i);
        const gn_trt_value *x = gn_trt_in(c, 0);
        if (v->rank < 0 && x && keeps_rank(c->node->op_type))
            v->rank = x->rank;
    }
}

/* ---- the model ---- */

static void judge_domain(gn_trt_check *c)
{
    const char *domain = c->node->domain;
    if (domain && *domain && strcmp(domain, "ai.onnx") != 0)
        gn_trt_find(c, GN_TRT_WARNING, NULL, "make sure that ONNX's operator of that name means the same",
                    "its domain is %s; the parser looks at the operator's name only", domain);
}

static void judge_graph(gn_trt_check *c, const Onnx__GraphProto *g, int depth)
{
    for (size_t i = 0; i < g->n_node; i++) {
        c->node = g->node[i];
        c->n_nodes++;
        if (gn_trt_judge(c))
            judge_domain(c);
        else
            gn_trt_judge_unknown(c);
        follow_types(c);
        for_subgraphs(c, g->node[i], depth, judge_graph);
    }
    c->node = NULL;
}

static void judge_ends(gn_trt_check *c, const Onnx__GraphProto *g)
{
    for (size_t i = 0; i < g->n_input + g->n_output; i++) {
        const bool is_input = i < g->n_input;
        const Onnx__ValueInfoProto *info = is_input ? g->input[i] : g->output[i - g->n_input];
        const char *name = info->name ? info->name : "";
        const gn_trt_value *v = gn_trt_lookup(c, name);
        if ((is_input && v && v->weights) || !info->type)
            continue; /* the default of an old file */
        const char *what = is_input ? "input" : "output";
        if (info->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE) {
            gn_trt_find(c, GN_TRT_ERROR, name, "give tensors only", "this %s of the model is no tensor", what);
            continue;
        }
        const int32_t type = info->type->tensor_type->elem_type;
        if (!gn_trt_type_bit(type))
            gn_trt_find(c, GN_TRT_ERROR, name, "cast outside the network: feed and read FLOAT, INT32 or INT8",
                        "this %s of the model is %s, which TensorRT 8.2 does not have", what, gn_trt_type_name(type));
        else if (type == ONNX_INT64 || type == ONNX_DOUBLE)
            gn_trt_find(c, GN_TRT_NOTE, name, type == ONNX_INT64 ? "bind INT32 memory" : "bind FLOAT memory",
                        "this %s of the model is %s; the engine has %s", what, gn_trt_type_name(type),
                        type == ONNX_INT64 ? "INT32" : "FLOAT");
        if (is_input && info->type->tensor_type->shape && info->type->tensor_type->shape->n_dim > 8)
            gn_trt_find(c, GN_TRT_ERROR, name, "reshape it outside the network", "more than 8 dimensions");
    }
}

/* Stored tensors: types that are refused, and integers that do not fit into 32 bits.  The largest 64-bit numbers mean "to
 * the end" and stay that when they are clamped. */
static void judge_weights(gn_trt_check *c, const Onnx__TensorProto *t, const char *name, size_t *n_wide,
                          size_t *n_double)
{
    *n_wide += t->data_type == ONNX_INT64;
    *n_double += t->data_type == ONNX_DOUBLE;
    if (t->data_type != ONNX_UINT8 && !gn_trt_type_bit(t->data_type))
        gn_trt_find(c, GN_TRT_ERROR, name, "store it as FLOAT, FLOAT16, INT32 or INT8",
                    "this stored tensor is %s, which the parser does not read", gn_trt_type_name(t->data_type));
    if (t->n_dims > 8)
        gn_trt_find(c, GN_TRT_ERROR, name, "store it with fewer dimensions",
                    "this stored tensor has %zu dimensions, 8 at most", t->n_dims);
    for (int64_t i = 0; t->data_type == ONNX_INT64 && i < gn_trt_count(t); i++) {
        const double x = gn_trt_number(t, i);
        if ((x > 2147483647.0 && x < 4e18) || (x < -2147483648.0 && x > -4e18)) {
            gn_trt_find(c, GN_TRT_WARNING, name, "keep integers within 32 bits",
                        "this stored tensor holds %.0f, which is clamped to 32 bits", x);
            return;
        }
    }
}

static void judge_initializers(gn_trt_check *c, const Onnx__GraphProto *g)
{
    size_t n_wide = 0, n_double = 0;
    for (size_t i = 0; i < g->n_initializer; i++)
        judge_weights(c, g->initializer[i], g->initializer[i]->name ? g->initializer[i]->name : "", &n_wide, &n_double);
    for (size_t i = 0; i < g->n_node; i++)
        if (constant_of(g->node[i]))
            judge_weights(c, constant_of(g->node[i]), name_of_node(g->node[i]), &n_wide, &n_double);
    if (n_wide)
        gn_trt_find(c, GN_TRT_NOTE, "(stored tensors)", "nothing to do", "%zu are INT64; the parser casts them to INT32",
                    n_wide);
    if (n_double)
        gn_trt_find(c, GN_TRT_WARNING, "(stored tensors)", "store FLOAT",
                    "%zu are DOUBLE; the parser casts them to FLOAT", n_double);
    if (g->n_sparse_initializer)
        gn_trt_find(c, GN_TRT_ERROR, "(stored tensors)", "store dense tensors",
                    "%zu sparse initializers are not read, and nodes that use them not found", g->n_sparse_initializer);
}

static void judge_opset(gn_trt_check *c, const Onnx__ModelProto *model)
{
    for (size_t i = 0; i < model->n_opset_import; i++) {
        const char *domain = model->opset_import[i]->domain;
        if (!domain || !*domain || strcmp(domain, "ai.onnx") == 0)
            c->opset = (int)model->opset_import[i]->version;
    }
    if (c->opset > OPSET_LAST)
        gn_trt_find(
            c, GN_TRT_WARNING, "(model)", "export with opset 13",
            "it follows opset %d; TensorRT 8.2 supports operators up to opset %d, and reads newer ones as if they "
            "were of that one",
            c->opset, OPSET_LAST);
    else if (c->opset < OPSET_FIRST)
        gn_trt_find(c, GN_TRT_WARNING, "(model)", "export with opset 13",
                    "it follows opset %d; TensorRT 8.2 supports operators from opset %d on", c->opset, OPSET_FIRST);
    if (model->n_functions)
        gn_trt_find(c, GN_TRT_ERROR, "(model)", "inline the functions (onnx.inliner)",
                    "it defines %zu functions of its own, which the parser does not look at", model->n_functions);
}

static gn_status judge_model(gn_trt_check *c, const Onnx__ModelProto *model)
{
    count_names(c, model->graph, 0);
    c->values = gn_calloc(c->n_values + 1, sizeof *c->values);
    if (!c->values)
        return GN_ENOMEM;
    c->n_values = 0;
    add_names(c, model->graph, 0);
    sort_names(c);
    read_infos(c, model->graph, 0);
    judge_opset(c, model);
    judge_ends(c, model->graph);
    judge_initializers(c, model->graph);
    judge_graph(c, model->graph, 0);
    return c->failed ? GN_ENOMEM : GN_OK;
}

/* bytes_owned: freed as soon as it is unpacked; NULL when the caller keeps them. */
static gn_status check_bytes(const uint8_t *bytes, size_t n, char *bytes_owned, const char *name,
                             gn_trt_report **report_out, gn_error *err)
{
    gn_trt_report *report = gn_calloc(1, sizeof *report);
    Onnx__ModelProto *model = NULL;
    gn_status status = report ? gn_onnx_scan(&onnx__model_proto__descriptor, bytes, n, name, err) : GN_ENOMEM;
    if (status == GN_OK)
        status = gn_onnx_unpack(bytes, n, name, &report->memory, &model, err);
    gn_free(bytes_owned);
    if (status == GN_OK && !model->graph)
        status = gn_fail_offset(err, GN_EFORMAT, name, -1, "no graph is in this file; is it an ONNX model?");
    if (status == GN_OK) {
        report->check.arena = report->memory.arena;
        status = judge_model(&report->check, model);
    }
    if (status != GN_OK) {
        gn_trt_report_destroy(&report);
        return status == GN_ENOMEM ? gn_fail(err, status, "no memory to check '%s'", name) : status;
    }
    *report_out = report;
    return GN_OK;
}

gn_status gn_onnx_check_trt82_bytes(const void *bytes, size_t n, const char *name, gn_trt_report **report_out,
                                    gn_error *err)
{
    return check_bytes(bytes, n, NULL, name, report_out, err);
}

gn_status gn_onnx_check_trt82(const char *path, gn_trt_report **report_out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, GN_ONNX_MAX_BYTES, &bytes, &n, err));
    return check_bytes((const uint8_t *)bytes, n, bytes, path, report_out, err);
}

void gn_trt_report_destroy(gn_trt_report **report)
{
    if (!report || !*report)
        return;
    gn_free((*report)->check.values);
    gn_free((*report)->check.findings);
    gn_onnx_memory_deinit(&(*report)->memory);
    gn_free(*report);
    *report = NULL;
}

size_t gn_trt_report_count(const gn_trt_report *report)
{
    return report->check.n_findings;
}

const gn_trt_finding *gn_trt_report_at(const gn_trt_report *report, size_t i)
{
    return &report->check.findings[i];
}

size_t gn_trt_report_count_level(const gn_trt_report *report, gn_trt_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < report->check.n_findings; i++)
        n += report->check.findings[i].level == level;
    return n;
}

size_t gn_trt_report_nodes(const gn_trt_report *report)
{
    return report->check.n_nodes;
}

int gn_trt_report_opset(const gn_trt_report *report)
{
    return report->check.opset;
}
