/* What the CPU can do at most with the threads of a device: bursts of multiply-adds, of reading and of copying; the best burst counts.
 * SPDX-License-Identifier: Apache-2.0 */
#include "backend/cpu/cpu_internal.h"
#include "base/clock.h"
#include "kernels/machine_peak.h"

enum { BURN_ROUNDS = 20000, BURN_BURSTS = 60, MOVE_BURSTS = 9 };
#define BURST_BYTES (8.0 * 1024 * 1024) /* moved by one burst of one thread, at least */
#define MOST_BYTES  ((size_t)128 * 1024 * 1024)

typedef struct burst {
    float *memory;
    size_t per_thread; /* floats, a multiple of 128 */
    int passes;
    enum { BURN, READ, COPY } kind;
    volatile float *sink; /* [tasks] */
} burst;

static void burst_task(void *ctx, int task, int thread)
{
    const burst *b = ctx;
    float *at = b->memory + (size_t)task * b->per_thread;
    const size_t half = b->per_thread / 2;
    (void)thread;
    if (b->kind == BURN)
        b->sink[task] = gn_peak_burn(BURN_ROUNDS);
    for (int i = 0; i < b->passes; i++)
        if (b->kind == READ)
            b->sink[task] = gn_peak_read(at, b->per_thread);
        else
            gn_peak_copy(at + (i % 2 ? half : 0), at + (i % 2 ? 0 : half), half);
}

/* Least seconds of a burst on all threads. */
static double least_seconds(gn_device *device, burst *b, int bursts)
{
    double least = 0;
    for (int i = 0; i < bursts; i++) {
        const int64_t begin = gn_now_ns();
        gn_pool_run(device->pool, device->n_threads, burst_task, b);
        const double seconds = (double)(gn_now_ns() - begin) * 1e-9;
        if (i == 0 || seconds < least)
            least = seconds;
    }
    return least;
}

/* 128 KiB (first-level caches) to 128 MiB (memory), in fourfold steps. */
static void measure_memory(gn_device *device, burst *b, gn_device_peak *peak)
{
    size_t bytes = MOST_BYTES;
    for (int i = GN_PEAK_SIZES - 1; i >= 0; i--, bytes /= 4) {
        b->per_thread = bytes / sizeof(float) / (size_t)device->n_threads / 128 * 128;
        const double all = (double)(b->per_thread * sizeof(float)) * device->n_threads;
        b->passes = (int)(BURST_BYTES * device->n_threads / all) + 1;
        peak->memory[i].bytes = all;
        b->kind = READ;
        peak->memory[i].read_per_s = all * b->passes / least_seconds(device, b, MOVE_BURSTS);
        b->kind = COPY;
        peak->memory[i].copy_per_s = all * b->passes / least_seconds(device, b, MOVE_BURSTS);
    }
}

gn_status gn_cpu_measure_peak(gn_device *device, gn_device_peak *peak_out, gn_error *err)
{
    gn_device_peak peak = {0};
    float *memory = gn_calloc(MOST_BYTES / sizeof(float), sizeof *memory);
    float *sink = gn_calloc((size_t)device->n_threads, sizeof *sink);
    if (memory && sink) {
        burst b = {.memory = memory, .passes = 0, .kind = BURN, .sink = sink};
        const double seconds = least_seconds(device, &b, BURN_BURSTS);
        peak.flop_per_s = gn_peak_flop(BURN_ROUNDS) * device->n_threads / seconds;
        measure_memory(device, &b, &peak);
        *peak_out = peak;
    }
    const bool is_done = memory && sink;
    gn_free(memory);
    gn_free(sink);
    return is_done ? GN_OK : gn_fail(err, GN_ENOMEM, "no memory to measure the machine's peak");
}
