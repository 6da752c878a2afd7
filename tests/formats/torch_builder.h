/* Writers of pickles, zip files and checkpoints byte by byte, for files that no tool would write.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_FORMATS_TORCH_BUILDER_H
#define TESTS_FORMATS_TORCH_BUILDER_H

#include <stdint.h>

#include "base/text.h"

/* ---- pickles ---- */

void pickle_op(gn_text *t, const char *ops); /* letters as they are */
void pickle_string(gn_text *t, const char *s);
void pickle_int(gn_text *t, int64_t x);
void pickle_global(gn_text *t, const char *module, const char *name);
/* torch.<type> of `count` elements under `key`. */
void pickle_storage(gn_text *t, const char *type, const char *key, int64_t count);
typedef struct tensor_spec {
    const char *type, *key;
    int64_t count, offset;
    int rank;
    int64_t shape[10], stride[10];
} tensor_spec;
void pickle_tensor(gn_text *t, const tensor_spec *spec);
/* A pickle of a dict: `body` (freed) holds key, value, key, value. */
gn_text pickle_dict(gn_text *body);

/* ---- files ---- */

typedef struct zip_entry {
    const char *name;
    const void *data;
    size_t n;        /* bytes that are there */
    uint64_t claims; /* uncompressed size; 0: n */
    int method;      /* 0: stored, 8: deflated */
} zip_entry;
gn_text zip_file(const zip_entry *entries, int n, int claimed_entries); /* claimed_entries 0: n */
/* pickle (freed) as data.pkl, and one storage "0". */
gn_text checkpoint_zip(gn_text *pickle, const void *storage, size_t n);
/* The legacy form with one storage "0" of `count` elements, of which n bytes are there. */
gn_text checkpoint_legacy(gn_text *pickle, int64_t count, const void *storage, size_t n);

#endif
