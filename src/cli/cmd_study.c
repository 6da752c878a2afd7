/* gannet study: looks at a study, takes a model out of it, removes trials.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/study_show.h"
#include "gannet/report_api.h"
#include "gannet/store_api.h"

/* A trained network's file. */
#define MODEL_MAX_BYTES ((size_t)2 << 30)

static const gn_opt options[] = {
    {.name = "state",
     .type = GN_OPT_STRING,
     .group = "list",
     .choices = "waiting|running|done|stopped|failed|screened",
     .help = "only trials in this state"},
    {.name = "limit",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 1e6,
     .help = "the first N; 0: all"},
    {.name = "output",
     .short_name = 'o',
     .type = GN_OPT_STRING,
     .metavar = "FILE",
     .group = "export",
     .help = "file to write: the trial's best model, or with --csv all trials"},
    {.name = "csv", .type = GN_OPT_FLAG, .help = "all trials as CSV"},
    {.name = "failed", .type = GN_OPT_FLAG, .group = "rm", .help = "remove all trials that failed"},
    {.name = "files", .type = GN_OPT_FLAG, .help = "and the folders of the removed trials"},
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "study",
    .usage = "F.db list|show N|best|export N -o FILE|rm N...",
    .about = "Looks at the study of a search, also while it runs: all trials, best first; one trial with config, "
             "results and attempts; the winner or the best so far. Copies a trial's model, or all trials as CSV. "
             "Removes trials; the same search would then propose and train them again.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 2,
    .max_positional = -1,
    .examples = "  gannet study runs/search/study.db list --state failed\n"
                "  gannet study runs/search/study.db show 17\n"
                "  gannet study runs/search/study.db export 17 -o second.onnx\n"
                "  gannet study runs/search/study.db rm --failed --files\n",
};

/* A study that is being looked at. */
typedef struct view {
    gn_args *args;
    gn_study *study;
    gn_report_model *model;
} view;

static gn_status open_view(view *v, gn_study_mode mode, gn_error *err)
{
    const char *path = gn_args_positional(v->args, 0);
    if (mode == GN_STUDY_WRITE && strstr(path, "://") == NULL && !gn_path_exists(path))
        return gn_fail_at(err, GN_ENOENT, path, 0, "there is no such study");
    GN_TRY(gn_study_open(path, mode, &v->study, err));
    return gn_report_model_load(v->study, &v->model, err);
}

static gn_status take_words(const view *v, int n, const char *what, gn_error *err)
{
    if (gn_args_n_positional(v->args) == n)
        return GN_OK;
    return gn_fail(err, GN_EUSAGE, "`gannet study F.db %s` takes %s", gn_args_positional(v->args, 1), what);
}

static gn_status find_trial(const view *v, int i, const gn_report_trial **trial_out, gn_error *err)
{
    const char *word = gn_args_positional(v->args, i);
    int64_t id = 0;
    if (!gn_parse_i64(word, &id) || id < 1)
        return gn_fail(err, GN_EUSAGE, "\"%.60s\" is no trial; expected its number, as `list` shows it", word);
    *trial_out = gn_report_trial_by_id(v->model, id);
    if (*trial_out == NULL)
        return gn_fail_at(err, GN_ENOENT, gn_study_path(v->study), 0, "there is no trial %" PRId64 " among its %zu", id,
                          v->model->n_trials);
    return GN_OK;
}

static gn_status print_json(gn_jsonw *j, gn_error *err)
{
    const gn_status status = gn_jsonw_print(j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

/* --- looking -------------------------------------------------------------------------------------------------------- */

static gn_status list_trials(view *v, gn_error *err)
{
    GN_TRY(take_words(v, 2, "no further words", err));
    GN_TRY(open_view(v, GN_STUDY_READ, err));
    const gn_report_model *m = v->model;
    const char *state = gn_args_str(v->args, "state");
    const size_t limit = (size_t)gn_args_int64(v->args, "limit");
    const gn_report_trial **list = gn_arena_alloc(m->arena, (m->n_trials + 1) * sizeof *list);
    size_t n = 0;
    if (list == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory");
    for (size_t i = 0; i < m->n_trials && (limit == 0 || n < limit); i++)
        if (state == NULL || strcmp(gn_trial_state_name(m->by_place[i]->row->state), state) == 0)
            list[n++] = m->by_place[i];
    if (!gn_args_flag(v->args, "json")) {
        gn_study_print_table(m, list, n);
        return GN_OK;
    }
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "study", gn_study_path(v->study));
    gn_jsonw_str(&j, "objective", m->objective);
    gn_jsonw_int(&j, "n_trials", (int64_t)m->n_trials);
    gn_jsonw_array(&j, "trials");
    for (size_t i = 0; i < n; i++) {
        gn_jsonw_object(&j, NULL);
        gn_study_json_trial(&j, m, list[i]);
        gn_jsonw_end(&j);
    }
    return print_json(&j, err);
}

static gn_status show(view *v, const gn_report_trial *trial, gn_error *err)
{
    if (!gn_args_flag(v->args, "json"))
        return gn_study_print_trial(v->study, v->model, trial, err);
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "study", gn_study_path(v->study));
    gn_jsonw_str(&j, "objective", v->model->objective);
    gn_study_json_trial(&j, v->model, trial);
    const gn_status status = gn_study_json_details(&j, v->study, v->model, trial, err);
    if (status == GN_OK)
        return print_json(&j, err);
    gn_jsonw_deinit(&j);
    return status;
}

static gn_status show_trial(view *v, gn_error *err)
{
    const gn_report_trial *trial = NULL;
    GN_TRY(take_words(v, 3, "the number of one trial", err));
    GN_TRY(open_view(v, GN_STUDY_READ, err));
    GN_TRY(find_trial(v, 2, &trial, err));
    return show(v, trial, err);
}

static gn_status show_best(view *v, gn_error *err)
{
    GN_TRY(take_words(v, 2, "no further words", err));
    GN_TRY(open_view(v, GN_STUDY_READ, err));
    if (v->model->leader == NULL)
        return gn_fail_at(err, GN_ENOENT, gn_study_path(v->study), 0, "none of its %zu trials has a result yet",
                          v->model->n_trials);
    gn_cli_say("%s\n", v->model->winner != NULL ? "the winner" : "the best so far; the search has not ended");
    return show(v, v->model->leader, err);
}

/* --- export --------------------------------------------------------------------------------------------------------- */

static gn_status export_csv(view *v, const char *output, gn_error *err)
{
    const char *path = gn_args_positional(v->args, 0);
    const gn_report_options how = {.format = GN_REPORT_CSV};
    GN_TRY(take_words(v, 2, "no number with --csv", err));
    GN_TRY(gn_report_write_as(&path, 1, output, &how, NULL, err));
    gn_cli_say("all trials of %s: %s\n", path, output);
    return GN_OK;
}

static gn_status export_model(view *v, const char *output, gn_error *err)
{
    const gn_report_trial *trial = NULL;
    char path[1100];
    char *data = NULL;
    size_t bytes = 0;
    GN_TRY(take_words(v, 3, "the number of one trial, or --csv", err));
    if (!gn_has_suffix(output, ".onnx"))
        return gn_fail(err, GN_EUSAGE,
                       "--output %s: a trial's model is an .onnx file; `gannet export` makes others of it", output);
    GN_TRY(open_view(v, GN_STUDY_READ, err));
    GN_TRY(find_trial(v, 2, &trial, err));
    GN_TRY(gn_path_join(trial->row->folder, "best.onnx", path, sizeof path));
    if (trial->row->folder[0] == '\0' || !gn_path_exists(path))
        return gn_fail(err, GN_ENOENT,
                       "trial %" PRId64 " (%s) has no model%s%s; train it again with `gannet train "
                       "--from-trial %s:%" PRId64 "`",
                       trial->row->id, gn_trial_state_name(trial->row->state),
                       trial->row->folder[0] != '\0' ? " in " : "", trial->row->folder, gn_study_path(v->study),
                       trial->row->id);
    GN_TRY(gn_file_read(path, MODEL_MAX_BYTES, &data, &bytes, err));
    const gn_status status = gn_file_write(output, data, bytes, err);
    gn_free(data);
    if (status == GN_OK)
        gn_cli_say("the best model of trial %" PRId64 " (%s): %s\n", trial->row->id, trial->label, output);
    return status;
}

static gn_status export_trial(view *v, gn_error *err)
{
    const char *output = gn_args_str(v->args, "output");
    if (output == NULL)
        return gn_fail(err, GN_EUSAGE, "-o FILE is missing: where to export to");
    return gn_args_flag(v->args, "csv") ? export_csv(v, output, err) : export_model(v, output, err);
}

/* --- rm ------------------------------------------------------------------------------------------------------------- */

static gn_status check_removable(const gn_report_trial *trial, gn_error *err)
{
    if (trial->is_winner)
        return gn_fail(err, GN_EINVAL, "trial %" PRId64 " is the winner of the study; it stays", trial->row->id);
    if (trial->row->state == GN_TRIAL_RUNNING)
        return gn_fail(err, GN_EBUSY, "trial %" PRId64 " is running", trial->row->id);
    return GN_OK;
}

static gn_status remove_one(view *v, const gn_report_trial *trial, gn_error *err)
{
    const char *folder = trial->row->folder;
    GN_TRY(gn_study_remove_trial(v->study, trial->row->id, err));
    if (!gn_args_flag(v->args, "files") || folder[0] == '\0' || !gn_path_is_dir(folder))
        return GN_OK;
    if (!gn_has_prefix(gn_path_name(folder), "trial-")) {
        gn_cli_say("%s stays: it is no folder that a search made\n", folder);
        return GN_OK;
    }
    if (!gn_remove_tree(folder))
        return gn_fail_at(err, GN_EIO, folder, 0, "the trial is removed from the study, but not all of its files");
    return GN_OK;
}

/* All that are named may go, or none goes. */
static gn_status remove_trials(view *v, gn_error *err)
{
    const bool is_failed = gn_args_flag(v->args, "failed");
    const int n_words = gn_args_n_positional(v->args);
    int64_t n_removed = 0;
    if (is_failed == (n_words > 2))
        return gn_fail(err, GN_EUSAGE, "`gannet study F.db rm` takes numbers of trials, or --failed");
    GN_TRY(open_view(v, GN_STUDY_WRITE, err));
    for (int i = 2; i < n_words; i++) {
        const gn_report_trial *trial = NULL;
        GN_TRY(find_trial(v, i, &trial, err));
        GN_TRY(check_removable(trial, err));
    }
    for (int i = 2; i < n_words; i++, n_removed++) {
        const gn_report_trial *trial = NULL;
        GN_TRY(find_trial(v, i, &trial, err));
        GN_TRY(remove_one(v, trial, err));
    }
    for (size_t i = 0; i < v->model->n_trials && is_failed; i++) {
        if (v->model->trial[i].row->state != GN_TRIAL_FAILED || v->model->trial[i].is_winner)
            continue;
        GN_TRY(remove_one(v, &v->model->trial[i], err));
        n_removed++;
    }
    gn_cli_say("removed %" PRId64 " of %zu trials\n", n_removed, v->model->n_trials);
    if (!gn_args_flag(v->args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_int(&j, "removed", n_removed);
    return print_json(&j, err);
}

/* --- the verb ------------------------------------------------------------------------------------------------------- */

static gn_status act(view *v, gn_error *err)
{
    static const char *const names[] = {"list", "show", "best", "export", "rm"};
    static gn_status (*const actions[])(view *, gn_error *) = {list_trials, show_trial, show_best, export_trial,
                                                               remove_trials};
    const char *word = gn_args_positional(v->args, 1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0)
            return actions[i](v, err);
    const char *near = gn_nearest(word, names, 5);
    return gn_fail(err, GN_EUSAGE, "\"%.40s\" is nothing to do with a study; %s%s", word,
                   near != NULL ? "did you mean " : "expected list, show, best, export or rm",
                   near != NULL ? near : "");
}

static int run(int argc, char **argv)
{
    view v = {0};
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &v.args, &code))
        return code;
    gn_error err = {0};
    if (act(&v, &err) != GN_OK)
        code = gn_cli_fail(v.args, &err);
    gn_report_model_destroy(&v.model);
    gn_study_close(&v.study);
    gn_args_destroy(&v.args);
    return code;
}

const gn_verb gn_verb_study = {"study", "looks at a search's trials, takes a model out, removes trials", "Choose", run};
