/* How compiled graphs live: devices and their arena, bindings, updates of states, failing allocations.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend_fixture.h"
#include "graph/passes.h"
#include "ops/ops.h"

static gn_graph *new_graph(void)
{
    gn_graph *graph = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &graph), GN_OK);
    return graph;
}

static int one_op(gn_graph *graph, const char *name, int a, int b)
{
    const int in[2] = {a, b};
    int value = gn_graph_add_op(graph, name, "", NULL, in, b < 0 ? 1 : 2, NULL, 0);
    gn_error err = {0};
    if (gn_graph_error(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return value;
}

/* ---- devices ---- */

static void thread_counts_are_checked(void **state)
{
    (void)state;
    gn_device *device = NULL;
    gn_error err = {0};
    assert_int_not_equal(gn_backend_cpu.open(0, &device, &err), GN_OK);
    assert_non_null(strstr(err.message, "0 threads"));
    assert_null(device);
    assert_int_equal(gn_backend_cpu.open(2, &device, &err), GN_OK);
    assert_int_equal(gn_backend_cpu.threads(device), 2);
    gn_backend_cpu.close(&device);
    assert_null(device);
    gn_backend_cpu.close(&device);
}

static void outputs_of(const fixture_run *run, float *dst, size_t n)
{
    memcpy(dst, gn_backend_cpu.output(run->exec, 0), n * sizeof *dst);
}

/* Two graphs on one device take turns in its arena. */
static void execs_share_an_arena(void **state)
{
    (void)state;
    gn_graph *small = fixture_network("squeezenet1_1", "box", 1, 64),
             *large = fixture_network("mobilenet_v2@0.35", "box", 2, 96);
    gn_device *device = NULL;
    gn_error err = {0};
    fixture_run a, b, alone;
    float expected_a[4], expected_b[8], got[8];
    fixture_open(&alone, small, 1, 2);
    fixture_run_once(&alone);
    outputs_of(&alone, expected_a, 4);
    fixture_close(&alone);
    fixture_open(&alone, large, 1, 2);
    fixture_run_once(&alone);
    outputs_of(&alone, expected_b, 8);
    fixture_close(&alone);
    assert_int_equal(gn_backend_cpu.open(2, &device, &err), GN_OK);
    fixture_open_on(&a, device, small, 2);
    fixture_open_on(&b, device, large, 2);
    for (int i = 0; i < 3; i++) {
        fixture_run_once(&a);
        outputs_of(&a, got, 4);
        assert_memory_equal(got, expected_a, sizeof expected_a);
        fixture_run_once(&b);
        outputs_of(&b, got, 8);
        assert_memory_equal(got, expected_b, sizeof expected_b);
    }
    size_t arena = gn_backend_cpu.plan(b.exec)->arena_bytes;
    assert_true(gn_backend_cpu.memory_bytes(b.exec) >= arena);
    fixture_close(&a);
    fixture_close(&b);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&small);
    gn_graph_destroy(&large);
}

/* A second compilation of a graph finds the conversions of the first. */
static void a_graph_is_compiled_twice(void **state)
{
    (void)state;
    gn_graph *graph = fixture_network("squeezenet1_1", "box", 1, 64);
    gn_device *device = NULL;
    gn_exec *first = NULL, *second = NULL;
    gn_error err = {0};
    float got[4];
    assert_int_equal(gn_backend_cpu.open(1, &device, &err), GN_OK);
    assert_int_equal(gn_backend_cpu.compile(device, graph, &first, &err), GN_OK);
    int nodes = gn_graph_node_count(graph);
    assert_int_equal(gn_backend_cpu.compile(device, graph, &second, &err), GN_OK);
    assert_int_equal(gn_graph_node_count(graph), nodes);
    int images = gn_graph_input(graph, 0);
    gn_tensor *data = NULL;
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &gn_graph_value(graph, images)->shape, &data), GN_OK);
    fixture_fill_input(graph, images, data, 1);
    gn_exec *both[2] = {first, second};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gn_backend_cpu.bind(both[i], images, data->data), GN_OK);
        assert_int_equal(gn_backend_cpu.run(both[i], &err), GN_OK);
        if (i == 0)
            memcpy(got, gn_backend_cpu.output(both[i], 0), sizeof got);
        else
            assert_memory_equal(got, gn_backend_cpu.output(both[i], 0), sizeof got);
    }
    gn_backend_cpu.destroy(&first);
    gn_backend_cpu.destroy(&second);
    gn_backend_cpu.close(&device);
    gn_tensor_destroy(&data);
    gn_graph_destroy(&graph);
}

/* ---- bindings ---- */

static void unbound_inputs_are_named(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape shape = gn_shape_make(1, 3);
    int a = gn_graph_add_input(graph, "left", GN_DTYPE_F32, &shape),
        b = gn_graph_add_input(graph, "right", GN_DTYPE_F32, &shape);
    int sum = one_op(graph, "Add", a, b);
    gn_graph_add_output(graph, sum);
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_error err = {0};
    float x[3 + 16] = {1, 2, 3};
    assert_int_equal(gn_backend_cpu.open(1, &device, &err), GN_OK);
    assert_int_equal(gn_backend_cpu.compile(device, graph, &exec, &err), GN_OK);
    assert_int_equal(gn_backend_cpu.bind(exec, a, x), GN_OK);
    assert_int_equal(gn_backend_cpu.run(exec, &err), GN_EINVAL);
    assert_non_null(strstr(err.message, "right"));
    assert_int_equal(gn_backend_cpu.bind(exec, sum, x), GN_EINVAL);
    assert_int_equal(gn_backend_cpu.bind(exec, -1, x), GN_EINVAL);
    assert_int_equal(gn_backend_cpu.bind(exec, 1000, x), GN_EINVAL);
    assert_int_equal(gn_backend_cpu.bind(exec, b, x), GN_OK);
    assert_int_equal(gn_backend_cpu.run(exec, &err), GN_OK);
    const float *y = gn_backend_cpu.output(exec, 0);
    assert_true(y[0] == 2 && y[1] == 4 && y[2] == 6);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&graph);
}

/* A detector that found nothing: empty values are computed with, and nothing comes out. */
static void empty_values_run(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape shape = gn_shape_make(2, 0, 3);
    const int x = gn_graph_add_input(graph, "nothing", GN_DTYPE_F32, &shape);
    const gn_attr axis = gn_attr_int("axis", 0);
    const float one[3] = {1, 2, 3};
    const int64_t wide[2] = {1, 3};
    const int row_parts[2] = {gn_graph_add_const_f32(graph, "one", 3, one),
                              gn_graph_add_const_s64(graph, "wide", 2, wide)};
    const int row = gn_graph_add_op(graph, "Reshape", "", "row", row_parts, 2, NULL, 0);
    const int parts[3] = {one_op(graph, "Relu", x, -1), row, one_op(graph, "Add", x, x)};
    gn_graph_add_output(graph, parts[0]);
    gn_graph_add_output(graph, gn_graph_add_op(graph, "Concat", "", "all", parts, 3, &axis, 1));
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_error err = {0};
    assert_int_equal(gn_backend_cpu.open(1, &device, &err), GN_OK);
    if (gn_backend_cpu.compile(device, graph, &exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_backend_cpu.bind(exec, x, one), GN_OK);
    assert_int_equal(gn_backend_cpu.run(exec, &err), GN_OK);
    const float *y = gn_backend_cpu.output(exec, 1);
    assert_true(y[0] == 1 && y[1] == 2 && y[2] == 3);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&graph);
}

/* Types that no handler takes are left to the reference, which may refuse. */
static void other_types_do_not_meet_f32_kernels(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape image = gn_shape_make(4, 1, 3, 5, 5), filter = gn_shape_make(4, 2, 3, 3, 3);
    int x = gn_graph_add_input(graph, "x", GN_DTYPE_F16, &image);
    gn_graph_add_output(graph, one_op(graph, "Add", one_op(graph, "Relu", x, -1), x));
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_error err = {0};
    uint16_t pixels[75 + 32] = {0x3c00, 0xc000}; /* 1 and -2 */
    assert_int_equal(gn_backend_cpu.open(1, &device, &err), GN_OK);
    if (gn_backend_cpu.compile(device, graph, &exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_backend_cpu.bind(exec, x, pixels);
    if (gn_backend_cpu.run(exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    const uint16_t *y = gn_backend_cpu.output(exec, 0);
    assert_true(y[0] == 0x4000 && y[1] == 0xc000);
    gn_backend_cpu.destroy(&exec);
    const int in[2] = {x, gn_graph_add_state(graph, "filter", GN_DTYPE_F16, &filter, false)};
    gn_graph_add_output(graph, gn_graph_add_op(graph, "Conv", "", "odd.conv", in, 2, NULL, 0));
    assert_int_equal(gn_graph_error(graph, &err), GN_OK);
    assert_int_equal(gn_backend_cpu.compile(device, graph, &exec, &err), GN_OK);
    gn_backend_cpu.bind(exec, x, pixels);
    assert_int_equal(gn_backend_cpu.run(exec, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "odd.conv"));
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&graph);
}

/* Per-step times, one for each step. */
static void steps_are_timed(void **state)
{
    (void)state;
    gn_graph *graph = fixture_network("squeezenet1_1", "box", 1, 64);
    fixture_run run;
    gn_error err = {0};
    fixture_open(&run, graph, 1, 1);
    int n = gn_backend_cpu.plan(run.exec)->n_steps;
    int64_t *ns = calloc((size_t)n, sizeof *ns), total = 0;
    assert_int_equal(gn_backend_cpu.run_timed(run.exec, ns, &err), GN_OK);
    for (int i = 0; i < n; i++) {
        assert_true(ns[i] >= 0);
        total += ns[i];
    }
    assert_true(total > 0);
    free(ns);
    fixture_close(&run);
    gn_graph_destroy(&graph);
}

/* ---- updates of states ---- */

/* Each case is run three times by both, so that a state that is written too early or too late shows. */
static void check_updates(gn_graph *graph)
{
    gn_error err = {0};
    if (gn_graph_error(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    fixture_fill_states(graph, 8);
    assert_true(fixture_difference(graph, 2, 3, 5, 1e-5) < 1e-5);
    gn_graph_destroy(&graph);
}

static int square_state(gn_graph *graph, const char *name)
{
    gn_shape shape = gn_shape_make(2, 6, 6);
    return gn_graph_add_state(graph, name, GN_DTYPE_F32, &shape, true);
}

static void a_product_does_not_overwrite_its_operand(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape shape = gn_shape_make(2, 6, 6);
    int s = square_state(graph, "s"), x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    int product = one_op(graph, "MatMul", s, x);
    gn_graph_add_update(graph, s, product);
    gn_graph_add_output(graph, product);
    check_updates(graph);
}

static void readers_come_before_the_update(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape shape = gn_shape_make(2, 6, 6);
    const int64_t flat[1] = {36};
    int s = square_state(graph, "s"), x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    int view = one_op(graph, "Reshape", s, gn_graph_add_const_s64(graph, "flat", 1, flat));
    int next = one_op(graph, "Add", s, x); /* written before anybody reads s or the view of it, going by the list */
    gn_graph_add_update(graph, s, next);
    gn_graph_add_output(graph, one_op(graph, "Relu", view, -1));
    gn_graph_add_output(graph, one_op(graph, "MatMul", s, x));
    gn_graph_add_output(graph, one_op(graph, "Mul", next, x));
    check_updates(graph);
}

static void one_value_renews_two_states(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    int a = square_state(graph, "a"), b = square_state(graph, "b");
    int sum = one_op(graph, "Add", a, b);
    gn_graph_add_update(graph, a, sum);
    gn_graph_add_update(graph, b, sum);
    gn_graph_add_output(graph, sum);
    check_updates(graph);
}

static void updates_are_plain(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape shape = gn_shape_make(4, 2, 3, 5, 4);
    const int64_t one[2] = {1, 1};
    const gn_attr kernel = gn_attr_ints("kernel_shape", one, 2);
    int s = gn_graph_add_state(graph, "s", GN_DTYPE_F32, &shape, false),
        x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    int pooled = gn_graph_add_op(graph, "MaxPool", "", NULL, &x, 1, &kernel, 1); /* lies N,H,W,C */
    gn_graph_add_update(graph, s, one_op(graph, "Add", pooled, s));
    gn_graph_add_output(graph, pooled);
    check_updates(graph);
}

static void updates_of_another_shape_are_refused(void **state)
{
    (void)state;
    gn_graph *graph = new_graph();
    gn_shape shape = gn_shape_make(2, 6, 7);
    int s = square_state(graph, "s"), x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    gn_graph_add_update(graph, s, one_op(graph, "Relu", x, -1));
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    gn_error err = {0};
    assert_int_equal(gn_backend_cpu.open(1, &device, &err), GN_OK);
    assert_int_equal(gn_backend_cpu.compile(device, graph, &exec, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "state s"));
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&graph);
}

/* ---- allocations that fail ---- */

typedef struct failing {
    long made, fails_at, live;
} failing;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    failing *f = ctx;
    if (++f->made == f->fails_at)
        return NULL;
    void *block = aligned_alloc(align, (bytes + align - 1) / align * align);
    f->live += block != NULL;
    return block;
}

static void failing_free(void *ctx, void *ptr)
{
    failing *f = ctx;
    f->live -= ptr != NULL;
    free(ptr);
}

/* A little of everything that compiling does: conversions, folded and packed weights, an update, a fallback. */
static gn_status build_small(gn_graph **graph_out)
{
    gn_graph *graph = NULL;
    gn_status status = gn_graph_create(gn_ops_registry(), &graph);
    if (status != GN_OK)
        return status;
    gn_shape image = gn_shape_make(4, 1, 3, 8, 8), filter = gn_shape_make(4, 5, 3, 3, 3), vector = gn_shape_make(1, 5);
    int x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &image),
        w = gn_graph_add_state(graph, "w", GN_DTYPE_F32, &filter, true);
    const int conv_in[2] = {x, w};
    int conv = gn_graph_add_op(graph, "Conv", "", "conv", conv_in, 2, NULL, 0);
    int bn_in[5] = {conv, -1, -1, -1, -1};
    static const char *const names[5] = {"", "scale", "shift", "mean", "var"};
    for (int i = 1; i < 5; i++)
        bn_in[i] = gn_graph_add_state(graph, names[i], GN_DTYPE_F32, &vector, i < 3);
    int bn = gn_graph_add_op(graph, "BatchNormalization", "", "bn", bn_in, 5, NULL, 0);
    int relu = gn_graph_add_op(graph, "Relu", "", "relu", &bn, 1, NULL, 0);
    int pool = gn_graph_add_op(graph, "GlobalAveragePool", "", "pool", &relu, 1, NULL, 0);
    int flat = gn_graph_add_op(graph, "Flatten", "", "flat", &pool, 1, NULL, 0);
    int sum_in[2] = {flat, gn_graph_add_state(graph, "kept", GN_DTYPE_F32, &vector, false)};
    int sum = gn_graph_add_op(graph, "Add", "", "sum", sum_in, 2, NULL, 0);
    status = gn_graph_error(graph, NULL);
    if (status == GN_OK)
        status = gn_graph_add_output(graph, sum);
    if (status == GN_OK)
        status = gn_graph_add_output(graph, relu);
    if (status == GN_OK)
        *graph_out = graph;
    else
        gn_graph_destroy(&graph);
    return status;
}

static gn_status build_compile_run(void)
{
    gn_graph *graph = NULL, *clone = NULL;
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    float x[3 * 64 + 16] = {1};
    gn_error err = {0};
    gn_status status = build_small(&graph);
    if (status == GN_OK)
        status = gn_graph_clone(graph, true, &clone);
    if (status == GN_OK)
        status = gn_pass_inference(clone, &err);
    if (status == GN_OK)
        status = gn_backend_cpu.open(1, &device, &err);
    if (status == GN_OK)
        status = gn_backend_cpu.compile(device, clone, &exec, &err);
    if (status == GN_OK)
        status = gn_backend_cpu.bind(exec, gn_graph_input(clone, 0), x);
    if (status == GN_OK)
        status = gn_backend_cpu.run(exec, &err);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&clone);
    gn_graph_destroy(&graph);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    failing f = {0};
    const gn_allocator allocator = {failing_alloc, failing_free, &f};
    gn_set_allocator(&allocator);
    gn_status status = GN_ENOMEM;
    long k = 1;
    for (; status != GN_OK && k < 10000; k++) {
        f = (failing){.fails_at = k};
        status = build_compile_run();
        if (f.made < k)
            assert_int_equal(status, GN_OK);
        else if (status != GN_ENOMEM && status != GN_OK)
            fail_msg("allocation %ld failed: %s", k, gn_status_name(status));
        assert_int_equal(f.live, 0);
        if (status == GN_OK && f.made >= k) /* a failure that went unnoticed would leave half a graph */
            fail_msg("allocation %ld failed and nothing said so", k);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    assert_true(k > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_counts_are_checked),
        cmocka_unit_test(execs_share_an_arena),
        cmocka_unit_test(a_graph_is_compiled_twice),
        cmocka_unit_test(unbound_inputs_are_named),
        cmocka_unit_test(empty_values_run),
        cmocka_unit_test(other_types_do_not_meet_f32_kernels),
        cmocka_unit_test(steps_are_timed),
        cmocka_unit_test(a_product_does_not_overwrite_its_operand),
        cmocka_unit_test(readers_come_before_the_update),
        cmocka_unit_test(one_value_renews_two_states),
        cmocka_unit_test(updates_are_plain),
        cmocka_unit_test(updates_of_another_shape_are_refused),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
