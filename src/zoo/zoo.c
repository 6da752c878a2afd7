/* Networks by name: finds the architecture, builds features and head, writes the metadata.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/zoo.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ops/ops.h"
#include "zoo/zoo_plan.h"

#define SMALLEST_WIDTH  0.1
#define LARGEST_WIDTH   1.4
#define LARGEST_CLASSES 100000
/* of RetinaNet */
#define MOST_NECK_CHANNELS 1024
#define MOST_HEAD_CONVS    8
#define DEFAULT_PX         224

/* of BatchNormalization, unless the architecture says otherwise: PyTorch's defaults */
#define NORM_EPSILON  1e-5f
#define NORM_MOMENTUM 0.1f

static const gn_architecture *const architectures[] = {
#define GN_ARCHITECTURE(name) &gn_architecture_##name,
#include "zoo/architectures.def"
#undef GN_ARCHITECTURE
};
#define N_ARCHITECTURES (sizeof architectures / sizeof architectures[0])

gn_zoo_options gn_zoo_options_default(void)
{
    return (gn_zoo_options){.head = "box", .width_px = 224, .height_px = 224};
}

size_t gn_zoo_count(void)
{
    return N_ARCHITECTURES + gn_zoo_detector_count();
}

const char *const *gn_zoo_names(size_t *n_out)
{
    static const char *const names[] = {
#define GN_ARCHITECTURE(name) #name,
#include "zoo/architectures.def"
#undef GN_ARCHITECTURE
#define GN_DETECTOR_DESIGN(name) #name,
#include "zoo/detectors.def"
#undef GN_DETECTOR_DESIGN
    };
    *n_out = sizeof names / sizeof names[0];
    return names;
}

/* ---- what was asked for ---- */

static gn_status unknown_model(const char *name, gn_error *err)
{
    size_t n;
    const char *const *names = gn_zoo_names(&n);
    const char *near = gn_nearest(name, names, n);
    if (near)
        return gn_fail(err, GN_EINVAL, "no model is named \"%.100s\"; did you mean %s?  gannet zoo lists all %zu", name,
                       near, n);
    return gn_fail(err, GN_EINVAL, "no model is named \"%.100s\"; gannet zoo lists all %zu", name, n);
}

/* The parts of "mobilenet_v1@0.25+leaky_relu:0.1"; width and act point into `model` behind the @ and the +, NULL: not there. */
typedef struct model_name {
    char name[64];
    const char *width, *act;
} model_name;

static bool split_name(const char *model, model_name *out)
{
    const size_t length = strcspn(model, "@+"), before_act = strcspn(model, "+");
    if (length >= sizeof out->name)
        return false;
    memcpy(out->name, model, length);
    out->name[length] = '\0';
    out->width = model[length] == '@' ? model + length + 1 : NULL;
    out->act = model[before_act] == '+' ? model + before_act + 1 : NULL;
    return true;
}

static const gn_architecture *find_architecture(const char *name)
{
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i]->name, name) == 0)
            return architectures[i];
    return NULL;
}

static gn_status unknown_backbone(const char *name, const char *backbone, gn_error *err)
{
    size_t n;
    const char *const *names = gn_zoo_names(&n);
    const char *near = gn_nearest(backbone, names, N_ARCHITECTURES);
    return gn_fail(err, GN_EINVAL, "model \"%.100s\": no network that it could stand on is named \"%.100s\"%s%s%s",
                   name, backbone, near ? "; did you mean retinanet_" : "", near ? near : "", near ? "?" : "");
}

/* The architecture, the detector, or both, that a name without width and activation means. */
static gn_status find_network(const char *name, gn_zoo_plan *p, gn_error *err)
{
    const char *backbone = name;
    p->detector = gn_zoo_find_detector(name, &backbone);
    p->architecture = backbone ? find_architecture(backbone) : NULL;
    if (!backbone || p->architecture)
        return GN_OK;
    return p->detector ? unknown_backbone(name, backbone, err) : unknown_model(name, err);
}

static bool takes_width(const gn_zoo_plan *p)
{
    return p->architecture ? p->architecture->takes_width : p->detector->takes_width;
}

static gn_status read_width(const char *model, const model_name *parts, gn_zoo_plan *p, gn_error *err)
{
    char text[32];
    const size_t length = strcspn(parts->width, "+");
    snprintf(text, sizeof text, "%.*s", (int)(length < sizeof text ? length : sizeof text - 1), parts->width);
    if (!takes_width(p))
        return gn_fail(err, GN_EINVAL, "model \"%.100s\": %s comes in one width only, leave \"@%.20s\" away", model,
                       parts->name, text);
    if (!gn_parse_f64(text, &p->width) || p->width < SMALLEST_WIDTH || p->width > LARGEST_WIDTH)
        return gn_fail(err, GN_EINVAL, "model \"%.100s\": the width is \"%.20s\", expected a number in %g..%g", model,
                       text, SMALLEST_WIDTH, LARGEST_WIDTH);
    return GN_OK;
}

static gn_status find_model(const char *model, gn_zoo_plan *p, gn_error *err)
{
    model_name parts;
    if (!split_name(model, &parts))
        return unknown_model(model, err);
    p->width = 1;
    GN_TRY(find_network(parts.name, p, err));
    if (parts.width)
        GN_TRY(read_width(model, &parts, p, err));
    if (parts.act && !*parts.act)
        return gn_fail(err, GN_EINVAL, "model \"%.100s\": no activation stands behind the +", model);
    return gn_act_parse(parts.act, &p->act, err);
}

bool gn_zoo_knows(const char *model)
{
    gn_zoo_plan p = {0};
    return find_model(model, &p, NULL) == GN_OK;
}

static gn_zoo_entry entry_of(const gn_architecture *a)
{
    return (gn_zoo_entry){.name = a->name,
                          .line = a->line,
                          .smallest_px = a->smallest_px,
                          .feature_width = a->feature_width,
                          .takes_width = a->takes_width,
                          .default_px = DEFAULT_PX};
}

static gn_zoo_entry entry_of_detector(const gn_zoo_plan *p)
{
    const gn_detector_design *d = p->detector;
    return (gn_zoo_entry){.name = d->name,
                          .line = d->line,
                          .smallest_px = gn_zoo_smallest_detector_px(p),
                          .takes_width = takes_width(p),
                          .is_detector = true,
                          .default_px = d->default_px};
}

bool gn_zoo_find(const char *model, gn_zoo_entry *entry_out)
{
    gn_zoo_plan p = {0};
    if (find_model(model, &p, NULL) != GN_OK)
        return false;
    *entry_out = p.detector ? entry_of_detector(&p) : entry_of(p.architecture);
    return true;
}

gn_zoo_entry gn_zoo_at(size_t i)
{
    gn_zoo_entry entry = {0};
    size_t n;
    gn_zoo_find(gn_zoo_names(&n)[i], &entry);
    return entry;
}

static gn_status check_size(const gn_zoo_options *options, const gn_architecture *architecture, gn_error *err)
{
    const int smallest = architecture->smallest_px;
    const int w = options->width_px, h = options->height_px;
    if (w < smallest || h < smallest)
        return gn_fail(err, GN_EINVAL,
                       "model %s: an input of %d x %d px is too small, the smallest that works is %d x %d px",
                       options->model, w, h, smallest, smallest);
    if (w > GN_ZOO_LARGEST_PX || h > GN_ZOO_LARGEST_PX)
        return gn_fail(err, GN_EINVAL, "model %s: an input of %d x %d px is too large, at most %d x %d px work",
                       options->model, w, h, GN_ZOO_LARGEST_PX, GN_ZOO_LARGEST_PX);
    return GN_OK;
}

static gn_status find_head(const gn_zoo_options *options, gn_zoo_plan *p, gn_error *err)
{
    if (!gn_head_parse(options->head, &p->head))
        return gn_fail(err, GN_EINVAL,
                       "no head is named \"%.100s\"; there are box, box+score, classify and features, and detect for "
                       "detectors",
                       options->head);
    if (p->detector && p->head != GN_HEAD_DETECT)
        return gn_fail(err, GN_EINVAL, "model %s is a detector: its head is detect, not %s", options->model,
                       options->head);
    if (!p->detector && p->head == GN_HEAD_DETECT)
        return gn_fail(err, GN_EINVAL,
                       "model %s is no detector: its heads are box, box+score, classify and features; retinanet_%s "
                       "is one on its features",
                       options->model, options->model);
    return GN_OK;
}

static gn_status make_plan(const gn_zoo_options *options, gn_zoo_plan *p, gn_error *err)
{
    if (!options->model || !options->head)
        return gn_fail(err, GN_EINVAL, "building a network: no %s is named", options->model ? "head" : "model");
    GN_TRY(find_model(options->model, p, err));
    GN_TRY(find_head(options, p, err));
    if (options->activation && *options->activation)
        GN_TRY(gn_act_parse(options->activation, &p->act, err));
    if ((p->head == GN_HEAD_CLASSIFY || p->head == GN_HEAD_DETECT) &&
        (options->classes < 1 || options->classes > LARGEST_CLASSES))
        return gn_fail(err, GN_EINVAL, "model %s: %d classes, expected 1..%d", options->model, options->classes,
                       LARGEST_CLASSES);
    if (p->detector && (options->neck_channels < 0 || options->neck_channels > MOST_NECK_CHANNELS ||
                        options->head_convs < 0 || options->head_convs > MOST_HEAD_CONVS))
        return gn_fail(
            err, GN_EINVAL, "model %s: a pyramid of %d channels and heads of %d convolutions, expected 1..%d and 1..%d",
            options->model, options->neck_channels, options->head_convs, MOST_NECK_CHANNELS, MOST_HEAD_CONVS);
    return p->detector ? gn_zoo_check_detector_size(options, p, err) : check_size(options, p->architecture, err);
}

/* ---- metadata ---- */

static gn_status set_names(gn_graph *graph, const gn_zoo_options *options, gn_head_kind head)
{
    gn_text text;
    const bool is_numbered = head == GN_HEAD_CLASSIFY || (head == GN_HEAD_DETECT && options->classes > 1);
    if (options->names_json || !is_numbered)
        return gn_graph_meta_set(graph, "gannet.names", options->names_json ? options->names_json : "[\"object\"]");
    gn_text_init(&text);
    for (int i = 0; i < options->classes; i++)
        gn_text_printf(&text, "%s\"%d\"", i ? "," : "[", i);
    gn_text_add(&text, "]");
    const gn_status status = text.failed ? GN_ENOMEM : gn_graph_meta_set(graph, "gannet.names", text.data);
    gn_text_deinit(&text);
    return status;
}

static gn_status set_metadata(gn_graph *graph, const gn_zoo_options *options, gn_head_kind head)
{
    static const char *const decodes[] = {[GN_HEAD_BOX] = "box_xyxy01",
                                          [GN_HEAD_BOX_SCORE] = "box_xyxy01_score",
                                          [GN_HEAD_CLASSIFY] = "none",
                                          [GN_HEAD_FEATURES] = "none",
                                          [GN_HEAD_DETECT] = "detect"};
    static const char *const tasks[] = {[GN_HEAD_BOX] = "box",
                                        [GN_HEAD_BOX_SCORE] = "box",
                                        [GN_HEAD_CLASSIFY] = "classify",
                                        [GN_HEAD_FEATURES] = "features",
                                        [GN_HEAD_DETECT] = "detect"};
    const bool detects = head == GN_HEAD_DETECT;
    char imgsz[32];
    snprintf(imgsz, sizeof imgsz, "%d,%d", options->width_px, options->height_px);
    const char *const pairs[][2] = {
        {"gannet.version", "1"},
        {"gannet.task", tasks[head]},
        {"gannet.model", options->model},
        {"gannet.head", gn_head_name(head)},
        {"gannet.imgsz", imgsz},
        {"gannet.fit", detects ? "letterbox" : "stretch"},
        {"gannet.mean", detects ? "0,0,0" : "0.485,0.456,0.406"}, /* of ImageNet */
        {"gannet.std", detects ? "1,1,1" : "0.229,0.224,0.225"},
        {"gannet.decode", decodes[head]},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        GN_TRY(gn_graph_meta_set(graph, pairs[i][0], pairs[i][1]));
    if (options->activation && *options->activation)
        GN_TRY(gn_graph_meta_set(graph, "gannet.activation", options->activation));
    return set_names(graph, options, head);
}

/* ---- building ---- */

/* Lists the head's tensors, those made since there were `first` values: by them training tells head and backbone apart. */
static gn_status set_head_tensors(gn_graph *graph, int first)
{
    gn_text text;
    gn_text_init(&text);
    for (int v = first; v < gn_graph_value_count(graph); v++)
        if (gn_graph_value(graph, v)->kind == GN_VALUE_STATE)
            gn_text_printf(&text, "%s%s", text.len > 0 ? "," : "", gn_graph_value(graph, v)->name);
    gn_status status = text.failed ? GN_ENOMEM : GN_OK;
    if (status == GN_OK && text.len > 0)
        status = gn_graph_meta_set(graph, "gannet.head_tensors", text.data);
    gn_text_deinit(&text);
    return status;
}

static gn_blocks builder(gn_graph *graph, const gn_zoo_options *options, const gn_zoo_plan *p)
{
    const gn_architecture *a = p->architecture;
    const float epsilon = a ? a->norm_epsilon : p->detector->norm_epsilon,
                momentum = a ? a->norm_momentum : p->detector->norm_momentum;
    return (gn_blocks){.graph = graph,
                       .seed = options->seed,
                       .no_weights = options->no_weights,
                       .act = p->act,
                       .norm_epsilon = epsilon > 0 ? epsilon : NORM_EPSILON,
                       .norm_momentum = momentum > 0 ? momentum : NORM_MOMENTUM,
                       .width = p->width,
                       .table = a ? a->table : p->detector->table};
}

static gn_feature add_input(gn_graph *graph, const gn_zoo_options *options)
{
    const gn_shape images = gn_shape_make(4, -1, 3, options->height_px, options->width_px);
    return (gn_feature){.value = gn_graph_add_input(graph, "images", GN_DTYPE_F32, &images),
                        .C = 3,
                        .H = options->height_px,
                        .W = options->width_px,
                        .stride = 1};
}

/* The architecture with one of its heads. */
static gn_status build_network(gn_blocks *b, gn_feature x, const gn_zoo_options *options, const gn_zoo_plan *p,
                               gn_error *err)
{
    gn_head_output outputs[GN_HEAD_MOST_OUTPUTS];
    x = p->architecture->features(b, x);
    gn_block_head_begins(b);
    const int n = gn_head_build(b, p->architecture, p->head, x, options->classes, outputs);
    GN_TRY(gn_graph_error(b->graph, err));
    for (int i = 0; i < n; i++) {
        GN_TRY(gn_graph_rename_value(b->graph, outputs[i].x.value, outputs[i].name));
        GN_TRY(gn_graph_add_output(b->graph, outputs[i].x.value));
    }
    return GN_OK;
}

static gn_status build_into(gn_graph *graph, const gn_zoo_options *options, const gn_zoo_plan *p, gn_error *err)
{
    gn_blocks blocks = builder(graph, options, p);
    const gn_feature x = add_input(graph, options);
    if (p->detector)
        GN_TRY(gn_zoo_build_detector(&blocks, x, options, p, err));
    else
        GN_TRY(build_network(&blocks, x, options, p, err));
    GN_TRY(set_head_tensors(graph, blocks.head_begins));
    return set_metadata(graph, options, p->head);
}

gn_status gn_zoo_build(const gn_zoo_options *options, gn_graph **graph_out, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_zoo_plan p;
    GN_TRY(make_plan(options, &p, err));
    gn_status status = gn_graph_create(gn_ops_registry(), &graph);
    if (status == GN_OK)
        status = build_into(graph, options, &p, err);
    if (status != GN_OK) {
        gn_graph_destroy(&graph);
        return status;
    }
    *graph_out = graph;
    return GN_OK;
}

gn_status gn_zoo_feature_width(const char *model, int *width_out, gn_error *err)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_zoo_plan p;
    options.model = model;
    options.no_weights = true;
    GN_TRY(find_model(model, &p, err));
    if (p.detector)
        return gn_fail(err, GN_EINVAL, "model %.100s is a detector: no head gets its features as one vector", model);
    GN_TRY(make_plan(&options, &p, err));
    if (!p.architecture->takes_width) {
        *width_out = p.architecture->feature_width;
        return GN_OK;
    }
    GN_TRY(gn_graph_create(gn_ops_registry(), &graph));
    gn_blocks blocks = builder(graph, &options, &p);
    const gn_feature x = p.architecture->features(&blocks, add_input(graph, &options));
    const gn_status status = gn_graph_error(graph, err);
    gn_graph_destroy(&graph);
    if (status == GN_OK)
        *width_out = x.C;
    return status;
}
