/* What `gannet export --check` prints.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_EXPORT_CHECK_H
#define GN_CLI_EXPORT_CHECK_H

#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "gannet/formats_api.h"

/* One line per finding and one that counts them, on standard output.  file: the model as it was given. */
gn_status gn_cli_print_check(const gn_trt_report *report, const char *file, gn_error *err);
/* The same as the object `check` of a result. */
void gn_cli_json_check(gn_jsonw *j, const gn_trt_report *report, const char *file);

#endif
