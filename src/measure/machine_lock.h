/* One measurement at a time, and nothing that trains beside it: a lock among the gannet processes of a user on one
 * machine.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_MEASURE_MACHINE_LOCK_H
#define GN_MEASURE_MACHINE_LOCK_H

#include "base/status.h"

typedef enum gn_machine_use {
    GN_MACHINE_WORK = 0, /* loads the machine; many may at once */
    GN_MACHINE_MEASURE,  /* wants it for itself */
} gn_machine_use;

typedef struct gn_machine_lock gn_machine_lock;

/* Waits up to wait_seconds (0: not at all) for others to end.  The lock goes with the process when that dies.
 * Its file: $GANNET_LOCK, else gannet.lock in $XDG_RUNTIME_DIR, else /tmp/gannet-UID.lock.
 * GN_EBUSY: others train or measure; GN_ECANCELED: a stop was asked for while waiting; GN_EIO; GN_ENOMEM. */
gn_status gn_machine_lock_take(gn_machine_use use, double wait_seconds, gn_machine_lock **lock_out, gn_error *err);
void gn_machine_lock_give(gn_machine_lock **lock);

#endif
