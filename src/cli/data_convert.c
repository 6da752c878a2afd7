/* gannet data --to; see data_convert.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/data_convert.h"

#include <inttypes.h>

gn_status gn_cli_data_convert(const gn_args *args, const gn_dataset *set, gn_write_report *report_out, gn_error *err)
{
    gn_data_format format = GN_DATA_YOLO;
    gn_data_pictures pictures = GN_PICTURES_LINK;
    /* The choices of the options are these words. */
    gn_data_format_parse(gn_args_str(args, "to"), &format);
    gn_data_pictures_parse(gn_args_str(args, "pictures"), &pictures);
    return gn_dataset_write(set, format, pictures, gn_args_str(args, "output"), report_out, err);
}

void gn_cli_data_print_report(const gn_args *args, const gn_write_report *r)
{
    const struct {
        int64_t n;
        const char *what;
    } rows[] = {
        {r->dropped_crowds, "crowds are left out: a YOLO label would make objects of them"},
        {r->lost_flags, "boxes lose their mark (difficult, truncated)"},
        {r->lost_box_ids, "boxes lose their number"},
        {r->lost_areas, "boxes lose the area of their outline"},
        {r->lost_picture_ids, "pictures lose their number"},
        {r->rounded_boxes, "boxes are rounded to whole pixels"},
        {r->renamed, "pictures have another name, because theirs was taken"},
    };
    gn_cli_print("\nWritten as %s into %s: %" PRId64 " pictures, %" PRId64 " boxes.\n", gn_args_str(args, "to"),
                 gn_args_str(args, "output"), r->pictures, r->boxes);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].n > 0)
            gn_cli_print("%8" PRId64 "  %s\n", rows[i].n, rows[i].what);
    if (r->lost_category_ids)
        gn_cli_print("          classes lose their numbers: VOC knows names only\n");
}

void gn_cli_data_json_report(gn_jsonw *j, const gn_write_report *r)
{
    gn_jsonw_object(j, "written");
    gn_jsonw_int(j, "pictures", r->pictures);
    gn_jsonw_int(j, "boxes", r->boxes);
    gn_jsonw_int(j, "renamed", r->renamed);
    gn_jsonw_int(j, "dropped_crowds", r->dropped_crowds);
    gn_jsonw_int(j, "lost_flags", r->lost_flags);
    gn_jsonw_int(j, "lost_box_ids", r->lost_box_ids);
    gn_jsonw_int(j, "lost_areas", r->lost_areas);
    gn_jsonw_int(j, "lost_picture_ids", r->lost_picture_ids);
    gn_jsonw_int(j, "rounded_boxes", r->rounded_boxes);
    gn_jsonw_bool(j, "lost_category_ids", r->lost_category_ids);
    gn_jsonw_end(j);
}
