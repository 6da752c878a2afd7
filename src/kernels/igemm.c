/* Chooses the micro-kernels of convolution for the CPU level in force.
 * SPDX-License-Identifier: Apache-2.0 */
#include "kernels/igemm.h"

static const gn_igemm sets[] = {
#define GN_IGEMM(level, mr, vec, rows, offsets, outer, fence) {level, mr, vec, rows, offsets, outer, fence},
#include "kernels/f32_igemm.def"
};

const gn_igemm *gn_igemm_current(void)
{
    const gn_cpu_level level = gn_cpu_current();
    const gn_igemm *best = &sets[0];
    for (size_t i = 1; i < sizeof sets / sizeof sets[0]; i++)
        if (sets[i].level <= level)
            best = &sets[i];
    return best;
}
