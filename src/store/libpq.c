/* Opening libpq.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/libpq.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/module.h"

static gn_libpq library;
static bool is_loaded;
static char why_not[256];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where each function's address goes. */
static const gn_module_function functions[] = {
#define GN_LIBPQ_ROW(type, name, parameters) {#name, offsetof(gn_libpq, name)},
    GN_LIBPQ_FUNCTIONS(GN_LIBPQ_ROW)
#undef GN_LIBPQ_ROW
};

static void load(void)
{
    is_loaded = gn_module_open("libpq.so.5", functions, sizeof functions / sizeof *functions, &library, why_not,
                               sizeof why_not);
}

gn_status gn_libpq_load(const gn_libpq **out, gn_error *err)
{
    pthread_once(&once, load);
    if (!is_loaded)
        return gn_fail(err, GN_EUNSUPPORTED,
                       "a study on a server needs PostgreSQL's client library, which is not here: install the package "
                       "libpq5 (%s)",
                       why_not);
    *out = &library;
    return GN_OK;
}
