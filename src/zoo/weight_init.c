/* Initial weights from the counter-based generator, by tensor name.
 * SPDX-License-Identifier: Apache-2.0 */
#include "zoo/weight_init.h"

#include <string.h>

#include "base/file.h"
#include "base/rng.h"

static gn_rng stream_of(uint64_t seed, const char *name)
{
    gn_rng rng;
    gn_rng_init(&rng, seed, gn_hash64(name, strlen(name), 0));
    return rng;
}

void gn_init_uniform(gn_tensor *tensor, uint64_t seed, const char *name, double bound)
{
    gn_rng rng = stream_of(seed, name);
    float *x = tensor->data;
    const int64_t n = gn_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(-bound + 2 * bound * gn_rng_uniform(&rng));
}

void gn_init_normal(gn_tensor *tensor, uint64_t seed, const char *name, double deviation)
{
    gn_rng rng = stream_of(seed, name);
    float *x = tensor->data;
    const int64_t n = gn_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)(deviation * gn_rng_normal(&rng));
}

void gn_init_constant(gn_tensor *tensor, float x)
{
    float *dst = tensor->data;
    const int64_t n = gn_tensor_count(tensor);
    for (int64_t i = 0; i < n; i++)
        dst[i] = x;
}
