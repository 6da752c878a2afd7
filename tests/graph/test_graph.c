/* Building graphs: names, errors that stay, clones, shapes; their text form and what happens to text that is none.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/text.h"
#include "graph/op.h"
#include "graph_fixture.h"
#include "ops/ops.h"

/* ---- building ---- */

static void names_are_unique(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_shape shape = gn_shape_make(1, 2);
    int a = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape),
        b = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    int c = gn_graph_add_input(graph, NULL, GN_DTYPE_F32, &shape);
    assert_string_equal(gn_graph_value(graph, a)->name, "x");
    assert_string_not_equal(gn_graph_value(graph, b)->name, "x");
    assert_true(*gn_graph_value(graph, c)->name != 0);
    assert_int_equal(gn_graph_find_value(graph, "x"), a);
    assert_int_equal(gn_graph_find_value(graph, gn_graph_value(graph, b)->name), b);
    assert_int_equal(gn_graph_find_value(graph, "y"), -1);
    assert_int_equal(gn_graph_rename_value(graph, b, "y"), GN_OK);
    assert_int_equal(gn_graph_find_value(graph, "y"), b);
    for (int i = 0; i < 2000; i++) /* the map grows, and renamed entries stay findable */
        assert_true(gn_graph_add_input(graph, "many", GN_DTYPE_F32, &shape) >= 0);
    assert_int_equal(gn_graph_find_value(graph, "y"), b);
    assert_int_equal(gn_graph_rename_value(graph, b, "x"), GN_EFORMAT);
    assert_int_equal(gn_graph_error(graph, NULL), GN_EFORMAT);
    gn_graph_destroy(&graph);
}

static void the_first_error_stays(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    gn_shape shape = gn_shape_make(1, 2);
    int x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    assert_true(gn_graph_add_op(graph, "NoSuchThing", "", "first", &x, 1, NULL, 0) < 0);
    assert_true(gn_graph_add_op(graph, "Relu", "", "second", &x, 1, NULL, 0) < 0);
    assert_int_equal(gn_graph_error(graph, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "first"));
    assert_non_null(strstr(err.message, "NoSuchThing"));
    gn_graph_destroy(&graph);
    graph = fixture_graph();
    x = gn_graph_add_input(graph, "x", GN_DTYPE_F32, &shape);
    assert_true(gn_graph_add_op(graph, "Add", "", "lonely", &x, 1, NULL, 0) < 0);
    assert_int_equal(gn_graph_error(graph, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "lonely"));
    gn_graph_destroy(&graph);
}

static void shapes_follow_the_input(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_error err = {0};
    gn_shape open = gn_shape_make(4, -1, 3, 8, 8), two = gn_shape_make(4, 2, 3, 8, 8), flat = gn_shape_make(1, 5);
    int x = fixture_input(graph, "x", open),
        y = fixture_conv(graph, x, fixture_state(graph, "w", gn_shape_make(4, 5, 3, 3, 3)), -1, 0);
    gn_graph_add_output(graph, y);
    assert_int_equal(gn_graph_infer(graph, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "input x"));
    assert_int_equal(gn_graph_set_input_shape(graph, x, &flat), GN_ESHAPE);
    assert_int_equal(gn_graph_set_input_shape(graph, x, &two), GN_OK);
    assert_int_equal(gn_graph_infer(graph, &err), GN_OK);
    gn_shape expected = gn_shape_make(4, 2, 5, 6, 6);
    assert_true(gn_shape_equal(&gn_graph_value(graph, y)->shape, &expected));
    gn_cost cost;
    gn_graph_cost(graph, &cost);
    assert_int_equal(cost.macs, 2 * 5 * 6 * 6 * 27);
    assert_int_equal(gn_graph_check(graph, &err), GN_OK);
    gn_graph_destroy(&graph);
}

/* ---- text ---- */

static char *text_of(const gn_graph *graph)
{
    gn_text text;
    gn_text_init(&text);
    gn_graph_to_text(graph, &text);
    assert_false(text.failed);
    char *copy = malloc(text.len + 1);
    memcpy(copy, text.data, text.len + 1);
    gn_text_deinit(&text);
    return copy;
}

static gn_graph *graph_of(const char *text)
{
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_graph_from_text(text, strlen(text), gn_ops_registry(), &graph, &err) != GN_OK)
        fail_msg("line %d: %s", (int)err.line, err.message);
    return graph;
}

static void check_round_trip(const gn_graph *graph)
{
    char *text = text_of(graph);
    gn_graph *back = graph_of(text);
    char *again = text_of(back);
    assert_string_equal(text, again);
    assert_int_equal(gn_graph_node_count(back), gn_graph_node_count(graph));
    gn_error err = {0};
    if (gn_graph_check(back, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_graph *clone = NULL;
    assert_int_equal(gn_graph_clone(graph, true, &clone), GN_OK);
    char *cloned = text_of(clone);
    assert_string_equal(text, cloned);
    gn_graph_destroy(&clone);
    gn_graph_destroy(&back);
    free(text);
    free(again);
    free(cloned);
}

static gn_graph *odd_graph(void)
{
    gn_graph *graph = fixture_graph();
    gn_shape open = gn_shape_make(2, -1, 3), scalar = gn_shape_make(0), none = gn_shape_make(1, 0);
    int x = gn_graph_add_input(graph, "a \"name\"\\ with\n\t\x01 everything, (even) {this}; and \xc3\xa9", GN_DTYPE_F32,
                               &open);
    gn_graph_add_input(graph, "-", GN_DTYPE_S64, &scalar);
    gn_graph_add_input(graph, "empty", GN_DTYPE_U8, &none);
    const float numbers[5] = {NAN, INFINITY, -INFINITY, -0.0f, 1.17549435e-38f};
    gn_graph_add_const_f32(graph, "floats", 5, numbers);
    const int64_t whole[3] = {INT64_MIN, INT64_MAX, -1};
    gn_graph_add_const_s64(graph, "ints", 3, whole);
    static const gn_dtype types[] = {GN_DTYPE_F64,  GN_DTYPE_F16, GN_DTYPE_S32, GN_DTYPE_S8, GN_DTYPE_U8,
                                     GN_DTYPE_BOOL, GN_DTYPE_S16, GN_DTYPE_U16, GN_DTYPE_U32};
    gn_tensor *tensor = NULL;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        gn_shape shape = gn_shape_make(2, 2, 1);
        assert_int_equal(gn_tensor_create(types[i], &shape, &tensor), GN_OK);
        gn_tensor_set(tensor, 0, 0.1);
        gn_tensor_set(tensor, 1, 1.0);
        gn_graph_add_const(graph, NULL, tensor);
        gn_tensor_destroy(&tensor);
    }
    uint64_t largest[2] = {UINT64_MAX, (UINT64_C(1) << 53) + 1};
    const gn_shape two = gn_shape_make(1, 2);
    const gn_tensor unsigned_view = gn_tensor_view(GN_DTYPE_U64, &two, largest);
    gn_graph_add_const(graph, "unsigned", &unsigned_view);
    gn_shape matrix = gn_shape_make(2, 3, 1);
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &matrix, &tensor), GN_OK);
    const int64_t list[2] = {INT64_MIN, 7};
    const float floats[3] = {0.1f, -INFINITY, 3.0f};
    gn_attr attrs[8] = {gn_attr_int("whole", -5),
                        gn_attr_float("real", 0.1f),
                        gn_attr_string("text", "a \"b\"\n{;}"),
                        gn_attr_ints("list", list, 2),
                        gn_attr_floats("reals", floats, 3),
                        gn_attr_ints("no ints", NULL, 0),
                        gn_attr_floats("no_reals", NULL, 0),
                        {.name = "tensor: {odd}", .type = GN_ATTR_TENSOR, .u.t = tensor}};
    int y = gn_graph_add_op(graph, "Relu", "", "the node; \"one\"", &x, 1, attrs, 8);
    gn_tensor_destroy(&tensor);
    gn_graph_add_output(graph, y);
    gn_graph_add_output(graph, y);
    assert_int_equal(gn_graph_meta_set(graph, "key \"q\"", "value\nwith lines"), GN_OK);
    assert_int_equal(gn_graph_meta_set(graph, "empty", ""), GN_OK);
    return graph;
}

static void odd_things_round_trip(void **state)
{
    (void)state;
    gn_graph *graph = odd_graph();
    assert_int_equal(gn_graph_error(graph, NULL), GN_OK);
    check_round_trip(graph);
    char *text = text_of(graph);
    gn_graph *back = graph_of(text);
    const gn_value *largest = gn_graph_value(back, gn_graph_find_value(back, "unsigned"));
    assert_true(((const uint64_t *)largest->data->data)[0] == UINT64_MAX);
    assert_true(((const uint64_t *)largest->data->data)[1] == (UINT64_C(1) << 53) + 1);
    assert_string_equal(gn_graph_meta_get(back, "key \"q\""), "value\nwith lines");
    const gn_node *node = gn_graph_node(back, 0);
    assert_int_equal(gn_node_int(node, "whole", 0), -5);
    assert_true(gn_node_float(node, "real", 0) == 0.1f);
    assert_string_equal(gn_node_string(node, "text", ""), "a \"b\"\n{;}");
    int64_t ints[2];
    assert_int_equal(gn_node_ints(node, "list", ints, 2, 0), 2);
    assert_true(ints[0] == INT64_MIN && ints[1] == 7);
    assert_non_null(gn_node_attr(node, "no ints"));
    assert_int_equal(gn_node_attr(node, "tensor: {odd}")->u.t->shape.rank, 2);
    const gn_value *floats = gn_graph_value(back, gn_graph_find_value(back, "floats"));
    assert_true(isnan(((const float *)floats->data->data)[0]));
    assert_true(((const float *)floats->data->data)[4] == 1.17549435e-38f);
    gn_graph_destroy(&back);
    gn_graph_destroy(&graph);
    free(text);
}

static void networks_round_trip(void **state)
{
    (void)state;
    static const char *const models[] = {"mobilenet_v2@0.5", "resnet18", "squeezenet1_1"};
    for (size_t i = 0; i < 3; i++) {
        gn_graph *graph = fixture_network(models[i], "box+score", 1, 64);
        check_round_trip(graph);
        gn_graph_destroy(&graph);
    }
}

/* Results left out, several results, updates. */
static void results_round_trip(void **state)
{
    (void)state;
    gn_graph *graph = graph_of("gannet-graph 1\n"
                               "input \"x\" f32 [4,3,2,2]\n"
                               "state \"s\" f32 [3] trainable\n"
                               "state \"b\" f32 [3]\n"
                               "state \"mean\" f32 [3]\n"
                               "state \"var\" f32 [3]\n"
                               "node \"BatchNormTrain\" \"gannet\" \"bn\" (\"x\" \"s\" \"b\" \"mean\" \"var\") -> "
                               "(\"z\" \"m\" - \"bn\" \"y\") {}\n"
                               "node \"Relu\" \"\" \"\" (\"z\") -> (\"(left out)\") {}\n"
                               "output \"(left out)\"\n"
                               "update \"mean\" = \"m\"\n");
    assert_int_equal(gn_graph_node(graph, 0)->out[2], -1);
    assert_true(gn_graph_value(graph, gn_graph_find_value(graph, "s"))->trainable);
    assert_false(gn_graph_value(graph, gn_graph_find_value(graph, "b"))->trainable);
    assert_int_equal(gn_graph_update_count(graph), 1);
    check_round_trip(graph);
    gn_graph_destroy(&graph);
}

static void refuse(const char *text, const char *message)
{
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_status status = gn_graph_from_text(text, strlen(text), gn_ops_registry(), &graph, &err);
    assert_null(graph);
    if (status == GN_OK)
        fail_msg("this was taken for a graph: %s", text);
    if (!strstr(err.message, message))
        fail_msg("the message is \"%s\", where \"%s\" is expected", err.message, message);
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    refuse("", "gannet-graph");
    refuse("gannet-graph 1\nnonsense", "meta, input");
    refuse("gannet-graph 1\ninput \"x\" f32 [1", "a word");
    refuse("gannet-graph 1\ninput \"x\" f99 [1]", "element type");
    refuse("gannet-graph 1\ninput \"x\" none [1]", "element type");
    refuse("gannet-graph 1\ninput \"x\" f32 [-2]", "dimension");
    refuse("gannet-graph 1\ninput \"x\" f32 [1,1,1,1,1,1,1,1,1]", "8 dimensions");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\ninput \"x\" f32 [1]", "twice");
    refuse("gannet-graph 1\ninput \"\" f32 [1]", "empty");
    refuse("gannet-graph 1\ninput \"x f32 [1]\n", "end of a string");
    refuse("gannet-graph 1\nconst \"x\" f32 [3] = 1 2", "a word");
    refuse("gannet-graph 1\nconst \"x\" f32 [1000000] = 1 2", "as many elements");
    refuse("gannet-graph 1\nconst \"x\" s64 [1] = 1.5", "whole number");
    refuse("gannet-graph 1\nstate \"x\" f32 [1048576,1048576]", "states need more");
    refuse("gannet-graph 1\nstate \"x\" f32 [1]\nstate \"y\" f32 [268435456]", "states need more");
    refuse("gannet-graph 1\noutput \"x\"", "no value is named");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\nnode \"Relu\" \"\" \"r\" (\"x\") -> (\"x\") {}", "taken");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\nnode \"Relu\" \"\" \"r\" (\"x\") -> (\"\") {}", "empty");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\nnode \"Relu\" \"\" \"r\" () -> (\"y\") {}", "0 inputs");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\nnode \"Relu\" \"\" \"r\" (-) -> (\"y\") {}", "input 0 is missing");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\nnode \"Relu\" \"\" \"r\" (\"x\") -> (\"y\") {a: what 1}",
           "attribute's type");
    refuse("gannet-graph 1\ninput \"x\" f32 [1]\nupdate \"x\" = \"x\"", "a state and");
    refuse("gannet-graph 1\nstate \"s\" f32 [1]\ninput \"x\" f32 [2]\nnode \"Add\" \"\" \"a\" (\"s\" \"nowhere\") -> "
           "(\"y\") {}",
           "nowhere");
}

/* Text that was damaged at random gives a graph or an error, nothing else. */
static void damaged_text_never_crashes(void **state)
{
    (void)state;
    gn_graph *graph = odd_graph();
    char *texts[2] = {text_of(graph), NULL};
    gn_graph_destroy(&graph);
    graph = fixture_network("squeezenet1_1", "box", 1, 64);
    texts[1] = text_of(graph);
    gn_graph_destroy(&graph);
    gn_rng rng;
    gn_rng_init(&rng, 1, 0);
    int refused = 0;
    for (int round = 0; round < 600; round++) {
        const char *text = texts[round % 2];
        size_t n = strlen(text);
        n = n > 6000 ? 6000 : n;
        char *damaged = malloc(n + 1);
        memcpy(damaged, text, n);
        for (int64_t i = 1 + gn_rng_below(&rng, 4); i > 0; i--) {
            size_t at = (size_t)gn_rng_below(&rng, (int64_t)n);
            switch (gn_rng_below(&rng, 4)) {
            case 0:
                damaged[at] = (char)gn_rng_below(&rng, 256);
                break;
            case 1:
                damaged[at] = "\"\\\n{}()[]-?0123456789"[gn_rng_below(&rng, 20)];
                break;
            case 2:
                n = at + 1;
                break;
            default:
                memmove(damaged + at, damaged + at / 2, n - at);
                break;
            }
        }
        gn_graph *back = NULL;
        gn_error err = {0};
        gn_status status = gn_graph_from_text(damaged, n, gn_ops_registry(), &back, &err);
        assert_true((status == GN_OK) == (back != NULL));
        refused += status != GN_OK;
        gn_graph_destroy(&back);
        free(damaged);
    }
    assert_true(refused > 300);
    free(texts[0]);
    free(texts[1]);
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

static void every_allocation_of_a_reader_may_fail(void **state)
{
    (void)state;
    gn_graph *graph = odd_graph();
    char *text = text_of(graph);
    gn_graph_destroy(&graph);
    failing f = {0};
    const gn_allocator allocator = {failing_alloc, failing_free, &f};
    gn_set_allocator(&allocator);
    gn_status status = GN_ENOMEM;
    long k = 1;
    for (; status != GN_OK && k < 10000; k++) {
        gn_graph *back = NULL, *clone = NULL;
        gn_error err = {0};
        f = (failing){.fails_at = k};
        status = gn_graph_from_text(text, strlen(text), gn_ops_registry(), &back, &err);
        if (status == GN_OK)
            status = gn_graph_clone(back, true, &clone);
        if (status != GN_OK && status != GN_ENOMEM)
            fail_msg("allocation %ld failed: %s", k, gn_status_name(status));
        if (status == GN_OK && f.made >= k)
            fail_msg("allocation %ld failed and nothing said so", k);
        gn_graph_destroy(&clone);
        gn_graph_destroy(&back);
        assert_int_equal(f.live, 0);
    }
    gn_set_allocator(NULL);
    assert_int_equal(status, GN_OK);
    assert_true(k > 20);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_unique),
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(shapes_follow_the_input),
        cmocka_unit_test(odd_things_round_trip),
        cmocka_unit_test(networks_round_trip),
        cmocka_unit_test(results_round_trip),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(damaged_text_never_crashes),
        cmocka_unit_test(every_allocation_of_a_reader_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
