/* --weights of gannet train: pretrained weights into the network, telling what did not fit.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_TRAIN_WEIGHTS_H
#define GN_CLI_TRAIN_WEIGHTS_H

#include "cli/cli_args.h"
#include "gannet/graph_api.h"

/* Rows of the verb's table that gn_train_weights_load reads. */
#define GN_OPT_ROWS_WEIGHTS                                                                                            \
    {.name = "weights",                                                                                                \
     .type = GN_OPT_STRING,                                                                                            \
     .metavar = "FILE",                                                                                                \
     .group = "Transfer",                                                                                              \
     .help = "begin with these: .pth, .safetensors or .onnx; what does not fit begins anew"},                          \
        {.name = "rename",                                                                                             \
         .type = GN_OPT_LIST,                                                                                          \
         .metavar = "OLD=NEW",                                                                                         \
         .help = "their other names: * stands for any text, an empty NEW drops"},                                      \
        {.name = "weights-key",                                                                                        \
         .type = GN_OPT_STRING,                                                                                        \
         .metavar = "KEY",                                                                                             \
         .help = "part of the checkpoint, such as ema"},                                                               \
    {                                                                                                                  \
        .name = "weights-order", .type = GN_OPT_STRING, .init = "rgb", .choices = "rgb|bgr",                           \
        .help = "colours that their first layer was made for; bgr is turned around"                                    \
    }

/* Loads --weights (nothing without it) and tells in one line what came in; --verbose lists what did not.
 * GN_ESHAPE: nothing fits; as gn_weights_open and gn_onnx_read. */
gn_status gn_train_weights_load(const gn_args *args, gn_graph *graph, gn_error *err);

#endif
