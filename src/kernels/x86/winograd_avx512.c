/* Transforms of Winograd's convolution for AVX-512: the template of vec_winograd.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx512
#include "kernels/vec_winograd.inc"
