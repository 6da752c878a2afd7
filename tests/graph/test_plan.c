/* The planner: on random graphs and on networks, no two values that are live together overlap, memory is shared only where that is
 * allowed, and the arena is hardly larger than the largest live set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/text.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "graph_fixture.h"

/* ---- what every plan must keep to ---- */

typedef struct checker {
    const gn_graph *graph;
    const gn_plan *plan;
    int *last; /* per buffer (by root value): last step that touches it */
    int *first;
} checker;

static int root_of(const gn_plan *plan, int value)
{
    while (plan->values[value].of >= 0)
        value = plan->values[value].of;
    return value;
}

static void touch(checker *c, int value, int step)
{
    int root = root_of(c->plan, value);
    if (c->first[root] < 0 || step < c->first[root])
        c->first[root] = step;
    if (step > c->last[root])
        c->last[root] = step;
}

static void find_lives(checker *c)
{
    for (int v = 0; v < c->plan->n_values; v++)
        c->first[v] = c->last[v] = -1;
    for (int s = 0; s < c->plan->n_steps; s++) {
        const gn_node *node = gn_graph_node(c->graph, c->plan->steps[s].node);
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] >= 0)
                touch(c, node->in[k], s);
        for (int k = 0; k < node->n_out; k++)
            if (node->out[k] >= 0)
                touch(c, node->out[k], s);
    }
    for (int i = 0; i < gn_graph_output_count(c->graph); i++)
        touch(c, gn_graph_output(c->graph, i), c->plan->n_steps);
}

static bool in_arena(const checker *c, int value)
{
    return c->plan->values[value].place == GN_PLACE_ARENA;
}

static void check_overlaps(const checker *c)
{
    for (int a = 0; a < c->plan->n_values; a++) {
        const gn_plan_value *x = &c->plan->values[a];
        if (!in_arena(c, a) || x->of >= 0 || c->first[a] < 0)
            continue;
        assert_true(x->offset % GN_ALIGN_BYTES == 0);
        assert_true(x->offset + x->bytes <= c->plan->arena_bytes);
        for (int b = a + 1; b < c->plan->n_values; b++) {
            const gn_plan_value *y = &c->plan->values[b];
            if (!in_arena(c, b) || y->of >= 0 || c->first[b] < 0 || c->last[a] < c->first[b] ||
                c->last[b] < c->first[a])
                continue;
            if (x->offset < y->offset + y->bytes && y->offset < x->offset + x->bytes)
                fail_msg("%s and %s are live at the same time and overlap", gn_graph_value(c->graph, a)->name,
                         gn_graph_value(c->graph, b)->name);
        }
        for (int s = c->first[a]; s <= c->last[a] && s < c->plan->n_steps; s++) {
            const gn_plan_step *step = &c->plan->steps[s];
            assert_true(step->scratch_bytes == 0 || step->scratch_offset + step->scratch_bytes <= c->plan->arena_bytes);
            if (step->scratch_bytes > 0 && x->offset < step->scratch_offset + step->scratch_bytes &&
                step->scratch_offset < x->offset + x->bytes)
                fail_msg("%s overlaps the scratch of step %d", gn_graph_value(c->graph, a)->name, s);
        }
    }
}

/* An output that lies over an input: the op allows it, sizes and layouts agree, and nobody reads the input afterwards. */
static void check_sharing(const checker *c, const gn_node *node, int s)
{
    for (int o = 0; o < node->n_out; o++) {
        int out = node->out[o];
        if (out < 0 || c->plan->values[out].of < 0)
            continue;
        if (c->plan->values[out].place == GN_PLACE_STATE) {
            assert_int_equal(gn_graph_value(c->graph, c->plan->values[out].of)->kind, GN_VALUE_STATE);
            continue;
        }
        assert_int_equal(o, 0);
        int of = c->plan->values[out].of, operand = -1;
        for (int k = 0; k < node->n_in; k++)
            if (node->in[k] == of)
                operand = k;
        assert_true(operand >= 0);
        if (node->op->is_view) {
            assert_int_equal(operand, 0);
            continue;
        }
        assert_true(operand < 32 && (node->op->inplace_in >> operand & 1u));
        assert_true(gn_shape_equal(&gn_graph_value(c->graph, out)->shape, &gn_graph_value(c->graph, of)->shape));
        assert_int_equal(c->plan->values[out].layout, c->plan->values[of].layout);
        assert_int_equal(gn_graph_value(c->graph, root_of(c->plan, of))->kind, GN_VALUE_TEMP);
        for (int later = s; later < c->plan->n_steps; later++) { /* readers of what was there before */
            const gn_node *reader = gn_graph_node(c->graph, c->plan->steps[later].node);
            for (int k = 0; k < reader->n_in; k++) {
                if (reader->in[k] < 0 || (later == s && k == operand))
                    continue;
                int in = reader->in[k];
                bool before = in != out;
                for (int v = in; v >= 0 && before; v = c->plan->values[v].of)
                    before = v != out;
                if (before && root_of(c->plan, in) == root_of(c->plan, of) &&
                    !(later == s && in == of && node->op->layout == GN_LAYOUT_RULE_SAME))
                    fail_msg("%s is overwritten by %s and read again", gn_graph_value(c->graph, of)->name, node->name);
            }
        }
    }
}

static void check_layouts(const checker *c, const gn_node *node)
{
    for (int k = 0; k < node->n_in && node->op->layout == GN_LAYOUT_RULE_PLAIN; k++) {
        const gn_value *v = node->in[k] < 0 ? NULL : gn_graph_value(c->graph, node->in[k]);
        if (v && v->shape.rank == 4 && v->shape.dim[1] > 1 && v->shape.dim[2] * v->shape.dim[3] > 1)
            assert_int_equal(c->plan->values[node->in[k]].layout, GN_LAYOUT_PLAIN);
    }
}

static void check_plan(const gn_graph *graph, const gn_plan *plan)
{
    gn_error err = {0};
    if (gn_graph_check(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    checker c = {graph, plan, malloc((size_t)plan->n_values * sizeof *c.last),
                 malloc((size_t)plan->n_values * sizeof *c.first)};
    find_lives(&c);
    check_overlaps(&c);
    for (int s = 0; s < plan->n_steps; s++) {
        check_sharing(&c, gn_graph_node(graph, plan->steps[s].node), s);
        check_layouts(&c, gn_graph_node(graph, plan->steps[s].node));
    }
    assert_true(plan->live_bytes <= plan->arena_bytes);
    for (int i = 0; i < gn_graph_output_count(graph); i++)
        assert_int_equal(plan->values[gn_graph_output(graph, i)].layout, GN_LAYOUT_PLAIN);
    free(c.last);
    free(c.first);
}

static size_t some_scratch(void *ctx, const gn_graph *graph, const gn_node *node)
{
    (void)ctx;
    (void)graph;
    return strcmp(node->op->name, "Conv") == 0 || strcmp(node->op->name, "Sigmoid") == 0 ? 1000 : 0;
}

static gn_plan *plan_of(gn_graph *graph)
{
    const gn_plan_target target = {some_scratch, NULL, NULL, NULL};
    gn_plan *plan = NULL;
    gn_error err = {0};
    if (gn_plan_create(graph, &target, &plan, &err) != GN_OK)
        fail_msg("%s", err.message);
    return plan;
}

/* ---- random graphs ---- */

/* One more node on values that are there; all have the shape [2,4,3,3], or are views of it. */
static int random_node(gn_graph *graph, gn_rng *rng, const int *pool, int n, int w)
{
    static const char *const unary[] = {"Relu", "Sigmoid", "Identity"};
    static const char *const binary[] = {"Add", "Mul", "Sub"};
    const int64_t four[4] = {2, 4, 3, 3}, flat[2] = {2, 36};
    int a = pool[gn_rng_below(rng, n)], b = pool[gn_rng_below(rng, n)];
    switch (gn_rng_below(rng, 6)) {
    case 0:
        return fixture_unary(graph, unary[gn_rng_below(rng, 3)], a);
    case 1:
        return fixture_conv(graph, a, w, -1, 1);
    case 2: { /* there and back as views, with something in between at times */
        int v = fixture_binary(graph, "Reshape", a, gn_graph_add_const_s64(graph, "flat", 2, flat));
        if (gn_rng_below(rng, 2))
            v = fixture_unary(graph, "Relu", v);
        return fixture_binary(graph, "Reshape", v, gn_graph_add_const_s64(graph, "four", 4, four));
    }
    case 3: {
        const int64_t three[2] = {3, 3}, one[4] = {1, 1, 1, 1};
        const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", three, 2), gn_attr_ints("pads", one, 4)};
        return fixture_op(graph, "MaxPool", &a, 1, attrs, 2);
    }
    default:
        return fixture_binary(graph, binary[gn_rng_below(rng, 3)], a, b);
    }
}

static gn_graph *random_graph(uint64_t seed)
{
    gn_graph *graph = fixture_graph();
    gn_rng rng;
    gn_rng_init(&rng, seed, 0);
    gn_shape shape = gn_shape_make(4, 2, 4, 3, 3);
    int pool[64], n = 0, w = fixture_state(graph, "w", gn_shape_make(4, 4, 4, 3, 3));
    pool[n++] = fixture_input(graph, "x", shape);
    pool[n++] = fixture_state(graph, "s", shape);
    int state = pool[1];
    for (int i = 0; i < 30; i++, n++)
        pool[n] = random_node(graph, &rng, pool, n, w);
    for (int i = 0; i < 3; i++)
        gn_graph_add_output(graph, pool[2 + gn_rng_below(&rng, n - 2)]);
    int renewed = pool[2 + gn_rng_below(&rng, n - 2)];
    if (gn_rng_below(&rng, 2) && gn_graph_value(graph, renewed)->kind == GN_VALUE_TEMP)
        gn_graph_add_update(graph, state, renewed);
    return graph;
}

static void random_graphs_are_sound(void **state)
{
    (void)state;
    int planned = 0;
    for (uint64_t seed = 0; seed < 300; seed++) {
        gn_graph *graph = random_graph(seed);
        gn_error err = {0};
        gn_plan *plan = NULL;
        const gn_plan_target target = {some_scratch, NULL, NULL, NULL};
        gn_status status = gn_plan_create(graph, &target, &plan, &err);
        if (status == GN_EFORMAT) /* a reader of the old state that needs the new one: there is no such order */
            assert_non_null(strstr(err.message, "cycle"));
        else {
            if (status != GN_OK)
                fail_msg("seed %d: %s", (int)seed, err.message);
            check_plan(graph, plan);
            planned++;
        }
        gn_plan_destroy(&plan);
        gn_graph_destroy(&graph);
    }
    assert_true(planned > 250);
}

/* ---- networks ---- */

static const char *const models[] = {"mobilenet_v2", "resnet18", "squeezenet1_1"};

static void networks_need_little_more_than_their_live_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        gn_graph *graph = fixture_network(models[i], "box", 1, 224);
        gn_error err = {0};
        assert_int_equal(gn_pass_inference(graph, &err), GN_OK);
        gn_plan *plan = plan_of(graph);
        check_plan(graph, plan);
        print_message("%s, inference: arena %zu bytes, %.3f of the largest live set\n", models[i], plan->arena_bytes,
                      (double)plan->arena_bytes / (double)plan->live_bytes);
        assert_true((double)plan->arena_bytes <= 1.2 * (double)plan->live_bytes);
        gn_plan_destroy(&plan);
        gn_graph_destroy(&graph);
    }
}

static void training_steps_are_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        gn_graph *graph = fixture_network(models[i], "box", 2, 96);
        gn_error err = {0};
        assert_int_equal(gn_pass_training(graph, &err), GN_OK);
        int target = fixture_input(graph, "target", gn_shape_make(2, 2, 4)),
            weight = fixture_input(graph, "weight", gn_shape_make(1, 2));
        const int in[3] = {gn_graph_output(graph, 0), target, weight};
        int loss = gn_graph_add_op(graph, "MSELoss", "gannet", "loss", in, 3, NULL, 0), n = 0;
        int *wrt = calloc((size_t)gn_graph_value_count(graph), sizeof *wrt),
            *grads = calloc((size_t)gn_graph_value_count(graph), sizeof *grads);
        for (int v = 0; v < gn_graph_value_count(graph); v++)
            if (gn_graph_value(graph, v)->trainable)
                wrt[n++] = v;
        if (gn_graph_differentiate(graph, loss, wrt, n, grads, &err) != GN_OK)
            fail_msg("%s", err.message);
        for (int k = 0; k < n; k++)
            gn_graph_add_output(graph, grads[k]);
        gn_plan *plan = plan_of(graph);
        check_plan(graph, plan);
        print_message("%s, training: arena %zu bytes, %.3f of the largest live set\n", models[i], plan->arena_bytes,
                      (double)plan->arena_bytes / (double)plan->live_bytes);
        assert_true((double)plan->arena_bytes <= 1.2 * (double)plan->live_bytes);
        gn_plan_destroy(&plan);
        gn_graph_destroy(&graph);
        free(wrt);
        free(grads);
    }
}

static void unknown_shapes_are_refused(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    gn_plan *plan = NULL;
    gn_error err = {0};
    gn_graph_add_output(graph, fixture_unary(graph, "Relu", fixture_input(graph, "open", gn_shape_make(2, -1, 3))));
    assert_int_equal(gn_plan_create(graph, NULL, &plan, &err), GN_ESHAPE);
    assert_non_null(strstr(err.message, "open"));
    assert_null(plan);
    gn_graph_destroy(&graph);
}

static void plans_are_printed(void **state)
{
    (void)state;
    gn_graph *graph = fixture_graph();
    int x = fixture_input(graph, "x", gn_shape_make(4, 1, 3, 4, 4)),
        s = fixture_state(graph, "s", gn_shape_make(4, 1, 3, 4, 4));
    int w = fixture_state(graph, "w", gn_shape_make(4, 3, 3, 1, 1));
    int y = fixture_unary(graph, "Relu", fixture_conv(graph, x, w, -1, 0));
    gn_graph_add_output(graph, y);
    gn_graph_add_update(graph, s, fixture_binary(graph, "Add", s, x));
    gn_plan *plan = plan_of(graph);
    gn_text text;
    gn_text_init(&text);
    gn_plan_to_text(plan, graph, &text);
    static const char *const parts[] = {"plan: 5 steps, arena ",
                                        "ToNhwc(",
                                        "ToPlain(",
                                        "%x f32[1,3,4,4] @input",
                                        "-> %Relu f32[1,3,4,4] @",
                                        "@state(s)",
                                        "nhwc",
                                        "scratch @",
                                        "@data"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(text.data, parts[i]))
            fail_msg("\"%s\" is not in the plan:\n%s", parts[i], text.data);
    gn_text_deinit(&text);
    gn_plan_destroy(&plan);
    gn_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_graphs_are_sound),  cmocka_unit_test(networks_need_little_more_than_their_live_set),
        cmocka_unit_test(training_steps_are_sound), cmocka_unit_test(unknown_shapes_are_refused),
        cmocka_unit_test(plans_are_printed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
