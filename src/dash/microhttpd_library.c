/* Opening libmicrohttpd.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dash/microhttpd_library.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/module.h"

static gn_microhttpd library;
static bool is_loaded;
static char why_not[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where each function's address goes. */
static const gn_module_function functions[] = {
#define GN_MICROHTTPD_ROW(type, name, parameters) {#name, offsetof(gn_microhttpd, name)},
    GN_MICROHTTPD_FUNCTIONS(GN_MICROHTTPD_ROW)
#undef GN_MICROHTTPD_ROW
};

static void load(void)
{
    is_loaded = gn_module_open("libmicrohttpd.so.12", functions, sizeof functions / sizeof *functions, &library,
                               why_not, sizeof why_not);
}

gn_status gn_microhttpd_load(const gn_microhttpd **out, gn_error *err)
{
    pthread_once(&once, load);
    if (!is_loaded)
        return gn_fail(
            err, GN_EUNSUPPORTED,
            "serving a page needs libmicrohttpd, which is not here: install the package libmicrohttpd12 (%s)", why_not);
    *out = &library;
    return GN_OK;
}
