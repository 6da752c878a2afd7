/* Convolution, gradient by data: the forward driver with channels and filters exchanged (see conv_plan.h).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "kernels/conv_plan.h"
#include "kernels/conv_winograd.h"

gn_conv_choice gn_conv_bwd_data_chosen(const gn_conv *p, int threads)
{
    gn_wino w;
    gn_conv_taps t;
    if (gn_wino_backward_for(p, threads, &w))
        return (gn_conv_choice){w.m == 2 ? GN_CONV_WINOGRAD2 : GN_CONV_WINOGRAD4, w.panel_blocks, w.tile_blocks};
    gn_conv_taps_backward(p, &t);
    if (p->choice.pixels == 0)
        gn_conv_taps_cut(&t, threads);
    return (gn_conv_choice){GN_CONV_DIRECT, t.panel_blocks, t.pixel_blocks};
}

int gn_conv_bwd_data_tasks(const gn_conv *p)
{
    gn_wino w;
    if (gn_wino_backward(p, &w))
        return gn_wino_tasks(&w);
    gn_conv_taps t;
    gn_conv_taps_backward(p, &t);
    return gn_conv_taps_tasks(&t);
}

size_t gn_conv_bwd_data_scratch_bytes(const gn_conv *p)
{
    gn_wino w;
    if (gn_wino_backward(p, &w))
        return gn_wino_scratch_bytes(&w);
    gn_conv_taps t;
    gn_conv_taps_backward(p, &t);
    return gn_conv_taps_scratch_bytes(&t);
}

void gn_conv_bwd_data_task(const gn_conv_bwd_data *call, int task, void *scratch)
{
    const gn_conv_taps_call taps_call = {call->ddst,  call->packed, call->accumulate ? call->dsrc : NULL,
                                         call->zeros, call->dsrc,   {-INFINITY, INFINITY},
                                         {0}};
    gn_wino w;
    if (gn_wino_backward(&call->p, &w)) {
        gn_wino_task(&w, &taps_call, task, scratch);
        return;
    }
    gn_conv_taps t;
    gn_conv_taps_backward(&call->p, &t);
    gn_conv_taps_task(&t, &taps_call, task, scratch);
}
