/* Findings of a check as text and as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/export_check.h"

#include <stdio.h>

static const char *const level_words[] = {"note", "warning", "error"};

static size_t count(const gn_trt_report *report, gn_trt_level level)
{
    return gn_trt_report_count_level(report, level);
}

gn_status gn_cli_print_check(const gn_trt_report *report, const char *file, gn_error *err)
{
    bool is_fine = true;
    for (size_t i = 0; i < gn_trt_report_count(report); i++) {
        const gn_trt_finding *f = gn_trt_report_at(report, i);
        char what[160];
        snprintf(what, sizeof what, *f->op ? "%s (%s)" : "%s", f->node, f->op);
        is_fine = is_fine && gn_cli_print("%-7s  %s: %s; %s\n", level_words[f->level], what, f->what, f->fix);
    }
    is_fine =
        is_fine && gn_cli_print("%s: %zu nodes of opset %d for TensorRT 8.2: %zu errors, %zu warnings, %zu notes\n",
                                file, gn_trt_report_nodes(report), gn_trt_report_opset(report),
                                count(report, GN_TRT_ERROR), count(report, GN_TRT_WARNING), count(report, GN_TRT_NOTE));
    return is_fine ? GN_OK : gn_fail(err, GN_EIO, "the result cannot be written to standard output");
}

void gn_cli_json_check(gn_jsonw *j, const gn_trt_report *report, const char *file)
{
    gn_jsonw_object(j, "check");
    gn_jsonw_str(j, "target", "trt82");
    gn_jsonw_str(j, "file", file);
    gn_jsonw_bool(j, "is_taken", count(report, GN_TRT_ERROR) == 0);
    gn_jsonw_int(j, "opset", gn_trt_report_opset(report));
    gn_jsonw_int(j, "nodes", (int64_t)gn_trt_report_nodes(report));
    gn_jsonw_int(j, "errors", (int64_t)count(report, GN_TRT_ERROR));
    gn_jsonw_int(j, "warnings", (int64_t)count(report, GN_TRT_WARNING));
    gn_jsonw_int(j, "notes", (int64_t)count(report, GN_TRT_NOTE));
    gn_jsonw_array(j, "findings");
    for (size_t i = 0; i < gn_trt_report_count(report); i++) {
        const gn_trt_finding *f = gn_trt_report_at(report, i);
        gn_jsonw_object(j, NULL);
        gn_jsonw_str(j, "level", level_words[f->level]);
        gn_jsonw_str(j, "node", f->node);
        gn_jsonw_str(j, "operator", *f->op ? f->op : NULL);
        gn_jsonw_str(j, "what", f->what);
        gn_jsonw_str(j, "fix", f->fix);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_end(j);
}
