/* Whole networks on the CPU backend against the interpreter, at every CPU level of this machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backend_fixture.h"
#include "base/cpu.h"
#include "graph/passes.h"

static void check_inference(const char *model, const char *head)
{
    gn_graph *graph = fixture_network(model, head, 2, 64);
    gn_error err = {0};
    if (gn_pass_inference(graph, &err) != GN_OK)
        fail_msg("%s", err.message);
    static const gn_cpu_level levels[] = {GN_CPU_REF, GN_CPU_AVX2, GN_CPU_AVX512, GN_CPU_NEON};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (gn_cpu_force(levels[i]) != GN_OK || gn_cpu_current() != levels[i])
            continue;
        const double difference = fixture_difference(graph, 2, 2, 1, 1e-4);
        if (!(difference < 1e-4))
            fail_msg("%s at %s differs by %g of the range", model, gn_cpu_level_name(levels[i]), difference);
    }
    assert_int_equal(gn_cpu_force(gn_cpu_detected()), GN_OK);
    gn_graph_destroy(&graph);
}

static void mobilenet_v2_infers(void **state)
{
    (void)state;
    check_inference("mobilenet_v2@0.35", "box");
}

static void resnet18_infers(void **state)
{
    (void)state;
    check_inference("resnet18", "box+score");
}

static void squeezenet_infers(void **state)
{
    (void)state;
    check_inference("squeezenet1_1", "classify");
}

/* Squeeze and excitation, HardSwish. */
static void mobilenet_v3_infers(void **state)
{
    (void)state;
    check_inference("mobilenet_v3_small", "classify");
}

/* Halves of the channels, shuffled. */
static void shufflenet_infers(void **state)
{
    (void)state;
    check_inference("shufflenet_v2_x0_5", "classify");
}

static void mobilenet_v1_with_leaky_relu_infers(void **state)
{
    (void)state;
    check_inference("mobilenet_v1@0.25+leaky_relu", "box");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mobilenet_v2_infers), cmocka_unit_test(resnet18_infers),
        cmocka_unit_test(squeezenet_infers),   cmocka_unit_test(mobilenet_v3_infers),
        cmocka_unit_test(shufflenet_infers),   cmocka_unit_test(mobilenet_v1_with_leaky_relu_infers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
