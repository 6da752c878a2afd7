/* The options of a search.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/search_setup.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "gannet/zoo_api.h"

/* What a space may say for the command line; the names are options of `gannet search`. */
static const char *const settings[] = {"stages", "epochs",    "min-epochs", "eta",     "stop",   "sampler",
                                       "trials", "data",      "target",     "latency", "memory", "size",
                                       "energy", "objective", "time",       "jobs",    "seed",   "promote"};

gn_status search_setup_init(search_setup *setup, gn_error *err)
{
    gn_text *const texts[] = {&setup->command,    &setup->study_path, &setup->out,   &setup->report_path,
                              &setup->log_folder, &setup->space_text, &setup->worker};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        gn_text_init(texts[i]);
    setup->arena = gn_arena_create(0);
    static gn_model_names models = {.is_known = gn_zoo_knows};
    models.names = gn_zoo_names(&models.n_names);
    if (setup->arena == NULL || gn_space_create(&models, &setup->space) != GN_OK)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    return GN_OK;
}

void search_setup_deinit(search_setup *setup)
{
    gn_text *const texts[] = {&setup->command,    &setup->study_path, &setup->out,   &setup->report_path,
                              &setup->log_folder, &setup->space_text, &setup->worker};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        gn_text_deinit(texts[i]);
    gn_process_runner_destroy(&setup->runner);
    gn_space_destroy(&setup->space);
    gn_arena_destroy(&setup->arena);
    gn_args_destroy(&setup->args);
}

/* --- the space ------------------------------------------------------------------------------------------------------- */

/* The text of --space: a file, else one of the spaces that come with the program.  *out NULL: no --space. */
static gn_status read_space(search_setup *setup, const char **out, gn_error *err)
{
    const char *name = gn_args_str(setup->args, "space");
    *out = NULL;
    return name != NULL ? gn_space_load(name, setup->arena, out, err) : GN_OK;
}

/* "--set lr0=1e-3,1e-2" arrives as two items; one without '=' belongs to the key before.  Assignments as they were meant, joined. */
static gn_status list_assignments(search_setup *setup, const char **list, size_t capacity, size_t *n_out, gn_error *err)
{
    size_t n = 0, n_models = 0, n_list = 0;
    const char *const *items = gn_args_list(setup->args, "set", &n);
    const char *const *models = gn_args_list(setup->args, "model", &n_models);
    for (size_t i = 0; i < n_models; i++)
        list[0] = gn_arena_printf(setup->arena, "%s%s%s", i == 0 ? "model=" : list[0], i == 0 ? "" : ",", models[i]);
    n_list = n_models > 0;
    for (size_t i = 0; i < n; i++) {
        const bool is_more = n_list > 0 && strchr(items[i], '=') == NULL;
        if (!is_more && n_list == capacity)
            return gn_fail(err, GN_EUSAGE, "more than %zu assignments", capacity);
        if (is_more)
            list[n_list - 1] = gn_arena_printf(setup->arena, "%s,%s", list[n_list - 1], items[i]);
        else
            list[n_list++] = items[i];
    }
    for (size_t i = 0; i < n_list; i++)
        if (list[i] == NULL)
            return gn_fail(err, GN_ENOMEM, "out of memory");
    *n_out = n_list;
    return GN_OK;
}

/* A constant rate is the default here: every rung then compares networks at the same rate, whatever the later rungs are. */
static gn_status complete_space(gn_space *space, const char *text, const char *name, const char *const *assignments,
                                size_t n, gn_error *err)
{
    if (text != NULL)
        GN_TRY(gn_space_parse(space, text, strlen(text), name, err));
    for (size_t i = 0; i < n; i++)
        GN_TRY(gn_space_set(space, assignments[i], err));
    GN_TRY(gn_space_set_default(space, "head", "box", err));
    GN_TRY(gn_space_set_default(space, "imgsz", "128", err));
    return gn_space_set_default(space, "schedule", "constant", err);
}

/* {"name": ..., "text": ..., "set": [...]}: from it a worker elsewhere builds the same space. */
static void write_space_text(gn_text *out, const char *name, const char *text, const char *const *assignments, size_t n)
{
    gn_text_add(out, "{\"name\":");
    gn_text_add_json(out, name);
    gn_text_add(out, ",\"text\":");
    gn_text_add_json(out, text != NULL ? text : "");
    gn_text_add(out, ",\"set\":[");
    for (size_t i = 0; i < n; i++) {
        gn_text_add(out, i > 0 ? "," : "");
        gn_text_add_json(out, assignments[i]);
    }
    gn_text_add(out, "]}");
}

/* What the space says counts where the command line is silent; a bare latency is in milliseconds. */
static gn_status apply_settings(search_setup *setup, gn_error *err)
{
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        double number = 0;
        const char *value = gn_space_setting(setup->space, settings[i]);
        if (value == NULL)
            continue;
        if (strcmp(settings[i], "latency") == 0 && gn_parse_f64(value, &number))
            value = gn_arena_printf(setup->arena, "%sms", value);
        else if (strcmp(settings[i], "time") == 0 && gn_parse_f64(value, &number))
            value = gn_arena_printf(setup->arena, "%ss", value);
        if (value == NULL)
            return gn_fail(err, GN_ENOMEM, "out of memory");
        GN_TRY(gn_args_set_default(setup->args, settings[i], value, err));
    }
    return GN_OK;
}

gn_status search_setup_space(search_setup *setup, gn_error *err)
{
    const char *text = NULL, *list[128];
    size_t n = 0;
    const char *name = gn_args_has(setup->args, "space") ? gn_args_str(setup->args, "space") : "command line";
    GN_TRY(read_space(setup, &text, err));
    GN_TRY(list_assignments(setup, list, sizeof list / sizeof list[0], &n, err));
    GN_TRY(complete_space(setup->space, text, name, list, n, err));
    write_space_text(&setup->space_text, name, text, list, n);
    if (setup->space_text.failed)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    return apply_settings(setup, err);
}

/* --- rule, sampler, budgets ------------------------------------------------------------------------------------------ */

/* --stop with --epochs, or --stages, or --epochs alone. */
static gn_status read_stopping(const gn_args *args, gn_stopping *rule, gn_error *err)
{
    const bool has_stop = gn_args_has(args, "stop"), has_epochs = gn_args_has(args, "epochs");
    gn_stopping_kind kind = GN_STOPPING_NONE;
    gn_status status = GN_OK;
    /* What stands on the command line wins over a space that says otherwise; it must not contradict itself. */
    if (gn_args_is_set(args, "stages") && (gn_args_is_set(args, "stop") || gn_args_is_set(args, "epochs")))
        return gn_fail(err, GN_EUSAGE, "--stages says how long to train; it does not go with --stop and --epochs");
    if (gn_args_is_set(args, "stages") || (gn_args_has(args, "stages") && !has_stop && !has_epochs)) {
        status = gn_stopping_parse(gn_args_str(args, "stages"), rule, err);
    } else if (has_stop || has_epochs) {
        if (has_stop)
            gn_stopping_parse_kind(gn_args_str(args, "stop"), &kind);
        status = gn_stopping_make(kind, gn_args_int(args, "min-epochs"), has_epochs ? gn_args_int(args, "epochs") : 60,
                                  gn_args_int(args, "eta"), 1, rule, err);
    } else {
        status = gn_stopping_parse("10:8,30:2,60", rule, err);
    }
    if (status == GN_EINVAL && err != NULL)
        err->status = GN_EUSAGE;
    rule->is_pareto = gn_args_has(args, "promote") && strcmp(gn_args_str(args, "promote"), "pareto") == 0;
    return status == GN_EINVAL ? GN_EUSAGE : status;
}

gn_status search_parse_energy(const char *text, double *mj_out, gn_error *err)
{
    char number[64];
    const bool is_mj = gn_has_suffix(text, "mJ"), is_j = !is_mj && gn_has_suffix(text, "J");
    snprintf(number, sizeof number, "%.*s", (int)(strlen(text) - (is_mj ? 2 : is_j ? 1 : 0)), text);
    if (!gn_parse_f64(number, mj_out) || !(*mj_out > 0) || *mj_out > 1e9)
        return gn_fail(err, GN_EUSAGE, "--energy is \"%s\", expected the energy of one inference, such as 50mJ", text);
    *mj_out *= is_j ? 1e3 : 1;
    return GN_OK;
}

static gn_status read_budget(const gn_args *args, gn_budget *budget, gn_error *err)
{
    *budget = (gn_budget){.latency_ms = gn_args_double(args, "latency") * 1e3,
                          .memory_mb = gn_args_double(args, "memory") * 1e-6,
                          .size_mb = gn_args_double(args, "size") * 1e-6};
    if (!gn_args_has(args, "energy"))
        return GN_OK;
    return search_parse_energy(gn_args_str(args, "energy"), &budget->energy_mj, err);
}

/* --- paths ----------------------------------------------------------------------------------------------------------- */

/* Workers that stand elsewhere read where a checkpoint lies. */
static gn_status make_absolute(search_setup *j, gn_text *path, gn_error *err)
{
    char here[1024];
    if (path->failed || path->data[0] == '/')
        return GN_OK;
    if (getcwd(here, sizeof here) == NULL)
        return gn_fail(err, GN_EIO, "the current folder cannot be named; give an absolute --out");
    const char *relative = gn_arena_strdup(j->arena, path->data);
    if (relative == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    path->len = 0;
    gn_text_printf(path, "%s/%s", here, relative);
    return GN_OK;
}

/* --study F.db alone keeps its trials in the folder F. */
static gn_status read_paths(search_setup *j, gn_error *err)
{
    const char *study = gn_args_str(j->args, "study");
    const bool is_shared = study != NULL && gn_study_is_server(study);
    if (study != NULL && !is_shared && !gn_args_is_set(j->args, "out"))
        gn_text_add_bytes(&j->out, study, strlen(study) - (gn_has_suffix(study, ".db") ? 3 : 0));
    else
        gn_text_add(&j->out, gn_args_str(j->args, "out"));
    if (study != NULL && !j->out.failed && strcmp(study, j->out.data) == 0)
        gn_text_add(&j->out, ".run");
    if (is_shared)
        GN_TRY(make_absolute(j, &j->out, err));
    if (study != NULL)
        gn_text_add(&j->study_path, study);
    else
        gn_text_printf(&j->study_path, "%s/study.db", j->out.data != NULL ? j->out.data : "");
    gn_text_printf(&j->report_path, "%s/report.html", j->out.data != NULL ? j->out.data : "");
    gn_text_printf(&j->log_folder, "%s/logs", j->out.data != NULL ? j->out.data : "");
    if (j->out.failed || j->study_path.failed || j->report_path.failed || j->log_folder.failed)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    return GN_OK;
}

/* "host:process", by which workers are told apart. */
static gn_status name_worker(search_setup *j, gn_error *err)
{
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) != 0)
        snprintf(host, sizeof host, "host");
    gn_text_printf(&j->worker, "%s:%ld", host, (long)getpid());
    return j->worker.failed ? gn_fail(err, GN_ENOMEM, "out of memory") : GN_OK;
}

static gn_status common_options(search_setup *j, gn_error *err)
{
    gn_search_options *o = &j->options;
    GN_TRY(read_paths(j, err));
    GN_TRY(name_worker(j, err));
    gn_args_command(j->args, &j->command);
    if (j->command.failed)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    o->space = j->space;
    o->jobs = gn_args_int(j->args, "jobs");
    o->trial_s = gn_args_double(j->args, "trial-time");
    o->lease_s = gn_args_double(j->args, "lease");
    o->out_folder = j->out.data;
    o->study_path = j->study_path.data;
    o->worker = j->worker.data;
    o->command = j->command.data;
    o->is_without_pictures = !gn_args_flag(j->args, "pictures");
    o->say = search_screen_say;
    o->show = search_screen_show;
    o->say_ctx = o->show_ctx = &j->screen;
    return GN_OK;
}

gn_status search_setup_options(search_setup *j, gn_error *err)
{
    gn_search_options *o = &j->options;
    const char *const *heads = NULL;
    if (!gn_args_has(j->args, "data"))
        return gn_fail(err, GN_EUSAGE, "--data is missing: which pictures to search on");
    GN_TRY(common_options(j, err));
    GN_TRY(read_stopping(j->args, &o->stopping, err));
    GN_TRY(read_budget(j->args, &o->budget, err));
    gn_sampler_parse(gn_args_str(j->args, "sampler"), &o->sampler);
    gn_space_values(j->space, "head", &heads);
    o->n_trials = gn_args_int64(j->args, "trials");
    o->data = gn_args_str(j->args, "data");
    o->target = gn_args_str(j->args, "target");
    o->objective =
        gn_args_has(j->args, "objective") ? gn_args_str(j->args, "objective") : gn_search_objective_for(heads[0]);
    o->seed = gn_args_int64(j->args, "seed");
    o->time_s = gn_args_double(j->args, "time");
    o->is_retrying_failed = gn_args_flag(j->args, "retry-failed");
    o->space_text = j->space_text.data;
    return GN_OK;
}

/* --- a worker of somebody else's study --------------------------------------------------------------------------------- */

static gn_status read_fact(search_setup *j, gn_study *study, const char *name, const char **out, gn_error *err)
{
    GN_TRY(gn_study_fact_of(study, name, j->arena, out, err));
    if (*out == NULL)
        return gn_fail_at(err, GN_EINVAL, gn_study_path(study), 0,
                          "the study does not say its %s; start `gannet search` with it first", name);
    return GN_OK;
}

static gn_status read_number(search_setup *j, gn_study *study, const char *name, double *out, gn_error *err)
{
    const char *text = NULL;
    GN_TRY(read_fact(j, study, name, &text, err));
    if (gn_parse_f64(text, out))
        return GN_OK;
    return gn_fail_at(err, GN_EFORMAT, gn_study_path(study), 0, "its %s is \"%s\", expected a number", name, text);
}

static gn_status rebuild_space(search_setup *j, gn_study *study, gn_error *err)
{
    const char *json = NULL, *name = NULL, *text = NULL, *list[128];
    const gn_json *root = NULL;
    size_t n = 0;
    GN_TRY(read_fact(j, study, "space_text", &json, err));
    GN_TRY(gn_json_parse(json, strlen(json), j->arena, &root, err));
    const gn_json *set = gn_json_member(root, "set");
    if (!gn_json_string(root, "name", &name) || !gn_json_string(root, "text", &text) || set == NULL)
        return gn_fail_at(err, GN_EFORMAT, gn_study_path(study), 0, "the study does not hold its space");
    for (const gn_json *m = set->first; m != NULL && n < sizeof list / sizeof list[0]; m = m->next)
        list[n++] = m->text;
    return complete_space(j->space, text[0] != '\0' ? text : NULL, name, list, n, err);
}

static gn_status read_facts(search_setup *j, gn_study *study, gn_error *err)
{
    gn_search_options *o = &j->options;
    const char *stopping = NULL, *sampler = NULL;
    double seed = 0, trials = 0;
    GN_TRY(rebuild_space(j, study, err));
    GN_TRY(read_fact(j, study, "stopping", &stopping, err));
    GN_TRY(gn_stopping_parse(stopping, &o->stopping, err));
    GN_TRY(read_fact(j, study, "sampler", &sampler, err));
    if (!gn_sampler_parse(sampler, &o->sampler))
        return gn_fail_at(err, GN_EFORMAT, gn_study_path(study), 0, "its sampler \"%s\" is not known", sampler);
    GN_TRY(read_fact(j, study, "target", &o->target, err));
    GN_TRY(read_fact(j, study, "objective", &o->objective, err));
    GN_TRY(read_number(j, study, "budget_ms", &o->budget.latency_ms, err));
    GN_TRY(read_number(j, study, "budget_bytes", &o->budget.memory_mb, err));
    GN_TRY(read_number(j, study, "budget_size", &o->budget.size_mb, err));
    o->budget.memory_mb *= 1e-6;
    o->budget.size_mb *= 1e-6;
    GN_TRY(read_number(j, study, "budget_mj", &o->budget.energy_mj, err));
    GN_TRY(read_number(j, study, "seed", &seed, err));
    GN_TRY(read_number(j, study, "trials_asked", &trials, err));
    o->seed = (int64_t)seed;
    o->n_trials = (int64_t)trials;
    if (gn_args_has(j->args, "data")) {
        o->data = gn_args_str(j->args, "data");
        return GN_OK;
    }
    return read_fact(j, study, "data", &o->data, err);
}

gn_status search_setup_from_study(search_setup *j, gn_error *err)
{
    gn_study *study = NULL;
    GN_TRY(common_options(j, err));
    j->options.is_worker = true;
    GN_TRY(gn_study_open(j->study_path.data, GN_STUDY_READ, &study, err));
    const gn_status status = read_facts(j, study, err);
    gn_study_close(&study);
    return status;
}

gn_status search_setup_runner(search_setup *j, gn_error *err)
{
    GN_TRY(gn_make_dirs(j->log_folder.data, err));
    const gn_process_runner_options workers = {
        .data = j->options.data, .target = j->options.target, .log_folder = j->log_folder.data};
    return gn_process_runner_create(&workers, &j->runner, err);
}
