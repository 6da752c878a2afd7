/* k-means of box sizes; see anchors.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/anchors.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

#define RUNS           5
#define MAX_ITERATIONS 300
#define MAX_SWEEPS     20
#define REFINE_BOXES   5000
/* A run ends when the mean IoU has not risen by this much for so many steps. */
#define LEAST_GAIN       1e-5
#define STALE_ITERATIONS 4

/* IoU of two boxes with one corner in common. */
static double iou(double w, double h, const double anchor[2])
{
    const double both = fmin(w, anchor[0]) * fmin(h, anchor[1]);
    return both / (w * h + anchor[0] * anchor[1] - both);
}

static int nearest(const float size[2], const double (*centre)[2], int k, double *iou_out)
{
    int best = 0;
    *iou_out = -1;
    for (int a = 0; a < k; a++) {
        const double value = iou((double)size[0], (double)size[1], centre[a]);
        if (value > *iou_out) {
            *iou_out = value;
            best = a;
        }
    }
    return best;
}

gn_anchor_fit gn_anchors_measure(const float (*size)[2], int64_t n, const float (*anchor)[2], int k, double ratio)
{
    gn_anchor_fit fit = {0};
    for (int64_t i = 0; i < n; i++) {
        const double w = (double)size[i][0], h = (double)size[i][1];
        double best = 0;
        int takers = 0;
        for (int a = 0; a < k; a++) {
            const double both[2] = {(double)anchor[a][0], (double)anchor[a][1]};
            const double x = fmax(w / both[0], both[0] / w), y = fmax(h / both[1], both[1] / h);
            best = fmax(best, iou(w, h, both));
            takers += fmax(x, y) < ratio;
        }
        fit.mean_iou += best;
        fit.best_recall += takers > 0;
        fit.per_box += takers;
    }
    fit.mean_iou /= (double)n;
    fit.best_recall /= (double)n;
    fit.per_box /= (double)n;
    return fit;
}

/* k-means++: each further centre is drawn among the sizes with a chance that grows with the square of their distance. */
static void start(const float (*size)[2], int64_t n, int k, gn_rng *rng, double *far, double (*centre)[2])
{
    int64_t chosen = gn_rng_below(rng, n);
    for (int64_t i = 0; i < n; i++)
        far[i] = INFINITY;
    for (int a = 0; a < k; a++) {
        centre[a][0] = (double)size[chosen][0];
        centre[a][1] = (double)size[chosen][1];
        double sum = 0;
        for (int64_t i = 0; i < n; i++) {
            const double d = 1 - iou((double)size[i][0], (double)size[i][1], centre[a]);
            far[i] = fmin(far[i], d * d);
            sum += far[i];
        }
        double left = gn_rng_uniform(rng) * sum;
        for (chosen = 0; chosen < n - 1; chosen++) {
            left -= far[chosen];
            if (left < 0)
                break;
        }
    }
}

/* Moves each centre to the mean of its sizes; one that has none goes to the size that fits worst.  Returns the mean IoU before. */
static double step(const float (*size)[2], int64_t n, int k, int32_t *member, double (*centre)[2], bool *moved)
{
    double sum[GN_ANCHORS_MAX][2] = {{0}}, total = 0, worst = 2;
    int64_t count[GN_ANCHORS_MAX] = {0}, worst_at = 0;
    *moved = false;
    for (int64_t i = 0; i < n; i++) {
        double value;
        const int a = nearest(size[i], (const double(*)[2])centre, k, &value);
        *moved = *moved || member[i] != a;
        member[i] = a;
        sum[a][0] += (double)size[i][0];
        sum[a][1] += (double)size[i][1];
        count[a]++;
        total += value;
        if (value < worst) {
            worst = value;
            worst_at = i;
        }
    }
    for (int a = 0; a < k; a++)
        for (int c = 0; c < 2; c++)
            centre[a][c] = count[a] > 0 ? sum[a][c] / (double)count[a] : (double)size[worst_at][c];
    return total / (double)n;
}

static double mean_iou(const float (*size)[2], int64_t n, int64_t stride, const double (*centre)[2], int k)
{
    double total = 0, value;
    for (int64_t i = 0; i < n; i += stride) {
        nearest(size[i], centre, k, &value);
        total += value;
    }
    return total;
}

/* Pulls sides in and out by ever smaller factors while the mean IoU rises: the mean of a cluster's sizes is not where its IoU is
 * highest.  Of many boxes every stride-th is looked at. */
static void refine(const float (*size)[2], int64_t n, double (*centre)[2], int k)
{
    static const double factors[] = {1.2, 1.1, 1.05, 1.02, 1.01};
    const int64_t stride = 1 + n / REFINE_BOXES;
    double best = mean_iou(size, n, stride, (const double(*)[2])centre, k);
    for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
        bool moved = true;
        for (int sweep = 0; sweep < MAX_SWEEPS && moved; sweep++) {
            moved = false;
            for (int move = 0; move < 4 * k; move++) {
                double *side = &centre[move / 4][move % 2];
                const double before = *side;
                *side *= move % 4 < 2 ? factors[f] : 1 / factors[f];
                const double value = mean_iou(size, n, stride, (const double(*)[2])centre, k);
                if (value > best) {
                    best = value;
                    moved = true;
                } else {
                    *side = before;
                }
            }
        }
    }
}

static int compare_areas(const void *pa, const void *pb)
{
    const double *a = pa, *b = pb;
    const double x = a[0] * a[1], y = b[0] * b[1];
    if (x != y)
        return x < y ? -1 : 1;
    return (a[0] > b[0]) - (a[0] < b[0]);
}

gn_status gn_anchors_kmeans(const float (*size)[2], int64_t n, int k, uint64_t seed, float (*anchor_out)[2])
{
    if (k < 1 || k > GN_ANCHORS_MAX || n < 1)
        return GN_EINVAL;
    for (int64_t i = 0; i < n; i++)
        if (!(size[i][0] > 0) || !(size[i][1] > 0) || !isfinite(size[i][0]) || !isfinite(size[i][1]))
            return GN_EINVAL;
    int32_t *member = gn_alloc((size_t)n * sizeof *member);
    double *far = gn_alloc((size_t)n * sizeof *far);
    if (member == NULL || far == NULL) {
        gn_free(member);
        gn_free(far);
        return GN_ENOMEM;
    }
    double best[GN_ANCHORS_MAX][2] = {{0}}, best_iou = -1;
    for (int run = 0; run < RUNS; run++) {
        double centre[GN_ANCHORS_MAX][2], seen[GN_ANCHORS_MAX][2];
        gn_rng rng;
        gn_rng_init(&rng, seed, (uint64_t)run);
        start(size, n, k, &rng, far, centre);
        memset(member, -1, (size_t)n * sizeof *member);
        bool moved = true;
        /* The mean does not minimise 1 - IoU, so the sum may rise again: the best centres on the way count. */
        double run_iou = 0;
        int stale = 0;
        for (int i = 0; i < MAX_ITERATIONS && moved && stale < STALE_ITERATIONS; i++) {
            memcpy(seen, centre, sizeof seen);
            const double value = step(size, n, k, member, centre, &moved);
            stale = value > run_iou + LEAST_GAIN ? 0 : stale + 1;
            run_iou = fmax(run_iou, value);
            if (value > best_iou) {
                best_iou = value;
                memcpy(best, seen, sizeof best);
            }
        }
    }
    refine(size, n, best, k);
    qsort(best, (size_t)k, sizeof best[0], compare_areas);
    for (int a = 0; a < k; a++)
        for (int c = 0; c < 2; c++)
            anchor_out[a][c] = (float)best[a][c];
    gn_free(member);
    gn_free(far);
    return GN_OK;
}
