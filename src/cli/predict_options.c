/* The session of predict, and what of its results is wanted.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/predict_options.h"

#include <stdio.h>
#include <string.h>

#include "cli/kernel_options.h"
#include "cli/model_source.h"
#include "gannet/graph_api.h"
#include "gannet/zoo_api.h"

/* Of a network of the zoo, whose weights are random. */
#define ZOO_CLASSES          1000
#define ZOO_DETECTOR_CLASSES 80
/* For other gannet processes that measure or train, before --tune. */
#define LOCK_WAIT_SECONDS 10.0

/* A file, or a network of the zoo with weights at random; --classes means another thing here than where networks are made. */
static gn_status load_model(const gn_args *args, gn_graph **graph_out, gn_error *err)
{
    const char *model = gn_args_positional(args, 0);
    gn_cli_size size;
    gn_zoo_entry entry;
    if (gn_cli_is_model_file(model))
        return gn_cli_model_load(model, args, graph_out, err);
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    gn_zoo_options o = gn_zoo_options_default();
    o.model = model;
    o.head = gn_args_str(args, "head");
    o.activation = gn_args_str(args, "activation");
    o.classes = ZOO_CLASSES;
    if (gn_zoo_find(model, &entry)) {
        o.width_px = o.height_px = entry.default_px;
        if (entry.is_detector && !gn_args_is_set(args, "head"))
            o.head = "detect";
        if (entry.is_detector)
            o.classes = ZOO_DETECTOR_CLASSES;
    }
    if (size.width) {
        o.width_px = size.width;
        o.height_px = size.height;
    }
    return gn_zoo_build(&o, graph_out, err);
}

/* How many classes the model knows, 0 where it does not say. */
static int classes_of(const gn_model_info *info)
{
    const int n = info->detector.n_maps > 0 ? info->detector.classes : 0;
    return n > info->n_names ? n : info->n_names;
}

/* By name, else by number; -1: neither. */
static int find_class(const gn_model_info *info, int n_classes, const char *text)
{
    int64_t number = 0;
    for (int i = 0; i < info->n_names; i++)
        if (strcmp(info->names[i], text) == 0)
            return i;
    return gn_parse_i64(text, &number) && number >= 0 && number < n_classes ? (int)number : -1;
}

static gn_status read_classes(gn_predict_options *options, const gn_args *args, const gn_model_info *info,
                              gn_error *err)
{
    size_t n = 0;
    const char *const *texts = gn_args_list(args, "classes", &n);
    if (n == 0)
        return GN_OK;
    options->n_classes = classes_of(info);
    options->is_wanted = gn_calloc((size_t)options->n_classes + 1, sizeof *options->is_wanted);
    if (!options->is_wanted)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const int cls = find_class(info, options->n_classes, texts[i]);
        if (cls < 0) {
            const char *near = gn_nearest(texts[i], info->names, (size_t)info->n_names);
            return gn_fail(err, GN_EUSAGE, "--classes %.80s: the model has %d classes and none of this name%s%.80s%s",
                           texts[i], options->n_classes, near ? " (did you mean '" : "", near ? near : "",
                           near ? "'?)" : "");
        }
        options->is_wanted[cls] = true;
    }
    return GN_OK;
}

/* Measuring wants the machine for itself, predicting does not. */
static gn_status choose_kernels(const gn_args *args, gn_session *session, gn_error *err)
{
    gn_kernels_used used;
    gn_machine_lock *lock = NULL;
    if (gn_args_flag(args, "tune"))
        GN_TRY(gn_machine_lock_take(GN_MACHINE_MEASURE, LOCK_WAIT_SECONDS, &lock, err));
    const gn_status status = gn_cli_choose_kernels(args, session, &used, err);
    gn_machine_lock_give(&lock);
    return status;
}

gn_status gn_predict_options_open(gn_predict_options *options, const gn_args *args, gn_session **session_out,
                                  gn_error *err)
{
    gn_graph *graph = NULL;
    gn_session_options o = {.threads = gn_cli_threads(args),
                            .has_conf = gn_args_has(args, "conf"),
                            .has_iou = gn_args_has(args, "iou"),
                            .multi_label = gn_args_flag(args, "multi-label"),
                            .class_agnostic = gn_args_flag(args, "agnostic-nms")};
    *options = (gn_predict_options){.max_det = gn_args_int(args, "max-det")};
    if (o.has_conf)
        o.conf = (float)gn_args_double(args, "conf");
    if (o.has_iou)
        o.iou = (float)gn_args_double(args, "iou");
    gn_nms_kind_parse(gn_args_str(args, "nms"), &o.nms);
    GN_TRY(load_model(args, &graph, err));
    GN_TRY(gn_session_take_graph(&graph, &o, session_out, err));
    GN_TRY(read_classes(options, args, gn_session_info(*session_out), err));
    GN_TRY(gn_session_prepare(*session_out, 1, err));
    GN_TRY(choose_kernels(args, *session_out, err));
    gn_session_release_weights(*session_out);
    return GN_OK;
}

void gn_predict_options_filter(const gn_predict_options *options, gn_prediction *p)
{
    int n = 0;
    for (int i = 0; i < p->n && n < options->max_det; i++) {
        const int cls = p->object[i].cls;
        if (!options->is_wanted || (cls >= 0 && cls < options->n_classes && options->is_wanted[cls]))
            p->object[n++] = p->object[i];
    }
    p->n = n;
}

void gn_predict_options_deinit(gn_predict_options *options)
{
    gn_free(options->is_wanted);
    *options = (gn_predict_options){0};
}
