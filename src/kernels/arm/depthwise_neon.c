/* Depthwise convolution for NEON: the template of vec_depthwise.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_depthwise.inc"
