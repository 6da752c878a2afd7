/* What the checker's main program and its harness share; families do not include this.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_TESTS_KERNELS_CHECK_PRIVATE_H
#define GN_TESTS_KERNELS_CHECK_PRIVATE_H

#include "check.h"

/* Verifies canaries and frees the blocks of the case. */
void check_end_case(gn_check *c);

#endif
