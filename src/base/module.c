/* Opening shared libraries.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/module.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

bool gn_module_open(const char *name, const gn_module_function *functions, size_t n, void *table, char *why,
                    size_t why_bytes)
{
    void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; handle != NULL && i < n; i++) {
        void *address = dlsym(handle, functions[i].name);
        if (address == NULL)
            handle = NULL;
        else
            memcpy((char *)table + functions[i].offset, &address, sizeof address);
    }
    const char *message = handle == NULL ? dlerror() : NULL;
    snprintf(why, why_bytes, "%s", message != NULL ? message : "");
    return handle != NULL;
}
