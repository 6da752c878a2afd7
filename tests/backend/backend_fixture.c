/* SPDX-License-Identifier: Apache-2.0 */
#include "backend_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/rng.h"
#include "ops/interpret.h"
#include "zoo/zoo.h"

static bool has_word(const char *name, const char *word)
{
    return strstr(name, word) != NULL;
}

void fixture_fill_states(gn_graph *graph, uint64_t seed)
{
    for (int v = 0; v < gn_graph_value_count(graph); v++) {
        const gn_value *value = gn_graph_value(graph, v);
        if (value->kind != GN_VALUE_STATE || value->dtype != GN_DTYPE_F32)
            continue;
        float *x = value->data->data;
        int64_t n = gn_tensor_count(value->data);
        bool plain = true;
        for (int64_t i = 0; i < n; i++)
            plain = plain && (x[i] == 0.0f || x[i] == 1.0f);
        if (!plain)
            continue;
        gn_rng rng;
        gn_rng_init(&rng, seed, gn_hash64(value->name, strlen(value->name), 0));
        for (int64_t i = 0; i < n; i++) {
            bool positive = has_word(value->name, "var") || has_word(value->name, "optimizer.v");
            x[i] = positive ? gn_rng_range(&rng, 0.5f, 1.5f) : (float)(0.3 * gn_rng_normal(&rng) + (double)x[i]);
        }
    }
}

gn_graph *fixture_network(const char *model, const char *head, int batch, int size_px)
{
    gn_zoo_options options = gn_zoo_options_default();
    options.model = model;
    options.head = head;
    options.classes = 10;
    options.width_px = options.height_px = size_px;
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    gn_shape shape = gn_shape_make(4, batch, 3, size_px, size_px);
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &shape), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    fixture_fill_states(graph, 5);
    return graph;
}

static void fill_box(float *box, gn_rng *rng)
{
    box[0] = gn_rng_range(rng, 0.0f, 0.5f);
    box[1] = gn_rng_range(rng, 0.0f, 0.5f);
    box[2] = box[0] + gn_rng_range(rng, 0.2f, 0.5f);
    box[3] = box[1] + gn_rng_range(rng, 0.2f, 0.5f);
}

void fixture_fill_input(const gn_graph *graph, int value, gn_tensor *data, uint64_t seed)
{
    const gn_value *v = gn_graph_value(graph, value);
    int64_t n = gn_tensor_count(data);
    float *x = data->data;
    gn_rng rng;
    gn_rng_init(&rng, seed, gn_hash64(v->name, strlen(v->name), 1));
    if (v->dtype == GN_DTYPE_S64) {
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)data->data)[i] = i == 0 ? (int64_t)seed : 3;
    } else if (strcmp(v->name, "train.hyper") == 0) {
        const float hyper[8] = {0.01f, 0.1f, 0.01f, 0.0f, 0.9f, 0.01f, 0.0f, 0.0f};
        memcpy(x, hyper, sizeof hyper);
    } else if (strcmp(v->name, "train.target") == 0) {
        for (int64_t i = 0; i + 4 <= n; i += 4)
            fill_box(x + i, &rng);
    } else if (strcmp(v->name, "train.has_box") == 0 || strcmp(v->name, "train.weight") == 0) {
        for (int64_t i = 0; i < n; i++)
            x[i] = i % 3 == 2 ? 0.0f : 1.0f;
    } else {
        for (int64_t i = 0; i < n; i++)
            x[i] = (float)gn_rng_normal(&rng);
    }
}

static void must(gn_status status, const gn_error *err)
{
    if (status != GN_OK)
        fail_msg("%s: %s", gn_status_name(status), err->message);
}

void fixture_open_on(fixture_run *run, gn_device *device, const gn_graph *graph, uint64_t seed)
{
    gn_error err = {0};
    memset(run, 0, sizeof *run);
    must(gn_graph_clone(graph, true, &run->graph), &err);
    must(gn_backend_cpu.compile(device, run->graph, &run->exec, &err), &err);
    run->n_inputs = gn_graph_input_count(run->graph);
    assert_true(run->n_inputs <= (int)(sizeof run->inputs / sizeof *run->inputs));
    for (int i = 0; i < run->n_inputs; i++) {
        bound_input *in = &run->inputs[i];
        in->value = gn_graph_input(run->graph, i);
        const gn_value *v = gn_graph_value(run->graph, in->value);
        must(gn_tensor_create(v->dtype, &v->shape, &in->data), &err);
        fixture_fill_input(run->graph, in->value, in->data, seed);
        must(gn_backend_cpu.bind(run->exec, in->value, in->data->data), &err);
    }
}

void fixture_open(fixture_run *run, const gn_graph *graph, int n_threads, uint64_t seed)
{
    gn_error err = {0};
    gn_device *device = NULL;
    must(gn_backend_cpu.open(n_threads, &device, &err), &err);
    fixture_open_on(run, device, graph, seed);
    run->device = device;
}

void fixture_run_once(fixture_run *run)
{
    gn_error err = {0};
    must(gn_backend_cpu.run(run->exec, &err), &err);
}

void fixture_close(fixture_run *run)
{
    gn_backend_cpu.destroy(&run->exec);
    gn_backend_cpu.close(&run->device);
    for (int i = 0; i < run->n_inputs; i++)
        gn_tensor_destroy(&run->inputs[i].data);
    gn_graph_destroy(&run->graph);
}

/* Largest difference of n numbers, relative to the largest expected one. */
static double difference(const gn_tensor *got, const gn_tensor *expected)
{
    double worst = 0.0, range = 1e-6;
    for (int64_t i = 0; i < gn_tensor_count(expected); i++) {
        double e = gn_tensor_get(expected, i), d = fabs(gn_tensor_get(got, i) - e);
        worst = d > worst || isnan(d) ? d : worst;
        range = fabs(e) > range ? fabs(e) : range;
    }
    return worst / range;
}

typedef struct worst {
    double tolerance, most;
} worst;

static void note(worst *w, const char *name, double d)
{
    if (!(d <= w->tolerance))
        print_error("%s differs by %g of its range\n", name, d);
    if (!(d <= w->most))
        w->most = d;
}

double fixture_difference(const gn_graph *graph, int n_threads, int n_runs, uint64_t seed, double tolerance)
{
    fixture_run run;
    gn_interpret *it = NULL;
    gn_error err = {0};
    worst w = {tolerance, 0.0};
    must(gn_interpret_create(graph, GN_DTYPE_F64, &it, &err), &err);
    fixture_open(&run, graph, n_threads, seed);
    for (int i = 0; i < run.n_inputs; i++)
        must(gn_interpret_set_tensor(it, run.inputs[i].value, run.inputs[i].data), &err);
    for (int i = 0; i < n_runs; i++) {
        must(gn_interpret_run(it, &err), &err);
        fixture_run_once(&run);
    }
    for (int i = 0; i < gn_graph_output_count(graph); i++) {
        const gn_value *v = gn_graph_value(graph, gn_graph_output(graph, i));
        union {
            const void *from;
            void *to;
        } data = {.from = gn_backend_cpu.output(run.exec, i)};
        gn_tensor got = gn_tensor_view(v->dtype, &v->shape, data.to);
        note(&w, v->name, difference(&got, gn_interpret_get(it, gn_graph_output(graph, i))));
    }
    for (int i = 0; i < gn_graph_update_count(graph); i++) {
        int state, value;
        gn_graph_update(graph, i, &state, &value);
        note(&w, gn_graph_value(graph, state)->name,
             difference(gn_graph_value(run.graph, state)->data, gn_interpret_get(it, state)));
    }
    fixture_close(&run);
    gn_interpret_destroy(&it);
    return w.most;
}
