/* gannet data --sheet: pictures of a data set with their boxes on one page.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_DATA_SHEET_H
#define GN_CLI_DATA_SHEET_H

#include "gannet/data_api.h"

/* n: how many, evenly out of all splits.  path: .jpg or .png.  Pictures that cannot be decoded are left out.
 * GN_EDATA: none can be; GN_EINVAL: another ending; GN_EIO, GN_ENOMEM. */
gn_status gn_cli_data_sheet(const gn_dataset *set, int n, const char *path, gn_error *err);

#endif
