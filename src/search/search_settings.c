/* The settings of a search in its study: what must stay the same from one run to the next, and what is only told.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/pool.h"
#include "base/text.h"
#include "search/search_internal.h"

/* Writes the fact, or compares it with what the study was made with. */
static gn_status keep_setting(search *s, const char *name, const char *value, gn_error *err)
{
    const char *before = NULL;
    GN_TRY(gn_study_fact_of(s->study, name, s->arena, &before, err));
    if (before == NULL)
        return gn_study_set_fact(s->study, name, value, err);
    if (strcmp(before, value) == 0)
        return GN_OK;
    if (strcmp(name, "data_hash") == 0)
        return gn_fail_at(err, GN_EINVAL, gn_study_path(s->study), 0,
                          "continuing the search: pictures or labels of %s have changed since the study began, so its "
                          "results would not compare; give another --study",
                          s->options->data);
    return gn_fail_at(err, GN_EINVAL, gn_study_path(s->study), 0,
                      "continuing the search: the study was made with %s \"%s\", now it is \"%s\"; give the same "
                      "settings, or another --study",
                      name, before, value);
}

static gn_status keep_number(search *s, const char *name, double value, gn_error *err)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return keep_setting(s, name, text, err);
}

static gn_status set_number(search *s, const char *name, double value, gn_error *err)
{
    char text[40];
    snprintf(text, sizeof text, "%.9g", value);
    return gn_study_set_fact(s->study, name, text, err);
}

static gn_status keep_data(search *s, gn_error *err)
{
    char hash[128] = "", about[128] = "";
    if (s->runner->describe_data != NULL)
        GN_TRY(s->runner->describe_data(s->runner->ctx, hash, about, &s->n_train_images, err));
    GN_TRY(keep_setting(s, "data_hash", hash, err));
    if (s->options->is_worker)
        return GN_OK;
    GN_TRY(gn_study_set_fact(s->study, "data_about", about, err));
    GN_TRY(set_number(s, "train_images", (double)s->n_train_images, err));
    return gn_study_set_fact(s->study, "data", s->options->data, err);
}

static gn_status keep_space(search *s, gn_error *err)
{
    gn_text space;
    gn_text_init(&space);
    gn_space_describe(s->options->space, &space);
    const gn_status status = space.failed ? gn_fail(err, GN_ENOMEM, "out of memory")
                                          : keep_setting(s, "space", space.data != NULL ? space.data : "", err);
    gn_text_deinit(&space);
    return status;
}

/* A study of one machine gets an id as well: checkpoints are told apart by it. */
static gn_status keep_id(search *s, gn_error *err)
{
    const char *id = NULL;
    GN_TRY(gn_study_fact_of(s->study, "study_id", s->arena, &id, err));
    if (id == NULL) {
        id = gn_arena_printf(s->arena, "%08" PRIx64 "%08" PRIx64, (uint64_t)gn_unix_seconds() & 0xFFFFFFFFu,
                             (uint64_t)gn_now_ns() & 0xFFFFFFFFu);
        if (id == NULL)
            return gn_fail(err, GN_ENOMEM, "out of memory");
        GN_TRY(gn_study_set_fact(s->study, "study_id", id, err));
    }
    s->study_id = id;
    return GN_OK;
}

/* The rule for readers: its name, and the epochs of its rungs. */
static gn_status tell_rule(search *s, gn_error *err)
{
    const gn_stopping *rule = &s->options->stopping;
    char text[GN_STOPPING_TEXT];
    int len = 0;
    text[0] = '\0';
    for (int k = 0; k < rule->n_ladder; k++) {
        len += snprintf(text + len, sizeof text - (size_t)len, "%s%d", k > 0 ? "," : "", rule->epochs[k]);
        if (rule->kind == GN_STOPPING_STAGES && rule->keep[k] > 0)
            len += snprintf(text + len, sizeof text - (size_t)len, ":%d", rule->keep[k]);
    }
    GN_TRY(gn_study_set_fact(s->study, "stages", text, err));
    return gn_study_set_fact(s->study, "schedule", gn_stopping_name(rule->kind), err);
}

gn_status gn_search_keep_settings(search *s, gn_error *err)
{
    const gn_search_options *o = s->options;
    char text[GN_STOPPING_TEXT];
    gn_stopping rule = o->stopping;
    /* More trials may be asked for later: their number is told, not compared. */
    rule.n_trials = 1;
    gn_stopping_format(&rule, text);
    GN_TRY(keep_space(s, err));
    GN_TRY(keep_setting(s, "stopping", text, err));
    GN_TRY(keep_setting(s, "sampler", gn_sampler_name(o->sampler), err));
    GN_TRY(keep_setting(s, "target", o->target, err));
    GN_TRY(keep_number(s, "budget_ms", o->budget.latency_ms, err));
    GN_TRY(keep_number(s, "budget_bytes", o->budget.memory_mb * 1e6, err));
    GN_TRY(keep_number(s, "budget_size", o->budget.size_mb * 1e6, err));
    GN_TRY(keep_number(s, "budget_mj", o->budget.energy_mj, err));
    GN_TRY(keep_setting(s, "objective", o->objective, err));
    GN_TRY(keep_number(s, "seed", (double)o->seed, err));
    GN_TRY(keep_data(s, err));
    GN_TRY(keep_id(s, err));
    if (o->is_worker)
        return GN_OK;
    GN_TRY(tell_rule(s, err));
    GN_TRY(gn_study_set_fact(s->study, "space_text", o->space_text != NULL ? o->space_text : "", err));
    GN_TRY(set_number(s, "trials_asked", (double)o->n_trials, err));
    return set_number(s, "time_limit_s", o->time_s, err);
}

gn_status gn_search_keep_machine(search *s, gn_error *err)
{
    char text[64];
    const char *created = NULL;
    if (s->options->is_worker)
        return GN_OK;
    GN_TRY(gn_study_set_fact(s->study, "gannet_version", GN_VERSION, err));
    GN_TRY(gn_study_set_fact(s->study, "compiler", __VERSION__, err));
    GN_TRY(gn_study_set_fact(s->study, "cpu", gn_cpu_name(), err));
    GN_TRY(gn_study_set_fact(s->study, "cpu_level", gn_cpu_level_name(gn_cpu_current()), err));
    GN_TRY(set_number(s, "cores", gn_cpu_count(), err));
    GN_TRY(set_number(s, "jobs", s->options->jobs, err));
    GN_TRY(gn_study_set_fact(s->study, "out", s->options->out_folder, err));
    GN_TRY(gn_study_fact_of(s->study, "created_at", s->arena, &created, err));
    if (created == NULL) {
        gn_format_utc(gn_unix_seconds(), text);
        GN_TRY(gn_study_set_fact(s->study, "created_at", text, err));
    }
    return gn_study_add_command(s->study, s->options->command, gn_unix_seconds(), err);
}
