/* Cutting a detector's graph at its raw maps.
 * SPDX-License-Identifier: Apache-2.0 */
#include "run/detector_tail.h"

#include <stdio.h>
#include <string.h>

#include "detect/detector.h"
#include "graph/op.h"
#include "graph/passes.h"

static bool ends_in_decode(const gn_graph *graph)
{
    const int value = gn_graph_output_count(graph) == 2 ? gn_graph_output(graph, 0) : -1;
    const int producer = value >= 0 ? gn_graph_value(graph, value)->producer : -1;
    return producer >= 0 && strcmp(gn_graph_node(graph, producer)->op->name, "DetectDecode") == 0;
}

/* Values named in "raw0,raw1"; how many, or -1 when one is not there or there are more than `most`. */
static int find_maps(const gn_graph *graph, const char *names, int *map, int most)
{
    int n = 0;
    for (char name[64]; *names; n++) {
        const size_t length = strcspn(names, ",");
        if (length == 0 || length >= sizeof name || n >= most)
            return -1;
        memcpy(name, names, length);
        name[length] = '\0';
        map[n] = gn_graph_find_value(graph, name);
        if (map[n] < 0)
            return -1;
        names += length + (names[length] == ',');
    }
    return n;
}

/* Gives `value` the name; what had it before is no longer read. */
static gn_status take_name(gn_graph *graph, int value, const char *name)
{
    const int before = gn_graph_find_value(graph, name);
    char other[64];
    for (int i = 1; before >= 0 && before != value; i++) {
        snprintf(other, sizeof other, "%s.before%d", name, i);
        if (gn_graph_find_value(graph, other) >= 0)
            continue;
        GN_TRY(gn_graph_rename_value(graph, before, other));
        break;
    }
    return gn_graph_rename_value(graph, value, name);
}

static gn_status end_in(gn_graph *graph, int node)
{
    static const char *const names[2] = {"boxes", "scores"};
    gn_graph_clear_outputs(graph);
    for (int i = 0; i < 2; i++) {
        const int value = gn_graph_node(graph, node)->out[i];
        GN_TRY(take_name(graph, value, names[i]));
        GN_TRY(gn_graph_add_output(graph, value));
    }
    return gn_pass_prune(graph);
}

gn_status gn_detector_restore_tail(gn_graph *graph, gn_error *err)
{
    const char *decode = gn_graph_meta_get(graph, "gannet.decode"), *names = gn_graph_meta_get(graph, "gannet.raw"),
               *line = gn_graph_meta_get(graph, "gannet.detector");
    int in[GN_DETECTOR_MAX_MAPS + 1];
    gn_detector d;
    if (!decode || strcmp(decode, "detect") != 0 || !names || !line || ends_in_decode(graph))
        return GN_OK;
    GN_TRY(gn_detector_parse(line, &d, err));
    int n = find_maps(graph, names, in, GN_DETECTOR_MAX_MAPS);
    if (n < 0)
        return GN_OK; /* the file has lost them: its own tail decodes */
    if (n != d.n_maps)
        return gn_fail(err, GN_EFORMAT, "the model's metadata gannet.raw is '%.80s'; %d names were expected", names,
                       d.n_maps);
    if (d.kind == GN_DETECTOR_YOLOV1)
        in[n++] = gn_graph_input_count(graph) > 0 ? gn_graph_input(graph, 0) : -1;
    const gn_attr attr = gn_attr_string("detector", line);
    const int node = gn_graph_add_node(graph, "DetectDecode", "gannet", "decode", in, n, 2, &attr, 1);
    if (node < 0)
        return gn_graph_error(graph, err);
    const gn_status status = end_in(graph, node);
    return status == GN_OK ? status : gn_fail(err, status, "the detector's decoding cannot be put behind its maps");
}
