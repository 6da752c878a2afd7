/* Videos: frames come as portable pixmaps out of one pipe and go as bare pixels into another.
 * SPDX-License-Identifier: Apache-2.0 */
#include "image/video.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "image/program_pipe.h"

#define PATH_BYTES   4096
#define PROBE_BYTES  4096
#define DEFAULT_RATE 25
#define MAX_SIDE     65535

struct gn_video {
    gn_program_pipe *pipe;
    gn_video_info info;
    char path[PATH_BYTES];
    int width, height; /* of the buffer */
    uint8_t *pixels;
    int64_t n_read;
};

bool gn_video_has_known_extension(const char *path)
{
    static const char *const known[] = {".mp4", ".avi",  ".mov", ".mkv", ".webm", ".m4v",
                                        ".mpg", ".mpeg", ".wmv", ".flv", ".ts"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(gn_path_ext(path), known[i]) == 0)
            return true;
    return false;
}

/* ---- what ffprobe says ---- */

/* "key=value" lines; the value of `key`, or "". */
static void value_of(const char *text, const char *key, char *dst, size_t dst_bytes)
{
    const size_t n = strlen(key);
    dst[0] = '\0';
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, n) != 0 || line[n] != '=')
            continue;
        snprintf(dst, dst_bytes, "%.*s", (int)strcspn(line + n + 1, "\r\n"), line + n + 1);
        return;
    }
}

/* "30000/1001"; false when it is none that a video can have. */
static bool parse_rate(const char *text, gn_video_info *info)
{
    long long num = 0, den = 0;
    if (sscanf(text, "%lld/%lld", &num, &den) != 2 || num < 1 || den < 1 || num > 100000000 || den > 100000000 ||
        num / den > 1000 || den / num > 1000)
        return false;
    info->rate_num = (int)num;
    info->rate_den = (int)den;
    return true;
}

static void read_info(const char *text, gn_video_info *info)
{
    char value[64];
    double seconds = 0;
    int64_t frames = 0;
    value_of(text, "avg_frame_rate", value, sizeof value);
    if (!parse_rate(value, info)) {
        value_of(text, "r_frame_rate", value, sizeof value);
        if (!parse_rate(value, info))
            *info = (gn_video_info){.rate_num = DEFAULT_RATE, .rate_den = 1};
    }
    value_of(text, "nb_frames", value, sizeof value);
    if (gn_parse_i64(value, &frames) && frames > 0) {
        info->frames = frames;
        return;
    }
    value_of(text, "duration", value, sizeof value);
    if (gn_parse_f64(value, &seconds) && seconds > 0 && seconds < 1e9)
        info->frames = (int64_t)(seconds * info->rate_num / info->rate_den + 0.5);
}

static gn_status probe(const char *path, const char *url, gn_video_info *info, gn_error *err)
{
    const char *const argv[] = {"ffprobe",
                                "-v",
                                "error",
                                "-protocol_whitelist",
                                "file",
                                "-select_streams",
                                "v:0",
                                "-show_entries",
                                "stream=avg_frame_rate,r_frame_rate,nb_frames,duration:format=duration",
                                "-of",
                                "default=noprint_wrappers=1",
                                url,
                                NULL};
    char text[PROBE_BYTES + 1], why[256] = "";
    gn_program_pipe *pipe = NULL;
    GN_TRY(gn_program_pipe_open(argv, true, &pipe, err));
    const size_t n = gn_program_pipe_read(pipe, text, PROBE_BYTES);
    text[n] = '\0';
    if (!gn_program_pipe_close(&pipe, n == PROBE_BYTES, why, sizeof why))
        return gn_fail_at(err, GN_EFORMAT, path, 0, "ffprobe finds no video in it: %s", why);
    if (!strstr(text, "frame_rate="))
        return gn_fail_at(err, GN_EFORMAT, path, 0, "it has no video, only other streams");
    read_info(text, info);
    return GN_OK;
}

/* ---- reading ---- */

gn_status gn_video_open(const char *path, gn_video **video_out, gn_error *err)
{
    char url[PATH_BYTES + 8], rate[32];
    const char *const argv[] = {"ffmpeg",    "-nostdin", "-v",    "error",      "-protocol_whitelist",
                                "file,pipe", "-i",       url,     "-map",       "0:v:0",
                                "-r",        rate,       "-f",    "image2pipe", "-c:v",
                                "ppm",       "-pix_fmt", "rgb24", "pipe:1",     NULL};
    if (!gn_path_exists(path))
        return gn_fail_at(err, GN_ENOENT, path, 0, "no such video");
    if (strlen(path) >= PATH_BYTES)
        return gn_fail_at(err, GN_ELIMIT, path, 0, "its name is too long");
    gn_video *v = gn_calloc(1, sizeof *v);
    if (!v)
        return gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to read a video");
    snprintf(v->path, sizeof v->path, "%s", path);
    snprintf(url, sizeof url, "file:%s", path); /* whatever the name looks like, it is a file */
    gn_status status = probe(path, url, &v->info, err);
    if (status == GN_OK) {
        snprintf(rate, sizeof rate, "%d/%d", v->info.rate_num, v->info.rate_den);
        status = gn_program_pipe_open(argv, true, &v->pipe, err);
    }
    if (status == GN_OK)
        *video_out = v;
    else
        gn_video_close(&v);
    return status;
}

gn_video_info gn_video_about(const gn_video *video)
{
    return video->info;
}

/* A number between white space; one byte behind it is taken. */
static bool read_number(gn_program_pipe *pipe, int *out)
{
    char c;
    int x = 0, digits = 0;
    while (gn_program_pipe_read(pipe, &c, 1) == 1) {
        if (isspace((unsigned char)c)) {
            if (digits == 0)
                continue;
            *out = x;
            return true;
        }
        if (!isdigit((unsigned char)c) || ++digits > 6)
            return false;
        x = 10 * x + (c - '0');
    }
    return false;
}

static gn_status make_room(gn_video *v, int width, int height, gn_error *err)
{
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE ||
        (int64_t)width * height > GN_IMAGE_MAX_PIXELS)
        return gn_fail_at(err, GN_ELIMIT, v->path, 0, "its frames have %d x %d pixels", width, height);
    if (v->pixels && width == v->width && height == v->height)
        return GN_OK;
    gn_free(v->pixels);
    v->pixels = gn_alloc((size_t)width * (size_t)height * 3);
    v->width = width;
    v->height = height;
    return v->pixels ? GN_OK
                     : gn_fail_at(err, GN_ENOMEM, v->path, 0, "no memory for a frame of %d x %d", width, height);
}

/* The pipe is at its end, or holds what it should not. */
static gn_status finish(gn_video *v, bool is_broken, gn_error *err)
{
    char why[256] = "it was cut off";
    const bool is_fine = gn_program_pipe_close(&v->pipe, false, why, sizeof why);
    if (is_fine && !is_broken && v->n_read > 0)
        return GN_OK;
    if (is_fine && !is_broken)
        return gn_fail_at(err, GN_EFORMAT, v->path, 0, "ffmpeg finds no frame in it");
    return gn_fail_at(err, GN_EFORMAT, v->path, 0, "the video ends after %lld frames: %s", (long long)v->n_read, why);
}

gn_status gn_video_next(gn_video *v, gn_image *frame_out, gn_error *err)
{
    char magic[2];
    int width = 0, height = 0, peak = 0;
    *frame_out = (gn_image){0};
    if (!v->pipe)
        return GN_OK;
    const size_t n = gn_program_pipe_read(v->pipe, magic, sizeof magic);
    if (n == 0)
        return finish(v, false, err);
    if (n != 2 || magic[0] != 'P' || magic[1] != '6' || !read_number(v->pipe, &width) ||
        !read_number(v->pipe, &height) || !read_number(v->pipe, &peak) || peak != 255)
        return finish(v, true, err);
    GN_TRY(make_room(v, width, height, err));
    const size_t bytes = (size_t)width * (size_t)height * 3;
    if (gn_program_pipe_read(v->pipe, v->pixels, bytes) != bytes)
        return finish(v, true, err);
    v->n_read++;
    *frame_out = gn_image_view(width, height, 3, v->pixels);
    return GN_OK;
}

void gn_video_close(gn_video **video)
{
    if (!*video)
        return;
    gn_program_pipe_close(&(*video)->pipe, true, NULL, 0);
    gn_free((*video)->pixels);
    gn_free(*video);
    *video = NULL;
}

/* ---- writing ---- */

struct gn_video_writer {
    gn_program_pipe *pipe;
    int width, height;
    char path[PATH_BYTES], part[PATH_BYTES];
};

gn_status gn_video_writer_open(const char *path, int width, int height, int rate_num, int rate_den,
                               gn_video_writer **writer_out, gn_error *err)
{
    char url[PATH_BYTES + 8], rate[32], size[32];
    const char *const argv[] = {
        "ffmpeg",   "-nostdin", "-v",        "error",      "-y",  "-f",
        "rawvideo", "-pix_fmt", "rgb24",     "-s",         size,  "-r",
        rate,       "-i",       "pipe:0",    "-an",        "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2",
        "-pix_fmt", "yuv420p",  "-movflags", "+faststart", "-f",  "mp4",
        url,        NULL};
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE || rate_num < 1 || rate_den < 1)
        return gn_fail_at(err, GN_EINVAL, path, 0, "a video of %d x %d at %d/%d frames per second", width, height,
                          rate_num, rate_den);
    gn_video_writer *w = gn_calloc(1, sizeof *w);
    if (!w)
        return gn_fail_at(err, GN_ENOMEM, path, 0, "no memory to write a video");
    w->width = width;
    w->height = height;
    gn_status status = GN_OK;
    if (strlen(path) + 24 >= PATH_BYTES)
        status = gn_fail_at(err, GN_ELIMIT, path, 0, "its name is too long");
    if (status == GN_OK) {
        snprintf(w->path, sizeof w->path, "%s", path);
        snprintf(w->part, sizeof w->part, "%.4000s.part%ld", path, (long)getpid());
        snprintf(url, sizeof url, "file:%s", w->part);
        snprintf(rate, sizeof rate, "%d/%d", rate_num, rate_den);
        snprintf(size, sizeof size, "%dx%d", width, height);
        status = gn_program_pipe_open(argv, false, &w->pipe, err);
    }
    if (status == GN_OK)
        *writer_out = w;
    else
        gn_free(w);
    return status;
}

/* After a write that failed: why. */
static gn_status writer_failed(gn_video_writer *w, gn_error *err)
{
    char why[256] = "";
    gn_program_pipe_close(&w->pipe, false, why, sizeof why);
    return gn_fail_at(err, GN_EIO, w->path, 0, "ffmpeg cannot write it: %s", why[0] ? why : "it ended early");
}

gn_status gn_video_writer_add(gn_video_writer *w, const gn_image *frame, gn_error *err)
{
    const size_t row = (size_t)w->width * 3;
    if (frame->width != w->width || frame->height != w->height || frame->channels != 3)
        return gn_fail_at(err, GN_EINVAL, w->path, 0, "a frame of %d x %d in a video of %d x %d", frame->width,
                          frame->height, w->width, w->height);
    if (!w->pipe)
        return gn_fail_at(err, GN_EIO, w->path, 0, "it could not be written before");
    for (int y = 0; y < frame->height; y++)
        if (!gn_program_pipe_write(w->pipe, frame->data + (size_t)y * frame->stride_bytes, row))
            return writer_failed(w, err);
    return GN_OK;
}

/* On the disk before it gets its name. */
static gn_status put_in_place(const gn_video_writer *w, gn_error *err)
{
    const int fd = open(w->part, O_RDONLY | O_CLOEXEC);
    const bool is_synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (!is_synced || rename(w->part, w->path) != 0)
        return gn_fail_at(err, GN_EIO, w->path, 0, "the video cannot be put in its place");
    return GN_OK;
}

gn_status gn_video_writer_commit(gn_video_writer **writer, gn_error *err)
{
    gn_video_writer *w = *writer;
    char why[256] = "";
    gn_status status = GN_OK;
    if (!w->pipe)
        status = gn_fail_at(err, GN_EIO, w->path, 0, "it could not be written before");
    else if (!gn_program_pipe_close(&w->pipe, false, why, sizeof why))
        status = gn_fail_at(err, GN_EIO, w->path, 0, "ffmpeg cannot write it: %s", why);
    if (status == GN_OK)
        status = put_in_place(w, err);
    gn_video_writer_abandon(writer);
    return status;
}

void gn_video_writer_abandon(gn_video_writer **writer)
{
    if (!*writer)
        return;
    gn_program_pipe_close(&(*writer)->pipe, true, NULL, 0);
    unlink((*writer)->part);
    gn_free(*writer);
    *writer = NULL;
}
