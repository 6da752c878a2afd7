/* One whole training step of each network in f32 on the CPU backend.  The interpreter's f64 stands in for PyTorch's (test_step compares
 * them).  Where a Relu's argument is 0 but for rounding, f32 and f64 may take different sides, and one such pixel moves the gradients of
 * the layers in front of it by about a thousandth; apart from that f32 is off by a hundred-thousandth.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "backend/backend.h"
#include "ops/interpret.h"
#include "step_golden.h"

/* Of a single gradient (or twice what PyTorch's own f32 is off by, where that is more), and of all on average. */
#define TOLERANCE      3e-3
#define TOLERANCE_MEAN 5e-4

/* |got - expected| / |expected|, Euclidean norms. */
static double relative_error(const gn_tensor *expected, const float *got, double *norm_out)
{
    double squares = 0, wrong = 0;
    for (int64_t i = 0; i < gn_tensor_count(expected); i++) {
        const double e = gn_tensor_get(expected, i), d = (double)got[i] - e;
        squares += e * e;
        wrong += d * d;
    }
    *norm_out = sqrt(squares);
    return sqrt(wrong) / fmax(sqrt(squares), STEP_TRULY_ZERO);
}

static gn_interpret *run_reference(const step_graph *step, gn_tensor *const contents[3])
{
    gn_interpret *it = NULL;
    gn_error err = {0};
    const int inputs[3] = {step->images, step->targets, step->weights};
    assert_int_equal(gn_interpret_create(step->graph, GN_DTYPE_F64, &it, &err), GN_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gn_interpret_set_tensor(it, inputs[i], contents[i]), GN_OK);
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    return it;
}

/* The loss and all gradients are made outputs of the graph. */
static gn_exec *run_backend(gn_device *device, step_graph *step, gn_tensor *const contents[3])
{
    gn_exec *exec = NULL;
    gn_error err = {0};
    const int inputs[3] = {step->images, step->targets, step->weights};
    gn_graph_clear_outputs(step->graph);
    assert_int_equal(gn_graph_add_output(step->graph, step->loss), GN_OK);
    for (int i = 0; i < step->n; i++)
        assert_int_equal(gn_graph_add_output(step->graph, step->grads[i]), GN_OK);
    if (gn_backend_cpu.compile(device, step->graph, &exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gn_backend_cpu.bind(exec, inputs[i], contents[i]->data), GN_OK);
    if (gn_backend_cpu.run(exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    return exec;
}

static void step_in_f32_is_as_good_as_pytorchs(void **state)
{
    const char *model = *state;
    step_golden golden = step_golden_read(model);
    step_graph step = step_graph_make(model, &golden);
    gn_tensor *contents[3] = {step_images(&golden), step_targets(&golden), step_weights(&golden)};
    gn_interpret *it = run_reference(&step, contents);
    gn_device *device = NULL;
    assert_int_equal(gn_backend_cpu.open(2, &device, NULL), GN_OK);
    gn_exec *exec = run_backend(device, &step, contents);
    const double loss = (double)*(const float *)gn_backend_cpu.output(exec, 0);
    if (!(fabs(loss - golden.loss) <= TOLERANCE * golden.loss))
        fail_msg("%s: the loss is %.9g, PyTorch has %.9g", model, loss, golden.loss);
    double worst = 0, sum = 0;
    for (int i = 0; i < step.n; i++) {
        const step_tensor *ref = step_golden_find(&golden, gn_graph_value(step.graph, step.params[i])->name, true);
        assert_non_null(ref);
        double norm;
        const double error =
            relative_error(gn_interpret_get(it, step.grads[i]), gn_backend_cpu.output(exec, 1 + i), &norm);
        if (ref->norm < STEP_TRULY_ZERO) { /* rounding is all there is */
            assert_true(error * STEP_TRULY_ZERO <= fmax(1e-6, 2 * ref->f32_error));
            continue;
        }
        worst = error > worst ? error : worst;
        sum += error;
        if (!(error <= fmax(TOLERANCE, 2 * ref->f32_error)))
            fail_msg("%s: the gradient of %s is off by %.3g of its norm %.3g, PyTorch's own f32 by %.3g", model,
                     ref->name, error, norm, ref->f32_error);
    }
    print_message("%s: the worst gradient is off by %.2g of its norm, all of them by %.2g on average\n", model, worst,
                  sum / step.n);
    assert_true(sum / step.n <= TOLERANCE_MEAN);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_interpret_destroy(&it);
    for (int i = 0; i < 3; i++)
        gn_tensor_destroy(&contents[i]);
    step_graph_free(&step);
    step_golden_free(&golden);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"mobilenet_v2 at width 0.35", step_in_f32_is_as_good_as_pytorchs, NULL, NULL, "mobilenet_v2@0.35"},
        {"mobilenet_v2", step_in_f32_is_as_good_as_pytorchs, NULL, NULL, "mobilenet_v2"},
        {"resnet18", step_in_f32_is_as_good_as_pytorchs, NULL, NULL, "resnet18"},
        {"squeezenet1_1", step_in_f32_is_as_good_as_pytorchs, NULL, NULL, "squeezenet1_1"},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
