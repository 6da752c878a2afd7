/* Binary cross entropy of logits, plain and focal, of single targets and of a whole background.
 * Source: Lin et al. 2017 (focal loss).
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "detect/detector_loss_private.h"

/* log(1 + e) of 0 <= e <= 1 to the last bit or two: 2 artanh(e / (2 + e)), whose argument is at most 1/3.  Many times faster than log1p
 * where many are computed side by side. */
static inline double log_one_plus(double e)
{
    const double z = e / (2 + e), y = z * z;
    double sum = 1.0 / 33;
    for (int k = 31; k >= 1; k -= 2)
        sum = sum * y + 1.0 / k;
    return 2 * z * sum;
}

double gn_logistic(double x)
{
    const double e = exp(-fabs(x));
    return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* With p = sigmoid(x), cross entropy b and m = 1 - p_t = t (1 - p) + (1 - t) p: a m^gamma b, a = t alpha + (1 - t)(1 - alpha). */
static double focal_loss(const gn_detection_rule *rule, double t, double p, double q, double b, double *dx)
{
    const double a = rule->focal_alpha > 0 ? t * rule->focal_alpha + (1 - t) * (1 - rule->focal_alpha) : 1;
    const double m = t * q + (1 - t) * p, gamma = rule->focal_gamma;
    if (m <= 0) {
        *dx = 0;
        return 0;
    }
    const double lower = gamma == 2 ? m : pow(m, gamma - 1); /* m^(gamma - 1) */
    *dx = a * lower * (m * (p - t) + gamma * (1 - 2 * t) * p * q * b);
    return a * lower * m * b;
}

double gn_binary_loss(const gn_detection_rule *rule, double x, double t, double *dx)
{
    const double e = exp(-fabs(x)), near = 1 / (1 + e), far = e / (1 + e);
    const double p = x >= 0 ? near : far, q = x >= 0 ? far : near;
    const double b = (x > 0 ? x : 0) - (t != 0 ? x * t : 0) + log_one_plus(e);
    if (rule->focal_gamma > 0)
        return focal_loss(rule, t, p, q, b, dx);
    *dx = p - t;
    return b;
}

double gn_binary_classes(const gn_detection *d, int map, int64_t at, int cls, double score, double factor)
{
    const double e = d->rule.label_smoothing;
    double sum = 0;
    for (int k = 0; k < d->detector.classes; k++, at += d->map[map].channel_step) {
        const double weight = factor * gn_class_weight(d, k), target = score * (k == cls ? 1 - e / 2 : e / 2);
        double dx;
        sum += weight * gn_binary_loss(&d->rule, gn_raw(d, map, at), target, &dx);
        gn_grad_add(d, map, at, weight * dx);
    }
    return sum;
}

gn_background gn_background_begin(const gn_detection *d, bool is_classes)
{
    gn_background sum = {.product = 1};
    for (int c = 0; c < d->detector.classes && is_classes; c++)
        sum.is_weighted = sum.is_weighted || gn_class_weight(d, c) != 1;
    sum.is_plain = !sum.is_weighted && d->rule.focal_gamma <= 0;
    sum.is_focal = !sum.is_weighted && d->rule.focal_gamma == 2;
    sum.alpha = d->rule.focal_alpha > 0 ? 1 - d->rule.focal_alpha : 1;
    return sum;
}

static void flush(gn_background *sum)
{
    sum->linear += log(sum->product);
    sum->product = 1;
    sum->n = 0;
}

/* log(1 + e) of many e <= 1 is the logarithm of a product whose factors are at most 2: one logarithm for hundreds. */
#define FACTORS 512

#define ADD_PLAIN(type)                                                                                                \
    for (int64_t c = 0; c < count; c++) {                                                                              \
        const double x = (double)((const type *)map->raw)[at + c * step];                                              \
        const double e = exp(-fabs(x)), near = 1 / (1 + e);                                                            \
        linear += x > 0 ? x : 0;                                                                                       \
        product *= 1 + e;                                                                                              \
        if (++n == FACTORS) {                                                                                          \
            linear += log(product);                                                                                    \
            product = 1;                                                                                               \
            n = 0;                                                                                                     \
        }                                                                                                              \
        if (map->grad)                                                                                                 \
            ((type *)map->grad)[at + c * step] = (type)(factor * (x >= 0 ? near : e * near));                          \
    }

static void add_plain(gn_background *sum, bool is_f64, const gn_detection_map *map, int64_t at, int count,
                      double factor)
{
    const int64_t step = map->channel_step;
    double linear = sum->linear, product = sum->product;
    int n = sum->n;
    if (is_f64) {
        ADD_PLAIN(double)
    } else {
        ADD_PLAIN(float)
    }
    sum->linear = linear;
    sum->product = product;
    sum->n = n;
}

/* With p = sigmoid(x) and the cross entropy b: alpha p^2 b, whose derivative is alpha p^2 (p + 2 (1 - p) b). */
#define ADD_FOCAL(type)                                                                                                \
    for (int64_t c = 0; c < count; c++) {                                                                              \
        const double x = (double)((const type *)map->raw)[at + c * step];                                              \
        const double e = exp(-fabs(x)), near = 1 / (1 + e), p = x >= 0 ? near : e * near;                              \
        const double q = x >= 0 ? e * near : near, b = (x > 0 ? x : 0) + log_one_plus(e), scale = sum->alpha * p * p;  \
        linear += scale * b;                                                                                           \
        if (map->grad)                                                                                                 \
            ((type *)map->grad)[at + c * step] = (type)(factor * scale * (p + 2 * q * b));                             \
    }

static void add_focal(gn_background *sum, bool is_f64, const gn_detection_map *map, int64_t at, int count,
                      double factor)
{
    const int64_t step = map->channel_step;
    double linear = sum->linear;
    if (is_f64) {
        ADD_FOCAL(double)
    } else {
        ADD_FOCAL(float)
    }
    sum->linear = linear;
}

void gn_background_add(gn_background *sum, const gn_detection *d, int map, int64_t at, int count, double factor)
{
    if (sum->is_plain) {
        add_plain(sum, d->is_f64, &d->map[map], at, count, factor * d->rule.grad_scale);
        return;
    }
    if (sum->is_focal) {
        add_focal(sum, d->is_f64, &d->map[map], at, count, factor * d->rule.grad_scale);
        return;
    }
    for (int c = 0; c < count; c++, at += d->map[map].channel_step) {
        double dx;
        const double weight = sum->is_weighted ? gn_class_weight(d, c) : 1;
        sum->linear += weight * gn_binary_loss(&d->rule, gn_raw(d, map, at), 0, &dx);
        gn_grad_add(d, map, at, factor * weight * dx);
    }
}

double gn_background_end(gn_background *sum)
{
    flush(sum);
    return sum->linear;
}
