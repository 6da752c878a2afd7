/* NumPy broadcasting for reference computations.
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/broadcast.h"

#include "ops/ref_access.h"

int64_t gn_broadcast_index(const gn_shape *operand, const gn_shape *result, int64_t i)
{
    int64_t index = 0, stride = 1;
    for (int d = result->rank - 1, o = operand->rank - 1; o >= 0; d--, o--) {
        const int64_t position = i % result->dim[d];
        i /= result->dim[d];
        if (operand->dim[o] != 1)
            index += position * stride;
        stride *= operand->dim[o];
    }
    return index;
}

gn_status gn_broadcast_apply(const gn_ref_call *call, double (*fn)(double a, double b))
{
    const gn_tensor *a = call->in[0], *b = call->in[1];
    const gn_shape *shape = &call->out[0]->shape;
    const bool a_is_whole = gn_shape_equal(&a->shape, shape), b_is_whole = gn_shape_equal(&b->shape, shape);
    const int64_t n = gn_shape_count(shape);
    for (int64_t i = 0; i < n; i++) {
        const int64_t ia = a_is_whole ? i : gn_broadcast_index(&a->shape, shape, i);
        const int64_t ib = b_is_whole ? i : gn_broadcast_index(&b->shape, shape, i);
        gn_ref_store(call->out[0], i, fn(gn_ref_load(a, ia), gn_ref_load(b, ib)));
    }
    return GN_OK;
}

static void apply_integers(const gn_ref_call *call, int64_t (*fn)(int64_t a, int64_t b))
{
    const gn_tensor *a = call->in[0], *b = call->in[1];
    const gn_shape *shape = &call->out[0]->shape;
    const int64_t n = gn_shape_count(shape);
    for (int64_t i = 0; i < n; i++) {
        const int64_t ia = gn_broadcast_index(&a->shape, shape, i), ib = gn_broadcast_index(&b->shape, shape, i);
        gn_ref_store_s64(call->out[0], i, fn(gn_ref_load_s64(a, ia), gn_ref_load_s64(b, ib)));
    }
}

gn_status gn_broadcast_apply_typed(const gn_ref_call *call, double (*reals)(double a, double b),
                                   int64_t (*integers)(int64_t a, int64_t b))
{
    if (gn_dtype_is_real(call->in[0]->dtype))
        return gn_broadcast_apply(call, reals);
    apply_integers(call, integers);
    return GN_OK;
}
