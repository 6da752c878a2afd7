/* NonMaxSuppression behind a detector, for runtimes that have it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_EXPORT_NMS_H
#define GN_CLI_EXPORT_NMS_H

#include "cli/cli_args.h"
#include "gannet/graph_api.h"

/* Rows of a verb's table. */
#define GN_OPT_ROWS_NMS                                                                                                \
    {.name = "nms",                                                                                                    \
     .type = GN_OPT_FLAG,                                                                                              \
     .group = "Detectors",                                                                                             \
     .help = "append NonMaxSuppression: a third output, detections, with the objects that stay"},                      \
        {.name = "conf",                                                                                               \
         .type = GN_OPT_DOUBLE,                                                                                        \
         .metavar = "X",                                                                                               \
         .min = 0,                                                                                                     \
         .max = 1,                                                                                                     \
         .help = "least score of an object, stored in the file (default: the model's, else 0.25)"},                    \
        {.name = "iou",                                                                                                \
         .type = GN_OPT_DOUBLE,                                                                                        \
         .metavar = "X",                                                                                               \
         .min = 0,                                                                                                     \
         .max = 1,                                                                                                     \
         .help = "overlap above which the worse of two boxes of a class goes, stored in the file (default: the "       \
                 "model's, else 0.7)"},                                                                                \
    {                                                                                                                  \
        .name = "max-det", .type = GN_OPT_INT, .metavar = "N", .init = "300", .min = 1, .max = 100000,                 \
        .help = "objects of one class of one picture at most, with --nms"                                              \
    }

/* What --conf, --iou, --nms and --max-det of `args` ask for.  The limits become metadata; with --nms the graph gets the output
 * "detections" [objects,7]: picture, x1, y1, x2, y2 (pixels of the input), class, score; picture by picture, class by class, the surest
 * first.  GN_EUSAGE: an option that the model has no use for. */
gn_status gn_cli_export_limits(const gn_args *args, gn_graph *graph, gn_error *err);

#endif
