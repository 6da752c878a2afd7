/* What a network of the zoo computes from somebody else's weights, for tests/oracle/zoo_forward.py and zoo_step.py.
 *     zoo_numbers forward MODEL CLASSES PX WEIGHTS.safetensors IMAGES.f32 OUT.f32
 *     zoo_numbers step    MODEL CLASSES PX WEIGHTS.safetensors IMAGES.f32 TARGETS.f32 OUT.f32
 * IMAGES: N x 3 x PX x PX floats.  forward: OUT holds the logits, in the form for inference (normalisation folded).  step: one training
 * step without dropout, smooth L1 with beta 0.1 between logits and TARGETS; OUT holds the loss, then every gradient and then every
 * running statistic after the step; their names and counts are printed in this order.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/file.h"
#include "base/text.h"
#include "formats/weights/safetensors.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
#include "run/session.h"
#include "zoo/zoo.h"

#define MOST_BYTES ((size_t)4 << 30)
#define BETA       0.1f

typedef struct numbers {
    float *x;
    size_t n;
} numbers;

static gn_status read_numbers(const char *path, numbers *out, gn_error *err)
{
    char *bytes = NULL;
    size_t n = 0;
    GN_TRY(gn_file_read(path, MOST_BYTES, &bytes, &n, err));
    *out = (numbers){(float *)(void *)bytes, n / sizeof(float)};
    return GN_OK;
}

static gn_status load_weights(gn_graph *graph, const char *path, gn_error *err)
{
    gn_safetensors *file = NULL;
    gn_status status = gn_safetensors_open(path, &file, err);
    for (int i = 0; i < gn_graph_value_count(graph) && status == GN_OK; i++) {
        gn_value *v = gn_graph_value_mut(graph, i);
        if (v->kind != GN_VALUE_STATE)
            continue;
        const gn_tensor *t = gn_safetensors_find(file, v->name);
        if (!t || t->dtype != GN_DTYPE_F32 || !gn_shape_equal(&t->shape, &v->shape))
            status = gn_fail(err, GN_ESHAPE, "%s has no tensor %s of this shape", path, v->name);
        else
            memcpy(v->data->data, t->data, gn_tensor_bytes(t));
    }
    gn_safetensors_close(&file);
    return status;
}

static gn_status build(char **argv, gn_graph **graph_out, gn_error *err)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = argv[2];
    options.head = "classify";
    options.classes = atoi(argv[3]);
    options.width_px = options.height_px = atoi(argv[4]);
    options.no_weights = true;
    GN_TRY(gn_zoo_build(&options, graph_out, err));
    return load_weights(*graph_out, argv[5], err);
}

static int batch_of(const numbers *images, const char *px)
{
    const size_t side = (size_t)atoi(px);
    return (int)(images->n / (3 * side * side));
}

static gn_status forward(char **argv, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_session *session = NULL;
    numbers images = {0};
    gn_shape shape = {0};
    gn_status status = build(argv, &graph, err);
    if (status == GN_OK)
        status = read_numbers(argv[6], &images, err);
    if (status == GN_OK)
        status = gn_session_open_graph(graph, &(gn_session_options){.threads = 2}, &session, err);
    if (status == GN_OK)
        status = gn_session_run(session, images.x, batch_of(&images, argv[4]), err);
    if (status == GN_OK) {
        const float *logits = gn_session_output(session, 0, &shape);
        status = gn_file_write(argv[7], logits, (size_t)gn_shape_count(&shape) * sizeof *logits, err);
    }
    gn_session_close(&session);
    gn_graph_destroy(&graph);
    gn_free(images.x);
    return status;
}

/* ---- training step ---- */

typedef struct step {
    gn_graph *graph;
    int images, targets, weights, loss, n;
    int *params, *grads;
} step;

static void switch_dropout_off(gn_graph *graph)
{
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const gn_node *node = gn_graph_node(graph, i);
        if (strcmp(node->op->name, "Dropout") == 0)
            *(float *)gn_graph_value_mut(graph, node->in[1])->data->data = 0;
    }
}

/* Loss and gradients become the graph's outputs. */
static gn_status make_step(step *s, int batch, int px, int classes, gn_error *err)
{
    gn_graph *g = s->graph;
    const gn_shape images = gn_shape_make(4, batch, 3, px, px), targets = gn_shape_make(2, batch, classes),
                   rows = gn_shape_make(1, batch);
    const gn_attr beta = gn_attr_float("beta", BETA);
    switch_dropout_off(g);
    s->images = gn_graph_input(g, 0);
    GN_TRY(gn_graph_set_input_shape(g, s->images, &images));
    GN_TRY(gn_graph_infer(g, err));
    GN_TRY(gn_pass_training(g, err));
    s->targets = gn_graph_add_input(g, "targets", GN_DTYPE_F32, &targets);
    s->weights = gn_graph_add_input(g, "weights", GN_DTYPE_F32, &rows);
    const int in[3] = {gn_graph_output(g, 0), s->targets, s->weights};
    s->loss = gn_graph_add_op(g, "SmoothL1Loss", "gannet", "loss", in, 3, &beta, 1);
    GN_TRY(gn_graph_error(g, err));
    const size_t most = (size_t)gn_graph_value_count(g);
    s->params = gn_calloc(most, sizeof *s->params);
    s->grads = gn_calloc(most, sizeof *s->grads);
    if (!s->params || !s->grads)
        return gn_fail(err, GN_ENOMEM, "no memory");
    for (int i = 0; i < gn_graph_value_count(g); i++)
        if (gn_graph_value(g, i)->kind == GN_VALUE_STATE && gn_graph_value(g, i)->trainable)
            s->params[s->n++] = i;
    GN_TRY(gn_graph_differentiate(g, s->loss, s->params, s->n, s->grads, err));
    gn_graph_clear_outputs(g);
    GN_TRY(gn_graph_add_output(g, s->loss));
    for (int i = 0; i < s->n; i++)
        GN_TRY(gn_graph_add_output(g, s->grads[i]));
    return gn_graph_infer(g, err);
}

static void put(FILE *out, const char *name, const float *x, int64_t n)
{
    printf("%s %" PRId64 "\n", name, n);
    fwrite(x, sizeof *x, (size_t)n, out);
}

static gn_status run_step(step *s, const numbers *images, const numbers *targets, const char *path, gn_error *err)
{
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    float ones[64];
    FILE *out = fopen(path, "wb");
    for (int i = 0; i < 64; i++)
        ones[i] = 1;
    gn_status status = out ? gn_backend_cpu.open(2, &device, err) : gn_fail(err, GN_EIO, "cannot write %s", path);
    if (status == GN_OK)
        status = gn_backend_cpu.compile(device, s->graph, &exec, err);
    if (status == GN_OK) {
        gn_backend_cpu.bind(exec, s->images, images->x);
        gn_backend_cpu.bind(exec, s->targets, targets->x);
        gn_backend_cpu.bind(exec, s->weights, ones);
        status = gn_backend_cpu.run(exec, err);
    }
    if (status == GN_OK) {
        put(out, "loss", gn_backend_cpu.output(exec, 0), 1);
        for (int i = 0; i < s->n; i++) {
            const gn_value *v = gn_graph_value(s->graph, s->params[i]);
            put(out, v->name, gn_backend_cpu.output(exec, 1 + i), gn_tensor_count(v->data));
        }
        for (int i = 0; i < gn_graph_update_count(s->graph); i++) {
            int state, value;
            gn_graph_update(s->graph, i, &state, &value);
            const gn_value *v = gn_graph_value(s->graph, state);
            put(out, v->name, v->data->data, gn_tensor_count(v->data));
        }
    }
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    if (out && fclose(out) != 0 && status == GN_OK)
        status = gn_fail(err, GN_EIO, "cannot write %s", path);
    return status;
}

static gn_status train(char **argv, gn_error *err)
{
    step s = {0};
    numbers images = {0}, targets = {0};
    gn_status status = build(argv, &s.graph, err);
    if (status == GN_OK)
        status = read_numbers(argv[6], &images, err);
    if (status == GN_OK)
        status = read_numbers(argv[7], &targets, err);
    if (status == GN_OK)
        status = make_step(&s, batch_of(&images, argv[4]), atoi(argv[4]), atoi(argv[3]), err);
    if (status == GN_OK)
        status = run_step(&s, &images, &targets, argv[8], err);
    gn_graph_destroy(&s.graph);
    gn_free(s.params);
    gn_free(s.grads);
    gn_free(images.x);
    gn_free(targets.x);
    return status;
}

int main(int argc, char **argv)
{
    gn_error err = {0};
    gn_status status = GN_EUSAGE;
    if (argc == 8 && strcmp(argv[1], "forward") == 0)
        status = forward(argv, &err);
    else if (argc == 9 && strcmp(argv[1], "step") == 0)
        status = train(argv, &err);
    else
        gn_fail(&err, GN_EUSAGE, "usage: %s forward|step MODEL CLASSES PX WEIGHTS IMAGES [TARGETS] OUT", argv[0]);
    if (status != GN_OK)
        fprintf(stderr, "zoo_numbers: %s\n", err.message);
    return status == GN_OK ? 0 : 1;
}
