/* Accuracy of Winograd's convolutions on the layers of the zoo: each layer that has such a path, with random data of its own size, stays
 * within 1e-4 of the range of what the ref level computes, forward with every size of tile and both gradients.
 * With GN_EVERY_LAYER in the environment all networks at their own sizes; else small layers of a few.
 * Source: Lavin and Gray 2016, "Fast algorithms for convolutional neural networks".
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/rng.h"
#include "graph/op.h"
#include "kernels/conv.h"
#include "zoo/zoo.h"

#define TOLERANCE  1e-4
#define FEW_MACS   60.0e6
#define CLASSES    80
#define MOST_SIZES 1024

typedef struct layer_list {
    gn_conv layers[MOST_SIZES];
    int count;
} layer_list;

static double macs_of(const gn_conv *p)
{
    return (double)p->N * p->P * p->Q * p->K * (p->C / p->groups) * p->R * p->S;
}

static bool has_fast_path(const gn_conv *p)
{
    for (int a = GN_CONV_MODEL + 1; a < GN_CONV_ALGORITHMS; a++)
        if (a != GN_CONV_DIRECT && a != GN_CONV_FEW &&
            gn_conv_fwd_takes(p, false, (gn_conv_choice){.algorithm = (gn_conv_algorithm)a}))
            return true;
    return false;
}

static void add_layer(layer_list *list, const gn_conv *p)
{
    for (int i = 0; i < list->count; i++)
        if (memcmp(&list->layers[i], p, sizeof *p) == 0)
            return;
    assert_true(list->count < MOST_SIZES);
    list->layers[list->count++] = *p;
}

static void add_convolution(layer_list *list, const gn_graph *graph, const gn_node *node, double most_macs)
{
    const gn_shape *x = &gn_graph_value(graph, node->in[0])->shape, *w = &gn_graph_value(graph, node->in[1])->shape,
                   *y = &gn_graph_value(graph, node->out[0])->shape;
    int64_t stride[2], pad[4], dilation[2];
    gn_node_ints(node, "strides", stride, 2, 1);
    gn_node_ints(node, "pads", pad, 4, 0);
    gn_node_ints(node, "dilations", dilation, 2, 1);
    gn_conv p;
    memset(&p, 0, sizeof p); /* compared as bytes */
    p.N = 1;
    p.C = (int)x->dim[1], p.H = (int)x->dim[2], p.W = (int)x->dim[3];
    p.K = (int)y->dim[1], p.P = (int)y->dim[2], p.Q = (int)y->dim[3];
    p.R = (int)w->dim[2], p.S = (int)w->dim[3];
    p.stride_h = (int)stride[0], p.stride_w = (int)stride[1];
    p.pad_top = (int)pad[0], p.pad_left = (int)pad[1];
    p.dil_h = (int)dilation[0], p.dil_w = (int)dilation[1];
    p.groups = p.C / (int)w->dim[1];
    if (macs_of(&p) <= most_macs && has_fast_path(&p))
        add_layer(list, &p);
}

static void add_network(layer_list *list, const char *name, double most_macs)
{
    gn_zoo_entry entry;
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_error err = {0};
    assert_true(gn_zoo_find(name, &entry));
    options.model = name;
    options.width_px = options.height_px = entry.default_px > 0 ? entry.default_px : 224;
    options.head = entry.is_detector ? "detect" : "box";
    options.classes = CLASSES;
    options.no_weights = true;
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s: %s", name, err.message);
    const gn_shape one = gn_shape_make(4, 1, 3, options.height_px, options.width_px);
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &one), GN_OK);
    assert_int_equal(gn_graph_infer(graph, &err), GN_OK);
    for (int i = 0; i < gn_graph_node_count(graph); i++)
        if (strcmp(gn_graph_node(graph, i)->op->name, "Conv") == 0)
            add_convolution(list, graph, gn_graph_node(graph, i), most_macs);
    gn_graph_destroy(&graph);
}

/* ---- one layer at one level ---- */

typedef struct layer_data {
    gn_conv p;
    size_t n_src, n_dst, n_weight;
    float *src, *weight, *bias, *ddst, *zeros;
    float *dst, *dsrc, *dw, *dbias; /* results */
} layer_data;

static float *floats(size_t n)
{
    float *block = gn_calloc(n, sizeof *block);
    assert_non_null(block);
    return block;
}

static float *drawn(gn_rng *rng, size_t n, float lo, float hi)
{
    float *block = floats(n);
    for (size_t i = 0; i < n; i++)
        block[i] = gn_rng_range(rng, lo, hi);
    return block;
}

/* Inputs of either sign, or as a ReLU leaves them; weights as large as they are initialised. */
static void draw_layer(layer_data *d, const gn_conv *p, int index)
{
    gn_rng rng;
    const int depth = p->C / p->groups * p->R * p->S;
    const float width = sqrtf(6.0f / (float)depth);
    gn_rng_init(&rng, 1, (uint64_t)index);
    d->p = *p;
    d->n_src = (size_t)p->N * (size_t)p->H * (size_t)p->W * (size_t)p->C;
    d->n_dst = (size_t)p->N * (size_t)p->P * (size_t)p->Q * (size_t)p->K;
    d->n_weight = (size_t)p->K * (size_t)depth;
    d->src = drawn(&rng, d->n_src, -1, 1);
    for (size_t i = 0; index % 2 && i < d->n_src; i++)
        d->src[i] = d->src[i] > 0 ? d->src[i] : 0;
    d->weight = drawn(&rng, d->n_weight, -width, width);
    d->bias = drawn(&rng, (size_t)p->K, -1, 1);
    d->ddst = drawn(&rng, d->n_dst, -1, 1);
    d->zeros = floats((size_t)(p->C > p->K ? p->C : p->K));
    d->dst = floats(d->n_dst);
    d->dsrc = floats(d->n_src);
    d->dw = floats(d->n_weight);
    d->dbias = floats((size_t)p->K);
}

static void free_layer(layer_data *d)
{
    float *all[] = {d->src, d->weight, d->bias, d->ddst, d->zeros, d->dst, d->dsrc, d->dw, d->dbias};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        gn_free(all[i]);
}

static void run_forward(const layer_data *d, gn_conv_choice choice, float *dst)
{
    gn_conv p = d->p;
    p.choice = choice;
    void *packed = gn_alloc(gn_conv_pack_bytes(&p)), *scratch = gn_alloc(gn_conv_fwd_scratch_bytes(&p));
    assert_non_null(packed);
    assert_non_null(scratch);
    gn_conv_pack(&p, d->weight, d->bias, NULL, packed, 0, gn_conv_pack_panels(&p));
    const gn_conv_fwd call = {p, d->src, packed, NULL, dst, {-INFINITY, INFINITY}, d->zeros, {0}};
    for (int i = 0; i < gn_conv_fwd_tasks(&p); i++)
        gn_conv_fwd_task(&call, i, scratch);
    gn_free(packed);
    gn_free(scratch);
}

static void run_backward(const layer_data *d, float *dsrc, float *dw)
{
    const gn_conv *p = &d->p;
    void *packed = gn_alloc(gn_conv_bwd_data_pack_bytes(p)), *partial = gn_alloc(gn_conv_bwd_weight_partial_bytes(p));
    void *data_scratch = gn_alloc(gn_conv_bwd_data_scratch_bytes(p)),
         *weight_scratch = gn_alloc(gn_conv_bwd_weight_scratch_bytes(p));
    assert_true(packed && partial && data_scratch && weight_scratch);
    gn_conv_bwd_data_pack(p, d->weight, packed, 0, gn_conv_bwd_data_pack_panels(p));
    const gn_conv_bwd_data data = {*p, d->ddst, packed, dsrc, false, d->zeros};
    for (int i = 0; i < gn_conv_bwd_data_tasks(p); i++)
        gn_conv_bwd_data_task(&data, i, data_scratch);
    const gn_conv_bwd_weight weight = {*p, d->src, d->ddst, dw, d->dbias, partial, d->zeros, false};
    for (int i = 0; i < gn_conv_bwd_weight_tasks(p); i++)
        gn_conv_bwd_weight_task(&weight, i, weight_scratch);
    for (int i = 0; i < gn_conv_bwd_weight_reduce_tasks(p); i++)
        gn_conv_bwd_weight_reduce_task(&weight, i);
    gn_free(packed);
    gn_free(partial);
    gn_free(data_scratch);
    gn_free(weight_scratch);
}

/* Largest difference as a part of the range of `want`; NaN counts as infinite. */
static double part_of_range(const float *got, const float *want, size_t n)
{
    double lo = INFINITY, hi = -INFINITY, most = 0;
    for (size_t i = 0; i < n; i++) {
        const double difference = fabs((double)got[i] - (double)want[i]);
        lo = fmin(lo, (double)want[i]);
        hi = fmax(hi, (double)want[i]);
        most = difference <= most ? most : isnan(difference) ? INFINITY : difference;
    }
    return most / (hi - lo);
}

/* ---- all of them ---- */

typedef struct verdict {
    double worst;
    int compared, wrong;
} verdict;

static void judge(verdict *v, const gn_conv *p, const char *level, const char *what, double difference)
{
    v->compared++;
    v->worst = fmax(v->worst, difference);
    if (difference <= TOLERANCE)
        return;
    v->wrong++;
    print_error("%dx%dx%d to %dx%dx%d, filter %dx%d, %s, %s: %g of the range\n", p->H, p->W, p->C, p->P, p->Q, p->K,
                p->R, p->S, level, what, difference);
}

static void compare_at_level(verdict *v, const layer_data *want, gn_cpu_level level)
{
    const gn_conv *p = &want->p;
    float *got = floats(want->n_dst > want->n_src ? want->n_dst : want->n_src), *dw = floats(want->n_weight);
    const char *name = gn_cpu_level_name(level);
    for (int a = GN_CONV_MODEL + 1; a < GN_CONV_ALGORITHMS; a++) {
        const gn_conv_choice choice = {.algorithm = (gn_conv_algorithm)a};
        char shown[GN_CONV_CHOICE_NAME_BYTES];
        if (a == GN_CONV_FEW || !gn_conv_fwd_takes(p, false, choice))
            continue;
        run_forward(want, choice, got);
        gn_conv_choice_name(choice, shown);
        judge(v, p, name, shown, part_of_range(got, want->dst, want->n_dst));
    }
    run_backward(want, got, dw);
    judge(v, p, name, "gradient by data", part_of_range(got, want->dsrc, want->n_src));
    judge(v, p, name, "gradient by weights", part_of_range(dw, want->dw, want->n_weight));
    gn_free(got);
    gn_free(dw);
}

static void compare_layer(verdict *v, const gn_conv *p, int index)
{
    static const gn_cpu_level levels[] = {GN_CPU_AVX2, GN_CPU_AVX512, GN_CPU_NEON};
    layer_data d;
    draw_layer(&d, p, index);
    assert_int_equal(gn_cpu_force(GN_CPU_REF), GN_OK);
    run_forward(&d, (gn_conv_choice){0}, d.dst);
    run_backward(&d, d.dsrc, d.dw);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (gn_cpu_force(levels[i]) == GN_OK && gn_cpu_current() == levels[i])
            compare_at_level(v, &d, levels[i]);
    assert_int_equal(gn_cpu_force(gn_cpu_detected()), GN_OK);
    free_layer(&d);
}

static void layers_of_the_zoo(void **state)
{
    (void)state;
    static const char *const few[] = {"resnet18", "squeezenet1_1", "densenet121", "yolov5n"};
    const bool is_every = getenv("GN_EVERY_LAYER") != NULL;
    static layer_list list;
    size_t n = sizeof few / sizeof *few;
    const char *const *names = is_every ? gn_zoo_names(&n) : few;
    if (gn_cpu_current() == GN_CPU_REF)
        skip();
    for (size_t i = 0; i < n; i++)
        add_network(&list, names[i], is_every ? INFINITY : FEW_MACS);
    assert_true(list.count > 4);
    verdict v = {0};
    for (int i = 0; i < list.count; i++)
        compare_layer(&v, &list.layers[i], i);
    print_message("%d layers, %d comparisons, largest difference %.2g of the range\n", list.count, v.compared, v.worst);
    assert_int_equal(v.wrong, 0);
    assert_true(v.compared >= 3 * list.count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers_of_the_zoo)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
