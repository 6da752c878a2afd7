/* Building and running a network when memory runs out: whichever allocation fails, the status says so and nothing is lost.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "ops/interpret.h"
#include "zoo/zoo.h"

typedef struct failing {
    int64_t left; /* allocations until one fails */
    int64_t live;
} failing;

static void *failing_alloc(void *ctx, size_t bytes, size_t align)
{
    failing *f = ctx;
    void *ptr = NULL;
    if (f->left-- == 0 || posix_memalign(&ptr, align, bytes) != 0)
        return NULL;
    f->live++;
    return ptr;
}

static void failing_free(void *ctx, void *ptr)
{
    ((failing *)ctx)->live--;
    free(ptr);
}

static gn_status build_and_prepare(void)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    gn_interpret *it = NULL;
    options.model = "squeezenet1_1";
    options.width_px = options.height_px = 17;
    gn_status status = gn_zoo_build(&options, &graph, NULL);
    if (status == GN_OK) {
        const gn_shape one = gn_shape_make(4, 1, 3, 17, 17);
        status = gn_graph_set_input_shape(graph, gn_graph_input(graph, 0), &one);
    }
    if (status == GN_OK)
        status = gn_graph_infer(graph, NULL);
    if (status == GN_OK)
        status = gn_interpret_create(graph, GN_DTYPE_F32, &it, NULL);
    gn_interpret_destroy(&it);
    gn_graph_destroy(&graph);
    return status;
}

static gn_status build_detector(const char *model)
{
    gn_zoo_options options = gn_zoo_options_default();
    gn_graph *graph = NULL;
    options.model = model;
    options.head = "detect";
    options.classes = 2;
    options.width_px = options.height_px = 64;
    options.no_weights = true;
    const gn_status status = gn_zoo_build(&options, &graph, NULL);
    gn_graph_destroy(&graph);
    return status;
}

static gn_status build_detectors(void)
{
    static const char *const models[] = {"yolov8n@0.1", "yolov2_tiny@0.1", "yolov1_half@0.1",
                                         "retinanet_mobilenet_v2@0.1"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const gn_status status = build_detector(models[i]);
        if (status != GN_OK)
            return status;
    }
    return GN_OK;
}

static void every_failed_allocation_is_told(void **state)
{
    gn_status (*const subject)(void) = *(gn_status(**)(void)) * state;
    gn_status status = GN_ENOMEM;
    int64_t failed_at = 0;
    for (; status != GN_OK; failed_at++) {
        failing f = {.left = failed_at};
        const gn_allocator allocator = {failing_alloc, failing_free, &f};
        gn_set_allocator(&allocator);
        status = subject();
        gn_set_allocator(NULL);
        assert_int_equal(f.live, 0);
        if (status != GN_OK)
            assert_int_equal(status, GN_ENOMEM);
    }
    assert_true(failed_at > 50);
}

int main(void)
{
    static gn_status (*network)(void) = build_and_prepare, (*detectors)(void) = build_detectors;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(every_failed_allocation_is_told, &network),
        cmocka_unit_test_prestate(every_failed_allocation_is_told, &detectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
