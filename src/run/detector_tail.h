/* The end of a detector's graph: whatever a file says behind the raw maps, Gannet decodes them itself.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef GN_RUN_DETECTOR_TAIL_H
#define GN_RUN_DETECTOR_TAIL_H

#include "graph/graph.h"

/* Where the metadata name a detector's raw maps (gannet.decode, gannet.detector, gannet.raw), cuts the graph off behind them and appends
 * gannet.DetectDecode: in place of the operators that a file holds for other runtimes and for one size of the input, and of their
 * suppression if it has one.  Outputs are then "boxes" and "scores", at any size that the network takes.  Other graphs, and those that end in
 * that operator already or have lost their maps, stay as they are.
 * GN_EFORMAT: the metadata cannot be used; GN_ESHAPE: the maps are others than the detector's; GN_ENOMEM. */
gn_status gn_detector_restore_tail(gn_graph *graph, gn_error *err);

#endif
