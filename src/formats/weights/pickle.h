/* A pickle machine that knows tensors and plain data and nothing else.  It builds values of its own; no name in a pickle leads to
 * anything but an entry of a fixed table, so that a hostile pickle runs nothing.
 * Source: Python's pickle protocols 0 to 5 (PEP 3154, PEP 574, Lib/pickletools.py), and what torch.save writes with them.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_PICKLE_H
#define GN_FORMATS_WEIGHTS_PICKLE_H

#include "formats/weights/byte_source.h"
#include "formats/weights/weights.h"

/* Limits of one pickle: memory for its values, operations, memo numbers, values on the stack. */
#define GN_PICKLE_MAX_BYTES ((size_t)64 << 20)
#define GN_PICKLE_MAX_STEPS 50000000
#define GN_PICKLE_MAX_MEMO  (1 << 20)
#define GN_PICKLE_MAX_STACK (1 << 20)

typedef enum gn_pickle_kind {
    GN_PICKLE_NONE,
    GN_PICKLE_BOOL,
    GN_PICKLE_INT,
    GN_PICKLE_BIG, /* a whole number beyond 64 bits: its bytes, little endian */
    GN_PICKLE_FLOAT,
    GN_PICKLE_STRING,
    GN_PICKLE_BYTES,
    GN_PICKLE_TUPLE,
    GN_PICKLE_LIST, /* sets too */
    GN_PICKLE_DICT,
    GN_PICKLE_STORAGE,
    GN_PICKLE_TENSOR,
    GN_PICKLE_NAME,  /* one of the known classes and functions */
    GN_PICKLE_PLAIN, /* something harmless without a meaning here: a device, a numpy scalar, a bag of settings */
    GN_PICKLE_MARK,
} gn_pickle_kind;

/* STRING, BYTES, BIG.  A NUL follows the last byte. */
typedef struct gn_pickle_text {
    size_t n;
    const char *bytes;
} gn_pickle_text;

typedef struct gn_pickle_value gn_pickle_value;

/* TUPLE, LIST, and DICT as key, value, key, value. */
typedef struct gn_pickle_items {
    size_t n, capacity;
    gn_pickle_value *item;
    int8_t holds_tensors; /* for whoever walks: 0 not known yet, 1 yes, -1 no */
    bool is_walked;
} gn_pickle_items;

/* Data that tensors look at; offset: elements from the start of the storage that the file holds under `key`. */
typedef struct gn_pickle_storage {
    const char *key;
    gn_weight_type type;
    bool is_untyped; /* numbers count bytes */
    int64_t count;   /* elements that may be seen */
    int64_t offset;
    int64_t root_count; /* elements of the whole storage */
    const struct gn_pickle_storage *next;
} gn_pickle_storage;

/* What several pickles of one file share.  budget: bytes that their values may still take. */
typedef struct gn_pickle_heap {
    gn_arena *arena;
    size_t budget;
    const gn_pickle_storage *storages; /* all that were named, the last first */
} gn_pickle_heap;

typedef struct gn_pickle_tensor {
    const gn_pickle_storage *storage;
    gn_weight_type type;
    gn_shape shape;
    int64_t offset; /* elements from the storage's own start */
    int64_t stride[GN_MAX_RANK];
} gn_pickle_tensor;

struct gn_pickle_value {
    gn_pickle_kind kind;
    union {
        int64_t i; /* BOOL, INT, NAME: entry of the table */
        double f;
        const gn_pickle_text *text;
        gn_pickle_items *items;
        const gn_pickle_storage *storage;
        const gn_pickle_tensor *tensor;
    } u;
};

/* One pickle from `offset` of `source` on; *end_out: where the next begins.  Shapes and strides of tensors are checked against their
 * storage.  Values live in the heap's arena.
 * GN_EFORMAT with the place; GN_EUNSUPPORTED: a class or function that is not known, an operation, an element type; GN_ELIMIT. */
gn_status gn_pickle_read(const gn_byte_source *source, uint64_t offset, gn_pickle_heap *heap,
                         gn_pickle_value *value_out, uint64_t *end_out, gn_error *err);

/* Value under a string key; NULL when `dict` is none or has no such key. */
const gn_pickle_value *gn_pickle_member(const gn_pickle_value *dict, const char *key);

#endif
