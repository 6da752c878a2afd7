/* The small set of named figures that a worker reports.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "search/runner.h"

void gn_metrics_init(gn_metrics *metrics)
{
    *metrics = (gn_metrics){.images_per_s = NAN, .seconds = NAN};
}

void gn_metrics_add(gn_metrics *metrics, const char *name, double value, double low, double high)
{
    if (metrics->n == GN_METRICS_MAX)
        return;
    gn_named_metric *m = &metrics->metric[metrics->n++];
    snprintf(m->name, sizeof m->name, "%s", name);
    m->value = value;
    m->low = low;
    m->high = high;
}

double gn_metrics_value(const gn_metrics *metrics, const char *name)
{
    for (int i = 0; i < metrics->n; i++)
        if (strcmp(metrics->metric[i].name, name) == 0)
            return metrics->metric[i].value;
    return NAN;
}
