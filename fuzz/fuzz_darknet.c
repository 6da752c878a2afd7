/* libFuzzer target for Darknet networks: a .cfg, then after a NUL byte a .weights file or nothing.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats/darknet/darknet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const gn_darknet_options options = {.is_raw = size % 2, .is_partial = size % 3 == 0, .max_numbers = 100000};
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const size_t n = end ? (size_t)(end - data) : size;
    gn_graph *graph = NULL;
    gn_error err = {0};
    gn_text notes;
    gn_text_init(&notes);
    const gn_status status =
        gn_darknet_read_bytes((const char *)data, n, "fuzz.cfg", end ? end + 1 : NULL, end ? size - n - 1 : 0,
                              "fuzz.weights", &options, &notes, &graph, &err);
    if (status != GN_OK && (graph != NULL || err.message[0] == '\0'))
        abort();
    gn_graph_destroy(&graph);
    gn_text_deinit(&notes);
    return 0;
}
