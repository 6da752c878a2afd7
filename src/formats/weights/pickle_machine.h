/* Inside the pickle machine: its state, and the table of known names.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_FORMATS_WEIGHTS_PICKLE_MACHINE_H
#define GN_FORMATS_WEIGHTS_PICKLE_MACHINE_H

#include "formats/weights/pickle.h"
#include "formats/weights/weights_internal.h"

#define GN_PICKLE_BUFFER_BYTES 16384

typedef struct gn_pickle_machine {
    const gn_byte_source *source;
    uint64_t at; /* next byte of the source */
    uint8_t buffer[GN_PICKLE_BUFFER_BYTES];
    uint64_t buffer_at; /* place of buffer[0] */
    size_t buffer_n;
    gn_pickle_heap *heap;
    gn_pickle_value *stack, *memo;
    size_t n_stack, cap_stack, n_memo, cap_memo;
    gn_error *err;
} gn_pickle_machine;

/* Memory of the budget, zeroed; NULL with the failure recorded in *status. */
void *gn_pickle_take(gn_pickle_machine *m, size_t bytes, gn_status *status);
gn_status gn_pickle_bad(gn_pickle_machine *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
gn_status gn_pickle_append(gn_pickle_machine *m, gn_pickle_items *items, const gn_pickle_value *values, size_t n);
gn_status gn_pickle_new_items(gn_pickle_machine *m, gn_pickle_kind kind, const gn_pickle_value *values, size_t n,
                              gn_pickle_value *out);

/* The known name, or GN_EUNSUPPORTED with what to do about it. */
gn_status gn_pickle_find_name(gn_pickle_machine *m, const char *module, const char *name, gn_pickle_value *out);
/* What a known name makes of its arguments (REDUCE, NEWOBJ, ...). */
gn_status gn_pickle_call(gn_pickle_machine *m, const gn_pickle_value *callee, const gn_pickle_value *args,
                         gn_pickle_value *out);
/* A persistent id, which torch.save uses for storages. */
gn_status gn_pickle_persistent(gn_pickle_machine *m, const gn_pickle_value *id, gn_pickle_value *out);

#endif
