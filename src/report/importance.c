/* Functional ANOVA on a random forest; see importance.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"

/* A leaf holds at least so many trials: single ones would carry their noise into the marginals. */
#define MIN_LEAF 2
#define WORDS    (GN_FACTOR_MAX_LEVELS / 64)
/* Factors whose interactions are computed: all pairs of the largest four. */
#define PAIRED 4

/* Levels of a category as bits. */
typedef struct levels {
    uint64_t word[WORDS];
} levels;

static bool has_level(const levels *set, int level)
{
    return (set->word[level / 64] >> (level % 64) & 1) != 0;
}

static void add_level(levels *set, int level)
{
    set->word[level / 64] |= (uint64_t)1 << (level % 64);
}

/* factor < 0: a leaf.  Left: x <= threshold, or the level is in `left_levels`. */
typedef struct node {
    int factor;
    double threshold, value;
    levels left_levels;
    int left, right;
} node;

/* What a box holds of one factor: low..high of a number, a set of levels of a category. */
typedef struct side {
    double low, high;
    levels set;
} side;

typedef struct forest {
    const gn_factor *factor;
    int n_factors, n;
    const double *x, *y;
    /* One tree at a time. */
    node *nodes;
    int n_nodes;
    int *drawn;   /* [n] trials of this tree, arranged while it grows */
    bool *is_in;  /* [n] */
    int *scratch; /* [n] */
    struct {
        double x, y;
    } * sorted;  /* [n] */
    side *sides; /* [leaves, n_factors] */
    double *leaf_value, *leaf_volume;
    int n_leaves;
    /* Marginals. */
    double *cuts[GN_IMPORTANCE_FACTORS]; /* ends of the cells of a number */
    int n_cells[GN_IMPORTANCE_FACTORS];
    double *plane;
    size_t plane_capacity;
    double *oob_sum;
    int *oob_count;
} forest;

/* --- growing a tree ------------------------------------------------------------------------------------------------------ */

typedef struct split {
    int factor; /* -1: none */
    double gain, threshold;
    levels left;
} split;

static int compare_sorted(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double value_of(const forest *f, int trial, int factor)
{
    return f->x[(size_t)trial * (size_t)f->n_factors + (size_t)factor];
}

/* Gain of a cut: what the sums of squares of both sides' means add over that of the whole. */
static double gain_of(double sum_left, double n_left, double sum, double n)
{
    const double right = sum - sum_left;
    return sum_left * sum_left / n_left + right * right / (n - n_left) - sum * sum / n;
}

static void try_number(forest *f, int factor, int begin, int end, double sum, split *best)
{
    const int n = end - begin;
    for (int i = 0; i < n; i++) {
        f->sorted[i].x = value_of(f, f->drawn[begin + i], factor);
        f->sorted[i].y = f->y[f->drawn[begin + i]];
    }
    qsort(f->sorted, (size_t)n, sizeof *f->sorted, compare_sorted);
    double left = 0;
    for (int i = 0; i + 1 < n; i++) {
        left += f->sorted[i].y;
        if (f->sorted[i].x == f->sorted[i + 1].x || i + 1 < MIN_LEAF || n - i - 1 < MIN_LEAF)
            continue;
        const double gain = gain_of(left, i + 1, sum, n);
        if (gain > best->gain)
            *best = (split){factor, gain, (f->sorted[i].x + f->sorted[i + 1].x) / 2, {{0}}};
    }
}

typedef struct level_mean {
    double mean, sum;
    int n, level;
} level_mean;

static int compare_means(const void *a, const void *b)
{
    const level_mean *x = a, *y = b;
    return x->mean != y->mean ? (x->mean > y->mean) - (x->mean < y->mean) : x->level - y->level;
}

/* The best division of levels is one of their order by mean (Breiman et al. 1984, theorem 4.5). */
static void try_category(const forest *f, int factor, int begin, int end, double sum, split *best)
{
    level_mean list[GN_FACTOR_MAX_LEVELS] = {{0}};
    const int n = end - begin;
    int n_levels = 0, n_left = 0;
    for (int i = begin; i < end; i++) {
        level_mean *l = &list[(int)value_of(f, f->drawn[i], factor)];
        l->sum += f->y[f->drawn[i]];
        l->n++;
    }
    for (int k = 0; k < f->factor[factor].n_levels; k++)
        if (list[k].n > 0) {
            const level_mean l = list[k];
            list[n_levels++] = (level_mean){l.sum / l.n, l.sum, l.n, k};
        }
    qsort(list, (size_t)n_levels, sizeof *list, compare_means);
    double left = 0;
    levels set = {{0}};
    for (int k = 0; k + 1 < n_levels; k++) {
        left += list[k].sum;
        n_left += list[k].n;
        add_level(&set, list[k].level);
        if (n_left < MIN_LEAF || n - n_left < MIN_LEAF)
            continue;
        const double gain = gain_of(left, n_left, sum, n);
        if (gain > best->gain)
            *best = (split){factor, gain, 0, set};
    }
}

static split find_split(forest *f, int begin, int end)
{
    split best = {.factor = -1, .gain = 1e-12};
    double sum = 0;
    for (int i = begin; i < end; i++)
        sum += f->y[f->drawn[i]];
    for (int k = 0; k < f->n_factors && end - begin >= 2 * MIN_LEAF; k++) {
        bool applies = true;
        for (int i = begin; i < end && applies; i++)
            applies = !isnan(value_of(f, f->drawn[i], k));
        if (!applies)
            continue;
        if (f->factor[k].n_levels > 0)
            try_category(f, k, begin, end, sum, &best);
        else
            try_number(f, k, begin, end, sum, &best);
    }
    return best;
}

static bool goes_left(const forest *f, const node *at, int trial)
{
    const double x = value_of(f, trial, at->factor);
    if (isnan(x))
        return true;
    return f->factor[at->factor].n_levels > 0 ? has_level(&at->left_levels, (int)x) : x <= at->threshold;
}

/* Trials of the left side first, in their order; where the right begins. */
static int part(forest *f, const node *at, int begin, int end)
{
    int n_left = 0, n_right = 0;
    for (int i = begin; i < end; i++)
        if (goes_left(f, at, f->drawn[i]))
            f->drawn[begin + n_left++] = f->drawn[i];
        else
            f->scratch[n_right++] = f->drawn[i];
    memcpy(f->drawn + begin + n_left, f->scratch, (size_t)n_right * sizeof *f->scratch);
    return begin + n_left;
}

/* Levels that no trial of the node has go where most trials go. */
static void place_unseen(const forest *f, node *at, int begin, int middle, int end)
{
    levels seen = {{0}};
    if (f->factor[at->factor].n_levels == 0 || middle - begin < end - middle)
        return;
    for (int i = begin; i < end; i++)
        add_level(&seen, (int)value_of(f, f->drawn[i], at->factor));
    for (int k = 0; k < f->factor[at->factor].n_levels; k++)
        if (!has_level(&seen, k))
            add_level(&at->left_levels, k);
}

/* Nodes of a tree over drawn[begin, end); its number.  Recursion is as deep as the tree, at most n. */
static int grow(forest *f, int begin, int end)
{
    const int number = f->n_nodes++;
    double sum = 0;
    for (int i = begin; i < end; i++)
        sum += f->y[f->drawn[i]];
    const split s = find_split(f, begin, end);
    f->nodes[number] = (node){.factor = s.factor, .threshold = s.threshold, .value = sum / (end - begin)};
    if (s.factor < 0)
        return number;
    f->nodes[number].left_levels = s.left;
    const int middle = part(f, &f->nodes[number], begin, end);
    place_unseen(f, &f->nodes[number], begin, middle, end);
    const int left = grow(f, begin, middle), right = grow(f, middle, end);
    f->nodes[number].left = left;
    f->nodes[number].right = right;
    return number;
}

/* --- boxes --------------------------------------------------------------------------------------------------------------- */

static double width_of(const forest *f, int factor, const side *s)
{
    const int n = f->factor[factor].n_levels;
    if (n == 0)
        return s->high - s->low;
    int count = 0;
    for (int k = 0; k < n; k++)
        count += has_level(&s->set, k);
    return (double)count / n;
}

/* The leaves below a node, each with its box; `box` is changed on the way and restored. */
static void list_leaves(forest *f, int number, side *box)
{
    const node *at = &f->nodes[number];
    if (at->factor < 0) {
        double volume = 1;
        for (int k = 0; k < f->n_factors; k++)
            volume *= width_of(f, k, &box[k]);
        memcpy(&f->sides[(size_t)f->n_leaves * (size_t)f->n_factors], box, (size_t)f->n_factors * sizeof *box);
        f->leaf_value[f->n_leaves] = at->value;
        f->leaf_volume[f->n_leaves++] = volume;
        return;
    }
    side *s = &box[at->factor];
    const side before = *s;
    if (f->factor[at->factor].n_levels > 0)
        for (int w = 0; w < WORDS; w++)
            s->set.word[w] = before.set.word[w] & at->left_levels.word[w];
    else
        s->high = fmin(before.high, at->threshold);
    list_leaves(f, at->left, box);
    *s = before;
    if (f->factor[at->factor].n_levels > 0)
        for (int w = 0; w < WORDS; w++)
            s->set.word[w] = before.set.word[w] & ~at->left_levels.word[w];
    else
        s->low = fmax(before.low, at->threshold);
    list_leaves(f, at->right, box);
    *s = before;
}

static void find_boxes(forest *f)
{
    side box[GN_IMPORTANCE_FACTORS];
    for (int k = 0; k < f->n_factors; k++) {
        box[k] = (side){0, 1, {{0}}};
        for (int level = 0; level < f->factor[k].n_levels; level++)
            add_level(&box[k].set, level);
    }
    f->n_leaves = 0;
    list_leaves(f, 0, box);
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The cells into which the boxes cut each factor. */
static void find_cells(forest *f)
{
    for (int k = 0; k < f->n_factors; k++) {
        int n = 0, kept = 0;
        f->n_cells[k] = f->factor[k].n_levels;
        if (f->n_cells[k] > 0)
            continue;
        for (int i = 0; i < f->n_leaves; i++)
            f->cuts[k][n++] = f->sides[(size_t)i * (size_t)f->n_factors + (size_t)k].low;
        f->cuts[k][n++] = 1;
        qsort(f->cuts[k], (size_t)n, sizeof *f->cuts[k], compare_doubles);
        for (int i = 0; i < n; i++)
            if (kept == 0 || f->cuts[k][i] != f->cuts[k][kept - 1])
                f->cuts[k][kept++] = f->cuts[k][i];
        f->n_cells[k] = kept - 1;
    }
}

static double cell_weight(const forest *f, int factor, int cell)
{
    return f->factor[factor].n_levels > 0 ? 1.0 / f->factor[factor].n_levels
                                          : f->cuts[factor][cell + 1] - f->cuts[factor][cell];
}

static int cell_at(const forest *f, int factor, double cut)
{
    int low = 0, high = f->n_cells[factor];
    while (low < high) {
        const int middle = (low + high) / 2;
        if (f->cuts[factor][middle] < cut)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- marginals ----------------------------------------------------------------------------------------------------------- */

/* Adds `x` to every cell of a box's side; of numbers at both ends only: sum_up() makes sums of these. */
static void spread_over(const forest *f, int factor, const side *s, double x, double *cells)
{
    if (f->factor[factor].n_levels > 0) {
        for (int k = 0; k < f->factor[factor].n_levels; k++)
            cells[k] += has_level(&s->set, k) ? x : 0;
        return;
    }
    cells[cell_at(f, factor, s->low)] += x;
    cells[cell_at(f, factor, s->high)] -= x; /* one cell more than there are takes what ends at 1 */
}

static void sum_up(const forest *f, int factor, double *cells)
{
    for (int k = 1; k < f->n_cells[factor] && f->factor[factor].n_levels == 0; k++)
        cells[k] += cells[k - 1];
}

/* Variance of the mean over all factors but one. */
static double variance_of(forest *f, int factor, double mean)
{
    double variance = 0;
    memset(f->plane, 0, (size_t)(f->n_cells[factor] + 1) * sizeof *f->plane);
    for (int i = 0; i < f->n_leaves; i++) {
        const side *s = &f->sides[(size_t)i * (size_t)f->n_factors + (size_t)factor];
        const double width = width_of(f, factor, s);
        if (width > 0)
            spread_over(f, factor, s, f->leaf_value[i] * f->leaf_volume[i] / width, f->plane);
    }
    sum_up(f, factor, f->plane);
    for (int c = 0; c < f->n_cells[factor]; c++)
        variance += cell_weight(f, factor, c) * (f->plane[c] - mean) * (f->plane[c] - mean);
    return variance;
}

/* The same over all factors but two. */
static gn_status variance_of_pair(forest *f, int a, int b, double mean, double *variance_out)
{
    const size_t row = (size_t)f->n_cells[b] + 1, n = (size_t)f->n_cells[a] * row;
    double variance = 0;
    GN_TRY(gn_grow(&f->plane, &f->plane_capacity, n, sizeof *f->plane));
    memset(f->plane, 0, n * sizeof *f->plane);
    for (int i = 0; i < f->n_leaves; i++) {
        const side *box = &f->sides[(size_t)i * (size_t)f->n_factors];
        const double width = width_of(f, a, &box[a]) * width_of(f, b, &box[b]);
        const double x = width > 0 ? f->leaf_value[i] * f->leaf_volume[i] / width : 0;
        const bool is_category = f->factor[a].n_levels > 0;
        const int from = is_category ? 0 : cell_at(f, a, box[a].low),
                  to = is_category ? f->n_cells[a] : cell_at(f, a, box[a].high);
        for (int c = from; c < to; c++)
            if (!is_category || has_level(&box[a].set, c))
                spread_over(f, b, &box[b], x, f->plane + (size_t)c * row);
    }
    for (int c = 0; c < f->n_cells[a]; c++) {
        double *cells = f->plane + (size_t)c * row;
        sum_up(f, b, cells);
        for (int d = 0; d < f->n_cells[b]; d++)
            variance += cell_weight(f, a, c) * cell_weight(f, b, d) * (cells[d] - mean) * (cells[d] - mean);
    }
    *variance_out = variance;
    return GN_OK;
}

/* --- the forest ---------------------------------------------------------------------------------------------------------- */

static void forest_deinit(forest *f)
{
    gn_free(f->nodes);
    gn_free(f->drawn);
    gn_free(f->is_in);
    gn_free(f->scratch);
    gn_free(f->sorted);
    gn_free(f->sides);
    gn_free(f->leaf_value);
    gn_free(f->leaf_volume);
    for (int k = 0; k < f->n_factors; k++)
        gn_free(f->cuts[k]);
    gn_free(f->plane);
    gn_free(f->oob_sum);
    gn_free(f->oob_count);
}

static gn_status forest_init(forest *f)
{
    const size_t n = (size_t)f->n;
    f->nodes = gn_alloc(2 * n * sizeof *f->nodes);
    f->drawn = gn_alloc(n * sizeof *f->drawn);
    f->is_in = gn_alloc(n * sizeof *f->is_in);
    f->scratch = gn_alloc(n * sizeof *f->scratch);
    f->sorted = gn_alloc(n * sizeof *f->sorted);
    f->sides = gn_alloc(n * (size_t)f->n_factors * sizeof *f->sides);
    f->leaf_value = gn_alloc(n * sizeof *f->leaf_value);
    f->leaf_volume = gn_alloc(n * sizeof *f->leaf_volume);
    f->oob_sum = gn_calloc(n, sizeof *f->oob_sum);
    f->oob_count = gn_calloc(n, sizeof *f->oob_count);
    bool is_complete = f->nodes && f->drawn && f->is_in && f->scratch && f->sorted && f->sides && f->leaf_value &&
                       f->leaf_volume && f->oob_sum && f->oob_count;
    for (int k = 0; k < f->n_factors; k++) {
        f->cuts[k] = gn_alloc((n + 2) * sizeof *f->cuts[k]);
        is_complete = is_complete && f->cuts[k] != NULL;
    }
    const size_t room = (n > GN_FACTOR_MAX_LEVELS ? n : GN_FACTOR_MAX_LEVELS) + 2;
    return is_complete ? gn_grow(&f->plane, &f->plane_capacity, room, sizeof *f->plane) : GN_ENOMEM;
}

static void grow_tree(forest *f, uint64_t seed, int tree)
{
    gn_rng rng;
    gn_rng_init(&rng, seed, (uint64_t)tree);
    memset(f->is_in, 0, (size_t)f->n * sizeof *f->is_in);
    for (int i = 0; i < f->n; i++) {
        f->drawn[i] = (int)gn_rng_below(&rng, f->n);
        f->is_in[f->drawn[i]] = true;
    }
    f->n_nodes = 0;
    grow(f, 0, f->n);
    for (int i = 0; i < f->n; i++) {
        if (f->is_in[i])
            continue;
        int at = 0;
        while (f->nodes[at].factor >= 0)
            at = goes_left(f, &f->nodes[at], i) ? f->nodes[at].left : f->nodes[at].right;
        f->oob_sum[i] += f->nodes[at].value;
        f->oob_count[i]++;
    }
}

/* Mean and variance of a tree over the whole space; false when it is flat. */
static bool tree_moments(const forest *f, double *mean_out, double *variance_out)
{
    double mean = 0, variance = 0;
    for (int i = 0; i < f->n_leaves; i++)
        mean += f->leaf_volume[i] * f->leaf_value[i];
    for (int i = 0; i < f->n_leaves; i++)
        variance += f->leaf_volume[i] * (f->leaf_value[i] - mean) * (f->leaf_value[i] - mean);
    *mean_out = mean;
    *variance_out = variance;
    return variance > 0;
}

/* Coefficient of determination of the predictions out of the bag. */
static double forest_r2(const forest *f)
{
    double n = 0, sum = 0, total = 0, rest = 0;
    for (int i = 0; i < f->n; i++)
        if (f->oob_count[i] > 0) {
            n++;
            sum += f->y[i];
        }
    for (int i = 0; i < f->n; i++) {
        if (f->oob_count[i] == 0)
            continue;
        const double from_mean = f->y[i] - sum / n, off = f->y[i] - f->oob_sum[i] / f->oob_count[i];
        total += from_mean * from_mean;
        rest += off * off;
    }
    return total > 0 ? 1 - rest / total : NAN;
}

static void find_largest(const gn_importance *out, int n_factors, int *order)
{
    for (int i = 0; i < n_factors; i++)
        order[i] = i;
    for (int i = 1; i < n_factors; i++)
        for (int k = i; k > 0 && out->share[order[k]] > out->share[order[k - 1]]; k--) {
            const int swap = order[k];
            order[k] = order[k - 1];
            order[k - 1] = swap;
        }
}

static int compare_pairs(const void *a, const void *b)
{
    const gn_importance_pair *x = a, *y = b;
    if (x->share != y->share)
        return x->share > y->share ? -1 : 1;
    return x->first != y->first ? x->first - y->first : x->second - y->second;
}

/* A second walk over the same trees, once the largest factors are known. */
static gn_status add_pairs(forest *f, int trees, uint64_t seed, int n_used, gn_importance *out)
{
    int order[GN_IMPORTANCE_FACTORS];
    find_largest(out, f->n_factors, order);
    const int n = f->n_factors < PAIRED ? f->n_factors : PAIRED;
    for (int i = 0; i < n; i++)
        for (int k = i + 1; k < n; k++)
            out->pair[out->n_pairs++] = (gn_importance_pair){.first = order[i], .second = order[k]};
    for (int tree = 0; tree < trees && out->n_pairs > 0; tree++) {
        double mean, variance, of_pair;
        grow_tree(f, seed, tree);
        find_boxes(f);
        find_cells(f);
        if (!tree_moments(f, &mean, &variance))
            continue;
        for (int i = 0; i < out->n_pairs; i++) {
            gn_importance_pair *p = &out->pair[i];
            GN_TRY(variance_of_pair(f, p->first, p->second, mean, &of_pair));
            const double alone = variance_of(f, p->first, mean) + variance_of(f, p->second, mean);
            p->share += fmax(0, of_pair - alone) / variance / n_used;
        }
    }
    qsort(out->pair, (size_t)out->n_pairs, sizeof *out->pair, compare_pairs);
    return GN_OK;
}

static gn_status run(forest *f, int trees, uint64_t seed, gn_importance *out)
{
    int n_used = 0;
    for (int tree = 0; tree < trees; tree++) {
        double mean, variance;
        grow_tree(f, seed, tree);
        find_boxes(f);
        find_cells(f);
        if (!tree_moments(f, &mean, &variance))
            continue;
        n_used++;
        for (int k = 0; k < f->n_factors; k++) {
            const double share = variance_of(f, k, mean) / variance;
            out->share[k] += share;
            out->spread[k] += share * share;
        }
    }
    if (n_used == 0)
        return GN_EINVAL;
    for (int k = 0; k < f->n_factors; k++) {
        out->share[k] /= n_used;
        out->spread[k] = sqrt(fmax(0, out->spread[k] / n_used - out->share[k] * out->share[k]));
    }
    out->r2 = forest_r2(f);
    return add_pairs(f, trees, seed, n_used, out);
}

static bool is_input_valid(const gn_factor *factors, int n_factors, const double *x, const double *y, int n, int trees)
{
    bool is_varied = false;
    if (n_factors < 1 || n_factors > GN_IMPORTANCE_FACTORS || n < 2 || trees < 1 || trees > 1000)
        return false;
    for (int i = 0; i < n; i++) {
        if (!isfinite(y[i]))
            return false;
        is_varied = is_varied || y[i] != y[0];
        for (int k = 0; k < n_factors; k++) {
            const double v = x[(size_t)i * (size_t)n_factors + (size_t)k];
            const int n_levels = factors[k].n_levels;
            if (n_levels < 0 || n_levels > GN_FACTOR_MAX_LEVELS)
                return false;
            if (!isnan(v) && (v < 0 || (n_levels == 0 ? v > 1 : v >= n_levels)))
                return false;
        }
    }
    return is_varied;
}

gn_status gn_importance_compute(const gn_factor *factors, int n_factors, const double *x, const double *y, int n,
                                int trees, uint64_t seed, gn_importance *out)
{
    if (!is_input_valid(factors, n_factors, x, y, n, trees))
        return GN_EINVAL;
    forest f = {.factor = factors, .n_factors = n_factors, .n = n, .x = x, .y = y};
    gn_importance result = {.n_pairs = 0};
    gn_status status = forest_init(&f);
    if (status == GN_OK)
        status = run(&f, trees, seed, &result);
    forest_deinit(&f);
    if (status == GN_OK)
        *out = result;
    return status;
}
