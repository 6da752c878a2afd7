/* Writing reports: studies in, one file in a format out.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_REPORT_REPORT_WRITE_H
#define GN_REPORT_REPORT_WRITE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Studies in one report. */
#define GN_REPORT_MAX_STUDIES 16

typedef enum gn_report_format {
    GN_REPORT_HTML = 0,
    GN_REPORT_MARKDOWN,
    GN_REPORT_CSV,
    GN_REPORT_LATEX,
    GN_REPORT_JSON,
} gn_report_format;

typedef struct gn_report_options {
    gn_report_format format;
    bool has_pictures; /* of HTML: the photos of the study are shown */
} gn_report_options;

/* "html", "md" ("markdown"), "csv", "latex" ("tex"), "json", also as a file's ending; false for anything else. */
bool gn_report_format_parse(const char *name, gn_report_format *format_out);
/* The usual ending of its files, without the dot. */
const char *gn_report_format_ending(gn_report_format format);

/* Reads 1..GN_REPORT_MAX_STUDIES studies and writes the report (atomically).  *bytes_out (may be NULL): its size.  What opening a study and writing a
 * file give, GN_ENOMEM. */
gn_status gn_report_write_as(const char *const *study_paths, size_t n, const char *path,
                             const gn_report_options *options, size_t *bytes_out, gn_error *err);

/* Every plot of n studies as PLOT.svg and PLOT.png in a folder (made when missing); several studies have a folder each, named after
 * their files.  *n_out (may be NULL): plots drawn; what a study has nothing for is left out. */
gn_status gn_report_write_plots(const char *const *study_paths, size_t n, const char *folder, size_t *n_out,
                                gn_error *err);

#endif
