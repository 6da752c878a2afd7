/* Videos: with programs of the test's own in the place of ffmpeg and ffprobe (what they are asked, frames, damage, failures), and with the
 * real ones where they are installed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "image/video.h"

static char folder[256], old_path[8192];

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

/* A shell script of this name on PATH. */
static void write_program(const char *name, const char *text)
{
    char script[4096];
    const int n = snprintf(script, sizeof script, "#!/bin/sh\n%s\n", text);
    assert_int_equal(gn_file_write(in_folder(name), script, (size_t)n, NULL), GN_OK);
    assert_int_equal(chmod(in_folder(name), 0755), 0);
}

static void write_text(const char *name, const char *text)
{
    assert_int_equal(gn_file_write(in_folder(name), text, strlen(text), NULL), GN_OK);
}

static void use_path(bool is_own)
{
    char path[9000];
    snprintf(path, sizeof path, is_own ? "%s:/bin:/usr/bin" : "%s/none", folder);
    setenv("PATH", path, 1);
}

#define PROBE_2_FPS "printf 'avg_frame_rate=2/1\\nr_frame_rate=4/1\\nnb_frames=N/A\\nduration=1.5\\n'"
/* Three frames of 2 x 1: the bytes are letters. */
#define THREE_FRAMES "printf 'P6\\n2 1\\n255\\nabcdefP6\\n2 1\\n255\\nghijklP6 2\\n1 255\\nmnopqr'"

static int setup(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/gannet-video-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    snprintf(old_path, sizeof old_path, "%s", getenv("PATH"));
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[512];
    setenv("PATH", old_path, 1);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static void test_reading(void **state)
{
    (void)state;
    gn_video *video = NULL;
    gn_image frame;
    gn_error err = {0};
    char *asked = NULL, want[1024], name[512];
    size_t n = 0;
    snprintf(name, sizeof name, "%s", in_folder("-a 'clip\" $(x).mp4"));
    write_program("ffprobe", PROBE_2_FPS);
    write_program("ffmpeg", "for a in \"$@\"; do echo \"$a\"; done > \"$(dirname \"$0\")/asked\"; " THREE_FRAMES);
    assert_int_equal(gn_file_write(name, "x", 1, NULL), GN_OK);
    use_path(true);
    assert_int_equal(gn_video_open(name, &video, &err), GN_OK);
    const gn_video_info info = gn_video_about(video);
    assert_int_equal(info.rate_num, 2);
    assert_int_equal(info.rate_den, 1);
    assert_int_equal(info.frames, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(gn_video_next(video, &frame, &err), GN_OK);
        assert_int_equal(frame.width, 2);
        assert_int_equal(frame.height, 1);
        assert_int_equal(frame.full_width, 2);
        assert_memory_equal(frame.data, "abcdefghijklmnopqr" + 6 * i, 6);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(gn_video_next(video, &frame, &err), GN_OK);
        assert_null(frame.data);
    }
    gn_video_close(&video);
    assert_null(video);
    /* One argument for the file, as it is, and only files may be opened. */
    assert_int_equal(gn_file_read(in_folder("asked"), 1 << 16, &asked, &n, NULL), GN_OK);
    snprintf(want, sizeof want, "-i\nfile:%s\n", name);
    assert_non_null(strstr(asked, want));
    assert_non_null(strstr(asked, "-protocol_whitelist\nfile,pipe\n"));
    gn_free(asked);
}

/* Reads all frames; how many, and the status of the last call. */
static gn_status read_all(int *n_out, gn_error *err)
{
    gn_video *video = NULL;
    gn_image frame;
    *n_out = 0;
    GN_TRY(gn_video_open(in_folder("clip.mp4"), &video, err));
    gn_status status;
    while ((status = gn_video_next(video, &frame, err)) == GN_OK && frame.data)
        ++*n_out;
    gn_video_close(&video);
    return status;
}

static void expect_end(const char *program, gn_status status, int frames, const char *word)
{
    gn_error err = {0};
    int n = 0;
    write_program("ffmpeg", program);
    const gn_status got = read_all(&n, &err);
    if (got != status || n != frames || !strstr(err.message, word))
        fail_msg("%s: %s after %d frames: %s", program, gn_status_name(got), n, err.message);
}

static void test_damage(void **state)
{
    (void)state;
    gn_error err = {0};
    int n = 0;
    use_path(true);
    write_text("clip.mp4", "x");
    write_program("ffprobe", PROBE_2_FPS);
    expect_end("exit 0", GN_EFORMAT, 0, "no frame");
    expect_end("printf 'P6\\n2 1\\n255\\nabcdefP6\\n2 1\\n255\\nghi'", GN_EFORMAT, 1,
               "ends after 1 frames: it was cut off");
    expect_end("printf 'P6\\n2 1\\n255\\nabcdef'; echo >&2 'first line'; printf 'Bad \\033 thing\\n\\n' >&2; exit 3",
               GN_EFORMAT, 1, "ends after 1 frames: Bad  thing");
    expect_end("exit 3", GN_EFORMAT, 0, "ffmpeg ended with exit code 3");
    expect_end("printf 'P6\\n2 1\\n255\\nabcdef'; kill -9 $$", GN_EFORMAT, 1, "signal 9");
    expect_end("echo hello", GN_EFORMAT, 0, "cut off");
    expect_end("printf 'P6\\n2 1\\n65535\\nabcdef'", GN_EFORMAT, 0, "cut off");
    expect_end("printf 'P6\\n0 1\\n255\\n'", GN_ELIMIT, 0, "0 x 1");
    expect_end("printf 'P6\\n60000 60000\\n255\\n'", GN_ELIMIT, 0, "60000 x 60000");
    expect_end("printf 'P6\\n9999999999 1\\n255\\n'", GN_EFORMAT, 0, "cut off");
    /* One that would never end is not waited for when the video is closed. */
    gn_video *video = NULL;
    gn_image frame;
    write_program("ffmpeg", "printf 'P6\\n2 1\\n255\\nabcdef'; exec sleep 1000");
    assert_int_equal(gn_video_open(in_folder("clip.mp4"), &video, &err), GN_OK);
    assert_int_equal(gn_video_next(video, &frame, &err), GN_OK);
    gn_video_close(&video);
    /* What ffprobe says. */
    write_program("ffprobe", "echo 'no video here' >&2; exit 1");
    assert_int_equal(read_all(&n, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "no video here"));
    write_program("ffprobe", "echo duration=3");
    assert_int_equal(read_all(&n, &err), GN_EFORMAT);
    assert_non_null(strstr(err.message, "only other streams"));
    write_program("ffprobe", "yes x=y | head -c 100000");
    assert_int_equal(read_all(&n, &err), GN_EFORMAT);
    write_program("ffprobe", "printf 'avg_frame_rate=0/0\\nr_frame_rate=30000/1001\\nnb_frames=77\\n'");
    write_program("ffmpeg", THREE_FRAMES);
    assert_int_equal(gn_video_open(in_folder("clip.mp4"), &video, &err), GN_OK);
    assert_int_equal(gn_video_about(video).rate_num, 30000);
    assert_int_equal(gn_video_about(video).frames, 77);
    gn_video_close(&video);
    write_program("ffprobe", "printf 'avg_frame_rate=0/0\\nr_frame_rate=1000000000/1\\n'");
    assert_int_equal(gn_video_open(in_folder("clip.mp4"), &video, &err), GN_OK);
    assert_int_equal(gn_video_about(video).rate_num, 25);
    assert_int_equal(gn_video_about(video).frames, 0);
    gn_video_close(&video);
    assert_int_equal(gn_video_open(in_folder("absent.mp4"), &video, &err), GN_ENOENT);
    use_path(false);
    assert_int_equal(gn_video_open(in_folder("clip.mp4"), &video, &err), GN_EUNSUPPORTED);
    assert_non_null(strstr(err.message, "ffprobe, which reads and writes videos, is not installed"));
}

/* In the place of ffmpeg: what comes in goes to the last argument. */
#define COPY "for a in \"$@\"; do out=${a#file:}; done; cat > \"$out\""

static bool is_clean(const char *stem)
{
    const char **names = NULL;
    size_t n = 0;
    bool is_fine = true;
    gn_arena *arena = gn_arena_create(0);
    assert_int_equal(gn_list_dir(folder, arena, &names, &n, NULL), GN_OK);
    for (size_t i = 0; i < n; i++)
        is_fine = is_fine && strncmp(names[i], stem, strlen(stem)) != 0;
    gn_arena_destroy(&arena);
    return is_fine;
}

static void test_writing(void **state)
{
    (void)state;
    gn_video_writer *writer = NULL;
    gn_image frame, other;
    gn_error err = {0};
    char *bytes = NULL;
    size_t n = 0;
    use_path(true);
    assert_int_equal(gn_image_create(5, 3, 3, &frame), GN_OK);
    assert_int_equal(gn_image_create(5, 4, 3, &other), GN_OK);
    write_program("ffmpeg", COPY);
    assert_int_equal(gn_video_writer_open(in_folder("drawn.mp4"), 5, 3, 30000, 1001, &writer, &err), GN_OK);
    for (int i = 0; i < 4; i++) {
        memset(frame.data, 'a' + i, 45);
        assert_int_equal(gn_video_writer_add(writer, &frame, &err), GN_OK);
    }
    assert_int_equal(gn_video_writer_add(writer, &other, &err), GN_EINVAL);
    assert_false(gn_path_exists(in_folder("drawn.mp4")));
    assert_int_equal(gn_video_writer_commit(&writer, &err), GN_OK);
    assert_null(writer);
    assert_int_equal(gn_file_read(in_folder("drawn.mp4"), 1 << 16, &bytes, &n, &err), GN_OK);
    assert_int_equal(n, 4 * 45);
    assert_true(bytes[0] == 'a' && bytes[45] == 'b' && bytes[179] == 'd');
    gn_free(bytes);
    remove(in_folder("drawn.mp4"));
    assert_true(is_clean("drawn"));
    /* Given up: nothing is left. */
    assert_int_equal(gn_video_writer_open(in_folder("drawn.mp4"), 5, 3, 25, 1, &writer, &err), GN_OK);
    assert_int_equal(gn_video_writer_add(writer, &frame, &err), GN_OK);
    gn_video_writer_abandon(&writer);
    assert_null(writer);
    assert_true(is_clean("drawn"));
    /* An encoder that ends early: told once, and no signal. */
    write_program("ffmpeg", "echo 'disk full' >&2; exit 1");
    assert_int_equal(gn_video_writer_open(in_folder("drawn.mp4"), 5, 3, 25, 1, &writer, &err), GN_OK);
    gn_status status = GN_OK;
    for (int i = 0; i < 1000000 && status == GN_OK; i++)
        status = gn_video_writer_add(writer, &frame, &err);
    assert_int_equal(status, GN_EIO);
    assert_non_null(strstr(err.message, "disk full"));
    assert_int_equal(gn_video_writer_add(writer, &frame, &err), GN_EIO);
    assert_int_equal(gn_video_writer_commit(&writer, &err), GN_EIO);
    assert_true(is_clean("drawn"));
    write_program("ffmpeg", "cat > /dev/null; exit 1");
    assert_int_equal(gn_video_writer_open(in_folder("drawn.mp4"), 5, 3, 25, 1, &writer, &err), GN_OK);
    assert_int_equal(gn_video_writer_commit(&writer, &err), GN_EIO);
    assert_true(is_clean("drawn"));
    assert_int_equal(gn_video_writer_open(in_folder("drawn.mp4"), 0, 3, 25, 1, &writer, &err), GN_EINVAL);
    use_path(false);
    assert_int_equal(gn_video_writer_open(in_folder("drawn.mp4"), 5, 3, 25, 1, &writer, &err), GN_EUNSUPPORTED);
    gn_image_deinit(&frame);
    gn_image_deinit(&other);
}

/* With FFmpeg itself: ten frames of growing brightness there and back, of odd size. */
static void test_real(void **state)
{
    (void)state;
    gn_video_writer *writer = NULL;
    gn_video *video = NULL;
    gn_image frame;
    gn_error err = {0};
    remove(in_folder("ffmpeg"));
    remove(in_folder("ffprobe"));
    setenv("PATH", old_path, 1);
    assert_int_equal(gn_image_create(33, 25, 3, &frame), GN_OK);
    const gn_status opened = gn_video_writer_open(in_folder("real.mp4"), 33, 25, 30000, 1001, &writer, &err);
    if (opened == GN_EUNSUPPORTED) {
        gn_image_deinit(&frame);
        skip();
    }
    assert_int_equal(opened, GN_OK);
    for (int i = 0; i < 10; i++) {
        memset(frame.data, 20 + 20 * i, frame.stride_bytes * 25);
        assert_int_equal(gn_video_writer_add(writer, &frame, &err), GN_OK);
    }
    gn_image_deinit(&frame);
    if (gn_video_writer_commit(&writer, &err) != GN_OK)
        fail_msg("%s", err.message);
    if (gn_video_open(in_folder("real.mp4"), &video, &err) != GN_OK)
        fail_msg("%s", err.message);
    assert_int_equal(gn_video_about(video).rate_num, 30000);
    assert_int_equal(gn_video_about(video).frames, 10);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(gn_video_next(video, &frame, &err), GN_OK);
        assert_int_equal(frame.width, 34);
        assert_int_equal(frame.height, 26);
        const int middle = frame.data[12 * frame.stride_bytes + 45];
        if (abs(middle - (20 + 20 * i)) > 8)
            fail_msg("frame %d: brightness %d", i, middle);
    }
    assert_int_equal(gn_video_next(video, &frame, &err), GN_OK);
    assert_null(frame.data);
    gn_video_close(&video);
}

static void test_extensions(void **state)
{
    (void)state;
    assert_true(gn_video_has_known_extension("a/b.MP4") && gn_video_has_known_extension("x.mkv"));
    assert_false(gn_video_has_known_extension("mp4") || gn_video_has_known_extension("a.mp4/x") ||
                 gn_video_has_known_extension("a.jpg"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extensions), cmocka_unit_test(test_reading), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_writing),    cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
