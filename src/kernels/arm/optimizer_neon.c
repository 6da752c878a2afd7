/* Optimiser steps for NEON: the template of vec_optimizer.inc.
 * SPDX-License-Identifier: Apache-2.0 */
#define GN_VEC(name) name##__neon
#include "kernels/vec_optimizer.inc"
