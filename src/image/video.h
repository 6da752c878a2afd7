/* Video files, frame by frame, through the programs ffprobe and ffmpeg, which run as processes of their own: nothing of FFmpeg is needed to
 * build or to start, and a video that makes a decoder crash does not take this program with it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_IMAGE_VIDEO_H
#define GN_IMAGE_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "image/image.h"

/* Whether a file name ends like a video (.mp4 .avi .mov .mkv .webm .m4v .mpg .mpeg .wmv .flv .ts, any case). */
bool gn_video_has_known_extension(const char *path);

/* ---- reading ---- */

typedef struct gn_video gn_video;

/* Frames per second as a fraction, and how many frames are expected (0: the file does not say). */
typedef struct gn_video_info {
    int rate_num, rate_den;
    int64_t frames;
} gn_video_info;

/* Opens the first video stream; frames come at its mean rate, upright.  Only local files are touched, also when the file names others.
 * GN_ENOENT; GN_EUNSUPPORTED: ffmpeg and ffprobe are not installed; GN_EFORMAT: no video that they can read; GN_EIO; GN_ENOMEM. */
gn_status gn_video_open(const char *path, gn_video **video_out, gn_error *err);
gn_video_info gn_video_about(const gn_video *video);
/* The next frame as a view (RGB), valid until the next call; *frame_out is zeroed at the end.
 * GN_EFORMAT: the rest cannot be decoded; GN_ELIMIT: more than GN_IMAGE_MAX_PIXELS; GN_ENOMEM. */
gn_status gn_video_next(gn_video *video, gn_image *frame_out, gn_error *err);
/* Fine at any time. */
void gn_video_close(gn_video **video);

/* ---- writing ---- */

typedef struct gn_video_writer gn_video_writer;

/* Writes an .mp4 beside `path` under another name, which commit renames.  Sizes become even by a black row or column.
 * GN_EUNSUPPORTED: ffmpeg is not installed; GN_EINVAL: sides outside 1..65535 or a rate that is none; GN_ELIMIT; GN_EIO; GN_ENOMEM. */
gn_status gn_video_writer_open(const char *path, int width, int height, int rate_num, int rate_den,
                               gn_video_writer **writer_out, gn_error *err);
/* GN_EINVAL: a frame of another size; GN_EIO: ffmpeg ended. */
gn_status gn_video_writer_add(gn_video_writer *writer, const gn_image *frame, gn_error *err);
/* Both free the writer. */
gn_status gn_video_writer_commit(gn_video_writer **writer, gn_error *err);
void gn_video_writer_abandon(gn_video_writer **writer);

#endif
