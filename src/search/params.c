/* Parameters of a search: checks, and the numbering of finite spaces.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/params.h"

#include <math.h>

/* --- checks --------------------------------------------------------------------------------------------------------- */

static const char *range_fault(const gn_param *p)
{
    if (!isfinite(p->low) || !isfinite(p->high) || !isfinite(p->high - p->low))
        return "its range is not finite";
    if (p->low > p->high)
        return "its range is empty: low is above high";
    if (p->is_log && p->low <= 0)
        return "a logarithmic range must begin above 0";
    if (p->kind == GN_PARAM_INT && (p->low != floor(p->low) || p->high != floor(p->high)))
        return "the ends of a range of whole numbers must be whole";
    if (p->kind == GN_PARAM_INT && (fabs(p->low) > GN_PARAM_MAX_INT || fabs(p->high) > GN_PARAM_MAX_INT))
        return "whole numbers beyond 2^53";
    return NULL;
}

static const char *param_fault(const gn_param *params, size_t index)
{
    const gn_param *p = &params[index];
    if (p->kind != GN_PARAM_CHOICE && p->kind != GN_PARAM_INT && p->kind != GN_PARAM_REAL)
        return "its kind is unknown";
    if (p->kind == GN_PARAM_CHOICE && (p->n_choices < 1 || p->n_choices > GN_PARAM_MAX_CHOICES))
        return "it must have 1 to 100000 choices";
    if (p->parent >= 0 && ((size_t)p->parent >= index || params[p->parent].kind != GN_PARAM_CHOICE || p->when == NULL))
        return "it may only depend on a parameter with choices that stands before it";
    return p->kind == GN_PARAM_CHOICE ? NULL : range_fault(p);
}

gn_status gn_params_check(const gn_param *params, size_t n_params, gn_error *err)
{
    if (n_params < 1 || n_params > GN_PARAMS_MAX)
        return gn_fail(err, GN_EINVAL, "a search over %zu parameters; expected 1 to %d", n_params, GN_PARAMS_MAX);
    for (size_t i = 0; i < n_params; i++) {
        const char *fault = param_fault(params, i);
        if (fault != NULL)
            return gn_fail(err, GN_EINVAL, "parameter %zu of the search (%s): %s", i,
                           params[i].name != NULL ? params[i].name : "without name", fault);
    }
    return GN_OK;
}

bool gn_param_applies(const gn_param *params, size_t index, const double *point)
{
    const gn_param *p = &params[index];
    return p->parent < 0 || (!isnan(point[p->parent]) && p->when[(int)point[p->parent]]);
}

static bool holds(const gn_param *p, double value)
{
    if (p->kind == GN_PARAM_CHOICE)
        return value >= 0 && value < p->n_choices && value == floor(value);
    return value >= p->low && value <= p->high && (p->kind == GN_PARAM_REAL || value == floor(value));
}

bool gn_params_hold(const gn_param *params, size_t n_params, const double *point)
{
    for (size_t i = 0; i < n_params; i++)
        if (gn_param_applies(params, i, point) ? !holds(&params[i], point[i]) : !isnan(point[i]))
            return false;
    return true;
}

bool gn_points_equal(const double *a, const double *b, size_t n_params)
{
    for (size_t i = 0; i < n_params; i++)
        if (a[i] != b[i] && !(isnan(a[i]) && isnan(b[i])))
            return false;
    return true;
}

/* --- numbering ------------------------------------------------------------------------------------------------------
 * size[p] is the number of points of the tree below p: for each of its values the product of the sizes of the parameters that
 * apply with it. */

#define TOO_MANY UINT64_MAX

static uint64_t product(uint64_t a, uint64_t b)
{
    if (a == TOO_MANY || b == TOO_MANY)
        return TOO_MANY;
    return b != 0 && a > (UINT64_C(1) << 63) / b ? TOO_MANY : a * b;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    if (a == TOO_MANY || b == TOO_MANY)
        return TOO_MANY;
    return a + b > UINT64_C(1) << 63 ? TOO_MANY : a + b;
}

static bool has_children(const gn_param *params, size_t n_params, size_t index)
{
    for (size_t c = index + 1; c < n_params; c++)
        if (params[c].parent == (int)index)
            return true;
    return false;
}

/* Values of the parameter itself. */
static uint64_t n_values(const gn_param *p)
{
    if (p->kind == GN_PARAM_CHOICE)
        return (uint64_t)p->n_choices;
    if (p->kind == GN_PARAM_INT)
        return (uint64_t)(p->high - p->low) + 1;
    return p->low < p->high ? TOO_MANY : 1;
}

/* Points below params[index] with its choice `value`. */
static uint64_t block_size(const gn_param *params, size_t n_params, const uint64_t *size, size_t index, int value)
{
    uint64_t block = 1;
    for (size_t c = index + 1; c < n_params; c++)
        if (params[c].parent == (int)index && params[c].when[value])
            block = product(block, size[c]);
    return block;
}

static void tree_sizes(const gn_param *params, size_t n_params, uint64_t *size)
{
    for (size_t i = n_params; i-- > 0;) {
        size[i] = n_values(&params[i]);
        if (!has_children(params, n_params, i))
            continue;
        size[i] = 0;
        for (int v = 0; v < params[i].n_choices; v++)
            size[i] = sum(size[i], block_size(params, n_params, size, i, v));
    }
}

uint64_t gn_params_count(const gn_param *params, size_t n_params)
{
    uint64_t size[GN_PARAMS_MAX], count = 1;
    tree_sizes(params, n_params, size);
    for (size_t i = 0; i < n_params; i++) {
        if (params[i].parent < 0)
            count = product(count, size[i]);
        if (size[i] == TOO_MANY)
            return TOO_MANY;
    }
    return count;
}

/* Deals `number` out to the parameters below `parent` (-1: the roots) that apply, the last running fastest. */
static void deal_out(const gn_param *params, size_t n_params, const uint64_t *size, int parent, int value,
                     uint64_t number, uint64_t *digit)
{
    for (size_t c = n_params; c-- > (size_t)(parent + 1);)
        if (params[c].parent == parent && (parent < 0 || params[c].when[value])) {
            digit[c] = number % size[c];
            number /= size[c];
        }
}

void gn_params_point(const gn_param *params, size_t n_params, uint64_t number, double *point_out)
{
    uint64_t size[GN_PARAMS_MAX], digit[GN_PARAMS_MAX];
    tree_sizes(params, n_params, size);
    deal_out(params, n_params, size, -1, 0, number, digit);
    for (size_t i = 0; i < n_params; i++) {
        if (!gn_param_applies(params, i, point_out)) {
            point_out[i] = NAN;
        } else if (params[i].kind != GN_PARAM_CHOICE) {
            point_out[i] = params[i].low + (double)digit[i];
        } else if (!has_children(params, n_params, i)) {
            point_out[i] = (double)digit[i];
        } else {
            int value = 0;
            for (uint64_t block; digit[i] >= (block = block_size(params, n_params, size, i, value)); value++)
                digit[i] -= block;
            point_out[i] = value;
            deal_out(params, n_params, size, (int)i, value, digit[i], digit);
        }
    }
}

/* The number of the sub-points of `parent` at its value, from the digits of the parameters below. */
static uint64_t gather(const gn_param *params, size_t n_params, const uint64_t *size, int parent, int value,
                       const uint64_t *digit)
{
    uint64_t number = 0;
    for (size_t c = (size_t)(parent + 1); c < n_params; c++)
        if (params[c].parent == parent && (parent < 0 || params[c].when[value]))
            number = number * size[c] + digit[c];
    return number;
}

uint64_t gn_params_number(const gn_param *params, size_t n_params, const double *point)
{
    uint64_t size[GN_PARAMS_MAX], digit[GN_PARAMS_MAX];
    tree_sizes(params, n_params, size);
    for (size_t i = n_params; i-- > 0;) {
        if (isnan(point[i]))
            continue;
        digit[i] = (uint64_t)(params[i].kind == GN_PARAM_CHOICE ? point[i] : point[i] - params[i].low);
        if (!has_children(params, n_params, i))
            continue;
        const int value = (int)point[i];
        digit[i] = gather(params, n_params, size, (int)i, value, digit);
        for (int v = 0; v < value; v++)
            digit[i] += block_size(params, n_params, size, i, v);
    }
    return gather(params, n_params, size, -1, 0, digit);
}
