/* libFuzzer target for PASCAL VOC's XML.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/voc_xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gn_arena *arena = gn_arena_create(0);
    gn_voc_file v;
    gn_error err;
    gn_error_clear(&err);
    char *text = malloc(size > 0 ? size : 1);
    if (arena == NULL || text == NULL)
        abort();
    memcpy(text, data, size);
    if (gn_voc_parse(text, size, "fuzz.xml", arena, &v, &err) == GN_OK) {
        if (strlen(v.filename) > GN_VOC_MAX_TEXT || v.n_objects > GN_VOC_MAX_OBJECTS || !(v.width >= 0) || v.id < -1)
            abort();
        for (int64_t i = 0; i < v.n_objects; i++) {
            const gn_voc_object *o = &v.object[i];
            if (strlen(o->name) > GN_VOC_MAX_TEXT || o->line < 1 || o->id < -1)
                abort();
            for (int c = 0; c < 4; c++)
                if (o->has_corner[c] && !isfinite(o->corner[c]))
                    abort();
        }
        gn_voc_file_deinit(&v);
    } else if (err.message[0] == '\0') {
        abort();
    }
    free(text);
    gn_arena_destroy(&arena);
    return 0;
}
