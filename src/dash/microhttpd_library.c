/* Opening libmicrohttpd.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dash/microhttpd_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static gn_microhttpd library;
static bool is_loaded;
static char why_not[256] = "?";
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where each function's address goes. */
static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define GN_MICROHTTPD_ROW(type, name, parameters) {#name, offsetof(gn_microhttpd, name)},
    GN_MICROHTTPD_FUNCTIONS(GN_MICROHTTPD_ROW)
#undef GN_MICROHTTPD_ROW
};

static void load(void)
{
    void *handle = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
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
