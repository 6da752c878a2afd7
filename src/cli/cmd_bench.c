/* gannet bench: latency, memory and throughput of models on this machine.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/cpu.h"
#include "cli/bench_layers.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/kernel_options.h"
#include "cli/model_source.h"
#include "gannet/image_api.h"
#include "gannet/measure_api.h"
#include "gannet/run_api.h"

static const gn_opt options[] = {
    {.name = "target",
     .type = GN_OPT_STRING,
     .metavar = "URI",
     .init = "cpu",
     .group = "Measurement",
     .help = "whose latency: cpu or cpu?threads=N"},
    GN_OPT_ROW_THREADS,
    {.name = "batch",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "1",
     .min = 1,
     .max = 4096,
     .help = "pictures per run of the network"},
    {.name = "runs",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "50",
     .min = 1,
     .max = 20000,
     .help = "at least so many runs"},
    {.name = "seconds", .type = GN_OPT_DURATION, .init = "1s", .min = 0, .max = 3600, .help = "at least so long"},
    {.name = "warmup", .type = GN_OPT_DURATION, .init = "200ms", .min = 0, .max = 600, .help = "warm-up, at least"},
    {.name = "image",
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .help = "picture for the whole way (default: a synthetic one of 640 x 480)"},
    {.name = "wait",
     .type = GN_OPT_DURATION,
     .init = "10s",
     .min = 0,
     .max = 86400,
     .help = "wait so long for other gannet processes that train or measure"},
    {.name = "layers", .type = GN_OPT_FLAG, .help = "also each layer: time, kernel, rates beside the machine's peak"},
    GN_OPT_ROWS_KERNELS,
    {.name = "plan-out", .type = GN_OPT_STRING, .metavar = "FILE", .help = "write the kernels in use as a plan"},
    {.name = "print-plan", .type = GN_OPT_FLAG, .help = "print that plan and measure nothing else"},
    GN_OPT_ROWS_MODEL,
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "bench",
    .usage = "MODEL... [--target URI] [--threads N] [options]",
    .about = "Measures the latency of ONNX files or networks of the zoo (with random weights) on this machine: "
             "warm-up, then at\n"
             "least 50 runs and one second of the network alone, then of the whole way from a decoded picture to "
             "boxes.  Nothing\n"
             "else of Gannet may train or measure meanwhile.  When the machine throttled, the exit code is 5.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = -1,
    .examples = "  gannet bench best.onnx --threads 1\n"
                "  gannet bench mobilenet_v2 resnet18 squeezenet1_1 --imgsz 224 --target cpu?threads=2 --json\n",
};

typedef struct result {
    const char *model;
    const char *cpu_level;
    gn_latency latency;
    gn_kernels_used kernels;
    gn_layer_times *layers; /* or NULL */
} result;

/* ---- measuring ---- */

static gn_latency_options latency_options(const gn_args *args, const gn_image *image)
{
    gn_latency_options o = gn_latency_default_options();
    o.batch = gn_args_int(args, "batch");
    o.min_runs = gn_args_int(args, "runs");
    o.min_seconds = gn_args_double(args, "seconds");
    o.warmup_seconds = gn_args_double(args, "warmup");
    o.image = image->data ? image : NULL;
    return o;
}

/* --plan-out and --print-plan. */
static gn_status tell_plan(const gn_args *args, const gn_session *session, gn_error *err)
{
    gn_kernel_plan *plan = NULL;
    gn_text text;
    if (!gn_args_has(args, "plan-out") && !gn_args_flag(args, "print-plan"))
        return GN_OK;
    GN_TRY(gn_kernel_plan_of(session, &plan, err));
    gn_text_init(&text);
    gn_status status = GN_OK;
    if (gn_args_has(args, "plan-out"))
        status = gn_kernel_plan_write(plan, gn_args_str(args, "plan-out"), err);
    if (status == GN_OK && gn_args_flag(args, "print-plan")) {
        status = gn_kernel_plan_text(plan, &text);
        if (status == GN_OK)
            gn_cli_print("%s", text.data);
        else
            gn_fail(err, status, "no memory to print the plan of kernels");
    }
    gn_text_deinit(&text);
    gn_kernel_plan_destroy(&plan);
    return status;
}

/* The session lives in *session_out until the result has been shown, since its layers name nodes of it. */
/* lock: taken before the first measurement, when the model is known to be fine, and kept for the next ones. */
static gn_status measure_model(const gn_args *args, const char *model, int threads, const gn_image *image,
                               gn_machine_lock **lock, result *r, gn_session **session_out, gn_error *err)
{
    gn_graph *graph = NULL;
    GN_TRY(gn_cli_model_load(model, args, &graph, err));
    GN_TRY(gn_session_take_graph(&graph, &(gn_session_options){.threads = threads}, session_out, err));
    gn_latency_options o = latency_options(args, image);
    r->model = model;
    r->cpu_level = gn_cpu_level_name(gn_cpu_current());
    GN_TRY(gn_session_prepare(*session_out, 1, err));
    GN_TRY(gn_session_prepare(*session_out, o.batch, err));
    if (!*lock)
        GN_TRY(gn_machine_lock_take(GN_MACHINE_MEASURE, gn_args_double(args, "wait"), lock, err));
    GN_TRY(gn_cli_choose_kernels(args, *session_out, &r->kernels, err));
    gn_session_release_weights(*session_out);
    GN_TRY(tell_plan(args, *session_out, err));
    if (gn_args_flag(args, "print-plan"))
        return GN_OK;
    GN_TRY(gn_measure_latency(*session_out, &o, &r->latency, err));
    if (gn_args_flag(args, "layers")) {
        GN_TRY(gn_session_prepare(*session_out, o.batch, err));
        GN_TRY(gn_measure_layers(*session_out, &r->layers, err));
    }
    return GN_OK;
}

/* ---- showing ---- */

static void json_quantiles(gn_jsonw *j, const char *key, const gn_quantiles *q)
{
    gn_jsonw_object(j, key);
    gn_jsonw_num(j, "min", q->min);
    gn_jsonw_num(j, "p50", q->p50);
    gn_jsonw_num(j, "p90", q->p90);
    gn_jsonw_num(j, "p99", q->p99);
    gn_jsonw_num(j, "mean", q->mean);
    gn_jsonw_end(j);
}

static void json_state(gn_jsonw *j, const char *key, const gn_machine_state *s)
{
    gn_jsonw_object(j, key);
    gn_jsonw_num(j, "clock_mhz", s->clock_mhz);
    gn_jsonw_num(j, "temperature_c", s->temperature_c);
    gn_jsonw_int(j, "throttle_events", s->throttle_events);
    gn_jsonw_end(j);
}

/* A figure that not every machine gives. */
static void json_known(gn_jsonw *j, const char *key, double value)
{
    if (isfinite(value))
        gn_jsonw_num(j, key, value);
}

static void json_kernels(gn_jsonw *j, const gn_kernels_used *k)
{
    gn_jsonw_str(j, "kernels", k->is_planned ? "plan" : k->from_cache ? "cache" : k->is_tuned ? "tuned" : "model");
    if (!k->is_tuned || k->from_cache)
        return;
    gn_jsonw_object(j, "tuning");
    gn_jsonw_int(j, "layers", k->tuning.layers);
    gn_jsonw_int(j, "distinct", k->tuning.distinct);
    gn_jsonw_int(j, "kernels", k->tuning.kernels);
    gn_jsonw_int(j, "changed", k->tuning.changed);
    gn_jsonw_num(j, "model_ms", k->tuning.model_ms);
    gn_jsonw_num(j, "tuned_ms", k->tuning.tuned_ms);
    gn_jsonw_num(j, "best_ms", k->tuning.best_ms);
    gn_jsonw_end(j);
}

static void json_result(gn_jsonw *j, const gn_args *args, const result *r)
{
    const gn_latency *l = &r->latency;
    gn_jsonw_str(j, "model", r->model);
    gn_jsonw_str(j, "target", gn_args_str(args, "target"));
    gn_jsonw_str(j, "cpu", gn_cpu_name());
    gn_jsonw_str(j, "cpu_level", r->cpu_level);
    gn_jsonw_int(j, "threads", l->threads);
    gn_jsonw_int(j, "batch", l->batch);
    gn_jsonw_bool(j, "valid", l->is_valid);
    if (!l->is_valid)
        gn_jsonw_str(j, "reason", l->reason);
    gn_jsonw_int(j, "warmup", l->warmup);
    gn_jsonw_int(j, "runs", l->runs);
    json_quantiles(j, "latency_ms", &l->network);
    if (l->has_total) {
        json_quantiles(j, "preprocess_ms", &l->preprocess);
        json_quantiles(j, "postprocess_ms", &l->postprocess);
        json_quantiles(j, "total_ms", &l->total);
    }
    gn_jsonw_num(j, "images_per_s", l->images_per_s);
    gn_jsonw_num(j, "first_ms", l->first_ms);
    gn_jsonw_int(j, "peak_bytes", l->peak_bytes);
    gn_jsonw_int(j, "process_peak_bytes", l->process_peak_bytes);
    json_known(j, "energy_mj", l->energy_mj);
    json_known(j, "clock_mhz", l->clock_mhz);
    json_known(j, "clock_min_mhz", l->clock_min_mhz);
    json_known(j, "clock_max_mhz", l->clock_max_mhz);
    json_known(j, "temperature_c", l->temperature_c);
    json_kernels(j, &r->kernels);
    json_state(j, "before", &l->before);
    json_state(j, "after", &l->after);
    if (r->layers)
        gn_bench_layers_json(j, r->layers);
}

static void say_quantiles(const char *name, const gn_quantiles *q)
{
    gn_cli_print("  %-12s %9.3f %9.3f %9.3f %9.3f\n", name, q->min, q->p50, q->p90, q->p99);
}

static void say_kernels(const gn_kernels_used *k)
{
    const gn_tuning *t = &k->tuning;
    if (k->is_planned)
        gn_cli_print("  kernels of the given plan\n");
    else if (k->from_cache)
        gn_cli_print("  kernels measured before on this machine\n");
    else if (k->is_tuned)
        gn_cli_print("  tuned: %d kernels for %d different layers, another one for %d of them, %.3f ms to %.3f ms\n",
                     t->kernels, t->distinct, t->changed, t->model_ms, t->tuned_ms);
}

static void say_result(const result *r)
{
    const gn_latency *l = &r->latency;
    char bytes[32];
    gn_format_bytes((uint64_t)l->peak_bytes, bytes);
    gn_cli_print("%s on cpu (%s), %d thread%s, batch %d, %d runs after %d for warm-up\n", r->model, r->cpu_level,
                 l->threads, l->threads == 1 ? "" : "s", l->batch, l->runs, l->warmup);
    gn_cli_print("  %-12s %9s %9s %9s %9s\n", "ms", "min", "p50", "p90", "p99");
    say_quantiles("network", &l->network);
    if (l->has_total) {
        say_quantiles("preprocess", &l->preprocess);
        say_quantiles("postprocess", &l->postprocess);
        say_quantiles("total", &l->total);
    }
    say_kernels(&r->kernels);
    gn_cli_print("  %.1f pictures/s, %s of memory, first run %.1f ms\n", l->images_per_s, bytes, l->first_ms);
    if (isfinite(l->energy_mj))
        gn_cli_print("  %.3g mJ a picture\n", l->energy_mj);
    if (isfinite(l->clock_mhz))
        gn_cli_print("  clock %.0f MHz (%.0f to %.0f)\n", l->clock_mhz, l->clock_min_mhz, l->clock_max_mhz);
    if (isfinite(l->temperature_c))
        gn_cli_print("  at most %.1f degrees Celsius\n", l->temperature_c);
    if (!l->is_valid)
        gn_cli_print("  INVALID: %s\n", l->reason);
    if (r->layers)
        gn_bench_layers_print(r->layers);
}

/* ---- the verb ---- */

static gn_status bench_all(const gn_args *args, int threads, const gn_image *image, gn_machine_lock **lock, gn_jsonw *j,
                           bool *is_valid, gn_error *err)
{
    int n = gn_args_n_positional(args);
    bool is_json = gn_args_flag(args, "json") && !gn_args_flag(args, "print-plan");
    if (n > 1 && (gn_args_has(args, "plan") || gn_args_has(args, "plan-out") || gn_args_flag(args, "print-plan")))
        return gn_fail(err, GN_EUSAGE, "a plan of kernels is one model's: %d models were given", n);
    if (n > 1 && is_json)
        gn_jsonw_array(j, "models");
    for (int i = 0; i < n; i++) {
        result r = {0};
        gn_session *session = NULL;
        gn_status status = measure_model(args, gn_args_positional(args, i), threads, image, lock, &r, &session, err);
        if (status == GN_OK && is_json) {
            if (n > 1)
                gn_jsonw_object(j, NULL);
            json_result(j, args, &r);
            if (n > 1)
                gn_jsonw_end(j);
        } else if (status == GN_OK && !gn_args_flag(args, "print-plan")) {
            say_result(&r);
        }
        *is_valid = *is_valid && (status != GN_OK || r.latency.is_valid || gn_args_flag(args, "print-plan"));
        gn_layer_times_destroy(&r.layers);
        gn_session_close(&session);
        GN_TRY(status);
    }
    return GN_OK;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    gn_target target;
    gn_image image = {0};
    gn_machine_lock *lock = NULL;
    gn_jsonw j;
    gn_jsonw_init(&j);
    bool is_valid = true;
    gn_status status = gn_target_parse(gn_args_str(args, "target"), &target, &err);
    int threads =
        status == GN_OK && target.threads && !gn_args_is_set(args, "threads") ? target.threads : gn_cli_threads(args);
    if (status == GN_OK && gn_args_has(args, "image"))
        status = gn_image_load(gn_args_str(args, "image"), NULL, &image, &err);
    if (status == GN_OK)
        status = bench_all(args, threads, &image, &lock, &j, &is_valid, &err);
    gn_machine_lock_give(&lock);
    gn_image_deinit(&image);
    if (status == GN_OK && gn_args_flag(args, "json") && !gn_args_flag(args, "print-plan")) {
        status = gn_jsonw_print(&j);
        if (status != GN_OK)
            gn_fail(&err, status, "the result cannot be written to standard output");
    }
    gn_jsonw_deinit(&j);
    if (status != GN_OK)
        code = gn_cli_fail(args, &err);
    else if (!is_valid)
        code = gn_cli_exit_code(GN_EMEASURE);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_bench = {"bench", "latency, memory and throughput of models", "Look", run};
