/* libFuzzer target for the ONNX reader: whatever it accepts must be a consistent graph that can be written, in any opset, and read
 * again.  The check for TensorRT takes whatever is a message of ONNX.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "formats/onnx/onnx_check_trt.h"
#include "formats/onnx/onnx_format.h"

/* Ends the process, with the line that says why, where the fuzzer sees it. */
static void require(bool holds, const char *what, const gn_error *err)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, err->message);
    abort();
}

static void judge(const uint8_t *data, size_t size)
{
    gn_trt_report *report = NULL;
    gn_error err = {0};
    if (gn_onnx_check_trt82_bytes(data, size, "fuzz.onnx", &report, &err) != GN_OK)
        require(report == NULL && err.message[0] != '\0', "not checked without a word", &err);
    for (size_t i = 0; report && i < gn_trt_report_count(report); i++) {
        const gn_trt_finding *f = gn_trt_report_at(report, i);
        require(f->node && f->op && *f->what && *f->fix, "an empty finding", &err);
    }
    gn_trt_report_destroy(&report);
}

static void write_and_read_again(const gn_graph *graph, bool fold, int opset)
{
    const gn_onnx_write_options options = {.fold = fold, .decompose = fold, .opset = opset};
    void *bytes = NULL;
    size_t n = 0;
    gn_error err = {0};
    gn_graph *again = NULL;
    /* Shapes may disagree (they are inferred when a batch size is known), and an operator may have no form in that opset. */
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
    judge(data, size);
    if (gn_onnx_read_bytes(data, size, "fuzz.onnx", NULL, &graph, &err) != GN_OK) {
        require(graph == NULL && err.message[0] != '\0', "refused without a word", &err);
        return 0;
    }
    require(gn_graph_check(graph, &err) == GN_OK, "an inconsistent graph", &err);
    write_and_read_again(graph, false, 0);
    write_and_read_again(graph, true, 11 + (int)(size % 11));
    gn_graph_destroy(&graph);
    return 0;
}
