/* gannet import: a model from elsewhere as a model of ours: checked, in the operator forms of opset 13, with metadata.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "gannet/formats_api.h"
#include "gannet/graph_api.h"
#include "gannet/run_api.h"

static const gn_opt options[] = {
    {.name = "output",
     .short_name = 'o',
     .type = GN_OPT_STRING,
     .metavar = "M.onnx",
     .group = "Output",
     .help = "where the model goes"},
    {.name = "task",
     .type = GN_OPT_STRING,
     .choices = "box|classify",
     .group = "What the file does not say",
     .help = "what the model answers"},
    {.name = "decode",
     .type = GN_OPT_STRING,
     .choices = "box_xyxy01|box_xyxy01_score|none",
     .help = "how its output is read"},
    {.name = "fit",
     .type = GN_OPT_STRING,
     .choices = "stretch|letterbox",
     .help = "how a picture is brought to its size"},
    {.name = "mean", .type = GN_OPT_STRING, .metavar = "R,G,B", .help = "subtracted from colours in 0..1"},
    {.name = "std", .type = GN_OPT_STRING, .metavar = "R,G,B", .help = "by which they are divided then"},
    {.name = "names", .type = GN_OPT_STRING, .metavar = "JSON", .help = "class names as a JSON list"},
    GN_OPT_ROW_IMGSZ,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "import",
    .usage = "FILE.onnx -o M.onnx [options]",
    .about = "Reads an ONNX model of another tool (opset 7 to 21), checks it, and writes it as Gannet keeps models: "
             "trainable,\n"
             "opset 13, with metadata that say how pictures go in and how the output is read.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet import resnet18.onnx --task classify --imgsz 224 -o r18.onnx\n",
};

static gn_status set_metadata(const gn_args *args, gn_graph *graph, gn_error *err)
{
    static const char *const keys[] = {"task", "decode", "fit", "mean", "std", "names"};
    char key[64];
    gn_cli_size size;
    gn_arena *arena = NULL;
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    gn_status status = gn_graph_meta_set(graph, "gannet.version", "1");
    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == GN_OK; i++) {
        snprintf(key, sizeof key, "gannet.%s", keys[i]);
        if (gn_args_has(args, keys[i]))
            status = gn_graph_meta_set(graph, key, gn_args_str(args, keys[i]));
    }
    if (status == GN_OK && size.width) {
        snprintf(key, sizeof key, "%d,%d", size.width, size.height);
        status = gn_graph_meta_set(graph, "gannet.imgsz", key);
    }
    if (status != GN_OK)
        return gn_fail(err, status, "no memory for the model's metadata");
    gn_model_info info; /* reads everything once, so that a wrong value is found now */
    arena = gn_arena_create(0);
    status = arena ? gn_model_info_read(graph, arena, &info, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    gn_arena_destroy(&arena);
    return status;
}

static gn_status import_model(const gn_args *args, const char *path, gn_error *err)
{
    gn_graph *graph = NULL;
    GN_TRY(gn_onnx_read(gn_args_positional(args, 0), NULL, &graph, err));
    gn_status status = set_metadata(args, graph, err);
    if (status == GN_OK)
        status = gn_onnx_write(graph, path, NULL, err);
    gn_graph_destroy(&graph);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    const char *path = gn_args_str(args, "output");
    gn_status status;
    if (!path || !gn_has_suffix(path, ".onnx"))
        status = gn_fail(&err, GN_EUSAGE, "-o M.onnx is missing: where the model goes");
    else
        status = import_model(args, path, &err);
    if (status == GN_OK) {
        gn_cli_say("wrote %s\n", path);
        if (gn_args_flag(args, "json")) {
            gn_jsonw j;
            gn_jsonw_init(&j);
            gn_jsonw_str(&j, "output", path);
            gn_jsonw_int(&j, "bytes", gn_path_bytes(path));
            status = gn_jsonw_print(&j);
            if (status != GN_OK)
                gn_fail(&err, status, "the result cannot be written to standard output");
        }
    }
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_import = {"import", "takes a model of another tool", "Make", run};
