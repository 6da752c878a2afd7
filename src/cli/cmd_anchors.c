/* gannet anchors: anchors that fit a data set's boxes, as they stand in the network's input.
 * SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cli/cli_args.h"
#include "cli/cli_json.h"
#include "cli/model_source.h"
#include "gannet/data_api.h"
#include "gannet/detect_api.h"

/* Boxes that are smaller both ways, in pixels of the input, teach nothing about shapes. */
#define LEAST_SIDE 2.0f

typedef struct box_sizes {
    float (*size)[2]; /* [n] pixels of the network's input */
    int64_t n;
    int64_t tiny, crowds; /* left out */
} box_sizes;

static int64_t count_boxes(const gn_dataset *set, gn_split split)
{
    int64_t n = 0;
    for (int64_t i = 0; i < gn_dataset_count(set, split); i++)
        n += gn_dataset_sample(set, split, i)->n_boxes;
    return n;
}

/* Sizes of a picture's boxes after it was fitted into the input. */
static void add_sample(box_sizes *b, const gn_sample *s, gn_cli_size input, bool stretch)
{
    const double sx = (double)input.width / s->width, sy = (double)input.height / s->height;
    const double scale_x = stretch ? sx : fmin(sx, sy), scale_y = stretch ? sy : fmin(sx, sy);
    for (int i = 0; i < s->n_boxes; i++) {
        const gn_box *box = &s->box[i];
        const float w = (float)(((double)box->x2 - (double)box->x1) * s->width * scale_x);
        const float h = (float)(((double)box->y2 - (double)box->y1) * s->height * scale_y);
        if (s->flags != NULL && (s->flags[i] & GN_BOX_CROWD)) {
            b->crowds++;
        } else if (w < LEAST_SIDE && h < LEAST_SIDE) {
            b->tiny++;
        } else {
            b->size[b->n][0] = w;
            b->size[b->n++][1] = h;
        }
    }
}

static gn_status gather(const gn_dataset *set, gn_split split, gn_cli_size input, bool stretch, box_sizes *b,
                        gn_error *err)
{
    b->size = gn_alloc(((size_t)count_boxes(set, split) + 1) * sizeof *b->size);
    if (b->size == NULL)
        return gn_fail(err, GN_ENOMEM, "out of memory for the boxes of %s", gn_dataset_path(set));
    for (int64_t i = 0; i < gn_dataset_count(set, split); i++)
        add_sample(b, gn_dataset_sample(set, split, i), input, stretch);
    if (b->n == 0)
        return gn_fail_at(err, GN_EDATA, gn_dataset_path(set), 0,
                          "no box of the split %s can make an anchor (%" PRId64 " are smaller than %g pixels, %" PRId64
                          " are crowds)",
                          gn_split_name(split), b->tiny, (double)LEAST_SIDE, b->crowds);
    return GN_OK;
}

static void print_text(const gn_args *args, const box_sizes *b, gn_cli_size input, const float (*anchor)[2],
                       const gn_anchor_fit *fit)
{
    const int k = gn_args_int(args, "anchors"), maps = gn_args_int(args, "maps");
    gn_cli_print("%d anchors for %s at %d x %d, out of %" PRId64 " boxes of the split %s\n\n", k,
                 gn_args_str(args, "data"), input.width, input.height, b->n, gn_args_str(args, "split"));
    for (int m = 0; m < maps; m++) {
        gn_cli_print("map %d%s", m, m == 0 ? " (finest)" : "         ");
        for (int a = m * (k / maps); a < (m + 1) * (k / maps); a++)
            gn_cli_print("%s %.1f,%.1f", a % (k / maps) > 0 ? " " : "", (double)anchor[a][0], (double)anchor[a][1]);
        gn_cli_print("\n");
    }
    gn_cli_print("\nanchors = ");
    for (int a = 0; a < k; a++)
        gn_cli_print("%s%.0f,%.0f", a > 0 ? ", " : "", fmax(1, round((double)anchor[a][0])),
                     fmax(1, round((double)anchor[a][1])));
    gn_cli_print("\n\nmean IoU with the best anchor     %.4f\n", fit->mean_iou);
    gn_cli_print("best possible recall, ratio < %g   %.4f\n", gn_args_double(args, "ratio"), fit->best_recall);
    gn_cli_print("anchors that may take a box       %.2f\n", fit->per_box);
    if (b->tiny > 0)
        gn_cli_print("left out: boxes smaller than %g pixels %" PRId64 "\n", (double)LEAST_SIDE, b->tiny);
    if (b->crowds > 0)
        gn_cli_print("left out: crowds %" PRId64 "\n", b->crowds);
}

/* Pixels to two digits: no more is in them. */
static double hundredths(float pixels)
{
    return round((double)pixels * 100) / 100;
}

static gn_status print_json(const gn_args *args, const box_sizes *b, gn_cli_size input, const float (*anchor)[2],
                            const gn_anchor_fit *fit, gn_error *err)
{
    const int k = gn_args_int(args, "anchors"), maps = gn_args_int(args, "maps");
    gn_jsonw j;
    gn_jsonw_init(&j);
    gn_jsonw_str(&j, "data", gn_args_str(args, "data"));
    gn_jsonw_str(&j, "split", gn_args_str(args, "split"));
    gn_jsonw_array(&j, "imgsz");
    gn_jsonw_int(&j, NULL, input.width);
    gn_jsonw_int(&j, NULL, input.height);
    gn_jsonw_end(&j);
    gn_jsonw_int(&j, "boxes", b->n);
    gn_jsonw_int(&j, "tiny_boxes", b->tiny);
    gn_jsonw_int(&j, "crowds", b->crowds);
    gn_jsonw_array(&j, "anchors"); /* maps, anchors of each, width and height */
    for (int m = 0; m < maps; m++) {
        gn_jsonw_array(&j, NULL);
        for (int a = m * (k / maps); a < (m + 1) * (k / maps); a++) {
            gn_jsonw_array(&j, NULL);
            gn_jsonw_num(&j, NULL, hundredths(anchor[a][0]));
            gn_jsonw_num(&j, NULL, hundredths(anchor[a][1]));
            gn_jsonw_end(&j);
        }
        gn_jsonw_end(&j);
    }
    gn_jsonw_end(&j);
    gn_jsonw_num(&j, "mean_iou", fit->mean_iou);
    gn_jsonw_num(&j, "best_recall", fit->best_recall);
    gn_jsonw_num(&j, "per_box", fit->per_box);
    const gn_status status = gn_jsonw_print(&j);
    return status == GN_OK ? GN_OK : gn_fail(err, status, "cannot write to standard output");
}

/* --- the verb ------------------------------------------------------------------------------------------------------- */

static const gn_opt options[] = {
    {.name = "data",
     .type = GN_OPT_STRING,
     .metavar = "D",
     .group = "Boxes",
     .help = "a data set, as gannet data takes it"},
    {.name = "split", .type = GN_OPT_STRING, .init = "train", .choices = "train|val|test", .help = "whose boxes count"},
    {.name = "imgsz",
     .type = GN_OPT_STRING,
     .metavar = "N|W,H",
     .init = "416",
     .help = "size of the network's input in pixels"},
    {.name = "fit",
     .type = GN_OPT_STRING,
     .init = "letterbox",
     .choices = "letterbox|stretch",
     .help = "how pictures are brought to that size"},
    {.name = "anchors",
     .short_name = 'k',
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "9",
     .min = 1,
     .max = GN_ANCHORS_MAX,
     .group = "Anchors",
     .help = "how many"},
    {.name = "maps",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "3",
     .min = 1,
     .max = 8,
     .help = "how many maps share them evenly, the finest first; 1 where they are no multiple"},
    {.name = "ratio",
     .type = GN_OPT_DOUBLE,
     .metavar = "R",
     .init = "4",
     .min = 1.01,
     .max = 100,
     .help = "an anchor may take a box whose sides are less than R times its own, and more than their part"},
    {.name = "seed",
     .type = GN_OPT_INT,
     .metavar = "N",
     .init = "0",
     .min = 0,
     .max = 2147483647.0,
     .help = "of the start"},
    GN_OPT_ROW_JSON,
};

static const gn_args_spec spec = {
    .verb = "anchors",
    .usage = "--data D [options]",
    .about = "Finds anchors for a data set: k-means on the sizes that its boxes have in the network's input, with 1 - "
             "IoU as the "
             "distance (YOLO9000), and tells how well they fit.",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .examples = "  gannet anchors --data faces/data.yaml --anchors 9 --imgsz 416\n"
                "  gannet anchors --data faces/data.yaml --anchors 5 --maps 1 --imgsz 320 --json\n",
};

static gn_status find(const gn_args *args, gn_error *err)
{
    gn_cli_size input;
    gn_split split = GN_SPLIT_TRAIN;
    gn_dataset *set = NULL;
    box_sizes sizes = {0};
    float anchor[GN_ANCHORS_MAX][2];
    const int k = gn_args_int(args, "anchors");
    if (!gn_args_has(args, "data"))
        return gn_fail(err, GN_EUSAGE, "--data D is needed: the set whose boxes the anchors shall fit");
    if (k % gn_args_int(args, "maps") != 0)
        return gn_fail(err, GN_EUSAGE, "--anchors %d cannot be shared evenly by --maps %d", k,
                       gn_args_int(args, "maps"));
    GN_TRY(gn_cli_parse_imgsz(gn_args_str(args, "imgsz"), &input, err));
    gn_split_parse(gn_args_str(args, "split"), &split);
    const gn_dataset_options defaults = gn_dataset_default_options();
    GN_TRY(gn_dataset_open(gn_args_str(args, "data"), &defaults, &set, err));
    const bool stretch = strcmp(gn_args_str(args, "fit"), "stretch") == 0;
    gn_status status = gather(set, split, input, stretch, &sizes, err);
    if (status == GN_OK) {
        status =
            gn_anchors_kmeans((const float(*)[2])sizes.size, sizes.n, k, (uint64_t)gn_args_int(args, "seed"), anchor);
        if (status != GN_OK)
            gn_fail(err, status, "finding anchors for %" PRId64 " boxes: %s", sizes.n, gn_status_sentence(status));
    }
    if (status == GN_OK) {
        const gn_anchor_fit fit = gn_anchors_measure((const float(*)[2])sizes.size, sizes.n, (const float(*)[2])anchor,
                                                     k, gn_args_double(args, "ratio"));
        if (gn_args_flag(args, "json"))
            status = print_json(args, &sizes, input, (const float(*)[2])anchor, &fit, err);
        else
            print_text(args, &sizes, input, (const float(*)[2])anchor, &fit);
    }
    gn_free(sizes.size);
    gn_dataset_close(&set);
    return status;
}

static int run(int argc, char **argv)
{
    gn_args *args = NULL;
    int code = 0;
    if (!gn_cli_begin(&spec, argc, argv, &args, &code))
        return code;
    gn_error err;
    gn_error_clear(&err);
    if (find(args, &err) != GN_OK)
        code = gn_cli_fail(args, &err);
    gn_args_destroy(&args);
    return code;
}

const gn_verb gn_verb_anchors = {"anchors", "finds anchors that fit a data set's boxes", "Data", run};
