/* Every operator that the CPU backend has a handler for, against its reference in f64: odd shapes, both memory layouts, all ways of
 * broadcasting, all axes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "op_builder.h"

/* ---- matrix products ---- */

static void gemm(void **state)
{
    (void)state;
    static const int sizes[][3] = {{1, 7, 5}, {3, 33, 17}, {8, 64, 40}, {5, 1, 1}, {17, 3, 4}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int form = 0; form < 64; form++) {
            int M = sizes[i][0], K = sizes[i][1], N = sizes[i][2], ta = form & 1, tb = form >> 1 & 1,
                bias = form >> 2 & 3;
            int a = ta ? INPUT("a", K, M) : INPUT("a", M, K), b = tb ? PARAM("b", N, K) : PARAM("b", K, N);
            int c = bias == 1 ? PARAM("c", N) : bias == 2 ? PARAM("c", 1, N) : bias == 3 ? PARAM("c", M, 1) : -1;
            const gn_attr attrs[4] = {gn_attr_int("transA", ta), gn_attr_int("transB", tb),
                                      gn_attr_float("alpha", form & 16 ? 0.5f : 1.0f),
                                      gn_attr_float("beta", form & 32 ? 2.0f : 1.0f)};
            outputs_of(op("", "Gemm", 1, (int[]){a, b, c}, c >= 0 ? 3 : 2, attrs, 4));
            char what[80];
            snprintf(what, sizeof what, "Gemm %dx%dx%d form %d", M, K, N, form);
            check(what);
        }
}

/* Few rows by a matrix that is large and not constant: read where it lies. */
static void few_rows(void **state)
{
    (void)state;
    static const int sizes[][3] = {{3, 1030, 1021}, {17, 700, 1500}};
    const gn_attr turned = gn_attr_int("transB", 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const int M = sizes[i][0], C = sizes[i][1], K = sizes[i][2];
        int x = INPUT("x", M, C), w = INPUT("w", K, C), b = INPUT("b", K), dy = INPUT("dy", M, K);
        outputs_of(op("", "Gemm", 1, (int[]){x, w, b}, 3, &turned, 1));
        outputs_of(op("", "Gemm", 1, (int[]){dy, w}, 2, NULL, 0));
        const gn_attr clamp[2] = {gn_attr_float("lo", -3.0f), gn_attr_float("hi", 9.0f)};
        outputs_of(op("gannet", "Linear", 1, (int[]){x, w}, 2, clamp, 2));
        check("products of few rows");
    }
}

static void matmul(void **state)
{
    (void)state;
    outputs_of(OP("MatMul", INPUT("a", 5, 19), PARAM("b", 19, 7)));
    check("MatMul with weights");
    outputs_of(OP("MatMul", INPUT("a", 5, 19), INPUT("b", 19, 7)));
    check("MatMul of two inputs");
    outputs_of(OP("MatMul", INPUT("a", 2, 3, 5, 4), INPUT("b", 4, 7)));
    check("MatMul of stacks");
}

/* ---- elementwise ---- */

static void unary(void **state)
{
    (void)state;
    static const char *const names[] = {"Relu", "Sigmoid", "HardSwish", "Clip"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int form = 0; form < 3; form++) {
            int x = form == 2 ? INPUT("x", 50000) : INPUT("x", 2, 5, 3, 7);
            const float lo = -0.3f, hi = 0.9f;
            int in[3] = {form == 1 ? nhwc(x) : x, -1, -1}, n = 1;
            if (strcmp(names[i], "Clip") == 0) {
                in[1] = gn_graph_add_const_f32(g, "lo", 0, &lo);
                in[2] = gn_graph_add_const_f32(g, "hi", 0, &hi);
                n = 3;
            }
            outputs_of(op("", names[i], 1, in, n, NULL, 0));
            check(names[i]);
        }
}

static void unary_gradients(void **state)
{
    (void)state;
    const gn_attr clamp[2] = {gn_attr_float("lo", -0.5f), gn_attr_float("hi", 0.5f)};
    for (int form = 0; form < 2; form++) {
        int dy = INPUT("dy", 2, 5, 3, 7), y = INPUT("y", 2, 5, 3, 7);
        outputs_of(op("gannet", "ClampGrad", 1, (int[]){form ? nhwc(dy) : dy, y}, 2, clamp, 2));
        outputs_of(op("gannet", "SigmoidGrad", 1, (int[]){dy, form ? nhwc(y) : y}, 2, NULL, 0));
        outputs_of(op("gannet", "HardSwishGrad", 1, (int[]){dy, form ? nhwc(y) : y}, 2, NULL, 0));
        check("gradients of activations");
    }
}

static void binary(void **state)
{
    (void)state;
    static const char *const names[] = {"Add", "Mul", "Sub", "Div"};
    static const struct {
        int a_rank, a[4], b_rank, b[4];
    } shapes[] = {
        {4, {2, 5, 3, 4}, 4, {2, 5, 3, 4}},
        {4, {2, 5, 3, 4}, 4, {1, 5, 1, 1}},
        {4, {2, 5, 3, 4}, 3, {5, 1, 1}},
        {4, {2, 5, 3, 4}, 4, {2, 5, 1, 1}},
        {4, {2, 5, 3, 4}, 1, {4}},
        {4, {2, 5, 3, 4}, 4, {1, 1, 3, 4}},
        {4, {2, 5, 3, 4}, 1, {1}},
        {4, {2, 5, 3, 4}, 4, {2, 1, 3, 4}},
        {2, {7, 6}, 1, {6}},
        {2, {7, 6}, 2, {7, 1}},
        {2, {7, 1}, 2, {1, 6}},
        {2, {1, 6}, 1, {6}},
        {1, {6}, 2, {1, 6}},
        {1, {40000}, 1, {1}},
        {4, {3, 1, 3, 4}, 4, {3, 5, 1, 1}},
        {4, {1, 8, 40, 50}, 4, {1, 8, 1, 1}},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            for (int form = 0; form < 8; form++) {
                bool swap = form & 1, a_nhwc = form & 2 && shapes[i].a_rank == 4,
                     b_nhwc = form & 4 && shapes[i].b_rank == 4;
                if (strcmp(names[k], "Div") == 0 && form > 3)
                    continue;
                int a = input("a", shapes[i].a_rank, shapes[i].a), b = input("b.shift", shapes[i].b_rank, shapes[i].b);
                a = a_nhwc ? nhwc(a) : a;
                b = b_nhwc ? nhwc(b) : b;
                if (strcmp(names[k], "Div") == 0) { /* away from division by nothing */
                    a = value_of(OP("Sigmoid", a), 0);
                    b = value_of(OP("Sigmoid", b), 0);
                }
                outputs_of(op("", names[k], 1, (int[]){swap ? b : a, swap ? a : b}, 2, NULL, 0));
                char what[60];
                snprintf(what, sizeof what, "%s of shapes %zu in form %d", names[k], i, form);
                check(what);
            }
}

/* Activations and functions of one operand; those of positive numbers get the sigmoid of the input. */
static void functions(void **state)
{
    (void)state;
    static const char *const names[] = {"LeakyRelu", "HardSigmoid", "Elu",      "Gelu", "Tanh", "Exp",        "Erf",
                                        "Neg",       "Abs",         "Softplus", "Log",  "Sqrt", "Reciprocal", "Silu"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int form = 0; form < 4; form++) {
            int x = form == 2 ? INPUT("x", 40000) : INPUT("x", 2, 5, 3, 7), n = 0;
            const bool is_ours = strcmp(names[i], "Silu") == 0, is_positive = i >= 10 && !is_ours;
            if (is_positive)
                x = value_of(OP("Sigmoid", x), 0);
            gn_attr attrs[2] = {gn_attr_float("alpha", 0.3f), gn_attr_float("beta", 0.4f)};
            if (form == 3 && i < 3)
                n = i == 1 ? 2 : 1;
            if (form == 3 && i == 3)
                attrs[n++] = gn_attr_string("approximate", "tanh");
            x = form == 1 ? nhwc(x) : x;
            outputs_of(op(is_ours ? "gannet" : "", names[i], 1, &x, 1, attrs, n));
            check(names[i]);
        }
}

static void function_gradients(void **state)
{
    (void)state;
    static const char *const names[] = {"LeakyReluGrad", "HardSigmoidGrad", "EluGrad", "GeluGrad",
                                        "TanhGrad",      "AbsGrad",         "SiluGrad"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int form = 0; form < 4; form++) {
            int dy = INPUT("dy", 2, 5, 3, 7), x = INPUT("x", 2, 5, 3, 7), n = 0;
            gn_attr attrs[1] = {gn_attr_float("alpha", 0.3f)};
            if (form == 3 && i < 3)
                n = 1;
            if (form == 3 && i == 3)
                attrs[n++] = gn_attr_string("approximate", "tanh");
            outputs_of(
                op("gannet", names[i], 1, (int[]){form & 1 ? nhwc(dy) : dy, form & 2 ? nhwc(x) : x}, 2, attrs, n));
            check(names[i]);
        }
}

static void prelu(void **state)
{
    (void)state;
    static const struct {
        int rank, dim[4];
    } slopes[] = {{3, {5, 1, 1}}, {4, {1, 5, 1, 1}}, {0, {0}}, {1, {1}}, {1, {4}}, {4, {2, 5, 3, 4}}};
    for (size_t i = 0; i < sizeof slopes / sizeof *slopes; i++)
        for (int form = 0; form < 2; form++) {
            int x = INPUT("x", 2, 5, 3, 4), dy = INPUT("dy", 2, 5, 3, 4), s = input("s", slopes[i].rank, slopes[i].dim);
            x = form ? nhwc(x) : x;
            outputs_of(op("", "PRelu", 1, (int[]){x, s}, 2, NULL, 0));
            outputs_of(op("gannet", "PReluGrad", 2, (int[]){dy, x, s}, 3, NULL, 0));
            check("PRelu and its gradient");
        }
}

/* Any way of broadcasting that is left to the general loop, and the operators that know nothing else. */
static void broadcasts(void **state)
{
    (void)state;
    static const char *const names[] = {"Max", "Min", "Pow", "Sub", "Div"};
    static const struct {
        int a_rank, a[4], b_rank, b[4];
    } shapes[] = {{4, {2, 5, 3, 4}, 4, {2, 5, 3, 4}},
                  {4, {2, 5, 3, 4}, 3, {5, 1, 1}},
                  {4, {2, 1, 3, 4}, 4, {1, 5, 3, 1}},
                  {3, {2, 1, 4}, 2, {3, 1}},
                  {2, {7, 6}, 0, {0}},
                  {2, {1, 6}, 2, {300, 1}}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            for (int form = 0; form < 4; form++) {
                const bool positive = k == 2 || k == 4;
                int a = input("a", shapes[i].a_rank, shapes[i].a), b = input("b", shapes[i].b_rank, shapes[i].b);
                a = positive ? value_of(OP("Sigmoid", a), 0) : a;
                b = positive ? value_of(OP("Sigmoid", b), 0) : b;
                a = form & 1 && shapes[i].a_rank == 4 ? nhwc(a) : a;
                outputs_of(op("", names[k], 1, (int[]){form & 2 ? b : a, form & 2 ? a : b}, 2, NULL, 0));
                check(names[k]);
            }
    outputs_of(OP("Max", INPUT("a", 5), INPUT("b", 3, 1), INPUT("c", 3, 5)));
    check("Max of three");
    const float two = 2.0f;
    outputs_of(OP("Pow", INPUT("a", 3, 5), gn_graph_add_const_f32(g, "two", 0, &two)));
    check("Pow of negative numbers");
}

static void softmax(void **state)
{
    (void)state;
    for (int axis = -1; axis < 3; axis++) {
        const gn_attr attr = gn_attr_int("axis", axis);
        int y = value_of(op("", "Softmax", 1, (int[]){INPUT("x", 3, 5, 11)}, 1, &attr, 1), 0);
        gn_graph_add_output(g, y);
        outputs_of(op("gannet", "SoftmaxGrad", 1, (int[]){INPUT("dy", 3, 5, 11), y}, 2, &attr, 1));
        check("Softmax and its gradient");
    }
    const gn_attr first = gn_attr_int("axis", 1);
    outputs_of(op("", "Softmax", 1, (int[]){INPUT("x", 2, 16, 4, 700)}, 1, &first, 1));
    check("Softmax over bins of a distribution");
    const gn_attr last = gn_attr_int("axis", -1);
    outputs_of(op("", "Softmax", 1, (int[]){INPUT("x", 2, 2213, 2)}, 1, &last, 1));
    check("Softmax of pairs");
}

/* ---- pooling ---- */

static void pooling(void **state)
{
    (void)state;
    static const int cases[][5] = {{3, 2, 1, 1, 0}, {2, 2, 0, 1, 0}, {3, 1, 1, 1, 0},
                                   {3, 2, 0, 1, 1}, {3, 1, 2, 2, 0}, {2, 3, 0, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int form = 0; form < 2; form++) {
            int64_t kernel[2] = {cases[i][0], cases[i][0]}, strides[2] = {cases[i][1], cases[i][1]},
                    dilations[2] = {cases[i][3], cases[i][3]};
            int64_t pads[4] = {cases[i][2], cases[i][2], cases[i][2], cases[i][2]}, in_hw[2] = {11, 10};
            gn_attr attrs[7] = {gn_attr_ints("kernel_shape", kernel, 2), gn_attr_ints("strides", strides, 2),
                                gn_attr_ints("pads", pads, 4), gn_attr_int("ceil_mode", cases[i][4])};
            int x = INPUT("x", 2, 19, 11, 10), n = 4;
            attrs[n++] = gn_attr_int("count_include_pad", form && cases[i][4] == 0);
            if (pads[0] * 2 <= kernel[0] && dilations[0] == 1) {
                int average = op("", "AveragePool", 1, &x, 1, attrs, n);
                outputs_of(average);
                gn_shape y = gn_graph_value(g, value_of(average, 0))->shape;
                int dy = INPUT("dy", (int)y.dim[0], (int)y.dim[1], (int)y.dim[2], (int)y.dim[3]);
                attrs[n] = gn_attr_ints("in_hw", in_hw, 2);
                outputs_of(op("gannet", "AveragePoolGrad", 1, &dy, 1, attrs, n + 1));
                check("AveragePool and its gradient");
                x = INPUT("x", 2, 19, 11, 10);
            }
            attrs[4] = gn_attr_ints("dilations", dilations, 2);
            outputs_of(op("", "MaxPool", 1, &x, 1, attrs, 5));
            int trained = op("gannet", "MaxPoolTrain", 2, &x, 1, attrs, 5);
            gn_graph_add_output(g, value_of(trained, 0));
            gn_graph_add_output(g, value_of(trained, 1)); /* u8 leaves the graph in plain layout, too */
            gn_shape y = gn_graph_value(g, value_of(trained, 0))->shape;
            int dy = INPUT("dy", (int)y.dim[0], (int)y.dim[1], (int)y.dim[2], (int)y.dim[3]);
            attrs[5] = gn_attr_ints("in_hw", in_hw, 2);
            outputs_of(op("gannet", "MaxPoolGrad", 1, (int[]){dy, value_of(trained, 1)}, 2, attrs, 6));
            check("MaxPool, MaxPoolTrain and the gradient");
        }
}

static void adaptive_pooling(void **state)
{
    (void)state;
    static const int sizes[][4] = {{7, 5, 1, 1}, {7, 5, 3, 2}, {6, 6, 6, 6}, {3, 4, 7, 7}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t out[2] = {sizes[i][2], sizes[i][3]}, in_hw[2] = {sizes[i][0], sizes[i][1]};
        const gn_attr size = gn_attr_ints("output_size", out, 2), hw = gn_attr_ints("in_hw", in_hw, 2);
        int x = INPUT("x", 2, 21, sizes[i][0], sizes[i][1]), dy = INPUT("dy", 2, 21, sizes[i][2], sizes[i][3]);
        outputs_of(op("gannet", "AdaptiveAveragePool", 1, &x, 1, &size, 1));
        outputs_of(op("", "GlobalAveragePool", 1, &x, 1, NULL, 0));
        outputs_of(op("gannet", "AdaptiveAveragePoolGrad", 1, &dy, 1, &hw, 1));
        check("adaptive pooling");
    }
}

/* ---- normalisation ---- */

/* Activations that the normalisation computes, and their slope in its gradient. */
static void batch_norm_with_activation(void **state)
{
    (void)state;
    static const int shapes[][4] = {{3, 5, 4, 7}, {2, 33, 9, 8}, {1, 130, 31, 30}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < 6; form++) {
            int C = shapes[i][1];
            int x = input("x", 4, shapes[i]), dy = input("dy", 4, shapes[i]), scale = PARAM("scale", C),
                shift = PARAM("shift", C);
            const gn_attr *attrs = curve_attrs(form / 2);
            int bn = op("gannet", "BatchNormTrain", 5,
                        (int[]){form & 1 ? nhwc(x) : x, scale, shift, PARAM("mean", C), PARAM("var", C)}, 5, attrs, 2);
            outputs_of(bn);
            outputs_of(op("gannet", "BatchNormGrad", 3, (int[]){dy, x, scale, value_of(bn, 3), value_of(bn, 4), shift},
                          6, attrs, 2));
            check("batch normalisation with an activation");
        }
}

static void batch_norm(void **state)
{
    (void)state;
    static const int shapes[][4] = {{3, 5, 4, 7}, {2, 33, 9, 8}, {16, 3, 1, 1}, {1, 8, 31, 30}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int form = 0; form < 4; form++) {
            int C = shapes[i][1];
            int x = input("x", 4, shapes[i]), scale = PARAM("scale", C), shift = PARAM("shift", C);
            int mean = PARAM("mean", C), var = PARAM("var", C);
            const gn_attr attrs[4] = {gn_attr_float("epsilon", 1e-3f), gn_attr_float("momentum", 0.8f),
                                      gn_attr_float("lo", -0.4f), gn_attr_float("hi", 0.8f)};
            bool clamps = form & 1;
            int bn = op("gannet", "BatchNormTrain", 5, (int[]){form & 2 ? nhwc(x) : x, scale, shift, mean, var}, 5,
                        attrs, clamps ? 4 : 2);
            outputs_of(bn);
            gn_graph_add_update(g, mean, value_of(bn, 1));
            gn_graph_add_update(g, var, value_of(bn, 2));
            int dy = input("dy", 4, shapes[i]);
            outputs_of(op("gannet", "BatchNormGrad", 3, (int[]){dy, x, scale, value_of(bn, 3), value_of(bn, 4), shift},
                          6, attrs + 2, clamps ? 2 : 0));
            outputs_of(op("", "BatchNormalization", 1, (int[]){x, scale, shift, PARAM("m2", C), PARAM("var2", C)}, 5,
                          attrs, 1));
            check("batch normalisation");
        }
}

static void layer_norm(void **state)
{
    (void)state;
    static const int shapes[][4] = {{2, 3, 4, 33}, {1, 40, 25, 96}, {3, 2, 5, 8}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int axis = 2; axis < 4; axis++)
            for (int form = 0; form < 3; form++) { /* with bias, without, with a scale that broadcasts */
                const int width[2] = {shapes[i][2], shapes[i][3]}, *wide = axis == 2 ? width : width + 1,
                          rank = 4 - axis;
                int x = input("x", 4, shapes[i]), dy = input("dy", 4, shapes[i]);
                int scale = form == 2 ? PARAM("scale", 1) : param("scale", rank, wide),
                    shift = param("shift", rank, wide);
                const gn_attr attrs[2] = {gn_attr_int("axis", axis), gn_attr_float("epsilon", 1e-3f)};
                outputs_of(op("", "LayerNormalization", form == 1 ? 3 : 1, (int[]){x, scale, shift}, form == 1 ? 2 : 3,
                              attrs, 2));
                outputs_of(op("gannet", "LayerNormGrad", 3, (int[]){dy, x, scale}, 3, attrs, 2));
                check("layer normalisation");
            }
}

/* ---- moving data ---- */

static void transposes_and_shuffles(void **state)
{
    (void)state;
    static const int64_t perms[][4] = {{0, 1, 3, 2}, {0, 2, 3, 1}, {0, 3, 1, 2}, {1, 0, 2, 3}, {3, 2, 1, 0}};
    for (size_t i = 0; i < sizeof perms / sizeof *perms; i++)
        for (int form = 0; form < 2; form++) {
            const gn_attr perm = gn_attr_ints("perm", perms[i], 4);
            int x = INPUT("x", 2, 5, 9, 4);
            x = form ? nhwc(x) : x;
            outputs_of(op("", "Transpose", 1, &x, 1, &perm, 1));
            check("Transpose");
        }
    static const int64_t longer[][5] = {{1, 0, 2, 3, 4}, {0, 2, 1, 3, 4}, {4, 3, 2, 1, 0}, {0, 1, 2, 4, 3},
                                        {2, 3, 4, 0, 1}, {0, 3, 1, 4, 2}, {0, 1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++) {
        const gn_attr perm = gn_attr_ints("perm", longer[i], 5);
        int x = INPUT("x", 3, 2, 5, 1, 7);
        outputs_of(op("", "Transpose", 1, &x, 1, &perm, 1));
        check("Transpose of five dimensions");
    }
    outputs_of(OP("Transpose", INPUT("x", 70, 33)));
    check("Transpose of a matrix");
    for (int groups = 1; groups <= 48; groups++)
        for (int form = 0; form < 2 && 48 % groups == 0; form++) {
            const gn_attr attr = gn_attr_int("groups", groups);
            int x = INPUT("x", 2, 48, 3, 5);
            x = form ? nhwc(x) : x;
            outputs_of(op("gannet", "ChannelShuffle", 1, &x, 1, &attr, 1));
            check("ChannelShuffle");
        }
    for (int form = 0; form < 4; form++) {
        const int C = form / 2 ? 20 : 37;
        int x[2] = {INPUT("a", 2, C, 9, 7), INPUT("b", 2, C, 9, 7)};
        for (int i = 0; i < 2 && form % 2; i++)
            x[i] = nhwc(x[i]);
        outputs_of(op("gannet", "Interleave", 1 + form / 2, x, 2, NULL, 0));
        check("Interleave");
    }
}

static void concat_and_split(void **state)
{
    (void)state;
    for (int axis = -4; axis < 4; axis++)
        for (int form = 0; form < 4; form++) {
            int dims[3][4], values[3], at = axis < 0 ? axis + 4 : axis;
            static const char *const names[3] = {"a", "b", "c"};
            static const int base[4] = {2, 5, 3, 4}, along[3] = {1, 7, 3};
            for (int i = 0; i < 3; i++) {
                memcpy(dims[i], base, sizeof base);
                dims[i][at] = along[i];
                values[i] = input(names[i], 4, dims[i]);
                if (form >> (i % 2) & 1)
                    values[i] = nhwc(values[i]);
            }
            const gn_attr attr = gn_attr_int("axis", axis);
            int joined = value_of(op("", "Concat", 1, values, 3, &attr, 1), 0);
            gn_graph_add_output(g, joined);
            const int64_t sizes[3] = {4, 5, 2};
            int parts = gn_graph_add_const_s64(g, "sizes", 3, sizes);
            outputs_of(op("", "Split", 3, (int[]){form & 1 ? nhwc(joined) : joined, parts}, 2, &attr, 1));
            check("Concat and Split");
        }
}

static void views_and_copies(void **state)
{
    (void)state;
    const int64_t shape[3] = {2, 15, -1}, axes[1] = {1};
    int x = nhwc(INPUT("x", 2, 5, 3, 4));
    outputs_of(OP("Reshape", x, gn_graph_add_const_s64(g, "shape", 3, shape)));
    const gn_attr axis = gn_attr_int("axis", 2);
    outputs_of(op("", "Flatten", 1, &x, 1, &axis, 1));
    outputs_of(OP("Unsqueeze", x, gn_graph_add_const_s64(g, "axes", 1, axes)));
    outputs_of(OP("Identity", x));
    const int64_t perm[4] = {0, 2, 3, 1};
    const gn_attr perm_attr = gn_attr_ints("perm", perm, 4);
    outputs_of(op("", "Transpose", 1, &x, 1, &perm_attr, 1));
    int narrow = nhwc(INPUT("y", 3, 1, 4, 5));
    outputs_of(OP("Squeeze", narrow, gn_graph_add_const_s64(g, "one", 1, axes)));
    check("views");
}

static void sums(void **state)
{
    (void)state;
    static const int to[][4] = {{1, 5, 1, 1}, {2, 5, 1, 1}, {1, 1, 1, 1}, {2, 1, 3, 4}, {1, 1, 3, 4}, {2, 5, 3, 4}};
    for (size_t i = 0; i < sizeof to / sizeof *to; i++)
        for (int form = 0; form < 2; form++) {
            int x = INPUT("x", 2, 5, 3, 4);
            int64_t shape[4] = {to[i][0], to[i][1], to[i][2], to[i][3]};
            const gn_attr attr = gn_attr_ints("shape", shape, 4);
            outputs_of(op("gannet", "SumTo", 1, (int[]){form ? nhwc(x) : x}, 1, &attr, 1));
            check("SumTo");
        }
    static const int low[][4] = {{3, 5, 3, 4}, {3, 5, 1, 1}, {2, 3, 4, 0}, {1, 4, 0, 0}, {1, 1, 0, 0}, {0, 0, 0, 0}};
    for (size_t i = 0; i < sizeof low / sizeof *low; i++)
        for (int form = 0; form < 2; form++) {
            int x = INPUT("x", 2, 5, 3, 4);
            int64_t shape[3] = {low[i][1], low[i][2], low[i][3]};
            const gn_attr attr = gn_attr_ints("shape", shape, low[i][0]);
            outputs_of(op("gannet", "SumTo", 1, (int[]){form ? nhwc(x) : x}, 1, &attr, 1));
            check("SumTo of fewer dimensions");
        }
    const int64_t row[1] = {9};
    const gn_attr attr = gn_attr_ints("shape", row, 1);
    outputs_of(op("gannet", "SumTo", 1, (int[]){INPUT("x", 301, 9)}, 1, &attr, 1));
    check("SumTo of rows");
    const int64_t wide[1] = {17};
    const gn_attr in_blocks = gn_attr_ints("shape", wide, 1);
    outputs_of(op("gannet", "SumTo", 1, (int[]){INPUT("x", 9001, 17)}, 1, &in_blocks, 1));
    check("SumTo of many rows");
    static const int64_t axes[][3] = {{1, 0, 0}, {1, -1, 0}, {2, 2, 3}, {2, 0, 1}, {2, 0, 2}, {1, 1, 0}, {0, 0, 0}};
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++)
        for (int form = 0; form < 4; form++) {
            int x = INPUT("x", 3, 5, 7, 4);
            const gn_attr attrs[2] = {gn_attr_int("keepdims", form >> 1),
                                      gn_attr_ints("axes", axes[i] + 1, (int)axes[i][0])};
            x = form & 1 ? nhwc(x) : x;
            outputs_of(op("", "ReduceSum", 1, &x, 1, attrs, axes[i][0] > 0 ? 2 : 1));
            outputs_of(op("", "ReduceMean", 1, &x, 1, attrs, axes[i][0] > 0 ? 2 : 1));
            check("ReduceSum and ReduceMean");
        }
}

static void dropout(void **state)
{
    (void)state;
    gn_shape two = gn_shape_make(1, 2);
    for (int form = 0; form < 2; form++) {
        int x = INPUT("x", 3, 7, 5, 4), rng = gn_graph_add_input(g, "train.rng", GN_DTYPE_S64, &two);
        const gn_attr attrs[2] = {gn_attr_float("ratio", 0.3f), gn_attr_int("seed", 77)};
        outputs_of(op("gannet", "DropoutTrain", 2, (int[]){form ? nhwc(x) : x, rng}, 2, attrs, 2));
        check("DropoutTrain");
    }
}

/* ---- optimisers ---- */

static void optimisers(void **state)
{
    (void)state;
    static const int sizes[3] = {7, 40000, 33};
    const float decay[3] = {0.0f, 0.01f, 0.1f};
    for (int form = 0; form < 8; form++) { /* bit 0: Adam; bit 1: variant; bit 2: results update the states */
        bool adam = form & 1, updates = form & 4;
        int in[14], n = 0, hyper = INPUT("train.hyper", 8), states[12], n_states = 0, groups = adam ? 3 : 2;
        int grads[3];
        for (int i = 0; i < 3; i++)
            grads[i] = input("g", 1, &sizes[i]);
        const gn_attr max_norm = gn_attr_float("max_norm", 2.0f);
        int clip = op("gannet", "GradClip", 2, grads, 3, &max_norm, 1);
        outputs_of(clip);
        in[n++] = hyper;
        in[n++] = value_of(clip, 0);
        for (int group = 0; group < groups + 1; group++)
            for (int i = 0; i < 3; i++) {
                static const char *const names[4] = {"w", "g", "optimizer.m", "optimizer.v"};
                in[n++] = group == 1 ? grads[i] : param(names[group], 1, &sizes[i]);
                if (group != 1)
                    states[n_states++] = in[n - 1];
            }
        const gn_attr attrs[5] = {gn_attr_int("n", 3), gn_attr_floats("weight_decay", decay, 3),
                                  adam ? gn_attr_float("beta1", 0.8f) : gn_attr_float("momentum", 0.9f),
                                  adam ? gn_attr_int("decoupled", form >> 1 & 1)
                                       : gn_attr_int("nesterov", form >> 1 & 1),
                                  gn_attr_float("beta2", 0.99f)};
        int step = op("gannet", adam ? "Adam" : "Sgd", groups * 3, in, n, attrs, adam ? 5 : 4);
        int ema[7] = {hyper}, averages[3];
        for (int i = 0; i < 3; i++) {
            averages[i] = ema[1 + i] = param("e", 1, &sizes[i]);
            ema[4 + i] = value_of(step, i);
        }
        const gn_attr count = gn_attr_int("n", 3);
        int average = op("gannet", "Ema", 3, ema, 7, &count, 1);
        for (int i = 0; i < n_states && updates; i++)
            gn_graph_add_update(g, states[i], value_of(step, i));
        for (int i = 0; i < 3 && updates; i++)
            gn_graph_add_update(g, averages[i], value_of(average, i));
        if (!updates) {
            outputs_of(step);
            outputs_of(average);
        }
        check(adam ? "Adam" : "Sgd");
    }
}

static void losses(void **state)
{
    (void)state;
    static const char *const names[] = {"SmoothL1Loss", "MSELoss", "IoULoss", "BCEWithLogitsLoss"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bool rows = i < 3;
        int target = rows ? INPUT("train.target", 6, 4) : INPUT("train.has_box", 6), weight = INPUT("train.weight", 6);
        int pred = rows ? INPUT("pred", 6, 4) : INPUT("pred", 6), one = INPUT("dl");
        const gn_attr attrs[2] = {gn_attr_float("beta", 0.5f), gn_attr_string("kind", "ciou")};
        char grad[40];
        snprintf(grad, sizeof grad, "%sGrad", names[i]);
        outputs_of(
            op("gannet", names[i], 1, (int[]){pred, target, weight}, 3, i == 2 ? attrs + 1 : attrs, i == 2 || i == 0));
        outputs_of(
            op("gannet", grad, 1, (int[]){one, pred, target, weight}, 4, i == 2 ? attrs + 1 : attrs, i == 2 || i == 0));
        check(names[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gemm),
        TEST(few_rows),
        TEST(matmul),
        TEST(unary),
        TEST(unary_gradients),
        TEST(binary),
        TEST(functions),
        TEST(function_gradients),
        TEST(prelu),
        TEST(broadcasts),
        TEST(softmax),
        TEST(pooling),
        TEST(adaptive_pooling),
        TEST(batch_norm),
        TEST(batch_norm_with_activation),
        TEST(layer_norm),
        TEST(transposes_and_shuffles),
        TEST(concat_and_split),
        TEST(views_and_copies),
        TEST(sums),
        TEST(dropout),
        TEST(optimisers),
        TEST(losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
