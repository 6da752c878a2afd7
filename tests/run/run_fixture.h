/* Models whose answers can be worked out by hand, for the tests of sessions and measurements.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_RUN_RUN_FIXTURE_H
#define TESTS_RUN_RUN_FIXTURE_H

#include "graph/graph.h"

/* images [N,3,H,W] -> mean of each channel -> Gemm: y[k] = bias[k] + sum over c of weight[k][c] * mean[c]; output
 * [N,outputs].
 * weight: outputs x 3, NULL: zeros. */
gn_graph *fixture_means(int width, int height, int outputs, const float *weight, const float *bias);
/* The same after a BatchNormalization and a convolution 1x1 that both change nothing: something to fold and pack. */
gn_graph *fixture_means_after_conv(int width, int height, int outputs, const float *weight, const float *bias);

#endif
