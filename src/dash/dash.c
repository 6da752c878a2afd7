/* Serving the page; see dash.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include "dash/dash.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/text.h"
#include "dash/microhttpd_library.h"
#include "report/report.h"

#define TOKEN_BYTES       16
#define MAX_CONNECTIONS   16u
#define TIMEOUT_SECONDS   15u
#define MEMORY_PER_CLIENT ((size_t)32 << 10)
/* Data younger than this is not made again; nor data that took a fifth of its age to make. */
#define FRESH_NS  INT64_C(1000000000)
#define MAX_SHARE 5

struct gn_dash {
    const gn_microhttpd *http;
    struct MHD_Daemon *daemon;
    char *study;
    bool has_pictures;
    int port;
    char token[2 * TOKEN_BYTES + 1];
    char url[96], live_url[64];
    /* Of the serving thread. */
    gn_text json;
    char etag[24];
    int64_t made_ns, took_ns;
};

/* --- data --------------------------------------------------------------------------------------------------------------- */

static gn_status make_json(gn_dash *d, gn_text *out, gn_error *err)
{
    gn_study *study = NULL;
    GN_TRY(gn_study_open(d->study, GN_STUDY_READ, &study, err));
    gn_status status = gn_report_json(&study, 1, d->has_pictures, out, err);
    gn_study_close(&study);
    if (status == GN_OK && out->failed)
        status = gn_fail(err, GN_ENOMEM, "making the data: out of memory");
    return status;
}

/* What the page shows now.  When the study cannot be read, what it showed before stays. */
static gn_status refresh(gn_dash *d, gn_error *err)
{
    const int64_t now = gn_now_ns(), age = now - d->made_ns;
    gn_text json;
    if (d->json.len > 0 && (age < FRESH_NS || age < MAX_SHARE * d->took_ns))
        return GN_OK;
    gn_text_init(&json);
    const gn_status status = make_json(d, &json, err);
    if (status != GN_OK) {
        gn_text_deinit(&json);
        return d->json.len > 0 ? GN_OK : status;
    }
    gn_text_deinit(&d->json);
    d->json = json;
    d->made_ns = gn_now_ns();
    d->took_ns = d->made_ns - now;
    snprintf(d->etag, sizeof d->etag, "\"%016" PRIx64 "\"", gn_hash64(json.data, json.len, 0));
    return GN_OK;
}

/* --- answers ------------------------------------------------------------------------------------------------------------ */

/* The text is copied. */
static enum MHD_Result answer(const gn_dash *d, struct MHD_Connection *connection, unsigned int code, const char *type,
                              const char *text, size_t bytes, const char *etag)
{
    static const char *const headers[][2] = {
        {"X-Content-Type-Options", "nosniff"},  {"X-Frame-Options", "DENY"},
        {"Referrer-Policy", "no-referrer"},     {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cache-Control", "no-cache, private"},
    };
    const gn_microhttpd *http = d->http;
    struct MHD_Response *response =
        http->MHD_create_response_from_buffer(bytes, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        http->MHD_add_response_header(response, headers[i][0], headers[i][1]);
    http->MHD_add_response_header(response, "Content-Type", type);
    if (etag != NULL)
        http->MHD_add_response_header(response, "ETag", etag);
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        http->MHD_add_response_header(response, "Allow", "GET, HEAD");
    const enum MHD_Result result = http->MHD_queue_response(connection, code, response);
    http->MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(const gn_dash *d, struct MHD_Connection *connection, unsigned int code, const char *why)
{
    return answer(d, connection, code, "text/plain; charset=utf-8", why, strlen(why), NULL);
}

/* In a time that does not tell how much of it was right. */
static bool is_token(const gn_dash *d, const char *got)
{
    unsigned different = 0;
    if (got == NULL || strlen(got) != 2 * TOKEN_BYTES)
        return false;
    for (int i = 0; i < 2 * TOKEN_BYTES; i++)
        different |= (unsigned)(unsigned char)d->token[i] ^ (unsigned)(unsigned char)got[i];
    return different == 0;
}

/* A page of somebody else whose name was made to point here would send its own name. */
static bool is_host(const gn_dash *d, const char *got)
{
    static const char *const names[] = {"127.0.0.1", "localhost"};
    char want[32];
    for (size_t i = 0; got != NULL && i < sizeof names / sizeof names[0]; i++) {
        snprintf(want, sizeof want, "%s:%d", names[i], d->port);
        if (strcmp(want, got) == 0)
            return true;
    }
    return false;
}

static enum MHD_Result answer_data(gn_dash *d, struct MHD_Connection *connection, bool is_page)
{
    gn_error err = {0};
    gn_text page;
    const char *known = d->http->MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match");
    if (refresh(d, &err) != GN_OK)
        return refuse(d, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the study cannot be read now\n");
    if (!is_page && known != NULL && strcmp(known, d->etag) == 0)
        return answer(d, connection, MHD_HTTP_NOT_MODIFIED, "application/json", "", 0, d->etag);
    if (!is_page)
        return answer(d, connection, MHD_HTTP_OK, "application/json", d->json.data, d->json.len, d->etag);
    gn_text_init(&page);
    gn_report_page(d->json.data, d->live_url, &page);
    const enum MHD_Result result =
        page.failed ? refuse(d, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n")
                    : answer(d, connection, MHD_HTTP_OK, "text/html; charset=utf-8", page.data, page.len, NULL);
    gn_text_deinit(&page);
    return result;
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_bytes, void **request)
{
    gn_dash *d = ctx;
    const gn_microhttpd *http = d->http;
    (void)version;
    (void)upload;
    (void)request;
    *upload_bytes = 0; /* whatever comes along is dropped */
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return refuse(d, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (!is_host(d, http->MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
        return refuse(d, connection, MHD_HTTP_FORBIDDEN, "this server answers to its own address only\n");
    const bool is_page = strcmp(url, "/") == 0;
    if (!is_page && strcmp(url, "/data.json") != 0)
        return refuse(d, connection, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
    if (!is_token(d, http->MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "token")))
        return refuse(d, connection, MHD_HTTP_FORBIDDEN, "the address needs its token\n");
    return answer_data(d, connection, is_page);
}

/* --- beginning and end -------------------------------------------------------------------------------------------------- */

static gn_status draw_token(char *dst, gn_error *err)
{
    unsigned char bytes[TOKEN_BYTES];
    ssize_t n;
    do
        n = getrandom(bytes, sizeof bytes, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof bytes)
        return gn_fail(err, GN_EIO, "drawing a token: the system gives no random numbers: %s", strerror(errno));
    for (int i = 0; i < TOKEN_BYTES; i++)
        snprintf(dst + 2 * i, 3, "%02x", bytes[i]);
    return GN_OK;
}

static gn_status listen_on(gn_dash *d, int port, gn_error *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    d->daemon = d->http->MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO | MHD_USE_ITC, (uint16_t)port,
                                          NULL, NULL, on_request, d, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address,
                                          MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                          TIMEOUT_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_PER_CLIENT,
                                          MHD_OPTION_END);
    if (d->daemon == NULL)
        return gn_fail(err, GN_EIO, "cannot serve on port %d of 127.0.0.1: %s; another port, or 0 for a free one?",
                       port, strerror(errno));
    const union MHD_DaemonInfo *info = d->http->MHD_get_daemon_info(d->daemon, MHD_DAEMON_INFO_BIND_PORT);
    d->port = info != NULL ? info->port : port;
    return GN_OK;
}

gn_status gn_dash_start(const gn_dash_options *options, gn_dash **dash_out, gn_error *err)
{
    const gn_microhttpd *http = NULL;
    GN_TRY(gn_microhttpd_load(&http, err));
    gn_dash *d = gn_calloc(1, sizeof *d);
    if (d != NULL)
        d->study = gn_strdup(options->study);
    if (d == NULL || d->study == NULL) {
        gn_free(d);
        return gn_fail(err, GN_ENOMEM, "serving the page: out of memory");
    }
    d->http = http;
    d->has_pictures = options->has_pictures;
    gn_text_init(&d->json);
    gn_status status = refresh(d, err); /* a study that cannot be read is told now */
    if (status == GN_OK)
        status = draw_token(d->token, err);
    if (status == GN_OK) {
        snprintf(d->live_url, sizeof d->live_url, "data.json?token=%s", d->token);
        status = listen_on(d, options->port, err);
    }
    if (status != GN_OK) {
        gn_dash_stop(&d);
        return status;
    }
    snprintf(d->url, sizeof d->url, "http://127.0.0.1:%d/?token=%s", d->port, d->token);
    *dash_out = d;
    return GN_OK;
}

void gn_dash_stop(gn_dash **dash)
{
    gn_dash *d = *dash;
    if (d == NULL)
        return;
    if (d->daemon != NULL)
        d->http->MHD_stop_daemon(d->daemon);
    gn_text_deinit(&d->json);
    gn_free(d->study);
    gn_free(d);
    *dash = NULL;
}

const char *gn_dash_url(const gn_dash *dash)
{
    return dash->url;
}

int gn_dash_port(const gn_dash *dash)
{
    return dash->port;
}
