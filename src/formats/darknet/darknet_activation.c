/* Darknet's activations in ONNX's operators.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "formats/darknet/darknet_build.h"

static int constant(gn_darknet_build *b, float x)
{
    return b->status == GN_OK ? gn_graph_add_const_f32(b->graph, NULL, 0, &x) : -1;
}

static int with_constant(gn_darknet_build *b, const char *op, const char *what, int x, float c)
{
    const int in[2] = {x, constant(b, c)};
    return gn_darknet_op(b, op, what, in, 2, NULL, 0);
}

static int both(gn_darknet_build *b, const char *op, const char *what, int x, int y)
{
    const int in[2] = {x, y};
    return gn_darknet_op(b, op, what, in, 2, NULL, 0);
}

static int one(gn_darknet_build *b, const char *op, const char *what, int x)
{
    return gn_darknet_op(b, op, what, &x, 1, NULL, 0);
}

static int clip(gn_darknet_build *b, int x, float low, float high)
{
    const int in[3] = {x, constant(b, low), constant(b, high)};
    return gn_darknet_op(b, "Clip", "clip", in, 3, NULL, 0);
}

static int leaky(gn_darknet_build *b, int x, float alpha)
{
    const gn_attr attr = gn_attr_float("alpha", alpha);
    return gn_darknet_op(b, "LeakyRelu", "leaky", &x, 1, &attr, 1);
}

/* scale*clip(x) + shift within low..high, a flat slope outside. */
static int piecewise(gn_darknet_build *b, int x, float low, float high, float scale, float shift, float slope)
{
    const int inner = clip(b, x, low, high), outer = both(b, "Sub", "outside", x, inner);
    int y = with_constant(b, "Mul", "inside", inner, scale);
    y = both(b, "Add", "piecewise", y, with_constant(b, "Mul", "slope", outer, slope));
    return shift != 0 ? with_constant(b, "Add", "shift", y, shift) : y;
}

int gn_darknet_activate(gn_darknet_build *b, int x, const char *fallback)
{
    const char *name = gn_darknet_text(b, "activation", fallback);
    if (strcmp(name, "linear") == 0)
        return x;
    if (strcmp(name, "leaky") == 0)
        return leaky(b, x, 0.1f);
    if (strcmp(name, "relu") == 0)
        return one(b, "Relu", "relu", x);
    if (strcmp(name, "relu6") == 0)
        return clip(b, x, 0, 6);
    if (strcmp(name, "relie") == 0)
        return leaky(b, x, 0.01f);
    if (strcmp(name, "ramp") == 0)
        return both(b, "Add", "ramp", one(b, "Relu", "relu", x), with_constant(b, "Mul", "slope", x, 0.1f));
    if (strcmp(name, "logistic") == 0)
        return one(b, "Sigmoid", "logistic", x);
    if (strcmp(name, "loggy") == 0)
        return with_constant(b, "Sub", "loggy", with_constant(b, "Mul", "twice", one(b, "Sigmoid", "logistic", x), 2),
                             1);
    if (strcmp(name, "tanh") == 0)
        return one(b, "Tanh", "tanh", x);
    if (strcmp(name, "elu") == 0)
        return one(b, "Elu", "elu", x);
    if (strcmp(name, "selu") == 0)
        return one(b, "Selu", "selu", x);
    if (strcmp(name, "swish") == 0)
        return both(b, "Mul", "swish", x, one(b, "Sigmoid", "logistic", x));
    if (strcmp(name, "mish") == 0)
        return both(b, "Mul", "mish", x, one(b, "Tanh", "tanh", one(b, "Softplus", "softplus", x)));
    if (strcmp(name, "hardtan") == 0)
        return clip(b, x, -1, 1);
    if (strcmp(name, "lhtan") == 0)
        return piecewise(b, x, 0, 1, 1, 0, 0.001f);
    if (strcmp(name, "plse") == 0)
        return piecewise(b, x, -4, 4, 0.125f, 0.5f, 0.01f);
    gn_darknet_fail(b, GN_EUNSUPPORTED, "its activation %.40s is not supported", name);
    return x;
}
