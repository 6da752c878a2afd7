/* A search from beginning to end: settings that must stay the same, the list of trials, the winner.
 * SPDX-License-Identifier: Apache-2.0 */
#include "search/search.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/progress.h"
#include "base/text.h"
#include "search/search_internal.h"

/* A trained network's file. */
#define MODEL_MAX_BYTES ((size_t)2 << 30)

const char *gn_search_objective_for(const char *head)
{
    if (strncmp(head, "box", 3) == 0)
        return "mean_iou";
    return strcmp(head, "classify") == 0 ? "top1" : "map50_95";
}

double gn_search_score(const search *s, double metric)
{
    return strcmp(s->options->objective, "loss") == 0 ? -metric : metric;
}

void gn_search_say(search *s, const char *fmt, ...)
{
    char line[700];
    va_list args;
    if (s->options->say == NULL)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    s->options->say(s->options->say_ctx, line);
}

gn_status gn_search_set_state(search *s, candidate *c, gn_trial_state state, const char *reason, gn_error *err)
{
    const char *kept = gn_arena_strdup(s->arena, reason);
    if (kept == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    GN_TRY(gn_study_set_trial_state(s->study, c->row.id, state, reason, err));
    c->row.state = state;
    c->row.reason = kept;
    return GN_OK;
}

/* --- settings ------------------------------------------------------------------------------------------------------ */

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
                          "results would not "
                          "compare; give another --study",
                          s->options->data);
    return gn_fail_at(err, GN_EINVAL, gn_study_path(s->study), 0,
                      "continuing the search: the study was made with %s \"%s\", now it is \"%s\"; give the same "
                      "settings, or another "
                      "--study",
                      name, before, value);
}

static gn_status keep_data(search *s, gn_error *err)
{
    char hash[128] = "", about[128] = "";
    if (s->runner->describe_data != NULL)
        GN_TRY(s->runner->describe_data(s->runner->ctx, hash, about, err));
    GN_TRY(keep_setting(s, "data_hash", hash, err));
    GN_TRY(gn_study_set_fact(s->study, "data_about", about, err));
    return gn_study_set_fact(s->study, "data", s->options->data, err);
}

static gn_status keep_settings(search *s, gn_error *err)
{
    const gn_search_options *o = s->options;
    char text[GN_STAGES_TEXT + 64];
    gn_text space;
    gn_text_init(&space);
    gn_space_describe(o->space, &space);
    gn_status status = space.failed ? gn_fail(err, GN_ENOMEM, "out of memory")
                                    : keep_setting(s, "space", space.data != NULL ? space.data : "", err);
    gn_text_deinit(&space);
    GN_TRY(status);
    gn_stages_format(&o->stages, text);
    GN_TRY(keep_setting(s, "stages", text, err));
    GN_TRY(keep_setting(s, "target", o->target, err));
    snprintf(text, sizeof text, "%.9g", o->budget_ms);
    GN_TRY(keep_setting(s, "budget_ms", text, err));
    GN_TRY(keep_setting(s, "objective", o->objective, err));
    snprintf(text, sizeof text, "%" PRId64, o->seed);
    GN_TRY(keep_setting(s, "seed", text, err));
    return keep_data(s, err);
}

/* Where it runs: not compared, the last place counts. */
static gn_status keep_machine(search *s, gn_error *err)
{
    char text[64];
    const char *created = NULL;
    GN_TRY(gn_study_set_fact(s->study, "gannet_version", GN_VERSION, err));
    GN_TRY(gn_study_set_fact(s->study, "compiler", __VERSION__, err));
    GN_TRY(gn_study_set_fact(s->study, "cpu", gn_cpu_name(), err));
    GN_TRY(gn_study_set_fact(s->study, "cpu_level", gn_cpu_level_name(gn_cpu_current()), err));
    snprintf(text, sizeof text, "%d", gn_cpu_count());
    GN_TRY(gn_study_set_fact(s->study, "cores", text, err));
    snprintf(text, sizeof text, "%d", s->options->jobs);
    GN_TRY(gn_study_set_fact(s->study, "jobs", text, err));
    GN_TRY(gn_study_set_fact(s->study, "out", s->options->out_folder, err));
    GN_TRY(gn_study_fact_of(s->study, "created_at", s->arena, &created, err));
    if (created == NULL) {
        gn_format_utc(gn_unix_seconds(), text);
        GN_TRY(gn_study_set_fact(s->study, "created_at", text, err));
    }
    return gn_study_add_command(s->study, s->options->command, gn_unix_seconds(), err);
}

/* --- the list of trials --------------------------------------------------------------------------------------------- */

/* What varies in this search, in a few words: "resnet18 lr0=0.01". */
static const char *make_label(const search *s, const gn_json *config)
{
    const char *label = NULL;
    gn_text text;
    gn_text_init(&text);
    for (const gn_json *m = config->first; m != NULL; m = m->next) {
        const char *const *values = NULL;
        const bool is_model = strcmp(m->key, "model") == 0;
        if (!is_model && gn_space_values(s->options->space, m->key, &values) < 2)
            continue;
        if (is_model)
            gn_text_printf(&text, "%s", m->text);
        else
            gn_text_printf(&text, "%s%s=%s", text.len > 0 ? " " : "", m->key, m->text);
    }
    if (!text.failed && text.data != NULL)
        label = gn_arena_strdup(s->arena, text.data);
    gn_text_deinit(&text);
    return label;
}

static gn_status fill_candidate(search *s, candidate *c, const gn_trial *row, gn_error *err)
{
    const gn_json *config = NULL;
    const char *imgsz = NULL, *seed = NULL;
    double number = 0;
    c->row = *row;
    c->macs = 1;
    for (int k = 0; k < GN_STAGES_MAX; k++)
        c->score[k] = NAN;
    GN_TRY(gn_json_parse(row->config, strlen(row->config), s->arena, &config, err));
    if (!gn_json_string(config, "model", &c->network.model) || !gn_json_string(config, "head", &c->network.head) ||
        !gn_json_string(config, "imgsz", &imgsz) || !gn_parse_f64(imgsz, &number))
        return gn_fail(err, GN_EINVAL, "a trial lacks model, head or imgsz: %s", row->config);
    c->network.imgsz = (int64_t)number;
    if (gn_json_string(config, "seed", &seed) && gn_parse_f64(seed, &number))
        c->row.seed = (int64_t)number;
    c->label = make_label(s, config);
    /* A trial goes on where its checkpoint lies, even when the search's folder is another one now. */
    c->folder = row->folder[0] != '\0' && gn_path_is_dir(row->folder)
                    ? row->folder
                    : gn_arena_printf(s->arena, "%s/trials/trial-%04" PRId64, s->options->out_folder, row->id);
    if (c->label == NULL || c->folder == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    if (strcmp(row->folder, c->folder) != 0)
        GN_TRY(gn_study_set_trial_folder(s->study, row->id, c->folder, err));
    return GN_OK;
}

/* Trials that an interrupted or killed search left behind wait again; failed ones stay unless they are to be retried. */
static gn_status reset_stale(search *s, candidate *c, gn_error *err)
{
    const gn_trial_state state = c->row.state;
    const bool is_stale = state == GN_TRIAL_RUNNING || state == GN_TRIAL_STOPPED;
    if (is_stale || (state == GN_TRIAL_FAILED && s->options->is_retrying_failed))
        return gn_search_set_state(s, c, GN_TRIAL_WAITING, "", err);
    return GN_OK;
}

static candidate *find_candidate(const search *s, int64_t trial)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->list[i].row.id == trial)
            return &s->list[i];
    return NULL;
}

/* Scores of stages that are done, and epochs that were trained, from the study. */
static gn_status recall_results(search *s, gn_error *err)
{
    gn_result *result = NULL;
    gn_epoch *epoch = NULL;
    size_t n_results = 0, n_epochs = 0;
    GN_TRY(gn_study_results(s->study, s->arena, &result, &n_results, err));
    for (size_t i = 0; i < n_results; i++) {
        candidate *c = find_candidate(s, result[i].trial);
        if (c != NULL && strcmp(result[i].split, "val") == 0 && result[i].stage >= 1 &&
            result[i].stage <= GN_STAGES_MAX)
            c->score[result[i].stage - 1] = gn_search_score(s, gn_result_metric(&result[i], s->options->objective));
    }
    GN_TRY(gn_study_epochs(s->study, s->arena, &epoch, &n_epochs, err));
    for (size_t i = 0; i < n_epochs; i++) {
        candidate *c = find_candidate(s, epoch[i].trial);
        if (c != NULL && epoch[i].epoch > c->epochs_seen)
            c->epochs_seen = epoch[i].epoch;
    }
    return GN_OK;
}

static gn_status add_trials(search *s, const char *const *configs, size_t n, gn_error *err)
{
    GN_TRY(gn_study_begin(s->study, err));
    for (size_t i = 0; i < n; i++) {
        int64_t id = 0;
        const gn_status status =
            gn_study_add_trial(s->study, &(gn_trial){.config = configs[i], .seed = s->options->seed}, &id, err);
        if (status != GN_OK) {
            gn_study_rollback(s->study);
            return status;
        }
    }
    return gn_study_commit(s->study, err);
}

static gn_status list_trials(search *s, gn_error *err)
{
    const char **configs = NULL;
    gn_trial *rows = NULL;
    size_t n_configs = 0;
    GN_TRY(gn_space_expand(s->options->space, s->arena, &configs, &n_configs, err));
    GN_TRY(add_trials(s, configs, n_configs, err));
    GN_TRY(gn_study_trials(s->study, s->arena, &rows, &s->n, err));
    s->list = gn_arena_alloc(s->arena, (s->n + 1) * sizeof *s->list);
    if (s->list == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < s->n; i++) {
        GN_TRY(fill_candidate(s, &s->list[i], &rows[i], err));
        GN_TRY(reset_stale(s, &s->list[i], err));
    }
    return recall_results(s, err);
}

/* --- the winner ------------------------------------------------------------------------------------------------------ */

/* The score of the last stage that a trial finished. */
static double last_score(const candidate *c)
{
    return c->row.stage > 0 ? c->score[c->row.stage - 1] : NAN;
}

/* The best among the trials that ended well; one that failed in a later stage counts only when there is no other. */
static candidate *choose_winner(const search *s)
{
    candidate *best = NULL;
    for (int is_failed = 0; is_failed < 2 && best == NULL; is_failed++)
        for (size_t i = 0; i < s->n; i++) {
            candidate *c = &s->list[i];
            if ((c->row.state == GN_TRIAL_FAILED) != (is_failed == 1) || isnan(last_score(c)))
                continue;
            if (best == NULL || last_score(c) > last_score(best))
                best = c;
        }
    return best;
}

static gn_status copy_model(const search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    char from[1024];
    char *data = NULL;
    size_t bytes = 0;
    GN_TRY(gn_path_join(winner->folder, "best.onnx", from, sizeof from));
    GN_TRY(gn_path_join(s->options->out_folder, "best.onnx", outcome->best_path, sizeof outcome->best_path));
    GN_TRY(gn_file_read(from, MODEL_MAX_BYTES, &data, &bytes, err));
    const gn_status status = gn_file_write(outcome->best_path, data, bytes, err);
    gn_free(data);
    return status;
}

static void keep_picture(void *ctx, const gn_picture *picture)
{
    search *s = ctx;
    gn_error err = {0};
    if (gn_study_put_picture(s->study, picture, &err) != GN_OK)
        gn_search_say(s, "the picture %s is not kept: %s", picture->name, err.message);
}

/* The result on `split` of the trial's last stage, from the study. */
static gn_status recall_metrics(search *s, const candidate *c, const char *split, gn_metrics *out, bool *is_found,
                                gn_error *err)
{
    gn_result *result = NULL;
    size_t n = 0;
    *is_found = false;
    gn_metrics_init(out);
    GN_TRY(gn_study_results(s->study, s->arena, &result, &n, err));
    for (size_t i = 0; i < n; i++) {
        if (result[i].trial != c->row.id || result[i].stage != c->row.stage || strcmp(result[i].split, split) != 0)
            continue;
        *is_found = true;
        out->best_epoch = result[i].best_epoch;
        out->images_per_s = result[i].images_per_s;
        out->seconds = result[i].seconds;
        for (size_t k = 0; k < result[i].n_metrics; k++)
            gn_metrics_add(out, result[i].metrics[k].name, result[i].metrics[k].value, result[i].metrics[k].low,
                           result[i].metrics[k].high);
    }
    return GN_OK;
}

/* The only time that anything looks at the test split. */
static gn_status evaluate_winner(search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    bool is_known = false;
    gn_error cause = {0};
    GN_TRY(recall_metrics(s, winner, "val", &outcome->val, &is_known, err));
    GN_TRY(recall_metrics(s, winner, "test", &outcome->test, &is_known, err));
    if (is_known)
        return GN_OK;
    const gn_evaluate_job job = {winner->row.id, winner->row.config, winner->folder, s->options->out_folder};
    const gn_status status = s->runner->evaluate(s->runner->ctx, &job, &outcome->test, keep_picture, s, &cause);
    if (status == GN_ECANCELED)
        return gn_fail(err, GN_ECANCELED, "interrupted while evaluating the winner; the same command goes on");
    if (status != GN_OK) {
        gn_metrics_init(&outcome->test);
        gn_search_say(s, "the winner could not be evaluated on the test split: %s", cause.message);
        return gn_study_set_fact(s->study, "test_note", cause.message, err);
    }
    gn_metric list[GN_METRICS_MAX];
    for (int i = 0; i < outcome->test.n; i++) {
        const gn_named_metric *m = &outcome->test.metric[i];
        list[i] = (gn_metric){m->name, m->value, m->low, m->high};
    }
    GN_TRY(gn_study_set_fact(s->study, "test_note", "", err));
    return gn_study_put_result(s->study,
                               &(gn_result){.trial = winner->row.id,
                                            .stage = winner->row.stage,
                                            .split = "test",
                                            .epochs = winner->epochs_seen,
                                            .best_epoch = outcome->val.best_epoch,
                                            .images_per_s = NAN,
                                            .seconds = outcome->test.seconds,
                                            .metrics = list,
                                            .n_metrics = (size_t)outcome->test.n},
                               err);
}

static gn_status recall_latency(search *s, const candidate *winner, gn_search_outcome *outcome, gn_error *err)
{
    gn_measurement *list = NULL;
    size_t n = 0;
    GN_TRY(gn_study_measurements(s->study, s->arena, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        if (list[i].id == winner->row.measurement_id) {
            outcome->total_p90_ms = list[i].total_p90_ms;
            outcome->is_latency_valid = list[i].is_valid;
        }
    return GN_OK;
}

static gn_status conclude(search *s, gn_search_outcome *outcome, gn_error *err)
{
    char text[32];
    const candidate *winner = choose_winner(s);
    if (winner == NULL)
        return gn_fail(err, GN_EWORKER, "no trial came to a result");
    outcome->winner = winner->row.id;
    outcome->score = gn_search_score(s, last_score(winner));
    snprintf(outcome->winner_label, sizeof outcome->winner_label, "%s", winner->label);
    GN_TRY(copy_model(s, winner, outcome, err));
    snprintf(text, sizeof text, "%" PRId64, winner->row.id);
    GN_TRY(gn_study_set_fact(s->study, "winner", text, err));
    GN_TRY(recall_latency(s, winner, outcome, err));
    GN_TRY(evaluate_winner(s, winner, outcome, err));
    gn_format_utc(gn_unix_seconds(), text);
    return gn_study_set_fact(s->study, "finished_at", text, err);
}

/* --- beginning to end ------------------------------------------------------------------------------------------------ */

static gn_status check_options(const gn_search_options *o, gn_error *err)
{
    if (o->jobs < 1 || o->jobs > GN_SEARCH_MAX_JOBS)
        return gn_fail(err, GN_EINVAL, "--jobs is %d, expected 1 to %d", o->jobs, GN_SEARCH_MAX_JOBS);
    if (o->stages.n < 1 || !(o->budget_ms >= 0))
        return gn_fail(err, GN_EINVAL, "stages are missing, or the latency is negative");
    return GN_OK;
}

static void count_states(const search *s, gn_search_outcome *outcome)
{
    outcome->n_trials = (int)s->n;
    for (size_t i = 0; i < s->n; i++) {
        outcome->n_failed += s->list[i].row.state == GN_TRIAL_FAILED;
        outcome->n_screened += s->list[i].row.state == GN_TRIAL_SCREENED;
        outcome->n_done += s->list[i].row.state == GN_TRIAL_DONE;
    }
}

static gn_status walk(search *s, gn_search_outcome *outcome, gn_error *err)
{
    char folder[1024];
    GN_TRY(gn_path_join(s->options->out_folder, "trials", folder, sizeof folder));
    GN_TRY(gn_make_dirs(folder, err));
    GN_TRY(gn_study_open(s->options->study_path, GN_STUDY_WRITE, &s->study, err));
    GN_TRY(keep_settings(s, err));
    GN_TRY(keep_machine(s, err));
    GN_TRY(list_trials(s, err));
    GN_TRY(gn_search_measure(s, err));
    GN_TRY(gn_search_train(s, err));
    count_states(s, outcome);
    return conclude(s, outcome, err);
}

gn_status gn_search_run(const gn_search_options *options, const gn_search_runner *runner,
                        gn_search_outcome *outcome_out, gn_error *err)
{
    GN_TRY(check_options(options, err));
    search s = {.options = options, .runner = runner, .started_ns = gn_now_ns()};
    gn_search_outcome outcome = {.total_p90_ms = NAN, .score = NAN};
    gn_metrics_init(&outcome.val);
    gn_metrics_init(&outcome.test);
    s.arena = gn_arena_create(0);
    if (s.arena == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    const gn_status status = walk(&s, &outcome, err);
    gn_study_close(&s.study);
    gn_arena_destroy(&s.arena);
    if (status == GN_OK)
        *outcome_out = outcome;
    return status;
}
