/* DetectDecode on the CPU: pieces of the maps by detect/decode.h, whichever layout the maps lie in.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "backend/cpu/cpu_internal.h"
#include "ops/detect_decode.h"

/* Numbers of a map that one task reads: they and what is made of them fit into a core's cache. */
#define PIECE_FLOATS 16384

typedef struct decode_step {
    gn_detect_decode of;
    int64_t piece;                                /* cells of one task */
    int64_t first_task[GN_DETECTOR_MAX_MAPS + 1]; /* of each map, for one picture; then of all */
    bool is_plain[GN_DETECTOR_MAX_MAPS];
} decode_step;

typedef struct decode_job {
    const gn_exec *exec;
    const decode_step *step;
    const float *raw[GN_DETECTOR_MAX_MAPS];
    float *boxes, *scores;
} decode_job;

static gn_status prepare(gn_exec *exec, gn_cpu_step *step, gn_error *err)
{
    decode_step *s = gn_calloc(1, sizeof *s);
    if (!s)
        return gn_fail(err, GN_ENOMEM, "compiling a graph: out of memory");
    step->detail = s;
    GN_TRY(gn_detect_decode_of(exec->graph, step->node, &s->of, err));
    const int64_t channels = gn_detector_channels(&s->of.detector);
    s->piece = PIECE_FLOATS / channels + 1;
    for (int m = 0; m < s->of.detector.n_maps; m++) {
        const int64_t cells = s->of.map[m].height * s->of.map[m].width;
        s->first_task[m + 1] = s->first_task[m] + (cells + s->piece - 1) / s->piece;
        s->is_plain[m] = exec->plan->values[step->node->in[m]].layout == GN_LAYOUT_PLAIN;
    }
    const size_t floats = gn_decode_scratch(&s->of.detector, (size_t)s->piece) + (size_t)(s->piece * channels);
    step->thread_bytes = floats * sizeof(float);
    return GN_OK;
}

/* Cells first..first+cells-1 of a plain map [K,pixels], cell after cell. */
static void gather(const float *src, int64_t pixels, int64_t channels, int64_t first, int64_t cells, float *dst)
{
    for (int64_t k = 0; k < channels; k++)
        for (int64_t i = 0; i < cells; i++)
            dst[i * channels + k] = src[k * pixels + first + i];
}

static void decode_piece(void *ctx, int task, int thread)
{
    const decode_job *j = ctx;
    const decode_step *s = j->step;
    const gn_detector *d = &s->of.detector;
    const int64_t per_picture = s->first_task[d->n_maps], n = task / per_picture, channels = gn_detector_channels(d);
    int m = 0;
    while (task % per_picture >= s->first_task[m + 1])
        m++;
    const gn_decode_map *map = &s->of.map[m];
    const int64_t pixels = map->height * map->width, first = (task % per_picture - s->first_task[m]) * s->piece;
    const int64_t cells = pixels - first < s->piece ? pixels - first : s->piece;
    const int64_t at = n * s->of.first[d->n_maps] + s->of.first[m] + first * d->anchors;
    const float *raw = j->raw[m] + n * pixels * channels;
    float *scratch = gn_cpu_thread_scratch(j->exec, thread);
    if (s->is_plain[m]) {
        float *rows = scratch + gn_decode_scratch(d, (size_t)s->piece);
        gather(raw, pixels, channels, first, cells, rows);
        raw = rows;
    } else {
        raw += first * channels;
    }
    gn_decode_cells(d, map, first, (size_t)cells, raw, j->boxes + at * 4, j->scores + at * d->classes, scratch);
}

static void run(gn_exec *exec, const gn_cpu_step *step)
{
    const decode_step *s = step->detail;
    decode_job job = {.exec = exec, .step = s, .boxes = gn_cpu_out(exec, step, 0), .scores = gn_cpu_out(exec, step, 1)};
    for (int m = 0; m < s->of.detector.n_maps; m++)
        job.raw[m] = gn_cpu_in(exec, step, m);
    gn_pool_run(exec->device->pool, (int)(s->of.batch * s->first_task[s->of.detector.n_maps]), decode_piece, &job);
}

/* Every map is read as it lies. */
static bool takes_plain(const gn_graph *graph, const gn_node *node, int i)
{
    (void)graph;
    (void)node;
    (void)i;
    return true;
}

/* Both results are read by whoever decodes; a graph that lacks one is left to the reference. */
static bool takes(const gn_graph *graph, const gn_node *node)
{
    (void)graph;
    return gn_has_out(node, 0) && gn_has_out(node, 1);
}

static const gn_cpu_op decode_op = {.domain = "gannet",
                                    .name = "DetectDecode",
                                    .prepare = prepare,
                                    .run = run,
                                    .takes_plain = takes_plain,
                                    .takes = takes};

const gn_cpu_op *const gn_cpu_detect_ops[] = {&decode_op, NULL};
