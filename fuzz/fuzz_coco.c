/* libFuzzer target for COCO's JSON: ground truth and detections.  What was read obeys its own limits and can be asked about; the piecewise
 * reader's answers agree with base/json.h's about what is JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/coco_json.h"
#include "data/json_pull.h"

static void fuzz_truth(const char *text, size_t n)
{
    gn_coco_file f;
    gn_error err;
    gn_error_clear(&err);
    bool is = false;
    if (gn_coco_file_is(text, n, &is) != GN_OK)
        abort();
    if (gn_coco_file_parse(text, n, "fuzz.json", &f, &err) != GN_OK) {
        if (err.message[0] == '\0')
            abort();
        return;
    }
    if (!is || !f.has_images || !f.has_annotations || f.n_bad < f.n_problems)
        abort();
    size_t length = 0;
    for (int64_t i = 0; i < f.n_images; i++) {
        length += strlen(f.image[i].file_name);
        if (f.image[i].width < 0 || f.image[i].width > 1000000 || f.image[i].line < 1)
            abort();
    }
    for (int64_t i = 0; i < f.n_categories; i++)
        length += strlen(f.category[i].name);
    for (int64_t i = 0; i < f.n_annotations; i++)
        if (!(f.annotation[i].area >= 0 || f.annotation[i].area == -1) || f.annotation[i].line < 1)
            abort();
    for (int64_t i = 0; i < f.n_problems; i++)
        length += strlen(f.problem[i].message);
    if (length > 64 * n + 64)
        abort();
    gn_coco_file_deinit(&f);
}

static void fuzz_detections(const char *text, size_t n)
{
    gn_coco_detections d;
    gn_error err;
    gn_error_clear(&err);
    if (gn_coco_detections_parse(text, n, "fuzz.json", &d, &err) != GN_OK) {
        if (err.message[0] == '\0')
            abort();
        return;
    }
    if (d.n < 0 || d.n_bad < d.n_problems)
        abort();
    gn_coco_detections_deinit(&d);
}

/* Whatever base/json.h takes is taken here too, unless it is deeper or longer than this reader goes. */
static void fuzz_skip(const char *text, size_t n)
{
    gn_json_pull *p = NULL;
    gn_arena *arena = gn_arena_create(0);
    const gn_json *root = NULL;
    if (arena == NULL || gn_pull_open_memory(text, n, "fuzz.json", &p, NULL) != GN_OK)
        abort();
    gn_pull_skip(p);
    const gn_status got = gn_pull_end(p);
    if (gn_json_parse(text, n, arena, &root, NULL) == GN_OK && got != GN_OK && got != GN_ELIMIT)
        abort();
    gn_pull_close(&p);
    gn_arena_destroy(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* The reader wants no NUL behind the last byte: a block of the very size finds what reads on. */
    char *text = malloc(size > 0 ? size : 1);
    if (text == NULL)
        return 0;
    memcpy(text, data, size);
    fuzz_truth(text, size);
    fuzz_detections(text, size);
    fuzz_skip(text, size);
    free(text);
    return 0;
}
