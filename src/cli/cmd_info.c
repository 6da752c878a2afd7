/* gannet info: what a model is made of and what it costs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "cli/seeds_table.h"
#include "gannet/graph_api.h"
#include "gannet/run_api.h"
#include "gannet/train_api.h"

static const gn_opt options[] = {
    {.name = "batch",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "32",
     .min = 1,
     .max = 4096,
     .group = "What",
     .help = "batch size that the memory for training is told for"},
    {.name = "layers", .type = GN_OPT_FLAG, .help = "a table of all nodes"},
    {.name = "plan", .type = GN_OPT_FLAG, .help = "the plan for inference: order, layouts, offsets"},
    {.name = "graph", .type = GN_OPT_FLAG, .help = "the graph as text"},
    {.name = "table",
     .type = GN_OPT_STRING,
     .choices = "seeds",
     .help =
         "without MODEL: published comparisons of MobileNets, Xception, GoogLeNet and VGG beside what the graphs say"},
    GN_OPT_ROW_THREADS,
    GN_OPT_ROWS_MODEL,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "info",
    .usage = "MODEL [--layers] [--plan] [--batch N] [options]\n--table seeds [--json]",
    .about = "Tells what an ONNX file or a network of the zoo is made of: parameters, MACs and FLOPs of one picture "
             "(FLOPs are\n"
             "twice the MACs), bytes of weights, memory for inference and for training at a batch size.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .max_positional = 1,
    .examples = "  gannet info mobilenet_v2@0.35 --imgsz 128 --layers\n"
                "  gannet info runs/train/best.onnx --plan\n",
};

typedef struct facts {
    const char *model;
    const gn_graph *graph;          /* at batch 1, shapes inferred, not folded */
    int64_t params, buffers, bytes; /* bytes: of all stored tensors */
    int64_t file_bytes;             /* -1: no file */
    gn_cost cost;
    int64_t inference_bytes, arena_bytes, live_bytes;
    bool has_training;
    gn_train_memory training;
    char training_note[200]; /* why training memory is not known */
} facts;

/* ---- collecting ---- */

/* The graph at batch 1 with every shape known. */
static gn_status bind_batch(gn_graph *graph, gn_error *err)
{
    for (int i = 0; i < gn_graph_input_count(graph); i++) {
        int id = gn_graph_input(graph, i);
        gn_shape shape = gn_graph_value(graph, id)->shape;
        if (shape.rank > 0 && shape.dim[0] < 0)
            shape.dim[0] = 1;
        GN_TRY(gn_graph_set_input_shape(graph, id, &shape));
    }
    return gn_graph_infer(graph, err);
}

static int64_t weights_of(const gn_graph *graph, const gn_node *node)
{
    int64_t n = 0;
    for (int i = 0; i < node->n_in; i++) {
        const gn_value *v = node->in[i] >= 0 ? gn_graph_value(graph, node->in[i]) : NULL;
        if (v && v->kind == GN_VALUE_STATE && v->trainable)
            n += gn_tensor_count(v->data);
    }
    return n;
}

static void count_weights(facts *f)
{
    for (int i = 0; i < gn_graph_value_count(f->graph); i++) {
        const gn_value *v = gn_graph_value(f->graph, i);
        if (!v->data)
            continue;
        f->bytes += (int64_t)gn_tensor_bytes(v->data);
        if (v->kind == GN_VALUE_STATE)
            *(v->trainable ? &f->params : &f->buffers) += gn_tensor_count(v->data);
    }
}

static gn_status measure_inference(const gn_graph *graph, int threads, facts *f, gn_text *plan_text, gn_error *err)
{
    gn_session *session = NULL;
    gn_graph *copy = NULL;
    gn_status status = gn_graph_clone(graph, true, &copy);
    if (status != GN_OK)
        return gn_fail(err, status, "no memory to plan the model");
    status = gn_session_take_graph(&copy, &(gn_session_options){.threads = threads}, &session, err);
    if (status == GN_OK)
        status = gn_session_prepare(session, 1, err);
    if (status == GN_OK) {
        gn_session_release_weights(session);
        const gn_graph *planned = NULL;
        const gn_plan *plan = gn_session_plan(session, &planned);
        f->inference_bytes = (int64_t)gn_session_memory_bytes(session);
        f->arena_bytes = (int64_t)plan->arena_bytes;
        f->live_bytes = (int64_t)plan->live_bytes;
        if (plan_text)
            gn_plan_to_text(plan, planned, plan_text);
    }
    gn_session_close(&session);
    return status;
}

/* Models that cannot be trained as they are (another head, an operator without a gradient) say why instead. */
static void measure_training(const gn_graph *model, const gn_model_info *info, int batch, facts *f)
{
    gn_train_options defaults = gn_train_default_options();
    gn_error why = {0};
    f->has_training =
        gn_train_memory_of(model, batch, info->imgsz_w, info->imgsz_h, &defaults.rule, &f->training, &why) == GN_OK;
    if (!f->has_training)
        snprintf(f->training_note, sizeof f->training_note, "%.190s", why.message);
}

/* ---- showing ---- */

static void json_shape(gn_jsonw *j, const char *key, const gn_shape *shape)
{
    gn_jsonw_array(j, key);
    for (int i = 0; i < shape->rank; i++)
        gn_jsonw_int(j, NULL, shape->dim[i]);
    gn_jsonw_end(j);
}

static void json_layers(gn_jsonw *j, const gn_graph *graph)
{
    gn_jsonw_array(j, "layers");
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        gn_cost cost;
        gn_node_cost(graph, node, &cost);
        gn_jsonw_object(j, NULL);
        gn_jsonw_str(j, "name", node->name);
        gn_jsonw_str(j, "op", node->op->name);
        if (node->n_out > 0 && node->out[0] >= 0)
            json_shape(j, "output", &gn_graph_value(graph, node->out[0])->shape);
        gn_jsonw_int(j, "params", weights_of(graph, node));
        gn_jsonw_int(j, "macs", cost.macs);
        gn_jsonw_int(j, "bytes", cost.bytes);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
}

static void fill_json(gn_jsonw *j, const facts *f, const gn_model_info *info, int batch, bool with_layers,
                      const char *plan)
{
    gn_jsonw_str(j, "model", f->model);
    gn_jsonw_str(j, "architecture", *info->model ? info->model : NULL);
    gn_jsonw_str(j, "head", *info->head ? info->head : NULL);
    gn_jsonw_array(j, "imgsz");
    gn_jsonw_int(j, NULL, info->imgsz_w);
    gn_jsonw_int(j, NULL, info->imgsz_h);
    gn_jsonw_end(j);
    gn_jsonw_int(j, "params", f->params);
    gn_jsonw_int(j, "buffers", f->buffers);
    gn_jsonw_int(j, "macs", f->cost.macs);
    gn_jsonw_int(j, "flops", 2 * f->cost.macs);
    gn_jsonw_int(j, "bytes", f->bytes);
    if (f->file_bytes >= 0)
        gn_jsonw_int(j, "file_bytes", f->file_bytes);
    gn_jsonw_int(j, "nodes", gn_graph_node_count(f->graph));
    gn_jsonw_int(j, "inference_bytes", f->inference_bytes);
    gn_jsonw_int(j, "arena_bytes", f->arena_bytes);
    gn_jsonw_int(j, "live_bytes", f->live_bytes);
    gn_jsonw_int(j, "batch", batch);
    if (f->has_training)
        gn_jsonw_int(j, "training_bytes",
                     (int64_t)(f->training.weight_bytes + f->training.optimizer_bytes + f->training.arena_bytes));
    else
        gn_jsonw_null(j, "training_bytes");
    if (with_layers)
        json_layers(j, f->graph);
    if (plan)
        gn_jsonw_str(j, "plan", plan);
}

static const char *bytes_text(int64_t bytes, char *dst)
{
    gn_format_bytes((uint64_t)bytes, dst);
    return dst;
}

static void say_layers(const gn_graph *graph)
{
    gn_cli_print("\n%-34s %-22s %-20s %10s %12s %10s\n", "node", "operator", "output", "params", "MACs", "moved");
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        char shape[128] = "", moved[32];
        gn_cost cost;
        gn_node_cost(graph, node, &cost);
        if (node->n_out > 0 && node->out[0] >= 0)
            gn_shape_format(&gn_graph_value(graph, node->out[0])->shape, shape);
        gn_cli_print("%-34.34s %-22s %-20s %10" PRId64 " %12" PRId64 " %10s\n", node->name, node->op->name, shape,
                     weights_of(graph, node), cost.macs, bytes_text(cost.bytes, moved));
    }
}

static void say_facts(const facts *f, const gn_model_info *info, int batch)
{
    char a[32], b[32], c[32];
    gn_cli_print("%s%s%s%s%s\n", f->model, *info->model ? ": " : "", info->model, *info->head ? ", head " : "",
                 info->head);
    gn_cli_print("  input       %d x %d px, %s\n", info->imgsz_w, info->imgsz_h,
                 info->is_letterbox ? "letterboxed" : "stretched");
    gn_cli_print("  parameters  %" PRId64 " (and %" PRId64 " running statistics), %s of weights\n", f->params,
                 f->buffers, bytes_text(f->bytes, a));
    gn_cli_print("  MACs        %.4g G (multiply-accumulates of convolutions and matrix products, one picture)\n",
                 (double)f->cost.macs * 1e-9);
    gn_cli_print("  FLOPs       %.4g G (2 x MACs)\n", 2e-9 * (double)f->cost.macs);
    gn_cli_print("  inference   %s: weights and %s of activations (at least %s is alive at once)\n",
                 bytes_text(f->inference_bytes, a), bytes_text(f->arena_bytes, b), bytes_text(f->live_bytes, c));
    if (f->has_training)
        gn_cli_print(
            "  training    %s at batch %d: %s of weights and optimiser, %s of activations and gradients\n",
            bytes_text((int64_t)(f->training.weight_bytes + f->training.optimizer_bytes + f->training.arena_bytes), a),
            batch, bytes_text((int64_t)(f->training.weight_bytes + f->training.optimizer_bytes), b),
            bytes_text((int64_t)f->training.arena_bytes, c));
    else
        gn_cli_print("  training    not possible as it is: %s\n", f->training_note);
}

/* ---- the verb ---- */

static gn_status show(const gn_args *args, const facts *f, const gn_model_info *info, const gn_text *plan,
                      gn_error *err)
{
    int batch = gn_args_int(args, "batch");
    bool with_layers = gn_args_flag(args, "layers"), with_plan = gn_args_flag(args, "plan");
    if (plan->failed)
        return gn_fail(err, GN_ENOMEM, "no memory to print the plan");
    if (gn_args_flag(args, "json")) {
        gn_jsonw j;
        gn_jsonw_init(&j);
        fill_json(&j, f, info, batch, with_layers, with_plan ? plan->data : NULL);
        gn_status status = gn_jsonw_print(&j);
        return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
    }
    say_facts(f, info, batch);
    if (with_layers)
        say_layers(f->graph);
    if (with_plan)
        gn_cli_print("\n%s", plan->data ? plan->data : "");
    if (!gn_args_flag(args, "graph"))
        return GN_OK;
    gn_text text;
    gn_text_init(&text);
    gn_graph_to_text(f->graph, &text);
    gn_cli_print("\n%s", text.data ? text.data : "");
    gn_text_deinit(&text);
    return GN_OK;
}

static gn_status inspect(const gn_args *args, gn_error *err)
{
    facts f = {.model = gn_args_positional(args, 0)};
    gn_graph *model = NULL, *graph = NULL;
    gn_arena *arena = gn_arena_create(0);
    gn_text plan;
    gn_text_init(&plan);
    gn_model_info info = {0};
    gn_status status = arena ? gn_cli_model_load(f.model, args, &model, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status == GN_OK)
        status = gn_graph_clone(model, false, &graph);
    if (status == GN_OK)
        status = gn_model_info_read(model, arena, &info, err);
    if (status == GN_OK)
        status = bind_batch(graph, err);
    if (status == GN_OK) {
        f.graph = graph;
        f.file_bytes = gn_cli_is_model_file(f.model) ? gn_path_bytes(f.model) : -1;
        count_weights(&f);
        gn_graph_cost(graph, &f.cost);
        measure_training(model, &info, gn_args_int(args, "batch"), &f);
        status = measure_inference(graph, gn_cli_threads(args), &f, &plan, err);
    }
    if (status == GN_OK)
        status = show(args, &f, &info, &plan, err);
    gn_text_deinit(&plan);
    gn_graph_destroy(&graph);
    gn_graph_destroy(&model);
    gn_arena_destroy(&arena);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    const bool is_table = gn_args_has(args, "table");
    gn_status status;
    if (is_table == (gn_args_n_positional(args) > 0))
        status = gn_fail(&err, GN_EUSAGE, "one MODEL or --table was expected; gannet info --help tells more");
    else
        status = is_table ? gn_cli_seeds_table(gn_args_flag(args, "json"), &err) : inspect(args, &err);
    if (status != GN_OK && err.status == GN_OK)
        gn_fail(&err, status, "%s", gn_status_sentence(status));
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_info = {"info", "parameters, MACs, memory and layers of a model", "Look", run};
