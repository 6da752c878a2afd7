/* Parzen estimators over mixed parameters.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/parzen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SQRT_HALF     0.70710678118654752440
#define LOG_SQRT_2_PI 0.91893853320467274178
#define MAX_NARROW    100
/* A term of a sum that is smaller than the largest by this factor's exponential, 3e-20, changes nothing; most kernels are that far away. */
#define NEGLIGIBLE 45
/* Draws of a cut-off normal distribution.  Its centre lies in the range and its width is at most the range: more than a third of the
 * draws fall into it. */
#define MAX_TRIES 64

/* One parameter: all kernels' share in it. */
typedef struct dimension {
    const gn_param *param;
    size_t index;     /* in a point */
    double low, high; /* of its coordinate: the value or its logarithm, half a unit wider for whole numbers */
    double *centre;   /* [n_kernels] coordinate or choice; the prior is the last kernel */
    double *width;    /* [n_kernels], not for choices */
    double *log_norm; /* [n_kernels] logarithm of what makes the kernel's mass 1 */
    double log_same, log_other,
        log_prior; /* choices: probability of the observed one, of another, of any under the prior */
} dimension;

struct gn_parzen {
    dimension *dims;
    size_t n_dims, n_kernels;
    bool is_joint;
    double *weight, *log_weight; /* [n_kernels], of sum 1 */
    double *total;               /* [n_kernels] room for gn_parzen_log_density */
};

/* --- coordinates ---------------------------------------------------------------------------------------------------- */

static double coordinate(const gn_param *p, double value)
{
    return p->kind != GN_PARAM_CHOICE && p->is_log ? log(value) : value;
}

static void set_range(dimension *d)
{
    const double half = d->param->kind == GN_PARAM_INT ? 0.5 : 0;
    d->low = coordinate(d->param, d->param->low - half);
    d->high = coordinate(d->param, d->param->high + half);
}

/* Mass of the standard normal distribution between a and b; on the side where it is small, so that little is lost. */
static double mass(double a, double b)
{
    if (a > 0)
        return 0.5 * (erfc(a * SQRT_HALF) - erfc(b * SQRT_HALF));
    if (b < 0)
        return 0.5 * (erfc(-b * SQRT_HALF) - erfc(-a * SQRT_HALF));
    return 0.5 * (erf(b * SQRT_HALF) - erf(a * SQRT_HALF));
}

/* --- widths --------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The larger distance of sorted[i] to a neighbour.  The ends of the line count as neighbours of a single centre alone. */
static double width_at(const dimension *d, const double *sorted, size_t n, size_t i)
{
    if (n == 1)
        return fmax(sorted[0] - d->low, d->high - sorted[0]);
    const double left = i > 0 ? sorted[i] - sorted[i - 1] : 0;
    const double right = i + 1 < n ? sorted[i + 1] - sorted[i] : 0;
    return fmax(left, right);
}

/* The first of sorted: [n] that is not below. */
static size_t find_sorted(const double *sorted, size_t n, double centre)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (sorted[middle] < centre)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static gn_status set_widths(gn_arena *arena, dimension *d, size_t n)
{
    const double range = d->high - d->low;
    const double narrowest = range / fmin(MAX_NARROW, (double)n + 2);
    double *sorted = gn_arena_alloc(arena, (n + 1) * sizeof *sorted);
    if (sorted == NULL)
        return GN_ENOMEM;
    memcpy(sorted, d->centre, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_number);
    for (size_t i = 0; i < n; i++) {
        const double wide = width_at(d, sorted, n, find_sorted(sorted, n, d->centre[i]));
        d->width[i] = fmin(range, fmax(narrowest, wide));
    }
    d->width[n] = range;
    return GN_OK;
}

/* --- fitting -------------------------------------------------------------------------------------------------------- */

static void set_choices(dimension *d, size_t n)
{
    const double choices = d->param->n_choices, share = 1.0 / ((double)n + 1);
    d->log_same = log((1 + share) / (1 + share * choices));
    d->log_other = log(share / (1 + share * choices));
    d->log_prior = -log(choices);
}

static gn_status set_kernels(gn_arena *arena, dimension *d, const double *const *points, size_t n)
{
    d->centre = gn_arena_alloc(arena, (n + 1) * sizeof *d->centre);
    d->width = gn_arena_alloc(arena, (n + 1) * sizeof *d->width);
    d->log_norm = gn_arena_alloc(arena, (n + 1) * sizeof *d->log_norm);
    if (d->centre == NULL || d->width == NULL || d->log_norm == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < n; i++)
        d->centre[i] = coordinate(d->param, points[i][d->index]);
    if (d->param->kind == GN_PARAM_CHOICE) {
        set_choices(d, n);
        return GN_OK;
    }
    set_range(d);
    d->centre[n] = 0.5 * (d->low + d->high);
    if (d->high <= d->low)
        return GN_OK; /* one value: nothing to draw */
    GN_TRY(set_widths(arena, d, n));
    for (size_t i = 0; i <= n; i++) {
        const double inside = mass((d->low - d->centre[i]) / d->width[i], (d->high - d->centre[i]) / d->width[i]);
        d->log_norm[i] = -log(inside);
        if (d->param->kind == GN_PARAM_REAL)
            d->log_norm[i] -= log(d->width[i]) + LOG_SQRT_2_PI;
    }
    return GN_OK;
}

gn_status gn_parzen_fit(gn_arena *arena, const gn_param *params, const size_t *dims, size_t n_dims,
                        const double *const *points, const double *weights, size_t n, bool is_joint,
                        gn_parzen **parzen_out)
{
    gn_parzen *p = gn_arena_alloc(arena, sizeof *p);
    if (p == NULL)
        return GN_ENOMEM;
    *p = (gn_parzen){.n_dims = n_dims, .n_kernels = n + 1, .is_joint = is_joint};
    p->dims = gn_arena_alloc(arena, n_dims * sizeof *p->dims);
    p->weight = gn_arena_alloc(arena, (n + 1) * sizeof *p->weight);
    p->log_weight = gn_arena_alloc(arena, (n + 1) * sizeof *p->log_weight);
    p->total = gn_arena_alloc(arena, (n + 1) * sizeof *p->total);
    if (p->dims == NULL || p->weight == NULL || p->log_weight == NULL || p->total == NULL)
        return GN_ENOMEM;
    double sum = 1;
    for (size_t i = 0; i < n; i++)
        sum += weights != NULL ? weights[i] : 1;
    for (size_t i = 0; i <= n; i++) {
        p->weight[i] = (i == n || weights == NULL ? 1 : weights[i]) / sum;
        p->log_weight[i] = log(p->weight[i]);
    }
    for (size_t d = 0; d < n_dims; d++) {
        p->dims[d] = (dimension){.param = &params[dims[d]], .index = dims[d]};
        GN_TRY(set_kernels(arena, &p->dims[d], points, n));
    }
    *parzen_out = p;
    return GN_OK;
}

/* --- drawing -------------------------------------------------------------------------------------------------------- */

static double draw_choice(const gn_parzen *p, const dimension *d, size_t kernel, gn_rng *rng)
{
    const double u = gn_rng_uniform(rng), n = d->param->n_choices;
    if (kernel + 1 == p->n_kernels)
        return fmin(floor(u * n), n - 1);
    const double same = exp(d->log_same) - exp(d->log_other);
    return u < same ? d->centre[kernel] : fmin(floor((u - same) / (1 - same) * n), n - 1);
}

static double draw_number(const dimension *d, size_t kernel, gn_rng *rng)
{
    double at = d->centre[kernel];
    for (int i = 0; i < MAX_TRIES && d->high > d->low; i++) {
        at = d->centre[kernel] + d->width[kernel] * gn_rng_normal(rng);
        if (at >= d->low && at <= d->high)
            break;
        at = d->centre[kernel];
    }
    const double x = d->param->is_log ? exp(at) : at;
    return fmin(d->param->high, fmax(d->param->low, d->param->kind == GN_PARAM_INT ? floor(x + 0.5) : x));
}

static size_t draw_kernel(const gn_parzen *p, gn_rng *rng)
{
    double u = gn_rng_uniform(rng);
    size_t kernel = 0;
    while (kernel + 1 < p->n_kernels && u >= p->weight[kernel])
        u -= p->weight[kernel++];
    return kernel;
}

void gn_parzen_draw(const gn_parzen *p, gn_rng *rng, double *point)
{
    size_t kernel = draw_kernel(p, rng);
    for (size_t i = 0; i < p->n_dims; i++) {
        const dimension *d = &p->dims[i];
        if (i > 0 && !p->is_joint)
            kernel = draw_kernel(p, rng);
        point[d->index] =
            d->param->kind == GN_PARAM_CHOICE ? draw_choice(p, d, kernel, rng) : draw_number(d, kernel, rng);
    }
}

/* --- density -------------------------------------------------------------------------------------------------------- */

/* Adds the logarithm of every kernel's share in this parameter to total: [n_kernels]. */
static void add_kernels(const gn_parzen *p, const dimension *d, double value, double *total)
{
    const size_t n = p->n_kernels;
    if (d->param->kind == GN_PARAM_CHOICE) {
        for (size_t i = 0; i + 1 < n; i++)
            total[i] += d->centre[i] == value ? d->log_same : d->log_other;
        total[n - 1] += d->log_prior;
    } else if (d->high <= d->low) {
        return;
    } else if (d->param->kind == GN_PARAM_REAL) {
        const double at = coordinate(d->param, value);
        for (size_t i = 0; i < n; i++) {
            const double z = (at - d->centre[i]) / d->width[i];
            total[i] += d->log_norm[i] - 0.5 * z * z;
        }
    } else {
        const double low = coordinate(d->param, value - 0.5), high = coordinate(d->param, value + 0.5);
        for (size_t i = 0; i < n; i++) {
            const double inside = mass((low - d->centre[i]) / d->width[i], (high - d->centre[i]) / d->width[i]);
            total[i] += d->log_norm[i] + log(fmax(inside, 1e-300));
        }
    }
}

static double log_sum_exp(const double *x, size_t n)
{
    double largest = x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        largest = fmax(largest, x[i]);
    for (size_t i = 0; i < n; i++)
        if (x[i] > largest - NEGLIGIBLE)
            sum += exp(x[i] - largest);
    return largest + log(sum);
}

double gn_parzen_log_density(const gn_parzen *p, const double *point)
{
    double sum = 0;
    memcpy(p->total, p->log_weight, p->n_kernels * sizeof *p->total);
    for (size_t i = 0; i < p->n_dims; i++) {
        add_kernels(p, &p->dims[i], point[p->dims[i].index], p->total);
        if (p->is_joint && i + 1 < p->n_dims)
            continue;
        sum += log_sum_exp(p->total, p->n_kernels);
        memcpy(p->total, p->log_weight, p->n_kernels * sizeof *p->total);
    }
    return sum;
}
