/* The loss of detectors on the CPU: the bits of its reference, for any number of threads, without allocating; and its gradient as part
 * of a graph.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "base/rng.h"
#include "detect/detector.h"
#include "graph/autodiff.h"
#include "ops/interpret.h"
#include "ops/ops.h"

#define N        5
#define CAPACITY 12

typedef struct loss_graph {
    gn_detector detector;
    gn_graph *graph;
    int n_inputs, input[4 + GN_DETECTOR_MAX_MAPS];
    gn_tensor *data[4 + GN_DETECTOR_MAX_MAPS];
} loss_graph;

static gn_detector detector_of(gn_detector_kind kind)
{
    gn_detector d = {.kind = kind, .classes = 3, .n_maps = 2, .stride = {8, 16}, .anchors = 1, .scale_xy = 1};
    if (kind == GN_DETECTOR_YOLOV8)
        d.bins = 8;
    if (kind == GN_DETECTOR_YOLOV1) {
        d.n_maps = 1;
        d.stride[0] = d.stride[1] = 0;
        d.anchors = 2;
    }
    if (gn_detector_has_anchors(kind)) {
        d.anchors = 2;
        for (int m = 0; m < 2; m++)
            for (int a = 0; a < 2; a++) {
                d.anchor[m][a][0] = (float)(10 << m << a);
                d.anchor[m][a][1] = (float)(12 << m << a);
            }
    }
    return d;
}

static void must(gn_status status, const gn_error *err)
{
    if (status != GN_OK)
        fail_msg("%s: %s", gn_status_name(status), err->message);
}

static int add_input(loss_graph *l, const char *name, gn_dtype dtype, gn_shape shape)
{
    const int i = l->n_inputs++;
    l->input[i] = gn_graph_add_input(l->graph, name, dtype, &shape);
    assert_int_equal(gn_tensor_create(dtype, &shape, &l->data[i]), GN_OK);
    return l->input[i];
}

static void fill(loss_graph *l)
{
    gn_rng rng;
    gn_rng_init(&rng, 3, 4);
    float *truth = l->data[0]->data;
    for (int i = 0; i < N * CAPACITY; i++, truth += 5) {
        for (int k = 0; k < 2; k++) {
            truth[k] = gn_rng_range(&rng, 0, 0.7f);
            truth[2 + k] = truth[k] + gn_rng_range(&rng, 0.02f, 0.3f);
        }
        truth[4] = (float)(i % 3);
    }
    for (int n = 0; n < N; n++) {
        ((int64_t *)l->data[1]->data)[n] = n * 3; /* none in the first picture, all in the last */
        ((float *)l->data[2]->data)[n] = n == 1 ? 0.0f : 1.0f;
    }
    for (int c = 0; c < 3; c++)
        ((float *)l->data[3]->data)[c] = 1.0f;
    for (int i = 4; i < l->n_inputs; i++)
        for (int64_t k = 0; k < gn_tensor_count(l->data[i]); k++)
            ((float *)l->data[i]->data)[k] = 1.5f * (float)gn_rng_normal(&rng);
}

/* A scalar: a constant, or a state, whose contents no pass can use. */
static int add_factor(loss_graph *l, float factor, bool is_known)
{
    if (is_known)
        return gn_graph_add_const_f32(l->graph, "factor", 0, &factor);
    const gn_shape scalar = {.rank = 0};
    const int state = gn_graph_add_state(l->graph, "factor", GN_DTYPE_F32, &scalar, false);
    gn_tensor_set(gn_graph_value_mut(l->graph, state)->data, 0, (double)factor);
    return state;
}

/* Truths and maps of 48 x 32 pixels; outputs: the loss, its parts, and the gradient by each map, times `factor`. */
static void build(loss_graph *l, gn_detector_kind kind, float factor, bool is_known)
{
    memset(l, 0, sizeof *l);
    l->detector = detector_of(kind);
    const int K = (int)gn_detector_channels(&l->detector), maps = l->detector.n_maps;
    gn_text text;
    gn_error err = {0};
    gn_text_init(&text);
    gn_detector_format(&l->detector, &text);
    must(gn_graph_create(gn_ops_registry(), &l->graph), &err);
    add_input(l, "truth", GN_DTYPE_F32, gn_shape_make(3, N, CAPACITY, 5));
    add_input(l, "n_truth", GN_DTYPE_S64, gn_shape_make(1, N));
    add_input(l, "weight", GN_DTYPE_F32, gn_shape_make(1, N));
    add_input(l, "class_weight", GN_DTYPE_F32, gn_shape_make(1, 3));
    for (int m = 0; m < maps; m++) {
        char name[16];
        snprintf(name, sizeof name, "raw%d", m);
        add_input(l, name, GN_DTYPE_F32, gn_shape_make(4, N, K, 4 >> m, 6 >> m));
    }
    const gn_attr attr = gn_attr_string("detector", text.data);
    const int node =
        gn_graph_add_node(l->graph, "DetectionLoss", "gannet", "loss", l->input, l->n_inputs, 2 + maps, &attr, 1);
    gn_text_deinit(&text);
    must(gn_graph_error(l->graph, &err), &err);
    const int parts = gn_graph_node(l->graph, node)->out[1];
    const int scaled[2] = {gn_graph_node(l->graph, node)->out[0], add_factor(l, factor, is_known)};
    const int loss = gn_graph_add_op(l->graph, "Mul", "", "scaled", scaled, 2, NULL, 0);
    int grads[GN_DETECTOR_MAX_MAPS];
    must(gn_graph_differentiate(l->graph, loss, l->input + 4, maps, grads, &err), &err);
    must(gn_graph_add_output(l->graph, loss), &err);
    must(gn_graph_add_output(l->graph, parts), &err);
    for (int m = 0; m < maps; m++)
        must(gn_graph_add_output(l->graph, grads[m]), &err);
    must(gn_graph_infer(l->graph, &err), &err);
    fill(l);
}

static void destroy(loss_graph *l)
{
    for (int i = 0; i < l->n_inputs; i++)
        gn_tensor_destroy(&l->data[i]);
    gn_graph_destroy(&l->graph);
}

static gn_interpret *interpret(const loss_graph *l, gn_dtype dtype)
{
    gn_interpret *it = NULL;
    gn_error err = {0};
    must(gn_interpret_create(l->graph, dtype, &it, &err), &err);
    for (int i = 0; i < l->n_inputs; i++)
        must(gn_interpret_set_tensor(it, l->input[i], l->data[i]), &err);
    must(gn_interpret_run(it, &err), &err);
    return it;
}

/* All outputs of a run on the CPU, behind one another; the caller frees. */
static float *run_on_cpu(const loss_graph *l, int threads, int64_t *count_out)
{
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_graph *graph = NULL;
    gn_error err = {0};
    must(gn_backend_cpu.open(threads, &device, &err), &err);
    must(gn_graph_clone(l->graph, true, &graph), &err);
    must(gn_backend_cpu.compile(device, graph, &exec, &err), &err);
    for (int i = 0; i < l->n_inputs; i++)
        must(gn_backend_cpu.bind(exec, l->input[i], l->data[i]->data), &err);
    must(gn_backend_cpu.run(exec, &err), &err);
    const uint64_t before = gn_memory_stats_get().allocations;
    must(gn_backend_cpu.run(exec, &err), &err);
    assert_int_equal(gn_memory_stats_get().allocations, before);
    int64_t total = 0;
    for (int o = 0; o < gn_graph_output_count(graph); o++)
        total += gn_shape_count(&gn_graph_value(graph, gn_graph_output(graph, o))->shape);
    float *all = gn_alloc((size_t)total * sizeof *all), *at = all;
    assert_non_null(all);
    for (int o = 0; o < gn_graph_output_count(graph); o++) {
        const int64_t count = gn_shape_count(&gn_graph_value(graph, gn_graph_output(graph, o))->shape);
        memcpy(at, gn_backend_cpu.output(exec, o), (size_t)count * sizeof *at);
        at += count;
    }
    *count_out = total;
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&graph);
    return all;
}

static void check_kind(gn_detector_kind kind)
{
    loss_graph l;
    build(&l, kind, 2.0f, true);
    gn_interpret *it = interpret(&l, GN_DTYPE_F32);
    float *got[3];
    int64_t count = 0;
    for (int t = 0; t < 3; t++)
        got[t] = run_on_cpu(&l, t + 1, &count);
    for (int t = 1; t < 3; t++)
        assert_memory_equal(got[t], got[0], (size_t)count * sizeof(float));
    const float *at = got[0];
    double size = 0;
    for (int o = 0; o < gn_graph_output_count(l.graph); o++) {
        const gn_tensor *want = gn_interpret_get(it, gn_graph_output(l.graph, o));
        for (int64_t i = 0; i < gn_tensor_count(want); i++, at++) {
            const float x = (float)gn_tensor_get(want, i);
            size += o >= 2 ? (double)(x * x) : 0;
            if (memcmp(&x, at, sizeof x) != 0)
                fail_msg("%s: output %d, element %d is %.9g, its reference says %.9g", gn_detector_kind_name(kind), o,
                         (int)i, (double)*at, (double)x);
        }
    }
    assert_true(size > 1e-6); /* there is a gradient */
    for (int t = 0; t < 3; t++)
        gn_free(got[t]);
    gn_interpret_destroy(&it);
    destroy(&l);
}

static void bits_do_not_depend_on_threads(void **state)
{
    (void)state;
    for (int kind = 0; kind < GN_DETECTOR_KINDS; kind++)
        check_kind((gn_detector_kind)kind);
}

/* By a factor that is known the node scales itself; by another one the gradients are multiplied. */
static void gradients_are_scaled(void **state)
{
    (void)state;
    float *got[3];
    int64_t count = 0;
    const struct {
        float factor;
        bool is_known;
        int more_nodes;
    } cases[3] = {{1.0f, true, 0}, {4.0f, true, 0}, {4.0f, false, 2}};
    int nodes = 0;
    for (int i = 0; i < 3; i++) {
        loss_graph l;
        build(&l, GN_DETECTOR_YOLOV8, cases[i].factor, cases[i].is_known);
        got[i] = run_on_cpu(&l, 2, &count);
        nodes = i == 0 ? gn_graph_node_count(l.graph) : nodes;
        assert_int_equal(gn_graph_node_count(l.graph), nodes + cases[i].more_nodes);
        destroy(&l);
    }
    assert_true(got[1][0] == 4 * got[0][0]); /* the loss, which the graph scales */
    for (int64_t k = 1; k < 5; k++)
        assert_true(got[1][k] == got[0][k] && got[2][k] == got[0][k]); /* the parts stay */
    for (int64_t k = 5; k < count; k++)
        assert_true(got[1][k] == 4 * got[0][k] && got[2][k] == 4 * got[0][k]);
    for (int i = 0; i < 3; i++)
        gn_free(got[i]);
}

/* Each change of one operand or attribute is refused, in words that name it. */
static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    const char *detector = "{\"kind\":\"yolov8\",\"classes\":3,\"strides\":[8,16],\"anchors\":1,\"bins\":8}";
    const struct {
        int input; /* which gets the shape; -1: the attributes are wrong */
        gn_shape shape;
        const char *detector, *box_loss, *says;
    } cases[] = {
        {0, gn_shape_make(3, 2, 4, 4), detector, "paper", "truths [N,M,5]"},
        {1, gn_shape_make(1, 3), detector, "paper", "numbers [N]"},
        {3, gn_shape_make(1, 2), detector, "paper", "3 classes"},
        {4, gn_shape_make(4, 2, 34, 4, 4), detector, "paper", "raw map 0"},
        {5, gn_shape_make(4, 1, 35, 2, 2), detector, "paper", "raw map 1"},
        {-1, gn_shape_make(1, 1), "{}", "paper", "detector"},
        {-1, gn_shape_make(1, 1), detector, "l3", "box_loss is l3"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_shape shapes[6] = {gn_shape_make(3, 2, 4, 5), gn_shape_make(1, 2),           gn_shape_make(1, 2),
                              gn_shape_make(1, 3),       gn_shape_make(4, 2, 35, 4, 4), gn_shape_make(4, 2, 35, 2, 2)};
        gn_graph *graph = NULL;
        gn_error err = {0};
        int in[6];
        if (cases[i].input >= 0)
            shapes[cases[i].input] = cases[i].shape;
        assert_int_equal(gn_graph_create(gn_ops_registry(), &graph), GN_OK);
        for (int k = 0; k < 6; k++)
            in[k] = gn_graph_add_input(graph, NULL, k == 1 ? GN_DTYPE_S64 : GN_DTYPE_F32, &shapes[k]);
        const gn_attr attrs[2] = {gn_attr_string("detector", cases[i].detector),
                                  gn_attr_string("box_loss", cases[i].box_loss)};
        gn_graph_add_node(graph, "DetectionLoss", "gannet", "loss", in, 6, 4, attrs, 2);
        if (gn_graph_error(graph, &err) == GN_OK)
            assert_int_not_equal(gn_graph_infer(graph, &err), GN_OK);
        if (!strstr(err.message, cases[i].says))
            fail_msg("'%s' says nothing of '%s'", err.message, cases[i].says);
        gn_graph_destroy(&graph);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(gradients_are_scaled),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
