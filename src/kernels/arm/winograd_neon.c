/* Transforms of Winograd's convolution for NEON: the template of vec_winograd.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_winograd.inc"
