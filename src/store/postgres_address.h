/* The address of a study on a server, taken apart.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_STORE_POSTGRES_ADDRESS_H
#define GN_STORE_POSTGRES_ADDRESS_H

#include "base/status.h"
#include "base/text.h"

/* PostgreSQL cuts longer names off. */
#define GN_STUDY_NAME_MAX 63

typedef struct gn_postgres_address {
    char *url;   /* for libpq: without the parameter `study` */
    char *shown; /* for messages, tables and reports: without a password */
    char study[GN_STUDY_NAME_MAX + 1];
} gn_postgres_address;

/* where: postgresql://...[?study=NAME&...].  NAME: lower-case letters, digits and _, not beginning with a digit or "pg_"; "gannet" when
 * it is left out.  GN_EINVAL, GN_ENOMEM.  `address` must be deinited in any case. */
gn_status gn_postgres_address_parse(const char *where, gn_postgres_address *address, gn_error *err);
void gn_postgres_address_deinit(gn_postgres_address *address);

/* Appends `text`, such as a command line, with *** in place of the passwords of all addresses in it. */
void gn_postgres_hide_passwords(const char *text, gn_text *out);

#endif
