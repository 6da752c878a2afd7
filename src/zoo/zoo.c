/* Networks by name: finds the architecture, builds features and head, writes the metadata.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/zoo.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "ops/ops.h"
#include "zoo/head.h"

#define SMALLEST_WIDTH  0.1
#define LARGEST_WIDTH   1.4
#define LARGEST_PX      8192
#define LARGEST_CLASSES 100000

static const gn_architecture *const architectures[] = {
    &gn_architecture_mobilenet_v2,
    &gn_architecture_resnet18,
    &gn_architecture_squeezenet1_1,
};
#define N_ARCHITECTURES (sizeof architectures / sizeof architectures[0])

gn_zoo_options gn_zoo_options_default(void)
{
    return (gn_zoo_options){.head = "box", .width_px = 224, .height_px = 224};
}

size_t gn_zoo_count(void)
{
    return N_ARCHITECTURES;
}

gn_zoo_entry gn_zoo_at(size_t i)
{
    const gn_architecture *a = architectures[i];
    return (gn_zoo_entry){a->name, a->line, a->smallest_px, a->feature_width, a->takes_width};
}

const char *const *gn_zoo_names(size_t *n_out)
{
    static const char *const names[] = {"mobilenet_v2", "resnet18", "squeezenet1_1"};
    *n_out = sizeof names / sizeof names[0];
    return names;
}

/* ---- what was asked for ---- */

typedef struct plan {
    const gn_architecture *architecture;
    double width;
    gn_head_kind head;
} plan;

static gn_status unknown_model(const char *name, gn_error *err)
{
    size_t n;
    const char *const *names = gn_zoo_names(&n);
    const char *near = gn_nearest(name, names, n);
    char all[256] = "";
    for (size_t i = 0, used = 0; i < n && used < sizeof all; i++)
        used += (size_t)snprintf(all + used, sizeof all - used, "%s%s", i ? ", " : "", names[i]);
    if (near)
        return gn_fail(err, GN_EINVAL, "no model is named \"%.100s\"; did you mean %s?  There are %s", name, near, all);
    return gn_fail(err, GN_EINVAL, "no model is named \"%.100s\"; there are %s", name, all);
}

/* "mobilenet_v2@0.35" into architecture and width. */
static gn_status find_model(const char *model, plan *p, gn_error *err)
{
    char name[64];
    const char *at = strchr(model, '@');
    const size_t length = at ? (size_t)(at - model) : strlen(model);
    if (length >= sizeof name)
        return unknown_model(model, err);
    memcpy(name, model, length);
    name[length] = '\0';
    p->architecture = NULL;
    p->width = 1;
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strcmp(architectures[i]->name, name) == 0)
            p->architecture = architectures[i];
    if (!p->architecture)
        return unknown_model(name, err);
    if (!at)
        return GN_OK;
    if (!p->architecture->takes_width)
        return gn_fail(err, GN_EINVAL, "model \"%.100s\": %s comes in one width only, leave \"%.20s\" away", model,
                       name, at);
    if (!gn_parse_f64(at + 1, &p->width) || p->width < SMALLEST_WIDTH || p->width > LARGEST_WIDTH)
        return gn_fail(err, GN_EINVAL, "model \"%.100s\": the width is \"%.20s\", expected a number in %g..%g", model,
                       at + 1, SMALLEST_WIDTH, LARGEST_WIDTH);
    return GN_OK;
}

static gn_status check_size(const gn_zoo_options *options, const gn_architecture *architecture, gn_error *err)
{
    const int smallest = architecture->smallest_px;
    const int w = options->width_px, h = options->height_px;
    if (w < smallest || h < smallest)
        return gn_fail(err, GN_EINVAL,
                       "model %s: an input of %d x %d px is too small, the smallest that works is %d x %d px",
                       options->model, w, h, smallest, smallest);
    if (w > LARGEST_PX || h > LARGEST_PX)
        return gn_fail(err, GN_EINVAL, "model %s: an input of %d x %d px is too large, at most %d x %d px work",
                       options->model, w, h, LARGEST_PX, LARGEST_PX);
    return GN_OK;
}

static gn_status make_plan(const gn_zoo_options *options, plan *p, gn_error *err)
{
    if (!options->model || !options->head)
        return gn_fail(err, GN_EINVAL, "building a network: no %s is named", options->model ? "head" : "model");
    GN_TRY(find_model(options->model, p, err));
    if (!gn_head_parse(options->head, &p->head))
        return gn_fail(err, GN_EINVAL, "no head is named \"%.100s\"; there are box, box+score and classify",
                       options->head);
    if (p->head == GN_HEAD_CLASSIFY && (options->classes < 1 || options->classes > LARGEST_CLASSES))
        return gn_fail(err, GN_EINVAL, "model %s: %d classes, expected 1..%d", options->model, options->classes,
                       LARGEST_CLASSES);
    return check_size(options, p->architecture, err);
}

/* ---- metadata ---- */

static gn_status set_names(gn_graph *graph, const gn_zoo_options *options, gn_head_kind head)
{
    gn_text text;
    if (options->names_json || head != GN_HEAD_CLASSIFY)
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
    static const char *const decodes[] = {
        [GN_HEAD_BOX] = "box_xyxy01", [GN_HEAD_BOX_SCORE] = "box_xyxy01_score", [GN_HEAD_CLASSIFY] = "none"};
    char imgsz[32];
    snprintf(imgsz, sizeof imgsz, "%d,%d", options->width_px, options->height_px);
    const char *const pairs[][2] = {
        {"gannet.version", "1"},
        {"gannet.task", head == GN_HEAD_CLASSIFY ? "classify" : "box"},
        {"gannet.model", options->model},
        {"gannet.head", gn_head_name(head)},
        {"gannet.imgsz", imgsz},
        {"gannet.fit", "stretch"},
        {"gannet.mean", "0.485,0.456,0.406"}, /* of ImageNet */
        {"gannet.std", "0.229,0.224,0.225"},
        {"gannet.decode", decodes[head]},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        GN_TRY(gn_graph_meta_set(graph, pairs[i][0], pairs[i][1]));
    return set_names(graph, options, head);
}

/* ---- building ---- */

static gn_status build_into(gn_graph *graph, const gn_zoo_options *options, const plan *p, gn_error *err)
{
    gn_blocks blocks = {.graph = graph, .seed = options->seed};
    const gn_shape images = gn_shape_make(4, -1, 3, options->height_px, options->width_px);
    gn_feature x = {gn_graph_add_input(graph, "images", GN_DTYPE_F32, &images), 3};
    x = p->architecture->features(&blocks, x, p->width);
    x = gn_head_build(&blocks, p->architecture, p->head, x, options->classes);
    GN_TRY(gn_graph_error(graph, err));
    GN_TRY(gn_graph_rename_value(graph, x.value, p->head == GN_HEAD_CLASSIFY ? "logits" : "boxes"));
    GN_TRY(gn_graph_add_output(graph, x.value));
    return set_metadata(graph, options, p->head);
}

gn_status gn_zoo_build(const gn_zoo_options *options, gn_graph **graph_out, gn_error *err)
{
    gn_graph *graph = NULL;
    plan p;
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
