/* What a report says about the machine that trained and evaluated.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_SEARCH_DEVICE_DOCUMENT_H
#define GN_SEARCH_DEVICE_DOCUMENT_H

#include "base/text.h"

/* One JSON object: model, cpu_level, cores, governor, clock_mhz, temperature_c, kernel, os, compiler, gannet, measured_at; null where the
 * machine does not tell.  A failed allocation shows in out->failed. */
void gn_device_document(gn_text *out);

#endif
