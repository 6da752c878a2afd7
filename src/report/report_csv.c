/* The trials of studies as one table of comma-separated values (RFC 4180): a row per trial, with all knobs, all figures of its network
 * and all metrics with their intervals.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "report/report_formats.h"

/* Distinct knobs, and distinct metrics; what is beyond is left out. */
enum { MAX_NAMES = 160 };

typedef struct names {
    const char *name[MAX_NAMES];
    size_t n;
} names;

static void add_name(names *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->name[i], name) == 0)
            return;
    if (list->n < MAX_NAMES)
        list->name[list->n++] = name;
}

static void add_metrics(names *list, const gn_result *r)
{
    for (size_t i = 0; r != NULL && i < r->n_metrics; i++)
        add_name(list, r->metrics[i].name);
}

/* A cell, quoted where it must be.  One that a spreadsheet would compute gets a quote in front. */
static void add_cell(gn_text *out, const char *s)
{
    const bool is_formula = s[0] != '\0' && strchr("=+@", s[0]) != NULL;
    if (s[strcspn(s, ",\"\r\n")] == '\0' && !is_formula) {
        gn_text_add(out, s);
        return;
    }
    gn_text_add(out, is_formula ? "\"'" : "\"");
    for (; *s != '\0'; s++)
        if (*s == '"')
            gn_text_add(out, "\"\"");
        else
            gn_text_add_bytes(out, s, 1);
    gn_text_add(out, "\"");
}

static void add_text(gn_text *out, const char *s)
{
    gn_text_add(out, ",");
    add_cell(out, s);
}

static void add_number(gn_text *out, double x)
{
    if (isfinite(x))
        gn_text_printf(out, ",%.10g", x);
    else
        gn_text_add(out, ",");
}

static void add_count(gn_text *out, int64_t n)
{
    if (n >= 0)
        gn_text_printf(out, ",%" PRId64, n);
    else
        gn_text_add(out, ",");
}

static void add_header(const names *knobs, const names *val, const names *test, gn_text *out)
{
    gn_text_add(out, "study,trial,place,is_winner,is_front,state,stage,reason,seed,seconds,folder,family");
    for (size_t i = 0; i < knobs->n; i++)
        add_text(out, knobs->name[i]);
    gn_text_add(out, ",target,device,threads,latency_valid,p50_ms,p90_ms,p99_ms,total_p50_ms,total_p90_ms,total_p99_ms,"
                     "peak_bytes,params,macs,bytes,epochs,best_epoch,images_per_s");
    for (int k = 0; k < 2; k++) {
        const names *list = k == 0 ? val : test;
        for (size_t i = 0; i < list->n; i++)
            for (int part = 0; part < 3; part++)
                gn_text_printf(out, ",%s_%s%s", k == 0 ? "val" : "test", list->name[i],
                               part == 0   ? ""
                               : part == 1 ? "_low"
                                           : "_high");
    }
    gn_text_add(out, "\r\n");
}

static void add_network(const gn_measurement *m, gn_text *out)
{
    if (m == NULL) {
        gn_text_add(out, ",,,,,,,,,,,,,,");
        return;
    }
    add_text(out, m->target);
    add_text(out, m->device);
    add_count(out, m->threads);
    add_count(out, m->is_valid);
    const double ms[] = {m->p50_ms, m->p90_ms, m->p99_ms, m->total_p50_ms, m->total_p90_ms, m->total_p99_ms};
    for (size_t i = 0; i < sizeof ms / sizeof ms[0]; i++)
        add_number(out, ms[i]);
    add_count(out, m->peak_bytes);
    add_count(out, m->params);
    add_count(out, m->macs);
    add_count(out, m->bytes);
}

static void add_result(const gn_result *r, const names *metrics, gn_text *out)
{
    for (size_t i = 0; i < metrics->n; i++) {
        double value, low, high;
        gn_report_metric(r, metrics->name[i], &value, &low, &high);
        add_number(out, value);
        add_number(out, low);
        add_number(out, high);
    }
}

static const char *value_of(const gn_report_model *m, const gn_report_trial *t, const char *knob)
{
    for (size_t k = 0; k < m->n_knobs; k++)
        if (strcmp(m->knob[k].name, knob) == 0)
            return t->value[k] != NULL ? t->value[k] : "";
    return "";
}

static void add_trial(const gn_report_model *m, const gn_report_trial *t, const names *knobs, const names *val,
                      const names *test, gn_text *out)
{
    add_cell(out, gn_path_name(m->path));
    add_count(out, t->row->id);
    add_count(out, t->place > 0 ? (int64_t)t->place : -1);
    add_count(out, t->is_winner);
    add_count(out, t->is_front);
    add_text(out, gn_trial_state_name(t->row->state));
    add_count(out, t->row->stage);
    add_text(out, t->row->reason);
    add_count(out, t->row->seed);
    add_number(out, t->row->seconds);
    add_text(out, t->row->folder);
    add_text(out, t->family);
    for (size_t i = 0; i < knobs->n; i++)
        add_text(out, value_of(m, t, knobs->name[i]));
    add_network(t->network, out);
    add_count(out, t->val != NULL ? t->val->epochs : -1);
    add_count(out, t->val != NULL ? t->val->best_epoch : -1);
    add_number(out, t->val != NULL ? t->val->images_per_s : NAN);
    add_result(t->val, val, out);
    add_result(t->test, test, out);
    gn_text_add(out, "\r\n");
}

gn_status gn_report_csv(const gn_report_model *const *models, size_t n, gn_text *out, gn_error *err)
{
    names knobs = {.n = 0}, val = {.n = 0}, test = {.n = 0};
    (void)err;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < models[i]->n_knobs; k++)
            add_name(&knobs, models[i]->knob[k].name);
        for (size_t k = 0; k < models[i]->n_trials; k++) {
            add_metrics(&val, models[i]->trial[k].val);
            add_metrics(&test, models[i]->trial[k].test);
        }
    }
    add_header(&knobs, &val, &test, out);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < models[i]->n_trials; k++)
            add_trial(models[i], &models[i]->trial[k], &knobs, &val, &test, out);
    return GN_OK;
}
