/* The served page by real HTTP requests: token, Host, methods, paths, ETag, a study that grows meanwhile.
 * SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "dash/dash.h"
#include "dash/microhttpd_library.h"
#include "store/study.h"

static char folder[256], study_path[300];
static gn_dash *dash;
static char answer[4000000];

static void put_fact(const char *value)
{
    gn_study *study = NULL;
    assert_int_equal(gn_study_open(study_path, GN_STUDY_WRITE, &study, NULL), GN_OK);
    assert_int_equal(gn_study_set_fact(study, "data", value, NULL), GN_OK);
    gn_study_close(&study);
}

static int set_up(void **state)
{
    (void)state;
    const gn_microhttpd *http = NULL;
    gn_error err = {0};
    const char *tmp = getenv("TMPDIR");
    if (gn_microhttpd_load(&http, &err) != GN_OK) {
        print_message("skipped: %s\n", err.message);
        return 0;
    }
    snprintf(folder, sizeof folder, "%s/gannet-dash-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    snprintf(study_path, sizeof study_path, "%s/study.db", folder);
    put_fact("faces");
    const gn_dash_options options = {study_path, 0, true};
    if (gn_dash_start(&options, &dash, &err) != GN_OK)
        fail_msg("%s", err.message);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    gn_dash_stop(&dash);
    assert_null(dash);
    unlink(study_path);
    rmdir(folder);
    return 0;
}

/* Sends bytes as they are and reads to the end of the connection; the status code. */
static int send_bytes(const char *request)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)gn_dash_port(dash))};
    const struct timeval limit = {.tv_sec = 20};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t n = 0;
    ssize_t got;
    int code = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(write(fd, request, strlen(request)), (ssize_t)strlen(request));
    while (n + 1 < sizeof answer && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0)
        n += (size_t)got;
    answer[n] = '\0';
    close(fd);
    sscanf(answer, "HTTP/1.1 %d", &code);
    return code;
}

static int ask(const char *method, const char *path, const char *host, const char *more)
{
    char request[1000];
    snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n", method, path, host,
             more);
    return send_bytes(request);
}

static const char *host(void)
{
    static char text[32];
    snprintf(text, sizeof text, "127.0.0.1:%d", gn_dash_port(dash));
    return text;
}

/* "/name?token=..." */
static const char *with_token(const char *name)
{
    static char text[200];
    snprintf(text, sizeof text, "/%s%s", name, strchr(gn_dash_url(dash), '?'));
    return text;
}

static void test_page(void **state)
{
    (void)state;
    if (dash == NULL)
        skip();
    assert_int_equal(ask("GET", with_token(""), host(), ""), 200);
    assert_non_null(strstr(answer, "Content-Type: text/html"));
    assert_non_null(strstr(answer, "X-Content-Type-Options: nosniff"));
    assert_non_null(strstr(answer, "X-Frame-Options: DENY"));
    assert_non_null(strstr(answer, "Referrer-Policy: no-referrer"));
    assert_non_null(strstr(answer, "data.json?token="));
    assert_non_null(strstr(answer, "</html>"));
    assert_int_equal(ask("HEAD", with_token(""), host(), ""), 200);
    assert_null(strstr(answer, "<html"));
}

static void test_what_is_refused(void **state)
{
    (void)state;
    char wrong[200], name[64];
    if (dash == NULL)
        skip();
    assert_int_equal(ask("GET", "/", host(), ""), 403);
    assert_int_equal(ask("GET", "/?token=", host(), ""), 403);
    assert_int_equal(ask("GET", "/data.json?token=0123", host(), ""), 403);
    snprintf(wrong, sizeof wrong, "%s", with_token("data.json"));
    char *last = wrong + strlen(wrong) - 1;
    *last = *last == '0' ? '1' : '0';
    assert_int_equal(ask("GET", wrong, host(), ""), 403);
    assert_null(strstr(answer, "faces"));
    /* A name that was made to point here, and another port. */
    assert_int_equal(ask("GET", with_token("data.json"), "evil.example", ""), 403);
    assert_int_equal(ask("GET", with_token("data.json"), "127.0.0.1:1", ""), 403);
    snprintf(name, sizeof name, "localhost:%d", gn_dash_port(dash));
    assert_int_equal(ask("GET", with_token("data.json"), name, ""), 200);
    assert_int_equal(ask("POST", with_token("data.json"), host(), "Content-Length: 0\r\n"), 405);
    assert_non_null(strstr(answer, "Allow: GET, HEAD"));
    assert_int_equal(ask("DELETE", with_token(""), host(), ""), 405);
    assert_int_equal(ask("GET", with_token("../../etc/passwd"), host(), ""), 404);
    assert_int_equal(ask("GET", with_token("%2e%2e/study.db"), host(), ""), 404);
    assert_int_equal(ask("GET", with_token("study.db"), host(), ""), 404);
    assert_int_equal(ask("GET", with_token("data.json/"), host(), ""), 404);
    /* No HTTP at all ends the connection, not the server. */
    assert_true(send_bytes("\x16\x03\x01 nonsense\r\n\r\n") != 200);
    assert_int_equal(ask("GET", with_token("data.json"), host(), ""), 200);
}

static void test_data_follows_the_study(void **state)
{
    (void)state;
    char etag[64] = "", header[100];
    if (dash == NULL)
        skip();
    assert_int_equal(ask("GET", with_token("data.json"), host(), ""), 200);
    assert_non_null(strstr(answer, "\"faces\""));
    const char *at = strstr(answer, "ETag: ");
    assert_non_null(at);
    sscanf(at, "ETag: %60[^\r]", etag);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
    assert_int_equal(ask("GET", with_token("data.json"), host(), header), 304);
    assert_null(strstr(answer, "faces"));
    put_fact("cells");
    for (int i = 0; i < 50 && ask("GET", with_token("data.json"), host(), header) != 200; i++)
        gn_sleep_ns(100000000);
    assert_non_null(strstr(answer, "\"cells\""));
    /* A study that is away for a while: what was known stays. */
    char moved[320];
    snprintf(moved, sizeof moved, "%s.away", study_path);
    assert_int_equal(rename(study_path, moved), 0);
    gn_sleep_ns(1100000000);
    assert_int_equal(ask("GET", with_token("data.json"), host(), ""), 200);
    assert_non_null(strstr(answer, "\"cells\""));
    assert_int_equal(rename(moved, study_path), 0);
}

static void test_start_failures(void **state)
{
    (void)state;
    gn_dash *other = NULL;
    gn_error err = {0};
    if (dash == NULL)
        skip();
    assert_int_equal(gn_dash_start(&(gn_dash_options){"/nonexistent.db", 0, true}, &other, &err), GN_ENOENT);
    assert_null(other);
    assert_int_equal(gn_dash_start(&(gn_dash_options){study_path, gn_dash_port(dash), true}, &other, &err), GN_EIO);
    assert_non_null(strstr(err.message, "cannot serve on port"));
    /* Tokens are not the same twice. */
    assert_int_equal(gn_dash_start(&(gn_dash_options){study_path, 0, true}, &other, &err), GN_OK);
    assert_string_not_equal(strchr(gn_dash_url(other), '='), strchr(gn_dash_url(dash), '='));
    gn_dash_stop(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_what_is_refused),
        cmocka_unit_test(test_data_follows_the_study),
        cmocka_unit_test(test_start_failures),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
