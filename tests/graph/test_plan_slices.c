/* Parts that live inside others: random graphs of Concat, Split and others are planned for a target that works on slices here and not
 * there, and then played through on a picture of the arena in which every element carries the name of what it stands for: whoever reads
 * must find what was meant, and the parts that are linked must be those that can be.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "graph/plan.h"
#include "graph_fixture.h"

enum { SIDE = 3, PIXELS = 2 * SIDE * SIDE }; /* two pictures */

/* ---- a target that takes slices by chance ---- */

typedef struct chance {
    uint64_t seed;
    bool always;
} chance;

static bool is_op(const gn_node *node, const char *name)
{
    return strcmp(node->op->name, name) == 0;
}

static bool takes_slice(void *ctx, const gn_graph *graph, const gn_node *node, int i, bool is_output)
{
    const chance *c = ctx;
    (void)graph;
    if (is_op(node, "Concat") || is_op(node, "Split"))
        return true;
    if (!is_op(node, "Conv") && !is_op(node, "MaxPool") && !is_op(node, "Relu"))
        return false;
    gn_rng rng;
    gn_rng_init(&rng, c->seed, (uint64_t)node->out[0] * 16 + (uint64_t)i * 2 + is_output);
    return i == 0 && (c->always || gn_rng_below(&rng, 4) > 0);
}

/* ---- playing a plan through ---- */

typedef struct player {
    const gn_graph *graph;
    const gn_plan *plan;
    uint64_t *arena;  /* per float */
    uint64_t **meant; /* per value: what each of its elements stands for, in physical order; NULL before it is made */
} player;

static bool in_arena(const player *p, int value)
{
    return p->plan->values[value].place == GN_PLACE_ARENA;
}

static int channels_of(const player *p, int value)
{
    return (int)gn_graph_value(p->graph, value)->shape.dim[1];
}

/* Where element i of a value lies. */
static uint64_t *spot(const player *p, int value, int i)
{
    const gn_plan_value *pv = &p->plan->values[value];
    const int C = channels_of(p, value), stride = pv->stride > 0 ? pv->stride : C;
    assert_true(pv->stride == 0 || pv->layout == GN_LAYOUT_NHWC);
    return p->arena + pv->offset / sizeof(float) + i / C * stride + i % C;
}

static void check_read(const player *p, const gn_node *node, int value)
{
    for (int i = 0; in_arena(p, value) && i < PIXELS * channels_of(p, value); i++)
        if (*spot(p, value, i) != p->meant[value][i])
            fail_msg("%s reads element %d of %s, where something else lies", node->op->name, i,
                     gn_graph_value(p->graph, value)->name);
}

static uint64_t *new_meaning(player *p, int value)
{
    p->meant[value] = calloc((size_t)(PIXELS * channels_of(p, value)), sizeof **p->meant);
    assert_non_null(p->meant[value]);
    return p->meant[value];
}

/* Concat: part to whole; Split: whole to part. */
static void move_part(player *p, int whole, int part, int first, bool to_whole)
{
    const int C = channels_of(p, whole), n = channels_of(p, part);
    for (int i = 0; i < PIXELS * n; i++) {
        uint64_t *x = &p->meant[whole][i / n * C + first + i % n], *y = &p->meant[part][i];
        *(to_whole ? x : y) = *(to_whole ? y : x);
    }
}

static void write_meaning(player *p, int value)
{
    for (int i = 0; in_arena(p, value) && i < PIXELS * channels_of(p, value); i++)
        *spot(p, value, i) = p->meant[value][i];
}

static void run_step(player *p, const gn_plan_step *step)
{
    const gn_node *node = gn_graph_node(p->graph, step->node);
    const bool joins = is_op(node, "Concat"), splits = is_op(node, "Split");
    for (size_t i = 0; i < step->scratch_bytes / sizeof(float); i++)
        p->arena[step->scratch_offset / sizeof(float) + i] = 1;
    for (int k = 0; k < node->n_in; k++)
        if (p->meant[node->in[k]])
            check_read(p, node, node->in[k]);
    for (int k = 0; k < node->n_out; k++)
        new_meaning(p, node->out[k]);
    int first = 0;
    for (int k = 0; k < (joins ? node->n_in : splits ? node->n_out : 0); k++) {
        const int part = joins ? node->in[k] : node->out[k];
        move_part(p, joins ? node->out[0] : node->in[0], part, first, joins);
        first += channels_of(p, part);
    }
    for (int i = 0; !joins && !splits && i < PIXELS * channels_of(p, node->out[0]); i++)
        p->meant[node->out[0]][i] = ((uint64_t)node->out[0] + 1) << 32 | (uint64_t)i;
    for (int k = 0; k < node->n_out; k++)
        write_meaning(p, node->out[k]);
}

static void play(const gn_graph *graph, const gn_plan *plan)
{
    player p = {graph, plan, calloc(plan->arena_bytes / sizeof(float) + 1, sizeof(uint64_t)),
                calloc((size_t)plan->n_values, sizeof *p.meant)};
    assert_true(p.arena && p.meant);
    for (int i = 0; i < gn_graph_input_count(graph); i++)
        new_meaning(&p, gn_graph_input(graph, i));
    for (int s = 0; s < plan->n_steps; s++)
        run_step(&p, &plan->steps[s]);
    for (int i = 0; i < gn_graph_output_count(graph); i++) {
        const int value = gn_graph_output(graph, i);
        assert_int_equal(plan->values[value].stride, 0);
        check_read(&p, gn_graph_node(graph, plan->steps[plan->n_steps - 1].node), value);
    }
    for (int v = 0; v < plan->n_values; v++)
        free(p.meant[v]);
    free(p.meant);
    free(p.arena);
}

static gn_plan *plan_for(gn_graph *graph, chance *c)
{
    const gn_plan_target target = {NULL, NULL, c, takes_slice};
    gn_plan *plan = NULL;
    gn_error err = {0};
    if (gn_plan_create(graph, &target, &plan, &err) != GN_OK)
        fail_msg("%s", err.message);
    return plan;
}

/* ---- small graphs ---- */

static int conv(gn_graph *graph, int x, int C, int K)
{
    char name[64];
    snprintf(name, sizeof name, "w%d", gn_graph_value_count(graph));
    return fixture_conv(graph, x, fixture_state(graph, name, gn_shape_make(4, K, C, 1, 1)), -1, 0);
}

static int concat(gn_graph *graph, const int *in, int n)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    return fixture_op(graph, "Concat", in, n, &axis, 1);
}

static void split(gn_graph *graph, int x, int *a, int *b)
{
    const gn_attr axis = gn_attr_int("axis", 1);
    const int node = gn_graph_add_node(graph, "Split", "", NULL, &x, 1, 2, &axis, 1);
    assert_true(node >= 0);
    *a = gn_graph_node(graph, node)->out[0];
    *b = gn_graph_node(graph, node)->out[1];
}

static int input(gn_graph *graph)
{
    return conv(graph, fixture_input(graph, "x", gn_shape_make(4, 2, 4, SIDE, SIDE)), 4, 4);
}

#define CONCAT(graph, ...)                                                                                             \
    concat(graph, (const int[]){__VA_ARGS__}, (int)(sizeof(const int[]){__VA_ARGS__} / sizeof(int)))

/* Plans, plays, and tells which of the values live inside others. */
static void expect_slices(gn_graph *graph, const int *values, const bool *expected, int n)
{
    chance c = {.always = true};
    gn_plan *plan = plan_for(graph, &c);
    play(graph, plan);
    for (int i = 0; i < n; i++)
        if (plan->values[values[i]].is_slice != expected[i])
            fail_msg("value %d of the list %s a slice", i, expected[i] ? "is not" : "is");
    gn_plan_destroy(&plan);
    gn_graph_destroy(&graph);
}

static void members_are_written_in_place(void **state)
{
    (void)state;
    gn_graph *g = fixture_graph();
    const int x = input(g), a = conv(g, x, 4, 3), b = conv(g, x, 4, 5), y = CONCAT(g, a, b);
    gn_graph_add_output(g, conv(g, y, 8, 2));
    expect_slices(g, (const int[]){a, b, y}, (const bool[]){true, true, false}, 3);
}

/* Dense blocks: joined pair by pair, and all at once. */
static void joins_of_joins_share_one_picture(void **state)
{
    (void)state;
    for (int all = 0; all < 2; all++) {
        gn_graph *g = fixture_graph();
        const int x = input(g), a = conv(g, x, 4, 3), y = CONCAT(g, x, a), b = conv(g, y, 7, 3);
        const int z = all ? CONCAT(g, x, a, b) : CONCAT(g, y, b), c = conv(g, z, 10, 3);
        const int last = all ? CONCAT(g, x, a, b, c) : CONCAT(g, z, c);
        gn_graph_add_output(g, conv(g, last, 13, 2));
        expect_slices(g, (const int[]){x, a, y, b, z, c, last},
                      (const bool[]){true, true, true, true, true, true, false}, 7);
    }
}

/* A member that is an output of the graph, one that is there twice, one that others read who cannot, one of two joins. */
static void others_are_copied(void **state)
{
    (void)state;
    gn_graph *g = fixture_graph();
    const int x = input(g), a = conv(g, x, 4, 3), twice = conv(g, x, 4, 2), b = conv(g, x, 4, 5),
              both = conv(g, x, 4, 2);
    const int y = CONCAT(g, a, twice, twice, b, both), z = CONCAT(g, both, twice);
    gn_graph_add_output(g, conv(g, y, 14, 2));
    gn_graph_add_output(g, conv(g, z, 4, 2));
    gn_graph_add_output(g, a);
    gn_graph_add_output(g, fixture_unary(g, "Sigmoid", b));
    expect_slices(g, (const int[]){a, twice, b, both, y, z}, (const bool[]){false, true, false, true, false, false}, 6);
}

/* The parts of a Split live in what was split, and that moves into a Concat of all of them (C2f of YOLOv8). */
static void parts_live_in_the_whole(void **state)
{
    (void)state;
    gn_graph *g = fixture_graph();
    const int x = input(g), whole = conv(g, x, 4, 8);
    int a, b;
    split(g, whole, &a, &b);
    const int m = conv(g, b, 4, 4), n = conv(g, m, 4, 4), y = CONCAT(g, a, b, m, n);
    gn_graph_add_output(g, conv(g, y, 16, 3));
    expect_slices(g, (const int[]){whole, a, b, m, n, y}, (const bool[]){true, true, true, true, true, false}, 6);
    g = fixture_graph();
    const int w = conv(g, input(g), 4, 8);
    split(g, w, &a, &b);
    const int back = CONCAT(g, b, a); /* in another order: the parts are copied from where they are */
    gn_graph_add_output(g, conv(g, back, 8, 3));
    expect_slices(g, (const int[]){w, a, b, back}, (const bool[]){false, true, true, false}, 4);
}

/* ---- random graphs ---- */

typedef struct pool {
    int value[80], n;
} pool;

static int pick(gn_rng *rng, const pool *p)
{
    return p->value[gn_rng_below(rng, (uint64_t)p->n)];
}

static int channels_in(const gn_graph *graph, int value)
{
    return (int)gn_graph_value(graph, value)->shape.dim[1];
}

static void random_node(gn_graph *graph, gn_rng *rng, pool *p)
{
    const int a = pick(rng, p), C = channels_in(graph, a);
    int in[4], n = 0, sum = 0;
    switch (gn_rng_below(rng, 6)) {
    case 0:
        p->value[p->n++] = fixture_unary(graph, gn_rng_below(rng, 2) ? "Relu" : "Sigmoid", a);
        return;
    case 1: {
        const int other = pick(rng, p);
        p->value[p->n++] = fixture_binary(graph, "Add", a, conv(graph, other, channels_in(graph, other), C));
        return;
    }
    case 2:
        for (; n < 4 && sum < 24; sum += channels_in(graph, in[n++]))
            in[n] = pick(rng, p);
        p->value[p->n++] = concat(graph, in, n);
        return;
    case 3:
        if (C % 2 == 0) {
            split(graph, a, &p->value[p->n], &p->value[p->n + 1]);
            p->n += 2;
        }
        return;
    default:
        p->value[p->n++] = conv(graph, a, C, 1 + (int)gn_rng_below(rng, 8));
        return;
    }
}

static void random_graphs_find_what_was_meant(void **state)
{
    (void)state;
    int slices = 0;
    for (uint64_t seed = 0; seed < 400; seed++) {
        gn_graph *graph = fixture_graph();
        gn_rng rng;
        gn_rng_init(&rng, seed, 0);
        pool p = {.n = 1};
        p.value[0] = input(graph);
        for (int i = 0; i < 30; i++)
            random_node(graph, &rng, &p);
        for (int i = 0; i < 3; i++)
            gn_graph_add_output(graph, pick(&rng, &p));
        gn_graph_add_output(graph, p.value[p.n - 1]);
        chance c = {.seed = seed, .always = seed % 3 == 0};
        gn_plan *plan = plan_for(graph, &c);
        play(graph, plan);
        for (int v = 0; v < plan->n_values; v++)
            slices += plan->values[v].is_slice;
        gn_plan_destroy(&plan);
        gn_graph_destroy(&graph);
    }
    print_message("%d slices\n", slices);
    assert_true(slices > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_written_in_place),
        cmocka_unit_test(joins_of_joins_share_one_picture),
        cmocka_unit_test(others_are_copied),
        cmocka_unit_test(parts_live_in_the_whole),
        cmocka_unit_test(random_graphs_find_what_was_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
