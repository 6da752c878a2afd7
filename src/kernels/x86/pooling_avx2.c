/* Pooling for AVX2: the template of vec_pooling.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx2
#include "kernels/vec_pooling.inc"
