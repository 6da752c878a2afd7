/* Batch normalisation for NEON: the template of vec_batchnorm.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_batchnorm.inc"
