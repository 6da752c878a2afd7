/* Activations by name: what every builder lets its caller exchange.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_ACTIVATION_H
#define GN_ZOO_ACTIVATION_H

#include <stdbool.h>

#include "base/status.h"

typedef enum gn_act_kind {
    GN_ACT_OWN = 0, /* as a caller's wish: each architecture its own */
    GN_ACT_NONE,    /* as an architecture's own: nothing */
    GN_ACT_RELU,
    GN_ACT_RELU6,
    GN_ACT_LEAKY_RELU, /* parameter: slope below 0 */
    GN_ACT_ELU,        /* parameter: alpha */
    GN_ACT_GELU,       /* by erf */
    GN_ACT_SILU,       /* x * sigmoid(x) */
    GN_ACT_HARD_SWISH,
    GN_ACT_MISH, /* x * tanh(ln(1 + e^x)) */
} gn_act_kind;

typedef struct gn_act {
    gn_act_kind kind;
    float parameter;
} gn_act;

#define GN_RELU       ((gn_act){.kind = GN_ACT_RELU})
#define GN_RELU6      ((gn_act){.kind = GN_ACT_RELU6})
#define GN_SILU       ((gn_act){.kind = GN_ACT_SILU})
#define GN_LEAKY_01   ((gn_act){.kind = GN_ACT_LEAKY_RELU, .parameter = 0.1f})
#define GN_HARD_SWISH ((gn_act){.kind = GN_ACT_HARD_SWISH})
#define GN_GELU       ((gn_act){.kind = GN_ACT_GELU})
#define GN_NO_ACT     ((gn_act){.kind = GN_ACT_NONE})

/* "relu", "relu6", "leaky_relu" or "leaky_relu:0.1" (slope; 0.01 by itself), "elu" or "elu:0.5" (alpha; 1), "gelu", "silu",
 * "hard_swish", "mish"; NULL or "": GN_ACT_OWN.  GN_EINVAL with the list. */
gn_status gn_act_parse(const char *text, gn_act *out, gn_error *err);

#endif
