/* What a network of the zoo computes from somebody else's weights, for tests/oracle/zoo_forward.py, zoo_step.py and zoo_detect.py.
 *     zoo_numbers forward MODEL CLASSES PX WEIGHTS.safetensors IMAGES.f32 OUT.f32
 *     zoo_numbers step    MODEL CLASSES PX WEIGHTS.safetensors IMAGES.f32 TARGETS.f32 OUT.f32
 * PX: one size, or WxH.  IMAGES: N x 3 x H x W floats.  forward: OUT holds the logits, in the form for inference (normalisation folded); of a
 * detector the raw maps, boxes and scores, one after the other.  step: one training step without dropout, smooth L1 with beta 0.1 between
 * logits and TARGETS; of a detector the sum over its raw maps of their mean square, and TARGETS is not read.  OUT holds the loss, then every
 * gradient and then every running statistic after the step; their names and counts are printed in this order.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "base/file.h"
#include "base/text.h"
#include "detect/detector.h"
#include "formats/weights/safetensors.h"
#include "graph/autodiff.h"
#include "graph/passes.h"
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

typedef struct size {
    int width, height;
} size;

static size size_of(const char *px)
{
    size s = {0, 0};
    if (sscanf(px, "%dx%d", &s.width, &s.height) == 1)
        s.height = s.width;
    return s;
}

static gn_status build(char **argv, gn_graph **graph_out, gn_error *err)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_zoo_entry entry = {0};
    const size px = size_of(argv[4]);
    gn_zoo_find(argv[2], &entry);
    options.model = argv[2];
    options.head = entry.is_detector ? "detect" : "classify";
    options.classes = atoi(argv[3]);
    options.width_px = px.width;
    options.height_px = px.height;
    options.no_weights = true;
    GN_TRY(gn_zoo_build(&options, graph_out, err));
    return load_weights(*graph_out, argv[5], err);
}

/* The raw maps of a detector; their number, 0 for other networks. */
static int raw_maps(const gn_graph *graph, int *maps)
{
    int n = 0;
    for (; gn_graph_meta_get(graph, "gannet.raw") && n < GN_DETECTOR_MAX_MAPS; n++) {
        char name[16];
        snprintf(name, sizeof name, "raw%d", n);
        maps[n] = gn_graph_find_value(graph, name);
        if (maps[n] < 0)
            break;
    }
    return n;
}

/* The raw maps become outputs in front of the others. */
static gn_status show_raw_maps(gn_graph *graph)
{
    int maps[GN_DETECTOR_MAX_MAPS], others[4];
    const int n = raw_maps(graph, maps), n_others = gn_graph_output_count(graph);
    for (int i = 0; i < n_others; i++)
        others[i] = gn_graph_output(graph, i);
    gn_graph_clear_outputs(graph);
    for (int i = 0; i < n + n_others; i++)
        GN_TRY(gn_graph_add_output(graph, i < n ? maps[i] : others[i - n]));
    return GN_OK;
}

static int batch_of(const numbers *images, const char *px)
{
    const size s = size_of(px);
    return (int)(images->n / (3 * (size_t)s.width * (size_t)s.height));
}

static gn_status write_outputs(const gn_graph *graph, gn_exec *exec, const char *path, gn_error *err)
{
    FILE *out = fopen(path, "wb");
    if (!out)
        return gn_fail(err, GN_EIO, "cannot write %s", path);
    for (int i = 0; i < gn_graph_output_count(graph); i++) {
        const gn_shape *shape = &gn_graph_value(graph, gn_graph_output(graph, i))->shape;
        fwrite(gn_backend_cpu.output(exec, i), sizeof(float), (size_t)gn_shape_count(shape), out);
    }
    return fclose(out) == 0 ? GN_OK : gn_fail(err, GN_EIO, "cannot write %s", path);
}

static gn_status prepare(gn_graph *graph, int batch, size px, gn_error *err)
{
    const gn_shape images = gn_shape_make(4, batch, 3, px.height, px.width);
    GN_TRY(show_raw_maps(graph));
    GN_TRY(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &images));
    GN_TRY(gn_graph_infer(graph, err));
    return gn_pass_inference(graph, err);
}

static gn_status forward(char **argv, gn_error *err)
{
    gn_graph *graph = NULL;
    gn_device *device = NULL;
    gn_exec *exec = NULL;
    numbers images = {0};
    gn_status status = build(argv, &graph, err);
    if (status == GN_OK)
        status = read_numbers(argv[6], &images, err);
    if (status == GN_OK)
        status = prepare(graph, batch_of(&images, argv[4]), size_of(argv[4]), err);
    if (status == GN_OK)
        status = gn_backend_cpu.open(2, &device, err);
    if (status == GN_OK)
        status = gn_backend_cpu.compile(device, graph, &exec, err);
    if (status == GN_OK)
        status = gn_backend_cpu.bind(exec, gn_graph_input(graph, 0), images.x);
    if (status == GN_OK)
        status = gn_backend_cpu.run(exec, err);
    if (status == GN_OK)
        status = write_outputs(graph, exec, argv[7], err);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
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

/* Smooth L1 between logits and targets. */
static int add_loss(step *s, int batch, int classes)
{
    const gn_shape targets = gn_shape_make(2, batch, classes), rows = gn_shape_make(1, batch);
    const gn_attr beta = gn_attr_float("beta", BETA);
    s->targets = gn_graph_add_input(s->graph, "targets", GN_DTYPE_F32, &targets);
    s->weights = gn_graph_add_input(s->graph, "weights", GN_DTYPE_F32, &rows);
    const int in[3] = {gn_graph_output(s->graph, 0), s->targets, s->weights};
    return gn_graph_add_op(s->graph, "SmoothL1Loss", "gannet", "loss", in, 3, &beta, 1);
}

/* The sum of the mean squares of the raw maps; -1: there are none. */
static int add_squares(gn_graph *graph)
{
    int maps[GN_DETECTOR_MAX_MAPS], sum = -1;
    const int n = raw_maps(graph, maps);
    const gn_attr keep = gn_attr_int("keepdims", 0);
    for (int i = 0; i < n; i++) {
        const int both[2] = {maps[i], maps[i]};
        const int square = gn_graph_add_op(graph, "Mul", "", "square", both, 2, NULL, 0);
        const int mean = gn_graph_add_op(graph, "ReduceMean", "", "mean", &square, 1, &keep, 1);
        const int added[2] = {sum, mean};
        sum = i == 0 ? mean : gn_graph_add_op(graph, "Add", "", "sum", added, 2, NULL, 0);
    }
    return sum;
}

/* Loss and gradients become the graph's outputs. */
static gn_status make_step(step *s, int batch, size px, int classes, gn_error *err)
{
    gn_graph *g = s->graph;
    const gn_shape images = gn_shape_make(4, batch, 3, px.height, px.width);
    switch_dropout_off(g);
    s->images = gn_graph_input(g, 0);
    GN_TRY(gn_graph_set_input_shape(g, s->images, &images));
    GN_TRY(gn_graph_infer(g, err));
    GN_TRY(gn_pass_training(g, err));
    s->targets = s->weights = -1;
    s->loss = add_squares(g);
    if (s->loss < 0)
        s->loss = add_loss(s, batch, classes);
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
        if (s->targets >= 0)
            gn_backend_cpu.bind(exec, s->targets, targets->x);
        if (s->weights >= 0)
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
    if (status == GN_OK && !gn_graph_meta_get(s.graph, "gannet.raw"))
        status = read_numbers(argv[7], &targets, err);
    if (status == GN_OK)
        status = make_step(&s, batch_of(&images, argv[4]), size_of(argv[4]), atoi(argv[3]), err);
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
