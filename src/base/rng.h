/* Counter-based random numbers (Philox4x32-10, Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the n-th
 * number of a stream depends on (seed, stream, n) only, never on who asked before.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_RNG_H
#define GN_BASE_RNG_H

#include <stdint.h>

typedef struct gn_rng {
    uint32_t key[2];
    uint32_t counter[4];
    uint32_t block[4];
    int used; /* of block: 4 = empty */
} gn_rng;

/* key = seed; counter words 2,3 = stream; words 0,1 count blocks from 0. */
void gn_rng_init(gn_rng *rng, uint64_t seed, uint64_t stream);
/* Stream for a pair or triple, e.g. (epoch, index): a 64-bit mix (splitmix64 finaliser). */
uint64_t gn_rng_mix(uint64_t a, uint64_t b);
uint32_t gn_rng_u32(gn_rng *rng);
uint64_t gn_rng_u64(gn_rng *rng);
double gn_rng_uniform(gn_rng *rng);                          /* [0,1), 53 bits */
float gn_rng_range(gn_rng *rng, float lo, float hi);         /* [lo,hi) */
int64_t gn_rng_below(gn_rng *rng, int64_t n);                /* 0..n-1, unbiased; n > 0 */
double gn_rng_normal(gn_rng *rng);                           /* mean 0, deviation 1 (Box-Muller, cosine branch) */
void gn_rng_shuffle(gn_rng *rng, int64_t *items, int64_t n); /* Fisher-Yates */
/* One Philox4x32-10 block, for kernels that need numbers by index. */
void gn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
/* Blocks first .. first+GN_PHILOX_LANES-1 of the counters whose upper words are 0, one behind the other. */
enum { GN_PHILOX_LANES = 8 };
void gn_philox_lanes(uint64_t first, const uint32_t key[2], uint32_t out[4 * GN_PHILOX_LANES]);

#endif
