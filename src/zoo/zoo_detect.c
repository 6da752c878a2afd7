/* Detectors by name: sizes, raw maps, the node that decodes them, metadata.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "zoo/zoo_plan.h"

static const gn_detector_design *const designs[] = {
#define GN_DETECTOR_DESIGN(name) &gn_detector_design_##name,
#include "zoo/detectors.def"
#undef GN_DETECTOR_DESIGN
};
#define N_DESIGNS (sizeof designs / sizeof designs[0])

size_t gn_zoo_detector_count(void)
{
    return N_DESIGNS;
}

const gn_detector_design *gn_zoo_detector_at(size_t i)
{
    return designs[i];
}

const gn_detector_design *gn_zoo_find_detector(const char *name, const char **backbone_out)
{
    static const char retinanet[] = "retinanet_";
    if (strncmp(name, retinanet, sizeof retinanet - 1) == 0) {
        *backbone_out = name + sizeof retinanet - 1;
        return &gn_detector_design_retinanet_mobilenet_v2;
    }
    for (size_t i = 0; i < N_DESIGNS; i++)
        if (strcmp(designs[i]->name, name) == 0) {
            *backbone_out = NULL;
            return designs[i];
        }
    return NULL;
}

/* ---- sizes ---- */

static int stride_at(const gn_detector_design *d, int width, int height)
{
    return d->stride_at ? d->stride_at(width, height) : d->stride;
}

static int nearest_multiple(int x, int stride, int least, int most)
{
    int near = (x + stride / 2) / stride * stride;
    while (near < least)
        near += stride;
    while (near > most)
        near -= stride;
    return near;
}

static int least_px(const gn_zoo_plan *p)
{
    return p->architecture ? p->architecture->smallest_px : 1;
}

int gn_zoo_smallest_detector_px(const gn_zoo_plan *p)
{
    return nearest_multiple(1, stride_at(p->detector, 1, 1), least_px(p), GN_ZOO_LARGEST_PX);
}

gn_status gn_zoo_check_detector_size(const gn_zoo_options *options, const gn_zoo_plan *p, gn_error *err)
{
    const int w = options->width_px, h = options->height_px, stride = stride_at(p->detector, w, h);
    const int most = p->detector->largest_px > 0 ? p->detector->largest_px : GN_ZOO_LARGEST_PX;
    const int least = least_px(p);
    const int near_w = nearest_multiple(w, stride, least, most), near_h = nearest_multiple(h, stride, least, most);
    if (near_w == w && near_h == h)
        return GN_OK;
    return gn_fail(err, GN_EINVAL,
                   "model %s: an input of %d x %d px does not work, its sides must be multiples of %d px up to %d; the "
                   "nearest that works is %d x %d px",
                   options->model, w, h, stride, most, near_w, near_h);
}

/* ---- metadata ---- */

static gn_status set_metadata(gn_graph *graph, const char *description, int n_maps)
{
    char raw[GN_DETECTOR_MAX_MAPS * 8] = "";
    for (int i = 0; i < n_maps; i++)
        snprintf(raw + strlen(raw), sizeof raw - strlen(raw), i ? ",raw%d" : "raw%d", i);
    GN_TRY(gn_graph_meta_set(graph, "gannet.raw", raw));
    return gn_graph_meta_set(graph, "gannet.detector", description);
}

/* ---- building ---- */

/* The raw maps become boxes and scores.  YOLOv1 asks the picture how large it is. */
static gn_status decode(gn_graph *graph, const gn_detector_build *d, const char *description)
{
    static const char *const names[2] = {"boxes", "scores"};
    const gn_attr detector = gn_attr_string("detector", description);
    int in[GN_DETECTOR_MAX_MAPS + 1], n = d->detector.n_maps;
    for (int i = 0; i < n; i++)
        in[i] = d->raw[i].value;
    if (d->detector.kind == GN_DETECTOR_YOLOV1)
        in[n++] = gn_graph_input(graph, 0);
    const int node = gn_graph_add_node(graph, "DetectDecode", "gannet", "decode", in, n, 2, &detector, 1);
    for (int i = 0; i < 2 && node >= 0; i++) {
        const int value = gn_graph_node(graph, node)->out[i];
        GN_TRY(gn_graph_rename_value(graph, value, names[i]));
        GN_TRY(gn_graph_add_output(graph, value));
    }
    return GN_OK;
}

static gn_status finish(gn_graph *graph, const gn_detector_build *d, const char *description, gn_error *err)
{
    for (int i = 0; i < d->detector.n_maps; i++) {
        char name[8];
        snprintf(name, sizeof name, "raw%d", i);
        GN_ASSERT(d->raw[i].C == gn_detector_channels(&d->detector));
        GN_TRY(gn_graph_rename_value(graph, d->raw[i].value, name));
    }
    GN_TRY(decode(graph, d, description));
    GN_TRY(set_metadata(graph, description, d->detector.n_maps));
    return gn_graph_error(graph, err);
}

gn_status gn_zoo_build_detector(gn_blocks *b, gn_feature x, const gn_zoo_options *options, const gn_zoo_plan *p,
                                gn_error *err)
{
    gn_detector_build d = {.detector = {.classes = options->classes, .scale_xy = 1},
                           .backbone = p->architecture,
                           .neck_channels = options->neck_channels,
                           .head_convs = options->head_convs};
    gn_text description;
    p->detector->build(b, x, &d);
    GN_TRY(gn_graph_error(b->graph, err));
    GN_TRY(gn_detector_check(&d.detector, err));
    gn_text_init(&description);
    gn_detector_format(&d.detector, &description);
    const gn_status status = description.failed ? gn_fail(err, GN_ENOMEM, "no memory to build %s", options->model)
                                                : finish(b->graph, &d, description.data, err);
    gn_text_deinit(&description);
    return status;
}
