/* Opening libpq.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/libpq.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static gn_libpq library;
static bool is_loaded;
static char why_not[256] = "?";
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where each function's address goes. */
static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define GN_LIBPQ_ROW(type, name, parameters) {#name, offsetof(gn_libpq, name)},
    GN_LIBPQ_FUNCTIONS(GN_LIBPQ_ROW)
#undef GN_LIBPQ_ROW
};

static void load(void)
{
    void *handle = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; handle != NULL && i < sizeof functions / sizeof *functions; i++) {
        void *address = dlsym(handle, functions[i].name);
        if (address == NULL)
            handle = NULL;
        else
            memcpy((char *)&library + functions[i].offset, &address, sizeof address);
    }
    is_loaded = handle != NULL;
    const char *message = is_loaded ? NULL : dlerror();
    if (message != NULL)
        snprintf(why_not, sizeof why_not, "%s", message);
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
