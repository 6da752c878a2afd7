/* Peak of arithmetic and of memory in AVX2 with FMA: the template of vec_machine_peak.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__avx2
#include "kernels/vec_machine_peak.inc"
