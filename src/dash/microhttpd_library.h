/* libmicrohttpd, opened when the first page is served: it brings a whole TLS library along, which no other verb should wait for.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_DASH_MICROHTTPD_LIBRARY_H
#define GN_DASH_MICROHTTPD_LIBRARY_H

#include <microhttpd.h>

#include "base/status.h"

/* F(type, name, parameters) for each function that is called. */
#define GN_MICROHTTPD_FUNCTIONS(F)                                                                                     \
    F(struct MHD_Daemon *, MHD_start_daemon,                                                                           \
      (unsigned int flags, uint16_t port, MHD_AcceptPolicyCallback apc, void *apc_cls, MHD_AccessHandlerCallback dh,   \
       void *dh_cls, ...))                                                                                             \
    F(void, MHD_stop_daemon, (struct MHD_Daemon * daemon))                                                             \
    F(const union MHD_DaemonInfo *, MHD_get_daemon_info,                                                               \
      (struct MHD_Daemon * daemon, enum MHD_DaemonInfoType info_type, ...))                                            \
    F(const char *, MHD_lookup_connection_value,                                                                       \
      (struct MHD_Connection * connection, enum MHD_ValueKind kind, const char *key))                                  \
    F(struct MHD_Response *, MHD_create_response_from_buffer,                                                          \
      (size_t size, void *buffer, enum MHD_ResponseMemoryMode mode))                                                   \
    F(enum MHD_Result, MHD_add_response_header,                                                                        \
      (struct MHD_Response * response, const char *header, const char *content))                                       \
    F(enum MHD_Result, MHD_queue_response,                                                                             \
      (struct MHD_Connection * connection, unsigned int status_code, struct MHD_Response *response))                   \
    F(void, MHD_destroy_response, (struct MHD_Response * response))

typedef struct gn_microhttpd {
#define GN_MICROHTTPD_POINTER(type, name, parameters) type(*name) parameters;
    GN_MICROHTTPD_FUNCTIONS(GN_MICROHTTPD_POINTER)
#undef GN_MICROHTTPD_POINTER
} gn_microhttpd;

/* The library's functions, the same for the whole process and never closed.  GN_EUNSUPPORTED: it is not installed here. */
gn_status gn_microhttpd_load(const gn_microhttpd **out, gn_error *err);

#endif
