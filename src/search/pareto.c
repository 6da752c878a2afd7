/* Nondominated sorting, crowding distance, hypervolume.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/pareto.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A row on its way through a sort. */
typedef struct row {
    const double *value;
    size_t index;
    int m;
} row;

bool gn_pareto_dominates(const double *a, const double *b, int m)
{
    bool is_smaller = false;
    for (int k = 0; k < m; k++) {
        if (a[k] > b[k])
            return false;
        is_smaller = is_smaller || a[k] < b[k];
    }
    return is_smaller;
}

static int by_value(const void *a, const void *b)
{
    const row *x = a, *y = b;
    for (int k = 0; k < x->m; k++)
        if (x->value[k] != y->value[k])
            return x->value[k] < y->value[k] ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* The rows in lexicographic order: none is dominated by one behind it.  NULL when out of memory. */
static row *sorted_rows(const double *value, size_t n, int m, gn_arena *scratch)
{
    row *rows = gn_arena_alloc(scratch, (n + 1) * sizeof *rows);
    for (size_t i = 0; rows != NULL && i < n; i++)
        rows[i] = (row){value + i * (size_t)m, i, m};
    if (rows != NULL)
        qsort(rows, n, sizeof *rows, by_value);
    return rows;
}

/* --- fronts --------------------------------------------------------------------------------------------------------- */

/* Fronts as lists: last[f] is the newest row of front f, before[i] the one that came before row i. */
typedef struct fronts {
    const row *rows;
    size_t *last, *before;
    size_t n;
} fronts;

#define NONE SIZE_MAX

/* Does a row of front f dominate `at`?  With two objectives the newest row of a front has its smallest second objective. */
static bool front_dominates(const fronts *f, size_t front, const row *at)
{
    for (size_t i = f->last[front]; i != NONE; i = f->before[i]) {
        if (gn_pareto_dominates(f->rows[i].value, at->value, at->m))
            return true;
        if (at->m <= 2)
            return false;
    }
    return false;
}

/* The first front that takes the row.  Rows that a front dominates are dominated by every front before it, so halving finds it. */
static size_t front_of(const fronts *f, const row *at)
{
    size_t low = 0, high = f->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (front_dominates(f, middle, at))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

gn_status gn_pareto_rank(const double *value, size_t n, int m, int *rank_out, gn_arena *scratch)
{
    GN_ASSERT(m >= 1 && m <= GN_PARETO_MAX_OBJECTIVES);
    row *rows = sorted_rows(value, n, m, scratch);
    fronts f = {.rows = rows};
    f.last = gn_arena_alloc(scratch, (n + 1) * sizeof *f.last);
    f.before = gn_arena_alloc(scratch, (n + 1) * sizeof *f.before);
    if (rows == NULL || f.last == NULL || f.before == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const size_t front = front_of(&f, &rows[i]);
        f.before[i] = front == f.n ? NONE : f.last[front];
        f.last[front] = i;
        if (front == f.n)
            f.n++;
        rank_out[rows[i].index] = (int)front;
    }
    return GN_OK;
}

gn_status gn_pareto_front(const double *value, size_t n, int m, size_t *index_out, size_t *n_out, gn_arena *scratch)
{
    int *rank = gn_arena_alloc(scratch, (n + 1) * sizeof *rank);
    const row *rows = sorted_rows(value, n, m, scratch);
    if (rank == NULL || rows == NULL)
        return GN_ENOMEM;
    GN_TRY(gn_pareto_rank(value, n, m, rank, scratch));
    *n_out = 0;
    for (size_t i = 0; i < n; i++)
        if (rank[rows[i].index] == 0)
            index_out[(*n_out)++] = rows[i].index;
    return GN_OK;
}

gn_status gn_pareto_crowding(const double *value, size_t n, int m, double *distance_out, gn_arena *scratch)
{
    row *rows = gn_arena_alloc(scratch, (n + 1) * sizeof *rows);
    if (rows == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < n; i++)
        distance_out[i] = 0;
    for (int k = 0; k < m && n > 0; k++) {
        for (size_t i = 0; i < n; i++)
            rows[i] = (row){value + i * (size_t)m + k, i, 1};
        qsort(rows, n, sizeof *rows, by_value);
        const double range = *rows[n - 1].value - *rows[0].value;
        distance_out[rows[0].index] = distance_out[rows[n - 1].index] = INFINITY;
        for (size_t i = 1; i + 1 < n && range > 0 && isfinite(range); i++)
            distance_out[rows[i].index] += (*rows[i + 1].value - *rows[i - 1].value) / range;
    }
    return GN_OK;
}

/* --- hypervolume ---------------------------------------------------------------------------------------------------- */

static bool is_inside(const double *value, const double *reference, int m)
{
    for (int k = 0; k < m; k++)
        if (!(value[k] < reference[k]))
            return false;
    return true;
}

static double box(const double *value, const double *reference, int m)
{
    double volume = 1;
    for (int k = 0; k < m; k++)
        volume *= reference[k] - value[k];
    return volume;
}

/* Two objectives: rows by their first; each adds the strip between its second and the smallest so far. */
static double sweep(const row *rows, size_t n, const double *reference)
{
    double volume = 0, lowest = reference[1];
    for (size_t i = 0; i < n; i++) {
        const double *v = rows[i].value;
        if (!is_inside(v, reference, 2) || v[1] >= lowest)
            continue;
        volume += (reference[0] - v[0]) * (lowest - v[1]);
        lowest = v[1];
    }
    return volume;
}

/* Of value: [n,m] the rows that no other dominates and the first of equal ones, moved to the front; returns their number. */
static size_t keep_front(double *value, size_t n, int m)
{
    size_t kept = 0;
    const size_t bytes = (size_t)m * sizeof *value;
    for (size_t i = 0; i < n; i++) {
        const double *at = value + i * (size_t)m;
        bool is_needed = true;
        for (size_t j = 0; j < kept && is_needed; j++) {
            const double *other = value + j * (size_t)m;
            is_needed = memcmp(other, at, bytes) != 0 && !gn_pareto_dominates(other, at, m);
        }
        for (size_t j = i + 1; j < n && is_needed; j++)
            is_needed = !gn_pareto_dominates(value + j * (size_t)m, at, m);
        if (is_needed)
            memmove(value + kept++ * (size_t)m, at, bytes);
    }
    return kept;
}

/* WFG: the volume of the rows is the sum over i of the box of row i less what the rows behind it, limited to that box, cover. */
static gn_status by_exclusion(const double *value, size_t n, int m, const double *reference, double *volume_out,
                              gn_arena *scratch)
{
    *volume_out = 0;
    double *limited = n > 1 ? gn_arena_alloc(scratch, n * (size_t)m * sizeof *limited) : NULL;
    if (n > 1 && limited == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const double *at = value + i * (size_t)m;
        double covered = 0;
        size_t n_limited = 0;
        for (size_t j = i + 1; j < n; j++, n_limited++)
            for (int k = 0; k < m; k++)
                limited[n_limited * (size_t)m + (size_t)k] = fmax(value[j * (size_t)m + (size_t)k], at[k]);
        n_limited = keep_front(limited, n_limited, m);
        if (n_limited > 0)
            GN_TRY(by_exclusion(limited, n_limited, m, reference, &covered, scratch));
        *volume_out += box(at, reference, m) - covered;
    }
    return GN_OK;
}

gn_status gn_hypervolume(const double *value, size_t n, int m, const double *reference, double *volume_out,
                         gn_arena *scratch)
{
    GN_ASSERT(m >= 1 && m <= GN_PARETO_MAX_OBJECTIVES);
    if (m == 2) {
        const row *rows = sorted_rows(value, n, m, scratch);
        if (rows == NULL)
            return GN_ENOMEM;
        *volume_out = sweep(rows, n, reference);
        return GN_OK;
    }
    gn_arena *arena = gn_arena_create(0);
    double *inside = arena != NULL ? gn_arena_alloc(arena, (n + 1) * (size_t)m * sizeof *inside) : NULL;
    gn_status status = inside != NULL ? GN_OK : GN_ENOMEM;
    size_t n_inside = 0;
    for (size_t i = 0; i < n && status == GN_OK; i++)
        if (is_inside(value + i * (size_t)m, reference, m))
            memcpy(inside + n_inside++ * (size_t)m, value + i * (size_t)m, (size_t)m * sizeof *inside);
    if (status == GN_OK)
        n_inside = keep_front(inside, n_inside, m);
    if (status == GN_OK)
        status = by_exclusion(inside, n_inside, m, reference, volume_out, arena);
    gn_arena_destroy(&arena);
    return status;
}

/* --- subsets -------------------------------------------------------------------------------------------------------- */

/* The rows chosen so far, by their first objective. */
typedef struct chosen {
    const double *reference;
    int m;
    row *rows;       /* [n] */
    row *limited;    /* [n] room for `adds` */
    double *corners; /* [n,m] room for `adds` */
    size_t n;
    gn_arena *scratch;
} chosen;

/* What `at` adds to the volume of the chosen rows: its box less what they cover of it. */
static gn_status adds(chosen *c, const double *at, double *volume_out)
{
    double covered = 0;
    *volume_out = 0;
    if (!is_inside(at, c->reference, c->m))
        return GN_OK;
    for (size_t j = 0; j < c->n; j++) {
        double *corner = c->corners + j * (size_t)c->m;
        for (int k = 0; k < c->m; k++)
            corner[k] = fmax(c->rows[j].value[k], at[k]);
        c->limited[j] = (row){corner, j, c->m};
    }
    if (c->m == 2)
        covered = sweep(c->limited, c->n, c->reference); /* limiting keeps the order */
    else
        GN_TRY(gn_hypervolume(c->corners, c->n, c->m, c->reference, &covered, c->scratch));
    *volume_out = box(at, c->reference, c->m) - covered;
    return GN_OK;
}

static void choose(chosen *c, const double *at, size_t index)
{
    size_t j = c->n++;
    for (; j > 0 && c->rows[j - 1].value[0] > at[0]; j--)
        c->rows[j] = c->rows[j - 1];
    c->rows[j] = (row){at, index, c->m};
}

/* The row that adds most.  What a row adds only falls as others are chosen, so bound[] of an earlier round is a bound of now, and
 * only rows whose bound is the largest are computed again. */
static gn_status most(chosen *c, const double *value, size_t n, double *bound, bool *is_fresh, size_t *best_out)
{
    memset(is_fresh, 0, n * sizeof *is_fresh);
    for (;;) {
        size_t best = NONE;
        for (size_t i = 0; i < n; i++)
            if (bound[i] >= 0 && (best == NONE || bound[i] > bound[best]))
                best = i;
        *best_out = best;
        if (is_fresh[best])
            return GN_OK;
        GN_TRY(adds(c, value + best * (size_t)c->m, &bound[best]));
        bound[best] = fmax(bound[best], 0); /* rounding */
        is_fresh[best] = true;
    }
}

gn_status gn_hypervolume_subset(const double *value, size_t n, int m, const double *reference, size_t k,
                                size_t *index_out, gn_arena *scratch)
{
    GN_ASSERT(k <= n && m >= 1 && m <= GN_PARETO_MAX_OBJECTIVES);
    chosen c = {.reference = reference, .m = m, .scratch = scratch};
    c.rows = gn_arena_alloc(scratch, (n + 1) * sizeof *c.rows);
    c.limited = gn_arena_alloc(scratch, (n + 1) * sizeof *c.limited);
    c.corners = gn_arena_alloc(scratch, (n + 1) * (size_t)m * sizeof *c.corners);
    double *bound = gn_arena_alloc(scratch, (n + 1) * sizeof *bound);
    bool *is_fresh = gn_arena_alloc(scratch, n + 1);
    if (c.rows == NULL || c.limited == NULL || c.corners == NULL || bound == NULL || is_fresh == NULL)
        return GN_ENOMEM;
    for (size_t i = 0; i < n; i++)
        bound[i] = INFINITY;
    for (size_t i = 0; i < k; i++) {
        size_t best = 0;
        GN_TRY(most(&c, value, n, bound, is_fresh, &best));
        choose(&c, value + best * (size_t)m, best);
        index_out[i] = best;
        bound[best] = -1; /* taken */
    }
    return GN_OK;
}
