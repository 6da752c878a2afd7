/* Accuracy of a detector over a split: every object that it finds against every true box.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/progress.h"
#include "measure/accuracy.h"
#include "measure/class_map.h"

gn_session_options gn_accuracy_session_options(gn_session_options options)
{
    options.has_conf = true;
    options.conf = 0.001f;
    options.has_iou = true;
    options.iou = 0.7f;
    options.max_det = GN_PREDICTION_MAX;
    options.multi_label = true;
    return options;
}

void gn_scored_split_deinit(gn_scored_split *scored)
{
    gn_free(scored->sample);
    gn_free(scored->det);
    gn_free(scored->truth);
    *scored = (gn_scored_split){.infer_ms = NAN, .postprocess_ms = NAN};
}

gn_coco_input gn_scored_split_input(const gn_scored_split *scored)
{
    return (gn_coco_input){.det = scored->det,
                           .n_det = scored->n_det,
                           .truth = scored->truth,
                           .n_truth = scored->n_truth,
                           .n_images = scored->n_images,
                           .n_classes = scored->n_classes};
}

/* Everything while the split runs. */
typedef struct run {
    gn_session *session;
    const gn_dataset *dataset;
    gn_split split;
    int32_t *class_map; /* [classes of the set] */
    gn_prediction *prediction;
    int64_t infer_ns, post_ns;
    gn_scored_split out;
} run;

gn_status gn_scored_split_reserve(gn_scored_split *scored, const gn_dataset *dataset, gn_split split)
{
    const int64_t n = gn_dataset_count(dataset, split);
    int64_t truths = 0;
    for (int64_t i = 0; i < n; i++)
        truths += gn_dataset_sample(dataset, split, i)->n_boxes;
    scored->sample = gn_calloc((size_t)n + 1, sizeof *scored->sample);
    scored->truth = gn_calloc((size_t)truths + 1, sizeof *scored->truth);
    return scored->sample && scored->truth ? GN_OK : GN_ENOMEM;
}

void gn_scored_split_add_truths(gn_scored_split *scored, const gn_sample *sample, const int32_t *class_map)
{
    const double w = sample->width, h = sample->height;
    for (int b = 0; b < sample->n_boxes; b++) {
        const gn_box *box = &sample->box[b];
        const uint8_t flags = sample->flags ? sample->flags[b] : 0;
        gn_truth *g = &scored->truth[scored->n_truth++];
        *g = (gn_truth){.image = scored->n_images,
                        .cls = class_map[sample->cls[b]],
                        .is_crowd = (flags & GN_BOX_CROWD) != 0,
                        .is_ignored = (flags & GN_BOX_DIFFICULT) != 0,
                        .box = {(double)box->x1 * w, (double)box->y1 * h, ((double)box->x2 - (double)box->x1) * w,
                                ((double)box->y2 - (double)box->y1) * h}};
        if (sample->area && sample->area[b] >= 0) {
            g->has_area = true;
            g->area = sample->area[b];
        }
    }
}

static gn_status run_init(run *r)
{
    GN_TRY(gn_scored_split_reserve(&r->out, r->dataset, r->split));
    r->class_map = gn_calloc((size_t)gn_dataset_classes(r->dataset) + 1, sizeof *r->class_map);
    r->prediction = gn_alloc(sizeof *r->prediction);
    return r->class_map && r->prediction ? GN_OK : GN_ENOMEM;
}

static gn_status add_picture(run *r, int index, int64_t sample_index)
{
    gn_scored_split *out = &r->out;
    const gn_sample *sample = gn_dataset_sample(r->dataset, r->split, sample_index);
    gn_prediction *p = r->prediction;
    GN_TRY(gn_session_decode(r->session, index, sample->width, sample->height, p));
    GN_TRY(gn_grow(&out->det, &out->det_capacity, (size_t)(out->n_det + p->n) + 1, sizeof *out->det));
    for (int k = 0; k < p->n; k++)
        out->det[out->n_det++] = (gn_detection){.image = out->n_images,
                                                .cls = p->object[k].cls,
                                                .score = (double)p->object[k].score,
                                                .box = gn_rect_of(&p->object[k].box)};
    gn_scored_split_add_truths(out, sample, r->class_map);
    out->sample[out->n_images++] = sample_index;
    return GN_OK;
}

static gn_status check_model(run *r, gn_error *err)
{
    gn_shape shape = {0};
    const bool has_scores =
        gn_session_output_count(r->session) >= 2 && gn_session_output(r->session, 1, &shape) != NULL && shape.rank == 3;
    if (!has_scores)
        return gn_fail(err, GN_EUNSUPPORTED, "measuring accuracy: the detector's outputs are no boxes and scores");
    r->out.n_classes = (int32_t)shape.dim[2];
    return gn_class_map_check(r->dataset, r->class_map, shape.dim[2], err);
}

static gn_status add_batch(run *r, const gn_batch *batch, gn_error *err)
{
    const int64_t begin = gn_now_ns();
    GN_TRY(gn_session_run(r->session, batch->images, batch->n, err));
    const int64_t done = gn_now_ns();
    if (r->out.n_classes == 0)
        GN_TRY(check_model(r, err));
    for (int i = 0; i < batch->n; i++)
        if (batch->weight[i] != 0.0f && add_picture(r, i, batch->sample[i]) != GN_OK)
            return gn_fail(err, GN_ENOMEM, "measuring accuracy: out of memory");
    r->infer_ns += done - begin;
    r->post_ns += gn_now_ns() - done;
    return GN_OK;
}

static gn_status run_split(run *r, gn_loader *loader, bool shows_progress, gn_error *err)
{
    const int64_t begin = gn_now_ns(), total = gn_loader_images(loader);
    GN_TRY(gn_loader_begin_epoch(loader, 0, 0));
    for (;;) {
        gn_batch batch;
        if (gn_stop_requested())
            return gn_fail(err, GN_ECANCELED, "measuring accuracy: interrupted after %lld of %lld pictures",
                           (long long)r->out.n_images, (long long)total);
        GN_TRY(gn_loader_next(loader, &batch));
        if (batch.n == 0)
            return GN_OK;
        GN_TRY(add_batch(r, &batch, err));
        if (shows_progress) {
            gn_progress progress = {.what = gn_split_name(r->split),
                                    .done = r->out.n_images,
                                    .total = total,
                                    .unit = "pictures",
                                    .seconds = (double)(gn_now_ns() - begin) * 1e-9,
                                    .note = ""};
            gn_progress_tell(&progress);
        }
    }
}

gn_status gn_measure_detections(gn_session *session, const gn_dataset *dataset, gn_split split, gn_loader *loader,
                                const gn_accuracy_options *options, gn_scored_split *scored_out, gn_error *err)
{
    run r = {.session = session, .dataset = dataset, .split = split};
    gn_status status = run_init(&r);
    if (status == GN_OK) {
        gn_class_map_make(gn_session_info(session), dataset, r.class_map);
        status = run_split(&r, loader, options->shows_progress, err);
    }
    gn_free(r.class_map);
    gn_free(r.prediction);
    if (status != GN_OK) {
        gn_scored_split_deinit(&r.out);
        return status;
    }
    const double images = (double)r.out.n_images;
    r.out.infer_ms = images > 0 ? (double)r.infer_ns * 1e-6 / images : NAN;
    r.out.postprocess_ms = images > 0 ? (double)r.post_ns * 1e-6 / images : NAN;
    *scored_out = r.out;
    return GN_OK;
}

/* Pictures with a true box that is to be found; -1: out of memory. */
static int64_t count_with_box(const gn_scored_split *s)
{
    int64_t n = 0;
    bool *has_box = gn_calloc((size_t)s->n_images + 1, sizeof *has_box);
    if (has_box == NULL)
        return -1;
    for (int64_t i = 0; i < s->n_truth; i++)
        if (s->truth[i].image >= 0 && s->truth[i].image < s->n_images && !s->truth[i].is_crowd &&
            !s->truth[i].is_ignored)
            has_box[s->truth[i].image] = true;
    for (int64_t i = 0; i < s->n_images; i++)
        n += has_box[i];
    gn_free(has_box);
    return n;
}

gn_status gn_accuracy_of_split(const gn_scored_split *scored, const gn_accuracy_options *options, gn_accuracy *out,
                               gn_coco_class *classes_out, gn_error *err)
{
    const gn_coco_input input = gn_scored_split_input(scored);
    gn_accuracy a = gn_accuracy_nothing();
    gn_coco *coco = NULL;
    a.is_detector = true;
    a.images = scored->n_images;
    a.images_with_box = count_with_box(scored);
    a.infer_ms = scored->infer_ms;
    a.postprocess_ms = scored->postprocess_ms;
    gn_status status = a.images_with_box >= 0 ? gn_coco_create(&input, &coco) : GN_ENOMEM;
    if (status == GN_OK)
        status = gn_coco_measure(coco, &a.coco, classes_out);
    a.map50 = (gn_interval){a.coco.map50, NAN, NAN};
    a.map50_95 = (gn_interval){a.coco.map50_95, NAN, NAN};
    if (status == GN_OK && options->resamples > 0 && a.images > 0)
        status = gn_coco_bootstrap(coco, options->resamples, options->seed, &a.map50, &a.map50_95);
    gn_coco_destroy(&coco);
    if (status != GN_OK)
        return gn_fail(err, status == GN_EINVAL ? GN_EDATA : status,
                       "computing average precision: %s (are all boxes and scores finite?)",
                       gn_status_sentence(status));
    *out = a;
    return GN_OK;
}
