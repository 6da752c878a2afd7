/* gannet data --to: a data set in another format, and what is said about it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_DATA_CONVERT_H
#define GN_CLI_DATA_CONVERT_H

#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "gannet/data_api.h"

/* Converts as --to, --output and --pictures say. */
gn_status gn_cli_data_convert(const gn_args *args, const gn_dataset *set, gn_write_report *report_out, gn_error *err);
/* What was written and what the format has no place for, for people. */
void gn_cli_data_print_report(const gn_args *args, const gn_write_report *report);
/* The same as the object "written". */
void gn_cli_data_json_report(gn_jsonw *j, const gn_write_report *report);

#endif
