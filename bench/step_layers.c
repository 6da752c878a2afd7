/* Where the time of a training step goes: forward, backward and AdamW of a network, operator by operator.
 *     step_layers MODEL.onnx|NAME BATCH PX THREADS RUNS [each]
 * The loss is the sum of the squares of all outputs, so that any network will do.  Printed: the median of the whole step and of its time
 * on the CPU, and per kind of operator the smallest times of its nodes, added up, and the rate of its multiply-adds; each: also every node.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "backend/backend.h"
#include "formats/onnx/onnx_format.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "ops/dropout.h"
#include "ops/ops.h"
#include "ops/optimizer_rules.h"
#include "zoo/zoo.h"

enum { MOST_RUNS = 1000, MOST_KINDS = 256 };

typedef struct step {
    gn_graph *graph;
    int images, hyper, n_params;
    int *params, *grads;
} step;

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static gn_status load(const char *model, int px, gn_graph **graph_out, gn_error *err)
{
    if (strstr(model, ".onnx"))
        return gn_onnx_read(model, gn_ops_registry(), graph_out, err);
    gn_zoo_options options = gn_zoo_options_default();
    options.model = model;
    options.width_px = options.height_px = px;
    options.classes = 80;
    if (strncmp(model, "yolo", 4) == 0 || strncmp(model, "retinanet", 9) == 0)
        options.head = "detect";
    else
        options.head = "classify";
    return gn_zoo_build(&options, graph_out, err);
}

/* Outputs become the raw maps of a detector where it has some. */
static void cut_at_raw_maps(gn_graph *graph)
{
    char name[16];
    if (gn_graph_find_value(graph, "raw0") < 0)
        return;
    gn_graph_clear_outputs(graph);
    for (int i = 0; snprintf(name, sizeof name, "raw%d", i) > 0 && gn_graph_find_value(graph, name) >= 0; i++)
        gn_graph_add_output(graph, gn_graph_find_value(graph, name));
}

static int sum_of_squares(gn_graph *graph)
{
    const gn_attr scalar = gn_attr_ints("shape", NULL, 0);
    int loss = -1;
    for (int i = 0; i < gn_graph_output_count(graph); i++) {
        const int y = gn_graph_output(graph, i);
        const int square = gn_graph_add_op(graph, "Mul", "", "square", (const int[]){y, y}, 2, NULL, 0);
        const int sum = gn_graph_add_op(graph, "SumTo", "gannet", "sum", &square, 1, &scalar, 1);
        loss = i == 0 ? sum : gn_graph_add_op(graph, "Add", "", "loss", (const int[]){loss, sum}, 2, NULL, 0);
    }
    return loss;
}

/* One Adam node for all parameters. */
static gn_status add_adam(step *s, gn_error *err)
{
    gn_graph *g = s->graph;
    const int n = s->n_params;
    const float one = 1;
    int *in = calloc((size_t)(2 + 4 * n), sizeof *in);
    float *decay = calloc((size_t)n, sizeof *decay);
    const gn_shape eight = gn_shape_make(1, GN_HYPER_COUNT);
    s->hyper = in[0] = gn_graph_add_input(g, GN_HYPER_INPUT, GN_DTYPE_F32, &eight);
    in[1] = gn_graph_add_const_f32(g, "grad_scale", 0, &one);
    for (int i = 0; i < n; i++) {
        const gn_shape shape = gn_graph_value(g, s->params[i])->shape;
        in[2 + i] = s->params[i];
        in[2 + n + i] = s->grads[i];
        in[2 + 2 * n + i] = gn_graph_add_state(g, "m", GN_DTYPE_F32, &shape, false);
        in[2 + 3 * n + i] = gn_graph_add_state(g, "v", GN_DTYPE_F32, &shape, false);
        decay[i] = 0.01f;
    }
    const gn_attr attrs[3] = {gn_attr_int("n", n), gn_attr_floats("weight_decay", decay, n),
                              gn_attr_int("decoupled", 1)};
    const int node = gn_graph_add_node(g, "Adam", "gannet", "adam", in, 2 + 4 * n, 3 * n, attrs, 3);
    for (int i = 0; i < 3 * n && node >= 0; i++)
        gn_graph_add_update(g, in[i < n ? 2 + i : 2 + n + i], gn_graph_node(g, node)->out[i]);
    free(in);
    free(decay);
    return gn_graph_error(g, err);
}

static gn_status make_step(step *s, int batch, int px, gn_error *err)
{
    gn_graph *g = s->graph;
    const gn_shape images = gn_shape_make(4, batch, 3, px, px);
    s->images = gn_graph_input(g, 0);
    cut_at_raw_maps(g);
    GN_TRY(gn_graph_set_input_shape(g, s->images, &images));
    GN_TRY(gn_graph_infer(g, err));
    GN_TRY(gn_pass_training(g, err));
    const int loss = sum_of_squares(g);
    s->params = calloc((size_t)gn_graph_value_count(g), sizeof *s->params);
    s->grads = calloc((size_t)gn_graph_value_count(g), sizeof *s->grads);
    for (int i = 0; i < gn_graph_value_count(g); i++)
        if (gn_graph_value(g, i)->kind == GN_VALUE_STATE && gn_graph_value(g, i)->trainable)
            s->params[s->n_params++] = i;
    GN_TRY(gn_graph_differentiate(g, loss, s->params, s->n_params, s->grads, err));
    int kept = 0; /* some may have no gradient */
    for (int i = 0; i < s->n_params; i++)
        if (s->grads[i] >= 0) {
            s->params[kept] = s->params[i];
            s->grads[kept++] = s->grads[i];
        }
    s->n_params = kept;
    gn_graph_clear_outputs(g);
    gn_graph_add_output(g, loss);
    GN_TRY(add_adam(s, err));
    GN_TRY(gn_pass_prune(g));
    GN_TRY(gn_pass_fuse(g, err)); /* as train_graph.c does */
    GN_TRY(gn_graph_infer(g, err));
    return gn_graph_check(g, err);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

typedef struct kind {
    double ns;
    const char *name;
    double macs;
    int nodes;
} kind;

static void print_table(gn_exec *exec, const gn_graph *graph, const int64_t *best, bool each)
{
    const gn_plan *plan = gn_backend_cpu.plan(exec);
    static kind kinds[MOST_KINDS];
    int n_kinds = 0;
    double all = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        const gn_node *node = gn_graph_node(graph, plan->steps[i].node);
        gn_cost cost = {0};
        if (node->op->cost)
            node->op->cost(graph, node, &cost);
        int k = 0;
        while (k < n_kinds && strcmp(kinds[k].name, node->op->name) != 0)
            k++;
        n_kinds += k == n_kinds;
        kinds[k].name = node->op->name;
        kinds[k].ns += (double)best[i];
        kinds[k].macs += (double)cost.macs;
        kinds[k].nodes++;
        all += (double)best[i];
        if (each) {
            char shape[128];
            gn_shape_format(&gn_graph_value(graph, node->out[0])->shape, shape);
            printf("%9.1f us %7.1f GMAC/s  %-16s %-22s %s\n", (double)best[i] * 1e-3,
                   (double)cost.macs / (double)(best[i] + 1), node->op->name, shape, node->name);
        }
    }
    qsort(kinds, (size_t)n_kinds, sizeof *kinds, by_size);
    printf("%-20s %5s %10s %6s %8s\n", "operator", "nodes", "ms", "share", "GMAC/s");
    for (int k = 0; k < n_kinds; k++)
        printf("%-20s %5d %10.2f %5.1f%% %8.1f\n", kinds[k].name, kinds[k].nodes, kinds[k].ns * 1e-6,
               100 * kinds[k].ns / all, kinds[k].macs / (kinds[k].ns + 1));
    printf("%-20s %5d %10.2f\n", "all", plan->n_steps, all * 1e-6);
}

static gn_status measure(const step *s, int threads, int runs, bool each, gn_error *err)
{
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    GN_TRY(gn_backend_cpu.open(threads, &device, err));
    GN_TRY(gn_backend_cpu.compile(device, s->graph, &exec, err));
    const size_t n = (size_t)gn_shape_count(&gn_graph_value(s->graph, s->images)->shape);
    float *images = malloc(n * sizeof *images), hyper[GN_HYPER_COUNT] = {1e-6f, 0.1f, 0.001f, 1, 0.5f, 1e-6f, 0, 0};
    uint32_t x = 12345;
    for (size_t i = 0; i < n; i++)
        images[i] = (float)((x = x * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
    gn_backend_cpu.bind(exec, s->images, images);
    gn_backend_cpu.bind(exec, s->hyper, hyper);
    const int rng = gn_graph_find_value(s->graph, GN_DROPOUT_RNG_INPUT); /* of networks with dropout */
    const int64_t draw[2] = {1, 1};
    if (rng >= 0)
        gn_backend_cpu.bind(exec, rng, draw);
    const int n_steps = gn_backend_cpu.plan(exec)->n_steps;
    int64_t *ns = calloc((size_t)n_steps, sizeof *ns), *best = calloc((size_t)n_steps, sizeof *best);
    static double wall[MOST_RUNS], cpu[MOST_RUNS];
    for (int r = -1; r < runs; r++) {
        const double w = seconds(), c = cpu_seconds();
        GN_TRY(gn_backend_cpu.run_timed(exec, ns, err));
        if (r >= 0) {
            wall[r] = seconds() - w;
            cpu[r] = cpu_seconds() - c;
        }
        for (int i = 0; i < n_steps; i++)
            best[i] = r < 0 || ns[i] < best[i] ? ns[i] : best[i];
    }
    qsort(wall, (size_t)runs, sizeof *wall, by_size);
    qsort(cpu, (size_t)runs, sizeof *cpu, by_size);
    print_table(exec, s->graph, best, each);
    printf("loss %g; arena %.0f MB; step: median %.1f ms, best %.1f ms; on the CPU: median %.1f ms, best %.1f ms\n",
           (double)*(const float *)gn_backend_cpu.output(exec, 0),
           (double)gn_backend_cpu.plan(exec)->arena_bytes * 1e-6, wall[runs / 2] * 1e3, wall[runs - 1] * 1e3,
           cpu[runs / 2] * 1e3, cpu[runs - 1] * 1e3);
    free(ns);
    free(best);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    free(images);
    return GN_OK;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: %s MODEL.onnx|NAME BATCH PX THREADS RUNS [each]\n", argv[0]);
        return 2;
    }
    step s = {0};
    gn_error err = {0};
    const int runs = atoi(argv[5]) < 1 ? 1 : atoi(argv[5]) > MOST_RUNS ? MOST_RUNS : atoi(argv[5]);
    gn_status status = load(argv[1], atoi(argv[3]), &s.graph, &err);
    if (status == GN_OK)
        status = make_step(&s, atoi(argv[2]), atoi(argv[3]), &err);
    if (status == GN_OK)
        status = measure(&s, atoi(argv[4]), runs, argc > 6 && strcmp(argv[6], "each") == 0, &err);
    if (status != GN_OK)
        fprintf(stderr, "%s\n", err.message);
    free(s.params);
    free(s.grads);
    gn_graph_destroy(&s.graph);
    return status == GN_OK ? 0 : 1;
}
