/* libFuzzer target for files of weights (PyTorch checkpoints in both forms, safetensors): what is accepted can be found by name and read to
 * its last element.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "formats/weights/weights.h"

/* A tensor may share its storage with others: all together are not worth the time. */
#define MAX_ELEMENTS 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_weights *w = NULL;
    gn_error err = {0};
    if (gn_weights_open_bytes(data, size, "fuzz.pth", size % 7 ? NULL : "ema", &w, &err) != GN_OK) {
        if (w != NULL || err.message[0] == '\0')
            abort();
        return 0;
    }
    int64_t left = MAX_ELEMENTS;
    for (size_t i = 0; i < gn_weights_count(w); i++) {
        const gn_weight *item = gn_weights_at(w, i);
        size_t found = 0;
        gn_tensor *t = NULL;
        if (!gn_weights_find(w, item->name, &found) || found != i)
            abort();
        left -= gn_shape_count(&item->shape);
        if (left < 0 || gn_tensor_create(i % 2 ? GN_DTYPE_F64 : GN_DTYPE_F32, &item->shape, &t) != GN_OK)
            break;
        gn_weights_read(w, i, t, &err);
        gn_tensor_destroy(&t);
    }
    gn_weights_close(&w);
    return 0;
}
