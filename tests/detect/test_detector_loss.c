/* Losses of detectors against PyTorch's values and gradients (tests/golden/detector_loss_*.txt), in f64 and f32 and in both layouts;
 * gradients against differences; and what is odd: no truths, broken numbers.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "detect/detector_loss.h"

#define MOST_TRUTHS 64
#define MOST_N      4
#define PRODUCTS    6

/* One case of a golden file, with room for its data in f64. */
typedef struct loss_case {
    char name[64];
    gn_detection d;
    uint64_t seed;
    float scale, bias;
    double truth[MOST_N * MOST_TRUTHS * 5], weight[MOST_N], class_weight[128];
    int64_t n_truth[MOST_N];
    double *raw[GN_DETECTOR_MAX_MAPS], *grad[GN_DETECTOR_MAX_MAPS]; /* plain */
    double loss, part[GN_DETECTION_PARTS];
    int n_grads;
    double norm[GN_DETECTOR_MAX_MAPS], product[GN_DETECTOR_MAX_MAPS][PRODUCTS];
} loss_case;

/* SplitMix64, as numbers of 24 bits in -1..1: draw() of tests/oracle/detector_loss.py. */
static double draw(uint64_t seed, int64_t i)
{
    uint64_t z = seed + (uint64_t)(i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / 8388608.0 - 1;
}

static int64_t map_count(const gn_detection *d, int m)
{
    return d->n * gn_detector_channels(&d->detector) * d->map[m].height * d->map[m].width;
}

/* ---- reading ---- */

static int numbers(const char *text, double *dst, int most)
{
    int n = 0;
    char *end;
    for (double x = strtod(text, &end); end != text && n < most; x = strtod(text, &end)) {
        dst[n++] = x;
        text = end;
    }
    return n;
}

static void set_rule(gn_detection_rule *r, const char *name, const char *value)
{
    const struct {
        const char *name;
        double *number;
    } fields[] = {
        {"box", &r->box},
        {"obj", &r->obj},
        {"cls", &r->cls},
        {"dfl", &r->dfl},
        {"noobj", &r->noobj},
        {"size_power", &r->size_power},
        {"focal_gamma", &r->focal_gamma},
        {"focal_alpha", &r->focal_alpha},
        {"label_smoothing", &r->label_smoothing},
        {"beta", &r->beta},
        {"ignore", &r->ignore},
        {"match_low", &r->match_low},
        {"match_high", &r->match_high},
        {"ratio", &r->ratio},
        {"shape", &r->shape},
        {"score_power", &r->score_power},
        {"overlap_power", &r->overlap_power},
        {"small_side", &r->small_side},
    };
    if (strcmp(name, "top_k") == 0) {
        r->top_k = atoi(value);
        return;
    }
    if (strcmp(name, "box_loss") == 0) {
        r->box_is_iou = strcmp(value, "paper") != 0;
        assert_true(!r->box_is_iou || gn_iou_kind_parse(value, &r->iou));
        return;
    }
    if (strcmp(name, "overlap") == 0) {
        assert_true(gn_iou_kind_parse(value, &r->overlap));
        return;
    }
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, name) == 0) {
            *fields[i].number = strtod(value, NULL);
            return;
        }
    fail_msg("the golden file has a rule %s", name);
}

static void read_batch(loss_case *c, const char *rest)
{
    double x[5];
    assert_int_equal(numbers(rest, x, 5), 5);
    c->d.n = (int64_t)x[0];
    c->d.capacity = (int64_t)x[1];
    c->seed = (uint64_t)x[2];
    c->scale = (float)x[3];
    c->bias = (float)x[4];
    assert_true(c->d.n <= MOST_N && c->d.capacity <= MOST_TRUTHS && c->d.detector.classes <= 128);
    for (int i = 0; i < MOST_N; i++)
        c->weight[i] = 1;
    for (int i = 0; i < 128; i++)
        c->class_weight[i] = 1;
}

static void read_truth_line(loss_case *c, const char *rest)
{
    double x[6];
    assert_int_equal(numbers(rest, x, 6), 6);
    const int64_t n = (int64_t)x[0];
    for (int i = 0; i < 5; i++)
        c->truth[(n * c->d.capacity + c->n_truth[n]) * 5 + i] = (double)(float)x[1 + i];
    c->n_truth[n]++;
}

static void read_line(loss_case *c, const char *word, const char *rest, int *n_maps)
{
    double x[1 + PRODUCTS];
    char name[32], value[32];
    if (strcmp(word, "detector") == 0) {
        gn_error err = {0};
        if (gn_detector_parse(rest, &c->d.detector, &err) != GN_OK)
            fail_msg("%s", err.message);
        c->d.rule = gn_detection_rule_default(c->d.detector.kind);
    } else if (strcmp(word, "rule") == 0) {
        assert_int_equal(sscanf(rest, "%31s %31s", name, value), 2);
        set_rule(&c->d.rule, name, value);
    } else if (strcmp(word, "batch") == 0) {
        read_batch(c, rest);
    } else if (strcmp(word, "map") == 0) {
        assert_int_equal(numbers(rest, x, 2), 2);
        c->d.map[*n_maps].height = (int64_t)x[0];
        c->d.map[(*n_maps)++].width = (int64_t)x[1];
    } else if (strcmp(word, "truth") == 0) {
        read_truth_line(c, rest);
    } else if (strcmp(word, "weight") == 0) {
        assert_int_equal(numbers(rest, c->weight, MOST_N), c->d.n);
    } else if (strcmp(word, "class_weight") == 0) {
        assert_int_equal(numbers(rest, c->class_weight, 128), c->d.detector.classes);
    } else if (strcmp(word, "loss") == 0) {
        assert_int_equal(numbers(rest, x, 5), 5);
        c->loss = x[0];
        memcpy(c->part, x + 1, sizeof c->part);
    } else if (strcmp(word, "grad") == 0) {
        assert_int_equal(numbers(rest, x, 1 + PRODUCTS), 1 + PRODUCTS);
        c->norm[c->n_grads] = x[0];
        memcpy(c->product[c->n_grads++], x + 1, sizeof c->product[0]);
    } else
        fail_msg("the golden file has a line %s", word);
}

static void fill_maps(loss_case *c)
{
    for (int m = 0; m < c->d.detector.n_maps; m++) {
        const int64_t count = map_count(&c->d, m);
        c->raw[m] = gn_alloc((size_t)count * sizeof(double));
        c->grad[m] = gn_calloc((size_t)count, sizeof(double));
        assert_true(c->raw[m] && c->grad[m]);
        for (int64_t i = 0; i < count; i++)
            c->raw[m][i] = (double)(c->scale * (float)draw(c->seed + 1000003u * (uint64_t)m, i) + c->bias);
    }
}

static void free_case(loss_case *c)
{
    for (int m = 0; m < c->d.detector.n_maps; m++) {
        gn_free(c->raw[m]);
        gn_free(c->grad[m]);
    }
    gn_free(c);
}

/* Calls `visit` with every case of tests/golden/detector_loss_<kind>.txt. */
static void for_each_case(const char *kind, void (*visit)(loss_case *c))
{
    char path[512];
    char *bytes;
    size_t size;
    gn_error err = {0};
    snprintf(path, sizeof path, "%s/tests/golden/detector_loss_%s.txt", GN_SOURCE_DIR, kind);
    if (gn_file_read(path, 1 << 22, &bytes, &size, &err) != GN_OK)
        fail_msg("%s", err.message);
    loss_case *c = NULL;
    int n_maps = 0, n_cases = 0;
    for (char *line = strtok(bytes, "\n"); line; line = strtok(NULL, "\n")) {
        char *rest = line + strcspn(line, " ");
        if (*rest)
            *rest++ = '\0';
        if (line[0] == '#')
            continue;
        if (strcmp(line, "case") == 0) {
            c = gn_calloc(1, sizeof *c);
            assert_non_null(c);
            snprintf(c->name, sizeof c->name, "%s/%s", kind, rest);
            n_maps = 0;
        } else if (strcmp(line, "end") == 0) {
            assert_int_equal(n_maps, c->d.detector.n_maps);
            assert_int_equal(c->n_grads, n_maps);
            fill_maps(c);
            visit(c);
            free_case(c);
            n_cases++;
        } else
            read_line(c, line, rest, &n_maps);
    }
    assert_true(n_cases > 4);
    gn_free(bytes);
}

/* ---- running ---- */

/* Memory in one type and layout. */
typedef struct run_data {
    void *raw[GN_DETECTOR_MAX_MAPS], *grad[GN_DETECTOR_MAX_MAPS];
    void *truth, *weight, *class_weight;
} run_data;

static void *narrowed(const double *x, int64_t count, bool is_f64)
{
    void *y = gn_alloc((size_t)(count + 1) * sizeof(double));
    assert_non_null(y);
    for (int64_t i = 0; i < count; i++)
        if (is_f64)
            ((double *)y)[i] = x[i];
        else
            ((float *)y)[i] = (float)x[i];
    return y;
}

/* Where plain element i of map m lies in memory. */
static int64_t place(const gn_detection *d, int m, int64_t i)
{
    const gn_detection_map *map = &d->map[m];
    const int64_t cells = map->height * map->width, C = gn_detector_channels(&d->detector);
    return i / (C * cells) * map->picture_step + i / cells % C * map->channel_step + i % cells * map->cell_step;
}

static void set_layout(gn_detection *d, bool is_nhwc)
{
    const int64_t C = gn_detector_channels(&d->detector);
    for (int m = 0; m < d->detector.n_maps; m++) {
        gn_detection_map *map = &d->map[m];
        map->picture_step = C * map->height * map->width;
        map->channel_step = is_nhwc ? 1 : map->height * map->width;
        map->cell_step = is_nhwc ? C : 1;
    }
}

static void call(gn_detection *d, double *loss, double *parts)
{
    size_t state_bytes, work_bytes;
    gn_error err = {0};
    if (gn_detection_bytes(d, &state_bytes, &work_bytes, &err) != GN_OK)
        fail_msg("%s", err.message);
    void *state = gn_alloc(state_bytes), *work = gn_alloc(work_bytes);
    assert_true(state && work);
    memset(state, 0xa5, state_bytes);
    memset(work, 0xa5, work_bytes);
    gn_detection_loss(d, state, work, loss, parts);
    gn_free(state);
    gn_free(work);
}

/* Fills c->grad. */
static void run_case(loss_case *c, bool is_f64, bool is_nhwc, double *loss, double parts[GN_DETECTION_PARTS])
{
    run_data r = {.truth = narrowed(c->truth, c->d.n * c->d.capacity * 5, is_f64),
                  .weight = narrowed(c->weight, c->d.n, is_f64),
                  .class_weight = narrowed(c->class_weight, c->d.detector.classes, is_f64)};
    gn_detection d = c->d;
    set_layout(&d, is_nhwc);
    d.is_f64 = is_f64;
    d.truth = r.truth;
    d.n_truth = c->n_truth;
    d.weight = r.weight;
    d.class_weight = r.class_weight;
    for (int m = 0; m < d.detector.n_maps; m++) {
        const int64_t count = map_count(&d, m);
        double *moved = gn_alloc((size_t)count * sizeof *moved);
        assert_non_null(moved);
        for (int64_t i = 0; i < count; i++)
            moved[place(&d, m, i)] = c->raw[m][i];
        d.map[m].raw = r.raw[m] = narrowed(moved, count, is_f64);
        for (int64_t i = 0; i < count; i++)
            moved[i] = 1e9; /* all of it is written */
        d.map[m].grad = r.grad[m] = narrowed(moved, count, is_f64);
        gn_free(moved);
    }
    call(&d, loss, parts);
    for (int m = 0; m < d.detector.n_maps; m++) {
        for (int64_t i = 0; i < map_count(&d, m); i++) {
            const int64_t at = place(&d, m, i);
            c->grad[m][i] = is_f64 ? ((double *)r.grad[m])[at] : (double)((float *)r.grad[m])[at];
        }
        gn_free(r.raw[m]);
        gn_free(r.grad[m]);
    }
    gn_free(r.truth);
    gn_free(r.weight);
    gn_free(r.class_weight);
}

/* ---- against PyTorch ---- */

static void check_number(const loss_case *c, const char *what, double got, double want, double allowed)
{
    if (!(fabs(got - want) <= allowed))
        fail_msg("%s: %s is %.12g, expected %.12g", c->name, what, got, want);
}

static void compare(loss_case *c, bool is_f64, bool is_nhwc)
{
    double loss, parts[GN_DETECTION_PARTS];
    const double tolerance = is_f64 ? 1e-9 : 1e-5;
    run_case(c, is_f64, is_nhwc, &loss, parts);
    check_number(c, "the loss", loss, c->loss, tolerance * (1e-3 + fabs(c->loss)));
    for (int i = 0; i < GN_DETECTION_PARTS; i++)
        check_number(c, "a part", parts[i], c->part[i], tolerance * (1e-3 + fabs(c->part[i])));
    for (int m = 0; m < c->d.detector.n_maps; m++) {
        const int64_t count = map_count(&c->d, m);
        double square = 0, product[PRODUCTS] = {0};
        for (int64_t i = 0; i < count; i++) {
            square += c->grad[m][i] * c->grad[m][i];
            for (int k = 0; k < PRODUCTS; k++)
                product[k] += c->grad[m][i] * draw((uint64_t)(77 + 1000 * k + m), i);
        }
        const double allowed = tolerance * (1e-6 + c->norm[m]);
        check_number(c, "the size of a gradient", sqrt(square), c->norm[m], allowed);
        for (int k = 0; k < PRODUCTS; k++)
            check_number(c, "the product of a gradient", product[k], c->product[m][k], allowed);
    }
}

static void compare_all(loss_case *c)
{
    compare(c, true, false);
    compare(c, true, true);
    compare(c, false, true);
    compare(c, false, false);
}

static void yolov1_is_as_pytorch_has_it(void **state)
{
    (void)state;
    for_each_case("yolov1", compare_all);
}

static void yolov2_is_as_pytorch_has_it(void **state)
{
    (void)state;
    for_each_case("yolov2", compare_all);
}

static void yolov3_is_as_pytorch_has_it(void **state)
{
    (void)state;
    for_each_case("yolov3", compare_all);
}

static void yolov5_is_as_pytorch_has_it(void **state)
{
    (void)state;
    for_each_case("yolov5", compare_all);
}

static void yolov8_is_as_pytorch_has_it(void **state)
{
    (void)state;
    for_each_case("yolov8", compare_all);
}

static void retinanet_is_as_pytorch_has_it(void **state)
{
    (void)state;
    for_each_case("retinanet", compare_all);
}

/* ---- gradients against differences ---- */

/* A case in f64 and plain layout, on the case's own memory. */
static gn_detection plain_batch(loss_case *c)
{
    gn_detection d = c->d;
    set_layout(&d, false);
    d.is_f64 = true;
    d.truth = c->truth;
    d.n_truth = c->n_truth;
    d.weight = c->weight;
    d.class_weight = c->class_weight;
    for (int m = 0; m < d.detector.n_maps; m++) {
        d.map[m].raw = c->raw[m];
        d.map[m].grad = c->grad[m];
    }
    return d;
}

static double loss_now(const gn_detection *d, void *state, void *work)
{
    double loss, parts[GN_DETECTION_PARTS];
    for (int64_t n = 0; n < d->n; n++)
        gn_detection_picture_loss(d, n, state, work);
    gn_detection_result(d, state, &loss, parts);
    return loss;
}

/* Some elements of a map: all gradients that are large, and every 37th. */
static void check_map(loss_case *c, const gn_detection *d, void *state, void *work, int m)
{
    gn_detection quiet = *d;
    const double step = 1e-5;
    double largest = 0;
    for (int64_t i = 0; i < map_count(d, m); i++)
        largest = fmax(largest, fabs(c->grad[m][i]));
    for (int k = 0; k < GN_DETECTOR_MAX_MAPS; k++)
        quiet.map[k].grad = NULL;
    for (int64_t i = 0; i < map_count(d, m); i++) {
        if (fabs(c->grad[m][i]) < largest / 4 && i % 37 != 0)
            continue;
        const double kept = c->raw[m][i];
        c->raw[m][i] = kept + step;
        double change = loss_now(&quiet, state, work);
        c->raw[m][i] = kept - step;
        change -= loss_now(&quiet, state, work);
        c->raw[m][i] = kept;
        check_number(c, "a gradient", c->grad[m][i], change / (2 * step), 1e-6 * (largest + 1e-3));
    }
}

/* Assigned once; then the loss is differentiated with what was assigned held.  CIoU holds a factor of its own constant: GIoU stands in
 * for it. */
static void check_differences(loss_case *c)
{
    gn_detection d = plain_batch(c);
    size_t state_bytes, work_bytes;
    if (d.n > 1 || d.detector.classes > 10)
        return;
    if (d.rule.box_is_iou || d.detector.kind == GN_DETECTOR_YOLOV5 || d.detector.kind == GN_DETECTOR_YOLOV8) {
        d.rule.box_is_iou = true;
        d.rule.iou = GN_IOU_G;
    }
    assert_int_equal(gn_detection_bytes(&d, &state_bytes, &work_bytes, NULL), GN_OK);
    void *state = gn_alloc(state_bytes), *work = gn_alloc(work_bytes);
    assert_true(state && work);
    for (int64_t n = 0; n < d.n; n++)
        gn_detection_assign(&d, n, state, work);
    gn_detection_combine(&d, state);
    loss_now(&d, state, work);
    for (int m = 0; m < d.detector.n_maps; m++)
        check_map(c, &d, state, work, m);
    gn_free(state);
    gn_free(work);
}

static const char *const kinds[] = {"yolov1", "yolov2", "yolov3", "yolov5", "yolov8", "retinanet"};

static void gradients_are_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for_each_case(kinds[i], check_differences);
}

/* ---- what is odd ---- */

/* Truths that share every slot of `truth` with numbers that are none, and broken raw values. */
static void check_garbage(loss_case *c)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e30, -1e30, 0, -0.5, 1.5, 1e-30, 3};
    const int n_odd = (int)(sizeof odd / sizeof *odd);
    double loss, parts[GN_DETECTION_PARTS];
    for (int64_t i = 0; i < c->d.n * c->d.capacity * 5; i++)
        if (draw(c->seed, i) > 0.6)
            c->truth[i] = odd[(i * 7) % n_odd];
    run_case(c, true, true, &loss, parts); /* odd truths alone: no NaN comes from them */
    assert_true(isfinite(loss));
    c->n_truth[0] = INT64_MAX;
    c->n_truth[c->d.n - 1] = c->d.n > 1 ? INT64_MIN : INT64_MAX;
    run_case(c, false, false, &loss, parts);
    assert_true(isfinite(loss));
    for (int m = 0; m < c->d.detector.n_maps; m++)
        for (int64_t i = 0; i < map_count(&c->d, m); i++)
            if (draw(c->seed + 1, i) > 0.6)
                c->raw[m][i] = odd[i % n_odd];
    run_case(c, true, true, &loss, parts);
    assert_true(!isfinite(loss));
    run_case(c, false, false, &loss, parts);
    for (int m = 0; m < c->d.detector.n_maps; m++)
        for (int64_t i = 0; i < map_count(&c->d, m); i++)
            c->raw[m][i] = NAN;
    run_case(c, false, true, &loss, parts);
    assert_true(isnan(loss));
}

static void garbage_does_no_harm(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for_each_case(kinds[i], check_garbage);
}

/* Large sides and distances: the logarithms of YOLOv8's bins stay finite where their probabilities vanish. */
static void check_steep(loss_case *c)
{
    double loss, parts[GN_DETECTION_PARTS];
    for (int m = 0; m < c->d.detector.n_maps; m++)
        for (int64_t i = 0; i < map_count(&c->d, m); i++)
            c->raw[m][i] = i % 3 ? -900 : 900;
    run_case(c, true, true, &loss, parts);
    assert_true(isfinite(loss));
    for (int m = 0; m < c->d.detector.n_maps; m++)
        for (int64_t i = 0; i < map_count(&c->d, m); i++)
            assert_true(isfinite(c->grad[m][i]));
}

static void steep_logits_stay_finite(void **state)
{
    (void)state;
    for_each_case("yolov8", check_steep);
    for_each_case("yolov5", check_steep);
    for_each_case("retinanet", check_steep);
}

/* Pictures of weight 0 change nothing, and get a gradient of 0. */
static void check_ghost(loss_case *c)
{
    double whole, ghost, parts[GN_DETECTION_PARTS];
    if (c->d.n != 2)
        return;
    c->weight[1] = 0;
    run_case(c, true, true, &whole, parts);
    for (int m = 0; m < c->d.detector.n_maps; m++)
        for (int64_t i = map_count(&c->d, m) / 2; i < map_count(&c->d, m); i++) {
            assert_true(c->grad[m][i] == 0);
            c->raw[m][i] = NAN;
        }
    c->n_truth[1] = c->d.capacity;
    run_case(c, true, true, &ghost, parts);
    assert_true(whole == ghost);
    c->weight[0] = 0;
    run_case(c, true, true, &ghost, parts);
    assert_true(ghost == 0);
}

static void pictures_without_weight_do_not_count(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for_each_case(kinds[i], check_ghost);
}

/* The box term of one truth in the middle between four centres, 8 pixels apart. */
static double box_term_of(double side, double small_side, gn_iou_kind overlap)
{
    gn_detection d = {.n = 1, .capacity = 1, .is_f64 = true};
    const double lo = (16 - side / 2) / 32, hi = (16 + side / 2) / 32, truth[5] = {lo, lo, hi, hi, 0}, one = 1;
    const int64_t count = 1;
    double raw[17 * 16] = {0}, loss, parts[GN_DETECTION_PARTS];
    d.detector = (gn_detector){
        .kind = GN_DETECTOR_YOLOV8, .classes = 1, .n_maps = 1, .stride = {8}, .anchors = 1, .bins = 4, .scale_xy = 1};
    d.rule = gn_detection_rule_default(GN_DETECTOR_YOLOV8);
    d.rule.small_side = small_side;
    d.rule.overlap = overlap;
    d.truth = truth;
    d.n_truth = &count;
    d.weight = d.class_weight = &one;
    d.map[0] = (gn_detection_map){.height = 4, .width = 4, .raw = raw};
    set_layout(&d, true);
    call(&d, &loss, parts);
    assert_true(parts[GN_DETECTION_CLASS] > 0);
    return parts[GN_DETECTION_BOX];
}

static void small_truths_find_candidates(void **state)
{
    (void)state;
    assert_true(box_term_of(9, 0, GN_IOU_C) > 0);
    assert_true(box_term_of(6, 0, GN_IOU_C) == 0); /* no centre inside */
    assert_true(box_term_of(6, 2, GN_IOU_C) > 0);
    assert_true(box_term_of(3, 2, GN_IOU_C) == 0); /* nearer to nothing than to the centre: CIoU is negative */
    assert_true(box_term_of(3, 2, GN_IOU_PLAIN) > 0);
}

static void bad_rules_are_refused(void **state)
{
    (void)state;
    for (int kind = 0; kind < GN_DETECTOR_KINDS; kind++) {
        gn_detection_rule r = gn_detection_rule_default((gn_detector_kind)kind);
        gn_error err = {0};
        assert_int_equal(gn_detection_rule_check(&r, &err), GN_OK);
        r.label_smoothing = NAN;
        assert_int_equal(gn_detection_rule_check(&r, &err), GN_EINVAL);
        assert_non_null(strstr(err.message, "label_smoothing"));
        r = gn_detection_rule_default((gn_detector_kind)kind);
        r.top_k = GN_DETECTION_MAX_TOP_K + 1;
        assert_int_equal(gn_detection_rule_check(&r, &err), GN_EINVAL);
        r = gn_detection_rule_default((gn_detector_kind)kind);
        r.match_low = 0.7;
        assert_int_equal(gn_detection_rule_check(&r, &err), GN_EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yolov1_is_as_pytorch_has_it),  cmocka_unit_test(yolov2_is_as_pytorch_has_it),
        cmocka_unit_test(yolov3_is_as_pytorch_has_it),  cmocka_unit_test(yolov5_is_as_pytorch_has_it),
        cmocka_unit_test(yolov8_is_as_pytorch_has_it),  cmocka_unit_test(retinanet_is_as_pytorch_has_it),
        cmocka_unit_test(gradients_are_differences),    cmocka_unit_test(garbage_does_no_harm),
        cmocka_unit_test(steep_logits_stay_finite),     cmocka_unit_test(pictures_without_weight_do_not_count),
        cmocka_unit_test(small_truths_find_candidates), cmocka_unit_test(bad_rules_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
