/* Which elements Dropout keeps: a function of (seed, step, node, logical plain index) only, so that every backend, layout and
 * number of threads agrees.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_OPS_DROPOUT_H
#define GN_OPS_DROPOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"

/* The graph input, s64 [2] = {seed, step}, from which all DropoutTrain nodes draw. */
#define GN_DROPOUT_RNG_INPUT "train.rng"

/* Philox key of a node in a step; node_seed is the node's attribute "seed". */
static inline void gn_dropout_key(uint64_t seed, uint64_t step, uint64_t node_seed, uint32_t key[2])
{
    const uint64_t mixed = gn_rng_mix(gn_rng_mix(seed, step), node_seed);
    key[0] = (uint32_t)mixed;
    key[1] = (uint32_t)(mixed >> 32);
}

/* Random words of elements 4*block .. 4*block+3; element i is kept when (word >> 8) * 2^-24 >= ratio. */
static inline void gn_dropout_block(const uint32_t key[2], int64_t block, uint32_t words[4])
{
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)((uint64_t)block >> 32), 0, 0};
    gn_philox(counter, key, words);
}

static inline bool gn_dropout_word_keeps(uint32_t word, float ratio)
{
    return (float)(word >> 8) * 0x1p-24f >= ratio;
}

static inline bool gn_dropout_keeps(const uint32_t key[2], int64_t i, float ratio)
{
    uint32_t words[4];
    gn_dropout_block(key, i / 4, words);
    return gn_dropout_word_keeps(words[i % 4], ratio);
}

#endif
