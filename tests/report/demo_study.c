/* SPDX-License-Identifier: Apache-2.0 */
#include "demo_study.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"

typedef struct network {
    const char *model;
    double ms, final_iou;
    int64_t params, macs;
} network;

static const network networks[] = {
    {"mobilenet_v2@0.35", 4.1, 0.51, 400000, 20000000}, {"mobilenet_v2", 9.8, 0.545, 2230000, 104000000},
    {"resnet18", 12.4, 0.56, 11180000, 596000000},      {"squeezenet1_1", 5.2, 0.46, 724000, 87000000},
    {"mobilenet_v1@0.5", 6.6, 0.50, 830000, 49000000},  {"resnet50", 31.0, 0.58, 23510000, 1340000000},
    {"yolov1_fast", 17.5, 0.5, 27100000, 2100000000},
};
#define N_NETWORKS 7
#define BUDGET     15.0
static const char *const rates[] = {"0.0003", "0.001", "0.01"};

static gn_status put_facts(gn_study *s, gn_error *err)
{
    static const char *const facts[][2] = {
        {"data", "shared/data/faces_one/data.yaml"},
        {"data_hash", "8f3a1c0d22b7e641"},
        {"data_about", "1125 training, 116 validation and 119 test pictures"},
        {"stages", "10:4,30:2,60"},
        {"target", "cpu?threads=1"},
        {"budget_ms", "15"},
        {"objective", "mean_iou"},
        {"seed", "0"},
        {"space", DEMO_NASTY},
        {"gannet_version", "0.1.0"},
        {"compiler", "12.2.0"},
        {"cpu", "AMD EPYC 7B13"},
        {"cpu_level", "avx2"},
        {"cores", "2"},
        {"jobs", "1"},
        {"out", "runs/faces"},
        {"created_at", "2026-11-20T12:48:22Z"},
        {"finished_at", "2026-11-20T14:02:10Z"},
        {"winner", "8"},
        {"test_note", ""},
    };
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        GN_TRY(gn_study_set_fact(s, facts[i][0], facts[i][1], err));
    GN_TRY(gn_study_add_command(
        s,
        "gannet search --data shared/data/faces_one/data.yaml --space space.yaml --target 'cpu?threads=1' "
        "--latency 15ms --stages 10:4,30:2,60 --out runs/faces",
        1795178902, err));
    return GN_OK;
}

static gn_status put_network(gn_study *s, const network *n, int64_t *id, gn_error *err)
{
    gn_measurement m = gn_measurement_default();
    m.model = n->model;
    m.head = "box";
    m.imgsz = 128;
    m.precision = "f32";
    m.target = "cpu?threads=1";
    m.device = "AMD EPYC 7B13";
    m.threads = 1;
    m.warmup = 10;
    m.runs = 200;
    m.min_ms = n->ms * 0.85;
    m.p50_ms = n->ms * 0.88;
    m.p90_ms = n->ms * 0.95;
    m.p99_ms = n->ms * 1.1;
    m.preprocess_ms = 0.4;
    m.postprocess_ms = 0.01;
    m.total_p50_ms = n->ms * 0.93;
    m.total_p90_ms = n->ms;
    m.total_p99_ms = n->ms * 1.2;
    m.peak_bytes = n->params * 4 + 3000000;
    m.params = n->params;
    m.macs = n->macs;
    m.bytes = n->params * 4;
    m.is_valid = strcmp(n->model, "squeezenet1_1") != 0;
    m.note = m.is_valid ? "" : "disturbed in 3 of 3 tries; the quietest one is kept";
    m.measured_at = 1795178950;
    return gn_study_put_measurement(s, &m, id, err);
}

static double iou_at(const network *n, int rate, int epoch, gn_rng *rng)
{
    static const double penalty[] = {0.05, 0.0, 0.035};
    return fmax(0.02, (n->final_iou - penalty[rate]) * (1 - exp(-(epoch + 1) / 9.0)) + 0.01 * gn_rng_normal(rng));
}

static gn_status put_epochs(gn_study *s, int64_t trial, const network *n, int rate, int epochs, double *best,
                            int *best_epoch, gn_error *err)
{
    gn_rng rng;
    gn_rng_init(&rng, 7, (uint64_t)trial);
    *best = 0;
    for (int e = 1; e <= epochs; e++) {
        const double iou = iou_at(n, rate, e, &rng);
        const gn_epoch epoch = {.trial = trial,
                                .epoch = e,
                                .seconds = n->ms * 1.3,
                                .train_loss = 0.09 * exp(-e / 14.0) + 0.006,
                                .val_loss = 0.08 * (1 - iou) + 0.004 * fabs(gn_rng_normal(&rng)),
                                .mean_iou = iou,
                                .box_precision50 = fmin(1, iou * iou * 2.1),
                                .map50 = NAN,
                                .map50_95 = NAN,
                                .lr = 0.001};
        GN_TRY(gn_study_put_epoch(s, &epoch, err));
        if (iou > *best) {
            *best = iou;
            *best_epoch = e;
        }
    }
    return GN_OK;
}

static gn_status put_result(gn_study *s, int64_t trial, int stage, const char *split, int epochs, int best_epoch,
                            double iou, gn_error *err)
{
    const gn_metric metrics[] = {{"mean_iou", iou, iou - 0.03, iou + 0.031},
                                 {"box_precision50", iou * iou * 2.1, NAN, NAN},
                                 {"loss", 0.08 * (1 - iou), NAN, NAN},
                                 {"images", 116, NAN, NAN}};
    const gn_result r = {.trial = trial,
                         .stage = stage,
                         .split = split,
                         .epochs = epochs,
                         .best_epoch = best_epoch,
                         .images_per_s = 210,
                         .seconds = 61.5,
                         .metrics = metrics,
                         .n_metrics = 4};
    return gn_study_put_result(s, &r, err);
}

static gn_status put_trial(gn_study *s, const network *n, int64_t measurement, int rate, gn_error *err)
{
    static const int ends[] = {10, 30, 60};
    char config[200], folder[64];
    int64_t trial = 0;
    double best = 0;
    int best_epoch = 0;
    snprintf(
        config, sizeof config,
        "{\"model\":\"%s\",\"head\":\"box\",\"imgsz\":\"128\",\"batch\":\"32\",\"optimizer\":\"adam\",\"lr0\":\"%s\"}",
        n->model, rates[rate]);
    GN_TRY(gn_study_add_trial(s, &(gn_trial){.config = config}, &trial, err));
    snprintf(folder, sizeof folder, "runs/faces/trials/trial-%04lld", (long long)trial);
    GN_TRY(gn_study_set_trial_folder(s, trial, folder, err));
    GN_TRY(gn_study_set_trial_measurement(s, trial, measurement, err));
    if (n->ms > BUDGET)
        return gn_study_set_trial_state(s, trial, GN_TRIAL_SCREENED, "p90 is over the budget of 15 ms", err);
    if (strcmp(n->model, "mobilenet_v1@0.5") == 0 && rate == 2) {
        GN_TRY(put_epochs(s, trial, n, rate, 3, &best, &best_epoch, err));
        return gn_study_set_trial_state(
            s, trial, GN_TRIAL_FAILED,
            "exit code 1: the loss is not a number at step 94, learning rate 0.01; " DEMO_NASTY, err);
    }
    const int stage = rate != 1 ? 1 : n->final_iou > 0.52 ? 3 : n->final_iou > 0.49 ? 2 : 1;
    GN_TRY(put_epochs(s, trial, n, rate, ends[stage - 1], &best, &best_epoch, err));
    for (int k = 1; k <= stage; k++)
        GN_TRY(put_result(s, trial, k, "val", ends[k - 1], best_epoch, best, err));
    GN_TRY(gn_study_set_trial_stage(s, trial, stage, err));
    GN_TRY(gn_study_add_trial_seconds(s, trial, n->ms * 1.3 * ends[stage - 1], err));
    GN_TRY(gn_study_set_trial_state(s, trial, GN_TRIAL_DONE, "", err));
    return trial == 8 ? put_result(s, trial, stage, "test", ends[stage - 1], best_epoch, best - 0.014, err) : GN_OK;
}

static gn_status put_picture(gn_study *s, const char *path, gn_error *err)
{
    char *jpeg = NULL;
    size_t bytes = 0;
    GN_TRY(gn_file_read(path, GN_STUDY_PICTURE_MAX_BYTES, &jpeg, &bytes, err));
    gn_picture picture = {.trial = 8,
                          .name = "test-sheet.jpg",
                          .caption = "Test pictures: the true box and the predicted one",
                          .jpeg = (const unsigned char *)jpeg,
                          .bytes = bytes};
    gn_status status = gn_study_put_picture(s, &picture, err);
    picture.name = "epoch.jpg";
    picture.caption = "Validation pictures while training";
    if (status == GN_OK)
        status = gn_study_put_picture(s, &picture, err);
    picture.name = "epoch2.jpg";
    if (status == GN_OK)
        status = gn_study_put_picture(s, &picture, err);
    gn_free(jpeg);
    return status;
}

gn_status demo_study_write(const char *path, const char *picture, gn_error *err)
{
    gn_study *s = NULL;
    GN_TRY(gn_study_open(path, GN_STUDY_WRITE, &s, err));
    gn_status status = put_facts(s, err);
    for (int i = 0; i < N_NETWORKS && status == GN_OK; i++) {
        int64_t measurement = 0;
        status = put_network(s, &networks[i], &measurement, err);
        for (int rate = 0; rate < 3 && status == GN_OK; rate++)
            status = put_trial(s, &networks[i], measurement, rate, err);
    }
    if (status == GN_OK && picture != NULL)
        status = put_picture(s, picture, err);
    gn_study_close(&s);
    return status;
}
