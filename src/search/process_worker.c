/* One worker of a search from its arguments to the JSON object that it prints last; see process_worker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/process_worker.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/child.h"

/* Standard output of a worker is one JSON object. */
#define OUTPUT_MAX_BYTES ((size_t)4 << 20)

void gn_worker_arg(gn_worker_args *a, const char *text)
{
    if (text == NULL || a->n == GN_WORKER_MAX_ARGS)
        a->failed = true;
    else
        a->argv[a->n++] = text;
}

void gn_worker_option(gn_worker_args *a, const char *name, const char *value)
{
    gn_worker_arg(a, gn_arena_printf(a->arena, "--%s=%s", name, value));
}

gn_status gn_worker_config(gn_worker_args *a, const char *config, gn_error *err)
{
    const gn_json *root = NULL;
    GN_TRY(gn_json_parse(config, strlen(config), a->arena, &root, err));
    for (const gn_json *m = root->first; m != NULL; m = m->next)
        gn_worker_option(a, m->key, m->text);
    return GN_OK;
}
const gn_json *gn_worker_output(const char *path, gn_arena *arena)
{
    char *data = NULL;
    size_t bytes = 0;
    const gn_json *root = NULL;
    if (gn_file_read(path, OUTPUT_MAX_BYTES, &data, &bytes, NULL) != GN_OK)
        return NULL;
    while (bytes > 0 && (data[bytes - 1] == '\n' || data[bytes - 1] == '\r'))
        bytes--;
    size_t begin = bytes;
    while (begin > 0 && data[begin - 1] != '\n')
        begin--;
    /* An object that was printed over several lines begins with the first. */
    if (gn_json_parse(data + begin, bytes - begin, arena, &root, NULL) != GN_OK &&
        gn_json_parse(data, bytes, arena, &root, NULL) != GN_OK)
        root = NULL;
    gn_free(data);
    return root != NULL && root->kind == GN_JSON_OBJECT ? root : NULL;
}

double gn_worker_number(const gn_json *root, const char *path)
{
    double value = NAN;
    gn_json_number(root, path, &value);
    return value;
}

int64_t gn_worker_count(const gn_json *root, const char *path)
{
    const double value = gn_worker_number(root, path);
    return value >= 0 && value < 9e18 ? (int64_t)value : -1;
}

/* The 95% interval of a metric: "intervals": {name: [low, high]} or {name: {"low":, "high":}}. */
static void interval_at(const gn_json *root, const char *name, double *low, double *high)
{
    const gn_json *value = gn_json_member(gn_json_member(root, "intervals"), name);
    *low = *high = NAN;
    if (value == NULL)
        return;
    if (value->kind == GN_JSON_OBJECT) {
        *low = gn_worker_number(value, "low");
        *high = gn_worker_number(value, "high");
    } else if (value->kind == GN_JSON_ARRAY && value->first != NULL && value->first->next != NULL &&
               value->first->kind == GN_JSON_NUMBER && value->first->next->kind == GN_JSON_NUMBER) {
        *low = value->first->number;
        *high = value->first->next->number;
    }
}

void gn_worker_metrics(const gn_json *root, gn_metrics *out)
{
    static const char *const names[] = {"images", "map50",    "map75",           "map95", "map50_95", "precision",
                                        "recall", "mean_iou", "box_precision50", "top1",  "top5",     "loss"};
    gn_metrics_init(out);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        double low, high;
        const double value = gn_worker_number(root, names[i]);
        if (isnan(value))
            continue;
        interval_at(root, names[i], &low, &high);
        gn_metrics_add(out, names[i], value, low, high);
    }
    const int64_t best = gn_worker_count(root, "best_epoch");
    out->best_epoch = best > 0 ? best : 0;
    out->images_per_s = gn_worker_number(root, "images_per_s");
    out->seconds = gn_worker_number(root, "seconds");
}

void gn_worker_reason(const gn_child_end *end, const gn_json *output, const char *log_path, char *dst, size_t dst_bytes)
{
    const char *said = NULL;
    if (output != NULL && gn_json_string(output, "error", &said) && said[0] != '\0')
        snprintf(dst, dst_bytes, "%s", said);
    else
        gn_child_reason(end, log_path, dst, dst_bytes);
}
gn_status gn_worker_run(const gn_process_runner *runner, gn_worker_args *args, const char *name, int tolerated,
                        const gn_json **output_out, char *reason, size_t reason_bytes, gn_error *err)
{
    const char *log_path = gn_arena_printf(args->arena, "%s/%s.log", runner->log_folder, name);
    const char *out_path = gn_arena_printf(args->arena, "%s/%s.json", runner->log_folder, name);
    gn_child *child = NULL;
    gn_child_end end;
    if (args->failed || log_path == NULL || out_path == NULL)
        return gn_fail(err, GN_ENOMEM, "starting a worker: out of memory");
    const gn_child_spec spec = {runner->program, args->argv, log_path, out_path};
    GN_TRY(gn_child_start(&spec, &child, err));
    while (!gn_child_wait(child, 0.1, &end))
        if (gn_stop_requested()) {
            gn_child_signal(child, false);
            if (!gn_child_wait(child, GN_WORKER_STOP_SECONDS, &end))
                gn_child_signal(child, true);
            gn_child_destroy(&child);
            return gn_fail(err, GN_ECANCELED, "interrupted");
        }
    gn_child_destroy(&child);
    const gn_json *output = gn_worker_output(out_path, args->arena);
    reason[0] = '\0';
    if ((end.exit_code != 0 && end.exit_code != tolerated) || end.signal != 0)
        gn_worker_reason(&end, output, log_path, reason, reason_bytes);
    *output_out = output;
    return GN_OK;
}
