/* libFuzzer target for what a file says about a detector: its description and the names of its raw maps are put on a small network, which
 * is then cut, planned, run and decoded.  Input: the description, a line feed, the names; what follows gives the weights.
 * SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ops.h"
#include "run/session.h"

#define SIDE      16
#define MOST_TEXT 2048
/* Channels of the maps that a description may ask for; with more it is only read. */
#define MOST_CHANNELS 512

static void require(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

/* images [1,3,16,16] -> maps of 4 x 4, 2 x 2 and 1 x 1 cells with `channels` channels, and two results of no meaning. */
static gn_graph *network(int64_t channels, const uint8_t *weights, size_t n)
{
    static const char *const names[3] = {"raw0", "raw1", "raw2"};
    gn_graph *g = NULL;
    require(gn_graph_create(gn_ops_registry(), &g) == GN_OK, "no graph");
    const int64_t dims[4] = {-1, 3, SIDE, SIDE}, filter[4] = {channels, 3, 1, 1};
    const gn_shape shape = gn_shape_of(4, dims), w = gn_shape_of(4, filter);
    const int images = gn_graph_add_input(g, "images", GN_DTYPE_F32, &shape);
    for (int m = 0; m < 3; m++) {
        const int64_t window[2] = {4 << m, 4 << m};
        const gn_attr attrs[2] = {gn_attr_ints("kernel_shape", window, 2), gn_attr_ints("strides", window, 2)};
        int in[2] = {gn_graph_add_op(g, "AveragePool", "", NULL, &images, 1, attrs, 2),
                     gn_graph_add_state(g, NULL, GN_DTYPE_F32, &w, true)};
        float *x = (float *)gn_graph_value(g, in[1])->data->data;
        for (int64_t i = 0; i < gn_shape_count(&w) && n > 0; i++)
            x[i] = ldexpf((float)((int)weights[(size_t)i % n] - 128), (int)weights[(size_t)(i * 7) % n] % 24 - 8);
        const int map = gn_graph_add_op(g, "Conv", "", NULL, in, 2, NULL, 0);
        require(map >= 0 && gn_graph_rename_value(g, map, names[m]) == GN_OK, "no map");
        if (m < 2)
            gn_graph_add_output(g, map);
    }
    return g;
}

static void open_and_decode(gn_graph *graph)
{
    static float x[2 * 3 * SIDE * SIDE];
    static gn_prediction p;
    gn_session *session = NULL;
    gn_error err = {0};
    const gn_session_options o = {.threads = 1, .has_conf = true, .conf = 0, .multi_label = true};
    for (int i = 0; i < 2 * 3 * SIDE * SIDE; i++)
        x[i] = (float)(i % 251) / 251;
    if (gn_session_take_graph(&graph, &o, &session, &err) != GN_OK) {
        require(session == NULL && err.message[0] != '\0', "refused without a word");
        return;
    }
    require(gn_session_run(session, x, 2, &err) == GN_OK, err.message);
    for (int k = 0; k < 2; k++) {
        require(gn_session_decode(session, k, 100, 60, &p) == GN_OK, "no memory");
        for (int i = 0; i < p.n; i++) {
            const gn_object *q = &p.object[i];
            require(q->score > 0 && q->score <= 1 && q->cls >= 0 && q->box.x1 >= 0 && q->box.y1 >= 0 &&
                        q->box.x2 <= 100 && q->box.y2 <= 60 && q->box.x1 < q->box.x2 && q->box.y1 < q->box.y2,
                    "an object that cannot be");
            require(i == 0 || q->score <= p.object[i - 1].score, "objects out of order");
        }
    }
    gn_session_close(&session);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[MOST_TEXT] = "", maps[MOST_TEXT] = "";
    gn_detector d = {0};
    const uint8_t *end = memchr(data, '\n', size),
                  *stop = end ? memchr(end + 1, '\n', size - (size_t)(end + 1 - data)) : NULL;
    if (!end || (size_t)(end - data) >= sizeof line)
        return 0;
    stop = stop ? stop : data + size;
    if ((size_t)(stop - end - 1) >= sizeof maps)
        return 0;
    memcpy(line, data, (size_t)(end - data));
    memcpy(maps, end + 1, (size_t)(stop - end - 1));
    const bool is_good = gn_detector_parse(line, &d, NULL) == GN_OK;
    const int64_t channels = is_good ? gn_detector_channels(&d) : 7;
    if (channels > MOST_CHANNELS)
        return 0;
    gn_graph *g = network(channels, stop, size - (size_t)(stop - data));
    require(gn_graph_meta_set(g, "gannet.decode", "detect") == GN_OK &&
                gn_graph_meta_set(g, "gannet.detector", line) == GN_OK &&
                gn_graph_meta_set(g, "gannet.raw", maps) == GN_OK &&
                gn_graph_meta_set(g, "gannet.std", "1,1,1") == GN_OK,
            "no metadata");
    open_and_decode(g);
    return 0;
}
