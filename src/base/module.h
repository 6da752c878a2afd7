/* Shared libraries that are opened on first use, so that programs which need none start and run without them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_MODULE_H
#define GN_BASE_MODULE_H

#include <stdbool.h>
#include <stddef.h>

/* A function's name, and where in a table of function pointers its address goes. */
typedef struct gn_module_function {
    const char *name;
    size_t offset;
} gn_module_function;

/* Opens the library `name` ("libpq.so.5"), for good, and fills the table with the addresses of all n functions.
 * False when it or one of them is missing: `why` [why_bytes] then holds the system's words. */
bool gn_module_open(const char *name, const gn_module_function *functions, size_t n, void *table, char *why,
                    size_t why_bytes);

#endif
