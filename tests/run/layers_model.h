/* A small classifier whose convolutions have several kernels: 3x3 with a stride on pictures, 1x1, two dense 3x3, and a linear layer.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RUN_LAYERS_MODEL_H
#define TESTS_RUN_LAYERS_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/rng.h"
#include "ops/ops.h"
#include "run/session.h"

#define LAYERS_SIZE    32
#define LAYERS_CLASSES 10

static inline int layers_weight(gn_graph *g, const char *name, gn_shape shape, double scale, gn_rng *rng)
{
    const int id = gn_graph_add_state(g, name, GN_DTYPE_F32, &shape, true);
    assert_true(id >= 0);
    float *x = gn_graph_value(g, id)->data->data;
    for (int64_t i = 0; i < gn_shape_count(&shape); i++)
        x[i] = gn_rng_range(rng, (float)-scale, (float)scale);
    return id;
}

static inline int layers_conv(gn_graph *g, int x, int in, int out, int filter, int stride, gn_rng *rng)
{
    char name[32];
    static int count;
    const int64_t strides[2] = {stride, stride}, pads[4] = {filter / 2, filter / 2, filter / 2, filter / 2};
    const gn_attr attrs[2] = {gn_attr_ints("strides", strides, 2), gn_attr_ints("pads", pads, 4)};
    snprintf(name, sizeof name, "w%d", count++);
    const int w =
        layers_weight(g, name, gn_shape_make(4, out, in, filter, filter), 1.0 / (filter * filter * 0.25 * in), rng);
    x = gn_graph_add_op(g, "Conv", "", "conv", (const int[]){x, w}, 2, attrs, 2);
    return gn_graph_add_op(g, "Relu", "", "relu", &x, 1, NULL, 0);
}

/* channels: of the layers behind the first. */
static inline gn_session *layers_open(int channels, int threads)
{
    gn_graph *g = NULL;
    gn_session *session = NULL;
    gn_error err = {0};
    gn_rng rng;
    gn_rng_init(&rng, 3, 0);
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const gn_shape shape = gn_shape_make(4, -1, 3, LAYERS_SIZE, LAYERS_SIZE);
    int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    x = layers_conv(g, x, 3, 24, 3, 2, &rng);
    x = layers_conv(g, x, 24, channels, 1, 1, &rng);
    x = layers_conv(g, x, channels, channels, 3, 1, &rng);
    x = layers_conv(g, x, channels, channels, 3, 1, &rng);
    x = layers_conv(g, x, channels, channels, 3, 2, &rng);
    x = gn_graph_add_op(g, "GlobalAveragePool", "", "mean", &x, 1, NULL, 0);
    x = gn_graph_add_op(g, "Flatten", "", "flatten", &x, 1, NULL, 0);
    const gn_attr trans = gn_attr_int("transB", 1);
    const int in[3] = {x, layers_weight(g, "head.weight", gn_shape_make(2, LAYERS_CLASSES, channels), 1, &rng),
                       layers_weight(g, "head.bias", gn_shape_make(1, LAYERS_CLASSES), 1, &rng)};
    x = gn_graph_add_op(g, "Gemm", "", "head", in, 3, &trans, 1);
    assert_int_equal(gn_graph_add_output(g, x), GN_OK);
    gn_graph_meta_set(g, "gannet.mean", "0,0,0");
    gn_graph_meta_set(g, "gannet.std", "1,1,1");
    if (gn_graph_error(g, &err) != GN_OK ||
        gn_session_take_graph(&g, &(gn_session_options){.threads = threads}, &session, &err) != GN_OK ||
        gn_session_prepare(session, 1, &err) != GN_OK)
        fail_msg("%s", err.message);
    return session;
}

#endif
