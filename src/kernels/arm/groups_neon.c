/* Products of grouped convolution for NEON: the template of vec_groups.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_groups.inc"
