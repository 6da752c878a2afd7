/* libFuzzer target for the ONNX reader: whatever it accepts must be a consistent graph that can be written and read again.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "formats/onnx/onnx_format.h"

/* Ends the process, with the line that says why, where the fuzzer sees it. */
static void require(bool holds, const char *what, const gn_error *err)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    abort();
}

static void write_and_read_again(const gn_graph *graph, bool fold)
{
    const gn_onnx_write_options options = {.fold = fold};
    void *bytes = NULL;
    size_t n = 0;
    gn_error err = {0};
    gn_graph *again = NULL;
    /* Shapes may disagree (they are inferred when a batch size is known), and an operator may have no form at opset 13. */
    if (gn_onnx_pack(graph, &options, &bytes, &n, &err) != GN_OK) {
        require(bytes == NULL && err.message[0] != '\0', "pack failed without a word", &err);
        return;
    }
    require(gn_onnx_read_bytes(bytes, n, "again.onnx", NULL, &again, &err) == GN_OK, "written but not readable", &err);
    require(gn_graph_output_count(again) == gn_graph_output_count(graph), "results were lost", &err);
    gn_graph_destroy(&again);
    gn_free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_graph *graph = NULL;
    gn_error err = {0};
    if (gn_onnx_read_bytes(data, size, "fuzz.onnx", NULL, &graph, &err) != GN_OK) {
        require(graph == NULL && err.message[0] != '\0', "refused without a word", &err);
        return 0;
    }
    require(gn_graph_check(graph, &err) == GN_OK, "an inconsistent graph", &err);
    write_and_read_again(graph, false);
    write_and_read_again(graph, true);
    gn_graph_destroy(&graph);
    return 0;
}
