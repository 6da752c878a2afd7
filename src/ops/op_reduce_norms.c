/* ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum and ReduceLogSumExp.
 * Source: ONNX ReduceProd and the others (opset 18).
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/index_math.h"
#include "ops/op_rules.h"
#include "ops/reduce_rules.h"

#include <math.h>

/* result = finish(sum or product of map(x)). */
typedef struct fold {
    double (*map)(double x);
    double (*finish)(double sum);
    bool multiplies;
} fold;

static double itself(double x)
{
    return x;
}

static double square(double x)
{
    return x * x;
}

static gn_status apply(const gn_ref_call *call, const fold *f)
{
    gn_reduction r;
    GN_TRY(gn_reduction_of(call->graph, call->node, &r, NULL));
    for (int64_t o = 0; o < r.n_out; o++) {
        double sum = f->multiplies;
        for (int64_t t = 0; t < r.terms; t++) {
            const double x = f->map(gn_ref_load(call->in[0], gn_reduction_term(&r, o, t)));
            sum = f->multiplies ? sum * x : sum + x;
        }
        if (r.is_noop)
            gn_ref_move(call->out[0], o, call->in[0], o);
        else
            gn_ref_store(call->out[0], o, f->finish(sum));
    }
    return GN_OK;
}

static gn_status reference_prod(const gn_ref_call *call)
{
    return apply(call, &(const fold){itself, itself, true});
}

static gn_status reference_l1(const gn_ref_call *call)
{
    return apply(call, &(const fold){fabs, itself, false});
}

static gn_status reference_l2(const gn_ref_call *call)
{
    return apply(call, &(const fold){square, sqrt, false});
}

static gn_status reference_sum_square(const gn_ref_call *call)
{
    return apply(call, &(const fold){square, itself, false});
}

static gn_status reference_log_sum(const gn_ref_call *call)
{
    return apply(call, &(const fold){itself, log, false});
}

/* The largest term goes in front of the logarithm, so that no exponential overflows. */
static gn_status reference_log_sum_exp(const gn_ref_call *call)
{
    gn_reduction r;
    GN_TRY(gn_reduction_of(call->graph, call->node, &r, NULL));
    for (int64_t o = 0; o < r.n_out; o++) {
        double largest = -INFINITY, sum = 0;
        for (int64_t t = 0; t < r.terms; t++)
            largest = fmax(largest, gn_ref_load(call->in[0], gn_reduction_term(&r, o, t)));
        for (int64_t t = 0; t < r.terms && isfinite(largest); t++)
            sum += exp(gn_ref_load(call->in[0], gn_reduction_term(&r, o, t)) - largest);
        if (r.is_noop)
            gn_ref_move(call->out[0], o, call->in[0], o);
        else
            gn_ref_store(call->out[0], o, isfinite(largest) ? largest + log(sum) : largest);
    }
    return GN_OK;
}

#define REDUCTION(id, onnx_name, run)                                                                                  \
    const gn_op_def id = {                                                                                             \
        .name = onnx_name,                                                                                             \
        .domain = "",                                                                                                  \
        .min_in = 1,                                                                                                   \
        .max_in = 2,                                                                                                   \
        .min_out = 1,                                                                                                  \
        .max_out = 1,                                                                                                  \
        .layout = GN_LAYOUT_RULE_PLAIN,                                                                                \
        .infer = gn_rule_reduce,                                                                                       \
        .cost = gn_cost_per_input,                                                                                     \
        .reference = run,                                                                                              \
    }

REDUCTION(gn_op_reduce_prod, "ReduceProd", reference_prod);
REDUCTION(gn_op_reduce_l1, "ReduceL1", reference_l1);
REDUCTION(gn_op_reduce_l2, "ReduceL2", reference_l2);
REDUCTION(gn_op_reduce_sum_square, "ReduceSumSquare", reference_sum_square);
REDUCTION(gn_op_reduce_log_sum, "ReduceLogSum", reference_log_sum);
REDUCTION(gn_op_reduce_log_sum_exp, "ReduceLogSumExp", reference_log_sum_exp);
