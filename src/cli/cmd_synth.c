/* gannet synth: draws a labelled face set, so that everything can be tried without photographs.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "base/clock.h"
#include "base/pool.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/cli_progress.h"
#include "draw/synth_set.h"

static const gn_opt options[] = {
    {.name = "images",
     .type = GN_OPT_INT,
     .metavar = "N",
     .group = "Set",
     .init = "480",
     .min = 1,
     .max = 1000000,
     .help = "pictures in all splits together"},
    {.name = "seed",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 9007199254740992.0,
     .help = "same seed, same bytes"},
    {.name = "split",
     .type = GN_OPT_LIST,
     .metavar = "A,B,C",
     .init = "0.7,0.15,0.15",
     .help = "shares of train, val and test"},
    {.name = "imgsz-range",
     .type = GN_OPT_LIST,
     .metavar = "MIN,MAX",
     .init = "160,480",
     .help = "range of the pictures' sides in pixels, 64 to 2048"},
    {.name = "empty",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.08",
     .min = 0,
     .max = 1,
     .help = "share of pictures without a face"},
    {.name = "several",
     .type = GN_OPT_DOUBLE,
     .metavar = "X",
     .init = "0.07",
     .min = 0,
     .max = 1,
     .help = "share of pictures with two or three faces"},
    {.name = "quality",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "90",
     .min = 1,
     .max = 100,
     .help = "of the JPEG files"},
    {.name = "exist-ok",
     .type = GN_OPT_FLAG,
     .help = "write into a folder that is not empty, replacing files of the same name"},
    GN_OPT_ROW_THREADS,
    GN_OPT_ROW_CFG,
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "synth",
    .usage = "DIR [options]",
    .about =
        "Draws a labelled face set into the folder DIR: varied faces, poses, hair, headwear, glasses, masks, "
        "backgrounds, "
        "light, noise, occlusion and sizes, some pictures with several faces and some with none. Boxes are exact, from "
        "forehead to chin and ear to ear.\n"
        "DIR/data.yaml names the set for the other verbs.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .min_positional = 1,
    .max_positional = 1,
    .examples = "  gannet synth faces --images 480 --seed 1\n"
                "  gannet data faces/data.yaml\n",
};

/* `n` numbers from a list option. */
static gn_status read_numbers(const gn_args *args, const char *name, size_t n, double *numbers, gn_error *err)
{
    size_t n_items = 0;
    const char *const *items = gn_args_list(args, name, &n_items);
    if (n_items != n)
        return gn_fail(err, GN_EUSAGE, "--%s takes %zu numbers between commas; %zu given", name, n, n_items);
    for (size_t i = 0; i < n; i++)
        if (!gn_parse_f64(items[i], &numbers[i]))
            return gn_fail(err, GN_EUSAGE, "--%s: \"%s\" is not a number", name, items[i]);
    return GN_OK;
}

static gn_status read_settings(const gn_args *args, gn_synth_set *set, gn_error *err)
{
    double range[2];
    gn_synth_set_init(set);
    GN_TRY(read_numbers(args, "split", GN_SYNTH_SPLITS, set->split, err));
    GN_TRY(read_numbers(args, "imgsz-range", 2, range, err));
    for (int i = 0; i < 2; i++)
        if (range[i] < 64.0 || range[i] > 2048.0 || range[i] != (double)(int)range[i])
            return gn_fail(err, GN_EUSAGE, "--imgsz-range: %g is not a whole number from 64 to 2048", range[i]);
    set->look.min_side_px = (int)range[0];
    set->look.max_side_px = (int)range[1];
    set->look.empty_frac = gn_args_double(args, "empty");
    set->look.several_frac = gn_args_double(args, "several");
    set->n_images = gn_args_int64(args, "images");
    set->seed = (uint64_t)gn_args_int64(args, "seed");
    set->quality = gn_args_int(args, "quality");
    set->is_exist_ok = gn_args_flag(args, "exist-ok");
    return GN_OK;
}

static gn_status tell(const gn_args *args, const gn_synth_counts *counts, double seconds)
{
    const char *dir = gn_args_positional(args, 0);
    const long long train = counts->images[GN_SYNTH_TRAIN], val = counts->images[GN_SYNTH_VAL];
    const long long test = counts->images[GN_SYNTH_TEST];
    gn_cli_say(
        "%lld pictures (%lld train, %lld val, %lld test), %lld boxes, %lld without a face, in %.1f s: %s/data.yaml\n",
        train + val + test, train, val, test, (long long)counts->boxes, (long long)counts->empty, seconds, dir);
    if (!gn_args_flag(args, "json"))
        return GN_OK;
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "path", dir);
    gn_jsonw_int(&j, "images", train + val + test);
    gn_jsonw_int(&j, "train", train);
    gn_jsonw_int(&j, "val", val);
    gn_jsonw_int(&j, "test", test);
    gn_jsonw_int(&j, "boxes", counts->boxes);
    gn_jsonw_int(&j, "without_face", counts->empty);
    gn_jsonw_int(&j, "seed", gn_args_int64(args, "seed"));
    gn_jsonw_num(&j, "seconds", seconds);
    return gn_jsonw_print(&j);
}

static gn_status write_set(const gn_args *args, gn_error *err)
{
    gn_synth_set set;
    gn_synth_counts counts;
    gn_pool *pool = NULL;
    const int64_t begin_ns = gn_now_ns();
    GN_TRY(read_settings(args, &set, err));
    gn_status status = gn_pool_create(gn_cli_threads(args), &pool);
    if (status != GN_OK)
        return gn_fail(err, status, "cannot start %d threads", gn_cli_threads(args));
    status = gn_synth_set_write(gn_args_positional(args, 0), &set, pool, &counts, err);
    gn_pool_destroy(&pool);
    gn_cli_progress_end();
    if (status == GN_EINVAL) /* every setting came from the command line */
        err->status = GN_EUSAGE;
    if (status != GN_OK)
        return status;
    status = tell(args, &counts, (double)(gn_now_ns() - begin_ns) * 1e-9);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write the result to standard output");
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err = {0};
    if (write_set(args, &err) != GN_OK)
        code = gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_synth = {"synth", "draws a labelled face set", "Data", run};
