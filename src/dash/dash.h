/* The report's page, served live on loopback while a search runs.  Read only: whoever has the token may look, nobody may change.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DASH_DASH_H
#define GN_DASH_DASH_H

#include <stdbool.h>

#include "base/status.h"

typedef struct gn_dash gn_dash;

typedef struct gn_dash_options {
    const char *study; /* file or address of the study; copied */
    int port;          /* 1..65535; 0: one that is free */
    bool has_pictures; /* the photos of the study are shown */
} gn_dash_options;

/* Begins to serve http://127.0.0.1:PORT/?token=TOKEN in a thread of its own, with a token of 128 random bits.
 *   /?token=TOKEN            the page
 *   /data.json?token=TOKEN   its data anew, made again at most once a second; with ETag, and 304 for If-None-Match
 * Only GET and HEAD (else 405); a wrong or missing token is 403, and so is a Host that is not this address (a name that somebody else's
 * server made point here); any other path is 404.  At most 16 connections, 15 seconds without a word end one.
 * GN_EUNSUPPORTED: libmicrohttpd is not installed.  GN_EIO: the port is taken.  GN_ENOENT and others of opening the study. */
gn_status gn_dash_start(const gn_dash_options *options, gn_dash **dash_out, gn_error *err);
/* Waits for requests under way.  Sets *dash NULL. */
void gn_dash_stop(gn_dash **dash);
/* The page's address with the token; valid until stop. */
const char *gn_dash_url(const gn_dash *dash);
int gn_dash_port(const gn_dash *dash);

#endif
