/* Texts of unknown origin as UTF-8.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_BASE_UTF8_H
#define GN_BASE_UTF8_H

#include "base/text.h"

/* Appends s with U+FFFD in place of every byte that is no UTF-8. */
void gn_text_add_utf8(gn_text *t, const char *s);

#endif
