/* Suppression of overlapping boxes; see nms.h.
 * Kept boxes lie in blocks of 16, chained per class and, where there are many, per field of a grid over their centres: a candidate is compared with a block at a time, in loops without branches that
 * compilers turn into vector instructions.  Comparisons are products instead of quotients, in single precision without fused
 * multiply-add, so every vector width gives the same answer.
 * SPDX-License-Identifier: Apache-2.0 */
#include "detect/nms.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

#define BLOCK              16
#define DEFAULT_CANDIDATES 30000
#define DEFAULT_SIGMA      0.5f
/* Fields of the grid along one side; it is laid where a class has at least so many candidates, and there are no more chains than this. */
#define GRID_SIDE   16
#define GRID_LEAST  256
#define MOST_CHAINS 65536
/* Scores that are looked at together in the first scan. */
#define SCAN 32

typedef struct kept_block {
    float x1[BLOCK], y1[BLOCK], x2[BLOCK], y2[BLOCK], area[BLOCK];
    int32_t object[BLOCK]; /* which object of the result it is */
    int32_t n, next;       /* next: of the same class, or -1 */
} kept_block;

/* Where boxes have their centres.  When IoU of two boxes is above t, each common side is longer than t times either box's side; so the
 * sides differ by at most a factor 1/t, and the centres lie at most max(1 - t, (1/t - 1) / 2) sides apart. */
typedef struct grid {
    int side;                    /* 1: no grid */
    double x0, y0, per_x, per_y; /* fields per pixel */
    double reach;                /* in sides of the box */
} grid;

/* Candidates whose scores change, number by number. */
typedef struct soft_list {
    float *x1, *y1, *x2, *y2, *area, *score, *iou;
    int32_t *cls, *index;
} soft_list;
#define SOFT_NUMBERS 9

/* A candidate on its way through the sort: the score's bits above, where it lies below. */
typedef uint64_t sort_item;

struct gn_nms {
    gn_candidate *candidate;
    size_t n, capacity;
    sort_item *order, *spare; /* [order_room] */
    size_t order_room;
    kept_block *block;
    size_t n_blocks, block_room;
    grid grid;
    int32_t *head; /* [head_room] per class and field: newest block of kept boxes, or -1 */
    size_t head_room;
    float *soft; /* [soft_room] memory of a soft_list */
    size_t soft_room;
    double (*sum)[6]; /* [sum_room] per fused object: score * corner, score, number of boxes */
    size_t sum_room;
};

/* ---- names ---- */

static const char *const kind_names[GN_NMS_KINDS] = {"greedy", "diou", "soft", "soft_gaussian", "fusion"};

const char *gn_nms_kind_name(gn_nms_kind kind)
{
    return kind_names[kind];
}

bool gn_nms_kind_parse(const char *name, gn_nms_kind *out)
{
    for (int i = 0; i < GN_NMS_KINDS; i++)
        if (strcmp(name, kind_names[i]) == 0) {
            *out = (gn_nms_kind)i;
            return true;
        }
    return false;
}

/* ---- candidates ---- */

gn_status gn_nms_create(gn_nms **nms_out)
{
    gn_nms *nms = gn_calloc(1, sizeof *nms);
    if (!nms)
        return GN_ENOMEM;
    *nms_out = nms;
    return GN_OK;
}

void gn_nms_destroy(gn_nms **nms)
{
    gn_nms *x = nms ? *nms : NULL;
    if (!x)
        return;
    gn_free(x->candidate);
    gn_free(x->order);
    gn_free(x->spare);
    gn_free(x->block);
    gn_free(x->head);
    gn_free(x->soft);
    gn_free(x->sum);
    gn_free(x);
    *nms = NULL;
}

void gn_nms_clear(gn_nms *nms)
{
    nms->n = 0;
}

size_t gn_nms_count(const gn_nms *nms)
{
    return nms->n;
}

/* Room for `want` elements in *block; what is there stays. */
static gn_status grow(void *block, size_t *have, size_t want, size_t bytes_each)
{
    void **p = block;
    size_t room = *have ? *have : 256, bytes;
    if (want <= *have)
        return GN_OK;
    while (room < want)
        room *= 2;
    if (!gn_mul_size(room, bytes_each, &bytes))
        return GN_ENOMEM;
    void *bigger = gn_realloc(*p, bytes);
    if (!bigger)
        return GN_ENOMEM;
    *p = bigger;
    *have = room;
    return GN_OK;
}

static float area_of(const gn_box *b)
{
    return (b->x2 - b->x1) * (b->y2 - b->y1);
}

gn_status gn_nms_add(gn_nms *nms, const gn_candidate *candidate)
{
    const float area = area_of(&candidate->box);
    if (!(candidate->box.x1 <= candidate->box.x2) || !(candidate->box.y1 <= candidate->box.y2) || !isfinite(area) ||
        !isfinite(candidate->box.x1) || !isfinite(candidate->box.x2) || !isfinite(candidate->box.y1) ||
        !isfinite(candidate->box.y2) || !isfinite(candidate->score) || candidate->cls < 0)
        return GN_OK;
    GN_TRY(grow(&nms->candidate, &nms->capacity, nms->n + 1, sizeof *nms->candidate));
    nms->candidate[nms->n++] = *candidate;
    return GN_OK;
}

static gn_status add_scored(gn_nms *nms, const float *boxes, size_t i, int cls, float score)
{
    const float *b = boxes + 4 * i;
    return gn_nms_add(nms, &(gn_candidate){{b[0], b[1], b[2], b[3]}, score, cls, (int32_t)i});
}

static gn_status add_row(gn_nms *nms, const float *boxes, const float *row, size_t i, int classes, float conf,
                         bool is_multi_label)
{
    int best = -1;
    for (int c = 0; c < classes; c++) {
        if (!(row[c] >= conf) || !(row[c] > 0))
            continue;
        if (is_multi_label)
            GN_TRY(add_scored(nms, boxes, i, c, row[c]));
        else if (best < 0 || row[c] > row[best])
            best = c;
    }
    return best >= 0 ? add_scored(nms, boxes, i, best, row[best]) : GN_OK;
}

static bool any_at_least(const float *scores, float conf)
{
    int any = 0;
    for (int k = 0; k < SCAN; k++)
        any |= scores[k] >= conf;
    return any != 0;
}

gn_status gn_nms_add_scores(gn_nms *nms, const float *boxes, const float *scores, size_t n, int classes, float conf,
                            bool is_multi_label)
{
    const size_t C = (size_t)classes, all = n * C;
    for (size_t at = 0; at < all;) {
        if (at + SCAN <= all && !any_at_least(scores + at, conf)) {
            at += SCAN;
            continue;
        }
        /* Rows that begin or go on in this piece; those before `at` were looked at as a whole. */
        const size_t end = at + SCAN < all ? at + SCAN : all;
        size_t row = at / C;
        for (; row * C < end; row++)
            GN_TRY(add_row(nms, boxes, scores + row * C, row, classes, conf, is_multi_label));
        at = row * C;
    }
    return GN_OK;
}

/* ---- order ---- */

/* Unsigned numbers that fall as the score rises. */
static uint32_t sort_key(float score)
{
    uint32_t bits;
    const float x = score + 0.0f; /* -0 becomes 0 */
    memcpy(&bits, &x, sizeof bits);
    bits = bits >> 31 ? ~bits : bits | 0x80000000u;
    return ~bits;
}

#define DIGIT_BITS 11
#define DIGITS     (1u << DIGIT_BITS)

/* By falling score, equal ones in the order they came: least significant digit first. */
static gn_status sort_candidates(gn_nms *nms)
{
    if (nms->n > nms->order_room) {
        size_t room = nms->order_room;
        GN_TRY(grow(&nms->order, &room, nms->n, sizeof *nms->order));
        GN_TRY(grow(&nms->spare, &nms->order_room, nms->n, sizeof *nms->spare));
    }
    uint32_t count[3][DIGITS];
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < nms->n; i++) {
        const uint32_t key = sort_key(nms->candidate[i].score);
        nms->order[i] = (uint64_t)key << 32 | i;
        for (int d = 0; d < 3; d++)
            count[d][key >> (d * DIGIT_BITS) & (DIGITS - 1)]++;
    }
    for (int d = 0; d < 3; d++) {
        const int shift = 32 + d * DIGIT_BITS;
        uint32_t before = 0;
        if (nms->n > 0 && count[d][nms->order[0] >> shift & (DIGITS - 1)] == nms->n)
            continue; /* all alike in this digit */
        for (uint32_t k = 0; k < DIGITS; k++) {
            const uint32_t here = count[d][k];
            count[d][k] = before;
            before += here;
        }
        for (size_t i = 0; i < nms->n; i++)
            nms->spare[count[d][nms->order[i] >> shift & (DIGITS - 1)]++] = nms->order[i];
        sort_item *sorted = nms->spare;
        nms->spare = nms->order;
        nms->order = sorted;
    }
    return GN_OK;
}

static const gn_candidate *ranked(const gn_nms *nms, size_t rank)
{
    return &nms->candidate[nms->order[rank] & 0xffffffffu];
}

/* ---- kept boxes ---- */

static int32_t class_of(const gn_nms_options *o, const gn_candidate *c)
{
    return o->is_agnostic ? 0 : c->cls;
}

/* Twice the centre. */
static double twice_x(const gn_box *box)
{
    return (double)box->x1 + (double)box->x2;
}

static double twice_y(const gn_box *box)
{
    return (double)box->y1 + (double)box->y2;
}

static grid lay_grid(const gn_nms *nms, const gn_nms_options *o, size_t classes)
{
    const bool compares = o->kind == GN_NMS_GREEDY || o->kind == GN_NMS_DIOU; /* fused boxes move */
    grid g = {.side = 1};
    if (!compares || nms->n < GRID_LEAST * classes || classes * GRID_SIDE * GRID_SIDE > MOST_CHAINS ||
        !(o->iou > 0.05f))
        return g;
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (size_t i = 0; i < nms->n; i++) {
        const gn_box *box = &nms->candidate[i].box;
        x0 = fmin(x0, twice_x(box));
        x1 = fmax(x1, twice_x(box));
        y0 = fmin(y0, twice_y(box));
        y1 = fmax(y1, twice_y(box));
    }
    if (!(x1 > x0) || !(y1 > y0))
        return g;
    const double t = (double)o->iou;
    g = (grid){.side = GRID_SIDE,
               .x0 = x0,
               .y0 = y0,
               .per_x = GRID_SIDE / (x1 - x0),
               .per_y = GRID_SIDE / (y1 - y0),
               .reach = 1.01 * fmax(1 - t, (1 / t - 1) / 2)}; /* a little more: IoU is computed in single precision */
    return g;
}

static gn_status reset_blocks(gn_nms *nms, const gn_nms_options *o)
{
    int32_t most = 0;
    for (size_t i = 0; i < nms->n; i++)
        most = class_of(o, &nms->candidate[i]) > most ? class_of(o, &nms->candidate[i]) : most;
    const size_t classes = (size_t)most + 1;
    nms->grid = lay_grid(nms, o, classes);
    const size_t chains = classes * (size_t)nms->grid.side * (size_t)nms->grid.side;
    GN_TRY(grow(&nms->head, &nms->head_room, chains, sizeof *nms->head));
    memset(nms->head, 0xff, chains * sizeof *nms->head);
    nms->n_blocks = 0;
    return GN_OK;
}

/* Field of a place along one side, outside of the grid the nearest.  Never falls as the place rises. */
static int field_at(double offset, double per)
{
    const double at = offset * per;
    return !(at > 0) ? 0 : at < GRID_SIDE - 1 ? (int)at : GRID_SIDE - 1;
}

static int32_t chain_of(const gn_nms *nms, const gn_nms_options *o, const gn_candidate *c)
{
    const grid *g = &nms->grid;
    const int32_t cls = class_of(o, c);
    if (g->side == 1)
        return cls;
    const int x = field_at(twice_x(&c->box) - g->x0, g->per_x), y = field_at(twice_y(&c->box) - g->y0, g->per_y);
    return (cls * GRID_SIDE + y) * GRID_SIDE + x;
}

static void put_box(kept_block *b, int lane, const gn_box *box)
{
    b->x1[lane] = box->x1;
    b->y1[lane] = box->y1;
    b->x2[lane] = box->x2;
    b->y2[lane] = box->y2;
    b->area[lane] = area_of(box);
}

/* Lanes that hold no box are far away and of no size. */
static void empty_block(kept_block *b, int32_t next)
{
    memset(b, 0, sizeof *b);
    for (int k = 0; k < BLOCK; k++) {
        b->x1[k] = b->y1[k] = INFINITY;
        b->x2[k] = b->y2[k] = -INFINITY;
    }
    b->next = next;
}

static gn_status keep(gn_nms *nms, int32_t chain, const gn_box *box, int32_t object)
{
    int32_t at = nms->head[chain];
    if (at < 0 || nms->block[at].n == BLOCK) {
        GN_TRY(grow(&nms->block, &nms->block_room, nms->n_blocks + 1, sizeof *nms->block));
        empty_block(&nms->block[nms->n_blocks], at);
        at = nms->head[chain] = (int32_t)nms->n_blocks++;
    }
    kept_block *b = &nms->block[at];
    b->object[b->n] = object;
    put_box(b, b->n++, box);
    return GN_OK;
}

static inline float smaller(float a, float b)
{
    return a < b ? a : b;
}

static inline float larger(float a, float b)
{
    return a > b ? a : b;
}

static inline float overlap(const gn_box *box, const kept_block *b, int k)
{
    const float w = smaller(box->x2, b->x2[k]) - larger(box->x1, b->x1[k]);
    const float h = smaller(box->y2, b->y2[k]) - larger(box->y1, b->y1[k]);
    return larger(w, 0) * larger(h, 0);
}

/* IoU above the threshold with any box of the block. */
static bool overlaps_block(const gn_box *box, float area, const kept_block *b, float iou)
{
    int any = 0;
    for (int k = 0; k < BLOCK; k++) {
        const float common = overlap(box, b, k);
        any |= common > iou * (area + b->area[k] - common);
    }
    return any != 0;
}

static bool overlaps_block_diou(const gn_box *box, float area, const kept_block *b, float iou)
{
    bool any = false;
    for (int k = 0; k < b->n; k++) {
        const float common = overlap(box, b, k), all = area + b->area[k] - common;
        const float dx = (box->x1 + box->x2) - (b->x1[k] + b->x2[k]), dy = (box->y1 + box->y2) - (b->y1[k] + b->y2[k]);
        const float w = larger(box->x2, b->x2[k]) - smaller(box->x1, b->x1[k]);
        const float h = larger(box->y2, b->y2[k]) - smaller(box->y1, b->y1[k]);
        const float distance = (dx * dx + dy * dy) / 4, diagonal = w * w + h * h;
        any = any || (all > 0 ? common / all : 0) - (diagonal > 0 ? distance / diagonal : 0) > iou;
    }
    return any;
}

static bool overlaps_chain(const gn_nms *nms, const gn_nms_options *o, const gn_box *box, float area, int32_t chain)
{
    bool goes = false;
    for (int32_t at = nms->head[chain]; at >= 0 && !goes; at = nms->block[at].next)
        goes = o->kind == GN_NMS_DIOU ? overlaps_block_diou(box, area, &nms->block[at], o->iou)
                                      : overlaps_block(box, area, &nms->block[at], o->iou);
    return goes;
}

/* Does a kept box of its class suppress the candidate? */
static bool is_suppressed(const gn_nms *nms, const gn_nms_options *o, const gn_candidate *c)
{
    const grid *g = &nms->grid;
    const float area = area_of(&c->box);
    if (g->side == 1)
        return overlaps_chain(nms, o, &c->box, area, class_of(o, c));
    const double x = twice_x(&c->box) - g->x0, y = twice_y(&c->box) - g->y0;
    const double dx = 2 * g->reach * ((double)c->box.x2 - (double)c->box.x1),
                 dy = 2 * g->reach * ((double)c->box.y2 - (double)c->box.y1);
    const int x1 = field_at(x - dx, g->per_x), x2 = field_at(x + dx, g->per_x);
    const int y1 = field_at(y - dy, g->per_y), y2 = field_at(y + dy, g->per_y);
    bool goes = false;
    for (int v = y1; v <= y2 && !goes; v++)
        for (int u = x1; u <= x2 && !goes; u++)
            goes = overlaps_chain(nms, o, &c->box, area, (class_of(o, c) * GRID_SIDE + v) * GRID_SIDE + u);
    return goes;
}

static gn_status run_greedy(gn_nms *nms, const gn_nms_options *o, size_t n, gn_candidate *out, int *n_out)
{
    int found = 0;
    for (size_t i = 0; i < n && found < o->max_det; i++) {
        const gn_candidate *c = ranked(nms, i);
        if (is_suppressed(nms, o, c))
            continue;
        GN_TRY(keep(nms, chain_of(nms, o, c), &c->box, found));
        out[found++] = *c;
    }
    *n_out = found;
    return GN_OK;
}

/* ---- soft ---- */

static gn_status make_soft(gn_nms *nms, const gn_nms_options *o, size_t n, soft_list *out)
{
    GN_TRY(grow(&nms->soft, &nms->soft_room, n * SOFT_NUMBERS, sizeof *nms->soft));
    float *at = nms->soft;
    *out = (soft_list){at,
                       at + n,
                       at + 2 * n,
                       at + 3 * n,
                       at + 4 * n,
                       at + 5 * n,
                       at + 6 * n,
                       (int32_t *)(void *)(at + 7 * n),
                       (int32_t *)(void *)(at + 8 * n)};
    for (size_t i = 0; i < n; i++) {
        const gn_candidate *c = ranked(nms, i);
        out->x1[i] = c->box.x1;
        out->y1[i] = c->box.y1;
        out->x2[i] = c->box.x2;
        out->y2[i] = c->box.y2;
        out->area[i] = area_of(&c->box);
        out->score[i] = c->score;
        out->cls[i] = class_of(o, c);
        out->index[i] = (int32_t)(c - nms->candidate);
    }
    return GN_OK;
}

/* IoU of every candidate with candidate k; 0 for those of other classes. */
static void overlap_with(const soft_list *l, size_t n, size_t k)
{
    const float *restrict x1 = l->x1, *restrict y1 = l->y1, *restrict x2 = l->x2, *restrict y2 = l->y2;
    const float *restrict area = l->area, a = l->area[k];
    const int32_t *restrict cls = l->cls, c = l->cls[k];
    const gn_box box = {x1[k], y1[k], x2[k], y2[k]};
    float *restrict iou = l->iou;
    for (size_t i = 0; i < n; i++) {
        const float w = smaller(box.x2, x2[i]) - larger(box.x1, x1[i]),
                    h = smaller(box.y2, y2[i]) - larger(box.y1, y1[i]);
        const float common = larger(w, 0) * larger(h, 0);
        /* Nothing in common is nothing, whatever it is divided by. */
        iou[i] = common / larger(a + area[i] - common, FLT_MIN) * (float)(c == cls[i]);
    }
}

/* Lowers the scores beside candidate k, which is taken. */
static void soften(const gn_nms_options *o, const soft_list *l, size_t n, size_t k)
{
    const float *restrict iou = l->iou, limit = o->iou;
    float *restrict score = l->score;
    overlap_with(l, n, k);
    if (o->kind == GN_NMS_SOFT_LINEAR) {
        for (size_t i = 0; i < n; i++)
            score[i] *= iou[i] > limit ? 1 - iou[i] : 1;
    } else {
        const double sigma = (double)(o->sigma > 0 ? o->sigma : DEFAULT_SIGMA);
        for (size_t i = 0; i < n; i++)
            if (iou[i] > 0)
                score[i] = (float)((double)score[i] * exp(-(double)iou[i] * (double)iou[i] / sigma));
    }
    score[k] = -1;
}

static float largest(const float *x, size_t n)
{
    float most[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            most[k] = larger(x[i + k], most[k]);
    for (; i < n; i++)
        most[0] = larger(x[i], most[0]);
    for (size_t k = 1; k < 8; k++)
        most[0] = larger(most[k], most[0]);
    return most[0];
}

/* The best candidate, of equal ones the one that was added first; n when none is sure enough. */
static size_t best_of(const gn_nms_options *o, const soft_list *l, size_t n)
{
    const float most = largest(l->score, n);
    size_t best = n;
    if (!(most > 0) || !(most >= o->conf))
        return n;
    for (size_t at = 0; at < n; at += SCAN) {
        const size_t end = at + SCAN < n ? at + SCAN : n;
        if (end - at == SCAN && !any_at_least(l->score + at, most))
            continue;
        for (size_t i = at; i < end; i++)
            if (l->score[i] >= most && (best == n || l->index[i] < l->index[best]))
                best = i;
    }
    return best;
}

/* Again and again the best of the rest. */
static gn_status run_soft(gn_nms *nms, const gn_nms_options *o, size_t n, gn_candidate *out, int *n_out)
{
    soft_list list;
    int found = 0;
    GN_TRY(make_soft(nms, o, n, &list));
    for (size_t best; found < o->max_det && (best = best_of(o, &list, n)) < n;) {
        out[found] = nms->candidate[list.index[best]];
        out[found++].score = list.score[best];
        soften(o, &list, n, best);
    }
    *n_out = found;
    return GN_OK;
}

/* ---- fusion ---- */

typedef struct match {
    float iou;
    int32_t block, lane;
} match;

/* The fused box with the largest IoU above the threshold; of equal ones the first that was made.  block -1: none. */
static match best_match(const gn_nms *nms, const gn_nms_options *o, const gn_candidate *c)
{
    match best = {o->iou, -1, 0};
    for (int32_t at = nms->head[class_of(o, c)]; at >= 0; at = nms->block[at].next) {
        const kept_block *b = &nms->block[at];
        const float area = area_of(&c->box);
        if (!overlaps_block(&c->box, area, b, o->iou))
            continue;
        for (int k = 0; k < b->n; k++) {
            const float common = overlap(&c->box, b, k), all = area + b->area[k] - common;
            const float iou = all > 0 ? common / all : 0;
            if (common > o->iou * all &&
                (best.block < 0 || iou > best.iou ||
                 (!(iou < best.iou) && b->object[k] < nms->block[best.block].object[best.lane])))
                best = (match){iou, at, k};
        }
    }
    return best;
}

static gn_box weighted_mean(const double sum[6])
{
    return (gn_box){(float)(sum[0] / sum[4]), (float)(sum[1] / sum[4]), (float)(sum[2] / sum[4]),
                    (float)(sum[3] / sum[4])};
}

static void add_to_sum(double sum[6], const gn_candidate *c)
{
    const double corner[4] = {(double)c->box.x1, (double)c->box.y1, (double)c->box.x2, (double)c->box.y2};
    for (int i = 0; i < 4; i++)
        sum[i] += (double)c->score * corner[i];
    sum[4] += (double)c->score;
    sum[5]++;
}

static gn_status fuse_candidate(gn_nms *nms, const gn_nms_options *o, const gn_candidate *c, uint32_t at, size_t *n)
{
    const match m = best_match(nms, o, c);
    if (m.block < 0) {
        GN_TRY(grow(&nms->sum, &nms->sum_room, *n + 1, sizeof *nms->sum));
        memset(nms->sum[*n], 0, sizeof *nms->sum);
        add_to_sum(nms->sum[*n], c);
        GN_TRY(keep(nms, class_of(o, c), &c->box, (int32_t)*n));
        nms->spare[(*n)++] = at; /* the best of its boxes; the list of the sort is free by now */
        return GN_OK;
    }
    double *sum = nms->sum[nms->block[m.block].object[m.lane]];
    add_to_sum(sum, c);
    const gn_box fused = weighted_mean(sum);
    put_box(&nms->block[m.block], m.lane, &fused);
    return GN_OK;
}

/* The max_det best of the fused objects; the earlier one of equal scores. */
static void best_fused(const gn_nms *nms, const gn_nms_options *o, size_t n, gn_candidate *out, int *n_out)
{
    int found = 0;
    for (size_t i = 0; i < n; i++) {
        const double *sum = nms->sum[i];
        gn_candidate c = nms->candidate[nms->spare[i]];
        c.score = (float)(sum[4] / sum[5]);
        c.box = sum[5] > 1 ? weighted_mean(sum) : c.box;
        int at = found < o->max_det ? found : o->max_det - 1;
        if (found == o->max_det && !(c.score > out[at].score))
            continue;
        for (; at > 0 && c.score > out[at - 1].score; at--)
            out[at] = out[at - 1];
        out[at] = c;
        found += found < o->max_det;
    }
    *n_out = found;
}

static gn_status run_fusion(gn_nms *nms, const gn_nms_options *o, size_t n, gn_candidate *out, int *n_out)
{
    size_t fused = 0;
    for (size_t i = 0; i < n; i++) {
        const uint32_t at = (uint32_t)(nms->order[i] & 0xffffffffu);
        if (nms->candidate[at].score > 0)
            GN_TRY(fuse_candidate(nms, o, &nms->candidate[at], at, &fused));
    }
    best_fused(nms, o, fused, out, n_out);
    return GN_OK;
}

/* ---- all kinds ---- */

gn_status gn_nms_run(gn_nms *nms, const gn_nms_options *options, gn_candidate *out, int *n_out, gn_error *err)
{
    const gn_nms_options *o = options;
    if ((int)o->kind < 0 || o->kind >= GN_NMS_KINDS || !(o->iou >= 0 && o->iou <= 1) ||
        !(o->conf >= 0 && o->conf <= 1) || !(o->sigma >= 0) || !isfinite(o->sigma) || o->max_det < 1 ||
        o->max_candidates < 0)
        return gn_fail(err, GN_EINVAL,
                       "suppressing boxes: IoU %g, confidence %g, sigma %g, %d objects: 0 to 1, 0 to 1, "
                       "above 0 and at least 1 were expected",
                       (double)o->iou, (double)o->conf, (double)o->sigma, o->max_det);
    const size_t most = o->max_candidates > 0 ? (size_t)o->max_candidates : DEFAULT_CANDIDATES;
    gn_status status = sort_candidates(nms);
    if (status == GN_OK)
        status = reset_blocks(nms, o);
    const size_t n = nms->n < most ? nms->n : most;
    if (status == GN_OK && n == 0)
        *n_out = 0;
    else if (status == GN_OK && (o->kind == GN_NMS_GREEDY || o->kind == GN_NMS_DIOU))
        status = run_greedy(nms, o, n, out, n_out);
    else if (status == GN_OK && o->kind == GN_NMS_FUSION)
        status = run_fusion(nms, o, n, out, n_out);
    else if (status == GN_OK)
        status = run_soft(nms, o, n, out, n_out);
    return status == GN_OK ? status : gn_fail(err, status, "no memory to suppress %zu boxes", nms->n);
}
