/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3) and what is
 * drawn from it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <math.h>
#include <string.h>

#define PHILOX_M0     0xD2511F53u
#define PHILOX_M1     0xCD9E8D57u
#define PHILOX_W0     0x9E3779B9u /* golden ratio */
#define PHILOX_W1     0xBB67AE85u /* sqrt(3) - 1 */
#define PHILOX_ROUNDS 10
#define TWO_PI        6.283185307179586476925286766559

void gn_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        const uint64_t p0 = (uint64_t)PHILOX_M0 * c0;
        const uint64_t p1 = (uint64_t)PHILOX_M1 * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The same with the lanes innermost, for the compiler to make vectors of. */
void gn_philox_lanes(uint64_t first, const uint32_t key[2], uint32_t out[4 * GN_PHILOX_LANES])
{
    uint32_t c0[GN_PHILOX_LANES], c1[GN_PHILOX_LANES], c2[GN_PHILOX_LANES] = {0}, c3[GN_PHILOX_LANES] = {0};
    uint32_t k0 = key[0], k1 = key[1];
    for (int i = 0; i < GN_PHILOX_LANES; i++) {
        c0[i] = (uint32_t)(first + (uint64_t)i);
        c1[i] = (uint32_t)((first + (uint64_t)i) >> 32);
    }
    for (int round = 0; round < PHILOX_ROUNDS; round++) {
        for (int i = 0; i < GN_PHILOX_LANES; i++) {
            const uint64_t p0 = (uint64_t)PHILOX_M0 * c0[i];
            const uint64_t p1 = (uint64_t)PHILOX_M1 * c2[i];
            c0[i] = (uint32_t)(p1 >> 32) ^ c1[i] ^ k0;
            c2[i] = (uint32_t)(p0 >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)p1;
            c3[i] = (uint32_t)p0;
        }
        k0 += PHILOX_W0;
        k1 += PHILOX_W1;
    }
    for (int i = 0; i < GN_PHILOX_LANES; i++) {
        out[4 * i] = c0[i];
        out[4 * i + 1] = c1[i];
        out[4 * i + 2] = c2[i];
        out[4 * i + 3] = c3[i];
    }
}

void gn_rng_init(gn_rng *rng, uint64_t seed, uint64_t stream)
{
    memset(rng, 0, sizeof *rng);
    rng->key[0] = (uint32_t)seed;
    rng->key[1] = (uint32_t)(seed >> 32);
    rng->counter[2] = (uint32_t)stream;
    rng->counter[3] = (uint32_t)(stream >> 32);
    rng->used = 4;
}

/* The splitmix64 finaliser (Steele, Lea, Flood 2014). */
static uint64_t mix64(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

uint64_t gn_rng_mix(uint64_t a, uint64_t b)
{
    return mix64(mix64(a + UINT64_C(0x9E3779B97F4A7C15)) + b * UINT64_C(0x9E3779B97F4A7C15) + 1);
}

uint32_t gn_rng_u32(gn_rng *rng)
{
    if (rng->used >= 4) {
        gn_philox(rng->counter, rng->key, rng->block);
        if (++rng->counter[0] == 0)
            rng->counter[1]++;
        rng->used = 0;
    }
    return rng->block[rng->used++];
}

uint64_t gn_rng_u64(gn_rng *rng)
{
    const uint64_t low = gn_rng_u32(rng);
    return (uint64_t)gn_rng_u32(rng) << 32 | low;
}

double gn_rng_uniform(gn_rng *rng)
{
    return (double)(gn_rng_u64(rng) >> 11) * 0x1p-53;
}

float gn_rng_range(gn_rng *rng, float lo, float hi)
{
    const float x = (float)(lo + ((double)hi - (double)lo) * gn_rng_uniform(rng));
    /* Rounding to float may reach hi. */
    return x < hi || hi <= lo ? x : nextafterf(hi, lo);
}

int64_t gn_rng_below(gn_rng *rng, int64_t n)
{
    const uint64_t range = (uint64_t)n;
    /* Numbers from the largest multiple of n on are thrown away, else the small residues would come too often. */
    const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
    uint64_t x = gn_rng_u64(rng);
    while (x >= limit)
        x = gn_rng_u64(rng);
    return (int64_t)(x % range);
}

double gn_rng_normal(gn_rng *rng)
{
    const double u = 1.0 - gn_rng_uniform(rng); /* (0,1]: the logarithm stays finite */
    const double v = gn_rng_uniform(rng);
    return sqrt(-2.0 * log(u)) * cos(TWO_PI * v);
}

void gn_rng_shuffle(gn_rng *rng, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = gn_rng_below(rng, i + 1);
        const int64_t kept = items[i];
        items[i] = items[j];
        items[j] = kept;
    }
}
