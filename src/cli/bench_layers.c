/* Layers beside the machine's peak, as a table and as JSON.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/bench_layers.h"

#include "cli/cli_args.h"

#define MIB (1024.0 * 1024)

static double per_second(double amount, double ms)
{
    return ms > 0 ? amount / (ms * 1e-3) : 0;
}

static const char *bound_name(const gn_layer_time *l)
{
    return l->compute_ms >= l->memory_ms ? "compute" : "memory";
}

static void print_peak(const gn_device_peak *peak)
{
    gn_cli_print("  peak: %.0f GFLOP/s;", peak->flop_per_s * 1e-9);
    for (int i = 0; i < GN_PEAK_SIZES; i++) {
        const struct gn_memory_peak *m = &peak->memory[i];
        gn_cli_print(" %.3g MiB read %.0f, copied %.0f GB/s%s", m->bytes / MIB, m->read_per_s * 1e-9,
                     m->copy_per_s * 1e-9, i + 1 < GN_PEAK_SIZES ? ";" : "\n");
    }
}

static void print_layer(const gn_layer_times *t, const gn_layer_time *l)
{
    const double flop_per_s = per_second(2 * (double)l->info.macs, l->ms);
    const double bytes = (double)(l->info.weight_bytes + l->info.data_bytes);
    gn_cli_print("  %-28.28s %-34.34s %-16.16s %8.4f %5.1f%% %9.2f %8.3f %7.1f %5.1f%% %7.1f %-7s %5.1f%%\n",
                 l->info.name, l->info.shape, l->info.kernel.name[0] ? l->info.kernel.name : l->info.op, l->ms,
                 100 * l->ms / t->ms, (double)l->info.macs * 1e-6, bytes / MIB, flop_per_s * 1e-9,
                 100 * flop_per_s / t->peak.flop_per_s, per_second(bytes, l->ms) * 1e-9, bound_name(l),
                 100 * gn_layer_bound_ms(l) / l->ms);
}

static void print_kinds(const gn_layer_times *t)
{
    gn_cli_print("  %-28s %6s %8s %6s %9s %8s %7s %6s %7s %6s\n", "kind", "layers", "ms", "share", "MMAC", "MiB",
                 "GFLOP/s", "peak", "GB/s", "bound");
    for (int i = 0; i < GN_STEP_KINDS; i++) {
        const gn_kind_time *k = &t->kinds[i];
        const double flop_per_s = per_second(2 * (double)k->macs, k->ms);
        if (k->layers > 0)
            gn_cli_print("  %-28s %6d %8.4f %5.1f%% %9.2f %8.3f %7.1f %5.1f%% %7.1f %5.1f%%\n", gn_step_kind_name(i),
                         k->layers, k->ms, 100 * k->ms / t->ms, (double)k->macs * 1e-6, (double)k->bytes / MIB,
                         flop_per_s * 1e-9, 100 * flop_per_s / t->peak.flop_per_s,
                         per_second((double)k->bytes, k->ms) * 1e-9, 100 * k->bound_ms / k->ms);
    }
}

void gn_bench_layers_print(const gn_layer_times *times)
{
    print_peak(&times->peak);
    gn_cli_print("  %-28s %-34s %-16s %8s %6s %9s %8s %7s %6s %7s %-7s %6s\n", "step", "shape", "kernel", "ms", "share",
                 "MMAC", "MiB", "GFLOP/s", "peak", "GB/s", "bound", "of it");
    for (int i = 0; i < times->n; i++)
        print_layer(times, &times->layers[i]);
    print_kinds(times);
}

static void json_layer(gn_jsonw *j, const gn_layer_times *t, const gn_layer_time *l)
{
    const double flop_per_s = per_second(2 * (double)l->info.macs, l->ms);
    gn_jsonw_object(j, NULL);
    gn_jsonw_str(j, "name", l->info.name);
    gn_jsonw_str(j, "op", l->info.op);
    gn_jsonw_str(j, "kind", gn_step_kind_name(l->info.kind));
    gn_jsonw_str(j, "shape", l->info.shape);
    gn_jsonw_str(j, "kernel", l->info.kernel.name);
    gn_jsonw_num(j, "ms", l->ms);
    gn_jsonw_int(j, "macs", l->info.macs);
    gn_jsonw_int(j, "weight_bytes", l->info.weight_bytes);
    gn_jsonw_int(j, "data_bytes", l->info.data_bytes);
    gn_jsonw_num(j, "gflops", flop_per_s * 1e-9);
    gn_jsonw_num(j, "of_peak", flop_per_s / t->peak.flop_per_s);
    gn_jsonw_num(j, "gb_per_s", per_second((double)(l->info.weight_bytes + l->info.data_bytes), l->ms) * 1e-9);
    gn_jsonw_str(j, "bound", bound_name(l));
    gn_jsonw_num(j, "bound_ms", gn_layer_bound_ms(l));
    gn_jsonw_end(j);
}

void gn_bench_layers_json(gn_jsonw *j, const gn_layer_times *times)
{
    gn_jsonw_object(j, "peak");
    gn_jsonw_num(j, "gflops", times->peak.flop_per_s * 1e-9);
    gn_jsonw_array(j, "memory");
    for (int i = 0; i < GN_PEAK_SIZES; i++) {
        gn_jsonw_object(j, NULL);
        gn_jsonw_num(j, "bytes", times->peak.memory[i].bytes);
        gn_jsonw_num(j, "read_gb_per_s", times->peak.memory[i].read_per_s * 1e-9);
        gn_jsonw_num(j, "copy_gb_per_s", times->peak.memory[i].copy_per_s * 1e-9);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_end(j);
    gn_jsonw_object(j, "kinds");
    for (int i = 0; i < GN_STEP_KINDS; i++) {
        const gn_kind_time *k = &times->kinds[i];
        if (k->layers == 0)
            continue;
        gn_jsonw_object(j, gn_step_kind_name(i));
        gn_jsonw_int(j, "layers", k->layers);
        gn_jsonw_num(j, "ms", k->ms);
        gn_jsonw_num(j, "bound_ms", k->bound_ms);
        gn_jsonw_int(j, "macs", k->macs);
        gn_jsonw_int(j, "bytes", k->bytes);
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
    gn_jsonw_array(j, "layers");
    for (int i = 0; i < times->n; i++)
        json_layer(j, times, &times->layers[i]);
    gn_jsonw_end(j);
}
