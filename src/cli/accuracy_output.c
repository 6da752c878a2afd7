/* How verbs show accuracy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/accuracy_output.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/cli_args.h"

#define MAX_ROWS 100

static void interval(gn_jsonw *j, const char *key, const gn_interval *x)
{
    if (!isfinite(x->low) || !isfinite(x->high))
        return;
    gn_jsonw_array(j, key);
    gn_jsonw_num(j, NULL, x->low);
    gn_jsonw_num(j, NULL, x->high);
    gn_jsonw_end(j);
}

static void detector_keys(gn_jsonw *j, const gn_accuracy *a)
{
    static const char *const size_name[GN_COCO_SIZES] = {"100", "small", "medium", "large"};
    char key[32];
    gn_jsonw_num(j, "f1", a->coco.f1);
    gn_jsonw_num(j, "confidence", a->coco.confidence);
    for (int s = GN_COCO_SMALL; s < GN_COCO_SIZES; s++) {
        snprintf(key, sizeof key, "ap_%s", size_name[s]);
        gn_jsonw_num(j, key, a->coco.map_of_size[s]);
    }
    gn_jsonw_num(j, "ar_1", a->coco.ar1);
    gn_jsonw_num(j, "ar_10", a->coco.ar10);
    for (int s = GN_COCO_ALL; s < GN_COCO_SIZES; s++) {
        snprintf(key, sizeof key, "ar_%s", size_name[s]);
        gn_jsonw_num(j, key, a->coco.ar_of_size[s]);
    }
    gn_jsonw_num(j, "lrp", a->coco.lrp);
    gn_jsonw_int(j, "instances", a->coco.truths);
    gn_jsonw_int(j, "detections", a->coco.detections);
}

void gn_cli_json_accuracy(gn_jsonw *j, const gn_accuracy *a)
{
    gn_jsonw_int(j, "images", a->images);
    if (a->is_classifier) {
        gn_jsonw_num(j, "top1", a->top1.value);
        gn_jsonw_num(j, "top5", a->top5.value);
        gn_jsonw_num(j, "loss", a->loss);
        gn_jsonw_object(j, "intervals");
        interval(j, "top1", &a->top1);
        interval(j, "top5", &a->top5);
        gn_jsonw_end(j);
        return;
    }
    gn_jsonw_int(j, "images_with_box", a->images_with_box);
    gn_jsonw_num(j, "map50", a->map50.value);
    gn_jsonw_num(j, "map75", a->coco.map75);
    gn_jsonw_num(j, "map95", a->coco.map95);
    gn_jsonw_num(j, "map50_95", a->coco.map50_95);
    gn_jsonw_num(j, "precision", a->coco.precision);
    gn_jsonw_num(j, "recall", a->coco.recall);
    if (a->is_detector)
        detector_keys(j, a);
    gn_jsonw_num(j, "mean_iou", a->mean_iou.value);
    gn_jsonw_num(j, "box_precision50", a->box_precision50.value);
    gn_jsonw_num(j, "loss", a->loss);
    gn_jsonw_object(j, "intervals");
    interval(j, "mean_iou", &a->mean_iou);
    interval(j, "box_precision50", &a->box_precision50);
    interval(j, "map50", &a->map50);
    interval(j, "map50_95", &a->map50_95);
    gn_jsonw_end(j);
}

void gn_cli_json_classes(gn_jsonw *j, const gn_coco_class *classes, const gn_voc_class *voc, const char *const *names,
                         int32_t n)
{
    gn_jsonw_array(j, "classes");
    for (int32_t k = 0; k < n; k++) {
        const gn_coco_class *c = &classes[k];
        if (c->truths == 0)
            continue;
        gn_jsonw_object(j, NULL);
        gn_jsonw_str(j, "name", names[k]);
        gn_jsonw_int(j, "images", c->images);
        gn_jsonw_int(j, "instances", c->truths);
        gn_jsonw_num(j, "precision", c->precision);
        gn_jsonw_num(j, "recall", c->recall);
        gn_jsonw_num(j, "f1", c->f1);
        gn_jsonw_num(j, "map50", c->ap[0]);
        gn_jsonw_num(j, "map75", c->ap[5]);
        gn_jsonw_num(j, "map95", c->ap[9]);
        gn_jsonw_num(j, "map50_95", c->map_of_size[GN_COCO_ALL]);
        gn_jsonw_num(j, "ap_small", c->map_of_size[GN_COCO_SMALL]);
        gn_jsonw_num(j, "ap_medium", c->map_of_size[GN_COCO_MEDIUM]);
        gn_jsonw_num(j, "ap_large", c->map_of_size[GN_COCO_LARGE]);
        gn_jsonw_num(j, "ar_100", c->ar_of_size[GN_COCO_ALL]);
        gn_jsonw_num(j, "lrp", c->lrp);
        gn_jsonw_num(j, "lrp_confidence", c->lrp_confidence);
        if (voc != NULL) {
            gn_jsonw_num(j, "voc_ap11", voc[k].ap11);
            gn_jsonw_num(j, "voc_ap", voc[k].ap_area);
        }
        gn_jsonw_end(j);
    }
    gn_jsonw_end(j);
}

static void line(const char *name, const gn_interval *x)
{
    if (isfinite(x->low))
        gn_cli_say("  %-18s %.4f   95%% interval %.4f to %.4f\n", name, x->value, x->low, x->high);
    else
        gn_cli_say("  %-18s %.4f\n", name, x->value);
}

static void say_detector(const gn_accuracy *a)
{
    const gn_coco_metrics *m = &a->coco;
    gn_cli_say("  %-18s %" PRId64 " (%" PRId64 " with a box), %" PRId64 " boxes, %" PRId64 " detections\n", "pictures",
               a->images, a->images_with_box, m->truths, m->detections);
    line("mAP50-95", &a->map50_95);
    line("mAP50", &a->map50);
    gn_cli_say("  %-18s %.4f\n", "mAP75", m->map75);
    gn_cli_say("  %-18s small %.4f   medium %.4f   large %.4f\n", "mAP50-95 by size", m->map_of_size[GN_COCO_SMALL],
               m->map_of_size[GN_COCO_MEDIUM], m->map_of_size[GN_COCO_LARGE]);
    gn_cli_say("  %-18s 1: %.4f   10: %.4f   100: %.4f\n", "recall (AR) at", m->ar1, m->ar10,
               m->ar_of_size[GN_COCO_ALL]);
    gn_cli_say("  %-18s small %.4f   medium %.4f   large %.4f\n", "recall by size", m->ar_of_size[GN_COCO_SMALL],
               m->ar_of_size[GN_COCO_MEDIUM], m->ar_of_size[GN_COCO_LARGE]);
    gn_cli_say("  %-18s precision %.4f   recall %.4f   F1 %.4f\n  %-18s %.4f\n", "best F1", m->precision, m->recall,
               m->f1, "at confidence", m->confidence);
    gn_cli_say("  %-18s %.4f (0 is perfect)\n", "LRP", m->lrp);
}

void gn_cli_say_accuracy(const gn_accuracy *a)
{
    if (a->is_detector) {
        say_detector(a);
        return;
    }
    if (a->is_classifier) {
        gn_cli_say("  %-18s %" PRId64 "\n", "pictures", a->images);
        line("top-1", &a->top1);
        line("top-5", &a->top5);
        gn_cli_say("  %-18s %.4f\n", "loss", a->loss);
        return;
    }
    gn_cli_say("  %-18s %" PRId64 " (%" PRId64 " with a box)\n", "pictures", a->images, a->images_with_box);
    line("mean IoU", &a->mean_iou);
    line("box precision@50", &a->box_precision50);
    line("mAP50", &a->map50);
    gn_cli_say("  %-18s %.4f\n  %-18s %.4f\n  %-18s %.4f\n", "mAP75", a->coco.map75, "mAP50-95", a->coco.map50_95,
               "loss", a->loss);
}

static void row(const char *name, int64_t images, int64_t truths, double p, double r, double map50, double map50_95)
{
    gn_cli_say("  %-22.22s %8" PRId64 " %10" PRId64 "  %.4f  %.4f  %.4f    %.4f\n", name, images, truths, p, r, map50,
               map50_95);
}

void gn_cli_say_classes(const gn_accuracy *a, const gn_coco_class *classes, const char *const *names, int32_t n)
{
    int32_t shown = 0, counted = 0;
    for (int32_t k = 0; k < n; k++)
        counted += classes[k].truths > 0;
    gn_cli_say("  %-22s %8s %10s  %-6s  %-6s  %-6s    %s\n", "class", "images", "instances", "P", "R", "mAP50",
               "mAP50-95");
    row("all", a->images, a->coco.truths, a->coco.precision, a->coco.recall, a->map50.value, a->coco.map50_95);
    for (int32_t k = 0; k < n && counted > 1; k++) {
        const gn_coco_class *c = &classes[k];
        if (c->truths == 0)
            continue;
        if (++shown > MAX_ROWS) {
            gn_cli_say("  ... and %" PRId32 " classes more (--json tells all)\n", counted - MAX_ROWS);
            break;
        }
        row(names[k], c->images, c->truths, c->precision, c->recall, c->ap[0], c->map_of_size[GN_COCO_ALL]);
    }
}
