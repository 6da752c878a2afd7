/* How verbs show accuracy.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/accuracy_output.h"

#include <inttypes.h>
#include <math.h>

#include "cli/cli_args.h"

static void interval(gn_jsonw *j, const char *key, const gn_interval *x)
{
    if (!isfinite(x->low) || !isfinite(x->high))
        return;
    gn_jsonw_array(j, key);
    gn_jsonw_num(j, NULL, x->low);
    gn_jsonw_num(j, NULL, x->high);
    gn_jsonw_end(j);
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
    gn_jsonw_num(j, "mean_iou", a->mean_iou.value);
    gn_jsonw_num(j, "box_precision50", a->box_precision50.value);
    gn_jsonw_num(j, "loss", a->loss);
    gn_jsonw_object(j, "intervals");
    interval(j, "mean_iou", &a->mean_iou);
    interval(j, "box_precision50", &a->box_precision50);
    interval(j, "map50", &a->map50);
    gn_jsonw_end(j);
}

static void line(const char *name, const gn_interval *x)
{
    if (isfinite(x->low))
        gn_cli_say("  %-18s %.4f   95%% interval %.4f to %.4f\n", name, x->value, x->low, x->high);
    else
        gn_cli_say("  %-18s %.4f\n", name, x->value);
}

void gn_cli_say_accuracy(const gn_accuracy *a)
{
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
