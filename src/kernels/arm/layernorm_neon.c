/* Layer normalisation for NEON: the template of vec_layernorm.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_layernorm.inc"
