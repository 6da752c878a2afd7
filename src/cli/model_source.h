/* MODEL on the command line: an ONNX file or the name of a network of the zoo.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_MODEL_SOURCE_H
#define GN_CLI_MODEL_SOURCE_H

#include <stdbool.h>

#include "cli/cli_args.h"
#include "gannet/graph_api.h"
#include "gannet/zoo_api.h"

/* Rows of a verb's table that say which network of the zoo is meant, and its size. */
#define GN_OPT_ROW_HEAD                                                                                                \
    {.name = "head",                                                                                                   \
     .type = GN_OPT_STRING,                                                                                            \
     .init = "box",                                                                                                    \
     .choices = "box|box+score|classify|features|detect",                                                              \
     .group = "Model",                                                                                                 \
     .help = "head of a network of the zoo (of a detector: detect)"},                                                  \
    {                                                                                                                  \
        .name = "activation", .type = GN_OPT_STRING, .metavar = "NAME[:X]",                                            \
        .help = "takes the place of the network's own: relu, relu6, leaky_relu:0.1, elu, gelu, silu, hard_swish, mish" \
    }
#define GN_OPT_ROW_CLASSES                                                                                             \
    {                                                                                                                  \
        .name = "classes", .type = GN_OPT_INT, .init = "1000", .min = 1, .max = 100000,                                \
        .help = "classes of head classify; of a detector (80 unless given)"                                            \
    }
#define GN_OPT_ROW_IMGSZ                                                                                               \
    {                                                                                                                  \
        .name = "imgsz", .type = GN_OPT_STRING, .metavar = "N|W,H",                                                    \
        .help = "size of the input in pixels (default: the model's; of the zoo 224, detectors as published)"           \
    }
#define GN_OPT_ROW_FIT                                                                                                 \
    {                                                                                                                  \
        .name = "fit", .type = GN_OPT_STRING, .choices = "stretch|letterbox",                                          \
        .help = "how a picture is brought to that size (default: the model's)"                                         \
    }
/* All of them, for verbs that take MODEL. */
#define GN_OPT_ROWS_MODEL GN_OPT_ROW_HEAD, GN_OPT_ROW_CLASSES, GN_OPT_ROW_IMGSZ, GN_OPT_ROW_FIT
/* Where a model or its weights are written. */
#define GN_OPT_ROW_MODEL_OUT                                                                                           \
    {                                                                                                                  \
        .name = "output", .short_name = 'o', .type = GN_OPT_STRING, .metavar = "FILE", .group = "Output",              \
        .help = "M.onnx, or W.safetensors for the weights alone"                                                       \
    }

typedef struct gn_cli_size {
    int width, height; /* pixels; 0: not given */
} gn_cli_size;

/* --imgsz as "128" or "160,120" (text may be NULL).  GN_EUSAGE: not 8 to 4096 pixels. */
gn_status gn_cli_parse_imgsz(const char *text, gn_cli_size *size_out, gn_error *err);

/* Whether MODEL is meant as a file: it exists, has a folder in it, or ends in .onnx. */
bool gn_cli_is_model_file(const char *model);
/* What --head, --activation and --classes of `args` say of a network of the zoo; a detector's head, size and number of classes (80) come by
 * themselves.  size: {0} for the network's own. */
gn_zoo_options gn_cli_zoo_options(const char *model, const gn_args *args, gn_cli_size size);
/* A file's model at another size: the first input and the metadata change, everything else follows. */
gn_status gn_cli_model_resize(gn_graph *graph, gn_cli_size size, gn_error *err);
/* Reads the file, or builds the network with --head, --classes and --imgsz of `args` (the three rows above).  A
 * size given for a file becomes the model's.  The caller owns the graph. */
gn_status gn_cli_model_load(const char *model, const gn_args *args, gn_graph **graph_out, gn_error *err);

#endif
