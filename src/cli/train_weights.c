/* Pretrained weights for a training run.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_weights.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "gannet/formats_api.h"

/* Lines of each list with --verbose. */
#define MAX_LINES 1000

/* Weights of any file; *graph_out: what they are borrowed from, when it is a model. */
static gn_status open_weights(const gn_args *args, gn_graph **graph_out, gn_weights **weights_out, gn_error *err)
{
    const char *path = gn_args_str(args, "weights");
    if (!gn_has_suffix(path, ".onnx"))
        return gn_weights_open(path, gn_args_str(args, "weights-key"), weights_out, err);
    GN_TRY(gn_onnx_read(path, gn_ops_registry(), graph_out, err));
    return gn_weights_open_graph(*graph_out, path, weights_out, err);
}

static gn_status read_renames(const gn_args *args, gn_arena *arena, gn_weights_load_options *options, gn_error *err)
{
    size_t n = 0;
    const char *const *texts = gn_args_list(args, "rename", &n);
    gn_weights_rename *renames = gn_arena_alloc(arena, (n + 1) * sizeof *renames);
    if (!renames)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        GN_TRY(gn_weights_rename_parse(texts[i], arena, &renames[i], err));
    *options = (gn_weights_load_options){.renames = renames, .n_renames = n, .is_partial = true};
    return GN_OK;
}

/* The filter of the convolution that sees the picture; NULL when there is none with three channels. */
static const gn_value *first_filter(const gn_graph *graph)
{
    const int images = gn_graph_input(graph, 0);
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (node->n_in < 2 || node->in[0] != images || node->in[1] < 0)
            continue;
        const gn_value *w = gn_graph_value(graph, node->in[1]);
        if (w->kind == GN_VALUE_STATE && w->dtype == GN_DTYPE_F32 && w->shape.rank == 4 && w->shape.dim[1] == 3)
            return w;
    }
    return NULL;
}

static bool is_in(const gn_weights_pair *pairs, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return true;
    return false;
}

/* Exchanges red and blue of the first convolution, so that it sees RGB as it saw BGR. */
static gn_status turn_around(gn_graph *graph, const gn_weights_report *report, gn_error *err)
{
    const gn_value *w = first_filter(graph);
    if (!w || is_in(report->missing, report->n_missing, w->name) || is_in(report->misfits, report->n_misfits, w->name))
        return gn_fail(err, GN_EUSAGE,
                       "--weights-order bgr: the file has nothing for the convolution that sees the picture");
    const size_t plane = (size_t)(w->shape.dim[2] * w->shape.dim[3]);
    float *x = w->data->data;
    for (int64_t k = 0; k < w->shape.dim[0]; k++, x += 3 * plane)
        for (size_t i = 0; i < plane; i++) {
            const float red = x[i];
            x[i] = x[2 * plane + i];
            x[2 * plane + i] = red;
        }
    return GN_OK;
}

static void tell(const gn_args *args, const gn_weights_report *r)
{
    gn_cli_say("weights from %s: %d tensors taken; %d of the network begin anew (%d missing, %d of another shape), "
               "%d of the file left over%s\n",
               gn_args_str(args, "weights"), r->n_loaded, r->n_missing + r->n_misfits, r->n_missing, r->n_misfits,
               r->n_left_over,
               r->n_missing + r->n_misfits + r->n_left_over > 0 && gn_args_int(args, "verbose") == 0
                   ? "; --verbose lists them"
                   : "");
    if (gn_args_int(args, "verbose") == 0)
        return;
    gn_text text;
    gn_text_init(&text);
    gn_weights_report_text(r, MAX_LINES, &text);
    if (!text.failed && text.len > 0)
        gn_cli_say("%s", text.data);
    gn_text_deinit(&text);
}

gn_status gn_train_weights_load(const gn_args *args, gn_graph *graph, gn_error *err)
{
    gn_graph *source = NULL;
    gn_weights *weights = NULL;
    gn_weights_load_options options;
    gn_weights_report report = {0};
    if (!gn_args_has(args, "weights"))
        return GN_OK;
    gn_arena *arena = gn_arena_create(0);
    gn_status status = arena ? read_renames(args, arena, &options, err) : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status == GN_OK)
        status = open_weights(args, &source, &weights, err);
    if (status == GN_OK)
        status = gn_weights_load_into(graph, weights, &options, arena, &report, err);
    if (status == GN_OK && strcmp(gn_args_str(args, "weights-order"), "bgr") == 0)
        status = turn_around(graph, &report, err);
    if (status == GN_OK)
        tell(args, &report);
    gn_weights_close(&weights);
    gn_graph_destroy(&source);
    gn_arena_destroy(&arena);
    return status;
}
