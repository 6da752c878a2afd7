/* Networks for inference (normalisation folded, operators fused) on the CPU backend, against PyTorch's f64.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "base/file.h"
#include "base/text.h"
#include "graph/passes.h"
#include "step_golden.h"
#include "zoo/weight_init.h"
#include "zoo/zoo.h"

#define SEED      1
#define SAMPLES   7
#define TOLERANCE 1e-5 /* of the logits' range */

/* One line of tests/golden/zoo_forward.txt. */
typedef struct forward_line {
    char model[64];
    int px, index[SAMPLES];
    double lowest, highest, value[SAMPLES];
} forward_line;

static bool read_line(const char *text, forward_line *line)
{
    int used = 0, at = 0, n = 0;
    if (sscanf(text, "%63s %d %lf %lf%n", line->model, &line->px, &line->lowest, &line->highest, &used) != 4)
        return false;
    for (; n < SAMPLES && sscanf(text + used, "%d %lf%n", &line->index[n], &line->value[n], &at) == 2; n++)
        used += at;
    return n == SAMPLES;
}

static gn_graph *network(const forward_line *line)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_error err = {0};
    options.model = line->model;
    options.head = "classify";
    options.classes = 1000;
    options.width_px = options.height_px = line->px;
    options.no_weights = true;
    if (gn_zoo_build(&options, &graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    step_draw_weights(graph, SEED);
    for (int i = 0; i < gn_graph_value_count(graph); i++) {
        const gn_value *v = gn_graph_value(graph, i);
        if (v->kind == GN_VALUE_STATE && !v->trainable)
            step_draw_row(v->data, SEED, v->name, gn_has_suffix(v->name, "running_var"));
    }
    const gn_shape image = gn_shape_make(4, 1, 3, line->px, line->px);
    assert_int_equal(gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &image), GN_OK);
    if (gn_graph_infer(graph, &err) != GN_OK || gn_pass_inference(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    return graph;
}

static void check(gn_device *device, const forward_line *line)
{
    gn_graph *graph = network(line);
    gn_exec *exec = NULL;
    gn_tensor *image = NULL;
    gn_error err = {0};
    assert_int_equal(gn_tensor_create(GN_DTYPE_F32, &gn_graph_value(graph, gn_graph_input(graph, 0))->shape, &image),
                     GN_OK);
    gn_init_uniform(image, SEED, "forward.image", 2);
    if (gn_backend_cpu.compile(device, graph, &exec, &err) != GN_OK)
        fail_msg("%s: %s", line->model, err.message);
    assert_int_equal(gn_backend_cpu.bind(exec, gn_graph_input(graph, 0), image->data), GN_OK);
    if (gn_backend_cpu.run(exec, &err) != GN_OK)
        fail_msg("%s: %s", line->model, err.message);
    const float *logits = gn_backend_cpu.output(exec, 0);
    for (int i = 0; i < SAMPLES; i++) {
        const double got = (double)logits[line->index[i]];
        if (!(fabs(got - line->value[i]) <= TOLERANCE * (line->highest - line->lowest)))
            fail_msg("%s at %d px: logit %d is %.9g, PyTorch has %.9g", line->model, line->px, line->index[i], got,
                     line->value[i]);
    }
    gn_backend_cpu.destroy(&exec);
    gn_tensor_destroy(&image);
    gn_graph_destroy(&graph);
}

static void logits_are_pytorchs(void **state)
{
    (void)state;
    char *text = NULL, *save = NULL;
    size_t bytes;
    gn_device *device = NULL;
    int checked = 0;
    assert_int_equal(gn_file_read(GN_SOURCE_DIR "/tests/golden/zoo_forward.txt", 1 << 16, &text, &bytes, NULL), GN_OK);
    assert_int_equal(gn_backend_cpu.open(2, &device, NULL), GN_OK);
    for (char *row = strtok_r(text, "\n", &save); row; row = strtok_r(NULL, "\n", &save)) {
        forward_line line;
        if (row[0] == '#')
            continue;
        if (!read_line(row, &line))
            fail_msg("cannot read \"%s\"", row);
        check(device, &line);
        checked++;
    }
    assert_int_equal(checked, 10);
    gn_backend_cpu.close(&device);
    gn_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_pytorchs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
