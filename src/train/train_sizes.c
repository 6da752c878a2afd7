/* Multi-scale training: a step graph per size of the input, all with the same weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include "train/trainer_state.h"

static void free_size(gn_train_size *s)
{
    gn_backend_cpu.destroy(&s->exec);
    gn_train_graph_deinit(&s->graph);
}

static gn_status make_size(gn_trainer *t, int width, int height, gn_train_size *out, gn_error *err)
{
    const gn_train_options *o = t->options;
    gn_train_size s = {.width = width, .height = height};
    GN_TRY(gn_train_graph_build(t->model, o->loader.batch, width, height, &o->rule, &s.graph, err));
    gn_graph_share_states(s.graph.graph, t->step_graph.graph);
    const gn_status status = gn_backend_cpu.compile(t->device, s.graph.graph, &s.exec, err);
    if (status == GN_OK)
        *out = s;
    else
        gn_train_graph_deinit(&s.graph);
    return status;
}

gn_status gn_trainer_step_of(gn_trainer *t, int width, int height, const gn_train_graph **graph_out, gn_exec **exec_out,
                             gn_error *err)
{
    const gn_loader_options *loader = &t->options->loader;
    const int kept = t->n_sizes < GN_TRAIN_SIZES ? t->n_sizes : GN_TRAIN_SIZES;
    gn_train_size *size = NULL;
    if (width == loader->imgsz_w && height == loader->imgsz_h) {
        *graph_out = &t->step_graph;
        *exec_out = t->exec;
        return GN_OK;
    }
    for (int i = 0; i < kept && !size; i++)
        if (t->size[i].width == width && t->size[i].height == height)
            size = &t->size[i];
    if (!size) {
        size = &t->size[t->n_sizes % GN_TRAIN_SIZES];
        gn_train_size made;
        GN_TRY(make_size(t, width, height, &made, err));
        if (t->n_sizes >= GN_TRAIN_SIZES)
            free_size(size);
        *size = made;
        t->n_sizes++;
    }
    *graph_out = &size->graph;
    *exec_out = size->exec;
    return GN_OK;
}

void gn_trainer_free_sizes(gn_trainer *t)
{
    for (int i = 0; i < t->n_sizes && i < GN_TRAIN_SIZES; i++)
        free_size(&t->size[i]);
    t->n_sizes = 0;
}
