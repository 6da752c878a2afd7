/* Initial weights.  They depend on (seed, tensor name) only, never on the order in which a network is built:
 *   h = FNV-1a-64(name); block j of the stream = Philox4x32-10 with key (low, high word of seed) and counter
 *   (low, high word of j; low, high word of h); u(k) = ((word[2k+1] << 32 | word[2k]) >> 11) * 2^-53 over all words of the stream;
 *   uniform: x[i] = -bound + 2*bound*u(i);
 *   normal:  x[i] = deviation * sqrt(-2 ln(1 - u(2i))) * cos(2 pi u(2i+1));
 * both in double, rounded to f32.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_ZOO_WEIGHT_INIT_H
#define GN_ZOO_WEIGHT_INIT_H

#include "tensor/tensor.h"

/* Fill an f32 tensor. */
void gn_init_uniform(gn_tensor *tensor, uint64_t seed, const char *name, double bound);
void gn_init_normal(gn_tensor *tensor, uint64_t seed, const char *name, double deviation);
void gn_init_constant(gn_tensor *tensor, float x);

#endif
