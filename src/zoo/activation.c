/* Activations by name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/activation.h"

#include <string.h>

#include "base/text.h"

#define LARGEST_PARAMETER 10

static const struct {
    const char *name;
    gn_act_kind kind;
    bool takes_parameter;
    float parameter; /* unless the text says another */
} names[] = {
    {"relu", GN_ACT_RELU, false, 0},
    {"relu6", GN_ACT_RELU6, false, 0},
    {"leaky_relu", GN_ACT_LEAKY_RELU, true, 0.01f},
    {"elu", GN_ACT_ELU, true, 1},
    {"gelu", GN_ACT_GELU, false, 0},
    {"silu", GN_ACT_SILU, false, 0},
    {"hard_swish", GN_ACT_HARD_SWISH, false, 0},
    {"mish", GN_ACT_MISH, false, 0},
};

gn_status gn_act_parse(const char *text, gn_act *out, gn_error *err)
{
    *out = (gn_act){GN_ACT_OWN, 0};
    if (!text || !*text)
        return GN_OK;
    const size_t length = strcspn(text, ":");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) != length || strncmp(text, names[i].name, length) != 0)
            continue;
        double parameter = (double)names[i].parameter;
        if (text[length] == ':' && !names[i].takes_parameter)
            return gn_fail(err, GN_EINVAL, "activation \"%.60s\": %s takes no parameter", text, names[i].name);
        if (text[length] == ':' &&
            (!gn_parse_f64(text + length + 1, &parameter) || parameter < 0 || parameter > LARGEST_PARAMETER))
            return gn_fail(err, GN_EINVAL, "activation \"%.60s\": expected a number in 0..%d after the colon", text,
                           LARGEST_PARAMETER);
        *out = (gn_act){names[i].kind, (float)parameter};
        return GN_OK;
    }
    return gn_fail(
        err, GN_EINVAL,
        "no activation is named \"%.60s\"; there are relu, relu6, leaky_relu[:slope], elu[:alpha], gelu, silu, "
        "hard_swish and mish",
        text);
}
