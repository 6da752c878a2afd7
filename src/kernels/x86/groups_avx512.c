/* Products of grouped convolution for AVX-512: the template of vec_groups.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx512
#include "kernels/vec_groups.inc"
