/* The list of boxes of one entry of a batch.
 * SPDX-License-Identifier: Apache-2.0 */
#include "data/sample_truth.h"

#include <string.h>

#define ROW 5

static float row_area(const float *row)
{
    return (row[2] - row[0]) * (row[3] - row[1]);
}

static void write_row(float *row, const gn_box *box, int cls)
{
    row[0] = box->x1;
    row[1] = box->y1;
    row[2] = box->x2;
    row[3] = box->y2;
    row[4] = (float)cls;
}

void gn_truth_add(gn_truth_list *list, const gn_box *box, int cls)
{
    float row[ROW];
    write_row(row, box, cls);
    if (list->n < list->capacity) {
        memcpy(list->row + (size_t)list->n++ * ROW, row, sizeof row);
        return;
    }
    list->dropped++;
    int smallest = -1;
    float least = row_area(row);
    for (int i = list->n - 1; i >= 0; i--)
        if (row_area(list->row + (size_t)i * ROW) < least) {
            smallest = i;
            least = row_area(list->row + (size_t)i * ROW);
        }
    if (smallest < 0)
        return;
    float *at = list->row + (size_t)smallest * ROW;
    memmove(at, at + ROW, (size_t)(list->n - 1 - smallest) * ROW * sizeof *at);
    memcpy(list->row + (size_t)(list->n - 1) * ROW, row, sizeof row);
}

void gn_truth_close(gn_truth_list *list)
{
    const size_t rest = (size_t)(list->capacity - list->n) * ROW;
    if (rest > 0)
        memset(list->row + (size_t)list->n * ROW, 0, rest * sizeof *list->row);
}

bool gn_sample_is_target(const gn_sample *sample, int i)
{
    return sample->flags == NULL || (sample->flags[i] & GN_BOX_CROWD) == 0;
}

int gn_sample_targets(const gn_sample *sample)
{
    int n = 0;
    for (int i = 0; i < sample->n_boxes; i++)
        n += gn_sample_is_target(sample, i);
    return n;
}
