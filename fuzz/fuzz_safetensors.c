/* libFuzzer target for safetensors: what the reader accepts can be walked to its last byte and found by name.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>

#include "formats/weights/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_safetensors *file = NULL;
    gn_error err = {0};
    if (gn_safetensors_open_bytes(data, size, "fuzz.safetensors", &file, &err) != GN_OK) {
        if (file != NULL || err.message[0] == '\0')
            abort();
        return 0;
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < gn_safetensors_count(file); i++) {
        const char *name = NULL;
        const gn_tensor *tensor = gn_safetensors_at(file, i, &name);
        if (gn_safetensors_find(file, name) != tensor)
            abort();
        const uint8_t *bytes = tensor->data;
        for (size_t k = 0; k < gn_tensor_bytes(tensor); k++)
            sum += bytes[k];
    }
    gn_safetensors_meta_get(file, sum % 2 ? "gannet.step" : "");
    gn_safetensors_close(&file);
    return 0;
}
