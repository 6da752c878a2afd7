/* Videos through a model.
 * SPDX-License-Identifier: Apache-2.0 */
#include "cli/predict_video.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "cli/cli_progress.h"

#define MAX_PATH_BYTES 4096

typedef struct run_state {
    const gn_predict_video *v;
    const char *path, *name;
    gn_video *video;
    gn_video_info info;
    gn_video_writer *writer;
    int64_t at, n_done; /* frames read, frames looked at */
    int64_t began_ns;
    gn_error *err;
} run_state;

static gn_status save_frame(run_state *s, gn_image *frame, const gn_prediction *p)
{
    if (!s->writer) {
        char name[256], path[MAX_PATH_BYTES];
        snprintf(name, sizeof name, "%s.mp4", s->name);
        if (gn_path_join(s->v->save, name, path, sizeof path) != GN_OK)
            return gn_fail_at(s->err, GN_EINVAL, s->v->save, 0, "its name is too long");
        /* Every frame that was looked at is shown as long as those that were not. */
        const int64_t den = (int64_t)s->info.rate_den * s->v->stride;
        GN_TRY(gn_video_writer_open(path, frame->width, frame->height, s->info.rate_num,
                                    den < 2000000000 ? (int)den : 2000000000, &s->writer, s->err));
    }
    const gn_status status = gn_predict_draw_objects(s->v->draw, frame, p);
    if (status != GN_OK)
        return gn_fail_at(s->err, status, s->path, 0, "boxes cannot be drawn");
    return gn_video_writer_add(s->writer, frame, s->err);
}

static gn_status handle_frame(run_state *s, gn_image *frame)
{
    gn_prediction p;
    gn_times times;
    const gn_predict_item item = {.source = s->path,
                                  .name = s->name,
                                  .frame = s->at,
                                  .time_s = (double)s->at * s->info.rate_den / s->info.rate_num,
                                  .id = -1,
                                  .width = frame->width,
                                  .height = frame->height};
    GN_TRY(gn_session_predict(s->v->session, frame, &p, &times, s->err));
    s->v->filter(s->v->filter_ctx, &p);
    GN_TRY(gn_predict_report_add(s->v->report, &item, &p, &times, s->err));
    if (s->v->save)
        GN_TRY(save_frame(s, frame, &p));
    s->n_done++;
    return GN_OK;
}

static void tell(const run_state *s)
{
    int64_t total = s->info.frames / s->v->stride;
    if (s->v->limit > 0 && (total == 0 || s->v->limit < total))
        total = s->v->limit;
    gn_progress_tell(&(gn_progress){.what = gn_path_name(s->path),
                                    .done = s->n_done,
                                    .total = total > s->n_done ? total : 0,
                                    .unit = "frames",
                                    .seconds = (double)(gn_now_ns() - s->began_ns) * 1e-9,
                                    .note = ""});
}

static gn_status handle_frames(run_state *s)
{
    gn_image frame;
    for (;; s->at++) {
        if (gn_stop_requested())
            return gn_fail_at(s->err, GN_ECANCELED, s->path, 0, "interrupted after %lld frames", (long long)s->n_done);
        if (s->v->limit > 0 && s->n_done == s->v->limit)
            return GN_OK;
        GN_TRY(gn_video_next(s->video, &frame, s->err));
        if (!frame.data)
            return GN_OK;
        if (s->at % s->v->stride != 0)
            continue;
        GN_TRY(handle_frame(s, &frame));
        tell(s);
    }
}

gn_status gn_predict_video_run(const gn_predict_video *v, const char *path, const char *name, int64_t *n_frames_out,
                               gn_error *err)
{
    run_state s = {.v = v, .path = path, .name = name, .err = err, .began_ns = gn_now_ns()};
    gn_status status = gn_video_open(path, &s.video, err);
    if (status == GN_OK) {
        s.info = gn_video_about(s.video);
        status = handle_frames(&s);
    }
    gn_video_close(&s.video);
    gn_cli_progress_end();
    *n_frames_out = s.n_done;
    if (s.writer && (status == GN_OK || status == GN_ECANCELED || status == GN_EFORMAT)) {
        const gn_status written = gn_video_writer_commit(&s.writer, status == GN_OK ? err : NULL);
        status = status == GN_OK ? written : status;
    }
    gn_video_writer_abandon(&s.writer);
    return status;
}
