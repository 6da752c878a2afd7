/* Accuracy of a model over a split: boxes or classes.
 * SPDX-License-Identifier: Apache-2.0 */
#include "measure/accuracy.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/progress.h"
#include "measure/class_map.h"

gn_accuracy_options gn_accuracy_default_options(void)
{
    return (gn_accuracy_options){.beta = 0.1, .resamples = GN_BOOTSTRAP_RESAMPLES, .seed = 0, .shows_progress = false};
}

gn_accuracy gn_accuracy_nothing(void)
{
    const gn_interval none = {NAN, NAN, NAN};
    gn_accuracy a = {.loss = NAN,
                     .infer_ms = NAN,
                     .postprocess_ms = NAN,
                     .mean_iou = none,
                     .box_precision50 = none,
                     .map50 = none,
                     .map50_95 = none,
                     .top1 = none,
                     .top5 = none};
    a.coco.map50_95 = a.coco.map50 = a.coco.map75 = a.coco.map95 = a.coco.precision = a.coco.recall = NAN;
    a.coco.f1 = a.coco.confidence = a.coco.lrp = a.coco.ar1 = a.coco.ar10 = NAN;
    for (int s = 0; s < GN_COCO_SIZES; s++)
        a.coco.map_of_size[s] = a.coco.ar_of_size[s] = NAN;
    return a;
}

gn_status gn_accuracy_loader(const gn_session *session, const gn_dataset *dataset, gn_split split, int batch,
                             int workers, gn_loader **loader_out, gn_error *err)
{
    const gn_model_info *info = gn_session_info(session);
    gn_loader_options options = gn_loader_default_options();
    options.split = split;
    options.imgsz_w = info->imgsz_w;
    options.imgsz_h = info->imgsz_h;
    options.fit = info->is_letterbox ? GN_FIT_LETTERBOX : GN_FIT_STRETCH;
    memcpy(options.mean, info->mean, sizeof options.mean);
    memcpy(options.std, info->stddev, sizeof options.std);
    int64_t images = gn_dataset_count(dataset, split);
    options.batch = images > 0 && images < batch ? (int)images : batch;
    options.drop_last = false;
    options.shuffle = false;
    options.workers = workers;
    return gn_loader_create(dataset, &options, loader_out, err);
}

/* Everything gathered over the split. */
typedef struct gather {
    const gn_dataset *dataset;
    gn_split split;
    double beta;
    int64_t capacity, n_images, n_truth, n_det;
    gn_scored_picture *picture;
    double *iou;
    gn_detection *det;
    gn_truth *truth;
    gn_box *truth_box;
    double loss_sum;
    int64_t loss_count;
    bool is_classifier, is_probability;
    int32_t *rank;      /* [capacity] of a classifier */
    int32_t *class_map; /* [classes of the set] class of the model */
    int64_t n_classes;  /* of the model, once it has run */
} gather;

static gn_status gather_init(gather *g, const gn_dataset *dataset, gn_split split, double beta)
{
    *g = (gather){.dataset = dataset, .split = split, .beta = beta, .capacity = gn_dataset_count(dataset, split)};
    int64_t truths = 0;
    for (int64_t i = 0; i < g->capacity; i++)
        truths += gn_dataset_sample(dataset, split, i)->n_boxes;
    size_t n = (size_t)g->capacity + 1;
    g->picture = gn_calloc(n, sizeof *g->picture);
    g->iou = gn_calloc(n, sizeof *g->iou);
    g->det = gn_calloc(n, sizeof *g->det);
    g->truth = gn_calloc((size_t)truths + 1, sizeof *g->truth);
    g->truth_box = gn_calloc((size_t)truths + 1, sizeof *g->truth_box);
    g->rank = gn_calloc(n, sizeof *g->rank);
    g->class_map = gn_calloc((size_t)gn_dataset_classes(dataset) + 1, sizeof *g->class_map);
    return g->picture && g->iou && g->det && g->truth && g->truth_box && g->rank && g->class_map ? GN_OK : GN_ENOMEM;
}

static void gather_deinit(gather *g)
{
    gn_free(g->picture);
    gn_free(g->iou);
    gn_free(g->det);
    gn_free(g->truth);
    gn_free(g->truth_box);
    gn_free(g->rank);
    gn_free(g->class_map);
}

static gn_status check_classes(gather *g, const gn_shape *shape, gn_error *err)
{
    if (shape->rank != 2)
        return gn_fail(err, GN_EUNSUPPORTED, "measuring accuracy: the classifier's output is no [N,classes]");
    g->n_classes = shape->dim[1];
    return gn_class_map_check(g->dataset, g->class_map, g->n_classes, err);
}

static void add_class(gather *g, const float *logits, int32_t label, int64_t sample_index)
{
    const int64_t n = g->n_classes;
    double peak = -INFINITY, sum = 0;
    int32_t best = 0;
    /* Of a model that ends in Softmax the answers are probabilities; the smallest float keeps a wrong one finite. */
    for (int64_t c = 0; c < n; c++) {
        if (logits[c] > logits[best])
            best = (int32_t)c;
        peak = fmax(peak, (double)logits[c]);
    }
    for (int64_t c = 0; c < n; c++)
        sum += exp((double)logits[c] - peak);
    const double likeliest = g->is_probability ? (double)logits[best] : exp((double)logits[best] - peak) / sum;
    g->loss_sum += g->is_probability ? -log(fmax((double)logits[label], (double)FLT_MIN))
                                     : peak + log(sum) - (double)logits[label];
    g->loss_count++;
    g->picture[g->n_images] = (gn_scored_picture){
        .sample = sample_index, .iou = -1.0, .cls = best, .label = label, .score = (float)likeliest};
    g->rank[g->n_images++] = gn_top_rank(logits, n, label);
}

/* True boxes of a sample in pixels, appended to the list; returns the first. */
static const gn_box *add_truth(gather *g, const gn_sample *sample)
{
    const gn_box *first = g->truth_box + g->n_truth;
    for (int b = 0; b < sample->n_boxes; b++) {
        const gn_box *box = &sample->box[b];
        float w = (float)sample->width, h = (float)sample->height;
        const gn_box pixels = {box->x1 * w, box->y1 * h, box->x2 * w, box->y2 * h};
        g->truth_box[g->n_truth] = pixels;
        g->truth[g->n_truth++] = (gn_truth){.image = g->n_images, .cls = 0, .box = gn_rect_of(&pixels)};
    }
    return first;
}

static void add_picture(gather *g, const gn_session *session, int index, int64_t sample_index)
{
    const gn_sample *sample = gn_dataset_sample(g->dataset, g->split, sample_index);
    gn_prediction prediction;
    gn_session_decode(session, index, sample->width, sample->height, &prediction);
    const gn_box *truth = add_truth(g, sample);
    double best = -1.0;
    gn_scored_picture *p = &g->picture[g->n_images];
    *p = (gn_scored_picture){.sample = sample_index, .iou = -1.0};
    if (prediction.n > 0) {
        p->box = prediction.object[0].box;
        p->score = prediction.object[0].score;
        g->det[g->n_det++] =
            (gn_detection){.image = g->n_images, .cls = 0, .score = (double)p->score, .box = gn_rect_of(&p->box)};
    }
    for (int b = 0; b < sample->n_boxes; b++) {
        double iou = prediction.n > 0 ? gn_box_iou(&p->box, &truth[b]) : 0.0;
        best = iou > best ? iou : best;
    }
    p->iou = best;
    g->iou[g->n_images++] = best;
}

static void add_loss(gather *g, const float *pred, const float *target)
{
    double sum = 0.0;
    for (int i = 0; i < 4; i++)
        sum += gn_smooth_l1((double)pred[i] - (double)target[i], g->beta);
    g->loss_sum += sum / 4.0;
    g->loss_count++;
}

static gn_status add_batch(gather *g, gn_session *session, const gn_batch *batch, gn_error *err)
{
    GN_TRY(gn_session_run(session, batch->images, batch->n, err));
    gn_shape shape;
    const float *out = gn_session_output(session, 0, &shape);
    int64_t width = shape.rank == 2 ? shape.dim[1] : 0;
    if (g->is_classifier && g->n_classes == 0)
        GN_TRY(check_classes(g, &shape, err));
    for (int i = 0; i < batch->n; i++) {
        if (batch->weight[i] == 0.0f) /* could not be decoded */
            continue;
        if (g->is_classifier) {
            add_class(g, out + i * width, g->class_map[batch->label[i]], batch->sample[i]);
            continue;
        }
        add_picture(g, session, i, batch->sample[i]);
        if (batch->has_box[i] != 0.0f && width >= 4)
            add_loss(g, out + i * width, batch->boxes + 4 * i);
    }
    return GN_OK;
}

static gn_status run_split(gather *g, gn_session *session, gn_loader *loader, bool shows_progress, gn_error *err)
{
    int64_t begin = gn_now_ns(), total = gn_loader_images(loader);
    GN_TRY(gn_loader_begin_epoch(loader, 0, 0));
    for (;;) {
        gn_batch batch;
        if (gn_stop_requested())
            return gn_fail(err, GN_ECANCELED, "measuring accuracy: interrupted after %lld of %lld pictures",
                           (long long)g->n_images, (long long)total);
        GN_TRY(gn_loader_next(loader, &batch));
        if (batch.n == 0)
            return GN_OK;
        GN_TRY(add_batch(g, session, &batch, err));
        if (shows_progress) {
            gn_progress progress = {.what = gn_split_name(g->split),
                                    .done = g->n_images,
                                    .total = total,
                                    .unit = "pictures",
                                    .seconds = (double)(gn_now_ns() - begin) * 1e-9,
                                    .note = ""};
            gn_progress_tell(&progress);
        }
    }
}

static gn_status compute_classes(const gather *g, const gn_accuracy_options *options, gn_accuracy *out)
{
    const gn_top_metrics top = gn_top_metrics_of(g->rank, g->n_images);
    gn_accuracy a = gn_accuracy_nothing();
    a.is_classifier = true;
    a.images = g->n_images;
    a.loss = g->loss_count > 0 ? g->loss_sum / (double)g->loss_count : NAN;
    a.top1.value = top.top1;
    a.top5.value = top.top5;
    if (options->resamples > 0 && g->n_images > 0)
        GN_TRY(gn_top_bootstrap(g->rank, g->n_images, options->resamples, options->seed, &a.top1, &a.top5));
    *out = a;
    return GN_OK;
}

static gn_status compute(const gather *g, const gn_accuracy_options *options, gn_accuracy *out, gn_error *err)
{
    if (g->is_classifier)
        return compute_classes(g, options, out);
    gn_single_metrics single = gn_single_metrics_of(g->iou, g->n_images);
    const gn_scored_split scored = {.n_images = g->n_images,
                                    .n_det = g->n_det,
                                    .n_truth = g->n_truth,
                                    .det = g->det,
                                    .truth = g->truth,
                                    .n_classes = 1,
                                    .infer_ms = NAN,
                                    .postprocess_ms = NAN};
    gn_accuracy a;
    GN_TRY(gn_accuracy_of_split(&scored, options, &a, NULL, err));
    a.is_detector = false;
    a.images_with_box = single.counted;
    a.loss = g->loss_count > 0 ? g->loss_sum / (double)g->loss_count : NAN;
    a.mean_iou = (gn_interval){single.mean_iou, NAN, NAN};
    a.box_precision50 = (gn_interval){single.box_precision50, NAN, NAN};
    if (options->resamples > 0 && g->n_images > 0)
        GN_TRY(gn_single_bootstrap(g->iou, g->n_images, options->resamples, options->seed, &a.mean_iou,
                                   &a.box_precision50));
    *out = a;
    return GN_OK;
}

static gn_status measure_detector(gn_session *session, const gn_dataset *dataset, gn_split split, gn_loader *loader,
                                  const gn_accuracy_options *options, gn_accuracy *out, gn_error *err)
{
    gn_scored_split scored;
    GN_TRY(gn_measure_detections(session, dataset, split, loader, options, &scored, err));
    const gn_status status = gn_accuracy_of_split(&scored, options, out, NULL, err);
    gn_scored_split_deinit(&scored);
    return status;
}

gn_status gn_measure_accuracy(gn_session *session, const gn_dataset *dataset, gn_split split, gn_loader *loader,
                              const gn_accuracy_options *options, gn_accuracy *out, gn_scored_picture **pictures_out,
                              int64_t *n_pictures_out, gn_error *err)
{
    gn_decode decode = gn_session_info(session)->decode;
    if (pictures_out) {
        *pictures_out = NULL;
        *n_pictures_out = 0;
    }
    if (decode == GN_DECODE_DETECT && gn_dataset_has_labels(dataset))
        return gn_fail(err, GN_EDATA,
                       "measuring accuracy: the model answers with boxes, and the pictures of %s have a class each",
                       gn_dataset_path(dataset));
    if (decode == GN_DECODE_DETECT)
        return measure_detector(session, dataset, split, loader, options, out, err);
    if (decode != GN_DECODE_BOX && decode != GN_DECODE_BOX_SCORE && decode != GN_DECODE_CLASSES)
        return gn_fail(err, GN_EUNSUPPORTED,
                       "measuring accuracy: the model does not say that it answers with boxes or classes (metadata "
                       "gannet.decode and gannet.task)");
    if ((decode == GN_DECODE_CLASSES) != gn_dataset_has_labels(dataset))
        return gn_fail(err, GN_EDATA, "measuring accuracy: the model answers with %s, and the pictures of %s have %s",
                       decode == GN_DECODE_CLASSES ? "classes" : "boxes", gn_dataset_path(dataset),
                       decode == GN_DECODE_CLASSES ? "boxes" : "a class each");
    gather g;
    gn_status status = gather_init(&g, dataset, split, options->beta);
    g.is_classifier = decode == GN_DECODE_CLASSES;
    g.is_probability = gn_session_info(session)->is_probability;
    if (status == GN_OK && g.is_classifier)
        gn_class_map_make(gn_session_info(session), dataset, g.class_map);
    if (status == GN_OK)
        status = run_split(&g, session, loader, options->shows_progress, err);
    if (status == GN_OK)
        status = compute(&g, options, out, err);
    if (status == GN_OK && pictures_out) {
        *pictures_out = g.picture;
        *n_pictures_out = g.n_images;
        g.picture = NULL;
    }
    gather_deinit(&g);
    return status;
}
