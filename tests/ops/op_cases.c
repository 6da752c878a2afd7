/* The cases of all operators; a new operator adds its own here.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op_cases.h"

/* One input x and one node y = OP(x). */
#define UNARY(shape, node) "input 'x' f32 " shape "\nnode " node " ('x') -> ('y')"

const op_case op_cases[] = {
    /* ---- convolutions ---- */
    {.name = "Conv/by hand",
     .graph = "input 'x' f32 [1,1,3,3]\ninput 'w' f32 [1,1,2,2]\n"
              "node 'Conv' '' 'conv' ('x' 'w') -> ('y')\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9; w 1 2 3 4",
     .expect = "37 47 67 77",
     .grad = "x w",
     .macs = 16},
    {.name = "Conv/pads, stride and bias by hand",
     .graph = "input 'x' f32 [1,1,3,3]\ninput 'w' f32 [1,1,3,3]\ninput 'b' f32 [1]\n"
              "node 'Conv' '' 'conv' ('x' 'w' 'b') -> ('y') {pads: ints 1 1 1 1; strides: ints 2 2}\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9; w 1 1 1 1 1 1 1 1 1; b 0.5",
     .expect = "12.5 16.5 24.5 28.5",
     .grad = "x w b",
     .macs = 36,
     .elementwise = 4},
    {.name = "Conv/groups, dilation, uneven pads and strides",
     .graph = "input 'x' f32 [2,4,5,6]\ninput 'w' f32 [6,2,3,2]\ninput 'b' f32 [6]\n"
              "node 'Conv' '' 'conv' ('x' 'w' 'b') -> ('y') {group: int 2; kernel_shape: ints 3 2; strides: ints 2 1; "
              "dilations: ints 1 2; pads: ints 1 0 2 1}\noutput 'y'\n",
     .grad = "x w b",
     .macs = 2160},
    {.name = "Conv/depthwise",
     .graph =
         "input 'x' f32 [2,3,6,5]\ninput 'w' f32 [3,1,3,3]\n"
         "node 'Conv' '' 'conv' ('x' 'w') -> ('y') {group: int 3; strides: ints 2 2; pads: ints 1 1 1 1}\noutput 'y'\n",
     .grad = "x w",
     .macs = 486},
    {.name = "Conv/1x1",
     .graph = "input 'x' f32 [2,5,3,2]\ninput 'w' f32 [4,5,1,1]\n"
              "node 'Conv' '' 'conv' ('x' 'w') -> ('y')\noutput 'y'\n",
     .grad = "x w",
     .macs = 240},
    {.name = "Conv/input that the last window leaves over",
     .graph = "input 'x' f32 [1,2,6,6]\ninput 'w' f32 [2,2,3,3]\n"
              "node 'Conv' '' 'conv' ('x' 'w') -> ('y') {strides: ints 2 2}\noutput 'y'\n",
     .grad = "x w"},
    {.name = "FusedConv/by hand",
     .graph =
         "input 'x' f32 [1,1,2,2]\ninput 'w' f32 [2,1,1,1]\ninput 'b' f32 [2]\ninput 'r' f32 [1,2,2,2]\ninput 's' f32 "
         "[2]\n"
         "node 'FusedConv' 'gannet' 'conv' ('x' 'w' 'b' 'r' 's') -> ('y') {lo: float 0; hi: float 6}\noutput 'y'\n",
     .given = "x 1 2 3 4; w 2 -1; b 1 0.5; r 0 1 -9 2 3 0 0 10; s 0.5 2",
     /* 0.5*2x + 1 + r and 2*-x + 0.5 + r, clamped to 0..6 */
     .expect = "2 4 0 6 1.5 0 0 2.5"},
    {.name = "FusedConv/without options",
     .graph = "input 'x' f32 [1,2,4,3]\ninput 'w' f32 [3,2,2,2]\n"
              "node 'FusedConv' 'gannet' 'conv' ('x' 'w') -> ('y')\noutput 'y'\n"},

    /* ---- normalisation ---- */
    {.name = "BatchNormalization/by hand",
     .graph = "input 'x' f32 [1,2,1,2]\ninput 's' f32 [2]\ninput 'b' f32 [2]\ninput 'm' f32 [2]\ninput 'v' f32 [2]\n"
              "node 'BatchNormalization' '' 'bn' ('x' 's' 'b' 'm' 'v') -> ('y') {epsilon: float 0}\noutput 'y'\n",
     .given = "x 1 3 2 2; s 2 1; b 0.5 -1; m 1 2; v 4 1",
     .expect = "0.5 2.5 -1 -1"},
    {.name = "BatchNormTrain/by hand",
     .graph =
         "input 'x' f32 [2,1,1,2]\ninput 's' f32 [1]\ninput 'b' f32 [1]\ninput 'm' f32 [1]\ninput 'v' f32 [1]\n"
         "node 'BatchNormTrain' 'gannet' 'bn' ('x' 's' 'b' 'm' 'v') -> ('y' 'nm' 'nv' 'bm' 'bi') "
         "{epsilon: float 0; momentum: float 0.5}\noutput 'y'\noutput 'nm'\noutput 'nv'\noutput 'bm'\noutput 'bi'\n",
     .given = "x 1 2 3 4; s 2; b 1; m 1; v 2",
     /* mean 2.5, variance 1.25 biased and 5/3 unbiased */
     .expect = "-1.6832815729997477 0.10557280900008414 1.8944271909999159 3.6832815729997477; 1.75; "
               "1.8333333333333333; 2.5; "
               "0.89442719099991588"},
    {.name = "BatchNormTrain/gradient",
     .graph = "input 'x' f32 [3,2,2,3]\ninput 's' f32 [2]\ninput 'b' f32 [2]\ninput 'm' f32 [2]\ninput 'v' f32 [2]\n"
              "node 'BatchNormTrain' 'gannet' 'bn' ('x' 's' 'b' 'm' 'v') -> ('y' 'nm' 'nv' 'bm' 'bi')\noutput 'y'\n",
     .grad = "x s b"},
    {.name = "BatchNormTrain/gradient with a clamp",
     .graph = "input 'x' f32 [3,2,2,3]\ninput 's' f32 [2]\ninput 'b' f32 [2]\ninput 'm' f32 [2]\ninput 'v' f32 [2]\n"
              "node 'BatchNormTrain' 'gannet' 'bn' ('x' 's' 'b' 'm' 'v') -> ('y' 'nm' 'nv' 'bm' 'bi') "
              "{lo: float 0; hi: float 1.5}\noutput 'y'\n",
     .given = "s 1.5 -1; b 0.25 0.5",
     .grad = "x s b"},
    {.name = "BatchNormTrain/rank 2",
     .graph = "input 'x' f32 [5,3]\ninput 's' f32 [3]\ninput 'b' f32 [3]\ninput 'm' f32 [3]\ninput 'v' f32 [3]\n"
              "node 'BatchNormTrain' 'gannet' 'bn' ('x' 's' 'b' 'm' 'v') -> ('y' 'nm' 'nv' 'bm' 'bi') {lo: float "
              "0}\noutput 'y'\n",
     .given = "s 1 2 3; b 0.5 1 2",
     .grad = "x s b"},

    /* ---- activations ---- */
    {.name = "Relu",
     .graph = UNARY("[2,3]", "'Relu' '' 'relu'") "\noutput 'y'\n",
     .given = "x -1 0 2 -0.5 3 0.25",
     .expect = "0 0 2 0 3 0.25",
     .elementwise = 6},
    {.name = "Relu/gradient",
     .graph = UNARY("[2,3,4]", "'Relu' '' 'relu'") "\noutput 'y'\n",
     .grad = "x",
     .kinks = "0"},
    {.name = "Clip/constant inputs",
     .graph = "input 'x' f32 [2,3]\nconst 'lo' f32 [] = -0.5\nconst 'hi' f32 [] = 6\n"
              "node 'Clip' '' 'clip' ('x' 'lo' 'hi') -> ('y')\noutput 'y'\n",
     .given = "x -1 0 2 -0.25 7 6",
     .expect = "-0.5 0 2 -0.25 6 6"},
    {.name = "Clip/gradient",
     .graph = "input 'x' f32 [4,5]\nconst 'lo' f32 [] = -0.5\nconst 'hi' f32 [] = 1\n"
              "node 'Clip' '' 'clip' ('x' 'lo' 'hi') -> ('y')\noutput 'y'\n",
     .grad = "x",
     .kinks = "-0.5 1"},
    {.name = "Clip/attribute, one bound",
     .graph = UNARY("[4,5]", "'Clip' '' 'clip'") " {max: float 0.5}\noutput 'y'\n",
     .grad = "x",
     .kinks = "0.5"},
    {.name = "Sigmoid",
     .graph = UNARY("[4]", "'Sigmoid' '' 'sigmoid'") "\noutput 'y'\n",
     .given = "x 0 1 -1 800",
     .expect = "0.5 0.73105857863000490 0.26894142136999510 1"},
    {.name = "Sigmoid/gradient", .graph = UNARY("[2,3]", "'Sigmoid' '' 'sigmoid'") "\noutput 'y'\n", .grad = "x"},
    {.name = "HardSwish",
     .graph = UNARY("[2,6]", "'HardSwish' '' 'hswish'") "\noutput 'y'\n",
     .given = "x -4 -3 -1.5 0 1.5 4 -2 -1 1 2 2.5 5",
     .expect = "0 0 -0.375 0 1.125 4 -0.33333333 -0.33333333 0.66666667 1.6666667 2.2916667 5",
     .elementwise = 12},
    {.name = "HardSwish/gradient",
     .graph = UNARY("[4,8]", "'HardSwish' '' 'hswish'") "\noutput 'y'\n",
     .grad = "x",
     .kinks = "-3 3",
     .lo = -5,
     .hi = 5},
    {.name = "Softmax",
     .graph = UNARY("[2,3]", "'Softmax' '' 'softmax'") "\noutput 'y'\n",
     .given = "x 1 2 3 1 1 1000",
     .expect = "0.09003057317038045 0.2447284710547976 0.6652409557748218 0 0 1"},
    {.name = "Softmax/last axis", .graph = UNARY("[3,4]", "'Softmax' '' 'softmax'") "\noutput 'y'\n", .grad = "x"},
    {.name = "Softmax/axis 1 of 3",
     .graph = UNARY("[2,4,3]", "'Softmax' '' 'softmax'") " {axis: int 1}\noutput 'y'\n",
     .grad = "x"},
    {.name = "Dropout/inference",
     .graph = UNARY("[2,2]", "'Dropout' '' 'drop'") "\noutput 'y'\n",
     .given = "x 1 2 3 4",
     .expect = "1 2 3 4",
     .grad = "x"},
    {.name = "DropoutTrain",
     .graph = "input 'x' f32 [4,16]\ninput 'rng' s64 [2]\n"
              "node 'DropoutTrain' 'gannet' 'drop' ('x' 'rng') -> ('y' 'mask') {ratio: float 0.25; seed: int "
              "7}\noutput 'y'\n",
     .given = "rng 3 11",
     .grad = "x"},

    /* ---- arithmetic ---- */
    {.name = "Add/per channel",
     .graph = "input 'a' f32 [1,2,1,2]\ninput 'b' f32 [1,2,1,1]\nnode 'Add' '' 'add' ('a' 'b') -> ('y')\noutput 'y'\n",
     .given = "a 1 2 3 4; b 10 20",
     .expect = "11 12 23 24"},
    {.name = "Add/same shape",
     .graph = "input 'a' f32 [2,3]\ninput 'b' f32 [2,3]\nnode 'Add' '' 'add' ('a' 'b') -> ('y')\noutput 'y'\n",
     .grad = "a b",
     .elementwise = 6},
    {.name = "Add/both broadcast",
     .graph = "input 'a' f32 [2,3,4,1]\ninput 'b' f32 [3,1,2]\nnode 'Add' '' 'add' ('a' 'b') -> ('y')\noutput 'y'\n",
     .grad = "a b"},
    {.name = "Add/to itself",
     .graph = "input 'a' f32 [2,3]\nnode 'Add' '' 'add' ('a' 'a') -> ('y')\noutput 'y'\n",
     .grad = "a"},
    {.name = "Sub/vector",
     .graph = "input 'a' f32 [2,2]\ninput 'b' f32 [2]\nnode 'Sub' '' 'sub' ('a' 'b') -> ('y')\noutput 'y'\n",
     .given = "a 1 2 3 4; b 10 20",
     .expect = "-9 -18 -7 -16",
     .grad = "a b"},
    {.name = "Mul/scalar",
     .graph = "input 'a' f32 [2,2]\ninput 'b' f32 []\nnode 'Mul' '' 'mul' ('a' 'b') -> ('y')\noutput 'y'\n",
     .given = "a 1 2 3 4; b -2",
     .expect = "-2 -4 -6 -8",
     .grad = "a b"},
    {.name = "Mul/both broadcast",
     .graph = "input 'a' f32 [2,1,4]\ninput 'b' f32 [3,1]\nnode 'Mul' '' 'mul' ('a' 'b') -> ('y')\noutput 'y'\n",
     .grad = "a b"},
    {.name = "Mul/square",
     .graph = "input 'a' f32 [5]\nnode 'Mul' '' 'mul' ('a' 'a') -> ('y')\noutput 'y'\n",
     .grad = "a"},
    {.name = "Div/per row",
     .graph = "input 'a' f32 [2,2]\ninput 'b' f32 [2,1]\nnode 'Div' '' 'div' ('a' 'b') -> ('y')\noutput 'y'\n",
     .given = "a 1 2 3 4; b 2 4",
     .expect = "0.5 1 0.75 1"},
    {.name = "Div/gradient",
     .graph = "input 'a' f32 [2,3,2]\ninput 'b' f32 [3,1]\nnode 'Div' '' 'div' ('a' 'b') -> ('y')\noutput 'y'\n",
     .grad = "a b",
     .lo = 0.5,
     .hi = 2},
    {.name = "SumTo/rows and channels",
     .graph = UNARY("[2,2,3]", "'SumTo' 'gannet' 'sum'") " {shape: ints 2 1}\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12",
     .expect = "30 48",
     .grad = "x",
     .elementwise = 12},
    {.name = "SumTo/inner dimension kept",
     .graph = UNARY("[2,2,3]", "'SumTo' 'gannet' 'sum'") " {shape: ints 2 1 3}\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12",
     .expect = "5 7 9 17 19 21"},
    {.name = "ReduceMean/all",
     .graph = UNARY("[2,2]", "'ReduceMean' '' 'mean'") " {keepdims: int 0}\noutput 'y'\n",
     .given = "x 1 2 3 6",
     .expect = "3",
     .grad = "x"},
    {.name = "ReduceMean/height and width",
     .graph = UNARY("[2,3,2,4]", "'ReduceMean' '' 'mean'") " {axes: ints 2 -1}\noutput 'y'\n",
     .grad = "x"},
    {.name = "ReduceMean/constant axes, dimension dropped",
     .graph = "input 'x' f32 [2,3,2]\nconst 'axes' s64 [1] = 1\nnode 'ReduceMean' '' 'mean' ('x' 'axes') -> ('y') "
              "{keepdims: int 0}\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12",
     .expect = "3 4 9 10",
     .grad = "x"},

    /* ---- matrix products ---- */
    {.name = "Gemm/by hand",
     .graph =
         "input 'a' f32 [2,2]\ninput 'b' f32 [3,2]\ninput 'c' f32 [3]\n"
         "node 'Gemm' '' 'gemm' ('a' 'b' 'c') -> ('y') {transB: int 1; alpha: float 2; beta: float 0.5}\noutput 'y'\n",
     .given = "a 1 2 3 4; b 1 0 0 1 1 1; c 2 4 6",
     .expect = "3 6 9 7 10 17",
     .grad = "a b c",
     .macs = 12,
     .elementwise = 6},
    {.name = "Gemm/plain",
     .graph = "input 'a' f32 [2,4]\ninput 'b' f32 [4,3]\nnode 'Gemm' '' 'gemm' ('a' 'b') -> ('y')\noutput 'y'\n",
     .grad = "a b",
     .macs = 24},
    {.name = "Gemm/transA",
     .graph = "input 'a' f32 [4,2]\ninput 'b' f32 [4,3]\ninput 'c' f32 [2,1]\n"
              "node 'Gemm' '' 'gemm' ('a' 'b' 'c') -> ('y') {transA: int 1; alpha: float 0.5}\noutput 'y'\n",
     .grad = "a b c",
     .macs = 24},
    {.name = "Gemm/transA and transB",
     .graph =
         "input 'a' f32 [4,2]\ninput 'b' f32 [3,4]\ninput 'c' f32 []\n"
         "node 'Gemm' '' 'gemm' ('a' 'b' 'c') -> ('y') {transA: int 1; transB: int 1; beta: float 3}\noutput 'y'\n",
     .grad = "a b c"},
    {.name = "MatMul/matrices",
     .graph = "input 'a' f32 [2,2]\ninput 'b' f32 [2,2]\nnode 'MatMul' '' 'mm' ('a' 'b') -> ('y')\noutput 'y'\n",
     .given = "a 1 2 3 4; b 0 1 1 2",
     .expect = "2 5 4 11",
     .grad = "a b",
     .macs = 8},
    {.name = "MatMul/batches broadcast",
     .graph = "input 'a' f32 [2,1,2,3]\ninput 'b' f32 [4,3,2]\nnode 'MatMul' '' 'mm' ('a' 'b') -> ('y')\noutput 'y'\n",
     .grad = "a b",
     .macs = 96},

    /* ---- pooling ---- */
    {.name = "MaxPool/ceil_mode by hand",
     .graph =
         UNARY("[1,1,4,4]", "'MaxPool' '' 'pool'") " {kernel_shape: ints 3 3; strides: ints 2 2; ceil_mode: int 1}\n"
                                                   "output 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
     .expect = "11 12 15 16",
     .elementwise = 36},
    {.name = "MaxPool/padding never wins",
     .graph = UNARY("[1,1,2,2]", "'MaxPool' '' 'pool'") " {kernel_shape: ints 2 2; pads: ints 1 1 0 0}\noutput 'y'\n",
     .given = "x -1 -2 -3 -4",
     .expect = "-1 -1 -1 -1"},
    {.name = "MaxPool/window larger than what is left",
     .graph =
         UNARY("[1,1,2,2]", "'MaxPool' '' 'pool'") " {kernel_shape: ints 3 3; strides: ints 2 2; ceil_mode: int 1}\n"
                                                   "output 'y'\n",
     .given = "x 1 2 4 3",
     .expect = "4"},
    {.name = "MaxPoolTrain/positions, the first among equals",
     .graph =
         "input 'x' f32 [1,1,2,4]\nnode 'MaxPoolTrain' 'gannet' 'pool' ('x') -> ('y' 'at') {kernel_shape: ints 2 2; "
         "strides: ints 2 2}\noutput 'y'\noutput 'at'\n",
     .given = "x 1 2 5 0 3 3 5 5",
     .expect = "3 5; 2 0"},
    {.name = "MaxPoolTrain/gradient",
     .graph =
         "input 'x' f32 [2,2,5,6]\nnode 'MaxPoolTrain' 'gannet' 'pool' ('x') -> ('y' 'at') {kernel_shape: ints 3 3; "
         "strides: ints 2 2; pads: ints 1 1 1 1}\noutput 'y'\n",
     .grad = "x",
     .distinct = 1},
    {.name = "MaxPoolTrain/gradient with dilation and ceil_mode",
     .graph =
         "input 'x' f32 [1,2,7,8]\nnode 'MaxPoolTrain' 'gannet' 'pool' ('x') -> ('y' 'at') {kernel_shape: ints 2 3; "
         "strides: ints 3 2; dilations: ints 2 1; ceil_mode: int 1}\noutput 'y'\n",
     .grad = "x",
     .distinct = 1},
    {.name = "AveragePool/padding not counted",
     .graph = UNARY("[1,1,4,4]",
                    "'AveragePool' '' 'pool'") " {kernel_shape: ints 3 3; strides: ints 2 2; pads: ints 1 1 1 1}\n"
                                               "output 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
     .expect = "3.5 5 9.5 11",
     .grad = "x"},
    {.name = "AveragePool/padding counted",
     .graph = UNARY("[1,1,4,4]",
                    "'AveragePool' '' 'pool'") " {kernel_shape: ints 3 3; strides: ints 2 2; pads: ints 1 1 1 1; "
                                               "count_include_pad: int 1}\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
     .expect = "1.5555555555555556 3.3333333333333335 6.333333333333333 11",
     .grad = "x"},
    {.name = "AveragePool/ceil_mode",
     .graph = UNARY("[1,1,5,5]",
                    "'AveragePool' '' 'pool'") " {kernel_shape: ints 2 2; strides: ints 2 2; ceil_mode: int 1}\n"
                                               "output 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25",
     .expect = "4 6 7.5 14 16 17.5 21.5 23.5 25",
     .grad = "x"},
    {.name = "GlobalAveragePool",
     .graph = UNARY("[1,2,2,2]", "'GlobalAveragePool' '' 'pool'") "\noutput 'y'\n",
     .given = "x 1 2 3 6 -1 -2 -3 -4",
     .expect = "3 -2.5",
     .grad = "x"},
    {.name = "AdaptiveAveragePool/overlapping cells",
     .graph = UNARY("[1,1,3,5]", "'AdaptiveAveragePool' 'gannet' 'pool'") " {output_size: ints 2 3}\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15",
     .expect = "4 5.5 7 9 10.5 12",
     .grad = "x"},
    {.name = "AdaptiveAveragePool/more cells than pixels",
     .graph = UNARY("[2,2,2,3]", "'AdaptiveAveragePool' 'gannet' 'pool'") " {output_size: ints 3 4}\noutput 'y'\n",
     .grad = "x"},

    /* ---- shapes and copies ---- */
    {.name = "Concat/channels",
     .graph =
         "input 'a' f32 [2,1,1,2]\ninput 'b' f32 [2,2,1,2]\nnode 'Concat' '' 'cat' ('a' 'b') -> ('y') {axis: int 1}\n"
         "output 'y'\n",
     .given = "a 1 2 3 4; b 10 20 30 40 50 60 70 80",
     .expect = "1 2 10 20 30 40 3 4 50 60 70 80",
     .grad = "a b"},
    {.name = "Concat/three on the last axis",
     .graph = "input 'a' f32 [2,1]\ninput 'b' f32 [2,3]\ninput 'c' f32 [2,2]\n"
              "node 'Concat' '' 'cat' ('a' 'b' 'c') -> ('y') {axis: int -1}\noutput 'y'\n",
     .grad = "a b c"},
    {.name = "Split/sizes",
     .graph = "input 'x' f32 [2,3]\nconst 'sizes' s64 [2] = 2 1\nnode 'Split' '' 'split' ('x' 'sizes') -> ('y' 'z') "
              "{axis: int 1}\noutput 'y'\noutput 'z'\n",
     .given = "x 1 2 3 4 5 6",
     .expect = "1 2 4 5; 3 6",
     .grad = "x"},
    {.name = "Split/a part without gradient",
     .graph = "input 'x' f32 [2,4,3]\nnode 'Split' '' 'split' ('x') -> ('y' 'z') {axis: int -2}\noutput 'z'\n",
     .grad = "x"},
    {.name = "Reshape/kept and computed dimensions",
     .graph = "input 'x' f32 [2,3,2]\nconst 'to' s64 [3] = 0 -1 1\nnode 'Reshape' '' 'reshape' ('x' 'to') -> "
              "('y')\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6 7 8 9 10 11 12",
     .expect = "1 2 3 4 5 6 7 8 9 10 11 12",
     .grad = "x"},
    {.name = "Flatten", .graph = UNARY("[2,3,2,2]", "'Flatten' '' 'flatten'") "\noutput 'y'\n", .grad = "x"},
    {.name = "Squeeze/all", .graph = UNARY("[1,3,1]", "'Squeeze' '' 'squeeze'") "\noutput 'y'\n", .grad = "x"},
    {.name = "Squeeze/constant axes",
     .graph = "input 'x' f32 [1,3,1]\nconst 'axes' s64 [1] = -1\nnode 'Squeeze' '' 'squeeze' ('x' 'axes') -> "
              "('y')\noutput 'y'\n",
     .grad = "x"},
    {.name = "Unsqueeze",
     .graph = "input 'x' f32 [3,2]\nconst 'axes' s64 [2] = 0 -1\nnode 'Unsqueeze' '' 'unsqueeze' ('x' 'axes') -> "
              "('y')\noutput 'y'\n",
     .grad = "x"},
    {.name = "Identity", .graph = UNARY("[3]", "'Identity' '' 'same'") "\noutput 'y'\n", .grad = "x"},
    {.name = "Transpose/matrix",
     .graph = UNARY("[2,3]", "'Transpose' '' 'transpose'") "\noutput 'y'\n",
     .given = "x 1 2 3 4 5 6",
     .expect = "1 4 2 5 3 6",
     .grad = "x"},
    {.name = "Transpose/permutation",
     .graph = UNARY("[2,3,4]", "'Transpose' '' 'transpose'") " {perm: ints 2 0 1}\noutput 'y'\n",
     .grad = "x"},
    {.name = "Shape", .graph = UNARY("[2,3,4]", "'Shape' '' 'shape'") "\noutput 'y'\n", .expect = "2 3 4"},
    {.name = "Shape/part",
     .graph = UNARY("[2,3,4,5]", "'Shape' '' 'shape'") " {start: int -3; end: int -1}\noutput 'y'\n",
     .expect = "3 4"},
    {.name = "Cast/to s64",
     .graph = UNARY("[4]", "'Cast' '' 'cast'") " {to: int 7}\noutput 'y'\n",
     .given = "x 1.75 -1.75 3 0.5",
     .expect = "1 -1 3 0"},
    {.name = "ToNhwc",
     .graph = UNARY("[1,2,2,1]", "'ToNhwc' 'gannet' 'to'") "\noutput 'y'\n",
     .given = "x 1 2 3 4",
     .expect = "1 2 3 4"},
    {.name = "ToPlain",
     .graph = UNARY("[1,2,2,1]", "'ToPlain' 'gannet' 'to'") "\noutput 'y'\n",
     .given = "x 1 2 3 4",
     .expect = "1 2 3 4"},

/* ---- losses ---- */
#define LOSS(shape, rows, node)                                                                                        \
    "input 'p' f32 " shape "\ninput 't' f32 " shape "\ninput 'k' f32 " rows "\nnode " node " ('p' 't' 'k') -> ('y')"
    {.name = "SmoothL1Loss/mean",
     .graph = LOSS("[2,4]", "[2]", "'SmoothL1Loss' 'gannet' 'loss'") " {beta: float 0.125}\noutput 'y'\n",
     .given = "p 0.5 0 1 0.25 0.1 0.2 0.3 0.4; t 0.5 0.0625 0.5 1 0.3 0.25 0.25 0.5; k 1 1",
     .expect = "0.167265625",
     .elementwise = 8},
    {.name = "SmoothL1Loss/weights",
     .graph = LOSS("[2,2]", "[2]", "'SmoothL1Loss' 'gannet' 'loss'") " {beta: float 0.5}\noutput 'y'\n",
     .given = "p 0 1 2 0; t 0.25 0 0 0.5; k 1 3",
     /* rows (0.0625 + 0.75)/2 and (1.75 + 0.25)/2 */
     .expect = "0.8515625"},
    {.name = "SmoothL1Loss/gradient",
     .graph = LOSS("[3,4]", "[3]", "'SmoothL1Loss' 'gannet' 'loss'") " {beta: float 0.75}\noutput 'y'\n",
     .given = "k 1 0 2.5",
     .grad = "p"},
    {.name = "MSELoss",
     .graph = LOSS("[2,2]", "[2]", "'MSELoss' 'gannet' 'loss'") "\noutput 'y'\n",
     .given = "p 0 1 2 0; t 1 0 0 2; k 1 1",
     .expect = "2.5",
     .grad = "p"},
    {.name = "MSELoss/no weight at all",
     .graph = LOSS("[2,2]", "[2]", "'MSELoss' 'gannet' 'loss'") "\noutput 'y'\n",
     .given = "k 0 0",
     .expect = "0"},
    {.name = "BCEWithLogitsLoss",
     .graph = LOSS("[3]", "[3]", "'BCEWithLogitsLoss' 'gannet' 'loss'") "\noutput 'y'\n",
     .given = "p -2 0.5 30; t 0 1 0.25; k 1 1 1",
     .expect = "7.700334998407723"},
    {.name = "BCEWithLogitsLoss/gradient",
     .graph = LOSS("[4]", "[4]", "'BCEWithLogitsLoss' 'gannet' 'loss'") "\noutput 'y'\n",
     .given = "t 0 1 0.25 1; k 1 0.5 2 0",
     .grad = "p"},
#define TWO_BOXES "p 0.125 0.125 0.5 0.625 0.25 0.375 0.875 0.75; t 0.25 0.25 0.625 0.5 0.125 0.5 0.75 0.875; k 1 3"
    /* IoU of the rows: 2/7 and 4/11; the other measures as torchvision.ops computes them */
    {.name = "IoULoss/iou",
     .graph = LOSS("[2,4]", "[2]", "'IoULoss' 'gannet' 'loss'") " {kind: string 'iou'}\noutput 'y'\n",
     .given = TWO_BOXES,
     .expect = "0.65584415584415590",
     .grad = "p"},
    {.name = "IoULoss/giou",
     .graph = LOSS("[2,4]", "[2]", "'IoULoss' 'gannet' 'loss'") " {kind: string 'giou'}\noutput 'y'\n",
     .given = TWO_BOXES,
     .expect = "0.7495942386693648",
     .grad = "p"},
    {.name = "IoULoss/diou",
     .graph = LOSS("[2,4]", "[2]", "'IoULoss' 'gannet' 'loss'") " {kind: string 'diou'}\noutput 'y'\n",
     .given = TWO_BOXES,
     .expect = "0.6925029165693808",
     .grad = "p"},
    /* CIoU holds its trade-off weight constant in the gradient, which differences do not: tests/detect checks that one. */
    {.name = "IoULoss/ciou",
     .graph = LOSS("[2,4]", "[2]", "'IoULoss' 'gannet' 'loss'") " {kind: string 'ciou'}\noutput 'y'\n",
     .given = TWO_BOXES,
     .expect = "0.6932180819876698"},

/* ---- optimisers: one step of torch.optim with these numbers ---- */
#define OPTIMISER "input 'hyper' f32 [8]\ninput 'scale' f32 [1]\ninput 'w' f32 [2]\ninput 'g' f32 [2]\n"
    {.name = "GradClip/above the norm",
     .graph = "input 'a' f32 [2]\ninput 'b' f32 [1,2]\nnode 'GradClip' 'gannet' 'clip' ('a' 'b') -> ('s' 'n') "
              "{max_norm: float 2.5}\noutput 's'\noutput 'n'\n",
     .given = "a 1 4; b 2 2",
     .expect = "0.49999990000002; 5"},
    {.name = "GradClip/below the norm",
     .graph =
         "input 'a' f32 [2]\nnode 'GradClip' 'gannet' 'clip' ('a') -> ('s' 'n') {max_norm: float 10}\noutput 's'\n",
     .given = "a 3 4",
     .expect = "1"},
    {.name = "GradClip/off",
     .graph = "input 'a' f32 [2]\nnode 'GradClip' 'gannet' 'clip' ('a') -> ('s' 'n')\noutput 's'\noutput 'n'\n",
     .given = "a 3 4",
     .expect = "1; 5"},
    {.name = "Sgd/plain",
     .graph = OPTIMISER
     "node 'Sgd' 'gannet' 'sgd' ('hyper' 'scale' 'w' 'g') -> ('w2') {n: int 1; weight_decay: floats 0.25}\n"
     "output 'w2'\n",
     .given = "hyper 0.125 0 0 0 0 0 0 0; scale 0.5; w 1 -2; g 0.5 1",
     .expect = "0.9375 -2"},
    {.name = "Sgd/first step with momentum",
     .graph = OPTIMISER "input 'v' f32 [2]\nnode 'Sgd' 'gannet' 'sgd' ('hyper' 'scale' 'w' 'g' 'v') -> ('w2' 'v2') "
                        "{n: int 1; momentum: float 0.5; weight_decay: floats 0.25}\noutput 'w2'\noutput 'v2'\n",
     .given = "hyper 0.125 0 0 1 0 0 0 0; scale 0.5; w 1 -2; g 0.5 1; v 99 99",
     .expect = "0.9375 -2; 0.5 0"},
    {.name = "Sgd/momentum",
     .graph = OPTIMISER "input 'v' f32 [2]\nnode 'Sgd' 'gannet' 'sgd' ('hyper' 'scale' 'w' 'g' 'v') -> ('w2' 'v2') "
                        "{n: int 1; momentum: float 0.5; weight_decay: floats 0.25}\noutput 'w2'\noutput 'v2'\n",
     .given = "hyper 0.1 0 0 0 0 0 0 0; scale 0.5; w 0.95 -2; g -0.25 2; v 0.5 0",
     .expect = "0.91375 -2.05; 0.3625 0.5"},
    {.name = "Sgd/Nesterov",
     .graph = OPTIMISER "input 'v' f32 [2]\nnode 'Sgd' 'gannet' 'sgd' ('hyper' 'scale' 'w' 'g' 'v') -> ('w2' 'v2') "
                        "{n: int 1; momentum: float 0.5; nesterov: int 1}\noutput 'w2'\noutput 'v2'\n",
     .given = "hyper 0.1 0 0 0 0 0 0 0; scale 0.5; w 0.9625 -2.075; g -0.25 2; v 0.25 0.5",
     .expect = "0.975 -2.2375; 0 1.25"},
#define ADAM                                                                                                           \
    OPTIMISER                                                                                                          \
    "input 'm' f32 [2]\ninput 'v' f32 [2]\nnode 'Adam' 'gannet' 'adam' ('hyper' 'scale' 'w' 'g' 'm' 'v') -> "          \
    "('w2' 'm2' 'v2') {n: int 1; beta1: float 0.5; beta2: float 0.75; epsilon: float 0.125; weight_decay: floats "     \
    "0.25"
    {.name = "Adam/second step",
     .graph = ADAM "}\noutput 'w2'\noutput 'm2'\noutput 'v2'\n",
     .given = "hyper 0.1 0.75 0.4375 0 0 0 0 0; scale 0.5; w 0.92 -2; g -0.25 2; m 0.25 0; v 0.0625 0",
     .expect = "0.8687526827867625 -2.0662737332796106; 0.1775 0.25; 0.04963125 0.0625"},
    {.name = "Adam/decoupled",
     .graph = ADAM "; decoupled: int 1}\noutput 'w2'\noutput 'm2'\noutput 'v2'\n",
     .given = "hyper 0.1 0.75 0.4375 0 0 0 0 0; scale 0.5; w 0.9083333333333333 -2.03; g -0.25 2; m 0.125 0.25; "
              "v 0.015625 0.0625",
     .expect = "0.885625 -2.067084456517807; 0 0.625; 0.015625 0.296875"},
    {.name = "Sgd/two tensors of unlike shapes",
     .graph =
         "input 'hyper' f32 [8]\ninput 'scale' f32 [1]\ninput 'w' f32 [2]\ninput 'x' f32 [1]\ninput 'g' f32 [2]\n"
         "input 'h' f32 [1]\nnode 'Sgd' 'gannet' 'sgd' ('hyper' 'scale' 'w' 'x' 'g' 'h') -> ('w2' 'x2') {n: int 2; "
         "weight_decay: floats 0 1}\noutput 'w2'\noutput 'x2'\n",
     .given = "hyper 0.5 0 0 0 0 0 0 0; scale 1; w 1 2; x 4; g 2 4; h 8",
     .expect = "0 0; -2"},
    {.name = "Ema",
     .graph = "input 'hyper' f32 [8]\ninput 'e' f32 [2]\ninput 'w' f32 [2]\nnode 'Ema' 'gannet' 'ema' ('hyper' 'e' "
              "'w') -> ('e2') "
              "{n: int 1}\noutput 'e2'\n",
     .given = "hyper 0 0 0 0 0.75 0 0 0; e 4 8; w 8 0",
     .expect = "5 6"},
};
const int n_op_cases = (int)(sizeof op_cases / sizeof op_cases[0]);
