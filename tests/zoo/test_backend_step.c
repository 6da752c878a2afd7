/* One whole training step of each network in f32 on the CPU backend, at every CPU level of this machine.  The interpreter's f64 stands in
 * for PyTorch's (test_step compares them).  Where the argument of a Relu is 0 but for rounding, f32 and f64 may take different sides of
 * the kink, and one such pixel moves the gradients of all layers in front of it by a thousandth and more.  So the sides that f32 took are
 * compared with those of f64, the few that differ must lie at a kink, and the gradients are compared with f64 on the sides of f32.
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
#include "base/cpu.h"
#include "ops/interpret.h"
#include "step_golden.h"

/* Of a single gradient (or twice what PyTorch's own f32 is off by, where that is more), and of all on average. */
#define TOLERANCE      1e-3
#define TOLERANCE_MEAN 2e-4
/* Elements on another side than in f64, and how far from the kink they may lie. */
#define MOST_STRAYS    4
#define STRAY_DISTANCE 1e-4
#define MOST_SIDES     512

/* A value whose sides decide where a gradient goes: operand `operand` of node `node`. */
typedef struct side {
    int node, operand, value;
    double lo, hi;    /* kinks */
    bool is_position; /* of the largest element in a window */
} side;

/* The result of the normalisation that BatchNormGrad node `index` belongs to, where a clamp decides. */
static side side_of_normalisation(const gn_graph *graph, int index)
{
    const gn_node *node = gn_graph_node(graph, index);
    const side s = {.node = index,
                    .operand = 6,
                    .value = -1,
                    .lo = (double)gn_node_float(node, "lo", -INFINITY),
                    .hi = (double)gn_node_float(node, "hi", INFINITY)};
    for (int i = 0; i < gn_graph_node_count(graph) && (s.lo > -INFINITY || s.hi < INFINITY); i++) {
        const gn_node *forward = gn_graph_node(graph, i);
        if (strcmp(forward->op->name, "BatchNormTrain") == 0 && forward->in[0] == node->in[1])
            return (side){index, s.operand, forward->out[0], s.lo, s.hi, false};
    }
    return s;
}

/* The operand of a gradient that decides, or -1. */
static side side_of(const gn_graph *graph, int index)
{
    static const struct {
        const char *op;
        int operand;
        double lo, hi;
        bool has_bounds, is_position;
    } kinds[] = {
        {"ClampGrad", 1, 0, 0, true, false},        {"HardSwishGrad", 1, -3, 3, false, false},
        {"HardSigmoidGrad", 1, 0, 1, false, false}, {"LeakyReluGrad", 1, 0, INFINITY, false, false},
        {"EluGrad", 1, 0, INFINITY, false, false},  {"MaxPoolGrad", 1, -INFINITY, INFINITY, false, true},
    };
    const gn_node *node = gn_graph_node(graph, index);
    if (strcmp(node->op->name, "BatchNormGrad") == 0)
        return side_of_normalisation(graph, index);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        if (strcmp(kinds[k].op, node->op->name) != 0 || node->in[kinds[k].operand] < 0)
            continue;
        side s = {index, kinds[k].operand, node->in[kinds[k].operand], kinds[k].lo, kinds[k].hi, kinds[k].is_position};
        if (kinds[k].has_bounds) {
            s.lo = (double)gn_node_float(node, "lo", -INFINITY);
            s.hi = (double)gn_node_float(node, "hi", INFINITY);
        }
        return s;
    }
    return (side){.value = -1};
}

static int sides_of(const gn_graph *graph, side *sides)
{
    int n = 0;
    for (int i = 0; i < gn_graph_node_count(graph); i++) {
        const side s = side_of(graph, i);
        assert_true(n < MOST_SIDES);
        if (s.value >= 0)
            sides[n++] = s;
    }
    return n;
}

/* Elements of x (f32, or positions) that lie on another side than in f64. */
static int count_strays(const side *s, const gn_tensor *expected, const void *got)
{
    int strays = 0;
    for (int64_t i = 0; i < gn_tensor_count(expected); i++) {
        const double e = gn_tensor_get(expected, i);
        const double x = s->is_position ? ((const uint8_t *)got)[i] : (double)((const float *)got)[i];
        if (s->is_position ? x == e : (x > s->lo) == (e > s->lo) && (x < s->hi) == (e < s->hi))
            continue;
        strays++;
        if (!s->is_position && fmin(fabs(e - s->lo), fabs(e - s->hi)) > STRAY_DISTANCE)
            fail_msg("an element is %.9g in f64 and %.9g in f32, on another side of %g..%g", e, x, s->lo, s->hi);
    }
    return strays;
}

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

/* The loss, all gradients and what decides them are made outputs of a copy of the graph. */
static gn_exec *run_backend(gn_device *device, const step_graph *step, gn_graph *graph, const side *sides, int n_sides,
                            gn_tensor *const contents[3])
{
    gn_exec *exec = NULL;
    gn_error err = {0};
    const int inputs[3] = {step->images, step->targets, step->weights};
    gn_graph_clear_outputs(graph);
    assert_int_equal(gn_graph_add_output(graph, step->loss), GN_OK);
    for (int i = 0; i < step->n; i++)
        assert_int_equal(gn_graph_add_output(graph, step->grads[i]), GN_OK);
    for (int i = 0; i < n_sides; i++)
        assert_int_equal(gn_graph_add_output(graph, sides[i].value), GN_OK);
    if (gn_backend_cpu.compile(device, graph, &exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gn_backend_cpu.bind(exec, inputs[i], contents[i]->data), GN_OK);
    if (gn_backend_cpu.run(exec, &err) != GN_OK)
        fail_msg("%s", err.message);
    return exec;
}

/* The interpreter in f64, with what decides the gradients taken from f32; its graph must outlive it. */
static gn_interpret *run_on_sides(const step_graph *step, const side *sides, int n_sides, const gn_exec *exec,
                                  gn_tensor *const contents[3], gn_graph **graph_out)
{
    gn_graph *graph = NULL;
    gn_tensor *taken[MOST_SIDES];
    int inputs[MOST_SIDES];
    assert_int_equal(gn_graph_clone(step->graph, true, &graph), GN_OK);
    for (int i = 0; i < n_sides; i++) {
        const gn_value *value = gn_graph_value(step->graph, sides[i].value);
        assert_int_equal(gn_tensor_create(value->dtype, &value->shape, &taken[i]), GN_OK);
        memcpy(taken[i]->data, gn_backend_cpu.output(exec, 1 + step->n + i), gn_tensor_bytes(taken[i]));
        inputs[i] = gn_graph_add_input(graph, "side", value->dtype, &value->shape);
        gn_graph_node_mut(graph, sides[i].node)->in[sides[i].operand] = inputs[i];
    }
    gn_interpret *it = NULL;
    gn_error err = {0};
    const int given[3] = {step->images, step->targets, step->weights};
    assert_int_equal(gn_interpret_create(graph, GN_DTYPE_F64, &it, &err), GN_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(gn_interpret_set_tensor(it, given[i], contents[i]), GN_OK);
    for (int i = 0; i < n_sides; i++) {
        assert_int_equal(gn_interpret_set_tensor(it, inputs[i], taken[i]), GN_OK);
        gn_tensor_destroy(&taken[i]);
    }
    if (gn_interpret_run(it, &err) != GN_OK)
        fail_msg("%s", err.message);
    *graph_out = graph;
    return it;
}

static void compare(const char *model, const char *level, const step_graph *step, const step_golden *golden,
                    const gn_interpret *it, const gn_exec *exec, int strays)
{
    const double loss = (double)*(const float *)gn_backend_cpu.output(exec, 0);
    if (!(fabs(loss - golden->loss) <= TOLERANCE * golden->loss))
        fail_msg("%s at %s: the loss is %.9g, PyTorch has %.9g", model, level, loss, golden->loss);
    double worst = 0, sum = 0;
    for (int i = 0; i < step->n; i++) {
        const step_tensor *ref = step_golden_find(golden, gn_graph_value(step->graph, step->params[i])->name, true);
        assert_non_null(ref);
        double norm;
        const double error =
            relative_error(gn_interpret_get(it, step->grads[i]), gn_backend_cpu.output(exec, 1 + i), &norm);
        if (ref->norm < STEP_TRULY_ZERO) { /* rounding is all there is */
            assert_true(error * STEP_TRULY_ZERO <= fmax(1e-6, 2 * ref->f32_error));
            continue;
        }
        worst = error > worst ? error : worst;
        sum += error;
        if (!(error <= fmax(TOLERANCE, 2 * ref->f32_error)))
            fail_msg("%s at %s: the gradient of %s is off by %.3g of its norm %.3g, PyTorch's own f32 by %.3g", model,
                     level, ref->name, error, norm, ref->f32_error);
    }
    print_message(
        "%s at %s: the worst gradient is off by %.2g of its norm, all of them by %.2g on average; %d elements "
        "on another side\n",
        model, level, worst, sum / step->n, strays);
    assert_true(sum / step->n <= TOLERANCE_MEAN);
}

static void check_level(const char *model, const char *level, const step_graph *step, const step_golden *golden,
                        const gn_interpret *it, gn_tensor *const contents[3])
{
    side sides[MOST_SIDES];
    const int n_sides = sides_of(step->graph, sides);
    gn_graph *graph = NULL, *forced = NULL;
    gn_device *device = NULL;
    gn_interpret *on_sides = NULL;
    int strays = 0;
    assert_int_equal(gn_graph_clone(step->graph, true, &graph), GN_OK);
    assert_int_equal(gn_backend_cpu.open(2, &device, NULL), GN_OK);
    gn_exec *exec = run_backend(device, step, graph, sides, n_sides, contents);
    for (int i = 0; i < n_sides; i++)
        strays +=
            count_strays(&sides[i], gn_interpret_get(it, sides[i].value), gn_backend_cpu.output(exec, 1 + step->n + i));
    assert_in_range(strays, 0, MOST_STRAYS);
    if (strays > 0)
        on_sides = run_on_sides(step, sides, n_sides, exec, contents, &forced);
    compare(model, level, step, golden, on_sides ? on_sides : it, exec, strays);
    gn_interpret_destroy(&on_sides);
    gn_graph_destroy(&forced);
    gn_backend_cpu.destroy(&exec);
    gn_backend_cpu.close(&device);
    gn_graph_destroy(&graph);
}

static void step_in_f32_is_as_good_as_pytorchs(void **state)
{
    static const gn_cpu_level levels[] = {GN_CPU_REF, GN_CPU_AVX2, GN_CPU_AVX512, GN_CPU_NEON};
    const char *model = *state;
    step_golden golden = step_golden_read(model);
    step_graph step = step_graph_make(model, &golden);
    gn_tensor *contents[3] = {step_images(&golden), step_targets(&golden), step_weights(&golden)};
    gn_interpret *it = run_reference(&step, contents);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (gn_cpu_force(levels[i]) == GN_OK && gn_cpu_current() == levels[i])
            check_level(model, gn_cpu_level_name(levels[i]), &step, &golden, it, contents);
    assert_int_equal(gn_cpu_force(gn_cpu_detected()), GN_OK);
    gn_interpret_destroy(&it);
    for (int i = 0; i < 3; i++)
        gn_tensor_destroy(&contents[i]);
    step_graph_free(&step);
    step_golden_free(&golden);
}

int main(void)
{
    return step_golden_run(step_in_f32_is_as_good_as_pytorchs);
}
