/* Peak of arithmetic and of memory in AVX-512: the template of vec_machine_peak.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx512
#include "kernels/vec_machine_peak.inc"
