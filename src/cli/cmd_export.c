/* gannet export: a model in the form for inference, or its weights; the ending of FILE names the format.
 * SPDX-License-Identifier: Apache-2.0 */

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/export_check.h"
#include "cli/export_nms.h"
#include "cli/model_source.h"
#include "gannet/formats_api.h"
#include "gannet/graph_api.h"

static const gn_opt options[] = {
    GN_OPT_ROW_MODEL_OUT,
    {.name = "opset",
     .type = GN_OPT_INT,
     .metavar = "N",
     .min = GN_ONNX_OPSET_WRITE_MIN,
     .max = GN_ONNX_OPSET_WRITE_MAX,
     .help = "operator set of ONNX, 11 to 21 (default: 13, or the lowest that the model needs with --no-decompose)"},
    {.name = "fold",
     .type = GN_OPT_FLAG,
     .init = "true",
     .help = "fold BatchNormalization and drop what only training needs; --no-fold keeps the model trainable"},
    {.name = "decompose",
     .type = GN_OPT_FLAG,
     .init = "true",
     .help = "spell LayerNormalization, Gelu, HardSwish and Mish in older operators, which every runtime has; "
             "--no-decompose keeps them"},
    {.name = "fixed-batch",
     .type = GN_OPT_INT,
     .metavar = "N",
     .min = 1,
     .max = GN_ONNX_BATCH_MAX,
     .implied = "1",
     .help = "a fixed batch (of 1 unless =N is given) instead of the free dimension N"},
    GN_OPT_ROWS_NMS,
    {.name = "check",
     .type = GN_OPT_STRING,
     .metavar = "TARGET",
     .choices = "trt82",
     .group = "Check",
     .help = "name each node that the target does not take: of the file written, or without -o of MODEL as it is"},
    GN_OPT_ROWS_MODEL,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "export",
    .usage = "MODEL -o FILE [--imgsz N] [options]\n"
             "FILE.onnx --check trt82",
    .about = "Writes an ONNX file or a network of the zoo (with its initial weights) for other runtimes: ONNX in the "
             "form for\n"
             "inference, with a free batch dimension and all metadata, or safetensors with the weights, which PyTorch "
             "loads.\n"
             "--check looks at any ONNX file, whoever made it, and at operators that Gannet itself does not run.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet export runs/train/best.onnx -o face.onnx\n"
                "  gannet export runs/train/best.onnx --imgsz 96 --fixed-batch -o small.onnx\n"
                "  gannet export runs/train/best.onnx --nms --conf 0.4 -o faces.onnx\n"
                "  gannet export runs/train/best.onnx -o face.safetensors\n"
                "  gannet export --check trt82 other.onnx\n",
};

/* What a run has to tell. */
typedef struct outcome {
    const char *path;      /* written; NULL: none */
    const char *looked_at; /* file that was checked */
    gn_trt_report *check;  /* NULL: none was asked for */
} outcome;

static gn_onnx_write_options write_options(const gn_args *args)
{
    return (gn_onnx_write_options){.opset = gn_args_int(args, "opset"),
                                   .fold = gn_args_flag(args, "fold"),
                                   .decompose = gn_args_flag(args, "decompose"),
                                   .batch = gn_args_int(args, "fixed-batch")};
}

/* Names of the zoo's tensors are PyTorch's; those of a folded model are not, and its statistics are gone. */
static gn_status write_weights(const gn_graph *graph, const char *path, gn_error *err)
{
    for (int i = 0; i < gn_graph_value_count(graph); i++)
        if (gn_has_suffix(gn_graph_value(graph, i)->name, ".folded_weight"))
            return gn_fail(err, GN_EINVAL,
                           "this model is in the form for inference: its BatchNormalization is folded into the "
                           "convolutions ('%s'); take the weights from the model as it was trained",
                           gn_graph_value(graph, i)->name);
    return gn_safetensors_write_model(path, graph, err);
}

static gn_status export_model(const gn_args *args, const char *path, gn_error *err)
{
    bool is_onnx = gn_has_suffix(path, ".onnx");
    if (!is_onnx && !gn_has_suffix(path, ".safetensors"))
        return gn_fail(err, GN_EUSAGE, "-o %s: the ending names the format: .onnx or .safetensors", path);
    if (!is_onnx && gn_args_has(args, "check"))
        return gn_fail(err, GN_EUSAGE, "--check looks at ONNX files; -o %s is none", path);
    gn_graph *graph = NULL;
    GN_TRY(gn_cli_model_load(gn_args_positional(args, 0), args, &graph, err));
    const gn_onnx_write_options o = write_options(args);
    gn_status status = is_onnx ? gn_cli_export_limits(args, graph, err) : GN_OK;
    if (status == GN_OK)
        status = is_onnx ? gn_onnx_write(graph, path, &o, err) : write_weights(graph, path, err);
    gn_graph_destroy(&graph);
    return status;
}

/* A network of the zoo as it would be exported. */
static gn_status check_network(const gn_args *args, outcome *result, gn_error *err)
{
    gn_graph *graph = NULL;
    void *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_cli_model_load(gn_args_positional(args, 0), args, &graph, err));
    const gn_onnx_write_options o = write_options(args);
    gn_status status = gn_cli_export_limits(args, graph, err);
    if (status == GN_OK)
        status = gn_onnx_pack(graph, &o, &bytes, &n, err);
    if (status == GN_OK)
        status = gn_onnx_check_trt82_bytes(bytes, n, result->looked_at, &result->check, err);
    gn_free(bytes);
    gn_graph_destroy(&graph);
    return status;
}

static gn_status check_model(const gn_args *args, outcome *result, gn_error *err)
{
    if (!result->path && !gn_cli_is_model_file(result->looked_at))
        return check_network(args, result, err);
    return gn_onnx_check_trt82(result->looked_at, &result->check, err);
}

static gn_status report(const gn_args *args, const outcome *result, gn_error *err)
{
    char bytes[32];
    if (result->path) {
        gn_format_bytes((uint64_t)gn_path_bytes(result->path), bytes);
        gn_cli_say("wrote %s (%s)\n", result->path, bytes);
    }
    if (!gn_args_flag(args, "json"))
        return result->check ? gn_cli_print_check(result->check, result->looked_at, err) : GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    if (result->path) {
        gn_jsonw_str(&j, "output", result->path);
        gn_jsonw_int(&j, "bytes", gn_path_bytes(result->path));
    }
    if (result->check)
        gn_cli_json_check(&j, result->check, result->looked_at);
    gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}

static gn_status export_and_check(const gn_args *args, outcome *result, gn_error *err)
{
    const bool wants_check = gn_args_has(args, "check");
    result->path = gn_args_str(args, "output");
    result->looked_at = result->path ? result->path : gn_args_positional(args, 0);
    if (!result->path && !wants_check)
        return gn_fail(err, GN_EUSAGE, "-o FILE is missing: where the model goes");
    if (result->path)
        GN_TRY(export_model(args, result->path, err));
    if (wants_check)
        GN_TRY(check_model(args, result, err));
    return report(args, result, err);
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    outcome result = {0};
    gn_status status = export_and_check(args, &result, &err);
    if (status != GN_OK)
        code = gn_cli_fail(args, &err);
    else if (result.check && gn_trt_report_count_level(result.check, GN_TRT_ERROR) > 0)
        code = gn_cli_exit_code(GN_EFLOOR);
    gn_trt_report_destroy(&result.check);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_export = {"export", "writes a model for other runtimes", "Make", run};
