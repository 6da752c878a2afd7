/* Products of grouped convolution for AVX2: the template of vec_groups.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx2
#include "kernels/vec_groups.inc"
