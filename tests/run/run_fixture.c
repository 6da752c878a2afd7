/* Small models.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "ops/ops.h"

static int state(gn_graph *g, const char *name, gn_shape shape, const float *data, bool is_trainable)
{
    int id = gn_graph_add_state(g, name, GN_DTYPE_F32, &shape, is_trainable);
    assert_true(id >= 0);
    gn_tensor *t = gn_graph_value(g, id)->data;
    if (data)
        memcpy(t->data, data, gn_tensor_bytes(t));
    return id;
}

static int identity_conv(gn_graph *g, int x)
{
    static const float eye[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1}, one[3] = {1, 1, 1}, zero[3] = {0};
    int in[5] = {x, state(g, "conv.weight", gn_shape_make(4, 3, 3, 1, 1), eye, true)};
    x = gn_graph_add_op(g, "Conv", "", "conv", in, 2, NULL, 0);
    in[0] = x;
    in[1] = state(g, "bn.weight", gn_shape_make(1, 3), one, true);
    in[2] = state(g, "bn.bias", gn_shape_make(1, 3), zero, true);
    in[3] = state(g, "bn.running_mean", gn_shape_make(1, 3), zero, false);
    in[4] = state(g, "bn.running_var", gn_shape_make(1, 3), one, false);
    gn_attr epsilon = gn_attr_float("epsilon", 0);
    return gn_graph_add_op(g, "BatchNormalization", "", "bn", in, 5, &epsilon, 1);
}

static gn_graph *build(int width, int height, int outputs, const float *weight, const float *bias, bool with_conv)
{
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    gn_shape shape = gn_shape_make(4, -1, 3, height, width);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    if (with_conv)
        x = identity_conv(g, x);
    x = gn_graph_add_op(g, "GlobalAveragePool", "", "mean", &x, 1, NULL, 0);
    x = gn_graph_add_op(g, "Flatten", "", "flatten", &x, 1, NULL, 0);
    int in[3] = {x, state(g, "head.weight", gn_shape_make(2, outputs, 3), weight, true),
                 state(g, "head.bias", gn_shape_make(1, outputs), bias, true)};
    gn_attr trans = gn_attr_int("transB", 1);
    x = gn_graph_add_op(g, "Gemm", "", "head", in, 3, &trans, 1);
    gn_error err = {0};
    if (gn_graph_error(g, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_graph_add_output(g, x), GN_OK);
    gn_graph_meta_set(g, "gannet.mean", "0,0,0");
    gn_graph_meta_set(g, "gannet.std", "1,1,1");
    return g;
}

gn_graph *fixture_means(int width, int height, int outputs, const float *weight, const float *bias)
{
    return build(width, height, outputs, weight, bias, false);
}

gn_graph *fixture_means_after_conv(int width, int height, int outputs, const float *weight, const float *bias)
{
    return build(width, height, outputs, weight, bias, true);
}
