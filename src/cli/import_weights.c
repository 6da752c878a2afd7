/* Files of weights: listed, converted, or put into a network of the zoo.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/import_weights.h"

#include <inttypes.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "gannet/graph_api.h"
#include "gannet/zoo_api.h"

/* Lines of each list of what does not fit. */
#define MAX_LINES 20
/* of a detector when neither the command line nor the file says so: COCO's */
#define DETECTOR_CLASSES     80
#define MAX_DETECTOR_CLASSES 100000
/* A safetensors file may hold tensors that share memory in a checkpoint; so much more than the checkpoint it may become. */
#define MAX_GROWTH 4

/* ---- --list ---- */

gn_status gn_import_list(const gn_args *args, const gn_weights *weights, gn_error *err)
{
    char shape[128];
    int64_t numbers = 0;
    const size_t n = gn_weights_count(weights);
    if (gn_args_flag(args, "json")) {
        gn_jsonw j;
        gn_jsonw_init(&j);
        gn_jsonw_str(&j, "form", gn_weights_form(weights));
        gn_jsonw_str(&j, "key", gn_weights_key(weights));
        gn_jsonw_array(&j, "tensors");
        for (size_t i = 0; i < n; i++) {
            const gn_weight *w = gn_weights_at(weights, i);
            gn_jsonw_object(&j, NULL);
            gn_jsonw_str(&j, "name", w->name);
            gn_jsonw_str(&j, "dtype", gn_weight_type_name(w->type));
            gn_jsonw_array(&j, "shape");
            for (int d = 0; d < w->shape.rank; d++)
                gn_jsonw_int(&j, NULL, w->shape.dim[d]);
            gn_jsonw_end(&j);
            gn_jsonw_end(&j);
        }
        gn_jsonw_end(&j);
        const gn_status status = gn_jsonw_print(&j);
        return status == GN_OK ? GN_OK : gn_fail(err, status, "the list cannot be written to standard output");
    }
    bool is_written = true;
    for (size_t i = 0; i < n && is_written; i++) {
        const gn_weight *w = gn_weights_at(weights, i);
        gn_shape_format(&w->shape, shape);
        numbers += gn_shape_count(&w->shape);
        is_written = gn_cli_print("%-56s %-5s %s\n", w->name, gn_weight_type_name(w->type), shape);
    }
    is_written = is_written && gn_cli_print("%zu tensors, %" PRId64 " numbers\n", n, numbers);
    return is_written ? GN_OK : gn_fail(err, GN_EIO, "the list cannot be written to standard output");
}

/* ---- renaming ---- */

static gn_status read_renames(const gn_args *args, gn_arena *arena, gn_weights_load_options *options, gn_error *err)
{
    size_t n = 0;
    const char *const *texts = gn_args_list(args, "rename", &n);
    gn_weights_rename *renames = gn_arena_alloc(arena, (n + 1) * sizeof *renames);
    if (!renames)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        GN_TRY(gn_weights_rename_parse(texts[i], arena, &renames[i], err));
    options->renames = renames;
    options->n_renames = n;
    options->is_partial = gn_args_flag(args, "partial");
    return GN_OK;
}

/* ---- to safetensors ---- */

typedef struct conversion {
    gn_safetensors_entry *entries;
    gn_tensor **tensors;
    size_t n;
} conversion;

static gn_status check_growth(const gn_weights *weights, gn_error *err)
{
    uint64_t bytes = 0;
    const int64_t file_bytes = gn_path_bytes(gn_weights_name(weights));
    for (size_t i = 0; i < gn_weights_count(weights); i++) {
        const gn_weight *w = gn_weights_at(weights, i);
        bytes += (uint64_t)gn_shape_count(&w->shape) * gn_dtype_bytes(gn_weight_type_dtype(w->type));
        if (file_bytes > 0 && bytes / MAX_GROWTH > (uint64_t)file_bytes)
            return gn_fail_at(err, GN_ELIMIT, gn_weights_name(weights), 0,
                              "written out, its tensors would need more than %d times the file's %" PRId64 " bytes",
                              MAX_GROWTH, file_bytes);
    }
    return GN_OK;
}

static gn_status read_all(const gn_weights *weights, const gn_weights_load_options *options, gn_arena *arena,
                          conversion *c, gn_error *err)
{
    const size_t n = gn_weights_count(weights);
    c->entries = gn_arena_alloc(arena, (n + 1) * sizeof *c->entries);
    c->tensors = gn_arena_alloc(arena, (n + 1) * sizeof *c->tensors);
    if (!c->entries || !c->tensors)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const gn_weight *w = gn_weights_at(weights, i);
        const char *name = gn_weights_rename_apply(options->renames, options->n_renames, w->name, arena);
        if (name && !name[0])
            continue;
        const gn_status status =
            name ? gn_tensor_create(gn_weight_type_dtype(w->type), &w->shape, &c->tensors[c->n]) : GN_ENOMEM;
        if (status != GN_OK)
            return gn_fail(err, status, "no memory for tensor '%.200s'", w->name);
        c->entries[c->n] = (gn_safetensors_entry){name, c->tensors[c->n]};
        GN_TRY(gn_weights_read(weights, i, c->tensors[c->n++], err));
    }
    return GN_OK;
}

gn_status gn_import_convert(const gn_args *args, const gn_weights *weights, bool renames, const char *path,
                            gn_error *err)
{
    gn_weights_load_options options = {0};
    conversion c = {0};
    gn_arena *arena = gn_arena_create(0);
    gn_status status = arena ? check_growth(weights, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status == GN_OK && renames)
        status = read_renames(args, arena, &options, err);
    if (status == GN_OK)
        status = read_all(weights, &options, arena, &c, err);
    if (status == GN_OK)
        status = gn_safetensors_write(path, c.entries, c.n, NULL, 0, err);
    for (size_t i = 0; i < c.n; i++)
        gn_tensor_destroy(&c.tensors[i]);
    gn_arena_destroy(&arena);
    return status;
}

/* ---- into a network ---- */

/* The weights that make the logits: of the last layer that has any. */
static const gn_value *last_weights(const gn_graph *graph)
{
    int value = gn_graph_output(graph, 0);
    for (;;) {
        const int node = gn_graph_value(graph, value)->producer;
        if (node < 0)
            return NULL;
        const gn_node *layer = gn_graph_node(graph, node);
        if (layer->n_in > 1 && layer->in[1] >= 0) {
            const gn_value *weights = gn_graph_value(graph, layer->in[1]);
            if (weights->kind == GN_VALUE_STATE)
                return weights;
        }
        if (layer->n_in == 0 || layer->in[0] < 0)
            return NULL;
        value = layer->in[0];
    }
}

/* The number of classes that the file's last layer has; `fallback` when it has none of that name and form. */
static gn_status find_classes(const gn_graph *graph, const gn_weights *weights, const gn_weights_load_options *options,
                              gn_arena *arena, int fallback, int *classes_out)
{
    const gn_value *last = last_weights(graph);
    *classes_out = fallback;
    for (size_t i = 0; last && i < gn_weights_count(weights); i++) {
        const gn_weight *w = gn_weights_at(weights, i);
        const char *name = gn_weights_rename_apply(options->renames, options->n_renames, w->name, arena);
        if (!name)
            return GN_ENOMEM;
        if (strcmp(name, last->name) != 0 || w->shape.rank != last->shape.rank)
            continue;
        bool is_alike = w->shape.dim[0] >= 1 && w->shape.dim[0] <= 100000;
        for (int d = 1; d < w->shape.rank; d++)
            is_alike = is_alike && w->shape.dim[d] == last->shape.dim[d];
        if (is_alike)
            *classes_out = (int)w->shape.dim[0];
    }
    return GN_OK;
}

/* The classes of a detector's file, by the biases of its last layers: so many anchors times classes and other numbers. */
static int find_detector_classes(const gn_graph *graph, const gn_weights *weights, int fallback)
{
    static const struct {
        const char *name;
        int anchors, others;
    } layers[] = {{"model.22.cv3.0.2.bias", 1, 0}, {"model.24.m.0.bias", 3, 5},   {"head.class.output.bias", 9, 0},
                  {"layers.105.conv.bias", 3, 5},  {"layers.22.conv.bias", 3, 5}, {"layers.30.conv.bias", 5, 5},
                  {"layers.14.conv.bias", 5, 5}};
    for (size_t k = 0; k < sizeof layers / sizeof *layers; k++)
        for (size_t i = 0; i < gn_weights_count(weights) && gn_graph_find_value(graph, layers[k].name) >= 0; i++) {
            const gn_weight *w = gn_weights_at(weights, i);
            const int64_t each = gn_shape_count(&w->shape) / layers[k].anchors - layers[k].others;
            if (strcmp(w->name, layers[k].name) == 0 && each >= 1 && each <= MAX_DETECTOR_CLASSES)
                return (int)each;
        }
    return fallback;
}

static gn_status zoo_options(const gn_args *args, gn_zoo_options *options, gn_error *err)
{
    gn_cli_size size;
    gn_zoo_entry entry;
    *options = gn_zoo_options_default();
    options->model = gn_args_str(args, "model");
    options->head = gn_args_has(args, "head") ? gn_args_str(args, "head") : "classify";
    options->activation = gn_args_str(args, "activation");
    options->names_json = gn_args_str(args, "names");
    options->classes = gn_args_has(args, "classes") ? gn_args_int(args, "classes") : 1000;
    options->no_weights = true;
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    if (gn_zoo_find(options->model, &entry)) {
        options->width_px = options->height_px = entry.default_px;
        if (entry.is_detector && !gn_args_has(args, "head"))
            options->head = "detect";
        if (entry.is_detector && !gn_args_has(args, "classes"))
            options->classes = DETECTOR_CLASSES;
    }
    if (size.width) {
        options->width_px = size.width;
        options->height_px = size.height;
    }
    return GN_OK;
}

/* Builds the network, and again when the file knows better how many classes it has. */
static gn_status build(const gn_args *args, const gn_weights *weights, const gn_weights_load_options *load,
                       gn_zoo_options *zoo, gn_arena *arena, gn_graph **graph_out, gn_error *err)
{
    GN_TRY(zoo_options(args, zoo, err));
    GN_TRY(gn_zoo_build(zoo, graph_out, err));
    const bool detects = strcmp(zoo->head, "detect") == 0;
    if ((!detects && strcmp(zoo->head, "classify") != 0) || gn_args_has(args, "classes"))
        return GN_OK;
    int classes = zoo->classes;
    gn_status status = GN_OK;
    if (detects)
        classes = find_detector_classes(*graph_out, weights, zoo->classes);
    else
        status = find_classes(*graph_out, weights, load, arena, zoo->classes, &classes);
    if (status != GN_OK)
        return gn_fail(err, status, "out of memory");
    if (classes == zoo->classes)
        return GN_OK;
    zoo->classes = classes;
    gn_graph_destroy(graph_out);
    return gn_zoo_build(zoo, graph_out, err);
}

static void say_report(const gn_weights_report *report)
{
    gn_text text;
    gn_text_init(&text);
    gn_weights_report_text(report, MAX_LINES, &text);
    if (!text.failed && text.len)
        gn_cli_say("%s", text.data);
    gn_text_deinit(&text);
}

static gn_status load(const gn_weights *weights, const gn_weights_load_options *options, gn_zoo_options *zoo,
                      gn_arena *arena, gn_graph **graph, gn_import_counts *counts, gn_error *err)
{
    gn_weights_report report = {0};
    gn_status status = gn_weights_load_into(*graph, weights, options, arena, &report, err);
    if (status == GN_OK || status == GN_ESHAPE)
        say_report(&report);
    if (status == GN_ESHAPE && !options->is_partial && report.n_loaded > 0 && err)
        gn_error_prefix(err, "with --partial what fits is taken");
    if (status == GN_OK && report.n_missing + report.n_misfits > 0) {
        /* What the file lacks begins as in a new network, which takes time that is not spent when it lacks nothing. */
        zoo->no_weights = false;
        gn_graph_destroy(graph);
        status = gn_zoo_build(zoo, graph, err);
        if (status == GN_OK)
            status = gn_weights_load_into(*graph, weights, options, arena, &report, err);
    }
    if (status != GN_OK)
        return status;
    *counts = (gn_import_counts){true, report.n_loaded, report.n_missing + report.n_misfits, report.n_left_over};
    gn_cli_say("%d tensors loaded, %d of %s's are new\n", counts->loaded, counts->fresh, zoo->model);
    return GN_OK;
}

gn_status gn_import_network(const gn_args *args, const gn_weights *weights, gn_graph **graph_out,
                            gn_import_counts *counts_out, gn_error *err)
{
    gn_weights_load_options options = {0};
    gn_zoo_options zoo;
    gn_graph *graph = NULL;
    gn_arena *arena = gn_arena_create(0);
    gn_status status = arena ? read_renames(args, arena, &options, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status == GN_OK)
        status = build(args, weights, &options, &zoo, arena, &graph, err);
    if (status == GN_OK)
        status = load(weights, &options, &zoo, arena, &graph, counts_out, err);
    gn_arena_destroy(&arena);
    if (status != GN_OK)
        gn_graph_destroy(&graph);
    else
        *graph_out = graph;
    return status;
}
