/* Layer normalisation for AVX2: the template of vec_layernorm.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx2
#include "kernels/vec_layernorm.inc"
