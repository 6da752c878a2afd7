/* One whole training step of each network, run by references in f64, against PyTorch's f64: loss, every gradient, every running
 * statistic.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "ops/interpret.h"
#include "step_golden.h"

#define TOLERANCE 1e-6

static double norm_of(const gn_tensor *tensor)
{
    double squares = 0;
    const int64_t n = gn_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++)
        squares += gn_tensor_get(tensor, i) * gn_tensor_get(tensor, i);
    return sqrt(squares);
}

static void check_tensor(const step_tensor *ref, const gn_tensor *got)
{
    const double norm = norm_of(got), typical = ref->norm / sqrt((double)gn_tensor_count(got));
    if (ref->norm < STEP_TRULY_ZERO) {
        if (!(norm < STEP_TRULY_ZERO))
            fail_msg("%s: the norm is %g, but it is truly zero", ref->name, norm);
        return;
    }
    if (!(fabs(norm - ref->norm) <= TOLERANCE * ref->norm))
        fail_msg("%s: the norm is %.12g, PyTorch has %.12g", ref->name, norm, ref->norm);
    for (int i = 0; i < STEP_SAMPLES; i++) {
        const double x = gn_tensor_get(got, ref->index[i]);
        if (!(fabs(x - ref->value[i]) <= TOLERANCE * fmax(fabs(ref->value[i]), typical)))
            fail_msg("%s[%d] is %.12g, PyTorch has %.12g", ref->name, (int)ref->index[i], x, ref->value[i]);
    }
}

static gn_interpret *run_step(const step_graph *step, const step_golden *golden)
{
    gn_interpret *it = NULL;
    gn_error err = {0};
    const int inputs[3] = {step->images, step->targets, step->weights};
    gn_tensor *contents[3] = {step_images(golden), step_targets(golden), step_weights(golden)};
    assert_int_equal(gn_interpret_create(step->graph, GN_DTYPE_F64, &it, &err), GN_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gn_interpret_set_tensor(it, inputs[i], contents[i]), GN_OK);
        gn_tensor_destroy(&contents[i]);
    }
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    return it;
}

static void step_is_pytorchs(void **state)
{
    const char *model = *state;
    step_golden golden = step_golden_read(model);
    step_graph step = step_graph_make(model, &golden);
    gn_interpret *it = run_step(&step, &golden);
    int compared = 0;
    const double loss = gn_tensor_get(gn_interpret_get(it, step.loss), 0);
    if (!(fabs(loss - golden.loss) <= TOLERANCE * golden.loss))
        fail_msg("%s: the loss is %.12g, PyTorch has %.12g", model, loss, golden.loss);
    for (int i = 0; i < step.n; i++, compared++) {
        const step_tensor *ref = step_golden_find(&golden, gn_graph_value(step.graph, step.params[i])->name, true);
        assert_non_null(ref);
        assert_true(step.grads[i] >= 0);
        check_tensor(ref, gn_interpret_get(it, step.grads[i]));
    }
    for (int i = 0; i < gn_graph_update_count(step.graph); i++, compared++) {
        int running, value;
        gn_graph_update(step.graph, i, &running, &value);
        const step_tensor *ref = step_golden_find(&golden, gn_graph_value(step.graph, running)->name, false);
        assert_non_null(ref);
        check_tensor(ref, gn_interpret_get(it, running));
    }
    assert_int_equal(compared, golden.n);
    gn_interpret_destroy(&it);
    step_graph_free(&step);
    step_golden_free(&golden);
}

int main(void)
{
    return step_golden_run(step_is_pytorchs);
}
