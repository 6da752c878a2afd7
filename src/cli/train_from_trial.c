/* The settings of a trial as options of training.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_from_trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/memory.h"
#include "cli/train_options.h"
#include "cli/train_settings.h"
#include "gannet/search_api.h"
#include "gannet/store_api.h"

/* A trial on its way to options.  others: what was given and is not the trial's. */
typedef struct recall {
    gn_args *args;
    gn_study *study;
    gn_arena *arena;
    gn_trial trial;
    gn_text others;
} recall;

static gn_status split_name(const char *text, char *path, size_t path_bytes, int64_t *trial, gn_error *err)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || (size_t)(colon - text) >= path_bytes || !gn_parse_i64(colon + 1, trial) ||
        *trial < 1)
        return gn_fail(err, GN_EUSAGE, "--from-trial %.200s: a study and the number of a trial were expected, F.db:17",
                       text);
    snprintf(path, path_bytes, "%.*s", (int)(colon - text), text);
    return GN_OK;
}

/* The trial's value for an option; one that was given stays, and is noted when it is another. */
static gn_status give(recall *r, const char *name, const char *value, gn_error *err)
{
    if (!gn_args_knows(r->args, name))
        return gn_fail(err, GN_EUNSUPPORTED, "trial %" PRId64 " of %s has the option %s, which this version lacks",
                       r->trial.id, gn_study_path(r->study), name);
    return gn_args_is_set(r->args, name) ? GN_OK : gn_args_set_given(r->args, name, value, err);
}

static gn_status give_config(recall *r, gn_error *err)
{
    const gn_json *root = NULL;
    GN_TRY(gn_json_parse(r->trial.config, strlen(r->trial.config), r->arena, &root, err));
    for (const gn_json *m = root->first; m != NULL; m = m->next)
        GN_TRY(give(r, m->key, m->text, err));
    return GN_OK;
}

/* Epochs that the trial was trained for: those of its last stage; 0 when it finished none. */
static gn_status trained_epochs(recall *r, int64_t *epochs, gn_error *err)
{
    gn_result *list = NULL;
    size_t n = 0;
    *epochs = 0;
    GN_TRY(gn_study_results(r->study, r->arena, &list, &n, err));
    for (size_t i = 0; i < n; i++)
        if (list[i].trial == r->trial.id && strcmp(list[i].split, "val") == 0 && list[i].epochs > *epochs)
            *epochs = list[i].epochs;
    return GN_OK;
}

/* Where the curve of the rate ends: with the last rung of the search; 0 when the study does not say. */
static gn_status ladder_end(recall *r, int64_t *epochs, gn_error *err)
{
    const char *text = NULL;
    gn_stopping rule;
    *epochs = 0;
    GN_TRY(gn_study_fact_of(r->study, "stopping", r->arena, &text, err));
    if (text == NULL)
        GN_TRY(gn_study_fact_of(r->study, "stages", r->arena, &text, err));
    if (text == NULL)
        return GN_OK;
    GN_TRY(gn_stopping_parse(text, &rule, err));
    *epochs = rule.epochs[rule.n_ladder - 1];
    return GN_OK;
}

static gn_status give_course(recall *r, gn_error *err)
{
    int64_t epochs = 0, end = 0;
    char text[32];
    GN_TRY(trained_epochs(r, &epochs, err));
    GN_TRY(ladder_end(r, &end, err));
    if (epochs == 0)
        gn_cli_say("trial %" PRId64 " has finished no stage; it is trained to the end\n", r->trial.id);
    snprintf(text, sizeof text, "%" PRId64, epochs > 0 ? epochs : end);
    if (epochs > 0 || end > 0)
        GN_TRY(give(r, "epochs", text, err));
    snprintf(text, sizeof text, "%" PRId64, end);
    if (end > 0)
        GN_TRY(give(r, "schedule-epochs", text, err));
    snprintf(text, sizeof text, "%" PRId64, r->trial.seed);
    return give(r, "seed", text, err); /* a seed in the config has been given before */
}

static gn_status give_fact(recall *r, const char *fact, const char *option, const char *(*spell)(const char *),
                           gn_error *err)
{
    const char *value = NULL;
    GN_TRY(gn_study_fact_of(r->study, fact, r->arena, &value, err));
    return value != NULL ? give(r, option, spell != NULL ? spell(value) : value, err) : GN_OK;
}

/* Options that were given beside --from-trial and that change what is trained. */
static void note_others(recall *r)
{
    for (size_t i = 0; i < gn_train_spec.n_options; i++) {
        const char *name = gn_train_spec.options[i].name;
        const bool matters = strcmp(name, "epochs") == 0 || strcmp(name, "data") == 0 || !gn_train_is_free(name);
        if (matters && gn_args_is_set(r->args, name))
            gn_text_printf(&r->others, "%s--%s", r->others.len > 0 ? ", " : "", name);
    }
}

static gn_status give_all(recall *r, int64_t number, char *data_hash_out, gn_error *err)
{
    const char *hash = NULL;
    GN_TRY(gn_study_trial(r->study, number, r->arena, &r->trial, err));
    GN_TRY(gn_study_fact_of(r->study, "data_hash", r->arena, &hash, err));
    snprintf(data_hash_out, 17, "%s", hash != NULL ? hash : "");
    GN_TRY(give_config(r, err));
    GN_TRY(give_course(r, err));
    GN_TRY(give_fact(r, "data", "data", NULL, err));
    GN_TRY(give_fact(r, "objective", "best", gn_search_best_for, err));
    return r->others.failed ? gn_fail(err, GN_ENOMEM, "out of memory") : GN_OK;
}

gn_status gn_train_from_trial(gn_args *args, char *data_hash_out, gn_error *err)
{
    char path[1024];
    int64_t number = 0;
    data_hash_out[0] = '\0';
    if (!gn_args_has(args, "from-trial"))
        return GN_OK;
    GN_TRY(split_name(gn_args_str(args, "from-trial"), path, sizeof path, &number, err));
    recall r = {.args = args};
    gn_text_init(&r.others);
    note_others(&r);
    r.arena = gn_arena_create(0);
    gn_status status = r.arena != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "out of memory");
    if (status == GN_OK)
        status = gn_study_open(path, GN_STUDY_READ, &r.study, err);
    if (status == GN_OK)
        status = give_all(&r, number, data_hash_out, err);
    if (status == GN_OK && r.others.len > 0)
        gn_cli_say("not the same run as trial %" PRId64 ": given here are %s\n", number, r.others.data);
    gn_study_close(&r.study);
    gn_arena_destroy(&r.arena);
    gn_text_deinit(&r.others);
    return status;
}

void gn_train_compare_data(const char *data_hash, uint64_t hash)
{
    char now[17];
    snprintf(now, sizeof now, "%016" PRIx64, hash);
    if (data_hash[0] != '\0' && strcmp(now, data_hash) != 0)
        gn_cli_say("not the same run: the data set is not the one that the trial saw (%s, then %s)\n", now, data_hash);
}
