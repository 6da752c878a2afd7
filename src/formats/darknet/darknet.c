/* From .cfg and .weights to a graph: walks the sections, checks the whole, fills in the numbers, says what the model is.
 * SPDX-License-Identifier: Apache-2.0 */
#include "formats/darknet/darknet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/darknet/darknet_build.h"
#include "formats/darknet/darknet_names.h"
#include "ops/ops.h"

#define MAX_SIDE     8192
#define MAX_CHANNELS 65536
#define EPSILON      1e-5f

/* ---- what layers use ---- */

void gn_darknet_fail(gn_darknet_build *b, gn_status status, const char *fmt, ...)
{
    char text[400];
    va_list args;
    if (b->status != GN_OK)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    b->status = gn_fail_at(b->err, status, b->cfg->name, b->section->line, "layer %d, [%.40s]: %s", b->index,
                           b->section->name, text);
}

void gn_darknet_note(gn_darknet_build *b, const char *fmt, ...)
{
    char text[400];
    va_list args;
    if (!b->notes)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    gn_text_printf(b->notes, "layer %d, [%s]: %s\n", b->index, b->section->name, text);
}

int gn_darknet_int(gn_darknet_build *b, const char *key, int fallback, int low, int high)
{
    const gn_darknet_option *o = gn_darknet_find(b->section, key);
    int64_t x = fallback;
    if (o && (!gn_parse_i64(o->value, &x) || x < low || x > high)) {
        gn_darknet_fail(b, GN_EFORMAT, "%s=%.40s in line %d, a whole number in %d..%d was expected", key, o->value,
                        o->line, low, high);
        return low > fallback ? low : fallback;
    }
    return (int)x;
}

double gn_darknet_real(gn_darknet_build *b, const char *key, double fallback)
{
    const gn_darknet_option *o = gn_darknet_find(b->section, key);
    double x = fallback;
    if (o && !gn_parse_f64(o->value, &x))
        gn_darknet_fail(b, GN_EFORMAT, "%s=%.40s in line %d, a number was expected", key, o->value, o->line);
    return x;
}

const char *gn_darknet_text(const gn_darknet_build *b, const char *key, const char *fallback)
{
    const gn_darknet_option *o = gn_darknet_find(b->section, key);
    return o ? o->value : fallback;
}

int gn_darknet_layer_list(gn_darknet_build *b, const char *key, int *dst, int max)
{
    const gn_darknet_option *o = gn_darknet_find(b->section, key);
    int n = 0;
    if (!o) {
        gn_darknet_fail(b, GN_EFORMAT, "it does not say %s=", key);
        return 0;
    }
    for (const char *s = o->value; *s; n++) {
        char *end = NULL;
        const long from = strtol(s, &end, 10), at = from < 0 ? b->index + from : from;
        if (end == s || (*end && *end != ',') || n == max || at < 0 || at >= b->index) {
            gn_darknet_fail(b, GN_EFORMAT, "%s=%.80s in line %d, up to %d numbers of layers before it were expected",
                            key, o->value, o->line, max);
            return 0;
        }
        if (b->layers[at].is_detection) {
            gn_darknet_fail(b, GN_EUNSUPPORTED, "it reads the result of detection layer %ld", at);
            return 0;
        }
        dst[n] = (int)at;
        s = *end ? end + 1 : end;
    }
    if (n == 0)
        gn_darknet_fail(b, GN_EFORMAT, "%s= in line %d names no layer", key, o->line);
    return n;
}

const char *gn_darknet_name(gn_darknet_build *b, const char *what)
{
    const char *name = gn_arena_printf(gn_graph_arena(b->graph), "layers.%d.%s", b->index, what);
    if (!name)
        gn_darknet_fail(b, GN_ENOMEM, "out of memory");
    return name ? name : what;
}

int gn_darknet_state(gn_darknet_build *b, const char *what, const gn_shape *shape, bool trainable,
                     gn_darknet_order order, float start, double spread)
{
    const int64_t count = gn_shape_count(shape);
    if (b->status != GN_OK)
        return -1;
    if (count <= 0 || count > b->max_numbers - b->numbers) {
        if (b->weights_name)
            gn_darknet_fail(b, GN_EFORMAT, "%.150s ends before its weights (is it truncated, or of another .cfg?)",
                            b->weights_name);
        else
            gn_darknet_fail(b, GN_ELIMIT, "with its weights the network needs more than %lld numbers, the limit",
                            (long long)b->max_numbers);
        return -1;
    }
    if (gn_grow(&b->slots, &b->cap_slots, b->n_slots + 1, sizeof *b->slots) != GN_OK) {
        gn_darknet_fail(b, GN_ENOMEM, "out of memory");
        return -1;
    }
    const char *name = gn_darknet_name(b, what);
    const int id = b->is_dry ? gn_graph_add_input(b->graph, name, GN_DTYPE_F32, shape)
                             : gn_graph_add_state(b->graph, name, GN_DTYPE_F32, shape, trainable);
    if (id < 0) {
        gn_darknet_fail(b, GN_ENOMEM, "no memory for its weights");
        return -1;
    }
    b->numbers += count;
    b->slots[b->n_slots++] = (gn_darknet_slot){id, order, b->section, NULL, start, spread};
    return id;
}

int gn_darknet_op(gn_darknet_build *b, const char *op, const char *what, const int *in, int n_in, const gn_attr *attrs,
                  int n_attrs)
{
    if (b->status != GN_OK)
        return -1;
    return gn_graph_add_op(b->graph, op, "", gn_darknet_name(b, what), in, n_in, attrs, n_attrs);
}

int gn_darknet_reshape(gn_darknet_build *b, const char *what, int value, const int64_t *dim, int rank)
{
    const int in[2] = {value, b->status == GN_OK ? gn_graph_add_const_s64(b->graph, NULL, rank, dim) : -1};
    return gn_darknet_op(b, "Reshape", what, in, 2, NULL, 0);
}

int gn_darknet_transpose(gn_darknet_build *b, const char *what, int value, const int64_t *perm, int rank)
{
    const gn_attr attr = gn_attr_ints("perm", perm, rank);
    return gn_darknet_op(b, "Transpose", what, &value, 1, &attr, 1);
}

/* ---- the network ---- */

static void read_net(gn_darknet_build *b)
{
    b->section = &b->cfg->sections[0];
    if (strcmp(b->section->name, "net") != 0 && strcmp(b->section->name, "network") != 0) {
        gn_darknet_fail(b, GN_EFORMAT, "the first section should be [net]");
        return;
    }
    b->net_w = gn_darknet_int(b, "width", 0, 1, MAX_SIDE);
    b->net_h = gn_darknet_int(b, "height", 0, 1, MAX_SIDE);
    b->net_c = gn_darknet_int(b, "channels", 0, 1, MAX_CHANNELS);
    b->has_letter_box = gn_darknet_int(b, "letter_box", 0, 0, 1) != 0;
    if (b->status == GN_OK && (!b->net_w || !b->net_h || !b->net_c))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "width, height and channels of its pictures are not told");
    if (b->status != GN_OK)
        return;
    const gn_shape images = gn_shape_make(4, -1, b->net_c, b->net_h, b->net_w);
    const int id = gn_graph_add_input(b->graph, "images", GN_DTYPE_F32, &images);
    b->x = (gn_darknet_feature){id, b->net_c, b->net_h, b->net_w, false, false};
}

static void check_size(gn_darknet_build *b)
{
    const gn_darknet_feature *x = &b->x;
    if (b->status == GN_OK && gn_graph_error(b->graph, b->err) != GN_OK) {
        b->status = gn_graph_error(b->graph, b->err);
        if (b->err) {
            const char *message = b->err->message;
            b->status = gn_fail_at(b->err, b->status, b->cfg->name, b->section->line, "layer %d, [%.40s]: %s", b->index,
                                   b->section->name, message);
        }
    }
    if (b->status == GN_OK &&
        (x->C < 1 || x->H < 1 || x->W < 1 || x->C > 10000000 || x->H > MAX_SIDE || x->W > MAX_SIDE))
        gn_darknet_fail(b, GN_EFORMAT, "its result would have %d channels of %d x %d (is the picture too small?)", x->C,
                        x->W, x->H);
}

static gn_status build_layers(gn_darknet_build *b)
{
    read_net(b);
    for (size_t i = 1; i < b->cfg->n && b->status == GN_OK; i++) {
        b->index = (int)i - 1;
        b->section = &b->cfg->sections[i];
        gn_darknet_layer(b);
        check_size(b);
        b->layers[b->index] = b->x;
        b->has_detection = b->has_detection || b->x.is_detection;
        b->x.is_detection = false;
    }
    if (b->status == GN_OK && b->cfg->n < 2)
        gn_darknet_fail(b, GN_EFORMAT, "it has no layers");
    return b->status;
}

static void name_output(gn_darknet_build *b, int value, const char *name)
{
    if (b->status != GN_OK)
        return;
    if (gn_graph_value(b->graph, value)->kind == GN_VALUE_INPUT) {
        gn_darknet_fail(b, GN_EFORMAT, "the network computes nothing");
        return;
    }
    gn_status status = gn_graph_rename_value(b->graph, value, name);
    if (status == GN_OK)
        status = gn_graph_add_output(b->graph, value);
    if (status != GN_OK)
        gn_darknet_fail(b, status, "its result cannot become an output: %s", gn_status_sentence(status));
}

static gn_status add_outputs(gn_darknet_build *b)
{
    if (b->has_detection)
        gn_darknet_decode(b);
    else
        name_output(b, b->x.value, b->ends_in_softmax ? "logits" : "output");
    return b->status;
}

/* Shapes inferred for one picture are those that the layers counted on. */
static gn_status check_shapes(const gn_darknet_build *b)
{
    gn_graph *copy = NULL;
    const gn_shape one = gn_shape_make(4, 1, b->net_c, b->net_h, b->net_w);
    GN_TRY(gn_graph_clone(b->graph, false, &copy));
    gn_status status = gn_graph_set_input_shape(copy, gn_graph_input(copy, 0), &one);
    if (status == GN_OK)
        status = gn_graph_infer(copy, b->err);
    for (size_t i = 0; i + 1 < b->cfg->n && status == GN_OK; i++) {
        const gn_darknet_feature *x = &b->layers[i];
        const gn_shape *shape = &gn_graph_value(copy, x->value)->shape;
        const bool is_good =
            shape->dim[1] == x->C &&
            (x->is_flat ? shape->rank == 2 : shape->rank == 4 && shape->dim[2] == x->H && shape->dim[3] == x->W);
        GN_ASSERT(is_good);
    }
    gn_graph_destroy(&copy);
    return status;
}

/* Darknet's program stretches pictures of detectors, unless the network says letter_box. */
static gn_status set_metadata(const gn_darknet_build *b)
{
    char imgsz[32];
    snprintf(imgsz, sizeof imgsz, "%d,%d", b->net_w, b->net_h);
    const bool is_classifier = b->ends_in_softmax && !b->has_detection, is_detector = b->n_maps > 0;
    const bool is_stretched = is_classifier || (b->has_detection && !b->has_letter_box);
    const char *const pairs[][2] = {
        {"gannet.version", "1"},  {"gannet.imgsz", imgsz}, {"gannet.fit", is_stretched ? "stretch" : "letterbox"},
        {"gannet.mean", "0,0,0"}, {"gannet.std", "1,1,1"}, {"gannet.decode", "none"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        GN_TRY(gn_graph_meta_set(b->graph, pairs[i][0], pairs[i][1]));
    if (is_detector)
        return gn_darknet_detector_metadata(b);
    return is_classifier ? gn_graph_meta_set(b->graph, "gannet.task", "classify") : GN_OK;
}

/* ---- in and out ---- */

static gn_status build_graph(gn_darknet_build *b)
{
    gn_status status = gn_graph_create(gn_ops_registry(), &b->graph);
    if (status != GN_OK)
        return gn_fail_at(b->err, status, b->cfg->name, 0, "no memory to read the .cfg");
    b->layers = gn_arena_alloc(b->arena, b->cfg->n * sizeof *b->layers);
    if (!b->layers)
        return gn_fail_at(b->err, GN_ENOMEM, b->cfg->name, 0, "no memory to read the .cfg");
    GN_TRY(build_layers(b));
    GN_TRY(add_outputs(b));
    GN_TRY(gn_graph_error(b->graph, b->err));
    return check_shapes(b);
}

/* Whether everything fits together, before memory is taken for weights. */
static gn_status try_dry(const gn_darknet_build *b)
{
    gn_darknet_build dry = *b;
    dry.is_dry = true;
    dry.notes = NULL;
    const gn_status status = build_graph(&dry);
    gn_graph_destroy(&dry.graph);
    gn_free(dry.slots);
    return status;
}

static gn_status build(gn_darknet_build *b, const void *weights, size_t bytes, const char *name, uint64_t seed)
{
    GN_TRY(try_dry(b));
    GN_TRY(build_graph(b));
    GN_TRY(gn_darknet_fill(b, weights, bytes, name, seed));
    if (set_metadata(b) != GN_OK)
        return gn_fail_at(b->err, GN_ENOMEM, b->cfg->name, 0, "no memory for the model's metadata");
    return GN_OK;
}

/* How many numbers the network may have: no more than its file, or what random weights are of use for. */
static gn_status set_limit(gn_darknet_build *b, const gn_darknet_options *options, const void *weights, size_t bytes,
                           const char *name, gn_error *err)
{
    int64_t count = 0, limit = GN_DARKNET_MAX_RANDOM_NUMBERS;
    if (weights) {
        GN_TRY(gn_darknet_count(weights, bytes, name, &count, err));
        limit = options->is_partial ? count + GN_DARKNET_MAX_RANDOM_NUMBERS : count;
    }
    if (options->max_numbers && options->max_numbers < limit)
        limit = options->max_numbers;
    if (limit > GN_DARKNET_MAX_NUMBERS)
        limit = GN_DARKNET_MAX_NUMBERS;
    b->max_numbers = limit;
    b->weights_name = weights && limit == count ? name : NULL;
    return GN_OK;
}

gn_status gn_darknet_read_bytes(const char *cfg_text, size_t cfg_bytes, const char *cfg_name, const void *weights,
                                size_t weights_bytes, const char *weights_name, const gn_darknet_options *options,
                                gn_text *notes, gn_graph **graph_out, gn_error *err)
{
    static const gn_darknet_options defaults = {0};
    gn_darknet_cfg cfg = {0};
    gn_darknet_build b = {.cfg = &cfg, .notes = notes, .err = err};
    options = options ? options : &defaults;
    b.is_raw = options->is_raw;
    b.is_partial = options->is_partial;
    b.epsilon = options->epsilon > 0 ? options->epsilon : EPSILON;
    GN_TRY(set_limit(&b, options, weights, weights_bytes, weights_name, err));
    b.arena = gn_arena_create(0);
    if (!b.arena)
        return gn_fail_at(err, GN_ENOMEM, cfg_name, 0, "no memory to read the .cfg");
    gn_status status = gn_darknet_cfg_parse(cfg_text, cfg_bytes, cfg_name, b.arena, &cfg, err);
    if (status == GN_OK)
        status = build(&b, weights, weights_bytes, weights_name, options->seed);
    if (status == GN_OK && notes && notes->failed)
        status = gn_fail_at(err, GN_ENOMEM, cfg_name, 0, "no memory for notes");
    if (status == GN_OK)
        *graph_out = b.graph;
    else
        gn_graph_destroy(&b.graph);
    gn_free(b.slots);
    gn_arena_destroy(&b.arena);
    return status;
}

/* A detector's class names, where a file beside the .cfg has them. */
static gn_status add_names(gn_graph *graph, const char *cfg_path, gn_text *notes)
{
    char path[1024];
    gn_detector detector;
    gn_text json;
    const char *line = gn_graph_meta_get(graph, "gannet.detector");
    if (!line)
        return GN_OK;
    GN_TRY(gn_detector_parse(line, &detector, NULL));
    gn_text_init(&json);
    gn_status status = gn_darknet_names_find(cfg_path, detector.classes, path, sizeof path, &json);
    if (status == GN_OK && path[0])
        status = json.failed ? GN_ENOMEM : gn_graph_meta_set(graph, "gannet.names", json.data);
    if (status == GN_OK && path[0] && notes)
        gn_text_printf(notes, "class names from %s\n", path);
    gn_text_deinit(&json);
    return status;
}

gn_status gn_darknet_read(const char *cfg_path, const char *weights_path, const gn_darknet_options *options,
                          gn_text *notes, gn_graph **graph_out, gn_error *err)
{
    char *cfg = NULL, *weights = NULL;
    size_t cfg_bytes = 0, weights_bytes = 0;
    gn_graph *graph = NULL;
    GN_TRY(gn_file_read(cfg_path, GN_DARKNET_MAX_CFG_BYTES, &cfg, &cfg_bytes, err));
    gn_status status = GN_OK;
    if (weights_path)
        status = gn_file_read(weights_path, GN_DARKNET_MAX_WEIGHTS_BYTES, &weights, &weights_bytes, err);
    if (status == GN_OK)
        status = gn_darknet_read_bytes(cfg, cfg_bytes, cfg_path, weights, weights_bytes, weights_path, options, notes,
                                       &graph, err);
    if (status == GN_OK && add_names(graph, cfg_path, notes) != GN_OK)
        status = gn_fail_at(err, GN_ENOMEM, cfg_path, 0, "no memory for class names");
    if (status == GN_OK)
        *graph_out = graph;
    else
        gn_graph_destroy(&graph);
    gn_free(weights);
    gn_free(cfg);
    return status;
}
