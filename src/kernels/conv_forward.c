/* Convolution forward: picks between the general driver (conv_taps.c), the one for few input channels (conv_few.c) and the
 * ones for 3x3 filters (conv_winograd.c; in narrow groups conv_groups.c).
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/conv_few.h"
#include "kernels/conv_groups.h"
#include "kernels/conv_plan.h"
#include "kernels/conv_winograd.h"

static bool is_few(const gn_conv *p)
{
    return p->choice.algorithm == GN_CONV_FEW || (p->choice.algorithm == GN_CONV_MODEL && gn_conv_few_fits(p));
}

int gn_conv_fwd_tasks(const gn_conv *p)
{
    if (is_few(p))
        return gn_conv_few_tasks(p);
    gn_groups g;
    if (gn_groups_forward(p, &g))
        return gn_groups_tasks(&g);
    gn_wino w;
    if (gn_wino_forward(p, &w))
        return gn_wino_tasks(&w);
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    return gn_conv_taps_tasks(&t);
}

size_t gn_conv_fwd_scratch_bytes(const gn_conv *p)
{
    if (is_few(p))
        return gn_conv_few_scratch_bytes(p);
    gn_groups g;
    if (gn_groups_forward(p, &g))
        return gn_groups_scratch_bytes(&g);
    gn_wino w;
    if (gn_wino_forward(p, &w))
        return gn_wino_scratch_bytes(&w);
    gn_conv_taps t;
    gn_conv_taps_forward(p, &t);
    return gn_conv_taps_scratch_bytes(&t);
}

void gn_conv_fwd_task(const gn_conv_fwd *call, int task, void *scratch)
{
    if (is_few(&call->p)) {
        gn_conv_few_task(call, false, task, scratch);
        return;
    }
    const gn_conv_taps_call taps_call = {call->src, call->packed, call->residual, call->zeros,
                                         call->dst, call->clamp,  call->curve};
    gn_groups g;
    if (gn_groups_forward(&call->p, &g)) {
        gn_groups_task(&g, &taps_call, task, scratch);
        return;
    }
    gn_wino w;
    if (gn_wino_forward(&call->p, &w)) {
        gn_wino_task(&w, &taps_call, task, scratch);
        return;
    }
    gn_conv_taps t;
    gn_conv_taps_forward(&call->p, &t);
    gn_conv_taps_task(&t, &taps_call, task, scratch);
}

bool gn_conv_fwd_takes_plain(const gn_conv *p)
{
    return gn_conv_few_fits(p);
}

void gn_conv_fwd_plain_task(const gn_conv_fwd *call, int task, void *scratch)
{
    GN_ASSERT(is_few(&call->p));
    gn_conv_few_task(call, true, task, scratch);
}
