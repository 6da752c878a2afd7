/* Writing reports; see report_write.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "report/report_write.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "report/report.h"
#include "report/report_formats.h"
#include "report/report_plots.h"

bool gn_report_format_parse(const char *name, gn_report_format *format_out)
{
    static const struct {
        const char *name;
        gn_report_format format;
    } formats[] = {
        {"html", GN_REPORT_HTML},         {"htm", GN_REPORT_HTML},  {"md", GN_REPORT_MARKDOWN},
        {"markdown", GN_REPORT_MARKDOWN}, {"csv", GN_REPORT_CSV},   {"tex", GN_REPORT_LATEX},
        {"latex", GN_REPORT_LATEX},       {"json", GN_REPORT_JSON},
    };
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i].name, name) == 0) {
            *format_out = formats[i].format;
            return true;
        }
    return false;
}

const char *gn_report_format_ending(gn_report_format format)
{
    static const char *const endings[] = {[GN_REPORT_HTML] = "html",
                                          [GN_REPORT_MARKDOWN] = "md",
                                          [GN_REPORT_CSV] = "csv",
                                          [GN_REPORT_LATEX] = "tex",
                                          [GN_REPORT_JSON] = "json"};
    return endings[format];
}

static void free_models(gn_report_model **models, size_t n)
{
    for (size_t i = 0; models != NULL && i < n; i++)
        gn_report_model_destroy(&models[i]);
    gn_free(models);
}

static gn_status load_models(const char *const *study_paths, size_t n, gn_report_model ***models_out, gn_error *err)
{
    gn_report_model **models = gn_calloc(n, sizeof *models);
    gn_status status = models != NULL ? GN_OK : gn_fail(err, GN_ENOMEM, "reading the studies: out of memory");
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        gn_study *study = NULL;
        status = gn_study_open(study_paths[i], GN_STUDY_READ, &study, err);
        if (status == GN_OK)
            status = gn_report_model_load(study, &models[i], err);
        gn_study_close(&study);
    }
    if (status != GN_OK) {
        free_models(models, n);
        return status;
    }
    *models_out = models;
    return GN_OK;
}

gn_status gn_report_write_as(const char *const *study_paths, size_t n, const char *path,
                             const gn_report_options *options, size_t *bytes_out, gn_error *err)
{
    static gn_status (*const make[])(const gn_report_model *const *, size_t, gn_text *, gn_error *) = {
        [GN_REPORT_MARKDOWN] = gn_report_markdown,
        [GN_REPORT_CSV] = gn_report_csv,
        [GN_REPORT_LATEX] = gn_report_latex,
        [GN_REPORT_JSON] = gn_report_export,
    };
    gn_report_model **models = NULL;
    gn_text text;
    if (options->format == GN_REPORT_HTML)
        return gn_report_write_all(study_paths, n, options->has_pictures, path, bytes_out, err);
    GN_TRY(load_models(study_paths, n, &models, err));
    gn_text_init(&text);
    gn_status status = make[options->format]((const gn_report_model *const *)models, n, &text, err);
    if (status == GN_OK && text.failed)
        status = gn_fail(err, GN_ENOMEM, "making the report: out of memory");
    if (status == GN_OK)
        status = gn_file_write(path, text.data, text.len, err);
    if (status == GN_OK && bytes_out != NULL)
        *bytes_out = text.len;
    gn_text_deinit(&text);
    free_models(models, n);
    return status;
}

/* A folder of its own for one of several studies: its file's name without ending, with its number where another has the same. */
static gn_status study_folder(const gn_report_model *m, size_t number, size_t n, const char *folder, char *dst,
                              size_t bytes, gn_error *err)
{
    char name[256];
    const char *file = gn_path_name(m->path);
    snprintf(name, sizeof name, "%zu-%.*s", number + 1, (int)(strlen(file) - strlen(gn_path_ext(file))), file);
    const gn_status status = gn_path_join(folder, n > 1 ? name : ".", dst, bytes);
    return status == GN_OK ? gn_make_dirs(dst, err)
                           : gn_fail(err, status, "the path of %s in %s is too long", name, folder);
}

gn_status gn_report_write_plots(const char *const *study_paths, size_t n, const char *folder, size_t *n_out,
                                gn_error *err)
{
    gn_report_model **models = NULL;
    size_t drawn = 0;
    char path[1024];
    GN_TRY(load_models(study_paths, n, &models, err));
    gn_status status = gn_make_dirs(folder, err);
    for (size_t i = 0; i < n && status == GN_OK; i++) {
        status = study_folder(models[i], i, n, folder, path, sizeof path, err);
        if (status == GN_OK)
            status = gn_report_plots(models[i], path, &drawn, err);
    }
    free_models(models, n);
    if (status == GN_OK && n_out != NULL)
        *n_out = drawn;
    return status;
}
