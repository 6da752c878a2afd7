/* Models by file or by name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/model_source.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "gannet/formats_api.h"
#include "gannet/run_api.h"
#include "gannet/zoo_api.h"

#define MIN_SIDE 8
#define MAX_SIDE 4096

/* of a detector whose classes nobody told: COCO's */
#define DETECTOR_CLASSES 80

gn_status gn_cli_parse_imgsz(const char *text, gn_cli_size *size_out, gn_error *err)
{
    char first[32];
    int64_t w = 0, h = 0;
    *size_out = (gn_cli_size){0};
    if (!text)
        return GN_OK;
    size_t n = strcspn(text, ",");
    snprintf(first, sizeof first, "%.*s", (int)(n < sizeof first ? n : sizeof first - 1), text);
    bool good = gn_parse_i64(first, &w);
    h = w;
    if (good && text[n] == ',')
        good = gn_parse_i64(text + n + 1, &h);
    if (!good || w < MIN_SIDE || h < MIN_SIDE || w > MAX_SIDE || h > MAX_SIDE)
        return gn_fail(err, GN_EUSAGE, "--imgsz %s: one size or W,H in pixels was expected, %d to %d", text, MIN_SIDE,
                       MAX_SIDE);
    *size_out = (gn_cli_size){(int)w, (int)h};
    return GN_OK;
}

bool gn_cli_is_model_file(const char *model)
{
    return strchr(model, '/') || gn_has_suffix(model, ".onnx") || gn_path_exists(model);
}

gn_status gn_cli_model_resize(gn_graph *graph, gn_cli_size size, gn_error *err)
{
    char text[32];
    snprintf(text, sizeof text, "%d,%d", size.width, size.height);
    int input = gn_graph_input_count(graph) > 0 ? gn_graph_input(graph, 0) : -1;
    if (input < 0 || gn_graph_value(graph, input)->shape.rank != 4)
        return gn_fail(err, GN_EINVAL, "--imgsz %s: the model's input is no batch of pictures", text);
    gn_shape shape = gn_graph_value(graph, input)->shape;
    shape.dim[2] = size.height;
    shape.dim[3] = size.width;
    GN_TRY(gn_graph_set_input_shape(graph, input, &shape));
    return gn_graph_meta_set(graph, "gannet.imgsz", text);
}

gn_zoo_options gn_cli_zoo_options(const char *model, const gn_args *args, gn_cli_size size)
{
    gn_zoo_options o = gn_zoo_options_default();
    gn_zoo_entry entry;
    o.model = model;
    o.head = gn_args_str(args, "head");
    o.activation = gn_args_str(args, "activation");
    o.classes = gn_args_int(args, "classes");
    if (gn_zoo_find(model, &entry)) {
        o.width_px = o.height_px = entry.default_px;
        if (entry.is_detector && !gn_args_is_set(args, "head"))
            o.head = "detect";
        if (entry.is_detector && !gn_args_is_set(args, "classes"))
            o.classes = DETECTOR_CLASSES;
    }
    if (size.width) {
        o.width_px = size.width;
        o.height_px = size.height;
    }
    return o;
}

static gn_status load(const char *model, const gn_args *args, gn_graph **graph_out, gn_error *err)
{
    gn_cli_size size;
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    if (!gn_cli_is_model_file(model)) {
        const gn_zoo_options o = gn_cli_zoo_options(model, args, size);
        return gn_zoo_build(&o, graph_out, err);
    }
    gn_graph *graph = NULL;
    GN_TRY(gn_onnx_read(model, NULL, &graph, err));
    gn_status status = gn_detector_restore_tail(graph, err);
    if (status == GN_OK && size.width)
        status = gn_cli_model_resize(graph, size, err);
    if (status == GN_OK)
        *graph_out = graph;
    else
        gn_graph_destroy(&graph);
    return status;
}

gn_status gn_cli_model_load(const char *model, const gn_args *args, gn_graph **graph_out, gn_error *err)
{
    gn_graph *graph = NULL;
    GN_TRY(load(model, args, &graph, err));
    if (gn_args_knows(args, "fit") && gn_args_has(args, "fit") &&
        gn_graph_meta_set(graph, "gannet.fit", gn_args_str(args, "fit")) != GN_OK) {
        gn_graph_destroy(&graph);
        return gn_fail(err, GN_ENOMEM, "no memory for %s", model);
    }
    *graph_out = graph;
    return GN_OK;
}
