/* Parsing of targets.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/target.h"

#include <string.h>

#include "base/text.h"

#define MAX_THREADS 256

gn_status gn_target_parse(const char *uri, gn_target *target_out, gn_error *err)
{
    int64_t threads = 0;
    if (gn_has_prefix(uri, "cuda") || gn_has_prefix(uri, "ssh://"))
        return gn_fail(err, GN_EUNSUPPORTED, "target '%s': only cpu and cpu?threads=N can be measured by this version",
                       uri);
    if (!gn_has_prefix(uri, "cpu") || (uri[3] != '\0' && !gn_has_prefix(uri + 3, "?threads=")))
        return gn_fail(err, GN_EUSAGE, "target '%s': cpu or cpu?threads=N was expected", uri);
    if (uri[3] != '\0' &&
        (!gn_parse_i64(uri + strlen("cpu?threads="), &threads) || threads < 1 || threads > MAX_THREADS))
        return gn_fail(err, GN_EUSAGE, "target '%s': threads=1 to threads=%d were expected", uri, MAX_THREADS);
    *target_out = (gn_target){.threads = (int)threads};
    return GN_OK;
}
