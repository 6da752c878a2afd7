/* The form in which the CPU backend runs a graph: which patterns it recognises, and that they mean what they meant.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend_fixture.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "ops/ops.h"

typedef struct lower_case {
    const char *name, *graph;
    const char *wanted;   /* "domain.Op Op": operators that must be there afterwards */
    const char *unwanted; /* operators that must be gone */
    const char *grad;     /* gradients of sum(y * y) by these values are more outputs; NULL: none */
} lower_case;

#define X4   "input 'x' f32 [2,12,5,3]\n"
#define INTS " {perm: ints "

/* A block of ConvNeXt over C channels, in a batch of N pictures. */
#define CONVNEXT(N, C, C4, H, W)                                                                                       \
    "input 'x' f32 [" N "," C "," H "," W "]\nstate 'dw' f32 [" C ",1,7,7] trainable\nstate 's' f32 [" C               \
    "] trainable\nstate 'b' f32 [" C "] trainable\nstate 'w1' f32 [" C4 "," C "] trainable\nstate 'b1' f32 [" C4       \
    "] trainable\nstate 'w2' f32 [" C "," C4 "] trainable\nstate 'b2' f32 [" C "] trainable\nstate 'gamma' f32 [" C    \
    ",1,1] trainable\nnode 'Conv' '' 'c' ('x' 'dw') -> ('d') {group: int " C "; pads: ints 3 3 3 3}\n"                 \
    "node 'Transpose' '' 'p' ('d') -> ('l') {perm: ints 0 2 3 1}\n"                                                    \
    "node 'LayerNormalization' '' 'ln' ('l' 's' 'b') -> ('n') {epsilon: float 0.000001}\n"                             \
    "node 'Transpose' '' 't1' ('w1') -> ('v1') {perm: ints 1 0}\nnode 'MatMul' '' 'm1' ('n' 'v1') -> ('p1') {}\n"      \
    "node 'Add' '' 'a1' ('p1' 'b1') -> ('q1') {}\nnode 'Gelu' '' 'g' ('q1') -> ('h') {}\n"                             \
    "node 'Transpose' '' 't2' ('w2') -> ('v2') {perm: ints 1 0}\nnode 'MatMul' '' 'm2' ('h' 'v2') -> ('p2') {}\n"      \
    "node 'Add' '' 'a2' ('p2' 'b2') -> ('q2') {}\nnode 'Transpose' '' 'f' ('q2') -> ('r') {perm: ints 0 3 1 2}\n"      \
    "node 'Mul' '' 'scale' ('r' 'gamma') -> ('k') {}\nnode 'Add' '' 'sum' ('k' 'x') -> ('y') {}\noutput 'y'\n"

static const lower_case cases[] = {
    {"channels last and first",
     X4 "node 'AveragePool' '' 'p' ('x') -> ('n') {kernel_shape: ints 1 1}\n"
        "node 'Transpose' '' 'a' ('n') -> ('l')" INTS "0 2 3 1}\nnode 'Relu' '' 'r' ('l') -> ('m') {}\n"
        "node 'Transpose' '' 'b' ('m') -> ('f')" INTS
        "0 3 1 2}\nnode 'Add' '' 'add' ('f' 'n') -> ('y') {}\noutput 'y'\n",
     "ChannelsLast ChannelsFirst", "Transpose", "x"},
    {"an input that is N,H,W,C already",
     "input 'x' f32 [2,5,3,4]\ninput 'w' f32 [6,4,3,3]\nnode 'Transpose' '' 'b' ('x') -> ('f')" INTS "0 3 1 2}\n"
     "node 'Conv' '' 'c' ('f' 'w') -> ('y') {pads: ints 1 1 1 1}\noutput 'y'\n",
     "ChannelsFirst Conv", "Transpose", NULL},
    {"other permutations stay",
     X4 "node 'Transpose' '' 'a' ('x') -> ('l')" INTS "0 1 3 2}\nnode 'Transpose' '' 'b' ('l') -> ('y')" INTS
        "1 0 2 3}\noutput 'y'\n",
     "Transpose", "ChannelsLast ChannelsFirst", "x"},
    {"channel shuffle",
     X4 "const 'to' s64 [5] = 2 3 4 5 3\nconst 'back' s64 [4] = 2 12 5 3\n"
        "node 'AveragePool' '' 'p' ('x') -> ('n') {kernel_shape: ints 1 1}\n"
        "node 'Reshape' '' 'a' ('n' 'to') -> ('s') {}\nnode 'Transpose' '' 't' ('s') -> ('u')" INTS "0 2 1 3 4}\n"
        "node 'Reshape' '' 'b' ('u' 'back') -> ('y') {}\noutput 'y'\n",
     "ChannelShuffle", "Transpose Reshape", "x"},
    {"channel shuffle over pixels that run together",
     X4 "const 'to' s64 [4] = 2 2 6 15\nconst 'back' s64 [4] = 2 12 5 3\n"
        "node 'Reshape' '' 'a' ('x' 'to') -> ('s') {}\nnode 'Transpose' '' 't' ('s') -> ('u')" INTS "0 2 1 3}\n"
        "node 'Reshape' '' 'b' ('u' 'back') -> ('y') {}\noutput 'y'\n",
     "ChannelShuffle", "Transpose Reshape", NULL},
    {"two halves in turns",
     X4 "input 'z' f32 [2,12,5,3]\nconst 'to' s64 [5] = 2 2 12 5 3\nconst 'back' s64 [4] = 2 24 5 3\n"
        "node 'AveragePool' '' 'p' ('x') -> ('n') {kernel_shape: ints 1 1}\n"
        "node 'Concat' '' 'c' ('n' 'z') -> ('j') {axis: int 1}\n"
        "node 'Reshape' '' 'a' ('j' 'to') -> ('s') {}\nnode 'Transpose' '' 't' ('s') -> ('u')" INTS "0 2 1 3 4}\n"
        "node 'Reshape' '' 'b' ('u' 'back') -> ('y') {}\noutput 'y'\n",
     "Interleave", "Concat", "x z"},
    {"two halves in turns, split again",
     X4 "input 'z' f32 [2,12,5,3]\nconst 'to' s64 [5] = 2 2 12 5 3\nconst 'back' s64 [4] = 2 24 5 3\n"
        "node 'AveragePool' '' 'p' ('x') -> ('n') {kernel_shape: ints 1 1}\n"
        "node 'Concat' '' 'c' ('n' 'z') -> ('j') {axis: int 1}\n"
        "node 'Reshape' '' 'a' ('j' 'to') -> ('s') {}\nnode 'Transpose' '' 't' ('s') -> ('u')" INTS "0 2 1 3 4}\n"
        "node 'Reshape' '' 'b' ('u' 'back') -> ('r') {}\nnode 'Split' '' 'h' ('r') -> ('y' 'v') {axis: int 1}\n"
        "output 'y'\noutput 'v'\n",
     "Interleave", "ChannelShuffle Concat Split", NULL},
    {"halves that are read elsewhere stay",
     X4 "input 'z' f32 [2,12,5,3]\nconst 'to' s64 [5] = 2 2 12 5 3\nconst 'back' s64 [4] = 2 24 5 3\n"
        "node 'Concat' '' 'c' ('x' 'z') -> ('j') {axis: int 1}\n"
        "node 'Reshape' '' 'a' ('j' 'to') -> ('s') {}\nnode 'Transpose' '' 't' ('s') -> ('u')" INTS "0 2 1 3 4}\n"
        "node 'Reshape' '' 'b' ('u' 'back') -> ('y') {}\noutput 'y'\noutput 'j'\n",
     "ChannelShuffle Concat", "Interleave", NULL},
    {"no shuffle of channels with pixels",
     X4 "const 'to' s64 [5] = 2 3 4 3 5\nconst 'back' s64 [4] = 2 12 5 3\n"
        "node 'Reshape' '' 'a' ('x' 'to') -> ('s') {}\nnode 'Transpose' '' 't' ('s') -> ('u')" INTS "0 2 1 4 3}\n"
        "node 'Reshape' '' 'b' ('u' 'back') -> ('y') {}\noutput 'y'\n",
     "Transpose Reshape", "ChannelShuffle", NULL},
    {"normalisation and its activation",
     X4 "state 's' f32 [12] trainable\nstate 'b' f32 [12] trainable\nstate 'm' f32 [12]\nstate 'var' f32 [12]\n"
        "node 'BatchNormalization' '' 'bn' ('x' 's' 'b' 'm' 'var') -> ('n') {}\nnode 'Relu' '' 'r' ('n') -> ('y') {}\n"
        "output 'y'\n",
     "ScaleShift", "BatchNormalization Relu", NULL},
    {"normalisation that is read twice",
     X4 "state 's' f32 [12] trainable\nstate 'b' f32 [12] trainable\nstate 'm' f32 [12]\nstate 'var' f32 [12]\n"
        "node 'BatchNormalization' '' 'bn' ('x' 's' 'b' 'm' 'var') -> ('n') {}\nnode 'Relu' '' 'r' ('n') -> ('y') {}\n"
        "output 'y'\noutput 'n'\n",
     "ScaleShift Relu", "BatchNormalization", NULL},
    {"rows by a transposed weight, bias and activation",
     "input 'x' f32 [2,3,4,7]\nstate 'w' f32 [9,7] trainable\nstate 'b' f32 [9] trainable\n"
     "node 'Transpose' '' 't' ('w') -> ('wt') {}\nnode 'MatMul' '' 'mm' ('x' 'wt') -> ('p') {}\n"
     "node 'Add' '' 'add' ('b' 'p') -> ('s') {}\nnode 'Relu' '' 'r' ('s') -> ('y') {}\noutput 'y'\n",
     "Linear", "MatMul Add Relu", NULL},
    {"rows by a weight that stays",
     "input 'x' f32 [2,3,7]\nstate 'w' f32 [7,33] trainable\nstate 'b' f32 [33] trainable\n"
     "node 'MatMul' '' 'mm' ('x' 'w') -> ('p') {}\nnode 'Add' '' 'add' ('p' 'b') -> ('y') {}\noutput 'y'\n",
     "Linear", "MatMul Add", NULL},
    {"rows by a computed matrix",
     "input 'x' f32 [2,3,7]\ninput 'w' f32 [7,5]\nnode 'MatMul' '' 'mm' ('x' 'w') -> ('y') {}\noutput 'y'\n", "MatMul",
     "Linear", "w"},
    {"gradient by a transposed weight",
     "input 'x' f32 [2,5,3,8]\ninput 'w' f32 [9,8]\nnode 'Transpose' '' 't' ('w') -> ('wt') {perm: ints 1 0}\n"
     "node 'MatMul' '' 'mm' ('x' 'wt') -> ('y') {}\noutput 'y'\n",
     "Linear Gemm", "MatMul Transpose", "w"},
    {"gradient by rows",
     "input 'x' f32 [2,5,3,8]\ninput 'w' f32 [9,8]\nnode 'Transpose' '' 't' ('w') -> ('wt') {perm: ints 1 0}\n"
     "node 'MatMul' '' 'mm' ('x' 'wt') -> ('y') {}\noutput 'y'\n",
     "Linear Gemm", "MatMul Transpose", "x"},
    {"product by a transposed matrix",
     "input 'a' f32 [4,7]\ninput 'b' f32 [9,7]\ninput 'c' f32 [7,5]\nnode 'Transpose' '' 't' ('b') -> ('bt') {}\n"
     "node 'Transpose' '' 'u' ('c') -> ('ct') {perm: ints 1 0}\nnode 'Gemm' '' 'g' ('a' 'bt') -> ('y') {}\n"
     "node 'Gemm' '' 'h' ('a' 'ct') -> ('z') {transB: int 1}\noutput 'y'\noutput 'z'\n",
     "Gemm", "Transpose", NULL},
    {"a block of ConvNeXt", CONVNEXT("2", "8", "32", "9", "8"), "Linear Gemm ChannelsLast ChannelsFirst",
     "MatMul Transpose", "dw s b w1 b1 w2 b2 gamma x"},
    {"mean over pictures", X4 "node 'ReduceMean' '' 'm' ('x') -> ('y') {axes: ints -1 2}\noutput 'y'\n",
     "GlobalAveragePool", "ReduceMean", "x"},
    {"mean over pictures, dimensions dropped",
     X4 "const 'axes' s64 [2] = 2 3\nnode 'ReduceMean' '' 'm' ('x' 'axes') -> ('y') {keepdims: int 0}\noutput 'y'\n",
     "GlobalAveragePool Reshape", "ReduceMean", NULL},
    {"mean over channels and width", X4 "node 'ReduceMean' '' 'm' ('x') -> ('y') {axes: ints 1 3}\noutput 'y'\n",
     "ReduceMean", "GlobalAveragePool", NULL},
    {"x times its hard sigmoid",
     X4 "node 'HardSigmoid' '' 'h' ('x') -> ('g') {alpha: float 0.16666667}\nnode 'Mul' '' 'm' ('g' 'x') -> ('y') {}\n"
        "output 'y'\n",
     "HardSwish", "HardSigmoid Mul", NULL},
    {"x times another hard sigmoid",
     X4 "node 'HardSigmoid' '' 'h' ('x') -> ('g') {alpha: float 0.2}\nnode 'Mul' '' 'm' ('g' 'x') -> ('y') {}\noutput "
        "'y'\n",
     "HardSigmoid Mul", "HardSwish", NULL},
    {"x times its sigmoid",
     X4 "node 'Sigmoid' '' 's' ('x') -> ('g') {}\nnode 'Mul' '' 'm' ('x' 'g') -> ('y') {}\noutput 'y'\n", "Silu",
     "Sigmoid Mul", NULL},
    {"x times its sigmoid, which is read elsewhere too",
     X4 "node 'Sigmoid' '' 's' ('x') -> ('g') {}\nnode 'Mul' '' 'm' ('x' 'g') -> ('y') {}\noutput 'y'\noutput 'g'\n",
     "Sigmoid Mul", "Silu", NULL},
    {"gelu in its parts",
     X4 "const 'r' f32 [] = 1.41421354\nconst 'one' f32 [] = 1\nconst 'half' f32 [] = 0.5\n"
        "node 'Div' '' 'd' ('x' 'r') -> ('a') {}\nnode 'Erf' '' 'e' ('a') -> ('b') {}\n"
        "node 'Add' '' 'p' ('b' 'one') -> ('c') {}\nnode 'Mul' '' 'm' ('x' 'c') -> ('f') {}\n"
        "node 'Mul' '' 'n' ('f' 'half') -> ('y') {}\noutput 'y'\n",
     "Gelu", "Erf Div Mul Add", NULL},
    {"gelu with the half in front",
     X4 "const 'r' f32 [] = 0.70710678\nconst 'one' f32 [] = 1\nconst 'half' f32 [] = 0.5\n"
        "node 'Mul' '' 'd' ('x' 'r') -> ('a') {}\nnode 'Erf' '' 'e' ('a') -> ('b') {}\n"
        "node 'Add' '' 'p' ('b' 'one') -> ('c') {}\nnode 'Mul' '' 'm' ('x' 'half') -> ('f') {}\n"
        "node 'Mul' '' 'n' ('f' 'c') -> ('y') {}\noutput 'y'\n",
     "Gelu", "Erf Mul Add", NULL},
    {"layer normalisation in its parts",
     "input 'x' f32 [2,3,9]\nstate 's' f32 [9] trainable\nstate 'b' f32 [9] trainable\nconst 'two' f32 [] = 2\n"
     "const 'eps' f32 [] = 0.001\nnode 'ReduceMean' '' 'm' ('x') -> ('mean') {axes: ints -1}\n"
     "node 'Sub' '' 'd' ('x' 'mean') -> ('c') {}\nnode 'Pow' '' 'q' ('c' 'two') -> ('c2') {}\n"
     "node 'ReduceMean' '' 'v' ('c2') -> ('var') {axes: ints -1}\nnode 'Add' '' 'e' ('var' 'eps') -> ('ve') {}\n"
     "node 'Sqrt' '' 'r' ('ve') -> ('dev') {}\nnode 'Div' '' 'n' ('c' 'dev') -> ('xhat') {}\n"
     "node 'Mul' '' 'g' ('xhat' 's') -> ('z') {}\nnode 'Add' '' 'h' ('z' 'b') -> ('y') {}\noutput 'y'\n",
     "LayerNormalization", "ReduceMean Sqrt Div Pow", NULL},
};

static gn_graph *parse(const lower_case *c)
{
    char text[4096];
    gn_graph *graph = NULL;
    gn_error err = {0};
    const int n = snprintf(text, sizeof text, "gannet-graph 1\n%s", c->graph);
    assert_true(n > 0 && (size_t)n < sizeof text);
    for (int i = 0; i < n; i++)
        if (text[i] == '\'')
            text[i] = '"';
    if (gn_graph_from_text(text, (size_t)n, gn_ops_registry(), &graph, &err) != GN_OK ||
        gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s: %s", c->name, err.message);
    fixture_fill_states(graph, 5);
    return graph;
}

#define MOST_GRADS 16

/* More outputs: the gradients of sum(y * y) by the named values. */
static void add_gradients(const lower_case *c, gn_graph *graph)
{
    int y = gn_graph_output(graph, 0), wrt[MOST_GRADS], grads[MOST_GRADS], n = 0;
    char name[32];
    gn_error err = {0};
    for (const char *at = c->grad; *at && n < MOST_GRADS; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        wrt[n] = gn_graph_find_value(graph, name);
        assert_true(wrt[n++] >= 0);
        at += length;
    }
    const gn_attr scalar = gn_attr_ints("shape", NULL, 0);
    int square = gn_graph_add_op(graph, "Mul", "", "square", (const int[]){y, y}, 2, NULL, 0);
    int loss = gn_graph_add_op(graph, "SumTo", "gannet", "loss", &square, 1, &scalar, 1);
    if (gn_graph_differentiate(graph, loss, wrt, n, grads, &err) != GN_OK)
        fail_msg("%s: %s", c->name, err.message);
    for (int i = 0; i < n; i++) {
        assert_true(grads[i] >= 0);
        gn_graph_add_output(graph, grads[i]);
    }
}

static int count(const gn_graph *graph, const char *op, size_t length)
{
    int n = 0;
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const char *name = gn_graph_node(graph, i)->op->name;
        n += strlen(name) == length && strncmp(name, op, length) == 0;
    }
    return n;
}

/* Each operator in a list of names is there (or not). */
static void check_list(const lower_case *c, const gn_graph *graph, const char *list, bool wanted)
{
    for (const char *at = list; *at; at += strspn(at, " ")) {
        const size_t length = strcspn(at, " ");
        if ((count(graph, at, length) > 0) != wanted)
            fail_msg("%s: %.*s %s", c->name, (int)length, at, wanted ? "is missing" : "is still there");
        at += length;
    }
}

static void patterns_are_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const lower_case *c = &cases[i];
        gn_graph *graph = parse(c), *lowered = NULL;
        gn_error err = {0};
        if (c->grad) {
            add_gradients(c, graph);
            assert_int_equal(gn_pass_prune(graph), GN_OK);
        }
        assert_int_equal(gn_graph_clone(graph, true, &lowered), GN_OK);
        if (gn_pass_lower(lowered, &err) != GN_OK || gn_graph_infer(lowered, &err) != GN_OK ||
            gn_graph_check(lowered, &err) != GN_OK)
            fail_msg("%s: %s", c->name, err.message);
        check_list(c, lowered, c->wanted, true);
        check_list(c, lowered, c->unwanted, false);
        double difference = fixture_difference(graph, 2, 2, 9, 2e-5);
        if (!(difference <= 2e-5))
            fail_msg("%s differs by %g", c->name, difference);
        gn_graph_destroy(&lowered);
        gn_graph_destroy(&graph);
    }
}

/* The views cost nothing: a value that lies N,H,W,C is read where it is. */
static void views_share_memory(void **state)
{
    (void)state;
    gn_graph *graph = parse(&cases[0]);
    fixture_run run;
    fixture_open(&run, graph, 1, 1);
    const gn_plan *plan = gn_backend_cpu.plan(run.exec);
    int views = 0;
    for (int i = 0; i < plan->n_steps; i++) {
        const gn_node *node = gn_graph_node(run.graph, plan->steps[i].node);
        if (strncmp(node->op->name, "Channels", 8) != 0)
            continue;
        assert_int_equal(plan->values[node->out[0]].of, node->in[0]);
        assert_int_equal(plan->values[node->out[0]].offset, plan->values[node->in[0]].offset);
        views++;
    }
    assert_int_equal(views, 2);
    assert_int_equal(count(run.graph, "ToPlain", 7), 1); /* the output */
    fixture_close(&run);
    gn_graph_destroy(&graph);
}

/* The same bits for any number of threads, where every kernel has several tasks. */
static void threads_change_nothing(void **state)
{
    (void)state;
    static const lower_case large = {"a large block", CONVNEXT("8", "48", "192", "25", "24"), "", "",
                                     "dw s b w1 b1 w2 b2 gamma x"};
    gn_graph *graph = parse(&large);
    add_gradients(&large, graph);
    fixture_run one;
    fixture_open(&one, graph, 1, 1);
    fixture_run_once(&one);
    for (int threads = 2; threads <= 5; threads += 3) {
        fixture_run many;
        fixture_open(&many, graph, threads, 1);
        fixture_run_once(&many);
        for (int i = 0; i < gn_graph_output_count(graph); i++) {
            const gn_shape *shape = &gn_graph_value(graph, gn_graph_output(graph, i))->shape;
            assert_memory_equal(gn_backend_cpu.output(one.exec, i), gn_backend_cpu.output(many.exec, i),
                                (size_t)gn_shape_count(shape) * sizeof(float));
        }
        fixture_close(&many);
    }
    fixture_close(&one);
    gn_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_are_recognised),
        cmocka_unit_test(views_share_memory),
        cmocka_unit_test(threads_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
