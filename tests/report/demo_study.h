/* A made-up study for looking at reports: networks, stages, failures, epochs and pictures as a search would leave them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_REPORT_DEMO_STUDY_H
#define GN_TESTS_REPORT_DEMO_STUDY_H

#include "store/study.h"

/* Writes the study at `path` (which must not exist).  picture: a JPEG file to show as the winner's contact sheet, or NULL. */
gn_status demo_study_write(const char *path, const char *picture, gn_error *err);

/* A text that would break a page that does not escape it. */
#define DEMO_NASTY "</script><script>alert(1)</script> \"x\" & <!-- \xC3\xBC \\ "

#endif
