/* Pooling for NEON: the template of vec_pooling.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_pooling.inc"
