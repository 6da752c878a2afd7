/* Detection layers: what [yolo], [region] and [detection] read becomes the raw maps of a detector, finest first, with one node that decodes
 * them behind.
 * Sources: Redmon et al. 2016 (YOLO), Redmon and Farhadi 2017 (YOLO9000) and 2018 (YOLOv3); Darknet's source code.
 * SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "formats/darknet/darknet_build.h"
#include "graph/op.h"

#define MAX_NUM 64 /* anchors of all layers of a network, as "num" has them */

/* What Darknet's own program uses unless told otherwise: objects below this score are not shown, and overlaps above this are one object. */
#define DEFAULT_CONF "0.25"
#define DEFAULT_IOU  "0.45"

typedef gn_darknet_build builder;

/* ---- options ---- */

/* "key=1,2.5,3": how many numbers, 0 when the key is not there. */
static int read_numbers(builder *b, const char *key, float *dst, int most)
{
    const gn_darknet_option *o = gn_darknet_find(b->section, key);
    int n = 0;
    for (const char *s = o ? o->value : ""; *s && b->status == GN_OK;) {
        char text[64];
        double x = 0;
        const size_t length = strcspn(s, ",");
        snprintf(text, sizeof text, "%.*s", length < sizeof text ? (int)length : 0, s);
        if (n == most || !gn_parse_f64(text, &x) || !(x > -1e6 && x < 1e6)) {
            gn_darknet_fail(b, GN_EFORMAT, "%s=%.80s in line %d, up to %d numbers were expected", key, o->value,
                            o->line, most);
            return 0;
        }
        dst[n++] = (float)x;
        s += length + (s[length] == ',');
    }
    return n;
}

/* Options that change what a layer means and that nothing here follows. */
static void refuse_option(builder *b, const char *key)
{
    if (gn_darknet_find(b->section, key) && strcmp(gn_darknet_text(b, key, ""), "0") != 0)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "its option %s is not supported", key);
}

/* ---- maps ---- */

/* Pixels of the input per cell of the map that the layer reads. */
static int read_stride(builder *b)
{
    const int stride = b->net_w / b->x.W;
    if (b->x.is_flat || b->net_w % b->x.W != 0 || b->net_h % b->x.H != 0 || b->net_h / b->x.H != stride)
        gn_darknet_fail(b, GN_EUNSUPPORTED,
                        "its map has %d x %d cells for pictures of %d x %d; square cells of whole pixels were expected",
                        b->x.W, b->x.H, b->net_w, b->net_h);
    return stride;
}

static bool is_same_kind(const gn_detector *a, const gn_detector *b)
{
    return a->kind == b->kind && a->classes == b->classes && a->anchors == b->anchors &&
           a->has_softmax == b->has_softmax;
}

/* One more map of the network's detector, which `d` describes but for its strides and anchors. */
static void add_map(builder *b, const gn_detector *d, const gn_darknet_map *map)
{
    if (b->status != GN_OK)
        return;
    if (d->kind != GN_DETECTOR_YOLOV1 && gn_detector_channels(d) != b->x.C)
        gn_darknet_fail(b, GN_EFORMAT, "%d channels come in; %d anchors and %d classes need %lld", b->x.C, d->anchors,
                        d->classes, (long long)gn_detector_channels(d));
    else if (b->n_maps == (d->kind == GN_DETECTOR_YOLOV1 ? 1 : GN_DETECTOR_MAX_MAPS))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "more than %d detection layers", b->n_maps);
    else if (b->n_maps > 0 && !is_same_kind(d, &b->detector))
        gn_darknet_fail(b, GN_EUNSUPPORTED,
                        "it differs from the detection layer before it in its kind, classes or number of anchors");
    for (int i = 0; i < b->n_maps; i++)
        if (b->maps[i].value == map->value)
            gn_darknet_fail(b, GN_EUNSUPPORTED, "two detection layers read the same map");
    if (b->status != GN_OK)
        return;
    const float scale = b->n_maps > 0 ? b->detector.scale_xy : 1;
    b->detector = *d;
    b->detector.scale_xy = d->scale_xy > scale ? d->scale_xy : scale;
    b->maps[b->n_maps] = *map;
    b->maps[b->n_maps].index = b->index;
    b->maps[b->n_maps++].scale_xy = d->scale_xy;
}

/* Anchors number `mask` of the list (all of them without one), in pixels. */
static int read_anchors(builder *b, float unit, gn_darknet_map *map)
{
    float list[2 * MAX_NUM], mask[MAX_NUM];
    const int num = gn_darknet_int(b, "num", 1, 1, MAX_NUM), n = read_numbers(b, "anchors", list, 2 * num);
    int n_mask = read_numbers(b, "mask", mask, num);
    if (b->status == GN_OK && n != 2 * num)
        gn_darknet_fail(b, GN_EFORMAT, "anchors= has %d numbers; num=%d asks for %d", n, num, 2 * num);
    if (n_mask == 0)
        for (; n_mask < num; n_mask++)
            mask[n_mask] = (float)n_mask;
    if (b->status == GN_OK && n_mask > GN_DETECTOR_MAX_ANCHORS)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "%d anchors, more than %d", n_mask, GN_DETECTOR_MAX_ANCHORS);
    for (int a = 0; a < n_mask && b->status == GN_OK; a++) {
        if (!(mask[a] >= 0 && mask[a] < (float)num) || mask[a] != (float)(int)mask[a])
            gn_darknet_fail(b, GN_EFORMAT, "mask= names anchor %g; there are %d, counted from 0", (double)mask[a], num);
        for (int i = 0; i < 2 && b->status == GN_OK; i++)
            map->anchor[a][i] = list[2 * (int)mask[a] + i] * unit;
    }
    return n_mask;
}

/* The value before its sigmoid; b->x.value when none came last. */
static int before_sigmoid(builder *b)
{
    const int producer = gn_graph_value(b->graph, b->x.value)->producer;
    const gn_node *node = producer >= 0 ? gn_graph_node(b->graph, producer) : NULL;
    return node && strcmp(node->op->name, "Sigmoid") == 0 ? node->in[0] : b->x.value;
}

/* Boxes by anchors of its own.  new_coords (Scaled-YOLOv4) has the sigmoid of all numbers in the layer before, and sizes as YOLOv5's. */
static void yolo(builder *b)
{
    gn_detector d = {.kind = GN_DETECTOR_YOLOV3};
    gn_darknet_map map = {.value = b->x.value, .C = b->x.C, .H = b->x.H, .W = b->x.W, .stride = read_stride(b)};
    const bool is_new = gn_darknet_int(b, "new_coords", 0, 0, 1) != 0;
    const double scale = gn_darknet_real(b, "scale_x_y", 1);
    d.classes = gn_darknet_int(b, "classes", 20, 1, GN_DETECTOR_MAX_CLASSES);
    d.anchors = read_anchors(b, 1, &map);
    d.scale_xy = (float)scale;
    if (b->status == GN_OK && !(scale >= 1 && scale <= 2))
        gn_darknet_fail(b, GN_EUNSUPPORTED, "scale_x_y=%g, expected 1 to 2", scale);
    if (b->status == GN_OK && is_new) {
        d.kind = GN_DETECTOR_YOLOV5;
        d.scale_xy = 1;
        map.value = before_sigmoid(b);
        if (map.value == b->x.value || scale != 2)
            gn_darknet_fail(b, GN_EUNSUPPORTED,
                            "new_coords=1 is read with scale_x_y=2 behind a layer with activation=logistic only");
    }
    add_map(b, &d, &map);
}

/* Anchors in cells. */
static void region(builder *b)
{
    static const char *const unread[] = {"tree", "map", "background"};
    gn_detector d = {.kind = GN_DETECTOR_YOLOV2, .scale_xy = 1};
    gn_darknet_map map = {.value = b->x.value, .stride = read_stride(b)};
    d.classes = gn_darknet_int(b, "classes", 20, 1, GN_DETECTOR_MAX_CLASSES);
    d.has_softmax = gn_darknet_int(b, "softmax", 0, 0, 1) != 0;
    d.anchors = read_anchors(b, (float)map.stride, &map);
    gn_darknet_int(b, "coords", 4, 4, 4);
    for (size_t i = 0; i < sizeof unread / sizeof *unread; i++)
        refuse_option(b, unread[i]);
    add_map(b, &d, &map);
}

/* ---- the first version: one row of numbers ---- */

/* Darknet has the classes of all cells, then the confidences of all boxes, then all boxes; `rows` says for number k * cells + cell of
 * channel k where that is. */
static int *order_rows(builder *b, int cells, int boxes, int classes)
{
    const int K = 5 * boxes + classes;
    int *rows = gn_arena_alloc(b->arena, (size_t)K * (size_t)cells * sizeof *rows);
    if (!rows) {
        gn_darknet_fail(b, GN_ENOMEM, "out of memory");
        return NULL;
    }
    const int confidences = cells * classes, corners = confidences + cells * boxes;
    for (int cell = 0; cell < cells; cell++) {
        for (int box = 0; box < boxes; box++) {
            for (int i = 0; i < 4; i++)
                rows[(5 * box + i) * cells + cell] = corners + (cell * boxes + box) * 4 + i;
            rows[(5 * box + 4) * cells + cell] = confidences + cell * boxes + box;
        }
        for (int c = 0; c < classes; c++)
            rows[(5 * boxes + c) * cells + cell] = cell * classes + c;
    }
    return rows;
}

/* The connected layer before gets its rows in the order `rows`, so that its result is the map; no other layer may read it then. */
static void reorder_connected(builder *b, const int *rows)
{
    int at = b->index - 1;
    while (at >= 0 && strcmp(b->cfg->sections[at + 1].name, "dropout") == 0)
        at--;
    const gn_darknet_section *section = at >= 0 ? &b->cfg->sections[at + 1] : NULL;
    if (!section || (strcmp(section->name, "connected") != 0 && strcmp(section->name, "conn") != 0)) {
        gn_darknet_fail(b, GN_EUNSUPPORTED, "a [connected] layer was expected before it");
        return;
    }
    for (size_t i = 0; i < b->n_slots; i++)
        if (b->slots[i].section == section)
            b->slots[i].rows = rows;
    for (; at < b->index; at++)
        b->layers[at].is_detection = true;
}

/* Classes of each cell through a softmax. */
static int softmax_classes(builder *b, int map, int K, int classes)
{
    const int64_t sizes[2] = {K - classes, classes};
    const gn_attr axis = gn_attr_int("axis", 1);
    int parts[2];
    for (int i = 0; i < 2; i++) {
        const int64_t start = i ? sizes[0] : 0, end = start + sizes[i], one = 1;
        const int in[4] = {map, gn_graph_add_const_s64(b->graph, NULL, 1, &start),
                           gn_graph_add_const_s64(b->graph, NULL, 1, &end),
                           gn_graph_add_const_s64(b->graph, NULL, 1, &one)};
        parts[i] = gn_darknet_op(b, "Slice", i ? "classes" : "boxes", in, 4, NULL, 0);
    }
    parts[1] = gn_darknet_op(b, "Softmax", "softmax", &parts[1], 1, &axis, 1);
    return gn_darknet_op(b, "Concat", "map", parts, 2, &axis, 1);
}

static void detection(builder *b)
{
    gn_detector d = {.kind = GN_DETECTOR_YOLOV1, .scale_xy = 1, .n_maps = 1};
    gn_darknet_map map = {.stride = 0};
    const int side = gn_darknet_int(b, "side", 7, 1, 256);
    const bool is_root = gn_darknet_int(b, "sqrt", 0, 0, 1) != 0;
    const bool has_softmax = gn_darknet_int(b, "softmax", 0, 0, 1) != 0;
    d.classes = gn_darknet_int(b, "classes", 1, 1, GN_DETECTOR_MAX_CLASSES);
    d.anchors = gn_darknet_int(b, "num", 1, 1, GN_DETECTOR_MAX_ANCHORS);
    gn_darknet_int(b, "coords", 4, 4, 4);
    refuse_option(b, "background");
    const int64_t K = gn_detector_channels(&d), inputs = (int64_t)b->x.C * b->x.H * b->x.W;
    if (b->status == GN_OK && !is_root)
        gn_darknet_fail(b, GN_EUNSUPPORTED, "sqrt=0 is not supported: sizes of boxes are read as their square roots");
    if (b->status == GN_OK && (!b->x.is_flat || K * side * side != inputs))
        gn_darknet_fail(b, GN_EFORMAT, "%lld numbers come in; %d x %d cells of %d boxes and %d classes need %lld",
                        (long long)inputs, side, side, d.anchors, d.classes, (long long)(K * side * side));
    const int *rows = b->status == GN_OK ? order_rows(b, side * side, d.anchors, d.classes) : NULL;
    if (b->status == GN_OK)
        reorder_connected(b, rows);
    const int64_t dim[4] = {0, K, side, side};
    map.value = gn_darknet_reshape(b, "map", b->x.value, dim, 4);
    if (has_softmax)
        map.value = softmax_classes(b, map.value, (int)K, d.classes);
    add_map(b, &d, &map);
}

void gn_darknet_detection(builder *b)
{
    const char *name = b->section->name;
    b->x.is_detection = true;
    if (b->is_raw || b->status != GN_OK)
        return;
    if (gn_graph_value(b->graph, b->x.value)->kind == GN_VALUE_INPUT)
        gn_darknet_fail(b, GN_EFORMAT, "nothing is computed before it");
    else if (strcmp(name, "yolo") == 0)
        yolo(b);
    else if (strcmp(name, "region") == 0)
        region(b);
    else if (strcmp(name, "detection") == 0)
        detection(b);
    else
        gn_darknet_fail(
            b, GN_EUNSUPPORTED,
            "boxes with a variance of their own are not read; --raw gives the maps that it reads as outputs");
}

/* ---- the end of the network ---- */

static void name_value(builder *b, int value, const char *name, bool is_output)
{
    gn_status status = b->status == GN_OK ? gn_graph_rename_value(b->graph, value, name) : GN_OK;
    if (status == GN_OK && b->status == GN_OK && is_output)
        status = gn_graph_add_output(b->graph, value);
    if (status != GN_OK)
        gn_darknet_fail(b, status, "its result cannot be named %s: %s", name, gn_status_sentence(status));
}

static void raw_outputs(builder *b)
{
    char name[32];
    int before = -1;
    for (int i = 0; i < (int)b->cfg->n - 1; i++) {
        if (!b->layers[i].is_detection || b->layers[i].value == before)
            continue;
        before = b->layers[i].value;
        if (gn_graph_value(b->graph, before)->kind == GN_VALUE_INPUT)
            gn_darknet_fail(b, GN_EFORMAT, "the network computes nothing");
        snprintf(name, sizeof name, "map%d", i);
        name_value(b, before, name, true);
    }
}

/* A value and a number. */
static int with_number(builder *b, const char *what, const char *op, int value, float x)
{
    const int in[2] = {value, b->status == GN_OK ? gn_graph_add_const_f32(b->graph, NULL, 0, &x) : -1};
    return gn_darknet_op(b, op, what, in, 2, NULL, 0);
}

/* Numbers first..end of each anchor, of [N, anchors, 5 + classes, H, W]. */
static int part_of_anchors(builder *b, const char *what, int value, int64_t first, int64_t end)
{
    const int64_t axis = 2;
    if (b->status != GN_OK)
        return -1;
    const int in[4] = {value, gn_graph_add_const_s64(b->graph, NULL, 1, &first),
                       gn_graph_add_const_s64(b->graph, NULL, 1, &end),
                       gn_graph_add_const_s64(b->graph, NULL, 1, &axis)};
    return gn_darknet_op(b, "Slice", what, in, 4, NULL, 0);
}

/* A detector has one scale_xy, YOLOv4 has one per layer.  Where the layer's own is the smaller, the t of its x and y become those that the
 * common scale S decodes to the same place: sigmoid(t') - 1/2 = s/S * (sigmoid(t) - 1/2). */
static void share_scale(builder *b, gn_darknet_map *map)
{
    const float r = map->scale_xy / b->detector.scale_xy;
    const int64_t each = 5 + b->detector.classes, apart[5] = {0, b->detector.anchors, each, map->H, map->W};
    const int64_t together[4] = {0, map->C, map->H, map->W};
    const gn_attr axis = gn_attr_int("axis", 2);
    if (map->scale_xy == b->detector.scale_xy || b->status != GN_OK)
        return;
    b->index = map->index;
    const int x = gn_darknet_reshape(b, "anchors", map->value, apart, 5);
    const int xy = part_of_anchors(b, "xy", x, 0, 2), rest = part_of_anchors(b, "rest", x, 2, each);
    int p = gn_darknet_op(b, "Sigmoid", "xy.sigmoid", &xy, 1, NULL, 0);
    p = with_number(b, "xy.scaled", "Add", with_number(b, "xy.times", "Mul", p, r), (1 - r) / 2);
    const int one = b->status == GN_OK ? gn_graph_add_const_f32(b->graph, NULL, 0, &(float){1}) : -1;
    const int q = gn_darknet_op(b, "Sub", "xy.left", (int[2]){one, p}, 2, NULL, 0);
    const int odds = gn_darknet_op(b, "Div", "xy.odds", (int[2]){p, q}, 2, NULL, 0);
    const int t = gn_darknet_op(b, "Log", "xy.logit", &odds, 1, NULL, 0);
    const int joined = gn_darknet_op(b, "Concat", "joined", (int[2]){t, rest}, 2, &axis, 1);
    map->value = gn_darknet_reshape(b, "map", joined, together, 4);
}

/* Maps by their stride, the finest first; equal ones as the file has them. */
static void sort_maps(builder *b)
{
    for (int i = 1; i < b->n_maps; i++)
        for (int k = i; k > 0 && b->maps[k].stride < b->maps[k - 1].stride; k--) {
            const gn_darknet_map map = b->maps[k];
            b->maps[k] = b->maps[k - 1];
            b->maps[k - 1] = map;
        }
    b->detector.n_maps = b->n_maps;
    for (int i = 0; i < b->n_maps; i++) {
        b->detector.stride[i] = b->maps[i].stride;
        memcpy(b->detector.anchor[i], b->maps[i].anchor, sizeof b->maps[i].anchor);
    }
}

void gn_darknet_decode(builder *b)
{
    char name[32];
    int in[GN_DETECTOR_MAX_MAPS + 1] = {0}, n_in = b->n_maps;
    gn_error why = {0};
    gn_text line;
    if (b->is_raw) {
        raw_outputs(b);
        return;
    }
    sort_maps(b);
    if (gn_detector_check(&b->detector, &why) != GN_OK)
        gn_darknet_fail(b, GN_EFORMAT, "%s", why.message);
    for (int i = 0; i < b->n_maps; i++) {
        snprintf(name, sizeof name, "raw%d", i);
        share_scale(b, &b->maps[i]);
        in[i] = b->maps[i].value;
        name_value(b, in[i], name, false);
    }
    /* The first version's cells are parts of the picture: its size is looked at. */
    if (b->detector.kind == GN_DETECTOR_YOLOV1)
        in[n_in++] = gn_graph_input(b->graph, 0);
    gn_text_init(&line);
    gn_detector_format(&b->detector, &line);
    if (line.failed)
        gn_darknet_fail(b, GN_ENOMEM, "out of memory");
    if (b->status == GN_OK) {
        const gn_attr attr = gn_attr_string("detector", line.data);
        const int node = gn_graph_add_node(b->graph, "DetectDecode", "gannet", "decode", in, n_in, 2, &attr, 1);
        b->status = node < 0 ? gn_graph_error(b->graph, b->err) : GN_OK;
        name_value(b, node < 0 ? -1 : gn_graph_node(b->graph, node)->out[0], "boxes", true);
        name_value(b, node < 0 ? -1 : gn_graph_node(b->graph, node)->out[1], "scores", true);
    }
    gn_text_deinit(&line);
}

gn_status gn_darknet_detector_metadata(const builder *b)
{
    char raw[GN_DETECTOR_MAX_MAPS * 8] = "";
    gn_text line;
    for (int i = 0; i < b->n_maps; i++)
        snprintf(raw + strlen(raw), sizeof raw - strlen(raw), i ? ",raw%d" : "raw%d", i);
    gn_text_init(&line);
    gn_detector_format(&b->detector, &line);
    const char *const pairs[][2] = {{"gannet.task", "detect"},   {"gannet.head", "detect"},
                                    {"gannet.decode", "detect"}, {"gannet.detector", line.data},
                                    {"gannet.raw", raw},         {"gannet.conf", DEFAULT_CONF},
                                    {"gannet.iou", DEFAULT_IOU}};
    gn_status status = line.failed ? GN_ENOMEM : GN_OK;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && status == GN_OK; i++)
        status = gn_graph_meta_set(b->graph, pairs[i][0], pairs[i][1]);
    gn_text_deinit(&line);
    return status;
}
