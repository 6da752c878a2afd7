/* The kernels of forward convolutions by name, for whoever shows, measures or fixes them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "backend/cpu/cpu_internal.h"

_Static_assert(GN_CONV_CHOICE_NAME_BYTES <= GN_KERNEL_NAME_BYTES, "a choice's name fits");

enum { CHOICES_MAX = 64 };

static gn_step_kernel kernel_of(gn_conv_choice choice)
{
    gn_step_kernel kernel = {.work = gn_conv_choice_work(choice)};
    gn_conv_choice_name(choice, kernel.name);
    return kernel;
}

void gn_cpu_conv_kernel(const gn_cpu_step *step, gn_step_kernel *kernel_out)
{
    *kernel_out = kernel_of(gn_conv_fwd_chosen(&step->p.conv, 0));
}

int gn_cpu_conv_choices(const gn_exec *exec, const gn_cpu_step *step, gn_step_kernel *choices, int max)
{
    gn_conv_choice list[CHOICES_MAX];
    const int n = gn_conv_fwd_choices(&step->p.conv, step->src_is_plain, exec->device->n_threads, list,
                                      max < CHOICES_MAX ? max : CHOICES_MAX);
    for (int i = 0; i < n; i++)
        choices[i] = kernel_of(list[i]);
    return n;
}

gn_status gn_cpu_conv_check_choice(const gn_exec *exec, const gn_cpu_step *step, const char *name,
                                   gn_conv_choice *choice_out, gn_error *err)
{
    gn_conv p = step->p.conv;
    gn_conv_choice choice;
    if (!gn_conv_choice_parse(name, &choice) || !gn_conv_fwd_takes(&p, step->src_is_plain, choice))
        return gn_fail(err, GN_EINVAL, "node %s: there is no kernel '%s' for %dx%dx%d to %dx%dx%d by %dx%d",
                       step->node->name, name, p.C, p.H, p.W, p.K, p.P, p.Q, p.R, p.S);
    p.choice = choice;
    *choice_out = gn_conv_fwd_chosen(&p, exec->device->n_threads);
    return GN_OK;
}
