/* The reader of --cfg files; given to gn_args_set_cfg_reader when the program starts.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_CLI_CFG_H
#define GN_CLI_CFG_H

#include "cli/cli_args.h"

/* Calls `each` for every `name: value` of a flat YAML map.  GN_ENOENT, GN_EFORMAT with the line, GN_ELIMIT, GN_ENOMEM, and what
 * `each` returns. */
gn_status gn_cli_read_cfg(const char *path, gn_args_each_fn each, void *ctx, gn_error *err);

#endif
