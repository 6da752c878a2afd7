/* The HTML page: page.html with its style, its scripts and the data put in their places.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "report/report.h"
#include "report/report_values.h"
#include "report/report_write.h"

extern const unsigned char gn_page_html[], gn_page_css[];
extern const unsigned char gn_page_base_js[], gn_page_model_js[], gn_page_chart_js[], gn_page_overview_js[],
    gn_page_glance_js[], gn_page_curves_js[], gn_page_table_js[], gn_page_winner_js[], gn_page_js[];

/* The files share one scope; page.js, which begins to draw, comes last. */
static const unsigned char *const scripts[] = {
    gn_page_base_js,   gn_page_model_js, gn_page_chart_js,  gn_page_overview_js, gn_page_glance_js,
    gn_page_curves_js, gn_page_table_js, gn_page_winner_js, gn_page_js,
};

static void add_mark(const char *mark, size_t n, const char *json, const char *live_url, gn_text *out)
{
    if (strncmp(mark, "CSS", n) == 0)
        gn_text_add(out, (const char *)gn_page_css);
    else if (strncmp(mark, "CONNECT", n) == 0)
        gn_text_add(out, live_url != NULL ? "; connect-src 'self'" : "");
    else if (strncmp(mark, "LIVE", n) == 0 && live_url != NULL)
        gn_report_add_string(out, live_url);
    else if (strncmp(mark, "LIVE", n) == 0)
        gn_text_add(out, "null");
    else if (strncmp(mark, "DATA", n) == 0)
        gn_text_add(out, json);
    else if (strncmp(mark, "JS", n) == 0)
        for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
            gn_text_add(out, (const char *)scripts[i]);
    else
        GN_ASSERT(!"a mark of page.html that nothing is put for");
}

/* Marks of page.html look like @NAME@; nothing else in it has an @. */
void gn_report_page(const char *json, const char *live_url, gn_text *out)
{
    const char *rest = (const char *)gn_page_html;
    for (const char *at; (at = strchr(rest, '@')) != NULL;) {
        const char *end = strchr(at + 1, '@');
        GN_ASSERT(end != NULL);
        gn_text_add_bytes(out, rest, (size_t)(at - rest));
        add_mark(at + 1, (size_t)(end - at - 1), json, live_url, out);
        rest = end + 1;
    }
    gn_text_add(out, rest);
}

static gn_status write_page(gn_study *const *studies, size_t n, bool has_pictures, const char *html_path,
                            size_t *bytes_out, gn_error *err)
{
    gn_text json, page;
    gn_text_init(&json);
    gn_text_init(&page);
    gn_status status = gn_report_json(studies, n, has_pictures, &json, err);
    if (status == GN_OK)
        gn_report_page(json.data, NULL, &page);
    if (status == GN_OK && page.failed)
        status = gn_fail(err, GN_ENOMEM, "making the report: out of memory");
    if (status == GN_OK)
        status = gn_file_write(html_path, page.data, page.len, err);
    if (status == GN_OK && bytes_out != NULL)
        *bytes_out = page.len;
    gn_text_deinit(&json);
    gn_text_deinit(&page);
    return status;
}

gn_status gn_report_write_all(const char *const *study_paths, size_t n, bool has_pictures, const char *html_path,
                              size_t *bytes_out, gn_error *err)
{
    gn_study *studies[GN_REPORT_MAX_STUDIES] = {NULL};
    gn_status status = GN_OK;
    if (n > GN_REPORT_MAX_STUDIES)
        return gn_fail(err, GN_ELIMIT, "making %s: %zu studies were named, at most %d stand on one page", html_path, n,
                       GN_REPORT_MAX_STUDIES);
    for (size_t i = 0; i < n && status == GN_OK; i++)
        status = gn_study_open(study_paths[i], GN_STUDY_READ, &studies[i], err);
    if (status == GN_OK)
        status = write_page(studies, n, has_pictures, html_path, bytes_out, err);
    for (size_t i = 0; i < n; i++)
        gn_study_close(&studies[i]);
    return status;
}

gn_status gn_report_write(const char *study_path, const char *html_path, size_t *bytes_out, gn_error *err)
{
    return gn_report_write_all(&study_path, 1, true, html_path, bytes_out, err);
}
