/* The report stage as programs see it.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GANNET_REPORT_API_H
#define GANNET_REPORT_API_H

#include "report/report.h"
#include "report/report_model.h"
#include "report/report_write.h"

#endif
