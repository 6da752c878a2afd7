/* libFuzzer target for the text form of graphs: whatever is accepted is consistent, reads back from its own text, and can be planned or
 * is refused with a reason.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "graph/plan.h"
#include "ops/ops.h"

/* Ends the process, with the line that says why, where the fuzzer sees it. */
static void require_that(bool holds, const char *what, const gn_error *err)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    abort();
}

static void read_again(const gn_graph *graph)
{
    gn_text first, second;
    gn_graph *again = NULL;
    gn_error err = {0};
    gn_text_init(&first);
    gn_text_init(&second);
    gn_graph_to_text(graph, &first);
    require_that(gn_graph_from_text(first.data, first.len, gn_ops_registry(), &again, &err) == GN_OK,
                 "written but not readable", &err);
    gn_graph_to_text(again, &second);
    require_that(first.len == second.len && memcmp(first.data, second.data, first.len) == 0, "the second text differs",
                 &err);
    gn_graph_destroy(&again);
    gn_text_deinit(&first);
    gn_text_deinit(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_graph *graph = NULL;
    gn_plan *plan = NULL;
    gn_error err = {0};
    if (gn_graph_from_text((const char *)data, size, gn_ops_registry(), &graph, &err) != GN_OK) {
        require_that(graph == NULL && err.message[0] != '\0', "refused without a word", &err);
        return 0;
    }
    require_that(gn_graph_check(graph, &err) == GN_OK, "an inconsistent graph", &err);
    read_again(graph);
    if (gn_plan_create(graph, NULL, &plan, &err) != GN_OK)
        require_that(plan == NULL && err.message[0] != '\0', "not planned, without a word", &err);
    gn_plan_destroy(&plan);
    gn_graph_destroy(&graph);
    return 0;
}
