/* Settings of training as text.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/train_settings.h"

#include <inttypes.h>
#include <string.h>

#include "cli/train_options.h"

/* --epochs: a run may go on for longer.  --data: its hash counts. */
static const char *const free_to_change[] = {"epochs", "threads",  "workers",   "cache",    "project",
                                             "name",   "exist-ok", "resume",    "pictures", "patience",
                                             "data",   "device",   "from-trial"};

/* '-' and '_' alike. */
static bool same_option(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((a[i] == '-' ? '_' : a[i]) != (b[i] == '-' ? '_' : b[i]))
            return false;
    return b[n] == '\0';
}

static bool is_free(const char *option, size_t n)
{
    for (size_t i = 0; i < sizeof free_to_change / sizeof *free_to_change; i++)
        if (same_option(option, free_to_change[i], n))
            return true;
    return false;
}

bool gn_train_is_free(const char *option)
{
    return is_free(option, strlen(option)) || strcmp(option, "json") == 0 || strcmp(option, "cfg") == 0;
}

typedef void (*line_fn)(const gn_args *args, const char *line, size_t n_name, size_t n, gn_text *out);

/* Every `name: value` line of the settings. */
static gn_status each_line(const gn_args *args, line_fn each, gn_text *out)
{
    gn_text yaml;
    gn_text_init(&yaml);
    gn_args_yaml(args, &yaml);
    for (const char *line = yaml.data; line != NULL && *line != '\0';) {
        const char *end = strchr(line, '\n');
        const size_t n = end != NULL ? (size_t)(end - line) : strlen(line);
        each(args, line, strcspn(line, ":"), n, out);
        line += n + (end != NULL);
    }
    const bool failed = yaml.failed || out->failed;
    gn_text_deinit(&yaml);
    return failed ? GN_ENOMEM : GN_OK;
}

static void add_setting(const gn_args *args, const char *line, size_t n_name, size_t n, gn_text *out)
{
    (void)args;
    if (is_free(line, n_name))
        return;
    gn_text_add_bytes(out, line, n);
    gn_text_add(out, "\n");
}

gn_status gn_train_settings_text(const gn_args *args, const gn_dataset *dataset, gn_text *out)
{
    GN_TRY(each_line(args, add_setting, out));
    gn_text_printf(out, "data_hash: %016" PRIx64 "\n", gn_dataset_hash(dataset));
    return out->failed ? GN_ENOMEM : GN_OK;
}

/* The table's default of an option; NULL when it has none. */
static const char *default_of(const char *option, size_t n)
{
    for (size_t i = 0; i < gn_train_spec.n_options; i++)
        if (same_option(option, gn_train_spec.options[i].name, n))
            return gn_train_spec.options[i].init;
    return NULL;
}

/* How long the run goes on decides nothing about an epoch when the schedule has an end of its own. */
static void add_provenance(const gn_args *args, const char *line, size_t n_name, size_t n, gn_text *out)
{
    const bool is_epochs = same_option(line, "epochs", n_name), is_data = same_option(line, "data", n_name);
    const char *value = line + n_name + 2, *init = default_of(line, n_name);
    const size_t n_value = n - n_name - 2;
    if (is_free(line, n_name) && !is_data && !(is_epochs && gn_args_int(args, "schedule-epochs") == 0))
        return;
    if (init != NULL && strlen(init) == n_value && memcmp(init, value, n_value) == 0)
        return;
    gn_text_add(out, " --");
    for (size_t i = 0; i < n_name; i++)
        gn_text_add_bytes(out, line[i] == '_' ? "-" : &line[i], 1);
    gn_text_add(out, "=");
    gn_text_add_bytes(out, value, n_value);
}

gn_status gn_train_provenance(const gn_args *args, gn_text *out)
{
    gn_text_add(out, "gannet train");
    return each_line(args, add_provenance, out);
}
