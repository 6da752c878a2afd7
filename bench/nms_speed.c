/* Time of thinning out the candidates of one picture: reads them from a file, runs, and prints the median of the runs in milliseconds and
 * how many boxes stay.  bench/nms.py writes the file and compares with torchvision.
 *
 *     bench/nms_speed CANDIDATES KIND IOU MAX_DET RUNS     (CANDIDATES: records of x1 y1 x2 y2 score class, f32)
 *
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "detect/nms.h"

#define FIELDS 6

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Everything that is done per picture once the scores are known to be high enough. */
static gn_status run_once(gn_nms *nms, const float *record, size_t n, const gn_nms_options *o, gn_candidate *out,
                          int *kept)
{
    gn_nms_clear(nms);
    for (size_t i = 0; i < n; i++) {
        const float *r = record + i * FIELDS;
        GN_TRY(gn_nms_add(nms, &(gn_candidate){{r[0], r[1], r[2], r[3]}, r[4], (int32_t)r[5], (int32_t)i}));
    }
    return gn_nms_run(nms, o, out, kept, NULL);
}

int main(int argc, char **argv)
{
    char *bytes = NULL;
    size_t n = 0;
    gn_nms *nms = NULL;
    gn_nms_options o = {0};
    if (argc != 6 || !gn_nms_kind_parse(argv[2], &o.kind) ||
        gn_file_read(argv[1], 1 << 28, &bytes, &n, NULL) != GN_OK || gn_nms_create(&nms) != GN_OK) {
        fprintf(stderr, "usage: nms_speed CANDIDATES KIND IOU MAX_DET RUNS\n");
        return 2;
    }
    const int runs = atoi(argv[5]);
    o.iou = (float)atof(argv[3]);
    o.max_det = atoi(argv[4]);
    n /= FIELDS * sizeof(float);
    gn_candidate *out = gn_calloc((size_t)o.max_det, sizeof *out);
    double *ms = gn_calloc((size_t)runs, sizeof *ms);
    int kept = 0;
    for (int i = -3; i < runs; i++) { /* three to warm up */
        const int64_t begin = gn_now_ns();
        if (run_once(nms, (const float *)(const void *)bytes, n, &o, out, &kept) != GN_OK)
            return 1;
        if (i >= 0)
            ms[i] = (double)(gn_now_ns() - begin) * 1e-6;
    }
    qsort(ms, (size_t)runs, sizeof *ms, by_size);
    printf("%.4f %d\n", ms[runs / 2], kept);
    for (int i = 0; i < kept; i++)
        printf("%d ", out[i].source);
    printf("\n");
    gn_free(out);
    gn_free(ms);
    gn_free(bytes);
    gn_nms_destroy(&nms);
    return 0;
}
