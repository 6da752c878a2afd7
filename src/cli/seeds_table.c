/* Two comparison tables beside what the graphs say, and what depthwise separable convolutions save.
 * Published figures: Howard et al. 2017, "MobileNets", table 8 (MobileNet, GoogLeNet, VGG 16), and the model lists of Keras and of
 * TensorFlow's research models (Xception to MobileNetV2, with width alpha and relative resolution rho).
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/seeds_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/zoo_costs.h"

#define MOST_PAIRS 64

/* ---- published ---- */

typedef struct published {
    const char *title, *model;
    int px;
    double accuracy, top5; /* percent of ImageNet; 0: not given */
    double macs, params;   /* millions; 0: not given */
} published;

static const published popular[] = {
    {"1.0 MobileNet-224", "mobilenet_v1", 224, 70.6, 0, 569, 4.2},
    {"GoogLeNet", "googlenet", 224, 69.8, 0, 1550, 6.8},
    {"VGG 16", "vgg16", 224, 71.5, 0, 15300, 138},
};
static const published scaled[] = {
    {"Xception", "xception", 299, 79.0, 94.5, 0, 22.91},
    {"VGG16", "vgg16", 224, 71.5, 90.1, 0, 138.35},
    {"MobileNetV1 (alpha 1, rho 1)", "mobilenet_v1", 224, 70.9, 89.9, 0, 4.20},
    {"MobileNetV1 (alpha 0.75, rho 0.85)", "mobilenet_v1@0.75", 192, 67.2, 87.3, 0, 2.59},
    {"MobileNetV1 (alpha 0.25, rho 0.57)", "mobilenet_v1@0.25", 128, 41.5, 66.3, 0, 0.47},
    {"MobileNetV2 (alpha 1.4, rho 1)", "mobilenet_v2@1.4", 224, 75.0, 92.5, 0, 6.06},
    {"MobileNetV2 (alpha 1, rho 1)", "mobilenet_v2", 224, 71.8, 91.0, 0, 3.47},
    {"MobileNetV2 (alpha 0.35, rho 0.43)", "mobilenet_v2@0.35", 96, 45.5, 70.4, 0, 1.66},
};

/* ---- computed ---- */

/* Sources count differently: weights alone, with scale and shift of normalisation, or with its running statistics too. */
typedef struct computed {
    int64_t params, without_norm, with_statistics, macs;
} computed;

/* A filter per channel (D x D, M channels) and the 1x1 convolution to N channels behind it. */
typedef struct pair {
    int64_t D, M, N;
    int64_t macs, full_macs; /* as built; as one full convolution */
    int count;
} pair;

typedef struct saving {
    const char *model;
    int px, n_pairs;
    pair pairs[MOST_PAIRS];
    int64_t macs, full_macs; /* of the whole network */
} saving;

static gn_status build(const char *model, int px, gn_graph **graph_out, gn_error *err)
{
    gn_zoo_options o = gn_zoo_options_default();
    o.model = model;
    o.head = "classify";
    o.classes = 1000;
    o.width_px = o.height_px = px;
    return gn_zoo_build_for_counting(&o, graph_out, err);
}

static int64_t norm_params(const gn_graph *graph)
{
    int64_t n = 0;
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (strcmp(node->op->name, "BatchNormalization") == 0)
            n += 2 * gn_shape_count(&gn_graph_value(graph, node->in[1])->shape);
    }
    return n;
}

static gn_status compute(const published *row, computed *out, gn_error *err)
{
    gn_graph *graph = NULL;
    GN_TRY(build(row->model, row->px, &graph, err));
    gn_zoo_costs costs;
    gn_zoo_count_costs(graph, &costs);
    *out = (computed){.params = costs.params,
                      .without_norm = costs.params - norm_params(graph),
                      .with_statistics = costs.params + costs.buffers,
                      .macs = costs.macs};
    gn_graph_destroy(&graph);
    return GN_OK;
}

static bool is_conv(const gn_node *node)
{
    return strcmp(node->op->name, "Conv") == 0;
}

static const gn_shape *weight_of(const gn_graph *graph, const gn_node *conv)
{
    return &gn_graph_value(graph, conv->in[1])->shape;
}

/* The next convolution, when it is 1x1 across all channels; NULL otherwise. */
static const gn_node *pointwise_behind(const gn_graph *graph, int i)
{
    for (i++; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (!is_conv(node))
            continue;
        return gn_node_int(node, "group", 1) == 1 && weight_of(graph, node)->dim[2] == 1 ? node : NULL;
    }
    return NULL;
}

static void add_pair(saving *s, const pair *p)
{
    s->full_macs += p->full_macs - p->macs;
    for (int i = 0; i < s->n_pairs; i++) {
        pair *old = &s->pairs[i];
        if (old->D == p->D && old->N == p->N && old->M == p->M) {
            old->macs += p->macs;
            old->full_macs += p->full_macs;
            old->count++;
            return;
        }
    }
    if (s->n_pairs < MOST_PAIRS)
        s->pairs[s->n_pairs++] = *p;
}

static gn_status find_saving(const char *model, int px, saving *s, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_cost cost;
    *s = (saving){.model = model, .px = px};
    GN_TRY(build(model, px, &graph, err));
    gn_graph_cost(graph, &cost);
    s->macs = s->full_macs = cost.macs;
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *each = gn_graph_node(graph, i);
        if (!is_conv(each) || gn_node_int(each, "group", 1) != weight_of(graph, each)->dim[0])
            continue;
        const gn_node *across = pointwise_behind(graph, i);
        if (!across)
            continue;
        const gn_shape *y = &gn_graph_value(graph, across->out[0])->shape;
        pair p = {.D = weight_of(graph, each)->dim[2], .M = weight_of(graph, each)->dim[0], .N = y->dim[1], .count = 1};
        gn_cost a, b;
        gn_node_cost(graph, each, &a);
        gn_node_cost(graph, across, &b);
        p.macs = a.macs + b.macs;
        p.full_macs = p.D * p.D * p.M * p.N * y->dim[2] * y->dim[3];
        add_pair(s, &p);
    }
    gn_graph_destroy(&graph);
    return GN_OK;
}

/* ---- showing ---- */

static double formula(const pair *p)
{
    return 1.0 / (double)p->N + 1.0 / (double)(p->D * p->D);
}

static double found(const pair *p)
{
    return (double)p->macs / (double)p->full_macs;
}

static void say_popular(const computed *got)
{
    gn_cli_print("MobileNet and popular models\n\n");
    gn_cli_print("%-20s %9s | %9s %9s | %12s %10s\n", "model", "ImageNet", "MACs M", "published", "parameters",
                 "published");
    for (size_t i = 0; i < sizeof popular / sizeof popular[0]; i++)
        gn_cli_print("%-20s %8.1f%% | %9.1f %9.0f | %12" PRId64 " %8.1f M\n", popular[i].title, popular[i].accuracy,
                     1e-6 * (double)got[i].macs, popular[i].macs, got[i].params, popular[i].params);
}

static void say_scaled(const computed *got)
{
    gn_cli_print("\nXception to MobileNetV2, with width alpha and resolution rho (1 is 224 px)\n\n");
    gn_cli_print("%-35s %5s %6s %6s | %9s | %10s %11s %11s %11s\n", "model", "px", "top-1", "top-5", "MACs M",
                 "published", "parameters", "less norm", "with stats");
    for (size_t i = 0; i < sizeof scaled / sizeof scaled[0]; i++)
        gn_cli_print("%-35s %5d %5.1f%% %5.1f%% | %9.1f | %8.2f M %11" PRId64 " %11" PRId64 " %11" PRId64 "\n",
                     scaled[i].title, scaled[i].px, scaled[i].accuracy, scaled[i].top5, 1e-6 * (double)got[i].macs,
                     scaled[i].params, got[i].params, got[i].without_norm, got[i].with_statistics);
    gn_cli_print("\nTop-1 and top-5 are published. \"parameters\" has scale and shift of the normalisation in it; "
                 "MobileNetV2's source counts\nwithout them, Xception's with the running statistics too.\n");
}

static void say_saving(const saving *s)
{
    gn_cli_print("\nWhat depthwise separable convolutions save: %s at %d px, as a share of full convolutions\n\n",
                 s->model, s->px);
    gn_cli_print("%8s %8s %8s %7s | %12s %12s\n", "D x D", "from M", "to N", "layers", "1/N + 1/D^2", "the graph");
    for (int i = 0; i < s->n_pairs; i++) {
        const pair *p = &s->pairs[i];
        gn_cli_print("%4" PRId64 " x %" PRId64 " %8" PRId64 " %8" PRId64 " %7d | %12.4f %12.4f\n", p->D, p->D, p->M,
                     p->N, p->count, formula(p), found(p));
    }
    gn_cli_print("the whole network: %.1f M MACs, with full convolutions %.1f M: %.2f times fewer\n",
                 1e-6 * (double)s->macs, 1e-6 * (double)s->full_macs, (double)s->full_macs / (double)s->macs);
}

static void json_rows(gn_jsonw *j, const char *key, const published *rows, const computed *got, size_t n)
{
    gn_jsonw_array(j, key);
    for (size_t i = 0; i < n; i++) {
        gn_jsonw_object(j, NULL);
        gn_jsonw_str(j, "title", rows[i].title);
        gn_jsonw_str(j, "model", rows[i].model);
        gn_jsonw_int(j, "imgsz", rows[i].px);
        gn_jsonw_int(j, "macs", got[i].macs);
        gn_jsonw_int(j, "params", got[i].params);
        gn_jsonw_int(j, "params_without_norm", got[i].without_norm);
        gn_jsonw_int(j, "params_with_statistics", got[i].with_statistics);
        gn_jsonw_object(j, "published");
        gn_jsonw_num(j, "top1", rows[i].accuracy);
        if (rows[i].top5 > 0)
            gn_jsonw_num(j, "top5", rows[i].top5);
        if (rows[i].macs > 0)
            gn_jsonw_num(j, "mmacs", rows[i].macs);
        gn_jsonw_num(j, "mparams", rows[i].params);
        gn_jsonw_end(j);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
}

static void json_saving(gn_jsonw *j, const saving *s)
{
    gn_jsonw_object(j, "separable");
    gn_jsonw_str(j, "model", s->model);
    gn_jsonw_int(j, "imgsz", s->px);
    gn_jsonw_int(j, "macs", s->macs);
    gn_jsonw_int(j, "full_macs", s->full_macs);
    gn_jsonw_array(j, "layers");
    for (int i = 0; i < s->n_pairs; i++) {
        gn_jsonw_object(j, NULL);
        gn_jsonw_int(j, "kernel", s->pairs[i].D);
        gn_jsonw_int(j, "from", s->pairs[i].M);
        gn_jsonw_int(j, "to", s->pairs[i].N);
        gn_jsonw_int(j, "count", s->pairs[i].count);
        gn_jsonw_num(j, "formula", formula(&s->pairs[i]));
        gn_jsonw_num(j, "graph", found(&s->pairs[i]));
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_end(j);
}

gn_status gn_cli_seeds_table(bool as_json, gn_error *err)
{
    enum { N_POPULAR = sizeof popular / sizeof popular[0], N_SCALED = sizeof scaled / sizeof scaled[0] };
    computed few[N_POPULAR], many[N_SCALED];
    saving saved;
    for (size_t i = 0; i < N_POPULAR; i++)
        GN_TRY(compute(&popular[i], &few[i], err));
    for (size_t i = 0; i < N_SCALED; i++)
        GN_TRY(compute(&scaled[i], &many[i], err));
    GN_TRY(find_saving("mobilenet_v1", 224, &saved, err));
    if (!as_json) {
        say_popular(few);
        say_scaled(many);
        say_saving(&saved);
        return GN_OK;
    }
    gn_jsonw j;
    gn_jsonw_init(&j);
    json_rows(&j, "popular", popular, few, N_POPULAR);
    json_rows(&j, "scaled", scaled, many, N_SCALED);
    json_saving(&j, &saved);
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}
