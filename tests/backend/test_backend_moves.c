/* Resize, ConvTranspose, the operators that copy blocks, and those that compare and choose, on the CPU against their references in f64: in both memory layouts, with
 * one thread and two, and with kernels in fact.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu/cpu_internal.h"
#include "backend_fixture.h"
#include "base/text.h"
#include "ops/ops.h"

#define TOLERANCE 2e-5

/* One node that reads x (and y, where it is declared), in the text form of graphs with ' for "; what is declared before it. */
typedef struct move_case {
    const char *x, *declared, *node;
} move_case;

static const move_case cases[] = {
    {"[2,5,7,6]",
     "const 'b' s64 [3] = 4 -1 1\nconst 'e' s64 [3] = -9 -9 6\nconst 'a' s64 [3] = 2 1 3\nconst 's' s64 [3] = -2 -1 "
     "2\n",
     "node 'Slice' '' 'n' ('x' 'b' 'e' 'a' 's') -> ('z')"},
    {"[2,6,4,4]", "const 'b' s64 [1] = 2\nconst 'e' s64 [1] = 5\nconst 'a' s64 [1] = 1\n",
     "node 'Slice' '' 'n' ('x' 'b' 'e' 'a') -> ('z')"},
    {"[3,50000]", "const 'b' s64 [2] = 1 7\nconst 'e' s64 [2] = 3 49999\n",
     "node 'Slice' '' 'n' ('x' 'b' 'e') -> ('z')"},
    {"[2,3,2,3]", "",
     "node 'SliceGrad' 'gannet' 'n' ('x') -> ('z') {shape: ints 2 7 5 4; begin: ints 0 6 1 0; step: ints 1 -3 2 1}"},
    {"[2,3,4,5]", "const 'p' s64 [8] = 0 1 2 0 1 0 -1 3\nconst 'v' f32 [] = 0.5\n",
     "node 'Pad' '' 'n' ('x' 'p' 'v') -> ('z')"},
    {"[2,3,4,5]", "const 'p' s64 [8] = 0 0 -5 0 0 0 9 0\n", "node 'Pad' '' 'n' ('x' 'p') -> ('z')"},
    {"[2,3,1,5]", "const 's' s64 [5] = 4 2 1 6 5\n", "node 'Expand' '' 'n' ('x' 's') -> ('z')"},
    {"[2,3,1,5]", "const 's' s64 [3] = 1 6 1\n", "node 'Expand' '' 'n' ('x' 's') -> ('z')"},
    {"[2,3,4,6]", "", "node 'SpaceToDepth' '' 'n' ('x') -> ('z') {blocksize: int 2}"},
    {"[2,12,3,2]", "", "node 'DepthToSpace' '' 'n' ('x') -> ('z') {blocksize: int 2}"},
    {"[2,12,3,2]", "", "node 'DepthToSpace' '' 'n' ('x') -> ('z') {blocksize: int 2; mode: string 'CRD'}"},
    {"[2,9,3,4]", "const 'i' s64 [2,2] = 8 0 -1 3\n", "node 'Gather' '' 'n' ('x' 'i') -> ('z') {axis: int 1}"},
    {"[2,9,3,4]", "const 'i' s32 [3] = 3 3 0\n", "node 'Gather' '' 'n' ('x' 'i') -> ('z') {axis: int -1}"},
    {"[2,19,5,7]", "const 's' f32 [4] = 1 1 2 2\n",
     "node 'Resize' '' 'n' ('x' - 's') -> ('z') {mode: string 'nearest'; coordinate_transformation_mode: string "
     "'asymmetric'; "
     "nearest_mode: string 'floor'}"},
    {"[2,19,5,7]", "const 's' f32 [4] = 1 1 2 2\n",
     "node 'Resize' '' 'n' ('x' - 's') -> ('z') {mode: string 'linear'}"},
    {"[1,3,9,8]", "const 's' s64 [4] = 1 3 4 13\n",
     "node 'Resize' '' 'n' ('x' - - 's') -> ('z') {mode: string 'linear'; coordinate_transformation_mode: string "
     "'align_corners'}"},
    {"[1,3,9,8]", "const 's' s64 [4] = 1 3 4 13\n",
     "node 'Resize' '' 'n' ('x' - - 's') -> ('z') {mode: string 'linear'; antialias: int 1}"},
    {"[2,4,6,5]", "const 's' f32 [4] = 1 1 1.5 2.5\n",
     "node 'Resize' '' 'n' ('x' - 's') -> ('z') {mode: string 'cubic'}"},
    {"[2,9,10,14]", "const 's' f32 [4] = 1 1 2 2\n",
     "node 'ResizeGrad' 'gannet' 'n' ('x' - 's') -> ('z') {mode: string 'nearest'; in_shape: ints 2 9 5 7}"},
    {"[2,9,10,14]", "const 's' f32 [4] = 1 1 2 2\n",
     "node 'ResizeGrad' 'gannet' 'n' ('x' - 's') -> ('z') {mode: string 'linear'; in_shape: ints 2 9 5 7}"},
    {"[1,4,3,5]", "const 's' s64 [4] = 1 4 3 5\n",
     "node 'ResizeGrad' 'gannet' 'n' ('x' - - 's') -> ('z') {mode: string 'linear'; in_shape: ints 1 4 9 11}"},
    {"[2,6,5,4]", "input 'w' f32 [6,10,2,2]\ninput 'b' f32 [10]\n",
     "node 'ConvTranspose' '' 'n' ('x' 'w' 'b') -> ('z') {strides: ints 2 2}"},
    {"[2,6,5,4]", "state 'w' f32 [6,5,3,3]\nstate 'b' f32 [15]\n",
     "node 'ConvTranspose' '' 'n' ('x' 'w' 'b') -> ('z') {group: int 3; strides: ints 2 1; pads: ints 1 0 1 1; "
     "output_padding: ints "
     "1 0}"},
    {"[1,8,5,6]", "state 'w' f32 [8,1,4,4]\n",
     "node 'ConvTranspose' '' 'n' ('x' 'w') -> ('z') {group: int 8; strides: ints 2 2; pads: ints 1 1 1 1}"},
    {"[1,7,4,4]", "state 'w' f32 [7,3,3,3]\n",
     "node 'ConvTranspose' '' 'n' ('x' 'w') -> ('z') {dilations: ints 2 2; auto_pad: string 'SAME_UPPER'; strides: "
     "ints 2 2}"},
    {"[2,5,3,4]", "input 'w' f32 [5,1,1]\n", "node 'Greater' '' 'n' ('x' 'w') -> ('z')"},
    {"[2,5,3,4]", "input 'w' f32 [4]\n", "node 'LessOrEqual' '' 'n' ('x' 'w') -> ('z')"},
    {"[2,5,3,4]", "input 'w' f32 [2,5,3,4]\n", "node 'Less' '' 'n' ('w' 'x') -> ('z')"},
    {"[2,5,3,4]", "const 'w' f32 [] = 0.25\n", "node 'GreaterOrEqual' '' 'n' ('x' 'w') -> ('z')"},
    {"[2,5,3,4]", "input 'w' f32 [2,1,3,1]\n", "node 'Equal' '' 'n' ('x' 'w') -> ('z')"},
    {"[2,5,3,4]", "const 'c' bool [5,1,1] = 1 0 0 1 0\ninput 'w' f32 [1,1,1,4]\n",
     "node 'Where' '' 'n' ('c' 'x' 'w') -> ('z')"},
    {"[2,5,3,4]", "const 'c' bool [2,1,3,4] = 1 0 0 1 0 1 1 1 0 0 0 1 1 0 0 1 0 1 1 1 0 0 0 1\nconst 'w' f32 [] = -9\n",
     "node 'Where' '' 'n' ('c' 'w' 'x') -> ('z')"},
    {"[2,5,3,4]", "const 's' f32 [] = 0.02\nconst 'p' u8 [] = 100\n",
     "node 'QuantizeLinear' '' 'n' ('x' 's' 'p') -> ('z')"},
    {"[2,5,3,4]", "const 's' f32 [5] = 0.02 0.5 0.01 0.1 1\nconst 'p' s8 [5] = 0 1 -128 127 -5\n",
     "node 'QuantizeLinear' '' 'n' ('x' 's' 'p') -> ('z')"},
    {"[2,5,3,4]", "const 's' f32 [4] = 0.02 0.5 0.01 0.1\n",
     "node 'QuantizeLinear' '' 'n' ('x' 's') -> ('z') {axis: int -1}"},
    {"[2]", "const 'q' s8 [2,3] = -128 5 127 0 -1 1\nconst 's' f32 [2] = 0.02 0.5\nconst 'p' s8 [2] = 3 -3\n",
     "node 'DequantizeLinear' '' 'n' ('q' 's' 'p') -> ('z') {axis: int 0}"},
    {"[2]", "const 'q' u8 [2,3] = 128 5 255 0 1 2\nconst 's' f32 [1] = 0.02\n",
     "node 'DequantizeLinear' '' 'n' ('q' 's') -> ('z')"},
    {"[2,5,3,4]", "input 's' f32 [5]\ninput 'b' f32 [5]\n",
     "node 'InstanceNormalization' '' 'n' ('x' 's' 'b') -> ('z')"},
    {"[3,2,50]", "input 's' f32 [2]\ninput 'b' f32 [2]\n",
     "node 'InstanceNormalization' '' 'n' ('x' 's' 'b') -> ('z') {epsilon: float 0.1}"},
    {"[2,9,3,4]", "", "node 'LRN' '' 'n' ('x') -> ('z') {size: int 4; alpha: float 0.5}"},
    {"[2,9,5]", "", "node 'LRN' '' 'n' ('x') -> ('z') {size: int 3; beta: float 0.6; bias: float 2}"},
    {"[3,7,5]", "const 'a' s64 [1] = 1\n", "node 'ReduceMax' '' 'n' ('x' 'a') -> ('z')"},
    {"[3,7,5,2]", "const 'a' s64 [2] = 3 2\n", "node 'ReduceMin' '' 'n' ('x' 'a') -> ('z') {keepdims: int 0}"},
    {"[6,7]", "", "node 'ReduceMax' '' 'n' ('x') -> ('z')"},
    {"[3,7,5]", "", "node 'ArgMax' '' 'n' ('x') -> ('z') {axis: int 1}"},
    {"[2]", "const 'c' s64 [3] = 1 -2 9007199254740993\n", "node 'Cast' '' 'n' ('c') -> ('z') {to: int 1}"},
    {"[2]", "const 'c' u8 [1,2,2,1] = 0 255 7 1\n", "node 'Cast' '' 'n' ('c') -> ('z') {to: int 1}"},
    {"[2]", "const 'c' bool [2] = 0 1\n", "node 'Cast' '' 'n' ('c') -> ('z') {to: int 1}"},
    {"[3,7,5]", "", "node 'ArgMin' '' 'n' ('x') -> ('z') {axis: int -1; keepdims: int 0}"},
};

static bool is_picture(const char *shape)
{
    int commas = 0;
    for (; *shape; shape++)
        commas += *shape == ',';
    return commas == 3;
}

static gn_graph *graph_of(const move_case *c, bool is_nhwc)
{
    gn_text text;
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_text_init(&text);
    gn_text_printf(&text, "gannet-graph 1\ninput 'in' f32 %s\n%s", c->x, c->declared);
    gn_text_printf(&text, is_nhwc ? "node 'MaxPool' '' 'turn' ('in') -> ('x') {kernel_shape: ints 1 1}\n"
                                  : "node 'Identity' '' 'turn' ('in') -> ('x') {}\n");
    gn_text_printf(&text, "%s%s\noutput 'z'\n", c->node, strchr(c->node, '{') ? "" : " {}");
    assert_false(text.failed);
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\'')
            text.data[i] = '"';
    if (gn_graph_from_text(text.data, text.len, gn_ops_registry(), &graph, &err) != GN_OK ||
        gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s: %s", c->node, err.message);
    gn_text_deinit(&text);
    fixture_fill_states(graph, 5);
    return graph;
}

static void backend_agrees_with_reference(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int form = 0; form < 2; form++) {
            if (form == 1 && !is_picture(cases[i].x))
                continue;
            gn_graph *graph = graph_of(&cases[i], form == 1);
            for (int threads = 1; threads <= 2; threads++) {
                const double d = fixture_difference(graph, threads, 2, 11, TOLERANCE);
                if (!(d <= TOLERANCE))
                    fail_msg("%s, layout %d, %d threads: differs by %g", cases[i].node, form, threads, d);
            }
            gn_graph_destroy(&graph);
        }
}

static void kernels_are_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gn_graph *graph = graph_of(&cases[i], false);
        const int last = gn_graph_value(graph, gn_graph_find_value(graph, "z"))->producer;
        if (gn_cpu_op_find(graph, gn_graph_node(graph, last)) == &gn_cpu_reference_op)
            fail_msg("%s runs by its reference", cases[i].node);
        gn_graph_destroy(&graph);
    }
}

/* What the kernels do not take goes to the reference instead of failing. */
static void others_run_by_reference(void **state)
{
    (void)state;
    static const move_case others[] = {
        {"[1,2,3,4]", "const 'p' s64 [8] = 0 0 1 1 0 0 1 1\n",
         "node 'Pad' '' 'n' ('x' 'p') -> ('z') {mode: string 'reflect'}"},
        {"[1,2,4,4]", "const 's' f32 [4] = 1 2 2 2\n",
         "node 'Resize' '' 'n' ('x' - 's') -> ('z') {mode: string 'linear'}"},
        {"[1,2,3,4,5]", "state 'w' f32 [3,2,2,2,2]\n", "node 'Conv' '' 'n' ('x' 'w') -> ('z')"},
        {"[1,2,3,4,5]", "", "node 'MaxPool' '' 'n' ('x') -> ('z') {kernel_shape: ints 2 2 2}"},
        {"[1,2,3,4,5]", "", "node 'AveragePool' '' 'n' ('x') -> ('z') {kernel_shape: ints 2 2 2}"},
        {"[2,3,4,5]", "const 's' s64 [4] = 1 2 2 1\n", "node 'Tile' '' 'n' ('x' 's') -> ('z')"},
        {"[1,3,6,6]", "",
         "node 'AveragePool' '' 'n' ('x') -> ('z') {kernel_shape: ints 3 3; strides: ints 2 2; pads: ints 1 1 1 1; "
         "ceil_mode: int 1; "
         "count_include_pad: int 1}"},
        {"[2,3,4,5]", "", "node 'Softsign' '' 'n' ('x') -> ('z')"},
        {"[0,1099511627776]", "", "node 'Softsign' '' 'n' ('x') -> ('z')"}, /* no memory for what is not there */
        {"[2,3,4,5]", "const 'w' f32 [3,1,1] = 1 0.5 0.7\n", "node 'Mod' '' 'n' ('x' 'w') -> ('z') {fmod: int 1}"},
        {"[2,3,4,5]", "const 'a' s64 [1] = 1\n", "node 'ReduceLogSumExp' '' 'n' ('x' 'a') -> ('z')"},
        {"[2,3,4,5]", "", "node 'LogSoftmax' '' 'n' ('x') -> ('z') {axis: int 1}"},
        {"[2,3,4,5]",
         "const 's' f32 [2,3,2,5] = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 "
         "31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60\n",
         "node 'QuantizeLinear' '' 'n' ('x' 's') -> ('z') {axis: int 2; block_size: int 2}"},
        {"[2,3,4]", "const 'a' s64 [2] = 0 2\n", "node 'ReduceMax' '' 'n' ('x' 'a') -> ('z')"},
        {"[2,3,4]", "", "node 'ArgMax' '' 'n' ('x') -> ('z') {select_last_index: int 1}"},
        {"[1,2,3]", "state 'w' f32 [2,2,2]\n", "node 'ConvTranspose' '' 'n' ('x' 'w') -> ('z') {strides: ints 2}"},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        for (int form = 0; form < 2; form++) {
            if (form == 1 && !is_picture(others[i].x))
                continue;
            gn_graph *graph = graph_of(&others[i], form == 1);
            const double d = fixture_difference(graph, 2, 1, 11, TOLERANCE);
            if (!(d <= TOLERANCE))
                fail_msg("%s, layout %d: differs by %g", others[i].node, form, d);
            gn_graph_destroy(&graph);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_agrees_with_reference),
        cmocka_unit_test(kernels_are_found),
        cmocka_unit_test(others_run_by_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
