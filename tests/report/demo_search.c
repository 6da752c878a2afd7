/* SPDX-License-Identifier: Apache-2.0 */
#include "demo_search.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"

#define BUDGET 15.0

typedef struct network {
    const char *model;
    double ms, score; /* at 64 pixels */
    double mega_params, mega_macs;
} network;

/* Invented figures of networks that exist. */
static const network networks[] = {
    {"alexnet", 3.9, .49, 57, 58},
    {"vgg11", 18.2, .55, 129, 620},
    {"vgg11_bn", 18.9, .57, 129, 622},
    {"resnet18", 6.8, .56, 11.2, 149},
    {"squeezenet1_0", 3.1, .45, .74, 61},
    {"squeezenet1_1", 1.7, .44, .73, 24},
    {"densenet121", 16.1, .58, 7, 236},
    {"shufflenet_v2_x0_5", 1.1, .47, .35, 3.7},
    {"shufflenet_v2_x1_0", 1.9, .51, 1.3, 13},
    {"mobilenet_v2", 2.9, .55, 2.2, 26},
    {"mobilenet_v3_small", 1.4, .50, 1.5, 5.6},
    {"mobilenet_v3_large", 2.8, .56, 4.2, 19},
    {"mnasnet0_5", 1.6, .46, .94, 9.6},
    {"mnasnet1_0", 3.0, .53, 3.1, 27},
    {"mnasnet1_3", 4.2, .54, 5, 45},
    {"regnet_y_400mf", 4.6, .57, 3.9, 34},
    {"regnet_y_800mf", 6.9, .575, 5.6, 69},
    {"regnet_x_400mf", 3.8, .56, 5.1, 34},
    {"regnet_x_800mf", 6.0, .565, 6.6, 66},
    {"convnext_tiny", 14.0, .52, 28, 370},
    {"convnext_small", 27.5, .53, 49, 720},
};
#define N_NETWORKS (int)(sizeof networks / sizeof networks[0])

/* One candidate as drawn. */
typedef struct candidate {
    int network, imgsz, batch, optimizer, rungs;
    double lr, decay, ms, score;
    int64_t measurement, id;
} candidate;

static const char *const optimizers[] = {"adam", "adamw", "sgd"};

static gn_status put_facts(gn_study *s, const demo_search *o, gn_error *err)
{
    const bool is_staged = o->n_trials == 84;
    const char *const facts[][2] = {
        {"data", "data/faces_one/data.yaml"},
        {"data_hash", "8f3a1c0d22b7e641"},
        {"data_about", "1125 training, 116 validation and 119 test pictures"},
        {"stages", is_staged ? "10:8,30:2,60" : "2,6,18,54"},
        {"schedule", is_staged ? "stages" : "asha"},
        {"sampler", is_staged ? "grid" : "tpe"},
        {"target", "cpu?threads=1"},
        {"budget_ms", "15"},
        {"objective", "mean_iou"},
        {"seed", o->seed % 2 ? "1" : "0"},
        {"gannet_version", "0.1.0"},
        {"compiler", "gcc 12.2.0"},
        {"cpu", o->seed % 2 ? "Cortex-A72, made up" : "Example CPU, made up"},
        {"cpu_level", o->seed % 2 ? "neon" : "avx2"},
        {"cores", "4"},
        {"jobs", "2"},
        {"out", "runs/faces"},
        {"created_at", "2026-11-20T12:48:22Z"},
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        GN_TRY(gn_study_set_fact(s, facts[i][0], facts[i][1], err));
    if (!o->is_running)
        GN_TRY(gn_study_set_fact(s, "finished_at", "2026-11-20T19:02:10Z", err));
    return gn_study_add_command(s,
                                "gannet search --data data/faces_one/data.yaml --space edge21 --target 'cpu?threads=1' "
                                "--latency 15ms --out runs/faces",
                                1795178902, err);
}

static gn_status put_network(gn_study *s, const candidate *c, const demo_search *o, int64_t *id, gn_error *err)
{
    const network *n = &networks[c->network];
    const double area = c->imgsz / 64.0 * (c->imgsz / 64.0);
    gn_measurement m = gn_measurement_default();
    m.model = n->model;
    m.head = "box";
    m.imgsz = c->imgsz;
    m.precision = "f32";
    m.target = "cpu?threads=1";
    m.device = o->seed % 2 ? "Cortex-A72, made up" : "Example CPU, made up";
    m.threads = 1;
    m.warmup = 10;
    m.runs = 200;
    m.min_ms = c->ms * 0.85;
    m.p50_ms = c->ms * 0.88;
    m.p90_ms = c->ms * 0.95;
    m.p99_ms = c->ms * 1.1;
    m.preprocess_ms = 0.4;
    m.postprocess_ms = 0.01;
    m.total_p50_ms = c->ms * 0.93;
    m.total_p90_ms = c->ms;
    m.total_p99_ms = c->ms * 1.2;
    m.params = (int64_t)(n->mega_params * 1e6);
    m.macs = (int64_t)(n->mega_macs * area * 1e6);
    m.bytes = m.params * 4;
    m.peak_bytes = m.bytes + (int64_t)(3e6 * area);
    m.is_valid = strcmp(n->model, "squeezenet1_1") != 0;
    m.note = m.is_valid ? "" : "disturbed in 3 of 3 tries; the quietest one is kept";
    m.measured_at = 1795178950;
    return gn_study_put_measurement(s, &m, id, err);
}

static candidate draw_candidate(int i, const demo_search *o, gn_rng *rng)
{
    static const int sizes[] = {64, 96, 128}, batches[] = {16, 32, 64};
    static const double rates[] = {1e-2, 1e-3, 1e-4, 1e-5};
    candidate c = {.network = (i / 4) % N_NETWORKS, .imgsz = 64, .batch = 32, .lr = rates[i % 4], .decay = 1e-4};
    if (o->n_trials != 84) {
        c.network = (int)gn_rng_below(rng, N_NETWORKS);
        c.imgsz = sizes[gn_rng_below(rng, 3)];
        c.batch = batches[gn_rng_below(rng, 3)];
        c.optimizer = (int)gn_rng_below(rng, 3);
        c.lr = pow(10, -5 + 4 * gn_rng_uniform(rng));
        c.decay = pow(10, -6 + 4 * gn_rng_uniform(rng));
    }
    const network *n = &networks[c.network];
    const double away = log10(c.lr) + (c.optimizer == 2 ? 2 : 3) + 0.2 * (n->mega_params > 20);
    c.ms = n->ms * (o->seed % 2 ? 6.5 : 1) * pow(c.imgsz / 64.0, 1.7) * (1 + 0.02 * (c.network % 3));
    c.score = n->score + 0.03 * log2(c.imgsz / 64.0) - 0.04 * away * away - 0.004 * fabs(log2(c.batch / 32.0)) +
              0.008 * gn_rng_normal(rng) - 0.002 * (log10(c.decay) + 4) * (log10(c.decay) + 4);
    return c;
}

static gn_status put_config(gn_study *s, candidate *c, const demo_search *o, gn_error *err)
{
    char config[400];
    int n = snprintf(config, sizeof config,
                     "{\"model\":\"%s\",\"head\":\"box\",\"imgsz\":\"%d\",\"batch\":\"%d\",\"lr0\":\"%.6g\"",
                     networks[c->network].model, c->imgsz, c->batch, c->lr);
    if (o->n_trials != 84)
        n += snprintf(config + n, sizeof config - (size_t)n, ",\"optimizer\":\"%s\",\"weight_decay\":\"%.4g\"",
                      optimizers[c->optimizer], c->decay);
    snprintf(config + n, sizeof config - (size_t)n, "}");
    GN_TRY(gn_study_add_trial(
        s, &(gn_trial){.config = config, .seed = (int64_t)o->seed, .origin = o->n_trials == 84 ? "grid" : "tpe"},
        &c->id, err));
    return gn_study_set_trial_measurement(s, c->id, c->measurement, err);
}

static double score_at(const candidate *c, double epochs, gn_rng *rng)
{
    return fmax(0.02, c->score * (1 - 0.8 * exp(-epochs / 8.0)) + 0.006 * gn_rng_normal(rng));
}

static gn_status put_epochs(gn_study *s, const candidate *c, int epochs, gn_error *err)
{
    gn_rng rng;
    gn_rng_init(&rng, 11, (uint64_t)c->id);
    for (int e = 1; e <= epochs; e++) {
        const double iou = score_at(c, e, &rng);
        const gn_epoch epoch = {.trial = c->id,
                                .epoch = e,
                                .seconds = c->ms * 0.4 * e,
                                .train_loss = 0.09 * exp(-e / 14.0) + 0.02 * (1 - iou),
                                .val_loss = 0.08 * (1 - iou) + 0.001 * fabs(gn_rng_normal(&rng)),
                                .mean_iou = iou,
                                .box_precision50 = fmin(1, iou * iou * 2.1),
                                .map50 = NAN,
                                .map50_95 = NAN,
                                .lr = c->lr * (1 - e / 70.0)};
        GN_TRY(gn_study_put_epoch(s, &epoch, err));
    }
    return GN_OK;
}

static gn_status put_result(gn_study *s, const candidate *c, int stage, const char *split, int epochs, double iou,
                            gn_error *err)
{
    const double precision = fmin(1, iou * iou * 2.1), map = fmin(1, 1.5 * iou * iou);
    const gn_metric metrics[] = {{"mean_iou", iou, iou - 0.027, iou + 0.026},
                                 {"box_precision50", precision, precision - 0.05, fmin(1, precision + 0.05)},
                                 {"map50", map, map - 0.06, map + 0.06},
                                 {"map50_95", map * 0.6, map * 0.6 - 0.04, map * 0.6 + 0.04},
                                 {"loss", 0.08 * (1 - iou), NAN, NAN},
                                 {"images", 116, NAN, NAN}};
    const gn_result r = {.trial = c->id,
                         .stage = stage,
                         .split = split,
                         .epochs = epochs,
                         .best_epoch = epochs - epochs / 7,
                         .images_per_s = 210,
                         .seconds = 61.5,
                         .metrics = metrics,
                         .n_metrics = 6};
    return gn_study_put_result(s, &r, err);
}

/* How far each went: four rungs (or three stages), a share of each goes on by what it showed there. */
static int rungs_of(const candidate *c, bool is_staged, gn_rng *rng)
{
    static const double asha[] = {0.535, 0.56, 0.585}, staged[] = {0.555, 0.575};
    int rungs = 1;
    for (int k = 0; k < (is_staged ? 2 : 3); k++)
        if (rungs == k + 1 && c->score + 0.01 * gn_rng_normal(rng) > (is_staged ? staged : asha)[k])
            rungs++;
    return rungs;
}

static gn_status run_trial(gn_study *s, candidate *c, const demo_search *o, gn_rng *rng, double *score, gn_error *err)
{
    static const int staged[] = {10, 30, 60}, asha[] = {2, 6, 18, 54};
    const int *ends = o->n_trials == 84 ? staged : asha;
    *score = NAN;
    if (c->ms > BUDGET)
        return gn_study_set_trial_state(s, c->id, GN_TRIAL_SCREENED, "p90 is over the budget of 15 ms", err);
    if (c->lr > 0.008 && c->optimizer != 2 && gn_rng_below(rng, 3) == 0) {
        GN_TRY(put_epochs(s, c, 1, err));
        return gn_study_set_trial_state(s, c->id, GN_TRIAL_FAILED,
                                        "the loss is not a number at step 94 of epoch 2: the learning rate is too high",
                                        err);
    }
    const int rungs = c->rungs = rungs_of(c, o->n_trials == 84, rng);
    GN_TRY(put_epochs(s, c, ends[rungs - 1], err));
    for (int k = 1; k <= rungs; k++) {
        *score = score_at(c, ends[k - 1], rng);
        GN_TRY(put_result(s, c, k, "val", ends[k - 1], *score, err));
    }
    GN_TRY(gn_study_set_trial_stage(s, c->id, rungs, err));
    GN_TRY(gn_study_add_trial_seconds(s, c->id, c->ms * 0.4 * ends[rungs - 1], err));
    return gn_study_set_trial_state(s, c->id, GN_TRIAL_DONE, "", err);
}

static gn_status put_picture(gn_study *s, int64_t trial, const char *path, gn_error *err)
{
    static const char *const names[][2] = {{"test-sheet.jpg", "Test pictures: the true box and the predicted one"},
                                           {"epoch.jpg", "Validation pictures while training"}};
    char *jpeg = NULL;
    size_t bytes = 0;
    GN_TRY(gn_file_read(path, GN_STUDY_PICTURE_MAX_BYTES, &jpeg, &bytes, err));
    gn_status status = GN_OK;
    for (size_t i = 0; i < 2 && status == GN_OK; i++) {
        const gn_picture picture = {.trial = trial,
                                    .name = names[i][0],
                                    .caption = names[i][1],
                                    .jpeg = (const unsigned char *)jpeg,
                                    .bytes = bytes};
        status = gn_study_put_picture(s, &picture, err);
    }
    gn_free(jpeg);
    return status;
}

static gn_status put_winner(gn_study *s, const candidate *best, double score, const demo_search *o, gn_error *err)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)best->id);
    GN_TRY(gn_study_set_fact(s, "winner", text, err));
    GN_TRY(put_result(s, best, best->rungs, "test", 60, score - 0.014, err));
    return o->picture != NULL ? put_picture(s, best->id, o->picture, err) : GN_OK;
}

static gn_status put_all(gn_study *s, const demo_search *o, gn_error *err)
{
    gn_rng rng;
    gn_rng_init(&rng, 5, o->seed);
    candidate best = {0};
    double best_score = 0;
    GN_TRY(put_facts(s, o, err));
    for (int i = 0; i < o->n_trials; i++) {
        candidate c = draw_candidate(i, o, &rng);
        double score = NAN;
        GN_TRY(put_network(s, &c, o, &c.measurement, err));
        GN_TRY(put_config(s, &c, o, err));
        if (o->is_running && i + 3 >= o->n_trials) {
            GN_TRY(put_epochs(s, &c, 1, err));
            GN_TRY(gn_study_set_trial_state(s, c.id, GN_TRIAL_RUNNING, "", err));
            continue;
        }
        GN_TRY(run_trial(s, &c, o, &rng, &score, err));
        if (isfinite(score) && score > best_score) {
            best = c;
            best_score = score;
        }
    }
    return o->is_running || best.id == 0 ? GN_OK : put_winner(s, &best, best_score, o, err);
}

gn_status demo_search_write(const char *path, const demo_search *options, gn_error *err)
{
    gn_study *s = NULL;
    GN_TRY(gn_study_open(path, GN_STUDY_WRITE, &s, err));
    gn_status status = gn_study_begin(s, err);
    if (status == GN_OK)
        status = put_all(s, options, err);
    if (status == GN_OK)
        status = gn_study_commit(s, err);
    gn_study_close(&s);
    return status;
}
