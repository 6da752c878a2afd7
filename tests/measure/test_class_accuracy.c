/* Accuracy of classifiers: ranks by hand, and a whole measurement against a count made here from the model's own answers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "graph/graph.h"
#include "image/image.h"
#include "measure/accuracy.h"
#include "ops/ops.h"

static void ranks_by_hand(void **state)
{
    (void)state;
    const float logits[] = {0.5f, 2.0f, -1.0f, 2.0f, 0.0f, 0.25f, 9.0f};
    const int32_t expected[] = {3, 1, 6, 2, 5, 4, 0}; /* of the equal ones the lower class comes first */
    for (int c = 0; c < 7; c++)
        assert_int_equal(gn_top_rank(logits, 7, c), expected[c]);
    const float bad[] = {1.0f, (float)NAN};
    assert_int_equal(gn_top_rank(bad, 2, 0), -1);
    const int32_t ranks[] = {0, 0, 3, 4, 5, -1, 0, 9};
    const gn_top_metrics m = gn_top_metrics_of(ranks, 8);
    assert_true(m.top1 == 3.0 / 8 && m.top5 == 5.0 / 8 && m.images == 8);
    assert_true(isnan(gn_top_metrics_of(NULL, 0).top1));
}

static void intervals_of_ranks(void **state)
{
    (void)state;
    int32_t ranks[200];
    gn_interval top1, top5, again;
    for (int i = 0; i < 200; i++)
        ranks[i] = i % 4 == 0 ? 7 : i % 4 - 1; /* 25% each: rank 7, 0, 1, 2 */
    assert_int_equal(gn_top_bootstrap(ranks, 200, 2000, 3, &top1, &top5), GN_OK);
    assert_true(top1.value == 0.25 && top5.value == 0.75);
    /* 1.96 standard deviations of a share of 200: 0.060 */
    assert_true(fabs(top1.low - 0.19) < 0.012 && fabs(top1.high - 0.31) < 0.012);
    assert_true(fabs(top5.low - 0.69) < 0.012 && fabs(top5.high - 0.81) < 0.012);
    assert_int_equal(gn_top_bootstrap(ranks, 200, 2000, 3, &again, &top5), GN_OK);
    assert_true(again.low == top1.low && again.high == top1.high);
    assert_int_equal(gn_top_bootstrap(ranks, 200, 0, 3, &again, &top5), GN_EINVAL);
}

/* ---- a whole measurement ---- */

#define N_CLASSES  7
#define N_PICTURES 21

/* Mean colour -> Gemm -> 7 logits. */
static gn_graph *model_of(const char *names, bool ends_in_softmax)
{
    gn_graph *g = NULL;
    assert_int_equal(gn_graph_create(gn_ops_registry(), &g), GN_OK);
    const gn_shape images = gn_shape_make(4, -1, 3, 8, 8), w_shape = gn_shape_make(2, N_CLASSES, 3);
    const int x = gn_graph_add_input(g, "images", GN_DTYPE_F32, &images);
    const int pooled = gn_graph_add_op(g, "GlobalAveragePool", "", "pool", &x, 1, NULL, 0);
    const int flat = gn_graph_add_op(g, "Flatten", "", "flat", &pooled, 1, NULL, 0);
    const int w = gn_graph_add_state(g, "w", GN_DTYPE_F32, &w_shape, true);
    float *p = gn_graph_value(g, w)->data->data;
    for (int i = 0; i < 3 * N_CLASSES; i++)
        p[i] = (float)((i * 37 + 11) % 23 - 11) * 0.3f;
    const gn_attr trans = gn_attr_int("transB", 1);
    const int in[2] = {flat, w};
    int y = gn_graph_add_op(g, "Gemm", "", "fc", in, 2, &trans, 1);
    const gn_attr axis = gn_attr_int("axis", 1);
    if (ends_in_softmax)
        y = gn_graph_add_op(g, "Softmax", "", "softmax", &y, 1, &axis, 1);
    assert_int_equal(gn_graph_add_output(g, y), GN_OK);
    assert_int_equal(gn_graph_meta_set(g, "gannet.task", "classify"), GN_OK);
    if (names)
        assert_int_equal(gn_graph_meta_set(g, "gannet.names", names), GN_OK);
    return g;
}

static char folder[256];

static void draw_set(void)
{
    for (int i = 0; i < N_PICTURES; i++) {
        gn_image image;
        char path[600];
        assert_int_equal(gn_image_create(8, 8, 3, &image), GN_OK);
        for (int k = 0; k < 64 * 3; k++)
            image.data[k] = (uint8_t)((i * 53 + (k % 3) * 91 + k / 3) % 256);
        snprintf(path, sizeof path, "%s/val/c%d", folder, i % N_CLASSES);
        assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
        snprintf(path, sizeof path, "%s/val/c%d/%d.png", folder, i % N_CLASSES, i);
        assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
        gn_image_deinit(&image);
    }
}

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-classes-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    draw_set();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    char command[400];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command) == 0 ? 0 : -1;
}

static gn_status measure(gn_graph *graph, gn_dataset *d, gn_accuracy *a, gn_scored_picture **pictures, int64_t *n,
                         gn_error *err)
{
    gn_session *session = NULL;
    gn_loader *loader = NULL;
    const gn_session_options options = {.threads = 1};
    assert_int_equal(gn_session_open_graph(graph, &options, &session, err), GN_OK);
    assert_int_equal(gn_accuracy_loader(session, d, GN_SPLIT_VAL, 4, 0, &loader, err), GN_OK);
    gn_accuracy_options o = gn_accuracy_default_options();
    o.resamples = 100;
    const gn_status status = gn_measure_accuracy(session, d, GN_SPLIT_VAL, loader, &o, a, pictures, n, err);
    gn_loader_destroy(&loader);
    gn_session_close(&session);
    return status;
}

static gn_dataset *open_set(void)
{
    gn_dataset *d = NULL;
    gn_error err = {0};
    if (gn_dataset_open(folder, NULL, &d, &err) != GN_OK)
        fail_msg("%s", err.message);
    return d;
}

/* Logits of the true class against all others, in double and from the pictures' own mean colours. */
static void check_against_a_count(bool ends_in_softmax)
{
    gn_graph *graph = model_of(NULL, ends_in_softmax);
    gn_dataset *d = open_set();
    gn_accuracy a;
    gn_scored_picture *pictures = NULL;
    gn_error err = {0};
    int64_t n = 0;
    if (measure(graph, d, &a, &pictures, &n, &err) != GN_OK)
        fail_msg("%s", err.message);
    const float *w = gn_graph_value(graph, gn_graph_find_value(graph, "w"))->data->data;
    static const double mean[3] = {0.485, 0.456, 0.406}, deviation[3] = {0.229, 0.224, 0.225};
    int first = 0, fifth = 0;
    double loss = 0;
    for (int64_t i = 0; i < N_PICTURES; i++) {
        const gn_sample *s = gn_dataset_sample(d, GN_SPLIT_VAL, i);
        gn_image image = {0};
        double logit[N_CLASSES], colour[3] = {0}, sum = 0;
        assert_int_equal(gn_sample_decode(s, NULL, &image, NULL), GN_OK);
        for (int k = 0; k < 64 * 3; k++)
            colour[k % 3] += image.data[k] / 255.0 / 64;
        int before = 0, best = 0;
        for (int c = 0; c < N_CLASSES; c++) {
            logit[c] = 0;
            for (int k = 0; k < 3; k++)
                logit[c] += (double)w[3 * c + k] * (colour[k] - mean[k]) / deviation[k];
            sum += exp(logit[c]);
            best = logit[c] > logit[best] ? c : best;
        }
        for (int c = 0; c < N_CLASSES; c++)
            before += logit[c] > logit[s->label];
        first += before == 0;
        fifth += before < 5;
        loss += log(sum) - logit[s->label];
        assert_int_equal(pictures[i].cls, best);
        assert_int_equal(pictures[i].label, s->label);
        assert_true(fabs((double)pictures[i].score - exp(logit[best]) / sum) < 1e-4);
        gn_image_deinit(&image);
    }
    assert_true(a.is_classifier && a.images == N_PICTURES && n == N_PICTURES);
    assert_true(a.top1.value == (double)first / N_PICTURES && a.top5.value == (double)fifth / N_PICTURES);
    assert_true(first > 0 && first < N_PICTURES && fifth > first && fifth < N_PICTURES);
    assert_true(fabs(a.loss - loss / N_PICTURES) < 1e-4);
    assert_true(a.top1.low <= a.top1.value && a.top1.high >= a.top1.value);
    gn_free(pictures);
    gn_dataset_close(&d);
    gn_graph_destroy(&graph);
}

static void a_measurement_against_a_count(void **state)
{
    (void)state;
    check_against_a_count(false);
}

static void probabilities_are_known(void **state)
{
    (void)state;
    check_against_a_count(true);
}

/* A model that knows the set's classes under other numbers is judged by the names. */
static void classes_meet_by_name(void **state)
{
    (void)state;
    gn_graph *graph = model_of("[\"c6\",\"c5\",\"c4\",\"c3\",\"c2\",\"c1\",\"c0\"]", false);
    gn_dataset *d = open_set();
    gn_accuracy a;
    gn_scored_picture *pictures = NULL;
    gn_error err = {0};
    int64_t n = 0;
    assert_int_equal(measure(graph, d, &a, &pictures, &n, &err), GN_OK);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(pictures[i].label, 6 - gn_dataset_sample(d, GN_SPLIT_VAL, pictures[i].sample)->label);
    gn_free(pictures);
    gn_graph_destroy(&graph);
    gn_dataset_close(&d);
}

static void other_classes_are_refused(void **state)
{
    (void)state;
    gn_graph *graph = model_of(NULL, false);
    gn_accuracy a;
    gn_error err = {0};
    char path[600];
    gn_image image;
    assert_int_equal(gn_image_create(8, 8, 3, &image), GN_OK);
    snprintf(path, sizeof path, "%s/val/z", folder);
    assert_int_equal(gn_make_dirs(path, NULL), GN_OK);
    snprintf(path, sizeof path, "%s/val/z/z.png", folder);
    assert_int_equal(gn_image_save(path, &image, 90, NULL), GN_OK);
    gn_image_deinit(&image);
    gn_dataset *d = open_set();
    assert_int_equal(measure(graph, d, &a, NULL, NULL, &err), GN_EDATA);
    assert_non_null(strstr(err.message, "7 classes"));
    gn_dataset_close(&d);
    assert_int_equal(gn_graph_meta_set(graph, "gannet.task", "box"), GN_OK);
    assert_int_equal(gn_graph_meta_set(graph, "gannet.decode", "box_xyxy01"), GN_OK);
    d = open_set();
    assert_int_equal(measure(graph, d, &a, NULL, NULL, &err), GN_EDATA);
    assert_non_null(strstr(err.message, "a class each"));
    gn_dataset_close(&d);
    gn_graph_destroy(&graph);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_by_hand),
        cmocka_unit_test(intervals_of_ranks),
        cmocka_unit_test(a_measurement_against_a_count),
        cmocka_unit_test(probabilities_are_known),
        cmocka_unit_test(classes_meet_by_name),
        cmocka_unit_test(other_classes_are_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
