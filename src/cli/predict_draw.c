/* Objects drawn on pictures.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/predict_draw.h"

#include <stdio.h>

#include "base/memory.h"
#include "draw/draw.h"

#define LABEL_BYTES 80

/* What is drawn at once. */
typedef struct drawing {
    gn_draw_box box[GN_PREDICTION_MAX];
    gn_colour colour[GN_PREDICTION_MAX];
    char text[GN_PREDICTION_MAX][LABEL_BYTES];
    const char *label[GN_PREDICTION_MAX];
} drawing;

static void write_label(const gn_predict_draw *d, const gn_object *o, char *dst)
{
    char number[16];
    const char *name = gn_model_info_class(d->info, o->cls, number);
    const bool has_score = d->info->decode != GN_DECODE_BOX && !d->hides_conf;
    if (d->hides_labels)
        dst[0] = '\0';
    else if (has_score)
        snprintf(dst, LABEL_BYTES, "%.60s %.2f", name, (double)o->score);
    else
        snprintf(dst, LABEL_BYTES, "%.70s", name);
}

gn_status gn_predict_draw_objects(const gn_predict_draw *d, gn_image *image, const gn_prediction *p)
{
    const float sx = (float)image->width / (float)image->full_width,
                sy = (float)image->height / (float)image->full_height;
    const int n = d->info->decode == GN_DECODE_CLASSES && p->n > 1 ? 1 : p->n; /* of classes the likeliest only */
    const bool is_detector = d->info->decode == GN_DECODE_DETECT;
    drawing *w = gn_calloc(1, sizeof *w);
    if (!w)
        return GN_ENOMEM;
    /* The surest last, so that its box and label are on top. */
    for (int i = 0; i < n; i++) {
        const gn_object *o = &p->object[n - 1 - i];
        w->box[i] = (gn_draw_box){o->box.x1 * sx, o->box.y1 * sy, o->box.x2 * sx, o->box.y2 * sy};
        w->colour[i] = n == 1 && !is_detector ? (gn_colour){245, 140, 30} : gn_colour_nth(o->cls);
        write_label(d, o, w->text[i]);
        w->label[i] = w->text[i];
    }
    const gn_status status = gn_draw_boxes(image, w->box, (size_t)n, w->colour, w->label, d->line_px);
    gn_free(w);
    return status;
}
