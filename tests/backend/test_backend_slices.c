/* Parts of Concat and Split inside the whole, on the CPU backend: the results are those of the interpreter, the same bits for one and
 * two threads, and the parts that should lie in place do.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/cpu.h"
#include "graph/passes.h"
#include "op_builder.h"

static int conv(int x, int K, int filter, int stride)
{
    char name[64];
    snprintf(name, sizeof name, "w%d", gn_graph_value_count(g));
    const int C = (int)gn_graph_value(g, x)->shape.dim[1], w = PARAM(name, K, C, filter, filter);
    const int64_t strides[2] = {stride, stride}, pads[4] = {filter / 2, filter / 2, filter / 2, filter / 2};
    const gn_attr attrs[2] = {gn_attr_ints("strides", strides, 2), gn_attr_ints("pads", pads, 4)};
    return value_of(op("", "Conv", 1, (const int[]){x, w}, 2, attrs, 2), 0);
}

static int depthwise(int x)
{
    char name[64];
    snprintf(name, sizeof name, "w%d", gn_graph_value_count(g));
    const int C = (int)gn_graph_value(g, x)->shape.dim[1], w = PARAM(name, C, 1, 3, 3);
    const int64_t pads[4] = {1, 1, 1, 1};
    const gn_attr attrs[2] = {gn_attr_ints("pads", pads, 4), gn_attr_int("group", C)};
    return value_of(op("", "Conv", 1, (const int[]){x, w}, 2, attrs, 2), 0);
}

static int max_pool(int x, const char *name)
{
    const int64_t three[2] = {3, 3}, one[4] = {1, 1, 1, 1};
    const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", three, 2), gn_attr_ints("pads", one, 4)};
    return value_of(op("", name, 1, &x, 1, attrs, 2), 0);
}

static int join(const int *in, int n)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    return value_of(op("", "Concat", 1, in, n, &axis, 1), 0);
}

#define JOIN(...) join((const int[]){__VA_ARGS__}, (int)(sizeof(const int[]){__VA_ARGS__} / sizeof(int)))

static int split(int x)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    return op("", "Split", 2, &x, 1, &axis, 1);
}

static int twice_as_large(int x)
{
    const float scales[4] = {1, 1, 2, 2};
    const int in[3] = {x, -1, gn_graph_add_const_f32(g, "scales", 4, scales)};
    const gn_attr mode = gn_attr_string("mode", "nearest");
    return value_of(op("", "Resize", 1, in, 3, &mode, 1), 0);
}

/* Values of the plan that are slices of others. */
static int count_slices(const gn_graph *graph)
{
    fixture_run run;
    fixture_open(&run, graph, 1, 5);
    const gn_plan *plan = gn_backend_cpu.plan(run.exec);
    int n = 0;
    for (int v = 0; v < plan->n_values; v++)
        n += plan->values[v].is_slice;
    fixture_close(&run);
    return n;
}

static void same_bits_on_two_threads(const gn_graph *graph)
{
    fixture_run one, two;
    fixture_open(&one, graph, 1, 7);
    fixture_open(&two, graph, 2, 7);
    fixture_run_once(&one);
    fixture_run_once(&two);
    for (int i = 0; i < gn_graph_output_count(one.graph); i++) {
        const gn_value *y = gn_graph_value(one.graph, gn_graph_output(one.graph, i));
        assert_memory_equal(gn_backend_cpu.output(one.exec, i), gn_backend_cpu.output(two.exec, i),
                            (size_t)gn_shape_count(&y->shape) * sizeof(float));
    }
    fixture_close(&one);
    fixture_close(&two);
}

/* The result is an output; so many values must lie inside others. */
static void finish(const char *what, int y, int slices)
{
    assert_int_equal(gn_graph_add_output(g, y), GN_OK);
    fixture_fill_states(g, 3);
    same_bits_on_two_threads(g);
    const int found = count_slices(g);
    if (found != slices)
        fail_msg("%s: %d slices, %d were expected", what, found, slices);
    check(what);
}

static void makers_and_readers(void **state)
{
    (void)state;
    int x = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1);
    finish("convolutions", conv(JOIN(conv(x, 20, 1, 1), conv(x, 33, 3, 1), conv(x, 16, 3, 1)), 18, 1, 1), 3);
    x = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1);
    finish("depthwise", depthwise(JOIN(depthwise(x), conv(x, 9, 1, 1))), 2);
    x = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1);
    finish("pooling", conv(JOIN(max_pool(x, "MaxPool"), max_pool(x, "AveragePool"), x), 18, 3, 2), 3);
    x = conv(INPUT("x", 2, 7, 6, 5), 20, 3, 1);
    finish("resize", conv(JOIN(twice_as_large(x), conv(INPUT("z", 2, 4, 12, 10), 8, 3, 1)), 18, 1, 1), 2);
}

static void members_are_read_where_they_lie(void **state)
{
    (void)state;
    int x = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1), a = conv(x, 20, 1, 1), b = conv(a, 12, 3, 1);
    const int c = max_pool(b, "MaxPool"), d = depthwise(c);
    finish("a chain of members", conv(JOIN(a, b, c, d), 18, 1, 1), 4);
    x = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1); /* Sigmoid works on dense memory: a is copied */
    a = conv(x, 20, 1, 1);
    b = conv(x, 12, 1, 1);
    outputs_of(op("", "Sigmoid", 1, &a, 1, NULL, 0));
    finish("a member that another reads", conv(JOIN(a, b, b), 18, 1, 1), 1);
}

static void dense_blocks(void **state)
{
    (void)state;
    int x = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1);
    for (int i = 0; i < 4; i++)
        x = JOIN(x, conv(conv(x, 16, 1, 1), 8, 3, 1));
    finish("joined pair by pair", conv(x, 10, 1, 1), 8);
    const int a = conv(INPUT("x", 2, 7, 13, 11), 24, 3, 1), b = conv(a, 8, 3, 1), c = conv(JOIN(a, b), 8, 3, 1);
    const int d = conv(JOIN(a, b, c), 8, 3, 1);
    finish("joined at once", conv(JOIN(a, b, c, d), 10, 1, 1), 6);
}

/* The module of YOLOv8: the parts of a Split, one of them a residual, and what comes of them. */
static void parts_of_a_split(void **state)
{
    (void)state;
    const int halves = split(conv(INPUT("x", 2, 7, 13, 11), 32, 3, 1));
    int a = value_of(halves, 0), b = value_of(halves, 1);
    const int m = conv(conv(b, 16, 3, 1), 16, 3, 1), w = PARAM("wf", 16, 16, 3, 3);
    const int64_t pads[4] = {1, 1, 1, 1};
    const gn_attr attr = gn_attr_ints("pads", pads, 4);
    const int sum = value_of(op("gannet", "FusedConv", 1, (const int[]){m, w, -1, m}, 4, &attr, 1), 0);
    finish("a residual beside the result", conv(JOIN(a, b, m, sum), 18, 1, 1), 5);
    const int parts = split(conv(INPUT("x", 2, 7, 13, 11), 32, 3, 1)), v = PARAM("wf", 16, 16, 3, 3);
    a = value_of(parts, 0);
    b = value_of(parts, 1);
    finish("a residual that lies otherwise",
           value_of(op("gannet", "FusedConv", 1, (const int[]){a, v, -1, b}, 4, &attr, 1), 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(makers_and_readers), TEST(members_are_read_where_they_lie),
                                       TEST(dense_blocks), TEST(parts_of_a_split)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
