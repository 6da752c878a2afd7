/* gannet export: a model in the form for inference, or its weights; the ending of FILE names the format.
 * SPDX-License-Identifier: Apache-2.0 */

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "gannet/formats_api.h"
#include "gannet/graph_api.h"

static const gn_opt options[] = {
    {.name = "output",
     .short_name = 'o',
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .group = "Output",
     .help = "M.onnx, or W.safetensors for the weights alone"},
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
    GN_OPT_ROW_HEAD,
    GN_OPT_ROW_CLASSES,
    GN_OPT_ROW_IMGSZ,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "export",
    .usage = "MODEL -o FILE [--imgsz N] [options]",
    .about = "Writes an ONNX file or a network of the zoo (with its initial weights) for other runtimes: ONNX in the "
             "form for\n"
             "inference, with a free batch dimension and all metadata, or safetensors with the weights.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet export runs/train/best.onnx -o face.onnx\n"
                "  gannet export runs/train/best.onnx --imgsz 96 --fixed-batch -o small.onnx\n"
                "  gannet export runs/train/best.onnx -o face.safetensors\n",
};

static gn_status write_weights(const gn_graph *graph, const char *path, gn_error *err)
{
    int n = gn_graph_value_count(graph), n_meta = gn_graph_meta_count(graph);
    gn_safetensors_entry *entries = gn_calloc((size_t)n + 1, sizeof *entries);
    gn_safetensors_meta *meta = gn_calloc((size_t)n_meta + 1, sizeof *meta);
    size_t n_entries = 0;
    gn_status status = entries && meta ? GN_OK : gn_fail(err, GN_ENOMEM, "no memory to write the weights");
    for (int i = 0; i < n && status == GN_OK; i++) {
        const gn_value *v = gn_graph_value(graph, i);
        if (v->kind == GN_VALUE_STATE)
            entries[n_entries++] = (gn_safetensors_entry){v->name, v->data};
    }
    for (int i = 0; i < n_meta && status == GN_OK; i++)
        gn_graph_meta_at(graph, i, &meta[i].key, &meta[i].value);
    if (status == GN_OK)
        status = gn_safetensors_write(path, entries, n_entries, meta, (size_t)n_meta, err);
    gn_free(entries);
    gn_free(meta);
    return status;
}

static gn_status export_model(const gn_args *args, const char *path, gn_error *err)
{
    bool is_onnx = gn_has_suffix(path, ".onnx");
    if (!is_onnx && !gn_has_suffix(path, ".safetensors"))
        return gn_fail(err, GN_EUSAGE, "-o %s: the ending names the format: .onnx or .safetensors", path);
    gn_cli_size size;
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    gn_graph *graph = NULL;
    GN_TRY(gn_cli_model_load(gn_args_positional(args, 0), args, &graph, err));
    gn_onnx_write_options o = {.opset = gn_args_int(args, "opset"),
                               .fold = gn_args_flag(args, "fold"),
                               .decompose = gn_args_flag(args, "decompose"),
                               .batch = gn_args_has(args, "fixed-batch") ? gn_args_int(args, "fixed-batch") : 0};
    gn_status status = is_onnx ? gn_onnx_write(graph, path, &o, err) : write_weights(graph, path, err);
    gn_graph_destroy(&graph);
    return status;
}

static gn_status report(const gn_args *args, const char *path, gn_error *err)
{
    char bytes[32];
    gn_format_bytes((uint64_t)gn_path_bytes(path), bytes);
    gn_cli_say("wrote %s (%s)\n", path, bytes);
    if (!gn_args_flag(args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "output", path);
    gn_jsonw_int(&j, "bytes", gn_path_bytes(path));
    gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    const char *path = gn_args_str(args, "output");
    gn_status status =
        path ? export_model(args, path, &err) : gn_fail(&err, GN_EUSAGE, "-o FILE is missing: where the model goes");
    if (status == GN_OK)
        status = report(args, path, &err);
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_export = {"export", "writes a model for other runtimes", "Make", run};
