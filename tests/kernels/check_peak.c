/* Peak arithmetic rate of one core: independent fused multiply-adds on registers.
 * SPDX-License-Identifier: Apache-2.0 */
#include "check_peak.h"

#include <stdint.h>

#include "base/clock.h"
#include "base/cpu.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define CHAINS 12

__attribute__((target("avx512f"))) static float burn_avx512(int rounds)
{
    __m512 a[CHAINS];
    const __m512 x = _mm512_set1_ps(0.999F), y = _mm512_set1_ps(1e-3F);
    for (int i = 0; i < CHAINS; i++)
        a[i] = _mm512_set1_ps((float)i);
    for (int r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm512_fmadd_ps(a[i], x, y);
    __m512 sum = a[0];
    for (int i = 1; i < CHAINS; i++)
        sum = _mm512_add_ps(sum, a[i]);
    return _mm512_reduce_add_ps(sum);
}

__attribute__((target("avx2,fma"))) static float burn_avx2(int rounds)
{
    __m256 a[CHAINS];
    const __m256 x = _mm256_set1_ps(0.999F), y = _mm256_set1_ps(1e-3F);
    for (int i = 0; i < CHAINS; i++)
        a[i] = _mm256_set1_ps((float)i);
    for (int r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            a[i] = _mm256_fmadd_ps(a[i], x, y);
    __m256 sum = a[0];
    for (int i = 1; i < CHAINS; i++)
        sum = _mm256_add_ps(sum, a[i]);
    return _mm256_cvtss_f32(sum);
}

double check_peak_gflops(void)
{
    const gn_cpu_level level = gn_cpu_detected();
    if (level < GN_CPU_AVX2)
        return 0;
    const int rounds = 20000;
    const double lanes = level >= GN_CPU_AVX512 ? 16 : 8;
    volatile float keep = 0;
    double best = 0;
    for (int i = 0; i < 200; i++) {
        const int64_t t0 = gn_now_ns();
        keep = level >= GN_CPU_AVX512 ? burn_avx512(rounds) : burn_avx2(rounds);
        const double gflops = 2 * lanes * CHAINS * rounds / (double)(gn_now_ns() - t0);
        best = gflops > best ? gflops : best;
    }
    (void)keep;
    return best;
}
#else
double check_peak_gflops(void)
{
    return 0;
}
#endif
