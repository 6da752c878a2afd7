/* The HTML page: page.html with its style, its script and the data put in their places.
 * SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/file.h"
#include "report/report.h"

extern const unsigned char gn_page_html[], gn_page_css[], gn_page_js[];

void gn_report_page(const char *json, gn_text *out)
{
    const struct {
        const char *mark;
        const char *content;
    } parts[] = {
        {"@CSS@", (const char *)gn_page_css},
        {"@DATA@", json},
        {"@JS@", (const char *)gn_page_js},
    };
    const char *rest = (const char *)gn_page_html;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        const char *at = strstr(rest, parts[i].mark);
        GN_ASSERT(at != NULL);
        gn_text_add_bytes(out, rest, (size_t)(at - rest));
        gn_text_add(out, parts[i].content);
        rest = at + strlen(parts[i].mark);
    }
    gn_text_add(out, rest);
}

gn_status gn_report_write(const char *study_path, const char *html_path, size_t *bytes_out, gn_error *err)
{
    gn_study *study = NULL;
    gn_text json, page;
    GN_TRY(gn_study_open(study_path, GN_STUDY_READ, &study, err));
    gn_text_init(&json);
    gn_text_init(&page);
    gn_status status = gn_report_json(study, &json, err);
    if (status == GN_OK)
        gn_report_page(json.data, &page);
    if (status == GN_OK && page.failed)
        status = gn_fail(err, GN_ENOMEM, "making the report: out of memory");
    if (status == GN_OK)
        status = gn_file_write(html_path, page.data, page.len, err);
    if (status == GN_OK && bytes_out != NULL)
        *bytes_out = page.len;
    gn_text_deinit(&json);
    gn_text_deinit(&page);
    gn_study_close(&study);
    return status;
}
