/* Would TensorRT 8.2 (JetPack 4.6, the Jetson Nano's last) take an ONNX file?  Judges any file at the level of its
 * messages, also operators that Gannet itself cannot run.
 * Source: onnx-tensorrt, branch 8.2-GA: docs/operators.md and what its importers demand; its own limits of TopK.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_ONNX_ONNX_CHECK_TRT_H
#define GN_FORMATS_ONNX_ONNX_CHECK_TRT_H

#include <stddef.h>

#include "base/status.h"

typedef enum gn_trt_level {
    GN_TRT_NOTE,    /* is done otherwise than the file says, without harm */
    GN_TRT_WARNING, /* taken, but beware */
    GN_TRT_ERROR,   /* refused, or computed wrongly */
} gn_trt_level;

typedef struct gn_trt_finding {
    gn_trt_level level;
    const char *node; /* name of the node, or of its first result; of an input, output or initializer */
    const char *op;   /* "" when it is about no node */
    const char *what, *fix;
} gn_trt_finding;

typedef struct gn_trt_report gn_trt_report;

/* GN_EFORMAT, GN_ELIMIT: no ONNX model; GN_ENOENT; GN_EIO; GN_ENOMEM.  Data in other files are not opened. */
gn_status gn_onnx_check_trt82(const char *path, gn_trt_report **report_out, gn_error *err);
gn_status gn_onnx_check_trt82_bytes(const void *bytes, size_t n, const char *name, gn_trt_report **report_out,
                                    gn_error *err);
void gn_trt_report_destroy(gn_trt_report **report);

/* Findings in the order of the file: the model first, then node by node.  Strings live as long as the report. */
size_t gn_trt_report_count(const gn_trt_report *report);
const gn_trt_finding *gn_trt_report_at(const gn_trt_report *report, size_t i);
size_t gn_trt_report_count_level(const gn_trt_report *report, gn_trt_level level);
size_t gn_trt_report_nodes(const gn_trt_report *report); /* that were judged */
int gn_trt_report_opset(const gn_trt_report *report);

#endif
