/* gannet zoo: the networks that can be built by name, with what they cost.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "cli/zoo_costs.h"
#include "gannet/zoo_api.h"

static const gn_opt options[] = {
    GN_OPT_ROW_HEAD,
    GN_OPT_ROW_CLASSES,
    GN_OPT_ROW_IMGSZ,
    {.name = "sort",
     .type = GN_OPT_STRING,
     .init = "none",
     .choices = "none|params|macs",
     .group = "Output",
     .help = "order of the table"},
    GN_OPT_ROW_JSON,
    GN_OPT_ROW_CFG,
};

static const gn_args_spec spec = {
    .verb = "zoo",
    .usage = "[NAME...] [--head classify] [--imgsz N] [options]",
    .about =
        "Lists the networks of the zoo, backbones and then detectors: parameters and multiply-accumulates of one "
        "picture "
        "with the head chosen, numbers per picture that the head gets, and the smallest picture that works. NAME: only "
        "these; widths and activations are understood, as in mobilenet_v2@0.35 or resnet18+silu. A detector has a head "
        "of its own and is counted with 80 classes, at the size that it was published for, unless --classes and "
        "--imgsz "
        "say otherwise.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .max_positional = -1,
    .examples = "  gannet zoo --head classify\n"
                "  gannet zoo --head detect --sort macs\n"
                "  gannet zoo mobilenet_v1@0.25 mobilenet_v2@0.35 --head features\n",
};

#define MOST_ROWS 256

typedef struct row {
    char model[64];
    gn_zoo_entry entry;
    gn_zoo_costs costs;
    int width_px, height_px;
    bool is_too_small; /* the picture is, for this network */
} row;

typedef struct table {
    row rows[MOST_ROWS];
    size_t n;
} table;

static gn_status add_row(table *t, const char *model, const gn_args *args, gn_cli_size size, gn_error *err)
{
    if (t->n == MOST_ROWS)
        return gn_fail(err, GN_ELIMIT, "more than %d networks are named", MOST_ROWS);
    row *r = &t->rows[t->n];
    *r = (row){0};
    snprintf(r->model, sizeof r->model, "%s", model);
    gn_zoo_options o = gn_cli_zoo_options(model, args, size);
    const bool is_known = gn_zoo_find(model, &r->entry);
    if (r->entry.is_detector)
        o.head = "detect";
    r->width_px = o.width_px;
    r->height_px = o.height_px;
    r->is_too_small = is_known && (o.width_px < r->entry.smallest_px || o.height_px < r->entry.smallest_px);
    if (!r->is_too_small)
        GN_TRY(gn_zoo_costs_of(&o, &r->costs, err));
    t->n++;
    return GN_OK;
}

/* Whether a list without names holds it: --head says so when it is given. */
static bool is_listed(const gn_zoo_entry *entry, const gn_args *args)
{
    return !gn_args_is_set(args, "head") || (strcmp(gn_args_str(args, "head"), "detect") == 0) == !!entry->is_detector;
}

static gn_status fill(table *t, const gn_args *args, gn_error *err)
{
    gn_cli_size size;
    const int n = gn_args_n_positional(args);
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, err));
    for (int i = 0; i < n; i++)
        GN_TRY(add_row(t, gn_args_positional(args, i), args, size, err));
    for (size_t i = 0; i < gn_zoo_count() && n == 0; i++) {
        const gn_zoo_entry entry = gn_zoo_at(i);
        if (is_listed(&entry, args))
            GN_TRY(add_row(t, entry.name, args, size, err));
    }
    return GN_OK;
}

/* Stable, by insertion. */
static void sort_rows(table *t, const char *key)
{
    const bool by_macs = strcmp(key, "macs") == 0;
    if (strcmp(key, "none") == 0)
        return;
    for (size_t i = 1; i < t->n; i++) {
        const row moved = t->rows[i];
        const int64_t x = by_macs ? moved.costs.macs : moved.costs.params;
        size_t k = i;
        for (; k > 0 && (by_macs ? t->rows[k - 1].costs.macs : t->rows[k - 1].costs.params) > x; k--)
            t->rows[k] = t->rows[k - 1];
        t->rows[k] = moved;
    }
}

static const char *head_of(const row *r, const gn_args *args)
{
    return r->entry.is_detector ? "detect" : gn_args_str(args, "head");
}

static gn_status print_json(const table *t, const gn_args *args, gn_cli_size size, gn_error *err)
{
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "head", gn_args_str(args, "head"));
    gn_jsonw_array(&j, "imgsz");
    gn_jsonw_int(&j, NULL, size.width ? size.width : 224);
    gn_jsonw_int(&j, NULL, size.height ? size.height : 224);
    gn_jsonw_end(&j);
    gn_jsonw_array(&j, "models");
    for (size_t i = 0; i < t->n; i++) {
        const row *r = &t->rows[i];
        gn_jsonw_object(&j, NULL);
        gn_jsonw_str(&j, "model", r->model);
        gn_jsonw_str(&j, "about", r->entry.line);
        gn_jsonw_str(&j, "head", head_of(r, args));
        gn_jsonw_array(&j, "imgsz");
        gn_jsonw_int(&j, NULL, r->width_px);
        gn_jsonw_int(&j, NULL, r->height_px);
        gn_jsonw_end(&j);
        gn_jsonw_bool(&j, "takes_width", r->entry.takes_width);
        gn_jsonw_int(&j, "smallest_px", r->entry.smallest_px);
        if (r->is_too_small) {
            gn_jsonw_null(&j, "params");
            gn_jsonw_null(&j, "macs");
        } else {
            gn_jsonw_int(&j, "params", r->costs.params);
            gn_jsonw_int(&j, "buffers", r->costs.buffers);
            gn_jsonw_int(&j, "macs", r->costs.macs);
            gn_jsonw_int(&j, "flops", 2 * r->costs.macs);
            gn_jsonw_int(&j, "feature_width", r->costs.feature_width);
        }
        gn_jsonw_end(&j);
    }
    gn_jsonw_end(&j);
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? status : gn_fail(err, status, "the result cannot be written to standard output");
}

static void print_row(const row *r)
{
    char features[16] = "-", px[32];
    snprintf(px, sizeof px, "%d x %d", r->width_px, r->height_px);
    if (r->costs.feature_width > 0)
        snprintf(features, sizeof features, "%d", r->costs.feature_width);
    if (r->is_too_small)
        gn_cli_print("%-22s %11s %10s %9s %9d %11s  %s\n", r->model, "-", "-", "-", r->entry.smallest_px, px,
                     r->entry.line);
    else
        gn_cli_print("%-22s %11" PRId64 " %10.1f %9s %9d %11s  %s\n", r->model, r->costs.params,
                     1e-6 * (double)r->costs.macs, features, r->entry.smallest_px, px, r->entry.line);
}

static void print_table(const table *t, const gn_args *args)
{
    gn_cli_print("head %s, of detectors detect; MACs of one picture of the size in the last column (FLOPs are twice "
                 "that)\n\n",
                 gn_args_str(args, "head"));
    gn_cli_print("%-22s %11s %10s %9s %9s %11s\n", "model", "params", "MACs M", "features", "from px", "px");
    for (size_t i = 0; i < t->n; i++)
        print_row(&t->rows[i]);
}

static int run(int argc, char **argv)
{
    static table t;
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    gn_cli_size size = {0};
    gn_status status = fill(&t, args, &err);
    if (status == GN_OK)
        status = gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &size, &err);
    if (status == GN_OK) {
        sort_rows(&t, gn_args_str(args, "sort"));
        if (gn_args_flag(args, "json"))
            status = print_json(&t, args, size, &err);
        else
            print_table(&t, args);
    }
    if (status != GN_OK && err.status == GN_OK)
        gn_fail(&err, status, "%s", gn_status_sentence(status));
    code = status == GN_OK ? 0 : gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_zoo = {"zoo", "networks that can be built by name, with what they cost", "Look", run};
