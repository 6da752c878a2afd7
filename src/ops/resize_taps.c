/* Sizes, coordinates and filter weights of Resize.
 * Source: ONNX Resize (opset 19); the cubic filter: Keys 1981, "Cubic convolution interpolation for digital image processing".
 * SPDX-License-Identifier: Apache-2.0 */
#include "ops/resize_taps.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "ops/index_math.h"

/* A result longer than this along one axis is a mistake. */
#define MAX_SIZE (INT64_C(1) << 31)
/* An antialiasing filter wider than this many inputs is one, too. */
#define MAX_TAPS (1 << 16)

enum { METHOD_NEAREST, METHOD_LINEAR, METHOD_CUBIC };
static const char *const methods[] = {"nearest", "linear", "cubic", NULL};
enum {
    COORDINATES_HALF_PIXEL,
    COORDINATES_HALF_PIXEL_SYMMETRIC,
    COORDINATES_PYTORCH_HALF_PIXEL,
    COORDINATES_ALIGN_CORNERS,
    COORDINATES_ASYMMETRIC,
    COORDINATES_TF_CROP_AND_RESIZE
};
static const char *const coordinate_modes[] = {
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
    NULL};
enum { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL };
static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};

/* ---- attributes and sizes ---- */

static gn_status read_word(const gn_node *node, const char *name, const char *const *words, int *out, gn_error *err)
{
    const char *word = gn_node_string(node, name, words[0]);
    for (int i = 0; words[i]; i++)
        if (strcmp(word, words[i]) == 0) {
            *out = i;
            return GN_OK;
        }
    return gn_shape_fail(err, node, "%s is %s, which is not known", name, word);
}

static gn_status read_options(const gn_node *node, gn_resize *r, gn_error *err)
{
    GN_TRY(read_word(node, "mode", methods, &r->method, err));
    GN_TRY(read_word(node, "coordinate_transformation_mode", coordinate_modes, &r->coordinates, err));
    GN_TRY(read_word(node, "nearest_mode", roundings, &r->rounding, err));
    r->antialias = gn_node_int(node, "antialias", 0) != 0;
    r->exclude_outside = gn_node_int(node, "exclude_outside", 0) != 0;
    r->cubic_a = (double)gn_node_float(node, "cubic_coeff_a", -0.75f);
    r->extrapolation = (double)gn_node_float(node, "extrapolation_value", 0);
    return GN_OK;
}

/* The axes that are resized; all by default. */
static gn_status read_axes(const gn_node *node, int rank, int64_t axes[GN_MAX_RANK], int *n_out, gn_error *err)
{
    int n = rank;
    for (int i = 0; i < rank; i++)
        axes[i] = i;
    if (gn_node_attr(node, "axes")) {
        n = gn_node_ints(node, "axes", axes, GN_MAX_RANK, 0);
        if (n > GN_MAX_RANK)
            return gn_shape_fail(err, node, "more than %d axes", GN_MAX_RANK);
        GN_TRY(gn_op_fix_axes(node, axes, n, rank, err));
    }
    *n_out = n;
    return GN_OK;
}

/* Real numbers of input i, known before a run; count must be `expected`. */
static gn_status known_numbers(const gn_graph *graph, const gn_node *node, int i, const char *what, int expected,
                               double *dst, gn_error *err)
{
    const gn_tensor *known = gn_in_known(graph, node, i);
    if (!known)
        return gn_shape_fail(err, node, "its %s are computed from data; only constant %s are possible", what, what);
    if (gn_tensor_count(known) != expected)
        return gn_shape_fail(err, node, "%" PRId64 " %s, expected %d", gn_tensor_count(known), what, expected);
    for (int k = 0; k < expected; k++)
        dst[k] = gn_tensor_get(known, k);
    return GN_OK;
}

static bool is_given(const gn_graph *graph, const gn_node *node, int i)
{
    return gn_has_in(node, i) && gn_shape_count(gn_in_shape(graph, node, i)) > 0;
}

static gn_status read_roi(const gn_graph *graph, const gn_node *node, const int64_t *axes, int n, gn_resize *r,
                          gn_error *err)
{
    double roi[2 * GN_MAX_RANK];
    if (r->coordinates != COORDINATES_TF_CROP_AND_RESIZE)
        return GN_OK;
    GN_TRY(known_numbers(graph, node, 1, "regions", 2 * n, roi, err));
    for (int i = 0; i < n; i++) {
        r->roi_begin[axes[i]] = roi[i];
        r->roi_end[axes[i]] = roi[n + i];
    }
    return GN_OK;
}

static gn_status size_fail(const gn_node *node, gn_error *err, int64_t axis)
{
    return gn_shape_fail(err, node, "the size along axis %" PRId64 " is not possible", axis);
}

static gn_status from_scales(const gn_graph *graph, const gn_node *node, const int64_t *axes, int n, gn_resize *r,
                             gn_error *err)
{
    double scales[GN_MAX_RANK];
    GN_TRY(known_numbers(graph, node, 2, "scales", n, scales, err));
    for (int i = 0; i < n; i++) {
        const double size = floor((double)r->x.dim[axes[i]] * scales[i]);
        if (!(scales[i] > 0) || !(size < (double)MAX_SIZE))
            return size_fail(node, err, axes[i]);
        r->scale[axes[i]] = scales[i];
        r->y.dim[axes[i]] = (int64_t)size;
    }
    return GN_OK;
}

/* Sizes; with not_larger or not_smaller one scale for all axes, so that the result fits into them or covers them. */
static gn_status from_sizes(const gn_graph *graph, const gn_node *node, const int64_t *axes, int n, gn_resize *r,
                            gn_error *err)
{
    const char *policy = gn_node_string(node, "keep_aspect_ratio_policy", "stretch");
    const bool is_larger = strcmp(policy, "not_smaller") == 0, is_one = is_larger || strcmp(policy, "not_larger") == 0;
    int64_t sizes[GN_MAX_RANK];
    int n_sizes;
    double common = 0;
    GN_TRY(gn_op_known_ints(graph, node, 3, "sizes", sizes, GN_MAX_RANK, &n_sizes, err));
    if (n_sizes != n)
        return gn_shape_fail(err, node, "%d sizes for %d axes", n_sizes, n);
    if (!is_one && strcmp(policy, "stretch") != 0)
        return gn_shape_fail(err, node, "keep_aspect_ratio_policy is %s, which is not known", policy);
    for (int i = 0; i < n; i++) {
        const int64_t in = r->x.dim[axes[i]];
        if (sizes[i] < 0 || sizes[i] >= MAX_SIZE || (in < 1 && sizes[i] > 0))
            return size_fail(node, err, axes[i]);
        r->scale[axes[i]] = in > 0 ? (double)sizes[i] / (double)in : 1;
        r->y.dim[axes[i]] = sizes[i];
        if (i == 0 || (is_larger ? r->scale[axes[i]] > common : r->scale[axes[i]] < common))
            common = r->scale[axes[i]];
    }
    for (int i = 0; i < n && is_one; i++) {
        const double size = floor(common * (double)r->x.dim[axes[i]] + 0.5);
        if (!(size < (double)MAX_SIZE))
            return size_fail(node, err, axes[i]);
        r->scale[axes[i]] = common;
        r->y.dim[axes[i]] = (int64_t)size;
    }
    return GN_OK;
}

gn_status gn_resize_of(const gn_graph *graph, const gn_node *node, gn_resize *out, gn_error *err)
{
    gn_resize r = {.x = *gn_in_shape(graph, node, 0)};
    int64_t axes[GN_MAX_RANK];
    int n = 0;
    if (gn_node_attr(node, "in_shape")) {
        r.x.rank = gn_node_ints(node, "in_shape", r.x.dim, GN_MAX_RANK, 0);
        if (r.x.rank > GN_MAX_RANK || gn_shape_count(&r.x) < 0)
            return gn_shape_fail(err, node, "in_shape is no shape");
    }
    r.y = r.x;
    for (int d = 0; d < r.x.rank; d++) {
        r.scale[d] = r.roi_end[d] = 1;
        r.roi_begin[d] = 0;
    }
    GN_TRY(read_options(node, &r, err));
    GN_TRY(read_axes(node, r.x.rank, axes, &n, err));
    GN_TRY(read_roi(graph, node, axes, n, &r, err));
    if (is_given(graph, node, 2) == is_given(graph, node, 3))
        return gn_shape_fail(err, node, "either scales or sizes are expected");
    if (is_given(graph, node, 2))
        GN_TRY(from_scales(graph, node, axes, n, &r, err));
    else
        GN_TRY(from_sizes(graph, node, axes, n, &r, err));
    *out = r;
    return GN_OK;
}

/* ---- coordinates and weights ---- */

/* Where in the input position o of the result lies, in pixels. */
static double coordinate(const gn_resize *r, int d, int64_t o)
{
    const double x = (double)o, in = (double)r->x.dim[d], scale = r->scale[d], out = scale * in;
    switch (r->coordinates) {
    case COORDINATES_ALIGN_CORNERS:
        return fabs(out - 1) < 1e-9 ? 0 : x * (in - 1) / (out - 1);
    case COORDINATES_ASYMMETRIC:
        return x / scale;
    case COORDINATES_PYTORCH_HALF_PIXEL:
        return r->y.dim[d] > 1 ? (x + 0.5) / scale - 0.5 : 0;
    case COORDINATES_HALF_PIXEL_SYMMETRIC:
        /* the middle of the input is the middle of the result, even where its size was rounded */
        return in / 2 * (1 - (double)r->y.dim[d] / out) + (x + 0.5) / scale - 0.5;
    case COORDINATES_TF_CROP_AND_RESIZE:
        if (r->y.dim[d] > 1)
            return r->roi_begin[d] * (in - 1) + x * (r->roi_end[d] - r->roi_begin[d]) * (in - 1) / (out - 1);
        return 0.5 * (r->roi_begin[d] + r->roi_end[d]) * (in - 1);
    case COORDINATES_HALF_PIXEL:
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

static double cubic(double x, double a)
{
    x = fabs(x);
    if (x <= 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

static double triangle(double x)
{
    return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* How much the filter is stretched: by shrinking, when aliases are to be avoided. */
static double stretch(const gn_resize *r, int d)
{
    return r->antialias && r->scale[d] < 1 ? r->scale[d] : 1;
}

/* Taps are the positions first..1-first around floor(coordinate). */
static int64_t first_tap(const gn_resize *r, int d)
{
    const double radius = (r->method == METHOD_CUBIC ? 2 : 1) / stretch(r, d);
    if (r->method == METHOD_NEAREST)
        return 0;
    return radius < MAX_TAPS ? (int64_t)floor(-radius) + 1 : -MAX_TAPS;
}

static int64_t nearest(const gn_resize *r, double at)
{
    const double x = (double)(float)at, below = floor(x); /* float, so that 3 / 0.6f is 5 */
    switch (r->rounding) {
    case ROUND_PREFER_CEIL:
        return (int64_t)(x - below < 0.5 ? below : ceil(x));
    case ROUND_FLOOR:
        return (int64_t)below;
    case ROUND_CEIL:
        return (int64_t)ceil(x);
    case ROUND_PREFER_FLOOR:
    default:
        return (int64_t)(x - below <= 0.5 ? below : ceil(x));
    }
}

/* Regions may lie anywhere; far outside it makes no difference where. */
static double near_input(double at)
{
    const double far = 0x1p40;
    return at > far ? far : at > -far ? at : -far; /* NaN, too */
}

/* Indices and weights of one position; weights add up to 1. */
static void fill_position(const gn_resize *r, int d, double at, int n, int64_t *index, double *weight)
{
    const int64_t in = r->x.dim[d], base = r->method == METHOD_NEAREST ? nearest(r, at) : (int64_t)floor(at);
    const double ratio = at - (double)base, s = stretch(r, d);
    double sum = 0;
    for (int t = 0; t < n; t++) {
        const int64_t position = base + first_tap(r, d) + t;
        const double distance = ((double)(first_tap(r, d) + t) - ratio) * s;
        const bool is_inside = position >= 0 && position < in;
        index[t] = position < 0 ? 0 : position >= in ? in - 1 : position;
        weight[t] = r->method == METHOD_NEAREST  ? 1
                    : r->method == METHOD_LINEAR ? triangle(distance)
                                                 : cubic(distance, r->cubic_a);
        if (r->exclude_outside && r->method != METHOD_NEAREST && !is_inside)
            weight[t] = 0;
        sum += weight[t];
    }
    for (int t = 0; t < n; t++)
        weight[t] /= sum;
}

static bool is_identity(const gn_resize_axis *axis)
{
    for (int64_t o = 0; o < axis->out; o++)
        for (int t = 0; t < axis->n; t++) {
            const double weight = axis->weight[o * axis->n + t];
            if (axis->is_outside[o] || ((weight < 0 || weight > 0) && axis->index[o * axis->n + t] != o))
                return false;
        }
    return axis->in == axis->out;
}

gn_status gn_resize_axis_init(const gn_resize *r, int d, gn_resize_axis *axis)
{
    const int64_t out = r->y.dim[d], taps = out > 0 ? 2 - 2 * first_tap(r, d) : 1;
    gn_resize_axis a = {.in = r->x.dim[d], .out = out, .n = r->method == METHOD_NEAREST ? 1 : (int)taps};
    if (taps > MAX_TAPS || out * a.n > (INT64_C(1) << 34))
        return GN_ELIMIT;
    const size_t room = (size_t)(out * a.n) + 1;
    a.index = gn_calloc(room, sizeof *a.index);
    a.weight = gn_calloc(room, sizeof *a.weight);
    a.is_outside = gn_calloc((size_t)out + 1, sizeof *a.is_outside);
    if (!a.index || !a.weight || !a.is_outside) {
        gn_resize_axis_deinit(&a);
        return GN_ENOMEM;
    }
    for (int64_t o = 0; o < out; o++) {
        const double at = coordinate(r, d, o);
        a.is_outside[o] = r->coordinates == COORDINATES_TF_CROP_AND_RESIZE && (at < 0 || at > (double)(a.in - 1));
        fill_position(r, d, near_input(at), a.n, a.index + o * a.n, a.weight + o * a.n);
    }
    a.is_identity = is_identity(&a);
    *axis = a;
    return GN_OK;
}

void gn_resize_axis_deinit(gn_resize_axis *axis)
{
    gn_free(axis->index);
    gn_free(axis->weight);
    gn_free(axis->is_outside);
    *axis = (gn_resize_axis){0};
}
